//! Checks and restores that somebody waits for, and how far each of them is. One that nobody waits for
//! any more ends.

use parking_lot::Mutex;
use std::future::Future;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiError, ErrorKind, Progress, Reading as ReadingState, ReadingKind, Reply, RestoreOrder};
use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::DestinationId;
use crate::domain::messages::describe_failure;
use crate::engine::progress::Meter;
use crate::engine::requests::{Outcome, refused};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::TaskEnd;
use crate::engine::tasks::restore;
use crate::engine::tasks::verify;
use crate::store::DestinationRow;

/// Checks and restores at once; more are refused.
pub(crate) const READINGS_MAX: usize = 8;

/// How far one of them is. Its task tells, snapshots ask.
#[derive(Debug)]
pub(crate) struct Reading {
    kind: ReadingKind,
    /// The restore that it is for, where it is one that goes on by itself.
    restore: Option<i64>,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    destination: i64,
    files_done: u64,
    files_total: u64,
    bytes_done: u64,
    bytes_total: u64,
}

impl Reading {
    fn change(&self, change: impl FnOnce(&mut Numbers)) {
        change(&mut self.numbers.lock());
    }

    /// It goes on with a destination, of which so many files are to be read. `bytes` is none where
    /// that is not known.
    pub fn begin(&self, destination: DestinationId, files: u64, bytes: Option<u64>) {
        self.change(|numbers| {
            numbers.destination = destination.0;
            numbers.files_total = numbers.files_done + files;
            numbers.bytes_total = bytes.map_or(0, |bytes| numbers.bytes_done + bytes);
        });
    }

    /// So many bytes were read.
    pub fn moved(&self, bytes: u64) {
        self.change(|numbers| numbers.bytes_done += bytes);
    }

    /// So many of them are read again.
    pub fn moved_back(&self, bytes: u64) {
        self.change(|numbers| numbers.bytes_done = numbers.bytes_done.saturating_sub(bytes));
    }

    /// A file is done, well or not.
    pub fn file_done(&self) {
        self.change(|numbers| numbers.files_done += 1);
    }

    fn numbers(&self) -> Numbers {
        *self.numbers.lock()
    }
}

/// Those that are under way.
#[derive(Debug, Default)]
pub(crate) struct Readings(Vec<(Weak<Reading>, Meter)>);

impl Readings {
    /// A new one; it is under way for as long as it is held. None when there are too many.
    pub fn begin(&mut self, kind: ReadingKind) -> Option<Arc<Reading>> {
        self.0.retain(|(reading, _)| reading.strong_count() > 0);
        let asked = self.0.iter().filter_map(|(reading, _)| reading.upgrade());
        if asked.filter(|reading| reading.restore.is_none()).count() >= READINGS_MAX {
            return None;
        }
        Some(self.add(Reading { kind, restore: None, numbers: Mutex::default() }))
    }

    /// One for a restore that goes on by itself; the store limits how many there are.
    pub fn begin_restore(&mut self, id: i64) -> Arc<Reading> {
        self.add(Reading { kind: ReadingKind::Restore, restore: Some(id), numbers: Mutex::default() })
    }

    fn add(&mut self, reading: Reading) -> Arc<Reading> {
        let reading = Arc::new(reading);
        self.0.push((Arc::downgrade(&reading), Meter::default()));
        reading
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(reading, _)| reading.strong_count() == 0)
    }

    /// How far each is.
    pub fn states(&mut self, now: Instant) -> Vec<ReadingState> {
        self.0.retain(|(reading, _)| reading.strong_count() > 0);
        let all = self.0.iter_mut().filter_map(|(reading, meter)| Some((reading.upgrade()?, meter)));
        all.map(|(reading, meter)| state(&reading, meter, now)).collect()
    }
}

fn state(reading: &Reading, meter: &mut Meter, now: Instant) -> ReadingState {
    let Numbers { destination, files_done, files_total, bytes_done, bytes_total } = reading.numbers();
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
    ReadingState { kind: reading.kind, destination, restore: reading.restore, progress }
}

/// Who waits for the outcome.
type Waiting = oneshot::Sender<Outcome>;

impl Supervisor {
    pub(crate) fn spawn_verify(&mut self, only: Option<i64>, is_deep: bool, reply: Waiting) {
        let chosen: Vec<Arc<DestinationRow>> = self
            .runners
            .values()
            .filter(|runner| only.is_none_or(|id| runner.id().0 == id))
            .map(|runner| Arc::clone(&runner.row))
            .collect();
        let open: Vec<(u32, Result<SharedDestination, Failure>)> = chosen
            .iter()
            .filter_map(|row| self.runners.get(&row.id))
            .map(|runner| (runner.width(), runner.destination.clone()))
            .collect();
        let (deps, store) = (self.deps.clone(), self.store.clone());
        self.spawn_reading(ReadingKind::Verify, reply, |reading, cancel| async move {
            let (mut all, mut reasons) = (verify::Audit::default(), Vec::new());
            let mut outcome = Ok(());
            for (row, (width, destination)) in chosen.into_iter().zip(open) {
                let audited = verify::Audited { id: row.id, is_deep, width, reading: &reading };
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
            let verify::Audit { checked, failed, unproven } = all;
            outcome.map(|()| Reply::Verified { checked, failed, unproven, reasons })
        });
    }

    /// Restores for as long as the client waits.
    pub(crate) fn spawn_restore(&mut self, order: &RestoreOrder, reply: Waiting) {
        let (deps, store) = (self.deps.clone(), self.store.clone());
        let prepared = self.prepare_restore(order);
        self.spawn_reading(ReadingKind::Restore, reply, |reading, cancel| async move {
            let order = prepared?.resolve(&store).await?;
            restore::run(&deps, &store, order, reading, &cancel).await.into_reply()
        });
    }

    /// Starts one, for as long as somebody waits for what it finds.
    fn spawn_reading<F>(
        &mut self,
        kind: ReadingKind,
        mut reply: Waiting,
        work: impl FnOnce(Arc<Reading>, CancellationToken) -> F,
    ) where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let Some(reading) = self.readings.begin(kind) else {
            let why = "Too many verifications and restores are running; try again when one has finished";
            reply.send(Err(ApiError::new(ErrorKind::Unavailable, why))).ok();
            return;
        };
        let cancel = self.background.child_token();
        let work = work(reading, cancel.clone());
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
        let mut readings = Readings::default();
        let one = readings.begin(ReadingKind::Restore).expect("room");
        one.begin(DestinationId(3), 4, Some(8_000));
        for _ in 0..5 {
            readings.states(Instant::now());
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            one.moved(1_000);
        }
        one.moved_back(1_000);
        one.file_done();
        let states = readings.states(Instant::now());
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
        let rest: Vec<_> = std::iter::from_fn(|| readings.begin(ReadingKind::Verify)).collect();
        assert_eq!(rest.len(), READINGS_MAX - 1);
        drop((one, rest));
        assert!(readings.is_empty() && readings.states(Instant::now()).is_empty());
        assert!(readings.begin(ReadingKind::Verify).is_some());
    }
}
