//! CEL's syntax tree to ours: names are looked up, types checked, patterns compiled. Every mistake is told with its place.

use std::cell::RefCell;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo, operators};
use regex_lite::Regex;

use super::ConditionError;
use super::facts::{FACTS, Fact, OF_CALLER, ReadPairs, ReadText, names};
use super::parse::{parse, position};
use super::tree::{Arithmetic, Compare, Flag, Int, Text};

/// The condition, and the names that it asks for.
pub(super) fn condition(text: &str) -> Result<(Flag, Vec<&'static str>), ConditionError> {
    let program = parse(text)?;
    let compiler = Compiler {
        source: program.source_info(),
        text,
        asks: RefCell::default(),
    };
    match compiler.any(program.expression())? {
        Any::Flag(flag) => Ok((flag, compiler.asks.into_inner())),
        other => Err(compiler.error(
            program.expression(),
            format!(
                "a condition is true or false, and this is {}; compare it with something",
                other.what()
            ),
        )),
    }
}

struct Compiler<'a> {
    source: &'a SourceInfo,
    text: &'a str,
    asks: RefCell<Vec<&'static str>>,
}

/// An expression of any type.
enum Any {
    Text(Text),
    Int(Int),
    Flag(Flag),
    Word(ReadText, &'static [&'static str]),
    Pairs(ReadPairs),
}

impl Any {
    fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Word(..) => "a word",
            Self::Pairs(_) => "a map",
        }
    }
}

type Compiled<T> = Result<T, ConditionError>;

