//! Dates as cameras, scanners and programs write them.

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
/// The most words of a date that is written in words.
const WORDS_MAX: usize = 10;

/// How much of a date is written. What is missing is its first moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    /// `1957`.
    Year,
    /// `1957-06`.
    Month,
    /// `1957-06-05`.
    Day,
    /// With the time of day.
    Time,
}

/// A local time as written, with its offset from UTC where that is written too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallTime {
    pub(crate) local: DateTime,
    pub(crate) offset_minutes: Option<i16>,
    pub(crate) precision: Precision,
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
        Some(Self { local: date.to_datetime(time), offset_minutes: None, precision: Precision::Time })
    }

    /// A date without a time of day. A month or day of 0 is not known; a day of a month that is not
    /// known is nonsense.
    pub(crate) fn of_date(year: u32, month: u32, day: u32) -> Option<Self> {
        let precision = match (month, day) {
            (0, 0) => Precision::Year,
            (0, _) => return None,
            (_, 0) => Precision::Month,
            _ => Precision::Day,
        };
        let date =
            (i16::try_from(year).ok()?, i8::try_from(month.max(1)).ok()?, i8::try_from(day.max(1)).ok()?);
        Some(Self { precision, ..Self::new(date, (0, 0, 0), 0)? })
    }

    /// A moment in UTC, read as a local time in UTC. Exactly the epoch is a clock never set.
    pub(crate) fn from_utc(seconds: i64, millis: i32) -> Option<Self> {
        if seconds == 0 {
            return None;
        }
        let moment = jiff::Timestamp::new(seconds, millis.clamp(0, 999) * 1_000_000).ok()?;
        let local = moment.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let is_sane = (YEAR_MIN..=YEAR_MAX).contains(&local.year());
        is_sane.then_some(Self { local, offset_minutes: Some(0), precision: Precision::Time })
    }

    /// Seconds since 1970 of a clock that shows local time and knows no zone.
    pub(crate) fn from_local_seconds(seconds: i64) -> Option<Self> {
        Some(Self { offset_minutes: None, ..Self::from_utc(seconds, 0)? })
    }

    /// The local time read as if it were UTC.
    pub(crate) fn wall_ms(self) -> UnixMillis {
        let utc = self.local.to_zoned(jiff::tz::TimeZone::UTC);
        UnixMillis(utc.map_or(0, |time| time.timestamp().as_millisecond()))
    }

    pub(crate) fn with_offset(self, offset_minutes: Option<i16>) -> Self {
        Self { offset_minutes, ..self }
    }

    /// `Some` unless it is exactly the epoch, which is what a clock that was never set writes.
    fn if_set(self) -> Option<Self> {
        (self.precision < Precision::Day || self.wall_ms().0 != 0).then_some(self)
    }
}

/// A date as EXIF, XMP, IPTC and the containers of movies write it: `2019:05:12 10:15:00`,
/// `2019-05-12T10:15:00.25+02:00`, `20190512`, `1957-06`, `Mon Sep 10 20:52:00 2012`, with any of the
/// separators that cameras get wrong. What is written counts for what it says: `1957:00:00` is a year,
/// a blank stands for a zero (`2003: 6:22 12:05: 3`), and the hour 24 is the day's first.
pub(crate) fn parse(text: &[u8]) -> Option<WallTime> {
    let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let text = text[..end].trim_ascii();
    match text.first()?.is_ascii_digit() {
        true => in_numbers(text).or_else(|| in_words(text)),
        false => in_words(text),
    }?
    .if_set()
}

