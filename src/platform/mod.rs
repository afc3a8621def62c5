//! The operating system: where things are kept, one agent at a time, dialogs, the file manager, the
//! log.
//!
//! This floor knows nothing of photos and nothing of the engine. It must never block a caller on
//! another program, and never widen who may read what it makes.

pub(crate) mod agent_command;
pub mod conditions;
pub mod crash;
pub(crate) mod dialog;
pub(crate) mod disks;
pub(crate) mod drives;
pub(crate) mod file_manager;
pub(crate) mod keyring;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod mount_watch;
pub(crate) mod network_fs;
pub(crate) mod paths;
pub(crate) mod restored_file;
pub(crate) mod sign_in;
pub(crate) mod socket;
pub(crate) mod suspend;
pub mod udisks;
pub(crate) mod user_service;
