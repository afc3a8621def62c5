//! Sidecars: their bytes go with their picture; a late one's contents are told to the server.
//!
//! The server takes a sidecar's bytes only in the request that brings the picture, and never gives
//! them back. So such a copy is accepted and never proved.

use std::io::Read as _;

use bytes::Bytes;
use serde_json::json;

use super::Inner;
use super::api::ChecksumStatus;
use super::errors;
use super::receipt::Receipt;
use super::server_info;
use super::wire::{StopOutcome, lost, stop_outcome};
use super::xmp;
use crate::base::files::SharedFiles;
use crate::destination::http::{ANSWER_BYTES_MAX, Method};
use crate::destination::{Companion, Item, Sent, Transfer};
use crate::domain::asset::ResourceKind;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash};

/// The largest sidecar that is held in memory to be sent with its picture, in bytes.
const SIDECAR_BYTES_MAX: u64 = 8 << 20;

/// A sidecar that can go with its picture.
pub struct AttachedSidecar {
    pub name: String,
    pub bytes: Bytes,
    pub hash: Blake3,
}

/// The sidecar that goes with an item, if it has one that can be read now. A sidecar's trouble is
/// its own: its picture does not wait for it.
pub async fn to_attach(inner: &Inner, item: &Item, transfer: &Transfer) -> Option<AttachedSidecar> {
    let known = inner.server_info();
    let taken = |companion: &&Companion| {
        companion.is_own_sidecar && known.takes_sidecar(&super::name_of(&companion.path))
    };
    // There is room for one: `a.jpg.xmp` before `a.xmp`.
    let own = super::name_of(&item.path).to_lowercase();
    let is_loose = |companion: &Companion| !super::name_of(&companion.path).to_lowercase().starts_with(&own);
    let all: Vec<&Companion> = item.companions.iter().filter(taken).collect();
    // Folders that have the same photo may have different sidecars: the last one that was written goes.
    let companion = all.iter().min_by_key(|companion| (is_loose(companion), rank(companion)))?;
    if all.iter().any(|other| other.content != companion.content && is_loose(other) == is_loose(companion)) {
        transfer.note(ONE_SIDECAR);
    }
    let bytes = read(inner, transfer, companion).await.ok()?;
    let name = super::name_of(&companion.path);
    Some(AttachedSidecar { name, bytes, hash: companion.content.blake3 })
}

/// Said of a photo whose folders have different sidecars for it.
const ONE_SIDECAR: &str =
    "The same photo has different sidecars in two folders. Immich keeps the one that was written last";

/// The order of sidecars of which the server takes one: the last written first.
fn rank(sidecar: &Companion) -> (std::cmp::Reverse<i64>, [u8; 32]) {
    (std::cmp::Reverse(sidecar.stamp.mtime_ns), sidecar.content.blake3.0)
}

/// Whether the server has a sidecar of another folder that has the same photo, and that goes before this one.
fn is_surpassed(item: &Item, attached: Option<Blake3>) -> bool {
    let own = rank(&of(item));
    item.companions.iter().any(|other| {
        let is_there = attached == Some(other.content.blake3) || other.receipt.is_some();
        other.is_rival && other.kind == ResourceKind::Sidecar && is_there && rank(other) < own
    })
}

async fn read(inner: &Inner, transfer: &Transfer, companion: &Companion) -> Result<Bytes, Failure> {
    let (files, path) = (std::sync::Arc::clone(&transfer.files), companion.path.clone());
    let content = companion.content;
    inner.parts.executor.run(move || read_now(&files, &path, content)).await.map_err(lost)?
}

fn read_now(files: &SharedFiles, path: &std::path::Path, content: ContentHash) -> Result<Bytes, Failure> {
    if content.size > SIDECAR_BYTES_MAX {
        return Err(errors::unsupported("the sidecar is too large to be one"));
    }
    let at_source = |error: std::io::Error| crate::destination::source::at_source(&error, path);
    let mut bytes = Vec::new();
    let file = files.open(path).map_err(at_source)?;
    file.take(content.size + 1).read_to_end(&mut bytes).map_err(at_source)?;
    let read = ContentHash { blake3: Blake3(*blake3::hash(&bytes).as_bytes()), size: bytes.len() as u64 };
    if read == content {
        return Ok(bytes.into());
    }
    Err(crate::destination::source::changed("the sidecar has other bytes"))
}

