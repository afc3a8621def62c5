//! Snapshots: what is true now, at most ten a second, and nothing when nothing changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{
    BackupSwitch, DestinationState, Event, Indexing, PairState, PathText, Snapshot,
    SourceCondition as ApiCondition, SourceState, TransferStep, Transferring, UNREADABLE_TOLD_MAX,
    UnreadableFolder, WaitText,
};
use crate::domain::path::join;
use crate::domain::record::ProofMethod;
use crate::domain::target::DestinationKind;
use crate::domain::wait::WaitReason;
use crate::engine::destination::worker::Worker;
use crate::engine::library::SourceLook;
use crate::engine::supervisor::Supervisor;
use crate::store::{DestinationCounts, SourceCondition, SourceRow, UnreadableDir};

/// The least time between two snapshots.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// BadgeThrottle in the grid move with every transfer; the grid is told of it only so often.
const BADGES_EVERY: Duration = Duration::from_secs(1);

/// When the grid is told that badges have moved.
#[derive(Debug, Default)]
pub(crate) struct BadgeThrottle {
    told: u64,
    moved: bool,
    next: Option<Instant>,
}

impl BadgeThrottle {
    /// How often the grid has been told so far, this time included when one is due.
    fn revision(&mut self, now: Instant) -> u64 {
        if self.moved && self.next.is_none_or(|next| next <= now) {
            self.moved = false;
            self.told += 1;
            self.next = Some(now + BADGES_EVERY);
        }
        self.told
    }

    /// When a snapshot must tell the grid.
    pub fn due(&self) -> Option<Instant> {
        self.next.filter(|_| self.moved)
    }
}

/// What a snapshot needs of the store, read in one go.
struct Facts {
    sources: Vec<(SourceRow, u64, (u64, Vec<UnreadableDir>))>,
    destinations: Vec<(DestinationCounts, Vec<i64>)>,
    library: crate::api::LibraryCounts,
}

impl Supervisor {
    /// Publishes a snapshot if something changed and the last one is old enough.
    pub(crate) async fn publish(&mut self, now: Instant) {
        if !self.is_dirty || now < self.publish_at {
            return;
        }
        self.is_dirty = false;
        self.publish_at = now + SNAPSHOT_EVERY;
        self.refresh_snapshot().await;
        let is_same = {
            let last = self.end.snapshots.borrow();
            // The revision is not news by itself.
            let mut compared = self.snapshot.clone();
            compared.revision = last.revision;
            compared == **last
        };
        if !is_same {
            self.snapshot.revision += 1;
            self.end.snapshots.send_replace(Arc::new(self.snapshot.clone()));
        }
        self.announce_finish();
    }

    /// Says once that everything is done.
    fn announce_finish(&mut self) {
        let is_left = self.snapshot.destinations.iter().any(|d| d.enabled && d.waiting + d.uploading > 0);
        let is_running = self.workers.values().any(|worker| !worker.running.is_empty());
        if !is_left && !is_running {
            let files = self.meter.files_done();
            if files > 0 {
                self.end.events.send(Event::Finished { files }).ok();
            }
            self.meter.reset();
        }
    }

    /// Makes the snapshot true again.
    pub(crate) async fn refresh_snapshot(&mut self) {
        self.library_state = self.library.state().borrow().clone();
        let ids: Vec<_> = self.workers.keys().copied().collect();
        let library_revision = self.library_state.revision;
        let known_assets =
            (self.asset_count.0 == library_revision && library_revision > 0).then_some(self.asset_count.1);
        let work = self.store.read(move |r| {
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
            Ok(Facts { sources, destinations, library: r.library_counts(known_assets)? })
        });
        let read = work.await;
        let Some(facts) = self.check_store_result(read) else {
            self.snapshot.wait_reason = self.app_wait().as_ref().map(WaitText::from);
            return;
        };
        self.asset_count = (library_revision, facts.library.assets);
        self.compose(facts);
    }