impl Compiler<'_> {
    fn any(&self, at: &IdedExpr) -> Compiled<Any> {
        match &at.expr {
            Expr::Literal(literal) => self.literal(at, literal),
            Expr::Ident(_) => self.named(at),
            Expr::Select(select) if select.test => Ok(Any::Flag(self.has(at, select)?)),
            Expr::Select(_) => self.named(at),
            Expr::Call(call) => self.call(at, call),
            Expr::List(_) => Err(self.error(at, "a list can only stand behind \"in\"")),
            Expr::Comprehension(_) => Err(self.error(
                at,
                "all, exists, map and filter are not for rules; use \"in\" with a list, or && and ||",
            )),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(self.error(at, "maps and messages cannot be made in a rule; ask for a name such as tags.x"))
            }
        }
    }

    fn literal(&self, at: &IdedExpr, literal: &LiteralValue) -> Compiled<Any> {
        Ok(match literal {
            LiteralValue::Boolean(value) => Any::Flag(Flag::Literal(*value.inner())),
            LiteralValue::Int(value) => Any::Int(Int::Literal(*value.inner())),
            LiteralValue::UInt(value) => Any::Int(Int::Literal(
                i64::try_from(*value.inner()).map_err(|_| self.error(at, "this number is too large"))?,
            )),
            LiteralValue::String(text) => Any::Text(Text::Literal(text.inner().into())),
            LiteralValue::Double(_) => return Err(self.error(at, "numbers in rules are whole; write it without a decimal point")),
            LiteralValue::Bytes(_) => return Err(self.error(at, "there are no bytes in rules; write it without the b")),
            LiteralValue::Null => return Err(self.error(at, "nothing is null in a rule: what is unknown is \"\", 0 or false")),
        })
    }

    /// `team`, `caller.team`, `tags.x`, `caller.tags.x`.
    fn named(&self, at: &IdedExpr) -> Compiled<Any> {
        let Some(path) = path(at) else {
            let Expr::Select(select) = &at.expr else {
                return Err(self.error(at, "this is not a name"));
            };
            return Err(self.error(
                at,
                format!(
                    "this has no \"{}\"; only tags and metadata have something behind a dot",
                    select.field
                ),
            ));
        };
        let (root, rest) = match path.as_slice() {
            [("caller", _), (name, id), rest @ ..] if OF_CALLER.contains(name) => ((*name, *id), rest),
            [("caller", _), (name, id), ..] => return Err(self.unknown(*id, name, OF_CALLER, "caller.")),
            [("caller", id)] => return Err(self.error_at(*id, "caller is no value; write caller.team, caller.user or caller.tags.x")),
            [root, rest @ ..] => (*root, rest),
            [] => return Err(self.error(at, "this is not a name")),
        };
        let Some((name, fact)) = FACTS.iter().find(|(name, _)| *name == root.0) else {
            return Err(self.unknown(root.1, root.0, &names().collect::<Vec<_>>(), ""));
        };
        self.asks.borrow_mut().push(name);
        match (fact, rest) {
            (Fact::Pairs(read), []) => Ok(Any::Pairs(*read)),
            (Fact::Pairs(read), [(key, _)]) => Ok(Any::Text(Text::Entry(*read, Box::new(Text::Literal((*key).into()))))),
            (Fact::Text(read), []) => Ok(Any::Text(Text::Fact(name, *read))),
            (Fact::Word(read, words), []) => Ok(Any::Word(*read, words)),
            (Fact::Int(read, highest), []) => Ok(Any::Int(Int::Fact(*read, *highest))),
            (Fact::Flag(read), []) => Ok(Any::Flag(Flag::Fact(*read))),
            (_, [(key, id), ..]) => Err(self.error_at(
                *id,
                match fact {
                    Fact::Pairs(_) => format!("what is under a name in {name} is text; a name with dots is written {name}[\"a.b\"]"),
                    _ => format!("\"{name}\" has no \"{key}\"; only tags and metadata have something behind a dot"),
                },
            )),
        }
    }

    fn unknown(&self, id: u64, name: &str, known: &[&str], prefix: &str) -> ConditionError {
        let nearest = known.iter().map(|known| (distance(name, known), *known)).min();
        let remedy = match nearest {
            Some((distance, nearest)) if distance <= 2.max(name.len() / 3) => format!("did you mean \"{prefix}{nearest}\"?"),
            _ => format!("there are: {}", known.join(", ")),
        };
        self.error_at(id, format!("no such name \"{prefix}{name}\"; {remedy}"))
    }

    fn has(&self, at: &IdedExpr, select: &SelectExpr) -> Compiled<Flag> {
        match self.any(&select.operand)? {
            Any::Pairs(read) => Ok(Flag::Has(read, Text::Literal(select.field.as_str().into()))),
            _ => Err(self.error(at, "has() asks for a tag or metadata, as in has(tags.x)")),
        }
    }

    fn call(&self, at: &IdedExpr, call: &CallExpr) -> Compiled<Any> {
        let flag = |flag| Ok(Any::Flag(flag));
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_AND, None, [left, right]) => flag(Flag::And(Box::new((self.flag(left)?, self.flag(right)?)))),
            (operators::LOGICAL_OR, None, [left, right]) => flag(Flag::Or(Box::new((self.flag(left)?, self.flag(right)?)))),
            (operators::LOGICAL_NOT, None, [one]) => flag(Flag::Not(Box::new(self.flag(one)?))),
            (operators::NEGATE, None, [one]) => Ok(Any::Int(Int::Negate(Box::new(self.int(one)?)))),
            (operators::IN, None, [one, all]) => flag(self.among(one, all)?),
            (operators::INDEX, None, [map, name]) => match self.any(map)? {
                Any::Pairs(read) => Ok(Any::Text(Text::Entry(read, Box::new(self.text(name)?)))),
                _ => Err(self.error(map, "only tags and metadata have something in brackets")),
            },
            (operators::CONDITIONAL, None, [which, yes, no]) => self.choice(at, which, yes, no),
            ("size", None, [one]) | ("size", Some(one), []) => match self.any(one)? {
                Any::Text(text) => Ok(Any::Int(Int::Size(text))),
                Any::Pairs(read) => Ok(Any::Int(Int::Entries(read))),
                other => Err(self.error(one, format!("size() is of text or of a map, and this is {}", other.what()))),
            },
            ("startsWith", Some(text), [start]) => flag(Flag::StartsWith(self.text(text)?, self.text(start)?)),
            ("endsWith", Some(text), [end]) => flag(Flag::EndsWith(self.text(text)?, self.text(end)?)),
            ("contains", Some(text), [part]) => flag(Flag::Contains(self.text(text)?, self.text(part)?)),
            ("matches", Some(text), [pattern]) | ("matches", None, [text, pattern]) => flag(self.matches(text, pattern)?),
            (name, None, [left, right]) => {
                if let Some(compare) = comparison(name) {
                    flag(self.compare(at, compare, left, right)?)
                } else if let Some(operation) = arithmetic(name) {
                    Ok(Any::Int(Int::Arithmetic(operation, Box::new((self.int(left)?, self.int(right)?)))))
                } else {
                    Err(self.no_function(at, name))
                }
            }
            (name, ..) => Err(self.no_function(at, name)),
        }
    }

    fn no_function(&self, at: &IdedExpr, name: &str) -> ConditionError {
        const FUNCTIONS: &[&str] = &["startsWith", "endsWith", "contains", "matches", "size", "has"];
        let nearest = FUNCTIONS.iter().map(|known| (distance(name, known), *known)).min();
        let message = match nearest {
            Some((0, known)) => {
                format!("{known} is called as in model.startsWith(\"openai/\"), size(tags), has(tags.x), model.matches(\"mini$\")")
            }
            Some((distance, known)) if distance <= 2 && distance < name.len() => {
                format!("there is no \"{name}\" in rules; did you mean {known}?")
            }
            _ => format!("there is no \"{name}\" in rules; there are {}", FUNCTIONS.join(", ")),
        };
        self.error(at, message)
    }

    fn matches(&self, text: &IdedExpr, pattern: &IdedExpr) -> Compiled<Flag> {
        let Expr::Literal(LiteralValue::String(literal)) = &pattern.expr else {
            return Err(self.error(pattern, "a pattern is written out, as in model.matches(\"mini$\")"));
        };
        let compiled = Regex::new(literal.inner()).map_err(|error| self.error(pattern, format!("not a regular expression: {error}")))?;
        Ok(Flag::Matches(self.text(text)?, Arc::new(compiled)))
    }

    fn among(&self, one: &IdedExpr, all: &IdedExpr) -> Compiled<Flag> {
        let Expr::List(ListExpr { elements, .. }) = &all.expr else {
            return match self.any(all)? {
                Any::Pairs(read) => Ok(Flag::Has(read, self.text(one)?)),
                other => Err(self.error(all, format!("\"in\" looks into a list or a map, and this is {}", other.what()))),
            };
        };
        match self.any(one)? {
            Any::Text(text) => Ok(Flag::TextAmong(
                text,
                elements.iter().map(|element| self.text(element)).collect::<Result<_, _>>()?,
            )),
            Any::Int(int) => Ok(Flag::IntAmong(
                int,
                elements.iter().map(|element| self.int(element)).collect::<Result<_, _>>()?,
            )),
            Any::Word(read, words) => {
                let levels = elements.iter().map(|element| self.level(element, words));
                Ok(Flag::IntAmong(Int::Level(read, words), levels.collect::<Result<_, _>>()?))
            }
            other => Err(self.error(one, format!("\"in\" looks for text or a number, and this is {}", other.what()))),
        }
    }

    fn choice(&self, at: &IdedExpr, which: &IdedExpr, yes: &IdedExpr, no: &IdedExpr) -> Compiled<Any> {
        let which = self.flag(which)?;
        Ok(match (self.any(yes)?, self.any(no)?) {
            (Any::Text(yes), Any::Text(no)) => Any::Text(Text::If(Box::new((which, yes, no)))),
            (Any::Int(yes), Any::Int(no)) => Any::Int(Int::If(Box::new((which, yes, no)))),
            (Any::Flag(yes), Any::Flag(no)) => Any::Flag(Flag::If(Box::new((which, yes, no)))),
            (yes, no) => {
                let message = format!("both sides of ? : are of one type, and these are {} and {}", yes.what(), no.what());
                return Err(self.error(at, message));
            }
        })
    }

    fn compare(&self, at: &IdedExpr, compare: Compare, left: &IdedExpr, right: &IdedExpr) -> Compiled<Flag> {
        match (self.any(left)?, self.any(right)?) {
            (Any::Text(one), Any::Text(other)) => Ok(Flag::Texts(compare, one, other)),
            (Any::Int(one), Any::Int(other)) => Ok(Flag::Ints(compare, one, other)),
            (Any::Word(read, words), _) => Ok(Flag::Ints(compare, Int::Level(read, words), self.level(right, words)?)),
            (_, Any::Word(read, words)) => Ok(Flag::Ints(compare, self.level(left, words)?, Int::Level(read, words))),
            (Any::Flag(one), Any::Flag(other)) if matches!(compare, Compare::Equal | Compare::NotEqual) => {
                Ok(Flag::Flags(compare == Compare::Equal, Box::new((one, other))))
            }
            (one, other) => {
                let message = format!("{} cannot be compared with {} in this way", one.what(), other.what());
                Err(self.error(at, message))
            }
        }
    }

    /// A word that is compared with a fact that can be one of these.
    fn level(&self, at: &IdedExpr, words: &'static [&'static str]) -> Compiled<Int> {
        if let Expr::Literal(LiteralValue::String(word)) = &at.expr {
            let place = words.iter().position(|known| *known == word.inner());
            let place = if word.inner().is_empty() {
                Some(-1)
            } else {
                place.and_then(|place| i64::try_from(place).ok())
            };
            return place
                .map(Int::Literal)
                .ok_or_else(|| self.error(at, format!("\"{}\" can never be; it is one of {}", word.inner(), words.join(" < "))));
        }
        match self.any(at)? {
            Any::Word(read, known) if known == words => Ok(Int::Level(read, known)),
            _ => Err(self.error(at, format!("this is compared with one of {}", words.join(" < ")))),
        }
    }

    fn text(&self, at: &IdedExpr) -> Compiled<Text> {
        match self.any(at)? {
            Any::Text(text) => Ok(text),
            // Only its order is special.
            Any::Word(read, _) => Ok(Text::Fact("", read)),
            other => Err(self.error(at, format!("text is wanted here, and this is {}", other.what()))),
        }
    }

    fn int(&self, at: &IdedExpr) -> Compiled<Int> {
        match self.any(at)? {
            Any::Int(int) => Ok(int),
            other => Err(self.error(at, format!("a number is wanted here, and this is {}", other.what()))),
        }
    }

    fn flag(&self, at: &IdedExpr) -> Compiled<Flag> {
        match self.any(at)? {
            Any::Flag(flag) => Ok(flag),
            other => Err(self.error(
                at,
                format!(
                    "true or false is wanted here, and this is {}; compare it with something",
                    other.what()
                ),
            )),
        }
    }

    fn error(&self, at: &IdedExpr, message: impl Into<String>) -> ConditionError {
        self.error_at(at.id, message)
    }

    fn error_at(&self, id: u64, message: impl Into<String>) -> ConditionError {
        let offset = self
            .source
            .offset_for(id)
            .map_or(0, |(start, _)| usize::try_from(start).unwrap_or(0));
        ConditionError {
            position: position(self.text, offset),
            message: message.into(),
        }
    }
}

/// The parts of a dotted name, with where they stand.
fn path(at: &IdedExpr) -> Option<Vec<(&str, u64)>> {
    match &at.expr {
        Expr::Ident(name) => Some(vec![(name.as_str(), at.id)]),
        Expr::Select(select) if !select.test => {
            let mut parts = path(&select.operand)?;
            parts.push((select.field.as_str(), at.id));
            Some(parts)
        }
        _ => None,
    }
}

fn comparison(name: &str) -> Option<Compare> {
    Some(match name {
        operators::EQUALS => Compare::Equal,
        operators::NOT_EQUALS => Compare::NotEqual,
        operators::LESS => Compare::Less,
        operators::LESS_EQUALS => Compare::LessOrEqual,
        operators::GREATER => Compare::Greater,
        operators::GREATER_EQUALS => Compare::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(name: &str) -> Option<Arithmetic> {
    Some(match name {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}

/// How many characters must be changed, added or left out to make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut left = i + 1;
        for (slot, b) in row.iter_mut().skip(1).zip(&other) {
            let cost = diagonal + usize::from(a != *b);
            diagonal = *slot;
            left = cost.min(*slot + 1).min(left + 1);
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}
