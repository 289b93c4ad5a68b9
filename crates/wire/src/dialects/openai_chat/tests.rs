//! Tests of the dialect, as rows; those over the corpus are skipped where it is absent.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod corpus;
mod decoding;
mod encoding;
mod faults;
mod fit;
mod fitting;
mod framing;
mod fuzz;
mod measure;
mod pass;
mod reading;
mod shortcuts;
mod view;
mod writing;

const REQUEST: &str = include_str!("fixtures/request.json");
const ANSWER: &str = include_str!("fixtures/answer.json");
const STREAM: &str = include_str!("fixtures/answer.sse");
