//! Proof: a digest that the server was seen to compare, or the bytes read back. Where there is
//! neither, a copy stays unproven.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::Inner;
use super::UploadError;
use super::state::{ReadBackSource, Receipt, State};
use crate::destination::http::{HttpError, Response, into_read_back};
use crate::destination::{Item, Phase, ReadBack, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::key;
use crate::domain::record::{Evidence, ProofMethod};

/// For how long after a send its digest is proof enough; later the copy is looked at itself.
const FRESH: Duration = Duration::from_secs(3600);

/// See [`crate::destination::Destination::prove`]. A copy that is missing or different is forgotten,
/// so that the next send makes another.
pub(super) async fn prove(
    inner: &Inner,
    item: &Item,
    receipt: &str,
    transfer: &Transfer,
) -> Result<Evidence, Failure> {
    let proved = match Receipt::parse(receipt, &inner.base) {
        Some(receipt) if key::is_valid(&item.key) => find_copy(inner, item, &receipt, transfer).await,
        _ => Err(missing()),
    };
    if let Err(failure) = &proved
        && matches!(failure.kind, FailureKind::NotFound | FailureKind::DigestMismatch)
    {
        transfer.save(Phase::Creating, State::new(item).text()).await?;
    }
    proved
}

fn missing() -> Failure {
    Failure::transient(FailureKind::NotFound, "the server has no such upload")
}

async fn find_copy(
    inner: &Inner,
    item: &Item,
    receipt: &Receipt,
    transfer: &Transfer,
) -> Result<Evidence, Failure> {
    let now = inner.parts.clock.now();
    let checked =
        receipt.checked.map(|(_kind, at)| Evidence::Verified { method: ProofMethod::ServerDigest, at });
    let is_fresh =
        receipt.checked.is_some_and(|(_kind, at)| u128::from(now.0.abs_diff(at.0)) <= FRESH.as_millis());
    if let (true, Some(evidence)) = (is_fresh, checked) {
        return Ok(evidence);
    }
    if let Some(url) = place(inner, receipt) {
        let read = read_back(inner, url, item.content, transfer).await.map_err(HttpError::into_failure)?;
        if read != item.content {
            let why = format!("{} bytes were read back, and are not those of the original", read.size);
            return Err(Failure::transient(FailureKind::DigestMismatch, why));
        }
        return Ok(Evidence::Verified { method: ProofMethod::ReadBack, at: now });
    }
    if inner.findings().keeps {
        still_there(inner, item, receipt, transfer).await?;
    }
    Ok(checked.unwrap_or(Evidence::Accepted))
}

/// Where the bytes of an upload can be had.
fn place<'a>(inner: &Inner, receipt: &'a Receipt) -> Option<&'a Url> {
    match inner.findings().read_back_source {
        ReadBackSource::Nowhere => None,
        ReadBackSource::Upload => Some(&receipt.url),
        ReadBackSource::File => receipt.file.as_ref(),
    }
}

async fn open(inner: &Inner, url: &Url, stop: &CancellationToken) -> Result<Response, HttpError> {
    let response = inner.get(url, stop).await?;
    match response.status {
        200 => Ok(response),
        404 | 410 => Err(missing().into()),
        _ => {
            let answer = response.excerpt().await;
            Err(inner.failure(&answer, "reading the copy back").into())
        }
    }
}

/// What is at `url`; of more than is expected only the first bytes are looked at.
async fn read_back(
    inner: &Inner,
    url: &Url,
    expected: ContentHash,
    transfer: &Transfer,
) -> Result<ContentHash, HttpError> {
    let mut response = open(inner, url, &transfer.cancel).await?;
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = response.chunk().await? {
        hasher.update(&chunk);
        if hasher.count() > expected.size {
            break;
        }
    }
    Ok(ContentHash { blake3: Blake3(*hasher.finalize().as_bytes()), size: hasher.count() })
}

/// The server still knows the upload, whole. That does not prove its bytes.
async fn still_there(
    inner: &Inner,
    item: &Item,
    receipt: &Receipt,
    transfer: &Transfer,
) -> Result<(), Failure> {
    let asked = inner.query_status(inner.findings().form, &receipt.url, &transfer.cancel).await;
    match asked.map_err(HttpError::into_failure)? {
        Ok(standing) if standing.offset == item.content.size => Ok(()),
        Ok(standing) => {
            let why = format!("the server has {} bytes of {}", standing.offset, item.content.size);
            Err(Failure::transient(FailureKind::DigestMismatch, why))
        }
        Err(UploadError::Gone(_failure)) => Err(missing()),
        Err(trouble) => Err(trouble.into_failure()),
    }
}

/// See [`crate::destination::Destination::read`].
pub(super) async fn read(inner: &Inner, key: &str, receipt: &str) -> Result<ReadBack, Failure> {
    if !key::is_valid(key) {
        return Err(Failure::permanent(FailureKind::BadRequest, format!("not a key: {key:?}")));
    }
    let receipt = Receipt::parse(receipt, &inner.base).ok_or_else(missing)?;
    let Some(url) = place(inner, &receipt) else {
        let why = "this server takes uploads and gives none of them back";
        return Err(Failure::permanent(FailureKind::Unsupported, why));
    };
    let response = open(inner, url, &CancellationToken::new()).await.map_err(HttpError::into_failure)?;
    let length = response.content_length();
    Ok(into_read_back(response, length))
}
