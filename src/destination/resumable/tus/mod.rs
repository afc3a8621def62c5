//! tus 1.0 (the open protocol for resumable uploads): core, creation, creation-with-upload,
//! checksum, expiration and termination.
//!
//! Requests and answers only, without input or output; what is asked when is decided by
//! [`super::core`], where is also said what such a server cannot promise.

mod metadata;

use super::core::answers::{at_creation, failure, media_of, name_of, number, software_of, upload_error};
use super::core::{
    Append, AppendAnswer, CreatedUpload, Dialect, NewUpload, ServerOffer, UploadError, UploadStatus, Uploads,
};
use crate::base::clock::Clock;
use crate::destination::http::{Answer, Headers};
use crate::destination::server_parts::ServerParts;
use crate::destination::{Capabilities, Destination as _};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Retry};
use crate::domain::hash::{DigestKind, Digests};
use crate::domain::target::DestinationKind;

/// The one version of the protocol that there is.
const VERSION: &str = "1.0.0";
/// The media type of bytes that are appended.
const BYTES: &str = "application/offset+octet-stream";
/// The most words of a list that are looked at.
const WORDS_MAX: usize = 64;
/// The longest list that is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// A destination on a tus server that was added before. Asks nothing.
///
/// # Errors
/// `bad_request` when the address makes no sense.
pub fn open(parts: ServerParts) -> Result<Uploads, Failure> {
    Uploads::new(Box::new(Tus), parts)
}

/// Adds a tus server: finds out what it can do.
///
/// # Errors
/// Why it cannot be used.
pub async fn create(parts: ServerParts) -> Result<(Uploads, Capabilities), Failure> {
    Uploads::create(|| Box::new(Tus), parts).await
}

/// Tries a tus server.
///
/// # Errors
/// Why it cannot be used.
pub async fn try_out(parts: ServerParts) -> Result<(Capabilities, Option<u64>), Failure> {
    Ok((open(parts)?.probe().await?, None))
}

struct Tus;

/// The words of a list in a header field.
fn words<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let list = answer.header(name).unwrap_or_default();
    list.split(',')
        .map(|word| word.trim_matches([' ', '\t']))
        .filter(|w| !w.is_empty())
        .take(WORDS_MAX)
        .collect()
}

/// `412`: the server speaks other versions than the one there is.
fn other_version(answer: &Answer) -> Failure {
    let versions = crate::destination::http::status::one_line(
        answer.header("tus-version").unwrap_or("none that it names"),
    );
    let details = format!("the server speaks tus {versions}, and Safelight {VERSION}");
    let failure = Failure::destination(FailureKind::Unsupported, details).with_cause(Cause::ServerVersion);
    Failure { retry: Retry::Never, ..failure }
}

fn trouble_of(answer: &Answer, clock: &dyn Clock, what: &str, is_last: bool) -> UploadError {
    match answer.status {
        412 => UploadError::Stopped(other_version(answer)),
        460 => {
            let details = "the server received other bytes than were sent (460)";
            UploadError::Stopped(Failure::transient(FailureKind::DigestMismatch, details))
        }
        _ => upload_error(answer, clock, what, is_last),
    }
}

/// The name of a digest in `Tus-Checksum-Algorithm` and `Upload-Checksum`.
fn kind_of(name: &str) -> Option<DigestKind> {
    [DigestKind::Sha256, DigestKind::Sha1, DigestKind::Md5]
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
}

/// The file's own name where its key has another: percent-encoded, so that no server stumbles over it.
fn original_name(new: &NewUpload<'_>) -> Option<String> {
    let is_same = new.original.is_empty() || new.original == name_of(new.key).as_bytes();
    let encoded = || percent_encoding::percent_encode(new.original, percent_encoding::NON_ALPHANUMERIC);
    (!is_same).then(|| encoded().to_string())
}

fn digest_bytes(kind: DigestKind, digests: &Digests) -> Option<Vec<u8>> {
    match kind {
        DigestKind::Sha1 => digests.sha1.map(|digest| digest.to_vec()),
        DigestKind::Sha256 => digests.sha256.map(|digest| digest.to_vec()),
        DigestKind::Md5 => digests.md5.map(|digest| digest.to_vec()),
        DigestKind::Crc64Nvme => None,
    }
}

