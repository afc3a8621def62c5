//! Hints that something changed in a source.
//!
//! A hint only says where to look; what is there is for a scan to find out. So hints may be lost,
//! doubled or wrong, and nothing worse happens than a look too many or one that comes late.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{EventKind, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::base::files::path_bytes;
use crate::base::waker::Waker;

/// Folders that wait for a look; beyond, the whole source is looked through.
pub const DIRTY_DIRS_MAX: usize = 1_024;

/// What was hinted since the last look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HintedPaths {
    /// Folders below the source, and whether all below them is meant.
    pub dirs: BTreeMap<Vec<u8>, bool>,
    /// Everything is to be looked at.
    pub is_whole: bool,
    /// Somebody waits for the look.
    pub is_urgent: bool,
    /// The person asked for this source, and believes what is found.
    pub by_person: bool,
    /// No more hints will come, for this reason.
    pub watch_lost: Option<WatchError>,
}

impl HintedPaths {
    /// Nothing was hinted.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty() && !self.is_whole && self.watch_lost.is_none()
    }
}

/// Why a source cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchError {
    /// The system watches no more folders for this user.
    Limit,
    /// Something else.
    Other(String),
}

/// Where hints of one source are collected. Clones share it.
#[derive(Clone)]
pub struct Hints(Arc<HintQueue>);

struct HintQueue {
    hinted: Mutex<HintedPaths>,
    news: Notify,
    waker: Waker,
}

impl Hints {
    /// A collection that calls `waker` with each hint.
    pub fn new(waker: Waker) -> Self {
        Self(Arc::new(HintQueue { hinted: Mutex::default(), news: Notify::new(), waker }))
    }

    fn hinted(&self) -> MutexGuard<'_, HintedPaths> {
        self.0.hinted.lock()
    }

    fn note(&self, change: impl FnOnce(&mut HintedPaths)) {
        change(&mut self.hinted());
        self.0.waker.wake();
        self.0.news.notify_one();
    }

    /// A folder below the source is to be looked at, and with `is_deep` all below it.
    pub fn dir(&self, dir: &[u8], is_deep: bool) {
        self.note(|hinted| {
            if let Some(known) = hinted.dirs.get_mut(dir) {
                *known |= is_deep;
            } else if hinted.dirs.len() < DIRTY_DIRS_MAX {
                hinted.dirs.insert(dir.to_vec(), is_deep);
            } else {
                hinted.is_whole = true;
            }
        });
    }

    /// Everything is to be looked at.
    pub fn whole(&self) {
        self.note(|hinted| hinted.is_whole = true);
    }

    /// Everything is to be looked at now. With `by_person`, what is gone from it is believed to be
    /// gone.
    pub fn request_rescan(&self, by_person: bool) {
        self.note(|hinted| {
            (hinted.is_whole, hinted.is_urgent) = (true, true);
            hinted.by_person |= by_person;
        });
    }

    /// No more hints will come.
    pub fn watch_lost(&self, why: WatchError) {
        self.note(|hinted| hinted.watch_lost = Some(why));
    }

    /// Returns when there is a hint that was not heard yet.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Whether somebody waits for the look.
    pub fn is_urgent(&self) -> bool {
        self.hinted().is_urgent
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.hinted().is_empty()
    }

    /// All hints so far; they are forgotten here.
    pub fn take(&self) -> HintedPaths {
        std::mem::take(&mut self.hinted())
    }
}

/// Watches sources. The app's own is [`SystemWatcher`].
pub trait FolderWatcher: Send + Sync {
    /// Watches a folder, and those below it that are entered, until the guard is dropped.
    ///
    /// # Errors
    /// When it cannot be watched.
    fn watch(&self, root: &Path, hints: &Hints) -> Result<WatchGuard, WatchError>;
}

/// A watch that is on. Ends when dropped.
pub trait WatchHandle: Send + Sync {
    /// A look is about to list this folder: what changes in it from now on is told. A walk enters
    /// every folder anyway, and a watch that looked for them itself would look at every file once
    /// more. Entering a folder again is how a moved one is known by its new name.
    fn enter(&self, dir: &Path);
}

/// Hears nothing of its own.
impl WatchHandle for () {
    fn enter(&self, _dir: &Path) {}
}

/// A watch that is on.
pub type WatchGuard = Box<dyn WatchHandle>;

/// The system's own notifications.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemWatcher;

impl FolderWatcher for SystemWatcher {
    fn watch(&self, root: &Path, hints: &Hints) -> Result<WatchGuard, WatchError> {
        let translator = Translator { root: root.to_path_buf(), hints: hints.clone() };
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut watcher =
            notify::RecommendedWatcher::new(move |event| translator.hear(event), config).map_err(failed)?;
        watcher.watch(root, RecursiveMode::NonRecursive).map_err(failed)?;
        let watcher = Mutex::new(Some(watcher));
        Ok(Box::new(SystemWatchHandle { watcher, hints: hints.clone() }))
    }
}

struct SystemWatchHandle {
    /// None once a folder could not be watched.
    watcher: Mutex<Option<notify::RecommendedWatcher>>,
    hints: Hints,
}

