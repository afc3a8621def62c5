//! WebDAV (RFC 4918), and Nextcloud, which speaks it with additions of its own ([`nextcloud`]).
//!
//! A copy is put under a temp name in its final folder, proved there, given its name by MOVE with
//! `Overwrite: F`, and looked at once more; where a probe saw that the server replaces all the same, the key
//! carries the hash and is looked at right before. It must never PUT to a key, never MOVE onto
//! something it did not look for, and never take an answer for proof: only bytes read back, or an
//! ETag that was seen to be their MD5.

mod clean;
mod client;
mod findings;
mod folders;
mod nextcloud;
mod probe;
mod prove;
mod send;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::address::ServerAddress;
use super::http::{HttpError, into_read_back};
use super::keyed_lock::KeyedLock;
use super::manifest::ManifestContents;
use super::marker::HOME;
use super::metadata_store::{self, FolderEntry, MetadataStore};
use super::server_parts::ServerParts;
use super::{BoxFuture, Capabilities, Destination, Item, ReadBack, Sent, Transfer};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::key;
use crate::domain::record::Evidence;
use client::{Client, FileMetadata, MoveOutcome};
use findings::ServerCapabilities;
use folders::Folders;
use nextcloud::Nextcloud;

/// For how long the marker, once seen, is taken to be there still.
const MARKER_FRESH: Duration = Duration::from_secs(60);

/// What is written to find out whether anything can be.
const WRITE_TEST: &[u8] = b"a test";

/// What a server adds to WebDAV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Nothing that is known beforehand.
    Plain,
    /// What Nextcloud has: an address below the host's, uploads in chunks, checksums.
    Nextcloud,
}

/// A folder on a WebDAV or Nextcloud server.
#[derive(Clone)]
pub struct WebDav(Arc<Inner>);

struct Inner {
    parts: ServerParts,
    dialect: Dialect,
    calls: Client,
    sends: KeyedLock,
    folders: Folders,
    /// What Nextcloud has beyond the others.
    cloud: Option<Nextcloud>,
    /// What a probe found out about it.
    findings: ServerCapabilities,
    /// When the marker was seen last.
    marked: Mutex<Option<Instant>>,
    /// Held while scratch files are made or cleaned up.
    housekeeping: Mutex<()>,
}

impl WebDav {
    /// A destination that was added before. Asks nothing.
    ///
    /// # Errors
    /// `bad_request` when the address makes no sense.
    pub fn new(parts: ServerParts, dialect: Dialect) -> Result<Self, Failure> {
        let address = ServerAddress::parse(parts.kind, &parts.address)?;
        let findings =
            parts.capabilities.as_ref().map(|capabilities| ServerCapabilities::parse(&capabilities.findings));
        let findings = findings.unwrap_or_default();
        let (base, cloud) = match dialect {
            Dialect::Nextcloud => {
                let layout = nextcloud::layout(&address, &findings.root)?;
                (layout.files.clone(), Some(Nextcloud::new(&parts, &layout)))
            }
            Dialect::Plain => (address.base, None),
        };
        Ok(Self(Arc::new(Inner {
            calls: Client::new(&parts, base, dialect),
            cloud,
            dialect,
            findings,
            parts,
            sends: KeyedLock::default(),
            folders: Folders::default(),
            marked: Mutex::default(),
            housekeeping: Mutex::default(),
        })))
    }

    /// Adds a folder on a server: creates its last component where that is missing, marks it with a
    /// new UUID or takes it over with the one it has, and probes it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn create(parts: ServerParts, dialect: Dialect) -> Result<(Self, Capabilities), Failure> {
        let parts = with_root(parts, dialect).await?;
        let dav = Self::new(parts.clone(), dialect)?;
        probe::check_folder(&dav.0, true).await?;
        let marker = metadata_store::adopt(
            dav.0.as_ref(),
            parts.uuid.as_deref(),
            parts.rng.as_ref(),
            parts.clock.as_ref(),
        )
        .await
        .map_err(at_destination)?;
        let parts = ServerParts { uuid: Some(marker.uuid), ..parts };
        let capabilities = Self::new(parts.clone(), dialect)?.probe().await?;
        let parts = ServerParts { capabilities: Some(capabilities.clone()), ..parts };
        let dav = Self::new(parts, dialect)?;
        Ok((dav, capabilities))
    }

    /// Tries a folder on a server that may not be a destination yet. Leaves nothing behind. Gives
    /// what it can do, and its free space where that is known.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn try_out(
        parts: ServerParts,
        dialect: Dialect,
    ) -> Result<(Capabilities, Option<u64>), Failure> {
        let dav = Self::new(with_root(parts, dialect).await?, dialect)?;
        probe::try_out(&dav.0).await
    }
}

