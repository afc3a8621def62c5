//! Requests: what changes something is done here, one after the other; what only looks, or takes
//! its time, is a task of its own.

pub mod destinations;
pub mod queries;
pub mod removals;
pub mod report;
pub mod secrets;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::api::{ApiError, DriveText, ErrorKind, Event, PathText, Reply, Request, SecretText, Selection};
use crate::base::files::path_from_bytes;
use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::{DestinationId, ItemId, RecordId, SourceId};
use crate::domain::time::UnixMillis;
use crate::engine::destination::worker::Worker;
use crate::engine::handle::Call;
use crate::engine::path_resolver::{PathRequest, ResolvedPaths};
use crate::engine::requests::removals::Turn;
use crate::engine::requests::report::report;
use crate::engine::requests::secrets::EnteredOptions;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::TaskEnd;
use crate::engine::tasks::untrash;
use crate::platform::drives::Drive;
use crate::store::{DecisionKind, NewDestination, StoreError, Write};

/// The outcome of a request.
pub(crate) type Outcome = Result<Reply, ApiError>;

/// A destination that was tried and can be saved.
pub(crate) struct TestedDestination {
    pub outcome: Result<(NewDestination, SharedDestination), ApiError>,
    pub consent_all: bool,
    /// The person lets the server's checksum count as proof.
    pub trusts_checksum: bool,
    pub places: ResolvedPaths,
    /// When it was asked for.
    pub asked: Turn,
    pub reply: oneshot::Sender<Outcome>,
}

pub(crate) fn usage(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::Usage, message)
}

pub(crate) fn internal(error: &StoreError) -> ApiError {
    match error {
        StoreError::Refused(why) => usage(why.clone()),
        other => ApiError::new(ErrorKind::Internal, other.to_string()),
    }
}

pub(crate) fn bytes_of(path: &PathText) -> Result<Vec<u8>, ApiError> {
    path.to_bytes().ok_or_else(|| usage("the path is not valid"))
}

/// A refusal by a destination, in a person's words.
pub(crate) fn refused(failure: &Failure) -> ApiError {
    let message = crate::domain::messages::describe_failure(failure);
    ApiError::new(
        ErrorKind::Destination,
        format!("{}. {} ({})", message.summary, message.advice, failure.details),
    )
}

impl Supervisor {
    /// Takes a request; the answer may come later.
    pub(crate) async fn handle_request(&mut self, call: Call) {
        self.is_dirty = true;
        let Call { request, reply } = call;
        let outcome = match request {
            Request::Sections { .. }
            | Request::Assets { .. }
            | Request::AssetDetails { .. }
            | Request::Queue(_)
            | Request::FailureGroups
            | Request::Events { .. } => return self.spawn_query(request, reply),
            Request::TestTarget { target, allow_http, secret, trust_checksum } => {
                let entered = entered(allow_http, secret, trust_checksum);
                return self.resolve_paths(PathRequest::Test { target, entered }, reply).await;
            }
            Request::TestDestination { id } => return self.spawn_retest(DestinationId(id), reply),
            Request::AddDestination { target, name, allow_http, consent_all, secret, trust_checksum } => {
                let entered = entered(allow_http, secret, trust_checksum);
                let wanted = PathRequest::Destination { target, name, entered, consent_all };
                return self.resolve_paths(wanted, reply).await;
            }
            Request::AddSource { path, consent_all } => {
                return self.resolve_paths(PathRequest::Source { path, consent_all }, reply).await;
            }
            Request::Consent { sources, destination } => {
                let sources = sources.into_iter().map(SourceId).collect();
                let destination = DestinationId(destination);
                return self.resolve_paths(PathRequest::Consent { sources, destination }, reply).await;
            }
            Request::SetSecret { id, secret } => {
                return self.spawn_set_secret(DestinationId(id), secret.into_inner(), reply);
            }
            Request::SetNetwork(network) => return self.spawn_apply_network(network, reply),
            Request::SetProxySecret { secret } => {
                return self.spawn_set_proxy_secret(secret.into_inner(), reply);
            }
            Request::RestoreFromTrash(selection) => return self.spawn_untrash(selection, reply),
            Request::Verify { destination, deep } => return self.spawn_verify(destination, deep, reply),
            Request::Reconnect { id } => return self.spawn_reconnect(DestinationId(id), reply),
            Request::Restore(order) => return self.spawn_restore(&order, reply),
            Request::Drives => return self.spawn_drives(reply),
            Request::FolderSpace { path } => return self.spawn_folder_space(&path, reply),
            Request::RestoreOverview { destination } => {
                return self.spawn_restore_overview(DestinationId(destination), reply);
            }
            Request::MeasureRestore { destination, scope } => {
                return self.spawn_measure(DestinationId(destination), scope, reply);
            }
            other => self.answer(other).await,
        };
        reply.send(outcome).ok();
    }

