//! Which of the dates that a file states is when it was captured.
//!
//! The order is the Metadata Working Group's (*Guidelines for Handling Image Metadata* 2.0, 2010, 5.3):
//! original before digitised before modified, and among equals EXIF before IPTC before XMP. What looks
//! like a clock that was never set, or lies in the future, comes after all that does not.

use super::dates::{Precision, WallTime};
use super::name_date::NameDate;
use crate::domain::asset::{DateDoubt, DateSource};
use crate::domain::time::UnixMillis;

/// The most dates that are kept of one kind.
const DATES_MAX: usize = 16;
/// How far ahead of this computer's clock a local time may be: the widest time zone, and a clock that
/// is a little fast.
const FUTURE_SLACK_MS: i64 = 36 * 3_600_000;
/// A computer's clock before 2026 was never set, and tells nothing of the future.
const CLOCK_SET_MS: i64 = 1_767_225_600_000;
/// How far a movie header's time may be from the nearest quarter of an hour of a time in its name:
/// one is written when filming begins, the other often when it ends.
const CLIP_SLACK_SECONDS: i64 = 5 * 60;
/// No place on earth is further from UTC.
const OFFSET_SECONDS_MAX: i64 = 14 * 3600;
/// Time zones differ by quarters of an hour.
const ZONE_STEP_SECONDS: i64 = 15 * 60;

/// The days at which the clocks of cameras, phones and file systems begin, also as seen from the west:
/// QuickTime, Unix, FAT, GPS, and most cameras' own.
const FIRST_DAYS: [(i16, i8, i8); 8] = [
    (1903, 12, 31),
    (1904, 1, 1),
    (1969, 12, 31),
    (1970, 1, 1),
    (1979, 12, 31),
    (1980, 1, 1),
    (1980, 1, 6),
    (2000, 1, 1),
];
/// The first year in which a camera with an unset clock may show the first moment of a year.
const CAMERA_YEAR_MIN: i16 = 1990;

/// The dates that a file states, by what they are dates of, each in the order of trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StatedDates {
    /// When the picture was taken.
    pub(crate) original: Vec<WallTime>,
    /// When it became a file: scanned, digitised, or created by a program.
    pub(crate) digitized: Vec<WallTime>,
    /// When a movie was begun or written, in UTC.
    pub(crate) created_utc: Vec<WallTime>,
    /// When it was last changed.
    pub(crate) modified: Vec<WallTime>,
}

impl StatedDates {
    /// Adds what another part of the file states; it is trusted less than what is there.
    pub(crate) fn append(&mut self, other: Self) {
        extend(&mut self.original, other.original);
        extend(&mut self.digitized, other.digitized);
        extend(&mut self.created_utc, other.created_utc);
        extend(&mut self.modified, other.modified);
    }

    /// Whether something says when the picture was taken.
    pub(crate) fn has_original(&self) -> bool {
        !self.original.is_empty()
    }

    /// Whether nothing but, at most, modification is dated.
    pub(crate) fn is_undated(&self) -> bool {
        self.original.is_empty() && self.digitized.is_empty() && self.created_utc.is_empty()
    }
}

fn extend(dates: &mut Vec<WallTime>, more: Vec<WallTime>) {
    let room = DATES_MAX.saturating_sub(dates.len());
    dates.extend(more.into_iter().take(room));
}

/// A capture date with where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaptureDate {
    pub(crate) time: WallTime,
    pub(crate) source: DateSource,
    pub(crate) doubt: Option<DateDoubt>,
}

/// The best of what a file states and its name tells; `None` where only its modification time is left.
/// `now` is this computer's time.
pub(crate) fn choose(dates: &StatedDates, named: Option<NameDate>, now: UnixMillis) -> Option<CaptureDate> {
    let local = |created: &WallTime| named.and_then(|name| local_of(*created, name)).unwrap_or(*created);
    let mut stated = [dates.original.as_slice(), &dates.digitized].concat();
    stated.extend(dates.created_utc.iter().map(local));
    let captured = |time, source| CaptureDate { time, source, doubt: doubt_of(time, now) };
    let trusted = |times: &[WallTime]| {
        let at = times.iter().position(|time| doubt_of(*time, now).is_none())?;
        Some(completed(times, at))
    };
    let named = named.map(|name| captured(name.time, DateSource::FileName));
    trusted(&stated)
        .map(|time| captured(time, DateSource::Metadata))
        .or_else(|| named.filter(|captured| captured.doubt.is_none()))
        .or_else(|| stated.first().map(|time| captured(*time, DateSource::Metadata)))
        .or(named)
        .or_else(|| trusted(&dates.modified).map(|time| captured(time, DateSource::ModifiedTag)))
}

