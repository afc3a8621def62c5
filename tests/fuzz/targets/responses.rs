//! Fuzz target; what it asserts is in `checks::responses`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safelight_fuzz::checks::responses::check(data));