    async fn answer(&mut self, request: Request) -> Outcome {
        match request {
            Request::Subscribe => Ok(Reply::Done),
            Request::Snapshot => {
                self.refresh_snapshot().await;
                Ok(Reply::Snapshot(Box::new(self.snapshot.clone())))
            }
            Request::RemoveSource { id } => self.remove_source(SourceId(id)).await,
            Request::Rescan { id } => {
                self.library.rescan(id.map(SourceId));
                Ok(Reply::Done)
            }
            Request::RemoveDestination { id } => self.remove_destination(DestinationId(id)).await,
            Request::RenameDestination { id, name } => self.rename_destination(DestinationId(id), name).await,
            Request::EnableDestination { id, enabled } => {
                self.enable_destination(DestinationId(id), enabled).await
            }
            Request::SetChecksumTrust { id, trusted } => {
                self.set_checksum_trust(DestinationId(id), trusted).await
            }
            Request::SetBackup { on } => self.set_backup(on).await,
            Request::Pause { for_secs } => {
                self.pause_for(for_secs).await;
                Ok(Reply::Done)
            }
            Request::Resume => {
                self.set_paused(false, None).await;
                Ok(Reply::Done)
            }
            Request::SetRules(rules) => self.set_rules(rules).await,
            Request::Retry(selection) => self.retry(selection).await,
            Request::Exclude(selection) => self.exclude(selection).await,
            Request::Include(selection) => self.include(selection).await,
            Request::StartRestore(order) => self.start_restore(order).await,
            Request::ChangeRestore { id, action } => self.change_restore(id, action).await,
            Request::RaiseWindow => {
                let listeners = self.end.events.send(Event::RaiseWindow).unwrap_or(0);
                Ok(Reply::Raised { was_open: listeners > 0 })
            }
            Request::Shutdown => {
                self.is_stopping = true;
                Ok(Reply::Done)
            }
            Request::Sections { .. }
            | Request::Assets { .. }
            | Request::AssetDetails { .. }
            | Request::Queue(_)
            | Request::FailureGroups
            | Request::Events { .. }
            | Request::SetNetwork(_)
            | Request::SetProxySecret { .. }
            | Request::AddSource { .. }
            | Request::Consent { .. }
            | Request::TestTarget { .. }
            | Request::SetSecret { .. }
            | Request::TestDestination { .. }
            | Request::AddDestination { .. }
            | Request::RestoreFromTrash(_)
            | Request::Verify { .. }
            | Request::Reconnect { .. }
            | Request::Drives
            | Request::FolderSpace { .. }
            | Request::RestoreOverview { .. }
            | Request::MeasureRestore { .. }
            | Request::Restore(_) => {
                Err(ApiError::new(ErrorKind::Internal, "this request is answered elsewhere"))
            }
        }
    }

    async fn pause_for(&mut self, secs: Option<u64>) {
        let now = self.deps.clock.now();
        let until = secs.map(|secs| now.plus(std::time::Duration::from_secs(secs)));
        self.set_paused(true, until).await;
    }

    async fn set_backup(&mut self, on: bool) -> Outcome {
        self.store
            .write_durably(move |tx| {
                tx.set_backup_on(on)?;
                tx.add_event(
                    if on { "enabled" } else { "disabled" },
                    if on { "Backup was switched on" } else { "Backup was switched off" },
                )
            })
            .await
            .map_err(|e| internal(&e))?;
        self.installation.is_on = on;
        if on {
            self.set_paused(false, None).await;
        }
        self.mirror().await;
        self.call_all_extensions();
        Ok(Reply::Done)
    }

