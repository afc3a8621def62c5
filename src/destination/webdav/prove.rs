//! Proof: bytes read back, or a digest that a probe saw to be that of what is stored.
//!
//! The same comparison serves a temp name, before it is given up for the key, and the key itself.

use tokio_util::sync::CancellationToken;

use super::client::RemoteFile;
use super::findings::digits_of;
use super::{Inner, check_key};
use crate::destination::http::{HttpError, Response};
use crate::destination::{Item, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash, DigestKind};
use crate::domain::record::{Evidence, ProofMethod};

/// Whether what is at the server is the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentCheck {
    Equal(ProofMethod),
    Other,
}

/// Which of the item's digests the server is asked for, or that its bytes are read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CheckMethod {
    /// The server computes this digest of what it has stored; the item's, in hexadecimal.
    Recalculated(DigestKind, String),
    /// The ETag is the MD5 of what is stored; the item's, in hexadecimal.
    Md5Tag(String),
    /// The bytes themselves.
    ReadBack,
}

/// Something that has a name at the server, found and not compared yet.
pub(super) struct OpenedCopy {
    /// What the server says of it.
    pub seen: RemoteFile,
    method: CheckMethod,
    /// Its bytes, where they are to be read.
    body: Option<Response>,
}

pub(super) async fn prove(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Evidence, Failure> {
    check_key(&item.key)?;
    inner.identify().await?;
    let stopped = || Failure::cancelled("stopped before the copy was read");
    let proof = CopyComparison { inner, item, must_read: transfer.must_read, stop: &transfer.cancel };
    let same = match proof.at(&item.key).await {
        Ok(same) => same,
        Err(HttpError::Cancelled) => return Err(stopped()),
        Err(HttpError::Failed(failure)) => return Err(inner.explain(failure).await),
    };
    match same {
        Some(ContentCheck::Equal(method)) => Ok(Evidence::Verified { method, at: inner.parts.clock.now() }),
        Some(ContentCheck::Other) => Err(mismatch()),
        None => Err(Failure::transient(FailureKind::NotFound, format!("there is no copy: {}", item.key))),
    }
}

pub(super) fn mismatch() -> Failure {
    Failure::transient(FailureKind::DigestMismatch, "what the server has is not the same as the original")
}

/// Compares an item with what the server has under a name.
pub(super) struct CopyComparison<'a> {
    pub inner: &'a Inner,
    pub item: &'a Item,
    /// Every byte is to be read, whatever digests the server tells.
    pub must_read: bool,
    pub stop: &'a CancellationToken,
}

impl CopyComparison<'_> {
    /// Whether what is at `path` is the item; `None` when nothing is there.
    async fn at(&self, path: &str) -> Result<Option<ContentCheck>, HttpError> {
        match self.open(path).await? {
            None => Ok(None),
            Some(opened) => self.compare(path, opened).await.map(Some),
        }
    }

    /// Looks at what is at `path`, as far as that costs one request; `None` when nothing is there.
    pub(super) async fn open(&self, path: &str) -> Result<Option<OpenedCopy>, HttpError> {
        let method = self.method();
        if method != CheckMethod::ReadBack {
            let seen = self.inner.calls.head(path).await?;
            return Ok(seen.map(|seen| OpenedCopy { seen, method, body: None }));
        }
        let body = self.inner.calls.get(path, self.stop).await?;
        Ok(body.map(|body| {
            // What is read back shows its length and its tag too.
            let etag = body.headers.get("etag").map(str::to_owned);
            OpenedCopy { seen: RemoteFile { size: body.content_length(), etag }, method, body: Some(body) }
        }))
    }

    /// Whether what was found at `path` is the item.
    pub(super) async fn compare(&self, path: &str, opened: OpenedCopy) -> Result<ContentCheck, HttpError> {
        let OpenedCopy { seen, method, body } = opened;
        let is_digest = method != CheckMethod::ReadBack;
        if seen.size.is_some_and(|size| size != self.item.content.size) || is_digest && seen.size.is_none() {
            return Ok(ContentCheck::Other);
        }
        let equal_if = |is_equal| {
            if is_equal { ContentCheck::Equal(ProofMethod::ServerDigest) } else { ContentCheck::Other }
        };
        match (method, &self.inner.cloud, seen.etag) {
            (CheckMethod::Recalculated(kind, wanted), Some(cloud), _) => {
                match cloud.recalculate(self.inner, path, kind).await? {
                    Some(found) => Ok(equal_if(found == wanted)),
                    // It does so no more; the bytes themselves are still there to be read.
                    None => self.read_back(path, None).await,
                }
            }
            (CheckMethod::Md5Tag(wanted), _, Some(etag)) => {
                Ok(equal_if(md5_in(&etag).is_some_and(|theirs| theirs == wanted)))
            }
            _ => self.read_back(path, body).await,
        }
    }

    fn method(&self) -> CheckMethod {
        let kind = self.inner.findings.shown_kind(self.inner.capabilities().trusted_digests);
        let Some(kind) = kind.filter(|_kind| !self.must_read) else { return CheckMethod::ReadBack };
        match digits_of(self.item.digests, kind) {
            Some(digits) if self.inner.cloud.is_some() => CheckMethod::Recalculated(kind, digits),
            Some(digits) if kind == DigestKind::Md5 => CheckMethod::Md5Tag(digits),
            _ => CheckMethod::ReadBack,
        }
    }

    async fn read_back(&self, path: &str, body: Option<Response>) -> Result<ContentCheck, HttpError> {
        let size = self.item.content.size;
        let body = match body {
            Some(body) => Some(body),
            None => self.inner.calls.get(path, self.stop).await?,
        };
        // What was there a moment ago is gone: it is not the item's.
        let Some(mut body) = body else { return Ok(ContentCheck::Other) };
        if body.content_length().is_some_and(|length| length != size) {
            return Ok(ContentCheck::Other);
        }
        let mut hasher = blake3::Hasher::new();
        while let Some(chunk) = body.chunk().await? {
            hasher.update(&chunk);
            if hasher.count() > size {
                return Ok(ContentCheck::Other);
            }
        }
        let read = ContentHash { blake3: Blake3(*hasher.finalize().as_bytes()), size: hasher.count() };
        Ok(if read == self.item.content {
            ContentCheck::Equal(ProofMethod::ReadBack)
        } else {
            ContentCheck::Other
        })
    }
}

/// The hexadecimal digits of a strong ETag that could be an MD5.
pub(super) fn md5_in(etag: &str) -> Option<String> {
    let digits = etag.trim().strip_prefix('"')?.strip_suffix('"')?;
    let is_md5 = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_md5.then(|| digits.to_ascii_lowercase())
}

/// Whether two ETags are the same by weak comparison (RFC 9110, section 8.8.3.2): Apache calls the tag
/// of a file weak for the first second of its life, and the same tag strong from then on.
pub(super) fn is_same_tag(a: &str, b: &str) -> bool {
    let opaque = |tag: &str| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag).to_owned()
    };
    opaque(a) == opaque(b) && opaque(a).len() > "\"\"".len()
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

    #[test]
    fn tags_compare_weakly() {
        assert!(is_same_tag("W/\"a-1\"", "\"a-1\"") && is_same_tag("\"a\"", "\"a\""));
        assert!(!is_same_tag("\"a\"", "\"b\"") && !is_same_tag("\"\"", "\"\"") && !is_same_tag("", ""));
    }
}
