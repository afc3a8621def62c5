//! Where paths lead when every link is followed, and what is there: found out beside the loop.
//!
//! A path may be on a network drive that has gone and answers nobody. Such a question is never
//! answered, nor can it be taken back: it keeps a thread. So a path that owes an answer is not asked
//! about again, and no request waits for one longer than [`ANSWER_MAX`].

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::api::{ApiError, ErrorKind};
use crate::base::executor::Executor;
use crate::base::files::{EntryKind, SharedFiles, SourceFiles, path_from_bytes};
use crate::engine::deps::DiskOf;

/// How long the system may take to say where a path leads.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Where paths lead.
#[derive(Debug, Default)]
pub(crate) struct ResolvedPaths {
    targets: HashMap<Vec<u8>, PathBuf>,
    disks: DiskMap,
}

/// The disk that each path is on, where that is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct DiskMap(HashMap<Vec<u8>, String>);

impl DiskMap {
    /// Adds what was found out about other paths, or again.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.clone());
    }

    /// Whether a folder is surely on the same disk as one of these sources.
    pub fn shares_disk(&self, folder: &[u8], sources: impl IntoIterator<Item = Vec<u8>>) -> bool {
        let Some(disk) = self.0.get(folder) else { return false };
        sources.into_iter().any(|source| self.0.get(&source) == Some(disk))
    }
}

impl ResolvedPaths {
    /// Where a path leads; the path itself where that is not known.
    pub fn target_of(&self, path: &[u8]) -> PathBuf {
        self.targets.get(path).cloned().unwrap_or_else(|| path_from_bytes(path))
    }

    /// The disks that the paths are on.
    pub fn disks(&self) -> &DiskMap {
        &self.disks
    }
}

/// Asks the system about paths.
#[derive(Clone)]
pub(crate) struct PathResolver {
    files: SharedFiles,
    executor: Executor,
    disk_of: DiskOf,
    /// Paths that were not answered in time, and whether they have been since.
    unanswered: Arc<Mutex<HashMap<PathBuf, Arc<AtomicBool>>>>,
}

/// Says that a question is over, however it ended.
struct DoneGuard(Arc<AtomicBool>);

impl Drop for DoneGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl PathResolver {
    /// On threads like those of `executor`, but of its own.
    pub fn new(files: SharedFiles, executor: &Executor, disk_of: DiskOf) -> Self {
        Self { files, executor: executor.with_own_threads(), disk_of, unanswered: Arc::default() }
    }

    /// The answer; none where it does not come in time.
    async fn ask<T: Send + 'static>(
        &self,
        path: &[u8],
        question: impl FnOnce(&dyn SourceFiles, &Path) -> T + Send + 'static,
    ) -> Option<T> {
        let path = path_from_bytes(path);
        {
            let mut unanswered = self.unanswered.lock();
            unanswered.retain(|_path, is_over| !is_over.load(Ordering::Acquire));
            if unanswered.contains_key(&path) {
                return None;
            }
        }
        let is_over = Arc::<AtomicBool>::default();
        let (over, files, at) = (DoneGuard(Arc::clone(&is_over)), Arc::clone(&self.files), path.clone());
        let work = move || {
            let _over = over;
            question(files.as_ref(), &at)
        };
        match tokio::time::timeout(ANSWER_MAX, self.executor.run(work)).await {
            Ok(answer) => answer.ok(),
            Err(_late) => {
                tracing::warn!("a path does not answer: the disk or network drive it is on may be away");
                self.unanswered.lock().insert(path, is_over);
                None
            }
        }
    }

    /// Where these lead and which disks they are on, and which of them gave no answer.
    pub(crate) async fn resolve(&self, paths: BTreeSet<Vec<u8>>) -> (ResolvedPaths, BTreeSet<Vec<u8>>) {
        let questions = paths.into_iter().map(|path| async {
            let disk_of = Arc::clone(&self.disk_of);
            let answer = self.ask(&path, move |files, path| (files.resolve(path), disk_of(path))).await;
            (path, answer)
        });
        let (mut resolved, mut silent) = (ResolvedPaths::default(), BTreeSet::new());
        for (path, answer) in futures_util::future::join_all(questions).await {
            match answer {
                Some((place, disk)) => {
                    if let Some(disk) = disk {
                        resolved.disks.0.insert(path.clone(), disk);
                    }
                    if let Ok(place) = place {
                        resolved.targets.insert(path, place);
                    }
                }
                None => drop(silent.insert(path)),
            }
        }
        (resolved, silent)
    }

    /// The file system's name, or why this cannot be a source.
    pub(crate) async fn look_at_source(&self, path: &[u8]) -> Result<String, ApiError> {
        let name = String::from_utf8_lossy(path).into_owned();
        match self.ask(path, look_at_source).await {
            None => Err(no_answer(ErrorKind::Source, &name)),
            Some(Ok(Some(file_system))) => Ok(file_system),
            Some(Ok(None)) => {
                Err(ApiError::new(ErrorKind::Source, format!("This is a file, not a folder: {name}")))
            }
            Some(Err(error)) => {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "There is no such folder",
                    io::ErrorKind::PermissionDenied => "You do not have permission to open this folder",
                    _ => "This folder cannot be read",
                };
                Err(ApiError::new(ErrorKind::Source, format!("{why}: {name}")))
            }
        }
    }
}

/// The file system's name; nothing for what is not a folder.
fn look_at_source(files: &dyn SourceFiles, path: &Path) -> io::Result<Option<String>> {
    // A source may be given through a link; what it leads to is looked at.
    let real = files.resolve(path)?;
    if files.stat(&real)?.kind != EntryKind::Dir {
        return Ok(None);
    }
    files.list(&real)?;
    files.file_system(&real).map(Some)
}

/// A path that gives no answer.
pub(crate) fn no_answer(kind: ErrorKind, name: &str) -> ApiError {
    let why = "This folder does not respond. Its disk or network drive may be disconnected; try again when it is back";
    ApiError::new(kind, format!("{why}: {name}"))
}

/// A path without its trailing slashes.
pub(crate) fn trim_slashes(mut path: Vec<u8>) -> Vec<u8> {
    while path.len() > 1 && path.last() == Some(&b'/') {
        path.pop();
    }
    path
}
