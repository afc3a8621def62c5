//! What the engine works under: gates, the disk under the database, how servers are reached, and news of
//! the computer.

pub mod backup_switch;
pub mod gates;
pub mod network_config;
pub mod outage;
pub mod system_events;
