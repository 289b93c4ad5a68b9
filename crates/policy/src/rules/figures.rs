//! Conditions over the figures of a release, such as `error_rate > 0.05 || p95_ms > 8000`. Every name is a number, and numbers here have
//! decimals: nothing can fail when such a condition is asked (what cannot be computed compares as false).

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::parse::{parse, position};
use super::{ConditionError, Position};
use crate::release::Figures;

type Read = fn(&Figures, &Figures) -> f64;

/// Every name: those of the release itself, and of the route's stable targets to compare with.
static NAMES: &[(&str, Read)] = &[
    ("requests", |own, _| own.requests),
    ("error_rate", |own, _| own.error_rate),
    ("block_rate", |own, _| own.block_rate),
    ("feedback", |own, _| own.feedback),
    ("p95_ms", |own, _| own.p95_ms),
    ("stable_requests", |_, stable| stable.requests),
    ("stable_error_rate", |_, stable| stable.error_rate),
    ("stable_block_rate", |_, stable| stable.block_rate),
    ("stable_feedback", |_, stable| stable.feedback),
    ("stable_p95_ms", |_, stable| stable.p95_ms),
];

/// A condition over figures, ready to be asked.
#[derive(Debug, Clone)]
pub struct FigureCondition {
    text: Box<str>,
    root: Flag,
    asks_stable: bool,
}

#[derive(Debug, Clone)]
enum Number {
    Literal(f64),
    Figure(Read),
    Negate(Box<Number>),
    Arithmetic(Arithmetic, Box<(Number, Number)>),
}

#[derive(Debug, Clone, Copy)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy)]
enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone)]
enum Flag {
    Literal(bool),
    Compare(Compare, Number, Number),
    Not(Box<Flag>),
    And(Box<(Flag, Flag)>),
    Or(Box<(Flag, Flag)>),
}

impl FigureCondition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Bad syntax, an unknown name, or an operation that numbers do not have.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        let program = parse(text)?;
        let compiler = Compiler {
            source: program.source_info(),
            text,
        };
        let root = compiler.flag(program.expression())?;
        Ok(Self {
            text: text.into(),
            root,
            asks_stable: program.references().variables().iter().any(|name| name.starts_with("stable_")),
        })
    }

    /// Whether it holds for a release, beside the route's stable targets.
    #[must_use]
    pub fn holds(&self, own: &Figures, stable: &Figures) -> bool {
        self.root.of(own, stable)
    }

    /// Whether it compares with the stable targets.
    #[must_use]
    pub fn asks_stable(&self) -> bool {
        self.asks_stable
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Number {
    fn of(&self, own: &Figures, stable: &Figures) -> f64 {
        match self {
            Self::Literal(value) => *value,
            Self::Figure(read) => read(own, stable),
            Self::Negate(number) => -number.of(own, stable),
            Self::Arithmetic(operation, sides) => {
                let (left, right) = (sides.0.of(own, stable), sides.1.of(own, stable));
                match operation {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                }
            }
        }
    }
}

impl Flag {
    fn of(&self, own: &Figures, stable: &Figures) -> bool {
        match self {
            Self::Literal(value) => *value,
            Self::Not(flag) => !flag.of(own, stable),
            Self::And(sides) => sides.0.of(own, stable) && sides.1.of(own, stable),
            Self::Or(sides) => sides.0.of(own, stable) || sides.1.of(own, stable),
            Self::Compare(compare, left, right) => {
                let (left, right) = (left.of(own, stable), right.of(own, stable));
                match compare {
                    Compare::Less => left < right,
                    Compare::LessOrEqual => left <= right,
                    Compare::Greater => left > right,
                    Compare::GreaterOrEqual => left >= right,
                }
            }
        }
    }
}

struct Compiler<'a> {
    source: &'a SourceInfo,
    text: &'a str,
}

