//! Looking through a source's folders: the walk, on a thread of its own.
//!
//! The walk lists and never decides: it hands over listings a batch at a time through a bounded
//! line, so its memory does not grow with the library. It follows no symbolic link, ends loops of
//! mounts, and stops between two directories when it is told to.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::watch::WatchGuard;
use crate::base::files::{Entry, EntryKind, SharedFiles, is_disk_error, path_from_bytes};
use crate::domain::folder_problem::FolderProblem;
use crate::domain::path::join;
use crate::store::{DirListing, EntryState, ListedEntry, UNREADABLE_DIRS_MAX, UnreadableDir};

/// Entries after which a batch is handed over.
pub const BATCH_ENTRIES_MAX: usize = 2_048;
/// Directories after which a batch is handed over.
pub const BATCH_DIRS_MAX: usize = 256;
/// Batches that wait between the walk and the store.
const BATCHES_WAITING_MAX: usize = 4;
/// The deepest folder that is looked into.
pub const DEPTH_MAX: usize = 256;

/// Where a walk begins, and how far down it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkStart {
    /// The folder below the source.
    pub dir: Vec<u8>,
    /// All folders below it too.
    pub is_deep: bool,
}

/// What a walk is told.
#[derive(Clone)]
pub struct WalkPlan {
    /// The files.
    pub files: SharedFiles,
    /// The source's absolute path.
    pub root: Vec<u8>,
    /// Where to begin.
    pub starts: Vec<WalkStart>,
    /// Absolute paths of folders that do not belong to the source: a destination inside it.
    pub left_out: Arc<Vec<Vec<u8>>>,
    /// Raised by one for each entry seen.
    pub seen: Arc<AtomicU64>,
    /// Told of each folder before it is listed.
    pub watch: Option<Arc<WatchGuard>>,
    /// Set to end the walk early.
    pub stop: Arc<AtomicBool>,
}

/// How the source's own folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootState {
    /// It is there.
    There {
        /// The file system's name.
        file_system: String,
        /// It has no entries at all.
        is_empty: bool,
    },
    /// It is not there.
    Missing(String),
    /// It is there and cannot be listed, or is not a folder.
    Unreadable(String),
}

/// One step of a walk.
#[derive(Debug)]
pub enum WalkStep {
    /// How the source's folder is: the first step, and again the last.
    Root(RootState),
    /// Directories as they are now.
    Listings(Vec<DirListing>),
    /// The walk was not stopped, and this is what it could not look into.
    End(UnreadableDirs),
}

/// Folders that could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnreadableDirs {
    /// How many.
    pub dirs: u64,
    /// The first [`UNREADABLE_DIRS_MAX`] of them.
    pub named: Vec<UnreadableDir>,
}

/// The directories that lead to a directory, to notice when one comes again inside itself.
struct AncestorDirs {
    id: (u64, u64),
    depth: usize,
    above: Option<Arc<AncestorDirs>>,
}

impl AncestorDirs {
    fn contains(&self, id: (u64, u64)) -> bool {
        let mut link = Some(self);
        while let Some(here) = link {
            if here.id == id {
                return true;
            }
            link = here.above.as_deref();
        }
        false
    }
}

struct Pending {
    dir: Vec<u8>,
    is_deep: bool,
    is_start: bool,
    chain: Option<Arc<AncestorDirs>>,
}

/// A walk, one step at a time.
pub struct Walk {
    plan: WalkPlan,
    pending: Vec<Pending>,
    /// Parents of places that have gone: at most one for each place.
    parents: BTreeSet<Vec<u8>>,
    unreadable: UnreadableDirs,
    stage: WalkStage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WalkStage {
    Root,
    Dirs,
    RootAgain,
    End,
    Done,
}

impl Walk {
    /// A walk that has not begun.
    pub fn new(plan: WalkPlan) -> Self {
        let pending = plan.starts.iter().rev().map(|start| Pending {
            dir: start.dir.clone(),
            is_deep: start.is_deep,
            is_start: true,
            chain: None,
        });
        Self {
            pending: pending.collect(),
            parents: BTreeSet::new(),
            unreadable: UnreadableDirs::default(),
            stage: WalkStage::Root,
            plan,
        }
    }

