//! S3-compatible storage: Amazon's, a NAS's, a cluster's.
//!
//! An object appears whole or not at all, so there are no temp names: small files go in one request,
//! larger ones in parts that are assembled only when all bytes were seen to be the item's. What a
//! server's digests and conditions are worth is found out by trying, and remembered. It must never
//! replace or remove an object that is not its own, believe a digest that the server was not seen
//! to check, or end an upload that it did not begin.
//!
//! Source: Amazon S3 API reference, version 2006-03-01.

mod address;
mod buffers;
mod capabilities;
mod client;
mod errors;
mod listing;
mod lost_uploads;
mod metadata;
mod multipart;
mod named;
mod object;
mod probe;
mod prove;
mod send;
mod sign;
mod state;
mod xml;

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::http::{HttpError, Url};
use super::manifest::ManifestContents;
use super::marker::{HOME, MARKER};
use super::metadata_store;
use super::server_parts::ServerParts;
use super::{BoxFuture, Capabilities, Checkpoint, Destination, Item, KeyOwners, ReadBack, Sent, Transfer};
use crate::domain::failure::{Failure, Reach};
use crate::domain::hash::ContentHash;
use crate::domain::ids::RecordId;
use crate::domain::record::Evidence;
use address::BucketAddress;
use buffers::MemoryBudget;
use capabilities::ChecksumTrust;
use client::Client;

/// How long a marker that was seen to be the right one is taken to be there still.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// Answers that proved a copy as it was sent, until they are asked for.
const FRESH_PROOFS_MAX: usize = 64;

/// An address as it is kept: the same for all spellings of one place.
///
/// # Errors
/// `bad_request` when it makes no sense.
pub fn canonical(address: &str) -> Result<String, Failure> {
    Ok(BucketAddress::parse(address)?.text())
}

/// The server of an address, for the rules on which may be reached without TLS.
///
/// # Errors
/// `bad_request` when the address makes no sense.
pub fn endpoint(address: &str) -> Result<Url, Failure> {
    Ok(BucketAddress::parse(address)?.endpoint().clone())
}

/// An S3 destination.
#[derive(Clone)]
pub struct S3(Arc<Inner>);

struct Inner {
    parts: ServerParts,
    wire: Client,
    trust: Mutex<ChecksumTrust>,
    /// Bounds the bytes that are held in memory.
    room: MemoryBudget,
    /// When the marker was last seen to be the one that was expected.
    known_at: Mutex<Option<Instant>>,
    /// Copies whose bytes the answer to their sending has proved.
    fresh: Mutex<HashMap<RecordId, (String, ContentHash)>>,
}

impl S3 {
    /// A destination that was added before. Touches nothing.
    ///
    /// # Errors
    /// `bad_request` when the address makes no sense.
    pub fn new(parts: ServerParts) -> Result<Self, Failure> {
        let wire = Client {
            http: Arc::clone(&parts.http),
            place: BucketAddress::parse(&parts.address)?,
            credentials: Arc::clone(&parts.credentials),
            clock: Arc::clone(&parts.clock),
        };
        let trust = Mutex::new(ChecksumTrust::of(parts.capabilities.as_ref()));
        Ok(Self(Arc::new(Inner {
            parts,
            wire,
            trust,
            room: MemoryBudget::default(),
            known_at: Mutex::default(),
            fresh: Mutex::default(),
        })))
    }

    /// Adds a place in a bucket as a destination: marks it with a new UUID, or takes it over with the
    /// UUID it has, and probes it. The bucket itself is never made.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn create(parts: ServerParts) -> Result<(Self, Capabilities), Failure> {
        let s3 = Self::new(parts.clone())?;
        let marker = metadata_store::adopt(
            s3.0.as_ref(),
            parts.uuid.as_deref(),
            parts.rng.as_ref(),
            parts.clock.as_ref(),
        );
        let parts = ServerParts { uuid: Some(marker.await.map_err(at_destination)?.uuid), ..parts };
        let capabilities = Self::new(parts.clone())?.probe().await?;
        Ok((Self::new(ServerParts { capabilities: Some(capabilities.clone()), ..parts })?, capabilities))
    }

    /// Tries a place that may not be a destination yet. Leaves nothing behind. Returns what it can do;
    /// how much room there is, no bucket tells.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn try_out(parts: ServerParts) -> Result<(Capabilities, Option<u64>), Failure> {
        Ok((probe::try_out(&Self::new(parts)?.0).await?, None))
    }
}

