//! Checks and restores that somebody waits for, and how far each of them is. One that nobody waits for
//! any more ends.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::api::{OperationKind, OperationState, Progress};
use crate::domain::ids::DestinationId;
use crate::engine::progress::ProgressMeter;

/// Checks and restores at once; more are refused.
pub(crate) const OPERATIONS_MAX: usize = 8;

/// How far one of them is. Its task tells, snapshots ask.
#[derive(Debug)]
pub(crate) struct OperationProgress {
    kind: OperationKind,
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
        change(&mut self.counts.lock());
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
        *self.counts.lock()
    }
}

/// Those that are under way.
#[derive(Debug, Default)]
pub(crate) struct Operations(Vec<(Weak<OperationProgress>, ProgressMeter)>);

impl Operations {
    /// A new one; it is under way for as long as it is held. None when there are too many.
    pub fn begin(&mut self, kind: OperationKind) -> Option<Arc<OperationProgress>> {
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
            kind: OperationKind::Restore,
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
    pub fn states(&mut self, now: Instant) -> Vec<OperationState> {
        self.0.retain(|(operation, _)| operation.strong_count() > 0);
        let all = self.0.iter_mut().filter_map(|(operation, meter)| Some((operation.upgrade()?, meter)));
        all.map(|(operation, meter)| state(&operation, meter, now)).collect()
    }
}

fn state(operation: &OperationProgress, meter: &mut ProgressMeter, now: Instant) -> OperationState {
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
    OperationState { kind: operation.kind, destination, restore: operation.restore, progress }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_is_there_for_as_long_as_it_is_held() {
        let mut operations = Operations::default();
        let one = operations.begin(OperationKind::Restore).expect("room");
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
            [OperationState { kind: OperationKind::Restore, destination: 3, restore: None, progress }]
        );
        let rest: Vec<_> = std::iter::from_fn(|| operations.begin(OperationKind::Verify)).collect();
        assert_eq!(rest.len(), OPERATIONS_MAX - 1);
        drop((one, rest));
        assert!(operations.is_empty() && operations.states(Instant::now()).is_empty());
        assert!(operations.begin(OperationKind::Verify).is_some());
    }
}
