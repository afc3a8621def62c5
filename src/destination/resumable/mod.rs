//! Uploads that go on where they were interrupted: tus, and the draft "Resumable Uploads for HTTP" of the IETF.

mod core;
pub mod ietf;
pub mod tus;
