//! The backup itself: supervisor, scheduling, the transfer pool, conditions and wake rules.
//!
//! This floor owns every transfer and every decision about when to work. It must never name egui,
//! and never block an async thread.

mod catch_panic;
mod conditions;
mod context;
mod copies;
mod deps;
mod destination;
mod handle;
pub mod library;
mod operations;
mod parts;
mod path_resolver;
mod progress;
mod reply;
mod requests;
mod restore;
mod restore_runs;
mod setup;
mod snapshot;
mod stall;
mod start;
mod supervisor;
mod system_events;
mod task_set;

pub use deps::{Deps, DiskOf, MountOf, Remount};
pub use handle::{Call, EngineEnd, Handle, channel};
pub use start::{DATABASE_NAME, StartError, start};

#[cfg(test)]
mod tests;
