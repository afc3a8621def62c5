//! What every status means by itself: RFC 9110 (section 15), RFC 4918 (section 11), RFC 6585 and those
//! that servers and what stands in front of them have added.
//!
//! A status says little of how far it reaches: the same code is used for one file and for the whole
//! place. The reach here is the first guess; where `is_ambiguous`, a destination that is refused so when
//! it writes tries one small write and one read of its own, and what comes of those decides.

use std::time::Duration;

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
