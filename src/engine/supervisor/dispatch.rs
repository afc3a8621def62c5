//! Requests: which part answers which. What changes something is done here, one after the other; what only
//! looks, or takes its time, is a task of its own.

use crate::api::{ApiError, Command, ErrorKind, Event, Operation, Query, Reply, Request};
use crate::domain::ids::{AssetId, DestinationId, SourceId};
use crate::domain::time::Day;
use crate::engine::handle::Call;
use crate::engine::parts::Parts;
use crate::engine::path_resolver::no_answer;
use crate::engine::reply::{ReplyTo, internal, usage};
use crate::engine::requests::destinations::{self, DestinationOrder};
use crate::engine::requests::queries::{self, QueryContext};
use crate::engine::requests::{drives, operations, queue, restores, secrets, settings, sources};
use crate::engine::setup::entered_options::EnteredOptions;
use crate::engine::setup::path_request::{PathRequest, PathsResolved, resolve_for};
use crate::engine::snapshot::View;
use crate::engine::supervisor::{Supervisor, parts, view};
use crate::engine::task_set::TaskEnd;
use crate::store::{Read, StoreError};

impl Supervisor {
    /// Handles a request; the reply may come later.
    pub(super) async fn handle_request(&mut self, call: Call) {
        let Call { request, reply } = call;
        match request {
            Request::Subscribe => drop(reply.send(Ok(Reply::Done))),
            Request::Query(query) => self.answer_query(query, reply).await,
            Request::Command(command) => self.execute(command, reply).await,
            Request::Operation(operation) => self.start_operation(operation, reply).await,
        }
    }

    /// Answers a query, from the snapshot at once or from a task of its own.
    async fn answer_query(&mut self, query: Query, reply: ReplyTo) {
        match query {
            Query::Snapshot => {
                self.snapshot.refresh(view!(self)).await;
                let snapshot = Box::new(self.snapshot.snapshot().clone());
                reply.send(Ok(Reply::Snapshot(snapshot))).ok();
            }
            Query::Drives => drives::spawn_drives(parts!(self), reply),
            Query::FolderSpace { path } => drives::spawn_folder_space(parts!(self), &path, reply),
            Query::MeasureRestore { destination, scope } => {
                restores::spawn_measure(parts!(self), DestinationId(destination), scope, reply);
            }
            Query::Sections { filter } => {
                self.spawn_query(reply, move |r, context| queries::sections(r, context, filter));
            }
            Query::Assets { day, offset, limit, filter } => {
                let rows = (Day(day), offset, limit);
                self.spawn_query(reply, move |r, context| queries::assets(r, context, rows, filter));
            }
            Query::AssetDetails { id } => {
                self.spawn_query(reply, move |r, context| queries::asset_details(r, context, AssetId(id)));
            }
            Query::Queue(query) => {
                self.spawn_query(reply, move |r, context| queries::queue_page(r, context, query));
            }
            Query::FailureGroups => self.spawn_query(reply, |r, _| queries::failure_groups(r)),
            Query::Events { limit } => self.spawn_query(reply, move |r, _| queries::events(r, limit)),
        }
    }

