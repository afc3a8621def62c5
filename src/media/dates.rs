//! Dates as cameras write them.

use jiff::civil::{Date, DateTime, Time};

use crate::domain::time::UnixMillis;

/// The year of the oldest surviving photograph: nothing was captured before.
pub(crate) const YEAR_MIN: i16 = 1826;
/// No camera's clock is trusted beyond this year.
pub(crate) const YEAR_MAX: i16 = 2100;
/// No place on earth is further from UTC.
const OFFSET_MINUTES_MAX: i16 = 14 * 60;
/// How much of a date's text is looked at.
const TEXT_BYTES_MAX: usize = 64;

/// A local time as written, with its offset from UTC where that is written too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallTime {
    pub(crate) local: DateTime,
    pub(crate) offset_minutes: Option<i16>,
}

impl WallTime {
    /// A time from its numbers; `None` where no calendar has it or no photo can be from then.
    pub(crate) fn new(date: (i16, i8, i8), time: (i8, i8, i8), millis: i32) -> Option<Self> {
        let date = Date::new(date.0, date.1, date.2).ok()?;
        if !(YEAR_MIN..=YEAR_MAX).contains(&date.year()) {
            return None;
        }
        // A leap second is the second before.
        let time = Time::new(time.0, time.1, time.2.min(59), millis.clamp(0, 999) * 1_000_000).ok()?;
        Some(Self { local: date.to_datetime(time), offset_minutes: None })
    }

    /// A moment in UTC, read as a local time in UTC. Exactly the epoch is a clock never set.
    pub(crate) fn from_utc(seconds: i64, millis: i32) -> Option<Self> {
        if seconds == 0 {
            return None;
        }
        let moment = jiff::Timestamp::new(seconds, millis.clamp(0, 999) * 1_000_000).ok()?;
        let local = moment.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        (YEAR_MIN..=YEAR_MAX).contains(&local.year()).then_some(Self { local, offset_minutes: Some(0) })
    }

    /// The local time read as if it were UTC.
    pub(crate) fn wall_ms(self) -> UnixMillis {
        let utc = self.local.to_zoned(jiff::tz::TimeZone::UTC);
        UnixMillis(utc.map_or(0, |time| time.timestamp().as_millisecond()))
    }

    fn with_offset(self, offset_minutes: Option<i16>) -> Self {
        Self { offset_minutes, ..self }
    }
}

/// A date as EXIF and XMP write it: `2019:05:12 10:15:00`, `2019-05-12T10:15:00.25+02:00`,
/// `2019-05-12`, with any of the separators that cameras get wrong.
pub(crate) fn parse(text: &[u8]) -> Option<WallTime> {
    let mut scan = Scan { rest: text.get(..TEXT_BYTES_MAX).unwrap_or(text).trim_ascii() };
    let year = scan.number(4, 4)?;
    scan.one_of(b":-/. ")?;
    let month = scan.number(1, 2)?;
    scan.one_of(b":-/. ")?;
    let day = scan.number(1, 2)?;
    let date = (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    scan.skip(b"T t");
    let Some(hour) = scan.number(1, 2) else {
        return WallTime::new(date, (0, 0, 0), 0).filter(|time| !is_unset(*time));
    };
    scan.one_of(b":.-h")?;
    let minute = scan.number(1, 2)?;
    let second = scan.one_of(b":.-").and_then(|_separator| scan.number(1, 2)).unwrap_or(0);
    let millis = scan.one_of(b".,").map_or(0, |_separator| scan.millis());
    let offset = scan.offset();
    let time = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?);
    Some(WallTime::new(date, time, millis)?.with_offset(offset)).filter(|time| !is_unset(*time))
}

/// EXIF's date with its own tags for the fraction of a second and the offset.
pub(crate) fn parse_exif(date: &[u8], fraction: Option<&[u8]>, offset: Option<&[u8]>) -> Option<WallTime> {
    let mut time = parse(date)?;
    if let Some(fraction) = fraction {
        let millis = Scan { rest: fraction.trim_ascii() }.millis();
        let local = time.local.with().millisecond(i16::try_from(millis).unwrap_or(0)).build();
        time.local = local.unwrap_or(time.local);
    }
    if time.offset_minutes.is_none() {
        time.offset_minutes = offset.and_then(|text| Scan { rest: text.trim_ascii() }.offset());
    }
    Some(time)
}

