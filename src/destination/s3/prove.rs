//! Looking at what is under a key: the object's head, its digests, its bytes.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::address::check_key;
use super::client::Call;
use super::errors::RequestPurpose;
use super::object::head;
use super::{Inner, metadata, unless_stopped, unstopped};
use crate::destination::http::{HttpError, Method, Response, into_read_back};
use crate::destination::{Item, ReadBack, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::Blake3;
use crate::domain::record::{Evidence, ProofMethod};

const READ: RequestPurpose = RequestPurpose { what: "reading the copy", permission: "s3:GetObject" };

/// Whether what is under the item's key is the item's content.
pub(super) enum KeyState {
    Nothing,
    Equal,
    Other,
}

/// Compares what is under the item's key with its content: by digests that mean something, else
/// byte by byte. `None` when told to stop.
pub(super) async fn compare(
    inner: &Inner,
    item: &Item,
    cancel: &CancellationToken,
) -> Result<Option<KeyState>, Failure> {
    let object = inner.wire.place.object(&item.key);
    let Some(head) = unless_stopped(head(inner, object.clone(), cancel).await)? else { return Ok(None) };
    let Some(head) = head else { return Ok(Some(KeyState::Nothing)) };
    if head.size != item.content.size {
        return Ok(Some(KeyState::Other));
    }
    let is_equal = match inner.trust().compare_headers(&head.headers, item) {
        Some(is_equal) => is_equal,
        None => match unless_stopped(digest_of(inner, object, cancel).await)? {
            Some(digest) => digest == Some(item.content.blake3),
            None => return Ok(None),
        },
    };
    Ok(Some(if is_equal { KeyState::Equal } else { KeyState::Other }))
}

/// What is under the key already decides.
pub(super) fn sent_from_existing(item: &Item, transfer: &Transfer, under: &KeyState) -> Sent {
    match under {
        KeyState::Equal => {
            transfer.set_bytes_sent(item.content.size);
            Sent::AlreadyThere { receipt: String::new() }
        }
        KeyState::Nothing | KeyState::Other => Sent::KeyTaken,
    }
}

/// The key was free a moment ago: a lost answer's effect, or somebody else's.
pub(super) async fn resolve_conflict(
    inner: &Inner,
    item: &Item,
    transfer: &Transfer,
) -> Result<Sent, Failure> {
    match compare(inner, item, &transfer.cancel).await? {
        None => Ok(Sent::Cancelled),
        Some(KeyState::Nothing) => Err(Failure::transient(
            FailureKind::Conflict,
            "the server says that the name is taken, and that nothing has it",
        )),
        Some(under) => Ok(sent_from_existing(item, transfer, &under)),
    }
}

pub(super) async fn prove(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Evidence, Failure> {
    check_key(&item.key)?;
    let verified = |method| Ok(Evidence::Verified { method, at: inner.parts.clock.now() });
    if inner.take_proved(item) && !transfer.must_read {
        return verified(ProofMethod::ServerDigest);
    }
    metadata::known(inner).await?;
    let cancel = &transfer.cancel;
    let object = inner.wire.place.object(&item.key);
    let missing = || Failure::transient(FailureKind::NotFound, format!("there is no copy: {}", item.key));
    let found = head(inner, object.clone(), cancel).await.map_err(HttpError::into_failure)?;
    let Some(head) = found else {
        // Where the whole place is gone, that says nothing of the copy.
        metadata::check(inner).await?;
        return Err(missing());
    };
    if head.size != item.content.size {
        let details = format!("it has {} bytes, not {}", head.size, item.content.size);
        return Err(Failure::transient(FailureKind::DigestMismatch, details));
    }
    let other = || Failure::transient(FailureKind::DigestMismatch, "its bytes are not those of the original");
    if !transfer.must_read {
        match inner.trust().compare_headers(&head.headers, item) {
            Some(true) => return verified(ProofMethod::ServerDigest),
            Some(false) => return Err(other()),
            None => {}
        }
    }
    match digest_of(inner, object, cancel).await.map_err(HttpError::into_failure)? {
        None => Err(missing()),
        Some(digest) if digest == item.content.blake3 => verified(ProofMethod::ReadBack),
        Some(_other) => Err(other()),
    }
}

pub(super) async fn read(inner: &Arc<Inner>, key: &str) -> Result<ReadBack, Failure> {
    check_key(key)?;
    let opened = open(inner, inner.wire.place.object(key), &unstopped()).await;
    let response = opened.map_err(HttpError::into_failure)?;
    let missing = || Failure::transient(FailureKind::NotFound, format!("there is no copy: {key}"));
    let response = response.ok_or_else(missing)?;
    let expected = response.content_length();
    Ok(into_read_back(response, expected))
}

/// Begins to read an object; `None` when there is none.
async fn open(
    inner: &Inner,
    object: String,
    cancel: &CancellationToken,
) -> Result<Option<Response>, HttpError> {
    let response = inner.wire.send(&Call::new(READ, Method::GET, Some(object)), cancel).await?;
    if response.is_success() {
        return Ok(Some(response));
    }
    let answer = response.excerpt().await;
    let failure = inner.wire.failure(&answer, READ);
    if answer.status == 404
        && failure.kind == FailureKind::NotFound
        && failure.reach == crate::domain::failure::Reach::Resource
    {
        return Ok(None);
    }
    Err(failure.into())
}

/// The digest of an object's bytes; `None` when there is no object.
async fn digest_of(
    inner: &Inner,
    object: String,
    cancel: &CancellationToken,
) -> Result<Option<Blake3>, HttpError> {
    let Some(mut response) = open(inner, object, cancel).await? else { return Ok(None) };
    let expected = response.content_length();
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = response.chunk().await? {
        hasher.update(&chunk);
    }
    if expected.is_some_and(|bytes| bytes != hasher.count()) {
        return Err(Failure::transient(FailureKind::Connect, "the copy broke off while it was read").into());
    }
    Ok(Some(Blake3(*hasher.finalize().as_bytes())))
}