    /// Pauses or goes on.
    pub(crate) async fn set_paused(&mut self, is_paused: bool, until: Option<UnixMillis>) {
        let written = self.store.write(move |tx| tx.set_paused(is_paused, until)).await;
        if self.check_store_result(written).is_some() {
            self.installation.is_paused = is_paused;
            self.installation.paused_until = until;
            self.is_dirty = true;
            if !is_paused {
                self.call_all_extensions();
            }
        }
    }

    /// Every extension is called now.
    pub(crate) fn call_all_extensions(&mut self) {
        let now = tokio::time::Instant::now();
        for worker in self.workers.values_mut() {
            worker.may_start = true;
            // The person's word ends every wait.
            worker.not_before = None;
            worker.process_by(now);
        }
    }

    async fn retry(&mut self, selection: Selection) -> Outcome {
        let work = match selection {
            Selection::All => self.store.write(|tx| tx.retry_all(None)).await,
            Selection::Kind(kind) => self.store.write(move |tx| tx.retry_all(Some(&kind))).await,
            Selection::Items(ids) => {
                let items = items_of(&ids)?;
                self.store
                    .write(move |tx| {
                        note_asked(tx, &items, "You asked for a retry")?;
                        tx.retry_items(&items)
                    })
                    .await
            }
        };
        let items = work.map_err(|e| internal(&e))?;
        self.retry_unreachable_destinations(|_| true);
        self.library.look_again();
        self.library.rescan(None);
        self.call_all_extensions();
        Ok(Reply::Changed { items })
    }

    /// PathResolver that could not be used are tried again now.
    pub(crate) fn retry_unreachable_destinations(&mut self, which: impl Fn(&Worker) -> bool) {
        let now = self.deps.clock.now();
        for worker in self.workers.values_mut().filter(|worker| which(worker)) {
            if let Some(lost) = worker.row.lost.clone() {
                let mut row = (*worker.row).clone();
                row.lost = Some(crate::store::Lost { until: now, ..lost });
                worker.row = std::sync::Arc::new(row);
            }
        }
    }

    async fn exclude(&mut self, selection: Selection) -> Outcome {
        let work = match selection {
            Selection::All => self.store.write(|tx| tx.exclude_all(None)).await,
            Selection::Kind(kind) => self.store.write(move |tx| tx.exclude_all(Some(&kind))).await,
            Selection::Items(ids) => {
                let items = items_of(&ids)?;
                for worker in self.workers.values() {
                    for transfer in worker.running.values() {
                        if items.contains(&ItemId::Record(transfer.started.record)) {
                            transfer.monitor.cancel.cancel();
                        }
                    }
                }
                self.store
                    .write(move |tx| {
                        note_asked(tx, &items, "You left it out")?;
                        tx.exclude_items(&items)
                    })
                    .await
            }
        };
        let items = work.map_err(|e| internal(&e))?;
        self.call_all_extensions();
        Ok(Reply::Changed { items })
    }

    async fn include(&mut self, selection: Selection) -> Outcome {
        let Selection::Items(ids) = selection else {
            return Err(usage("name the files to include again"));
        };
        let items = items_of(&ids)?;
        let items = self.store.write(move |tx| tx.include_items(&items)).await.map_err(|e| internal(&e))?;
        self.library.look_again();
        self.library.rescan(None);
        self.call_all_extensions();
        Ok(Reply::Changed { items })
    }

    fn spawn_query(&mut self, request: Request, reply: oneshot::Sender<Outcome>) {
        let (store, context) = (self.store.clone(), self.query_context());
        self.tasks.spawn(async move {
            let outcome = crate::engine::requests::queries::answer(&store, request, context).await;
            reply.send(outcome).ok();
            TaskEnd::Answered
        });
    }

    fn spawn_drives(&mut self, reply: oneshot::Sender<Outcome>) {
        let (drives, executor) = (Arc::clone(&self.deps.drives), self.deps.library_executor.apart());
        self.tasks.spawn(async move {
            let found = executor.run(move || drives()).await.unwrap_or_default();
            reply.send(Ok(Reply::Drives(found.into_iter().map(drive_text).collect()))).ok();
            TaskEnd::Answered
        });
    }

