//! HTTP dates (RFC 9110, section 5.6.7) and `Retry-After` (section 10.2.3).

use std::time::Duration;

use crate::domain::time::UnixMillis;

/// The longest wait that a server is granted; a larger one is this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; `None` for anything else, the obsolete forms among them.
pub fn parse_http_date(text: &str) -> Option<UnixMillis> {
    let text = text.trim();
    if text.len() != 29 || !text.ends_with(" GMT") {
        return None;
    }
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(UnixMillis(zoned.as_millisecond()))
}

/// Reads a `Retry-After`: seconds, or the time until a date.
pub fn parse_retry_after(text: &str, now: UnixMillis) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_not_seconds) => {
            let millis = parse_http_date(text)?.0.saturating_sub(now.0);
            Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_waits() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let at = UnixMillis(784_111_777_000);
        assert_eq!(parse_http_date(date), Some(at));
        for bad in ["", "now", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 XYZ", "9"] {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
        let ten_before = UnixMillis(at.0 - 10_000);
        assert_eq!(parse_retry_after("120", at), Some(Duration::from_secs(120)));
        assert_eq!(parse_retry_after(date, ten_before), Some(Duration::from_secs(10)));
        assert_eq!(parse_retry_after(date, UnixMillis(at.0 + 1)), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("99999999999", at), Some(RETRY_AFTER_MAX));
        assert_eq!(parse_retry_after("-1", at), None);
        assert_eq!(parse_retry_after("soon", at), None);
    }
}
