//! When copies without proof are read back in the background.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::engine::destination::RETRY_FLOOR;
use crate::engine::destination::read_back::{ReadBackEnd, ReadBackProgress};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadBackState {
    /// There is nothing to read.
    Idle,
    /// Copies may be there that could be proved.
    Wanted,
    Running,
    /// More copies may have come since it began.
    RunningAgain,
}

/// The reading back of one destination's copies.
#[derive(Debug)]
pub(crate) struct ReadBackSchedule {
    state: ReadBackState,
    /// When copies are looked at again after that did not work.
    not_before: Option<Instant>,
    /// The reading under way, or the last one.
    progress: ReadBackProgress,
}

impl ReadBackSchedule {
    pub fn new() -> Self {
        Self { state: ReadBackState::Wanted, not_before: None, progress: ReadBackProgress::default() }
    }

    /// There may be more copies that can be proved.
    pub fn want(&mut self) {
        self.state = match self.state {
            ReadBackState::Idle | ReadBackState::Wanted => ReadBackState::Wanted,
            ReadBackState::Running | ReadBackState::RunningAgain => ReadBackState::RunningAgain,
        };
    }

    /// Copies are read back as soon as there is nothing more urgent, whatever failed before.
    pub fn want_at_once(&mut self) {
        self.want();
        self.not_before = None;
    }

    /// What failed before may work now.
    pub fn end_wait(&mut self) {
        self.not_before = None;
    }

    /// Whether copies are being read back.
    pub fn is_running(&self) -> bool {
        matches!(self.state, ReadBackState::Running | ReadBackState::RunningAgain)
    }

    /// Whether copies are to be read back that are not being read yet.
    pub fn is_wanted(&self) -> bool {
        matches!(self.state, ReadBackState::Wanted | ReadBackState::RunningAgain)
    }

    /// When copies that could not be read are tried again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.is_wanted())
    }

    /// Whether reading failed in this run and is tried again later.
    pub fn has_failed(&self) -> bool {
        self.not_before.is_some()
    }

    /// Whether reading may begin, as far as this schedule knows.
    pub fn is_due(&self, now: Instant) -> bool {
        self.state == ReadBackState::Wanted && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether copies without any proof are being read, or are to be read.
    pub fn is_proving(&self) -> bool {
        let is_past = self.is_running() && self.progress.is_past_unproven.load(Ordering::Relaxed);
        self.is_running() && !is_past || self.is_wanted()
    }

    /// Bytes read back so far.
    pub fn bytes_read(&self) -> u64 {
        self.progress.bytes_read.load(Ordering::Relaxed)
    }

    /// Reading begins. What was read before still counts.
    pub fn begin(&mut self) -> ReadBackProgress {
        self.state = ReadBackState::Running;
        let bytes_read = Arc::clone(&self.progress.bytes_read);
        self.progress = ReadBackProgress { bytes_read, ..ReadBackProgress::default() };
        self.progress.clone()
    }

    /// Uploads go first: reading ends with the copies that are being read.
    pub fn make_way(&self) {
        self.progress.make_way.cancel();
    }

    /// Reading under way is stopped: it is taken up again.
    pub fn on_stopped(&mut self) {
        if self.is_running() {
            self.state = ReadBackState::RunningAgain;
        }
    }

    /// Reading ended: all was looked at, or it is tried again.
    pub fn on_ended(&mut self, end: ReadBackEnd, now: Instant) {
        let has_more = self.state == ReadBackState::RunningAgain;
        self.state = match (end, has_more) {
            (ReadBackEnd::Done, false) => ReadBackState::Idle,
            _ => ReadBackState::Wanted,
        };
        if matches!(end, ReadBackEnd::Failed | ReadBackEnd::Refused) {
            // New copies, which came meanwhile, do not wait for old ones that cannot be read.
            self.not_before = (!has_more).then(|| now + RETRY_FLOOR);
        }
    }
}
