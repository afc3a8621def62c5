//! The whole engine in a test: simulated sources and destinations, paused time, one thread.

mod backup;
mod gates;
mod hostile;
mod independence;
mod outage;
mod places;
mod reconnect;
mod restore;
mod same_disk;
mod silent;
pub mod sim;
mod stage;
mod trouble;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::api::{
    Command, DestinationState, PathText, Query, QueueList, QueueQuery, QueueRow, Reply, Request, Snapshot,
};
use crate::base::clock::{Clock as _, RuntimeClock};
use crate::base::executor::Executor;
use crate::base::memory_files::MemoryFiles;
use crate::base::memory_secrets::MemorySecrets;
use crate::base::rng::SeededRng;
use crate::destination::connect::Connector;
use crate::destination::credentials::SecretSources;
use crate::destination::folder::MemoryFs;
use crate::destination::http::{Client, Settings};
use crate::domain::gate::Conditions;
use crate::domain::time::UnixMillis;
use crate::engine::library::{FolderWatcher, Hints, WatchError, WatchGuard};
use crate::engine::{Deps, DiskOf, Handle, MountOf, Remount, start};
use crate::extension::{BuiltIns, MakeExtension};
use crate::platform::udisks::RemountError;

const START: UnixMillis = UnixMillis(1_700_000_000_000);
/// Longer than anything in these tests takes on the engine's clock.
const LONG: Duration = Duration::from_secs(3 * 24 * 3600);

/// Sources are looked at when the test asks.
struct NoWatcher;

impl FolderWatcher for NoWatcher {
    fn watch(&self, _root: &Path, _hints: &Hints) -> Result<WatchGuard, WatchError> {
        Ok(Box::new(()))
    }
}

/// A computer with `/photos`, a disk at `/backup`, and Safelight.
struct World {
    files: MemoryFiles,
    disk: MemoryFs,
    clock: RuntimeClock,
    dir: tempfile::TempDir,
    handle: Option<Handle>,
    runs: u64,
    resumed: Arc<tokio::sync::Notify>,
    mounts_changed: Arc<tokio::sync::Notify>,
    /// What is mounted at the disk's place.
    mount: Arc<parking_lot::Mutex<Option<String>>>,
    /// Which disk each folder is on.
    disks: Arc<parking_lot::Mutex<Vec<(&'static str, String)>>>,
    /// What comes of the next remounts; those after it work.
    remounts: Arc<parking_lot::Mutex<std::collections::VecDeque<RemountError>>>,
    sleeping: Arc<tokio::sync::Notify>,
    conditions: tokio::sync::watch::Sender<Conditions>,
    /// Where a destination that is not a folder keeps its copies.
    cloud: MemoryFs,
    places: Option<places::TestConnect>,
    extensions: Arc<dyn MakeExtension>,
}

/// A computer without removable disks.
pub fn no_remount() -> Remount {
    Arc::new(|_path| Box::pin(std::future::ready(Err(RemountError::Unsupported))))
}

impl World {
    async fn new() -> Self {
        let clock = RuntimeClock::starting_at(START);
        let files = MemoryFiles::new(Arc::new(clock));
        files.mkdir("/photos");
        let dir = tempfile::tempdir().expect("dir");
        let disk = MemoryFs::new("/backup");
        let mut world = Self {
            files,
            disk,
            clock,
            dir,
            handle: None,
            runs: 0,
            resumed: Arc::default(),
            mounts_changed: Arc::default(),
            mount: Arc::default(),
            disks: Arc::default(),
            remounts: Arc::default(),
            sleeping: Arc::default(),
            conditions: tokio::sync::watch::Sender::default(),
            cloud: MemoryFs::new(places::CLOUD),
            places: None,
            extensions: Arc::new(BuiltIns),
        };
        world.start().await;
        world
    }

    async fn start(&mut self) {
        self.runs += 1;
        let rng = Arc::new(SeededRng::new(self.runs));
        let connector = Connector {
            executor: Executor::inline(),
            rng: Arc::clone(&rng) as _,
            clock: Arc::new(self.clock),
            fs: Arc::new(self.disk.clone()),
            http: Arc::new(Client::new(Settings::default())),
            secret_sources: SecretSources {
                store: Arc::new(MemorySecrets::default()),
                environment: Arc::new(|_name| None),
            },
        };
        let places = places::TestConnect::new(connector, &self.cloud);
        self.places = Some(places.clone());
        let deps = Deps {
            data_dir: self.dir.path().to_path_buf(),
            clock: Arc::new(self.clock),
            rng,
            files: Arc::new(self.files.clone()),
            connect: Arc::new(places),
            store_executor: Executor::inline(),
            watch: Arc::new(NoWatcher),
            library_executor: Executor::inline(),
            resumed: Arc::clone(&self.resumed),
            mounts_changed: Arc::clone(&self.mounts_changed),
            mount_of: self.mount_of(),
            disk_of: self.disk_of(),
            drives: Arc::new(Vec::new),
            free_bytes: Arc::new(|_| None),
            remount: self.remount(),
            sleeping: Arc::clone(&self.sleeping),
            conditions: self.conditions.subscribe(),
            extensions: Arc::clone(&self.extensions),
            zone: || jiff::tz::TimeZone::UTC,
        };
        self.handle = Some(start(deps).await.expect("started"));
    }

