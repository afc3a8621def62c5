//! Places copies go.
//!
//! One small object-safe trait, a struct of probed capabilities, and one conformance suite that every
//! kind passes against the real thing. A destination never touches the database: what must be
//! remembered before an effect goes through [`Transfer::save`].

pub(crate) mod address;
pub mod connect;
pub mod credentials;
mod dir_sync;
pub mod folder;
pub mod http;
pub mod immich;
mod keyed_lock;
#[cfg(feature = "testing")]
pub mod layer;
pub mod manifest;
pub(crate) mod marker;
pub(crate) mod metadata_store;
mod name_probe;
mod network_config;
pub(crate) mod resumable;
pub(crate) mod s3;
pub mod server_parts;
pub(crate) mod source;
pub(crate) mod webdav;
mod xml;

use parking_lot::Mutex;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use crate::base::files::SharedFiles;
use crate::domain::asset::{CapturedAt, ResourceKind};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::file::FileStamp;
use crate::domain::hash::{ContentHash, Digests};
use crate::domain::ids::RecordId;
use crate::domain::record::Evidence;
pub use crate::domain::transfer::{Attachment, Capabilities, Checkpoint, NamedCopy, Phase};

/// A boxed future, which keeps the trait object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One resource to be sent.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its backup record.
    pub record: RecordId,
    /// Where the copy goes: `/`-separated, relative, made by [`crate::domain::key`].
    pub key: String,
    /// The bytes that must arrive.
    pub content: ContentHash,
    /// Their other digests: what the destination wants (see [`Capabilities::digests_wanted`]) before a
    /// send, what happens to be known otherwise.
    pub digests: Digests,
    /// The source file.
    pub path: PathBuf,
    /// Other present files with these bytes, where the destination joins an asset's parts.
    pub other_paths: Vec<PathBuf>,
    /// The source file's state when it was hashed; another state means it has changed.
    pub stamp: FileStamp,
    /// When it was captured.
    pub captured_at: CapturedAt,
    /// The part it plays.
    pub kind: ResourceKind,
    /// Random 64 bits, fixed for the record: names its temp file.
    pub token: u64,
    /// The other parts of its asset, and of those of other files with the same bytes, where the destination
    /// joins them (see [`DestinationKind::joins_companions`]) and something is being sent.
    ///
    /// [`DestinationKind::joins_companions`]: crate::domain::target::DestinationKind::joins_companions
    pub companions: Vec<Companion>,
}

/// Another part of an item's asset.
#[derive(Debug, Clone)]
pub struct Companion {
    /// The part it plays.
    pub kind: ResourceKind,
    /// It stands for the asset.
    pub is_primary: bool,
    /// It is a sidecar about the item.
    pub is_own_sidecar: bool,
    /// The item is a sidecar about it.
    pub is_subject: bool,
    /// It is a moving half of the item, or of the same still as the item; or a sidecar about the item, or about
    /// the same file as the item. A server may keep one of them only.
    pub is_rival: bool,
    /// Its bytes.
    pub content: ContentHash,
    /// What is known of their other digests.
    pub digests: Digests,
    /// The source file.
    pub path: PathBuf,
    /// The source file's state when it was hashed.
    pub stamp: FileStamp,
    /// What this destination said of its copy, where it has one.
    pub receipt: Option<String>,
}

/// Commits a checkpoint before its effect.
pub trait SaveCheckpoint: Send + Sync {
    /// Remembers `checkpoint`; returns when it is durable enough to survive a kill.
    ///
    /// # Errors
    /// A failure that reaches the run: without the store nothing may be sent.
    fn save<'a>(&'a self, checkpoint: Checkpoint) -> BoxFuture<'a, Result<(), Failure>>;

    /// Remembers a copy of ours that has just got its name, until it is verified.
    ///
    /// # Errors
    /// As [`Self::save`].
    fn save_named<'a>(&'a self, copy: NamedCopy) -> BoxFuture<'a, Result<(), Failure>>;
}

/// What one running transfer shares with the engine.
pub struct Transfer {
    /// Where the source is read.
    pub files: SharedFiles,
    /// Set when the transfer must stop soon: paused, disabled or quitting.
    pub cancel: CancellationToken,
    /// What an earlier run left behind.
    pub checkpoint: Option<Checkpoint>,
    /// A copy of this record that got its name in an earlier try and was not verified since.
    pub named: Option<NamedCopy>,
    /// The same of this try.
    just_named: Mutex<Option<NamedCopy>>,
    /// A proof must read every byte of the copy, whatever digests the destination tells.
    pub must_read: bool,
    /// A copy that only reading it back would prove may stay unproven for now: the engine has it read in
    /// the background.
    pub may_defer: bool,
    /// Bytes of the copy read back so far; the engine samples it.
    pub bytes_read: Arc<AtomicU64>,
    /// Bytes sent so far; the engine samples it.
    pub bytes_sent: Arc<AtomicU64>,
    notes: Mutex<Vec<String>>,
    saver: Arc<dyn SaveCheckpoint>,
}

