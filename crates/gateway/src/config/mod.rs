//! The config file: YAML text in, a checked [`Raw`] or every problem out, each with its path, line, reason and remedy. It builds nothing
//! that runs, and does no I/O of its own: the environment, files and the clock are arguments ([`World`]). Only [`text_of`] opens a file.

use std::io::Read;

pub mod current;
pub mod facts;
pub mod labels;
pub mod providers;
pub mod raw;
pub mod reload;
pub mod resilience;
pub mod resorts;
pub mod snapshot;
pub mod spending;
pub mod stored;
mod tiers;
pub mod units;

mod callers;
mod check;
mod document;
mod problem;
mod release;
mod routing;
mod schema;
mod suggest;

pub use document::FILE_BYTES_MAX;
pub use problem::{Problem, Severity};
pub use raw::Raw;
pub use schema::schema;

/// Problems reported at once; more are only counted.
const PROBLEMS_MAX: usize = 200;

/// All that the checks want to know of the world around the file.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Looks up a variable of the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a secret's file whole; it resolves relative paths and bounds what it reads.
    pub file: &'a dyn Fn(&std::path::Path) -> std::io::Result<String>,
    /// The present instant, to tell expired keys.
    pub now: jiff::Timestamp,
    /// The catalog's vendors: names that need no `base_url` and `dialect` under `providers`. The built-in `mock` is not among them.
    pub vendors: &'a [Vendor<'a>],
}

/// A row of the catalog, as far as the checks need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vendor<'a> {
    /// The name under `providers`.
    pub name: &'a str,
    /// The environment variable that usually holds its key; `None` when it asks for no key.
    pub key_env: Option<&'a str>,
}

/// The name of the built-in simulated provider.
pub const MOCK: &str = "mock";

/// What came of reading a config file.
pub struct Checked {
    /// The config, when nothing worse than a warning was found.
    pub raw: Option<Raw>,
    /// All problems, in the order of their lines.
    pub problems: Vec<Problem>,
}

/// Reads and checks a config file's text.
#[must_use]
pub fn read(text: &str, world: &World<'_>) -> Checked {
    let (document, mut problems) = document::read(text);
    let mut secrets = Vec::new();
    let mut raw = None;
    if let Some(mut document) = document {
        let written = document.clone();
        let (read, findings) = schema::check(&mut document);
        for finding in findings {
            let place = if finding.at_key {
                written.place_of_key(&finding.path)
            } else {
                written.place(&finding.path)
            };
            if finding.secret {
                let mut behind = place.mark;
                behind.column += if finding.at_key { finding.path.last_key_chars() } else { 0 };
                secrets.push(behind);
            }
            problems.push(Problem {
                path: place.path,
                line: place.mark.line,
                column: place.mark.column,
                severity: Severity::Error,
                reason: finding.reason,
                remedy: finding.remedy,
                excerpt: None,
            });
        }
        if let Some(read) = &read {
            problems.extend(check::check(read, (&document, &written, text), world));
        }
        raw = read;
    }
    problems.sort_by(|a, b| (a.line, a.column, &a.path, &a.reason).cmp(&(b.line, b.column, &b.path, &b.reason)));
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    problems.truncate(PROBLEMS_MAX);
    let lines: Vec<&str> = text.lines().collect();
    let mut problems: Vec<Problem> = problems.into_iter().map(|problem| problem.with_excerpt(&lines, &secrets)).collect();
    if 0 < more {
        problems.push(Problem::of_file(format!("and {more} problems more"), "mend these first"));
    }
    Checked {
        raw: raw.filter(|_| !refused),
        problems,
    }
}

/// Reads a config file's text, no more than [`FILE_BYTES_MAX`] of it.
///
/// # Errors
/// When the file cannot be read, is too long or is not UTF-8.
pub fn text_of(path: &std::path::Path) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::of_file(
            format!("cannot read {}: {error}", path.display()),
            "name a file that this user may read",
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let bytes_max = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if FILE_BYTES_MAX < bytes.len() {
        return Err(document::too_long());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let mut problem = Problem::of_file("the file is not UTF-8", "save it as UTF-8");
        problem.line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        problem
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
