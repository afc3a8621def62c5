//! Restores that go on by themselves: kept in the store, so that neither a closed window nor a restart
//! ends them. Repeating a restore is safe: what is there already is compared and left alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Reply, RestoreAction, RestoreOrder, RestoreResult, RestoreState, RestoreTarget};
use crate::base::files::path_from_bytes;
use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::glob::Glob;
use crate::domain::ids::{AssetId, DestinationId, ItemId};
use crate::domain::messages::describe_failure;
use crate::domain::restore_plan::RestoreLayout;
use crate::domain::restore_scope::{RestoreScope, month_of, top_folder};
use crate::domain::time::UnixMillis;
use crate::engine::requests::{Outcome, bytes_of, internal, refused, usage};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::restore;
use crate::engine::tasks::restore_order::{RestoreEnd, RestoreReport, RestoreTask, TargetFolders};
use crate::engine::tasks::{TaskEnd, adopt, spawn};
use crate::store::{Read, RestoreRow, SourceRow, Store, StoreError};

/// Sentences that are kept of a restore and shown.
const SENTENCES_KEPT_MAX: usize = 50;
/// A restore whose destination stays away is given up this long after it was asked for.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// Seconds before a destination that is away is asked for again; the last of them again and again.
const AWAY_WAITS_SECS: [u64; 5] = [30, 60, 120, 300, 600];
/// Folders in an overview.
const FOLDERS_MAX: usize = 1_000;

/// All restores that are kept, and what is under way of them.
#[derive(Debug, Default)]
pub(crate) struct RestoreRuns {
    rows: Vec<RestoreRow>,
    active: BTreeMap<i64, ActiveRestore>,
    waiting: BTreeMap<i64, WaitingRestore>,
}

#[derive(Debug)]
struct ActiveRestore {
    cancel: CancellationToken,
    /// The person stopped it: it does not go on after a restart.
    is_stopped: bool,
    /// Tries before this one that found its destination away.
    tries: usize,
}

/// A restore whose destination is away.
#[derive(Debug)]
struct WaitingRestore {
    until: Instant,
    tries: usize,
    /// Why it waits: a sentence.
    reason: String,
}

impl RestoreRuns {
    /// All of them as clients see them.
    pub fn states(&self) -> Vec<RestoreState> {
        let state = |row: &RestoreRow| {
            let wait = self.waiting.get(&row.id).map(|waiting| waiting.reason.clone());
            Some(RestoreState {
                id: row.id,
                order: row.order.clone()?,
                is_running: !row.is_ended,
                reason: if row.is_ended { row.stopped.clone() } else { wait },
                result: row.result.clone(),
            })
        };
        self.rows.iter().filter_map(state).collect()
    }

    /// When the next of those that wait is tried again.
    pub fn next_try(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.until).min()
    }
}

/// A restore whose scope has not been looked up yet.
pub(crate) struct PreparedRestore {
    id: DestinationId,
    destination: SharedDestination,
    width: u32,
    installation: String,
    order: RestoreOrder,
}

impl PreparedRestore {
    /// Looks up what the order means in the library and the ledger.
    pub async fn resolve(self, store: &Store) -> Result<RestoreTask, api::ApiError> {
        let Self { id, destination, width, installation, order } = self;
        let target = match &order.target {
            RestoreTarget::Folder(path) => {
                let layout = match order.layout {
                    api::RestoreLayout::Dates => RestoreLayout::Dates,
                    api::RestoreLayout::Folders => RestoreLayout::Folders,
                };
                TargetFolders::Folder(path_from_bytes(&bytes_of(path)?), layout)
            }
            RestoreTarget::Original => {
                let sources = store.read(|r| r.sources()).await.map_err(|error| internal(&error))?;
                TargetFolders::Original(folders_by_label(&sources))
            }
        };
        let scope = resolve_scope(store, id, order.scope).await?;
        Ok(RestoreTask { id, destination, width, installation, target, scope })
    }
}

/// The source folders by the name that copies remember.
fn folders_by_label(sources: &[SourceRow]) -> HashMap<String, Option<std::path::PathBuf>> {
    let mut folders = HashMap::new();
    for source in sources {
        let label = source.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let label = String::from_utf8_lossy(label).into_owned();
        let folder = Some(path_from_bytes(&source.path));
        folders.entry(label).and_modify(|known| *known = None).or_insert(folder);
    }
    folders
}

