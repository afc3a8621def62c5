//! The dates in IPTC-IIM records (*Information Interchange Model* 4.2, 1999, record 2).

use super::capture::StatedDates;
use super::dates::{self, WallTime};

/// The most data sets that are visited.
const DATA_SETS_MAX: usize = 2048;
/// What every data set begins with.
const MARK: u8 = 0x1c;
/// The record of the application, whose data sets 55, 60, 62 and 63 are dates and times.
const APPLICATION: u8 = 2;

/// The dates that IPTC records state. An array of numbers, as some TIFF files have them, may be in the
/// wrong byte order.
pub(crate) fn read(records: &[u8]) -> StatedDates {
    if records.first() != Some(&MARK) && records.get(3) == Some(&MARK) {
        let (words, _rest) = records.as_chunks::<4>();
        let swapped: Vec<u8> = words.iter().flat_map(|[a, b, c, d]| [*d, *c, *b, *a]).collect();
        return in_order(&swapped);
    }
    in_order(records)
}

fn in_order(records: &[u8]) -> StatedDates {
    let (mut created, mut digitized) = (DateAndTime::default(), DateAndTime::default());
    let mut rest = records;
    for _set in 0..DATA_SETS_MAX {
        let Some((record, number, value, after)) = data_set(rest) else { break };
        match (record, number) {
            (APPLICATION, 55) => created.date = Some(value),
            (APPLICATION, 60) => created.time = Some(value),
            (APPLICATION, 62) => digitized.date = Some(value),
            (APPLICATION, 63) => digitized.time = Some(value),
            _ => {}
        }
        rest = after;
    }
    StatedDates {
        original: created.wall_time().into_iter().collect(),
        digitized: digitized.wall_time().into_iter().collect(),
        ..StatedDates::default()
    }
}

/// Record, number and value of the first data set, and what follows it.
fn data_set(bytes: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let [MARK, record, number, high, low, rest @ ..] = bytes else { return None };
    let short = usize::from(u16::from_be_bytes([*high, *low]));
    let (len, rest) = if short & 0x8000 == 0 {
        (short, rest)
    } else {
        // The length's own length, of at most four bytes, comes first.
        let (digits, rest) = rest.split_at_checked(short & 0x7fff).filter(|(digits, _)| digits.len() <= 4)?;
        (digits.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
    };
    let (value, rest) = rest.split_at_checked(len)?;
    Some((*record, *number, value, rest))
}

/// A date and its time of day, which are apart.
#[derive(Default)]
struct DateAndTime<'a> {
    date: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
}

impl DateAndTime<'_> {
    /// `19870304` and `101500+0200`.
    fn wall_time(&self) -> Option<WallTime> {
        let date = dates::parse(self.date?)?;
        let timed = self.time.and_then(|time| dates::parse(&[self.date?, b"T", time].concat()));
        Some(timed.unwrap_or(date))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One data set of the application's record.
    fn set(number: u8, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len()).expect("short").to_be_bytes();
        [&[MARK, 2, number], &len[..], value].concat()
    }

    fn told(records: &[u8]) -> (Vec<String>, Vec<String>) {
        let dates = read(records);
        let told = |times: Vec<WallTime>| {
            times.iter().map(|t| format!("{} {:?}", t.local, t.offset_minutes)).collect()
        };
        (told(dates.original), told(dates.digitized))
    }

    #[test]
    fn dates_and_times_are_joined() {
        let records = [
            set(0, &[0, 4]),
            set(55, b"19870304"),
            set(60, b"101500+0200"),
            set(62, b"20190512"),
            set(63, b"091011"),
        ]
        .concat();
        let expected =
            (vec!["1987-03-04T10:15:00 Some(120)".to_owned()], vec!["2019-05-12T09:10:11 None".to_owned()]);
        assert_eq!(told(&records), expected);
        // As numbers in the wrong byte order, padded to whole ones.
        let mut padded = records;
        padded.resize(padded.len().next_multiple_of(4), 0);
        let swapped: Vec<u8> = padded.chunks_exact(4).flat_map(|w| [w[3], w[2], w[1], w[0]]).collect();
        assert_eq!(told(&swapped), expected);
    }

    #[test]
    fn parts_and_nonsense() {
        assert_eq!(told(&set(55, b"19570000")).0, ["1957-01-01T00:00:00 None"]);
        assert_eq!(told(&[set(55, b"19870304"), set(60, b"xx")].concat()).0, ["1987-03-04T00:00:00 None"]);
        let none = (Vec::<String>::new(), Vec::<String>::new());
        for nonsense in
            [set(55, b"00000000"), set(55, b"never"), set(60, b"101500"), vec![MARK, 2, 55, 0, 200, 1]]
        {
            assert_eq!(told(&nonsense), none);
        }
        // A long data set before it.
        let long = [&[MARK, 2, 120, 0x80, 4, 0, 0, 1, 0][..], &[b'x'; 256]].concat();
        assert_eq!(told(&[long, set(55, b"19870304")].concat()).0, ["1987-03-04T00:00:00 None"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&[&[MARK][..], &bytes].concat());
            read(&bytes);
        }
    }
}
