//! What cameras' RAW files say of themselves, of all makers.

use super::bounded_reader::{ReadAt, SubReader, array, block};
use super::capture::StatedDates;
use super::dates::WallTime;
use super::isobmff::{find, list};
use super::metadata::{Metadata, from_jpeg, from_tags};
use super::tiff::TiffTags;
use super::{ciff, isobmff, tiff, xmp};

/// Canon's box of metadata blocks in a CR3.
const CR3_METADATA: [u8; 16] = *b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
/// Canon's box with a CR3's preview.
const CR3_PREVIEW: [u8; 16] = *b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";
/// The most blocks of a Minolta file, and sections of a Sigma file.
const BLOCKS_MAX: u64 = 64;
/// The most properties of a Sigma file.
const PROPERTIES_MAX: usize = 512;
/// The longest list of properties that is read.
const PROPERTIES_BYTES_MAX: usize = 64 * 1024;
/// The most embedded pictures that are asked for a date.
const PREVIEWS_ASKED_MAX: usize = 4;

/// Reads a RAW file. Where it states no date itself, its embedded pictures are asked.
pub(crate) fn read(source: &mut dyn ReadAt) -> Metadata {
    let mut metadata = read_by_maker(source);
    if metadata.dates.is_undated() {
        for preview in metadata.previews.iter().take(PREVIEWS_ASKED_MAX).cloned().collect::<Vec<_>>() {
            let len = preview.end.saturating_sub(preview.start);
            let inner = from_jpeg(&mut SubReader { source, start: preview.start, len });
            metadata.dates.append(inner.dates);
        }
    }
    metadata
}

fn read_by_maker(source: &mut dyn ReadAt) -> Metadata {
    if let Some(tags) = tiff::read(source) {
        return from_tags(tags);
    }
    match array::<4>(source, 0).as_ref() {
        Some(b"FUJI") => fuji(source),
        Some(b"\0MRM" | b"\0MRI") => minolta(source),
        Some(b"FOVb") => sigma(source),
        Some([b'I', b'I', 0x1a, 0]) => read_canon_heap(source),
        _ => cr3(source),
    }
    .unwrap_or_default()
}

/// A RAF says where its JPEG is, and that carries the EXIF block.
fn fuji(source: &mut dyn ReadAt) -> Option<Metadata> {
    let start = u64::from(isobmff::u32_at(source, 84)?);
    let len = u64::from(isobmff::u32_at(source, 88)?);
    let inner = from_jpeg(&mut SubReader { source, start, len });
    Some(Metadata { previews: std::iter::once(start..start.saturating_add(len)).collect(), ..inner })
}

/// A CRW, or the heap in a JPEG.
pub(crate) fn read_canon_heap(source: &mut dyn ReadAt) -> Option<Metadata> {
    let heap = ciff::read(source)?;
    let dates = StatedDates { original: heap.taken.into_iter().collect(), ..StatedDates::default() };
    Some(Metadata {
        dates,
        size: heap.size,
        make: heap.make,
        model: heap.model,
        previews: heap.previews,
        ..Metadata::default()
    })
}

/// An MRW is a list of blocks before the pixels; one of them is a TIFF.
fn minolta(source: &mut dyn ReadAt) -> Option<Metadata> {
    let is_little = array::<4>(source, 0)? == *b"\0MRI";
    let number = |source: &mut dyn ReadAt, at| {
        let bytes = array(source, at)?;
        let number = if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        Some(u64::from(number))
    };
    let end = number(source, 4)?.checked_add(8)?.min(source.size());
    let mut at = 8;
    for _block in 0..BLOCKS_MAX {
        if at >= end {
            break;
        }
        let (kind, len) = (array::<4>(source, at)?, number(source, at + 4)?);
        if &kind == b"\0TTW" {
            let tags = tiff::read(&mut SubReader { source, start: at + 8, len })?;
            // Where they would be is told from the block's own start.
            return Some(Metadata { previews: Vec::new(), ..from_tags(tags) });
        }
        at = at.checked_add(8)?.checked_add(len)?;
    }
    None
}