async fn resolve_scope(
    store: &Store,
    id: DestinationId,
    scope: api::RestoreScope,
) -> Result<RestoreScope, api::ApiError> {
    let is_too_long = |len: usize| {
        let why = format!("no more than {} items at once", api::IDS_MAX);
        if len > api::IDS_MAX { Err(usage(why)) } else { Ok(()) }
    };
    Ok(match scope {
        api::RestoreScope::All => RestoreScope::All,
        api::RestoreScope::Period { year, month } => RestoreScope::Period { year, month },
        api::RestoreScope::Folder { source, path } => {
            RestoreScope::Folder { source_label: source, path: bytes_of(&path)? }
        }
        api::RestoreScope::Glob(pattern) => RestoreScope::Glob(Glob::new(&pattern)),
        api::RestoreScope::Copies(ids) => {
            is_too_long(ids.len())?;
            let record = |id: &String| match id.parse() {
                Ok(ItemId::Record(record)) => Ok(record),
                _ => Err(usage(format!("{id} is not the id of a copy"))),
            };
            RestoreScope::Records(ids.iter().map(record).collect::<Result<_, _>>()?)
        }
        api::RestoreScope::Assets(assets) => {
            is_too_long(assets.len())?;
            let assets: Vec<AssetId> = assets.into_iter().map(AssetId).collect();
            let records = store.read(move |r| r.records_of_assets(id, &assets)).await;
            RestoreScope::Records(records.map_err(|error| internal(&error))?.into_iter().collect())
        }
    })
}

impl Supervisor {
    /// A restore from a destination as it is now.
    pub(crate) fn prepare_restore(&self, order: &RestoreOrder) -> Result<PreparedRestore, api::ApiError> {
        let id = DestinationId(order.destination);
        let worker = self.workers.get(&id).ok_or_else(|| usage("there is no such destination"))?;
        let destination = worker.destination.clone().map_err(|failure| refused(&failure))?;
        Ok(PreparedRestore {
            id,
            destination,
            width: worker.width(),
            installation: self.installation.uuid.clone(),
            order: order.clone(),
        })
    }

    /// Reads which restores are kept, and takes up those that have not ended.
    pub(crate) async fn resume_restores(&mut self) {
        self.read_restores().await;
        let open: Vec<i64> =
            self.restores.rows.iter().filter(|row| !row.is_ended).map(|row| row.id).collect();
        for id in open {
            self.spawn_restore_run(id);
        }
    }

    async fn read_restores(&mut self) {
        let rows = self.store.read(|r| r.restores()).await;
        if let Some(rows) = self.check_store_result(rows) {
            self.restores.rows = rows;
            self.is_dirty = true;
        }
    }

    /// Keeps a restore that the person asks for, and starts it.
    pub(crate) async fn start_restore(&mut self, order: RestoreOrder) -> Outcome {
        self.prepare_restore(&order)?;
        let id = self.store.write_durably(move |tx| tx.add_restore(&order)).await;
        let id = id.map_err(|error| internal(&error))?;
        self.read_restores().await;
        self.spawn_restore_run(id);
        Ok(Reply::Done)
    }

    /// Stops, resumes or dismisses a restore.
    pub(crate) async fn change_restore(&mut self, id: i64, action: RestoreAction) -> Outcome {
        match action {
            RestoreAction::Stop => {
                if let Some(active) = self.restores.active.get_mut(&id) {
                    active.is_stopped = true;
                    active.cancel.cancel();
                } else if self.restores.waiting.remove(&id).is_some() {
                    let row = self.restores.rows.iter().find(|row| row.id == id);
                    let result = row.map(|row| row.result.clone()).unwrap_or_default();
                    self.end_restore(id, result, Some("Stopped".to_owned())).await;
                }
            }
            RestoreAction::Resume => {
                let resumed = self.store.write_durably(move |tx| tx.resume_restore(id)).await;
                resumed.map_err(|error| internal(&error))?;
                self.read_restores().await;
                self.spawn_restore_run(id);
            }
            RestoreAction::Dismiss => {
                let done = self.store.write(move |tx| tx.dismiss_restore(id)).await;
                done.map_err(|error| internal(&error))?;
                self.read_restores().await;
            }
        }
        Ok(Reply::Done)
    }