/// Sees a sidecar to where its picture is.
///
/// # Errors
/// `unsupported` while the picture is not there; with a cause that leaves the file out there where the
/// server takes no such sidecars, or came too late for its bytes and holds nothing that Immich can be told.
pub async fn send(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    let known = inner.server_info();
    let name = super::name_of(&item.path);
    if !known.takes_sidecar(&name) {
        let why = format!("the server takes no sidecars like {name}");
        return Err(errors::unsupported(&why).with_cause(Cause::SidecarKind));
    }
    let subject = item.companions.iter().find(|companion| companion.is_subject);
    let receipt = subject.and_then(|subject| Receipt::parse(subject.receipt.as_deref()?));
    let Some(Receipt::Asset { id, sidecar }) = receipt else {
        return Err(without_photo(inner, subject).await);
    };
    if sidecar == Some(item.content.blake3) {
        return Ok(Sent::AlreadyThere { receipt: Receipt::SidecarOf(id).to_string() });
    }
    if is_surpassed(item, sidecar) {
        let why = "Immich keeps one sidecar with a photo; that of another folder was written later";
        return Err(errors::unsupported(why).with_cause(Cause::SidecarOther));
    }
    let bytes = read(inner, transfer, &of(item)).await?;
    let told = xmp::read(&bytes);
    if told.is_empty() {
        return Err(errors::unsupported(
            "Immich takes a sidecar's bytes only together with its picture; this one came later, and holds \
             nothing that Immich can be told",
        )
        .with_cause(Cause::SidecarLate));
    }
    if !known.may(server_info::UPDATE) {
        return Err(lacks_update());
    }
    let request = inner.wire.with_json(Method::PUT, &format!("assets/{id}"), json!(told).to_string());
    let sent = inner.wire.ask(request.stopped_by(&transfer.cancel), ANSWER_BYTES_MAX).await;
    let answer = match stop_outcome(sent)? {
        StopOutcome::Done(answer) => answer,
        StopOutcome::Cancelled => return Ok(Sent::Cancelled),
    };
    if answer.is_success() {
        transfer.set_bytes_sent(item.content.size);
        return Ok(Sent::Stored { receipt: Receipt::ToldOf(id).to_string(), evidence: None });
    }
    match errors::missing_permission(&answer) {
        Some(_update) => Err(lacks_update()),
        None => Err(inner.wire.failure(&answer, "telling the server what a sidecar says")),
    }
}

/// Why a sidecar cannot go where its photo is: that is not there, or in the trash, out of which it does not
/// come by itself.
async fn without_photo(inner: &Inner, photo: Option<&Companion>) -> Failure {
    if let Some(sha1) = photo.and_then(|photo| photo.digests.sha1) {
        match inner.checks.ask(sha1).await {
            Ok(ChecksumStatus::Present { is_trashed: true, .. }) => {
                let why = "the server has the photo that this file belongs to in its trash";
                return Failure::permanent(FailureKind::Conflict, why).with_cause(Cause::PhotoTrashed);
            }
            Ok(_) => {}
            Err(failure) => return failure,
        }
    }
    let why = "Immich keeps a sidecar only with its photo, and the photo is not there yet";
    Failure::transient(FailureKind::NotFound, why).with_cause(Cause::PhotoAwaited)
}

/// Only this file cannot go on, so it must not hold up others.
fn lacks_update() -> Failure {
    let Failure { details, .. } = errors::lacks(&[server_info::UPDATE]);
    Failure::permanent(FailureKind::Forbidden, format!("this sidecar came after its picture: {details}"))
        .with_cause(Cause::KeyLacks)
}

fn of(item: &Item) -> Companion {
    Companion {
        kind: item.kind,
        is_primary: false,
        is_own_sidecar: true,
        is_subject: false,
        is_rival: false,
        content: item.content,
        digests: item.digests,
        path: item.path.clone(),
        stamp: item.stamp,
        receipt: None,
    }
}
