//! What the engine works under: gates, the disk under the database and how servers are
//! reached.

pub mod backup_switch;
pub mod gates;
pub mod network_config;
pub mod outage;
