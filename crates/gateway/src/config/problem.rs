//! What is wrong in a config file, where, and what to do about it: for a terminal with the source line and a caret, for logs and `--json`
//! without it. No problem quotes a secret: lines are shown with whatever looks like one masked.

use std::fmt;

use serde::Serialize;

use super::document::Mark;
use super::units::looks_like_secret;

/// Whether a problem keeps the config from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The config is refused.
    Error,
    /// The config can be used; somebody should look at this.
    Warning,
}

/// One thing that is wrong in a config file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The place in the tree, such as `routes.chat.fallbacks[1]`; empty for the file as a whole.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// Whether it keeps the config from being used.
    pub severity: Severity,
    /// What is wrong; lowercase, without a full stop.
    pub reason: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The source line, masked, and the caret's place in it.
    #[serde(skip)]
    pub(super) excerpt: Option<Box<Excerpt>>,
}

/// A source line as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    text: String,
    caret_chars: usize,
}

impl Problem {
    /// A problem of the file as a whole, at its first character.
    #[must_use]
    pub fn of_file(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            line: 1,
            column: 1,
            severity: Severity::Error,
            reason: reason.into(),
            remedy: Some(remedy.into()),
            excerpt: None,
        }
    }

    /// The problem in one line, for logs: `line 3: routes.chat.fallbacks[1]: no model "gtp-4o"; did you mean "gpt-4o"?`.
    #[must_use]
    pub fn line_for_logs(&self) -> String {
        format!("line {}: {}", self.line, self.sentence())
    }

    fn sentence(&self) -> String {
        let colon = if self.path.is_empty() { "" } else { ": " };
        let remedy = self.remedy.as_ref().map_or_else(String::new, |remedy| format!("; {remedy}"));
        format!("{}{colon}{}{remedy}", self.path, self.reason)
    }

    /// Adds the source line. `lines` are the file's; a place behind the last one gets none. From a place in `secrets` on, its line is
    /// not shown.
    pub(super) fn with_excerpt(mut self, lines: &[&str], secrets: &[Mark]) -> Self {
        let line = self.line.checked_sub(1).and_then(|index| lines.get(index));
        let secret = secrets.iter().filter(|mark| mark.line == self.line).map(|mark| mark.column).min();
        self.excerpt = line
            .filter(|line| !line.trim().is_empty())
            .map(|line| Box::new(Excerpt::of(line, self.column, secret)));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.sentence())?;
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        write!(f, "\n{gutter}--> line {number}, column {}", self.column)?;
        if let Some(excerpt) = &self.excerpt {
            let Excerpt { text, caret_chars } = excerpt.as_ref();
            write!(f, "\n{gutter} |\n{number} | {text}\n{gutter} | {}^", " ".repeat(*caret_chars))?;
        }
        Ok(())
    }
}

/// Words behind which, on the same line, a secret may stand.
const SECRET_WORDS: [&str; 5] = ["secret", "credential", "password", "token", "key"];

impl Excerpt {
    /// Cuts the line to a window around the column, and masks what is or looks like a secret. Masked text keeps its width, so that the
    /// caret still points right.
    fn of(line: &str, column: usize, secret_column: Option<usize>) -> Self {
        const BEFORE_CHARS_MAX: usize = 70;
        const WINDOW_CHARS_MAX: usize = 120;
        let caret = column.saturating_sub(1);
        let start = caret.saturating_sub(BEFORE_CHARS_MAX);
        let shown: String = line.chars().take(secret_column.map_or(usize::MAX, |column| column - 1)).collect();
        let shown: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut masked = mask(&shown);
        if secret_column.is_some() {
            masked.push_str("***");
        }
        let window: String = masked.chars().skip(start).take(WINDOW_CHARS_MAX).collect();
        Self {
            text: window.trim_end().to_owned(),
            caret_chars: caret - start,
        }
    }
}

/// Masks words that begin as keys do, and long words behind a key that is called as secrets are.
fn mask(text: &str) -> String {
    let in_word = |c: char| !c.is_whitespace() && !matches!(c, ',' | '{' | '}' | '[' | ']' | '"' | '\'');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut behind_secret_word = false;
    while let Some(start) = rest.find(in_word) {
        let (gap, tail) = rest.split_at(start);
        let (word, tail) = tail.split_at(tail.find(|c| !in_word(c)).unwrap_or(tail.len()));
        out.push_str(gap);
        let is_reference = ["env:", "file:", "vault:"].iter().any(|kind| word.starts_with(kind));
        let is_key = word.ends_with(':');
        let is_long = 8 <= word.chars().count();
        if looks_like_secret(word) || (behind_secret_word && is_long && !is_reference && !is_key) {
            out.extend(word.chars().map(|_| '*'));
        } else {
            out.push_str(word);
        }
        behind_secret_word |= is_key && SECRET_WORDS.iter().any(|secret| word.to_lowercase().contains(secret));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
