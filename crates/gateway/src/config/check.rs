//! The checks of meaning: names that lead somewhere, secrets that can be read, sums and orders that hold. It reports all it finds and
//! changes nothing; what `schema.rs` found is not told again.

use indexmap::IndexSet;

use super::document::{Document, Path};
use super::problem::{Problem, Severity};
use super::raw::Raw;
use super::units::Complaint;
use super::{MOCK, World};

mod access;
mod callers;
mod labels;
mod listen;
mod models;
mod patterns;
mod providers;
mod release;
mod resilience;
mod resorts;
mod router;
mod routes;
mod routing;
mod rules;

/// Checks a config that has the right shape. `document` is the tree that `raw` was read from; `written` the one before pruning, whose names
/// count as known, so that one mistake is told once; `text` is the file.
pub(super) fn check(raw: &Raw, (document, written, text): (&Document, &Document, &str), world: &World<'_>) -> Vec<Problem> {
    let untouched = document == written;
    let mut context = Context {
        raw,
        document,
        names: Names::of(written),
        world,
        text,
        untouched,
        problems: Vec::new(),
    };
    listen::check(&mut context);
    providers::check(&mut context);
    models::check(&mut context);
    routes::check(&mut context);
    router::check(&mut context);
    release::check(&mut context);
    rules::check(&mut context);
    access::check(&mut context);
    callers::check(&mut context);
    labels::check(&mut context);
    context.problems
}

/// Problems that are kept; what comes behind is not even counted.
const PROBLEMS_MAX: usize = 1_000;

/// All names that were written, also those of entries that are bad in themselves.
struct Names {
    providers: IndexSet<String>,
    models: IndexSet<String>,
    routes: IndexSet<String>,
    teams: IndexSet<String>,
    /// Whether at least one key was written.
    any_key: bool,
}

impl Names {
    fn of(written: &Document) -> Self {
        Self {
            providers: written.keys(&Path::of("providers")),
            models: written.keys(&Path::of("models")),
            routes: written.keys(&Path::of("routes")),
            teams: written.keys(&Path::of("teams")),
            any_key: written.has(&Path::of("keys").index(0)),
        }
    }
}

/// What every check reads, and where it reports.
struct Context<'a> {
    raw: &'a Raw,
    document: &'a Document,
    names: Names,
    world: &'a World<'a>,
    /// The file.
    text: &'a str,
    /// Whether nothing at all was pruned.
    untouched: bool,
    problems: Vec<Problem>,
}

impl Context<'_> {
    fn error(&mut self, path: &Path, reason: impl Into<String>, remedy: impl Into<String>) {
        let complaint = Complaint {
            reason: reason.into(),
            remedy: Some(remedy.into()),
        };
        self.report(path, Severity::Error, complaint, false);
    }

    /// An error of the name itself, not of what stands behind it.
    fn error_at_key(&mut self, path: &Path, reason: impl Into<String>, remedy: impl Into<String>) {
        let complaint = Complaint {
            reason: reason.into(),
            remedy: Some(remedy.into()),
        };
        self.report(path, Severity::Error, complaint, true);
    }

    fn warning(&mut self, path: &Path, reason: impl Into<String>, remedy: impl Into<String>) {
        let complaint = Complaint {
            reason: reason.into(),
            remedy: Some(remedy.into()),
        };
        self.report(path, Severity::Warning, complaint, false);
    }

    fn complaint(&mut self, path: &Path, complaint: Complaint) {
        self.report(path, Severity::Error, complaint, false);
    }

    /// An error inside a text of the file: at its place there, where the text stands on one line as it is.
    fn error_inside(&mut self, path: &Path, value: &str, (line, column): (u32, u32), complaint: Complaint) {
        let mark = self.document.place(path).mark;
        let source = self.text.lines().nth(mark.line.saturating_sub(1)).unwrap_or_default();
        let before: usize = source.chars().take(mark.column.saturating_sub(1)).map(char::len_utf8).sum();
        let source = source.get(before..).unwrap_or_default();
        let unquoted = source.strip_prefix(['"', '\'']);
        let shift = match unquoted {
            Some(inside) if inside.starts_with(value) => Some(1),
            _ if source.starts_with(value) => Some(0),
            _ => None,
        };
        let Some(shift) = shift else {
            let reason = format!("in line {line}, column {column} of the text: {}", complaint.reason);
            return self.complaint(path, Complaint { reason, ..complaint });
        };
        self.complaint(path, complaint);
        if let Some(problem) = self.problems.last_mut() {
            problem.column = mark.column + shift + usize::try_from(column.saturating_sub(1)).unwrap_or(0);
        }
    }

    fn report(&mut self, path: &Path, severity: Severity, complaint: Complaint, at_key: bool) {
        if PROBLEMS_MAX <= self.problems.len() {
            return;
        }
        let place = if at_key {
            self.document.place_of_key(path)
        } else {
            self.document.place(path)
        };
        self.problems.push(Problem {
            path: place.path,
            line: place.mark.line,
            column: place.mark.column,
            severity,
            reason: complaint.reason,
            remedy: complaint.remedy,
            excerpt: None,
        });
    }

    /// Whether a key that is not in the tree may have been there: then nothing is said about its absence.
    fn was_pruned(&self, path: &Path, key: &str) -> bool {
        !self.document.is_whole(path) && !self.document.has(&path.key(key))
    }

    /// Whether a name that gives no address of its own is known to the catalog, or is the built-in mock.
    fn in_catalog(&self, provider: &str) -> bool {
        provider == MOCK || self.world.vendors.iter().any(|vendor| vendor.name == provider)
    }

    /// Checks a name that this file gives to something.
    fn own_name(&mut self, path: &Path, name: &str) {
        const NAME_CHARS_MAX: usize = 64;
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let in_alphabet = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
        if !starts_well || !in_alphabet || NAME_CHARS_MAX < name.len() {
            self.error_at_key(
                path,
                "this cannot be a name",
                format!("begin with a letter or digit, go on with those and - _ . : and stop at {NAME_CHARS_MAX}"),
            );
        }
    }
}
