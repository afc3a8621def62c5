//! What each target asserts, one module each.

pub mod addresses;
pub mod answers;
pub mod conversation;
pub mod fields;
pub mod manifest;
pub mod memory;
pub mod metadata;
pub mod names;
pub mod pictures;
pub mod responses;
pub mod settings;
