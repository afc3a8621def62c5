//! Dates that cameras, phones and messengers write into file names.

use super::dates::{Scan, WallTime};

/// Names with a date in digits alone are only believed from this year on: earlier runs of eight
/// digits are far more often numbers than days.
const DIGITS_YEAR_MIN: i16 = 1990;
/// How much of a name is looked at.
const NAME_BYTES_MAX: usize = 256;

/// A date found in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameDate {
    pub(crate) time: WallTime,
    /// The name also says what time it was.
    pub(crate) has_time: bool,
}

/// The capture date that a file's name tells, such as `IMG_20190512_101500.jpg`,
/// `2019-05-12 10.15.00.jpg`, `Screenshot_2019-05-12-10-15-00.png` or `IMG-20190512-WA0001.jpg`.
pub(crate) fn find(name: &[u8]) -> Option<NameDate> {
    let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
    let starts = (0..name.len()).filter(|at| {
        let is_digit = name[*at].is_ascii_digit();
        is_digit && (*at == 0 || !name[at - 1].is_ascii_digit())
    });
    starts
        .map(|at| &name[at..])
        .find_map(|text| at_digits(text).or_else(|| at_separated(text)))
        .or_else(|| epoch(name))
}

fn date_of(year: u32, month: u32, day: u32) -> Option<(i16, i8, i8)> {
    Some((i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?))
}

fn time_of(hour: u32, minute: u32, second: u32) -> Option<(i8, i8, i8)> {
    let fits = hour < 24 && minute < 60 && second < 60;
    if !fits {
        return None;
    }
    Some((i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?))
}

fn built(date: (i16, i8, i8), time: Option<(i8, i8, i8)>) -> Option<NameDate> {
    let wall = WallTime::new(date, time.unwrap_or((0, 0, 0)), 0)?;
    Some(NameDate { time: wall, has_time: time.is_some() })
}

/// `20190512`, `20190512_101500`, `20190512101500`, `20190512_101500123`.
fn at_digits(text: &[u8]) -> Option<NameDate> {
    let run = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if !matches!(run, 8 | 12 | 14 | 17) {
        return None;
    }
    let mut scan = Scan { rest: text };
    let date = date_of(scan.number(4, 4)?, scan.number(2, 2)?, scan.number(2, 2)?)?;
    if date.0 < DIGITS_YEAR_MIN {
        return None;
    }
    if run == 8 {
        scan.skip(b"_- T.");
        let digits = scan.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let time =
            if matches!(digits, 4 | 6 | 9) { digits_time(&mut scan) } else { separated_time(&mut scan) };
        return built(date, time);
    }
    built(date, Some(digits_time(&mut scan)?))
}

fn digits_time(scan: &mut Scan<'_>) -> Option<(i8, i8, i8)> {
    let (hour, minute) = (scan.number(2, 2)?, scan.number(2, 2)?);
    time_of(hour, minute, scan.number(2, 2).unwrap_or(0))
}

/// `2019-05-12`, `2019_05_12-10_15_00`, `2019-05-12 10.15.00`, `2019-05-12 at 10.15.00 PM`,
/// `2019-05-12-101500`.
fn at_separated(text: &[u8]) -> Option<NameDate> {
    let mut scan = Scan { rest: text };
    let year = scan.number(4, 4)?;
    let separator = scan.one_of(b"-_.")?;
    let month = scan.number(2, 2)?;
    scan.one_of(&[separator])?;
    let date = date_of(year, month, scan.number(2, 2)?)?;
    if scan.rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    scan.skip(b"_- T,");
    if let Some(rest) = scan.rest.strip_prefix(b"at ") {
        scan.rest = rest;
    }
    let digits = scan.rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let time = if matches!(digits, 6 | 9) { digits_time(&mut scan) } else { separated_time(&mut scan) };
    built(date, time)
}

/// `10.15.00`, `10-15-00`, `10h15m00`, `1.05.00 PM`.
fn separated_time(scan: &mut Scan<'_>) -> Option<(i8, i8, i8)> {
    let hour = scan.number(1, 2)?;
    scan.one_of(b".-_:h")?;
    let minute = scan.number(2, 2)?;
    scan.one_of(b".-_:m")?;
    let second = scan.number(2, 2)?;
    // Some systems put a narrow no-break space before the half of the day.
    if let Some(rest) = scan.rest.strip_prefix("\u{202f}".as_bytes()) {
        scan.rest = rest;
    }
    scan.skip(b" _");
    let half = scan.rest.get(..2).map(<[u8]>::to_ascii_lowercase);
    let hour = match half.as_deref() {
        Some(b"pm") if (1..12).contains(&hour) => hour + 12,
        Some(b"am") if hour == 12 => 0,
        _ => hour,
    };
    time_of(hour, minute, second)
}

