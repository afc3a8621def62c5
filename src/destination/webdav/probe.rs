//! Finding out what a server can do, by trying it in a scratch folder of our own.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::clean::clean_home;
use super::client::{Client, FileMetadata, MoveOutcome};
use super::findings::{CHECKSUM_KINDS, ServerCapabilities, digits_of};
use super::folders::list;
use super::nextcloud::Nextcloud;
use super::prove::{is_same_tag, md5_in};
use super::{Inner, at_destination};
use crate::base::digester::Digester;
use crate::destination::Capabilities;
use crate::destination::address::below;
use crate::destination::http::{HttpError, Method, Request, parse_http_date};
use crate::destination::marker::{HOME, SCRATCH_PREFIX, TRIAL_PREFIX};
use crate::destination::metadata_store;
use crate::destination::name_probe::{NameProbe, lists_name};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::hash::{DigestKind, Digests};
use crate::domain::key::RefusedChars;
use crate::domain::record::ProofMethod;

/// Names of these lengths are tried, longest first.
const NAME_LENGTHS: [u32; 4] = [255, 250, 143, 110];
/// 2001-02-03T04:05:07Z.
const MTIME_SECS: i64 = 981_173_107;
/// How many want one name at the same moment, and how often that is tried.
const RIVALS: usize = 4;
const RACES: usize = 8;
/// Servers that look for a name and take it in two steps, by the beginning of what they call
/// themselves: a race that they win by luck shows nothing. Apache's mod_dav asks the file system first
/// and renames afterwards (`dav_fs_move_resource`).
const NAMES_IN_TWO_STEPS: [&str; 1] = ["Apache"];
/// How many transfers help at once.
const CONCURRENT_MAX: u32 = 8;

pub(super) async fn probe(inner: &Arc<Inner>) -> Result<Capabilities, Failure> {
    let _housekeeping = inner.housekeeping.lock().await;
    let marker =
        metadata_store::check(inner.as_ref(), inner.parts.uuid.as_deref()).await.map_err(at_destination)?;
    // A run that was killed while it tried this destination is known to no ledger.
    clean_home(inner).await.map_err(at_destination)?;
    let scratch = format!("{HOME}/{SCRATCH_PREFIX}{:016x}", inner.scratch_token());
    in_scratch(inner, &scratch, marker.uuid).await
}

pub(super) async fn try_out(inner: &Arc<Inner>) -> Result<(Capabilities, Option<u64>), Failure> {
    let _housekeeping = inner.housekeeping.lock().await;
    let free = check_folder(inner, false).await?;
    let marker = if free.is_there {
        metadata_store::read_marker(inner.as_ref()).await.map_err(at_destination)?
    } else {
        None
    };
    if let Some(marker) = &marker {
        marker.expect(inner.parts.uuid.as_deref())?;
    }
    let token = inner.scratch_token();
    let capabilities = match marker {
        Some(marker) => {
            let scratch = format!("{HOME}/{SCRATCH_PREFIX}{token:016x}");
            in_scratch(inner, &scratch, marker.uuid).await?
        }
        None if free.is_there => {
            in_scratch(inner, &format!("{TRIAL_PREFIX}{token:016x}"), String::new()).await?
        }
        None => {
            // The folder is made when the destination is added; until then it is tried and goes.
            let made = Client::new(&inner.parts, inner.calls.base().clone(), inner.dialect);
            made.make_dir("").await.map_err(at_destination)?;
            let tried = in_scratch(inner, &format!("{TRIAL_PREFIX}{token:016x}"), String::new()).await;
            made.remove("").await.map_err(at_destination)?;
            tried?
        }
    };
    Ok((capabilities, free.bytes))
}

/// What a first look found.
pub(super) struct FolderStatus {
    /// The folder is there.
    pub is_there: bool,
    /// Bytes that may still be written, where the server says so.
    pub bytes: Option<u64>,
}

