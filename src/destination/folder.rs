//! A folder: an external disk, a mounted network share, any directory.
//!
//! A copy is written under a temp name in its final directory, synced, and given its name by a
//! rename that never replaces. Every piece of work opens the folder again, checks its marker and
//! then stays below that handle, so a disk that is swapped or unmounted in between is noticed and
//! nothing is ever written beside it. It must never recreate a missing marker, follow a link inside
//! the destination, or remove anything but its own temp files.

mod check;
mod chunks;
mod clean;
mod errors;
mod fs;
mod manifests;
mod marker;
#[cfg(feature = "testing")]
mod memory;
mod mount;
mod os_fs;
mod page_cache;
mod probe;
mod prove;
mod send;
mod temp_copy;

use parking_lot::Mutex;
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use fs::{Chunks, CopyFile, EntryFacts, FolderDir, FolderFs, FsFacts};
#[cfg(feature = "testing")]
pub use memory::{MemoryFs, ReadFault, Rules};
pub use os_fs::OsFs;

use super::dir_sync::DirSync;
use super::keyed_lock::KeyedLock;
use super::manifest::ManifestContents;
use super::marker::Marker;
use super::{Attachment, BoxFuture, Capabilities, Destination, Item, ReadBack, Sent, Transfer};
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::rng::SharedRng;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key;
use crate::domain::record::{Evidence, ProofMethod};
use errors::at_destination;

/// What a folder destination is put together from.
#[derive(Clone)]
pub struct Parts {
    /// The folder, absolute.
    pub root: PathBuf,
    /// The UUID that its marker must have; `None` takes any folder with a marker.
    pub uuid: Option<String>,
    /// This installation's id: names its manifest folder and marks its temp files (see
    /// [`key::temp_token`]).
    pub installation: String,
    /// What an earlier probe found: decides how copies are proved. Without it, that is found out
    /// when the first copy is proved.
    pub capabilities: Option<Capabilities>,
    /// The file system.
    pub fs: Arc<dyn FolderFs>,
    /// Where blocking work runs.
    pub executor: Executor,
    /// Names scratch files and new destinations.
    pub rng: SharedRng,
    /// The clock that dates evidence.
    pub clock: SharedClock,
}

/// A folder destination.
#[derive(Clone)]
pub struct Folder(Arc<Inner>);

/// How copies are proved here, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProofSupport {
    Unknown,
    Known(Option<ProofMethod>),
}

struct Inner {
    parts: Parts,
    proof: Mutex<ProofSupport>,
    sends: KeyedLock,
    syncs: DirSync,
    /// Directories whose name in their parent was made durable since this process began.
    durable: Mutex<HashSet<String>>,
    /// Held while scratch and manifest files are made or cleaned up.
    housekeeping: Arc<tokio::sync::Mutex<()>>,
}

impl Folder {
    /// A destination that was added before. Touches nothing.
    pub fn new(parts: Parts) -> Self {
        let proof = match &parts.capabilities {
            None => ProofSupport::Unknown,
            Some(recorded) => ProofSupport::Known(recorded.proof),
        };
        Self(Arc::new(Inner {
            parts,
            proof: Mutex::new(proof),
            sends: KeyedLock::default(),
            syncs: DirSync::default(),
            durable: Mutex::default(),
            housekeeping: Arc::default(),
        }))
    }

    /// Adds a folder as a destination: creates its last component where that is missing, and marks
    /// it with a new UUID, or takes it over with the UUID it has. Returns the UUID too.
    ///
    /// # Errors
    /// `gone` when the folder above is not there; `conflict` when the marker is damaged, of a later
    /// version, or has another UUID than `parts` wants; what the file system says.
    pub async fn create(parts: Parts) -> Result<(Self, String), Failure> {
        let folder = Self::new(parts);
        let marker = folder.0.run(Inner::adopt).await?;
        let parts = Parts { uuid: Some(marker.uuid.clone()), ..folder.0.parts.clone() };
        Ok((Self::new(parts), marker.uuid))
    }

    /// Tries a folder that may not be a destination yet, or not exist yet, as long as the one above
    /// does. Leaves nothing behind. Returns what it can do (with an empty UUID where it has no marker)
    /// and its free space where that is known.
    ///
    /// # Errors
    /// As [`Self::create`], and what [`Destination::probe`] fails with.
    pub async fn try_out(parts: Parts) -> Result<(Capabilities, Option<u64>), Failure> {
        probe::try_out(&Self::new(parts).0).await
    }

    /// Bytes that may still be written there; `None` where the file system does not know.
    ///
    /// # Errors
    /// A failure whose reach is the destination.
    pub async fn free_bytes(&self) -> Result<Option<u64>, Failure> {
        let free = |inner: &Inner| {
            let root = inner.open()?;
            root.free_bytes().map_err(|error| at_destination(&error, "asking for free space"))
        };
        self.0.run(free).await
    }
}

