//! What the server has of a copy: asked again, or read back.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Inner;
use super::api::ChecksumStatus;
use super::receipt::Receipt;
use super::wire::lost;
use super::{errors, server_info};
use crate::destination::http::{
    ANSWER_BYTES_MAX, Method, SharedRateLimiter, Unlimited, into_limited_read_back,
};
use crate::destination::{Item, NamedCopy, ReadBack, Transfer};
use crate::domain::asset::ResourceKind;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::record::{Evidence, ProofMethod};

/// How much of a copy is read and digested at once, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;
/// How often a copy that reads differently is read before it counts as damaged.
const READS_MAX: u32 = 2;

fn not_there(why: &str) -> Failure {
    Failure::transient(FailureKind::NotFound, why)
}

/// Whether this asset was created by an upload of the item's record and has never been verified since. One
/// that the server called a duplicate is another's, or was sent by another installation.
pub fn is_own_upload(item: &Item, id: &str, transfer: &Transfer) -> bool {
    let is_it = |copy: NamedCopy| copy.key == item.key && copy.size == item.content.size && copy.tag == id;
    transfer.unverified_copy().is_some_and(is_it)
}

/// Finds out whether the server holds an item's bytes as the asset that the receipt names.
///
/// It knows an asset by the SHA-1 that it made of what arrived, and keeps that whatever becomes of the
/// file on its disk. So this finds what is missing or in the trash, and is proof only where the person
/// said that it is; otherwise the original is read back.
///
/// # Errors
/// `not_found` when it does not hold them, `conflict` when it will not for long, `digest_mismatch` when
/// what it gives back are other bytes.
pub async fn prove(
    inner: &Inner,
    item: &Item,
    receipt: &str,
    transfer: &Transfer,
) -> Result<Evidence, Failure> {
    let id = match Receipt::parse(receipt) {
        Some(Receipt::Asset { id, .. }) => id,
        // The server never gives a sidecar back.
        Some(Receipt::SidecarOf(_) | Receipt::ToldOf(_)) => return Ok(Evidence::Accepted),
        None => return Err(not_there("it is not known which asset this is")),
    };
    if let Some(sha1) = item.digests.sha1 {
        match inner.checks.ask(sha1).await? {
            ChecksumStatus::Present { is_trashed: true, .. } => return Err(errors::trashed()),
            ChecksumStatus::Present { id: held, .. } if held == id => {}
            ChecksumStatus::Present { .. } => {
                return Err(not_there("the server has these bytes as another asset"));
            }
            ChecksumStatus::Absent | ChecksumStatus::Unsupported if is_own_upload(item, &id, transfer) => {
                let why = "the server has received other bytes than the file's";
                return Err(Failure::transient(FailureKind::DigestMismatch, why));
            }
            ChecksumStatus::Absent | ChecksumStatus::Unsupported => {
                return Err(not_there("the server does not have these bytes"));
            }
        }
        if inner.parts.trusts_checksum && !transfer.must_read {
            return Ok(verified(inner, ProofMethod::ServerRecheck));
        }
    }
    if transfer.may_defer {
        return Ok(Evidence::Accepted);
    }
    read_back(inner, item, &id, transfer).await
}

pub fn verified(inner: &Inner, method: ProofMethod) -> Evidence {
    Evidence::Verified { method, at: inner.parts.clock.now() }
}

/// Reads an asset whole and compares it with the item.
async fn read_back(inner: &Inner, item: &Item, id: &str, transfer: &Transfer) -> Result<Evidence, Failure> {
    match is_equal(inner, item, id, transfer).await {
        Ok(true) => return Ok(verified(inner, ProofMethod::ReadBack)),
        Ok(false) => {}
        // It still has the checksum, as it was just asked.
        Err(failure) if failure.kind == FailureKind::NotFound && item.digests.sha1.is_some() => {
            return Err(damaged(FailureKind::NotFound, "the server knows the file and cannot give it back"));
        }
        Err(failure) => return Err(failure),
    }
    let why = "the server gives other bytes than it says it has";
    if item.digests.sha1.is_none() {
        return Err(Failure::transient(FailureKind::DigestMismatch, why));
    }
    if !is_own_upload(item, id, transfer) {
        return Err(damaged(FailureKind::DigestMismatch, why));
    }
    // The next upload removes it first.
    match inner.server_info().lacks(server_info::needed_to_remove(item.kind)).as_slice() {
        [] => Err(Failure::transient(FailureKind::DigestMismatch, why)),
        lacking => Err(errors::may_not_remove(lacking)),
    }
}

