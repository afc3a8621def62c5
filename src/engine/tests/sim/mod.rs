//! The whole engine in a simulated world: a seed makes a library, destinations, a person, troubles
//! and deaths; afterwards everything must be as promised, and at every commit in between.
//!
//! Everything runs on one thread and on paused time, so that a seed is the same run every time.
//! `tests/seeds` runs many, `tests/seeds --replay SEED` tells the story of one, and `tests/mutants`
//! shows that planted bugs are caught.

mod client;
mod connect;
mod coverage;
mod dice;
mod effects;
mod finale;
mod loss;
mod person;
mod photos;
mod policy;
mod remote;
mod run;
mod seeds;
mod upload;
mod watcher;
mod weather;
mod world;

pub use run::{job_limit, woken};
