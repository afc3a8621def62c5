//! What a file of any type says of itself, gathered from its containers and blocks.

use std::ops::Range;

use super::boxes::find;
use super::bytes::{Part, ReadAt, array, block};
use super::dates::{self, WallTime};
use super::tiff::{Moment, Tags};
use super::{boxes, headers, heif, jpeg, movie, tiff, xmp};
use crate::domain::media_type::MediaType;

/// The longest XMP sidecar that is read.
const SIDECAR_BYTES_MAX: u64 = 512 * 1024;
/// Canon's box of metadata blocks in a CR3.
const CR3_METADATA: [u8; 16] = *b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
/// Canon's box with a CR3's preview.
const CR3_PREVIEW: [u8; 16] = *b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The local time of capture, as written.
    pub(crate) taken: Option<WallTime>,
    /// A movie header's time in UTC.
    pub(crate) created_utc: Option<WallTime>,
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

/// Reads what a file of this type says of itself. Whatever is missing or damaged stays empty.
pub(crate) fn read(source: &mut dyn ReadAt, media_type: MediaType) -> Metadata {
    match media_type {
        MediaType::Jpeg => of_jpeg(source),
        MediaType::Png => of_header(headers::png(source)),
        MediaType::Webp => of_header(headers::webp(source)),
        MediaType::Gif => of_header(headers::gif(source)),
        MediaType::Bmp => of_header(headers::bmp(source)),
        MediaType::Tiff => tiff::read(source).map_or_else(Metadata::default, |tags| {
            let size = tags.first_size;
            Metadata { size, ..of_tags(tags) }
        }),
        MediaType::Raw => of_raw(source),
        MediaType::Heic | MediaType::Avif => of_heif(source),
        MediaType::Mp4 | MediaType::Mov | MediaType::ThreeGp => of_movie(source),
        MediaType::Psd => Metadata { size: psd_size(source), ..Metadata::default() },
        MediaType::Xmp => {
            let len = source.size().min(SIDECAR_BYTES_MAX);
            let packet = block(source, 0, len, usize::try_from(SIDECAR_BYTES_MAX).unwrap_or(0));
            Metadata { taken: packet.and_then(|packet| xmp::captured(&packet)), ..Metadata::default() }
        }
        MediaType::Jxl
        | MediaType::Jp2
        | MediaType::Jxr
        | MediaType::Xcf
        | MediaType::Exr
        | MediaType::Hdr
        | MediaType::Pnm
        | MediaType::Tga
        | MediaType::Pcd
        | MediaType::Avi
        | MediaType::Mkv
        | MediaType::Mpeg
        | MediaType::Wmv
        | MediaType::Dv
        | MediaType::Flv
        | MediaType::Mxf
        | MediaType::Ogv
        | MediaType::Rm
        | MediaType::RawVideo
        | MediaType::Aae
        | MediaType::Json
        | MediaType::Develop => Metadata::default(),
    }
}

fn moment(moment: &Moment) -> Option<WallTime> {
    dates::parse_exif(moment.date.as_deref()?, moment.fraction.as_deref(), moment.offset.as_deref())
}

fn of_tags(tags: Tags) -> Metadata {
    let taken = moment(&tags.original)
        .or_else(|| moment(&tags.digitized))
        .or_else(|| tags.xmp.as_deref().and_then(xmp::captured))
        .or_else(|| moment(&tags.modified));
    Metadata {
        taken,
        created_utc: None,
        size: tags.largest_size,
        orientation: tags.orientation,
        make: tags.make,
        model: tags.model,
        content_identifier: tags.content_identifier,
        duration_ms: None,
        previews: tags.previews,
    }
}

/// From an EXIF block and an XMP packet, either of which may be missing.
fn of_blocks(exif: Option<Vec<u8>>, xmp: Option<Vec<u8>>) -> Metadata {
    let mut tags = exif.and_then(|exif| tiff::read(&mut exif.as_slice())).unwrap_or_default();
    tags.xmp = tags.xmp.or(xmp);
    of_tags(tags)
}

fn of_header(header: headers::Header) -> Metadata {
    Metadata { size: header.size, previews: Vec::new(), ..of_blocks(header.exif, header.xmp) }
}

fn of_jpeg(source: &mut dyn ReadAt) -> Metadata {
    let Some(head) = jpeg::read(source) else { return Metadata::default() };
    let mut metadata = of_blocks(head.exif, head.xmp);
    metadata.size = head.frame.map(|frame| (frame.width, frame.height));
    for preview in &mut metadata.previews {
        *preview = preview.start.saturating_add(head.exif_at)..preview.end.saturating_add(head.exif_at);
    }
    metadata
}

fn of_heif(source: &mut dyn ReadAt) -> Metadata {
    let Some(heif) = heif::read(source) else { return Metadata::default() };
    Metadata { size: heif.size, previews: Vec::new(), ..of_blocks(heif.exif, heif.xmp) }
}

fn of_movie(source: &mut dyn ReadAt) -> Metadata {
    let Some(movie) = movie::read(source) else { return Metadata::default() };
    Metadata {
        taken: movie.taken,
        created_utc: movie.created_utc,
        size: movie.size,
        orientation: movie.orientation,
        make: movie.make,
        model: movie.model,
        content_identifier: movie.content_identifier,
        duration_ms: movie.duration_ms,
        previews: Vec::new(),
    }
}

fn of_raw(source: &mut dyn ReadAt) -> Metadata {
    if let Some(tags) = tiff::read(source) {
        return of_tags(tags);
    }
    if array(source, 0) == Some(*b"FUJIFILMCCD-RAW") {
        return of_fuji(source).unwrap_or_default();
    }
    of_cr3(source).unwrap_or_default()
}

/// A RAF says where its JPEG is, and that carries the EXIF block.
fn of_fuji(source: &mut dyn ReadAt) -> Option<Metadata> {
    let start = u64::from(boxes::u32_at(source, 84)?);
    let len = u64::from(boxes::u32_at(source, 88)?);
    let inner = of_jpeg(&mut Part { source, start, len });
    Some(Metadata { previews: std::iter::once(start..start.saturating_add(len)).collect(), ..inner })
}

fn of_cr3(source: &mut dyn ReadAt) -> Option<Metadata> {
    let end = source.size();
    let moov = find(source, 0, end, b"moov")?;
    let canon = boxes::list(source, moov.start, moov.end);
    let canon =
        canon.into_iter().find(|b| &b.kind == b"uuid" && array(source, b.start) == Some(CR3_METADATA))?;
    let mut tags = Tags::default();
    for part in boxes::list(source, canon.start + 16, canon.end) {
        let mut block = Part { source, start: part.start, len: part.len() };
        match &part.kind {
            b"CMT1" => {
                let image = tiff::read(&mut block).unwrap_or_default();
                tags = Tags {
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
    let mut metadata = of_tags(tags);
    for part in boxes::list(source, 0, end) {
        if &part.kind == b"uuid" && array(source, part.start) == Some(CR3_PREVIEW) {
            // Eight bytes of version and count, then the preview's box: six fields, then its JPEG.
            if let Some(preview) = find(source, part.start + 24, part.end, b"PRVW") {
                metadata.previews.push((preview.start + 16).min(preview.end)..preview.end);
            }
        }
    }
    Some(metadata)
}

fn psd_size(source: &mut dyn ReadAt) -> Option<(u32, u32)> {
    let height = boxes::u32_at(source, 14)?;
    boxes::u32_at(source, 18).map(|width| (width, height))
}
