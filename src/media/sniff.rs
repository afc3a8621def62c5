//! What a file is, by its first bytes and then by its name.

use crate::domain::grouping;
use crate::domain::media_type::{MediaClass, MediaType};
use crate::domain::path::split_extension;

/// What a file that belongs in the library is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SniffedType {
    /// What the bytes say, or else what the name says.
    pub media_type: MediaType,
    /// The name claims another type than the bytes show.
    pub is_mismatch: bool,
}

/// Names under which the same containers hold sound alone.
const SOUND_EXTENSIONS: [&[u8]; 11] =
    [b"m4a", b"m4b", b"m4p", b"m4r", b"wma", b"mka", b"weba", b"aac", b"oga", b"opus", b"ra"];
/// How far into a text or an Ogg file a telling word is looked for.
const TEXT_BYTES: usize = 4096;

/// Whether a file belongs in the library and as what: when its content *or* its name says photo, RAW,
/// video or companion. `head` is its beginning, a few kilobytes or all of it.
///
/// An empty file has only its name to speak for it.
pub fn sniff(head: &[u8], name: &[u8]) -> Option<SniffedType> {
    let extension = split_extension(name).1;
    let named = grouping::type_of_name(name);
    if named.is_none() && SOUND_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_slice()) {
        return None;
    }
    // A name that Takeout has cut does not show any more whose it is.
    let hint = named.or_else(|| MediaType::from_extension(extension));
    match (by_content(head, hint), named) {
        (Some(content), Some(named)) => {
            Some(SniffedType { media_type: content, is_mismatch: content != named })
        }
        (Some(MediaType::Json), None) => {
            Some(SniffedType { media_type: MediaType::Json, is_mismatch: false })
        }
        (Some(content), None) => {
            // A sidecar is one by its name: any XML may speak of XMP.
            let belongs = content.class() != MediaClass::Sidecar;
            let is_mismatch = !extension.is_empty() && !content.may_have(extension);
            belongs.then_some(SniffedType { media_type: content, is_mismatch })
        }
        (None, Some(named)) => {
            Some(SniffedType { media_type: named, is_mismatch: has_signature(named) && !head.is_empty() })
        }
        (None, None) => None,
    }
}

/// Whether every file of this type can be told by its first bytes.
fn has_signature(media_type: MediaType) -> bool {
    match media_type {
        // Too many makers, programs and streams to know them all; TGA and Photo CD begin with their data,
        // and MXF with what its writer likes.
        MediaType::Raw
        | MediaType::RawVideo
        | MediaType::Mpeg
        | MediaType::Mxf
        | MediaType::Tga
        | MediaType::Pcd
        | MediaType::Aae
        | MediaType::Json
        | MediaType::Develop => false,
        MediaType::Jpeg
        | MediaType::Png
        | MediaType::Webp
        | MediaType::Gif
        | MediaType::Tiff
        | MediaType::Bmp
        | MediaType::Heic
        | MediaType::Avif
        | MediaType::Jxl
        | MediaType::Jp2
        | MediaType::Jxr
        | MediaType::Psd
        | MediaType::Xcf
        | MediaType::Exr
        | MediaType::Hdr
        | MediaType::Pnm
        | MediaType::Mp4
        | MediaType::Mov
        | MediaType::Avi
        | MediaType::Mkv
        | MediaType::ThreeGp
        | MediaType::Wmv
        | MediaType::Dv
        | MediaType::Flv
        | MediaType::Ogv
        | MediaType::Rm
        | MediaType::Xmp => true,
    }
}

/// The type that `head` shows. Where bytes fit several types (TIFF and most RAW files, the MPEG-4
/// family), `named` decides among those.
pub(crate) fn by_content(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, b"\xff\xd8\xff") {
        return Some(MediaType::Jpeg);
    }
    if at(0, b"\x89PNG\r\n\x1a\n") {
        return Some(MediaType::Png);
    }
    if at(0, b"GIF87a") || at(0, b"GIF89a") {
        return Some(MediaType::Gif);
    }
    if at(0, b"RIFF") {
        return match head.get(8..12)? {
            b"WEBP" => Some(MediaType::Webp),
            b"AVI " => Some(MediaType::Avi),
            // A Video CD's track.
            b"CDXA" => Some(MediaType::Mpeg),
            _ => None,
        };
    }
    if at(0, b"8BPS\x00\x01") || at(0, b"8BPS\x00\x02") {
        return Some(MediaType::Psd);
    }
    if at(0, b"\x00\x00\x00\x0cJXL \r\n\x87\n") || (at(0, b"\xff\x0a") && named == Some(MediaType::Jxl)) {
        return Some(MediaType::Jxl);
    }
    if at(0, b"BM") && is_bmp(head) {
        return Some(MediaType::Bmp);
    }
    sniff_still(head, named)
        .or_else(|| raw_or_tiff(head, named))
        .or_else(|| movie(head, named))
        .or_else(|| text(head, named))
}

