//! Edits of a body by span.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::fuzzed::patch(data));
