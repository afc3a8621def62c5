//! Numbers, sizes, durations and dates as people read them, for the window and the command line.
//!
//! Everything is a pure function; the time now is always an argument.

use std::time::Duration;

use super::time::{Day, UnixMillis};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Groups of three with a space that does not break: `18 204`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 photo`, `2 photos`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// `file` or `files` with their number.
pub fn files(n: u64) -> String {
    counted(n, "file", "files")
}

/// `copy` or `copies` with their number.
pub fn copies(n: u64) -> String {
    counted(n, "copy", "copies")
}

/// Bytes in decimal units, as file managers show them: `3.8 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut whole = n;
    let mut tenths = 0;
    let mut unit = 0;
    for (i, _) in UNITS.iter().enumerate() {
        let scaled = whole;
        whole = scaled / 1000;
        tenths = scaled % 1000 / 100;
        unit = i;
        if whole < 1000 {
            break;
        }
    }
    if whole < 100 { format!("{whole}.{tenths} {}", UNITS[unit]) } else { format!("{whole} {}", UNITS[unit]) }
}

/// Bytes a second.
pub fn speed(n: u64) -> String {
    format!("{}/s", bytes(n))
}

/// A duration in one short unit, rounded up: `59 s`, `4 min`, `25 h`, `3 days`. Never less than 1 s.
pub fn duration(secs: u64) -> String {
    match secs {
        0..MINUTE => format!("{} s", secs.max(1)),
        MINUTE..5_400 => format!("{} min", secs.div_ceil(MINUTE)),
        5_400..172_800 => format!("{} h", secs.div_ceil(HOUR)),
        _ => format!("{} days", secs.div_ceil(DAY)),
    }
}

/// What is left, coarse enough not to flicker: `about 4 minutes left`.
pub fn time_left(secs: u64) -> String {
    let text = match secs {
        0..=9 => return "a few seconds left".to_owned(),
        10..=59 => return "less than a minute left".to_owned(),
        60..HOUR => counted(secs.div_ceil(MINUTE), "minute", "minutes"),
        HOUR..DAY => counted(secs.div_ceil(HOUR), "hour", "hours"),
        _ => counted(secs.div_ceil(DAY), "day", "days"),
    };
    format!("about {text} left")
}

/// How long ago: `just now`, `3 days ago`.
pub fn age(then: UnixMillis, now: UnixMillis) -> String {
    let secs = now.since(then).as_secs();
    let text = match secs {
        0..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => counted(secs / MINUTE, "minute", "minutes"),
        HOUR..DAY => counted(secs / HOUR, "hour", "hours"),
        _ if secs < 60 * DAY => counted(secs / DAY, "day", "days"),
        _ if secs < 730 * DAY => counted(secs / (30 * DAY), "month", "months"),
        _ => counted(secs / (365 * DAY), "year", "years"),
    };
    format!("{text} ago")
}

/// How long until: `in 4 minutes`, `now`.
pub fn until(then: UnixMillis, now: UnixMillis) -> String {
    let secs = then.since(now).as_secs();
    match secs {
        0 => "now".to_owned(),
        1..MINUTE => "in less than a minute".to_owned(),
        MINUTE..HOUR => format!("in {}", counted(secs.div_ceil(MINUTE), "minute", "minutes")),
        HOUR..DAY => format!("in {}", counted(secs.div_ceil(HOUR), "hour", "hours")),
        _ => format!("in {}", counted(secs.div_ceil(DAY), "day", "days")),
    }
}

/// When an [`age`] or an [`until`] of this time next reads otherwise.
pub fn next_change(then: UnixMillis, now: UnixMillis) -> Duration {
    let apart = now.since(then).max(then.since(now)).as_secs();
    Duration::from_secs(match apart {
        0..HOUR => MINUTE,
        HOUR..DAY => 10 * MINUTE,
        _ => HOUR,
    })
}

/// Reads RFC 3339; nothing for anything else.
pub fn parse_time(text: &str) -> Option<UnixMillis> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(UnixMillis(time.as_millisecond()))
}

/// `May 2019`.
pub fn month_and_year(day: Day) -> String {
    let (year, month, _) = day.parts();
    format!("{} {year}", month_name(month))
}

