//! One destination's schedule: when it is checked, when its extension is called, what is running.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{FailureText, WaitText};
use crate::base::mutant::{self, Mutant};
use crate::destination::{Attachment, Capabilities, SharedDestination};
use crate::domain::backoff;
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};
use crate::domain::ids::{DestinationId, JobId, RecordId};
use crate::domain::record::ProofNeed;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::wait::{NO_PROOF, WaitReason};
use crate::engine::destination::read_back::{ReadBackEnd, ReadBackProgress};
use crate::engine::destination::transfer::TransferMonitor;
use crate::engine::progress::StallDetector;
use crate::extension::Extension;
use crate::store::{DestinationRow, Lost, Started};

/// How long a passed check is good for while transfers go on.
const CHECK_HOLDS: Duration = Duration::from_secs(10);
/// How long what a probe found holds.
const PROBE_HOLDS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How often uploads that only the server knows are looked for.
const UPLOADS_APART: Duration = Duration::from_secs(24 * 60 * 60);
/// Probes that nobody asked for are at least this far apart.
const PROBES_APART: Duration = Duration::from_secs(60 * 60);
/// A job's end waits at most this long for others before the extension is called.
const ENDS_COALESCED: Duration = Duration::from_secs(5);
/// A library change waits this long for others while there is something to do meanwhile,
const CHANGES_DEBOUNCED: Duration = Duration::from_millis(300);
/// and this long while there is not.
const CHANGES_DEBOUNCED_IDLE: Duration = Duration::from_millis(100);
/// The extension is called at least this often.
pub(crate) const FLOOR: Duration = Duration::from_secs(15 * 60);
/// How long one call of an extension may take before it is dropped.
pub(crate) const CALL_BUDGET: Duration = Duration::from_secs(20);
/// Copies wait at most this long to be listed in a manifest segment.
const LISTING_DELAYED: Duration = Duration::from_secs(60);
/// The most transfers at one destination at once, whatever it says of itself.
pub(crate) const TRANSFERS_MAX: u32 = 8;

/// The most unacknowledged jobs of a built-in destination.
const JOB_LIMIT: u32 = 64;

/// The job limit of a new destination.
pub(crate) fn job_limit() -> u32 {
    // A small library reaches a small limit only.
    #[cfg(test)]
    if let Some(limit) = crate::engine::tests::sim::job_limit() {
        return limit;
    }
    JOB_LIMIT
}

/// A transfer under way.
#[derive(Debug, Clone)]
pub(crate) struct ActiveTransfer {
    pub started: Started,
    pub monitor: TransferMonitor,
}

impl ActiveTransfer {
    /// Bytes sent so far.
    pub fn sent(&self) -> u64 {
        self.monitor.bytes_sent.load(Ordering::Relaxed).min(self.started.content.size)
    }
}

