//! Finds out what a server does by uploading a small text to it: whether it keeps an unfinished
//! upload, returns a finished one, refuses a wrong digest, and lets an upload be ended.
//!
//! What it uploaded is ended again. A server that cannot do that keeps one small text for each
//! probe, which says what it is.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::location::as_reached;
use super::state::{ReadBackSource, ServerCapabilities};
use super::{Append, AppendAnswer, Inner, NewUpload, ServerOffer, UploadError};
use crate::base::digester::Digester;
use crate::destination::Capabilities;
use crate::destination::http::{HttpError, Method};
use crate::destination::name_probe::NameProbe;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::hash::{DigestKind, DigestSet, Digests};
use crate::domain::key::RefusedChars;
use crate::domain::record::ProofMethod;

/// What is uploaded for a probe.
const TEXT: &str = "Safelight sent this small text to find out what the server can do. It may be deleted.\n";
/// What the text is called.
const KEY: &str = "safelight-probe.txt";
/// Transfers that help at once.
const CONCURRENT_MAX: u32 = 4;
/// The longest file name that goes along as metadata, in bytes.
const NAME_LEN_MAX: u32 = 255;

/// Whatever goes wrong while a destination is looked at concerns all of it.
fn at_destination(failure: Failure) -> Failure {
    Failure { reach: Reach::Destination, ..failure }
}

/// See [`crate::destination::Destination::check`].
pub(super) async fn check(inner: &Inner) -> Result<(), Failure> {
    let findings = inner.findings();
    let offer = inner.options(findings.form).await.map_err(at_destination)?;
    if findings.answers_options && !offer.is_known {
        return Err(inner.not_understood());
    }
    Ok(())
}

/// See [`crate::destination::Destination::probe`].
pub(super) async fn probe(inner: &Inner) -> Result<Capabilities, Failure> {
    let form = inner.dialect.forms().first().copied().unwrap_or_default();
    let offer = inner.options(form).await.map_err(at_destination)?;
    let found = find_capabilities(inner, &offer).await.map_err(|error| at_destination(error.into_failure()));
    let (findings, refused_chars) = found?;
    inner.learn(&findings);
    Ok(Capabilities { refused_chars, ..capabilities(inner, &offer, &findings) })
}

fn capabilities(inner: &Inner, offer: &ServerOffer, findings: &ServerCapabilities) -> Capabilities {
    let has_digest = findings.whole.is_some() || findings.parts.is_some();
    let proof = match findings.read_back_source {
        _ if has_digest => Some(ProofMethod::ServerDigest),
        ReadBackSource::Nowhere => None,
        _ => Some(ProofMethod::ReadBack),
    };
    let mut note = inner.dialect.describe(findings.form);
    if !offer.note.is_empty() {
        note += &format!("; {}", offer.note);
    }
    if !findings.can_end {
        note += "; the server does not let uploads be ended, so unfinished ones stay until it expires them";
    }
    Capabilities {
        uuid: uuid_of(&inner.base),
        can_resume: true,
        no_replace: true,
        case_sensitive: true,
        proof,
        concurrent_max: CONCURRENT_MAX,
        name_len_max: NAME_LEN_MAX,
        size_max: offer.size_max,
        note,
        software: offer.software.clone(),
        trusted_digests: findings.whole.as_deref().and_then(DigestKind::parse).into_iter().collect(),
        findings: findings.text(),
        ..Capabilities::default()
    }
}

/// Such a server keeps nothing of ours by which it could be known again: it is its address.
fn uuid_of(base: &Url) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(base.as_str().as_bytes()).as_bytes()[..16]);
    // RFC 9562: version 8, and the variant.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

async fn find_capabilities(
    inner: &Inner,
    offer: &ServerOffer,
) -> Result<(ServerCapabilities, RefusedChars), HttpError> {
    let mut findings = ServerCapabilities {
        answers_options: offer.is_known,
        can_end: offer.can_end,
        takes_bytes_at_once: offer.takes_bytes_at_once,
        append_max: offer.append_max,
        ..ServerCapabilities::default()
    };
    inner.learn(&findings);
    let (trial, append_max) = create_any(inner).await?;
    findings.form = trial.form;
    findings.append_max = [findings.append_max, append_max].into_iter().flatten().min();
    inner.learn(&findings);
    let looked = trial.find_read_back_source(&mut findings).await;
    let ended = trial.end().await;
    looked?;
    findings.can_end = ended?;
    inner.learn(&findings);
    let refused_chars = refused_chars(inner, &findings).await?;
    if findings.can_end || findings.read_back_source == ReadBackSource::Nowhere {
        for kind in &offer.part_kinds {
            if findings.parts.is_none() && compares_parts(inner, &findings, *kind).await? {
                findings.parts = Some(kind.as_str().to_owned());
            }
        }
        for kind in inner.dialect.whole_kinds() {
            if findings.whole.is_none() && compares_whole(inner, &findings, *kind).await? {
                findings.whole = Some(kind.as_str().to_owned());
            }
        }
    }
    Ok((findings, refused_chars))
}

