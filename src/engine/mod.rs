//! The backup itself: supervisor, scheduling, the transfer pool, conditions and wake rules.
//!
//! This floor owns every transfer and every decision about when to work. It must never name egui,
//! and never block an async thread.

mod audit;
mod calls;
mod capabilities;
mod checks;
mod deps;
mod digests;
mod gates;
mod guard;
mod handle;
pub mod library;
mod network;
mod outage;
mod outside;
mod places;
mod policy;
mod port;
mod progress;
mod publish;
mod queries;
mod read_back;
mod reading;
mod reclaim;
mod reconnect;
mod removals;
mod report;
mod restore;
mod restore_order;
mod restore_runs;
mod runner;
mod secrets;
mod setup;
mod start;
mod supervisor;
mod tasks;
mod transfer;

pub use deps::{Deps, DiskOf, MountOf, Remount};
pub use handle::{Call, EngineEnd, Handle, channel};
pub use start::{DATABASE_NAME, StartError, start};

#[cfg(test)]
mod tests;
