//! Adding and removing sources and destinations, and the person's consent.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::api::{ApiError, ErrorKind, PathText, Reply};
use crate::base::files::path_bytes;
use crate::base::mutant::{self, Mutant};
use crate::destination::address::canonical;
use crate::destination::connect::Address;
use crate::domain::ids::{DestinationId, SourceId};
use crate::domain::messages::SAME_DISK;
use crate::domain::target::{DestinationKind, NAME_LEN_MAX, Target, is_valid_name};
use crate::engine::conditions::system_events::mount_of;
use crate::engine::destination::worker::{Worker, job_limit};
use crate::engine::path_resolver::{ResolvedPaths, trim_slashes};
use crate::engine::requests::queries::Context;
use crate::engine::requests::report::report;
use crate::engine::requests::secrets::EnteredOptions;
use crate::engine::requests::{Outcome, TestedDestination, bytes_of, internal, refused, usage};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::TaskEnd;
use crate::store::{DestinationRow, NewDestination, QueueContext};

/// How a destination is to be added.
pub(crate) struct DestinationOrder {
    pub name: Option<String>,
    pub entered: EnteredOptions,
    pub consent_all: bool,
}

/// Where a saved destination is.
pub(crate) fn address_of(row: &DestinationRow) -> Address {
    Address {
        name: Some(row.name.clone()),
        capabilities: Some(row.capabilities.clone()),
        trusts_checksum: row.trusts_checksum || mutant::is(Mutant::TrustsUnasked),
        ..Address::new(row.kind, row.address.clone())
    }
}

