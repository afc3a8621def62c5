//! One transfer: send, and prove. The destination does the protocol; this decides what its answers
//! mean for the job.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::files::path_from_bytes;
use crate::base::mutant::{self, Mutant};
use crate::destination::{
    BoxFuture, Checkpoint, Companion, Item, NamedCopy, Phase, SaveCheckpoint, Sent, SharedDestination,
    Transfer,
};
use crate::domain::backoff;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::ids::{DestinationId, JobId, RecordId};
use crate::domain::path::RelPath;
use crate::domain::record::{Evidence, ProofMethod};
use crate::engine::catch_panic::catch_panic;
use crate::engine::deps::Deps;
use crate::engine::destination::digests;
use crate::engine::stall::stall_timeout;
use crate::store::{CompanionRow, DecisionKind, DestinationRow, JobOutcome, StartedJob, Store, StoreError};

/// Keys tried in one transfer before it counts as a conflict.
const KEYS_TRIED_MAX: u32 = 4;

/// How a transfer ended, for the supervisor.
#[derive(Debug)]
pub(crate) struct TransferReport {
    pub destination: DestinationId,
    pub job: JobId,
    pub record: RecordId,
    pub bytes: u64,
    pub end: TransferEnd,
    /// The file's folder should be looked at again: it is not what it was.
    pub look_again: Option<Box<StartedJob>>,
}

/// The supervisor's view of an outcome.
#[derive(Debug)]
pub(crate) enum TransferEnd {
    /// Proved, or accepted and not proved yet.
    Done {
        /// It was proved.
        is_proved: bool,
    },
    /// Failed on its own account.
    Failed(Failure),
    /// Went back unspent because it was told to stop.
    PutBack,
    /// Went back unspent because the destination cannot be used.
    DestinationLost(Failure),
    /// The store would not take the outcome.
    Unwritten {
        /// What came of the job.
        outcome: JobOutcome,
        /// Why it could not be written.
        error: StoreError,
    },
}

impl TransferEnd {
    /// Whether something may be left at the destination that nobody will finish: it could not be asked to
    /// remove it.
    pub fn may_leave_files(&self) -> bool {
        match self {
            Self::Failed(failure) => !is_of_source(failure),
            Self::DestinationLost(_failure) => true,
            Self::Done { .. } | Self::PutBack | Self::Unwritten { .. } => false,
        }
    }
}

/// Whether a file's failure is its source's.
fn is_of_source(failure: &Failure) -> bool {
    use FailureKind as K;
    matches!(failure.kind, K::Changed | K::Gone | K::Unreadable | K::Empty | K::Placeholder)
}

/// What the supervisor can see of a running transfer.
#[derive(Debug, Clone)]
pub(crate) struct TransferMonitor {
    pub bytes_sent: Arc<AtomicU64>,
    pub proving: Arc<AtomicU64>,
    pub cancel: CancellationToken,
}

impl TransferMonitor {
    pub fn new(cancel: CancellationToken) -> Self {
        Self { bytes_sent: Arc::default(), proving: Arc::default(), cancel }
    }

    pub fn is_proving(&self) -> bool {
        self.proving.load(Ordering::Relaxed) != 0
    }
}

struct CheckpointSaver {
    store: Store,
    record: RecordId,
    proving: Arc<AtomicU64>,
}

impl SaveCheckpoint for CheckpointSaver {
    fn save<'a>(&'a self, checkpoint: Checkpoint) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if checkpoint.phase == Phase::Proving {
                self.proving.store(1, Ordering::Relaxed);
            }
            let record = self.record;
            let saved = self.store.write_again(move |tx| tx.save_checkpoint(record, &checkpoint)).await;
            saved.map_err(|error| Failure::from(&error))
        })
    }

    fn save_named<'a>(&'a self, copy: NamedCopy) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let record = self.record;
            let saved = self.store.write_again(move |tx| tx.save_named_copy(record, &copy)).await;
            saved.map_err(|error| Failure::from(&error))
        })
    }
}

