//! Requests: which part answers which. What changes something is done here, one after the other; what only
//! looks, or takes its time, is a task of its own.

use crate::api::{ApiError, ErrorKind, Event, Reply, Request};
use crate::domain::ids::{DestinationId, SourceId};
use crate::engine::handle::Call;
use crate::engine::parts::Parts;
use crate::engine::path_resolver::no_answer;
use crate::engine::reply::{Outcome, ReplyTo, internal, usage};
use crate::engine::requests::destinations::{self, DestinationOrder};
use crate::engine::requests::entered_options::EnteredOptions;
use crate::engine::requests::path_request::{PathRequest, PathsResolved, resolve_for};
use crate::engine::requests::queries::{self, QueryContext};
use crate::engine::requests::{drives, operations, queue, restores, secrets, settings, sources};
use crate::engine::snapshot::View;
use crate::engine::supervisor::{Supervisor, parts, view};
use crate::engine::tasks::task_set::TaskEnd;

impl Supervisor {
    /// Handles a request; the answer may come later.
    pub(super) async fn handle_request(&mut self, call: Call) {
        let Call { request, reply } = call;
        match request {
            Request::Sections { .. }
            | Request::Assets { .. }
            | Request::AssetDetails { .. }
            | Request::Queue(_)
            | Request::FailureGroups
            | Request::Events { .. } => self.spawn_query(request, reply),
            Request::TestTarget { .. }
            | Request::AddDestination { .. }
            | Request::AddSource { .. }
            | Request::Consent { .. } => self.resolve_paths(request, reply).await,
            Request::TestDestination { .. }
            | Request::SetSecret { .. }
            | Request::SetNetwork(_)
            | Request::SetProxySecret { .. }
            | Request::RestoreFromTrash(_)
            | Request::Verify { .. }
            | Request::Reconnect { .. }
            | Request::Restore(_)
            | Request::Drives
            | Request::FolderSpace { .. }
            | Request::RestoreOverview { .. }
            | Request::MeasureRestore { .. } => self.start_operation(request, reply),
            command => {
                reply.send(self.execute(command).await).ok();
            }
        }
    }

    /// Starts what takes its time and answers by itself.
    fn start_operation(&mut self, request: Request, reply: ReplyTo) {
        let parts = parts!(self);
        match request {
            Request::TestDestination { id } => destinations::spawn_retest(parts, DestinationId(id), reply),
            Request::SetSecret { id, secret } => {
                secrets::spawn_set_secret(parts, DestinationId(id), secret.into_inner(), reply);
            }
            Request::SetNetwork(network) => settings::spawn_set_network(parts, network, reply),
            Request::SetProxySecret { secret } => {
                settings::spawn_set_proxy_secret(parts, &self.network, secret.into_inner(), reply);
            }
            Request::RestoreFromTrash(selection) => queue::spawn_untrash(parts, selection, reply),
            Request::Verify { destination, deep } => {
                operations::spawn_verify(parts, &mut self.operations, destination, deep, reply);
            }
            Request::Restore(order) => {
                operations::spawn_restore(parts, &mut self.operations, &order, reply);
            }
            Request::Reconnect { id } => destinations::spawn_reconnect(parts, DestinationId(id), reply),
            Request::Drives => drives::spawn_drives(parts, reply),
            Request::FolderSpace { path } => drives::spawn_folder_space(parts, &path, reply),
            Request::RestoreOverview { destination } => {
                restores::spawn_overview(parts, DestinationId(destination), reply);
            }
            Request::MeasureRestore { destination, scope } => {
                restores::spawn_measure(parts, DestinationId(destination), scope, reply);
            }
            other => drop(reply.send(Err(not_this_way(&other)))),
        }
    }

    /// Carries out what is done at once.
    async fn execute(&mut self, request: Request) -> Outcome {
        let parts = parts!(self);
        match request {
            Request::Subscribe => Ok(Reply::Done),
            Request::Snapshot => {
                self.snapshot.refresh(view!(self)).await;
                Ok(Reply::Snapshot(Box::new(self.snapshot.snapshot().clone())))
            }
            Request::RemoveSource { id } => sources::remove_source(parts, SourceId(id)).await,
            Request::Rescan { id } => {
                self.library.rescan(id.map(SourceId));
                Ok(Reply::Done)
            }
            Request::RemoveDestination { id } => {
                destinations::remove_destination(parts, &mut self.setup, DestinationId(id)).await
            }
            Request::CheckDestination { id } => destinations::check_destination(parts, DestinationId(id)),
            Request::RenameDestination { id, name } => {
                destinations::rename_destination(parts, DestinationId(id), &name).await
            }
            Request::EnableDestination { id, enabled } => {
                destinations::enable_destination(parts, DestinationId(id), enabled).await
            }
            Request::SetChecksumTrust { id, trusted } => {
                destinations::set_checksum_trust(parts, DestinationId(id), trusted).await
            }
            Request::SetBackup { on } => settings::set_backup(parts, &mut self.switch, on).await,
            Request::Pause { for_secs } => {
                let now = parts.context.wall();
                let until = for_secs.map(|secs| now.plus(std::time::Duration::from_secs(secs)));
                settings::set_paused(parts, &mut self.switch, true, until).await;
                Ok(Reply::Done)
            }
            Request::Resume => {
                settings::set_paused(parts, &mut self.switch, false, None).await;
                Ok(Reply::Done)
            }
            Request::SetRules(rules) => settings::set_rules(parts, &mut self.gates, rules).await,
            Request::Retry(selection) => queue::retry(parts, selection).await,
            Request::Exclude(selection) => queue::exclude(parts, selection).await,
            Request::Include(selection) => queue::include(parts, selection).await,
            Request::StartRestore(order) => {
                self.restores.start_restore(parts, &mut self.operations, order).await
            }
            Request::ChangeRestore { id, action } => {
                self.restores.change_restore(parts, &mut self.operations, id, action).await
            }
            Request::RaiseWindow => {
                Ok(Reply::Raised { was_open: self.context.send_event(Event::RaiseWindow) > 0 })
            }
            Request::Shutdown => {
                self.is_stopping = true;
                Ok(Reply::Done)
            }
            other => Err(not_this_way(&other)),
        }
    }

