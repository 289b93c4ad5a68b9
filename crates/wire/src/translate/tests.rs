//! All of N×M, enumerated from the registry: no pair is named, and a further dialect brings its own row and column. Each pair has a
//! snapshot of what every row of `requests` and `answers` becomes, with its losses (`UPDATE_EXPECT=1` writes them), and keeps the
//! invariants that stand beside the rows.

use std::path::PathBuf;

use super::*;
use crate::DIALECTS;
use crate::event::Event;

mod answer_rows;
mod answers;
mod faults;
mod request_rows;
mod requests;
mod said;

const CHAT: Operation = Operation::Chat;

/// Every ordered pair of dialects, a dialect with itself too.
fn pairs() -> impl Iterator<Item = (&'static dyn Dialect, &'static dyn Dialect)> {
    DIALECTS.iter().flat_map(|from| DIALECTS.iter().map(|to| (*from, *to)))
}

/// Compares with the snapshot of that name.
fn snapshot(what: &str, (from, to): (&dyn Dialect, &dyn Dialect), actual: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/translate/snapshots");
    let path = folder.join(format!("{what}.{}.{}.txt", from.name(), to.name()));
    expect_test::expect_file![path].assert_eq(actual);
}

fn told(loss: &Loss) -> String {
    if loss.is_empty() { "nothing".to_owned() } else { loss.to_string() }
}
