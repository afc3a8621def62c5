//! Smaller JPEGs inside other files: the preview in EXIF, and the pictures that cameras put into RAW.

use std::io::{Read as _, SeekFrom};
use std::ops::Range;

use super::{PictureError, Rgba, jpeg, orient, upright};
use crate::base::files::SourceFile;
use crate::media::bounded_reader::{BoundedFile, ReadAt as _, SubReader};
use crate::media::jpeg::{Frame, read};
use crate::media::metadata::Metadata;
use crate::media::tiff;

/// The longest embedded JPEG that is read.
const PREVIEW_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How much of a RAW file is searched for a JPEG where its tags lead to none.
const SEARCH_BYTES: u64 = 4 * 1024 * 1024;
/// The most places that a search looks at.
const SEARCH_PLACES_MAX: usize = 32;
/// A JPEG in a RAW that is smaller than this is an icon.
const RAW_SIDE_MIN: u32 = 120;

/// The EXIF preview of a JPEG where it is as large as asked for.
pub(super) fn in_exif(file: &mut dyn SourceFile, metadata: &Metadata, side_max: u32) -> Option<Rgba> {
    let (bytes, frame) = exif_preview(file, metadata)?;
    if frame.width.max(frame.height) < side_max {
        return None;
    }
    jpeg::decode(&bytes, side_max).ok().map(|picture| upright(picture, metadata))
}

/// The EXIF preview of a JPEG, however small.
pub(super) fn any_in_exif(file: &mut dyn SourceFile, metadata: &Metadata, side_max: u32) -> Option<Rgba> {
    let (bytes, _frame) = exif_preview(file, metadata)?;
    jpeg::decode(&bytes, side_max).ok().map(|picture| upright(picture, metadata))
}

fn exif_preview(file: &mut dyn SourceFile, metadata: &Metadata) -> Option<(Vec<u8>, Frame)> {
    let range = metadata.previews.first()?;
    let bytes = part(file, range)?;
    let frame = read(&mut bytes.as_slice())?.frame?;
    is_same_shape(metadata.size?, (frame.width, frame.height)).then_some((bytes, frame))
}

/// A preview of another shape has black bars, or shows the picture before it was cropped.
fn is_same_shape(whole: (u32, u32), small: (u32, u32)) -> bool {
    let ours = u64::from(whole.0) * u64::from(small.1);
    let theirs = u64::from(whole.1) * u64::from(small.0);
    ours.abs_diff(theirs) * 50 <= ours.max(theirs)
}

/// The picture that a camera put into its RAW: the smallest that is large enough, else the largest.
pub(super) fn in_raw(
    file: &mut dyn SourceFile,
    size: u64,
    metadata: &Metadata,
    side_max: u32,
) -> Result<Rgba, PictureError> {
    let mut found = usable(file, size, &metadata.previews)?;
    if found.is_empty() {
        let places = search(file, size)?;
        found = usable(file, size, &places)?;
    }
    let longest = |frame: &Frame| frame.width.max(frame.height);
    found.sort_by_key(|(_, frame)| (longest(frame) < side_max, longest(frame).abs_diff(side_max)));
    for (range, _frame) in found {
        let Some(bytes) = part(file, &range) else { continue };
        let Ok(picture) = jpeg::decode(&bytes, side_max) else { continue };
        let orientation = metadata.orientation.or_else(|| own_orientation(&bytes));
        return Ok(orient::turn(picture, orientation.unwrap_or(1)));
    }
    Err(PictureError::Unsupported)
}

fn own_orientation(bytes: &[u8]) -> Option<u8> {
    let exif = read(&mut &*bytes)?.exif?;
    tiff::read(&mut exif.as_slice())?.orientation
}

/// Those places that hold a JPEG which can be shown.
fn usable(
    file: &mut dyn SourceFile,
    size: u64,
    places: &[Range<u64>],
) -> Result<Vec<(Range<u64>, Frame)>, PictureError> {
    let mut source = BoundedFile::open(file, size).map_err(|_error| PictureError::Unreadable)?;
    let mut found = Vec::new();
    for range in places {
        let len = range.end.saturating_sub(range.start);
        let frame =
            read(&mut SubReader { source: &mut source, start: range.start, len }).and_then(|head| head.frame);
        found.extend(
            frame.filter(|f| f.is_usual && f.width.max(f.height) >= RAW_SIDE_MIN).map(|f| (range.clone(), f)),
        );
    }
    Ok(found)
}

/// Where a JPEG may begin in the first megabytes of a file; each lasts to the file's end, as a decoder
/// stops by itself.
fn search(file: &mut dyn SourceFile, size: u64) -> Result<Vec<Range<u64>>, PictureError> {
    let head = bytes_of(file, 0, size.min(SEARCH_BYTES)).ok_or(PictureError::Unreadable)?;
    let starts = head.windows(3).enumerate().filter(|(_, window)| *window == [0xff, 0xd8, 0xff]);
    let source: &[u8] = &head;
    let len = source.size();
    Ok(starts.take(SEARCH_PLACES_MAX).map(|(at, _)| at as u64..size.max(len)).collect())
}

fn part(file: &mut dyn SourceFile, range: &Range<u64>) -> Option<Vec<u8>> {
    let len = range.end.checked_sub(range.start)?.min(PREVIEW_BYTES_MAX);
    bytes_of(file, range.start, len)
}

fn bytes_of(file: &mut dyn SourceFile, start: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start)).ok()?;
    (&mut *file).take(len).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
