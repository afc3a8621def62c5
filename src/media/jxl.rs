//! What a JPEG XL container says beside its pixels (ISO/IEC 18181-2). A bare codestream says nothing.

use super::bounded_reader::{ReadAt, array, block};
use super::headers::Header;
use super::inflate;
use super::isobmff::list;

/// The longest block that is read, packed or not.
const BLOCK_BYTES_MAX: usize = 256 * 1024;

/// Reads the boxes.
pub(crate) fn read(source: &mut dyn ReadAt) -> Header {
    let mut header = Header::default();
    if array(source, 4) != Some(*b"JXL ") {
        return header;
    }
    let end = source.size();
    for part in list(source, 0, end) {
        let mut take = |kind: &[u8; 4], bytes: Option<Vec<u8>>| match kind {
            b"Exif" => header.exif = header.exif.take().or(bytes),
            b"xml " => header.xmp = header.xmp.take().or(bytes),
            _ => {}
        };
        match &part.kind {
            // The kind of the box that is packed in it comes first.
            b"brob" => {
                let packed = block(source, part.start, part.len(), BLOCK_BYTES_MAX).unwrap_or_default();
                if let Some((kind @ (b"Exif" | b"xml "), packed)) = packed.split_first_chunk() {
                    take(kind, inflate::brotli(packed, BLOCK_BYTES_MAX));
                }
            }
            kind @ (b"Exif" | b"xml ") => {
                take(kind, block(source, part.start, part.len(), BLOCK_BYTES_MAX));
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

    fn jxl(boxes: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0\0\0\x0cJXL \r\n\x87\n".to_vec();
        for (kind, body) in boxes {
            bytes.extend(u32::try_from(body.len() + 8).expect("short").to_be_bytes());
            bytes.extend(*kind);
            bytes.extend(*body);
        }
        bytes
    }

    #[test]
    fn boxes_are_read_packed_or_not() {
        let header =
            read(&mut jxl(&[(b"ftyp", b"jxl "), (b"Exif", b"\0\0\0\0II*\0"), (b"xml ", b"<x/>")]).as_slice());
        assert_eq!(header.exif.as_deref(), Some(&b"\0\0\0\0II*\0"[..]));
        assert_eq!(header.xmp.as_deref(), Some(&b"<x/>"[..]));
        // "text", stored as it is by Brotli (RFC 7932).
        let packed = b"xml \x8b\x01\x80text\x03";
        let header = read(&mut jxl(&[(b"brob", packed), (b"brob", b"jbrd\0")]).as_slice());
        assert_eq!(header.xmp.as_deref(), Some(&b"text"[..]));
        assert_eq!(read(&mut &b"\xff\x0a\0\0"[..]), Header::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&mut jxl(&[(b"brob", &[b"Exif", bytes.as_slice()].concat()), (b"xml ", &bytes)]).as_slice());
            read(&mut [&jxl(&[])[..], &bytes].concat().as_slice());
        }
    }
}