/// One destination's schedule.
pub(crate) struct Worker {
    pub row: Arc<DestinationRow>,
    /// None where this release has no such kind, or the address makes no sense.
    pub destination: Result<SharedDestination, Failure>,
    /// The policy; none while it is being called, and before the first call.
    pub extension: Option<Box<dyn Extension>>,
    pub running: BTreeMap<JobId, ActiveTransfer>,
    /// Stops everything that goes on at this destination; replaced when it may go on again.
    pub cancel: CancellationToken,
    /// When the extension is to be called next; none while it is being called.
    pub process_at: Option<Instant>,
    pub is_processing: bool,
    /// Asked for while the call was running: call again after it.
    pub process_again: bool,
    /// Calls in a row without progress.
    pub idle_calls: u32,
    /// Calls in a row that said there was more.
    pub calls_in_a_row: u32,
    /// After a call without progress: no call before this, whatever happens, on both clocks.
    pub not_before: Option<(Instant, UnixMillis)>,
    pub is_checking: bool,
    pub checked_until: Option<Instant>,
    /// It is to be checked even where nothing waits for it.
    pub must_check: bool,
    /// How it was attached when it was checked last, where copies can be proved only after it was attached
    /// anew.
    pub attachment: Option<Attachment>,
    /// Its disk is being unmounted and mounted again; nothing is done there until that is over.
    pub is_reconnecting: bool,
    /// What it can do is to be found out again, whatever is known.
    pub must_probe: bool,
    /// The check under way does so.
    pub is_probing: bool,
    /// When that was tried last in this run.
    pub probe_tried_at: Option<Instant>,
    /// The mount that its folder was seen on last.
    pub mount: Option<String>,
    /// Registered jobs may be waiting for a start.
    pub may_start: bool,
    /// Jobs that ended since the last call.
    pub ended: u32,
    pub is_listing: bool,
    pub list_at: Option<Instant>,
    /// The last listing did not work: the next one waits for its time.
    pub has_list_failed: bool,
    pub is_auditing: bool,
    /// The reading in the background, under way or last.
    pub read_back: ReadBackProgress,
    /// Copies without proof may be there that could be proved.
    pub may_prove: bool,
    /// When they are looked at again after that did not work.
    pub prove_at: Option<Instant>,
    /// Its next check with nothing under way also removes temp files that nothing will finish.
    pub needs_clean: bool,
    /// Temp files may be left from an earlier run that no checkpoint knows of.
    pub has_leftovers: bool,
    /// When uploads that only the server knows are looked for again.
    pub uploads_ended_at: Option<Instant>,
    /// The ledger is new: what the destination's manifests say is taken into it first.
    pub needs_adoption: bool,
    /// All that waits here waits for room.
    pub waits_for_room: bool,
    /// When the next failed record may be tried again.
    pub next_due: Option<UnixMillis>,
    /// Why a gate keeps it from working now.
    pub gate: Option<WaitReason>,
    /// Nothing may be done at it now, for whatever reason, and nothing is.
    pub is_held: bool,
    /// Whether what is under way still moves.
    pub stall_detector: StallDetector,
}

impl Worker {
    pub fn new(row: DestinationRow, destination: Result<SharedDestination, Failure>, now: Instant) -> Self {
        let has_no_proof_need = row.kind == DestinationKind::Folder
            && row.capabilities.proof == "none"
            && row.capabilities.proof_need.is_none();
        let has_leftovers = row.needs_clean;
        let needs_adoption = !row.is_adopted && !mutant::is(Mutant::SkipsAdoption);
        Self {
            row: Arc::new(row),
            destination,
            extension: None,
            running: BTreeMap::new(),
            cancel: CancellationToken::new(),
            process_at: Some(now),
            is_processing: false,
            process_again: false,
            idle_calls: 0,
            calls_in_a_row: 0,
            not_before: None,
            is_checking: false,
            checked_until: None,
            // What an earlier release noted does not say what would help.
            must_check: has_no_proof_need,
            attachment: None,
            is_reconnecting: false,
            must_probe: false,
            is_probing: false,
            probe_tried_at: None,
            mount: None,
            may_start: true,
            ended: 0,
            is_listing: false,
            list_at: Some(now + LISTING_DELAYED),
            has_list_failed: false,
            is_auditing: false,
            read_back: ReadBackProgress::default(),
            may_prove: true,
            prove_at: None,
            needs_clean: true,
            has_leftovers,
            uploads_ended_at: None,
            needs_adoption,
            next_due: None,
            waits_for_room: false,
            gate: None,
            is_held: false,
            stall_detector: StallDetector::default(),
        }
    }

    pub fn id(&self) -> DestinationId {
        self.row.id
    }

    /// How many transfers may run at once.
    pub fn width(&self) -> u32 {
        self.row.capabilities.concurrent_max.clamp(1, TRANSFERS_MAX)
    }

    /// Transfers that may be started now.
    pub fn room(&self) -> u32 {
        self.width().saturating_sub(u32::try_from(self.running.len()).unwrap_or(u32::MAX))
    }

