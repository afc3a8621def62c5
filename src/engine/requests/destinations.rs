//! Adding, changing and removing destinations.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{ApiError, ErrorKind, PathText, Reply};
use crate::base::files::path_bytes;
use crate::base::mutant::{self, Mutant};
use crate::destination::SharedDestination;
use crate::destination::connect::Address;
use crate::destination::connect::canonical;
use crate::domain::ids::DestinationId;
use crate::domain::messages::SAME_DISK;
use crate::domain::target::{DestinationKind, NAME_LEN_MAX, Target, is_valid_name};
use crate::engine::destination::address::stored_address;
use crate::engine::destination::reconnect::reconnect;
use crate::engine::destination::report::report;
use crate::engine::destination::worker::Worker;
use crate::engine::destination::worker_tasks::WorkerEnd;
use crate::engine::destination::workers::Workers;
use crate::engine::parts::Parts;
use crate::engine::path_resolver::{DiskMap, ResolvedPaths, trim_slashes};
use crate::engine::reply::{Outcome, ReplyTo, bytes_of, internal, no_such_destination, usage};
use crate::engine::requests::sources::overlaps;
use crate::engine::setup::entered_options::EnteredOptions;
use crate::engine::setup::removals::Removals;
use crate::engine::setup::tested_destination::{TestedDestination, create};
use crate::engine::task_set::TaskEnd;
use crate::store::NewDestination;

/// What is said of a name that cannot be one.
const BAD_NAME: &str = "A name has 1 to 40 characters, without /, \\ or :, and doesn't start with - or a dot";

/// How a destination is to be added.
pub(crate) struct DestinationOrder {
    pub name: Option<String>,
    pub entered: EnteredOptions,
    pub consent_all: bool,
}

/// Destinations that are being added, and those that were removed lately.
#[derive(Debug, Default)]
pub(crate) struct DestinationSetup {
    /// One address is set up by one request at a time: setting it up clears what a killed run left
    /// there, which must not be what another request is just using.
    locks: BTreeMap<Vec<u8>, Arc<Mutex<()>>>,
    removals: Removals,
}

impl DestinationSetup {
    fn lock_of(&mut self, address: &Address, resolved: &ResolvedPaths) -> Arc<Mutex<()>> {
        let key = match address.kind {
            DestinationKind::Folder => path_bytes(&resolved.target_of(&address.address)),
            _ => address.address.clone(),
        };
        self.locks.retain(|_key, lock| Arc::strong_count(lock) > 1);
        Arc::clone(self.locks.entry(key).or_default())
    }
}

/// Switches a destination on or off.
///
/// # Errors
/// When there is none, or the store fails.
pub(crate) async fn enable_destination(
    parts: &mut Parts<'_>,
    id: DestinationId,
    is_enabled: bool,
) -> Outcome {
    let worker = parts.worker(id)?;
    if !mutant::is(Mutant::IgnoresDisable) {
        worker.stop_transfers();
    }
    let name = worker.row().name.clone();
    let work = parts.context.store.write_durably(move |tx| {
        if is_enabled {
            tx.add_event("destination_enabled", &format!("{name} was switched on"))?;
            tx.enable_destination(id)?;
        } else {
            tx.add_event("destination_disabled", &format!("{name} was switched off"))?;
            tx.disable_destination(id)?;
        }
        tx.destination(id)
    });
    if let Some(row) = work.await.map_err(|e| internal(&e))? {
        parts.worker(id)?.set_row(row);
    }
    parts.update_digests_wanted();
    parts.context.mirror().await;
    parts.workers.call_all_extensions();
    Ok(Reply::Done)
}

/// Uses a destination now that could not be used, once a check of it passes.
///
/// # Errors
/// When there is none.
pub(crate) fn check_destination(parts: &mut Parts<'_>, id: DestinationId) -> Outcome {
    let wall = parts.context.wall();
    let worker = parts.worker(id)?;
    worker.request_check();
    worker.retry_unreachable(wall);
    worker.call_at_once(Instant::now());
    Ok(Reply::Done)
}