    fn compose(&mut self, facts: Facts) {
        let now = Instant::now();
        let in_flight = self.in_flight();
        self.workers.values_mut().for_each(|worker| worker.sample_progress(now));
        let uploading: Vec<Transferring> = self.transfers();
        if !uploading.is_empty() {
            self.meter.sample(now, in_flight);
        }
        let destinations: Vec<DestinationState> = self
            .workers
            .values()
            .zip(facts.destinations)
            .map(|(worker, (counts, sources))| {
                let is_working = self.is_working();
                let mut state = destination_state(worker, &counts, sources, is_working);
                let paths = facts.sources.iter().map(|(row, ..)| row);
                let own = paths.filter(|row| state.sources.is_empty() || state.sources.contains(&row.id.0));
                // While its disk is away, its path leads to another.
                let is_there = worker.row.kind == DestinationKind::Folder && worker.row.lost.is_none();
                state.same_disk =
                    is_there && self.is_on_disk_of(&worker.row.address, own.map(|row| row.path.clone()));
                state
            })
            .collect();
        let enabled = destinations.iter().filter(|d| d.enabled);
        let (files_left, bytes_left) = enabled
            .fold((0, 0), |(files, bytes), d| (files + d.waiting + d.uploading, bytes + d.bytes_waiting));
        let is_on = self.installation.is_on;
        let next = Snapshot {
            revision: self.snapshot.revision,
            library_revision: self.snapshot.library_revision,
            queue_revision: self.snapshot.queue_revision,
            backup: match (is_on, self.installation.is_paused) {
                (false, _) => BackupSwitch::Off,
                (true, true) => BackupSwitch::Paused,
                (true, false) => BackupSwitch::On,
            },
            wait_reason: self.app_wait().or_else(|| self.gate_of_all()).as_ref().map(WaitText::from),
            library: facts.library,
            sources: facts
                .sources
                .into_iter()
                .map(|(row, found, unreadable)| self.source_state(&row, found, unreadable))
                .collect(),
            destinations,
            uploading,
            progress: self.meter.progress(now, files_left, bytes_left, in_flight).filter(|_| is_on),
            indexing: Indexing {
                to_describe: self.library_state.to_describe,
                to_hash: self.library_state.to_hash,
            },
            reading: self.operations.states(now),
            restores: self.restores.states(),
            network: (&self.network.rules).into(),
            network_note: self.network.note.clone(),
            rules: self.gates.rules().into(),
            conditions: self.gates.conditions().into(),
        };
        let bins_moved =
            next.destinations.iter().map(bins_of).ne(self.snapshot.destinations.iter().map(bins_of));
        let queue_revision = next.queue_revision + u64::from(bins_moved);
        self.badges.moved |= bins_moved;
        let library_revision = self.library_state.revision + self.badges.revision(now);
        self.snapshot = Snapshot { queue_revision, library_revision, ..next };
    }

    /// Why nothing happens anywhere: the person's own word, or nothing can be written down.
    pub(crate) fn app_wait(&self) -> Option<WaitReason> {
        if !self.installation.is_on {
            return Some(WaitReason::Off);
        }
        let until = self.installation.paused_until;
        let paused = self.installation.is_paused.then_some(WaitReason::Paused { until });
        paused.or_else(|| self.data_wait())
    }

    /// Whether numbers change by themselves now.
    pub(crate) fn is_moving(&self) -> bool {
        self.workers.values().any(|worker| !worker.running.is_empty() || worker.is_auditing)
            || !self.operations.is_empty()
    }

    fn in_flight(&self) -> u64 {
        self.workers.values().map(Worker::in_flight).sum()
    }

    fn transfers(&self) -> Vec<Transferring> {
        let all = self
            .workers
            .values()
            .flat_map(|worker| worker.running.values().map(|transfer| (worker.id(), transfer)));
        all.map(|(destination, transfer)| {
            let started = &transfer.started;
            let mut path = started.source_path.clone();
            path.push(b'/');
            path.extend_from_slice(&started.path.to_bytes());
            Transferring {
                id: started.record.to_string(),
                path: PathText::from_bytes(&path),
                asset: started.asset.map(|asset| asset.0),
                destination: destination.0,
                bytes_sent: transfer.sent(),
                bytes_total: started.content.size,
                step: if transfer.monitor.is_proving() {
                    TransferStep::Proving
                } else {
                    TransferStep::Copying
                },
            }
        })
        .collect()
    }

