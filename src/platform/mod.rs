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
pub mod file_manager;
pub mod keyring;
pub mod lock;
pub mod log;
pub mod mount_watch;
pub mod network_fs;
pub mod paths;
pub mod restored_file;
pub mod socket;
pub mod suspend;
pub mod udisks;