impl Compiler<'_> {
    fn flag(&self, at: &IdedExpr) -> Result<Flag, ConditionError> {
        match &at.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Ok(Flag::Literal(*value.inner())),
            Expr::Call(CallExpr {
                func_name,
                target: None,
                args,
                ..
            }) => self.operation(at, func_name, args),
            _ => Err(self.error(
                at,
                "true or false is wanted here; compare a figure with a number, as in error_rate > 0.05",
            )),
        }
    }

    fn operation(&self, at: &IdedExpr, name: &str, args: &[IdedExpr]) -> Result<Flag, ConditionError> {
        let compare = match name {
            operators::LESS => Compare::Less,
            operators::LESS_EQUALS => Compare::LessOrEqual,
            operators::GREATER => Compare::Greater,
            operators::GREATER_EQUALS => Compare::GreaterOrEqual,
            _ => {
                return match (name, args) {
                    (operators::LOGICAL_AND, [left, right]) => Ok(Flag::And(Box::new((self.flag(left)?, self.flag(right)?)))),
                    (operators::LOGICAL_OR, [left, right]) => Ok(Flag::Or(Box::new((self.flag(left)?, self.flag(right)?)))),
                    (operators::LOGICAL_NOT, [one]) => Ok(Flag::Not(Box::new(self.flag(one)?))),
                    (operators::EQUALS | operators::NOT_EQUALS, _) => {
                        Err(self.error(at, "figures are measured, and seldom equal to anything; use < <= > or >="))
                    }
                    _ => Err(self.error(at, "there are < <= > >=, && || ! and + - * / in such a condition")),
                };
            }
        };
        match args {
            [left, right] => Ok(Flag::Compare(compare, self.number(left)?, self.number(right)?)),
            _ => Err(self.error(at, "a comparison has two sides")),
        }
    }

    fn number(&self, at: &IdedExpr) -> Result<Number, ConditionError> {
        match &at.expr {
            Expr::Literal(LiteralValue::Double(value)) => Ok(Number::Literal(*value.inner())),
            #[expect(clippy::cast_precision_loss, reason = "a bound that is compared with a measurement")]
            Expr::Literal(LiteralValue::Int(value)) => Ok(Number::Literal(*value.inner() as f64)),
            Expr::Ident(name) => self.figure(at, name),
            Expr::Call(CallExpr {
                func_name,
                target: None,
                args,
                ..
            }) => self.arithmetic(at, func_name, args),
            _ => Err(self.error(at, "a number is wanted here")),
        }
    }

    fn figure(&self, at: &IdedExpr, name: &str) -> Result<Number, ConditionError> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        let known = || NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        found
            .map(|(_, read)| Number::Figure(*read))
            .ok_or_else(|| self.error(at, format!("no such figure \"{name}\"; there are: {}", known())))
    }

    fn arithmetic(&self, at: &IdedExpr, name: &str, args: &[IdedExpr]) -> Result<Number, ConditionError> {
        let operation = match (name, args) {
            (operators::NEGATE, [one]) => return Ok(Number::Negate(Box::new(self.number(one)?))),
            (operators::ADD, _) => Arithmetic::Add,
            (operators::SUBSTRACT, _) => Arithmetic::Subtract,
            (operators::MULTIPLY, _) => Arithmetic::Multiply,
            (operators::DIVIDE, _) => Arithmetic::Divide,
            _ => return Err(self.error(at, "a number is wanted here; there are + - * / to make one")),
        };
        match args {
            [left, right] => Ok(Number::Arithmetic(operation, Box::new((self.number(left)?, self.number(right)?)))),
            _ => Err(self.error(at, "this operation has two sides")),
        }
    }

    fn error(&self, at: &IdedExpr, message: impl Into<String>) -> ConditionError {
        let offset = self.source.offset_for(at.id).map_or(0, |(start, _)| start);
        ConditionError {
            position: self.position(offset),
            message: message.into(),
        }
    }

    fn position(&self, offset: u32) -> Position {
        position(self.text, usize::try_from(offset).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn figures(error_rate: f64, p95_ms: f64) -> Figures {
        Figures {
            requests: 100.0,
            error_rate,
            p95_ms,
            ..Figures::default()
        }
    }

    #[test]
    fn figures_are_compared_with_decimals_and_whole_numbers() {
        let stable = figures(0.01, 1000.0);
        let rows = [
            ("error_rate > 0.05 || p95_ms > 8000", 0.06, 10.0, true),
            ("error_rate > 0.05 || p95_ms > 8000", 0.05, 8000.0, false),
            ("error_rate > 0.05 || p95_ms > 8000", 0.0, 8000.5, true),
            ("error_rate > 0", 0.001, 0.0, true),
            ("error_rate > 2 * stable_error_rate && requests >= 100", 0.03, 0.0, true),
            ("error_rate - stable_error_rate > 0.01", 0.015, 0.0, false),
            ("p95_ms / stable_p95_ms >= 1.5", 0.0, 1500.0, true),
            ("!(p95_ms < 1500)", 0.0, 1499.0, false),
            ("error_rate / block_rate > 1", 0.0, 0.0, false),
            ("-error_rate < -0.5", 0.6, 0.0, true),
        ];
        for (text, error_rate, p95_ms, expected) in rows {
            let condition = FigureCondition::compile(text).unwrap();
            assert_eq!(condition.holds(&figures(error_rate, p95_ms), &stable), expected, "{text}");
            assert_eq!(condition.asks_stable(), text.contains("stable_"), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let rows = [
            ("error_rte > 0.05", "1:1: no such figure \"error_rte\""),
            ("error_rate", "1:1: true or false is wanted here"),
            ("error_rate == 0.5", "1:12: figures are measured"),
            ("error_rate > \"much\"", "1:14: a number is wanted here"),
            ("p95_ms > 1 && team", "1:15: true or false is wanted here"),
            ("error_rate > 5 % 2", "1:16: a number is wanted here"),
            ("error_rate >", "1:"),
        ];
        for (text, expected) in rows {
            let said = FigureCondition::compile(text).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }
}
