//! A planted bug: this target must fail, or the harness finds nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tollgate_fuzz::fuzzed::canary(data));
