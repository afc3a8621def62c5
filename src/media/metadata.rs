//! What a file of any type says of itself, gathered from its containers and blocks.

use std::ops::Range;

use super::bounded_reader::{ReadAt, block};
use super::capture::StatedDates;
use super::dates::{self, WallTime};
use super::tiff::{DateTags, TiffTags};
use super::{
    asf, headers, heif, iptc, jp2, jpeg, jxl, matroska, movie, photoshop, png, raw, riff, takeout, tiff,
    transport, xmp,
};
use crate::domain::media_type::MediaType;

/// The longest XMP sidecar that is read.
const SIDECAR_BYTES_MAX: u64 = 512 * 1024;
/// The longest JSON of Google Takeout that is read.
const JSON_BYTES_MAX: u64 = 512 * 1024;
/// How far into a block of EXIF its TIFF may begin.
const EXIF_SKIP_MAX: usize = 64;

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// When it was captured and changed, by all that it holds.
    pub(crate) dates: StatedDates,
    /// Width and height as stored.
    pub(crate) size: Option<(u32, u32)>,
    /// 1–8.
    pub(crate) orientation: Option<u8>,
    pub(crate) make: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) content_identifier: Option<String>,
    /// How long a movie runs, in milliseconds.
    pub(crate) duration_ms: Option<u64>,
    /// Where in the file embedded JPEGs may be.
    pub(crate) previews: Vec<Range<u64>>,
}

/// The blocks of metadata that a container holds, each of which may be missing.
#[derive(Debug, Default)]
struct MetadataBlocks {
    exif: Option<Vec<u8>>,
    iptc: Option<Vec<u8>>,
    /// Photoshop's image resources.
    photoshop: Option<Vec<u8>>,
    xmp: Option<Vec<u8>>,
}

/// Reads what a file of this type says of itself. Whatever is missing or damaged stays empty.
pub(crate) fn read(source: &mut dyn ReadAt, media_type: MediaType) -> Metadata {
    match media_type {
        MediaType::Jpeg => from_jpeg(source),
        MediaType::Png => from_header(png::read(source)),
        MediaType::Webp => from_header(headers::webp(source)),
        MediaType::Gif => from_header(headers::gif(source)),
        MediaType::Bmp => from_header(headers::bmp(source)),
        MediaType::Jxl => from_header(jxl::read(source)),
        MediaType::Tiff => tiff::read(source).map_or_else(Metadata::default, |tags| {
            let size = tags.first_size;
            Metadata { size, ..from_tags(tags) }
        }),
        MediaType::Raw => raw::read(source),
        MediaType::Heic | MediaType::Avif => from_heif(source),
        MediaType::Mp4 | MediaType::Mov | MediaType::ThreeGp => from_movie(source),
        MediaType::Psd => from_document(source),
        MediaType::Avi => riff::read(source),
        MediaType::Mkv => matroska::read(source),
        MediaType::Wmv => Metadata { dates: asf::read(source), ..Metadata::default() },
        MediaType::Mpeg => {
            let original = transport::captured(source).into_iter().collect();
            Metadata { dates: StatedDates { original, ..StatedDates::default() }, ..Metadata::default() }
        }
        MediaType::Xmp => {
            let len = source.size().min(SIDECAR_BYTES_MAX);
            let packet = block(source, 0, len, usize::try_from(SIDECAR_BYTES_MAX).unwrap_or(0));
            let dates = packet.map(|packet| xmp::read(&packet)).unwrap_or_default();
            Metadata { dates, ..Metadata::default() }
        }
        MediaType::Json => {
            let len = source.size().min(JSON_BYTES_MAX);
            let json = block(source, 0, len, usize::try_from(JSON_BYTES_MAX).unwrap_or(0));
            let dates = json.map(|json| takeout::read(&json)).unwrap_or_default();
            Metadata { dates, ..Metadata::default() }
        }
        MediaType::Jp2 => from_header(jp2::read(source)),
        MediaType::Jxr => tiff::read(source).map_or_else(Metadata::default, from_tags),
        MediaType::Xcf
        | MediaType::Exr
        | MediaType::Hdr
        | MediaType::Pnm
        | MediaType::Tga
        | MediaType::Pcd
        | MediaType::Dv
        | MediaType::Flv
        | MediaType::Mxf
        | MediaType::Ogv
        | MediaType::Rm
        | MediaType::RawVideo
        | MediaType::Aae
        | MediaType::Develop => Metadata::default(),
    }
}

