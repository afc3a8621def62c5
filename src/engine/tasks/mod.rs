//! Work that the engine starts and does not wait for. Each piece ends in a [`TaskEnd`].

pub mod adopt;
pub mod leftovers;
pub mod manifests;
pub mod operations;
pub mod prepared_restore;
pub mod restore;
pub mod restore_order;
pub mod restore_runs;
pub mod task_set;
pub mod untrash;
pub mod verify;
