//! Where paths lead when every link is followed, and what is there: found out beside the supervisor.
//!
//! A path may be on a network drive that has gone and answers nobody. Such a question is never
//! answered, nor can it be taken back: it keeps a thread. So a path that owes an answer is not asked
//! about again, and no request waits for one longer than [`ANSWER_MAX`].

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::api::{ApiError, ErrorKind, PathText};
use crate::base::executor::Executor;
use crate::base::files::{EntryKind, SharedFiles, SourceFiles, path_from_bytes};
use crate::domain::ids::{DestinationId, SourceId};
use crate::domain::target::{DestinationKind, Target};
use crate::engine::deps::DiskOf;
use crate::engine::requests::secrets::EnteredOptions;
use crate::engine::requests::{Outcome, bytes_of, internal, usage};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::{TaskEnd, spawn};

/// How long the system may take to say where a path leads.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A request that needs to know where paths lead.
#[derive(Debug)]
pub(crate) enum PathRequest {
    /// Add a source.
    Source { path: PathText, consent_all: bool },
    /// Record consent.
    Consent { sources: Vec<SourceId>, destination: DestinationId },
    /// Try a destination that is not saved.
    Test { target: PathText, entered: EnteredOptions },
    /// Add a destination.
    Destination { target: PathText, name: Option<String>, entered: EnteredOptions, consent_all: bool },
}

/// Where paths lead.
#[derive(Debug, Default)]
pub(crate) struct ResolvedPaths {
    places: HashMap<Vec<u8>, PathBuf>,
    disks: Disks,
}

/// The disk that each path is on, where that is known.
pub(crate) type Disks = HashMap<Vec<u8>, String>;

impl ResolvedPaths {
    /// Where a path leads; the path itself where that is not known.
    pub fn of(&self, path: &[u8]) -> PathBuf {
        self.places.get(path).cloned().unwrap_or_else(|| path_from_bytes(path))
    }

    /// The disks that the paths are on.
    pub fn disks(&self) -> &Disks {
        &self.disks
    }
}

/// What was found out for a request.
pub(crate) struct PathsResolved {
    pub wanted: PathRequest,
    pub places: ResolvedPaths,
    /// The file system of the source that is wanted, or why it cannot be one.
    pub source: Option<Result<String, ApiError>>,
    /// The place that is wanted gave no answer.
    pub is_silent: bool,
    pub reply: oneshot::Sender<Outcome>,
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
        Self { files, executor: executor.apart(), disk_of, unanswered: Arc::default() }
    }

    /// The answer; none where it does not come in time.
    async fn ask<T: Send + 'static>(
        &self,
        path: &[u8],
        question: impl FnOnce(&dyn SourceFiles, &Path) -> T + Send + 'static,
    ) -> Option<T> {
        let path = path_from_bytes(path);
        {
            let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
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
                self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).insert(path, is_over);
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
        let (mut places, mut silent) = (ResolvedPaths::default(), BTreeSet::new());
        for (path, answer) in futures_util::future::join_all(questions).await {
            match answer {
                Some((place, disk)) => {
                    if let Some(disk) = disk {
                        places.disks.insert(path.clone(), disk);
                    }
                    if let Ok(place) = place {
                        places.places.insert(path, place);
                    }
                }
                None => drop(silent.insert(path)),
            }
        }
        (places, silent)
    }

    /// The file system's name, or why this cannot be a source.
    async fn look_at_source(&self, path: &[u8]) -> Result<String, ApiError> {
        let name = String::from_utf8_lossy(path).into_owned();
        match self.ask(path, look_at_source).await {
            None => Err(silent(ErrorKind::Source, &name)),
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

/// The file system's name; nothing for what is no folder.
fn look_at_source(files: &dyn SourceFiles, path: &Path) -> io::Result<Option<String>> {
    // A source may be given through a link; what it leads to is looked at.
    let real = files.resolve(path)?;
    if files.stat(&real)?.kind != EntryKind::Dir {
        return Ok(None);
    }
    files.list(&real)?;
    files.file_system(&real).map(Some)
}

/// A place that gives no answer.
fn silent(kind: ErrorKind, name: &str) -> ApiError {
    let why = "This folder does not respond. Its disk or network drive may be disconnected; try again when it is back";
    ApiError::new(kind, format!("{why}: {name}"))
}

impl PathRequest {
    /// The folder that is wanted, if one is.
    fn folder(&self) -> Option<Vec<u8>> {
        match self {
            Self::Source { path, .. } => bytes_of(path).ok().map(trim_slashes),
            Self::Consent { .. } => None,
            Self::Test { target, .. } | Self::Destination { target, .. } => {
                match Target::parse(&bytes_of(target).ok()?).ok()? {
                    Target::Folder(path) => Some(trim_slashes(path)),
                    Target::NameOrPath(_) | Target::Url { .. } => None,
                }
            }
        }
    }
}

impl Supervisor {
    /// Finds out where all places lead that a request may touch, then goes on with it.
    pub(crate) async fn resolve_paths(&mut self, wanted: PathRequest, reply: oneshot::Sender<Outcome>) {
        let sources = match self.store.read(|r| r.sources()).await {
            Ok(sources) => sources,
            Err(error) => {
                reply.send(Err(internal(&error))).ok();
                return;
            }
        };
        let own = wanted.folder();
        let folders = self.workers.values().filter(|worker| worker.row.kind == DestinationKind::Folder);
        let mut paths: BTreeSet<Vec<u8>> = folders.map(|worker| worker.row.address.clone()).collect();
        paths.extend(sources.into_iter().map(|row| row.path));
        paths.extend(own.clone());
        let places = self.places.clone();
        let lost = TaskEnd::Lost("a look at a folder".to_owned());
        spawn(&mut self.tasks, lost, async move {
            let (resolved, silent) = places.resolve(paths).await;
            let is_silent = own.as_ref().is_some_and(|own| silent.contains(own));
            let source = match (&wanted, &own) {
                (PathRequest::Source { .. }, Some(path)) => Some(places.look_at_source(path).await),
                _ => None,
            };
            TaskEnd::PathsResolved(Box::new(PathsResolved {
                wanted,
                places: resolved,
                source,
                is_silent,
                reply,
            }))
        });
    }

    /// Goes on with a request whose places are known.
    pub(crate) async fn on_paths_resolved(&mut self, found: PathsResolved) {
        let PathsResolved { wanted, places, source, is_silent, reply } = found;
        self.disks.extend(places.disks().clone());
        let outcome = match wanted {
            PathRequest::Source { path, consent_all } => {
                let looked = source.unwrap_or_else(|| Err(usage("the path is not valid")));
                self.add_source(&path, looked, consent_all, &places).await
            }
            PathRequest::Consent { sources, destination } => {
                self.consent(&sources, vec![destination], &places).await
            }
            PathRequest::Test { target, .. } | PathRequest::Destination { target, .. } if is_silent => {
                Err(silent(ErrorKind::Destination, &target.path))
            }
            PathRequest::Test { target, entered } => {
                return self.spawn_test(&target, entered, &places, reply).await;
            }
            PathRequest::Destination { target, name, entered, consent_all } => {
                let order =
                    crate::engine::requests::destinations::DestinationOrder { name, entered, consent_all };
                return self.prepare_destination(&target, order, places, reply).await;
            }
        };
        reply.send(outcome).ok();
    }
}

/// A path without its trailing slashes.
pub(crate) fn trim_slashes(mut path: Vec<u8>) -> Vec<u8> {
    while path.len() > 1 && path.last() == Some(&b'/') {
        path.pop();
    }
    path
}