    /// The extension should be called at `at`, or earlier if that was planned already.
    pub fn process_by(&mut self, at: Instant) {
        if self.is_processing {
            self.process_again = true;
        } else {
            let at = self.not_before.map_or(at, |(least, _)| at.max(least));
            self.process_at = Some(self.process_at.map_or(at, |planned| planned.min(at)));
        }
    }

    /// Something in the library is another: the extension is called soon.
    pub fn library_changed(&mut self, now: Instant) {
        let is_busy = !self.running.is_empty();
        self.process_by(now + if is_busy { CHANGES_DEBOUNCED } else { CHANGES_DEBOUNCED_IDLE });
    }

    /// A job ended: the extension is called at once when the queue has run dry or half its limit is
    /// free for it, else soon.
    pub fn job_ended(&mut self, now: Instant) {
        self.ended += 1;
        self.may_start = true;
        let is_half = self.ended >= (self.row.job_limit / 2).max(1);
        let at = if is_half || self.running.is_empty() { now } else { now + ENDS_COALESCED };
        self.process_by(at);
        self.list_by(now + LISTING_DELAYED);
    }

    /// New copies should be listed at `at`, or earlier if that was planned already.
    pub fn list_by(&mut self, at: Instant) {
        self.list_at = Some(self.list_at.map_or(at, |planned| planned.min(at)));
    }

    /// Copies were listed, or it did not work and is tried again.
    pub fn listed(&mut self, is_done: bool, now: Instant) {
        (self.is_listing, self.has_list_failed) = (false, !is_done);
        if !is_done {
            self.needs_clean = true;
            self.list_by(now + FLOOR);
        }
    }

    /// Copies are to be read back as soon as there is nothing more urgent.
    pub fn read_back_again(&mut self) {
        (self.may_prove, self.prove_at) = (true, None);
    }

    /// The reading in the background begins. What was read before still counts.
    pub fn begin_read_back(&mut self) -> ReadBackProgress {
        (self.may_prove, self.is_auditing) = (false, true);
        let bytes_read = Arc::clone(&self.read_back.bytes_read);
        self.read_back = ReadBackProgress { bytes_read, ..ReadBackProgress::default() };
        self.read_back.clone()
    }

    /// Copies were read back, or that did not work and is tried again.
    pub fn read_back_ended(&mut self, end: ReadBackEnd, now: Instant) {
        self.is_auditing = false;
        match end {
            ReadBackEnd::Done => {}
            ReadBackEnd::Interrupted => self.may_prove = true,
            ReadBackEnd::Failed | ReadBackEnd::Refused => {
                // New copies, which came meanwhile, do not wait for old ones that cannot be read.
                self.prove_at = (!self.may_prove).then(|| now + FLOOR);
                self.may_prove = true;
            }
        }
        // Whether it can be used at all is for a check to find out; whether it can be read, for a probe.
        let is_readable_again = self.row.kind.has_checksum_choice()
            && self.row.capabilities.proof == "none"
            && end == ReadBackEnd::Done
            && self.proof_obstacle().is_none();
        if end == ReadBackEnd::Refused && self.proof_obstacle().is_none() || is_readable_again {
            (self.must_check, self.checked_until) = (true, None);
        }
        self.must_probe |= is_readable_again;
        self.process_by(now);
    }

    /// Why copies cannot be proved here now, and what would help.
    pub fn proof_obstacle(&self) -> Option<String> {
        self.destination.as_ref().ok()?.proof_obstacle()
    }

    /// Whether copies that a server's checksum vouches for are read back too.
    pub fn reads_checksums(&self) -> bool {
        self.row.kind.has_checksum_choice() && !self.row.trusts_checksum
    }

    /// What must happen before copies can be proved; `None` if that can be done at any time.
    pub fn proof_need(&self) -> Option<ProofNeed> {
        self.attachment.as_ref().map(|attachment| attachment.need).or(self.row.capabilities.proof_need)
    }