    /// Finds out where all paths lead that a request may touch; [`Self::on_paths_resolved`] goes on with
    /// it.
    async fn resolve_paths(&mut self, request: Request, reply: ReplyTo) {
        let request = match request {
            Request::TestTarget { target, allow_http, secret, trust_checksum } => {
                PathRequest::Test { target, entered: EnteredOptions::new(allow_http, secret, trust_checksum) }
            }
            Request::AddDestination { target, name, allow_http, consent_all, secret, trust_checksum } => {
                let entered = EnteredOptions::new(allow_http, secret, trust_checksum);
                PathRequest::Destination { target, name, entered, consent_all }
            }
            Request::AddSource { path, consent_all } => PathRequest::Source { path, consent_all },
            Request::Consent { sources, destination } => PathRequest::Consent {
                sources: sources.into_iter().map(SourceId).collect(),
                destination: DestinationId(destination),
            },
            other => return drop(reply.send(Err(not_this_way(&other)))),
        };
        let sources = match self.context.store.read(|r| r.sources()).await {
            Ok(sources) => sources,
            Err(error) => return drop(reply.send(Err(internal(&error)))),
        };
        let mut paths = self.workers.folder_paths(|_| true);
        paths.extend(sources.into_iter().map(|row| row.path));
        paths.extend(request.folder());
        let resolver = self.resolver.clone();
        self.tasks.spawn_or(TaskEnd::Lost("a look at a folder".to_owned()), async move {
            TaskEnd::PathsResolved(Box::new(resolve_for(&resolver, paths, request, reply).await))
        });
    }

    /// Goes on with a request whose paths are known.
    pub(super) async fn on_paths_resolved(&mut self, resolved: PathsResolved) {
        let PathsResolved { request, places, source, is_silent, reply } = resolved;
        self.disks.extend(places.disks());
        let parts = parts!(self);
        let outcome = match request {
            PathRequest::Source { path, consent_all } => {
                let looked = source.unwrap_or_else(|| Err(usage("the path is not valid")));
                sources::add_source(parts, &path, looked, consent_all, &places).await
            }
            PathRequest::Consent { sources, destination } => {
                sources::consent(parts, &sources, vec![destination], &places).await
            }
            PathRequest::Test { target, .. } | PathRequest::Destination { target, .. } if is_silent => {
                Err(no_answer(ErrorKind::Destination, &target.path))
            }
            PathRequest::Test { target, entered } => match source_paths(parts).await {
                Ok(sources) => {
                    let around = (&sources[..], &places);
                    return destinations::spawn_test(parts, &self.disks, &target, entered, around, reply);
                }
                Err(error) => Err(error),
            },
            PathRequest::Destination { target, name, entered, consent_all } => {
                match source_paths(parts).await {
                    Ok(sources) => {
                        let order = DestinationOrder { name, entered, consent_all };
                        let around = (&sources[..], places);
                        return destinations::spawn_add(
                            parts,
                            &mut self.setup,
                            &target,
                            order,
                            around,
                            reply,
                        );
                    }
                    Err(error) => Err(error),
                }
            }
        };
        reply.send(outcome).ok();
    }

    fn spawn_query(&mut self, request: Request, reply: ReplyTo) {
        let (store, context) = (self.context.store.clone(), self.query_context());
        self.tasks.spawn(async move {
            reply.send(queries::answer(&store, request, context).await).ok();
            TaskEnd::Answered
        });
    }

    /// What rows must show that the store cannot know.
    fn query_context(&self) -> QueryContext {
        let app_wait = self.switch.wait_reason().or_else(|| self.outage.wait_reason());
        QueryContext::new(self.context.wall(), app_wait, &self.workers, self.snapshot.snapshot())
    }
}

/// The paths of all sources.
async fn source_paths(parts: &Parts<'_>) -> Result<Vec<Vec<u8>>, ApiError> {
    let sources = parts.context.store.read(|r| r.sources()).await.map_err(|error| internal(&error))?;
    Ok(sources.into_iter().map(|row| row.path).collect())
}

fn not_this_way(request: &Request) -> ApiError {
    ApiError::new(ErrorKind::Internal, format!("{request:?} is answered elsewhere"))
}
