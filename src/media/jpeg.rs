//! The segments before a JPEG's pixels.

use super::bounded_reader::{ReadAt, array, block};

/// The most segments that are visited.
const SEGMENTS_MAX: usize = 512;
/// The most bytes of Photoshop's resources that are kept.
const PHOTOSHOP_BYTES_MAX: usize = 512 * 1024;
/// The most continuations of an XMP packet that are noted.
const EXTENSIONS_MAX: usize = 4;

/// What the segments say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JpegHead {
    /// The EXIF block, a TIFF.
    pub(crate) exif: Option<Vec<u8>>,
    /// Where the EXIF block begins in the file.
    pub(crate) exif_at: u64,
    pub(crate) xmp: Option<Vec<u8>>,
    /// Where continuations of the packet are: start and length.
    pub(crate) more_xmp: Vec<(u64, u64)>,
    /// Photoshop's image resources, of all their segments.
    pub(crate) photoshop: Vec<u8>,
    /// What cameras wrote before there was EXIF.
    pub(crate) early: PreExifFields,
    pub(crate) frame: Option<Frame>,
    /// Written by Adobe's software, which stores CMYK inverted.
    pub(crate) is_adobe: bool,
    /// The pixels come in several passes, so a decoder must hold all coefficients.
    pub(crate) has_passes: bool,
}

/// What cameras wrote before there was EXIF, or instead of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PreExifFields {
    /// Agfa, Epson, Olympus, Polaroid, Sanyo: lines of `Name=value`.
    pub(crate) picture_info: Option<Vec<u8>>,
    /// Canon: a heap of its own.
    pub(crate) read_canon_heap: Option<Vec<u8>>,
}

/// The picture's measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) components: u8,
    /// It can be shown: neither lossless nor arithmetic-coded.
    pub(crate) is_usual: bool,
    /// Bytes of coefficients that a decoder holds where the picture comes in passes.
    pub(crate) coefficient_bytes: u64,
}

/// Walks the segments; `None` where the bytes do not begin like a JPEG.
pub(crate) fn read(source: &mut dyn ReadAt) -> Option<JpegHead> {
    if array::<2>(source, 0)? != [0xff, 0xd8] {
        return None;
    }
    let mut head = JpegHead::default();
    let mut at = 2;
    for _segment in 0..SEGMENTS_MAX {
        let Some(code) = next_marker(source, &mut at) else { break };
        if matches!(code, 0x01 | 0xd0..=0xd8) {
            continue;
        }
        let Some(len) = array::<2>(source, at).map(u16::from_be_bytes).filter(|len| *len >= 2) else { break };
        let (body, body_len) = (at + 2, u64::from(len) - 2);
        match code {
            0xe0 if head.early.read_canon_heap.is_none() && array(source, body + 6) == Some(*b"HEAPJPGM") => {
                head.early.read_canon_heap = block(source, body, body_len, usize::from(u16::MAX));
            }
            0xe1 => read_app1(source, body, body_len, &mut head),
            0xec if head.early.picture_info.is_none() => {
                let text = block(source, body, body_len, usize::from(u16::MAX));
                head.early.picture_info = text.filter(|text| text.windows(4).any(|w| w == b"info"));
            }
            0xed => read_photoshop(source, body, body_len, &mut head),
            0xee => head.is_adobe |= array(source, body) == Some(*b"Adobe"),
            // All start-of-frame markers; C4, C8 and CC are other things.
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                let segment = block(source, body, body_len, usize::from(u16::MAX));
                head.frame = segment.and_then(|segment| Frame::parse(code, &segment));
                head.has_passes |= code == 0xc2;
            }
            0xda => {
                let components = array::<1>(source, body).map_or(0, |[n]| n);
                head.has_passes |= head.frame.is_some_and(|frame| components < frame.components);
                break;
            }
            0xd9 => break,
            _ => {}
        }
        at = body + body_len;
    }
    Some(head)
}

/// The code of the marker at `at`, which moves behind it; stray bytes before it are passed over.
fn next_marker(source: &mut dyn ReadAt, at: &mut u64) -> Option<u8> {
    let mut last = 0;
    // A segment may be padded, but a picture that is mostly padding is none.
    for _stray in 0..4096 {
        let [byte] = array::<1>(source, *at)?;
        *at += 1;
        if last == 0xff && byte != 0xff && byte != 0 {
            return Some(byte);
        }
        last = byte;
    }
    None
}