    fn source_state(
        &self,
        row: &SourceRow,
        found: u64,
        (unreadable_folders, unreadable): (u64, Vec<UnreadableDir>),
    ) -> SourceState {
        // One that the library has not taken up yet will be looked through first of all.
        let unseen = || SourceLook { is_due: true, ..SourceLook::default() };
        let scan = self.library_state.sources.get(&row.id).cloned().unwrap_or_else(unseen);
        let state = match row.condition {
            SourceCondition::Unavailable => ApiCondition::Unavailable,
            SourceCondition::Unreadable => ApiCondition::Unreadable,
            SourceCondition::Present if scan.is_scanning || scan.is_due => ApiCondition::Scanning,
            SourceCondition::Present => ApiCondition::Watching,
        };
        let scanned = if scan.is_scanning { scan.scanned } else { 0 };
        let path = PathText::from_bytes(&row.path);
        let unreadable = unreadable.into_iter().map(|dir| unreadable_folder(&row.path, dir)).collect();
        SourceState {
            id: row.id.0,
            path,
            state,
            found,
            scanned,
            note: scan.note,
            unreadable_folders,
            unreadable,
        }
    }
}

fn unreadable_folder(source: &[u8], dir: UnreadableDir) -> UnreadableFolder {
    UnreadableFolder {
        path: PathText::from_bytes(&join(source, &dir.dir)),
        problem: dir.problem.as_str().to_owned(),
        summary: dir.problem.summary().to_owned(),
        advice: dir.problem.advice().to_owned(),
        details: dir.details,
    }
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

fn destination_state(
    worker: &Worker,
    counts: &DestinationCounts,
    sources: Vec<i64>,
    is_working: bool,
) -> DestinationState {
    let (row, bins) = (&worker.row, counts.bins());
    let pair =
        |(source, bins): (&crate::domain::ids::SourceId, &crate::domain::accounting::Bins)| PairState {
            source: source.0,
            safe: bins.safe,
            unproven: bins.unproven,
            waiting: bins.waiting,
            uploading: bins.uploading,
            needs_attention: bins.needs_attention,
            excluded: bins.excluded,
        };
    DestinationState {
        id: row.id.0,
        name: row.name.clone(),
        kind: row.kind.as_str().to_owned(),
        url: String::from_utf8_lossy(&row.address).into_owned(),
        enabled: row.is_enabled,
        found: counts.found,
        safe: bins.safe,
        unproven: bins.unproven,
        waiting: bins.waiting,
        uploading: bins.uploading,
        needs_attention: bins.needs_attention,
        excluded: bins.excluded,
        bytes_safe: counts.bytes_safe,
        bytes_waiting: counts.bytes_waiting,
        oldest_proof_at: counts.oldest_proof.map(crate::domain::time::UnixMillis::rfc3339),
        last_audit_at: counts.last_audit.map(crate::domain::time::UnixMillis::rfc3339),
        wait_reason: worker
            .wait_reason()
            .filter(|_| is_working || !row.is_enabled)
            .map(|reason| worker.wait_text(&reason)),
        failure: worker.current_failure().filter(|_| is_working),
        proof: ProofMethod::parse(&row.capabilities.proof)
            .map(ProofMethod::sentence)
            .unwrap_or_default()
            .to_owned(),
        proof_need: worker.proof_need().map(|need| need.as_str().to_owned()),
        proof_advice: worker
            .proof_obstacle()
            .or_else(|| worker.proof_advice().map(str::to_owned))
            .filter(|_| bins.unproven > 0),
        trusts_checksum: row.kind.has_checksum_choice().then_some(row.trusts_checksum),
        bytes_read: worker.read_back.bytes_read.load(std::sync::atomic::Ordering::Relaxed),
        is_reconnecting: worker.is_reconnecting,
        note: row.capabilities.note.clone(),
        sources,
        verifying: is_working && bins.unproven > 0 && worker.is_verifying(),
        same_disk: false,
        pairs: counts.pairs.iter().map(pair).collect(),
    }
}
