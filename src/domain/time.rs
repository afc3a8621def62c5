//! Times as the store keeps them.

/// Milliseconds since 1970-01-01T00:00:00Z. May be negative: old photographs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This time and `duration` later, kept inside the representable range.
    pub fn plus(self, duration: std::time::Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        let millis = self.0.saturating_sub(earlier.0).max(0);
        std::time::Duration::from_millis(millis.unsigned_abs())
    }

    /// Reads a time in RFC 3339; `None` for anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.trim().parse().ok()?;
        Some(Self(time.as_millisecond()))
    }

    /// The time as RFC 3339 in UTC, to the second; the epoch for a time no calendar has.
    pub fn rfc3339(self) -> String {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// A calendar day as the number `yyyymmdd`, which sorts as days do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Year, month (1–12) and day of the month (1–31).
    pub fn parts(self) -> (i32, i32, i32) {
        (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}
