//! The backup itself: supervisor, scheduling, the transfer pool, conditions and wake rules.
//!
//! This floor owns every transfer and every decision about when to work. It must never name egui,
//! and never block an async thread.

mod catch_panic;
mod conditions;
mod context;
mod deps;
mod destination;
mod handle;
pub mod library;
mod parts;
mod path_resolver;
mod progress;
mod reply;
mod requests;
mod snapshot;
mod start;
mod supervisor;
mod tasks;

pub use deps::{Deps, DiskOf, MountOf, Remount};
pub use handle::{Call, EngineEnd, Handle, channel};
pub use start::{DATABASE_NAME, StartError, start};

#[cfg(test)]
mod tests;