    /// The next step; none at the end, or when the walk was stopped.
    pub fn next_step(&mut self) -> Option<WalkStep> {
        if self.plan.stop.load(Ordering::Relaxed) {
            return None;
        }
        match self.stage {
            WalkStage::Root => {
                let look = inspect_root(&self.plan.files, &self.plan.root);
                let is_there = matches!(look, RootState::There { .. });
                self.stage = if is_there { WalkStage::Dirs } else { WalkStage::Done };
                Some(WalkStep::Root(look))
            }
            WalkStage::Dirs => {
                let batch = self.next_batch();
                if self.pending.is_empty() {
                    self.stage = WalkStage::RootAgain;
                }
                Some(WalkStep::Listings(batch))
            }
            WalkStage::RootAgain => {
                self.stage = WalkStage::End;
                Some(WalkStep::Root(inspect_root(&self.plan.files, &self.plan.root)))
            }
            WalkStage::End => {
                self.stage = WalkStage::Done;
                Some(WalkStep::End(std::mem::take(&mut self.unreadable)))
            }
            WalkStage::Done => None,
        }
    }

    fn next_batch(&mut self) -> Vec<DirListing> {
        let mut batch = Vec::new();
        let mut entries = 0;
        while entries < BATCH_ENTRIES_MAX && batch.len() < BATCH_DIRS_MAX {
            if self.plan.stop.load(Ordering::Relaxed) {
                break;
            }
            let Some(next) = self.pending.pop() else { break };
            if let Some(listing) = self.list(next) {
                entries += listing.files.len();
                batch.push(listing);
            }
        }
        batch
    }

    fn list(&mut self, pending: Pending) -> Option<DirListing> {
        let Pending { dir, is_deep, is_start, mut chain } = pending;
        let path = path_from_bytes(&join_root(&self.plan.root, &dir));
        if is_start && is_deep {
            let stat = self.plan.files.stat(&path).ok();
            chain =
                stat.map(|stat| Arc::new(AncestorDirs { id: (stat.dev, stat.ino), depth: 0, above: None }));
        }
        if let Some(watch) = &self.plan.watch {
            watch.enter(&path);
        }
        let entries = match self.plan.files.list(&path) {
            Ok(entries) => entries,
            Err(error) => {
                // A hint may name what was no folder, or is none any more: its parent tells what has gone.
                let is_none = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
                if is_none && is_start {
                    self.recheck_parent(&dir);
                } else {
                    self.note_unreadable(dir, problem_of(&error), error.to_string());
                }
                return None;
            }
        };
        self.plan.seen.fetch_add(entries.len() as u64, Ordering::Relaxed);
        let mut listing = DirListing { dir, files: Vec::with_capacity(entries.len()), subdirs: Vec::new() };
        for entry in entries {
            self.sort_entry(entry, &mut listing, is_deep, chain.as_ref());
        }
        listing.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        listing.subdirs.sort_unstable();
        Some(listing)
    }

    fn recheck_parent(&mut self, dir: &[u8]) {
        if dir.is_empty() {
            return;
        }
        let cut = dir.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let parent = dir[..cut].to_vec();
        let is_asked = self.plan.starts.iter().any(|start| start.dir == parent);
        if !is_asked && self.parents.insert(parent.clone()) {
            self.pending.push(Pending { dir: parent, is_deep: false, is_start: true, chain: None });
        }
    }

