//! "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload), by careful creation: an empty
//! upload first, its bytes appended once its URL is saved.
//!
//! The draft has several versions that do not understand each other, each with a number for tests of
//! interoperation: 3 is -01, 4 is -02, 5 is -03, 6 is -04 and -05, 7 is -06 to -08, 8 is -09 to -11,
//! 9 is from -12. Requests and answers only, without input or output; what is asked when is decided
//! by [`super::core`], where is also said what such a server cannot promise.

mod structured;

use super::core::answers::{at_creation, failure, media_of, name_of, software_of, upload_error};
use super::core::{
    Append, AppendAnswer, CreatedUpload, Dialect, NewUpload, ServerOffer, UploadError, UploadStatus, Uploads,
};
use crate::base::clock::Clock;
use crate::destination::http::{Answer, Headers};
use crate::destination::server_parts::ServerParts;
use crate::destination::{Capabilities, Destination as _};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{DigestKind, Digests};
use crate::domain::target::DestinationKind;

/// From here on appended bytes have a media type of their own.
const FORM_OF_PARTIAL_UPLOAD: u8 = 6;
/// Here the flag says the opposite and has another name.
const FORM_OF_INCOMPLETE: u8 = 3;
/// From here on the length goes with the creation.
const FORM_OF_LENGTH: u8 = 6;

/// A destination that speaks the draft and was added before. Asks nothing.
///
/// # Errors
/// `bad_request` when the address makes no sense.
pub fn open(parts: ServerParts) -> Result<Uploads, Failure> {
    Uploads::new(Box::new(Resumable), parts)
}

/// Adds a server that speaks the draft: finds out which version, and what it can do.
///
/// # Errors
/// Why it cannot be used.
pub async fn create(parts: ServerParts) -> Result<(Uploads, Capabilities), Failure> {
    Uploads::create(|| Box::new(Resumable), parts).await
}

/// Tries a server.
///
/// # Errors
/// Why it cannot be used.
pub async fn try_out(parts: ServerParts) -> Result<(Capabilities, Option<u64>), Failure> {
    Ok((open(parts)?.probe().await?, None))
}

struct Resumable;

/// What `Upload-Limit` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Limit {
    size_max: Option<u64>,
    append_max: Option<u64>,
}

fn limit(answer: &Answer) -> Option<Limit> {
    let members = structured::dictionary(answer.header("upload-limit")?)?;
    let get = |key| structured::integer_of(&members, key);
    Some(Limit { size_max: get("max-size"), append_max: get("max-append-size") })
}

fn set_complete(fields: &mut Headers, form: u8, is_complete: bool) {
    let flag = |value: bool| if value { "?1" } else { "?0" };
    if form == FORM_OF_INCOMPLETE {
        fields.set("upload-incomplete", flag(!is_complete));
    } else {
        fields.set("upload-complete", flag(is_complete));
    }
}

/// Whether the server says that the upload is complete; `None` when it says nothing of it.
fn complete(answer: &Answer, form: u8) -> Option<bool> {
    if form == FORM_OF_INCOMPLETE {
        answer.header("upload-incomplete").and_then(structured::boolean).map(|is_incomplete| !is_incomplete)
    } else {
        answer.header("upload-complete").and_then(structured::boolean)
    }
}

fn offset(answer: &Answer) -> Option<u64> {
    answer.header("upload-offset").and_then(structured::integer)
}

/// A digest as `Repr-Digest` and `Content-Digest` have it (RFC 9530).
fn digest_field(digest: Option<(DigestKind, &Digests)>) -> Option<String> {
    match digest? {
        (DigestKind::Sha256, Digests { sha256: Some(sha256), .. }) => {
            Some(format!("sha-256={}", structured::byte_sequence(sha256)))
        }
        _ => None,
    }
}

/// `Content-Disposition` with the name in both of its forms (RFC 6266).
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

impl Dialect for Resumable {
    fn kind(&self) -> DestinationKind {
        DestinationKind::Resumable
    }

