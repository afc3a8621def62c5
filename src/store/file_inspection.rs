//! What a look at a file came to, as the store is told of it.

use crate::domain::asset::Facts;
use crate::domain::file::{ExcludeReason, FileStamp, Problem};
use crate::domain::hash::Hashed;
use crate::domain::ids::FileId;
use crate::domain::time::UnixMillis;

/// What a look at a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectionOutcome {
    /// It belongs, and this is what its head tells.
    Facts(Box<Facts>),
    /// Its head was looked at again by a later release, and tells this; nothing new where it could not be
    /// read as it was. Its status stays.
    Refreshed(Option<Box<Facts>>),
    /// All of its bytes.
    Content(Hashed),
    /// It is left out.
    Excluded(ExcludeReason),
    /// It is left out for its name, as nobody could look into it, with what the system said.
    Unseen(String),
    /// It cannot be backed up as it is, with what the system said.
    Problem(Problem, String),
    /// It is another version by now, or is changing: it is looked at again at this time.
    Changed(FileStamp, UnixMillis),
    /// It was settling and has not changed since.
    Settled,
}

/// A look at one version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInspection {
    /// The file.
    pub file: FileId,
    /// The version that was looked at; if it is no longer the known one, the look counts for
    /// nothing.
    pub stamp: FileStamp,
    /// What it came to.
    pub found: InspectionOutcome,
}
