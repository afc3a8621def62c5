//! What a JPEG 2000 container says beside its pixels (ISO/IEC 15444-1, annex I).

use super::bounded_reader::{ReadAt, array, block};
use super::headers::Header;
use super::isobmff::{XMP_UUID, find, list, u32_at};

/// The longest block that is read.
const BLOCK_BYTES_MAX: usize = 256 * 1024;
/// Names of boxes that hold an EXIF block and IPTC records.
const EXIF_UUID: [u8; 16] = *b"JpgTiffExif->JP2";
const IPTC_UUID: [u8; 16] = *b"\x33\xc7\xa4\xd2\xb8\x1d\x47\x23\xa0\xba\xf1\xa3\xe0\x97\xad\x38";

/// Reads the boxes.
pub(crate) fn read(source: &mut dyn ReadAt) -> Header {
    let mut header = Header::default();
    if array(source, 4) != Some(*b"jP  ") {
        return header;
    }
    let end = source.size();
    for part in list(source, 0, end) {
        let name = array::<16>(source, part.start);
        match (&part.kind, name) {
            (b"jp2h", _) => {
                let measures = find(source, part.start, part.end, b"ihdr");
                header.size =
                    measures.and_then(|ihdr| u32_at(source, ihdr.start + 4).zip(u32_at(source, ihdr.start)));
            }
            (b"uuid", Some(name)) => {
                let slot = match name {
                    EXIF_UUID => &mut header.exif,
                    IPTC_UUID => &mut header.iptc,
                    XMP_UUID => &mut header.xmp,
                    _ => continue,
                };
                let len = part.len().saturating_sub(16);
                *slot = slot.take().or_else(|| block(source, part.start + 16, len, BLOCK_BYTES_MAX));
            }
            _ => {}
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[&[u8]]) -> Vec<u8> {
        let body = body.concat();
        [&u32::try_from(body.len() + 8).expect("short").to_be_bytes()[..], kind, &body].concat()
    }

    fn jp2() -> Vec<u8> {
        [
            boxed(b"jP  ", &[b"\r\n\x87\n"]),
            boxed(b"jp2h", &[&boxed(b"ihdr", &[&[0, 0, 0, 48, 0, 0, 0, 64, 0, 3, 8, 7, 0, 0]])]),
            boxed(b"uuid", &[&EXIF_UUID, b"II*\0"]),
            boxed(b"uuid", &[&IPTC_UUID, b"\x1c\x02"]),
            boxed(b"uuid", &[&XMP_UUID, b"<x/>"]),
            boxed(b"jp2c", &[b"pixels"]),
        ]
        .concat()
    }

    #[test]
    fn blocks_are_found() {
        let header = read(&mut jp2().as_slice());
        assert_eq!(header.size, Some((64, 48)));
        assert_eq!(header.exif.as_deref(), Some(&b"II*\0"[..]));
        assert_eq!(header.iptc.as_deref(), Some(&b"\x1c\x02"[..]));
        assert_eq!(header.xmp.as_deref(), Some(&b"<x/>"[..]));
        assert_eq!(read(&mut &b"\xff\x4f\xff\x51"[..]), Header::default());
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = jp2();
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
        }
    }
}
