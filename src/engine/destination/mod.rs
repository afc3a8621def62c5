//! The work at one destination: its schedule, checks, transfers, upkeep and the calls of its extension.

pub mod capabilities;
pub mod checks;
pub mod digests;
pub mod policy;
pub mod port;
pub mod read_back;
pub mod reconnect;
pub mod transfer;
pub mod worker;
