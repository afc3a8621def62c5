//! A whole answer, as the protocols read it.

use bytes::Bytes;

use super::Headers;
use super::date::parse_http_date;
use crate::base::clock::Clock;
use crate::domain::time::UnixMillis;

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// The answer came before everything was sent.
    pub is_early: bool,
}

impl Answer {
    /// Whether the status says that it was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The server's clock less `clock`, in seconds, where the answer says what time it is there.
    pub fn clock_skew(&self, clock: &dyn Clock) -> Option<i64> {
        let UnixMillis(theirs) = parse_http_date(self.header("date")?)?;
        Some((theirs - clock.now().0) / 1000)
    }
}
