//! The work of a destination's worker that goes on beside the engine's loop, and how each piece of it ends.

use std::future::Future;
use std::pin::Pin;

use crate::domain::ids::DestinationId;
use crate::engine::destination::check::CheckEnd;
use crate::engine::destination::policy::ExtensionCallReport;
use crate::engine::destination::read_back::ReadBackEnd;
use crate::engine::destination::transfer::TransferReport;

/// How a piece of a worker's work ended.
pub(crate) enum WorkerEnd {
    /// A transfer.
    Transfer(Box<TransferReport>),
    /// A call of an extension.
    ExtensionCalled(ExtensionCallReport),
    /// A check of a destination.
    Checked { destination: DestinationId, end: CheckEnd },
    /// Copies were listed in a manifest, or could not be for now.
    Listed { destination: DestinationId, is_done: bool },
    /// Copies were read back in the background, or could not be for now.
    ReadBack { destination: DestinationId, end: ReadBackEnd },
    /// A disk was unmounted and mounted again, or could not be.
    Reconnected { destination: DestinationId },
}

/// A piece of a worker's work.
pub(crate) type WorkerFuture = Pin<Box<dyn Future<Output = WorkerEnd> + Send>>;

/// Starts a worker's work. The engine's loop hears how it ended.
pub(crate) trait WorkerTasks: Send {
    /// Starts work.
    fn spawn_work(&mut self, work: WorkerFuture);

    /// Starts work that ends in `lost` if it panics.
    fn spawn_work_or(&mut self, lost: WorkerEnd, work: WorkerFuture);
}
