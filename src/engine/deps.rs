//! What the engine is given: everything that it may touch outside itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::{Notify, watch};

use crate::base::clock::{SharedClock, SystemClock};
use crate::base::executor::Executor;
use crate::base::files::{OsFiles, SharedFiles};
use crate::base::rng::{SharedRng, SystemRng};
use crate::base::waker::Waker;
use crate::destination::BoxFuture;
use crate::destination::connect::{Connect, Connector};
use crate::destination::credentials::SecretSources;
use crate::destination::http::{Bucket, Client, Settings};
use crate::domain::gate::Conditions;
use crate::engine::library::{FolderWatcher, LibraryDeps, MediaReader, READS_MAX, SystemWatcher};
use crate::extension::{BuiltIns, MakeExtension};
use crate::platform::keyring::Keyring;
use crate::platform::udisks::{self, Bus, RemountError};
use crate::platform::{conditions, disks, drives, mount_watch, suspend};
use crate::store::Store;

/// Finds the mount that a path is on.
pub type MountOf = Arc<dyn Fn(&Path) -> Option<String> + Send + Sync>;

/// Finds the physical disk that a path is on; see [`disks::disk_of`].
pub type DiskOf = Arc<dyn Fn(&Path) -> Option<String> + Send + Sync>;

/// Unmounts and mounts the disk that a path is on; see [`udisks::remount`].
pub type Remount = Arc<dyn Fn(PathBuf) -> BoxFuture<'static, Result<(), RemountError>> + Send + Sync>;

/// Lists the drives that photos can be copied to; see [`drives::list`].
pub type ListDrives = Arc<dyn Fn() -> Vec<drives::Drive> + Send + Sync>;

/// How many bytes are free in a folder, or where it would be made; see [`drives::free_bytes_below`].
pub type FreeBytes = Arc<dyn Fn(&Path) -> Option<u64> + Send + Sync>;

/// The engine's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The folder of the database, `config.json` and the log. It exists.
    pub data_dir: PathBuf,
    /// The clock for people.
    pub clock: SharedClock,
    /// Chance.
    pub rng: SharedRng,
    /// The sources.
    pub files: SharedFiles,
    /// Destinations.
    pub connect: Arc<dyn Connect>,
    /// Where the database is read.
    pub store_executor: Executor,
    /// Watches sources for changes.
    pub watch: Arc<dyn FolderWatcher>,
    /// Where sources are looked through, described and hashed.
    pub library_executor: Executor,
    /// Notified when the computer has slept or its clock was set.
    pub resumed: Arc<Notify>,
    /// Notified when the computer is about to sleep, where that is known.
    pub sleeping: Arc<Notify>,
    /// Notified when something was mounted or unmounted.
    pub mounts_changed: Arc<Notify>,
    /// The mount that a path is on, in the system's words; none where that is not known.
    pub mount_of: MountOf,
    /// The one disk that a path is on; none where that is not known. Blocks.
    pub disk_of: DiskOf,
    /// The drives that are mounted now beside the system's own. Blocks.
    pub drives: ListDrives,
    /// How many bytes are free in a folder, or where it would be made. Blocks.
    pub free_bytes: FreeBytes,
    /// Unmounts and mounts the removable disk that a path is on.
    pub remount: Remount,
    /// What the computer is like; heard whenever it changes.
    pub conditions: watch::Receiver<Conditions>,
    /// Makes the policies of destinations.
    pub extensions: Arc<dyn MakeExtension>,
    /// The time zone of the person's clock, asked for when it matters: people travel.
    pub zone: fn() -> TimeZone,
}

/// Threads that look through, describe and hash sources: reading is bound by the disk or by two
/// cores' worth of hashing, and the window needs room too.
const LIBRARY_THREADS: usize = 4;
/// Threads that read the database.
const STORE_THREADS: usize = 3;
/// Threads that copy to and read back from one folder.
const FOLDER_THREADS: usize = 8;

/// The person's keyring and this process's environment.
fn secret_sources() -> std::io::Result<SecretSources> {
    let environment = |name: &str| std::env::var(name).ok();
    Ok(SecretSources { store: Arc::new(Keyring::new()?), environment: Arc::new(environment) })
}

impl Deps {
    /// The computer itself, with the database in `data_dir`, which exists.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn system(data_dir: PathBuf) -> std::io::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let rng: SharedRng = Arc::new(SystemRng);
        let resumed: Arc<Notify> = Arc::default();
        let heard = Arc::clone(&resumed);
        if let Err(error) = suspend::watch(Waker::new(move || heard.notify_one())) {
            tracing::warn!(%error, "sleep is not noticed at once");
        }
        let mounts_changed: Arc<Notify> = Arc::default();
        let heard = Arc::clone(&mounts_changed);
        if let Err(error) = mount_watch::watch(Waker::new(move || heard.notify_one())) {
            tracing::warn!(%error, "disks that come and go are not noticed at once");
        }
        let sleeping: Arc<Notify> = Arc::default();
        let tell = Arc::clone(&sleeping);
        let folders = Executor::threads("folder", FOLDER_THREADS)?;
        Ok(Self {
            data_dir,
            connect: Arc::new(Connector::new(
                folders,
                Arc::clone(&rng),
                Arc::clone(&clock),
                Arc::new(Client::new(Settings { pace: Arc::new(Bucket::new(None)), ..Settings::default() })),
                secret_sources()?,
            )),
            clock,
            rng,
            files: Arc::new(OsFiles),
            store_executor: Executor::threads("store", STORE_THREADS)?,
            watch: Arc::new(SystemWatcher),
            library_executor: Executor::threads("library", LIBRARY_THREADS)?,
            resumed,
            mounts_changed,
            mount_of: Arc::new(mount_watch::mount_of),
            disk_of: Arc::new(disks::disk_of),
            drives: Arc::new(drives::list),
            free_bytes: Arc::new(drives::free_bytes_below),
            remount: Arc::new(|path| Box::pin(async move { udisks::remount(&Bus::default(), &path).await })),
            conditions: conditions::watch(Waker::new(move || tell.notify_one())),
            sleeping,
            extensions: Arc::new(BuiltIns),
            zone: TimeZone::system,
        })
    }

    /// What the library is given.
    pub fn library(&self, store: Store) -> LibraryDeps {
        LibraryDeps {
            store,
            files: Arc::clone(&self.files),
            clock: Arc::clone(&self.clock),
            reader: Arc::new(MediaReader),
            watch: Arc::clone(&self.watch),
            executor: self.library_executor.clone(),
            parallel: READS_MAX,
        }
    }
}
