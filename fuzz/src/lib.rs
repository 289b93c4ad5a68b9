//! What the fuzz targets check: the same functions that the wire crate's own tests call with seeded input.

#[path = "../../crates/wire/src/tests/fuzzed.rs"]
pub mod fuzzed;
