//! Proof: bytes read back, or an ETag that a probe saw to be the MD5 of what is stored.

use tokio_util::sync::CancellationToken;

use super::calls::Seen;
use super::cloud::{Cloud, hex};
use super::{Inner, check_key};
use crate::destination::http::HttpError;
use crate::destination::{Item, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash, DigestKind};
use crate::domain::record::{Evidence, ProofMethod};

/// Whether what is at the server is the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    Equal(ProofMethod),
    Other,
    Gone,
}

pub(super) async fn prove(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Evidence, Failure> {
    check_key(&item.key)?;
    inner.identify().await?;
    let stopped = || Failure::transient(FailureKind::Timeout, "stopped before the copy was read");
    let same = match check(inner, item, &transfer.cancel).await {
        Ok(same) => same,
        Err(HttpError::Cancelled) => return Err(stopped()),
        Err(HttpError::Failed(failure)) => return Err(inner.explain(failure).await),
    };
    match same {
        Same::Equal(method) => Ok(Evidence::Verified { method, at: inner.parts.clock.now() }),
        Same::Other => Err(Failure::transient(
            FailureKind::DigestMismatch,
            "what the server has is not the same as the original",
        )),
        Same::Gone => {
            Err(Failure::transient(FailureKind::NotFound, format!("there is no copy: {}", item.key)))
        }
    }
}

async fn check(inner: &Inner, item: &Item, stop: &CancellationToken) -> Result<Same, HttpError> {
    if let Some(wanted) = sha256_of(inner, item)
        && let Some(cloud) = &inner.cloud
    {
        return match inner.calls.head(&item.key).await? {
            None => Ok(Same::Gone),
            Some(seen) => recalculated(inner, cloud, item, &seen, &wanted, stop).await,
        };
    }
    if md5_of(inner, item).is_none() {
        // What is read back shows its length too.
        return read_back(inner, item, stop).await;
    }
    match inner.calls.head(&item.key).await? {
        None => Ok(Same::Gone),
        Some(seen) => compare(inner, item, &seen, stop).await,
    }
}

/// Compares the item with what the server says of the file under its key, and where that is not
/// enough, with its bytes.
pub(super) async fn compare(
    inner: &Inner,
    item: &Item,
    seen: &Seen,
    stop: &CancellationToken,
) -> Result<Same, HttpError> {
    if seen.size != Some(item.content.size) {
        return Ok(Same::Other);
    }
    if let Some(wanted) = sha256_of(inner, item)
        && let Some(cloud) = &inner.cloud
    {
        return recalculated(inner, cloud, item, seen, &wanted, stop).await;
    }
    if let (Some(md5), Some(etag)) = (md5_of(inner, item), &seen.etag) {
        let is_equal = md5_in(etag).is_some_and(|theirs| theirs == md5);
        return Ok(if is_equal { Same::Equal(ProofMethod::ServerDigest) } else { Same::Other });
    }
    read_back(inner, item, stop).await
}

/// Has the server read what it has stored and compares what it finds.
async fn recalculated(
    inner: &Inner,
    cloud: &Cloud,
    item: &Item,
    seen: &Seen,
    wanted: &str,
    stop: &CancellationToken,
) -> Result<Same, HttpError> {
    if seen.size != Some(item.content.size) {
        return Ok(Same::Other);
    }
    match cloud.recalculate(inner, &item.key).await? {
        Some(found) if found == wanted => Ok(Same::Equal(ProofMethod::ServerDigest)),
        Some(_other) => Ok(Same::Other),
        // It does so no more; the bytes themselves are still there to be read.
        None => read_back(inner, item, stop).await,
    }
}

/// The item's SHA-256 in hexadecimal, where the server was seen to compute it and it is known.
fn sha256_of(inner: &Inner, item: &Item) -> Option<String> {
    let is_trusted = inner.abilities().trusted_digests.contains(DigestKind::Sha256);
    item.digests.sha256.filter(|_known| is_trusted).map(|digest| hex(&digest))
}

/// The item's MD5 in hexadecimal, where ETags are that and it is known.
fn md5_of(inner: &Inner, item: &Item) -> Option<String> {
    if !inner.abilities().trusted_digests.contains(DigestKind::Md5) {
        return None;
    }
    item.digests.md5.map(|digest| hex(&digest))
}

/// The hexadecimal digits of a strong ETag that could be an MD5.
pub(super) fn md5_in(etag: &str) -> Option<String> {
    let digits = etag.trim().strip_prefix('"')?.strip_suffix('"')?;
    let is_md5 = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_md5.then(|| digits.to_ascii_lowercase())
}

async fn read_back(inner: &Inner, item: &Item, stop: &CancellationToken) -> Result<Same, HttpError> {
    let Some(mut response) = inner.calls.get(&item.key, stop).await? else { return Ok(Same::Gone) };
    if response.content_length().is_some_and(|length| length != item.content.size) {
        return Ok(Same::Other);
    }
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = response.chunk().await? {
        hasher.update(&chunk);
        if hasher.count() > item.content.size {
            return Ok(Same::Other);
        }
    }
    let read = ContentHash { blake3: Blake3(*hasher.finalize().as_bytes()), size: hasher.count() };
    Ok(if read == item.content { Same::Equal(ProofMethod::ReadBack) } else { Same::Other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_etags_can_be_digests() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(md5_in(&format!("\"{}\"", md5.to_uppercase())).as_deref(), Some(md5));
        for other in [format!("W/\"{md5}\""), md5.to_owned(), format!("\"{md5}0\""), "\"\"".to_owned()] {
            assert_eq!(md5_in(&other), None, "{other}");
        }
    }
}
