//! Finding out what a server can do, by trying it in a scratch folder of our own.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::calls::{Calls, Moved, Told};
use super::clean::clean_home;
use super::cloud::hex;
use super::prove::md5_in;
use super::{Inner, whole};
use crate::destination::Abilities;
use crate::destination::address::below;
use crate::destination::http::{HttpError, Method, Request, parse_http_date};
use crate::destination::marker::HOME;
use crate::destination::shelf;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{DigestKind, DigestSet};
use crate::domain::record::ProofMethod;

/// Scratch folders are named this and 16 hexadecimal characters.
pub(super) const SCRATCH_PREFIX: &str = "probe-";
/// The same where there is no folder of our own yet.
const TRIAL_PREFIX: &str = ".safelight-try-";
/// Names of these lengths are tried, longest first.
const NAME_LENGTHS: [u32; 4] = [255, 250, 143, 110];
/// 2001-02-03T04:05:07Z.
const MTIME_SECS: i64 = 981_173_107;
/// How many transfers help at once.
const CONCURRENT_MAX: u32 = 8;

pub(super) async fn probe(inner: &Arc<Inner>) -> Result<Abilities, Failure> {
    let _housekeeping = inner.housekeeping.lock().await;
    let marker = shelf::check(inner.as_ref(), inner.parts.uuid.as_deref()).await.map_err(whole)?;
    // A run that was killed while it tried this destination is known to no ledger.
    clean_home(inner).await.map_err(whole)?;
    let scratch = format!("{HOME}/{SCRATCH_PREFIX}{:016x}", inner.scratch_token());
    in_scratch(inner, &scratch, marker.uuid).await
}

pub(super) async fn try_out(inner: &Arc<Inner>) -> Result<(Abilities, Option<u64>), Failure> {
    let _housekeeping = inner.housekeeping.lock().await;
    let free = reach(inner, false).await?;
    let marker = if free.is_there { shelf::read_marker(inner.as_ref()).await.map_err(whole)? } else { None };
    if let Some(marker) = &marker {
        marker.expect(inner.parts.uuid.as_deref())?;
    }
    let token = inner.scratch_token();
    let abilities = match marker {
        Some(marker) => {
            let scratch = format!("{HOME}/{SCRATCH_PREFIX}{token:016x}");
            in_scratch(inner, &scratch, marker.uuid).await?
        }
        None if free.is_there => {
            in_scratch(inner, &format!("{TRIAL_PREFIX}{token:016x}"), String::new()).await?
        }
        None => {
            // The folder is made when the destination is added; until then it is tried and goes.
            let made = Calls::new(&inner.parts, inner.calls.base().clone());
            made.make_dir("").await.map_err(whole)?;
            let tried = in_scratch(inner, &format!("{TRIAL_PREFIX}{token:016x}"), String::new()).await;
            made.remove("").await.map_err(whole)?;
            tried?
        }
    };
    Ok((abilities, free.bytes))
}

/// What a first look found.
pub(super) struct Reached {
    /// The folder is there.
    pub is_there: bool,
    /// Bytes that may still be written, where the server says so.
    pub bytes: Option<u64>,
}

/// Looks at the folder, and makes its last component where that is missing and it is being added.
pub(super) async fn reach(inner: &Inner, may_make: bool) -> Result<Reached, Failure> {
    if let Some(found) = inner.calls.propfind("", 0).await.map_err(whole)? {
        let own = found.first().ok_or_else(|| {
            Failure::destination(FailureKind::Protocol, "the server lists the folder and says nothing of it")
        })?;
        if !own.is_dir {
            return Err(Failure::destination(FailureKind::Conflict, "this is a file, not a folder"));
        }
        return Ok(Reached { is_there: true, bytes: own.free });
    }
    if let Some(above) = above(inner)? {
        let request = Request::new(Method::PROPFIND, above).header("depth", "0");
        let answer =
            inner.calls.send(request).await.map_err(HttpError::into_failure).map_err(whole)?.excerpt().await;
        if answer.status != 207 {
            let failure = inner.calls.failed(&answer, "looking for the folder above it");
            return Err(whole(Failure { kind: FailureKind::NotFound, ..failure }));
        }
    } else {
        return Err(Failure::destination(FailureKind::NotFound, "there is no such folder on the server"));
    }
    if may_make {
        inner.calls.make_dir("").await.map_err(whole)?;
    }
    Ok(Reached { is_there: false, bytes: None })
}

/// The folder that the destination's is in.
fn above(inner: &Inner) -> Result<Option<crate::destination::http::Url>, Failure> {
    let base = inner.calls.base();
    if base.path() == "/" {
        return Ok(None);
    }
    let up =
        base.join("../").map_err(|error| Failure::destination(FailureKind::BadRequest, error.to_string()))?;
    Ok(Some(below(&up, "")))
}