impl WatchHandle for SystemWatchHandle {
    fn enter(&self, dir: &Path) {
        let mut watcher = self.watcher.lock();
        let Some(Err(error)) =
            watcher.as_mut().map(|watcher| watcher.watch(dir, RecursiveMode::NonRecursive))
        else {
            return;
        };
        // It has gone, or may not be looked into: the look finds the same.
        let is_theirs = match &error.kind {
            notify::ErrorKind::PathNotFound => true,
            notify::ErrorKind::Io(io) => matches!(
                io.kind(),
                std::io::ErrorKind::NotFound
                    | std::io::ErrorKind::NotADirectory
                    | std::io::ErrorKind::PermissionDenied
            ),
            _ => false,
        };
        if !is_theirs {
            *watcher = None;
            self.hints.watch_lost(failed(error));
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn failed(error: notify::Error) -> WatchError {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => WatchError::Limit,
        // Out of instances instead of watches.
        notify::ErrorKind::Io(io) if io.raw_os_error() == Some(libc::EMFILE) => WatchError::Limit,
        _ => WatchError::Other(error.to_string()),
    }
}

/// Turns the system's events into hints.
struct Translator {
    root: PathBuf,
    hints: Hints,
}

impl Translator {
    fn hear(&self, event: notify::Result<notify::Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.hints.whole();
                return self.hints.watch_lost(failed(error));
            }
        };
        if event.need_rescan() {
            return self.hints.whole();
        }
        let is_deep = match event.kind {
            // Our own reads are heard as well; only what was written counts.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => return,
            EventKind::Create(CreateKind::Folder | CreateKind::Any)
            | EventKind::Modify(ModifyKind::Name(_)) => true,
            _ => false,
        };
        for path in &event.paths {
            self.hint(path, is_deep);
        }
    }

    fn hint(&self, path: &Path, is_deep: bool) {
        let Ok(below) = path.strip_prefix(&self.root) else {
            return self.hints.whole();
        };
        let below = path_bytes(below);
        if below.is_empty() {
            return self.hints.dir(b"", false);
        }
        let parent = below.iter().rposition(|byte| *byte == b'/').map_or(0, |cut| cut);
        self.hints.dir(&below[..parent], false);
        if is_deep {
            self.hints.dir(&below, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::{DataChange, Flag, RenameMode};

    use super::*;

    fn heard(events: Vec<notify::Result<Event>>) -> HintedPaths {
        let hints = Hints::new(Waker::none());
        let translator = Translator { root: PathBuf::from("/photos"), hints: hints.clone() };
        for event in events {
            translator.hear(event);
        }
        hints.take()
    }

    fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
        Ok(Event::new(kind).add_path(PathBuf::from(path)))
    }

    #[test]
    fn events_name_folders_to_look_at() {
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let hinted = heard(vec![event(write, "/photos/a/b.jpg"), event(write, "/photos/c.jpg")]);
        assert_eq!(hinted.dirs, BTreeMap::from([(b"a".to_vec(), false), (Vec::new(), false)]));
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let hinted = heard(vec![event(moved, "/photos/a/new")]);
        assert_eq!(hinted.dirs, BTreeMap::from([(b"a".to_vec(), false), (b"a/new".to_vec(), true)]));
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(heard(vec![event(read, "/photos/a/b.jpg")]).is_empty());
    }

    #[test]
    fn what_cannot_be_told_apart_is_a_whole_look() {
        assert!(heard(vec![Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))]).is_whole);
        let limit = Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        let hinted = heard(vec![limit]);
        assert!(hinted.is_whole);
        assert_eq!(hinted.watch_lost, Some(WatchError::Limit));

        let hints = Hints::new(Waker::none());
        for n in 0..=DIRTY_DIRS_MAX {
            hints.dir(n.to_string().as_bytes(), false);
        }
        let hinted = hints.take();
        assert!(hinted.is_whole);
        assert_eq!(hinted.dirs.len(), DIRTY_DIRS_MAX);
        assert!(hints.is_empty());
    }

    #[tokio::test]
    async fn the_system_watches_new_folders_too() {
        let dir = tempfile::tempdir().expect("dir");
        let hints = Hints::new(Waker::none());
        let guard = SystemWatcher.watch(dir.path(), &hints).expect("watch");
        let hinted = async |wanted: &[u8]| {
            let mut dirs = BTreeMap::new();
            while !dirs.contains_key(wanted) {
                hints.news().await;
                dirs.extend(hints.take().dirs);
            }
            dirs[wanted]
        };
        let new = dir.path().join("new");
        std::fs::create_dir(&new).expect("mkdir");
        assert!(hinted(b"new").await, "to be looked through to the bottom");
        guard.enter(&new);
        std::fs::write(new.join("a.jpg"), "a").expect("write");
        assert!(!hinted(b"new").await);
        // A moved folder is known by its new name once it is entered there.
        let moved = dir.path().join("moved");
        std::fs::rename(&new, &moved).expect("rename");
        assert!(hinted(b"moved").await);
        guard.enter(&moved);
        std::fs::write(moved.join("b.jpg"), "b").expect("write");
        assert!(!hinted(b"moved").await);
        // Nothing to watch is nobody's fault.
        guard.enter(&new);
        hints.take();
        guard.enter(&dir.path().join("never"));
        assert_eq!(hints.take().watch_lost, None);
        drop(guard);
    }
}