/// Renames a destination.
///
/// # Errors
/// When there is none, the name cannot be one or is taken, or the store fails.
pub(crate) async fn rename_destination(parts: &mut Parts<'_>, id: DestinationId, name: &str) -> Outcome {
    let old = parts.worker(id)?.row().name.clone();
    let name = name.trim().to_owned();
    if !is_valid_name(&name) {
        return Err(usage(BAD_NAME));
    }
    if old.to_lowercase() != name.to_lowercase() && parts.workers.has_name(&name) {
        return Err(usage(format!("There is already a destination called {name}")));
    }
    let work = parts.context.store.write_durably(move |tx| {
        tx.add_event("destination_renamed", &format!("{old} is now called {name}"))?;
        tx.rename_destination(id, &name)?;
        tx.destination(id)
    });
    if let Some(row) = work.await.map_err(|e| internal(&e))? {
        let context = parts.context;
        let worker = parts.worker(id)?;
        worker.set_row(row);
        // A server's password may stand in a variable that is called after it.
        if !worker.is_folder() {
            worker.reopen(context);
        }
    }
    parts.context.mirror().await;
    Ok(Reply::Done)
}

/// Removes a destination. The copies there stay.
///
/// # Errors
/// When there is none, or the store fails.
pub(crate) async fn remove_destination(
    parts: &mut Parts<'_>,
    setup: &mut DestinationSetup,
    id: DestinationId,
) -> Outcome {
    let mut worker = parts.workers.remove(id).ok_or_else(no_such_destination)?;
    worker.stop_transfers();
    setup.removals.note(worker.row().uuid.clone());
    let removed = parts.context.store.write_durably(move |tx| tx.remove_destination(id)).await;
    removed.map_err(|e| internal(&e))?;
    parts.update_digests_wanted();
    parts.context.mirror().await;
    // The keyring may be locked and take its time; nobody waits for it.
    let (context, address) = (parts.context.clone(), stored_address(worker.row()));
    parts.tasks.spawn(async move {
        context.deps.connect.forget_secret(&address).await;
        TaskEnd::Answered
    });
    Ok(Reply::Done)
}

/// Lets the server's checksum count as proof, or no longer: what was proved so before stays proved under
/// that name, and is read back.
///
/// # Errors
/// When there is no such destination, it has no such choice, or the store fails.
pub(crate) async fn set_checksum_trust(
    parts: &mut Parts<'_>,
    id: DestinationId,
    is_trusted: bool,
) -> Outcome {
    let row = parts.worker(id)?.row();
    let name = row.name.clone();
    if !row.kind.has_checksum_choice() {
        return Err(usage(format!("{name} is verified in its own way; there is nothing to choose")));
    }
    let work = parts.context.store.write_durably(move |tx| {
        let text = if is_trusted {
            format!("The server's checksum counts as proof at {name}, as you chose")
        } else {
            format!("Copies at {name} are read back, as you chose")
        };
        tx.add_event("checksum_trust", &text)?;
        tx.set_checksum_trust(id, is_trusted)?;
        tx.destination(id)
    });
    if let Some(row) = work.await.map_err(|e| internal(&e))? {
        let context = parts.context;
        let worker = parts.worker(id)?;
        worker.set_row(row);
        worker.on_proof_changed(context);
    }
    parts.context.mirror().await;
    parts.workers.call_all_extensions();
    Ok(Reply::Done)
}

/// Tries a saved destination, and finds out again what it can do.
pub(crate) fn spawn_retest(parts: &mut Parts<'_>, id: DestinationId, reply: ReplyTo) {
    let worker = match parts.worker(id) {
        Ok(worker) => worker,
        Err(error) => return drop(reply.send(Err(error))),
    };
    // What it can do by now is kept too.
    worker.request_probe();
    let address = stored_address(worker.row());
    let destination = worker.destination();
    let context = parts.context.clone();
    parts.tasks.spawn(async move {
        let checked = match destination {
            Ok(destination) => destination.check().await,
            Err(failure) => Err(failure),
        };
        let tested = match checked {
            Ok(()) => context.deps.connect.test(&address).await,
            Err(failure) => Err(failure),
        };
        reply.send(Ok(Reply::Tested(report(tested)))).ok();
        TaskEnd::Answered
    });
}

