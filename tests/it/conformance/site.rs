//! The places that the suite runs on, as a person with a file manager sees them.

use parking_lot::Mutex;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use safelight::base::clock::SystemClock;
use safelight::base::executor::Executor;
use safelight::base::rng::SystemRng;
use safelight::destination::folder::{Folder, FolderFs, MemoryFs, OsFs, Parts, Rules};
use safelight::destination::{
    BoxFuture, Capabilities, Checkpoint, Destination as _, Item, NamedCopy, Phase, SaveCheckpoint, Sent,
    SharedDestination, Transfer,
};
use safelight::domain::failure::{Failure, FailureKind, Reach};
use safelight::domain::key::{self, Layout, parse_temp_name};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::source::Sources;

pub const INSTALLATION: &str = "6f1f6a0e-0000-4000-8000-000000000001";
/// How long a server may take to notice that an upload was cut.
pub const CLEARED_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);
/// Keys that a case may go through.
const KEYS_MAX: u32 = 4;
const SHARED_MEMORY: &str = "/dev/shm";

/// What is behind a destination, by paths below the place that it keeps its copies in.
pub trait ServerFiles: Send + Sync {
    /// The bytes of a file.
    fn contents(&self, path: &str) -> Option<Vec<u8>>;
    /// Puts a file there behind the destination's back, in place of what has that name.
    fn put(&self, path: &str, bytes: &[u8]);
    /// The paths of all files, sorted.
    fn files(&self) -> Vec<String>;
}

/// A folder of the real file system, which others may serve.
pub struct Disk {
    pub root: PathBuf,
    /// Removed with everything in it when the site goes.
    _dir: Option<TempDir>,
}

impl Disk {
    /// A folder that someone else clears away.
    pub fn at(root: PathBuf) -> Self {
        Self { root, _dir: None }
    }
}

impl ServerFiles for Disk {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root.join(path)).ok()
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.root.join(path);
        let folder = path.parent().expect("below the root");
        std::fs::create_dir_all(folder).expect("folders");
        std::fs::write(&path, bytes).expect("written");
        // A server that runs as somebody else may rename and remove it.
        for above in folder.ancestors().take_while(|above| above.starts_with(&self.root)) {
            std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o777)).expect("opened");
        }
    }

    fn files(&self) -> Vec<String> {
        walk(&self.root, &self.root)
    }
}

impl ServerFiles for MemoryFs {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        MemoryFs::contents(self, path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        MemoryFs::put(self, path, bytes);
    }

    fn files(&self) -> Vec<String> {
        MemoryFs::files(self)
    }
}

/// Opens a destination as a new run of the program does; with a UUID, expecting that one.
type Opener = Box<dyn Fn(Option<&str>) -> SharedDestination + Send + Sync>;

/// A place with a destination in it.
pub struct Site {
    behind: Box<dyn ServerFiles>,
    opener: Opener,
    pub capabilities: Capabilities,
    pub layout: Layout,
    pub sources: Sources,
    /// Its listings leave out names that begin with a dot.
    pub hides_dots: bool,
    /// Copies are written under a temp name first.
    pub has_temps: bool,
    /// It keeps what an upload that was cut has left, and notices the cut when it likes.
    pub keeps_cut: bool,
    /// It removes what an upload that was cut has left when it notices, even if that is another's by then.
    pub removes_late: bool,
    /// It reads again what it does not send again, or sends small files whole.
    pub reads_again: bool,
}

impl Site {
    /// A folder on the disk that the build is on.
    pub async fn disk() -> Self {
        Self::real(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("temp dir")).await
    }

    /// A folder in memory that the system manages.
    pub async fn shared_memory() -> Self {
        Self::real(TempDir::new_in(SHARED_MEMORY).expect("temp dir")).await
    }

    /// A folder in memory of our own.
    pub async fn memory() -> Self {
        Self::fake(|_rules| {}).await
    }

    /// A memory card: no difference of case, few characters, coarse times.
    pub async fn fat() -> Self {
        let fat = |rules: &mut Rules| {
            rules.ignores_case = true;
            rules.has_fat_names = true;
            rules.mtime_step_ns = 2_000_000_000;
        };
        Self::fake(fat).await
    }