/// A date that begins with its year in digits.
fn in_numbers(text: &[u8]) -> Option<WallTime> {
    let mut scan = TextScanner { rest: text };
    let run = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if matches!(run, 8 | 12 | 14) {
        let day = WallTime::of_date(scan.number(4, 4)?, scan.number(2, 2)?, scan.number(2, 2)?)?;
        scan.skip(b"T t_");
        let digits = scan.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits < 4 {
            return Some(with_time(day, &mut scan));
        }
        let (hour, minute) = (scan.number(2, 2)?, scan.number(2, 2)?);
        let second = scan.number(2, 2).unwrap_or(0);
        return Some(at_time(day, (hour, minute, second), &mut scan).unwrap_or(day));
    }
    if run != 4 {
        return None;
    }
    let year = scan.number(4, 4)?;
    if scan.one_of(b":-/. ").is_none() {
        return WallTime::of_date(year, 0, 0).filter(|_| scan.rest.is_empty());
    }
    // A part that is blank is not known.
    let month = scan.padded().unwrap_or(0);
    if scan.one_of(b":-/. ").is_none() {
        return WallTime::of_date(year, month, 0).filter(|_| scan.rest.is_empty());
    }
    let day = WallTime::of_date(year, month, scan.padded().unwrap_or(0))?;
    scan.skip(b"T t");
    Some(with_time(day, &mut scan))
}

/// The day with the time of day that follows; the day alone where none does.
fn with_time(day: WallTime, scan: &mut TextScanner<'_>) -> WallTime {
    let clock = |scan: &mut TextScanner<'_>| {
        let hour = scan.padded()?;
        scan.one_of(b":.-h")?;
        let minute = scan.padded()?;
        let second = scan.one_of(b":.-").and_then(|_separator| scan.padded()).unwrap_or(0);
        at_time(day, (hour, minute, second), scan)
    };
    clock(scan).unwrap_or(day)
}

/// The day at a time of day, with the fraction, half of the day and offset that follow. Some phones
/// write 24 for the hour after midnight, and the day that has begun.
fn at_time(
    day: WallTime,
    (hour, minute, second): (u32, u32, u32),
    scan: &mut TextScanner<'_>,
) -> Option<WallTime> {
    if day.precision != Precision::Day {
        return None;
    }
    let millis = scan.one_of(b".,").map_or(0, |_separator| scan.millis());
    let hour = scan.half_of_day(if hour == 24 { 0 } else { hour });
    let offset = scan.offset();
    let date = day.local.date();
    let time = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?);
    Some(WallTime::new((date.year(), date.month(), date.day()), time, millis)?.with_offset(offset))
}

/// `Mon Sep 10 20:52:00 2012`, `Sat, 04 Mar 2017 05:06:07 +0100`, `March 2017`.
fn in_words(text: &[u8]) -> Option<WallTime> {
    let (mut year, mut month, mut day, mut clock, mut offset) = (None, None, None, None, None);
    let words = text.split(|byte| matches!(byte, b' ' | b','));
    for word in words.filter(|word| !word.is_empty()).take(WORDS_MAX) {
        let mut scan = TextScanner { rest: word };
        if word.contains(&b':') {
            let (hour, _, minute) = (scan.number(1, 2)?, scan.one_of(b":")?, scan.number(2, 2)?);
            let second = scan.one_of(b":").and_then(|_colon| scan.number(2, 2)).unwrap_or(0);
            clock = Some((scan.half_of_day(if hour == 24 { 0 } else { hour }), minute, second));
        } else if word[0].is_ascii_digit() {
            match scan.number(1, 4)? {
                number if word.len() == 4 => year = year.or(Some(number)),
                number => day = day.or(Some(number)),
            }
        } else if matches!(word, b"AM" | b"PM" | b"am" | b"pm") {
            clock = clock
                .map(|(hour, minute, second)| (TextScanner { rest: word }.half_of_day(hour), minute, second));
        } else if matches!(word, b"GMT" | b"UTC" | b"Z") {
            offset = Some(0);
        } else if matches!(word[0], b'+' | b'-') {
            offset = scan.offset();
        } else {
            month = month.or_else(|| month_of(word));
        }
    }
    let date = WallTime::of_date(year?, month?, day.unwrap_or(0))?;
    let Some(clock) = clock else { return Some(date) };
    let timed = at_time(date, clock, &mut TextScanner { rest: b"" });
    Some(timed.map_or(date, |time| time.with_offset(offset)))
}

/// The month whose English name begins like this word.
fn month_of(word: &[u8]) -> Option<u32> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let start = word.first_chunk::<3>()?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| month.as_slice() == start)?;
    u32::try_from(at + 1).ok()
}

