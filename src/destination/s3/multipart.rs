//! Sending a large file in parts that go side by side, and going on after a kill.
//!
//! The file is read once from its beginning, also after a kill: parts that the server has are
//! compared and not sent again. The object is assembled only when all bytes were seen to be the
//! item's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::buffers::{PartReader, Piece};
use super::capabilities::md5_of_etag;
use super::client::{ASSEMBLY_MAX, Call, base64};
use super::errors::{ErrorBody, RequestPurpose};
use super::listing::{self, ListedPart};
use super::object::{WRITE, hidden_error, mtime_text, receipt, unless_there};
use super::prove::{KeyState, compare, resolve_conflict, sent_from_existing};
use super::state::Upload;
use super::{Inner, named, unless_stopped, unstopped, xml};
use crate::base::digester::combine_crc64nvme;
use crate::destination::http::{Answer, Method};
use crate::destination::{Checkpoint, Item, Phase, Sent, Transfer};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};
use crate::domain::hash::{DigestKind, DigestSet};

/// Parts of one file that are under way at once.
const PARTS_AT_ONCE: usize = 4;
/// How often in a row an upload that was gone on with may be answered with a server's error before
/// another is begun.
const REFUSALS_MAX: u32 = 3;
pub(super) const ABORT: RequestPurpose =
    RequestPurpose { what: "ending an unfinished upload", permission: "s3:AbortMultipartUpload" };

/// A part that the server has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    number: u64,
    tag: String,
    crc64nvme: Option<u64>,
}

/// How sending one part ended: the part (`None` if the server does not know the upload) and its length;
/// nothing when told to stop.
type PartSent = Result<Option<(Option<Part>, u64)>, Failure>;

/// How sending the parts ended.
enum Parts {
    All {
        parts: BTreeMap<u64, Part>,
        crc64nvme: Option<u64>,
    },
    /// The server does not know the upload any more.
    Lost,
    Stopped,
}

/// What became of an upload.
enum UploadOutcome {
    Sent(Sent),
    /// The server does not know it any more.
    Lost,
}

pub(super) async fn send(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    let object = inner.wire.place.object(&item.key);
    match Upload::of(transfer.checkpoint.as_ref(), item.content.size) {
        Some(upload) if upload.object == object => {
            if let Some(sent) = go_on(inner, item, transfer, upload).await? {
                return Ok(sent);
            }
        }
        // The key that it belonged to was taken.
        Some(upload) => {
            abort(inner, &upload).await.ok();
        }
        None => {}
    }
    let mut upload = begin(inner, item, transfer).await?;
    match send_parts(inner, item, transfer, &mut upload, BTreeMap::new()).await? {
        UploadOutcome::Sent(sent) => Ok(sent),
        UploadOutcome::Lost => {
            transfer.save(Phase::Creating, String::new()).await?;
            Err(Failure::transient(
                FailureKind::Server,
                "the server has ended the unfinished upload; it is begun again",
            )
            .with_cause(Cause::UploadLost))
        }
    }
}

/// Goes on with an upload that an earlier run began. `None` where it has ended, and another is to be
/// begun: the server says that it does not know it, or refuses in a way that may mean that. s3s-fs
/// answers 403 for an id that it lost in a kill.
async fn go_on(
    inner: &Arc<Inner>,
    item: &Item,
    transfer: &Transfer,
    mut upload: Upload,
) -> Result<Option<Sent>, Failure> {
    let outcome = match find_assembled(inner, &upload, transfer).await {
        Ok(Some(there)) => send_parts(inner, item, transfer, &mut upload, there).await,
        Ok(None) => Ok(UploadOutcome::Lost),
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(UploadOutcome::Sent(sent)) => return Ok(Some(sent)),
        Ok(UploadOutcome::Lost) => {}
        Err(failure) if may_mean_unknown(&failure) => {}
        Err(failure) if failure.kind == FailureKind::Server && failure.reach == Reach::Resource => {
            upload.refusals += 1;
            if upload.refusals < REFUSALS_MAX {
                transfer.save(Phase::Sending, upload.to_text()).await?;
                return Err(failure);
            }
        }
        Err(failure) => return Err(failure),
    }
    // It may have been put together, and the answer lost.
    match compare(inner, item, &transfer.cancel).await? {
        None => return Ok(Some(Sent::Cancelled)),
        Some(KeyState::Nothing) => {}
        Some(under) => {
            abort(inner, &upload).await.ok();
            return Ok(Some(sent_from_existing(item, transfer, &under)));
        }
    }
    tracing::info!("an unfinished upload is not known any more and is begun again");
    abort(inner, &upload).await.ok();
    transfer.set_bytes_sent(0);
    Ok(None)
}

