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
mod commit_hooks;
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
pub(crate) mod failpoints;
#[cfg(test)]
pub(crate) mod fault;
mod file_inspection;
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
pub(crate) mod mirror;
mod name_groups;
mod queue;
mod records;
mod restores;
mod retry_scope;
mod row;
#[cfg(test)]
pub(crate) mod simulation_audit;
mod sources;
mod transitions;
mod trash;
mod unreadable;
mod writer;

pub(crate) use changes::{Change, ChangeKind, Changes};
pub(crate) use companions::CompanionRow;
pub(crate) use connection::OpenedStore;
pub use connection::{Store, StoreOptions};
pub(crate) use copies::{AuditCursor, NewestFirstCursor, UnreadClass};
pub(crate) use counts::DestinationCounts;
pub(crate) use decisions::DecisionKind;
pub use destinations::NewDestination;
pub(crate) use destinations::{DestinationRow, Lost};
pub use details::QueueContext;
pub(crate) use file_inspection::{FileInspection, InspectionOutcome};
pub(crate) use files::{
    ChangedFile, DirListing, EntryState, FileToRead, InitialStatus, ListedEntry, NewFile, NewVersion,
    PendingFiles,
};
pub(crate) use installation::Installation;
pub(crate) use jobs::JobRow;
pub use jobs::{NewJob, StartedJob};
#[cfg(test)]
pub(crate) use library_audit::AuditedFile;
pub(crate) use records::{RecordFacts, Wanted};
pub(crate) use restores::RestoreRow;
pub(crate) use retry_scope::RetryScope;
pub(crate) use row::Outage;
pub use row::StoreError;
pub(crate) use sources::{SourceCondition, SourceRow};
pub(crate) use transitions::AuditedCopy;
pub use transitions::JobOutcome;
pub(crate) use unreadable::{UNREADABLE_DIRS_MAX, UnreadableDir, UnreadableScope};
pub use writer::Read;
pub(crate) use writer::Write;

#[cfg(test)]
mod tests;
