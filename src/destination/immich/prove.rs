//! What the server has of a copy: asked again, or read back.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Inner;
use super::api::Verdict;
use super::receipt::Receipt;
use super::wire::lost;
use super::{errors, known};
use crate::destination::http::{ANSWER_BYTES_MAX, Method, SharedPace, Unlimited, into_paced_read_back};
use crate::destination::{Item, ReadBack, Transfer};
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
            Verdict::Held { is_trashed: true, .. } => return Err(errors::trashed()),
            Verdict::Held { id: held, .. } if held == id => {}
            Verdict::Held { .. } => return Err(not_there("the server has these bytes as another asset")),
            Verdict::Absent | Verdict::Unsupported => {
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

fn verified(inner: &Inner, method: ProofMethod) -> Evidence {
    Evidence::Verified { method, at: inner.parts.clock.now() }
}

/// Reads an asset whole and compares it; what differs is read once more, for bytes may also be bent on
/// the way.
async fn read_back(inner: &Inner, item: &Item, id: &str, transfer: &Transfer) -> Result<Evidence, Failure> {
    for _ in 0..READS_MAX {
        let read = match open(inner, id, inner.parts.http.pace()).await {
            Ok(copy) => digest(inner, copy, transfer).await?,
            // It still has the checksum, as it was just asked.
            Err(failure) if failure.kind == FailureKind::NotFound && item.digests.sha1.is_some() => {
                return Err(damaged(
                    FailureKind::NotFound,
                    "the server knows the file and cannot give it back",
                ));
            }
            Err(failure) => return Err(failure),
        };
        if read == item.content {
            return Ok(verified(inner, ProofMethod::ReadBack));
        }
    }
    let why = "the server gives other bytes than it says it has";
    if item.digests.sha1.is_some() {
        return Err(damaged(FailureKind::DigestMismatch, why));
    }
    Err(Failure::transient(FailureKind::DigestMismatch, why))
}

/// Sending it again would not help: the server takes the same checksum no second time.
fn damaged(kind: FailureKind, why: &str) -> Failure {
    Failure::permanent(kind, why).because(Cause::CopyDamaged)
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
        Err(Failure::transient(FailureKind::Timeout, "told to stop"))
    };
    inner.parts.executor.run(digest).await.map_err(lost)?
}

/// Why copies cannot be read back, where the key may not download.
pub fn obstacle(inner: &Inner) -> Option<String> {
    let is_denied = !inner.parts.trusts_checksum && inner.is_download_denied.load(Ordering::Relaxed);
    is_denied.then(|| {
        let download = known::DOWNLOAD;
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
pub async fn reclaim(inner: &Inner, item: &Item) -> Result<(), Failure> {
    if item.kind == ResourceKind::Sidecar {
        // It waits for its photo, which is taken out by itself.
        return Ok(());
    }
    let Some(sha1) = item.digests.sha1 else { return Err(not_there("its checksum is not known yet")) };
    let id = match inner.checks.ask(sha1).await? {
        Verdict::Held { id, is_trashed: true } => id,
        // Restored meanwhile, or gone for good: then it is sent anew.
        Verdict::Held { .. } | Verdict::Absent | Verdict::Unsupported => return Ok(()),
    };
    let body = serde_json::json!({ "ids": [id] }).to_string();
    let request = inner.wire.with_json(Method::POST, "trash/restore/assets", body);
    let answer = inner.wire.ask(request, ANSWER_BYTES_MAX).await.map_err(|error| error.into_failure())?;
    match errors::missing_permission(&answer) {
        _ if answer.is_success() => Ok(()),
        Some(_delete) => Err(errors::lacks(&[known::DELETE])),
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

async fn open(inner: &Inner, id: &str, pace: SharedPace) -> Result<ReadBack, Failure> {
    let request = inner.wire.request(Method::GET, &format!("assets/{id}/original"));
    let request = request.header("accept", "*/*");
    let response = inner.wire.open(request).await.map_err(|error| error.into_failure())?;
    if response.is_success() {
        inner.is_download_denied.store(false, Ordering::Relaxed);
        let length = response.content_length();
        return Ok(into_paced_read_back(response, length, pace));
    }
    let answer = response.excerpt().await;
    match errors::missing_permission(&answer) {
        Some(_download) => {
            inner.is_download_denied.store(true, Ordering::Relaxed);
            let Failure { details, .. } = errors::lacks(&[known::DOWNLOAD]);
            Err(Failure::permanent(FailureKind::Forbidden, details).because(Cause::KeyLacks))
        }
        None if answer.status == 404 => Err(not_there("the server does not have this asset")),
        None => Err(inner.wire.failure(&answer, "reading a copy back")),
    }
}