    /// Starts those that have waited long enough.
    pub(crate) fn step_restores(&mut self, now: Instant) {
        let due = |(id, waiting): (&i64, &WaitingRestore)| (waiting.until <= now).then_some(*id);
        let due: Vec<i64> = self.restores.waiting.iter().filter_map(due).collect();
        for id in due {
            self.spawn_restore_run(id);
        }
    }

    fn spawn_restore_run(&mut self, id: i64) {
        if self.restores.active.contains_key(&id) {
            return;
        }
        let Some(row) = self.restores.rows.iter().find(|row| row.id == id) else {
            return;
        };
        let prepared = match &row.order {
            Some(order) => self.prepare_restore(order),
            None => Err(usage("this restore was asked for by another version of Safelight")),
        };
        let tries = self.restores.waiting.remove(&id).map_or(0, |waiting| waiting.tries);
        let cancel = self.background.child_token();
        let active = ActiveRestore { cancel: cancel.clone(), is_stopped: false, tries };
        self.restores.active.insert(id, active);
        let operation = self.operations.begin_restore(id);
        let (deps, store) = (self.deps.clone(), self.store.clone());
        let refused =
            |error| RestoreReport { result: RestoreResult::default(), end: RestoreEnd::Refused(error) };
        let broken = refused(api::ApiError::new(api::ErrorKind::Internal, "The restore broke off"));
        spawn(&mut self.tasks, TaskEnd::RestoreEnded { id, report: Box::new(broken) }, async move {
            let _ended = cancel.clone().drop_guard();
            let order = match prepared {
                Ok(prepared) => prepared.resolve(&store).await,
                Err(error) => Err(error),
            };
            let report = match order {
                Ok(order) => restore::run(&deps, &store, order, operation, &cancel).await,
                Err(error) => refused(error),
            };
            TaskEnd::RestoreEnded { id, report: Box::new(report) }
        });
    }

    /// A restore that goes on by itself has ended, waits now, or the engine stops.
    pub(crate) async fn on_restore_ended(&mut self, id: i64, report: RestoreReport) {
        let active = self.restores.active.remove(&id);
        let (is_stopped, tries) = active.map_or((false, 0), |active| (active.is_stopped, active.tries));
        let Some(row) = self.restores.rows.iter().find(|row| row.id == id) else {
            return;
        };
        let (result, asked_at) = (total(&row.result, report.result), row.started_at);
        let stopped = match report.end {
            RestoreEnd::Complete => None,
            RestoreEnd::Stopped if is_stopped => Some("Stopped".to_owned()),
            // It goes on at the next start.
            RestoreEnd::Stopped => return self.save_restore(id, result).await,
            RestoreEnd::Lost(failure)
                if !is_stopped && !is_given_up(&failure, asked_at, self.deps.clock.now()) =>
            {
                let secs = AWAY_WAITS_SECS.get(tries).or(AWAY_WAITS_SECS.last()).copied().unwrap_or(600);
                let waiting = WaitingRestore {
                    until: Instant::now() + Duration::from_secs(secs),
                    tries: tries + 1,
                    reason: describe_failure(&failure).summary.to_owned(),
                };
                self.restores.waiting.insert(id, waiting);
                return self.save_restore(id, result).await;
            }
            RestoreEnd::Lost(failure) => Some(refused(&failure).message),
            RestoreEnd::Refused(error) => Some(error.message),
        };
        self.end_restore(id, result, stopped).await;
    }

    async fn save_restore(&mut self, id: i64, result: RestoreResult) {
        let saved = self.store.write(move |tx| tx.save_restore(id, &result)).await;
        self.check_store_result(saved);
        self.read_restores().await;
    }

    async fn end_restore(&mut self, id: i64, result: RestoreResult, stopped: Option<String>) {
        let written = self.store.write(move |tx| tx.end_restore(id, &result, stopped.as_deref())).await;
        self.check_store_result(written);
        self.read_restores().await;
        // Files that are back in a photo folder are seen at once.
        self.library.rescan(None);
        self.call_all_extensions();
    }
}

