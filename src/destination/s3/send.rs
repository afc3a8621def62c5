//! Sending one resource: look for the effect, then one request, or parts.

use std::sync::Arc;

use super::address::check_key;
use super::client::{Call, is_cut};
use super::errors::{Said, Task};
use super::prove::{Under, compare};
use super::{Inner, buffers, metadata, multipart, named, unless_stopped};
use crate::destination::http::{Answer, Method};
use crate::destination::{Item, Phase, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::transfer::S3_WHOLE_MAX;

pub(super) const WRITE: Task = Task { what: "writing a copy", permission: "s3:PutObject" };

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
        Some(Under::Other) if named::remove_if_ours(inner, item, transfer).await? => Some(Under::Nothing),
        under => under,
    };
    match under {
        None => Ok(Sent::Cancelled),
        Some(Under::Nothing) => {
            let sent = if item.content.size <= S3_WHOLE_MAX {
                whole(inner, item, transfer).await
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
            Ok(settled(item, transfer, &under))
        }
    }
}

/// The original's modification time as others keep it too: seconds with a fraction.
pub(super) fn mtime_text(mtime_ns: i64) -> String {
    let (seconds, nanos) = (mtime_ns.div_euclid(1_000_000_000), mtime_ns.rem_euclid(1_000_000_000));
    match nanos {
        0 => seconds.to_string(),
        // Before 1970 the fraction counts back from the second above.
        _ if seconds < 0 => format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanos),
        _ => format!("{seconds}.{nanos:09}"),
    }
}

/// What is under the key already decides.
pub(super) fn settled(item: &Item, transfer: &Transfer, under: &Under) -> Sent {
    match under {
        Under::Equal => {
            transfer.set_bytes_sent(item.content.size);
            Sent::AlreadyThere { receipt: String::new() }
        }
        Under::Nothing | Under::Other => Sent::KeyTaken,
    }
}

/// A header field that keeps an existing object from being replaced, where the server honours it.
pub(super) fn unless_there(inner: &Inner, call: Call) -> Call {
    if inner.trust().findings.if_none_match { call.header("if-none-match", "*") } else { call }
}

/// What the answer to a request that must not replace anything came to.
pub(super) enum Put {
    Done(Answer),
    Taken,
    Stopped,
}

/// Sends a request that must not replace anything.
pub(super) async fn put(inner: &Inner, call: &Call, transfer: &Transfer) -> Result<Put, Failure> {
    let Some(answer) = unless_stopped(inner.wire.answer(call, &transfer.cancel).await)? else {
        return Ok(Put::Stopped);
    };
    match answer.status {
        412 => Ok(Put::Taken),
        _ if answer.is_success() => Ok(Put::Done(answer)),
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
) -> Result<Put, Failure> {
    if inner.trust().findings.if_none_match {
        return put(inner, call, transfer).await;
    }
    match put(inner, &call.clone().once(), transfer).await {
        Err(failure) if is_cut(&failure) => match compare(inner, item, &transfer.cancel).await? {
            None => Ok(Put::Stopped),
            Some(Under::Nothing) => put(inner, &call.clone().once(), transfer).await,
            Some(Under::Equal | Under::Other) => Ok(Put::Taken),
        },
        outcome => outcome,
    }
}

async fn whole(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    let trust = inner.trust();
    transfer.save(Phase::Sending, String::new()).await?;
    let Some((bytes, digests)) = buffers::whole(inner, item, transfer, trust.sent()).await? else {
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
        Put::Stopped => Ok(Sent::Cancelled),
        Put::Taken => taken(inner, item, transfer).await,
        Put::Done(answer) => {
            transfer.set_bytes_sent(item.content.size);
            let judged = trust.judge(&answer.headers, item);
            if judged != Some(true) {
                named::remember(inner, item, transfer).await?;
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

/// The key was free a moment ago: a lost answer's effect, or somebody else's.
pub(super) async fn taken(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    match compare(inner, item, &transfer.cancel).await? {
        None => Ok(Sent::Cancelled),
        Some(Under::Nothing) => Err(Failure::transient(
            FailureKind::Conflict,
            "the server says that the name is taken, and that nothing has it",
        )),
        Some(under) => Ok(settled(item, transfer, &under)),
    }
}

/// What the server calls this version of the object.
pub(super) fn receipt(answer: &Answer) -> String {
    let version = answer.header("x-amz-version-id").filter(|version| *version != "null");
    let tag = answer.header("etag").unwrap_or_default().trim_matches('"');
    match version {
        Some(version) => format!("{tag} {version}"),
        None => tag.to_owned(),
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

/// Whether a body that came with success is an error all the same.
pub(super) fn hidden_error(answer: &Answer) -> bool {
    answer.is_success() && !Said::of(answer).code.is_empty()
}