/// One small upload.
struct ProbeUpload<'a> {
    inner: &'a Inner,
    url: Url,
    form: u8,
    stop: CancellationToken,
}

async fn create_any(inner: &Inner) -> Result<(ProbeUpload<'_>, Option<u64>), HttpError> {
    let mut refused = None;
    for form in inner.dialect.forms() {
        match create(inner, *form, None).await {
            Ok(Some(begun)) => return Ok(begun),
            Ok(None) => {}
            // Another version's creation may look wrong to a server.
            Err(HttpError::Failed(failure)) if failure.reach == Reach::Resource => refused = Some(failure),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| inner.not_understood()).into())
}

/// `None` when the server did not understand this form.
async fn create<'a>(
    inner: &'a Inner,
    form: u8,
    whole: Option<(DigestKind, &Digests)>,
) -> Result<Option<(ProbeUpload<'a>, Option<u64>)>, HttpError> {
    create_named(inner, form, KEY, whole).await
}

/// The same under a name of its own.
async fn create_named<'a>(
    inner: &'a Inner,
    form: u8,
    key: &str,
    whole: Option<(DigestKind, &Digests)>,
) -> Result<Option<(ProbeUpload<'a>, Option<u64>)>, HttpError> {
    let stop = CancellationToken::new();
    let mtime = inner.clock().now().0.div_euclid(1000);
    let size = TEXT.len() as u64;
    let new = NewUpload { key, size, mtime, blake3: "", whole, original: key.as_bytes(), has_bytes: false };
    let created = inner.create(form, &new, None, &stop).await?;
    let Some(location) = created.location else { return Ok(None) };
    let url = as_reached(&inner.base, &location)?;
    Ok(Some((ProbeUpload { inner, url, form, stop }, created.append_max)))
}

impl ProbeUpload<'_> {
    async fn find_read_back_source(&self, findings: &mut ServerCapabilities) -> Result<(), HttpError> {
        let half = TEXT.len() / 2;
        self.expect(0).await?;
        self.append(0, half, None).await?.map_err(UploadError::into_failure)?;
        self.expect(half as u64).await?;
        let last = self.append(half as u64, TEXT.len(), None).await?.map_err(UploadError::into_failure)?;
        if !last.is_complete {
            return Err(unexpected("does not finish an upload that has all its bytes").into());
        }
        let asked = self.inner.query_status(self.form, &self.url, &self.stop).await?;
        findings.keeps = asked.is_ok_and(|standing| standing.offset == TEXT.len() as u64);
        let file = last.file.and_then(|file| as_reached(&self.inner.base, &file).ok());
        if self.can_read_back(&self.url).await? {
            findings.read_back_source = ReadBackSource::Upload;
        } else if let Some(file) = file
            && self.can_read_back(&file).await?
        {
            findings.read_back_source = ReadBackSource::File;
        }
        Ok(())
    }

    /// The server must say that it has `offset` bytes.
    async fn expect(&self, offset: u64) -> Result<(), HttpError> {
        let standing = self
            .inner
            .query_status(self.form, &self.url, &self.stop)
            .await?
            .map_err(UploadError::into_failure)?;
        if standing.offset == offset && !standing.is_complete {
            return Ok(());
        }
        Err(unexpected(&format!("has {} bytes of an upload that was sent {offset}", standing.offset)).into())
    }

    /// Appends the text from `offset` to `end`.
    async fn append(
        &self,
        offset: u64,
        end: usize,
        digest: Option<(DigestKind, &Digests)>,
    ) -> super::calls::CallOutcome<AppendAnswer> {
        let start = usize::try_from(offset).unwrap_or(end).min(end);
        let body = Bytes::from_static(&TEXT.as_bytes()[start..end]);
        let append = Append { offset, end: end as u64, is_last: end == TEXT.len(), digest };
        self.inner.append(self.form, &self.url, &append, body.into(), &self.stop).await
    }

    /// Whether the whole text arrives and is given back where [`Self::find_read_back_source`] saw that.
    async fn arrives_whole(&self, findings: &ServerCapabilities) -> Result<bool, HttpError> {
        let Ok(taken) = self.append(0, TEXT.len(), None).await? else { return Ok(false) };
        let file = taken.file.and_then(|file| as_reached(&self.inner.base, &file).ok());
        match (findings.read_back_source, file) {
            (ReadBackSource::Nowhere, _) => Ok(taken.is_complete),
            (ReadBackSource::Upload, _) => self.can_read_back(&self.url).await,
            (ReadBackSource::File, Some(file)) => self.can_read_back(&file).await,
            (ReadBackSource::File, None) => Ok(false),
        }
    }

    async fn can_read_back(&self, url: &Url) -> Result<bool, HttpError> {
        let response = match self.inner.get(url, &self.stop).await {
            Ok(response) => response,
            // A page or a way elsewhere is no file.
            Err(HttpError::Failed(failure)) if is_detour(&failure) => return Ok(false),
            Err(error) => return Err(error),
        };
        if response.status != 200 {
            return Ok(false);
        }
        match response.read_to_end(TEXT.len() + 1).await {
            Ok(answer) => Ok(answer.body == TEXT.as_bytes()),
            Err(HttpError::Failed(failure)) if is_detour(&failure) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the upload could be ended.
    async fn end(&self) -> Result<bool, HttpError> {
        let status = self.inner.status_of(Method::DELETE, &self.url, self.form).await?;
        Ok((200..300).contains(&status))
    }
}

fn is_detour(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Protocol | FailureKind::Redirect)
}