/// Pictures that few programs write.
fn sniff_still(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    if starts(b"\x00\x00\x00\x0cjP  \r\n\x87\n") {
        // Motion JPEG 2000 has the same box, and other brands.
        return (head.get(20..24) != Some(b"mjp2")).then_some(MediaType::Jp2);
    }
    if starts(b"\xff\x4f\xff\x51") {
        return Some(MediaType::Jp2);
    }
    if starts(b"II\xbc\x01") || starts(b"II\xbc\x00") {
        return Some(MediaType::Jxr);
    }
    if starts(b"\x76\x2f\x31\x01") {
        return Some(MediaType::Exr);
    }
    if starts(b"#?RADIANCE") || starts(b"#?RGBE") {
        return Some(MediaType::Hdr);
    }
    if starts(b"gimp xcf ") {
        return Some(MediaType::Xcf);
    }
    let is_pnm = matches!(head, [b'P', b'1'..=b'7' | b'F' | b'f', b' ' | b'\t' | b'\r' | b'\n', ..]);
    (is_pnm && named == Some(MediaType::Pnm)).then_some(MediaType::Pnm)
}

fn is_bmp(head: &[u8]) -> bool {
    let header_len = head.get(14..18).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
    matches!(header_len, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)) && head.get(6..8) == Some(&[0, 0])
}

fn raw_or_tiff(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let is_raw = starts(b"FUJIFILMCCD-RAW")
        || starts(b"IIU\x00")
        || starts(b"IIRO")
        || starts(b"IIRS")
        || starts(b"MMOR")
        || starts(b"\x00MRM")
        || starts(b"FOVb")
        || (starts(b"II\x1a\x00") && head.get(6..14) == Some(b"HEAPCCDR"));
    if is_raw {
        return Some(MediaType::Raw);
    }
    let is_tiff = starts(b"II*\x00") || starts(b"MM\x00*") || starts(b"II+\x00") || starts(b"MM\x00+");
    if !is_tiff {
        return None;
    }
    let is_maker = matches!(head.get(8..12), Some([b'C', b'R', 2, _] | b"IIII" | b"MMMM"));
    Some(if is_maker || named == Some(MediaType::Raw) { MediaType::Raw } else { MediaType::Tiff })
}

fn movie(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    if head.get(4..8) == Some(b"ftyp") {
        return by_brands(head, named);
    }
    if head.starts_with(b"\x1a\x45\xdf\xa3") {
        let head = &head[..head.len().min(128)];
        let has = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
        return (has(b"matroska") || has(b"webm")).then_some(MediaType::Mkv);
    }
    if head.starts_with(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c") {
        return Some(MediaType::Wmv);
    }
    if let Some(tape_or_stream) = stream(head, named) {
        return Some(tape_or_stream);
    }
    if head.starts_with(b"\x00\x00\x01\xba") || head.starts_with(b"\x00\x00\x01\xb3") {
        return Some(MediaType::Mpeg);
    }
    // Transport streams: packets of 188 bytes, or of 192 with a time before each.
    let synced = |first: usize, step: usize| (0..4).all(|n| head.get(first + n * step) == Some(&0x47));
    if synced(0, 188) || synced(4, 192) {
        return Some(MediaType::Mpeg);
    }
    // QuickTime files older than brands begin with their data.
    if matches!(head.get(4..8), Some(b"moov" | b"mdat" | b"wide" | b"pnot")) {
        return Some(type_in_family(named, MediaType::Mov));
    }
    None
}