impl Inner {
    /// Runs blocking work on the executor.
    async fn run<T, F>(self: &Arc<Self>, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    {
        let inner = Arc::clone(self);
        let outcome = self.parts.executor.run(move || work(&inner)).await;
        outcome.unwrap_or_else(|lost| Err(Failure::transient(FailureKind::Server, lost.to_string())))
    }

    /// Opens the folder and makes sure that it is the destination.
    fn open(&self) -> Result<Box<dyn FolderDir>, Failure> {
        let gone = |why: String| Failure::destination(FailureKind::Gone, why);
        let root = self.parts.fs.open_root(&self.parts.root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                gone(format!("the folder is not there: {}", self.parts.root.display()))
            }
            _ => at_destination(&error, "opening the folder"),
        })?;
        let Some(marker) = marker::read(root.as_ref())? else {
            return Err(gone(format!(
                "the folder has no Safelight marker; the disk may not be mounted: {}",
                self.parts.root.display()
            )));
        };
        self.expect(&marker)?;
        Ok(root)
    }

    /// Makes sure that a marker is the one that was expected.
    fn expect(&self, marker: &Marker) -> Result<(), Failure> {
        match &self.parts.uuid {
            Some(uuid) if *uuid != marker.uuid => Err(Failure::destination(
                FailureKind::Conflict,
                format!("expected destination {uuid}, found {}", marker.uuid),
            )),
            _ => Ok(()),
        }
    }

    /// Why a folder that is not known to be a destination cannot be opened.
    fn open_failure(&self, error: &io::Error) -> Failure {
        let root = self.parts.root.display();
        match error.kind() {
            io::ErrorKind::NotFound => Failure::destination(
                FailureKind::Gone,
                format!("the folder that should hold it is not there: {root}"),
            ),
            io::ErrorKind::NotADirectory => {
                Failure::destination(FailureKind::Conflict, format!("this is not a folder: {root}"))
            }
            _ => at_destination(error, "opening the folder"),
        }
    }

    /// What went wrong at the destination. Errors that a lost disk can cause are looked into: where
    /// the destination itself is no longer there, that is the failure.
    fn explain(&self, error: &io::Error, what: &str) -> Failure {
        let failure = at_destination(error, what);
        match failure.kind {
            FailureKind::Unreadable | FailureKind::NotFound | FailureKind::Server | FailureKind::Conflict => {
                match self.open() {
                    Err(lost) if lost.kind == FailureKind::Gone => lost,
                    _ => failure,
                }
            }
            _ => failure,
        }
    }

    fn adopt(&self) -> Result<Marker, Failure> {
        let root = &self.parts.root;
        if !root.is_absolute() {
            return Err(Failure::destination(FailureKind::BadRequest, "the folder's path is not absolute"));
        }
        self.parts.fs.create_root(root).map_err(|error| self.open_failure(&error))?;
        let dir = self.parts.fs.open_root(root).map_err(|error| self.open_failure(&error))?;
        let marker = match marker::read(dir.as_ref())? {
            Some(marker) => marker,
            None => {
                let uuid = self.parts.uuid.clone().unwrap_or_else(|| self.parts.rng.uuid());
                let marker = Marker::new(uuid, self.parts.clock.now().rfc3339());
                marker::write(dir.as_ref(), &marker, self.scratch_token())?
            }
        };
        self.expect(&marker)?;
        Ok(marker)
    }

    /// A token for a temp file that belongs to no record.
    fn scratch_token(&self) -> u64 {
        key::temp_token(&self.parts.installation, self.parts.rng.next_u64())
    }

    fn known_proof(&self) -> ProofSupport {
        *self.proof.lock()
    }

    fn remember_proof(&self, method: Option<ProofMethod>) {
        *self.proof.lock() = ProofSupport::Known(method);
    }
}

/// Opens the directories of a key below `root`; `None` when one is missing.
fn open_dirs(root: Box<dyn FolderDir>, folder: &str) -> io::Result<Option<Box<dyn FolderDir>>> {
    let mut dir = root;
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        dir = match dir.open_dir(part) {
            Ok(next) => next,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(Some(dir))
}

/// A key's folder and its file name.
fn split_key(key: &str) -> (&str, &str) {
    key.rsplit_once('/').unwrap_or(("", key))
}

/// Refuses a key that could lead anywhere but below the destination.
fn check_key(key: &str) -> Result<(), Failure> {
    if key::is_valid(key) {
        return Ok(());
    }
    Err(Failure::permanent(FailureKind::BadRequest, format!("not a key: {key:?}")))
}

impl Destination for Folder {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(self.0.run(|inner| inner.open().map(drop)))
    }

    fn probe(&self) -> BoxFuture<'_, Result<Capabilities, Failure>> {
        Box::pin(probe::probe(&self.0))
    }

    fn send<'a>(&'a self, item: &'a Item, transfer: &'a Transfer) -> BoxFuture<'a, Result<Sent, Failure>> {
        Box::pin(send::send(&self.0, item, transfer))
    }

    fn prove<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>> {
        Box::pin(prove::prove(&self.0, item, receipt, transfer))
    }

    fn attachment(&self) -> BoxFuture<'_, Result<Option<Attachment>, Failure>> {
        Box::pin(prove::attachment(&self.0))
    }

    fn read<'a>(&'a self, key: &'a str, _receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>> {
        Box::pin(prove::read(&self.0, key))
    }

    fn write_manifest<'a>(
        &'a self,
        installation: &'a str,
        sequence: u64,
        segment: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(manifests::write(&self.0, installation, sequence, segment))
    }

    fn read_manifests(&self) -> BoxFuture<'_, Result<ManifestContents, Failure>> {
        Box::pin(self.0.run(manifests::read_all))
    }

    fn clean<'a>(&'a self, keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(clean::clean(&self.0, keep))
    }
}

#[cfg(test)]
mod tests;