/// The most sentences that one transfer leaves for the person.
const NOTES_MAX: usize = 4;

impl Transfer {
    /// Puts a transfer's parts together.
    pub fn new(
        files: SharedFiles,
        cancel: CancellationToken,
        checkpoint: Option<Checkpoint>,
        saver: Arc<dyn SaveCheckpoint>,
    ) -> Self {
        Self {
            files,
            cancel,
            checkpoint,
            named: None,
            just_named: Mutex::default(),
            must_read: false,
            may_defer: false,
            bytes_read: Arc::new(AtomicU64::new(0)),
            bytes_sent: Arc::new(AtomicU64::new(0)),
            notes: Mutex::default(),
            saver,
        }
    }

    /// Where this transfer's checkpoints go, for a layer that passes another transfer on.
    pub fn saver(&self) -> Arc<dyn SaveCheckpoint> {
        Arc::clone(&self.saver)
    }

    /// Commits a checkpoint; call it before the effect that it names.
    ///
    /// # Errors
    /// As [`SaveCheckpoint::save`].
    pub async fn save(&self, phase: Phase, state: impl Into<String> + Send) -> Result<(), Failure> {
        self.saver.save(Checkpoint { phase, state: state.into() }).await
    }

    /// Commits that a copy of ours has just got its name: until it is verified, it may be removed if it
    /// turns out to be wrong.
    ///
    /// # Errors
    /// As [`SaveCheckpoint::save_named`].
    pub async fn save_named(&self, copy: NamedCopy) -> Result<(), Failure> {
        if copy.tag.is_empty() || copy.tag.len() > NamedCopy::TAG_BYTES_MAX {
            return Ok(());
        }
        self.saver.save_named(copy.clone()).await?;
        *self.just_named.lock() = Some(copy);
        Ok(())
    }

    /// The last copy of this record that got its name and was not verified since, in this try or before.
    pub fn unverified_copy(&self) -> Option<NamedCopy> {
        let just_named = self.just_named.lock().clone();
        just_named.or_else(|| self.named.clone())
    }

    /// Leaves a sentence for the person on what was done in another way than could be expected. Without full
    /// stop, paths and secrets.
    pub fn note(&self, sentence: &str) {
        let mut notes = self.notes.lock();
        if notes.len() < NOTES_MAX && !notes.iter().any(|known| known == sentence) {
            notes.push(sentence.to_owned());
        }
    }

    /// The sentences that were left.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock())
    }

    /// Tells how many bytes have been sent.
    pub fn set_bytes_sent(&self, bytes: u64) {
        self.bytes_sent.store(bytes, Ordering::Relaxed);
    }
}

/// How a send ended when nothing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The bytes are there under the item's key.
    Stored {
        /// What the destination calls the copy, and what it said of it.
        receipt: String,
        /// What it showed of the copy, where it was proved under its temp name and looked at again
        /// under its key. `None` where it is still to be proved ([`Destination::prove`]).
        evidence: Option<Evidence>,
    },
    /// Equal bytes were there already; nothing was sent.
    AlreadyThere {
        /// What the destination calls the copy.
        receipt: String,
    },
    /// Other bytes have that key. Nothing was changed; another key must be tried.
    KeyTaken,
    /// It was told to stop, and can go on later.
    Cancelled,
}

/// With less room than this, in bytes, a destination counts as full for all files.
const ROOM_FOR_OTHERS: u64 = 16 << 20;

/// What it means that a file is larger than the `free` bytes of room that are left: it waits, and
/// smaller ones go on, as long as there is room for those.
fn no_room(free: u64, details: String) -> Failure {
    let reach = if free < ROOM_FOR_OTHERS { Reach::Destination } else { Reach::Resource };
    Failure { reach, ..Failure::transient(FailureKind::Full, details) }
}

/// What the ledger says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOwner {
    /// No record of this installation has it.
    Unknown,
    /// A record has it, with what is remembered of its transfer.
    Record(Option<Checkpoint>),
}

/// Says whose a key is. A destination may be shared with other installations, whose uploads are not ours to
/// end.
pub trait KeyOwners: Send + Sync {
    /// Whose this key is.
    ///
    /// # Errors
    /// A failure that reaches the run.
    fn owner<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyOwner, Failure>>;
}

/// A file read out of a destination, for restore and audit.
pub type ReadBack = Box<dyn std::io::Read + Send>;

/// A place copies go. Every method may be called again after a kill at any point and then finds
/// out what is true before it acts.
pub trait Destination: Send + Sync {
    /// Whether it is there, and is the one it was (its UUID). Cheap: asked before each batch.
    ///
    /// # Errors
    /// A failure whose reach is the destination.
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>>;

