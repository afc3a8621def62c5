//! Fuzz target; what it asserts is in `checks::fields`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safelight_fuzz::checks::fields::check(data));