/// The date at `at`, completed by those that say the same: a year by a day of it, a day by its time, a
/// time by its offset from UTC.
fn completed(times: &[WallTime], at: usize) -> WallTime {
    let mut best = times[at];
    for time in &times[at + 1..] {
        if time.precision > best.precision && is_within(*time, best) {
            best = WallTime { offset_minutes: time.offset_minutes.or(best.offset_minutes), ..*time };
        } else if best.offset_minutes.is_none()
            && best.precision == Precision::Time
            && is_same_second(*time, best)
        {
            // Headers in UTC hold the local time where a camera knows no better.
            best.offset_minutes = time.offset_minutes.filter(|minutes| *minutes != 0);
        }
    }
    best
}

fn is_same_second(a: WallTime, b: WallTime) -> bool {
    a.wall_ms().0.div_euclid(1000) == b.wall_ms().0.div_euclid(1000)
}

fn is_within(time: WallTime, wide: WallTime) -> bool {
    let (a, b) = (time.local, wide.local);
    match wide.precision {
        Precision::Year => a.year() == b.year(),
        Precision::Month => (a.year(), a.month()) == (b.year(), b.month()),
        Precision::Day => a.date() == b.date(),
        Precision::Time => false,
    }
}

/// Why a date is not to be trusted, if it is not.
pub(crate) fn doubt_of(time: WallTime, now: UnixMillis) -> Option<DateDoubt> {
    let utc = time.wall_ms().0 - i64::from(time.offset_minutes.unwrap_or(0)) * 60_000;
    if now.0 >= CLOCK_SET_MS && utc > now.0.saturating_add(FUTURE_SLACK_MS) {
        return Some(DateDoubt::Future);
    }
    is_default(time).then_some(DateDoubt::CameraDefault)
}

/// Whether this is what a clock shows that was never set. A date without its time was written by a
/// person or a program that knew no more.
fn is_default(time: WallTime) -> bool {
    if time.precision < Precision::Time {
        return false;
    }
    let (date, clock) = (time.local.date(), time.local.time());
    let day = (date.year(), date.month(), date.day());
    match (clock.hour(), clock.minute(), clock.second()) {
        // Phones of several makers, 2013 and later.
        (12, 0, 0) if day == (2002, 12, 8) => true,
        // The zeroth day of the zeroth month, as some systems calculate it.
        (0, 0, 0) if day == (1999, 11, 30) => true,
        (0, 0, 0) if day.0 >= CAMERA_YEAR_MIN && (day.1, day.2) == (1, 1) => true,
        _ => FIRST_DAYS.contains(&day),
    }
}

