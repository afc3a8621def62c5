//! What is known of the library and its sources.

use std::collections::BTreeMap;

use crate::domain::ids::SourceId;
use crate::store::{SourceRow, StoreError};

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Condition {
    /// There. It is up to date unless a look is due.
    #[default]
    Present,
    /// Not there, or suddenly almost empty. Its files count as present.
    Unavailable,
    /// There, but it cannot be listed.
    Unreadable,
}

/// What is known of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceStatus {
    /// How it is.
    pub condition: Condition,
    /// A look is under way.
    pub is_scanning: bool,
    /// A look is under way or has been asked for.
    pub is_due: bool,
    /// Changes are noticed as they happen.
    pub is_watched: bool,
    /// Entries seen by the look that is under way, or by the last.
    pub scanned: u64,
    /// Whole looks that came to an end in this run, whatever they found.
    pub looks: u64,
    /// Folders in it that could not be listed. Their files are what they were.
    pub unreadable_dirs: u64,
    /// A plain sentence on what is not as it should be.
    pub note: Option<String>,
}

/// What the library is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LibraryState {
    /// The sources.
    pub sources: BTreeMap<SourceId, SourceStatus>,
    /// Files of which nothing has been read.
    pub to_describe: u64,
    /// Files whose bytes are still to be hashed.
    pub to_hash: u64,
    /// Files that are still being written.
    pub settling: u64,
    /// Rises when rows that clients see change.
    pub revision: u64,
    /// The sources are being read from the store.
    pub is_loading: bool,
    /// Files are being read.
    pub is_indexing: bool,
}

impl LibraryState {
    /// Nothing is under way or asked for, and no file is on its way to being known. Until
    /// something changes, nothing will.
    pub fn is_quiet(&self) -> bool {
        let is_still = |source: &SourceStatus| !source.is_scanning && !source.is_due;
        !self.is_loading
            && !self.is_indexing
            && self.to_describe + self.to_hash + self.settling == 0
            && self.sources.values().all(is_still)
    }
}

/// The library's view of a stored source.
pub(super) fn source_status(row: &SourceRow) -> SourceStatus {
    use crate::store::SourceCondition as C;
    let condition = match row.condition {
        C::Present => Condition::Present,
        C::Unavailable => Condition::Unavailable,
        C::Unreadable => Condition::Unreadable,
    };
    SourceStatus { condition, is_due: true, ..SourceStatus::default() }
}

/// A store that is closed ends the work; anything else is worth another try later.
pub(super) fn is_closed(error: &StoreError) -> bool {
    matches!(error, StoreError::Closed)
}