    /// What the person is told of copies that are not verified, where more than patience is needed.
    pub fn proof_advice(&self) -> Option<&'static str> {
        let never = (!self.can_prove()).then_some(NO_PROOF);
        self.proof_need().map(ProofNeed::advice).or(never)
    }

    /// Whether there is nothing more urgent than looking at copies that are there.
    pub fn may_audit(&self) -> bool {
        let is_known_to_be_there = self.row.lost.is_none() && !self.must_check && !self.is_checking;
        self.can_prove() && is_known_to_be_there && !self.is_auditing && self.is_idle()
    }

    /// Whether copies can be proved here at all, at least those of another time.
    fn can_prove(&self) -> bool {
        let may_change = self.row.kind == DestinationKind::Folder || self.row.kind.has_checksum_choice();
        self.row.capabilities.proof != "none" || may_change
    }

    /// Whether copies without proof are being read back, or will be as soon as nothing more urgent is to
    /// be done.
    pub fn is_verifying(&self) -> bool {
        let may_be_read = self.row.lost.is_none() && !self.is_held && self.row.is_enabled && self.can_prove();
        let is_past = self.is_auditing && self.read_back.is_past_unproven.load(Ordering::Relaxed);
        // What is known of an obstacle may be old: it counts once it was met in this run.
        let is_refused = self.prove_at.is_some() && self.proof_obstacle().is_some();
        may_be_read && !is_refused && (self.is_auditing && !is_past || self.may_prove)
    }

    /// Whether nothing is under way or about to be.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.process_at.is_none() && !self.is_processing
    }

    /// Whether the next check finds out again what the destination can do: on the person's wish, weekly,
    /// and when it comes back after an absence, in which a server may have become another. Never beside
    /// transfers, and not again and again.
    pub fn needs_probe(&self, wall: UnixMillis, now: Instant) -> bool {
        if !self.running.is_empty() {
            return false;
        }
        let age = Duration::from_millis(wall.0.abs_diff(self.row.probed_at.0));
        let is_back = self.row.lost.as_ref().is_some_and(|lost| is_absence(lost.kind));
        let is_due = age >= PROBE_HOLDS || is_back && age >= PROBES_APART;
        let is_tried = self.probe_tried_at.is_some_and(|at| now.duration_since(at) < PROBES_APART);
        self.must_probe || is_due && !is_tried
    }

    /// Whether uploads that only the server knows are to be ended now: once a run, and daily. Asked once.
    pub fn takes_turn_to_end_uploads(&mut self, now: Instant) -> bool {
        let is_due = self.uploads_ended_at.is_none_or(|at| now >= at);
        if is_due {
            self.uploads_ended_at = Some(now + UPLOADS_APART);
        }
        is_due
    }

    /// Whether a probe that nobody asked for may be made now.
    pub fn may_probe(&self, now: Instant) -> bool {
        self.running.is_empty() && self.probe_tried_at.is_none_or(|at| now.duration_since(at) >= PROBES_APART)
    }

    /// Takes what the destination has found out by itself. Says whether that is new.
    pub fn take_new_findings(&mut self) -> Option<Capabilities> {
        let findings = self.destination.as_ref().ok()?.new_findings()?;
        if findings == self.row.capabilities.findings {
            return None;
        }
        let mut row = (*self.row).clone();
        row.capabilities.findings = findings;
        self.row = Arc::new(row);
        Some(self.row.capabilities.clone())
    }

    /// Takes what a probe found. Says whether anything is another than it was.
    pub fn take_capabilities(&mut self, capabilities: Capabilities, wall: UnixMillis) -> bool {
        let is_changed = self.row.capabilities != capabilities;
        let mut row = (*self.row).clone();
        (row.capabilities, row.probed_at) = (capabilities, wall);
        self.row = Arc::new(row);
        is_changed
    }

    /// A check passed.
    pub fn checked(&mut self, now: Instant) {
        self.is_checking = false;
        if self.is_probing {
            (self.must_probe, self.probe_tried_at) = (false, Some(now));
        }
        self.checked_until = Some(now + CHECK_HOLDS);
        self.may_start = true;
    }

    /// Whether the last check still holds.
    pub fn is_checked(&self, now: Instant) -> bool {
        self.checked_until.is_some_and(|until| now < until)
    }

    /// Stops all that goes on at the destination by itself; transfers go back unspent.
    pub fn stop_transfers(&mut self) {
        self.cancel.cancel();
        self.cancel = CancellationToken::new();
        // What is stopped in the middle is taken up again.
        if self.is_listing {
            self.list_by(Instant::now());
        }
        self.may_prove |= self.is_auditing;
    }

    /// What to remember when the destination cannot be used: probed again after a growing wait.
    pub fn lost(&self, failure: &Failure, now: UnixMillis) -> Lost {
        let failures = self.row.lost.as_ref().map_or(0, |lost| lost.failures).saturating_add(1);
        let until = now.plus(backoff::destination(failures, failure.retry));
        let (kind, cause, details) = (failure.kind, failure.cause, failure.details.clone());
        Lost { failures, until, kind, cause, details }
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
        let lost = self.row.lost.as_ref().map(|lost| reason_of(lost.kind, lost.until));
        let idle = || self.not_before.filter(|_| self.running.is_empty());
        let full = || (self.waits_for_room && self.running.is_empty()).then_some(self.next_due).flatten();
        lost.or_else(|| full().map(|until| WaitReason::NoSpace { until }))
            .or_else(|| idle().map(|(_, until)| WaitReason::BackOff { until }))
            .or_else(|| self.stall_detector.is_stalled().then_some(WaitReason::Silent))
    }

    /// A reason to wait in words: those of the failure that it comes from, where it comes from one.
    pub fn wait_text(&self, reason: &WaitReason) -> WaitText {
        let lost = self.row.lost.as_ref();
        match (&self.destination, lost) {
            (Err(failure), _) => WaitText::because(reason, failure.kind, failure.cause),
            (Ok(_), Some(lost)) => WaitText::because(reason, lost.kind, lost.cause),
            (Ok(_), None) => WaitText::from(reason),
        }
    }

    /// Bytes sent by each transfer under way.
    pub fn sent(&self) -> impl Iterator<Item = (RecordId, u64)> {
        self.running.values().map(|transfer| (transfer.started.record, transfer.sent()))
    }

    /// Bytes sent by all of them.
    pub fn in_flight(&self) -> u64 {
        self.sent().map(|(_, sent)| sent).sum()
    }

    /// Looks whether the transfers under way still move. A copy that is being read back moves unseen, so
    /// where there is nothing but those, nothing is known.
    pub fn sample_progress(&mut self, now: Instant) {
        let is_awaiting = self.running.values().any(|transfer| !transfer.monitor.is_proving());
        let mark = (self.running.keys().next_back().copied(), self.running.len(), self.in_flight());
        self.stall_detector.note(is_awaiting.then_some(mark), now);
    }

    /// What keeps this destination from being used; nothing while it need not be.
    pub fn current_failure(&self) -> Option<FailureText> {
        if let Err(Failure { kind, cause, details, .. }) = &self.destination {
            return Some(FailureText::because(*kind, Reach::Destination, *cause, details.clone()));
        }
        let Lost { kind, cause, details, .. } =
            self.row.lost.as_ref().filter(|_| self.row.is_enabled && self.gate.is_none())?;
        Some(FailureText::because(*kind, Reach::Destination, *cause, details.clone()))
    }

    /// The wait after a call of the extension that changed nothing although it had more to do.
    pub fn idle_wait(&self) -> Duration {
        backoff::destination(self.idle_calls.max(1), Retry::Never)
    }
}

/// Whether a destination that could not be used for this reason was away.
fn is_absence(kind: FailureKind) -> bool {
    !matches!(kind, FailureKind::Credentials | FailureKind::Full | FailureKind::RateLimited)
}

fn reason_of(kind: FailureKind, until: UnixMillis) -> WaitReason {
    match kind {
        FailureKind::Credentials => WaitReason::Credentials,
        FailureKind::Forbidden => WaitReason::Forbidden,
        FailureKind::Full => WaitReason::NoSpace { until },
        _ => WaitReason::Unreachable { until },
    }
}
