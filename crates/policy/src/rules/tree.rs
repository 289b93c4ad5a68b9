//! A condition as typed operations, and how they are worked out. Nothing here can be of a wrong type.

use std::cmp::Ordering;
use std::sync::Arc;

use regex_lite::Regex;

use super::ConditionFailure;
use super::facts::{Facts, Pairs, ReadFlag, ReadInt, ReadPairs, ReadText};

#[derive(Clone)]
pub(super) enum Text {
    Literal(Box<str>),
    Fact(&'static str, ReadText),
    /// The value under a name; `""` when there is none.
    Entry(ReadPairs, Box<Text>),
    If(Box<(Flag, Text, Text)>),
}

#[derive(Clone)]
pub(super) enum Int {
    Literal(i64),
    /// With the highest that it can be.
    Fact(ReadInt, i64),
    /// The place of a word among those it can be, from 0; -1: not said.
    Level(ReadText, &'static [&'static str]),
    Size(Text),
    Entries(ReadPairs),
    Negate(Box<Int>),
    Arithmetic(Arithmetic, Box<(Int, Int)>),
    If(Box<(Flag, Int, Int)>),
}

#[derive(Clone, Copy)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone)]
pub(super) enum Flag {
    Literal(bool),
    Fact(ReadFlag),
    Not(Box<Flag>),
    And(Box<(Flag, Flag)>),
    Or(Box<(Flag, Flag)>),
    If(Box<(Flag, Flag, Flag)>),
    Texts(Compare, Text, Text),
    Ints(Compare, Int, Int),
    /// True: they are to be equal.
    Flags(bool, Box<(Flag, Flag)>),
    Has(ReadPairs, Text),
    TextAmong(Text, Vec<Text>),
    IntAmong(Int, Vec<Int>),
    StartsWith(Text, Text),
    EndsWith(Text, Text),
    Contains(Text, Text),
    Matches(Text, Arc<Regex>),
}

impl Text {
    fn of<'a>(&'a self, facts: &Facts<'a>) -> Result<&'a str, ConditionFailure> {
        Ok(match self {
            Self::Literal(text) => text,
            Self::Fact(_, read) => read(facts),
            Self::Entry(read, name) => entry(read(facts), name.of(facts)?).unwrap_or(""),
            Self::If(parts) => return if parts.0.of(facts)? { parts.1.of(facts) } else { parts.2.of(facts) },
        })
    }
}

impl Int {
    fn of(&self, facts: &Facts<'_>) -> Result<i64, ConditionFailure> {
        let size = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        match self {
            Self::Literal(value) => Ok(*value),
            Self::Fact(read, _) => Ok(read(facts)),
            Self::Level(read, words) => {
                let said = read(facts);
                Ok(words.iter().position(|word| *word == said).map_or(-1, size))
            }
            Self::Size(text) => Ok(size(text.of(facts)?.chars().count())),
            Self::Entries(read) => Ok(size(read(facts).len())),
            Self::Negate(value) => value.of(facts)?.checked_neg().ok_or(ConditionFailure::Overflow),
            Self::Arithmetic(operation, sides) => operation.of(sides.0.of(facts)?, sides.1.of(facts)?),
            Self::If(parts) => {
                if parts.0.of(facts)? {
                    parts.1.of(facts)
                } else {
                    parts.2.of(facts)
                }
            }
        }
    }

    /// The lowest and the highest that it can be.
    fn range(&self) -> (i64, i64) {
        match self {
            Self::Literal(value) => (*value, *value),
            Self::Fact(_, highest) => (0, *highest),
            Self::Level(_, words) => (-1, i64::try_from(words.len()).unwrap_or(i64::MAX) - 1),
            Self::Size(_) | Self::Entries(_) => (0, i64::MAX),
            Self::Negate(value) => {
                let (low, high) = value.range();
                (high.saturating_neg(), low.saturating_neg())
            }
            Self::If(parts) => {
                let (one, other) = (parts.1.range(), parts.2.range());
                (one.0.min(other.0), one.1.max(other.1))
            }
            Self::Arithmetic(operation, sides) => match (operation, sides.0.range(), sides.1.range()) {
                (_, (a, b), (c, d)) if a == b && c == d => operation.of(a, c).map_or((i64::MIN, i64::MAX), |value| (value, value)),
                (Arithmetic::Add, one, other) => (one.0.saturating_add(other.0), one.1.saturating_add(other.1)),
                (Arithmetic::Subtract, one, other) => (one.0.saturating_sub(other.1), one.1.saturating_sub(other.0)),
                _ => (i64::MIN, i64::MAX),
            },
        }
    }
}

impl Arithmetic {
    fn of(self, left: i64, right: i64) -> Result<i64, ConditionFailure> {
        let divides = matches!(self, Self::Divide | Self::Remainder);
        if divides && right == 0 {
            return Err(ConditionFailure::DivisionByZero);
        }
        let result = match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
        };
        result.ok_or(ConditionFailure::Overflow)
    }
}

