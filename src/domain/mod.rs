//! Pure types and rules: what a photo, a copy, a job and a failure are.
//!
//! This floor must never do input or output, read a clock, draw a random number or name serde,
//! tokio or rusqlite. Everything a rule needs is an argument, so every rule is a plain unit test.

pub mod accounting;
pub mod asset;
pub mod backoff;
pub mod cause;
pub mod escape;
pub mod failure;
pub mod file;
pub mod folder_problem;
pub mod format;
pub mod gate;
pub mod glob;
pub mod grouping;
pub mod hash;
pub mod ids;
pub mod job;
pub mod job_url;
pub mod key;
pub mod media_type;
mod message;
pub mod messages;
pub mod network;
pub mod path;
pub mod record;
pub mod redact;
pub mod restore_plan;
pub mod restore_scope;
pub(crate) mod stable_name;
pub mod target;
pub mod time;
pub mod transfer;
pub mod wait;
