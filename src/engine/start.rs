//! Starting the engine: open or rebuild the database, take up what an earlier run left, begin.

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Snapshot;
use crate::base::mutant::{self, Mutant};
use crate::engine::conditions::gates::{Gates, Moment};
use crate::engine::conditions::network_config;
use crate::engine::conditions::outage::StoreOutage;
use crate::engine::conditions::system_events::mount_of;
use crate::engine::deps::Deps;
use crate::engine::destination::worker::{FLOOR, Worker};
use crate::engine::handle::{Handle, channel};
use crate::engine::library::{Library, LibraryDeps, LibraryState};
use crate::engine::path_resolver::PathResolver;
use crate::engine::progress::ProgressMeter;
use crate::engine::requests::destinations::address_of;
use crate::engine::snapshot::BadgeThrottle;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::operations::Operations;
use crate::platform::network_fs::network_file_system;
use crate::store::{Opened, Store, StoreError, StoreOptions, Write, mirror};

/// The database's file name in the data folder.
pub const DATABASE_NAME: &str = "safelight.db";

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data folder is on a network file system, where a database's locks cannot be trusted.
    #[error("the data folder is on a network file system ({0}); choose one on this computer with --data-dir")]
    NetworkFileSystem(String),
}

/// Starts the engine on the current runtime. It runs until every handle has gone or a client asks
/// for a shutdown; [`Handle::stopped`] tells when.
///
/// # Errors
/// When the database is of a newer release, or cannot be read or written. A damaged database is
/// set aside and rebuilt.
pub async fn start(deps: Deps) -> Result<Handle, StartError> {
    // Where that cannot be found out, the database itself will tell.
    if let Ok(Some(name)) = network_file_system(&deps.data_dir) {
        return Err(StartError::NetworkFileSystem(name));
    }
    let path = deps.data_dir.join(DATABASE_NAME);
    let Opened { store, was_unclean } = open(&deps, &path)?;
    if !store.read(|r| r.installation()).await?.is_restored {
        mirror::restore(&store, &deps.data_dir, deps.clock.now()).await?;
    } else if was_unclean {
        // The kill may have come between a change and its copy in config.json.
        if let Err(error) = mirror::save(&store, &deps.data_dir).await {
            tracing::warn!(%error, "config.json was not written");
        }
    }
    let rescue = |tx: &Write<'_>| if mutant::is(Mutant::ForgetsRescue) { Ok(0) } else { tx.rescue_jobs() };
    let rescued = store.write(rescue).await?;
    if was_unclean {
        tracing::info!(rescued, "the last run did not end cleanly");
    }
    let (installation, rows, rules, network) =
        store.read(|r| Ok((r.installation()?, r.destinations()?, r.rules()?, r.network()?))).await?;
    let network = network_config::apply_stored(network, deps.connect.as_ref()).await;
    let now = Instant::now();
    let mut workers = std::collections::BTreeMap::new();
    for row in rows {
        let destination = deps.connect.open(&address_of(&row), &installation.uuid);
        let mut worker = Worker::new(row, destination, now);
        worker.mount = mount_of(&deps, &worker);
        workers.insert(worker.id(), worker);
    }
    let library = Library::start(LibraryDeps::of(&deps, store.clone()));
    let (handle, end) = channel();
    let moment = Moment { now, wall: deps.clock.now(), zone: (deps.zone)() };
    let gates = Gates::new(rules, *deps.conditions.borrow(), &moment);
    let mut supervisor = Supervisor {
        network,
        places: PathResolver::new(Arc::clone(&deps.files), &deps.library_executor, Arc::clone(&deps.disk_of)),
        disks: crate::engine::path_resolver::Disks::new(),
        deps,
        store,
        end,
        library,
        library_state: LibraryState::default(),
        installation,
        workers,
        setting_up: std::collections::BTreeMap::new(),
        removals: crate::engine::requests::removals::Removals::default(),
        tasks: JoinSet::new(),
        background: CancellationToken::new(),
        meter: ProgressMeter::default(),
        operations: Operations::default(),
        restores: crate::engine::tasks::restore_runs::RestoreRuns::default(),
        snapshot: Snapshot::default(),
        is_dirty: true,
        publish_at: now,
        floor_at: now + FLOOR,
        asset_count: (0, 0),
        badges: BadgeThrottle::default(),
        gates,
        outage: StoreOutage::new(),
        is_stopping: false,
    };
    supervisor.tell_digests_wanted();
    supervisor.resume_restores().await;
    tokio::spawn(supervisor.run());
    Ok(handle)
}

/// Opens the database; a damaged one is set aside, and a new one takes its place.
fn open(deps: &Deps, path: &Path) -> Result<Opened, StoreError> {
    let options = StoreOptions {
        path: path.to_path_buf(),
        clock: Arc::clone(&deps.clock),
        rng: Arc::clone(&deps.rng),
        executor: deps.store_executor.clone(),
    };
    match Store::open(options.clone()) {
        Ok(opened) => Ok(opened),
        Err(StoreError::Damaged(why)) => {
            tracing::error!(%why, "the database is damaged; it is set aside and rebuilt");
            set_aside(path, deps.clock.now().0)?;
            Store::open(options)
        }
        Err(error) => Err(error),
    }
}

/// Moves the database and its companions out of the way, so that nothing of it is lost.
fn set_aside(path: &Path, stamp: i64) -> Result<(), StoreError> {
    mirror::set_aside(path, stamp)
        .map_err(|error| StoreError::File { what: "setting the damaged database aside", error })
}