/// Movies of tapes, of the web and of television.
fn stream(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    // A DIF sequence begins with its header block: for 525 lines or for 625.
    if matches!(head, [0x1f, 0x07, 0x00, 0x3f | 0xbf, ..]) {
        return Some(MediaType::Dv);
    }
    if head.starts_with(b"FLV\x01") {
        return Some(MediaType::Flv);
    }
    // SMPTE 377: a partition pack's key.
    if head.starts_with(b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02") {
        return Some(MediaType::Mxf);
    }
    if head.starts_with(b".RMF") {
        return Some(MediaType::Rm);
    }
    if head.starts_with(b"OggS") {
        let head = &head[..head.len().min(TEXT_BYTES)];
        let has = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
        let codecs: [&[u8]; 5] = [b"\x80theora", b"\x01video\0\0\0", b"BBCD\0", b"OVP80", b"\x80daala"];
        let is_video = named == Some(MediaType::Ogv) || codecs.into_iter().any(has);
        return is_video.then_some(MediaType::Ogv);
    }
    None
}

/// The movie type of the name where it has one, as the MPEG-4 family shares its bytes.
fn type_in_family(named: Option<MediaType>, otherwise: MediaType) -> MediaType {
    match named {
        Some(named @ (MediaType::Mp4 | MediaType::Mov | MediaType::ThreeGp)) => named,
        _ => otherwise,
    }
}

fn by_brands(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    let len = head.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
    let end = usize::try_from(len).unwrap_or(0).clamp(16, 256).min(head.len());
    let major = head.get(8..12)?;
    let compatible =
        |wanted: &[&[u8]]| head.get(16..end).is_some_and(|b| b.chunks_exact(4).any(|b| wanted.contains(&b)));
    let heic: [&[u8]; 10] =
        [b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"avci", b"avcs"];
    if named == Some(MediaType::RawVideo) {
        return named;
    }
    match major {
        b"avif" | b"avis" => Some(MediaType::Avif),
        major if heic.contains(&major) => Some(MediaType::Heic),
        b"mif1" | b"msf1" | b"mif2" | b"MiHE" | b"MiHB" => {
            let is_avif = compatible(&[b"avif", b"avis"]) && !compatible(&heic);
            Some(if is_avif { MediaType::Avif } else { MediaType::Heic })
        }
        b"jxl " => Some(MediaType::Jxl),
        b"crx " => Some(MediaType::Raw),
        b"M4A " | b"M4B " | b"M4P " => None,
        b"qt  " => Some(type_in_family(named, MediaType::Mov)),
        [b'3', b'g', b'p' | b'2' | b'e' | b'g' | b's' | b'r', _] => {
            Some(type_in_family(named, MediaType::ThreeGp))
        }
        _ => Some(type_in_family(named, MediaType::Mp4)),
    }
}

