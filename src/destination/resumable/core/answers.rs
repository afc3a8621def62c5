//! What both protocols' answers have in common.

use super::UploadError;
use crate::base::clock::Clock;
use crate::destination::http::{Answer, status};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::media_type::MediaType;

/// What an answer that is not a success means in a protocol's common words.
pub(in crate::destination) fn failure(answer: &Answer, clock: &dyn Clock, what: &str) -> Failure {
    status::failure(answer, clock, what, super::calls::message_of(answer).as_deref())
}

/// The same for a creation: who may not create at all, or not here, can send nothing.
pub(in crate::destination) fn at_creation(answer: &Answer, clock: &dyn Clock) -> Failure {
    let failure = failure(answer, clock, "creating the upload");
    match failure.kind {
        FailureKind::NotFound | FailureKind::Forbidden => Failure { reach: Reach::Destination, ..failure },
        _ => failure,
    }
}

/// What an answer that is not a success means for the upload. `is_last` when the last byte was sent:
/// what is refused then is refused as a whole.
pub(in crate::destination) fn upload_error(
    answer: &Answer,
    clock: &dyn Clock,
    what: &str,
    is_last: bool,
) -> UploadError {
    let failure = failure(answer, clock, what);
    match answer.status {
        409 => UploadError::Elsewhere(answer.header("upload-offset").and_then(number), failure),
        403 => UploadError::Gone(failure),
        404 | 410 => UploadError::Gone(failure.with_cause(Cause::UploadLost)),
        413 => UploadError::TooMuch(failure),
        423 => UploadError::Busy(failure),
        501 | 507 | 401 | 407 | 412 | 425 | 429 => UploadError::Stopped(failure),
        408 | 500..=599 => UploadError::Broken(failure),
        400..=499 if is_last => UploadError::Over(failure),
        _ => UploadError::Stopped(failure),
    }
}

/// A whole number of a header field: digits and nothing else.
pub(in crate::destination) fn number(text: &str) -> Option<u64> {
    let text = text.trim_matches([' ', '\t']);
    let is_plain = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// What the server calls itself.
pub(in crate::destination) fn software_of(answer: &Answer) -> String {
    status::one_line(answer.header("server").unwrap_or_default())
}

/// A key's file name.
pub(in crate::destination) fn name_of(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_folder, name)| name)
}

/// The media type that a name's extension stands for (IANA's registry, where it has one).
pub(in crate::destination) fn media_of(key: &str) -> &'static str {
    use MediaType as T;
    let extension = name_of(key).rsplit_once('.').map_or("", |(_stem, extension)| extension);
    if extension == "txt" {
        return "text/plain";
    }
    match MediaType::from_extension(extension.to_ascii_lowercase().as_bytes()) {
        Some(T::Jpeg) => "image/jpeg",
        Some(T::Png) => "image/png",
        Some(T::Webp) => "image/webp",
        Some(T::Gif) => "image/gif",
        Some(T::Tiff) => "image/tiff",
        Some(T::Bmp) => "image/bmp",
        Some(T::Heic) => "image/heic",
        Some(T::Avif) => "image/avif",
        Some(T::Jxl) => "image/jxl",
        Some(T::Jp2) => "image/jp2",
        Some(T::Jxr) => "image/jxr",
        Some(T::Psd) => "image/vnd.adobe.photoshop",
        Some(T::Xcf) => "image/x-xcf",
        Some(T::Exr) => "image/aces",
        Some(T::Hdr) => "image/vnd.radiance",
        Some(T::Pnm) => "image/x-portable-anymap",
        Some(T::Tga) => "image/x-tga",
        Some(T::Pcd) => "image/x-photo-cd",
        Some(T::Mp4) => "video/mp4",
        Some(T::Mov) => "video/quicktime",
        Some(T::Avi) => "video/x-msvideo",
        Some(T::Mkv) => "video/matroska",
        Some(T::Mpeg) => "video/mpeg",
        Some(T::ThreeGp) => "video/3gpp",
        Some(T::Wmv) => "video/x-ms-wmv",
        Some(T::Dv) => "video/x-dv",
        Some(T::Flv) => "video/x-flv",
        Some(T::Mxf) => "application/mxf",
        Some(T::Ogv) => "video/ogg",
        Some(T::Rm) => "application/vnd.rn-realmedia",
        Some(T::Xmp) => "application/rdf+xml",
        Some(T::Aae) => "application/xml",
        Some(T::Json) => "application/json",
        Some(T::Raw | T::RawVideo | T::Develop) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(" 70 "), Some(70));
        assert_eq!(number("9999999999999999999"), Some(9_999_999_999_999_999_999));
        for bad in ["", "-1", "+1", "1.0", "1, 2", "0x1", "10000000000000000000", "１"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_and_types_of_keys() {
        assert_eq!((name_of("2019/2019-05/a.JPG"), media_of("2019/2019-05/a.JPG")), ("a.JPG", "image/jpeg"));
        assert_eq!((name_of("a"), media_of("a")), ("a", "application/octet-stream"));
        assert_eq!(media_of("b.mov"), "video/quicktime");
    }
}