    /// A file system that may replace existing names.
    pub async fn replacing() -> Self {
        Self::fake(|rules| rules.no_replace = false).await
    }

    async fn real(dir: TempDir) -> Self {
        let root = dir.path().join("backup");
        let executor = Executor::threads("test", 4).expect("threads");
        let disk = Disk { root: root.clone(), _dir: Some(dir) };
        Self::build(Box::new(disk), root, Arc::new(OsFs::default()), executor).await
    }

    async fn fake(rules: impl FnOnce(&mut Rules)) -> Self {
        let root = PathBuf::from("/media/backup");
        let memory = MemoryFs::new(&root);
        memory.rules(rules);
        let fs = Arc::new(memory.clone());
        Self::build(Box::new(memory), root, fs, Executor::inline()).await
    }

    async fn build(
        behind: Box<dyn ServerFiles>,
        root: PathBuf,
        fs: Arc<dyn FolderFs>,
        executor: Executor,
    ) -> Self {
        let parts = Parts {
            root,
            uuid: None,
            installation: INSTALLATION.to_owned(),
            capabilities: None,
            fs,
            executor,
            rng: Arc::new(SystemRng),
            clock: Arc::new(SystemClock),
        };
        let (folder, uuid) = Folder::create(parts.clone()).await.expect("created");
        let capabilities = folder.probe().await.expect("probed");
        let parts = Parts { uuid: Some(uuid), capabilities: Some(capabilities.clone()), ..parts };
        let opener = move |uuid: Option<&str>| -> SharedDestination {
            let uuid = uuid.map(str::to_owned).or_else(|| parts.uuid.clone());
            Arc::new(Folder::new(Parts { uuid, ..parts.clone() }))
        };
        Self::of(behind, Box::new(opener), capabilities)
    }

    /// A place that has been set up.
    pub fn of(behind: Box<dyn ServerFiles>, opener: Opener, capabilities: Capabilities) -> Self {
        let layout = capabilities.layout();
        Self {
            behind,
            opener,
            capabilities,
            layout,
            sources: Sources::default(),
            hides_dots: false,
            has_temps: true,
            keeps_cut: false,
            removes_late: false,
            reads_again: false,
        }
    }

    /// The destination as a new run of the program finds it.
    pub fn open(&self) -> SharedDestination {
        (self.opener)(None)
    }

    /// The destination that expects another UUID than the place has.
    pub fn open_expecting(&self, uuid: &str) -> SharedDestination {
        (self.opener)(Some(uuid))
    }

    /// The bytes of a file there.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.behind.contents(path)
    }

    /// Puts a file there behind the destination's back, in place of what has that name.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.behind.put(path, bytes);
    }

    /// The paths of all files there, the destination's own (marker, manifests) left out, sorted.
    pub fn files(&self) -> Vec<String> {
        self.behind.files().into_iter().filter(|path| !path.starts_with(".safelight/")).collect()
    }

    /// The paths of the destination's own files, sorted.
    pub fn own_files(&self) -> Vec<String> {
        self.behind.files().into_iter().filter(|path| path.starts_with(".safelight/")).collect()
    }

    /// Makes sure that nothing is left of a send that failed. Where the server keeps what was cut,
    /// that is a temp file of ours, which cleaning takes away.
    pub async fn has_nothing(&self, to: &SharedDestination, why: &str) {
        let began = std::time::Instant::now();
        loop {
            let files = self.files();
            if files.is_empty() {
                return;
            }
            let is_temp = |path: &String| {
                let name = path.rsplit('/').next().unwrap_or_default();
                parse_temp_name(name.as_bytes()).is_some()
            };
            let may_be = self.keeps_cut && files.iter().all(is_temp) && began.elapsed() < CLEARED_WITHIN;
            assert!(may_be, "{why}: {files:?}");
            to.clean(&[]).await.expect("cleaned");
        }
    }

    /// A key for `name` with these bytes, as it would be allocated first.
    pub fn key(&self, name: &str, bytes: &[u8]) -> String {
        self.keys(name.as_bytes(), bytes).remove(0)
    }

    /// The keys of the first attempts, in their order.
    pub fn keys(&self, name: &[u8], bytes: &[u8]) -> Vec<String> {
        let hash = super::source::digest(bytes);
        let folder = key::folder(super::source::may_2019());
        let name = key::SetName { folder: &folder, suffix: "", original: name };
        (0..KEYS_MAX).map_while(|attempt| name.key(hash, attempt, self.layout)).collect()
    }

    /// Adds a source file under the key that it gets first.
    pub fn item(&self, record: i64, name: &str, bytes: &[u8]) -> Item {
        self.sources.add(record, &self.key(name, bytes), bytes)
    }

    pub fn transfer(&self) -> Transfer {
        self.transfer_with(CheckpointRecorder::default())
    }

    pub fn transfer_with(&self, saver: CheckpointRecorder) -> Transfer {
        let (last, named) = (saver.last(), saver.named());
        let mut transfer =
            Transfer::new(self.sources.shared(), CancellationToken::new(), last, Arc::new(saver));
        transfer.named = named;
        transfer
    }

    /// Sends until a key is free, as the engine does, and gives the key.
    pub async fn send_under_any_key(
        &self,
        to: &SharedDestination,
        name: &[u8],
        record: i64,
        bytes: &[u8],
    ) -> String {
        for key in self.keys(name, bytes) {
            let item = self.sources.add(record, &key, bytes);
            match to.send(&item, &self.transfer()).await.expect("sent") {
                Sent::KeyTaken => {}
                Sent::Stored { .. } | Sent::AlreadyThere { .. } => return key,
                Sent::Cancelled => panic!("nobody cancelled"),
            }
        }
        panic!("the last key can be taken by equal bytes only: {:?}", String::from_utf8_lossy(name))
    }
}