/// Finds out where on its host a Nextcloud is installed, if that is not known yet.
async fn with_root(parts: ServerParts, dialect: Dialect) -> Result<ServerParts, Failure> {
    if dialect != Dialect::Nextcloud || parts.capabilities.is_some() {
        return Ok(parts);
    }
    let address = ServerAddress::parse(parts.kind, &parts.address)?;
    let findings = nextcloud::find_root(&parts, &address).await.map_err(at_destination)?.text();
    Ok(ServerParts { capabilities: Some(Capabilities { findings, ..Capabilities::default() }), ..parts })
}

/// Whatever goes wrong while a destination is looked at as a whole concerns all of it.
fn at_destination(failure: Failure) -> Failure {
    Failure { reach: Reach::Destination, ..failure }
}

impl Inner {
    /// Makes sure, now and then, that the place is the destination.
    async fn identify(&self) -> Result<(), Failure> {
        let mut marked = self.marked.lock().await;
        if marked.is_some_and(|at| at.elapsed() < MARKER_FRESH) {
            return Ok(());
        }
        *marked = None;
        metadata_store::check(self, self.parts.uuid.as_deref()).await.map_err(at_destination)?;
        *marked = Some(Instant::now());
        Ok(())
    }

    /// What went wrong with one file. A failure that a lost destination can cause is looked into:
    /// where the destination cannot be used, that is the failure.
    async fn explain(&self, failure: Failure) -> Failure {
        let is_ambiguous = matches!(
            failure.kind,
            FailureKind::Connect
                | FailureKind::Timeout
                | FailureKind::Server
                | FailureKind::Forbidden
                | FailureKind::NotFound
                | FailureKind::Conflict
        );
        if failure.reach != Reach::Resource || !is_ambiguous {
            return failure;
        }
        *self.marked.lock().await = None;
        match self.identify().await {
            Err(lost) => lost,
            Ok(()) => failure,
        }
    }

    /// What it means that a file was not taken. A code that one server uses for a file and another for
    /// all of the place is decided by one small write and one read of our own.
    async fn explain_write(&self, failure: Failure) -> Failure {
        let failure = self.explain(failure).await;
        let is_odd = match failure.kind {
            FailureKind::Unsupported | FailureKind::Full => failure.reach == Reach::Destination,
            FailureKind::Forbidden | FailureKind::Server => failure.reach == Reach::Resource,
            _ => false,
        };
        // What comes from a quota that was asked for is known already.
        if !is_odd || failure.cause.is_some() {
            return failure;
        }
        match self.try_write().await {
            Ok(()) => {
                // Whatever the code says elsewhere: others are taken, so this is about the file.
                let is_misnamed = failure.kind == FailureKind::Unsupported && !failure.is_permanent();
                let kind = if is_misnamed { FailureKind::Server } else { failure.kind };
                let details = format!("{}; a small file of our own was taken", failure.details);
                Failure { kind, reach: Reach::Resource, details, ..failure }
            }
            Err(other) => at_destination(other),
        }
    }

    /// Whether anything may be written here and read again.
    async fn try_write(&self) -> Result<(), Failure> {
        let _housekeeping = self.housekeeping.lock().await;
        let path = format!("{HOME}/{}", key::temp_name(self.scratch_token()));
        let stop = CancellationToken::new();
        let put =
            self.calls.put(&path, Bytes::from_static(WRITE_TEST), &FileMetadata::default(), &stop).await;
        let kept = match put {
            Ok(_taken) => self.calls.read_small(&path, 2 * WRITE_TEST.len()).await,
            Err(error) => Err(error.into_failure()),
        };
        self.calls.remove(&path).await.ok();
        match kept? {
            Some(bytes) if bytes == WRITE_TEST => Ok(()),
            _ => {
                let details = "the server keeps other bytes than it was sent";
                Err(Failure::destination(FailureKind::Server, details).with_cause(Cause::Altered))
            }
        }
    }

