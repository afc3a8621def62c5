//! The chunks of an AVI that say what it is and when it was filmed.

use std::ops::Range;

use super::bounded_reader::{ReadAt, SubReader, array, block};
use super::capture::StatedDates;
use super::dates;
use super::metadata::{Metadata, from_tags};
use super::tiff::{self, ByteOrder};
use super::xmp;

/// The most chunks that are visited on one level.
const CHUNKS_MAX: usize = 1024;
/// How deep lists are followed.
const DEPTH_MAX: usize = 4;
/// The longest text that is read.
const TEXT_BYTES_MAX: u64 = 256;
/// The longest block of a camera's own tags that is read.
const TAGS_BYTES_MAX: usize = 64 * 1024;

/// Reads the chunks.
pub(crate) fn read(source: &mut dyn ReadAt) -> Metadata {
    let mut metadata = Metadata::default();
    let end = source.size();
    walk(source, 12, end, DEPTH_MAX, &mut metadata);
    metadata
}

fn walk(source: &mut dyn ReadAt, start: u64, end: u64, depth: usize, metadata: &mut Metadata) {
    let mut at = start;
    for _chunk in 0..CHUNKS_MAX {
        if at.checked_add(8).is_none_or(|body| body > end) {
            break;
        }
        let Some([kind @ .., a, b, c, d]) = array::<8>(source, at) else { break };
        let (body, len) = (at + 8, u64::from(u32::from_le_bytes([a, b, c, d])));
        let body_end = (body + len).min(end);
        if &kind == b"LIST" {
            let is_wanted = matches!(
                array::<4>(source, body).as_ref(),
                Some(b"hdrl" | b"strl" | b"INFO" | b"ncdt" | b"exif" | b"odml")
            );
            if is_wanted && depth > 0 {
                walk(source, body + 4, body_end, depth - 1, metadata);
            }
        } else {
            chunk(source, kind, body..body_end, metadata);
        }
        at = body + len + (len & 1);
    }
}

/// Reads one chunk, whose content is at `at`.
fn chunk(source: &mut dyn ReadAt, kind: [u8; 4], at: Range<u64>, metadata: &mut Metadata) {
    let (body, len) = (at.start, at.end.saturating_sub(at.start));
    let text = |source: &mut dyn ReadAt, skip: u64| {
        block(source, body + skip, len.saturating_sub(skip).min(TEXT_BYTES_MAX), 256)
    };
    match &kind {
        b"avih" => {
            let number = |source: &mut dyn ReadAt, at| array(source, at).map(u32::from_le_bytes);
            metadata.size = number(source, body + 32).zip(number(source, body + 36));
        }
        b"IDIT" | b"DTIM" => metadata.dates.original.extend(text(source, 0).and_then(|t| dates::parse(&t))),
        b"ICRD" => metadata.dates.digitized.extend(text(source, 0).and_then(|t| dates::parse(&t))),
        b"nctg" => {
            metadata.dates.append(nikon(&block(source, body, len, TAGS_BYTES_MAX).unwrap_or_default()));
        }
        b"_PMX" => {
            let packet = block(source, body, len, xmp::PACKET_BYTES_MAX).unwrap_or_default();
            metadata.dates.append(xmp::read(&packet));
        }
        b"strd" | b"JUNK" => {
            // Directories of EXIF tags, and Olympus' own fields.
            let tags = match array::<4>(source, body).as_ref() {
                Some(b"AVIF") => Some((ByteOrder::Little, 8)),
                Some(b"QVMI") => Some((ByteOrder::Big, 10)),
                Some(b"OLYM") => {
                    metadata.dates.original.extend(text(source, 0x7f).and_then(|t| dates::parse(&t)));
                    None
                }
                _ => None,
            };
            if let Some((order, first)) = tags {
                let found = from_tags(tiff::read_directory(
                    &mut SubReader { source, start: body, len },
                    order,
                    first,
                ));
                metadata.dates.append(found.dates);
                metadata.make = metadata.make.take().or(found.make);
                metadata.model = metadata.model.take().or(found.model);
            }
        }
        _ => {}
    }
}

/// Nikon's tags: number, length and text of each.
fn nikon(tags: &[u8]) -> StatedDates {
    let mut found = StatedDates::default();
    let mut rest = tags;
    while let [t0, t1, l0, l1, after @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*l0, *l1]));
        let Some((value, next)) = after.split_at_checked(len) else { break };
        match u16::from_le_bytes([*t0, *t1]) {
            0x13 => found.original.extend(dates::parse(value)),
            0x14 => found.digitized.extend(dates::parse(value)),
            _ => {}
        }
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::fixture::exif::ExifWriter;

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).expect("short").to_le_bytes();
        [&kind[..], &len, body, &vec![0; body.len() & 1]].concat()
    }

    fn list(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
        chunk(b"LIST", &[&kind[..], &chunks.concat()].concat())
    }

    fn avi(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut header = [0; 56];
        (header[32], header[36]) = (160, 120);
        let hdrl = list(b"hdrl", &[vec![chunk(b"avih", &header)], chunks.to_vec()].concat());
        let movi = list(b"movi", &[vec![7; 30_000]]);
        let info = list(b"INFO", &[chunk(b"ICRD", b"2013-03-04\0")]);
        chunk(b"RIFF", &[&b"AVI "[..], &hdrl, &movi, &info].concat())
    }

    fn told(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let dates = read(&mut &*bytes).dates;
        let told = |times: &[dates::WallTime]| times.iter().map(|time| time.local.to_string()).collect();
        (told(&dates.original), told(&dates.digitized))
    }

    #[test]
    fn dates_stand_in_many_places() {
        let created = || vec!["2013-03-04T00:00:00".to_owned()];
        let nikon = [&[0x13, 0, 20, 0][..], b"2012:09:10 20:52:00\0"].concat();
        let exif = ExifWriter { taken: Some("2012:09:10 20:52:00".to_owned()), ..ExifWriter::default() };
        // The directory of an EXIF block begins at 8, as this one's.
        let casio = [b"AVIF\0\0\0\0", &exif.tiff()[8..]].concat();
        let olympus = [&b"OLYMDigital Camera"[..], &[0; 0x7f - 18], b"Mon Sep 10 20:52:00 2012\0"].concat();
        for (what, part) in [
            ("IDIT", chunk(b"IDIT", b"MON SEP 10 20:52:00 2012\n\0")),
            ("IDIT in numbers", chunk(b"IDIT", b"2012:09:10 20:52:00")),
            ("nctg", list(b"ncdt", &[chunk(b"nctg", &nikon)])),
            ("strd", list(b"strl", &[chunk(b"strd", &casio)])),
            ("JUNK", chunk(b"JUNK", &olympus)),
            ("XMP", chunk(b"_PMX", b"<a exif:DateTimeOriginal='2012-09-10T20:52:00'/>")),
        ] {
            let file = avi(&[part]);
            assert_eq!(told(&file), (vec!["2012-09-10T20:52:00".to_owned()], created()), "{what}");
            assert_eq!(read(&mut file.as_slice()).size, Some((160, 120)));
        }
        assert_eq!(told(&avi(&[chunk(b"IDIT", b"never")])), (Vec::new(), created()));
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = avi(&[chunk(b"IDIT", b"2012:09:10 20:52:00"), list(b"ncdt", &[chunk(b"nctg", &[0x13, 0, 1, 0, 5])])]);
            for (index, byte) in flips {
                bytes[index.index(300)] = byte;
            }
            read(&mut bytes.as_slice());
        }
    }
}