    /// Finds out what it can do, by trying; cleans up after itself.
    ///
    /// # Errors
    /// A failure whose reach is the destination.
    fn probe(&self) -> BoxFuture<'_, Result<Capabilities, Failure>>;

    /// Puts the item's bytes under its key. Never overwrites, never exposes a partial copy under
    /// the key; where copies have a temp name first, they are proved there before they are named. It
    /// never stores bytes other than `item.content`: a source that reads differently
    /// fails as changed.
    ///
    /// # Errors
    /// A failure, mapped once here.
    fn send<'a>(&'a self, item: &'a Item, transfer: &'a Transfer) -> BoxFuture<'a, Result<Sent, Failure>>;

    /// Finds out whether it holds exactly `item.content` under the item's key.
    ///
    /// # Errors
    /// `digest_mismatch` when it holds other bytes, `not_found` when it holds none.
    fn prove<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>>;

    /// Why copies that are there cannot be proved now, and what would help: a sentence without a full
    /// stop. `None` if they can, or if the destination never proves any.
    fn proof_obstacle(&self) -> Option<String> {
        None
    }

    /// How it is attached now, where copies can be proved only after it was attached again; `None` where
    /// they can be proved at any time, or never.
    ///
    /// # Errors
    /// A failure whose reach is the destination.
    fn attachment(&self) -> BoxFuture<'_, Result<Option<Attachment>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Opens the copy under `key` for reading. `receipt` is what the send gave for it, empty where
    /// that is not known any more; kinds whose server names the copies find them by it.
    ///
    /// # Errors
    /// `not_found` when there is none.
    fn read<'a>(&'a self, key: &'a str, receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>>;

    /// Writes one manifest segment, which must not exist yet. Kinds without manifests do nothing.
    ///
    /// # Errors
    /// `conflict` when a segment of that number exists.
    fn write_manifest<'a>(
        &'a self,
        _installation: &'a str,
        _sequence: u64,
        _segment: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// All manifest entries at the destination, checked; damaged segments are left out and named. Kinds
    /// without manifests have none.
    ///
    /// # Errors
    /// A failure whose reach is the destination.
    fn read_manifests(&self) -> BoxFuture<'_, Result<manifest::ManifestContents, Failure>> {
        Box::pin(std::future::ready(Ok(manifest::ManifestContents::default())))
    }

    /// Removes temp files that are this installation's own and belong to no record in `keep`
    /// (their tokens). Returns how many were removed; kinds without temp files have none.
    ///
    /// # Errors
    /// A failure whose reach is the destination.
    fn clean<'a>(&'a self, _keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(std::future::ready(Ok(0)))
    }

    /// Puts a copy that is there where it belongs, after more files with its bytes were found: albums, stacks,
    /// pairs. Kinds that keep files as they are do nothing.
    ///
    /// # Errors
    /// What may pass; what the destination does not let be is left.
    fn arrange<'a>(
        &'a self,
        _item: &'a Item,
        _receipt: &'a str,
        _transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Takes the item's bytes out of the destination's trash again, where it has one.
    ///
    /// # Errors
    /// `unsupported` where it has none; `forbidden` where Safelight may not.
    fn untrash<'a>(&'a self, _item: &'a Item) -> BoxFuture<'a, Result<(), Failure>> {
        let none = Failure::permanent(FailureKind::Unsupported, "there is no trash to restore from");
        Box::pin(std::future::ready(Err(none)))
    }

    /// What it has found out since it was opened, as [`Capabilities::findings`], where that differs from what it
    /// was opened with and is to be kept.
    fn new_findings(&self) -> Option<String> {
        None
    }

    /// What answers there, in its own words, as [`Capabilities::software`]; empty where it says nothing. Asked
    /// after each check, so it must be cheap.
    ///
    /// # Errors
    /// Why it does not answer.
    fn software(&self) -> BoxFuture<'_, Result<String, Failure>> {
        Box::pin(std::future::ready(Ok(String::new())))
    }

    /// Ends unfinished uploads of this installation that no checkpoint knows, because the answer to their
    /// creation was lost: those that are older than a day, under a key that is a record's. Returns how many.
    ///
    /// # Errors
    /// Why they cannot be listed or ended.
    fn end_lost_uploads<'a>(&'a self, _owners: &'a dyn KeyOwners) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(std::future::ready(Ok(0)))
    }

    /// Ends uploads of this installation that nobody will finish, given by their last checkpoints.
    /// Kinds that find their own by its name ([`Destination::clean`]) do nothing here. What cannot
    /// be ended is left to the server: this never fails.
    fn abandon<'a>(&'a self, _uploads: &'a [Checkpoint]) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A destination that can be shared.
pub type SharedDestination = Arc<dyn Destination>;