/// An X3F ends in a list of its sections; one holds properties, others pictures.
fn sigma(source: &mut dyn ReadAt) -> Option<Metadata> {
    let number = |source: &mut dyn ReadAt, at| array(source, at).map(u32::from_le_bytes).map(u64::from);
    let end = source.size();
    let directory = number(source, end.checked_sub(4)?)?;
    if array::<4>(source, directory)? != *b"SECd" {
        return None;
    }
    let mut metadata = Metadata::default();
    let count = number(source, directory + 8)?;
    for index in 0..count.min(BLOCKS_MAX) {
        let entry = directory + 12 + index * 12;
        let (start, len) = (number(source, entry)?, number(source, entry + 4)?);
        match array::<4>(source, entry + 8)?.as_ref() {
            b"PROP" => {
                let section = block(source, start, len, PROPERTIES_BYTES_MAX).unwrap_or_default();
                for (name, value) in properties(&section) {
                    match name.as_str() {
                        "TIME" => {
                            let time = value.parse().ok().and_then(WallTime::from_local_seconds);
                            metadata.dates.original.extend(time);
                        }
                        "CAMMANUF" => metadata.make = Some(value),
                        "CAMMODEL" => metadata.model = Some(value),
                        _ => {}
                    }
                }
            }
            // Behind 28 bytes of version, type, format (18 is JPEG), width, height and row size.
            b"IMA2" | b"IMAG" if number(source, start + 8) == Some(18) => {
                let end = start.saturating_add(len);
                metadata.previews.push(start.saturating_add(28).min(end)..end);
            }
            _ => {}
        }
    }
    Some(metadata)
}

