//! Fuzz target; what it asserts is in `checks::answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safelight_fuzz::checks::answers::check(data));