/// Whether a refusal may mean that the server does not know the upload. A key that may not write at all
/// is refused again when another upload is begun.
fn may_mean_unknown(failure: &Failure) -> bool {
    use FailureKind as K;
    match failure.kind {
        K::Forbidden | K::Unsupported => true,
        K::NotFound | K::BadRequest | K::Conflict => failure.reach == Reach::Resource,
        _ => false,
    }
}

/// Sends the parts that the server does not have, and has it put them together.
async fn send_parts(
    inner: &Arc<Inner>,
    item: &Item,
    transfer: &Transfer,
    upload: &mut Upload,
    there: BTreeMap<u64, ListedPart>,
) -> Result<UploadOutcome, Failure> {
    match all_parts(inner, item, transfer, upload, there).await {
        Ok(Parts::All { parts, crc64nvme }) => {
            transfer.save(Phase::Committing, upload.to_text()).await?;
            assemble(inner, item, transfer, upload, &parts, crc64nvme).await
        }
        Ok(Parts::Lost) => Ok(UploadOutcome::Lost),
        Ok(Parts::Stopped) => Ok(UploadOutcome::Sent(Sent::Cancelled)),
        Err(failure) => {
            // A changed file's parts are of no use to anyone.
            if failure.kind == FailureKind::Changed {
                abort(inner, upload).await.ok();
            }
            Err(failure)
        }
    }
}

