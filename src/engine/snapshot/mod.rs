//! Snapshots: what is true now, at most ten a second, and nothing when nothing changes.

mod badge_throttle;
mod states;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::{DestinationState, Event, Indexing, LibraryCounts, Snapshot, UNREADABLE_TOLD_MAX, WaitText};
use crate::domain::wait::WaitReason;
use crate::engine::conditions::backup_switch::BackupSwitch;
use crate::engine::conditions::gates::Gates;
use crate::engine::conditions::network_config::NetworkConfig;
use crate::engine::conditions::outage::StoreOutage;
use crate::engine::context::Context;
use crate::engine::destination::workers::Workers;
use crate::engine::library::{Library, LibraryState};
use crate::engine::operations::Operations;
use crate::engine::path_resolver::DiskMap;
use crate::engine::progress::ProgressMeter;
use crate::engine::restore_runs::RestoreRuns;
use crate::engine::snapshot::badge_throttle::BadgeThrottle;
use crate::engine::snapshot::states::{destination_state, source_state, transfer_states};
use crate::store::{DestinationCounts, SourceCondition, SourceRow, StoreError, UnreadableDir};

/// The least time between two snapshots.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);
/// Numbers that change by themselves are looked at this often.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// What a snapshot needs of the store, read in one go.
struct StoreFacts {
    sources: Vec<(SourceRow, u64, (u64, Vec<UnreadableDir>))>,
    destinations: Vec<(DestinationCounts, Vec<i64>)>,
    library: LibraryCounts,
}

/// The parts of the engine that a snapshot shows.
pub(crate) struct View<'a> {
    pub context: &'a Context,
    pub library: &'a Library,
    pub workers: &'a mut Workers,
    pub switch: &'a BackupSwitch,
    pub gates: &'a Gates,
    pub outage: &'a mut StoreOutage,
    pub network: &'a NetworkConfig,
    pub disks: &'a DiskMap,
    pub operations: &'a mut Operations,
    pub restores: &'a RestoreRuns,
}

impl View<'_> {
    /// Why nothing happens anywhere: the person's own word, or nothing can be written down.
    fn app_wait(&self) -> Option<WaitReason> {
        self.switch.wait_reason().or_else(|| self.outage.wait_reason())
    }

    /// Whether any work may be done now, for any destination.
    fn is_working(&self) -> bool {
        self.switch.is_working() && self.outage.is_well()
    }

    fn destinations(&self, facts: &StoreFacts) -> Vec<DestinationState> {
        let all = self.workers.iter().zip(&facts.destinations);
        all.map(|(worker, (counts, sources))| {
            let mut state = destination_state(worker, counts, sources.clone(), self.is_working());
            let paths = facts.sources.iter().map(|(row, ..)| row);
            let own = paths.filter(|row| state.sources.is_empty() || state.sources.contains(&row.id.0));
            // While its disk is away, its path leads to another.
            let is_there = worker.is_folder() && worker.row().lost.is_none();
            let own = own.map(|row| row.path.clone());
            state.same_disk = is_there && self.disks.shares_disk(&worker.row().address, own);
            state
        })
        .collect()
    }
}

/// Makes snapshots and publishes them.
pub(crate) struct SnapshotPublisher {
    sender: watch::Sender<Arc<Snapshot>>,
    snapshot: Snapshot,
    /// Something may have changed since the last snapshot.
    is_stale: bool,
    /// No snapshot is published before.
    not_before: Instant,
    /// The number of assets at a revision of the library.
    asset_count: (u64, u64),
    badges: BadgeThrottle,
    meter: ProgressMeter,
}

impl SnapshotPublisher {
    /// The first snapshot is due now.
    pub fn new(sender: watch::Sender<Arc<Snapshot>>, now: Instant) -> Self {
        Self {
            sender,
            snapshot: Snapshot::default(),
            is_stale: true,
            not_before: now,
            asset_count: (0, 0),
            badges: BadgeThrottle::default(),
            meter: ProgressMeter::default(),
        }
    }

    /// Something may have changed.
    pub fn mark_stale(&mut self, is_stale: bool) {
        self.is_stale |= is_stale;
    }

    /// A transfer ended well.
    pub fn on_transferred(&mut self, bytes: u64) {
        self.meter.done(bytes);
    }

    /// The newest snapshot that was made, published or not.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// When a snapshot is to be published although nothing happens.
    pub fn next_at(&self) -> Option<Instant> {
        let stale = self.is_stale.then_some(self.not_before);
        let badges = self.badges.due().map(|due| due.max(self.not_before));
        [stale, badges].into_iter().flatten().min()
    }

    /// When numbers that change by themselves are looked at again.
    pub fn next_sample(&self, now: Instant) -> Instant {
        self.not_before.max(now) + SAMPLE_EVERY
    }

