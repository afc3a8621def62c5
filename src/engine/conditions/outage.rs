//! When nothing can be written down: the disk under the database is full, fails or is read-only.
//!
//! Nothing is started then. What was under way ends, and what came of it is kept here until it can be
//! written; a run that ends before finds the effects at the destination. One write at a time finds
//! out whether the disk is back, less and less often.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::Event;
use crate::domain::backoff;
use crate::domain::failure::Retry;
use crate::domain::ids::{JobId, RecordId};
use crate::domain::time::UnixMillis;
use crate::domain::wait::WaitReason;
use crate::engine::context::Context;
use crate::store::{JobOutcome, Outage, Store, StoreError};

/// An outage that comes back so soon is the same one, whatever fitted on the disk meanwhile.
const SAME_OUTAGE_WITHIN: Duration = backoff::DESTINATION_MAX;
/// Outcomes that are kept: more than all transfers that can be under way at all destinations.
const UNWRITTEN_MAX: usize = 1_024;

/// What came of a job and could not be written down.
#[derive(Debug, Clone)]
pub(crate) struct UnwrittenOutcome {
    pub job: JobId,
    pub record: RecordId,
    pub outcome: JobOutcome,
}

/// How the database's disk is.
#[derive(Debug)]
pub(crate) struct StoreOutage {
    outage: Option<Outage>,
    /// Failures running.
    failures: u32,
    probe_at: Option<Instant>,
    /// The same time for people.
    until: UnixMillis,
    is_probing: bool,
    ended_at: Option<Instant>,
    unwritten: Vec<UnwrittenOutcome>,
    is_fatal: bool,
}

impl StoreOutage {
    /// As far as is known, all is well.
    pub fn new() -> Self {
        Self {
            outage: None,
            failures: 0,
            probe_at: None,
            until: UnixMillis(0),
            is_probing: false,
            ended_at: None,
            unwritten: Vec::new(),
            is_fatal: false,
        }
    }

    /// Something can be written down.
    pub fn is_well(&self) -> bool {
        self.outage.is_none()
    }

    /// When the next probe is due.
    pub fn next_probe(&self) -> Option<Instant> {
        self.probe_at.filter(|_| !self.is_probing)
    }

    /// Keeps what came of a job until it can be written.
    pub fn keep(&mut self, unwritten: UnwrittenOutcome) {
        if self.unwritten.len() < UNWRITTEN_MAX {
            self.unwritten.push(unwritten);
        }
    }

    fn failed(&mut self, outage: Outage, now: Instant, wall: UnixMillis) {
        let is_same = self.ended_at.is_some_and(|ended| now.duration_since(ended) < SAME_OUTAGE_WITHIN);
        if self.outage.is_none() && !is_same {
            self.failures = 0;
        }
        self.outage = Some(outage);
        self.failures = self.failures.saturating_add(1);
        let wait = backoff::destination(self.failures, Retry::Never);
        (self.probe_at, self.until) = (Some(now + wait), wall.plus(wait));
    }

    /// The result of a use of the store. One that fails because of its disk waits for the disk; any other
    /// failure leaves nothing sensible to do but stop.
    pub fn check_store_result<T>(&mut self, context: &Context, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(StoreError::Refused(why)) => {
                tracing::warn!(%why, "a write was refused");
                None
            }
            Err(error) => {
                if let Some(outage) = error.outage() {
                    self.begin(context, outage);
                } else {
                    tracing::error!(%error, "the database cannot be written; stopping");
                    context.send_event(Event::Notice { text: format!("Safelight has to stop: {error}") });
                    self.is_fatal = true;
                }
                None
            }
        }
    }

    /// A write failed because of its disk. Writes that run side by side fail side by side: only the first
    /// of them counts.
    pub fn begin(&mut self, context: &Context, outage: Outage) {
        if !self.is_well() {
            return;
        }
        self.failed(outage, Instant::now(), context.wall());
        let text = self.wait_reason().map(|wait| wait.summary().to_owned()).unwrap_or_default();
        tracing::error!(?outage, "nothing can be written down; waiting");
        context.send_event(Event::Notice { text });
    }

    /// Whether the store failed in a way that no waiting mends.
    pub fn is_fatal(&self) -> bool {
        self.is_fatal
    }

    /// Why nothing can be written down, if so.
    pub fn wait_reason(&self) -> Option<WaitReason> {
        let until = self.until;
        Some(match self.outage? {
            Outage::Full => WaitReason::DataFull { until },
            Outage::Unwritable => WaitReason::DataUnwritable { until },
        })
    }

    /// Begins a probe when it is time to. Returns all that waits to be written.
    pub fn begin_probe(&mut self, now: Instant) -> Option<Vec<UnwrittenOutcome>> {
        if self.next_probe().is_none_or(|at| at > now) {
            return None;
        }
        self.is_probing = true;
        Some(self.unwritten.clone())
    }

    /// A probe came back. Its write holds the first `count` of what waited. Returns whether the outage is
    /// over.
    pub fn on_probed(&mut self, context: &Context, outcome: Result<(), StoreError>, count: usize) -> bool {
        let now = Instant::now();
        self.is_probing = false;
        match outcome {
            Ok(()) => {
                tracing::info!("what happens can be written down again");
                self.unwritten.drain(..count);
                (self.outage, self.probe_at) = (None, None);
                self.ended_at = Some(now);
                return true;
            }
            Err(error) => match error.outage() {
                Some(outage) => self.failed(outage, now, context.wall()),
                None => drop(self.check_store_result::<()>(context, Err(error))),
            },
        }
        false
    }
}

/// Tries to write what came of jobs while nothing could be written.
///
/// # Errors
/// When the store still cannot be written.
pub(crate) async fn write_outcomes(store: &Store, waiting: Vec<UnwrittenOutcome>) -> Result<(), StoreError> {
    let probe = store.write(move |tx| {
        for UnwrittenOutcome { job, record, outcome } in &waiting {
            tx.end_job(*job, *record, outcome)?;
        }
        tx.add_event("data_found", "Safelight's data folder can be written to again")
    });
    probe.await
}
