//! What every status means by itself: RFC 9110 (section 15), RFC 4918 (section 11), RFC 6585 and those
//! that servers and what stands in front of them have added; and what every code of S3's error list means.
//!
//! A status says little of how far it reaches: the same code is used for one file and for the whole
//! place. The reach here is the first guess; where `is_ambiguous`, a destination that is refused so when
//! it writes tries one small write and one read of its own, and what comes of those decides.

use std::time::Duration;

use crate::domain::cause::Cause;
use crate::domain::failure::{FailureKind as K, FailureKind, Reach, Retry};

/// One status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusMeaning {
    /// The status.
    pub status: u16,
    /// What happened.
    pub kind: FailureKind,
    /// How far it reaches, as far as the status tells.
    pub reach: Reach,
    /// Whether the same request may work another time.
    pub retry: Retry,
    /// It is used for one file and for the whole place.
    pub is_ambiguous: bool,
    /// Servers that were seen to use it so, where that is not obvious.
    pub used_by: &'static str,
}

const AGAIN: Retry = Retry::After(Duration::ZERO);
const PLACE: Reach = Reach::Destination;
const FILE: Reach = Reach::Resource;

const fn row(status: u16, kind: K, reach: Reach, retry: Retry, used_by: &'static str) -> StatusMeaning {
    StatusMeaning { status, kind, reach, retry, is_ambiguous: false, used_by }
}

const fn odd(status: u16, kind: K, reach: Reach, retry: Retry, used_by: &'static str) -> StatusMeaning {
    StatusMeaning { status, kind, reach, retry, is_ambiguous: true, used_by }
}

/// Every status from 400 on that has a meaning, in order.
pub const STATUSES: [StatusMeaning; 47] = [
    row(
        400,
        K::BadRequest,
        FILE,
        Retry::Never,
        "ownCloud: a checksum that does not fit; Immich: a name it cannot parse",
    ),
    row(401, K::Credentials, PLACE, AGAIN, ""),
    row(402, K::Forbidden, PLACE, AGAIN, "storage that is paid for"),
    odd(
        403,
        K::Forbidden,
        FILE,
        AGAIN,
        "s3s-fs: an unknown upload; Nextcloud: a name it does not take; Apache: no permission on its disk",
    ),
    odd(404, K::NotFound, FILE, AGAIN, "a folder that was taken away"),
    odd(
        405,
        K::Unsupported,
        PLACE,
        AGAIN,
        "Go's WebDAV (rclone): any write that fails, on a full disk too; a server in front that lets no MOVE through",
    ),
    row(406, K::Protocol, FILE, AGAIN, ""),
    row(407, K::Credentials, PLACE, AGAIN, ""),
    row(408, K::Timeout, FILE, AGAIN, ""),
    odd(409, K::Conflict, FILE, AGAIN, "WebDAV: the folder above is missing; tus: another offset"),
    odd(410, K::NotFound, FILE, AGAIN, "tus: an upload that has expired"),
    row(411, K::BadRequest, FILE, Retry::Never, ""),
    row(412, K::Conflict, FILE, AGAIN, "a name that is taken; tus: another version"),
    row(
        413,
        K::TooLarge,
        FILE,
        Retry::Never,
        "nginx, Cloudflare: a limit of what is in front; rustus: appends over 256 KiB",
    ),
    row(414, K::Unsupported, FILE, Retry::Never, ""),
    row(415, K::Unsupported, FILE, Retry::Never, "MKCOL with a body; tus: another media type"),
    row(416, K::BadRequest, FILE, Retry::Never, ""),
    row(417, K::BadRequest, FILE, Retry::Never, ""),
    row(418, K::BadRequest, FILE, Retry::Never, ""),
    row(421, K::Protocol, PLACE, AGAIN, ""),
    row(422, K::Unsupported, FILE, Retry::Never, ""),
    row(
        423,
        K::Conflict,
        FILE,
        AGAIN,
        "Nextcloud: a file that is being written; tus: an append that is under way; Go's WebDAV: two moves at once",
    ),
    row(424, K::BadRequest, FILE, Retry::Never, ""),
    row(425, K::RateLimited, PLACE, AGAIN, ""),
    row(426, K::Unsupported, PLACE, AGAIN, ""),
    row(428, K::BadRequest, FILE, Retry::Never, ""),
    row(429, K::RateLimited, PLACE, AGAIN, ""),
    row(431, K::Unsupported, FILE, Retry::Never, ""),
    row(451, K::Forbidden, FILE, AGAIN, ""),
    row(460, K::DigestMismatch, FILE, AGAIN, "tus: a checksum that does not fit"),
    odd(500, K::Server, FILE, AGAIN, "@tus/server: a name outside Latin-1; others: a full disk"),
    odd(501, K::Unsupported, PLACE, AGAIN, "s3s-fs: listing uploads"),
    row(502, K::Server, PLACE, AGAIN, ""),
    row(503, K::Server, PLACE, AGAIN, "Nextcloud in maintenance; S3: slow down"),
    row(504, K::Server, PLACE, AGAIN, ""),
    row(505, K::Server, FILE, AGAIN, ""),
    row(506, K::Server, FILE, AGAIN, ""),
    odd(507, K::Full, PLACE, AGAIN, "a quota, or a disk that has room for smaller files"),
    row(508, K::Server, FILE, AGAIN, ""),
    row(510, K::Server, FILE, AGAIN, ""),
    row(511, K::Protocol, PLACE, AGAIN, "a network that wants a sign-in"),
    row(520, K::Server, PLACE, AGAIN, "Cloudflare"),
    row(521, K::Server, PLACE, AGAIN, "Cloudflare"),
    row(522, K::Server, PLACE, AGAIN, "Cloudflare"),
    row(523, K::Server, PLACE, AGAIN, "Cloudflare"),
    row(524, K::Server, PLACE, AGAIN, "Cloudflare: a request that took longer than it waits"),
    row(525, K::Tls, PLACE, AGAIN, "Cloudflare"),
];