/// Looks at the folder, and makes its last component where that is missing and it is being added.
pub(super) async fn check_folder(inner: &Inner, may_make: bool) -> Result<FolderStatus, Failure> {
    if let Some(found) = inner.calls.propfind("", 0).await.map_err(at_destination)? {
        let own = found.first().ok_or_else(|| {
            Failure::destination(FailureKind::Protocol, "the server lists the folder and says nothing of it")
        })?;
        if !own.is_dir {
            return Err(Failure::destination(FailureKind::Conflict, "this is a file, not a folder"));
        }
        return Ok(FolderStatus { is_there: true, bytes: own.free });
    }
    if let Some(above) = parent_folder(inner)? {
        let request = Request::new(Method::PROPFIND, above).header("depth", "0");
        let answer = inner
            .calls
            .send(request)
            .await
            .map_err(HttpError::into_failure)
            .map_err(at_destination)?
            .excerpt()
            .await;
        if answer.status != 207 {
            let failure = inner.calls.failed(&answer, "looking for the folder above it");
            let failure = Failure { kind: FailureKind::NotFound, ..failure };
            return Err(at_destination(failure.with_cause(Cause::NoFolder)));
        }
    } else {
        let details = "there is no such folder on the server";
        return Err(Failure::destination(FailureKind::NotFound, details).with_cause(Cause::NoFolder));
    }
    if may_make {
        inner.calls.make_dir("").await.map_err(at_destination)?;
    }
    Ok(FolderStatus { is_there: false, bytes: None })
}

/// The folder that the destination's is in.
fn parent_folder(inner: &Inner) -> Result<Option<crate::destination::http::Url>, Failure> {
    let base = inner.calls.base();
    if base.path() == "/" {
        return Ok(None);
    }
    let up =
        base.join("../").map_err(|error| Failure::destination(FailureKind::BadRequest, error.to_string()))?;
    Ok(Some(below(&up, "")))
}

/// Tries everything in a new scratch folder and removes that, whatever comes of it.
async fn in_scratch(inner: &Inner, scratch: &str, uuid: String) -> Result<Capabilities, Failure> {
    let calls = &inner.calls;
    calls.make_dir(scratch).await.map_err(at_destination)?;
    let tried = CapabilityProbe { inner, scratch, refuses_mtime: false }.all(uuid).await;
    let removed = calls.remove(&format!("{scratch}/")).await;
    let capabilities = tried.map_err(at_destination)?;
    removed.map_err(at_destination)?;
    Ok(capabilities)
}

struct CapabilityProbe<'a> {
    inner: &'a Inner,
    scratch: &'a str,
    /// A request that tells a modification time was refused, and without it taken.
    refuses_mtime: bool,
}

/// Two small files that everything is tried with.
const A: &[u8] = b"a safe light";
const B: &[u8] = b"is red";

