//! The library: which files there are, what they are and which bytes they hold.
//!
//! A task for each source looks through it: when it is added, when something hints at a change,
//! when the person asks, and every few hours. One more task reads the files that were found, heads
//! first so that the grid fills at once, then all bytes, newest capture first. Both write only what
//! still fits the version they looked at, so they may be stopped or killed at any point.
//!
//! Nothing here writes to a source, and nothing here decides what is backed up.

mod index;
mod library_deps;
mod limits;
mod reader;
mod reconcile;
mod scan;
mod shared;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::watch as tokio_watch;
use tokio::task::JoinHandle;

pub use index::{CHUNK_BYTES_MAX, CHUNK_FILES_MAX};
pub use library_deps::{LibraryDeps, READS_MAX};
pub use limits::{
    DEBOUNCE, GONE_FILES_MIN, MISSING_POLL, MOUNT_POLL, RESCAN_FLOOR, SETTLE, UNREADABLE_POLL, UNWATCHED_POLL,
};
pub use reader::{MediaReader, Reader};
pub use scan::{BATCH_DIRS_MAX, BATCH_ENTRIES_MAX, DEPTH_MAX};
pub use state::{Condition, LibraryState, SourceStatus};
pub use watch::{
    DIRTY_DIRS_MAX, FolderWatcher, HintedPaths, Hints, SystemWatcher, WatchError, WatchGuard, WatchHandle,
};

use crate::domain::ids::SourceId;
use crate::domain::target::DestinationKind;
use crate::domain::transfer::Capabilities;
use shared::Shared;

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
