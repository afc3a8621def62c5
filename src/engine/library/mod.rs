//! The library: which files there are, what they are and which bytes they hold.
//!
//! A task for each source looks through it: when it is added, when something hints at a change,
//! when the person asks, and every few hours. One more task reads the files that were found, heads
//! first so that the grid fills at once, then all bytes, newest capture first. Both write only what
//! still fits the version they looked at, so they may be stopped or killed at any point.
//!
//! Nothing here writes to a source, and nothing here decides what is backed up.

mod index;
mod reader;
mod reconcile;
mod scan;
mod shared;
mod source;
#[cfg(test)]
mod tests;
mod watch;

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::watch as tokio_watch;
use tokio::task::JoinHandle;

pub use index::{CHUNK_BYTES_MAX, CHUNK_FILES_MAX};
pub use reader::{MediaReader, Reader};
pub use scan::{BATCH_DIRS_MAX, BATCH_ENTRIES_MAX, DEPTH_MAX};
pub use source::{
    DEBOUNCE, GONE_FILES_MIN, MISSING_POLL, MOUNT_POLL, RESCAN_FLOOR, SETTLE, UNREADABLE_POLL, UNWATCHED_POLL,
};
pub use watch::{DIRTY_DIRS_MAX, Hinted, Hints, SystemWatch, Watch, WatchFailed, WatchGuard, Watching};

use super::Deps;
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::files::SharedFiles;
use crate::domain::ids::SourceId;
use crate::domain::target::DestinationKind;
use crate::domain::transfer::Capabilities;
use crate::store::{SourceRow, Store, StoreError};
use shared::Shared;

/// Pieces of reading under way at once in the app: enough that reading goes on while what was read
/// before is written down.
pub const READS_MAX: usize = 4;

/// What the library is given.
#[derive(Clone)]
pub struct LibraryDeps {
    /// Where it keeps what it finds.
    pub store: Store,
    /// The sources' files.
    pub files: SharedFiles,
    /// Time.
    pub clock: SharedClock,
    /// Makes facts and digests of bytes.
    pub reader: Arc<dyn Reader>,
    /// Watches sources.
    pub watch: Arc<dyn Watch>,
    /// Where files are read. Inline in tests, which also keeps the walk on the caller's thread.
    pub executor: Executor,
    /// How many pieces of reading are under way at once, the one being written to the store
    /// included.
    pub parallel: usize,
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Condition {
    /// There. It is up to date unless a look is due.
    #[default]
    Present,
    /// Not there, or suddenly almost empty. Its files count as present.
    Unavailable,
    /// There, but it cannot be listed.
    Unreadable,
}

/// What is known of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceLook {
    /// How it is.
    pub condition: Condition,
    /// A look is under way.
    pub is_scanning: bool,
    /// A look is under way or has been asked for.
    pub is_due: bool,
    /// Changes are noticed as they happen.
    pub is_watched: bool,
    /// Entries seen by the look that is under way, or by the last.
    pub scanned: u64,
    /// Whole looks that came to an end in this run, whatever they found.
    pub looks: u64,
    /// Folders in it that could not be listed. Their files are what they were.
    pub unreadable_dirs: u64,
    /// A plain sentence on what is not as it should be.
    pub note: Option<String>,
}

/// What the library is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LibraryState {
    /// The sources.
    pub sources: BTreeMap<SourceId, SourceLook>,
    /// Files of which nothing has been read.
    pub to_describe: u64,
    /// Files whose bytes are still to be hashed.
    pub to_hash: u64,
    /// Files that are still being written.
    pub settling: u64,
    /// Rises when rows that clients see change.
    pub revision: u64,
    /// The sources are being read from the store.
    pub is_loading: bool,
    /// Files are being read.
    pub is_indexing: bool,
}

impl LibraryDeps {
    /// What the engine gives its library.
    pub fn of(deps: &Deps, store: Store) -> Self {
        Self {
            store,
            files: Arc::clone(&deps.files),
            clock: Arc::clone(&deps.clock),
            reader: Arc::new(MediaReader),
            watch: Arc::clone(&deps.watch),
            executor: deps.library_executor.clone(),
            parallel: READS_MAX,
        }
    }
}

impl LibraryState {
    /// Nothing is under way or asked for, and no file is on its way to being known. Until
    /// something changes, nothing will.
    pub fn is_quiet(&self) -> bool {
        let is_still = |source: &SourceLook| !source.is_scanning && !source.is_due;
        !self.is_loading
            && !self.is_indexing
            && self.to_describe + self.to_hash + self.settling == 0
            && self.sources.values().all(is_still)
    }
}

/// The running library.
pub struct Library {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Library {
    /// Starts looking. Needs a tokio runtime's context.
    pub fn start(deps: LibraryDeps) -> Self {
        let shared = Arc::new(Shared::new(deps));
        let keeper = tokio::spawn(source::keep_sources(Arc::clone(&shared)));
        let indexer = tokio::spawn(index::run(Arc::clone(&shared)));
        Self { shared, tasks: Mutex::new(vec![keeper, indexer]) }
    }

    /// Looks at all sources, or one, again, at once. Naming one source says that the person means
    /// it: files that are gone from it are believed to be gone, however many.
    pub fn rescan(&self, source: Option<SourceId>) {
        self.shared.rescan(source);
    }

    /// The sources in the store are others now: one was added or removed.
    pub fn refresh_sources(&self) {
        self.shared.reload();
    }

    /// Something was seen to have changed in a folder of a source: it is looked at soon.
    pub fn look_at(&self, source: SourceId, dir: &[u8]) {
        if let Some(hints) = self.shared.hints(source) {
            hints.dir(dir, false);
        }
    }

    /// Files were put back to be looked at again, by the person's wish.
    pub fn look_again(&self) {
        self.shared.wake_index();
    }

    /// Absolute paths of folders that do not belong to any source, though they are inside one.
    /// Takes effect with the next look.
    pub fn set_left_out(&self, paths: Vec<Vec<u8>>) {
        self.shared.set_left_out(paths);
    }

    /// The enabled destinations: what they want of a file's digests is made in the same read as its
    /// BLAKE3, from the next file on. Files that were read before are not read again for it.
    pub fn set_digests_wanted(&self, places: Vec<(DestinationKind, Capabilities)>) {
        self.shared.set_digests(places);
    }

    /// What the library is doing, and a way to wait for it to change.
    pub fn state(&self) -> tokio_watch::Receiver<LibraryState> {
        self.shared.state()
    }

    /// Notified whenever changes were committed; one listener hears each.
    pub fn changes(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.changes)
    }

    /// Stops looking and reading. Returns when nothing touches the store any more.
    pub async fn stop(&self) {
        self.shared.stop();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            task.await.ok();
        }
    }
}

/// The library's view of a stored source.
fn look_of(row: &SourceRow) -> SourceLook {
    use crate::store::SourceCondition as C;
    let condition = match row.condition {
        C::Present => Condition::Present,
        C::Unavailable => Condition::Unavailable,
        C::Unreadable => Condition::Unreadable,
    };
    SourceLook { condition, is_due: true, ..SourceLook::default() }
}

/// A store that is closed ends the work; anything else is worth another try later.
fn is_closed(error: &StoreError) -> bool {
    matches!(error, StoreError::Closed)
}
