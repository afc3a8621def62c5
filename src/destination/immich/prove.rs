//! What the server has of a copy: asked again, or read back.

use std::io::Read as _;

use super::Inner;
use super::api::Verdict;
use super::receipt::Receipt;
use super::wire::lost;
use super::{errors, known};
use crate::destination::http::{ANSWER_BYTES_MAX, Method, into_read_back};
use crate::destination::{Item, ReadBack, Transfer};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::record::{Evidence, ProofMethod};

/// How much of a copy is read and digested at once, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

fn not_there(why: &str) -> Failure {
    Failure::transient(FailureKind::NotFound, why)
}

/// Finds out whether the server holds an item's bytes as the asset that the receipt names. It knows
/// an asset by the SHA-1 of the bytes that it received, whatever it was told of them.
///
/// # Errors
/// `not_found` when it does not, `conflict` when it will not for long.
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
    let must_read = transfer.must_read && inner.known().may(known::DOWNLOAD);
    let Some(sha1) = item.digests.sha1 else {
        return read_back(inner, item, &id, transfer).await;
    };
    match inner.checks.ask(sha1).await? {
        Verdict::Held { is_trashed: true, .. } => Err(errors::trashed()),
        Verdict::Held { id: held, .. } if held == id && must_read => {
            read_back(inner, item, &id, transfer).await
        }
        Verdict::Held { id: held, .. } if held == id => {
            Ok(Evidence::Verified { method: ProofMethod::ServerRecheck, at: inner.parts.clock.now() })
        }
        Verdict::Held { .. } => Err(not_there("the server has these bytes as another asset")),
        Verdict::Absent | Verdict::Unsupported => Err(not_there("the server does not have these bytes")),
    }
}

/// Reads an asset whole and compares it.
async fn read_back(inner: &Inner, item: &Item, id: &str, transfer: &Transfer) -> Result<Evidence, Failure> {
    let mut copy = open(inner, id).await?;
    let stop = transfer.cancel.clone();
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
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::transient(FailureKind::Connect, error.to_string())),
            }
        }
        Err(Failure::transient(FailureKind::Timeout, "told to stop"))
    };
    let read = inner.parts.executor.run(digest).await.map_err(lost)??;
    if read == item.content {
        return Ok(Evidence::Verified { method: ProofMethod::ReadBack, at: inner.parts.clock.now() });
    }
    Err(Failure::transient(FailureKind::DigestMismatch, "the server gave other bytes than it was given"))
}

/// Takes an item's bytes out of the trash, if they are in it.
///
/// # Errors
/// `forbidden` when the key may not; `not_found` when their checksum is not known.
pub async fn reclaim(inner: &Inner, item: &Item) -> Result<(), Failure> {
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
        Some(Receipt::Asset { id, .. }) => open(inner, &id).await,
        Some(Receipt::SidecarOf(_) | Receipt::ToldOf(_)) => {
            let why = "Immich keeps sidecars with their pictures and does not give them back";
            Err(Failure::permanent(FailureKind::Unsupported, why))
        }
        None => Err(not_there("it is not known which asset this is")),
    }
}

async fn open(inner: &Inner, id: &str) -> Result<ReadBack, Failure> {
    let request = inner.wire.request(Method::GET, &format!("assets/{id}/original"));
    let request = request.header("accept", "*/*");
    let response = inner.wire.open(request).await.map_err(|error| error.into_failure())?;
    if response.is_success() {
        let length = response.content_length();
        return Ok(into_read_back(response, length));
    }
    let answer = response.excerpt().await;
    match errors::missing_permission(&answer) {
        Some(_download) => {
            let Failure { details, .. } = errors::lacks(&[known::DOWNLOAD]);
            Err(Failure::permanent(FailureKind::Forbidden, details).because(Cause::KeyLacks))
        }
        None if answer.status == 404 => Err(not_there("the server does not have this asset")),
        None => Err(inner.wire.failure(&answer, "reading a copy back")),
    }
}
