//! One asset to the server: asked for first, so that nothing is sent twice; sent whole; then put
//! where it belongs.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;

use sha1::Digest as _;

use super::albums::{self, ArrangeOutcome};
use super::api::{self, ChecksumStatus, Sha1, UploadResult};
use super::form::Form;
use super::receipt::Receipt;
use super::sidecar::{self, AttachedSidecar};
use super::wire::{StopOutcome, stop_outcome, unless_stopped};
use super::{Inner, errors, replace, server_info, write_test};
use crate::destination::http::{
    ANSWER_BYTES_MAX, Answer, Body, ByteObserver, HttpError, Method, Piece, SourceRange, feed,
};
use crate::destination::{Companion, Item, NamedCopy, Phase, Sent, Transfer};
use crate::domain::asset::{CapturedAt, Provenance, ResourceKind};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::ContentHash;
use crate::domain::time::UnixMillis;

/// Makes sure that the bytes which are sent are those whose SHA-1 was told.
struct Sha1Observer {
    hasher: sha1::Sha1,
    expected: Option<Sha1>,
}

impl ByteObserver for Sha1Observer {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let sum: Sha1 = self.hasher.clone().finalize().into();
        match self.expected {
            Some(expected) if expected != sum => {
                Err(Failure::transient(FailureKind::Changed, "the file has another SHA-1 than it had"))
            }
            _ => Ok(()),
        }
    }
}

/// Sends an item.
///
/// # Errors
/// A failure, mapped once here.
pub async fn send(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    if transfer.cancel.is_cancelled() {
        return Ok(Sent::Cancelled);
    }
    if item.content.size == 0 {
        return Err(Failure::permanent(FailureKind::Empty, "the file has no bytes"));
    }
    if item.kind == ResourceKind::Sidecar {
        return sidecar::send(inner, item, transfer).await;
    }
    match stop_outcome(send_asset(inner, item, transfer).await)? {
        StopOutcome::Done(sent) => Ok(sent),
        StopOutcome::Cancelled => Ok(Sent::Cancelled),
    }
}

