//! Fuzz target; what it asserts is in `checks::addresses`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safelight_fuzz::checks::addresses::check(data));
