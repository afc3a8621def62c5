//! Safelight's one binary.

fn main() {}
