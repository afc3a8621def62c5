//! Seams: the clock, chance, threads, source files and wake-ups, each passed in.
//!
//! This floor knows nothing of photos. Only [`files`] touches a source's files, and it can only
//! read them.

pub mod atomic_file;
pub mod clock;
pub mod digester;
pub mod executor;
pub mod file_systems;
pub mod files;
pub mod memory_files;
pub mod mounts;
pub mod mutant;
pub mod rng;
pub mod secret;
pub mod waker;