/// Tries everything in a new scratch folder and removes that, whatever comes of it.
async fn in_scratch(inner: &Inner, scratch: &str, uuid: String) -> Result<Abilities, Failure> {
    let calls = &inner.calls;
    calls.make_dir(scratch).await.map_err(whole)?;
    let tried = Trial { inner, scratch }.all(uuid).await;
    let removed = calls.remove(&format!("{scratch}/")).await;
    let abilities = tried.map_err(whole)?;
    removed.map_err(whole)?;
    Ok(abilities)
}

struct Trial<'a> {
    inner: &'a Inner,
    scratch: &'a str,
}

impl Trial<'_> {
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.scratch)
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let stop = CancellationToken::new();
        let body = Bytes::copy_from_slice(bytes);
        // A wrong checksum: a server that repeats what it was told is not believed.
        let told = Told { mtime_secs: Some(MTIME_SECS), sha256: Some("0".repeat(64)) };
        let put = self.inner.calls.put(&self.at(name), body, &told, &stop).await;
        put.map(drop).map_err(HttpError::into_failure)
    }

    async fn all(&self, uuid: String) -> Result<Abilities, Failure> {
        self.put("a", b"a safe light").await?;
        self.put("b", b"is red").await?;
        let has_md5 = self.has_md5_etags().await?;
        let has_sha256 = self.computes_sha256().await?;
        let keeps_mtime = self.keeps_mtime().await?;
        let no_replace = self.leaves_names_alone().await?;
        let case_sensitive = self.inner.calls.head(&self.at("B")).await?.is_none();
        let name_len_max = self.longest_name().await?;
        let proof = if has_md5 || has_sha256 { ProofMethod::ServerDigest } else { ProofMethod::ReadBack };
        let mut trusted = DigestSet::NONE;
        if has_sha256 {
            trusted = trusted.with(DigestKind::Sha256);
        } else if has_md5 {
            trusted = trusted.with(DigestKind::Md5);
        }
        Ok(Abilities {
            uuid,
            can_resume: self.inner.cloud.is_some(),
            no_replace,
            case_sensitive,
            proof: proof.as_str().to_owned(),
            keeps_mtime,
            concurrent_max: CONCURRENT_MAX,
            name_len_max,
            size_max: None,
            note: self.software().await?,
            trusted_digests: trusted,
            findings: self.inner.abilities().findings,
        })
    }

    /// Whether ETags are the MD5 of what is stored, seen on two different files.
    async fn has_md5_etags(&self) -> Result<bool, Failure> {
        use md5::Digest as _;
        for (name, bytes) in [("a", b"a safe light".as_slice()), ("b", b"is red")] {
            let seen = self.inner.calls.head(&self.at(name)).await?;
            let etag = seen.and_then(|seen| seen.etag).and_then(|etag| md5_in(&etag));
            if etag != Some(hex(&md5::Md5::digest(bytes))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the server computes a SHA-256 of what it has stored: seen on two different files, of
    /// which it was told a wrong one.
    async fn computes_sha256(&self) -> Result<bool, Failure> {
        use sha2::Digest as _;
        let Some(cloud) = &self.inner.cloud else { return Ok(false) };
        for (name, bytes) in [("a", b"a safe light".as_slice()), ("b", b"is red")] {
            let said =
                cloud.recalculate(self.inner, &self.at(name)).await.map_err(HttpError::into_failure)?;
            if said != Some(hex(&sha2::Sha256::digest(bytes))) {
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

    /// Whether MOVE with `Overwrite: F` onto an existing name is refused and leaves it alone.
    async fn leaves_names_alone(&self) -> Result<bool, Failure> {
        let moved = self.inner.calls.rename(&self.at("a"), &self.at("b")).await?;
        let kept = self.inner.calls.read_small(&self.at("b"), 64).await?;
        if moved == Moved::Done {
            return Ok(false);
        }
        if kept.as_deref() != Some(b"is red") {
            return Ok(false);
        }
        match self.inner.calls.rename(&self.at("a"), &self.at("c")).await? {
            Moved::Done => Ok(true),
            Moved::Taken => Err(Failure::destination(
                FailureKind::Protocol,
                "the server says that a name is taken which nothing has",
            )),
        }
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

    /// What answers there, in its own words.
    async fn software(&self) -> Result<String, Failure> {
        let mut request = Request::new(Method::OPTIONS, self.inner.calls.base().clone());
        request.takes_html = true;
        let answer = self.inner.calls.send(request).await.map_err(HttpError::into_failure)?;
        let name = answer.headers.get("server").unwrap_or_default();
        Ok(crate::destination::http::status::plain(name))
    }
}
