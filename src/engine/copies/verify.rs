//! Reading copies at a destination again, to prove them again or for the first time.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::base::mutant::{self, Mutant};
use crate::destination::{
    Attachment, BoxFuture, Checkpoint, Item, NamedCopy, SaveCheckpoint, SharedDestination, Transfer,
};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::file::FileStamp;
use crate::domain::ids::DestinationId;
use crate::domain::record::{Evidence, ProofMethod};
use crate::engine::deps::Deps;
use crate::engine::operations::OperationProgress;
use crate::engine::stall::stall_timeout;
use crate::store::{AuditCursor, AuditedCopy, RecordFacts, Store};

/// Copies read from the ledger at once.
pub(crate) const PAGE_COPIES_MAX: u32 = 200;
/// Copies that a shallow audit reads back at least, the oldest verifications first.
const SHALLOW_COPIES_MIN: u64 = 500;
/// The part of all copies that a shallow audit reads back.
const SHALLOW_PART: u64 = 10;

/// What an audit found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct VerifyCounts {
    /// Copies compared.
    pub checked: u64,
    /// Copies that were missing or different, and are sent again.
    pub failed: u64,
    /// Copies that could not be proved.
    pub unproven: u64,
}

/// What is known of a copy after it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyVerdict {
    /// It is what it should be.
    Proved,
    /// It is missing or different, and is sent again.
    Bad,
    /// Nothing could be proved now.
    Unproven,
}

/// An audit leaves no checkpoint: it can begin again at any time.
pub(crate) struct NoCheckpoints;

impl SaveCheckpoint for NoCheckpoints {
    fn save_named<'a>(&'a self, _copy: NamedCopy) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn save<'a>(&'a self, _checkpoint: Checkpoint) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn item_of(copy: &RecordFacts, key: String) -> Item {
    Item {
        record: copy.id,
        key,
        content: copy.content,
        digests: copy.digests,
        path: std::path::PathBuf::new(),
        stamp: FileStamp { size: copy.content.size, mtime_ns: copy.origin_mtime_ns, ctime_ns: 0 },
        captured_at: copy.captured_at,
        kind: copy.kind,
        token: 0,
        other_paths: Vec::new(),
        companions: Vec::new(),
    }
}

/// Whether the copy is not what it should be: other bytes, none, or where they will not stay.
fn is_bad_copy(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::DigestMismatch | FailureKind::NotFound | FailureKind::Conflict)
}

/// Compares one copy and writes what it found into the ledger, unless the record's copy is another by
/// then: two audits may read one copy at once, and what the first finds makes the second's news stale.
///
/// # Errors
/// A failure that says nothing about the copy: the destination cannot be used, or the store, or it was
/// not read in good time.
pub(crate) async fn verify_copy(
    deps: &Deps,
    store: &Store,
    destination: &SharedDestination,
    copy: &RecordFacts,
    (is_deep, bytes_read): (bool, Option<&Arc<AtomicU64>>),
    cancel: &CancellationToken,
) -> Result<CopyVerdict, Failure> {
    let Some(key) = copy.key.clone() else {
        return Ok(CopyVerdict::Proved);
    };
    let receipt = copy.receipt.clone().unwrap_or_default();
    let item = item_of(copy, key.clone());
    // Its own, so that one that is given up is told to stop.
    let cancel = cancel.child_token();
    let _given_up = cancel.clone().drop_guard();
    let mut transfer = Transfer::new(Arc::clone(&deps.files), cancel.clone(), None, Arc::new(NoCheckpoints));
    transfer.must_read = is_deep;
    let record = copy.id;
    // What is not known to be ours to remove stays.
    transfer.named = store.read(move |r| r.named_copy(record)).await.unwrap_or_default();
    if let Some(bytes_read) = bytes_read {
        transfer.bytes_read = Arc::clone(bytes_read);
    }
    if mutant::is(Mutant::ComparesUnread) {
        let read = AuditedCopy { record: copy.id, key, receipt };
        let evidence = Evidence::Verified { method: ProofMethod::ReadBack, at: deps.clock.now() };
        store.write(move |tx| tx.set_audit_evidence(&read, evidence)).await.ok();
        return Ok(CopyVerdict::Proved);
    }
    let proved =
        timeout(stall_timeout(copy.content.size), destination.prove(&item, &receipt, &transfer)).await;
    let proved = proved
        .unwrap_or_else(|_late| Err(Failure::transient(FailureKind::Timeout, "reading the copy timed out")));
    let record = copy.id;
    let read = AuditedCopy { record, key, receipt };
    let written = match proved {
        Ok(evidence) => {
            // A copy that was proved once is not demoted because today's reading proves less.
            if matches!(evidence, Evidence::Accepted) {
                return Ok(CopyVerdict::Unproven);
            }
            store
                .write(move |tx| tx.set_audit_evidence(&read, evidence))
                .await
                .map(|_is_same| CopyVerdict::Proved)
        }
        Err(failure) if failure.reach != Reach::Resource => return Err(failure),
        Err(failure) if matches!(failure.cause, Some(Cause::CopyDamaged | Cause::RemovalDenied)) => {
            tracing::warn!(%record, kind = failure.kind.as_str(), "a copy is damaged, and cannot be replaced");
            let written = store.write(move |tx| tx.set_copy_damaged(&read, &failure)).await;
            written.map(|_is_same| CopyVerdict::Bad)
        }
        Err(failure) if is_bad_copy(&failure) => {
            tracing::warn!(%record, kind = failure.kind.as_str(), "a copy is not as it should be");
            let written = store.write(move |tx| tx.set_copy_bad(&read)).await;
            // Another reading may have found it first; it is no better for that.
            written.map(|_is_same| CopyVerdict::Bad)
        }
        Err(failure) => {
            if !cancel.is_cancelled() {
                let noted = failure.clone();
                store.write(move |tx| tx.note_unread(&read, &noted)).await.ok();
            }
            return Err(failure);
        }
    };
    written.map_err(|error| Failure::from(&error))
}

