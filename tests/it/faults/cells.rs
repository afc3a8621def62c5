//! The faults, how long each lasts, and what may be said of it.

use std::time::Duration;

use crate::fakes::proxy::ProxyFault;
use crate::fakes::proxy_text::Href;

/// How a fault goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The server is like that, from before it is added on.
    Always,
    /// It begins after the server was added, and lasts so many seconds.
    For(u64),
}

impl Course {
    /// How long the engine is looked at while it lasts.
    pub fn lasts(self) -> Duration {
        match self {
            Self::Always => Duration::from_secs(5),
            Self::For(seconds) => Duration::from_secs(seconds),
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Its name in the table.
    pub name: &'static str,
    pub fault: ProxyFault,
    pub course: Course,
    /// The kinds of failures that may be told of meanwhile.
    pub kinds: &'static [&'static str],
    /// Some protocols have nothing that it could spoil.
    pub may_miss: bool,
    /// It changes a file's bytes on their way.
    pub spoils: bool,
}

const MINUTE: Course = Course::For(60);
const THREE_MINUTES: Course = Course::For(180);

const fn cell(name: &'static str, fault: ProxyFault, course: Course, kinds: &'static [&'static str]) -> Cell {
    Cell { name, fault, course, kinds, may_miss: false, spoils: false }
}

const fn some(name: &'static str, fault: ProxyFault, course: Course, kinds: &'static [&'static str]) -> Cell {
    Cell { may_miss: true, ..cell(name, fault, course, kinds) }
}

const fn spoiled(name: &'static str, fault: ProxyFault, kinds: &'static [&'static str]) -> Cell {
    Cell { may_miss: true, spoils: true, ..cell(name, fault, MINUTE, kinds) }
}

/// Every fault.
pub const CELLS: &[Cell] = &[
    cell("HTTP/1.0", ProxyFault::Http10, Course::Always, &[]),
    cell("interim answers that nobody asked for", ProxyFault::InterimAnswers, Course::Always, &[]),
    cell("answers without a length", ProxyFault::NoLength, Course::Always, &[]),
    cell("compressed answers", ProxyFault::Compressed, Course::Always, &[]),
    cell("answers longer than they are", ProxyFault::LengthTooLong, MINUTE, &["connect", "protocol"]),
    cell(
        "answers shorter than they are",
        ProxyFault::LengthTooShort,
        MINUTE,
        &["connect", "protocol", "conflict.marker_damaged", "digest_mismatch"],
    ),
    spoiled("a bit flipped on the way there", ProxyFault::FlippedUploads, &["digest_mismatch"]),
    spoiled("a bit flipped on the way back", ProxyFault::FlippedDownloads, &["digest_mismatch"]),
    some("listings that repeat and skip", ProxyFault::ListingRepeatsAndSkips, Course::Always, &["protocol"]),
    some("absolute addresses", ProxyFault::Hrefs(Href::Absolute), Course::Always, &[]),
    some("addresses of another host", ProxyFault::Hrefs(Href::Foreign), Course::Always, &[]),
    some("over-escaped addresses", ProxyFault::Hrefs(Href::OverEscaped), Course::Always, &[]),
    some("under-escaped addresses", ProxyFault::Hrefs(Href::UnderEscaped), Course::Always, &[]),
    some("other XML prefixes", ProxyFault::Prefixes, Course::Always, &[]),
    cell("a clock an hour ahead", ProxyFault::ClockOff(3_600), Course::Always, &[]),
    cell("a clock an hour behind", ProxyFault::ClockOff(-3_600), Course::Always, &[]),
    cell("401", ProxyFault::Status(401, None), THREE_MINUTES, &["credentials"]),
    cell("403", ProxyFault::Status(403, None), THREE_MINUTES, &["forbidden"]),
    cell("429", ProxyFault::Status(429, Some(20)), THREE_MINUTES, &["rate_limited"]),
    cell("500", ProxyFault::Status(500, None), THREE_MINUTES, &["server"]),
    cell("503", ProxyFault::Status(503, None), THREE_MINUTES, &["server"]),
    cell("503 with Retry-After", ProxyFault::Status(503, Some(30)), THREE_MINUTES, &["server"]),
    cell("reset after the whole body, not done", ProxyFault::ResetBefore, MINUTE, &["connect"]),
    cell("reset after the whole body, done", ProxyFault::ResetAfter, MINUTE, &["connect"]),
    cell("redirects (301)", ProxyFault::Redirect(301), MINUTE, &["redirect"]),
    cell("redirects (307)", ProxyFault::Redirect(307), MINUTE, &["redirect"]),
];

/// What else can go wrong where requests are signed.
pub const SIGNED: &[Cell] = &[cell(
    "a signature refused for its time",
    ProxyFault::SignatureTooOld,
    THREE_MINUTES,
    &["bad_request.clock"],
)];