impl Dialect for Tus {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Tus
    }

    fn forms(&self) -> &'static [u8] {
        &[0]
    }

    fn describe(&self, _form: u8) -> String {
        format!("tus {VERSION}")
    }

    fn options(&self, _form: u8) -> Headers {
        Headers::default()
    }

    fn offer(&self, answer: &Answer, clock: &dyn Clock) -> Result<ServerOffer, Failure> {
        if answer.status == 412 {
            return Err(other_version(answer));
        }
        if !answer.is_success() {
            return Err(failure(answer, clock, "asking what the server can do"));
        }
        let versions = words(answer, "tus-version");
        if versions.is_empty() {
            let why = "what answers there is no tus server: it names no version of the protocol";
            return Err(Failure::destination(FailureKind::Unsupported, why));
        }
        if !versions.contains(&VERSION) {
            return Err(other_version(answer));
        }
        let extensions = words(answer, "tus-extension");
        let has = |name: &str| extensions.contains(&name);
        // A server may well leave out what it can do, and say so only when it is tried; but one that
        // says what it can do must be able to create.
        if !extensions.is_empty() && !has("creation") {
            let why = "this tus server does not let uploads be created";
            return Err(Failure::destination(FailureKind::Unsupported, why));
        }
        let mut kinds: Vec<_> =
            words(answer, "tus-checksum-algorithm").into_iter().filter_map(kind_of).collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(*kind == DigestKind::Sha256));
        let named = crate::destination::http::status::one_line(&extensions.join(", "));
        Ok(ServerOffer {
            is_known: true,
            size_max: answer.header("tus-max-size").and_then(number).filter(|max| *max > 0),
            append_max: None,
            takes_bytes_at_once: has("creation-with-upload"),
            can_end: has("termination"),
            part_kinds: if has("checksum") { kinds } else { Vec::new() },
            note: named[..named.floor_char_boundary(SHOWN_BYTES_MAX)].to_owned(),
            software: software_of(answer),
        })
    }

    fn create(&self, form: u8, new: &NewUpload<'_>) -> Headers {
        let mtime = new.mtime.to_string();
        let mut pairs = vec![
            ("filename", name_of(new.key)),
            ("filetype", media_of(new.key)),
            ("relativePath", new.key),
            ("mtime", &mtime),
        ];
        let original = original_name(new);
        if let Some(original) = &original {
            pairs.push(("originalName", original));
        }
        if !new.blake3.is_empty() {
            pairs.push(("blake3", new.blake3));
        }
        let checksum = new.whole.and_then(|(kind, digests)| {
            let hex: String = digest_bytes(kind, digests)?.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("{} {hex}", kind.as_str()))
        });
        if let Some(checksum) = &checksum {
            pairs.push(("checksum", checksum));
        }
        let mut fields = self.base_headers(form);
        fields.set("upload-length", new.size.to_string());
        fields.set("upload-metadata", metadata::write(&pairs));
        if new.has_bytes {
            fields.set("content-type", BYTES);
        }
        fields
    }

    fn created(&self, _form: u8, answer: &Answer, clock: &dyn Clock) -> Result<CreatedUpload, Failure> {
        if answer.status == 412 {
            return Err(other_version(answer));
        }
        if !answer.is_success() {
            return Err(at_creation(answer, clock));
        }
        Ok(CreatedUpload {
            location: answer.header("location").map(str::to_owned),
            offset: answer.header("upload-offset").and_then(number).unwrap_or(0),
            append_max: None,
        })
    }

    fn status_headers(&self, form: u8) -> Headers {
        self.base_headers(form)
    }

    fn read_status(
        &self,
        _form: u8,
        answer: &Answer,
        clock: &dyn Clock,
    ) -> Result<UploadStatus, UploadError> {
        if !answer.is_success() {
            return Err(trouble_of(answer, clock, "asking for the upload", false));
        }
        let Some(offset) = answer.header("upload-offset").and_then(number) else {
            let why = "the server did not say how much of the upload it has";
            return Err(UploadError::Gone(Failure::transient(FailureKind::Protocol, why)));
        };
        let length = answer.header("upload-length").and_then(number);
        let blake3 = answer.header("upload-metadata").and_then(|field| metadata::value_of(field, "blake3"));
        Ok(UploadStatus {
            offset,
            is_complete: length == Some(offset),
            length,
            blake3: blake3.and_then(|digest| String::from_utf8(digest).ok()),
            append_max: None,
        })
    }

    fn append(&self, form: u8, append: &Append<'_>) -> Headers {
        use base64::Engine as _;
        let mut fields = self.base_headers(form);
        fields.set("upload-offset", append.offset.to_string());
        fields.set("content-type", BYTES);
        let digest = append.digest.and_then(|(kind, digests)| Some((kind, digest_bytes(kind, digests)?)));
        if let Some((kind, digest)) = digest {
            let code = base64::engine::general_purpose::STANDARD.encode(digest);
            fields.set("upload-checksum", format!("{} {code}", kind.as_str()));
        }
        fields
    }

    fn appended(
        &self,
        _form: u8,
        append: &Append<'_>,
        answer: &Answer,
        clock: &dyn Clock,
    ) -> Result<AppendAnswer, UploadError> {
        if !answer.is_success() {
            return Err(trouble_of(answer, clock, "sending the file", append.is_last));
        }
        let offset = answer.header("upload-offset").and_then(number);
        Ok(AppendAnswer { offset, is_complete: append.is_last && offset == Some(append.end), file: None })
    }

    fn base_headers(&self, _form: u8) -> Headers {
        Headers::from([("tus-resumable", VERSION)])
    }

    fn needs_closing(&self) -> bool {
        false
    }

    /// Some servers (ownCloud's) compare the `checksum` of the metadata when the last byte is there.
    fn whole_kinds(&self) -> &'static [DigestKind] {
        &[DigestKind::Sha1]
    }
}