/// Runs one started job to its end and writes the outcome into the ledger.
pub(crate) async fn run(
    deps: Deps,
    store: Store,
    row: Arc<DestinationRow>,
    destination: SharedDestination,
    started: StartedJob,
    monitor: TransferMonitor,
) -> TransferReport {
    let stall_timeout = stall_timeout(started.content.size);
    let attempt = attempt(&deps, &store, &row, &destination, &started, &monitor);
    let result = until_stopped(attempt, &monitor, stall_timeout).await;
    let bytes_sent = monitor.bytes_sent.load(Ordering::Relaxed);
    let (outcome, end) = conclude(&deps, &store, &started, result, bytes_sent).await;
    let (job, record) = (started.job, started.record);
    let kept = outcome.clone();
    if mutant::is(Mutant::AcknowledgesFirst) {
        store.write(move |tx| tx.cancel_job(job)).await.ok();
    }
    let decision = decision(&outcome, &end);
    let leftover_at = end.may_leave_files().then_some(row.id);
    let written = store
        .write_again(move |tx| {
            let is_ours = tx.end_job(job, record, &outcome)?;
            if let Some(destination) = leftover_at {
                tx.set_needs_clean(destination, true)?;
            }
            if let Some((kind, text)) = decision.as_ref().filter(|_| is_ours) {
                tx.add_decision(record, *kind, text)?;
            }
            Ok(is_ours)
        })
        .await;
    let end = match written {
        Ok(_) => end,
        Err(error) => {
            tracing::error!(%error, "an outcome could not be written");
            TransferEnd::Unwritten { outcome: kept, error }
        }
    };
    let is_stale = |f: &Failure| {
        matches!(
            f.kind,
            FailureKind::Changed | FailureKind::Gone | FailureKind::Unreadable | FailureKind::Empty
        )
    };
    let look_again = match &end {
        TransferEnd::Failed(failure) if is_stale(failure) => Some(Box::new(started.clone())),
        _ => None,
    };
    TransferReport { destination: row.id, job, record, bytes: started.content.size, end, look_again }
}

/// What is kept of an outcome for the person; nothing of one that went well.
fn decision(outcome: &JobOutcome, end: &TransferEnd) -> Option<(DecisionKind, String)> {
    let said = |failure: &Failure| crate::domain::messages::describe_failure(failure).summary;
    match (outcome, end) {
        (JobOutcome::Failed { failure, .. }, _) if failure.is_permanent() => {
            Some((DecisionKind::Failed, format!("{}. Retrying would not help", said(failure))))
        }
        (JobOutcome::Failed { failure, eligible_at }, _) => {
            let text = format!("{}. Next try from {}", said(failure), eligible_at.rfc3339());
            Some((DecisionKind::Failed, text))
        }
        (JobOutcome::PutBack { .. }, TransferEnd::DestinationLost(failure)) => {
            Some((DecisionKind::PutBack, format!("{}. It stays in the queue", said(failure))))
        }
        (JobOutcome::PutBack { .. }, _) => {
            Some((DecisionKind::PutBack, "Interrupted; will resume".to_owned()))
        }
        (JobOutcome::Succeeded { .. }, _) => None,
    }
}

/// How long a transfer that was told to stop may take to let go, before it is let go of.
const STOPPED_WITHIN: Duration = Duration::from_secs(4);

/// Ends when the transfer has shown no sign of life for so long.
async fn stalled(monitor: &TransferMonitor, stall_timeout: Duration) {
    let sign = || (monitor.bytes_sent.load(Ordering::Relaxed), monitor.is_proving());
    let mut seen = sign();
    loop {
        tokio::time::sleep(stall_timeout).await;
        let now = sign();
        if now == seen {
            return;
        }
        seen = now;
    }
}

/// Runs an attempt to its end. A panic in it is its failure, and one that does not heed being told to
/// stop, or hangs, is dropped: whatever it leaves behind is what a kill would have left.
async fn until_stopped(
    attempt: impl Future<Output = Result<AttemptEnd, Failure>>,
    monitor: &TransferMonitor,
    stall_timeout: Duration,
) -> Result<AttemptEnd, Failure> {
    let overdue = async {
        monitor.cancel.cancelled().await;
        tokio::time::sleep(STOPPED_WITHIN).await;
    };
    tokio::select! {
        biased;
        result = catch_panic(attempt) => result.unwrap_or_else(|_panicked| {
            Err(Failure::transient(FailureKind::Protocol, "the transfer stopped unexpectedly (internal error)"))
        }),
        () = overdue => Ok(AttemptEnd::Cancelled),
        () = stalled(monitor, stall_timeout) => {
            monitor.cancel.cancel();
            Err(Failure::transient(FailureKind::Timeout, "the transfer timed out"))
        }
    }
}