    fn mount_of(&self) -> MountOf {
        let mount = Arc::clone(&self.mount);
        Arc::new(move |_path| mount.lock().clone())
    }

    fn disk_of(&self) -> DiskOf {
        let disks = Arc::clone(&self.disks);
        Arc::new(move |path| {
            let disks = disks.lock();
            disks.iter().find(|(root, _)| path.starts_with(root)).map(|(_, disk)| disk.clone())
        })
    }

    /// Takes the disk away and puts it back, or does as it was told.
    fn remount(&self) -> Remount {
        let (disk, told) = (self.disk.clone(), Arc::clone(&self.remounts));
        Arc::new(move |_path| {
            let told = told.lock().pop_front();
            if told.is_none() {
                disk.rules(|rules| rules.session.push('+'));
            }
            Box::pin(std::future::ready(told.map_or(Ok(()), Err)))
        })
    }

    /// Something is mounted at the disk's place, or nothing.
    fn mount(&self, what: Option<&str>) {
        self.disk.rules(|rules| rules.is_unmounted = what.is_none());
        *self.mount.lock() = what.map(str::to_owned);
        self.mounts_changed.notify_one();
    }

    async fn stop(&mut self) {
        let handle = self.handle.take().expect("running");
        handle.call(Command::Shutdown).await.expect("stops");
        handle.stopped().await;
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("running")
    }

    async fn ask(&self, request: impl Into<Request>) -> Reply {
        self.handle().call(request).await.expect("done")
    }

    /// A photo that nobody is still writing. Its bytes begin as a JPEG's do.
    fn put(&self, path: &str, text: &str) {
        self.files.write_at(path, photo(text), 1_500_000_000_000_000_000);
    }

    /// Source, destination, consent and the toggle.
    async fn set_up(&self) {
        let path = PathText::from_bytes(b"/photos");
        self.ask(Command::AddSource { path, consent_all: true }).await;
        self.add_backup().await;
        self.ask(Command::SetBackup { on: true }).await;
    }

    async fn add_backup(&self) {
        let target = PathText::from_bytes(b"/backup");
        let add = Request::Command(Command::AddDestination {
            target,
            name: None,
            allow_http: false,
            consent_all: true,
            secret: None,
            trust_checksum: false,
        });
        let Reply::Destination { name, .. } = self.ask(add).await else { panic!("a destination") };
        assert_eq!(name, "backup");
    }

    /// A destination that is not on this computer.
    async fn add_cloud(&self) {
        let target = PathText::from_bytes(b"s3://photos/?endpoint=https://cloud.example");
        let name = Some("cloud".to_owned());
        self.ask(Command::AddDestination {
            target,
            name,
            allow_http: false,
            consent_all: true,
            secret: None,
            trust_checksum: false,
        })
        .await;
    }

    async fn snapshot(&self) -> Snapshot {
        let Reply::Snapshot(snapshot) = self.ask(Query::Snapshot).await else { panic!("a snapshot") };
        *snapshot
    }

    async fn destination(&self) -> DestinationState {
        self.snapshot().await.destinations.remove(0)
    }

    /// Waits on the engine's clock until a snapshot fits.
    async fn until(&self, what: &str, fits: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let mut snapshots = self.handle().snapshots();
        let search = async {
            loop {
                // What was published may be a moment old; the engine is asked for what is true now.
                snapshots.mark_unchanged();
                let now = self.snapshot().await;
                if fits(&now) {
                    return now;
                }
                snapshots.changed().await.expect("running");
            }
        };
        match tokio::time::timeout(LONG, search).await {
            Ok(snapshot) => snapshot,
            Err(_late) => panic!("never {what}; last: {:#?}", self.snapshot().await),
        }
    }

    /// Waits until everything is where it stays.
    async fn settled(&self) -> Snapshot {
        let is_settled = |snapshot: &Snapshot| {
            let is_looking =
                snapshot.sources.iter().any(|s| s.state == crate::api::SourceCondition::Scanning);
            !is_looking && snapshot.destinations.iter().all(|d| d.waiting + d.uploading == 0)
        };
        self.until("settled", is_settled).await
    }

    async fn queue(&self, list: QueueList) -> Vec<QueueRow> {
        let query = QueueQuery {
            list,
            destination: None,
            enabled_only: false,
            failure_kind: None,
            after: None,
            limit: 100,
        };
        let Reply::Queue(page) = self.ask(Query::Queue(query)).await else { panic!("a page") };
        page.rows
    }

    /// Copies at the destination, without Safelight's own files.
    fn copies(&self) -> Vec<String> {
        let mut files = self.disk.files();
        files.retain(|path| !path.contains(".safelight/"));
        files.sort();
        files
    }

    /// Every bin counted again equals what is shown.
    async fn check_identity(&self) {
        for d in self.snapshot().await.destinations {
            let sum = d.safe + d.unproven + d.waiting + d.uploading + d.needs_attention + d.excluded;
            assert_eq!(d.found, sum, "{d:?}");
        }
    }
}

/// A JPEG's first bytes and then `text`: enough to be a photo, no picture to decode.
fn photo(text: &str) -> Vec<u8> {
    [&[0xff, 0xd8, 0xff, 0xe0, 0, 16][..], b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0", text.as_bytes()].concat()
}