/// Whether the asset's original, as the server returns it, has the item's bytes. A copy that differs is read a
/// second time, because its bytes may have changed on the way.
///
/// # Errors
/// `not_found` if the server has no such asset; otherwise the reason why it cannot be read.
pub async fn is_equal(inner: &Inner, item: &Item, id: &str, transfer: &Transfer) -> Result<bool, Failure> {
    for _ in 0..READS_MAX {
        let copy = open(inner, id, inner.parts.http.pace()).await?;
        if digest(inner, copy, transfer).await? == item.content {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sending it again would not help: the server takes the same checksum no second time.
fn damaged(kind: FailureKind, why: &str) -> Failure {
    Failure::permanent(kind, why).with_cause(Cause::CopyDamaged)
}

async fn digest(inner: &Inner, mut copy: ReadBack, transfer: &Transfer) -> Result<ContentHash, Failure> {
    let (stop, counter) = (transfer.cancel.clone(), Arc::clone(&transfer.bytes_read));
    let digest = move || {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        while !stop.is_cancelled() {
            match copy.read(&mut buffer) {
                Ok(0) => {
                    let blake3 = Blake3(*hasher.finalize().as_bytes());
                    return Ok(ContentHash { blake3, size: hasher.count() });
                }
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    counter.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::transient(FailureKind::Connect, error.to_string())),
            }
        }
        Err(Failure::cancelled("told to stop"))
    };
    inner.parts.executor.run(digest).await.map_err(lost)?
}

/// Why copies cannot be read back, where the key may not download.
pub fn obstacle(inner: &Inner) -> Option<String> {
    let is_denied = !inner.parts.trusts_checksum && inner.is_download_denied.load(Ordering::Relaxed);
    is_denied.then(|| {
        let download = server_info::DOWNLOAD;
        format!(
            "The API key may not read copies back, so none counts as safe. In Immich, under Account settings, \
             API keys, edit the key and tick {download}"
        )
    })
}

/// Takes an item's bytes out of the trash, if they are in it.
///
/// # Errors
/// `forbidden` when the key may not; `not_found` when their checksum is not known.
pub async fn untrash(inner: &Inner, item: &Item) -> Result<(), Failure> {
    if item.kind == ResourceKind::Sidecar {
        // It waits for its photo, which is taken out by itself.
        return Ok(());
    }
    let Some(sha1) = item.digests.sha1 else { return Err(not_there("its checksum is not known yet")) };
    let id = match inner.checks.ask(sha1).await? {
        ChecksumStatus::Present { id, is_trashed: true } => id,
        // Restored meanwhile, or gone for good: then it is sent again.
        ChecksumStatus::Present { .. } | ChecksumStatus::Absent | ChecksumStatus::Unsupported => {
            return Ok(());
        }
    };
    let body = serde_json::json!({ "ids": [id] }).to_string();
    let request = inner.wire.with_json(Method::POST, "trash/restore/assets", body);
    let answer = inner.wire.ask(request, ANSWER_BYTES_MAX).await.map_err(|error| error.into_failure())?;
    match errors::missing_permission(&answer) {
        _ if answer.is_success() => Ok(()),
        Some(_delete) => Err(errors::lacks(&[server_info::DELETE])),
        None => Err(inner.wire.failure(&answer, "restoring from the trash")),
    }
}

/// Opens the copy that a receipt names.
///
/// # Errors
/// `not_found` when it names none; `unsupported` for a sidecar; `forbidden` when the key may not download.
pub async fn read(inner: &Inner, receipt: &str) -> Result<ReadBack, Failure> {
    match Receipt::parse(receipt) {
        Some(Receipt::Asset { id, .. }) => open(inner, &id, Arc::new(Unlimited)).await,
        Some(Receipt::SidecarOf(_) | Receipt::ToldOf(_)) => {
            let why = "Immich keeps sidecars with their pictures and does not give them back";
            Err(Failure::permanent(FailureKind::Unsupported, why))
        }
        None => Err(not_there("it is not known which asset this is")),
    }
}

/// The bytes of a small asset; of a larger one, one byte more than `limit`.
///
/// # Errors
/// Why it cannot be read.
pub async fn read_small(inner: &Inner, id: &str, limit: usize) -> Result<Vec<u8>, Failure> {
    let copy = open(inner, id, Arc::new(Unlimited)).await?;
    let read = move || {
        let mut bytes = Vec::new();
        copy.take(limit as u64 + 1).read_to_end(&mut bytes).map(|_count| bytes)
    };
    let read = inner.parts.executor.run(read).await.map_err(lost)?;
    read.map_err(|error| Failure::transient(FailureKind::Connect, error.to_string()))
}

async fn open(inner: &Inner, id: &str, pace: SharedRateLimiter) -> Result<ReadBack, Failure> {
    let request = inner.wire.request(Method::GET, &format!("assets/{id}/original"));
    let request = request.header("accept", "*/*");
    let response = inner.wire.open(request).await.map_err(|error| error.into_failure())?;
    if response.is_success() {
        inner.is_download_denied.store(false, Ordering::Relaxed);
        let length = response.content_length();
        return Ok(into_limited_read_back(response, length, pace));
    }
    let answer = response.excerpt().await;
    match errors::missing_permission(&answer) {
        Some(_download) => {
            inner.is_download_denied.store(true, Ordering::Relaxed);
            let Failure { details, .. } = errors::lacks(&[server_info::DOWNLOAD]);
            Err(Failure::permanent(FailureKind::Forbidden, details).with_cause(Cause::KeyLacks))
        }
        None if answer.status == 404 => Err(not_there("the server does not have this asset")),
        None => Err(inner.wire.failure(&answer, "reading a copy back")),
    }
}
