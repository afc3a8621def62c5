//! The beginnings of WebP, GIF and BMP files.

use super::bounded_reader::{ReadAt, array, block};
use super::capture::StatedDates;

/// The most chunks that are visited.
const CHUNKS_MAX: usize = 2048;
/// The longest EXIF or XMP block that is read.
const BLOCK_BYTES_MAX: usize = 256 * 1024;

/// What a picture's header says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) size: Option<(u32, u32)>,
    /// The EXIF block, a TIFF.
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
    pub(crate) iptc: Option<Vec<u8>>,
    /// Photoshop's image resources.
    pub(crate) photoshop: Option<Vec<u8>>,
    /// What it states in words of its own.
    pub(crate) dates: StatedDates,
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
            b"EXIF" => header.exif = block(source, body, len, BLOCK_BYTES_MAX),
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

/// The most blocks of a GIF that are visited.
const BLOCKS_MAX: usize = 256;
/// The most parts of a block that are passed over; a part has at most 255 bytes.
const PARTS_MAX: usize = 1024;

pub(crate) fn gif(source: &mut dyn ReadAt) -> Header {
    let size = array(source, 6).map(|[w0, w1, h0, h1]: [u8; 4]| {
        (u32::from(u16::from_le_bytes([w0, w1])), u32::from(u16::from_le_bytes([h0, h1])))
    });
    Header { size, xmp: gif_xmp(source), ..Header::default() }
}

/// The packet that Adobe's application extension holds. It stands there as one text, and only what
/// follows it makes parts of it.
fn gif_xmp(source: &mut dyn ReadAt) -> Option<Vec<u8>> {
    let [flags] = array::<1>(source, 10)?;
    let mut at = 13 + palette_bytes(flags);
    for _block in 0..BLOCKS_MAX {
        match array::<1>(source, at)? {
            [0x21] => {
                if array(source, at + 1) == Some(*b"\xff\x0bXMP DataXMP") {
                    let start = at + 14;
                    let len = source.size().saturating_sub(start).min(BLOCK_BYTES_MAX as u64);
                    let rest = block(source, start, len, BLOCK_BYTES_MAX)?;
                    let end = rest.windows(3).position(|w| w == [0x01, 0xff, 0xfe]).unwrap_or(rest.len());
                    return Some(rest[..end].to_vec());
                }
                at = skip_sub_blocks(source, at + 2)?;
            }
            [0x2c] => {
                let [flags] = array::<1>(source, at + 9)?;
                at = skip_sub_blocks(source, at + 11 + palette_bytes(flags))?;
            }
            _ => return None,
        }
    }
    None
}

fn palette_bytes(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn skip_sub_blocks(source: &mut dyn ReadAt, mut at: u64) -> Option<u64> {
    for _part in 0..PARTS_MAX {
        let [len] = array::<1>(source, at)?;
        at += 1 + u64::from(len);
        if len == 0 {
            return Some(at);
        }
    }
    None
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
        check(ImageFormat::Png, crate::media::png::read);
        check(ImageFormat::WebP, webp);
        check(ImageFormat::Gif, gif);
        check(ImageFormat::Bmp, bmp);
    }

    #[test]
    fn chunks_are_read() {
        let webp_bytes = b"RIFF\0\0\0\0WEBPEXIF\x0a\0\0\0Exif\0\0MM\0*XMP \x04\0\0\0<x/>";
        let header = webp(&mut &webp_bytes[..]);
        assert_eq!(header.exif.as_deref(), Some(&b"Exif\0\0MM\0*"[..]));
        assert_eq!(header.xmp.as_deref(), Some(&b"<x/>"[..]));
    }

    #[test]
    fn a_gifs_packet_is_found() {
        let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        // A comment, an animation's extension, then the packet with the trailer of Adobe's specification.
        bytes.extend(b"!\xfe\x04text\0!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0");
        bytes.extend(b"!\xff\x0bXMP DataXMP<x:xmpmeta exif:DateTimeOriginal='2019-05-12'/>\x01");
        bytes.extend((0..=255_u8).rev());
        bytes.extend(b"\0;");
        let xmp = gif(&mut bytes.as_slice()).xmp.expect("a packet");
        assert!(xmp.starts_with(b"<x:xmpmeta") && xmp.ends_with(b"'/>"), "{xmp:?}");
        // Behind a picture too.
        let image = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        let moved = [&bytes[..19], image, &bytes[19..]].concat();
        assert_eq!(gif(&mut moved.as_slice()).xmp, Some(xmp));
        assert_eq!(gif(&mut &bytes[..30]).xmp, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            for read in [webp, gif, bmp] {
                read(&mut bytes.as_slice());
                read(&mut [b"GIF89a", bytes.as_slice()].concat().as_slice());
            }
        }
    }
}
