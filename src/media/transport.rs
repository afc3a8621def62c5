//! The camera's clock in an AVCHD stream: a note of Sony's and Panasonic's camcorders (MDPM) in the
//! supplemental enhancement information of its H.264 pictures, in an MPEG transport stream.

use super::bounded_reader::{ReadAt, array, block};
use super::dates::WallTime;

/// How much of the beginning is searched: the first picture carries the note.
const SEARCHED_BYTES: u64 = 512 * 1024;
/// The most streams that are told apart.
const STREAMS_MAX: usize = 16;
/// What the note begins with: its identifier, then its name.
const NOTE: &[u8; 20] = b"\x17\xee\x8c\x60\xf8\x4d\x11\xd9\x8c\xd6\x08\x00\x20\x0c\x9a\x66MDPM";
/// The longest note.
const NOTE_BYTES_MAX: usize = 1024;
/// A zone that is not told.
const NO_ZONE: u8 = 0xff;

/// When it was filmed, by the camera's clock.
pub(crate) fn captured(source: &mut dyn ReadAt) -> Option<WallTime> {
    // Camcorders put the time of arrival before each packet.
    let (before, step) = if array(source, 4) == Some([0x47]) && array(source, 196) == Some([0x47]) {
        (4, 192)
    } else if array(source, 0) == Some([0x47]) {
        (0, 188)
    } else {
        return None;
    };
    let len = source.size().min(SEARCHED_BYTES);
    let bytes = block(source, 0, len, usize::try_from(SEARCHED_BYTES).ok()?)?;
    streams(&bytes, before, step).iter().find_map(|stream| first_note_date(stream))
}

/// The content of each stream, put together from its packets.
fn streams(bytes: &[u8], before: usize, step: usize) -> Vec<Vec<u8>> {
    let mut streams: Vec<(u16, Vec<u8>)> = Vec::new();
    for packet in bytes.chunks_exact(step) {
        let Some([0x47, high, low, flags, rest @ ..]) = packet.get(before..) else { continue };
        let id = u16::from_be_bytes([high & 0x1f, *low]);
        let content = match flags & 0x30 {
            0x10 => Some(rest),
            // An adaptation field comes first.
            0x30 => rest.split_first().and_then(|(len, rest)| rest.get(usize::from(*len)..)),
            _ => None,
        };
        let Some(content) = content else { continue };
        let is_full = streams.len() == STREAMS_MAX;
        match streams.iter_mut().find(|(known, _)| *known == id) {
            Some((_, stream)) => stream.extend(content),
            None if is_full => {}
            None => streams.push((id, content.to_vec())),
        }
    }
    streams.into_iter().map(|(_, stream)| stream).collect()
}

/// The date in the first note of a stream.
fn first_note_date(stream: &[u8]) -> Option<WallTime> {
    let at = stream.windows(NOTE.len()).position(|window| window == NOTE)? + NOTE.len();
    let note = unescaped(stream.get(at..)?);
    let (count, packs) = note.split_first()?;
    let (mut date, mut clock) = (None, None);
    for pack in packs.chunks_exact(5).take(usize::from(*count)) {
        match pack {
            [0x18, zone, century, year, month] => date = Some((*zone, *century, *year, *month)),
            [0x19, day, hour, minute, second] => clock = Some((*day, *hour, *minute, *second)),
            _ => {}
        }
    }
    let (zone, century, year, month) = date?;
    let (day, hour, minute, second) = clock?;
    let year = i16::from(decimal(century)?) * 100 + i16::from(decimal(year)?);
    let date = (year, decimal(month)?, decimal(day)?);
    let time = WallTime::new(date, (decimal(hour)?, decimal(minute)?, decimal(second)?), 0)?;
    Some(time.with_offset(offset(zone)))
}

/// Takes out the bytes that keep content from looking like the start of another unit.
fn unescaped(stream: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for byte in stream.iter().take(NOTE_BYTES_MAX) {
        let is_guard = *byte == 3 && bytes.ends_with(&[0, 0]);
        if !is_guard {
            bytes.push(*byte);
        }
    }
    bytes
}

