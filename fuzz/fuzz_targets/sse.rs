//! Frames of a stream: cut anywhere, the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::fuzzed::sse(data));
