//! Sending one resource: look for the effect, then one request, or parts.

use std::sync::Arc;

use super::address::check_key;
use super::client::{Call, is_connection_lost};
use super::object::{WRITE, mtime_text, receipt, unless_there};
use super::prove::{KeyState, compare, resolve_conflict, sent_from_existing};
use super::{Inner, buffers, metadata, multipart, named, unless_stopped};
use crate::destination::http::{Answer, Method};
use crate::destination::{Item, Phase, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::transfer::S3_WHOLE_MAX;

pub(super) async fn send(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    check_key(&item.key)?;
    if item.content.size == 0 {
        return Err(Failure::permanent(FailureKind::Empty, item.path.display().to_string()));
    }
    if transfer.cancel.is_cancelled() {
        return Ok(Sent::Cancelled);
    }
    metadata::known(inner).await?;
    // The effect of an earlier run, or equal bytes from anywhere.
    let under = match compare(inner, item, &transfer.cancel).await? {
        Some(KeyState::Other) if named::remove_if_ours(inner, item, transfer).await? => {
            Some(KeyState::Nothing)
        }
        under => under,
    };
    match under {
        None => Ok(Sent::Cancelled),
        Some(KeyState::Nothing) => {
            let sent = if item.content.size <= S3_WHOLE_MAX {
                put_single(inner, item, transfer).await
            } else {
                multipart::send(inner, item, transfer).await
            };
            match sent {
                Err(failure) if is_odd(&failure) => Err(explain_write(inner, failure).await),
                other => other,
            }
        }
        Some(under) => {
            multipart::forget(inner, item, transfer).await;
            Ok(sent_from_existing(item, transfer, &under))
        }
    }
}

/// What the answer to a request that must not replace anything came to.
pub(super) enum PutOutcome {
    Done(Answer),
    Taken,
    Stopped,
}

/// Sends a request that must not replace anything.
pub(super) async fn put(inner: &Inner, call: &Call, transfer: &Transfer) -> Result<PutOutcome, Failure> {
    let Some(answer) = unless_stopped(inner.wire.answer(call, &transfer.cancel).await)? else {
        return Ok(PutOutcome::Stopped);
    };
    match answer.status {
        412 => Ok(PutOutcome::Taken),
        _ if answer.is_success() => Ok(PutOutcome::Done(answer)),
        _ => Err(inner.wire.failure(&answer, call.task)),
    }
}

/// [`put`], where the server may replace what is there: an answer that was lost is looked for before
/// the bytes go again, so that nothing is written twice.
async fn put_looked_for(
    inner: &Inner,
    item: &Item,
    call: &Call,
    transfer: &Transfer,
) -> Result<PutOutcome, Failure> {
    if inner.trust().findings.if_none_match {
        return put(inner, call, transfer).await;
    }
    match put(inner, &call.clone().once(), transfer).await {
        Err(failure) if is_connection_lost(&failure) => match compare(inner, item, &transfer.cancel).await? {
            None => Ok(PutOutcome::Stopped),
            Some(KeyState::Nothing) => put(inner, &call.clone().once(), transfer).await,
            Some(KeyState::Equal | KeyState::Other) => Ok(PutOutcome::Taken),
        },
        outcome => outcome,
    }
}

async fn put_single(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    let trust = inner.trust();
    transfer.save(Phase::Sending, String::new()).await?;
    let Some((bytes, digests)) = buffers::read_to_end(inner, item, transfer, trust.sent()).await? else {
        return Ok(Sent::Cancelled);
    };
    let item = &Item { digests, ..item.clone() };
    let object = inner.wire.place.object(&item.key);
    let call = Call::new(WRITE, Method::PUT, Some(object))
        .header("content-type", "application/octet-stream")
        .header("x-amz-meta-mtime", mtime_text(item.stamp.mtime_ns))
        // Only what the probe has seen to be understood is sent along.
        .digests(digests.only(trust.sent()))
        .body(bytes);
    match put_looked_for(inner, item, &unless_there(inner, call), transfer).await? {
        PutOutcome::Stopped => Ok(Sent::Cancelled),
        PutOutcome::Taken => resolve_conflict(inner, item, transfer).await,
        PutOutcome::Done(answer) => {
            transfer.set_bytes_sent(item.content.size);
            let judged = trust.compare_headers(&answer.headers, item);
            if judged != Some(true) {
                named::save_named_copy(inner, item, transfer).await?;
            }
            match judged {
                Some(false) => {
                    Err(Failure::transient(FailureKind::DigestMismatch, "the server names another digest"))
                }
                Some(true) => {
                    inner.proved(item);
                    Ok(Sent::Stored { receipt: receipt(&answer), evidence: None })
                }
                None => Ok(Sent::Stored { receipt: receipt(&answer), evidence: None }),
            }
        }
    }
}

/// Whether a refusal may be about this file or about all of the place.
fn is_odd(failure: &Failure) -> bool {
    match failure.kind {
        FailureKind::Forbidden => true,
        FailureKind::Unsupported | FailureKind::Full => failure.reach == Reach::Destination,
        _ => false,
    }
}

/// Whether a refusal is this file's alone: one small write and one read of our own decide.
async fn explain_write(inner: &Inner, failure: Failure) -> Failure {
    match metadata::try_write(inner).await {
        Ok(()) => Failure { reach: Reach::Resource, ..failure },
        Err(other) if other.kind == failure.kind => Failure { reach: Reach::Destination, ..failure },
        Err(other) => Failure { reach: Reach::Destination, ..other },
    }
}
