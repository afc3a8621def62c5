//! Finding out what a server does, by trying it with scratch objects of our own: which digests it
//! refuses when they are wrong, whether it keeps from replacing, what it can do with parts.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::capabilities::{ChecksumTrust, ServerCapabilities, md5_of_etag};
use super::client::{Call, base64};
use super::errors::RequestPurpose;
use super::metadata;
use super::multipart::{abort, listed, upload_id};
use super::object::{self, WRITE, head, hidden_error};
use super::state::Upload;
use super::{Inner, listing, unstopped};
use crate::base::digester::Digester;
use crate::destination::Capabilities;
use crate::destination::http::{Answer, Headers, HttpError, Method};
use crate::destination::marker::{HOME, SCRATCH_PREFIX, TRIAL_PREFIX};
use crate::destination::name_probe::{NameProbe, lists_name};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::hash::{DigestKind, DigestSet, Digests};
use crate::domain::key::{self, RefusedChars};
use crate::domain::record::ProofMethod;
use crate::domain::transfer::S3_WHOLE_MAX;

/// How many transfers help at once: enough to hide the way to the server.
const CONCURRENT_MAX: u32 = 8;
/// Names of these lengths are tried, longest first: what most take, and what encrypted ones do.
const NAME_LENGTHS: [usize; 3] = [255, 143, 110];
/// The most scratch objects of one probe: three for each character that is tried, and a few.
const SCRATCH_OBJECTS_MAX: usize = 200;
/// 2001-02-03T04:05:07Z.
const MTIME_NS: i64 = 981_173_107_000_000_000;
const BYTES: &[u8] = b"Safelight tries what this place can do. This object is removed again.";
const OTHER: &[u8] = b"Other bytes, whose digests are not those of what is sent beside them.";
const TRY: RequestPurpose =
    RequestPurpose { what: "trying what the destination can do", permission: "s3:PutObject" };

/// A probe under way.
struct CapabilityProbe<'a> {
    inner: &'a Inner,
    /// What the names of all scratch objects begin with.
    scratch: String,
    /// Scratch objects that may be there.
    made: BTreeSet<String>,
}

pub(super) async fn probe(inner: &Inner) -> Result<Capabilities, Failure> {
    let marker = metadata::check(inner).await?;
    // A run that was killed while it made this destination is known to no ledger.
    metadata::clean(inner)
        .await
        .or_else(|failure| if failure.kind == FailureKind::Forbidden { Ok(0) } else { Err(failure) })?;
    let capabilities = run(inner, &format!("{HOME}/{SCRATCH_PREFIX}"), marker.uuid).await?;
    inner.learn(ChecksumTrust::of(Some(&capabilities)));
    Ok(capabilities)
}

/// Tries a place that may not be a destination yet; nothing stays behind.
pub(super) async fn try_out(inner: &Inner) -> Result<Capabilities, Failure> {
    match metadata::read_marker(inner).await? {
        Some(marker) => run(inner, &format!("{HOME}/{SCRATCH_PREFIX}"), marker.uuid).await,
        None => run(inner, TRIAL_PREFIX, String::new()).await,
    }
}

async fn run(inner: &Inner, prefix: &str, uuid: String) -> Result<Capabilities, Failure> {
    let token = key::temp_token(&inner.parts.installation, inner.parts.rng.next_u64());
    let scratch = inner.wire.place.object(&format!("{prefix}{token:016x}/"));
    let mut trial = CapabilityProbe { inner, scratch, made: BTreeSet::new() };
    let outcome = trial.all(uuid).await;
    let removed = trial.remove().await;
    // Whatever a probe meets concerns the whole destination.
    let mut capabilities = outcome.map_err(at_destination)?;
    let mut findings = ChecksumTrust::of(Some(&capabilities)).findings;
    match removed {
        Ok(()) => findings.deletes = true,
        Err(failure) if failure.kind == FailureKind::Forbidden => {
            capabilities.note.push_str(", the key may not remove objects: a few small test objects stay");
        }
        Err(failure) => return Err(at_destination(failure)),
    }
    capabilities.findings = serde_json::to_string(&findings).unwrap_or_default();
    Ok(capabilities)
}