    fn sort_entry(
        &mut self,
        entry: Entry,
        listing: &mut DirListing,
        is_deep: bool,
        chain: Option<&Arc<AncestorDirs>>,
    ) {
        let Entry { name, stat } = entry;
        match stat {
            Ok(stat) if stat.kind == EntryKind::Dir => {
                let dir = join(&listing.dir, &name);
                if self.plan.left_out.contains(&join_root(&self.plan.root, &dir)) {
                    return;
                }
                listing.subdirs.push(name);
                if is_deep {
                    self.enter(dir, (stat.dev, stat.ino), chain);
                }
            }
            Ok(stat) => {
                let seen = EntryState { stamp: stat.stamp, is_regular: stat.kind == EntryKind::File };
                listing.files.push(ListedEntry { name, seen: Ok(seen) });
            }
            // It went while the folder was being listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => listing.files.push(ListedEntry { name, seen: Err(error.to_string()) }),
        }
    }

    fn enter(&mut self, dir: Vec<u8>, id: (u64, u64), above: Option<&Arc<AncestorDirs>>) {
        let depth = above.map_or(1, |chain| chain.depth + 1);
        // Some file systems number nothing; then only the depth ends a loop.
        let is_loop = id.1 != 0 && above.is_some_and(|chain| chain.contains(id));
        if is_loop || depth > DEPTH_MAX {
            let problem = if is_loop { FolderProblem::Loop } else { FolderProblem::TooDeep };
            self.note_unreadable(dir, problem, problem.summary().to_owned());
            return;
        }
        let chain = Arc::new(AncestorDirs { id, depth, above: above.cloned() });
        self.pending.push(Pending { dir, is_deep: true, is_start: false, chain: Some(chain) });
    }

    fn note_unreadable(&mut self, dir: Vec<u8>, problem: FolderProblem, details: String) {
        self.unreadable.dirs += 1;
        if self.unreadable.named.len() < UNREADABLE_DIRS_MAX as usize {
            self.unreadable.named.push(UnreadableDir { dir, problem, details });
        }
    }
}

/// What keeps a folder from being listed.
fn problem_of(error: &io::Error) -> FolderProblem {
    match error.kind() {
        io::ErrorKind::PermissionDenied => FolderProblem::Denied,
        _ if is_disk_error(error) => FolderProblem::Disk,
        _ => FolderProblem::Other,
    }
}

fn join_root(root: &[u8], dir: &[u8]) -> Vec<u8> {
    if dir.is_empty() { root.to_vec() } else { [root, b"/", dir].concat() }
}

/// How a source's own folder is now.
pub fn inspect_root(files: &SharedFiles, root: &[u8]) -> RootState {
    let path = path_from_bytes(root);
    let listed = files.list(&path).and_then(|entries| Ok((files.file_system(&path)?, entries.is_empty())));
    match listed {
        Ok((file_system, is_empty)) => RootState::There { file_system, is_empty },
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotConnected
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => RootState::Missing(error.to_string()),
            _ => RootState::Unreadable(error.to_string()),
        },
    }
}

/// A walk that is under way: on its own thread in the app, step by step in tests.
pub enum RunningWalk {
    /// On the caller's thread.
    Inline(Box<Walk>),
    /// On its own.
    Thread(mpsc::Receiver<WalkStep>),
}

impl RunningWalk {
    /// Sets off.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(plan: WalkPlan, is_inline: bool) -> io::Result<Self> {
        let mut walk = Walk::new(plan);
        if is_inline {
            return Ok(Self::Inline(Box::new(walk)));
        }
        let (steps, received) = mpsc::channel(BATCHES_WAITING_MAX);
        std::thread::Builder::new().name("library-walk".to_owned()).spawn(move || {
            while let Some(step) = walk.next_step() {
                if steps.blocking_send(step).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self::Thread(received))
    }

    /// The next step; none at the end, or when the walk was stopped.
    pub async fn next(&mut self) -> Option<WalkStep> {
        match self {
            Self::Inline(walk) => walk.next_step(),
            Self::Thread(steps) => steps.recv().await,
        }
    }
}
