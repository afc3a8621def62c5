//! Restoring files from a destination.

pub mod files;
pub mod order;
pub mod prepare;