fn at_destination(failure: Failure) -> Failure {
    Failure { reach: Reach::Destination, ..failure }
}

fn digests_of(bytes: &[u8]) -> Digests {
    let mut digester = Digester::new(DigestKind::ALL.into_iter().collect());
    digester.update(bytes);
    digester.finish().digests
}

/// Whether an answer refuses the request itself, and is not the server's own trouble.
fn refuses(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && !matches!(answer.status, 401 | 403 | 408 | 429)
}

impl CapabilityProbe<'_> {
    fn name(&mut self, name: &str) -> String {
        let object = format!("{}{name}", self.scratch);
        self.made.insert(object.clone());
        object
    }

    fn put(&mut self, name: &str, digests: Digests) -> Call {
        Call::new(TRY, Method::PUT, Some(self.name(name))).digests(digests).body(Bytes::from_static(BYTES))
    }

    async fn answer(&self, call: &Call) -> Result<Answer, Failure> {
        let answer = self.inner.wire.answer(call, &unstopped()).await.map_err(HttpError::into_failure)?;
        // What is forbidden or broken is no finding.
        if answer.is_success() || refuses(&answer) || answer.status == 501 {
            return Ok(answer);
        }
        Err(self.inner.wire.failure(&answer, call.task))
    }

    async fn done(&self, call: &Call) -> Result<Answer, Failure> {
        self.inner.wire.done(call, &unstopped()).await.map_err(HttpError::into_failure)
    }

    async fn head(&mut self, name: &str) -> Result<Option<super::object::ObjectHead>, Failure> {
        let object = self.name(name);
        head(self.inner, object, &unstopped()).await.map_err(HttpError::into_failure)
    }

    async fn all(&mut self, uuid: String) -> Result<Capabilities, Failure> {
        let right = digests_of(BYTES);
        let md5 = right.only(DigestSet::NONE.with(DigestKind::Md5));
        let mut findings = ServerCapabilities::default();
        let mtime = super::object::mtime_text(MTIME_NS);
        let first = self.done(&self.put_plain(md5, &mtime)).await?;
        self.made.insert(format!("{}a", self.scratch));
        findings.versioned = first.header("x-amz-version-id").is_some_and(|version| version != "null");
        let lost =
            || Failure::destination(FailureKind::Protocol, "the server took an object and does not have it");
        let kept = self.head("a").await?.ok_or_else(lost)?;
        if kept.size != BYTES.len() as u64 {
            return Err(Failure::destination(
                FailureKind::Protocol,
                "the server keeps other bytes than it was sent",
            ));
        }
        findings.md5_etag = kept.headers.get("etag").and_then(md5_of_etag) == right.md5;
        let keeps_mtime = kept.headers.get("x-amz-meta-mtime") == Some(mtime.as_str());
        let case_sensitive = self.head("A").await?.is_none();
        let trusted = self.trusted(right).await?;
        findings.if_none_match = self.keeps_from_replacing(md5).await?;
        let takes_parts = self.parts(right, trusted, &mut findings).await?;
        let name_len_max = self.longest_name(md5).await?;
        let refused_chars = self.refused_chars().await?;
        let has_digest = trusted.kinds().any(|kind| kind != DigestKind::Md5);
        let is_told = has_digest || trusted.contains(DigestKind::Md5) && findings.md5_etag;
        let proof = if is_told { ProofMethod::ServerDigest } else { ProofMethod::ReadBack };
        Ok(Capabilities {
            uuid,
            can_resume: takes_parts,
            no_replace: findings.if_none_match,
            case_sensitive,
            proof_need: None,
            proof: Some(proof),
            keeps_mtime,
            concurrent_max: CONCURRENT_MAX,
            name_len_max,
            refused_chars,
            size_max: (!takes_parts).then_some(S3_WHOLE_MAX),
            note: note(&first, trusted, findings, takes_parts),
            software: software_of(&first.headers),
            trusted_digests: trusted,
            findings: serde_json::to_string(&findings).unwrap_or_default(),
        })
    }

    fn put_plain(&self, md5: Digests, mtime: &str) -> Call {
        Call::new(WRITE, Method::PUT, Some(format!("{}a", self.scratch)))
            .header("x-amz-meta-mtime", mtime)
            .digests(md5)
            .body(Bytes::from_static(BYTES))
    }

    /// The digests of which a wrong one is refused, a right one taken and returned.
    async fn trusted(&mut self, right: Digests) -> Result<DigestSet, Failure> {
        let wrong = digests_of(OTHER);
        let mut trusted = DigestSet::NONE;
        for kind in [DigestKind::Md5, DigestKind::Crc64Nvme, DigestKind::Sha256] {
            if kind == DigestKind::Sha256 && trusted.contains(DigestKind::Crc64Nvme) {
                // One is enough.
                break;
            }
            let only = DigestSet::NONE.with(kind);
            let name = format!("wrong-{}", kind.as_str());
            let call = self.put(&name, wrong.only(only));
            if !refuses(&self.answer(&call).await?) {
                continue;
            }
            let name = format!("right-{}", kind.as_str());
            let call = self.put(&name, right.only(only));
            if !self.answer(&call).await?.is_success() {
                continue;
            }
            let is_told = match self.head(&name).await? {
                None => false,
                Some(head) => match kind {
                    DigestKind::Crc64Nvme => has_header(
                        &head,
                        "x-amz-checksum-crc64nvme",
                        right.crc64nvme.map(|crc| base64(&crc.to_be_bytes())).as_deref(),
                    ),
                    DigestKind::Sha256 => has_header(
                        &head,
                        "x-amz-checksum-sha256",
                        right.sha256.map(|sha| base64(&sha)).as_deref(),
                    ),
                    DigestKind::Md5 | DigestKind::Sha1 => true,
                },
            };
            if is_told {
                trusted = trusted.with(kind);
            }
        }
        Ok(trusted)
    }

    /// Whether the condition keeps an object from being replaced, and lets a new one be.
    async fn keeps_from_replacing(&mut self, md5: Digests) -> Result<bool, Failure> {
        let there = self.put("a", md5).header("if-none-match", "*");
        if self.answer(&there).await?.status != 412 {
            return Ok(false);
        }
        let new = self.put("new", md5).header("if-none-match", "*");
        Ok(self.answer(&new).await?.is_success())
    }

    /// What can be done with parts; whether there are any.
    async fn parts(
        &mut self,
        right: Digests,
        trusted: DigestSet,
        findings: &mut ServerCapabilities,
    ) -> Result<bool, Failure> {
        let with_crc = trusted.contains(DigestKind::Crc64Nvme);
        let Some(upload) = self.begin("parts", with_crc).await? else { return Ok(false) };
        let Some(tag) = self.part(&upload, right, with_crc).await? else {
            abort(self.inner, &upload).await?;
            // Only the checksum may be at fault.
            return if with_crc {
                Box::pin(self.parts(right, DigestSet::NONE, findings)).await
            } else {
                Ok(false)
            };
        };
        let listed = listing::parts(self.inner, &upload, &unstopped()).await;
        findings.list_parts = listed.is_ok_and(|parts| parts.is_some_and(|parts| parts.contains_key(&1)));
        findings.list_uploads = listing::has_upload(self.inner, &upload, &unstopped()).await.unwrap_or(false);
        let crc = right.crc64nvme.filter(|_| with_crc);
        let done = self.assemble(&upload, &tag, crc, findings.if_none_match).await?;
        if !done {
            abort(self.inner, &upload).await?;
            return if with_crc {
                Box::pin(self.parts(right, DigestSet::NONE, findings)).await
            } else {
                Ok(false)
            };
        }
        if let Some(crc) = crc {
            let told_crc = Some(base64(&crc.to_be_bytes()));
            let is_told = self.head("parts").await?.is_some_and(|head| {
                let is_whole =
                    head.headers.get("x-amz-checksum-type").is_none_or(|kind| kind == "FULL_OBJECT");
                is_whole && has_header(&head, "x-amz-checksum-crc64nvme", told_crc.as_deref())
            });
            findings.whole_crc = is_told && self.refuses_wrong_whole(right).await?;
        }
        Ok(true)
    }

    async fn begin(&mut self, name: &str, with_crc: bool) -> Result<Option<Upload>, Failure> {
        let object = self.name(name);
        let mut call = Call::new(TRY, Method::POST, Some(object.clone())).query("uploads", "");
        if with_crc {
            call = call
                .header("x-amz-checksum-algorithm", "CRC64NVME")
                .header("x-amz-checksum-type", "FULL_OBJECT");
        }
        let answer = self.answer(&call).await?;
        if !answer.is_success() {
            return Ok(None);
        }
        Ok(Some(Upload::new(object, upload_id(&answer)?, BYTES.len() as u64)))
    }

    /// Sends the only part; returns its tag.
    async fn part(&self, upload: &Upload, right: Digests, with_crc: bool) -> Result<Option<String>, Failure> {
        let kinds = DigestSet::NONE.with(DigestKind::Md5);
        let kinds = if with_crc { kinds.with(DigestKind::Crc64Nvme) } else { kinds };
        let call = Call::new(TRY, Method::PUT, Some(upload.object.clone()))
            .query("partNumber", "1")
            .query("uploadId", upload.id.clone())
            .digests(right.only(kinds))
            .body(Bytes::from_static(BYTES));
        let answer = self.answer(&call).await?;
        Ok(answer.header("etag").filter(|_| answer.is_success()).map(str::to_owned))
    }

    /// Whether the object was made of its part.
    async fn assemble(
        &self,
        upload: &Upload,
        tag: &str,
        crc: Option<u64>,
        no_replace: bool,
    ) -> Result<bool, Failure> {
        let list = listed(std::iter::once((1, tag.to_owned(), crc)));
        let mut call = Call::new(TRY, Method::POST, Some(upload.object.clone()))
            .query("uploadId", upload.id.clone())
            .body(list.into());
        if let Some(crc) = crc {
            call = call
                .header("x-amz-checksum-crc64nvme", base64(&crc.to_be_bytes()))
                .header("x-amz-checksum-type", "FULL_OBJECT")
                .header("x-amz-mp-object-size", BYTES.len().to_string());
        }
        if no_replace {
            call = call.header("if-none-match", "*");
        }
        let answer = self.answer(&call).await?;
        Ok(answer.is_success() && !hidden_error(&answer))
    }

    /// Whether an object of parts is refused when the digest of the whole is wrong.
    async fn refuses_wrong_whole(&mut self, right: Digests) -> Result<bool, Failure> {
        let Some(upload) = self.begin("wrong-parts", true).await? else { return Ok(false) };
        let Some(tag) = self.part(&upload, right, true).await? else {
            abort(self.inner, &upload).await?;
            return Ok(false);
        };
        // The part's own digest is right: only that of the whole can be what is refused.
        let list = listed(std::iter::once((1, tag, right.crc64nvme)));
        let wrong = digests_of(OTHER).crc64nvme.map(|crc| base64(&crc.to_be_bytes())).unwrap_or_default();
        let call = Call::new(TRY, Method::POST, Some(upload.object.clone()))
            .query("uploadId", upload.id.clone())
            .header("x-amz-checksum-crc64nvme", wrong)
            .header("x-amz-checksum-type", "FULL_OBJECT")
            .body(list.into());
        let answer = self.answer(&call).await?;
        let is_refused = refuses(&answer) || hidden_error(&answer);
        abort(self.inner, &upload).await?;
        Ok(is_refused)
    }

    /// The characters that no name may have: each name is given, read again and looked for in the listing.
    async fn refused_chars(&mut self) -> Result<RefusedChars, Failure> {
        let mut probe = NameProbe::new();
        while let Some(name) = probe.next_name() {
            probe.record_result(self.keeps_name(&name).await)?;
        }
        Ok(probe.refused_chars())
    }

    async fn keeps_name(&mut self, name: &str) -> Result<bool, Failure> {
        let object = self.name(name);
        let digests = digests_of(name.as_bytes()).only(DigestSet::NONE.with(DigestKind::Md5));
        let put = Call::new(TRY, Method::PUT, Some(object.clone()))
            .digests(digests)
            .body(Bytes::copy_from_slice(name.as_bytes()));
        if !self.answer(&put).await?.is_success() {
            self.made.remove(&object);
            return Ok(false);
        }
        let kept = self.answer(&Call::new(TRY, Method::GET, Some(object.clone()))).await?;
        if !kept.is_success() || kept.body != name.as_bytes() {
            return Ok(false);
        }
        // Who may not list says nothing of the name.
        let listed = listing::objects(self.inner, &self.scratch, SCRATCH_OBJECTS_MAX, &unstopped()).await;
        Ok(listed.map_or(true, |listed| lists_name(listed.iter().map(String::as_str), &object)))
    }

    async fn longest_name(&mut self, md5: Digests) -> Result<u32, Failure> {
        for length in NAME_LENGTHS {
            let call = self.put(&"n".repeat(length), md5);
            let answer =
                self.inner.wire.answer(&call, &unstopped()).await.map_err(HttpError::into_failure)?;
            if answer.is_success() {
                return Ok(u32::try_from(length).unwrap_or(u32::MAX));
            }
            self.made.remove(&format!("{}{}", self.scratch, "n".repeat(length)));
        }
        Err(Failure::destination(FailureKind::Unsupported, "the server takes only short names"))
    }

    /// Removes all scratch objects, and what a server has made of their names.
    async fn remove(&mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        let listed = listing::objects(self.inner, &self.scratch, SCRATCH_OBJECTS_MAX, &unstopped()).await;
        self.made.extend(listed.unwrap_or_default());
        for object in std::mem::take(&mut self.made) {
            let removed = object::remove(self.inner, object).await;
            outcome = outcome.and(removed);
        }
        outcome
    }
}

/// What the server calls itself.
pub(super) fn software_of(headers: &Headers) -> String {
    crate::destination::http::status::one_line(headers.get("server").unwrap_or_default())
}

fn has_header(head: &super::object::ObjectHead, name: &str, value: Option<&str>) -> bool {
    value.is_some() && head.headers.get(name).map(str::trim) == value
}

/// What a person may want to know.
fn note(first: &Answer, trusted: DigestSet, findings: ServerCapabilities, takes_parts: bool) -> String {
    let mut note = Vec::new();
    if let Some(server) = first.header("server") {
        note.push(crate::destination::http::status::one_line(server));
    }
    let checked: Vec<&str> = trusted.kinds().map(DigestKind::as_str).collect();
    match checked.as_slice() {
        [] => note.push("checks no digests".to_owned()),
        checked => note.push(format!("checks {}", checked.join(" and "))),
    }
    if !findings.if_none_match {
        note.push("may replace objects, so names carry a hash".to_owned());
    }
    if !takes_parts {
        note.push("takes no uploads in parts".to_owned());
    }
    if findings.versioned {
        note.push("keeps versions".to_owned());
    }
    note.join(", ")
}