    /// Answers from one consistent state of the database.
    fn spawn_query<Q>(&mut self, reply: ReplyTo, query: Q)
    where
        Q: FnOnce(&Read<'_>, &QueryContext) -> Result<Reply, StoreError> + Send + 'static,
    {
        let (store, context) = (self.context.store.clone(), self.query_context());
        self.tasks.spawn(async move {
            let answer = store.read(move |r| query(r, &context)).await;
            reply.send(answer.map_err(|error| internal(&error))).ok();
            TaskEnd::Answered
        });
    }

    /// Starts work that replies when it is done.
    async fn start_operation(&mut self, operation: Operation, reply: ReplyTo) {
        let parts = parts!(self);
        match operation {
            Operation::TestTarget { target, allow_http, secret, trust_checksum } => {
                let entered = EnteredOptions::new(allow_http, secret, trust_checksum);
                self.resolve_paths(PathRequest::Test { target, entered }, reply).await;
            }
            Operation::TestDestination { id } => destinations::spawn_retest(parts, DestinationId(id), reply),
            Operation::RestoreFromTrash(selection) => queue::spawn_untrash(parts, selection, reply),
            Operation::Verify { destination, deep } => {
                operations::spawn_verify(parts, &mut self.operations, destination, deep, reply);
            }
            Operation::Restore(order) => {
                operations::spawn_restore(parts, &mut self.operations, &order, reply);
            }
            Operation::Reconnect { id } => destinations::spawn_reconnect(parts, DestinationId(id), reply),
            Operation::RestoreOverview { destination } => {
                restores::spawn_overview(parts, DestinationId(destination), reply);
            }
        }
    }

    /// Carries out a command. One that has to look at paths, to ask a server or to wait for the keyring
    /// replies later.
    async fn execute(&mut self, command: Command, reply: ReplyTo) {
        let parts = parts!(self);
        let outcome = match command {
            Command::AddSource { path, consent_all } => {
                return self.resolve_paths(PathRequest::Source { path, consent_all }, reply).await;
            }
            Command::AddDestination { target, name, allow_http, consent_all, secret, trust_checksum } => {
                let entered = EnteredOptions::new(allow_http, secret, trust_checksum);
                let request = PathRequest::Destination { target, name, entered, consent_all };
                return self.resolve_paths(request, reply).await;
            }
            Command::Consent { sources, destination } => {
                return self.resolve_paths(PathRequest::consent(sources, destination), reply).await;
            }
            Command::SetSecret { id, secret } => {
                return secrets::spawn_set_secret(parts, DestinationId(id), secret.into_inner(), reply);
            }
            Command::SetNetwork(network) => return settings::spawn_set_network(parts, network, reply),
            Command::SetProxySecret { secret } => {
                return settings::spawn_set_proxy_secret(parts, &self.network, secret.into_inner(), reply);
            }
            Command::RemoveSource { id } => sources::remove_source(parts, SourceId(id)).await,
            Command::Rescan { id } => {
                self.library.rescan(id.map(SourceId));
                Ok(Reply::Done)
            }
            Command::CheckDestination { id } => destinations::check_destination(parts, DestinationId(id)),
            Command::RenameDestination { id, name } => {
                destinations::rename_destination(parts, DestinationId(id), &name).await
            }
            Command::RemoveDestination { id } => {
                destinations::remove_destination(parts, &mut self.setup, DestinationId(id)).await
            }
            Command::EnableDestination { id, enabled } => {
                destinations::enable_destination(parts, DestinationId(id), enabled).await
            }
            Command::SetChecksumTrust { id, trusted } => {
                destinations::set_checksum_trust(parts, DestinationId(id), trusted).await
            }
            Command::SetBackup { on } => settings::set_backup(parts, &mut self.switch, on).await,
            Command::Pause { for_secs } => settings::pause(parts, &mut self.switch, for_secs).await,
            Command::Resume => settings::resume(parts, &mut self.switch).await,
            Command::SetRules(rules) => settings::set_rules(parts, &mut self.gates, rules).await,
            Command::Retry(selection) => queue::retry(parts, selection).await,
            Command::Exclude(selection) => queue::exclude(parts, selection).await,
            Command::Include(selection) => queue::include(parts, selection).await,
            Command::StartRestore(order) => {
                self.restores.start_restore(parts, &mut self.operations, order).await
            }
            Command::ChangeRestore { id, action } => {
                self.restores.change_restore(parts, &mut self.operations, id, action).await
            }
            Command::RaiseWindow => {
                Ok(Reply::Raised { was_open: self.context.send_event(Event::RaiseWindow) > 0 })
            }
            Command::Shutdown => {
                self.is_stopping = true;
                Ok(Reply::Done)
            }
        };
        reply.send(outcome).ok();
    }

    /// Finds out where all paths lead that a request may touch; [`Self::on_paths_resolved`] goes on with
    /// it.
    async fn resolve_paths(&mut self, request: PathRequest, reply: ReplyTo) {
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
        let PathsResolved { request, resolved, source, is_silent, reply } = resolved;
        self.disks.extend(resolved.disks());
        let parts = parts!(self);
        let outcome = match request {
            PathRequest::Source { path, consent_all } => {
                let looked = source.unwrap_or_else(|| Err(usage("the path is not valid")));
                sources::add_source(parts, &path, looked, consent_all, &resolved).await
            }
            PathRequest::Consent { sources, destination } => {
                sources::consent(parts, &sources, vec![destination], &resolved).await
            }
            PathRequest::Test { target, .. } | PathRequest::Destination { target, .. } if is_silent => {
                Err(no_answer(ErrorKind::Destination, &target.path))
            }
            PathRequest::Test { target, entered } => match source_paths(parts).await {
                Ok(sources) => {
                    let around = (&sources[..], &resolved);
                    return destinations::spawn_test(parts, &self.disks, &target, entered, around, reply);
                }
                Err(error) => Err(error),
            },
            PathRequest::Destination { target, name, entered, consent_all } => {
                match source_paths(parts).await {
                    Ok(sources) => {
                        let order = DestinationOrder { name, entered, consent_all };
                        let around = (&sources[..], resolved);
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