/// One code of S3's error documents ("Error responses", Amazon S3 API reference, and what other servers have
/// added). A code says more than the status that it comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeMeaning {
    /// The code.
    pub code: &'static str,
    /// What happened.
    pub kind: FailureKind,
    /// How far it reaches, as far as the code tells.
    pub reach: Reach,
    /// Whether the same request may work another time.
    pub retry: Retry,
    /// Why exactly, where that has words of its own.
    pub cause: Option<Cause>,
    /// What is said of it beside the server's words.
    pub details: &'static str,
    /// Servers that were seen to use it so, where that is not obvious.
    pub used_by: &'static str,
}

const fn code(
    code: &'static str,
    kind: K,
    reach: Reach,
    retry: Retry,
    cause: Option<Cause>,
    details: &'static str,
    used_by: &'static str,
) -> CodeMeaning {
    CodeMeaning { code, kind, reach, retry, cause, details, used_by }
}

/// Every code that has a meaning, in order.
#[rustfmt::skip]
pub const S3_CODES: [CodeMeaning; 75] = [
    code("AccessDenied", K::Forbidden, PLACE, AGAIN, None, "", "s3s-fs: an upload that it has lost"),
    code("AccountProblem", K::Forbidden, PLACE, AGAIN, None, "", ""),
    code("AccountQuotaExceeded", K::Full, PLACE, AGAIN, Some(Cause::Quota), "", "account quotas of other servers"),
    code("AllAccessDisabled", K::Forbidden, PLACE, AGAIN, None, "", ""),
    code("AuthorizationHeaderMalformed", K::Credentials, PLACE, AGAIN, None, "", "Amazon: a wrong region, which it names"),
    code("AuthorizationQueryParametersError", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("BadDigest", K::DigestMismatch, FILE, AGAIN, None, "", ""),
    code("ConditionalRequestConflict", K::Conflict, FILE, AGAIN, Some(Cause::NotReady), "", "Amazon: two writes under one name at once"),
    code("CredentialsNotSupported", K::Credentials, PLACE, AGAIN, None, "", ""),
    code("EntityTooLarge", K::TooLarge, FILE, Retry::Never, None, "", ""),
    code("EntityTooSmall", K::BadRequest, FILE, AGAIN, Some(Cause::UploadLost), "", ""),
    code("ExpiredToken", K::Credentials, PLACE, AGAIN, Some(Cause::KeyExpired), "the temporary credentials have expired", ""),
    code("Forbidden", K::Forbidden, PLACE, AGAIN, None, "", "Garage"),
    code("IllegalLocationConstraintException", K::BadRequest, PLACE, AGAIN, None, "the bucket is in another region or at another endpoint", ""),
    code("IncompleteBody", K::Timeout, FILE, AGAIN, None, "", ""),
    code("InsufficientCapacity", K::Full, PLACE, AGAIN, None, "", ""),
    code("InsufficientStorage", K::Full, PLACE, AGAIN, None, "", ""),
    code("InternalError", K::Server, FILE, AGAIN, None, "", ""),
    code("InvalidAccessKeyId", K::Credentials, PLACE, AGAIN, Some(Cause::KeyUnknown), "the server does not know this access key", ""),
    code("InvalidArgument", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("InvalidBucketName", K::BadRequest, PLACE, AGAIN, Some(Cause::NoBucket), "the server takes no bucket of this name", ""),
    code("InvalidBucketState", K::Conflict, PLACE, AGAIN, Some(Cause::NotReady), "", ""),
    code("InvalidDigest", K::DigestMismatch, FILE, AGAIN, None, "", ""),
    code("InvalidObjectState", K::Forbidden, FILE, AGAIN, None, "the copy is in an archive and must be restored there first", ""),
    code("InvalidPart", K::Conflict, FILE, AGAIN, Some(Cause::UploadLost), "", ""),
    code("InvalidPartOrder", K::Conflict, FILE, AGAIN, Some(Cause::UploadLost), "", ""),
    code("InvalidPayer", K::Forbidden, PLACE, AGAIN, None, "", ""),
    code("InvalidRange", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("InvalidRegion", K::BadRequest, PLACE, AGAIN, None, "the bucket is in another region or at another endpoint", ""),
    code("InvalidRequest", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("InvalidSecurity", K::Credentials, PLACE, AGAIN, None, "", ""),
    code("InvalidStorageClass", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("InvalidToken", K::Credentials, PLACE, AGAIN, None, "the session token is not that of this access key", ""),
    code("InvalidURI", K::Unsupported, FILE, Retry::Never, None, "", ""),
    code("KeyTooLong", K::Unsupported, FILE, Retry::Never, None, "", ""),
    code("KeyTooLongError", K::Unsupported, FILE, Retry::Never, None, "", ""),
    code("MalformedXML", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("MetadataTooLarge", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("MethodNotAllowed", K::Unsupported, PLACE, AGAIN, None, "", ""),
    code("MissingContentLength", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("MissingRequestBodyError", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("MissingSecurityHeader", K::BadRequest, FILE, Retry::Never, None, "", ""),
    code("NoSuchBucket", K::NotFound, PLACE, AGAIN, Some(Cause::NoBucket), "there is no bucket of this name", ""),
    code("NoSuchKey", K::NotFound, FILE, AGAIN, None, "", ""),
    code("NoSuchUpload", K::Conflict, FILE, AGAIN, Some(Cause::UploadLost), "", ""),
    code("NoSuchVersion", K::NotFound, FILE, AGAIN, None, "", ""),
    code("NotEnoughSpace", K::Full, PLACE, AGAIN, None, "", ""),
    code("NotImplemented", K::Unsupported, PLACE, AGAIN, None, "", "s3s-fs: listing uploads"),
    code("NotSignedUp", K::Credentials, PLACE, AGAIN, None, "", ""),
    code("OperationAborted", K::Conflict, FILE, AGAIN, Some(Cause::NotReady), "", ""),
    code("PermanentRedirect", K::BadRequest, PLACE, AGAIN, None, "the bucket is in another region or at another endpoint", ""),
    code("PreconditionFailed", K::Conflict, FILE, AGAIN, None, "", "a name that is taken"),
    code("QuotaExceeded", K::Full, PLACE, AGAIN, Some(Cause::Quota), "", ""),
    code("ReduceYourRequestRate", K::RateLimited, PLACE, AGAIN, None, "", ""),
    code("RequestExpired", K::BadRequest, PLACE, AGAIN, Some(Cause::Clock), "set this computer's clock: it differs too much from the server's", ""),
    code("RequestLimitExceeded", K::RateLimited, PLACE, AGAIN, None, "", ""),
    code("RequestTimeTooSkewed", K::BadRequest, PLACE, AGAIN, Some(Cause::Clock), "set this computer's clock: it differs too much from the server's", ""),
    code("RequestTimeout", K::Timeout, FILE, AGAIN, None, "", ""),
    code("RestoreAlreadyInProgress", K::Conflict, FILE, AGAIN, Some(Cause::NotReady), "", ""),
    code("ServiceUnavailable", K::Server, PLACE, AGAIN, None, "", ""),
    code("SignatureDoesNotMatch", K::Credentials, PLACE, AGAIN, None, "the secret is not that of this access key", ""),
    code("SlowDown", K::RateLimited, PLACE, AGAIN, None, "", ""),
    code("SlowDownRead", K::RateLimited, PLACE, AGAIN, None, "", "MinIO"),
    code("SlowDownWrite", K::RateLimited, PLACE, AGAIN, None, "", "MinIO"),
    code("StorageFull", K::Full, PLACE, AGAIN, None, "", ""),
    code("TemporaryRedirect", K::BadRequest, PLACE, AGAIN, None, "the bucket is in another region or at another endpoint", ""),
    code("ThrottlingException", K::RateLimited, PLACE, AGAIN, None, "", ""),
    code("TokenRefreshRequired", K::Credentials, PLACE, AGAIN, Some(Cause::KeyExpired), "the temporary credentials have expired", ""),
    code("TooManyRequests", K::RateLimited, PLACE, AGAIN, None, "", ""),
    code("UnauthorizedAccess", K::Credentials, PLACE, AGAIN, None, "", ""),
    code("XAmzContentChecksumMismatch", K::DigestMismatch, FILE, AGAIN, None, "", ""),
    code("XAmzContentSHA256Mismatch", K::DigestMismatch, FILE, AGAIN, None, "", ""),
    code("XMinioAdminBucketQuotaExceeded", K::Full, PLACE, AGAIN, Some(Cause::Quota), "", "MinIO"),
    code("XMinioInvalidObjectName", K::Unsupported, FILE, Retry::Never, None, "", "MinIO"),
    code("XMinioStorageFull", K::Full, PLACE, AGAIN, None, "", "MinIO"),
];

/// What a code of S3 means; `None` where the status says more.
pub fn code_meaning(code: &str) -> Option<CodeMeaning> {
    let at = S3_CODES.binary_search_by(|row| row.code.cmp(code)).ok()?;
    S3_CODES.get(at).copied()
}

/// What a status means by itself. A status that is not listed means what its class means.
pub fn meaning(status: u16) -> StatusMeaning {
    let known = STATUSES.iter().find(|row| row.status == status).copied();
    known.unwrap_or(match status {
        400..=499 => row(status, K::BadRequest, FILE, Retry::Never, ""),
        500..=599 => row(status, K::Server, FILE, AGAIN, ""),
        _ => row(status, K::Protocol, FILE, AGAIN, ""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found() {
        for row in S3_CODES {
            assert_eq!(code_meaning(row.code), Some(row), "the table is in order");
        }
        assert_eq!(code_meaning("Teapot"), None);
    }

    #[test]
    fn the_table_is_in_order_and_has_what_the_specifications_have() {
        assert!(STATUSES.is_sorted_by_key(|row| row.status));
        let has = |status: u16| STATUSES.iter().filter(|row| row.status == status).count() == 1;
        // RFC 9110, section 15; RFC 4918, section 11; RFC 6585; RFC 7725; RFC 8470.
        let named = (400..=417).chain([421, 422, 423, 424, 425, 426, 428, 429, 431, 451]);
        let named = named.chain(500..=505).chain([507, 511]);
        for status in named {
            assert!(has(status), "{status}");
        }
        for row in STATUSES.iter().filter(|row| row.is_ambiguous) {
            assert!(!row.used_by.is_empty(), "{} has a reason", row.status);
        }
        assert_eq!(
            (meaning(499).kind, meaning(599).kind, meaning(600).kind),
            (K::BadRequest, K::Server, K::Protocol)
        );
    }
}