fn unexpected(why: &str) -> Failure {
    Failure::destination(FailureKind::Unsupported, format!("the server {why}"))
}

fn digests_of(text: &str, kind: DigestKind) -> Digests {
    let mut digester = Digester::new(DigestSet::NONE.with(kind));
    digester.update(text.as_bytes());
    digester.finish().digests
}

/// The characters that no name may have. Each name is a small upload, so a server that does not let
/// uploads be ended is tried with one alone.
async fn refused_chars(inner: &Inner, findings: &ServerCapabilities) -> Result<RefusedChars, HttpError> {
    let mut probe = NameProbe::new();
    while let Some(name) = probe.next_name() {
        let is_kept = match keeps_name(inner, findings, &name).await {
            Err(HttpError::Cancelled) => return Err(HttpError::Cancelled),
            Err(HttpError::Failed(failure)) => Err(failure),
            Ok(is_kept) => Ok(is_kept),
        };
        if !findings.can_end {
            return Ok(if is_kept == Ok(true) { RefusedChars::NONE } else { RefusedChars::all() });
        }
        probe.record_result(is_kept)?;
    }
    Ok(probe.refused_chars())
}

/// Whether an upload of this name is taken, and given back as others are.
async fn keeps_name(inner: &Inner, findings: &ServerCapabilities, name: &str) -> Result<bool, HttpError> {
    let Some((trial, _max)) = create_named(inner, findings.form, name, None).await? else { return Ok(false) };
    let outcome = trial.arrives_whole(findings).await;
    trial.end().await?;
    outcome
}

/// Whether a small text is taken, and ended again.
///
/// # Errors
/// Why it is not.
pub(super) async fn try_write(inner: &Inner) -> Result<(), Failure> {
    let written = async {
        let form = inner.findings().form;
        let Some((trial, _max)) = create(inner, form, None).await? else {
            return Err(inner.not_understood().into());
        };
        let taken = trial.append(0, TEXT.len(), None).await?.map_err(UploadError::into_failure);
        trial.end().await?;
        taken.map(drop).map_err(HttpError::from)
    };
    written.await.map_err(HttpError::into_failure)
}

/// A wrong digest of an append is refused, and the right one is not.
async fn compares_parts(
    inner: &Inner,
    findings: &ServerCapabilities,
    kind: DigestKind,
) -> Result<bool, HttpError> {
    let (wrong, right) = (digests_of("other", kind), digests_of(TEXT, kind));
    let Some((trial, _max)) = create(inner, findings.form, None).await? else { return Ok(false) };
    let refused = trial.append(0, TEXT.len(), Some((kind, &wrong))).await?;
    let is_kept_out = match &refused {
        Ok(_taken) => false,
        Err(UploadError::Gone(_)) => true,
        Err(_refused) => trial.expect(0).await.is_ok(),
    };
    trial.end().await?;
    if !is_kept_out {
        return Ok(false);
    }
    let Some((trial, _max)) = create(inner, findings.form, None).await? else { return Ok(false) };
    let taken = trial.append(0, TEXT.len(), Some((kind, &right))).await?;
    trial.end().await?;
    Ok(taken.is_ok_and(|taken| taken.is_complete))
}

/// A wrong digest of a whole file is refused in the end, and the right one is not.
async fn compares_whole(
    inner: &Inner,
    findings: &ServerCapabilities,
    kind: DigestKind,
) -> Result<bool, HttpError> {
    for (digests, is_right) in [(digests_of("other", kind), false), (digests_of(TEXT, kind), true)] {
        let begun = match create(inner, findings.form, Some((kind, &digests))).await {
            Ok(begun) => begun,
            // A creation that is refused for what it says of the digest compares nothing.
            Err(HttpError::Failed(failure)) if failure.reach == Reach::Resource => None,
            Err(error) => return Err(error),
        };
        let Some((trial, _max)) = begun else { return Ok(false) };
        let outcome = trial.append(0, TEXT.len(), None).await?;
        trial.end().await?;
        let is_as_it_should_be = match outcome {
            Ok(taken) => is_right && taken.is_complete,
            Err(_refused) => !is_right,
        };
        if !is_as_it_should_be {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_again() {
        let uuid = |base: &str| uuid_of(&Url::parse(base).expect("a URL"));
        let one = uuid("https://h.example/files/");
        assert_eq!(one, uuid("https://h.example/files/"));
        assert_ne!(one, uuid("https://h.example/other/"));
        assert_eq!((one.len(), &one[14..15]), (36, "8"));
    }
}