/// Names and values of a section of properties: places in a text of 16-bit characters.
fn properties(section: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize| {
        let bytes = section.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let Some(count) = number(8).filter(|_| section.starts_with(b"SECp")) else { return Vec::new() };
    let count = count.min(PROPERTIES_MAX);
    let text = section.get(24 + count * 8..).unwrap_or_default();
    let units: Vec<u16> = text.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let word = |at: usize| {
        let units = units.get(at..)?;
        let end = units.iter().position(|unit| *unit == 0)?;
        Some(String::from_utf16_lossy(&units[..end]).replace(char::is_control, ""))
    };
    let pair = |index: usize| {
        let at = 24 + index * 8;
        Some((word(number(at)?)?, word(number(at + 4)?)?)).filter(|(_, value)| !value.is_empty())
    };
    (0..count).filter_map(pair).collect()
}

fn cr3(source: &mut dyn ReadAt) -> Option<Metadata> {
    let end = source.size();
    let moov = find(source, 0, end, b"moov")?;
    let canon = list(source, moov.start, moov.end);
    let canon =
        canon.into_iter().find(|b| &b.kind == b"uuid" && array(source, b.start) == Some(CR3_METADATA))?;
    let mut tags = TiffTags::default();
    for part in list(source, canon.start + 16, canon.end) {
        let mut block = SubReader { source, start: part.start, len: part.len() };
        match &part.kind {
            b"CMT1" => {
                let image = tiff::read(&mut block).unwrap_or_default();
                tags = TiffTags {
                    original: tags.original,
                    digitized: tags.digitized,
                    previews: Vec::new(),
                    ..image
                };
            }
            b"CMT2" => {
                let exif = tiff::read(&mut block).unwrap_or_default();
                (tags.original, tags.digitized) = (exif.original, exif.digitized);
            }
            _ => {}
        }
    }
    let mut metadata = from_tags(tags);
    for part in list(source, 0, end) {
        if &part.kind != b"uuid" {
            continue;
        }
        match array(source, part.start) {
            Some(CR3_PREVIEW) => {
                // Eight bytes of version and count, then the preview's box: six fields, then its JPEG.
                if let Some(preview) = find(source, part.start + 24, part.end, b"PRVW") {
                    metadata.previews.push((preview.start + 16).min(preview.end)..preview.end);
                }
            }
            Some(isobmff::XMP_UUID) => {
                let len = part.len().saturating_sub(16);
                let packet = block(source, part.start + 16, len, xmp::PACKET_BYTES_MAX);
                metadata.dates.append(packet.map(|packet| xmp::read(&packet)).unwrap_or_default());
            }
            _ => {}
        }
    }
    Some(metadata)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::ciff::tests::heap;
    use crate::media::fixture::exif::ExifWriter;

    fn exif(taken: &str) -> Vec<u8> {
        ExifWriter { taken: Some(taken.to_owned()), ..ExifWriter::default() }.tiff()
    }

    fn mrw() -> Vec<u8> {
        let block = |kind: &[u8; 4], body: &[u8]| {
            [&kind[..], &u32::try_from(body.len()).expect("short").to_be_bytes(), body].concat()
        };
        let blocks = [block(b"\0PRD", &[0; 24]), block(b"\0TTW", &exif("2003:04:05 06:07:08"))].concat();
        [b"\0MRM", &u32::try_from(blocks.len()).expect("short").to_be_bytes()[..], &blocks, &[0; 64]].concat()
    }

    /// A Sigma file with these properties, and a JPEG where there is one.
    fn x3f(properties: &[(&str, &str)], jpeg: &[u8]) -> Vec<u8> {
        let number = |n: usize| u32::try_from(n).expect("short").to_le_bytes();
        let (mut text, mut places) = (Vec::new(), Vec::new());
        for word in properties.iter().flat_map(|(name, value)| [name, value]) {
            places.extend(number(text.len() / 2));
            text.extend(word.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        }
        let section = [
            &b"SECp\0\0\x02\0"[..],
            &number(properties.len()),
            &[0; 8],
            &number(text.len() / 2),
            &places,
            &text,
        ]
        .concat();
        let image = [&b"SECi\0\0\x02\0\x02\0\0\0\x12\0\0\0"[..], &[0; 12], jpeg].concat();
        // The format stands eight bytes behind the section's start.
        let image = [&image[..8], &number(18), &image[12..]].concat();
        let head = [&b"FOVb\0\0\x02\0"[..], &[0; 32]].concat();
        let mut bytes = [head.clone(), section.clone(), image.clone()].concat();
        let directory = bytes.len();
        bytes.extend([&b"SECd\0\0\x02\0"[..], &number(2)].concat());
        bytes.extend([&number(head.len())[..], &number(section.len()), b"PROP"].concat());
        bytes.extend([&number(head.len() + section.len())[..], &number(image.len()), b"IMA2"].concat());
        bytes.extend(number(directory));
        bytes
    }

    fn taken(bytes: &[u8]) -> Option<String> {
        read(&mut &*bytes).dates.original.first().map(|time| time.local.to_string())
    }

    #[test]
    fn every_makers_date_is_read() {
        let jpeg = crate::media::fixture::Photo {
            taken: Some("2003:04:05 06:07:08"),
            ..crate::media::fixture::Photo::new(1)
        }
        .jpeg();
        let number = |n: usize| u32::try_from(n).expect("short").to_be_bytes();
        let raf = [&b"FUJIFILMCCD-RAW 0201"[..], &[0; 64], &number(100), &number(jpeg.len()), &[0; 8], &jpeg]
            .concat();
        let expected = Some("2003-04-05T06:07:08");
        for (what, bytes) in [
            ("CRW", heap(b"HEAPCCDR", 1_049_522_828)),
            ("MRW", mrw()),
            ("X3F", x3f(&[("TIME", "1049522828"), ("CAMMODEL", "SD9")], b"")),
            ("X3F by its JPEG", x3f(&[("CAMMODEL", "SD1")], &jpeg)),
            ("RAF", raf),
            ("ORF", [b"IIRO", &exif("2003:04:05 06:07:08")[4..]].concat()),
            ("RW2", [b"IIU\0", &exif("2003:04:05 06:07:08")[4..]].concat()),
        ] {
            assert_eq!(taken(&bytes).as_deref(), expected, "{what}");
        }
        let sigma = read(&mut x3f(&[("TIME", "soon"), ("CAMMODEL", "SD9")], b"").as_slice());
        assert_eq!((sigma.model.as_deref(), sigma.dates.is_undated()), (Some("SD9"), true));
    }

    proptest! {
        #[test]
        fn damage_is_survived(
            which in 0_usize..3,
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            let mut bytes = match which {
                0 => mrw(),
                1 => x3f(&[("TIME", "1049522828"), ("CAMMODEL", "SD9")], b"\xff\xd8\xff\xd9"),
                _ => heap(b"HEAPCCDR", 1),
            };
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
        }
    }
}
