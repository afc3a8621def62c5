//! One destination's worker: what goes on there, and what is to be done next.

mod events;
mod state;
mod step;

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::files::path_from_bytes;
use crate::destination::{Attachment, SharedDestination};
use crate::domain::backoff;
use crate::domain::failure::Failure;
use crate::domain::ids::{DestinationId, RecordId, SourceId};
use crate::domain::record::ProofNeed;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::wait::WaitReason;
use crate::engine::context::Context;
use crate::engine::deps::Deps;
use crate::engine::destination::active_transfers::ActiveTransfers;
use crate::engine::destination::address::stored_address;
use crate::engine::destination::check_schedule::CheckSchedule;
use crate::engine::destination::extension_calls::ExtensionCalls;
use crate::engine::destination::listing::ListingSchedule;
use crate::engine::destination::read_back_schedule::ReadBackSchedule;
use crate::store::{DestinationRow, Lost};

/// The most transfers at one destination at once, whatever it says of itself.
pub(crate) const TRANSFERS_MAX: u32 = 8;

/// Whether anything may be done at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Open,
    /// For whatever reason; nothing is under way.
    Closed,
}

/// Whether the destination's disk is there to be worked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiskState {
    Connected,
    /// It is being unmounted and mounted again.
    Reconnecting,
}

/// One destination's worker.
pub(crate) struct Worker {
    row: Arc<DestinationRow>,
    /// An error where this release has no such kind, or the address makes no sense.
    destination: Result<SharedDestination, Failure>,
    /// Stops everything that goes on at this destination; replaced when it may go on again.
    cancel: CancellationToken,
    transfers: ActiveTransfers,
    /// Registered jobs may be waiting for a start.
    may_start: bool,
    calls: ExtensionCalls,
    checks: CheckSchedule,
    listing: ListingSchedule,
    read_back: ReadBackSchedule,
    access: Access,
    /// Why a gate keeps it from working now.
    gate: Option<WaitReason>,
    disk: DiskState,
    /// How it was attached when it was checked last, where copies can be proved only after it is attached
    /// again.
    attachment: Option<Attachment>,
    /// The mount that its folder was seen on last.
    mount: Option<String>,
}

impl Worker {
    pub fn new(
        row: DestinationRow,
        destination: Result<SharedDestination, Failure>,
        deps: &Deps,
        now: Instant,
    ) -> Self {
        Self {
            destination,
            cancel: CancellationToken::new(),
            transfers: ActiveTransfers::default(),
            may_start: true,
            calls: ExtensionCalls::new(now),
            checks: CheckSchedule::new(&row),
            listing: ListingSchedule::new(now),
            read_back: ReadBackSchedule::new(),
            access: Access::Open,
            gate: None,
            disk: DiskState::Connected,
            attachment: None,
            mount: mount_of(deps, &row),
            row: Arc::new(row),
        }
    }

    pub fn id(&self) -> DestinationId {
        self.row.id
    }

    /// The destination as the ledger has it.
    pub fn row(&self) -> &Arc<DestinationRow> {
        &self.row
    }

    /// Whether the destination is a folder.
    pub fn is_folder(&self) -> bool {
        self.row.kind == DestinationKind::Folder
    }

    /// The opened destination.
    ///
    /// # Errors
    /// When it could not be opened.
    pub fn destination(&self) -> Result<SharedDestination, Failure> {
        self.destination.clone()
    }

    /// The transfers under way.
    pub fn transfers(&self) -> &ActiveTransfers {
        &self.transfers
    }

    /// How many transfers may run at once.
    pub fn width(&self) -> u32 {
        self.row.capabilities.concurrent_max.clamp(1, TRANSFERS_MAX)
    }

    /// Transfers that may be started now.
    fn room(&self) -> u32 {
        self.transfers.room(self.width())
    }

    /// Whether what the destination has must be taken into the ledger first.
    pub fn needs_adoption(&self) -> bool {
        self.checks.needs_adoption()
    }

    /// The extension is called at `at`, or earlier if that was planned already.
    pub fn call_by(&mut self, at: Instant) {
        self.calls.call_by(at);
    }

    /// The extension is called now, and jobs that wait are started.
    pub fn call_at_once(&mut self, now: Instant) {
        self.may_start = true;
        self.calls.call_at_once(now);
    }

    /// Something in the library has changed: the extension is called soon.
    pub fn on_library_changed(&mut self, now: Instant) {
        self.calls.on_library_changed(now, !self.transfers.is_empty());
    }

    /// The destination is checked as soon as it may be.
    pub fn request_check(&mut self) {
        self.checks.request();
    }

    /// The destination is checked as soon as it may be, and what it can do is found out again.
    pub fn request_probe(&mut self) {
        self.checks.request_probe();
    }

    /// What was known of the outside may be old.
    pub fn forget_check(&mut self) {
        self.checks.forget();
    }

    /// A destination that could not be used is tried again now.
    pub fn retry_unreachable(&mut self, now: UnixMillis) {
        if let Some(lost) = self.row.lost.clone() {
            self.change_row(|row| row.lost = Some(Lost { until: now, ..lost }));
        }
    }

    /// The ledger has this of the destination by now.
    pub fn set_row(&mut self, row: DestinationRow) {
        self.row = Arc::new(row);
    }

    fn change_row(&mut self, change: impl FnOnce(&mut DestinationRow)) {
        let mut row = (*self.row).clone();
        change(&mut row);
        self.row = Arc::new(row);
    }

