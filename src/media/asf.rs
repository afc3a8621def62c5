//! When a Windows Media file was filmed (*Advanced Systems Format Specification* 1.2).

use super::bounded_reader::{ReadAt, array, block};
use super::capture::StatedDates;
use super::dates::WallTime;

/// The most objects of the header that are visited.
const OBJECTS_MAX: usize = 256;
/// The longest list of descriptions that is read.
const DESCRIPTIONS_BYTES_MAX: usize = 64 * 1024;
/// Seconds from 1601, where Windows' time begins, to 1970.
const EPOCH_SECONDS: i64 = 11_644_473_600;

const FILE_PROPERTIES: [u8; 16] = *b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65";
const DESCRIPTIONS: [u8; 16] = *b"\x40\xa4\xd0\xd2\x07\xe3\xd2\x11\x97\xf0\x00\xa0\xc9\x5e\xa8\x50";

/// The dates that the header states, in UTC.
pub(crate) fn read(source: &mut dyn ReadAt) -> StatedDates {
    let mut created_utc = Vec::new();
    let header_len = array(source, 16).map_or(0, u64::from_le_bytes);
    let end = header_len.min(source.size());
    let mut at = 30;
    for _object in 0..OBJECTS_MAX {
        if at >= end {
            break;
        }
        let Some(len) = array(source, at + 16).map(u64::from_le_bytes).filter(|len| *len >= 24) else {
            break;
        };
        match array(source, at) {
            Some(FILE_PROPERTIES) => {
                created_utc.extend(array(source, at + 48).map(u64::from_le_bytes).and_then(moment));
            }
            Some(DESCRIPTIONS) => {
                let list = block(source, at + 24, len - 24, DESCRIPTIONS_BYTES_MAX).unwrap_or_default();
                // When it was encoded is nearer to the recording than when the file was written.
                if let Some(time) = encoded(&list) {
                    created_utc.insert(0, time);
                }
            }
            _ => {}
        }
        let Some(next) = at.checked_add(len) else { break };
        at = next;
    }
    StatedDates { created_utc, ..StatedDates::default() }
}

/// Steps of 100 ns since 1601.
fn moment(steps: u64) -> Option<WallTime> {
    let seconds = i64::try_from(steps / 10_000_000).ok()?.checked_sub(EPOCH_SECONDS)?;
    let millis = i32::try_from(steps % 10_000_000 / 10_000).ok()?;
    // An empty field is not a date.
    (steps > 0).then(|| WallTime::from_utc(seconds, millis)).flatten()
}

/// `WM/EncodingTime` in a list of descriptions.
fn encoded(list: &[u8]) -> Option<WallTime> {
    let name: Vec<u8> = "WM/EncodingTime".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = list.windows(name.len()).position(|window| window == name)? + name.len();
    // The name's end mark, then type and length of the value: a number of 64 bits.
    let [0, 0, 4, 0, 8, 0, value @ ..] = list.get(at..)? else { return None };
    moment(u64::from_le_bytes(*value.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(id: [u8; 16], body: &[u8]) -> Vec<u8> {
        [&id[..], &(body.len() as u64 + 24).to_le_bytes(), body].concat()
    }

    fn wmv(created: u64, encoded: Option<u64>) -> Vec<u8> {
        let properties = [&[0; 24][..], &created.to_le_bytes(), &[0; 48]].concat();
        let mut objects = object(FILE_PROPERTIES, &properties);
        if let Some(encoded) = encoded {
            let name: Vec<u8> = "WM/EncodingTime\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
            let list = [&[1, 0, 32, 0][..], &name, &[4, 0, 8, 0], &encoded.to_le_bytes()].concat();
            objects.extend(object(DESCRIPTIONS, &list));
        }
        let mut bytes = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c".to_vec();
        bytes.extend((objects.len() as u64 + 30).to_le_bytes());
        bytes.extend([2, 0, 0, 0, 1, 2]);
        bytes.extend(objects);
        bytes
    }

    fn steps(seconds: u64) -> u64 {
        (seconds + EPOCH_SECONDS.unsigned_abs()) * 10_000_000
    }

    #[test]
    fn dates_of_the_file_and_its_encoding_are_read() {
        let told = |bytes: Vec<u8>| {
            read(&mut bytes.as_slice())
                .created_utc
                .iter()
                .map(|time| time.local.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(wmv(steps(1_112_681_228), None)), ["2005-04-05T06:07:08"]);
        assert_eq!(
            told(wmv(steps(1_112_681_228), Some(steps(1_081_145_228)))),
            ["2004-04-05T06:07:08", "2005-04-05T06:07:08"]
        );
        let none: [&str; 0] = [];
        assert_eq!(told(wmv(0, None)), none);
        assert_eq!(told(wmv(u64::MAX, None)), none);
        assert_eq!(told(Vec::new()), none);
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = wmv(steps(1), Some(steps(2)));
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
        }
    }
}
