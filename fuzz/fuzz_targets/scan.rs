//! The envelope scanner against serde_json.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::fuzzed::scan(data));