fn text(head: &[u8], named: Option<MediaType>) -> Option<MediaType> {
    let head = &head[..head.len().min(TEXT_BYTES)];
    let has = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
    if named == Some(MediaType::Aae) && (head.starts_with(b"bplist00") || has(b"<plist")) {
        return Some(MediaType::Aae);
    }
    if named == Some(MediaType::Json)
        && head.trim_ascii_start().starts_with(b"{")
        && has(b"\"photoTakenTime\"")
    {
        return Some(MediaType::Json);
    }
    (has(b"<x:xmpmeta") || has(b"adobe:ns:meta/")).then_some(MediaType::Xmp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tuple(head: &[u8], name: &str) -> Option<(MediaType, bool)> {
        sniff(head, name.as_bytes()).map(|s| (s.media_type, s.is_mismatch))
    }

    fn ftyp(brands: &str) -> Vec<u8> {
        let mut head = u32::try_from(12 + brands.len()).expect("short").to_be_bytes().to_vec();
        head.extend(b"ftyp");
        head.extend(&brands.as_bytes()[..4]);
        head.extend([0; 4]);
        head.extend(&brands.as_bytes()[4..]);
        head
    }

    #[test]
    fn content_comes_first() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF";
        assert_eq!(tuple(jpeg, "a.jpg"), Some((MediaType::Jpeg, false)));
        assert_eq!(tuple(jpeg, "a.png"), Some((MediaType::Jpeg, true)));
        assert_eq!(tuple(jpeg, "a.dat"), Some((MediaType::Jpeg, true)));
        assert_eq!(tuple(jpeg, "a"), Some((MediaType::Jpeg, false)));
        assert_eq!(tuple(b"garbage", "a.jpg"), Some((MediaType::Jpeg, true)));
        assert_eq!(tuple(b"", "a.jpg"), Some((MediaType::Jpeg, false)));
        assert_eq!(tuple(b"", "a.txt"), None);
        assert_eq!(tuple(b"hello", "a.txt"), None);
        assert_eq!(tuple(b"BMW is a car", "a.txt"), None);
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bmp.extend([0; 40]);
        assert_eq!(tuple(&bmp, "a.bmp"), Some((MediaType::Bmp, false)));
        assert_eq!(tuple(b"RIFF\0\0\0\0WEBPVP8 ", "a.webp"), Some((MediaType::Webp, false)));
        assert_eq!(tuple(b"RIFF\0\0\0\0AVI LIST", "a.avi"), Some((MediaType::Avi, false)));
        assert_eq!(tuple(b"RIFF\0\0\0\0WAVEfmt ", "a.wav"), None);
    }

    #[test]
    fn the_name_tells_raw_from_tiff() {
        for name in ["a.nef", "a.ARW", "a.dng", "a.pef"] {
            assert_eq!(tuple(b"II*\0\x08\0\0\0", name), Some((MediaType::Raw, false)), "{name}");
            assert_eq!(tuple(b"MM\0*\0\0\0\x08", name), Some((MediaType::Raw, false)), "{name}");
        }
        assert_eq!(tuple(b"II*\0\x08\0\0\0", "a.tif"), Some((MediaType::Tiff, false)));
        assert_eq!(tuple(b"II*\0\x08\0\0\0", "a"), Some((MediaType::Tiff, false)));
        assert_eq!(tuple(b"II*\0\x10\0\0\0CR\x02\0", "a.tif"), Some((MediaType::Raw, true)));
        assert_eq!(tuple(b"II*\0\x10\0\0\0CR\x02\0", "a.CR2"), Some((MediaType::Raw, false)));
        for head in [&b"IIRO\x08\0"[..], b"IIU\0\x08", b"FUJIFILMCCD-RAW 0201", b"FOVb", b"\0MRM"] {
            assert_eq!(tuple(head, "a.orf"), Some((MediaType::Raw, false)));
        }
        assert_eq!(tuple(b"unknown maker", "a.k25"), Some((MediaType::Raw, false)));
        assert_eq!(tuple(b"\xff\xd8\xff\xe1", "a.nef"), Some((MediaType::Jpeg, true)));
    }

    #[test]
    fn brands_tell_the_mpeg_4_family_apart() {
        let check = |brands: &str, name: &str, expected| {
            assert_eq!(tuple(&ftyp(brands), name), expected, "{brands} {name}");
        };
        check("heicmif1heic", "a.HEIC", Some((MediaType::Heic, false)));
        check("mif1mif1heic", "a.heif", Some((MediaType::Heic, false)));
        check("mif1avifmif1", "a.avif", Some((MediaType::Avif, false)));
        check("avifmif1", "a.avif", Some((MediaType::Avif, false)));
        check("heicmif1", "a.jpg", Some((MediaType::Heic, true)));
        check("crx isom", "a.CR3", Some((MediaType::Raw, false)));
        check("qt  ", "a.MOV", Some((MediaType::Mov, false)));
        check("qt  ", "a.mp4", Some((MediaType::Mp4, false)));
        check("isomiso2avc1mp41", "a.mp4", Some((MediaType::Mp4, false)));
        check("mp42", "a.mov", Some((MediaType::Mov, false)));
        check("3gp4isom", "a.3gp", Some((MediaType::ThreeGp, false)));
        check("3gp4isom", "a", Some((MediaType::ThreeGp, false)));
        check("M4A isom", "a.m4a", None);
        check("isommp42", "a.m4a", None);
        check("isommp42", "a.jpg", Some((MediaType::Mp4, true)));
        assert_eq!(tuple(b"\0\0\x10\0moov", "a.mov"), Some((MediaType::Mov, false)));
    }

    #[test]
    fn streams_and_texts() {
        let mut ts = vec![0; 188 * 4];
        (0..4).for_each(|n| ts[n * 188] = 0x47);
        assert_eq!(tuple(&ts, "a.mpg"), Some((MediaType::Mpeg, false)));
        assert_eq!(
            tuple(b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", "a.mkv"),
            Some((MediaType::Mkv, false))
        );
        assert_eq!(tuple(b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", "a.mka"), None);
        let xmp = b"<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'>";
        assert_eq!(tuple(xmp, "a.xmp"), Some((MediaType::Xmp, false)));
        assert_eq!(tuple(xmp, "a.xml"), None);
        assert_eq!(tuple(b"<?xml version='1.0'?><plist>", "a.AAE"), Some((MediaType::Aae, false)));
        assert_eq!(tuple(b"\xff\x0aabc", "a.jxl"), Some((MediaType::Jxl, false)));
        assert_eq!(tuple(b"\xff\x0aabc", "a.bin"), None);
    }

    #[test]
    fn rarer_formats_show_themselves() {
        for (head, name, media_type) in [
            (&b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 "[..], "a.jp2", MediaType::Jp2),
            (b"\xff\x4f\xff\x51\0\x2f", "a.j2k", MediaType::Jp2),
            (b"II\xbc\x01\x20\0\0\0", "a.jxr", MediaType::Jxr),
            (b"\x76\x2f\x31\x01\x02", "a.exr", MediaType::Exr),
            (b"#?RADIANCE\n", "a.hdr", MediaType::Hdr),
            (b"gimp xcf v011", "a.xcf", MediaType::Xcf),
            (b"P6\n8 8\n255\n", "a.ppm", MediaType::Pnm),
            (b"\x1f\x07\0\x3f\xf8", "a.dv", MediaType::Dv),
            (b"\x1f\x07\0\xbf\xf8", "a.dif", MediaType::Dv),
            (b"FLV\x01\x05", "a.flv", MediaType::Flv),
            (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01", "a.mxf", MediaType::Mxf),
            (b"OggS\0\x02 \x80theora", "a.ogg", MediaType::Ogv),
            (b"OggS\0\x02 \x01video\0\0\0XVID", "a.ogm", MediaType::Ogv),
            (b".RMF\0\0", "a.rm", MediaType::Rm),
            (b"RIFF\0\0\0\0CDXAfmt ", "AVSEQ01.DAT", MediaType::Mpeg),
            (b"\x00\x00\x01\xba\x44", "MOV001.MOD", MediaType::Mpeg),
        ] {
            assert_eq!(tuple(head, name), Some((media_type, false)), "{name}");
        }
        assert_eq!(tuple(b"FLV\x01\x05", "a.jpg"), Some((MediaType::Flv, true)));
        assert_eq!(tuple(b"nothing", "a.jp2"), Some((MediaType::Jp2, true)));
        assert_eq!(tuple(b"anything", "a.mxf"), Some((MediaType::Mxf, false)));
        assert_eq!(tuple(&ftyp("crx isom"), "a.CRM"), Some((MediaType::RawVideo, false)));
        for (head, name) in [
            (&b"OggS\0\x02 \x01vorbis"[..], "a.ogg"),
            (b"P6\n8 8\n255\n", "a.txt"),
            (b"export const a = 1;", "a.ts"),
            (b"module example.org/a", "go.mod"),
            (b"ENVI\nsamples = 3", "a.hdr"),
        ] {
            assert_eq!(tuple(head, name), None, "{name}");
        }
    }

    #[test]
    fn json_belongs_as_a_pictures() {
        let takeout = br#" {"title":"a.jpg","photoTakenTime":{"timestamp":"1060699034"}}"#;
        let json = Some((MediaType::Json, false));
        assert_eq!(tuple(takeout, "a.jpg.supplemental-metadata.json"), json);
        assert_eq!(tuple(takeout, "a.json"), json, "cut, and known by what it says");
        assert_eq!(tuple(b"{}", "a.jpg.json"), json);
        assert_eq!(tuple(b"", "a.jpg(1).json"), json);
        assert_eq!(tuple(br#"{"title":"Album"}"#, "metadata.json"), None);
        assert_eq!(tuple(takeout, "a.txt"), None);
        assert_eq!(tuple(b"[Version]", "a.jpg.pp3"), Some((MediaType::Develop, false)));
    }

    proptest! {
        #[test]
        fn a_media_name_always_belongs(head in prop::collection::vec(any::<u8>(), 0..300), index in 0_usize..4) {
            let name = ["a.jpg", "a.cr2", "a.mov", "a.xmp"][index];
            prop_assert!(sniff(&head, name.as_bytes()).is_some());
        }
    }
}