    fn spawn_folder_space(&mut self, path: &PathText, reply: oneshot::Sender<Outcome>) {
        let Some(bytes) = path.to_bytes().filter(|bytes| bytes.starts_with(b"/")) else {
            reply.send(Err(usage("the folder's path must be absolute"))).ok();
            return;
        };
        let path = path_from_bytes(&bytes);
        let (free, executor) = (Arc::clone(&self.deps.free_bytes), self.deps.library_executor.apart());
        self.tasks.spawn(async move {
            let free_bytes = executor.run(move || free(&path)).await.ok().flatten();
            reply.send(Ok(Reply::FolderSpace { free_bytes })).ok();
            TaskEnd::Answered
        });
    }

    fn spawn_untrash(&mut self, selection: Selection, reply: oneshot::Sender<Outcome>) {
        let chosen: Result<Option<BTreeSet<RecordId>>, ApiError> = match selection {
            Selection::All | Selection::Kind(_) => Ok(None),
            Selection::Items(ids) => items_of(&ids).map(|items| {
                let record = |item| match item {
                    ItemId::Record(id) => Some(id),
                    ItemId::File(_) => None,
                };
                Some(items.into_iter().filter_map(record).collect())
            }),
        };
        let places: Vec<(DestinationId, SharedDestination)> = self
            .workers
            .values()
            .filter(|worker| worker.row.is_enabled)
            .filter_map(|worker| Some((worker.id(), worker.destination.clone().ok()?)))
            .collect();
        let store = self.store.clone();
        self.tasks.spawn(async move {
            let work = async {
                let chosen = chosen?;
                let mut items = 0;
                for (id, destination) in places {
                    let done = untrash::run(&store, id, &destination, chosen.as_ref()).await;
                    items += done.map_err(|failure| refused(&failure))?;
                }
                Ok(Reply::Changed { items })
            };
            reply.send(work.await).ok();
            TaskEnd::WantedAgain
        });
    }

    fn spawn_retest(&mut self, id: DestinationId, reply: oneshot::Sender<Outcome>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            reply.send(Err(usage("there is no such destination"))).ok();
            return;
        };
        // What it can do by now is kept too.
        (worker.must_check, worker.must_probe, worker.checked_until) = (true, true, None);
        let address = destinations::address_of(&worker.row);
        let (deps, destination) = (self.deps.clone(), worker.destination.clone());
        self.tasks.spawn(async move {
            let checked = match destination {
                Ok(destination) => destination.check().await,
                Err(failure) => Err(failure),
            };
            let tested = match checked {
                Ok(()) => deps.connect.test(&address).await,
                Err(failure) => Err(failure),
            };
            reply.send(Ok(Reply::Tested(report(tested)))).ok();
            TaskEnd::Answered
        });
    }
}

fn drive_text(drive: Drive) -> DriveText {
    DriveText {
        name: drive.name,
        path: PathText::from_bytes(drive.path.as_os_str().as_encoded_bytes()),
        free_bytes: drive.free_bytes,
    }
}

fn entered(allow_http: bool, secret: Option<SecretText>, trusts_checksum: bool) -> EnteredOptions {
    EnteredOptions { allow_http, secret: secret.map(SecretText::into_inner), trusts_checksum }
}

/// Keeps what the person asked for of these.
fn note_asked(tx: &Write<'_>, items: &[ItemId], text: &str) -> Result<(), StoreError> {
    for item in items {
        if let ItemId::Record(record) = item {
            tx.add_decision(*record, DecisionKind::Asked, text)?;
        }
    }
    Ok(())
}

fn items_of(ids: &[String]) -> Result<Vec<ItemId>, ApiError> {
    if ids.len() > crate::api::IDS_MAX {
        return Err(usage(format!("no more than {} items at once", crate::api::IDS_MAX)));
    }
    ids.iter()
        .map(|id| id.parse().map_err(|()| usage(format!("{id} is not the id of a file in the queue"))))
        .collect()
}
