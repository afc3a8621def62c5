//! The transfers under way at one destination.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{JobId, RecordId, SourceId};
use crate::engine::destination::transfer::TransferMonitor;
use crate::engine::stall::StallDetector;
use crate::store::StartedJob;

/// A transfer under way.
#[derive(Debug, Clone)]
pub(crate) struct ActiveTransfer {
    started: StartedJob,
    monitor: TransferMonitor,
}

impl ActiveTransfer {
    /// What is sent.
    pub fn started(&self) -> &StartedJob {
        &self.started
    }

    /// Bytes sent so far.
    pub fn sent(&self) -> u64 {
        self.monitor.bytes_sent.load(Ordering::Relaxed).min(self.started.content.size)
    }

    /// Whether the copy is being proved.
    pub fn is_proving(&self) -> bool {
        self.monitor.is_proving()
    }
}

/// The transfers under way.
#[derive(Debug, Default)]
pub(crate) struct ActiveTransfers {
    by_job: BTreeMap<JobId, ActiveTransfer>,
    stall_detector: StallDetector,
}

impl ActiveTransfers {
    pub fn iter(&self) -> impl Iterator<Item = &ActiveTransfer> {
        self.by_job.values()
    }

    pub fn is_empty(&self) -> bool {
        self.by_job.is_empty()
    }

    /// How many more may run if `max` may run at once.
    pub fn room(&self, max: u32) -> u32 {
        max.saturating_sub(u32::try_from(self.by_job.len()).unwrap_or(u32::MAX))
    }

    /// A transfer begins.
    pub fn insert(&mut self, started: StartedJob, monitor: TransferMonitor) {
        self.by_job.insert(started.job, ActiveTransfer { started, monitor });
    }

    /// A transfer ended.
    pub fn remove(&mut self, job: JobId) {
        self.by_job.remove(&job);
    }

    /// Whether a record is being sent.
    pub fn has_record(&self, record: RecordId) -> bool {
        self.by_job.values().any(|transfer| transfer.started.record == record)
    }

    /// Stops the transfer of a job, if it is under way.
    pub fn cancel_job(&self, job: JobId) {
        if let Some(transfer) = self.by_job.get(&job) {
            transfer.monitor.cancel.cancel();
        }
    }

    /// Stops transfers.
    pub fn cancel_where(&self, is_meant: impl Fn(&StartedJob) -> bool) {
        for transfer in self.by_job.values().filter(|transfer| is_meant(&transfer.started)) {
            transfer.monitor.cancel.cancel();
        }
    }

    /// Stops the transfers of files in a source.
    pub fn cancel_source(&self, source: SourceId) {
        self.cancel_where(|started| started.source == source);
    }

    /// What stops each of them.
    pub fn cancellations(&self) -> BTreeMap<JobId, CancellationToken> {
        self.by_job.iter().map(|(job, transfer)| (*job, transfer.monitor.cancel.clone())).collect()
    }

    /// Bytes sent by each of them.
    pub fn sent(&self) -> impl Iterator<Item = (RecordId, u64)> {
        self.by_job.values().map(|transfer| (transfer.started.record, transfer.sent()))
    }

    /// Bytes sent by all of them.
    pub fn in_flight(&self) -> u64 {
        self.sent().map(|(_, sent)| sent).sum()
    }

    /// Looks whether they still move. A copy that is being read back moves unseen, so where there is
    /// nothing but those, nothing is known.
    pub fn sample_progress(&mut self, now: Instant) {
        let is_awaiting = self.by_job.values().any(|transfer| !transfer.is_proving());
        let mark = (self.by_job.keys().next_back().copied(), self.by_job.len(), self.in_flight());
        self.stall_detector.note(is_awaiting.then_some(mark), now);
    }

    /// Whether nothing has moved for so long that a person should hear of it.
    pub fn is_stalled(&self) -> bool {
        self.stall_detector.is_stalled()
    }
}
