//! The operating system: where things are kept, one agent at a time, dialogs, the file manager, the
//! log.
//!
//! This floor knows nothing of photos and nothing of the engine. It must never block a caller on
//! another program, and never widen who may read what it makes.

pub mod conditions;
pub mod crash;
pub mod dialog;
pub mod disks;
pub mod drives;
pub mod keyring;
pub mod lock;
pub mod log;
pub mod mount;
pub mod mounts;
pub mod paths;
pub mod restored_file;
pub mod resume;
pub mod show;
pub mod socket;
pub mod udisks;