    /// Publishes a snapshot if something changed and the last one is old enough.
    pub async fn publish(&mut self, view: &mut View<'_>, now: Instant) {
        self.is_stale |= self.badges.due().is_some_and(|due| due <= now);
        if !self.is_stale || now < self.not_before {
            return;
        }
        self.is_stale = false;
        self.not_before = now + SNAPSHOT_EVERY;
        self.refresh(view).await;
        let is_same = {
            let last = self.sender.borrow();
            // The revision is not news by itself.
            let mut compared = self.snapshot.clone();
            compared.revision = last.revision;
            compared == **last
        };
        if !is_same {
            self.snapshot.revision += 1;
            self.sender.send_replace(Arc::new(self.snapshot.clone()));
        }
        self.announce_finish(view);
    }

    /// Says once that everything is done.
    fn announce_finish(&mut self, view: &View<'_>) {
        let is_left = self.snapshot.destinations.iter().any(|d| d.enabled && d.waiting + d.uploading > 0);
        if !is_left && !view.workers.has_transfers() {
            let files = self.meter.files_done();
            if files > 0 {
                view.context.send_event(Event::Finished { files });
            }
            self.meter.reset();
        }
    }

    /// Makes the snapshot true again.
    pub async fn refresh(&mut self, view: &mut View<'_>) {
        let library = view.library.state().borrow().clone();
        let is_known = self.asset_count.0 == library.revision && library.revision > 0;
        let read = read_facts(view.context, view.workers, is_known.then_some(self.asset_count.1)).await;
        let Some(facts) = view.outage.check_store_result(view.context, read) else {
            self.snapshot.wait_reason = view.app_wait().as_ref().map(WaitText::from);
            return;
        };
        self.asset_count = (library.revision, facts.library.assets);
        self.compose(view, &library, facts);
    }

    fn compose(&mut self, view: &mut View<'_>, library: &LibraryState, facts: StoreFacts) {
        let now = Instant::now();
        let in_flight = view.workers.in_flight();
        view.workers.iter_mut().for_each(|worker| worker.sample_progress(now));
        let uploading = transfer_states(view.workers);
        if !uploading.is_empty() {
            self.meter.sample(now, in_flight);
        }
        let destinations = view.destinations(&facts);
        let enabled = destinations.iter().filter(|d| d.enabled);
        let (files_left, bytes_left) = enabled
            .fold((0, 0), |(files, bytes), d| (files + d.waiting + d.uploading, bytes + d.bytes_waiting));
        let progress = self.meter.progress(now, files_left, bytes_left, in_flight);
        let sources = facts.sources.into_iter();
        let next = Snapshot {
            revision: self.snapshot.revision,
            library_revision: self.snapshot.library_revision,
            queue_revision: self.snapshot.queue_revision,
            backup: view.switch.state(),
            wait_reason: view.app_wait().or_else(|| view.workers.gate_of_all()).as_ref().map(WaitText::from),
            library: facts.library,
            sources: sources
                .map(|(row, found, unreadable)| source_state(library, &row, found, unreadable))
                .collect(),
            destinations,
            uploading,
            progress: progress.filter(|_| view.switch.is_on()),
            indexing: Indexing { to_describe: library.to_describe, to_hash: library.to_hash },
            reading: view.operations.states(now),
            restores: view.restores.states(),
            network: view.network.rules().into(),
            network_note: view.network.note().map(str::to_owned),
            rules: view.gates.rules().into(),
            conditions: view.gates.conditions().into(),
        };
        let has_changed =
            next.destinations.iter().map(bins_of).ne(self.snapshot.destinations.iter().map(bins_of));
        let queue_revision = next.queue_revision + u64::from(has_changed);
        self.badges.note(has_changed);
        let library_revision = library.revision + self.badges.revision(now);
        self.snapshot = Snapshot { queue_revision, library_revision, ..next };
    }
}

/// Reads what a snapshot needs, in one transaction.
async fn read_facts(
    context: &Context,
    workers: &Workers,
    known_assets: Option<u64>,
) -> Result<StoreFacts, StoreError> {
    let ids = workers.ids();
    let read = context.store.read(move |r| {
        let mut sources = Vec::new();
        for row in r.sources()? {
            let found = r.source_found(row.id)?;
            let unreadable = match row.condition {
                SourceCondition::Present => r.unreadable_dirs(row.id, UNREADABLE_TOLD_MAX)?,
                SourceCondition::Unavailable | SourceCondition::Unreadable => (0, Vec::new()),
            };
            sources.push((row, found, unreadable));
        }
        let consents = r.consents()?;
        let mut destinations = Vec::new();
        for id in ids {
            let counts = r.destination_counts(id)?;
            let of = consents.iter().filter(|(_, d)| *d == id).map(|(s, _)| s.0).collect();
            destinations.push((counts, of));
        }
        Ok(StoreFacts { sources, destinations, library: r.library_counts(known_assets)? })
    });
    read.await
}

fn bins_of(state: &DestinationState) -> [u64; 9] {
    let d = state;
    [
        d.found,
        d.safe,
        d.unproven,
        d.waiting,
        d.uploading,
        d.needs_attention,
        d.excluded,
        u64::from(d.enabled),
        u64::from(d.verifying),
    ]
}
