//! Conditions of rules, limits and budgets: CEL over what is known of a call. The text is parsed by the `cel` crate and then turned
//! into a tree of typed operations of our own, so that every mistake of name or type is found when a config is loaded, patterns
//! are compiled once, and asking costs well under a microsecond.
//!
//! The part of CEL that there is: literals, `== != < <= > >=`, `&& || !`, `? :`, `+ - * / %` on whole numbers, `in` a list or a map,
//! `has()`, `size()`, `startsWith`, `endsWith`, `contains`, `matches`. What is unknown of a call reads as `""`, `0` or `false`; so
//! does a tag that is not there (`has(tags.x)` tells the difference). The one thing that can fail when a rule is asked is
//! arithmetic (an overflow, a division by zero); such a rule does not hold, and whoever asks counts it.

mod claims;
mod compile;
mod facts;
mod figures;
mod parse;
mod tree;

#[cfg(test)]
pub(crate) mod tests;

pub use claims::{ClaimCondition, Claims};
pub use facts::{Costly, Facts, Finder, OF_ROUTES, Pairs, Shown, names, shown};
pub use figures::FigureCondition;

/// The longest text of a condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 4096;

/// The most operators, brackets and dots of a condition.
const SIGNS_MAX: usize = 200;

/// A condition, ready to be asked.
#[derive(Clone)]
pub struct Condition {
    text: Box<str>,
    root: tree::Flag,
    asks: Box<[&'static str]>,
}

/// Where in a condition's text, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// What is wrong with a condition's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// Where.
    pub position: Position,
    /// What, and the remedy.
    pub message: String,
}

impl std::fmt::Display for ConditionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.position.line, self.position.column, self.message)
    }
}

impl std::error::Error for ConditionError {}

/// A condition could not be worked out for this call: it does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionFailure {
    /// A number became too large.
    Overflow,
    /// A division by zero.
    DivisionByZero,
}

impl std::fmt::Display for ConditionFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Overflow => "a number became too large",
            Self::DivisionByZero => "a division by zero",
        })
    }
}

impl std::error::Error for ConditionFailure {}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Bad syntax, an unknown name, or an operation that its operands do not have.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        let (root, asks) = compile::condition(text)?;
        Ok(Self {
            root,
            asks: asks.into(),
            text: text.into(),
        })
    }

    /// Whether it holds for a call.
    ///
    /// # Errors
    /// When arithmetic fails: it then counts as not holding.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, ConditionFailure> {
        self.root.of(facts)
    }

    /// What it says whatever the call, as far as that can be seen: `Some(false)` never matches, `Some(true)` always does. Constants,
    /// numbers outside of their range and one name that is to equal two words are seen.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        self.root.constant()
    }

    /// Whether it asks for that name.
    #[must_use]
    pub fn asks(&self, name: &str) -> bool {
        self.asks.contains(&name)
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}
