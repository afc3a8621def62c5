//! Everything that is under way, and how each piece of it ends.

use std::future::Future;

use tokio::task::JoinSet;

use crate::engine::catch_panic::catch_panic;
use crate::engine::conditions::network_config::NetworkTrial;
use crate::engine::destination::worker_tasks::{WorkerEnd, WorkerFuture, WorkerTasks};
use crate::engine::path_resolver::DiskMap;
use crate::engine::restore::order::RestoreReport;
use crate::engine::setup::path_request::PathsResolved;
use crate::engine::setup::tested_destination::TestedDestination;
use crate::store::StoreError;

/// How a piece of work ended.
pub(crate) enum TaskEnd {
    /// The work of a destination's worker.
    Worker(WorkerEnd),
    /// Where the paths of a request lead was found out.
    PathsResolved(Box<PathsResolved>),
    /// The disks that folders are on were looked up.
    Disks(DiskMap),
    /// Other network settings were tried.
    NetworkApplied(Box<NetworkTrial>),
    /// A destination that the person is adding was tried.
    DestinationTested(Box<TestedDestination>),
    /// A restore that goes on by itself has ended.
    RestoreEnded { id: i64, report: Box<RestoreReport> },
    /// Files may be wanted again: taken out of a server's trash, or their copies were found wrong.
    WantedAgain,
    /// It was tried to write down what waits, the first `count` of it.
    StoreProbed { outcome: Result<(), StoreError>, count: usize },
    /// A query or another piece that answers its caller by itself.
    Answered,
    /// It panicked or was dropped.
    Lost(String),
}

/// The work that is under way.
#[derive(Default)]
pub(crate) struct TaskSet(JoinSet<TaskEnd>);

impl TaskSet {
    /// Starts work. Work that panics ends in [`TaskEnd::Lost`].
    pub fn spawn(&mut self, work: impl Future<Output = TaskEnd> + Send + 'static) {
        self.0.spawn(work);
    }

    /// Starts work that ends in `lost` if it panics.
    pub fn spawn_or(&mut self, lost: TaskEnd, work: impl Future<Output = TaskEnd> + Send + 'static) {
        self.0.spawn(async move { catch_panic(work).await.unwrap_or(lost) });
    }

    /// Waits for the next piece to end; `None` if nothing is under way.
    pub async fn next_end(&mut self) -> Option<TaskEnd> {
        let end = self.0.join_next().await?;
        Some(end.unwrap_or_else(|error| TaskEnd::Lost(error.to_string())))
    }

    /// Drops everything that is still under way.
    pub fn abort_all(&mut self) {
        self.0.abort_all();
    }
}

impl WorkerTasks for TaskSet {
    fn spawn_work(&mut self, work: WorkerFuture) {
        self.spawn(async move { TaskEnd::Worker(work.await) });
    }

    fn spawn_work_or(&mut self, lost: WorkerEnd, work: WorkerFuture) {
        self.spawn_or(TaskEnd::Worker(lost), async move { TaskEnd::Worker(work.await) });
    }
}