/// Whether one path is the other or below it.
fn overlaps(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// What is said of a name that cannot be one.
const BAD_NAME: &str = "A name has 1 to 40 characters, without /, \\ or :, and doesn't start with - or a dot";

impl Supervisor {
    /// Keeps `config.json` true. A failure costs nothing now and is only noted.
    pub(crate) async fn mirror(&mut self) {
        if let Err(error) = crate::store::mirror::save(&self.store, &self.deps.data_dir).await {
            tracing::warn!(%error, "config.json was not written");
        }
    }

    /// Tells the library what the enabled destinations want of a file's digests.
    pub(crate) fn tell_digests_wanted(&self) {
        let enabled = self.workers.values().map(|worker| &worker.row).filter(|row| row.is_enabled);
        self.library.set_digests_wanted(enabled.map(|row| (row.kind, row.capabilities.clone())).collect());
    }

    /// What rows must show that the store cannot know.
    pub(crate) fn query_context(&self) -> Context {
        let obstacles =
            self.workers.values().filter_map(|worker| Some((worker.id(), worker.proof_obstacle()?)));
        let waits = self.workers.values().filter_map(|worker| Some((worker.id(), worker.wait_reason()?)));
        let queue = QueueContext {
            now: self.deps.clock.now(),
            app_wait: self.app_wait(),
            destination_wait: waits.collect(),
            proof_obstacle: obstacles.collect(),
            sent: self.workers.values().flat_map(|worker| worker.sent()).collect(),
            revision: self.snapshot.queue_revision,
        };
        Context { queue, library_revision: self.snapshot.library_revision }
    }

    pub(crate) async fn add_source(
        &mut self,
        path: &PathText,
        looked: Result<String, ApiError>,
        consent_all: bool,
        places: &ResolvedPaths,
    ) -> Outcome {
        let bytes = trim_slashes(bytes_of(path)?);
        if bytes.first() != Some(&b'/') {
            return Err(usage("a source is an absolute path"));
        }
        let all: Vec<DestinationId> = self.workers.keys().copied().filter(|_| consent_all).collect();
        let known = self.store.read({
            let bytes = bytes.clone();
            move |r| r.source_at(&bytes)
        });
        if let Some(id) = known.await.map_err(|e| internal(&e))? {
            if consent_all {
                self.consent(&[id], all, places).await?;
            }
            return Ok(Reply::Source { id: id.0, is_new: false });
        }
        let file_system = looked?;
        self.refuse_overlap(&bytes, places)?;
        // At once with the consent: a kill in between would leave a folder that goes nowhere.
        let added = self.store.write_durably(move |tx| {
            let id = tx.add_source(&bytes, &file_system)?;
            for destination in all {
                tx.add_consent(id, destination)?;
            }
            Ok(id)
        });
        let id = added.await.map_err(|e| internal(&e))?;
        self.library.refresh_sources();
        self.library.rescan(Some(id));
        self.mirror().await;
        self.call_all_extensions();
        Ok(Reply::Source { id: id.0, is_new: true })
    }

    /// A folder cannot be backed up into itself.
    fn refuse_overlap(&self, source: &[u8], places: &ResolvedPaths) -> Result<(), ApiError> {
        let source = places.of(source);
        for worker in self.workers.values().filter(|worker| worker.row.kind == DestinationKind::Folder) {
            if overlaps(&source, &places.of(&worker.row.address)) {
                return Err(usage(format!(
                    "The backup folder {} can't be inside a photo folder, nor a photo folder inside it",
                    worker.row.name
                )));
            }
        }
        Ok(())
    }

    pub(crate) async fn remove_source(&mut self, id: SourceId) -> Outcome {
        for worker in self.workers.values() {
            for transfer in worker.running.values().filter(|transfer| transfer.started.source == id) {
                transfer.monitor.cancel.cancel();
            }
        }
        self.store.write_durably(move |tx| tx.remove_source(id)).await.map_err(|e| internal(&e))?;
        self.library.refresh_sources();
        self.mirror().await;
        self.call_all_extensions();
        Ok(Reply::Done)
    }

    pub(crate) async fn consent(
        &mut self,
        sources: &[SourceId],
        destinations: Vec<DestinationId>,
        places: &ResolvedPaths,
    ) -> Outcome {
        if !destinations.iter().all(|id| self.workers.contains_key(id)) {
            return Err(usage("there is no such destination"));
        }
        let known = self.store.read(|r| r.sources()).await.map_err(|e| internal(&e))?;
        for source in sources {
            let Some(row) = known.iter().find(|row| row.id == *source) else {
                return Err(usage("there is no such source"));
            };
            self.refuse_overlap(&row.path, places)?;
        }
        let sources = sources.to_vec();
        self.store
            .write_durably(move |tx| {
                for source in sources {
                    for destination in &destinations {
                        tx.add_consent(source, *destination)?;
                    }
                }
                Ok(())
            })
            .await
            .map_err(|e| internal(&e))?;
        self.mirror().await;
        self.call_all_extensions();
        Ok(Reply::Done)
    }

    pub(crate) async fn enable_destination(&mut self, id: DestinationId, enabled: bool) -> Outcome {
        let Some(worker) = self.workers.get_mut(&id) else {
            return Err(usage("there is no such destination"));
        };
        if !mutant::is(Mutant::IgnoresDisable) {
            worker.stop_transfers();
        }
        let name = worker.row.name.clone();
        let work = self.store.write_durably(move |tx| {
            if enabled {
                tx.add_event("destination_enabled", &format!("{name} was switched on"))?;
                tx.enable_destination(id)?;
            } else {
                tx.add_event("destination_disabled", &format!("{name} was switched off"))?;
                tx.disable_destination(id)?;
            }
            tx.destination(id)
        });
        if let Some(row) = work.await.map_err(|e| internal(&e))?
            && let Some(worker) = self.workers.get_mut(&id)
        {
            worker.row = Arc::new(row);
        }
        self.tell_digests_wanted();
        self.mirror().await;
        self.call_all_extensions();
        Ok(Reply::Done)
    }

    /// Renames a destination.
    pub(crate) async fn rename_destination(&mut self, id: DestinationId, name: String) -> Outcome {
        let Some(worker) = self.workers.get(&id) else {
            return Err(usage("there is no such destination"));
        };
        let name = name.trim().to_owned();
        let old = worker.row.name.clone();
        if !is_valid_name(&name) {
            return Err(usage(BAD_NAME));
        }
        if old.to_lowercase() != name.to_lowercase() && self.is_name_taken(&name) {
            return Err(usage(format!("There is already a destination called {name}")));
        }
        let work = self.store.write_durably(move |tx| {
            tx.add_event("destination_renamed", &format!("{old} is now called {name}"))?;
            tx.rename_destination(id, &name)?;
            tx.destination(id)
        });
        if let Some(row) = work.await.map_err(|e| internal(&e))?
            && let Some(worker) = self.workers.get_mut(&id)
        {
            // A server's password may stand in a variable that is called after it.
            if row.kind != DestinationKind::Folder {
                worker.destination = self.deps.connect.open(&address_of(&row), &self.installation.uuid);
            }
            worker.row = Arc::new(row);
        }
        self.mirror().await;
        Ok(Reply::Done)
    }

    pub(crate) async fn remove_destination(&mut self, id: DestinationId) -> Outcome {
        let Some(mut worker) = self.workers.remove(&id) else {
            return Err(usage("there is no such destination"));
        };
        worker.stop_transfers();
        self.removals.note(worker.row.uuid.clone());
        self.store.write_durably(move |tx| tx.remove_destination(id)).await.map_err(|e| internal(&e))?;
        self.tell_digests_wanted();
        self.mirror().await;
        self.spawn_forget_secret(address_of(&worker.row));
        Ok(Reply::Done)
    }

    /// The destination that a person's words name already.
    fn saved(&self, target: &Target, places: &ResolvedPaths) -> Option<&Worker> {
        self.workers.values().find(|worker| match target {
            Target::NameOrPath(name) => worker.row.name == *name,
            Target::Folder(path) => {
                worker.row.kind == DestinationKind::Folder
                    && places.of(&worker.row.address) == places.of(&trim_slashes(path.clone()))
            }
            Target::Url { kind, url } => {
                canonical(*kind, url).is_ok_and(|text| worker.row.address == text.as_bytes())
            }
        })
    }

    fn address(&self, target: &Target, places: &ResolvedPaths) -> Result<Address, ApiError> {
        match target {
            Target::Folder(path) if path.first() == Some(&b'/') => {
                let address = Address::new(DestinationKind::Folder, trim_slashes(path.clone()));
                let folder = places.of(&address.address);
                for source in &self.snapshot.sources {
                    let source = bytes_of(&source.path)?;
                    if overlaps(&places.of(&source), &folder) {
                        return Err(usage(
                            "The backup folder can't be inside a photo folder, nor a photo folder inside it",
                        ));
                    }
                }
                Ok(address)
            }
            Target::Folder(_) => Err(usage("a backup folder is an absolute path")),
            Target::NameOrPath(name) => Err(usage(format!("there is no destination called {name}"))),
            Target::Url { kind, url } => {
                let text = canonical(*kind, url).map_err(|failure| usage(capitalised(&failure.details)))?;
                Ok(Address::new(*kind, text.into_bytes()))
            }
        }
    }

    pub(crate) async fn spawn_test(
        &mut self,
        target: &PathText,
        entered: EnteredOptions,
        places: &ResolvedPaths,
        reply: oneshot::Sender<Outcome>,
    ) {
        self.refresh_snapshot().await;
        let address = bytes_of(target)
            .and_then(|bytes| Target::parse(&bytes).map_err(|bad| usage(bad.to_string())))
            .and_then(|target| self.address(&target, places))
            .map(|address| entered.with(address));
        let sources = self.snapshot.sources.iter().filter_map(|source| source.path.to_bytes());
        let is_on_photos_disk = address.as_ref().is_ok_and(|address| {
            address.kind == DestinationKind::Folder && self.is_on_disk_of(&address.address, sources)
        });
        let deps = self.deps.clone();
        self.tasks.spawn(async move {
            let outcome = match address {
                Ok(address) => {
                    let mut report = report(deps.connect.test(&address).await);
                    if is_on_photos_disk && report.is_usable {
                        report.warnings.push(SAME_DISK.to_owned());
                    }
                    Ok(Reply::Tested(report))
                }
                Err(error) => Err(error),
            };
            reply.send(outcome).ok();
            TaskEnd::Answered
        });
    }

    pub(crate) async fn prepare_destination(
        &mut self,
        target: &PathText,
        order: DestinationOrder,
        places: ResolvedPaths,
        reply: oneshot::Sender<Outcome>,
    ) {
        self.refresh_snapshot().await;
        let DestinationOrder { name, entered, consent_all } = order;
        let found =
            bytes_of(target).and_then(|bytes| Target::parse(&bytes).map_err(|bad| usage(bad.to_string())));
        let target = match found {
            Ok(target) => target,
            Err(error) => {
                reply.send(Err(error)).ok();
                return;
            }
        };
        if let Some(worker) = self.saved(&target, &places) {
            let known =
                Reply::Destination { id: worker.id().0, name: worker.row.name.clone(), is_new: false };
            reply.send(Ok(known)).ok();
            return;
        }
        let address = self.address(&target, &places).and_then(|address| {
            let name = self.new_name(name, &address)?;
            Ok((name.clone(), Address { name: Some(name), ..entered.with(address) }))
        });
        let trusts_checksum = address.as_ref().is_ok_and(|(_name, address)| address.trusts_checksum);
        let (deps, installation) = (self.deps.clone(), self.installation.uuid.clone());
        let asked = self.removals.turn();
        let turn = address.as_ref().ok().map(|(_name, address)| self.turn_at(address, &places));
        self.tasks.spawn(async move {
            let _alone = match &turn {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            let outcome = match address {
                Ok((name, address)) => match deps.connect.create(&address, &installation).await {
                    Ok((destination, capabilities)) => {
                        let Address { kind, address, .. } = address;
                        let new =
                            NewDestination { name, kind, address, capabilities, job_limit: job_limit() };
                        Ok((new, destination))
                    }
                    Err(failure) => Err(refused(&failure)),
                },
                Err(error) => Err(error),
            };
            TaskEnd::TestedDestination(Box::new(TestedDestination {
                outcome,
                consent_all,
                trusts_checksum,
                places,
                asked,
                reply,
            }))
        });
    }

    /// One place is set up by one request at a time: setting it up clears what a killed run left
    /// there, which must not be what another request is just using.
    fn turn_at(&mut self, address: &Address, places: &ResolvedPaths) -> Arc<tokio::sync::Mutex<()>> {
        let place = match address.kind {
            DestinationKind::Folder => path_bytes(&places.of(&address.address)),
            _ => address.address.clone(),
        };
        self.setting_up.retain(|_place, turn| Arc::strong_count(turn) > 1);
        Arc::clone(self.setting_up.entry(place).or_default())
    }

    fn is_name_taken(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.workers.values().any(|worker| worker.row.name.to_lowercase() == name)
    }

    /// The name a new destination gets: the person's, or one made of its address.
    fn new_name(&self, name: Option<String>, address: &Address) -> Result<String, ApiError> {
        let is_taken = |name: &str| self.is_name_taken(name);
        if let Some(name) = name {
            return if !is_valid_name(&name) {
                Err(usage(BAD_NAME))
            } else if is_taken(&name) {
                Err(usage(format!("a destination called {name} already exists")))
            } else {
                Ok(name)
            };
        }
        let whole = String::from_utf8_lossy(&address.address).into_owned();
        // Options at a URL's end name nothing.
        let is_url = address.kind != DestinationKind::Folder;
        let place = whole.split('?').next().filter(|_place| is_url).unwrap_or(&whole);
        let last = place.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default().to_lowercase();
        let plain: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let plain = plain.trim_matches('-');
        let base = if plain.is_empty() { address.kind.as_str() } else { plain };
        let base: String = base.chars().take(NAME_LEN_MAX - 4).collect();
        let numbered = (2..).map(|n| format!("{base}-{n}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !is_taken(name));
        free.ok_or_else(|| usage("no name is free"))
    }

    /// A destination that was tried is saved, switched on, and its extension called.
    pub(crate) async fn on_destination_tested(&mut self, prepared: TestedDestination) {
        let TestedDestination { outcome, consent_all, trusts_checksum, places, asked, reply } = prepared;
        let saved = match outcome {
            // Two requests for one place, and the person took it out before the second was done.
            Ok((new, _)) if self.removals.has_after(&new.capabilities.uuid, asked) => {
                Err(usage("This destination was removed while it was being added"))
            }
            Ok((new, destination)) => {
                self.save_destination(new, destination, (consent_all, trusts_checksum), &places).await
            }
            Err(error) => Err(error),
        };
        reply.send(saved).ok();
    }

    async fn save_destination(
        &mut self,
        mut new: NewDestination,
        destination: crate::destination::SharedDestination,
        (consent_all, trusts_checksum): (bool, bool),
        places: &ResolvedPaths,
    ) -> Outcome {
        // The same disk at another address is the same destination.
        if let Some(known) = self.workers.values().find(|worker| worker.row.uuid == new.capabilities.uuid) {
            // Two requests at once for one place: the other came first.
            if known.row.kind == new.kind && places.of(&known.row.address) == places.of(&new.address) {
                let name = known.row.name.clone();
                return Ok(Reply::Destination { id: known.id().0, name, is_new: false });
            }
            return Err(usage(format!("this is already the destination {}", known.row.name)));
        }
        // While it was being tried, another may have taken its name.
        if self.is_name_taken(&new.name) {
            let address = Address::new(new.kind, new.address.clone());
            new.name = self.new_name(None, &address)?;
        }
        let name = new.name.clone();
        let row = self
            .store
            .write_durably(move |tx| {
                let id = tx.add_destination(&new)?;
                if trusts_checksum {
                    tx.set_checksum_trust(id, true)?;
                }
                if consent_all {
                    for source in tx.sources()? {
                        tx.add_consent(source.id, id)?;
                    }
                }
                tx.add_event("destination_added", &format!("{} was added", new.name))?;
                tx.destination(id)
            })
            .await
            .map_err(|e| internal(&e))?;
        let Some(row) = row else {
            return Err(ApiError::new(ErrorKind::Internal, "the destination was not saved"));
        };
        let id = row.id;
        let mut worker = Worker::new(row, Ok(destination), Instant::now());
        worker.mount = mount_of(&self.deps, &worker);
        self.workers.insert(id, worker);
        self.tell_digests_wanted();
        self.mirror().await;
        Ok(Reply::Destination { id: id.0, name, is_new: true })
    }
}

/// A sentence as it begins one.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
