//! What a file says of itself: containers, EXIF, XMP, dates in names, and what type it is.

use super::memory::Bytes;
use crate::domain::asset::Provenance;
use crate::domain::media_type::MediaType;
use crate::domain::path::RelPath;
use crate::media::bytes::{Bounded, READ_BUDGET_BYTES};
use crate::media::facts::{Described, describe};
use crate::media::{boxes, dates, headers, heif, jpeg, metadata, movie, name_date, sniff, tiff, xmp};

/// Names of all kinds of files; the first byte of the input picks one.
const NAMES: [&str; 16] = [
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
];
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
    let described = describe(&mut file, &rel, &stamp).expect("memory can be read");
    // The head may be read once more by each reader of a part, but never beyond the budget.
    assert!(file.read_so_far() <= READ_BUDGET_BYTES, "{} bytes were read", file.read_so_far());
    let Described::Facts(facts) = described else { return };
    assert!(!bytes.is_empty());
    assert!((1..=8).contains(&facts.orientation));
    assert!(facts.dimensions.is_none_or(|(width, height)| width > 0 && height > 0));
    let captured = facts.captured_at;
    assert!(captured.offset_minutes.is_none_or(|minutes| minutes.unsigned_abs() <= 14 * 60));
    if captured.provenance != Provenance::ModifiedTime {
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
    for found in boxes::list(source, 0, u64::MAX) {
        assert!(found.start <= found.end && found.end <= bytes.len() as u64);
    }
    heif::read(source);
    movie::read(source);
    for read in [headers::png, headers::webp, headers::gif, headers::bmp] {
        read(source);
    }
    xmp::captured(bytes);
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
    ] {
        let mut file = Bytes::new(bytes);
        let mut source = Bounded::open(&mut file, bytes.len() as u64).expect("memory can be read");
        let read = metadata::read(&mut source, media_type);
        assert!(read.previews.iter().all(|range| range.start <= range.end));
        assert!(source.take_error().is_none());
    }
}