fn moment(moment: &DateTags) -> Option<WallTime> {
    dates::parse_exif(moment.date.as_deref()?, moment.fraction.as_deref(), moment.offset.as_deref())
}

pub(crate) fn from_tags(tags: TiffTags) -> Metadata {
    let mut dates = StatedDates {
        original: moment(&tags.original).into_iter().collect(),
        digitized: moment(&tags.digitized).into_iter().collect(),
        created_utc: Vec::new(),
        modified: moment(&tags.modified).into_iter().collect(),
    };
    let inner = tags.photoshop.map(|bytes| photoshop::read(&mut bytes.as_slice(), 0, u64::MAX));
    let inner = inner.unwrap_or_default();
    // EXIF before IPTC before XMP.
    if let Some(exif) = inner.exif.and_then(|exif| tiff::read(&mut exif.as_slice())) {
        dates.append(from_tags(TiffTags { photoshop: None, ..exif }).dates);
    }
    for records in tags.iptc.iter().chain(&inner.iptc) {
        dates.append(iptc::read(records));
    }
    for packet in tags.xmp.iter().chain(&inner.xmp) {
        dates.append(xmp::read(packet));
    }
    Metadata {
        dates,
        size: tags.largest_size,
        orientation: tags.orientation,
        make: tags.make,
        model: tags.model,
        content_identifier: tags.content_identifier,
        duration_ms: None,
        previews: tags.previews,
    }
}

/// The TIFF in a block of EXIF. Containers and programs put JPEG's name before it, or how far behind it
/// begins, or nothing.
fn tiff_in(exif: &[u8]) -> Option<&[u8]> {
    let begins = |bytes: &[u8]| bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    (0..EXIF_SKIP_MAX).filter_map(|skip| exif.get(skip..)).find(|rest| begins(rest))
}

fn from_blocks(blocks: MetadataBlocks) -> Metadata {
    let exif = blocks.exif.as_deref().and_then(tiff_in);
    let mut tags = exif.and_then(|mut exif| tiff::read(&mut exif)).unwrap_or_default();
    tags.xmp = tags.xmp.or(blocks.xmp);
    tags.iptc = tags.iptc.or(blocks.iptc);
    tags.photoshop = tags.photoshop.or(blocks.photoshop);
    from_tags(tags)
}

fn from_header(header: headers::Header) -> Metadata {
    let blocks =
        MetadataBlocks { exif: header.exif, iptc: header.iptc, photoshop: header.photoshop, xmp: header.xmp };
    let mut metadata = Metadata { size: header.size, previews: Vec::new(), ..from_blocks(blocks) };
    metadata.dates.append(header.dates);
    metadata
}

pub(crate) fn from_jpeg(source: &mut dyn ReadAt) -> Metadata {
    let Some(head) = jpeg::read(source) else { return Metadata::default() };
    let photoshop = Some(head.photoshop).filter(|resources| !resources.is_empty());
    let blocks = MetadataBlocks { exif: head.exif, iptc: None, photoshop, xmp: head.xmp };
    let mut metadata = from_blocks(blocks);
    metadata.size = head.frame.map(|frame| (frame.width, frame.height));
    for preview in &mut metadata.previews {
        *preview = preview.start.saturating_add(head.exif_at)..preview.end.saturating_add(head.exif_at);
    }
    if metadata.dates.is_undated() {
        metadata.dates.append(early_dates(&head.early));
    }
    if !metadata.dates.has_original() {
        for (start, len) in head.more_xmp {
            let packet = block(source, start, len, usize::from(u16::MAX));
            metadata.dates.append(packet.map(|packet| xmp::read(&packet)).unwrap_or_default());
        }
    }
    metadata
}

/// What cameras wrote before there was EXIF.
fn early_dates(early: &jpeg::PreExifFields) -> StatedDates {
    let mut dates = StatedDates::default();
    if let Some(heap) = &early.read_canon_heap {
        dates.append(raw::read_canon_heap(&mut heap.as_slice()).unwrap_or_default().dates);
    }
    let info = early.picture_info.as_deref().unwrap_or_default();
    let lines = info.split(|byte| matches!(byte, b'\r' | b'\n' | 0));
    for value in lines.filter_map(|line| line.trim_ascii().strip_prefix(b"TimeDate=")) {
        let text = std::str::from_utf8(value).unwrap_or_default().trim();
        // Seconds since 1970 of the camera's local clock, or a text.
        let time = match text.parse() {
            Ok(seconds) if text.len() > 4 => WallTime::from_local_seconds(seconds),
            _ => dates::parse(value),
        };
        dates.original.extend(time);
    }
    dates
}