/// Stops what goes on at a folder's disk and has it unmounted and mounted again.
pub(crate) fn spawn_reconnect(parts: &mut Parts<'_>, id: DestinationId, reply: ReplyTo) {
    let worker = match parts.worker(id) {
        Ok(worker) => worker,
        Err(error) => return drop(reply.send(Err(error))),
    };
    if !worker.begin_reconnect() {
        return drop(reply.send(Err(usage("there is no disk to reconnect now"))));
    }
    let path = crate::base::files::path_from_bytes(&worker.row().address);
    let remount = Arc::clone(&parts.context.deps.remount);
    parts.tasks.spawn(async move {
        reply.send(reconnect(remount, path).await).ok();
        TaskEnd::Worker(WorkerEnd::Reconnected { destination: id })
    });
}

/// Tries a destination that is not saved. `sources` are the photo folders.
pub(crate) fn spawn_test(
    parts: &mut Parts<'_>,
    disks: &DiskMap,
    target: &PathText,
    entered: EnteredOptions,
    (sources, resolved): (&[Vec<u8>], &ResolvedPaths),
    reply: ReplyTo,
) {
    let address = parse_target(target).and_then(|target| address_of(&target, sources, resolved));
    let address = match address {
        Ok(address) => entered.with(address),
        Err(error) => return drop(reply.send(Err(error))),
    };
    let is_on_photos_disk = address.kind == DestinationKind::Folder
        && disks.shares_disk(&address.address, sources.iter().cloned());
    let context = parts.context.clone();
    parts.tasks.spawn(async move {
        let mut report = report(context.deps.connect.test(&address).await);
        if is_on_photos_disk && report.is_usable {
            report.warnings.push(SAME_DISK.to_owned());
        }
        reply.send(Ok(Reply::Tested(report))).ok();
        TaskEnd::Answered
    });
}

/// Sets a new destination up; [`on_destination_tested`] goes on with it. One that is saved already is answered at once.
pub(crate) fn spawn_add(
    parts: &mut Parts<'_>,
    setup: &mut DestinationSetup,
    target: &PathText,
    order: DestinationOrder,
    (sources, resolved): (&[Vec<u8>], ResolvedPaths),
    reply: ReplyTo,
) {
    let DestinationOrder { name, entered, consent_all } = order;
    let target = match parse_target(target) {
        Ok(target) => target,
        Err(error) => return drop(reply.send(Err(error))),
    };
    if let Some(worker) = find_saved(parts.workers, &target, &resolved) {
        let (id, name) = (worker.id().0, worker.row().name.clone());
        return drop(reply.send(Ok(Reply::Destination { id, name, is_new: false })));
    }
    let named = address_of(&target, sources, &resolved).and_then(|address| {
        let name = new_name(parts.workers, name, &address)?;
        Ok((name.clone(), Address { name: Some(name), ..entered.with(address) }))
    });
    let (name, address) = match named {
        Ok(named) => named,
        Err(error) => return drop(reply.send(Err(error))),
    };
    let trusts_checksum = address.trusts_checksum;
    let asked = setup.removals.next_number();
    let lock = setup.lock_of(&address, &resolved);
    let context = parts.context.clone();
    parts.tasks.spawn(async move {
        let outcome = create(&context, name, address, &lock).await;
        let tested = TestedDestination { outcome, consent_all, trusts_checksum, resolved, asked, reply };
        TaskEnd::DestinationTested(Box::new(tested))
    });
}

