//! The policy of one destination: which jobs there are, which are tried again, which are done with.
//!
//! An extension is called by the engine and never moves a byte, reads a file or waits for a
//! transfer. Through [`JobContext`] it can do what an extension may do and nothing else; each
//! change block is one transaction.

mod builtin;

pub use builtin::BuiltIn;

use std::future::Future;
use std::pin::Pin;

use crate::domain::ids::{FileId, JobId, RecordId};
use crate::domain::job::JobAction;
use crate::store::{DestinationRow, JobRow};

/// A boxed future, which keeps the traits object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The most changes one block may make.
pub const BLOCK_CHANGES_MAX: usize = 1_000;

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessingResult {
    /// Everything is as the library says; call again when something happens.
    Completed,
    /// Some was done and there is more. Without a change to any row this is a failed attempt.
    Processing,
    /// It did not work; call again later.
    Failure,
}

/// One change of a change block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobChange {
    /// A record must ask for this file's bytes.
    Want(FileId),
    /// Everything up to this place in the history has been dealt with.
    SaveToken(i64),
    /// A job for this record.
    Create(RecordId),
    /// The one retry of a failed job, to where it was meant to go or elsewhere at the same
    /// destination.
    Retry {
        /// The job.
        job: JobId,
        /// Where to, where that is to be another place than before.
        to: Option<JobTarget>,
    },
    /// The outcome has been seen.
    Acknowledge(JobId),
    /// A registered or pending job is not wanted any more.
    Cancel(JobId),
}

/// Another place for a job's copy, below the destination that it is for. Nothing else is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobTarget {
    /// A key: `/`-separated, relative.
    Key(String),
    /// A URL of the destination's own origin whose normalised path is below the destination's, for
    /// destinations that have such URLs.
    Url(String),
}

/// Why the port refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The block would have gone over the job limit; nothing of it was done.
    #[error("the job limit is reached")]
    LimitExceeded,
    /// The token is older than the history that is kept: start from the library as it is.
    #[error("the change token has expired")]
    TokenExpired,
    /// Something in the block was not possible; nothing of it was done.
    #[error("{0}")]
    Refused(String),
    /// The store failed or is closing.
    #[error("{0}")]
    Store(String),
}

/// What happened to a file, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    /// It has new bytes or a new role, and can be wanted.
    Ready(FileId),
    /// It has gone, or is no longer to be backed up.
    Removed(FileId),
    /// Something happened to it, but what it is now cannot be told: it is being read again, or
    /// cannot be read. When it can, that is another change.
    DetailsUnavailable(FileId),
}

/// Files that changed, and where the history stands after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFiles {
    /// The last that happened to each file.
    pub files: Vec<FileChange>,
    /// The place after them.
    pub token: i64,
    /// There are more.
    pub has_more: bool,
}

/// What an extension may do.
pub trait JobContext: Send {
    /// The most unacknowledged jobs.
    fn job_limit(&self) -> u32;
    /// The saved token; none before the first full look.
    fn change_token(&mut self) -> BoxFuture<'_, Result<Option<i64>, PortError>>;
    /// Where the history stands now.
    fn newest_token(&mut self) -> BoxFuture<'_, Result<i64, PortError>>;
    /// What changed since `token`, a page of it.
    fn changes_since(&mut self, token: i64) -> BoxFuture<'_, Result<ChangedFiles, PortError>>;
    /// A page of the files that have no record here, after `after`.
    fn unrecorded_files(&mut self, after: FileId) -> BoxFuture<'_, Result<Vec<FileId>, PortError>>;
    /// The live jobs to which `action` applies.
    fn fetch_jobs(&mut self, action: JobAction) -> BoxFuture<'_, Result<Vec<JobRow>, PortError>>;
    /// Records that a job may be created for now, in the order of the person's choice; no more than
    /// the limit has room for.
    fn fetch_wanted(&mut self) -> BoxFuture<'_, Result<Vec<RecordId>, PortError>>;
    /// Makes a block of changes in one transaction: all, or none with the reason. Returns how many
    /// rows it changed.
    fn perform_changes(&mut self, block: Vec<JobChange>) -> BoxFuture<'_, Result<u64, PortError>>;
    /// Whether the call should return soon.
    fn is_terminating(&self) -> bool;
}

/// The policy of one destination.
pub trait Extension: Send + Sync {
    /// Called when there may be something to do: retries, acknowledges, creates, in that order.
    fn process_jobs<'a>(&'a mut self, cx: &'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult>;

    /// Called before quit, logoff and sleep, also after a call that was cut short by it. It has half
    /// a second. Correctness never needs it.
    fn will_terminate(&mut self) -> BoxFuture<'_, ()>;
}

/// Makes the policy of a destination: once at first, and again when one has failed so badly that it
/// is not called again. The seam where a test puts its own.
pub trait MakeExtension: Send + Sync {
    /// A new policy for this destination. It knows nothing of the one before.
    fn make(&self, destination: &DestinationRow) -> Box<dyn Extension>;
}

/// Every destination has the built-in policy.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltIns;

impl MakeExtension for BuiltIns {
    fn make(&self, _destination: &DestinationRow) -> Box<dyn Extension> {
        Box::new(BuiltIn)
    }
}
