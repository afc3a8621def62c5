//! Removes a damaged copy of ours, so that the file can be sent again.
//!
//! The server accepts each checksum once: while it keeps an asset whose file is damaged, it refuses the photo.
//! An asset is removed only if an upload of the same record created it (the server said *created*, and its
//! id was committed right after), it was never verified, its original was read back and differs, and the source
//! still has the file. Everything else stays: what the server called a duplicate, what was verified once, what
//! cannot be read. It is deleted past the trash, for a checksum in the trash is refused too.

use std::sync::Arc;
use std::time::Duration;

use super::api::{ChecksumStatus, Sha1};
use super::wire::{lost, unless_stopped};
use super::{Inner, albums, errors, prove, server_info};
use crate::destination::http::{ANSWER_BYTES_MAX, HttpError, Method};
use crate::destination::{Item, Phase, Transfer, source};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::record::{Evidence, ProofMethod};

/// How a checkpoint begins that names an asset which is being removed.
const REMOVING: &str = "removing:";
/// How long the server is given to remove an asset, which it does in the background.
const REMOVED_WITHIN: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// The note on a file whose damaged copy was replaced.
const REPLACED: &str = "The server's copy was damaged. It was removed, and the file was sent again";
/// The note on a file whose damaged copy stays.
const KEPT: &str =
    "A damaged copy stays at the server, because the API key may not remove it (asset.delete, asset.update)";

/// Reads back an earlier upload of the record that was never verified, and removes it if it is damaged.
///
/// `verdict` is the server's answer about the file's checksum. Returns the verdict that holds afterwards, and
/// evidence if the upload has the file's bytes.
///
/// # Errors
/// The reason why the upload cannot be removed, if the file cannot be sent before it is gone.
pub async fn settle_earlier(
    inner: &Inner,
    item: &Item,
    (sha1, verdict): (Sha1, ChecksumStatus),
    transfer: &Transfer,
) -> Result<(ChecksumStatus, Option<Evidence>), HttpError> {
    let Some(id) = transfer.unverified_copy().map(|copy| copy.tag) else { return Ok((verdict, None)) };
    if !prove::is_own_upload(item, &id, transfer) {
        return Ok((verdict, None));
    }
    let is_held = matches!(&verdict, ChecksumStatus::Present { id: held, .. } if *held == id);
    if is_held && matches!(verdict, ChecksumStatus::Present { is_trashed: true, .. }) {
        let state = transfer.checkpoint.as_ref().map(|checkpoint| checkpoint.state.as_str());
        let is_leaving = state.and_then(|state| state.strip_prefix(REMOVING)) == Some(&id);
        return if is_leaving { Err(still_there().into()) } else { Ok((verdict, None)) };
    }
    match unless_stopped(&transfer.cancel, prove::is_equal(inner, item, &id, transfer)).await {
        Ok(true) => {
            let evidence = is_held.then(|| prove::verified(inner, ProofMethod::ReadBack));
            return Ok((verdict, evidence));
        }
        Ok(false) => {}
        // It is gone, or cannot be read: nothing says that it is damaged.
        Err(HttpError::Failed(failure)) if failure.reach == Reach::Resource => return Ok((verdict, None)),
        Err(failed) => return Err(failed),
    }
    look_at_source(inner, item, transfer).await?;
    match remove(inner, item, &id, transfer).await {
        Ok(()) => {}
        // The server takes the file beside it.
        Err(HttpError::Failed(failure)) if !is_held && failure.is_permanent() => {
            transfer.note(KEPT);
            return Ok((verdict, None));
        }
        Err(failed) => return Err(failed),
    }
    transfer.note(REPLACED);
    if !is_held {
        return Ok((verdict, None));
    }
    wait_until_gone(inner, sha1, &id, transfer).await?;
    Ok((ChecksumStatus::Absent, None))
}

async fn look_at_source(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<(), Failure> {
    let (files, item) = (Arc::clone(&transfer.files), item.clone());
    let look = move || source::open(files.as_ref(), &item).map(drop);
    inner.parts.executor.run(look).await.map_err(lost)?
}

/// Deletes an asset of ours for good. A still is parted from its video first: the server would delete that too.
async fn remove(inner: &Inner, item: &Item, id: &str, transfer: &Transfer) -> Result<(), HttpError> {
    if server_info::has_moving_half(item.kind) {
        albums::part(&inner.wire, id).await?;
    }
    transfer.save(Phase::Sending, format!("{REMOVING}{id}")).await?;
    Ok(delete(inner, id).await?)
}

/// Deletes an asset past the trash.
///
/// # Errors
/// `digest_mismatch` for good when the key may not.
pub async fn delete(inner: &Inner, id: &str) -> Result<(), Failure> {
    let body = serde_json::json!({ "ids": [id], "force": true }).to_string();
    let request = inner.wire.with_json(Method::DELETE, "assets", body);
    let answer = inner.wire.ask(request, ANSWER_BYTES_MAX).await.map_err(HttpError::into_failure)?;
    match errors::missing_permission(&answer) {
        _ if answer.is_success() => Ok(()),
        Some(permission) => Err(errors::may_not_remove(&[&permission])),
        None => Err(inner.wire.failure(&answer, "removing a damaged copy")),
    }
}

async fn wait_until_gone(inner: &Inner, sha1: Sha1, id: &str, transfer: &Transfer) -> Result<(), HttpError> {
    for wait in REMOVED_WITHIN {
        let verdict = unless_stopped(&transfer.cancel, inner.checks.ask(sha1)).await?;
        if !matches!(verdict, ChecksumStatus::Present { id: held, .. } if held == id) {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = transfer.cancel.cancelled() => return Err(HttpError::Cancelled),
            () = tokio::time::sleep(wait) => {}
        }
    }
    Err(still_there().into())
}

fn still_there() -> Failure {
    Failure::transient(FailureKind::Conflict, "the server is still removing a damaged copy of this file")
}
