//! Work that the supervisor starts and does not wait for. Each piece ends in a [`TaskEnd`].

pub mod operations;
pub mod restore;
pub mod restore_order;
pub mod restore_runs;
pub mod untrash;
pub mod verify;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::base::rng::SharedRng;
use crate::destination::{
    Attachment, BoxFuture, Capabilities, KeyOwner, KeyOwners, SharedDestination, manifest,
};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ids::DestinationId;
use crate::domain::key;
use crate::engine::catch_panic::catch_panic;
use crate::engine::conditions::network_config::NetworkTrial;
use crate::engine::conditions::outage;
use crate::engine::destination::policy::ExtensionCallReport;
use crate::engine::destination::read_back::{self, ReadBackEnd};
use crate::engine::destination::transfer::TransferReport;
use crate::engine::path_resolver::{Disks, PathsResolved};
use crate::engine::requests::TestedDestination;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::restore_order::RestoreReport;
use crate::store::{Store, StoreError, Write};

/// Segment numbers tried when the next one is taken, before it waits for another time.
const NUMBERS_TRIED_MAX: u64 = 1_000;
/// Copies in one manifest segment.
const SEGMENT_ENTRIES_MAX: u32 = 1_000;
/// Manifest entries taken into the ledger in one transaction.
const ADOPTED_AT_ONCE: usize = 500;
/// Unfinished uploads that are ended at once.
const ABANDONED_MAX: u32 = 500;

/// How long a destination may take to say that it is there. One that says nothing is not there.
const CHECK_BUDGET: Duration = Duration::from_secs(60);

/// How long finding out what a destination can do may take.
const PROBE_BUDGET: Duration = Duration::from_secs(300);

fn check_timed_out() -> Failure {
    let why = format!("no answer within {} seconds", CHECK_BUDGET.as_secs());
    Failure::destination(FailureKind::Timeout, why)
}

fn check_panicked() -> Failure {
    Failure::destination(FailureKind::Protocol, "the check stopped unexpectedly (internal error)")
}

/// What a check found that passed.
pub(crate) struct CheckFindings {
    /// How the destination is attached, where that decides what can be proved.
    pub attachment: Option<Attachment>,
    /// What the destination can do, where that was found out again.
    pub capabilities: Option<Box<Capabilities>>,
    /// Temp files that nothing will finish were removed, if there were any.
    pub is_cleaned: bool,
}

/// How a piece of work ended.
pub(crate) enum TaskEnd {
    /// A transfer.
    Transfer(Box<TransferReport>),
    /// A call of an extension.
    ExtensionCalled(ExtensionCallReport),
    /// A check of a destination.
    Checked { destination: DestinationId, outcome: Result<CheckFindings, Failure> },
    /// A check was stopped and says nothing.
    CheckStopped { destination: DestinationId },
    /// Copies were listed in a manifest, or could not be for now.
    Listed { destination: DestinationId, is_done: bool },
    /// Copies were read back in the background, or could not be for now.
    ReadBack { destination: DestinationId, end: ReadBackEnd },
    /// A disk was unmounted and mounted again, or could not be.
    Reconnected { destination: DestinationId },
    /// Where the places of a request lead was found out.
    PathsResolved(Box<PathsResolved>),
    /// The disks that folders are on were looked up.
    Disks(Disks),
    /// Another way to servers was tried.
    NetworkApplied(Box<NetworkTrial>),
    /// A destination that the person is adding was tried.
    TestedDestination(Box<TestedDestination>),
    /// A restore that goes on by itself has ended.
    RestoreEnded { id: i64, report: Box<RestoreReport> },
    /// Files may be wanted again: taken out of a server's trash, or their copies were found wrong.
    WantedAgain,
    /// It was tried to write down what waits, the first `count` of it.
    StoreProbed { outcome: Result<(), StoreError>, count: usize },
    /// A query or another piece that answers its caller by itself.
    Answered,
    /// It panicked or was dropped.
    Lost(String),
}

/// Starts work that ends in a message. Work that panics ends in `lost`.
pub(crate) fn spawn(
    tasks: &mut JoinSet<TaskEnd>,
    lost: TaskEnd,
    work: impl Future<Output = TaskEnd> + Send + 'static,
) {
    tasks.spawn(async move { catch_panic(work).await.unwrap_or(lost) });
}

