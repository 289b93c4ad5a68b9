//! All tests of the repository, run and counted: the Rust ones, and every suite under `tests/`. The last line is
//! `N passed, N failed, N skipped`, and the exit code follows it. A suite that cannot run counts as failed, never as skipped.

mod cargo;
mod command;
mod count;
mod external;
mod needs;
mod postgres;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::metadata::Workspace;
use count::Count;
use postgres::Postgres;

/// The name of the Rust tests among the suites.
const RUST: &str = "cargo";

/// Where a suite finds what it needs.
struct Places {
    /// The dev build of the product.
    binary: PathBuf,
    /// Installed packages, kept between runs.
    test_folder: PathBuf,
    /// The recorded exchanges, where they are present.
    corpus: Option<PathBuf>,
}

impl Places {
    fn of(workspace: &Workspace) -> Self {
        let named = std::env::var_os("TOLLGATE_CORPUS").map(PathBuf::from);
        let corpus = named.unwrap_or_else(|| workspace.workspace_root.join("../shared/corpus"));
        Self {
            binary: workspace.target_directory.join("debug/tollgate"),
            test_folder: workspace.target_directory.join("test-env"),
            corpus: corpus.canonicalize().ok(),
        }
    }

    fn prepare(&self, command: &mut Command) {
        command
            .env("TOLLGATE_BIN", &self.binary)
            .env("TOLLGATE_TEST_DIR", &self.test_folder);
        match &self.corpus {
            Some(corpus) => command.env("TOLLGATE_CORPUS", corpus),
            None => command.env_remove("TOLLGATE_CORPUS"),
        };
    }
}

/// `test [NAME...]`: everything, or only the named suites.
pub(crate) fn run(names: &[String]) -> Result<ExitCode, String> {
    let workspace = Workspace::read()?;
    let places = Places::of(&workspace);
    let suites = external::find(&workspace.workspace_root);
    let known = |name: &str| name == RUST || suites.iter().any(|suite| suite.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = std::iter::once(RUST)
            .chain(suites.iter().map(|suite| suite.name.as_str()))
            .collect();
        return Err(format!("no suite is called \"{unknown}\"; there are {}", all.join(", ")));
    }
    if places.corpus.is_none() {
        eprintln!("no recorded exchanges at ../shared/corpus or TOLLGATE_CORPUS: what needs them is skipped");
    }

    let wanted = |name: &str| names.is_empty() || names.iter().any(|one| one == name);
    let built = build();
    let mut results = Vec::new();
    if wanted(RUST) {
        let postgres = Postgres::start();
        let prepare = |command: &mut Command| {
            places.prepare(command);
            postgres.iter().for_each(|postgres| postgres.prepare(command));
        };
        let outcome = built.clone().and_then(|()| cargo::run(prepare));
        results.push(report(RUST, outcome));
    }
    for suite in suites.iter().filter(|suite| wanted(&suite.name)) {
        let run = || suite.run(&places.test_folder, |command| places.prepare(command));
        results.push(report(&suite.name, built.clone().and_then(|()| run())));
    }
    Ok(conclude(&results))
}

/// The product in its dev profile; `cargo test` then shares what was compiled.
fn build() -> Result<(), String> {
    let mut command = command::bounded(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--package", "tollgate-gateway", "--bin", "tollgate"]);
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("the product does not build".to_owned())
    }
}

fn report(name: &str, outcome: Result<Count, String>) -> (String, Count) {
    let count = outcome.unwrap_or_else(|reason| {
        eprintln!("{name}: could not run: {reason}");
        Count::BROKEN
    });
    (name.to_owned(), count)
}

/// The table of suites, and the line that everything else may read.
fn conclude(results: &[(String, Count)]) -> ExitCode {
    println!();
    for (name, count) in results {
        println!("{name:<12} {count}");
    }
    let total: Count = results.iter().map(|(_, count)| *count).sum();
    println!("{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
