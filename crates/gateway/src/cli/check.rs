//! `tollgate check`: all problems of a config file, for people or as JSON.

use std::net::SocketAddr;
use std::path::Path;

use tollgate_policy::key::{Pepper, Peppers};
use tollgate_upstream::providers::Catalog;

use crate::config::reload::{State, Surroundings};
use crate::config::stored::Stored;
use crate::config::{Checked, Problem, Raw, Severity, text_of};

/// Checks a file. Warnings are shown and are no failure.
///
/// # Errors
/// When there is a problem; it has been shown by then.
pub(super) fn check(path: &Path, json: bool) -> Result<(), String> {
    let checked = match text_of(path) {
        Ok(text) => checked(&surroundings(path)?, &text),
        Err(problem) => Checked {
            raw: None,
            problems: vec![problem],
        },
    };
    let errors = checked
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    if json {
        let problems = serde_json::json!({ "valid": errors == 0, "problems": checked.problems });
        super::print(&format!("{problems:#}\n"))?;
    } else {
        for problem in &checked.problems {
            super::print(&format!("{problem}\n"))?;
        }
        if errors == 0 {
            super::print(&format!("{} is valid\n", path.display()))?;
        }
    }
    match errors {
        0 => Ok(()),
        1 => Err(format!("{} has a problem", path.display())),
        n => Err(format!("{} has {n} problems", path.display())),
    }
}

/// What a config says.
///
/// # Errors
/// When it is not valid.
pub(super) fn raw(path: &Path, text: &str) -> Result<Raw, String> {
    let checked = surroundings(path)?.check(text);
    checked.raw.ok_or_else(|| {
        let shown = path.display();
        format!("{shown} is not valid; tollgate check {shown} says why")
    })
}

/// All that the rules find, and behind them what only building finds.
fn checked(surroundings: &Surroundings, text: &str) -> Checked {
    let mut checked = surroundings.check(text);
    let stored = Stored::default();
    let state = State {
        stored: &stored,
        before: None,
        version: 0,
    };
    let built = checked.raw.as_ref().map(|raw| surroundings.build(raw, text, state));
    if let Some(Err(reason)) = built {
        checked.problems.push(Problem::of_file(reason, "mend it, and check again"));
    }
    checked
}

/// Enough of the process's surroundings to check a file; nothing is written and no key is digested with a pepper that counts.
///
/// # Errors
/// When the built-in catalog is damaged: a fault of the build.
pub(super) fn surroundings(path: &Path) -> Result<Surroundings, String> {
    Ok(Surroundings {
        catalog: catalog()?,
        peppers: Peppers::new(Pepper::new(&[0; 32])),
        // Nobody calls it: the simulated providers only need an address to be built.
        mock: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
        folder: path.parent().map(Path::to_owned).unwrap_or_default(),
        first_key: None,
    })
}

/// The built-in catalog, parsed once for the life of the process.
///
/// # Errors
/// When the built-in data is damaged: a fault of the build.
pub(super) fn catalog() -> Result<&'static Catalog, String> {
    static CATALOG: std::sync::OnceLock<Result<Catalog, String>> = std::sync::OnceLock::new();
    CATALOG
        .get_or_init(|| Catalog::built_in().map_err(|error| error.to_string()))
        .as_ref()
        .map_err(Clone::clone)
}