/// Two decimal digits, four bits each.
fn decimal(byte: u8) -> Option<i8> {
    let (tens, ones) = (byte >> 4, byte & 15);
    (tens < 10 && ones < 10).then(|| i8::try_from(tens * 10 + ones).ok()).flatten()
}

/// Sign, hours and half an hour; a clock that was set forward for summer does not say by how much.
fn offset(zone: u8) -> Option<i16> {
    let minutes = i16::from(zone >> 1 & 15) * 60 + i16::from(zone & 1) * 30;
    let is_told = zone != NO_ZONE && zone & 0xc0 == 0 && minutes <= 14 * 60;
    is_told.then_some(if zone & 0x20 == 0 { minutes } else { -minutes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note(packs: &[[u8; 5]]) -> Vec<u8> {
        [&NOTE[..], &[u8::try_from(packs.len()).expect("few")], &packs.concat()].concat()
    }

    /// The stream in packets of 188 bytes, or of 192 with four before each; `filler` bytes come first.
    fn packets(content: &[u8], before: usize, filler: usize) -> Vec<u8> {
        let content = [&vec![0x55; filler][..], content].concat();
        let mut bytes = Vec::new();
        for part in content.chunks(184) {
            bytes.extend(vec![0; before]);
            let pad = 184 - part.len();
            bytes.extend([0x47, 0x10, 0x11, if pad > 0 { 0x30 } else { 0x10 }]);
            if pad > 0 {
                bytes.push(u8::try_from(pad - 1).expect("short"));
                bytes.extend(vec![0xff; pad - 1]);
            }
            bytes.extend(part);
        }
        bytes.extend(vec![0; before]);
        bytes.extend([0x47, 0, 0, 0x10]);
        bytes.extend([0xff; 184]);
        bytes
    }

    fn told(bytes: &[u8]) -> Option<(String, Option<i16>)> {
        captured(&mut &*bytes).map(|time| (time.local.to_string(), time.offset_minutes))
    }

    const DATE: [[u8; 5]; 2] = [[0x18, 0x02, 0x20, 0x14, 0x07], [0x19, 0x05, 0x16, 0x03, 0x02]];

    #[test]
    fn the_cameras_clock_is_read_wherever_packets_cut_it() {
        for filler in [0, 100, 160, 170, 180, 400] {
            for before in [0, 4] {
                let expected = Some(("2014-07-05T16:03:02".to_owned(), Some(60)));
                assert_eq!(told(&packets(&note(&DATE), before, filler)), expected, "{filler} {before}");
            }
        }
        let guarded = note(&[DATE[0], [0x19, 0x05, 0x00, 0x00, 0x02]]);
        let guarded = [&guarded[..guarded.len() - 1], &[3, 2]].concat();
        assert_eq!(told(&packets(&guarded, 4, 0)).map(|t| t.0).as_deref(), Some("2014-07-05T00:00:02"));
    }

    #[test]
    fn zones_and_nonsense() {
        let zoned =
            |zone| told(&packets(&note(&[[0x18, zone, 0x20, 0x14, 0x07], DATE[1]]), 0, 0)).and_then(|t| t.1);
        assert_eq!(
            (zoned(0x20 | 5 << 1), zoned(5 << 1 | 1), zoned(0x42), zoned(0xff)),
            (Some(-300), Some(330), None, None)
        );
        assert_eq!(told(&packets(&note(&[DATE[0]]), 0, 0)), None);
        assert_eq!(told(&packets(&note(&[[0x18, 2, 0x20, 0x1f, 0x07], DATE[1]]), 0, 0)), None);
        assert_eq!(told(&packets(b"nothing", 0, 0)), None);
        assert_eq!(told(b"no stream"), None);
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = packets(&note(&DATE), 4, 170);
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            captured(&mut bytes.as_slice());
        }
    }
}
