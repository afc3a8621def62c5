//! What a file says of itself: containers, EXIF, XMP, dates in names, and what type it is.

use super::memory::Bytes;
use crate::domain::asset::DateSource;
use crate::domain::media_type::MediaType;
use crate::domain::path::RelPath;
use crate::domain::time::UnixMillis;
use crate::media::bounded_reader::{BoundedFile, READ_BUDGET_BYTES};
use crate::media::facts::{Description, describe};
use crate::media::dates::WallTime;
use crate::media::{
    asf, isobmff, ciff, dates, headers, heif, inflate, iptc, jp2, jpeg, jxl, matroska, metadata, movie, name_date,
    photoshop, png, raw, riff, sniff, takeout, tiff, transport, xmp,
};

/// Names of all kinds of files; the first byte of the input picks one.
const NAMES: [&str; 28] = [
    "a.jpg",
    "a.png",
    "a.webp",
    "a.gif",
    "a.tif",
    "a.bmp",
    "a.heic",
    "a.avif",
    "a.nef",
    "a.cr3",
    "a.raf",
    "a.mov",
    "a.3gp",
    "a.psd",
    "a.xmp",
    "VID_20190512_101500",
    "a.jxl",
    "a.jp2",
    "a.wdp",
    "a.crw",
    "a.mrw",
    "a.x3f",
    "a.avi",
    "a.mkv",
    "a.wmv",
    "a.mts",
    "a.jpg.json",
    "mmexport1557656100000.jpg",
];
/// This computer's time: 2027-01-15.
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
/// No date that a camera, a name or a movie header tells is outside these years.
const YEARS: std::ops::RangeInclusive<i32> = 1826..=2100;

/// The whole look at a file, and each reader by itself.
pub fn check(data: &[u8]) {
    let Some((pick, bytes)) = data.split_first() else { return };
    let name = NAMES[usize::from(*pick) % NAMES.len()];
    look(name, bytes);
    each_reader(bytes);
    each_type(bytes);
}

fn look(name: &str, bytes: &[u8]) {
    let mut file = Bytes::new(bytes);
    let stamp = file.stamp();
    let rel = RelPath::parse(name.as_bytes()).expect("a plain name");
    let described = describe(&mut file, &rel, &stamp, NOW).expect("memory can be read");
    // The head may be read once more by each reader of a part, but never beyond the budget.
    assert!(file.read_so_far() <= READ_BUDGET_BYTES, "{} bytes were read", file.read_so_far());
    let Description::Facts(facts) = described else { return };
    assert!(!bytes.is_empty());
    assert!((1..=8).contains(&facts.orientation));
    assert!(facts.dimensions.is_none_or(|(width, height)| width > 0 && height > 0));
    let captured = facts.date.captured_at;
    assert_eq!(captured.provenance, facts.date.source.provenance());
    assert!(captured.offset_minutes.is_none_or(|minutes| minutes.unsigned_abs() <= 14 * 60));
    if facts.date.source != DateSource::ModifiedTime {
        assert!(YEARS.contains(&captured.day().parts().0), "{captured:?}");
    }
    for text in facts.camera.iter().chain(&facts.content_identifier) {
        assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
    }
}

/// Without the guard around them: our own readers must not even panic.
fn each_reader(bytes: &[u8]) {
    let source = &mut &*bytes;
    if let Some(head) = jpeg::read(source) {
        assert!(head.frame.is_none_or(|frame| frame.width > 0 && frame.height > 0));
        assert!(head.exif.is_none_or(|exif| exif.len() <= usize::from(u16::MAX)));
    }
    if let Some(tags) = tiff::read(source) {
        assert!(tags.previews.iter().all(|range| range.start <= range.end));
        assert!(tags.orientation.is_none_or(|o| (1..=8).contains(&o)));
    }
    for found in isobmff::list(source, 0, u64::MAX) {
        assert!(found.start <= found.end && found.end <= bytes.len() as u64);
    }
    heif::read(source);
    movie::read(source);
    for read in [png::read, headers::webp, headers::gif, headers::bmp, jxl::read, jp2::read] {
        read(source);
    }
    each_reader_of_dates(bytes);
    if let Some(time) = dates::parse(bytes) {
        assert!(YEARS.contains(&i32::from(time.local.year())));
    }
    let (date, rest) = bytes.split_at(bytes.len().min(20));
    dates::parse_exif(date, Some(rest), Some(rest));
    if let Some(found) = name_date::find(bytes) {
        assert!(YEARS.contains(&i32::from(found.time.local.year())));
    }
    let (name, head) = bytes.split_at(bytes.len().min(12));
    sniff::sniff(head, name);
}

fn each_reader_of_dates(bytes: &[u8]) {
    let source = &mut &*bytes;
    let mut all = Vec::new();
    let mut add = |dates: crate::media::capture::StatedDates| {
        all.extend([dates.original, dates.digitized, dates.created_utc, dates.modified].concat());
    };
    add(xmp::read(bytes));
    add(iptc::read(bytes));
    add(takeout::read(bytes));
    add(asf::read(source));
    for read in [raw::read, riff::read, matroska::read] {
        add(read(source).dates);
    }
    all.extend(transport::captured(source));
    let is_sane = |time: &WallTime| YEARS.contains(&i32::from(time.local.year()));
    assert!(all.iter().all(is_sane), "{all:?}");
    if let Some(heap) = ciff::read(source) {
        assert!(heap.previews.iter().all(|range| range.start <= range.end));
    }
    let resources = photoshop::read(source, 0, u64::MAX);
    assert!(resources.iptc.is_none_or(|iptc| iptc.len() <= bytes.len()));
    for unpacked in [inflate::zlib(bytes, 4096), inflate::brotli(bytes, 4096)].into_iter().flatten() {
        assert!(unpacked.len() <= 4096);
    }
}

/// As each type in turn, as if a name or a few first bytes had said so.
fn each_type(bytes: &[u8]) {
    for media_type in [
        MediaType::Jpeg,
        MediaType::Tiff,
        MediaType::Raw,
        MediaType::Heic,
        MediaType::Mov,
        MediaType::Psd,
        MediaType::Xmp,
        MediaType::Png,
        MediaType::Webp,
        MediaType::Gif,
        MediaType::Jxl,
        MediaType::Jp2,
        MediaType::Jxr,
        MediaType::Avi,
        MediaType::Mkv,
        MediaType::Wmv,
        MediaType::Mpeg,
        MediaType::Json,
    ] {
        let mut file = Bytes::new(bytes);
        let mut source = BoundedFile::open(&mut file, bytes.len() as u64).expect("memory can be read");
        let read = metadata::read(&mut source, media_type);
        assert!(read.previews.iter().all(|range| range.start <= range.end));
        assert!(source.take_error().is_none());
    }
}
