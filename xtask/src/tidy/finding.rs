//! One thing that is wrong: where, what, and what to do about it.

use std::fmt;

/// Sorted by place. Printed as `path:line: message`, which editors understand.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, or the manifest that the message is about.
    pub(crate) path: String,
    /// From 1; 0 when the finding is about the whole file.
    pub(crate) line: usize,
    /// Lowercase, names the thing and the remedy.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, message } = self;
        if *line == 0 {
            write!(out, "{path}: {message}")
        } else {
            write!(out, "{path}:{line}: {message}")
        }
    }
}