    /// A token for a temp file that belongs to no record.
    fn scratch_token(&self) -> u64 {
        key::temp_token(&self.parts.installation, self.parts.rng.next_u64())
    }

    fn capabilities(&self) -> Capabilities {
        self.parts.capabilities.clone().unwrap_or_default()
    }

    async fn put_new_now(&self, path: &str, bytes: Bytes) -> Result<bool, Failure> {
        if self.calls.head(path).await?.is_some() {
            return Ok(false);
        }
        let (folder, _name) = split(path);
        self.folders.make(&self.calls, folder).await?;
        let temp = format!("{folder}/{}", key::temp_name(self.scratch_token()));
        let stop = CancellationToken::new();
        let size = bytes.len() as u64;
        let put = self
            .calls
            .put(&temp, bytes, &FileMetadata::default(), &stop)
            .await
            .map_err(HttpError::into_failure);
        let outcome = match put {
            Ok(_stored) => match self.calls.head(&temp).await {
                Ok(Some(seen)) if seen.size == Some(size) => self.calls.rename(&temp, path).await,
                Ok(_other) => {
                    Err(Failure::transient(FailureKind::Server, "the server kept a part of a file only"))
                }
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        if !matches!(outcome, Ok(MoveOutcome::Done { .. })) {
            self.calls.remove(&temp).await.ok();
        }
        Ok(outcome? != MoveOutcome::Taken)
    }
}

/// A key's folder and its file name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Refuses a key that could lead anywhere but below the destination.
fn check_key(key: &str) -> Result<(), Failure> {
    if key::is_valid(key) {
        return Ok(());
    }
    Err(Failure::permanent(FailureKind::BadRequest, format!("not a key: {key:?}")))
}

impl MetadataStore for Inner {
    fn get<'a>(&'a self, path: &'a str, limit: usize) -> BoxFuture<'a, Result<Option<Bytes>, Failure>> {
        Box::pin(self.calls.read_small(path, limit))
    }

    fn put_new<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(self.put_new_now(path, bytes))
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>, Failure>> {
        Box::pin(async move { Ok(folders::list(&self.calls, folder).await?.unwrap_or_default()) })
    }
}

impl Destination for WebDav {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            *self.0.marked.lock().await = None;
            self.0.identify().await
        })
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
        _receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>> {
        Box::pin(prove::prove(&self.0, item, transfer))
    }

    fn read<'a>(&'a self, key: &'a str, _receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>> {
        Box::pin(async move {
            check_key(key)?;
            let missing = || Failure::transient(FailureKind::NotFound, format!("there is no copy: {key}"));
            let response =
                self.0.calls.get(key, &CancellationToken::new()).await.map_err(HttpError::into_failure)?;
            let response = response.ok_or_else(missing)?;
            let length = response.content_length();
            Ok(into_read_back(response, length))
        })
    }

    fn write_manifest<'a>(
        &'a self,
        installation: &'a str,
        sequence: u64,
        segment: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let _housekeeping = self.0.housekeeping.lock().await;
            self.0.identify().await?;
            metadata_store::write_manifest(self.0.as_ref(), installation, sequence, segment).await
        })
    }

    fn read_manifests(&self) -> BoxFuture<'_, Result<ManifestContents, Failure>> {
        Box::pin(async move {
            self.0.identify().await?;
            metadata_store::read_manifests(self.0.as_ref()).await.map_err(at_destination)
        })
    }

    fn software(&self) -> BoxFuture<'_, Result<String, Failure>> {
        Box::pin(async { Ok(probe::software(&self.0).await) })
    }

    fn clean<'a>(&'a self, keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(clean::clean(&self.0, keep))
    }
}