fn read_app1(source: &mut dyn ReadAt, body: u64, len: u64, head: &mut JpegHead) {
    let limit = usize::from(u16::MAX);
    if head.exif.is_none() && len > 6 && array(source, body) == Some(*b"Exif\0") {
        head.exif = block(source, body + 6, len - 6, limit);
        head.exif_at = body + 6;
    }
    let xmp_name = b"http://ns.adobe.com/xap/1.0/\0";
    let name_len = xmp_name.len() as u64;
    if head.xmp.is_none() && len > name_len && array(source, body) == Some(*xmp_name) {
        head.xmp = block(source, body + name_len, len - name_len, limit);
    }
    // Behind the name: the packet's digest in 32 digits, its length, and where this part begins.
    let more_name = b"http://ns.adobe.com/xmp/extension/\0";
    let before = more_name.len() as u64 + 40;
    if head.more_xmp.len() < EXTENSIONS_MAX && len > before && array(source, body) == Some(*more_name) {
        head.more_xmp.push((body + before, len - before));
    }
}

fn read_photoshop(source: &mut dyn ReadAt, body: u64, len: u64, head: &mut JpegHead) {
    let name = b"Photoshop 3.0\0";
    let name_len = name.len() as u64;
    if len <= name_len || array(source, body) != Some(*name) {
        return;
    }
    let resources = block(source, body + name_len, len - name_len, usize::from(u16::MAX)).unwrap_or_default();
    if head.photoshop.len() + resources.len() <= PHOTOSHOP_BYTES_MAX {
        head.photoshop.extend(resources);
    }
}

impl Frame {
    fn parse(code: u8, segment: &[u8]) -> Option<Self> {
        let [precision, h1, h0, w1, w0, components, rest @ ..] = segment else { return None };
        let height = u32::from(u16::from_be_bytes([*h1, *h0]));
        let width = u32::from(u16::from_be_bytes([*w1, *w0]));
        if width == 0 || height == 0 || *components == 0 {
            return None;
        }
        let samplings =
            || rest.chunks_exact(3).take(usize::from(*components)).map(|c| (c[1] >> 4, c[1] & 15));
        let (h_max, v_max) = samplings().fold((1, 1), |(h, v), (a, b)| (h.max(a), v.max(b)));
        let share: u64 = samplings().map(|(h, v)| u64::from(h.max(1)) * u64::from(v.max(1))).sum();
        // Two bytes a coefficient, for all components by their sampling.
        let pixels = u64::from(width) * u64::from(height);
        let coefficient_bytes = pixels * 2 * share / (u64::from(h_max) * u64::from(v_max));
        let is_usual = matches!(code, 0xc0..=0xc2) && *precision == 8;
        Some(Self { width, height, components: *components, is_usual, coefficient_bytes })
    }

    /// Width times height.
    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::fixture;

    #[test]
    fn a_rendered_photo_is_read() {
        let photo = fixture::Photo {
            width: 80,
            height: 48,
            camera: Some(("Maker", "Model")),
            ..fixture::Photo::new(1)
        };
        let head = read(&mut photo.jpeg().as_slice()).expect("a JPEG");
        let frame = head.frame.expect("a frame");
        assert_eq!((frame.width, frame.height, frame.components, frame.is_usual), (80, 48, 3, true));
        assert_eq!(frame.coefficient_bytes, 80 * 48 * 2 * 6 / 4);
        assert!(head.exif.is_some_and(|exif| exif.starts_with(b"II*\0")));
        assert!(!head.has_passes && !head.is_adobe);
        assert_eq!(read(&mut &b"\x89PNG"[..]), None);
    }

    #[test]
    fn segments_of_resources_are_joined() {
        let segment = |code: u8, body: &[u8]| {
            let len = u16::try_from(body.len() + 2).expect("short").to_be_bytes();
            [&[0xff, code], &len[..], body].concat()
        };
        let bytes = [
            vec![0xff, 0xd8],
            segment(0xed, b"Photoshop 3.0\0first "),
            segment(0xed, b"Photoshop 3.0\0second"),
            segment(0xed, b"Adobe_CM"),
            segment(0xe0, b"II\x1a\0\0\0HEAPJPGM...."),
            segment(0xec, b"[picture info]\r\nTimeDate=959170800\r\n"),
            segment(0xe1, &[b"http://ns.adobe.com/xmp/extension/\0", &[b'0'; 40][..], b"<x/>"].concat()),
            vec![0xff, 0xd9],
        ]
        .concat();
        let head = read(&mut bytes.as_slice()).expect("a JPEG");
        assert_eq!(head.photoshop, b"first second");
        assert!(head.early.read_canon_heap.is_some() && head.early.picture_info.is_some());
        assert_eq!(head.more_xmp, [(u64::try_from(bytes.len()).expect("short") - 6, 4)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let jpeg = [&[0xff, 0xd8, 0xff], bytes.as_slice()].concat();
            prop_assert!(read(&mut jpeg.as_slice()).is_some());
        }
    }
}