impl Supervisor {
    /// Asks whether the destination is there and itself; once a run, also removes temp files that
    /// nothing will ever finish, before any transfer could make new ones.
    pub(crate) fn spawn_check(&mut self, id: DestinationId, destination: SharedDestination) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let needs_clean = worker.needs_clean && worker.running.is_empty();
        let needs_adoption = worker.needs_adoption;
        let needs_probe = worker.needs_probe(self.deps.clock.now(), Instant::now());
        let may_probe = worker.may_probe(Instant::now());
        let known_software = if may_probe { worker.row.capabilities.software.clone() } else { String::new() };
        let ends_uploads = worker.takes_turn_to_end_uploads(Instant::now());
        worker.is_probing = needs_probe;
        let cancel = worker.cancel.clone();
        let (store, rng) = (self.store.clone(), Arc::clone(&self.deps.rng));
        let installation = self.installation.uuid.clone();
        let lost = TaskEnd::Checked { destination: id, outcome: Err(check_panicked()) };
        spawn(&mut self.tasks, lost, async move {
            let check = async {
                let mut outcome = tokio::time::timeout(CHECK_BUDGET, destination.check())
                    .await
                    .unwrap_or_else(|_late| Err(check_timed_out()));
                if outcome.is_ok() && needs_adoption {
                    outcome = adopt(&store, id, &destination, &rng, &installation).await;
                }
                if outcome.is_ok() && needs_clean {
                    outcome = clean(&store, id, &destination).await;
                }
                outcome?;
                if ends_uploads {
                    end_lost_uploads(&store, id, &destination).await;
                }
                let attachment = destination.attachment().await?;
                let is_another = !needs_probe && is_other_software(&destination, &known_software).await;
                let capabilities = if needs_probe || is_another { probe(&destination).await } else { None };
                Ok(CheckFindings { attachment, capabilities, is_cleaned: needs_clean })
            };
            match cancel.run_until_cancelled(check).await {
                Some(outcome) => TaskEnd::Checked { destination: id, outcome },
                None => TaskEnd::CheckStopped { destination: id },
            }
        });
    }

    /// Lists what is not listed yet before the engine stops, as far as there is time.
    pub(crate) async fn list_last(&mut self, deadline: Instant) {
        for worker in self.workers.values().filter(|worker| !worker.is_held && worker.row.lost.is_none()) {
            if let Ok(destination) = &worker.destination {
                let listing = list_copies(&self.store, worker.id(), destination, &self.installation.uuid);
                tokio::time::timeout_at(deadline, listing).await.ok();
            }
        }
    }

    /// Lists new copies in the manifest, and proves copies that have no proof yet, when nothing
    /// more urgent is to be done.
    pub(crate) fn step_upkeep(&mut self, id: DestinationId, now: Instant) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let cancel = worker.cancel.child_token();
        let Ok(destination) = worker.destination.clone() else {
            return;
        };
        if worker.row.lost.is_some() || !worker.row.is_enabled {
            return;
        }
        let is_quiet = worker.is_idle();
        let may_be_early = is_quiet && !worker.has_list_failed;
        let is_due = worker.list_at.is_some_and(|at| at <= now || may_be_early);
        if is_due && !worker.is_listing {
            worker.is_listing = true;
            worker.list_at = None;
            let (store, row) = (self.store.clone(), Arc::clone(&worker.row));
            let (destination, installation) = (Arc::clone(&destination), self.installation.uuid.clone());
            let cancel = cancel.clone();
            spawn(&mut self.tasks, TaskEnd::Listed { destination: id, is_done: false }, async move {
                let listing = list_copies(&store, id, &destination, &installation);
                let listed = cancel.run_until_cancelled(listing).await;
                if let Some(Err(failure)) = &listed {
                    tracing::warn!(destination = %row.name, kind = failure.kind.as_str(), "no manifest was written");
                }
                TaskEnd::Listed { destination: id, is_done: matches!(listed, Some(Ok(()))) }
            });
        }
        let may_prove = worker.may_prove && worker.prove_at.is_none_or(|at| at <= now);
        if may_prove && worker.may_audit() {
            let read_back = worker.begin_read_back();
            let order = read_back::ReadBackOrder { id, reads_checksums: worker.reads_checksums() };
            let (deps, store) = (self.deps.clone(), self.store.clone());
            let lost = TaskEnd::ReadBack { destination: id, end: ReadBackEnd::Failed };
            spawn(&mut self.tasks, lost, async move {
                let end = read_back::run(&deps, &store, order, &destination, (&read_back, &cancel)).await;
                TaskEnd::ReadBack { destination: id, end }
            });
        }
    }
}

/// Finds out what the destination can do by now. What cannot be found out condemns nobody: it stays as it
/// was found before, and is tried another time.
async fn probe(destination: &SharedDestination) -> Option<Box<Capabilities>> {
    match tokio::time::timeout(PROBE_BUDGET, destination.probe()).await {
        Ok(Ok(capabilities)) => Some(Box::new(capabilities)),
        Ok(Err(failure)) => {
            tracing::warn!(kind = failure.kind.as_str(), details = %failure.details, "a probe failed");
            None
        }
        Err(_late) => None,
    }
}

/// Takes what the manifests at a destination say into a ledger that does not know it: as accepted,
/// to be proved when a present file needs it.
pub(crate) async fn adopt(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    rng: &SharedRng,
    installation: &str,
) -> Result<(), Failure> {
    let collected = destination.read_manifests().await?;
    for damage in &collected.damaged {
        tracing::warn!(%damage, "a manifest segment is damaged");
    }
    for entries in collected.entries.chunks(ADOPTED_AT_ONCE) {
        let entries: Vec<(manifest::Entry, u64)> = entries
            .iter()
            .map(|entry| (entry.clone(), key::temp_token(installation, rng.next_u64())))
            .collect();
        let work = store.write(move |tx| {
            for (entry, token) in &entries {
                tx.adopt(id, entry, *token)?;
            }
            Ok(())
        });
        work.await.map_err(|error| outage::failure_of(&error))?;
    }
    let done = store.write(move |tx| tx.set_adopted(id));
    done.await.map_err(|error| outage::failure_of(&error))
}

