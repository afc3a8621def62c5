//! Work with the copies at one destination that needs no schedule: verifying them, taking them out of a
//! trash, listing and adopting them, and removing what a killed run left.

pub mod adopt;
pub mod leftovers;
pub mod manifests;
pub mod untrash;
pub mod verify;
