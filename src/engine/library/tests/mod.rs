//! The library on a simulated file system and paused time.

mod model;
mod reading;
mod unplugged;
mod watching;

use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::clock::{Clock, RuntimeClock};
use crate::base::executor::Executor;
use crate::base::files::path_bytes;
use crate::base::memory_files::MemoryFiles;
use crate::base::rng::SeededRng;
use crate::domain::file::FileStamp;
use crate::domain::time::UnixMillis;
use crate::store::{ChangeKind, Changes, Store, StoreOptions};

/// Remembers the hints it was given, and fails as it is told.
#[derive(Default)]
pub(super) struct TestWatcher {
    hints: Mutex<Vec<Hints>>,
    fails: Mutex<Option<WatchError>>,
}

impl FolderWatcher for TestWatcher {
    fn watch(&self, _root: &Path, hints: &Hints) -> Result<WatchGuard, WatchError> {
        if let Some(why) = self.fails.lock().clone() {
            return Err(why);
        }
        self.hints.lock().push(hints.clone());
        Ok(Box::new(()))
    }
}

/// A library that runs inside the test.
pub(super) struct World {
    pub files: MemoryFiles,
    pub clock: RuntimeClock,
    pub store: Store,
    pub watch: Arc<TestWatcher>,
    library: Option<Library>,
    dir: tempfile::TempDir,
}

const START: UnixMillis = UnixMillis(1_700_000_000_000);