fn walk(root: &std::path::Path, dir: &std::path::Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(walk(root, &path));
        } else {
            let below = path.strip_prefix(root).expect("below the root");
            files.push(below.to_str().expect("UTF-8").to_owned());
        }
    }
    files.sort();
    files
}

/// What a saver does when a checkpoint is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointFault {
    /// Keeps it.
    None,
    /// Never answers from the checkpoint of this number (from 0) on: the kill comes before it.
    HangAt(usize),
    /// The store fails at this one.
    FailAt(usize),
}

/// Keeps checkpoints as the store would.
#[derive(Clone)]
pub struct CheckpointRecorder {
    fault: CheckpointFault,
    count: Arc<AtomicUsize>,
    kept: Arc<Mutex<Vec<Checkpoint>>>,
    named: Arc<Mutex<Option<NamedCopy>>>,
    reached: Arc<tokio::sync::Notify>,
}

impl Default for CheckpointRecorder {
    fn default() -> Self {
        Self::with_fault(CheckpointFault::None)
    }
}

impl CheckpointRecorder {
    pub fn with_fault(fault: CheckpointFault) -> Self {
        Self {
            fault,
            count: Arc::default(),
            kept: Arc::default(),
            named: Arc::default(),
            reached: Arc::default(),
        }
    }

    pub fn phases(&self) -> Vec<Phase> {
        self.kept.lock().iter().map(|checkpoint| checkpoint.phase).collect()
    }

    pub fn last(&self) -> Option<Checkpoint> {
        self.kept.lock().last().cloned()
    }

    /// The copy that got its name last.
    pub fn named(&self) -> Option<NamedCopy> {
        self.named.lock().clone()
    }

    /// The same memory without the fault: the store after a restart.
    pub fn restarted(&self) -> Self {
        Self { fault: CheckpointFault::None, ..self.clone() }
    }

    /// Returns when the fault has been reached.
    pub async fn is_reached(&self) {
        self.reached.notified().await;
    }
}

impl SaveCheckpoint for CheckpointRecorder {
    fn save_named<'a>(&'a self, copy: NamedCopy) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            *self.named.lock() = Some(copy);
            Ok(())
        })
    }

    fn save<'a>(&'a self, checkpoint: Checkpoint) -> BoxFuture<'a, Result<(), Failure>> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match self.fault {
                CheckpointFault::HangAt(at) if number >= at => {
                    self.reached.notify_one();
                    std::future::pending().await
                }
                CheckpointFault::FailAt(at) if number >= at => Err(Failure {
                    reach: Reach::Run,
                    ..Failure::permanent(FailureKind::Server, "the store is gone")
                }),
                _ => {
                    self.kept.lock().push(checkpoint);
                    Ok(())
                }
            }
        })
    }
}