/// Whatever goes wrong while a destination is looked at as a whole concerns all of it.
fn at_destination(failure: Failure) -> Failure {
    Failure { reach: Reach::Destination, ..failure }
}

impl Inner {
    fn trust(&self) -> ChecksumTrust {
        *self.trust.lock()
    }

    fn learn(&self, trust: ChecksumTrust) {
        *self.trust.lock() = trust;
    }

    fn is_known(&self) -> bool {
        let at = *self.known_at.lock();
        at.is_some_and(|at| at.elapsed() < KNOWN_FOR)
    }

    fn set_known(&self, is_known: bool) {
        let at = is_known.then(Instant::now);
        *self.known_at.lock() = at;
    }

    /// Remembers that the answer to sending an item has proved its copy.
    fn proved(&self, item: &Item) {
        let mut fresh = self.fresh.lock();
        // Whoever sends asks for the proof right after: what is left are leftovers.
        if fresh.len() >= FRESH_PROOFS_MAX {
            fresh.clear();
        }
        fresh.insert(item.record, (item.key.clone(), item.content));
    }

    /// Whether the answer to the send itself was proof of the item's copy.
    fn is_proved(&self, item: &Item) -> bool {
        self.fresh.lock().contains_key(&item.record)
    }

    /// Whether the answer to sending this item has just proved its copy. Asked once.
    fn take_proved(&self, item: &Item) -> bool {
        let mut fresh = self.fresh.lock();
        fresh.remove(&item.record).is_some_and(|(key, content)| key == item.key && content == item.content)
    }
}

/// A token for calls that nobody stops.
fn unstopped() -> CancellationToken {
    CancellationToken::new()
}

/// `None` when told to stop, else the value or the failure.
fn unless_stopped<T>(outcome: Result<T, HttpError>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(HttpError::Cancelled) => Ok(None),
        Err(HttpError::Failed(failure)) => Err(failure),
    }
}

impl Destination for S3 {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { metadata::check(&self.0).await.map(drop) })
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
        Box::pin(prove::read(&self.0, key))
    }

    fn write_manifest<'a>(
        &'a self,
        installation: &'a str,
        sequence: u64,
        segment: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            metadata::check(&self.0).await?;
            metadata_store::write_manifest(self.0.as_ref(), installation, sequence, segment).await
        })
    }

    fn read_manifests(&self) -> BoxFuture<'_, Result<ManifestContents, Failure>> {
        Box::pin(async {
            metadata::check(&self.0).await?;
            metadata_store::read_manifests(self.0.as_ref()).await
        })
    }

    fn clean<'a>(&'a self, _keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(metadata::clean(&self.0))
    }

    fn software(&self) -> BoxFuture<'_, Result<String, Failure>> {
        Box::pin(async {
            let marker = self.0.wire.place.object(&format!("{HOME}/{MARKER}"));
            let head = object::head(&self.0, marker, &unstopped()).await.map_err(HttpError::into_failure)?;
            Ok(head.map(|head| probe::software_of(&head.headers)).unwrap_or_default())
        })
    }

    fn end_lost_uploads<'a>(&'a self, owners: &'a dyn KeyOwners) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(lost_uploads::end(&self.0, owners))
    }

    fn abandon<'a>(&'a self, uploads: &'a [Checkpoint]) -> BoxFuture<'a, ()> {
        Box::pin(multipart::abandon(&self.0, uploads))
    }
}