async fn send_asset(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Sent, HttpError> {
    let name = super::name_of(&item.path);
    if !inner.server_info().takes(&name) {
        return Err(errors::unsupported(&format!("the server takes no files like {name}")).into());
    }
    let sha1 = sha1_of(inner, item, transfer).await?;
    let verdict = unless_stopped(&transfer.cancel, inner.checks.ask(sha1)).await?;
    let (verdict, evidence) = replace::settle_earlier(inner, item, (sha1, verdict), transfer).await?;
    let held = match verdict {
        ChecksumStatus::Present { is_trashed: true, .. } => return Err(errors::trashed().into()),
        ChecksumStatus::Present { id, .. } => Some(id),
        ChecksumStatus::Unsupported => {
            return Err(errors::unsupported(&format!("the server takes no files like {name}")).into());
        }
        ChecksumStatus::Absent => None,
    };
    let moving = moving_half(inner, item, transfer).await?;
    if let Some(id) = held {
        arrange(inner, item, &id, moving.as_deref(), transfer).await?;
        if evidence.is_some() {
            return Ok(Sent::Stored { receipt: Receipt::asset(id).to_string(), evidence });
        }
        return Ok(Sent::AlreadyThere { receipt: Receipt::asset(id).to_string() });
    }
    inner.refuse_beyond_room(item.content.size)?;
    let attached = sidecar::to_attach(inner, item, transfer).await;
    transfer.save(Phase::Sending, String::new()).await?;
    transfer.set_bytes_sent(0);
    let upload = Upload { name: &name, sha1, moving: moving.as_deref(), attached: attached.as_ref() };
    let answer = upload.send(inner, item, transfer).await?;
    if !answer.is_success() {
        let failure = inner.wire.failure(&answer, "sending the file");
        if failure.cause == Some(Cause::Quota) {
            return Err(inner.refused_for_room(item.content.size).into());
        }
        return Err(write_test::explain(inner, failure).await.into());
    }
    let UploadResult { id, is_duplicate } = api::uploaded(&answer)?;
    if is_duplicate {
        // Somebody else was faster, or an earlier answer was lost.
        arrange(inner, item, &id, moving.as_deref(), transfer).await?;
        return Ok(Sent::AlreadyThere { receipt: Receipt::asset(id).to_string() });
    }
    // Until it is verified, it may be removed if it turns out to be damaged.
    let copy = NamedCopy { key: item.key.clone(), size: item.content.size, tag: id.clone() };
    transfer.save_named(copy).await?;
    inner.use_room(item.content.size);
    let receipt = Receipt::Asset { id: id.clone(), sidecar: attached.map(|attached| attached.hash) };
    arrange(inner, item, &id, None, transfer).await?;
    Ok(Sent::Stored { receipt: receipt.to_string(), evidence: None })
}

/// The file's SHA-1: the one that is known of its content, else made of its bytes now.
async fn sha1_of(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Sha1, HttpError> {
    if let Some(sha1) = item.digests.sha1 {
        return Ok(sha1);
    }
    let observer = Arc::new(Mutex::new(Sha1Observer { hasher: sha1::Sha1::new(), expected: None }));
    let mut range =
        SourceRange::whole_file(item, transfer, &inner.parts.executor).with_observer(observer.clone());
    range.sent = None;
    match feed(range, &transfer.cancel).await {
        Ok(()) => Ok(observer.lock().hasher.clone().finalize().into()),
        Err(None) => Err(HttpError::Cancelled),
        Err(Some(failure)) => Err(failure.into()),
    }
}

/// The moving half of a still, where the server has it and will keep it. Of several, from folders that have
/// the same still, it is the best.
async fn moving_half(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Option<String>, HttpError> {
    if item.kind != ResourceKind::Photo {
        return Ok(None);
    }
    let is_moving =
        |companion: &&Companion| companion.kind == ResourceKind::PairedVideo && companion.is_rival;
    let mut halves: Vec<&Companion> = item.companions.iter().filter(is_moving).collect();
    halves.sort_by_key(|half| rank(half.content));
    halves.dedup_by_key(|half| half.content);
    if halves.len() > 1 {
        transfer.note(ONE_MOVING_HALF);
    }
    for half in halves {
        let Some((id, sha1)) = asset_id(half).zip(half.digests.sha1) else { continue };
        // The server refuses a still whose moving half is gone, after it has taken all of its bytes.
        let verdict = unless_stopped(&transfer.cancel, inner.checks.ask(sha1)).await?;
        if matches!(verdict, ChecksumStatus::Present { id: held, is_trashed: false } if held == id) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Said of a still and of its moving halves, where folders have the same still with different ones.
const ONE_MOVING_HALF: &str = "The same photo has different videos in two folders. Immich joins one with it, the largest; others stay videos";

/// The order of parts of which the server takes one: the largest first, then any that is always the same.
fn rank(content: ContentHash) -> (std::cmp::Reverse<u64>, [u8; 32]) {
    (std::cmp::Reverse(content.size), content.blake3.0)
}

fn asset_id(companion: &Companion) -> Option<String> {
    Receipt::asset_of(companion.receipt.as_deref())
}

/// The same for a copy of which more files were found.
///
/// # Errors
/// What may pass.
pub async fn arrange_again(
    inner: &Inner,
    item: &Item,
    receipt: &str,
    transfer: &Transfer,
) -> Result<(), Failure> {
    let Some(id) = Receipt::asset_of(Some(receipt)) else { return Ok(()) };
    let work = async {
        let moving = moving_half(inner, item, transfer).await?;
        arrange(inner, item, &id, moving.as_deref(), transfer).await
    };
    match stop_outcome(work.await)? {
        StopOutcome::Done(()) | StopOutcome::Cancelled => Ok(()),
    }
}

/// Puts an asset that is there where it belongs: for every file that has its bytes. `moving` is given when
/// the asset is a still that the server may not know to belong to it.
async fn arrange(
    inner: &Inner,
    item: &Item,
    id: &str,
    moving: Option<&str>,
    transfer: &Transfer,
) -> Result<(), HttpError> {
    let stop = &transfer.cancel;
    let work = async {
        let known = inner.server_info();
        let mut primaries: Vec<&Companion> = item.companions.iter().filter(|c| c.is_primary).collect();
        primaries.sort_by_key(|companion| rank(companion.content));
        let primary = primaries.into_iter().find_map(asset_id);
        let mut done = Vec::new();
        if known.may(server_info::UPDATE) {
            if let Some(video) = moving {
                done.push(albums::join(&inner.wire, id, video).await?);
            }
            // A moving half that comes after its still.
            if let Some(still) = primary.as_deref().filter(|_still| item.kind == ResourceKind::PairedVideo) {
                if is_best_half(item) {
                    done.push(albums::join(&inner.wire, still, id).await?);
                } else {
                    transfer.note(ONE_MOVING_HALF);
                }
            }
        }
        if inner.place.has_raw_stacks
            && item.kind == ResourceKind::AlternatePhoto
            && let Some(top) = primary.as_deref()
        {
            done.push(albums::stack(&inner.wire, top, id).await?);
        }
        if inner.place.has_folder_albums && item.kind != ResourceKind::PairedVideo {
            let paths = std::iter::once(&item.path).chain(&item.other_paths);
            let folders: BTreeSet<String> =
                paths.filter_map(|path| path.parent()).map(super::name_of).collect();
            for name in folders {
                done.push(inner.albums.put(&name, id, known.user.as_deref()).await?);
            }
        }
        for arranged in done {
            if let ArrangeOutcome::Refused(status) = arranged {
                tracing::info!(status, record = %item.record, "the server arranges a copy in its own way");
            }
        }
        Ok(())
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(HttpError::Cancelled),
        done = work => done,
    }
}

/// Whether none of the other moving halves of the same still that the server has goes before this one.
fn is_best_half(item: &Item) -> bool {
    let others = item.companions.iter().filter(|c| c.kind == ResourceKind::PairedVideo && c.is_rival);
    others.filter(|other| asset_id(other).is_some()).all(|other| rank(item.content) <= rank(other.content))
}

/// One upload's request.
struct Upload<'a> {
    name: &'a str,
    sha1: Sha1,
    moving: Option<&'a str>,
    attached: Option<&'a AttachedSidecar>,
}

impl Upload<'_> {
    async fn send(&self, inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Answer, HttpError> {
        let summed = Sha1Observer { hasher: sha1::Sha1::new(), expected: Some(self.sha1) };
        let range = SourceRange::whole_file(item, transfer, &inner.parts.executor);
        let file = Piece::Source(range.with_observer(Arc::new(Mutex::new(summed))));
        let (created, modified) = times(item);
        // Both generations read parts in order and judge a file's type as it begins: what is said of
        // the file comes before it. The sidecar comes before the name, which is not its own.
        let mut form = Form::new(inner.parts.rng.as_ref())
            .text("deviceAssetId", &format!("{}-{}", item.content.blake3.to_hex(), item.content.size))
            .text("deviceId", api::DEVICE)
            .text("fileCreatedAt", &created)
            .text("fileModifiedAt", &modified);
        if let Some(video) = self.moving {
            form = form.text("livePhotoVideoId", video);
        }
        if let Some(attached) = self.attached {
            form = form.file("sidecarData", &attached.name, Piece::Bytes(attached.bytes.clone()));
        }
        let form = form.text("filename", self.name).file("assetData", self.name, file);
        let request = inner
            .wire
            .request(Method::POST, "assets")
            .header("x-immich-checksum", api::checksum(&self.sha1))
            .header("content-type", form.content_type())
            .body(Body::pieces(form.finish())?)
            .stopped_by(&transfer.cancel);
        inner.wire.ask(request, ANSWER_BYTES_MAX).await
    }
}

/// When the picture was taken and the file last changed. Without an offset the time on the camera's
/// wall is kept as it is; the server reads the file itself and knows better where the file does.
fn times(item: &Item) -> (String, String) {
    let modified = UnixMillis(item.stamp.mtime_ns.div_euclid(1_000_000));
    let CapturedAt { wall_ms, offset_minutes, provenance } = item.captured_at;
    let offset_ms = i64::from(offset_minutes.unwrap_or(0)) * 60_000;
    let created = match provenance {
        Provenance::ModifiedTime => modified,
        Provenance::Metadata | Provenance::FileName => UnixMillis(wall_ms.0.saturating_sub(offset_ms)),
    };
    // A time that no calendar has must not keep a file out.
    let modified = api::time(modified).or_else(|| api::time(UnixMillis(0))).unwrap_or_default();
    (api::time(created).unwrap_or_else(|| modified.clone()), modified)
}