/// A destination that was tried is saved and switched on.
pub(crate) async fn on_destination_tested(
    parts: &mut Parts<'_>,
    setup: &DestinationSetup,
    tested: TestedDestination,
) {
    let TestedDestination { outcome, consent_all, trusts_checksum, resolved, asked, reply } = tested;
    let saved = match outcome {
        // Two requests for one place, and the person took it out before the second was done.
        Ok((new, _)) if setup.removals.has_after(&new.capabilities.uuid, asked) => {
            Err(usage("This destination was removed while it was being added"))
        }
        Ok((new, destination)) => {
            save_destination(parts, new, destination, (consent_all, trusts_checksum), &resolved).await
        }
        Err(error) => Err(error),
    };
    reply.send(saved).ok();
}

async fn save_destination(
    parts: &mut Parts<'_>,
    mut new: NewDestination,
    destination: SharedDestination,
    (consent_all, trusts_checksum): (bool, bool),
    resolved: &ResolvedPaths,
) -> Outcome {
    // The same disk at another address is the same destination.
    if let Some(known) = parts.workers.iter().find(|worker| worker.row().uuid == new.capabilities.uuid) {
        let row = known.row();
        // Two requests at once for one place: the other came first.
        if row.kind == new.kind && resolved.target_of(&row.address) == resolved.target_of(&new.address) {
            return Ok(Reply::Destination { id: row.id.0, name: row.name.clone(), is_new: false });
        }
        return Err(usage(format!("this is already the destination {}", row.name)));
    }
    // While it was being tried, another may have taken its name.
    if parts.workers.has_name(&new.name) {
        let address = Address::new(new.kind, new.address.clone());
        new.name = new_name(parts.workers, None, &address)?;
    }
    let name = new.name.clone();
    let written = parts.context.store.write_durably(move |tx| {
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
    });
    let Some(row) = written.await.map_err(|e| internal(&e))? else {
        return Err(ApiError::new(ErrorKind::Internal, "the destination was not saved"));
    };
    let id = row.id;
    parts.workers.insert(Worker::new(row, Ok(destination), &parts.context.deps, Instant::now()));
    parts.update_digests_wanted();
    parts.context.mirror().await;
    Ok(Reply::Destination { id: id.0, name, is_new: true })
}

fn parse_target(target: &PathText) -> Result<Target, ApiError> {
    Target::parse(&bytes_of(target)?).map_err(|bad| usage(bad.to_string()))
}

/// The destination that a person's words name already.
fn find_saved<'a>(workers: &'a Workers, target: &Target, resolved: &ResolvedPaths) -> Option<&'a Worker> {
    workers.iter().find(|worker| match target {
        Target::NameOrPath(name) => worker.row().name == *name,
        Target::Folder(path) => {
            worker.is_folder()
                && resolved.target_of(&worker.row().address)
                    == resolved.target_of(&trim_slashes(path.clone()))
        }
        Target::Url { kind, url } => {
            canonical(*kind, url).is_ok_and(|text| worker.row().address == text.as_bytes())
        }
    })
}

/// The address that a person's words stand for.
fn address_of(target: &Target, sources: &[Vec<u8>], resolved: &ResolvedPaths) -> Result<Address, ApiError> {
    match target {
        Target::Folder(path) if path.first() == Some(&b'/') => {
            let address = Address::new(DestinationKind::Folder, trim_slashes(path.clone()));
            let folder = resolved.target_of(&address.address);
            if sources.iter().any(|source| overlaps(&resolved.target_of(source), &folder)) {
                return Err(usage(
                    "The backup folder can't be inside a photo folder, nor a photo folder inside it",
                ));
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

/// The name a new destination gets: the person's, or one made of its address.
fn new_name(workers: &Workers, name: Option<String>, address: &Address) -> Result<String, ApiError> {
    if let Some(name) = name {
        return if !is_valid_name(&name) {
            Err(usage(BAD_NAME))
        } else if workers.has_name(&name) {
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
    let free = std::iter::once(base.clone()).chain(numbered).find(|name| !workers.has_name(name));
    free.ok_or_else(|| usage("no name is free"))
}

/// A sentence as it begins one.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
