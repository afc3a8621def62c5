//! Whole answers: a status, header fields and a body, read by everything that reads any.

use std::time::Duration;

use bytes::Bytes;

use crate::base::clock::{Clock, SystemClock};
use crate::destination::http::date::RETRY_AFTER_MAX;
use crate::destination::http::{self, Answer, Headers, status};
use crate::destination::{immich, s3};
use crate::domain::failure::{Failure, Retry};

/// Waits that no server asked for are shorter.
const WAIT_MAX: Duration = RETRY_AFTER_MAX;

/// A failure that can be shown: bounded, on one line, with a wait that ends.
pub fn tells(failure: &Failure) {
    assert!(!failure.details.is_empty() && failure.details.len() < 4096, "{}", failure.details);
    assert!(!failure.details.chars().any(char::is_control), "{:?}", failure.details);
    if let Retry::After(wait) = failure.retry {
        assert!(wait <= WAIT_MAX, "{wait:?}");
    }
}

/// Two bytes for the status, lines of fields, an empty line, the body.
pub fn check(data: &[u8]) {
    let Some((status, rest)) = data.split_first_chunk::<2>() else { return };
    let end = rest.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 2..]));
    let mut headers = Headers::default();
    for line in head.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if let Some((name, value)) = line.split_once(':') {
            headers.set(name, value.trim());
        }
    }
    let status = u16::from_le_bytes(*status) % 600;
    let answer = Answer { status, headers, body: Bytes::copy_from_slice(body), is_early: false };
    let clock: &dyn Clock = &SystemClock;
    http::check(&answer);
    let said = String::from_utf8_lossy(&answer.body);
    tells(&status::failure(&answer, clock, "sending the file", None));
    tells(&status::failure(&answer, clock, "sending the file", Some(&said)));
    s3::check(&answer, clock);
    immich::check(&answer, clock);
}