/// What an attempt came to when nothing failed.
enum AttemptEnd {
    Proved(Evidence, String),
    Cancelled,
}

async fn attempt(
    deps: &Deps,
    store: &Store,
    row: &DestinationRow,
    destination: &SharedDestination,
    started: &StartedJob,
    monitor: &TransferMonitor,
) -> Result<AttemptEnd, Failure> {
    let record = started.record;
    let store_failed = |error: StoreError| Failure::from(&error);
    let mut item = item_of(started);
    let wanted = row.capabilities.digests_wanted(row.kind, item.content.size).without(item.digests.known());
    if !wanted.is_empty() {
        match digests::fill_in(&deps.files, &deps.library_executor, store, &item, wanted, &monitor.cancel)
            .await?
        {
            Some(digests) => item.digests = item.digests.or(digests),
            None => return Ok(AttemptEnd::Cancelled),
        }
    }
    if row.kind.joins_companions() {
        add_companions(store, row.id, &mut item).await.map_err(store_failed)?;
    }
    for _ in 0..KEYS_TRIED_MAX {
        let known = store.read(move |r| Ok((r.checkpoint(record)?, r.named_copy(record)?))).await;
        let (checkpoint, named) = known.map_err(store_failed)?;
        let saver = CheckpointSaver { store: store.clone(), record, proving: Arc::clone(&monitor.proving) };
        let mut transfer =
            Transfer::new(Arc::clone(&deps.files), monitor.cancel.clone(), checkpoint, Arc::new(saver));
        transfer.bytes_sent = Arc::clone(&monitor.bytes_sent);
        transfer.named = named;
        transfer.may_defer = true;
        let sent = match destination.send(&item, &transfer).await? {
            Sent::KeyTaken if mutant::is(Mutant::AdoptsBlindly) => {
                Sent::AlreadyThere { receipt: String::new() }
            }
            sent => sent,
        };
        save_notes(store, record, &transfer).await.map_err(store_failed)?;
        match sent {
            Sent::Cancelled => return Ok(AttemptEnd::Cancelled),
            Sent::KeyTaken => {
                let capabilities = row.capabilities.clone();
                let next = store
                    .write(move |tx| {
                        let text = "Another file has this name there, so it gets a different one";
                        tx.add_decision(record, DecisionKind::Renamed, text)?;
                        tx.next_key(record, &capabilities)
                    })
                    .await;
                item.key = next.map_err(|error| match error {
                    crate::store::StoreError::Refused(why) => Failure::permanent(FailureKind::Conflict, why),
                    other => store_failed(other),
                })?;
            }
            Sent::Stored { receipt, evidence: Some(evidence) } => {
                transfer.set_bytes_sent(item.content.size);
                return Ok(AttemptEnd::Proved(evidence, receipt));
            }
            Sent::Stored { receipt, evidence: None } | Sent::AlreadyThere { receipt } => {
                transfer.set_bytes_sent(item.content.size);
                transfer.save(Phase::Proving, receipt.clone()).await?;
                return prove(deps, destination, &item, receipt, &transfer).await;
            }
        }
    }
    Err(Failure::transient(FailureKind::Conflict, "several names in a row were taken at the destination"))
}

/// Keeps what a transfer left for the person.
pub(crate) async fn save_notes(
    store: &Store,
    record: RecordId,
    transfer: &Transfer,
) -> Result<(), StoreError> {
    let notes = transfer.take_notes();
    if notes.is_empty() {
        return Ok(());
    }
    let work = store.write(move |tx| {
        notes.iter().try_for_each(|note| tx.add_decision(record, DecisionKind::Noted, note))
    });
    work.await
}

