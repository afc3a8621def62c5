//! One object: looking for it, what is said of it when it is written, and removing it.

use tokio_util::sync::CancellationToken;

use super::client::Call;
use super::errors::{ErrorBody, RequestPurpose};
use super::{Inner, unstopped};
use crate::destination::http::{Answer, Headers, HttpError, Method};
use crate::domain::failure::{Failure, FailureKind};

const HEAD: RequestPurpose =
    RequestPurpose { what: "looking for the copy", permission: "s3:GetObject and s3:ListBucket" };
pub(super) const WRITE: RequestPurpose =
    RequestPurpose { what: "writing a copy", permission: "s3:PutObject" };
const REMOVE: RequestPurpose =
    RequestPurpose { what: "removing test objects", permission: "s3:DeleteObject" };

/// What an object's head says.
pub(super) struct ObjectHead {
    pub size: u64,
    pub headers: Headers,
}

/// The head of an object; `None` when there is none.
pub(super) async fn head(
    inner: &Inner,
    object: String,
    cancel: &CancellationToken,
) -> Result<Option<ObjectHead>, HttpError> {
    let call = Call::new(HEAD, Method::HEAD, Some(object)).header("x-amz-checksum-mode", "ENABLED");
    let answer = inner.wire.answer(&call, cancel).await?;
    match answer.status {
        404 => Ok(None),
        _ if answer.is_success() => {
            let size = answer.header("content-length").and_then(|text| text.trim().parse().ok());
            let nothing =
                || Failure::transient(FailureKind::Protocol, "the server does not say how large the copy is");
            Ok(Some(ObjectHead { size: size.ok_or_else(nothing)?, headers: answer.headers }))
        }
        _ => Err(inner.wire.failure(&answer, HEAD).into()),
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

/// A header field that keeps an existing object from being replaced, where the server honours it.
pub(super) fn unless_there(inner: &Inner, call: Call) -> Call {
    if inner.trust().findings.if_none_match { call.header("if-none-match", "*") } else { call }
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

/// Whether a body that came with success is an error all the same.
pub(super) fn hidden_error(answer: &Answer) -> bool {
    answer.is_success() && !ErrorBody::of(answer).code.is_empty()
}

/// Removes an object of our own.
pub(super) async fn remove(inner: &Inner, object: String) -> Result<(), Failure> {
    let call = Call::new(REMOVE, Method::DELETE, Some(object));
    let answer = inner.wire.answer(&call, &unstopped()).await.map_err(HttpError::into_failure)?;
    if answer.is_success() || answer.status == 404 {
        Ok(())
    } else {
        Err(inner.wire.failure(&answer, REMOVE))
    }
}
