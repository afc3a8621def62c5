//! Tests whether the server accepts anything: one small write and one read of our own.
//!
//! Some codes are used for one file by one server and for the whole place by another. Before a destination is
//! called unreachable for such a code, or a file is blamed, this decides. Where the key may remove assets
//! (`asset.delete`), a tiny picture of this installation is sent, read back if the key may, and deleted past the
//! trash. Its bytes are the same each time and hold the installation's id: one that a kill left there is found by
//! its checksum and removed with the next test, or with the next clean-up. Where the key may not, nothing is
//! written, for it could not be removed again: the account is asked for, and a checksum is looked up.

use sha1::Digest as _;

use super::api::{self, ChecksumStatus, Sha1};
use super::form::Form;
use super::{Inner, probe, prove, replace, server_info};
use crate::destination::http::{ANSWER_BYTES_MAX, Body, HttpError, Method, Piece};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};

/// The picture's name at the server.
const NAME: &str = "safelight-write-test.gif";
/// When it was taken, as far as the server is told.
const TAKEN_AT: &str = "2001-02-03T04:05:07.000Z";

/// The meaning of a refused upload whose status code alone does not say whether the file or the whole server is
/// at fault.
pub async fn explain(inner: &Inner, failure: Failure) -> Failure {
    let is_odd = match failure.kind {
        FailureKind::Unsupported | FailureKind::Full => failure.reach == Reach::Destination,
        FailureKind::Forbidden | FailureKind::Server => failure.reach == Reach::Resource,
        _ => false,
    };
    if !is_odd || failure.cause.is_some() {
        return failure;
    }
    match test(inner).await {
        Ok(()) => {
            // Whatever the code says elsewhere: others are taken, so this is about the file.
            let is_misnamed = failure.kind == FailureKind::Unsupported && !failure.is_permanent();
            let kind = if is_misnamed { FailureKind::Server } else { failure.kind };
            let details = format!("{}; a small request of our own was answered", failure.details);
            Failure { kind, reach: Reach::Resource, details, ..failure }
        }
        Err(other) => Failure { reach: Reach::Destination, ..other },
    }
}

/// A picture of one pixel that no other installation has.
fn picture(installation: &str) -> Vec<u8> {
    let comment = format!("Safelight write test {installation}");
    let comment = &comment.as_bytes()[..comment.len().min(255)];
    let length = u8::try_from(comment.len()).unwrap_or(u8::MAX);
    let mut gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xfe".to_vec();
    gif.push(length);
    gif.extend_from_slice(comment);
    gif.extend_from_slice(b"\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;");
    gif
}

fn sha1_of(bytes: &[u8]) -> Sha1 {
    sha1::Sha1::digest(bytes).into()
}

/// Writes a picture of our own where it can be removed again, and reads.
async fn test(inner: &Inner) -> Result<(), Failure> {
    let _only = inner.write_test.lock().await;
    probe::check(inner, None).await?;
    if !inner.server_info().may(server_info::DELETE) {
        return Ok(());
    }
    let picture = picture(&inner.parts.installation);
    let id = send(inner, &picture).await?;
    let kept = if inner.server_info().may(server_info::DOWNLOAD) {
        prove::read_small(inner, &id, picture.len()).await
    } else {
        Ok(picture.clone())
    };
    replace::delete(inner, &id).await?;
    if kept? == picture {
        return Ok(());
    }
    let details = "the server keeps other bytes than it was sent";
    Err(Failure::destination(FailureKind::Server, details).with_cause(Cause::Altered))
}

async fn send(inner: &Inner, picture: &[u8]) -> Result<String, Failure> {
    let form = Form::new(inner.parts.rng.as_ref())
        .text("deviceAssetId", NAME)
        .text("deviceId", api::DEVICE)
        .text("fileCreatedAt", TAKEN_AT)
        .text("fileModifiedAt", TAKEN_AT)
        .text("visibility", "archive")
        .text("filename", NAME)
        .file("assetData", NAME, Piece::Bytes(picture.to_vec().into()));
    let request = inner
        .wire
        .request(Method::POST, "assets")
        .header("content-type", form.content_type())
        .body(Body::pieces(form.finish())?);
    let answer = inner.wire.ask(request, ANSWER_BYTES_MAX).await.map_err(HttpError::into_failure)?;
    if !answer.is_success() {
        return Err(inner.wire.failure(&answer, "sending a small picture of our own"));
    }
    // Its bytes are nobody else's: a duplicate is one that an earlier test left.
    Ok(api::uploaded(&answer)?.id)
}

/// Removes the picture of a test that was killed. Returns how many there were.
///
/// # Errors
/// Why it cannot be looked for or removed.
pub async fn clean(inner: &Inner) -> Result<u64, Failure> {
    if !inner.server_info().may(server_info::DELETE) {
        return Ok(0);
    }
    let _only = inner.write_test.lock().await;
    match inner.checks.ask(sha1_of(&picture(&inner.parts.installation))).await? {
        ChecksumStatus::Present { id, is_trashed: false } => replace::delete(inner, &id).await.map(|()| 1),
        ChecksumStatus::Present { .. } | ChecksumStatus::Absent | ChecksumStatus::Unsupported => Ok(0),
    }
}