impl Compare {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// What it says of any two numbers of these ranges, if it says the same of all.
    fn of_ranges(self, left: (i64, i64), right: (i64, i64)) -> Option<bool> {
        let orders: &[Ordering] = match (left, right) {
            (one, other) if one.1 < other.0 => &[Ordering::Less],
            (one, other) if other.1 < one.0 => &[Ordering::Greater],
            (one, other) if one.0 == one.1 && one == other => &[Ordering::Equal],
            (one, other) if one.1 == other.0 => &[Ordering::Less, Ordering::Equal],
            (one, other) if other.1 == one.0 => &[Ordering::Greater, Ordering::Equal],
            _ => return None,
        };
        let first = self.holds(*orders.first()?);
        orders.iter().all(|order| self.holds(*order) == first).then_some(first)
    }
}

impl Flag {
    pub(super) fn of(&self, facts: &Facts<'_>) -> Result<bool, ConditionFailure> {
        match self {
            Self::Literal(value) => Ok(*value),
            Self::Fact(read) => Ok(read(facts)),
            Self::Not(flag) => flag.of(facts).map(|value| !value),
            Self::And(sides) => both(&sides.0, &sides.1, facts, false),
            Self::Or(sides) => both(&sides.0, &sides.1, facts, true),
            Self::If(parts) => {
                if parts.0.of(facts)? {
                    parts.1.of(facts)
                } else {
                    parts.2.of(facts)
                }
            }
            Self::Texts(compare, left, right) => Ok(compare.holds(left.of(facts)?.cmp(right.of(facts)?))),
            Self::Ints(compare, left, right) => Ok(compare.holds(left.of(facts)?.cmp(&right.of(facts)?))),
            Self::Flags(equal, sides) => Ok((sides.0.of(facts)? == sides.1.of(facts)?) == *equal),
            Self::Has(read, name) => Ok(entry(read(facts), name.of(facts)?).is_some()),
            Self::TextAmong(text, texts) => {
                let wanted = text.of(facts)?;
                among(texts.iter().map(|text| Ok(text.of(facts)? == wanted)))
            }
            Self::IntAmong(int, ints) => {
                let wanted = int.of(facts)?;
                among(ints.iter().map(|int| Ok(int.of(facts)? == wanted)))
            }
            Self::StartsWith(text, start) => Ok(text.of(facts)?.starts_with(start.of(facts)?)),
            Self::EndsWith(text, end) => Ok(text.of(facts)?.ends_with(end.of(facts)?)),
            Self::Contains(text, part) => Ok(text.of(facts)?.contains(part.of(facts)?)),
            Self::Matches(text, pattern) => Ok(pattern.is_match(text.of(facts)?)),
        }
    }

    /// What it says of every call, as far as that can be seen.
    pub(super) fn constant(&self) -> Option<bool> {
        match self {
            Self::Literal(value) => Some(*value),
            Self::Not(flag) => flag.constant().map(|value| !value),
            Self::And(sides) => match (sides.0.constant(), sides.1.constant()) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ if self.contradicts_itself() => Some(false),
                _ => None,
            },
            Self::Or(sides) => match (sides.0.constant(), sides.1.constant()) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::If(parts) => match parts.0.constant() {
                Some(true) => parts.1.constant(),
                Some(false) => parts.2.constant(),
                None => parts.1.constant().filter(|one| parts.2.constant() == Some(*one)),
            },
            Self::Texts(compare, Text::Literal(left), Text::Literal(right)) => Some(compare.holds(left.cmp(right))),
            Self::Ints(compare, left, right) => compare.of_ranges(left.range(), right.range()),
            Self::TextAmong(_, texts) if texts.is_empty() => Some(false),
            Self::IntAmong(_, ints) if ints.is_empty() => Some(false),
            _ => None,
        }
    }

    /// One fact is to be two different texts.
    fn contradicts_itself(&self) -> bool {
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        self.wanted(&mut wanted);
        wanted
            .iter()
            .any(|one| wanted.iter().any(|other| one.0 == other.0 && one.1 != other.1))
    }

    /// Which texts the facts must be for it to hold.
    fn wanted<'a>(&'a self, into: &mut Vec<(&'a str, &'a str)>) {
        match self {
            Self::And(sides) => {
                sides.0.wanted(into);
                sides.1.wanted(into);
            }
            Self::Texts(Compare::Equal, Text::Fact(name, _), Text::Literal(text))
            | Self::Texts(Compare::Equal, Text::Literal(text), Text::Fact(name, _)) => into.push((name, text)),
            _ => {}
        }
    }
}

fn entry<'a>(pairs: Pairs<'a>, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(own, _)| **own == *name).map(|(_, value)| &**value)
}

/// `&&` and `||` as CEL has them: a side that decides makes good for a failure on the other.
fn both(left: &Flag, right: &Flag, facts: &Facts<'_>, deciding: bool) -> Result<bool, ConditionFailure> {
    match left.of(facts) {
        Ok(value) if value == deciding => Ok(deciding),
        Ok(_) => right.of(facts),
        Err(failure) => match right.of(facts) {
            Ok(value) if value == deciding => Ok(deciding),
            _ => Err(failure),
        },
    }
}

fn among(mut found: impl Iterator<Item = Result<bool, ConditionFailure>>) -> Result<bool, ConditionFailure> {
    found.find(|one| *one != Ok(false)).unwrap_or(Ok(false))
}
