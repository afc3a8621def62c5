//! Calls of extensions: when, for how long, and what becomes of one that misbehaves.
//!
//! An extension may hang, panic, claim progress that there is none of, or come back without an
//! answer. Each costs its own destination some time, and nobody else anything.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::domain::backoff;
use crate::domain::ids::{DestinationId, JobId};
use crate::domain::time::UnixMillis;
use crate::engine::catch_panic::catch_panic;
use crate::engine::destination::port::Port;
use crate::engine::destination::worker::{CALL_BUDGET, Worker};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::{TaskEnd, spawn};
use crate::extension::{Extension, ProcessingResult};

/// Calls in a row that may each say that there is more to do. One that always has more is not
/// getting anywhere.
pub(crate) const CALLS_IN_A_ROW_MAX: u32 = 100;
/// How long an extension may take over the notice that all is about to end.
pub(crate) const TERMINATION_BUDGET: Duration = Duration::from_millis(500);

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// With an answer.
    Answered(ProcessingResult),
    /// It was over its budget and dropped where it stood: its blocks are transactions.
    Overran,
    /// It panicked.
    Panicked,
}

/// What is known after a call of an extension.
pub(crate) struct ExtensionCallReport {
    pub destination: DestinationId,
    pub end: CallEnd,
    /// Rows that it changed.
    pub changed: u64,
    /// Jobs that it no longer wants.
    pub cancelled: Vec<JobId>,
    /// When the next failed record may be tried again.
    pub next_due: Option<UnixMillis>,
    /// All that waits waits for room.
    pub waits_for_room: bool,
    /// The extension, if it may be called again.
    pub extension: Option<Box<dyn Extension>>,
}

impl ExtensionCallReport {
    fn lost(destination: DestinationId) -> Self {
        Self {
            destination,
            end: CallEnd::Panicked,
            changed: 0,
            cancelled: Vec::new(),
            next_due: None,
            waits_for_room: false,
            extension: None,
        }
    }
}

impl Supervisor {
    pub(crate) fn call_extension(&mut self, id: DestinationId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let mut extension = worker.extension.take().unwrap_or_else(|| self.deps.extensions.make(&worker.row));
        worker.begin_call();
        let running = worker.running.iter().map(|(job, transfer)| (*job, transfer.monitor.cancel.clone()));
        let mut port = Port {
            store: self.store.clone(),
            destination: Arc::clone(&worker.row),
            installation: self.installation.uuid.as_str().into(),
            rng: Arc::clone(&self.deps.rng),
            terminating: self.background.child_token(),
            running: running.collect(),
            changed: 0,
            cancelled: Vec::new(),
        };
        let lost = TaskEnd::ExtensionCalled(ExtensionCallReport::lost(id));
        spawn(&mut self.tasks, lost, async move {
            let call = catch_panic(async { extension.process_jobs(&mut port).await });
            let end = match tokio::time::timeout(CALL_BUDGET, call).await {
                Ok(Ok(result)) => CallEnd::Answered(result),
                Ok(Err(_panicked)) => CallEnd::Panicked,
                Err(_late) => CallEnd::Overran,
            };
            // One that panicked or hung is in a state that nobody knows.
            let extension = matches!(end, CallEnd::Answered(_)).then_some(extension);
            let Port { store, changed, cancelled, .. } = port;
            let next_due = store.read(move |r| r.next_due(id)).await.unwrap_or(None);
            let waits_for_room =
                next_due.is_some() && store.read(move |r| r.waits_for_room(id)).await.unwrap_or(false);
            let done = ExtensionCallReport {
                destination: id,
                end,
                changed,
                cancelled,
                next_due,
                waits_for_room,
                extension,
            };
            TaskEnd::ExtensionCalled(done)
        });
    }

    pub(crate) fn on_extension_called(&mut self, done: ExtensionCallReport) {
        let (now, wall) = (Instant::now(), self.deps.clock.now());
        let Some(worker) = self.workers.get_mut(&done.destination) else {
            return;
        };
        for transfer in done.cancelled.iter().filter_map(|job| worker.running.get(job)) {
            transfer.monitor.cancel.cancel();
        }
        if !matches!(done.end, CallEnd::Answered(_)) {
            let how = if done.end == CallEnd::Overran { "took too long" } else { "panicked" };
            tracing::warn!(destination = %worker.row.name, how, "an extension is replaced");
        }
        worker.extension = done.extension;
        worker.is_processing = false;
        worker.may_start = true;
        // What is due already could not be drawn: its source is away, or the queue is full. A call at
        // once would change nothing, and so on for ever.
        worker.next_due = done.next_due.filter(|due| !backoff::is_due(*due, wall));
        worker.waits_for_room = done.waits_for_room;
        worker.may_prove |= done.changed > 0;
        worker.plan_next_call(done.end, done.changed, now, wall);
        if std::mem::take(&mut worker.process_again) {
            worker.process_by(now);
        }
    }

    /// Tells every extension that is not being called that all is about to end. Calls under way are
    /// told through their context.
    pub(crate) async fn notify_extensions(&mut self) {
        let waiting = self.workers.values_mut().filter_map(|worker| worker.extension.as_mut());
        join_all(waiting.map(|extension| notify(extension.as_mut()))).await;
    }
}

/// Gives an extension the notice, and half a second for it.
pub(crate) async fn notify(extension: &mut dyn Extension) {
    let notice = catch_panic(async { extension.will_terminate().await });
    tokio::time::timeout(TERMINATION_BUDGET, notice).await.ok();
}

impl Worker {
    /// A call begins.
    fn begin_call(&mut self) {
        self.is_processing = true;
        self.process_at = None;
        self.not_before = None;
        self.ended = 0;
    }

    /// Plans the next call by how the last one ended.
    fn plan_next_call(&mut self, end: CallEnd, changed: u64, now: Instant, wall: UnixMillis) {
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
                self.process_by(now);
            }
            return;
        }
        self.idle_calls = self.idle_calls.saturating_add(1);
        let wait = self.idle_wait();
        self.not_before = Some((now + wait, wall.plus(wait)));
        self.process_by(now + wait);
    }
}
