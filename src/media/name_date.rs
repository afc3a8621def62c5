//! Dates that cameras, phones and messengers write into file names.

use super::dates::{Precision, TextScanner, WallTime};

/// Names with a date in digits alone are only believed from this year on: earlier runs of eight
/// digits are far more often numbers than days.
const DIGITS_YEAR_MIN: i16 = 1990;
/// How much of a name is looked at.
const NAME_BYTES_MAX: usize = 256;

/// A date found in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameDate {
    pub(crate) time: WallTime,
}

impl NameDate {
    /// Whether the name also says what time it was.
    pub(crate) fn has_time(self) -> bool {
        self.time.precision == Precision::Time
    }
}

/// What comes before a number that is not a date: identifiers of LINE, Snapchat and Messenger.
const NUMBERED: [&[u8]; 3] = [b"s__", b"snapchat-", b"received_"];
/// What apps put before milliseconds since 1970. Compared without case.
const EPOCH_PREFIXES: [&[u8]; 14] = [
    b"",
    b"fb_img_",
    b"fb_vid_",
    b"mmexport",
    b"wx_camera_",
    b"micromsg.",
    b"img_",
    b"img-",
    b"vid_",
    b"image_",
    b"video_",
    b"photo_",
    b"line_",
    b"screenshot_",
];
/// Seconds since 1970 are believed from 2010 on: ten digits before are more often month, day, year, hour
/// and minute, as American phones wrote them.
const EPOCH_SECONDS_MIN: i64 = 1_262_304_000;

/// The capture date that a file's name tells, such as `IMG_20190512_101500.jpg`,
/// `2019-05-12 10.15.00.jpg`, `Screenshot_2019-05-12-10-15-00.png` or `IMG-20190512-WA0001.jpg`.
pub(crate) fn find(name: &[u8]) -> Option<NameDate> {
    let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
    if NUMBERED.iter().any(|prefix| starts_with(name, prefix)) {
        return None;
    }
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
    let precision = if time.is_some() { Precision::Time } else { Precision::Day };
    Some(NameDate { time: WallTime { precision, ..wall } })
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// `20190512`, `20190512_101500`, `20190512101500`, `20190512_101500123`.
fn at_digits(text: &[u8]) -> Option<NameDate> {
    let run = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if !matches!(run, 8 | 12 | 14 | 17) {
        return None;
    }
    let mut scan = TextScanner { rest: text };
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

fn digits_time(scan: &mut TextScanner<'_>) -> Option<(i8, i8, i8)> {
    let (hour, minute) = (scan.number(2, 2)?, scan.number(2, 2)?);
    time_of(hour, minute, scan.number(2, 2).unwrap_or(0))
}

/// `2019-05-12`, `2019_05_12-10_15_00`, `2019-05-12 10.15.00`, `2019-05-12 at 10.15.00 PM`,
/// `2019-05-12-101500`.
fn at_separated(text: &[u8]) -> Option<NameDate> {
    let mut scan = TextScanner { rest: text };
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
fn separated_time(scan: &mut TextScanner<'_>) -> Option<(i8, i8, i8)> {
    let hour = scan.number(1, 2)?;
    scan.one_of(b".-_:h ")?;
    let minute = scan.number(2, 2)?;
    scan.one_of(b".-_:m ")?;
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

/// Milliseconds since 1970, as apps name what they save (`FB_IMG_1557656100000`, `mmexport1557656100000`),
/// or seconds where the name is nothing else.
fn epoch(name: &[u8]) -> Option<NameDate> {
    let digits = EPOCH_PREFIXES.iter().filter(|prefix| starts_with(name, prefix)).map(|p| &name[p.len()..]);
    let digits = digits.max_by_key(|rest| usize::from(rest.first().is_some_and(u8::is_ascii_digit)))?;
    let run = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if !matches!(digits.get(run), None | Some(b'.' | b'_' | b'-' | b'(' | b' ')) {
        return None;
    }
    let number = std::str::from_utf8(&digits[..run]).ok()?.parse::<i64>().ok()?;
    let time = match run {
        13 => WallTime::from_utc(number / 1000, i32::try_from(number % 1000).ok()?),
        10 if digits.len() == name.len() && number >= EPOCH_SECONDS_MIN => WallTime::from_utc(number, 0),
        _ => None,
    };
    Some(NameDate { time: time.filter(|time| time.local.year() >= 2000)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(name: &str) -> Option<String> {
        find(name.as_bytes()).map(|found| match found.has_time() {
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
            ("1557656100.jpg", "2019-05-12T10:15:00"),
            ("1557656100000(1).jpg", "2019-05-12T10:15:00"),
            ("mmexport1557656100000.jpg", "2019-05-12T10:15:00"),
            ("wx_camera_1557656100000.jpg", "2019-05-12T10:15:00"),
            ("WP_20150706_12_13_14_Pro.jpg", "2015-07-06T12:13:14"),
            ("WP_20150706_001.jpg", "2015-07-06"),
            ("DJI_20210603101500_0001_D.JPG", "2021-06-03T10:15:00"),
            ("MVIMG_20190512_101500.jpg", "2019-05-12T10:15:00"),
            ("20190512_101500(0).jpg", "2019-05-12T10:15:00"),
            ("00000IMG_00000_BURST20190512101500123_COVER.jpg", "2019-05-12T10:15:00"),
            ("C360_2014-05-12-10-15-00-123.jpg", "2014-05-12T10:15:00"),
            ("viber_image_2019-05-12_10-15-00.jpg", "2019-05-12T10:15:00"),
            ("2019-05-12 10 15 00.jpg", "2019-05-12T10:15:00"),
            ("2019-05-12 3 friends.jpg", "2019-05-12"),
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
            "S__20190512.jpg",
            "Snapchat-1557656100.jpg",
            "received_20190512101500.jpeg",
            "1012191015.jpg",
            "9781234567897.jpg",
            "mmexport15576561000001.jpg",
            "scan1557656100.jpg",
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
