//! What clients ask for, one file for each thing that it is about.

pub mod destinations;
pub mod drives;
pub mod entered_options;
pub mod operations;
pub mod path_request;
pub mod queries;
pub mod queue;
pub mod removals;
pub mod restores;
pub mod secrets;
pub mod settings;
pub mod sources;
pub mod tested_destination;
