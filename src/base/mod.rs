//! Seams: the clock, chance, threads, source files and wake-ups, each passed in.
//!
//! This floor knows nothing of photos. Only [`files`] touches a source's files, and it can only
//! read them.

pub(crate) mod atomic_file;
pub mod clock;
pub mod digester;
pub mod executor;
pub(crate) mod file_systems;
pub mod files;
pub(crate) mod identity;
#[cfg(feature = "testing")]
pub mod memory_files;
#[cfg(feature = "testing")]
pub mod memory_secrets;
pub(crate) mod mounts;
pub(crate) mod mutant;
pub mod rng;
pub mod secret;
pub mod waker;