async fn clean(store: &Store, id: DestinationId, destination: &SharedDestination) -> Result<(), Failure> {
    let needs_clean = store.read(move |r| {
        let is_marked = r.destination(id)?.is_some_and(|row| row.needs_clean);
        Ok(is_marked || r.has_stale_checkpoints(id)?)
    });
    if !needs_clean.await.unwrap_or(false) {
        return Ok(());
    }
    let Ok(keep) = store.read(move |r| r.tokens_in_use(id)).await else {
        return Ok(());
    };
    match destination.clean(&keep).await {
        Ok(_removed) => {}
        // What cannot be removed harms nobody; the next run tries it again.
        Err(failure) if is_refusal(&failure) => {
            tracing::warn!(details = %failure.details, "temp files stay");
            return Ok(());
        }
        Err(failure) => return Err(failure),
    }
    let Ok(abandoned) = store.read(move |r| r.stale_checkpoints(id, ABANDONED_MAX)).await else {
        return Ok(());
    };
    destination.abandon(&abandoned).await;
    let forget = move |tx: &Write<'_>| {
        tx.set_needs_clean(id, false)?;
        tx.forget_stale_checkpoints(id)
    };
    store.write(forget).await.ok();
    Ok(())
}

/// Whether a destination is well and does not let us.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Forbidden | FailureKind::Unsupported | FailureKind::Conflict)
}

/// Whether what answers calls itself something else than when it was probed: another version may do other
/// things.
async fn is_other_software(destination: &SharedDestination, known: &str) -> bool {
    if known.is_empty() {
        return false;
    }
    let now = destination.software().await.unwrap_or_default();
    !now.is_empty() && now != known
}

/// Says whose a key is, from the ledger.
struct Owners<'a> {
    store: &'a Store,
    destination: DestinationId,
}

impl KeyOwners for Owners<'_> {
    fn owner<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyOwner, Failure>> {
        Box::pin(async move {
            let (destination, key) = (self.destination, key.to_owned());
            let known = self.store.read(move |r| r.key_checkpoint(destination, &key)).await;
            let known = known.map_err(|error| outage::failure_of(&error))?;
            Ok(known.map_or(KeyOwner::Unknown, KeyOwner::Record))
        })
    }
}

/// Ends uploads that only the server knows. Where that fails, it is tried another day.
async fn end_lost_uploads(store: &Store, id: DestinationId, destination: &SharedDestination) {
    match destination.end_lost_uploads(&Owners { store, destination: id }).await {
        Ok(0) => {}
        Ok(ended) => tracing::info!(ended, "unfinished uploads that nobody knew of were ended"),
        Err(failure) => tracing::warn!(details = %failure.details, "unfinished uploads stay"),
    }
}

/// Writes manifest segments until every copy is in one.
async fn list_copies(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    installation: &str,
) -> Result<(), Failure> {
    let store_failed =
        |error: crate::store::StoreError| Failure::transient(FailureKind::Protocol, error.to_string());
    loop {
        let copies = store.read(move |r| r.unlisted(id, SEGMENT_ENTRIES_MAX)).await.map_err(store_failed)?;
        if copies.is_empty() {
            return Ok(());
        }
        let entries: Vec<manifest::Entry> = copies.iter().filter_map(|copy| copy.manifest_entry()).collect();
        let segment = manifest::encode(&entries)
            .map_err(|error| Failure::permanent(FailureKind::Protocol, error.to_string()))?;
        let row = store.read(move |r| r.destination(id)).await.map_err(store_failed)?;
        let Some(row) = row else {
            return Ok(());
        };
        // A kill, a lost connection or the end of the run may leave a temp file, until this is taken back.
        let mut may_leave_temp = row.needs_clean;
        if !may_leave_temp {
            store.write(move |tx| tx.set_needs_clean(id, true)).await.map_err(store_failed)?;
        }
        let mut number = row.manifest_next;
        // A segment that a killed run wrote and did not note has its number; the next one is free.
        while let Err(failure) = destination.write_manifest(installation, number, &segment).await {
            let is_taken =
                failure.kind == FailureKind::Conflict && number < row.manifest_next + NUMBERS_TRIED_MAX;
            if !is_taken {
                return Err(failure);
            }
            (number, may_leave_temp) = (number + 1, true);
        }
        let records: Vec<_> = copies.iter().map(|copy| copy.id).collect();
        let list = move |tx: &Write<'_>| {
            tx.set_needs_clean(id, may_leave_temp)?;
            tx.set_listed(id, &records, number + 1)
        };
        store.write(list).await.map_err(store_failed)?;
    }
}