/// Asks the destination for what it can show of a copy that it says it has.
async fn prove(
    deps: &Deps,
    destination: &SharedDestination,
    item: &Item,
    receipt: String,
    transfer: &Transfer,
) -> Result<AttemptEnd, Failure> {
    let unproved = Evidence::Verified { method: ProofMethod::ServerDigest, at: deps.clock.now() };
    if mutant::is(Mutant::TrustsSuccess) {
        return Ok(AttemptEnd::Proved(unproved, receipt));
    }
    match destination.prove(item, &receipt, transfer).await {
        Ok(proved) => Ok(AttemptEnd::Proved(proved, receipt)),
        Err(failure) if mutant::is(Mutant::IgnoresProof) && failure.kind == FailureKind::DigestMismatch => {
            Ok(AttemptEnd::Proved(unproved, receipt))
        }
        // Told to stop in the middle of reading back: nothing is known of the copy yet.
        Err(_stopped) if transfer.cancel.is_cancelled() => Ok(AttemptEnd::Cancelled),
        Err(failure) => Err(failure),
    }
}

/// Fills in what a destination that joins an asset's parts is told: all files with these bytes, and the
/// other parts of their assets.
pub(crate) async fn add_companions(
    store: &Store,
    id: DestinationId,
    item: &mut Item,
) -> Result<(), StoreError> {
    let record = item.record;
    let (files, rows) = store.read(move |r| Ok((r.record_files(record)?, r.companions(id, record)?))).await?;
    item.companions = rows.into_iter().map(companion_of).collect();
    item.other_paths = files.iter().map(|(source, below)| absolute(source, below)).collect();
    if item.path.as_os_str().is_empty() {
        item.path = item.other_paths.first().cloned().unwrap_or_default();
    }
    item.other_paths.retain(|path| *path != item.path);
    Ok(())
}

fn companion_of(row: CompanionRow) -> Companion {
    Companion {
        path: absolute(&row.source_path, &row.path),
        kind: row.kind,
        is_primary: row.is_primary,
        is_own_sidecar: row.is_own_sidecar,
        is_subject: row.is_subject,
        is_rival: row.is_rival,
        content: row.content,
        digests: row.digests,
        stamp: row.stamp,
        receipt: row.receipt,
    }
}

fn absolute(source: &[u8], below: &RelPath) -> PathBuf {
    let mut path = source.to_vec();
    path.push(b'/');
    path.extend_from_slice(&below.to_bytes());
    path_from_bytes(&path)
}

fn item_of(started: &StartedJob) -> Item {
    Item {
        record: started.record,
        key: started.key.clone(),
        content: started.content,
        digests: started.digests,
        path: absolute(&started.source_path, &started.path),
        stamp: started.stamp,
        captured_at: started.captured_at,
        kind: started.kind,
        token: started.token,
        other_paths: Vec::new(),
        companions: Vec::new(),
    }
}

async fn conclude(
    deps: &Deps,
    store: &Store,
    started: &StartedJob,
    result: Result<AttemptEnd, Failure>,
    bytes_sent: u64,
) -> (JobOutcome, TransferEnd) {
    let failure = match result {
        Ok(AttemptEnd::Proved(evidence, receipt)) => {
            let is_proved = !matches!(evidence, Evidence::Accepted);
            return (JobOutcome::Succeeded { evidence, receipt }, TransferEnd::Done { is_proved });
        }
        Ok(AttemptEnd::Cancelled) => return (JobOutcome::PutBack { bytes_sent }, TransferEnd::PutBack),
        Err(failure) => failure,
    };
    match failure.reach {
        Reach::Destination if !mutant::is(Mutant::SpendsAttempts) => {
            (JobOutcome::PutBack { bytes_sent }, TransferEnd::DestinationLost(failure))
        }
        // The store refused a checkpoint: the job is no longer this run's, or nothing can be kept.
        Reach::Run => (JobOutcome::PutBack { bytes_sent }, TransferEnd::PutBack),
        Reach::Resource | Reach::Destination => {
            let record = started.record;
            let jobs_failed = store.read(move |r| r.jobs_failed(record)).await.unwrap_or(0);
            let wait = backoff::resource(jobs_failed + 1, failure.retry, deps.rng.next_unit());
            let eligible_at = deps.clock.now().plus(wait);
            (JobOutcome::Failed { failure: failure.clone(), eligible_at }, TransferEnd::Failed(failure))
        }
    }
}
