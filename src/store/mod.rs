//! The one SQLite database: sources, library, ledger and job table.
//!
//! Only this floor speaks SQL. It decides nothing: it makes illegal rows impossible, keeps counts
//! in the transaction that changes them, and applies transitions guarded by the state they start
//! from. One thread owns the only write connection and commits what is queued in one go; reads go
//! to a small pool that can never write.

mod assets;
mod capabilities;
mod changes;
mod checkpoints;
mod companions;
mod connection;
mod contents;
mod copies;
mod counts;
mod dates;
mod decisions;
mod destinations;
mod details;
mod events;
mod extension_checks;
#[cfg(test)]
pub mod failpoints;
#[cfg(test)]
pub mod fault;
mod file_look;
mod files;
mod group_key;
mod installation;
mod jobs;
mod keys;
#[cfg(test)]
mod library_audit;
#[cfg(test)]
mod library_fixture;
mod library_queries;
#[cfg(test)]
mod library_tests;
mod migrate;
pub mod mirror;
mod name_groups;
mod queue;
mod records;
mod restores;
mod retry_scope;
mod row;
#[cfg(test)]
pub mod simulation_audit;
mod sources;
mod transitions;
mod trash;
mod unreadable;
mod writer;

pub use changes::{CHANGES_KEPT_MAX, Change, ChangeKind, Changes};
pub use companions::CompanionRow;
pub use connection::{Opened, Store, StoreOptions};
pub use copies::{AuditPlace, NewestPlace, UnreadClass};
pub use counts::DestinationCounts;
pub use decisions::{DECISIONS_MAX, DECISIONS_OF_RECORD_MAX, DecisionKind};
pub use destinations::{DestinationRow, Lost, NewDestination, SLOTS_MAX};
pub use details::QueueContext;
pub use events::EVENTS_KEPT_MAX;
pub use file_look::{FileLook, Found};
pub use files::{Delta, FileToRead, Listed, Listing, Moved, NewFile, NewVersion, Seen, Start, ToDo};
pub use installation::Installation;
pub use jobs::{JobRow, NewJob, Started};
#[cfg(test)]
pub use library_audit::AuditedFile;
pub use records::{RecordFacts, Wanted};
pub use restores::{RESTORES_KEPT_MAX, RestoreRow};
pub use retry_scope::RetryScope;
pub use row::{Outage, StoreError};
pub use sources::{SourceCondition, SourceRow};
pub use transitions::{AuditedCopy, Outcome};
pub use unreadable::{UNREADABLE_DIRS_MAX, UnreadableDir, UnreadableScope};
pub use writer::{Read, Write};

#[cfg(test)]
mod tests;
