//! The destination's own objects: its marker, manifest segments, and what killed runs left behind.

use bytes::Bytes;

use super::client::Call;
use super::errors::RequestPurpose;
use super::object::{self, WRITE};
use super::{Inner, at_destination, listing, unstopped};
use crate::destination::BoxFuture;
use crate::destination::http::{HttpError, Method};
use crate::destination::marker::{HOME, Marker, SCRATCH_PREFIX, TRIAL_PREFIX};
use crate::destination::metadata_store::{self, FolderEntry, MetadataStore};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::key;

const READ_OWN: RequestPurpose =
    RequestPurpose { what: "reading Safelight's own files", permission: "s3:GetObject and s3:ListBucket" };
/// The object that is written to find out whether anything may be.
const WRITE_TEST: &str = "write-test";
const WRITE_TEST_BYTES: &[u8] = b"a test";
/// Scratch objects that one cleaning removes.
const SCRATCH_MAX: usize = 1_000;

impl Inner {
    async fn get_own(&self, path: &str, limit: usize) -> Result<Option<Bytes>, Failure> {
        let call = Call::new(READ_OWN, Method::GET, Some(self.wire.place.object(path)));
        let outcome = self.wire.send(&call, &unstopped()).await;
        let mut response = outcome.map_err(HttpError::into_failure)?;
        if !response.is_success() {
            let answer = response.excerpt().await;
            let failure = self.wire.failure(&answer, READ_OWN);
            return match (answer.status, failure.reach) {
                (404, Reach::Resource) => Ok(None),
                _ => Err(at_destination(failure)),
            };
        }
        let mut body = Vec::new();
        while body.len() <= limit {
            match response.chunk().await.map_err(HttpError::into_failure)? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(Some(body.into()))
    }

    async fn put_own(&self, path: &str, bytes: Bytes) -> Result<bool, Failure> {
        let is_honoured = self.trust().findings.if_none_match;
        if !is_honoured && self.get_own(path, 0).await?.is_some() {
            return Ok(false);
        }
        let call = || Call::new(WRITE, Method::PUT, Some(self.wire.place.object(path))).body(bytes.clone());
        // Always asked for: whether it is honoured may not be known yet.
        let careful = call().header("if-none-match", "*");
        let mut answer = self.wire.answer(&careful, &unstopped()).await.map_err(HttpError::into_failure)?;
        if !is_honoured && matches!(answer.status, 400 | 501) {
            // A server that does not know the condition.
            answer = self.wire.answer(&call(), &unstopped()).await.map_err(HttpError::into_failure)?;
        }
        match answer.status {
            412 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(at_destination(self.wire.failure(&answer, WRITE))),
        }
    }
}

impl MetadataStore for Inner {
    fn get<'a>(&'a self, path: &'a str, limit: usize) -> BoxFuture<'a, Result<Option<Bytes>, Failure>> {
        Box::pin(self.get_own(path, limit))
    }

    fn put_new<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(self.put_own(path, bytes))
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>, Failure>> {
        Box::pin(async move {
            let prefix = self.wire.place.object(&format!("{folder}/"));
            listing::folder(self, &prefix, &unstopped()).await.map_err(HttpError::into_failure)
        })
    }
}

pub(super) async fn check(inner: &Inner) -> Result<Marker, Failure> {
    inner.set_known(false);
    let marker = metadata_store::check(inner, inner.parts.uuid.as_deref()).await.map_err(at_destination)?;
    inner.set_known(true);
    Ok(marker)
}

/// As [`check`], unless that has just been found out.
pub(super) async fn known(inner: &Inner) -> Result<(), Failure> {
    if inner.is_known() { Ok(()) } else { check(inner).await.map(drop) }
}

/// The marker of a place that may have none yet.
pub(super) async fn read_marker(inner: &Inner) -> Result<Option<Marker>, Failure> {
    let marker = metadata_store::read_marker(inner).await.map_err(at_destination)?;
    if let Some(marker) = &marker {
        marker.expect(inner.parts.uuid.as_deref())?;
    }
    Ok(marker)
}

/// Whether anything may be written here at all, and read again.
///
/// # Errors
/// `forbidden` when not; whatever else the server says.
pub(super) async fn try_write(inner: &Inner) -> Result<(), Failure> {
    let token = key::temp_token(&inner.parts.installation, inner.parts.rng.next_u64());
    // Below a scratch name of ours: what cannot be removed now goes with the next cleaning.
    let path = format!("{HOME}/{SCRATCH_PREFIX}{token:016x}/{WRITE_TEST}");
    let object = inner.wire.place.object(&path);
    let call = Call::new(WRITE, Method::PUT, Some(object.clone())).body(Bytes::from_static(WRITE_TEST_BYTES));
    inner.wire.done(&call, &unstopped()).await.map_err(HttpError::into_failure)?;
    let kept = inner.get_own(&path, WRITE_TEST_BYTES.len()).await;
    object::remove(inner, object).await.ok();
    match kept {
        Ok(Some(bytes)) if bytes != WRITE_TEST_BYTES => {
            let details = "the server keeps other bytes than it was sent";
            Err(Failure::destination(FailureKind::Server, details).with_cause(Cause::Altered))
        }
        // Who may write and not read is told so elsewhere.
        _ => Ok(()),
    }
}

/// Removes scratch objects of this installation that a killed probe left.
pub(super) async fn clean(inner: &Inner) -> Result<u64, Failure> {
    check(inner).await?;
    let mut removed = 0;
    for prefix in [format!("{HOME}/{SCRATCH_PREFIX}"), TRIAL_PREFIX.to_owned()] {
        let prefix = inner.wire.place.object(&prefix);
        let names = listing::objects(inner, &prefix, SCRATCH_MAX, &unstopped()).await;
        for name in names.map_err(HttpError::into_failure)? {
            let path = name.strip_prefix(&inner.wire.place.prefix).unwrap_or_default();
            if is_own_scratch(inner, path) {
                object::remove(inner, name).await?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Whether what is below the destination's prefix is a scratch object of this installation.
pub(super) fn is_own_scratch(inner: &Inner, path: &str) -> bool {
    let digits = path
        .strip_prefix(TRIAL_PREFIX)
        .or_else(|| path.strip_prefix(HOME)?.strip_prefix('/')?.strip_prefix(SCRATCH_PREFIX))
        .and_then(|rest| rest.split_once('/'))
        .filter(|(digits, _name)| digits.len() == 16);
    digits
        .and_then(|(digits, _name)| u64::from_str_radix(digits, 16).ok())
        .is_some_and(|token| key::owns_token(&inner.parts.installation, token))
}
