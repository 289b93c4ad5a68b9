//! Tests of the dialect, as rows; those over the corpus are skipped where it is absent.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod corpus;
mod view;