/// EXIF's date with its own tags for the fraction of a second and the offset.
pub(crate) fn parse_exif(date: &[u8], fraction: Option<&[u8]>, offset: Option<&[u8]>) -> Option<WallTime> {
    let mut time = parse(date)?;
    if let Some(fraction) = fraction {
        let millis = TextScanner { rest: fraction.trim_ascii() }.millis();
        let local = time.local.with().millisecond(i16::try_from(millis).unwrap_or(0)).build();
        time.local = local.unwrap_or(time.local);
    }
    if time.offset_minutes.is_none() {
        time.offset_minutes = offset.and_then(|text| TextScanner { rest: text.trim_ascii() }.offset());
    }
    Some(time)
}

/// Eats a text from the front.
pub(crate) struct TextScanner<'a> {
    pub(crate) rest: &'a [u8],
}

impl TextScanner<'_> {
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

    /// A number of one or two digits, with blanks before it in place of zeros.
    fn padded(&mut self) -> Option<u32> {
        let before = self.rest;
        self.skip(b" ");
        let number = self.number(1, 2);
        if number.is_none() && before.len() - self.rest.len() < 2 {
            self.rest = before;
        }
        number
    }

    /// The hour by the half of the day that follows, if one does.
    fn half_of_day(&mut self, hour: u32) -> u32 {
        let text = self.rest.trim_ascii_start();
        let half = text.get(..2).map(<[u8]>::to_ascii_lowercase);
        let hour = match half.as_deref() {
            Some(b"pm") if (1..12).contains(&hour) => hour + 12,
            Some(b"am") if hour == 12 => 0,
            Some(b"am" | b"pm") => hour,
            _ => return hour,
        };
        self.rest = &text[2..];
        hour
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
            ("2003: 6:22 12:05: 3", "2003-06-22T12:05:03"),
            ("2019:01:01 24:04:20", "2019-01-01T00:04:20"),
            ("2001/ 1/27  1:42PM", "2001-01-27T13:42:00"),
            ("20190512T101500Z", "2019-05-12T10:15:00 +0"),
            ("20190512101500", "2019-05-12T10:15:00"),
            ("MON SEP 10 20:52:00 2012", "2012-09-10T20:52:00"),
            ("Wed Jan 02 02:03:55 2008\n", "2008-01-02T02:03:55"),
            ("Sat, 04 Mar 2017 05:06:07 +0100", "2017-03-04T05:06:07 +60"),
            ("4 Mar 2017 5:06 PM", "2017-03-04T17:06:00"),
        ] {
            assert_eq!(told(text.trim_end_matches('\0')).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_part_of_a_date_counts_for_what_it_says() {
        for (text, expected, precision) in [
            ("1957", "1957-01-01", Precision::Year),
            ("1957:00:00", "1957-01-01", Precision::Year),
            ("1957:00:00 00:00:00", "1957-01-01", Precision::Year),
            ("1957:  :     :  :  ", "1957-01-01", Precision::Year),
            ("1957-06", "1957-06-01", Precision::Month),
            ("1957:06:00 00:00:00", "1957-06-01", Precision::Month),
            ("June 1957", "1957-06-01", Precision::Month),
            ("19570000", "1957-01-01", Precision::Year),
            ("19570600", "1957-06-01", Precision::Month),
            ("19570605", "1957-06-05", Precision::Day),
            ("1957-06-05", "1957-06-05", Precision::Day),
            ("1957:06:05   :  :  ", "1957-06-05", Precision::Day),
            ("2019:02:03 25:10:00", "2019-02-03", Precision::Day),
            ("1970", "1970-01-01", Precision::Year),
        ] {
            let time = parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a date"));
            assert_eq!(
                (time.local.date().to_string().as_str(), time.precision),
                (expected, precision),
                "{text}"
            );
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
            "1970:01:01 00:00:00",
            "1957:00:12",
            "201",
            "20190",
            "2019x",
            "99999999",
            "today",
            "Sep 2012x 10",
            "31 Feb 2012",
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
