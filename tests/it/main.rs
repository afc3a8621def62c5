//! Tests of the whole: every destination against one suite, and what needs more than one module.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