/// `May 2019`, or `January to May 2019` where the days are further apart.
pub fn months_and_year(newest: Day, oldest: Day) -> String {
    let (_, last, _) = newest.parts();
    let (_, first, _) = oldest.parts();
    let text = month_and_year(newest);
    if first == last { text } else { format!("{} to {text}", month_name(first)) }
}

/// With a capital letter at its start.
pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn month_name(month: i32) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m)).copied().unwrap_or("Undated")
}

/// `Sun 12 May`: the year stands in the heading above.
pub fn short_day(day: Day) -> String {
    let (_, month, of_month) = day.parts();
    match weekday(day) {
        Some(weekday) => format!("{weekday} {of_month} {}", short_month(month)),
        None => "Undated".to_owned(),
    }
}

/// `12 May 2019`.
pub fn long_day(day: Day) -> String {
    let (year, month, of_month) = day.parts();
    format!("{of_month} {} {year}", month_name(month))
}

fn short_month(month: i32) -> &'static str {
    let name = month_name(month);
    name.get(..3).unwrap_or(name)
}

fn weekday(day: Day) -> Option<&'static str> {
    let (year, month, of_month) = day.parts();
    let date = jiff::civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(of_month).ok()?,
    )
    .ok()?;
    let index = usize::try_from(date.weekday().to_sunday_zero_offset()).ok()?;
    WEEKDAYS.get(index).copied()
}

/// Wall clock milliseconds as the day they fall on.
pub fn day_of(wall_ms: i64) -> Day {
    let time = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    Day(i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day()))
}

/// Wall clock milliseconds as `12 May 2019, 10:15`.
pub fn long_time(wall_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let clock = time.to_zoned(jiff::tz::TimeZone::UTC).time();
    format!("{}, {:02}:{:02}", long_day(day_of(wall_ms)), clock.hour(), clock.minute())
}

/// An offset from UTC as `UTC+02:00`.
pub fn utc_offset(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let apart = minutes.unsigned_abs();
    format!("UTC{sign}{:02}:{:02}", apart / 60, apart % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(18_204), "18\u{a0}204");
        assert_eq!(number(1_234_567), "1\u{a0}234\u{a0}567");
        assert_eq!(files(1), "1 file");
        assert_eq!(bytes(1), "1 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(3_840_000), "3.8 MB");
        assert_eq!(bytes(312_000_000_000), "312 GB");
        assert_eq!(bytes(u64::MAX), "18.4 EB");
    }

    #[test]
    fn times() {
        let now = UnixMillis(1_700_000_000_000);
        let ago = |secs: i64| UnixMillis(now.0 - secs * 1000);
        assert_eq!(age(now, now), "just now");
        assert_eq!(age(ago(60), now), "1 minute ago");
        assert_eq!(age(ago(3 * 86_400), now), "3 days ago");
        assert_eq!(age(ago(200 * 86_400), now), "6 months ago");
        assert_eq!(age(ago(-500), now), "just now");
        assert_eq!(until(ago(-240), now), "in 4 minutes");
        assert_eq!(until(ago(5), now), "now");
        assert_eq!(time_left(3), "a few seconds left");
        assert_eq!(time_left(61), "about 2 minutes left");
        assert_eq!(time_left(7200), "about 2 hours left");
        assert_eq!(parse_time("2026-11-22T15:00:00Z"), Some(UnixMillis(1_795_359_600_000)));
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn durations() {
        let texts = [0, 59, 60, 61, 3_600, 5_400, 90_000, 200_000].map(duration);
        assert_eq!(texts, ["1 s", "59 s", "1 min", "2 min", "60 min", "2 h", "25 h", "3 days"]);
    }

    #[test]
    fn days() {
        assert_eq!(short_day(Day(20190512)), "Sun 12 May");
        assert_eq!(long_day(Day(20190512)), "12 May 2019");
        assert_eq!(month_and_year(Day(20190512)), "May 2019");
        assert_eq!(short_day(Day(20191340)), "Undated");
        assert_eq!(months_and_year(Day(20190512), Day(20190501)), "May 2019");
        assert_eq!(months_and_year(Day(20190512), Day(20190131)), "January to May 2019");
        assert_eq!(capitalize("read back"), "Read back");
        assert_eq!(capitalize(""), "");
        assert_eq!(day_of(-1), Day(19691231));
        assert_eq!(long_time(1_557_656_100_000), "12 May 2019, 10:15");
        assert_eq!(utc_offset(-90), "UTC-01:30");
    }
}