    /// Opens the destination again, as the ledger has it.
    pub fn reopen(&mut self, context: &Context) {
        let address = stored_address(&self.row);
        self.destination = context.deps.connect.open(&address, &context.installation);
    }

    /// What counts as proof has changed: the destination is opened again and its copies are read back.
    pub fn on_proof_changed(&mut self, context: &Context) {
        self.reopen(context);
        self.read_back.make_way();
        self.read_back.want_at_once();
        self.checks.request_probe();
    }

    /// Stops all that goes on at the destination by itself; transfers go back unspent.
    pub fn stop_transfers(&mut self) {
        self.cancel.cancel();
        self.cancel = CancellationToken::new();
        // What is stopped in the middle is taken up again.
        self.listing.on_stopped(Instant::now());
        self.read_back.on_stopped();
    }

    /// Stops the transfers of these records.
    pub fn stop_records(&self, is_meant: impl Fn(RecordId) -> bool) {
        self.transfers.cancel_where(|started| is_meant(started.record));
    }

    /// Stops the transfers of a source's files.
    pub fn stop_source(&self, source: SourceId) {
        self.transfers.cancel_source(source);
    }

    /// Looks whether the folder is on another mount than before. If so, the destination is checked at
    /// once.
    pub fn update_mount(&mut self, deps: &Deps) -> bool {
        let mount = mount_of(deps, &self.row);
        let has_changed = mount != self.mount;
        if has_changed {
            self.mount = mount;
            self.checks.request();
            if self.attachment.is_some() {
                self.read_back.want();
            }
        }
        has_changed
    }

    /// Stops what goes on at the destination's disk, which is about to be unmounted and mounted again.
    /// Returns whether it may be: not while that is under way, and not if there is no disk.
    pub fn begin_reconnect(&mut self) -> bool {
        if !self.is_folder() || self.is_reconnecting() {
            return false;
        }
        self.stop_transfers();
        self.disk = DiskState::Reconnecting;
        true
    }

    /// The disk may be worked at again; what can be proved now is.
    pub fn on_reconnected(&mut self) {
        self.disk = DiskState::Connected;
        self.checks.request();
        self.read_back.want();
    }

    /// Whether the disk is being unmounted and mounted again.
    pub fn is_reconnecting(&self) -> bool {
        self.disk == DiskState::Reconnecting
    }

    /// Takes what holds by now. Work that may no longer go on stops. Returns whether the gate has changed.
    pub fn update_access(&mut self, is_working: bool, gate: Option<WaitReason>, now: Instant) -> bool {
        let has_changed = gate != self.gate;
        self.gate = gate;
        let may_work = is_working && self.row.is_enabled && self.gate.is_none() && !self.is_reconnecting();
        match (self.access, may_work) {
            (Access::Closed, true) => {
                self.checks.forget();
                self.may_start = true;
                self.calls.call_by(now);
            }
            (Access::Open, false) if !self.ignores_close() => self.stop_transfers(),
            _ => {}
        }
        self.access = if may_work { Access::Open } else { Access::Closed };
        has_changed
    }

    /// Whether a planted bug lets transfers go on that may not.
    fn ignores_close(&self) -> bool {
        use crate::base::mutant::{Mutant, is};
        is(Mutant::IgnoresDisable) && !self.row.is_enabled || is(Mutant::IgnoresPause) && self.row.is_enabled
    }

    /// Whether anything may be done at the destination.
    pub fn may_work(&self) -> bool {
        self.access == Access::Open
    }

    /// Why a gate keeps the destination from working, if one does.
    pub fn gate(&self) -> Option<&WaitReason> {
        self.gate.as_ref()
    }

    /// Whether transfers or readings in the background are under way.
    pub fn is_moving(&self) -> bool {
        !self.transfers.is_empty() || self.read_back.is_running()
    }

    /// Whether the destination cannot be used, and when it is tried again is not due.
    fn waits_for_return(&self, now: UnixMillis) -> bool {
        self.row.lost.as_ref().is_some_and(|lost| !backoff::is_due(lost.until, now))
    }

    /// Whether nothing is under way or about to be.
    fn is_idle(&self) -> bool {
        self.transfers.is_empty() && self.calls.is_idle()
    }

    /// Whether there is nothing more urgent than looking at copies that are there.
    fn may_read_back(&self) -> bool {
        let is_known_to_be_there =
            self.row.lost.is_none() && !self.checks.is_requested() && !self.checks.is_running();
        self.can_prove() && is_known_to_be_there && !self.read_back.is_running() && self.is_idle()
    }

    /// Whether copies can be proved here at all, at least those of another time.
    fn can_prove(&self) -> bool {
        let may_change = self.is_folder() || self.row.kind.has_checksum_choice();
        self.row.capabilities.proof.is_some() || may_change
    }

    /// What must happen before copies can be proved; `None` if that can be done at any time.
    pub fn proof_need(&self) -> Option<ProofNeed> {
        self.attachment.as_ref().map(|attachment| attachment.need).or(self.row.capabilities.proof_need)
    }
}

/// The mount that a destination's folder is on; `None` if it is not a folder.
fn mount_of(deps: &Deps, row: &DestinationRow) -> Option<String> {
    let is_folder = row.kind == DestinationKind::Folder;
    is_folder.then(|| (deps.mount_of)(&path_from_bytes(&row.address)))?
}
