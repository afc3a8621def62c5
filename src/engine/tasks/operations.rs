//! Checks and restores that somebody waits for, and how far each of them is. One that nobody waits for
//! any more ends.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiError, ErrorKind, Progress, Reading as ReadingState, ReadingKind, Reply, RestoreOrder};
use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::DestinationId;
use crate::domain::messages::describe_failure;
use crate::engine::progress::ProgressMeter;
use crate::engine::requests::{Outcome, refused};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::TaskEnd;
use crate::engine::tasks::restore;
use crate::engine::tasks::verify;
use crate::store::DestinationRow;

/// Checks and restores at once; more are refused.
pub(crate) const OPERATIONS_MAX: usize = 8;

/// How far one of them is. Its task tells, snapshots ask.
#[derive(Debug)]
pub(crate) struct OperationProgress {
    kind: ReadingKind,
    /// The restore that it is for, where it is one that goes on by itself.
    restore: Option<i64>,
    counts: Mutex<OperationCounts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct OperationCounts {
    destination: i64,
    files_done: u64,
    files_total: u64,
    bytes_done: u64,
    bytes_total: u64,
}

impl OperationProgress {
    fn change(&self, change: impl FnOnce(&mut OperationCounts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// It goes on with a destination, of which so many files are to be read. `bytes` is none where
    /// that is not known.
    pub fn begin(&self, destination: DestinationId, files: u64, bytes: Option<u64>) {
        self.change(|counts| {
            counts.destination = destination.0;
            counts.files_total = counts.files_done + files;
            counts.bytes_total = bytes.map_or(0, |bytes| counts.bytes_done + bytes);
        });
    }

    /// So many bytes were read.
    pub fn add_bytes(&self, bytes: u64) {
        self.change(|counts| counts.bytes_done += bytes);
    }

    /// So many of them are read again.
    pub fn subtract_bytes(&self, bytes: u64) {
        self.change(|counts| counts.bytes_done = counts.bytes_done.saturating_sub(bytes));
    }

    /// A file is done, well or not.
    pub fn add_file(&self) {
        self.change(|counts| counts.files_done += 1);
    }

    fn counts(&self) -> OperationCounts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that are under way.
#[derive(Debug, Default)]
pub(crate) struct Operations(Vec<(Weak<OperationProgress>, ProgressMeter)>);

impl Operations {
    /// A new one; it is under way for as long as it is held. None when there are too many.
    pub fn begin(&mut self, kind: ReadingKind) -> Option<Arc<OperationProgress>> {
        self.0.retain(|(operation, _)| operation.strong_count() > 0);
        let asked = self.0.iter().filter_map(|(operation, _)| operation.upgrade());
        if asked.filter(|operation| operation.restore.is_none()).count() >= OPERATIONS_MAX {
            return None;
        }
        Some(self.add(OperationProgress { kind, restore: None, counts: Mutex::default() }))
    }

    /// One for a restore that goes on by itself; the store limits how many there are.
    pub fn begin_restore(&mut self, id: i64) -> Arc<OperationProgress> {
        self.add(OperationProgress {
            kind: ReadingKind::Restore,
            restore: Some(id),
            counts: Mutex::default(),
        })
    }

    fn add(&mut self, operation: OperationProgress) -> Arc<OperationProgress> {
        let operation = Arc::new(operation);
        self.0.push((Arc::downgrade(&operation), ProgressMeter::default()));
        operation
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(operation, _)| operation.strong_count() == 0)
    }

    /// How far each is.
    pub fn states(&mut self, now: Instant) -> Vec<ReadingState> {
        self.0.retain(|(operation, _)| operation.strong_count() > 0);
        let all = self.0.iter_mut().filter_map(|(operation, meter)| Some((operation.upgrade()?, meter)));
        all.map(|(operation, meter)| state(&operation, meter, now)).collect()
    }
}

fn state(operation: &OperationProgress, meter: &mut ProgressMeter, now: Instant) -> ReadingState {
    let OperationCounts { destination, files_done, files_total, bytes_done, bytes_total } =
        operation.counts();
    meter.sample(now, bytes_done);
    let measured = meter.progress(now, files_total.saturating_sub(files_done), bytes_total, bytes_done);
    let measured = measured.unwrap_or_default();
    let progress = Progress {
        files_done,
        files_total,
        bytes_done,
        bytes_total,
        secs_left: measured.secs_left.filter(|_| bytes_total > 0),
        ..measured
    };
    ReadingState { kind: operation.kind, destination, restore: operation.restore, progress }
}

/// Who waits for the outcome.
type Waiting = oneshot::Sender<Outcome>;

impl Supervisor {
    pub(crate) fn spawn_verify(&mut self, only: Option<i64>, is_deep: bool, reply: Waiting) {
        let chosen: Vec<Arc<DestinationRow>> = self
            .workers
            .values()
            .filter(|worker| only.is_none_or(|id| worker.id().0 == id))
            .map(|worker| Arc::clone(&worker.row))
            .collect();
        let open: Vec<(u32, Result<SharedDestination, Failure>)> = chosen
            .iter()
            .filter_map(|row| self.workers.get(&row.id))
            .map(|worker| (worker.width(), worker.destination.clone()))
            .collect();
        let (deps, store) = (self.deps.clone(), self.store.clone());
        self.spawn_operation(ReadingKind::Verify, reply, |operation, cancel| async move {
            let (mut all, mut reasons) = (verify::VerifyCounts::default(), Vec::new());
            let mut outcome = Ok(());
            for (row, (width, destination)) in chosen.into_iter().zip(open) {
                let audited = verify::VerifyOrder { id: row.id, is_deep, width, operation: &operation };
                let checked = match &destination {
                    Ok(destination) => verify::verify(&deps, &store, destination, &audited, &cancel).await,
                    Err(failure) => Err(failure.clone()),
                };
                match (checked, destination) {
                    (Ok((found, unread)), destination) => {
                        all.checked += found.checked;
                        all.failed += found.failed;
                        all.unproven += found.unproven;
                        if let (true, Ok(destination)) = (found.unproven > 0, destination) {
                            reasons.push(why_unproven(&row.name, &destination, unread.as_ref()).await);
                        }
                    }
                    (Err(failure), _) => outcome = Err(refused(&failure)),
                }
            }
            if cancel.is_cancelled() {
                return Err(ApiError::new(ErrorKind::Unavailable, "Safelight is stopping"));
            }
            let verify::VerifyCounts { checked, failed, unproven } = all;
            outcome.map(|()| Reply::Verified { checked, failed, unproven, reasons })
        });
    }

    /// Restores for as long as the client waits.
    pub(crate) fn spawn_restore(&mut self, order: &RestoreOrder, reply: Waiting) {
        let (deps, store) = (self.deps.clone(), self.store.clone());
        let prepared = self.prepare_restore(order);
        self.spawn_operation(ReadingKind::Restore, reply, |operation, cancel| async move {
            let order = prepared?.resolve(&store).await?;
            restore::run(&deps, &store, order, operation, &cancel).await.into_reply()
        });
    }

    /// Starts one, for as long as somebody waits for what it finds.
    fn spawn_operation<F>(
        &mut self,
        kind: ReadingKind,
        mut reply: Waiting,
        work: impl FnOnce(Arc<OperationProgress>, CancellationToken) -> F,
    ) where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let Some(operation) = self.operations.begin(kind) else {
            let why = "Too many verifications and restores are running; try again when one has finished";
            reply.send(Err(ApiError::new(ErrorKind::Unavailable, why))).ok();
            return;
        };
        let cancel = self.background.child_token();
        let work = work(operation, cancel.clone());
        self.tasks.spawn(async move {
            // Whatever reads on a thread of its own is told too.
            let _ended = cancel.drop_guard();
            let outcome = tokio::select! {
                outcome = work => outcome,
                () = reply.closed() => return TaskEnd::WantedAgain,
            };
            reply.send(outcome).ok();
            TaskEnd::WantedAgain
        });
    }
}

/// Why copies at a destination could not be proved, and what would help.
async fn why_unproven(name: &str, destination: &SharedDestination, unread: Option<&Failure>) -> String {
    if let Some(obstacle) = destination.proof_obstacle() {
        return format!("{name}: {obstacle}");
    }
    match (destination.attachment().await, unread) {
        (Ok(Some(attachment)), _) => format!("{name}: {}", attachment.need.advice()),
        (_, Some(failure)) => {
            let message = describe_failure(failure);
            format!("{name}: {}. {}", message.summary, message.advice)
        }
        (_, None) => format!("Copies in {name} cannot be verified"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_is_there_for_as_long_as_it_is_held() {
        let mut operations = Operations::default();
        let one = operations.begin(ReadingKind::Restore).expect("room");
        one.begin(DestinationId(3), 4, Some(8_000));
        for _ in 0..5 {
            operations.states(Instant::now());
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            one.add_bytes(1_000);
        }
        one.subtract_bytes(1_000);
        one.add_file();
        let states = operations.states(Instant::now());
        let progress = Progress {
            files_done: 1,
            files_total: 4,
            bytes_done: 4_000,
            bytes_total: 8_000,
            bytes_per_sec: 800,
            secs_left: Some(5),
        };
        assert_eq!(
            states,
            [ReadingState { kind: ReadingKind::Restore, destination: 3, restore: None, progress }]
        );
        let rest: Vec<_> = std::iter::from_fn(|| operations.begin(ReadingKind::Verify)).collect();
        assert_eq!(rest.len(), OPERATIONS_MAX - 1);
        drop((one, rest));
        assert!(operations.is_empty() && operations.states(Instant::now()).is_empty());
        assert!(operations.begin(ReadingKind::Verify).is_some());
    }
}
