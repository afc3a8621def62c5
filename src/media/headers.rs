//! The beginnings of PNG, WebP, GIF and BMP files.

use super::bytes::{ReadAt, array, block};

/// The most chunks that are visited.
const CHUNKS_MAX: usize = 512;
/// The longest EXIF or XMP block that is read.
const BLOCK_BYTES_MAX: usize = 256 * 1024;

/// What a picture's header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) size: Option<(u32, u32)>,
    /// The EXIF block, a TIFF.
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
}

pub(crate) fn png(source: &mut dyn ReadAt) -> Header {
    let mut header = Header::default();
    let mut at = 8;
    for _chunk in 0..CHUNKS_MAX {
        let Some([a, b, c, d, kind @ ..]) = array::<8>(source, at) else { break };
        let (body, len) = (at + 8, u64::from(u32::from_be_bytes([a, b, c, d])));
        match &kind {
            b"IHDR" => {
                let number = |source: &mut dyn ReadAt, at| array(source, at).map(u32::from_be_bytes);
                header.size = number(source, body).zip(number(source, body + 4));
            }
            b"eXIf" => header.exif = block(source, body, len, BLOCK_BYTES_MAX),
            b"iTXt" => header.xmp = header.xmp.take().or_else(|| png_xmp(source, body, len)),
            b"IEND" => break,
            _ => {}
        }
        at = body + len + 4;
    }
    header
}

/// An uncompressed international text under XMP's keyword.
fn png_xmp(source: &mut dyn ReadAt, body: u64, len: u64) -> Option<Vec<u8>> {
    let keyword = b"XML:com.adobe.xmp\0\0";
    (array(source, body) == Some(*keyword)).then(|| block(source, body, len, BLOCK_BYTES_MAX)).flatten()
}

pub(crate) fn webp(source: &mut dyn ReadAt) -> Header {
    let mut header = Header::default();
    let mut at = 12;
    for _chunk in 0..CHUNKS_MAX {
        let Some([kind @ .., a, b, c, d]) = array::<8>(source, at) else { break };
        let (body, len) = (at + 8, u64::from(u32::from_le_bytes([a, b, c, d])));
        match &kind {
            b"VP8X" => {
                header.size = array(source, body + 4).map(|[w0, w1, w2, h0, h1, h2]: [u8; 6]| {
                    (u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1)
                });
            }
            b"VP8 " if header.size.is_none() => header.size = lossy_webp_size(source, body),
            b"VP8L" if header.size.is_none() => {
                header.size = array(source, body + 1)
                    .map(u32::from_le_bytes)
                    .map(|bits| ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1));
            }
            b"EXIF" => header.exif = block(source, body, len, BLOCK_BYTES_MAX).map(without_jpeg_name),
            b"XMP " => header.xmp = block(source, body, len, BLOCK_BYTES_MAX),
            _ => {}
        }
        at = body + len + (len & 1);
    }
    header
}

fn lossy_webp_size(source: &mut dyn ReadAt, body: u64) -> Option<(u32, u32)> {
    let [mark @ .., w0, w1, h0, h1] = array::<7>(source, body + 3)?;
    let number = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    (mark == [0x9d, 0x01, 0x2a]).then(|| (number(w0, w1), number(h0, h1)))
}

/// Some writers leave JPEG's name before the block.
fn without_jpeg_name(block: Vec<u8>) -> Vec<u8> {
    match block.strip_prefix(b"Exif\0\0") {
        Some(tiff) => tiff.to_vec(),
        None => block,
    }
}

pub(crate) fn gif(source: &mut dyn ReadAt) -> Header {
    let size = array(source, 6).map(|[w0, w1, h0, h1]: [u8; 4]| {
        (u32::from(u16::from_le_bytes([w0, w1])), u32::from(u16::from_le_bytes([h0, h1])))
    });
    Header { size, ..Header::default() }
}

pub(crate) fn bmp(source: &mut dyn ReadAt) -> Header {
    let number = |source: &mut dyn ReadAt, at| array(source, at).map(i32::from_le_bytes);
    let is_short = array(source, 14).map(u32::from_le_bytes) == Some(12);
    let size = if is_short {
        array(source, 18).map(|[w0, w1, h0, h1]: [u8; 4]| {
            (u32::from(u16::from_le_bytes([w0, w1])), u32::from(u16::from_le_bytes([h0, h1])))
        })
    } else {
        // A negative height only says that rows come from the top.
        number(source, 18).zip(number(source, 22)).map(|(w, h)| (w.unsigned_abs(), h.unsigned_abs()))
    };
    Header { size, ..Header::default() }
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;
    use proptest::prelude::*;

    use super::*;
    use crate::media::fixture;

    #[test]
    fn sizes_of_rendered_pictures() {
        let photo = fixture::Photo { width: 70, height: 31, ..fixture::Photo::new(3) };
        let check = |format, read: fn(&mut dyn ReadAt) -> Header| {
            let bytes = photo.encoded(format);
            assert_eq!(read(&mut bytes.as_slice()).size, Some((70, 31)), "{format:?}");
        };
        check(ImageFormat::Png, png);
        check(ImageFormat::WebP, webp);
        check(ImageFormat::Gif, gif);
        check(ImageFormat::Bmp, bmp);
    }

    #[test]
    fn chunks_are_read() {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend(b"\0\0\0\x04eXIfII*\0....");
        let xmp = b"XML:com.adobe.xmp\0\0\0\0\0xmp:CreateDate=\"2001-02-03\"";
        bytes.extend(u32::try_from(xmp.len()).expect("short").to_be_bytes());
        bytes.extend(b"iTXt");
        bytes.extend(xmp);
        let header = png(&mut bytes.as_slice());
        assert_eq!(header.exif.as_deref(), Some(&b"II*\0"[..]));
        assert!(header.xmp.is_some_and(|xmp| xmp.ends_with(b"03\"")));
        let webp_bytes = b"RIFF\0\0\0\0WEBPEXIF\x0a\0\0\0Exif\0\0MM\0*";
        assert_eq!(webp(&mut &webp_bytes[..]).exif.as_deref(), Some(&b"MM\0*"[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            for read in [png, webp, gif, bmp] {
                read(&mut bytes.as_slice());
            }
        }
    }
}