/// Whether a copy can only be proved once the destination is attached again. One that nobody knows the
/// writing of, as after a lost ledger, was written by now.
pub(crate) async fn waits_for_another(store: &Store, copy: &RecordFacts, attachment: &Attachment) -> bool {
    match (&copy.receipt, &copy.key) {
        (Some(receipt), _) if !receipt.is_empty() => *receipt == attachment.session,
        (receipt, Some(key)) => {
            let (receipt, session) = (receipt.clone().unwrap_or_default(), attachment.session.clone());
            let seen = AuditedCopy { record: copy.id, key: key.clone(), receipt };
            if let Err(error) = store.write(move |tx| tx.set_receipt(&seen, &session)).await {
                tracing::debug!(%error, "when a copy was seen first is not known");
            }
            true
        }
        (_, None) => true,
    }
}

/// What is to be audited, and who is told how far that is.
pub(crate) struct VerifyOrder<'a> {
    pub id: DestinationId,
    pub is_deep: bool,
    /// Copies that are read side by side.
    pub width: u32,
    pub operation: &'a OperationProgress,
}

/// Re-reads copies: all of them when `is_deep`, else those without proof and a share of the rest,
/// oldest verifications first. Returns what it found, and what the first copy met that could not be read.
///
/// # Errors
/// When the destination or the store cannot be used.
pub(crate) async fn verify(
    deps: &Deps,
    store: &Store,
    destination: &SharedDestination,
    audited: &VerifyOrder<'_>,
    cancel: &CancellationToken,
) -> Result<(VerifyCounts, Option<Failure>), Failure> {
    let VerifyOrder { id, is_deep, width, operation } = *audited;
    destination.check().await?;
    let began = deps.clock.now();
    let (total, bytes) = store.read(move |r| r.copies_total(id)).await.unwrap_or_default();
    let share = if is_deep { u64::MAX } else { (total / SHALLOW_PART).max(SHALLOW_COPIES_MIN) };
    operation.begin(id, total.min(share), (share >= total).then_some(bytes));
    let (mut audit, mut unread) = (VerifyCounts::default(), None);
    let mut after = AuditCursor::START;
    let mut must_stop = false;
    while audit.checked + audit.unproven < share && !cancel.is_cancelled() {
        let now = deps.clock.now();
        let page = store
            .read(move |r| r.copies_by_proof(id, (began, now), after, PAGE_COPIES_MAX))
            .await
            .map_err(|error| Failure::from(&error))?;
        let Some((place, _)) = page.last() else {
            break;
        };
        after = *place;
        let due = usize::try_from(share - audit.checked - audit.unproven).unwrap_or(usize::MAX);
        let mut compared = stream::iter(page.into_iter().take(due))
            .take_until(Box::pin(cancel.cancelled()))
            .map(|(_, copy)| async move {
                let outcome = verify_copy(deps, store, destination, &copy, (is_deep, None), cancel).await;
                operation.add_bytes(copy.content.size);
                operation.add_file();
                outcome
            })
            .buffer_unordered(width as usize);
        while let Some(outcome) = compared.next().await {
            if must_stop {
                break;
            }
            match outcome {
                Ok(CopyVerdict::Unproven) => {
                    audit.unproven += 1;
                    continue;
                }
                Ok(compared) => audit.failed += u64::from(compared == CopyVerdict::Bad),
                Err(failure) if failure.reach == Reach::Resource => {
                    audit.unproven += 1;
                    // What one met for want of a permission, all others would meet.
                    must_stop |= failure.cause == Some(Cause::KeyLacks);
                    unread.get_or_insert(failure);
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            audit.checked += 1;
        }
        if must_stop {
            audit.unproven = total.min(share).saturating_sub(audit.checked).max(audit.unproven);
            break;
        }
    }
    // One that was told to stop has not seen all.
    if !cancel.is_cancelled() {
        store.write(move |tx| tx.set_audited(id)).await.ok();
    }
    Ok((audit, unread))
}
