//! The work at one destination: its schedule, checks, transfers, upkeep and the calls of its extension.

pub mod active_transfers;
pub mod address;
pub mod check;
pub mod check_schedule;
pub mod digests;
pub mod extension_calls;
pub mod listing;
pub mod policy;
pub mod port;
pub mod read_back;
pub mod read_back_schedule;
pub mod reconnect;
pub mod report;
pub mod transfer;
pub mod worker;
pub mod worker_tasks;
pub mod workers;

use std::time::Duration;

/// The extension is called, and what failed in the background tried again, at least this often.
pub(crate) const RETRY_FLOOR: Duration = Duration::from_secs(15 * 60);
