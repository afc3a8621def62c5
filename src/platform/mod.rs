//! The operating system's edges.

pub mod place;