fn from_heif(source: &mut dyn ReadAt) -> Metadata {
    let Some(heif) = heif::read(source) else { return Metadata::default() };
    let blocks = MetadataBlocks { exif: heif.exif, xmp: heif.xmp, ..MetadataBlocks::default() };
    Metadata { size: heif.size, previews: Vec::new(), ..from_blocks(blocks) }
}

fn from_document(source: &mut dyn ReadAt) -> Metadata {
    let Some((size, inner)) = photoshop::document(source) else { return Metadata::default() };
    let blocks = MetadataBlocks { exif: inner.exif, iptc: inner.iptc, photoshop: None, xmp: inner.xmp };
    Metadata { size: Some(size), previews: Vec::new(), ..from_blocks(blocks) }
}

fn from_movie(source: &mut dyn ReadAt) -> Metadata {
    let Some(movie) = movie::read(source) else { return Metadata::default() };
    Metadata {
        dates: movie.dates,
        size: movie.size,
        orientation: movie.orientation,
        make: movie.make,
        model: movie.model,
        content_identifier: movie.content_identifier,
        duration_ms: movie.duration_ms,
        previews: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fixture::exif::ExifWriter;
    use crate::media::photoshop::tests::{psd, resource};

    fn exif(taken: &str) -> Vec<u8> {
        ExifWriter { taken: Some(taken.to_owned()), ..ExifWriter::default() }.tiff()
    }

    fn originals(metadata: &Metadata) -> Vec<String> {
        metadata.dates.original.iter().map(|time| time.local.date().to_string()).collect()
    }

    #[test]
    fn exif_comes_before_iptc_before_xmp() {
        let iptc = b"\x1c\x02\x37\0\x0820120101";
        let packet = b"<a exif:DateTimeOriginal='2013-01-01'/>";
        let resources = [
            resource(0x0404, iptc),
            resource(0x0424, packet),
            resource(0x0422, &exif("2011:01:01 10:00:00")),
        ];
        let document = psd(&resources.concat());
        let metadata = read(&mut document.as_slice(), MediaType::Psd);
        assert_eq!(originals(&metadata), ["2011-01-01", "2012-01-01", "2013-01-01"]);
        assert_eq!(metadata.size, Some((1, 1)));
    }

    #[test]
    fn a_block_of_exif_may_have_any_head() {
        for head in [&b""[..], b"Exif\0\0", b"\0\0\0\0", b"\0\0\0\x06Exif\0\0", b"\0\0\0\0Exif\0\0"] {
            let block = [head, &exif("2011:01:01 10:00:00")].concat();
            let metadata = from_blocks(MetadataBlocks { exif: Some(block), ..MetadataBlocks::default() });
            assert_eq!(originals(&metadata), ["2011-01-01"], "{head:?}");
        }
        assert_eq!(tiff_in(b"Exif\0\0nothing"), None);
    }

    #[test]
    fn what_cameras_wrote_before_exif_is_read() {
        let info = |text: &str| {
            let early =
                jpeg::PreExifFields { picture_info: Some(text.as_bytes().to_vec()), read_canon_heap: None };
            early_dates(&early).original.first().map(|time| time.local.to_string())
        };
        assert_eq!(
            info("[picture info]\r\nTimeDate=959170800\r\nFNo=4").as_deref(),
            Some("2000-05-24T12:20:00")
        );
        assert_eq!(
            info("[picture info]\nTimeDate=1999:05:24 12:20:00").as_deref(),
            Some("1999-05-24T12:20:00")
        );
        assert_eq!(info("[picture info]\nTimeDate=0"), None);
        let heap = Some(crate::media::ciff::tests::heap(b"HEAPJPGM", 1_049_522_828));
        let dates = early_dates(&jpeg::PreExifFields { picture_info: None, read_canon_heap: heap });
        assert_eq!(
            dates.original.first().map(|t| t.local.to_string()).as_deref(),
            Some("2003-04-05T06:07:08")
        );
    }
}