/// A movie's header is in UTC, but a phone puts the local time into the name. Where the two differ
/// by what a time zone can be, the name tells the day that the person remembers.
fn local_of(created_utc: WallTime, named: NameDate) -> Option<WallTime> {
    if !named.has_time() {
        return None;
    }
    let difference = (named.time.wall_ms().0 - created_utc.wall_ms().0) / 1000;
    let zone = (difference + ZONE_STEP_SECONDS / 2).div_euclid(ZONE_STEP_SECONDS) * ZONE_STEP_SECONDS;
    let fits = zone.abs() <= OFFSET_SECONDS_MAX && (difference - zone).abs() <= CLIP_SLACK_SECONDS;
    let offset = i16::try_from(zone / 60).ok()?;
    fits.then_some(WallTime { offset_minutes: Some(offset), ..named.time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dates::parse;
    use crate::media::name_date;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000); // 2027-01-15

    fn times(texts: &[&str]) -> Vec<WallTime> {
        texts.iter().map(|text| parse(text.as_bytes()).expect("a date")).collect()
    }

    fn told(dates: &StatedDates, name: &str) -> (String, DateSource, Option<DateDoubt>) {
        match choose(dates, name_date::find(name.as_bytes()), NOW) {
            Some(captured) => (captured.time.local.to_string(), captured.source, captured.doubt),
            None => ("none".to_owned(), DateSource::ModifiedTime, None),
        }
    }

    #[test]
    fn each_kind_gives_way_to_the_one_before() {
        let mut dates = StatedDates {
            original: times(&["2011:01:01 10:00:00", "2012:01:01 10:00:00"]),
            digitized: times(&["2013:01:01 10:00:00"]),
            created_utc: times(&["2014:01:01 10:00:00"]),
            modified: times(&["2016:01:01 10:00:00"]),
        };
        let name = "IMG_20150101_100000.jpg";
        let mut check = |year: &str, source, name: &str, less: fn(&mut StatedDates)| {
            let (time, from, doubt) = told(&dates, name);
            assert_eq!((&time[..4], from, doubt), (year, source, None));
            less(&mut dates);
        };
        check("2011", DateSource::Metadata, name, |dates| dates.original.clear());
        check("2013", DateSource::Metadata, name, |dates| dates.digitized.clear());
        check("2014", DateSource::Metadata, name, |dates| dates.created_utc.clear());
        check("2015", DateSource::FileName, name, |_same| {});
        check("2016", DateSource::ModifiedTag, "a.jpg", |dates| dates.modified.clear());
        check("none", DateSource::ModifiedTime, "a.jpg", |_same| {});
    }

    #[test]
    fn a_clock_never_set_and_the_future_are_weaker_than_a_name() {
        for (text, doubt) in [
            ("2000:01:01 00:12:34", DateDoubt::CameraDefault),
            ("2002:12:08 12:00:00", DateDoubt::CameraDefault),
            ("1980:01:01 00:00:05", DateDoubt::CameraDefault),
            ("1970:01:01 02:00:00", DateDoubt::CameraDefault),
            ("1904:01:01 00:00:00", DateDoubt::CameraDefault),
            ("2008:01:01 00:00:00", DateDoubt::CameraDefault),
            ("2031:05:06 07:08:09", DateDoubt::Future),
        ] {
            let dates = StatedDates { original: times(&[text]), ..StatedDates::default() };
            let (time, source, none) = told(&dates, "IMG_20130712_165427.jpg");
            assert_eq!(
                (time.as_str(), source, none),
                ("2013-07-12T16:54:27", DateSource::FileName, None),
                "{text}"
            );
            let (_time, source, found) = told(&dates, "a.jpg");
            assert_eq!((source, found), (DateSource::Metadata, Some(doubt)), "{text}");
            // Another date of the file is better still.
            let more = StatedDates { digitized: times(&["2013:07:11 10:00:00"]), ..dates };
            assert_eq!(told(&more, "IMG_20130712_165427.jpg").0, "2013-07-11T10:00:00", "{text}");
        }
        for fine in [
            "2002:12:08 12:00:01",
            "2008:01:01 00:00:01",
            "2000",
            "1970-01",
            "1980-01-01",
            "1950:01:01 00:00:00",
        ] {
            let dates = StatedDates { original: times(&[fine]), ..StatedDates::default() };
            assert_eq!(told(&dates, "IMG_20130712_165427.jpg").2, None, "{fine}");
            assert_eq!(told(&dates, "IMG_20130712_165427.jpg").1, DateSource::Metadata, "{fine}");
        }
    }

    #[test]
    fn a_computer_without_a_clock_knows_no_future() {
        let far = times(&["2031:05:06 07:08:09"])[0];
        assert_eq!(doubt_of(far, UnixMillis(0)), None);
        assert_eq!(doubt_of(far, NOW), Some(DateDoubt::Future));
    }

    #[test]
    fn a_doubtful_name_and_a_doubtful_change_come_last() {
        let dates = StatedDates { modified: times(&["1980:01:01 00:00:00"]), ..StatedDates::default() };
        assert_eq!(told(&dates, "a.jpg").1, DateSource::ModifiedTime);
        let (_, source, doubt) = told(&dates, "IMG_20000101_000102.jpg");
        assert_eq!((source, doubt), (DateSource::FileName, Some(DateDoubt::CameraDefault)));
    }

    #[test]
    fn parts_of_one_date_complete_each_other() {
        let check = |texts: &[&str], expected: &str, offset| {
            let dates = StatedDates { original: times(texts), ..StatedDates::default() };
            let time = choose(&dates, None, NOW).expect("a date").time;
            assert_eq!(
                (time.local.to_string().as_str(), time.offset_minutes),
                (expected, offset),
                "{texts:?}"
            );
        };
        check(&["1957", "1957-06-05", "1957-06-05T10:11:12+02:00"], "1957-06-05T10:11:12", Some(120));
        check(&["1957", "1958-06-05"], "1957-01-01T00:00:00", None);
        check(&["2019:05:12 10:15:00", "2019-05-12T10:15:00.5+02:00"], "2019-05-12T10:15:00", Some(120));
        check(&["2019:05:12 10:15:00", "2019-05-12T10:16:00+02:00"], "2019-05-12T10:15:00", None);
    }
}