/// What several tries of a restore have brought: what an earlier one restored is there already for a
/// later one.
fn total(before: &RestoreResult, last: RestoreResult) -> RestoreResult {
    let mut total = RestoreResult {
        restored: before.restored + last.restored,
        present: last.present.saturating_sub(before.restored),
        ..last
    };
    total.sentences.truncate(SENTENCES_KEPT_MAX);
    total
}

impl Supervisor {
    /// Answers what can be restored from a destination, also from one that the ledger does not know yet.
    pub(crate) fn spawn_restore_overview(&mut self, id: DestinationId, reply: oneshot::Sender<Outcome>) {
        let Some(worker) = self.workers.get(&id) else {
            reply.send(Err(usage("there is no such destination"))).ok();
            return;
        };
        let (destination, needs_adoption) = (worker.destination.clone(), worker.needs_adoption);
        let (store, rng) = (self.store.clone(), Arc::clone(&self.deps.rng));
        let installation = self.installation.uuid.clone();
        self.tasks.spawn(async move {
            let work = async {
                if needs_adoption {
                    let destination = destination.map_err(|failure| refused(&failure))?;
                    destination.check().await.map_err(|failure| refused(&failure))?;
                    let adopted = adopt(&store, id, &destination, &rng, &installation).await;
                    adopted.map_err(|failure| refused(&failure))?;
                }
                let overview = store.read(move |r| overview(r, id)).await;
                Ok(Reply::RestoreOverview(Box::new(overview.map_err(|error| internal(&error))?)))
            };
            reply.send(work.await).ok();
            TaskEnd::Answered
        });
    }

    /// Answers how much a restore of this scope would bring.
    pub(crate) fn spawn_measure(
        &mut self,
        id: DestinationId,
        scope: api::RestoreScope,
        reply: oneshot::Sender<Outcome>,
    ) {
        let store = self.store.clone();
        self.tasks.spawn(async move {
            reply.send(measure(&store, id, scope).await).ok();
            TaskEnd::Answered
        });
    }
}

/// Whether a restore ends because its destination is away.
fn is_given_up(failure: &Failure, asked_at: UnixMillis, now: UnixMillis) -> bool {
    failure.is_permanent() || now.since(asked_at) > GIVEN_UP_AFTER
}

/// What a destination has that can be restored.
fn overview(r: &Read<'_>, id: DestinationId) -> Result<api::RestoreOverview, StoreError> {
    let mut overview = api::RestoreOverview::default();
    let mut months: BTreeMap<(i32, i32), api::FileTotals> = BTreeMap::new();
    let mut folders: BTreeMap<(String, Vec<u8>), api::FileTotals> = BTreeMap::new();
    r.each_restorable(id, |copy, size| {
        overview.total.add(size);
        months.entry(month_of(copy.captured_at)).or_default().add(size);
        let top = top_folder(copy.path);
        let chosen: &[&[u8]] = if top.is_empty() { &[&[]] } else { &[&[], top] };
        for folder in chosen {
            let key = (copy.source_label.to_owned(), folder.to_vec());
            if folders.len() < FOLDERS_MAX || folders.contains_key(&key) {
                folders.entry(key).or_default().add(size);
            }
        }
    })?;
    overview.months = months
        .into_iter()
        .rev()
        .map(|((year, month), totals)| api::RestoreMonth { year, month, totals })
        .collect();
    let folder = |((source, path), totals): ((String, Vec<u8>), _)| api::RestoreFolder {
        source,
        path: api::PathText::from_bytes(&path),
        totals,
    };
    overview.folders = folders.into_iter().map(folder).collect();
    Ok(overview)
}

/// How much a restore of this scope would bring.
async fn measure(store: &Store, id: DestinationId, scope: api::RestoreScope) -> Outcome {
    let scope = resolve_scope(store, id, scope).await?;
    let measured = store.read(move |r| {
        let mut totals = api::FileTotals::default();
        r.each_restorable(id, |copy, size| {
            if scope.contains(copy) {
                totals.add(size);
            }
        })?;
        Ok(totals)
    });
    Ok(Reply::RestoreSize(measured.await.map_err(|error| internal(&error))?))
}
