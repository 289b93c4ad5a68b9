//! Answers read in each dialect, cut anywhere, and written in every one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::fuzzed::answer(data));