    fn forms(&self) -> &'static [u8] {
        &[9, 8, 7, 6, 5, 4, 3]
    }

    fn describe(&self, form: u8) -> String {
        format!("Resumable uploads for HTTP, interop version {form}")
    }

    fn options(&self, form: u8) -> Headers {
        self.base_headers(form)
    }

    /// Old servers do not answer to OPTIONS; whether such a one takes uploads, only trying tells.
    fn offer(&self, answer: &Answer, clock: &dyn Clock) -> Result<ServerOffer, Failure> {
        if !answer.is_success() && !matches!(answer.status, 400 | 404 | 405 | 412 | 501) {
            return Err(failure(answer, clock, "asking what the server can do"));
        }
        let limit = limit(answer).filter(|_| answer.is_success());
        Ok(ServerOffer {
            is_known: limit.is_some(),
            size_max: limit.and_then(|limit| limit.size_max),
            append_max: limit.and_then(|limit| limit.append_max),
            // Whether an upload can be ended, and which digests are compared, is tried.
            part_kinds: vec![DigestKind::Sha256],
            software: software_of(answer),
            ..ServerOffer::default()
        })
    }

    fn create(&self, form: u8, new: &NewUpload<'_>) -> Headers {
        let mut fields = self.base_headers(form);
        set_complete(&mut fields, form, false);
        if form >= FORM_OF_LENGTH {
            fields.set("upload-length", new.size.to_string());
        }
        fields.set("content-type", media_of(new.key));
        fields.set("content-disposition", disposition(name_of(new.key)));
        if let Some(digest) = digest_field(new.whole) {
            fields.set("repr-digest", digest);
        }
        fields
    }

    /// Whoever does not know the draft, or another version of it, takes this for an empty file.
    fn created(&self, form: u8, answer: &Answer, clock: &dyn Clock) -> Result<CreatedUpload, Failure> {
        let nothing = CreatedUpload { location: None, offset: 0, append_max: None };
        if matches!(answer.status, 405 | 412 | 426 | 501) {
            return Ok(nothing);
        }
        if !answer.is_success() {
            return Err(at_creation(answer, clock));
        }
        let is_unfinished = match complete(answer, form) {
            Some(is_complete) => !is_complete,
            // Some servers leave the flag out of a 201; these fields are the draft's own too.
            None => offset(answer).is_some() || limit(answer).is_some(),
        };
        if !is_unfinished {
            return Ok(nothing);
        }
        Ok(CreatedUpload {
            location: answer.header("location").map(str::to_owned),
            offset: offset(answer).unwrap_or(0),
            append_max: limit(answer).and_then(|limit| limit.append_max),
        })
    }

    fn status_headers(&self, form: u8) -> Headers {
        self.base_headers(form)
    }

    fn read_status(&self, form: u8, answer: &Answer, clock: &dyn Clock) -> Result<UploadStatus, UploadError> {
        if !answer.is_success() {
            return Err(upload_error(answer, clock, "asking for the upload", false));
        }
        let Some(offset) = offset(answer) else {
            let why = "the server did not say how much of the upload it has";
            return Err(UploadError::Gone(Failure::transient(FailureKind::Protocol, why)));
        };
        Ok(UploadStatus {
            offset,
            is_complete: complete(answer, form).unwrap_or(false),
            length: answer.header("upload-length").and_then(structured::integer),
            blake3: None,
            append_max: limit(answer).and_then(|limit| limit.append_max),
        })
    }

    fn append(&self, form: u8, append: &Append<'_>) -> Headers {
        let mut fields = self.base_headers(form);
        fields.set("upload-offset", append.offset.to_string());
        set_complete(&mut fields, form, append.is_last);
        if form >= FORM_OF_PARTIAL_UPLOAD {
            fields.set("content-type", "application/partial-upload");
        }
        if let Some(digest) = digest_field(append.digest) {
            fields.set("content-digest", digest);
        }
        fields
    }

    fn appended(
        &self,
        form: u8,
        append: &Append<'_>,
        answer: &Answer,
        clock: &dyn Clock,
    ) -> Result<AppendAnswer, UploadError> {
        let said = complete(answer, form);
        if answer.is_success() {
            // The answer to the last append is the target's own, which need not know the draft.
            let is_complete = said.unwrap_or(append.is_last);
            let file = answer.header("location").or_else(|| answer.header("content-location"));
            return Ok(AppendAnswer {
                offset: if is_complete { None } else { offset(answer).or(Some(append.end)) },
                is_complete,
                file: file.map(str::to_owned),
            });
        }
        let what = "sending the file";
        if said == Some(true) {
            // The target itself has spoken: the upload is over.
            return Err(UploadError::Over(failure(answer, clock, what)));
        }
        if answer.status == 409 {
            return Err(UploadError::Elsewhere(offset(answer), failure(answer, clock, what)));
        }
        Err(upload_error(answer, clock, what, append.is_last))
    }

    fn base_headers(&self, form: u8) -> Headers {
        let mut fields = Headers::default();
        fields.set("upload-draft-interop-version", form.to_string());
        fields
    }

    fn needs_closing(&self) -> bool {
        true
    }

    fn whole_kinds(&self) -> &'static [DigestKind] {
        &[DigestKind::Sha256]
    }
}
