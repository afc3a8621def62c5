//! Sources and destinations that are being added: what the person entered, where its paths lead, and what a
//! trial found.

pub mod entered_options;
pub mod path_request;
pub mod removals;
pub mod tested_destination;
