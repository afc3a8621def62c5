//! Fuzz target; what it asserts is in `checks::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safelight_fuzz::checks::names::check(data));
