//! What a person sees of a destination's work.

use crate::api::{FailureText, WaitText};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::record::ProofNeed;
use crate::domain::time::UnixMillis;
use crate::domain::wait::{NO_PROOF, WaitReason};
use crate::engine::destination::worker::Worker;
use crate::store::Lost;
use tokio::time::Instant;

impl Worker {
    /// Why copies cannot be proved here now, and what would help.
    pub fn proof_obstacle(&self) -> Option<String> {
        self.destination.as_ref().ok()?.proof_obstacle()
    }

    /// What the person is told of copies that are not verified, where more than patience is needed.
    pub fn proof_advice(&self) -> Option<&'static str> {
        let never = (!self.can_prove()).then_some(NO_PROOF);
        self.proof_need().map(ProofNeed::advice).or(never)
    }

    /// Whether copies without proof are being read back, or will be as soon as nothing more urgent is to
    /// be done.
    pub fn is_verifying(&self) -> bool {
        let may_be_read =
            self.row.lost.is_none() && self.may_work() && self.row.is_enabled && self.can_prove();
        // What is known of an obstacle may be old: it counts once it was met in this run.
        let is_refused = self.read_back.has_failed() && self.proof_obstacle().is_some();
        may_be_read && !is_refused && self.read_back.is_proving()
    }

    /// Bytes read back in the background in this run.
    pub fn bytes_read(&self) -> u64 {
        self.read_back.bytes_read()
    }

    /// Looks whether the transfers under way still move.
    pub fn sample_progress(&mut self, now: Instant) {
        self.transfers.sample_progress(now);
    }

    /// Why this destination waits, if it does.
    pub fn wait_reason(&self) -> Option<WaitReason> {
        if let Err(failure) = &self.destination {
            return Some(reason_of(failure.kind, UnixMillis(0)));
        }
        if !self.row.is_enabled {
            return Some(WaitReason::Off);
        }
        if self.gate.is_some() {
            return self.gate.clone();
        }
        if let Some(lost) = &self.row.lost {
            return Some(reason_of(lost.kind, lost.until));
        }
        if self.transfers.is_empty() {
            if let Some(until) = self.calls.room_due() {
                return Some(WaitReason::NoSpace { until });
            }
            if let Some(until) = self.calls.idle_until() {
                return Some(WaitReason::BackOff { until });
            }
        }
        self.transfers.is_stalled().then_some(WaitReason::Silent)
    }

    /// A reason to wait in words: those of the failure that it comes from, where it comes from one.
    pub fn wait_text(&self, reason: &WaitReason) -> WaitText {
        let lost = self.row.lost.as_ref();
        match (&self.destination, lost) {
            (Err(failure), _) => WaitText::with_cause(reason, failure.kind, failure.cause),
            (Ok(_), Some(lost)) => WaitText::with_cause(reason, lost.kind, lost.cause),
            (Ok(_), None) => WaitText::from(reason),
        }
    }

    /// What keeps this destination from being used; `None` while it need not be used.
    pub fn current_failure(&self) -> Option<FailureText> {
        if let Err(Failure { kind, cause, details, .. }) = &self.destination {
            return Some(FailureText::with_cause(*kind, Reach::Destination, *cause, details.clone()));
        }
        let Lost { kind, cause, details, .. } =
            self.row.lost.as_ref().filter(|_| self.row.is_enabled && self.gate.is_none())?;
        Some(FailureText::with_cause(*kind, Reach::Destination, *cause, details.clone()))
    }
}

fn reason_of(kind: FailureKind, until: UnixMillis) -> WaitReason {
    match kind {
        FailureKind::Credentials => WaitReason::Credentials,
        FailureKind::Forbidden => WaitReason::Forbidden,
        FailureKind::Full => WaitReason::NoSpace { until },
        _ => WaitReason::Unreachable { until },
    }
}
