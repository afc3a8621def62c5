//! Starting the engine: open or rebuild the database, take up what an earlier run left, begin.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::mutant::{self, Mutant};
use crate::engine::conditions::network_config;
use crate::engine::context::Context;
use crate::engine::deps::Deps;
use crate::engine::destination::address::stored_address;
use crate::engine::destination::worker::Worker;
use crate::engine::destination::workers::Workers;
use crate::engine::handle::{Handle, channel};
use crate::engine::library::Library;
use crate::engine::supervisor::{Startup, Supervisor};
use crate::platform::network_fs::network_file_system;
use crate::store::{OpenedStore, Store, StoreError, StoreOptions, Write, mirror};

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
    let OpenedStore { store, was_unclean } = open(&deps, &path)?;
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
    let (handle, end) = channel();
    let context = Context {
        restore_executor: deps.library_executor.with_own_threads(),
        deps,
        store,
        installation: installation.uuid.as_str().into(),
        events: end.events.clone(),
        stop: CancellationToken::new(),
    };
    let (deps, now) = (&context.deps, Instant::now());
    let mut workers = Workers::default();
    for row in rows {
        let destination = deps.connect.open(&stored_address(&row), &context.installation);
        workers.insert(Worker::new(row, destination, deps, now));
    }
    let library = Library::start(deps.library(context.store.clone()));
    library.set_digests_wanted(workers.digests_wanted());
    let mut supervisor =
        Supervisor::new(Startup { context, end, library, workers, installation, rules, network });
    supervisor.resume_restores().await;
    tokio::spawn(supervisor.run());
    Ok(handle)
}

/// Opens the database; a damaged one is set aside, and a new one takes its place.
fn open(deps: &Deps, path: &Path) -> Result<OpenedStore, StoreError> {
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
