//! What clients ask for, one file for each thing that it is about.

pub mod destinations;
pub mod drives;
pub mod operations;
pub mod queries;
pub mod queue;
pub mod restores;
pub mod secrets;
pub mod settings;
pub mod sources;