/// Begins an upload and remembers its id.
async fn begin(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Upload, Failure> {
    transfer.save(Phase::Creating, String::new()).await?;
    let object = inner.wire.place.object(&item.key);
    let id = create(inner, object.clone(), mtime_text(item.stamp.mtime_ns), transfer).await?;
    let upload = Upload::new(object, id, item.content.size);
    if let Err(failure) = transfer.save(Phase::Sending, upload.to_text()).await {
        // Nobody would know of it any more.
        abort(inner, &upload).await.ok();
        return Err(failure);
    }
    Ok(upload)
}

async fn create(
    inner: &Inner,
    object: String,
    mtime: String,
    transfer: &Transfer,
) -> Result<String, Failure> {
    let mut call = Call::new(WRITE, Method::POST, Some(object))
        .query("uploads", "")
        .header("content-type", "application/octet-stream")
        .header("x-amz-meta-mtime", mtime);
    if inner.trust().findings.whole_crc {
        call =
            call.header("x-amz-checksum-algorithm", "CRC64NVME").header("x-amz-checksum-type", "FULL_OBJECT");
    }
    let stopped = || Failure::cancelled("told to stop");
    let answer = unless_stopped(inner.wire.done(&call, &transfer.cancel).await)?.ok_or_else(stopped)?;
    upload_id(&answer)
}

/// The id in the answer to the creation of an upload.
pub(super) fn upload_id(answer: &Answer) -> Result<String, Failure> {
    let strange = |why: String| Failure::transient(FailureKind::Protocol, why);
    let root = xml::parse(answer.body.trim_ascii_start())
        .map_err(|error| strange(format!("the answer is not understood: {error}")))?;
    let id = root.text_of("UploadId").map(str::to_owned);
    id.ok_or_else(|| strange("the server began an upload without an id".to_owned()))
}

/// The parts that the server has of an upload; `None` when it does not know it any more.
async fn find_assembled(
    inner: &Inner,
    upload: &Upload,
    transfer: &Transfer,
) -> Result<Option<BTreeMap<u64, ListedPart>>, Failure> {
    if inner.trust().findings.list_parts {
        let listed = listing::parts(inner, upload, &transfer.cancel).await;
        return Ok(unless_stopped(listed)?.unwrap_or_else(|| Some(BTreeMap::new())));
    }
    let remembered = upload.tags.iter().map(|(number, tag)| {
        // The tag came with the answer to these very bytes.
        let part = ListedPart { size: None, tag: tag.clone(), crc64nvme: None, is_remembered: true };
        (*number, part)
    });
    Ok(Some(remembered.collect()))
}

/// Sends all parts that the server does not have.
async fn all_parts(
    inner: &Arc<Inner>,
    item: &Item,
    transfer: &Transfer,
    upload: &mut Upload,
    there: BTreeMap<u64, ListedPart>,
) -> Result<Parts, Failure> {
    let size = item.content.size;
    let trust = inner.trust();
    let set = DigestSet::NONE.with(DigestKind::Md5).with(DigestKind::Crc64Nvme);
    let (mut parts, mut crc, mut done_bytes) = (BTreeMap::new(), None, 0);
    let mut file = PartReader::open(inner, item, transfer).await?;
    let mut sending: JoinSet<PartSent> = JoinSet::new();
    let mut next = 1;
    loop {
        if transfer.cancel.is_cancelled() {
            return Ok(Parts::Stopped);
        }
        if next <= upload.count(size) && sending.len() < PARTS_AT_ONCE {
            let len = upload.len(next, size);
            // MemoryBudget comes from parts that have gone; while all of it is taken, one of those ends.
            let piece = tokio::select! {
                piece = file.next(inner, item, len, set, &transfer.cancel) => piece?,
                () = transfer.cancel.cancelled() => None,
            };
            let Some(piece) = piece else { return Ok(Parts::Stopped) };
            crc = combined(crc, &piece, len);
            let known = there.get(&next).filter(|listed| is_same(listed, &piece, len));
            if let Some(known) = known {
                parts.insert(
                    next,
                    Part { number: next, tag: known.tag.clone(), crc64nvme: piece.hashed.digests.crc64nvme },
                );
                done_bytes += len;
                transfer.set_bytes_sent(done_bytes);
            } else {
                let call = part_call(upload, next, piece.bytes, sent_with(trust, &piece.hashed.digests));
                let (inner, cancel, crc64nvme) =
                    (Arc::clone(inner), transfer.cancel.clone(), piece.hashed.digests.crc64nvme);
                let number = next;
                sending.spawn(async move {
                    let answer = unless_stopped(inner.wire.answer(&call, &cancel).await)?;
                    // The bytes are given back before the next part waits for room.
                    drop(call);
                    let Some(answer) = answer else { return Ok(None) };
                    let part = taken_part(&inner, &answer, number)?;
                    Ok(Some((part.map(|part| Part { crc64nvme, ..part }), len)))
                });
            }
            next += 1;
            continue;
        }
        let Some(ended) = sending.join_next().await else { break };
        let lost = |lost: tokio::task::JoinError| Failure::transient(FailureKind::Server, lost.to_string());
        match ended.map_err(lost)? {
            Ok(None) => return Ok(Parts::Stopped),
            Ok(Some((None, _len))) => return Ok(Parts::Lost),
            Ok(Some((Some(part), len))) => {
                done_bytes += len;
                upload.refusals = 0;
                transfer.set_bytes_sent(done_bytes);
                if !trust.findings.list_parts {
                    upload.save_named_copy(part.number, &part.tag);
                    transfer.save(Phase::Sending, upload.to_text()).await?;
                }
                parts.insert(part.number, part);
            }
            Err(failure) => return Err(failure),
        }
    }
    file.finish(inner, item).await?;
    Ok(Parts::All { parts, crc64nvme: crc })
}

/// The CRC of all bytes so far and those of the next part.
fn combined(before: Option<u64>, piece: &Piece, len: u64) -> Option<u64> {
    let crc = piece.hashed.digests.crc64nvme?;
    Some(before.map_or(crc, |before| combine_crc64nvme(before, crc, len)))
}

/// Whether a part that the server has is the one that was read.
fn is_same(listed: &ListedPart, piece: &Piece, len: u64) -> bool {
    if listed.size.is_some_and(|size| size != len) {
        return false;
    }
    let tag = md5_of_etag(&listed.tag);
    match (listed.crc64nvme, tag, piece.hashed.digests.md5) {
        (Some(crc), _, _) if piece.hashed.digests.crc64nvme != Some(crc) => false,
        (_, Some(tag), Some(md5)) => tag == md5,
        (Some(_equal), _, _) => true,
        _ => listed.is_remembered,
    }
}

fn sent_with(
    trust: super::capabilities::ChecksumTrust,
    digests: &crate::domain::hash::Digests,
) -> crate::domain::hash::Digests {
    let kinds = DigestSet::NONE.with(DigestKind::Md5);
    digests.only(if trust.findings.whole_crc { kinds.with(DigestKind::Crc64Nvme) } else { kinds })
}

fn part_call(
    upload: &Upload,
    number: u64,
    bytes: bytes::Bytes,
    digests: crate::domain::hash::Digests,
) -> Call {
    Call::new(WRITE, Method::PUT, Some(upload.object.clone()))
        .query("partNumber", number.to_string())
        .query("uploadId", upload.id.clone())
        .digests(digests)
        .body(bytes)
}

/// `None` when the server does not know the upload.
fn taken_part(inner: &Inner, answer: &Answer, number: u64) -> Result<Option<Part>, Failure> {
    if ErrorBody::of(answer).code == "NoSuchUpload" {
        return Ok(None);
    }
    if !answer.is_success() {
        return Err(inner.wire.failure(answer, WRITE));
    }
    let tag = answer.header("etag").map(str::to_owned);
    let strange = || Failure::transient(FailureKind::Protocol, "the server took a part and gave it no tag");
    Ok(Some(Part { number, tag: tag.ok_or_else(strange)?, crc64nvme: None }))
}

/// Makes the object of its parts, which must not replace anything.
async fn assemble(
    inner: &Arc<Inner>,
    item: &Item,
    transfer: &Transfer,
    upload: &Upload,
    parts: &BTreeMap<u64, Part>,
    crc64nvme: Option<u64>,
) -> Result<UploadOutcome, Failure> {
    let with_crc = inner.trust().findings.whole_crc;
    let mut call = Call::new(WRITE, Method::POST, Some(upload.object.clone()))
        .query("uploadId", upload.id.clone())
        .header("content-type", "application/xml")
        .body(assembly(parts, with_crc).into());
    call.answer_wait = Some(ASSEMBLY_MAX);
    if let Some(crc) = crc64nvme.filter(|_| with_crc) {
        call = call
            .header("x-amz-checksum-crc64nvme", base64(&crc.to_be_bytes()))
            .header("x-amz-checksum-type", "FULL_OBJECT")
            .header("x-amz-mp-object-size", item.content.size.to_string());
    }
    let call = unless_there(inner, call);
    let Some(answer) = unless_stopped(inner.wire.answer(&call, &transfer.cancel).await)? else {
        return Ok(UploadOutcome::Sent(Sent::Cancelled));
    };
    let item = &Item {
        digests: item.digests.or(crate::domain::hash::Digests { crc64nvme, ..Default::default() }),
        ..item.clone()
    };
    if answer.is_success() && !hidden_error(&answer) {
        transfer.set_bytes_sent(item.content.size);
        let sent = stored_outcome(inner, item, &answer);
        if !inner.is_proved(item) {
            named::save_named_copy(inner, item, transfer).await?;
        }
        return sent.map(UploadOutcome::Sent);
    }
    match (answer.status, ErrorBody::of(&answer).code.as_str()) {
        (412, _) | (_, "PreconditionFailed") => {
            let sent = resolve_conflict(inner, item, transfer).await?;
            if !matches!(sent, Sent::Cancelled) {
                abort(inner, upload).await.ok();
            }
            Ok(UploadOutcome::Sent(sent))
        }
        // An earlier answer was lost, or the server ended the upload.
        (404, _) | (_, "NoSuchUpload") => match compare(inner, item, &transfer.cancel).await? {
            None => Ok(UploadOutcome::Sent(Sent::Cancelled)),
            Some(KeyState::Nothing) => Ok(UploadOutcome::Lost),
            Some(under) => Ok(UploadOutcome::Sent(sent_from_existing(item, transfer, &under))),
        },
        (_, code) => {
            let failure = inner.wire.failure(&answer, WRITE);
            if matches!(code, "InvalidPart" | "InvalidPartOrder" | "BadDigest" | "InvalidRequest") {
                // The parts there are not those that were sent: they are of no use.
                abort(inner, upload).await.ok();
                transfer.save(Phase::Creating, String::new()).await?;
            }
            match failure.reach {
                // The next try begins again where this one's parts are of no use.
                Reach::Resource => Err(Failure { retry: Retry::After(Duration::ZERO), ..failure }),
                Reach::Destination | Reach::Run => Err(failure),
            }
        }
    }
}

/// The list of parts that an object is made of.
pub(super) fn listed(parts: impl Iterator<Item = (u64, String, Option<u64>)>) -> String {
    let mut text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_owned();
    for (number, tag, crc) in parts {
        let tag = quick_xml::escape::escape(&tag).into_owned();
        text.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>"));
        if let Some(crc) = crc {
            text.push_str(&format!("<ChecksumCRC64NVME>{}</ChecksumCRC64NVME>", base64(&crc.to_be_bytes())));
        }
        text.push_str("</Part>");
    }
    text.push_str("</CompleteMultipartUpload>");
    text
}

fn assembly(parts: &BTreeMap<u64, Part>, with_crc: bool) -> String {
    listed(parts.values().map(|part| (part.number, part.tag.clone(), part.crc64nvme.filter(|_| with_crc))))
}

fn stored_outcome(inner: &Inner, item: &Item, answer: &Answer) -> Result<Sent, Failure> {
    let root = xml::parse(answer.body.trim_ascii_start()).unwrap_or_default();
    let is_whole = root.text_of("ChecksumType").is_none_or(|kind| kind == "FULL_OBJECT");
    let crc = root.text_of("ChecksumCRC64NVME").filter(|_| is_whole);
    let trust = inner.trust();
    if trust.findings.whole_crc {
        match trust.compare_digests(crc, None, None, item.digests) {
            Some(true) => inner.proved(item),
            Some(false) => {
                return Err(Failure::transient(
                    FailureKind::DigestMismatch,
                    "the server names another digest",
                ));
            }
            None => {}
        }
    }
    let tag = root.text_of("ETag").map(|tag| tag.trim_matches('"').to_owned());
    Ok(Sent::Stored { receipt: tag.unwrap_or_else(|| receipt(answer)), evidence: None })
}

/// Ends an upload that is ours. One that the server does not know is ended.
pub(super) async fn abort(inner: &Inner, upload: &Upload) -> Result<(), Failure> {
    let call =
        Call::new(ABORT, Method::DELETE, Some(upload.object.clone())).query("uploadId", upload.id.clone());
    let answer = unless_stopped(inner.wire.answer(&call, &unstopped()).await)?;
    match answer {
        Some(answer) if !answer.is_success() && answer.status != 404 => {
            Err(inner.wire.failure(&answer, ABORT))
        }
        _ => Ok(()),
    }
}

/// The item's copy is there already: an upload that was begun for it is of no use.
pub(super) async fn forget(inner: &Inner, item: &Item, transfer: &Transfer) {
    if let Some(upload) = Upload::of(transfer.checkpoint.as_ref(), item.content.size) {
        abort(inner, &upload).await.ok();
    }
}

/// Ends what the checkpoints of records that nobody wants any more name.
pub(super) async fn abandon(inner: &Inner, checkpoints: &[Checkpoint]) {
    for checkpoint in checkpoints {
        let Ok(upload) = serde_json::from_str::<Upload>(&checkpoint.state) else { continue };
        if !upload.object.starts_with(&inner.wire.place.prefix) {
            continue;
        }
        if let Err(failure) = abort(inner, &upload).await {
            tracing::warn!(details = %failure.details, "an unfinished upload stays");
        }
    }
}
