//! What a command needs of the engine, wherever that runs.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{ApiError, ErrorKind, Query, Reply, Request, Snapshot};

/// A blocking talk with an engine: at the other end of a socket, or in this process.
pub trait Conversation {
    /// Asks and waits for the answer, however long that takes.
    ///
    /// # Errors
    /// What was refused; `unavailable` when the engine has gone or the talk was interrupted.
    fn call(&mut self, request: Request) -> Result<Reply, ApiError>;

    /// As [`Conversation::call`], for what takes long: `watch` is shown the snapshots that come while
    /// the answer is waited for.
    ///
    /// # Errors
    /// As [`Conversation::call`].
    fn call_watched(&mut self, request: Request, watch: &mut dyn FnMut(&Snapshot))
    -> Result<Reply, ApiError>;

    /// The first snapshot with a revision above `after` that the engine tells of; none when
    /// `within` has passed. Snapshots in between are passed over.
    ///
    /// # Errors
    /// `unavailable` when the engine has gone or the talk was interrupted.
    fn wait_snapshot(
        &mut self,
        after: u64,
        within: Option<Duration>,
    ) -> Result<Option<Arc<Snapshot>>, ApiError>;

    /// A way to end every present and future wait of this talk, from another thread.
    fn interrupter(&self) -> Interrupter;

    /// The snapshot now.
    ///
    /// # Errors
    /// As [`Conversation::call`].
    fn snapshot(&mut self) -> Result<Arc<Snapshot>, ApiError> {
        match self.call(Query::Snapshot.into())? {
            Reply::Snapshot(snapshot) => Ok(Arc::from(snapshot)),
            other => Err(unexpected(&other)),
        }
    }
}

/// Ends the waits of a [`Conversation`].
#[derive(Clone)]
pub struct Interrupter(Arc<dyn Fn() + Send + Sync>);

impl Interrupter {
    /// An interrupter that calls `interrupt`.
    pub fn new(interrupt: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(interrupt))
    }

    /// Ends the waits.
    pub fn interrupt(&self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupter")
    }
}

/// The error for an answer that does not fit its question.
pub fn unexpected(reply: &Reply) -> ApiError {
    tracing::error!("an answer does not fit its question: {reply:?}");
    ApiError::new(ErrorKind::Internal, "Internal error: unexpected reply")
}