impl CapabilityProbe<'_> {
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.scratch)
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.put_with_checksum(name, bytes, None).await
    }

    async fn put_with_checksum(
        &self,
        name: &str,
        bytes: &[u8],
        checksum: Option<String>,
    ) -> Result<(), Failure> {
        let stop = CancellationToken::new();
        let body = Bytes::copy_from_slice(bytes);
        let told = FileMetadata { mtime_secs: (!self.refuses_mtime).then_some(MTIME_SECS), checksum };
        let put = self.inner.calls.put(&self.at(name), body, &told, &stop).await;
        put.map(drop).map_err(HttpError::into_failure)
    }

    async fn all(&mut self, uuid: String) -> Result<Capabilities, Failure> {
        if let Err(failure) = self.put("a", A).await {
            // What is told beside the bytes may be at fault.
            self.refuses_mtime = true;
            self.put("a", A).await.map_err(|_still| failure)?;
        }
        self.put("b", B).await?;
        let checksum = self.compared_checksum().await;
        let shown = self.shown_digest().await?;
        let keeps_mtime = !self.refuses_mtime && self.keeps_mtime().await?;
        let note = software(self.inner).await;
        // What is not seen to hold is taken not to hold.
        let keeps_tag = self.keeps_tags().await.unwrap_or(false);
        let no_replace = self.leaves_names_alone().await?;
        let is_known = self.inner.cloud.is_none()
            && NAMES_IN_TWO_STEPS.iter().any(|name| note.trim_start().starts_with(name));
        let names_once = no_replace && !is_known && self.names_once().await.unwrap_or(false);
        let case_sensitive = self.inner.calls.head(&self.at("B")).await?.is_none();
        let name_len_max = self.longest_name().await?;
        let refused_chars = self.refused_chars().await?;
        let proof = if shown.is_some() { ProofMethod::ServerDigest } else { ProofMethod::ReadBack };
        let name = |kind: DigestKind| kind.as_str().to_owned();
        let findings = ServerCapabilities {
            keeps_tag,
            names_once,
            checksum: checksum.map(name),
            shown: shown.map(name),
            refuses_mtime: self.refuses_mtime,
            ..self.inner.findings.clone()
        };
        Ok(Capabilities {
            uuid,
            can_resume: self.inner.cloud.is_some(),
            no_replace,
            case_sensitive,
            proof: Some(proof),
            proof_need: None,
            keeps_mtime,
            concurrent_max: CONCURRENT_MAX,
            name_len_max,
            refused_chars,
            size_max: None,
            software: note.clone(),
            note,
            trusted_digests: [checksum, shown].into_iter().flatten().collect(),
            findings: findings.text(),
        })
    }

    /// The digest that the server compares with what arrives, found by trying those that it offers: a
    /// wrong one is refused and the right one is taken. A server that takes a wrong one compares none.
    async fn compared_checksum(&self) -> Option<DigestKind> {
        let offered = match &self.inner.cloud {
            Some(cloud) => cloud.offered_checksums(self.inner).await,
            None => Vec::new(),
        };
        let kinds = if offered.is_empty() { CHECKSUM_KINDS.to_vec() } else { offered };
        for (number, kind) in kinds.into_iter().enumerate() {
            let told = |bytes: &[u8]| {
                let digits = digits_of(digests_of(bytes), kind)?;
                Some(format!("{}:{digits}", kind.as_str().to_ascii_uppercase()))
            };
            let name = format!("k{number}");
            match self.put_with_checksum(&name, A, told(B)).await {
                Ok(()) => return None,
                Err(failure) if failure.reach == Reach::Resource => {}
                Err(_trouble) => return None,
            }
            if self.put_with_checksum(&name, A, told(A)).await.is_ok() {
                return Some(kind);
            }
        }
        None
    }

    /// The digest that the server shows of what it has stored: computed when it is asked to, or its
    /// ETags.
    async fn shown_digest(&self) -> Result<Option<DigestKind>, Failure> {
        if let Some(cloud) = &self.inner.cloud {
            for kind in CHECKSUM_KINDS {
                if self.computes(cloud, kind).await? {
                    return Ok(Some(kind));
                }
            }
            return Ok(None);
        }
        Ok(self.has_md5_etags().await?.then_some(DigestKind::Md5))
    }

    /// Whether ETags are the MD5 of what is stored, seen on two different files.
    async fn has_md5_etags(&self) -> Result<bool, Failure> {
        for (name, bytes) in [("a", A), ("b", B)] {
            let seen = self.inner.calls.head(&self.at(name)).await?;
            let etag = seen.and_then(|seen| seen.etag).and_then(|etag| md5_in(&etag));
            if etag.is_none() || etag != digits_of(digests_of(bytes), DigestKind::Md5) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the server computes this digest of what it has stored: seen on two different files.
    async fn computes(&self, cloud: &Nextcloud, kind: DigestKind) -> Result<bool, Failure> {
        for (name, bytes) in [("a", A), ("b", B)] {
            let said = cloud.recalculate(self.inner, &self.at(name), kind).await;
            let said = said.map_err(HttpError::into_failure)?;
            if said.is_none() || said != digits_of(digests_of(bytes), kind) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn keeps_mtime(&self) -> Result<bool, Failure> {
        let found = self.inner.calls.propfind(&self.at("a"), 0).await?;
        let modified = found.and_then(|found| found.into_iter().next()).and_then(|entry| entry.modified);
        Ok(modified.and_then(|text| parse_http_date(&text)).is_some_and(|at| at.0 == MTIME_SECS * 1000))
    }

    /// Whether MOVE with `Overwrite: F` onto an existing name is refused, in whatever words, and leaves
    /// it alone.
    async fn leaves_names_alone(&self) -> Result<bool, Failure> {
        let moved = self.inner.calls.rename(&self.at("a"), &self.at("b")).await;
        if matches!(moved, Ok(MoveOutcome::Done { .. })) {
            return Ok(false);
        }
        let kept = self.inner.calls.read_small(&self.at("b"), 64).await?;
        if kept.as_deref() != Some(B) {
            return Ok(false);
        }
        // What is refused for another reason is refused here too.
        match self.inner.calls.rename(&self.at("a"), &self.at("c")).await? {
            MoveOutcome::Done { .. } => Ok(true),
            MoveOutcome::Taken => Err(Failure::destination(
                FailureKind::Protocol,
                "the server says that a name is taken which nothing has",
            )),
        }
    }

    /// Whether an ETag says which file has a name: two files of one length have two, written one after
    /// the other under one name too, and each keeps its own when it gets another name.
    async fn keeps_tags(&self) -> Result<bool, Failure> {
        let calls = &self.inner.calls;
        self.put("t", B).await?;
        let first = self.tag("t").await?;
        self.put("t", b"or not").await?;
        let second = self.tag("t").await?;
        let (Some(first), Some(second), Some(other)) = (first, second, self.tag("b").await?) else {
            return Ok(false);
        };
        let is_told_apart = !is_same_tag(&first, &second) && !is_same_tag(&second, &other);
        if !is_told_apart || calls.rename(&self.at("t"), &self.at("u")).await? == MoveOutcome::Taken {
            return Ok(false);
        }
        let after = self.tag("u").await?;
        Ok(after.is_some_and(|after| is_same_tag(&second, &after)))
    }

    async fn tag(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.inner.calls.head(&self.at(name)).await?.and_then(|seen| seen.etag))
    }

    /// Whether only one of several gets a name that all want at the same moment, and has it.
    async fn names_once(&self) -> Result<bool, Failure> {
        for race in 0..RACES {
            let names: Vec<String> = (0..RIVALS).map(|rival| format!("r{race}-{rival}")).collect();
            let puts = names.iter().map(|name| self.put(name, name.as_bytes()));
            futures_util::future::try_join_all(puts).await?;
            let goal = self.at(&format!("r{race}"));
            let moves = names.iter().map(|name| {
                let (from, goal) = (self.at(name), &goal);
                async move { self.inner.calls.rename(&from, goal).await }
            });
            let moved = futures_util::future::join_all(moves).await;
            // Who is refused may be told so in any way; a server that locks names says 423.
            let is_first =
                |moved: &Result<MoveOutcome, Failure>| matches!(moved, Ok(MoveOutcome::Done { .. }));
            let mut winners = names.iter().zip(&moved).filter(|(_name, moved)| is_first(moved));
            let (Some((winner, _moved)), None) = (winners.next(), winners.next()) else { return Ok(false) };
            let kept = self.inner.calls.read_small(&goal, 64).await?;
            if kept.as_deref() != Some(winner.as_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The characters that no name may have: each name is given as a copy gets its own, read again and
    /// looked for in the listing.
    async fn refused_chars(&self) -> Result<RefusedChars, Failure> {
        let mut probe = NameProbe::new();
        while let Some(name) = probe.next_name() {
            probe.record_result(self.keeps_name(&name).await)?;
        }
        Ok(probe.refused_chars())
    }

    async fn keeps_name(&self, name: &str) -> Result<bool, Failure> {
        let calls = &self.inner.calls;
        self.put("named", name.as_bytes()).await?;
        if calls.rename(&self.at("named"), &self.at(name)).await? == MoveOutcome::Taken {
            return Ok(false);
        }
        let kept = calls.read_small(&self.at(name), 2 * name.len()).await?;
        if kept.as_deref() != Some(name.as_bytes()) {
            return Ok(false);
        }
        // A server that lists nothing that anybody understands says nothing of the name.
        let Ok(Some(listed)) = list(calls, self.scratch).await else { return Ok(true) };
        Ok(lists_name(listed.iter().map(|entry| entry.name.as_str()), name))
    }

    async fn longest_name(&self) -> Result<u32, Failure> {
        let mut last = None;
        for length in NAME_LENGTHS {
            let name = "n".repeat(usize::try_from(length).unwrap_or(usize::MAX));
            match self.put(&name, b"n").await {
                Ok(()) => return Ok(length),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::destination(FailureKind::Protocol, "no name is taken")))
    }
}

/// What answers there, in its own words; empty where it says nothing.
pub(super) async fn software(inner: &Inner) -> String {
    if let Some(cloud) = &inner.cloud {
        return cloud.software(inner).await;
    }
    let mut request = Request::new(Method::OPTIONS, inner.calls.base().clone());
    request.takes_html = true;
    let Ok(response) = inner.calls.send(request).await else { return String::new() };
    let answer = response.excerpt().await;
    crate::destination::http::status::one_line(answer.headers.get("server").unwrap_or_default())
}

fn digests_of(bytes: &[u8]) -> Digests {
    let mut digester = Digester::new(CHECKSUM_KINDS.into_iter().collect());
    digester.update(bytes);
    digester.finish().digests
}
