//! When a destination's extension is called, and what is planned after each call.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::backoff;
use crate::domain::failure::Retry;
use crate::domain::time::UnixMillis;
use crate::engine::destination::policy::{CallEnd, ExtensionCallReport, notify};
use crate::extension::{Extension, ProcessingResult};

/// A job's end waits at most this long for others before the extension is called.
const ENDS_COALESCED: Duration = Duration::from_secs(5);
/// A library change waits this long for others while there is something to do meanwhile,
const CHANGES_DEBOUNCED: Duration = Duration::from_millis(300);
/// and this long while there is not.
const CHANGES_DEBOUNCED_IDLE: Duration = Duration::from_millis(100);
/// Calls in a row that may each say that there is more to do. One that always has more is not
/// getting anywhere.
const CALLS_IN_A_ROW_MAX: u32 = 100;

/// Whether the extension is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallState {
    /// Nothing asks for a call.
    Idle,
    /// It is called at this time.
    Planned(Instant),
    Running,
    /// It is being called and was asked for again: another call follows.
    RunningAgain,
}

/// The calls of one destination's extension.
pub(crate) struct ExtensionCalls {
    /// `None` while it is being called, and before the first call.
    extension: Option<Box<dyn Extension>>,
    state: CallState,
    /// Calls in a row without progress.
    idle_calls: u32,
    /// Calls in a row that said there was more.
    calls_in_a_row: u32,
    /// After a call without progress: no call before this, whatever happens, on both clocks.
    not_before: Option<(Instant, UnixMillis)>,
    /// Jobs that ended since the last call.
    jobs_ended: u32,
    /// When the next failed record may be tried again.
    next_due: Option<UnixMillis>,
    /// All that waits here waits for room.
    waits_for_room: bool,
}

impl ExtensionCalls {
    /// The first call is planned for `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            extension: None,
            state: CallState::Planned(now),
            idle_calls: 0,
            calls_in_a_row: 0,
            not_before: None,
            jobs_ended: 0,
            next_due: None,
            waits_for_room: false,
        }
    }

    /// The extension should be called at `at`, or earlier if that was planned already.
    pub fn call_by(&mut self, at: Instant) {
        let at = self.not_before.map_or(at, |(least, _)| at.max(least));
        self.state = match self.state {
            CallState::Running | CallState::RunningAgain => CallState::RunningAgain,
            CallState::Planned(planned) => CallState::Planned(planned.min(at)),
            CallState::Idle => CallState::Planned(at),
        };
    }

    /// The person's word ends every wait: the extension is called now.
    pub fn call_at_once(&mut self, now: Instant) {
        self.not_before = None;
        self.call_by(now);
    }

    /// Something in the library has changed: the extension is called soon.
    pub fn on_library_changed(&mut self, now: Instant, is_busy: bool) {
        self.call_by(now + if is_busy { CHANGES_DEBOUNCED } else { CHANGES_DEBOUNCED_IDLE });
    }

    /// A job ended: the extension is called at once when no transfer is left or half the limit is free
    /// for it, else soon.
    pub fn on_job_ended(&mut self, now: Instant, job_limit: u32, is_last: bool) {
        self.jobs_ended += 1;
        let is_half = self.jobs_ended >= (job_limit / 2).max(1);
        self.call_by(if is_half || is_last { now } else { now + ENDS_COALESCED });
    }

    /// Plans a call where a failed record may be tried again by now.
    pub fn plan_retry(&mut self, now: Instant, wall: UnixMillis) {
        if self.next_due.is_some_and(|due| backoff::is_due(due, wall)) {
            self.next_due = None;
            self.call_by(now);
        }
    }

    /// Whether the extension is to be called now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.planned_at().is_some_and(|at| at <= now)
    }

    /// When the extension is called next, if that is planned.
    pub fn planned_at(&self) -> Option<Instant> {
        match self.state {
            CallState::Planned(at) => Some(at),
            CallState::Idle | CallState::Running | CallState::RunningAgain => None,
        }
    }

    /// Whether no call is under way or planned.
    pub fn is_idle(&self) -> bool {
        self.state == CallState::Idle
    }

    /// When the next failed record may be tried again.
    pub fn next_due(&self) -> Option<UnixMillis> {
        self.next_due
    }

    /// When there may be room again, where all that waits here waits for room.
    pub fn room_due(&self) -> Option<UnixMillis> {
        self.next_due.filter(|_| self.waits_for_room)
    }

    /// Until when no call is made after one without progress.
    pub fn idle_until(&self) -> Option<UnixMillis> {
        self.not_before.map(|(_, until)| until)
    }

    /// A call begins. Returns the extension, if it was called before.
    pub fn begin(&mut self) -> Option<Box<dyn Extension>> {
        self.state = CallState::Running;
        self.not_before = None;
        self.jobs_ended = 0;
        self.extension.take()
    }

    /// A call ended: plans the next one.
    pub fn on_called(&mut self, report: ExtensionCallReport, now: Instant, wall: UnixMillis) {
        let is_wanted_again = self.state == CallState::RunningAgain;
        self.state = CallState::Idle;
        self.extension = report.extension;
        // What is due already could not be drawn: its source is away, or the queue is full. A call at
        // once would change nothing, and so on for ever.
        self.next_due = report.next_due.filter(|due| !backoff::is_due(*due, wall));
        self.waits_for_room = report.waits_for_room;
        self.plan_next(report.end, report.changed, now, wall);
        if is_wanted_again {
            self.call_by(now);
        }
    }

    fn plan_next(&mut self, end: CallEnd, changed: u64, now: Instant, wall: UnixMillis) {
        let has_more = end == CallEnd::Answered(ProcessingResult::Processing);
        self.calls_in_a_row = if has_more { self.calls_in_a_row.saturating_add(1) } else { 0 };
        let made_progress = match end {
            CallEnd::Answered(ProcessingResult::Completed) => true,
            CallEnd::Answered(ProcessingResult::Processing) => {
                changed > 0 && self.calls_in_a_row <= CALLS_IN_A_ROW_MAX
            }
            CallEnd::Answered(ProcessingResult::Failure) | CallEnd::Overran | CallEnd::Panicked => false,
        };
        if made_progress {
            self.idle_calls = 0;
            if has_more {
                self.call_by(now);
            }
            return;
        }
        self.idle_calls = self.idle_calls.saturating_add(1);
        let wait = backoff::destination(self.idle_calls.max(1), Retry::Never);
        self.not_before = Some((now + wait, wall.plus(wait)));
        self.call_by(now + wait);
    }

    /// Tells the extension that all is about to end, unless it is being called.
    pub async fn notify(&mut self) {
        if let Some(extension) = &mut self.extension {
            notify(extension.as_mut()).await;
        }
    }
}