/// Milliseconds since 1970, as some apps name what they save: `FB_IMG_1557656100000`.
fn epoch(name: &[u8]) -> Option<NameDate> {
    let upper = name.to_ascii_uppercase();
    let digits = upper.strip_prefix(b"FB_IMG_").unwrap_or(&upper);
    let run = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if run != 13 || !matches!(digits.get(13), None | Some(b'.' | b'_' | b'-')) {
        return None;
    }
    let millis = std::str::from_utf8(&digits[..13]).ok()?.parse::<i64>().ok()?;
    let sub = i32::try_from(millis % 1000).ok()?;
    let time = WallTime::from_utc(millis / 1000, sub).filter(|time| time.local.year() >= 2000)?;
    Some(NameDate { time, has_time: true })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(name: &str) -> Option<String> {
        find(name.as_bytes()).map(|found| match found.has_time {
            true => found.time.local.to_string(),
            false => found.time.local.date().to_string(),
        })
    }

    #[test]
    fn names_that_tell() {
        for (name, expected) in [
            ("IMG_20190512_101500.jpg", "2019-05-12T10:15:00"),
            ("IMG_20190512_101500_1.jpg", "2019-05-12T10:15:00"),
            ("VID_20190512_221500.mp4", "2019-05-12T22:15:00"),
            ("PXL_20210812_101500123.jpg", "2021-08-12T10:15:00"),
            ("PXL_20210812_101500123.PORTRAIT.jpg", "2021-08-12T10:15:00"),
            ("20190512_101500.jpg", "2019-05-12T10:15:00"),
            ("20190512101500.jpg", "2019-05-12T10:15:00"),
            ("2019-05-12 10.15.00.jpg", "2019-05-12T10:15:00"),
            ("2019-05-12 10.15.00-2.jpg", "2019-05-12T10:15:00"),
            ("2019_05_12-10_15_00.jpg", "2019-05-12T10:15:00"),
            ("Screenshot_2019-05-12-10-15-00-123_com.app.jpg", "2019-05-12T10:15:00"),
            ("Screenshot_20190512-101500_Chrome.png", "2019-05-12T10:15:00"),
            ("Screenshot from 2019-05-12 10-15-00.png", "2019-05-12T10:15:00"),
            ("Screen Shot 2019-05-12 at 10.15.00 PM.png", "2019-05-12T22:15:00"),
            ("Screenshot 2019-05-12 at 1.05.00\u{202f}PM.png", "2019-05-12T13:05:00"),
            ("WhatsApp Image 2019-05-12 at 12.15.00 AM.jpeg", "2019-05-12T00:15:00"),
            ("IMG-20190512-WA0001.jpg", "2019-05-12"),
            ("signal-2019-05-12-101500.jpg", "2019-05-12T10:15:00"),
            ("signal-2019-05-12-10-15-00-123.jpg", "2019-05-12T10:15:00"),
            ("1985-07-04 Picnic.jpg", "1985-07-04"),
            ("FB_IMG_1557656100000.jpg", "2019-05-12T10:15:00"),
            ("1557656100000.jpg", "2019-05-12T10:15:00"),
            ("photo_2019-05-12_10-15-00.jpg", "2019-05-12T10:15:00"),
        ] {
            assert_eq!(told(name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn names_that_tell_nothing() {
        for name in [
            "IMG_1234.JPG",
            "DSC00012.ARW",
            "20191332.jpg",
            "18991231.jpg",
            "99999999.jpg",
            "123456789.jpg",
            "0000-00-00.jpg",
            "2019-05-123.jpg",
            "2019.jpg",
            "1234567890123456.jpg",
            "1920x1080.jpg",
        ] {
            assert_eq!(told(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_survived(name in prop::collection::vec(any::<u8>(), 0..300)) {
            find(&name);
        }
        #[test]
        fn any_name_of_digits_is_survived(name in "[A-Z]{0,4}[0-9_. -]{0,40}") {
            find(name.as_bytes());
        }
    }
}