impl World {
    /// A world with one source, `/photos`, that is empty and not being looked at.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let clock = RuntimeClock::starting_at(START);
        let files = MemoryFiles::new(Arc::new(clock));
        files.mkdir("/photos");
        let store = open(dir.path(), clock);
        let world = Self { files, clock, store, watch: Arc::default(), library: None, dir };
        world.add_source("/photos").await;
        world
    }

    pub async fn add_source(&self, path: &'static str) -> SourceId {
        self.store.write(move |tx| tx.add_source(path.as_bytes(), "memory")).await.expect("added")
    }

    /// An old file, which needs no settling.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.write_at(path, bytes, 1_500_000_000_000_000_000);
    }

    pub fn start(&mut self) {
        self.library = Some(Library::start(LibraryDeps {
            store: self.store.clone(),
            files: Arc::new(self.files.clone()),
            clock: Arc::new(self.clock),
            reader: Arc::new(MediaReader),
            watch: Arc::clone(&self.watch) as Arc<dyn FolderWatcher>,
            executor: Executor::inline(),
            parallel: 2,
        }));
    }

    pub fn library(&self) -> &Library {
        self.library.as_ref().expect("started")
    }

    /// Waits until the library has nothing to do, and checks its rows.
    pub async fn settle(&self) -> LibraryState {
        let state = self.quiet().await;
        self.check().await;
        state
    }

    async fn quiet(&self) -> LibraryState {
        let mut state = self.library().state();
        let quiet =
            tokio::time::timeout(Duration::from_secs(600), state.wait_for(LibraryState::is_quiet)).await;
        quiet
            .unwrap_or_else(|_late| panic!("never quiet: {:?}", self.library().state().borrow()))
            .expect("runs")
            .clone()
    }

    pub async fn check(&self) {
        let wrong = self.store.read(|store| store.audit_library()).await.expect("audit");
        assert_eq!(wrong, Vec::<String>::new());
    }

    /// Starts if it has not, looks through everything and waits.
    pub async fn look(&mut self) -> LibraryState {
        match &self.library {
            None => self.start(),
            Some(library) => library.rescan(None),
        }
        self.settle().await
    }

    /// `path status [reason] [kind of primary]`, a line a file.
    pub async fn files(&self) -> Vec<String> {
        let files = self.store.read(|store| store.audited_files()).await.expect("files");
        let line = |file: crate::store::AuditedFile| {
            let mut line = format!("{} {}", file.path, file.status);
            for part in [file.reason, file.kind].into_iter().flatten() {
                line = line + " " + &part;
            }
            match file.primary {
                Some(primary) if primary != file.path => line + " of " + &primary,
                _ => line,
            }
        };
        files.into_iter().map(line).collect()
    }

    pub async fn expect(&self, lines: &[&str]) {
        assert_eq!(self.files().await, lines);
    }

    /// Paths of changed files since a token, and the next token.
    pub async fn changes(&self, token: i64) -> (Vec<String>, i64) {
        let (changes, files) = self
            .store
            .read(move |store| Ok((store.changes_since(token, 10_000)?, store.audited_files()?)))
            .await
            .expect("changes");
        let Changes::Since { list, next_token, is_end: true } = changes else {
            panic!("{changes:?}");
        };
        let told = list.iter().map(|change| match change.kind {
            ChangeKind::Ready => files
                .iter()
                .find(|file| file.id == change.file.0)
                .map_or_else(|| "ready, then gone".to_owned(), |file| file.path.clone()),
            ChangeKind::Removed => "removed".to_owned(),
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        (told, next_token)
    }

    /// Stops and starts again on the same database.
    pub async fn restart(&mut self) {
        if let Some(library) = self.library.take() {
            library.stop().await;
        }
        self.store.close().await;
        self.store = open(self.dir.path(), self.clock);
        self.start();
    }

    pub fn stamp(&self, path: &str) -> FileStamp {
        use crate::base::files::SourceFiles as _;
        self.files.stat(Path::new(path)).expect("stat").stamp
    }
}

fn open(dir: &Path, clock: RuntimeClock) -> Store {
    let options = StoreOptions {
        path: dir.join("safelight.db"),
        clock: Arc::new(clock),
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::inline(),
    };
    Store::open(options).expect("store").store
}

#[tokio::test(start_paused = true)]
async fn new_changed_renamed_and_deleted_files() {
    let mut world = World::new().await;
    world.put("/photos/a/1.jpg", "one");
    world.put("/photos/a/2.jpg", "two");
    world.put("/photos/notes.txt", "text");
    let state = world.look().await;
    world.expect(&["notes.txt excluded not_media", "a/1.jpg ready photo", "a/2.jpg ready photo"]).await;
    assert!(state.sources.values().all(|source| source.looks == 1 && source.is_watched));
    let (told, token) = world.changes(0).await;
    assert_eq!(told, ["a/1.jpg", "a/2.jpg"]);

    // Nothing changed: nothing is written, and nothing is opened.
    let (opened, revision) = (world.files.open_count(), state.revision);
    let state = world.look().await;
    assert_eq!(world.files.open_count(), opened);
    assert_eq!(world.changes(token).await.0, Vec::<String>::new());
    // The look's own end is the one thing written down.
    assert_eq!(state.revision, revision + 1);

    world.files.write("/photos/a/1.jpg", "one, edited");
    world.files.rename("/photos/a/2.jpg", "/photos/b/2.jpg");
    world.look().await;
    world.expect(&["notes.txt excluded not_media", "a/1.jpg ready photo", "b/2.jpg ready photo"]).await;
    let (told, token) = world.changes(token).await;
    assert_eq!(told, ["a/1.jpg", "b/2.jpg", "removed"]);

    world.files.remove("/photos/b");
    world.look().await;
    world.expect(&["notes.txt excluded not_media", "a/1.jpg ready photo"]).await;
    assert_eq!(world.changes(token).await.0, ["removed"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_time_alone_is_read_again() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "one");
    world.look().await;
    let (_, token) = world.changes(0).await;
    let opened = world.files.open_count();
    let stamp = world.stamp("/photos/a.jpg");
    world.files.set_stamp("/photos/a.jpg", FileStamp { ctime_ns: stamp.ctime_ns + 1, ..stamp });
    world.look().await;
    assert!(world.files.open_count() > opened);
    assert_eq!(world.changes(token).await.0, ["a.jpg"]);
}

#[tokio::test(start_paused = true)]
async fn companions_join_and_leave_their_picture() {
    let mut world = World::new().await;
    world.put("/photos/IMG_1.CR2", "raw");
    world.put("/photos/IMG_1.xmp", "<x:xmpmeta/>");
    world.put("/photos/alone.xmp", "<x:xmpmeta/>");
    world.look().await;
    world
        .expect(&[
            "IMG_1.CR2 ready photo",
            "IMG_1.xmp ready sidecar of IMG_1.CR2",
            "alone.xmp excluded lone_sidecar",
        ])
        .await;
    let asset = |files: &[crate::store::AuditedFile]| files[0].asset;
    let first = asset(&world.store.read(|store| store.audited_files()).await.expect("files"));
    let (_, token) = world.changes(0).await;

    // The JPEG takes the lead of the asset, which stays the same one; all of it is news.
    world.put("/photos/IMG_1.JPG", "jpeg");
    world.put("/photos/alone.png", "png");
    world.look().await;
    world
        .expect(&[
            "IMG_1.CR2 ready alternate_photo of IMG_1.JPG",
            "IMG_1.JPG ready photo",
            "IMG_1.xmp ready sidecar of IMG_1.JPG",
            "alone.png ready photo",
            "alone.xmp ready sidecar of alone.png",
        ])
        .await;
    assert_eq!(asset(&world.store.read(|store| store.audited_files()).await.expect("files")), first);
    let (told, token) = world.changes(token).await;
    assert_eq!(told, ["IMG_1.CR2", "IMG_1.JPG", "IMG_1.xmp", "alone.png", "alone.xmp"]);

    // A new version of the primary is news for the companions, which are kept beside its bytes.
    world.put("/photos/IMG_1.JPG", "jpeg, edited");
    world.look().await;
    let (told, token) = world.changes(token).await;
    assert_eq!(told, ["IMG_1.CR2", "IMG_1.JPG", "IMG_1.xmp"]);

    world.files.remove("/photos/IMG_1.JPG");
    world.files.remove("/photos/alone.png");
    world.look().await;
    world
        .expect(&[
            "IMG_1.CR2 ready photo",
            "IMG_1.xmp ready sidecar of IMG_1.CR2",
            "alone.xmp excluded lone_sidecar",
        ])
        .await;
    assert_eq!(asset(&world.store.read(|store| store.audited_files()).await.expect("files")), first);
    let (told, _) = world.changes(token).await;
    assert_eq!(told, ["IMG_1.CR2", "IMG_1.xmp", "removed", "removed", "removed"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_counted_one_by_one() {
    let mut world = World::new().await;
    world.put("/photos/.hidden.jpg", "h");
    world.put("/photos/.trash/deep/in/1.jpg", "h");
    world.put("/photos/.trash/2.jpg", "h");
    world.put("/photos/Thumbs.db", "t");
    world.files.symlink("/photos/link.jpg");
    world.files.device("/photos/pipe.jpg");
    world.put("/photos/empty.jpg", "");
    world.put("/photos/empty.txt", "");
    world.put("/photos/real.jpg", "r");
    world.look().await;
    world
        .expect(&[
            ".hidden.jpg excluded hidden",
            "Thumbs.db excluded debris",
            "empty.jpg problem empty",
            "empty.txt excluded not_media",
            "link.jpg excluded not_regular",
            "pipe.jpg excluded not_regular",
            "real.jpg ready photo",
            ".trash/2.jpg excluded hidden",
            ".trash/deep/in/1.jpg excluded hidden",
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn names_need_not_be_text_and_may_be_long() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut world = World::new().await;
    let long = "n".repeat(251) + ".jpg";
    world.put(&format!("/photos/{long}"), "long");
    let deep: String = (0..40).map(|n| format!("/folder with a rather long name {n}")).collect();
    world.put(&format!("/photos{deep}/deep.jpg"), "deep");
    let odd = std::ffi::OsStr::from_bytes(b"/photos/\xff\xfe/\xe9t\xe9.jpg");
    world.files.write_at(odd, "odd", 0);
    // Siblings that sort between a folder and what is below it.
    for name in ["a", "a b", "a!", "a0", "a/b"] {
        world.put(&format!("/photos/{name}/x.jpg"), name);
    }
    world.look().await;
    let files = world.files().await;
    assert_eq!(files.len(), 8);
    assert!(files.iter().all(|line| line.ends_with(" ready photo")), "{files:?}");
    let opened = world.files.open_count();
    world.look().await;
    assert_eq!(world.files.open_count(), opened);

    world.files.remove("/photos/a b");
    world.files.remove("/photos/a/x.jpg");
    world.look().await;
    let files = world.files().await;
    let below_a: Vec<&String> = files.iter().filter(|line| line.starts_with('a')).collect();
    assert_eq!(below_a, ["a!/x.jpg ready photo", "a/b/x.jpg ready photo", "a0/x.jpg ready photo"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_contains_itself_ends() {
    let mut world = World::new().await;
    world.put("/photos/a/1.jpg", "one");
    world.files.mount_again("/photos", "/photos/a/again");
    world.files.mount_again("/photos/a", "/photos/a/me");
    let state = world.look().await;
    world.expect(&["a/1.jpg ready photo"]).await;
    let source = state.sources.values().next().expect("source");
    assert_eq!(source.unreadable_dirs, 2);
}

#[tokio::test(start_paused = true)]
async fn a_destination_inside_a_source_is_not_looked_into() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "one");
    world.put("/photos/backup/a.jpg", "one");
    world.look().await;
    assert_eq!(world.files().await.len(), 2);
    world.library().set_left_out(vec![path_bytes(Path::new("/photos/backup"))]);
    world.look().await;
    world.expect(&["a.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_files_in_one_folder() {
    let mut world = World::new().await;
    for n in 0..10_000 {
        world.put(&format!("/photos/flat/IMG_{n:05}.jpg"), format!("picture {n}"));
    }
    world.look().await;
    let (told, _) = world.changes(0).await;
    assert_eq!(told.len(), 10_000);
    let opened = world.files.open_count();
    for n in (0..4_000).step_by(2) {
        world.files.remove(format!("/photos/flat/IMG_{n:05}.jpg"));
    }
    world.look().await;
    assert_eq!(world.files.open_count(), opened);
    assert_eq!(world.files().await.len(), 8_000);
}

#[tokio::test(start_paused = true)]
async fn sources_come_and_go() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "one");
    world.put("/more/b.jpg", "two");
    world.look().await;
    let id = world.add_source("/more").await;
    world.library().refresh_sources();
    let state = world.settle().await;
    assert_eq!(state.sources.len(), 2);
    world.expect(&["a.jpg ready photo", "b.jpg ready photo"]).await;
    world.store.write(move |tx| tx.remove_source(id)).await.expect("removed");
    world.library().refresh_sources();
    let state = world.settle().await;
    assert_eq!(state.sources.len(), 1);
    world.expect(&["a.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_reads_only_what_was_not_read() {
    let mut world = World::new().await;
    for n in 0..150 {
        world.put(&format!("/photos/{n}.jpg"), format!("picture {n}"));
    }
    world.start();
    let mut state = world.library().state();
    state.wait_for(|state| state.to_hash > 0).await.expect("runs");
    world.restart().await;
    assert!(world.files().await.iter().any(|line| !line.contains("ready")));
    world.settle().await;
    assert!(world.files().await.iter().all(|line| line.ends_with("ready photo")));
    let opened = world.files.open_count();
    world.restart().await;
    world.settle().await;
    assert_eq!(world.files.open_count(), opened);
    let now = world.clock.now();
    assert!(now.since(START) < Duration::from_secs(60), "{now:?}");
}
