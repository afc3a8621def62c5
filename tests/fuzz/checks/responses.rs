//! What servers answer: XML, markers, dates. Each may come from anyone.

use crate::destination::http::date::{RETRY_AFTER_MAX, parse_http_date, parse_retry_after};
use crate::destination::marker::Marker;
use crate::destination::webdav;
use crate::domain::time::UnixMillis;

/// One answer, as everything that it could be.
pub fn check(data: &[u8]) {
    webdav::check(data);
    if let Ok(marker) = Marker::parse(data) {
        assert_eq!(marker.uuid.len(), 36);
        assert_eq!(Marker::parse(&marker.bytes()).expect("what is written can be read"), marker);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        parse_http_date(text);
        for now in [0, i64::MAX, i64::MIN] {
            let wait = parse_retry_after(text, UnixMillis(now));
            assert!(wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX));
        }
    }
}
