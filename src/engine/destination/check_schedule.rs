//! When a destination is checked, and what the next check does.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::mutant::{self, Mutant};
use crate::domain::failure::FailureKind;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::engine::destination::check::{CheckOrder, CheckReport};
use crate::store::DestinationRow;

/// How long a passed check is good for while transfers go on.
const CHECK_HOLDS: Duration = Duration::from_secs(10);
/// How long what a probe found holds.
const PROBE_HOLDS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How often uploads that only the server knows are looked for.
const UPLOADS_APART: Duration = Duration::from_secs(24 * 60 * 60);
/// Probes that nobody asked for are at least this far apart.
const PROBES_APART: Duration = Duration::from_secs(60 * 60);

/// What is known of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckState {
    /// No check holds.
    Unknown,
    /// A check is under way.
    Running { is_probing: bool },
    /// The last check passed and holds for a while.
    PassedUntil(Instant),
}

/// What may lie at the destination that nothing will finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftovers {
    None,
    /// A check with no transfer under way removes them.
    Possible,
    /// An earlier run left some: a check is due for them.
    Known,
}

/// The checks of one destination.
#[derive(Debug)]
pub(crate) struct CheckSchedule {
    state: CheckState,
    /// It is to be checked even where nothing waits for it.
    is_requested: bool,
    /// What it can do is to be found out again, whatever is known.
    is_probe_requested: bool,
    /// When a probe was tried last in this run.
    probe_tried_at: Option<Instant>,
    leftovers: Leftovers,
    /// When uploads that only the server knows are looked for again.
    uploads_due_at: Option<Instant>,
    /// The ledger is new: what the destination's manifests say is taken into it first.
    needs_adoption: bool,
}

impl CheckSchedule {
    pub fn new(row: &DestinationRow) -> Self {
        // What an earlier release noted does not say what would help.
        let has_no_proof_need = row.kind == DestinationKind::Folder
            && row.capabilities.proof.is_none()
            && row.capabilities.proof_need.is_none();
        Self {
            state: CheckState::Unknown,
            is_requested: has_no_proof_need,
            is_probe_requested: false,
            probe_tried_at: None,
            leftovers: if row.needs_clean { Leftovers::Known } else { Leftovers::Possible },
            uploads_due_at: None,
            needs_adoption: !row.is_adopted && !mutant::is(Mutant::SkipsAdoption),
        }
    }

    /// The destination is checked as soon as it may be, whatever the last check said.
    pub fn request(&mut self) {
        self.is_requested = true;
        self.forget();
    }

    /// As [`Self::request`], and the check finds out again what the destination can do.
    pub fn request_probe(&mut self) {
        self.request();
        self.is_probe_requested = true;
    }

    /// The last check no longer holds.
    pub fn forget(&mut self) {
        if let CheckState::PassedUntil(_) = self.state {
            self.state = CheckState::Unknown;
        }
    }

    /// Something may be left at the destination that nobody will finish.
    pub fn note_leftovers(&mut self) {
        if self.leftovers == Leftovers::None {
            self.leftovers = Leftovers::Possible;
        }
    }

    /// Whether what the destination has must be taken into the ledger before anything else is done.
    pub fn needs_adoption(&self) -> bool {
        self.needs_adoption
    }

    /// Whether a check was asked for that has not begun.
    pub fn is_requested(&self) -> bool {
        self.is_requested
    }

    /// Whether a check is due although no transfer waits for it.
    pub fn is_needed(&self) -> bool {
        self.is_requested || self.needs_adoption || self.leftovers == Leftovers::Known
    }

    /// Whether a check is under way.
    pub fn is_running(&self) -> bool {
        matches!(self.state, CheckState::Running { .. })
    }

    /// Whether the last check still holds.
    pub fn is_valid(&self, now: Instant) -> bool {
        matches!(self.state, CheckState::PassedUntil(until) if now < until)
    }

    /// A check begins, with no transfer under way if `is_quiet`. Returns what it does.
    pub fn begin(
        &mut self,
        row: &DestinationRow,
        is_quiet: bool,
        now: Instant,
        wall: UnixMillis,
    ) -> CheckOrder {
        let needs_probe = is_quiet && self.is_probe_due(row, now, wall);
        let ends_uploads = self.uploads_due_at.is_none_or(|at| now >= at);
        if ends_uploads {
            self.uploads_due_at = Some(now + UPLOADS_APART);
        }
        let may_probe = is_quiet && !self.is_probe_recent(now);
        self.is_requested = false;
        self.state = CheckState::Running { is_probing: needs_probe };
        CheckOrder {
            needs_adoption: self.needs_adoption,
            needs_clean: is_quiet && self.leftovers != Leftovers::None,
            ends_uploads,
            needs_probe,
            known_software: if may_probe { row.capabilities.software.clone() } else { String::new() },
        }
    }

    /// Whether what the destination can do is found out again: on request, weekly, and when it comes
    /// back after an absence, in which a server may have become another. Not again and again.
    fn is_probe_due(&self, row: &DestinationRow, now: Instant, wall: UnixMillis) -> bool {
        let age = Duration::from_millis(wall.0.abs_diff(row.probed_at.0));
        let is_back = row.lost.as_ref().is_some_and(|lost| is_absence(lost.kind));
        let is_due = age >= PROBE_HOLDS || is_back && age >= PROBES_APART;
        self.is_probe_requested || is_due && !self.is_probe_recent(now)
    }

    fn is_probe_recent(&self, now: Instant) -> bool {
        self.probe_tried_at.is_some_and(|at| now.duration_since(at) < PROBES_APART)
    }

    /// The check passed.
    pub fn on_passed(&mut self, findings: &CheckReport, now: Instant) {
        if self.state == (CheckState::Running { is_probing: true }) {
            (self.is_probe_requested, self.probe_tried_at) = (false, Some(now));
        }
        if findings.capabilities.is_some() {
            self.probe_tried_at = Some(now);
        }
        if findings.is_cleaned {
            self.leftovers = Leftovers::None;
        }
        self.needs_adoption = false;
        self.state = CheckState::PassedUntil(now + CHECK_HOLDS);
    }

    /// The check failed, or was stopped and says nothing.
    pub fn on_ended(&mut self) {
        self.state = CheckState::Unknown;
    }
}

/// Whether a destination that could not be used for this reason was away.
fn is_absence(kind: FailureKind) -> bool {
    !matches!(kind, FailureKind::Credentials | FailureKind::Full | FailureKind::RateLimited)
}