/// Exactly the epoch: what a clock that was never set writes.
fn is_unset(time: WallTime) -> bool {
    time.wall_ms().0 == 0
}

/// Eats a text from the front.
pub(crate) struct Scan<'a> {
    pub(crate) rest: &'a [u8],
}

impl Scan<'_> {
    /// A number of `least` to `most` digits.
    pub(crate) fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.rest.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Some(number.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
    }

    /// One of these bytes.
    pub(crate) fn one_of(&mut self, set: &[u8]) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        set.contains(first).then(|| {
            self.rest = rest;
            *first
        })
    }

    /// Any number of these bytes.
    pub(crate) fn skip(&mut self, set: &[u8]) {
        while self.one_of(set).is_some() {}
    }

    /// The digits of a fraction as milliseconds.
    fn millis(&mut self) -> i32 {
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let padded = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(3);
        padded.fold(0, |n, digit| n * 10 + i32::from(digit - b'0'))
    }

    /// `Z`, `+02:00`, `-0530` or `+2`, in minutes.
    fn offset(&mut self) -> Option<i16> {
        self.skip(b" ");
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _zulu => return Some(0),
        };
        let hours = i16::try_from(self.number(1, 2)?).ok()?;
        self.skip(b":");
        let minutes = i16::try_from(self.number(2, 2).unwrap_or(0)).ok()?;
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= OFFSET_MINUTES_MAX).then_some(sign * total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Option<String> {
        let time = parse(text.as_bytes())?;
        let offset = time.offset_minutes.map_or(String::new(), |m| format!(" {m:+}"));
        Some(format!("{}{offset}", time.local))
    }

    #[test]
    fn dates_as_cameras_write_them() {
        for (text, expected) in [
            ("2019:05:12 10:15:00", "2019-05-12T10:15:00"),
            ("2019-05-12T10:15:00.25+02:00", "2019-05-12T10:15:00.25 +120"),
            ("2019-05-12T10:15:00Z", "2019-05-12T10:15:00 +0"),
            ("2019-05-12T10:15:00-0530", "2019-05-12T10:15:00 -330"),
            ("2019-05-12T10:15+01:00", "2019-05-12T10:15:00 +60"),
            ("2019:5:2 1:5:0", "2019-05-02T01:05:00"),
            ("2019/05/12 10:15:60", "2019-05-12T10:15:59"),
            ("2019-05-12", "2019-05-12T00:00:00"),
            ("2019:05:12 10:15:00\0", "2019-05-12T10:15:00"),
            ("1839:01:01 00:00:00", "1839-01-01T00:00:00"),
            ("2019:05:12 10:15:00+99:00", "2019-05-12T10:15:00"),
        ] {
            assert_eq!(told(text.trim_end_matches('\0')).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in [
            "",
            "0000:00:00 00:00:00",
            "0000:01:01 00:00:00",
            "    :  :     :  :  ",
            "1825:12:31 10:00:00",
            "2101:01:01 10:00:00",
            "2019:13:01 10:00:00",
            "2019:02:30 10:00:00",
            "2019:02:03 24:10:00",
            "1970:01:01 00:00:00",
            "2019",
            "today",
            "20190512",
        ] {
            assert_eq!(told(text), None, "{text:?}");
        }
        assert_eq!(WallTime::from_utc(0, 0), None);
        assert_eq!(WallTime::from_utc(-2_082_844_800, 0).map(|t| t.local.year()), Some(1904));
        assert_eq!(WallTime::from_utc(i64::MAX, 0), None);
    }

    #[test]
    fn exif_keeps_fraction_and_offset_apart() {
        let time = parse_exif(b"2019:05:12 10:15:00", Some(b"25 "), Some(b"+02:00")).expect("a date");
        assert_eq!((time.local.millisecond(), time.offset_minutes), (250, Some(120)));
        let time = parse_exif(b"2019:05:12 10:15:00", Some(b"x"), Some(b"   :  ")).expect("a date");
        assert_eq!((time.local.millisecond(), time.offset_minutes), (0, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in prop::collection::vec(any::<u8>(), 0..80)) {
            parse(&text);
            parse_exif(&text, Some(&text), Some(&text));
        }

        #[test]
        fn any_text_of_digits_and_separators_is_survived(text in "[0-9:T .+Z-]{0,40}") {
            if let Some(time) = parse(text.as_bytes()) {
                prop_assert!((YEAR_MIN..=YEAR_MAX).contains(&time.local.year()));
            }
        }
    }
}
