//! A bounded walk over the tags of a TIFF: EXIF blocks, TIFF and BigTIFF files, JPEG XR, and the RAW files
//! made like them.
//!
//! It looks for a dozen tags, forgives everything else, and visits a bounded number of directories
//! however they are linked.

use std::ops::Range;

use super::bounded_reader::{ReadAt, array, block};
pub(crate) use super::tiff_entry::ByteOrder;
use super::tiff_entry::{Entry, OffsetWidth};

/// The most directories that are visited in one file.
const DIRECTORIES_MAX: usize = 32;
/// The most entries that are read of one directory.
const ENTRIES_MAX: u16 = 1024;
/// The longest text that is read of one tag.
const TEXT_BYTES_MAX: u64 = 256;
/// The longest XMP packet that is read.
const XMP_BYTES_MAX: u64 = 256 * 1024;
/// The longest block of IPTC records or of Photoshop's resources that is read.
const RESOURCES_BYTES_MAX: u64 = 256 * 1024;
/// The longest maker note that is read.
const MAKER_NOTE_BYTES_MAX: u64 = 64 * 1024;
/// The most embedded pictures that are remembered.
const PREVIEWS_MAX: usize = 16;

/// What the tags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TiffTags {
    pub(crate) make: Option<String>,
    pub(crate) model: Option<String>,
    /// 1–8.
    pub(crate) orientation: Option<u8>,
    /// Of the first directory.
    pub(crate) first_size: Option<(u32, u32)>,
    /// Of the directory with the most pixels.
    pub(crate) largest_size: Option<(u32, u32)>,
    pub(crate) original: DateTags,
    pub(crate) digitized: DateTags,
    pub(crate) modified: DateTags,
    pub(crate) content_identifier: Option<String>,
    pub(crate) xmp: Option<Vec<u8>>,
    pub(crate) iptc: Option<Vec<u8>>,
    /// Photoshop's image resources.
    pub(crate) photoshop: Option<Vec<u8>>,
    /// Where embedded JPEGs may be, from the start of the TIFF.
    pub(crate) previews: Vec<Range<u64>>,
}

/// The three tags that make one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DateTags {
    pub(crate) date: Option<Vec<u8>>,
    pub(crate) fraction: Option<Vec<u8>>,
    pub(crate) offset: Option<Vec<u8>>,
}

/// Reads the tags; `None` where the bytes do not begin like a TIFF.
pub(crate) fn read(source: &mut dyn ReadAt) -> Option<TiffTags> {
    let head = array::<8>(source, 0)?;
    let (order, width) = (ByteOrder::of(&head)?, OffsetWidth::of(&head)?);
    let first = match width {
        OffsetWidth::Narrow => u64::from(order.u32(&head[4..])?),
        OffsetWidth::Wide => order.u64(&array::<8>(source, 8)?)?,
    };
    let is_panasonic = &head[..4] == b"IIU\0";
    Some(DirectoryWalk { source, order, width, is_panasonic, tags: TiffTags::default() }.all_from(first))
}

/// Reads the directory at `at` and those it leads to, in bytes that have no head: some cameras write
/// one into a movie.
pub(crate) fn read_directory(source: &mut dyn ReadAt, order: ByteOrder, at: u64) -> TiffTags {
    DirectoryWalk {
        source,
        order,
        width: OffsetWidth::Narrow,
        is_panasonic: false,
        tags: TiffTags::default(),
    }
    .all_from(at)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DirectoryRole {
    ImageDirectory,
    Exif,
}

/// What one image directory says of itself.
#[derive(Default)]
struct ImageDirectory {
    width: u32,
    height: u32,
    compression: u32,
    strip: Option<u64>,
    strip_len: Option<u64>,
    jpeg: Option<u64>,
    jpeg_len: Option<u64>,
}

struct DirectoryWalk<'s> {
    source: &'s mut dyn ReadAt,
    order: ByteOrder,
    width: OffsetWidth,
    is_panasonic: bool,
    tags: TiffTags,
}

impl DirectoryWalk<'_> {
    /// Reads the directory at `first` and those it leads to.
    fn all_from(mut self, first: u64) -> TiffTags {
        let mut queue = vec![(first, DirectoryRole::ImageDirectory)];
        let mut visited = Vec::new();
        while let Some((at, role)) = queue.pop() {
            if at < 8 || visited.contains(&at) || visited.len() >= DIRECTORIES_MAX {
                continue;
            }
            visited.push(at);
            let is_first = visited.len() == 1;
            let further = self.directory(at, role, is_first);
            // Popped from the back: the directory's own children come before its neighbour.
            queue.extend(further.into_iter().rev());
        }
        self.tags
    }

    /// Reads one directory; the directories it leads to.
    fn directory(&mut self, at: u64, role: DirectoryRole, is_first: bool) -> Vec<(u64, DirectoryRole)> {
        let mut further = Vec::new();
        let Some((count, entries)) = self.entry_count(at) else { return further };
        let entry_len = 4 + 2 * self.width.bytes();
        let mut image = ImageDirectory::default();
        for index in 0..count.min(u64::from(ENTRIES_MAX)) {
            let Some(bytes) = block(self.source, entries + index * entry_len, entry_len, 20) else { break };
            let Some(entry) = Entry::parse(&bytes, self.order, self.width) else { break };
            match role {
                DirectoryRole::ImageDirectory => self.image_entry(&entry, &mut image, &mut further),
                DirectoryRole::Exif => self.exif_entry(&entry),
            }
        }
        if role == DirectoryRole::ImageDirectory {
            self.finish_image(&image, is_first);
            let next_at = count.checked_mul(entry_len).and_then(|len| entries.checked_add(len));
            further.extend(
                next_at.and_then(|at| self.place_at(at)).map(|next| (next, DirectoryRole::ImageDirectory)),
            );
        }
        further
    }

    /// How many entries the directory at `at` has, and where they begin.
    fn entry_count(&mut self, at: u64) -> Option<(u64, u64)> {
        match self.width {
            OffsetWidth::Narrow => {
                let count = array::<2>(self.source, at).and_then(|b| self.order.u16(&b))?;
                Some((u64::from(count), at.checked_add(2)?))
            }
            OffsetWidth::Wide => {
                let count = array::<8>(self.source, at).and_then(|b| self.order.u64(&b))?;
                Some((count, at.checked_add(8)?))
            }
        }
    }

    fn place_at(&mut self, at: u64) -> Option<u64> {
        let bytes = block(self.source, at, self.width.bytes(), 8)?;
        self.order.wide(self.width, &bytes)
    }

    fn image_entry(
        &mut self,
        entry: &Entry,
        image: &mut ImageDirectory,
        further: &mut Vec<(u64, DirectoryRole)>,
    ) {
        let number = self.number(entry);
        match entry.tag {
            0x0100 => image.width = small(number),
            0x0101 => image.height = small(number),
            // Panasonic writes its own tags where others have none.
            0x0002 if self.is_panasonic => image.width = small(number),
            0x0003 if self.is_panasonic => image.height = small(number),
            0x002e if self.is_panasonic => {
                image.jpeg = self.order.wide(self.width, &entry.field);
                image.jpeg_len = Some(entry.byte_len());
            }
            0x0103 => image.compression = small(number),
            0x010f => self.tags.make = self.tags.make.take().or_else(|| self.text(entry)),
            0x0110 => self.tags.model = self.tags.model.take().or_else(|| self.text(entry)),
            0x0111 if entry.count == 1 => image.strip = Some(number),
            0x0117 if entry.count == 1 => image.strip_len = Some(number),
            0x0112 if self.tags.orientation.is_none() => {
                self.tags.orientation = u8::try_from(number).ok().filter(|o| (1..=8).contains(o));
            }
            0x0132 => {
                self.tags.modified.date =
                    self.tags.modified.date.take().or_else(|| self.bytes(entry, TEXT_BYTES_MAX));
            }
            0x014a => {
                let places = self.numbers(entry, DIRECTORIES_MAX);
                further.extend(places.into_iter().map(|at| (at, DirectoryRole::ImageDirectory)));
            }
            0x0201 => image.jpeg = Some(number),
            0x0202 => image.jpeg_len = Some(number),
            0x02bc => self.tags.xmp = self.tags.xmp.take().or_else(|| self.bytes(entry, XMP_BYTES_MAX)),
            0x83bb => {
                self.tags.iptc = self.tags.iptc.take().or_else(|| self.bytes(entry, RESOURCES_BYTES_MAX));
            }
            0x8649 => {
                self.tags.photoshop =
                    self.tags.photoshop.take().or_else(|| self.bytes(entry, RESOURCES_BYTES_MAX));
            }
            0x8769 => further.push((number, DirectoryRole::Exif)),
            // Some RAW files keep these beside the picture, and CR3 gives them a block of their own.
            0x9003..=0x9292 => self.exif_entry(entry),
            _ => {}
        }
    }

    fn exif_entry(&mut self, entry: &Entry) {
        let text = |walk: &mut Self| walk.bytes(entry, TEXT_BYTES_MAX);
        match entry.tag {
            0x9003 => self.tags.original.date = self.tags.original.date.take().or_else(|| text(self)),
            0x9004 => self.tags.digitized.date = self.tags.digitized.date.take().or_else(|| text(self)),
            0x9010 => self.tags.modified.offset = text(self),
            0x9011 => self.tags.original.offset = text(self),
            0x9012 => self.tags.digitized.offset = text(self),
            0x9290 => self.tags.modified.fraction = text(self),
            0x9291 => self.tags.original.fraction = text(self),
            0x9292 => self.tags.digitized.fraction = text(self),
            0x927c => {
                let note = self.bytes(entry, MAKER_NOTE_BYTES_MAX);
                self.tags.content_identifier = note.and_then(|note| apple_identifier(&note));
            }
            _ => {}
        }
    }

    fn finish_image(&mut self, image: &ImageDirectory, is_first: bool) {
        if image.width > 0 && image.height > 0 {
            let size = (image.width, image.height);
            let area = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
            if is_first {
                self.tags.first_size = Some(size);
            }
            if self.tags.largest_size.is_none_or(|largest| area(size) > area(largest)) {
                self.tags.largest_size = Some(size);
            }
        }
        // 6 and 7 are JPEG; whether it is one that can be shown is seen when it is read.
        let strip = image.strip.filter(|_| matches!(image.compression, 6 | 7));
        let pairs = [(image.jpeg, image.jpeg_len), (strip, image.strip_len)];
        for (start, len) in pairs {
            if let (Some(start), Some(len)) = (start, len)
                && len > 0
                && self.tags.previews.len() < PREVIEWS_MAX
            {
                self.tags.previews.push(start..start.saturating_add(len));
            }
        }
    }

    /// The first number of an entry; 0 where it has none.
    fn number(&self, entry: &Entry) -> u64 {
        let number = match entry.kind {
            1 | 6 | 7 => Some(u64::from(entry.field[0])),
            3 | 8 => self.order.u16(&entry.field).map(u64::from),
            4 | 9 | 13 => self.order.u32(&entry.field).map(u64::from),
            16..=18 if self.width == OffsetWidth::Wide => self.order.u64(&entry.field),
            _ => None,
        };
        number.unwrap_or(0)
    }

    fn numbers(&mut self, entry: &Entry, most: usize) -> Vec<u64> {
        if entry.count <= 1 {
            return vec![self.number(entry)];
        }
        let wide = matches!(entry.kind, 16..=18);
        let Some(bytes) = self.bytes(entry, (most * 8) as u64) else { return Vec::new() };
        let unit = if wide { 8 } else { 4 };
        let numbers = bytes.chunks_exact(unit).take(most);
        let width = if wide { OffsetWidth::Wide } else { OffsetWidth::Narrow };
        numbers.filter_map(|bytes| self.order.wide(width, bytes)).collect()
    }

    fn bytes(&mut self, entry: &Entry, most: u64) -> Option<Vec<u8>> {
        let len = entry.byte_len();
        if len <= self.width.bytes() {
            return Some(entry.field[..usize::try_from(len).ok()?].to_vec());
        }
        let start = self.order.wide(self.width, &entry.field)?;
        let len = len.min(most).min(self.source.size().checked_sub(start)?);
        block(self.source, start, len, usize::try_from(most).ok()?)
    }

    fn text(&mut self, entry: &Entry) -> Option<String> {
        self.bytes(entry, TEXT_BYTES_MAX).and_then(|bytes| clean_text(&bytes))
    }
}

/// The number of an image; 0 where it is beyond all images.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A tag's text up to its end mark, without control characters and blanks around it; `None` where
/// nothing is left.
pub(crate) fn clean_text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text: String = String::from_utf8_lossy(&bytes[..end]).chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The content identifier in Apple's maker note, which pairs the halves of a Live Photo.
fn apple_identifier(note: &[u8]) -> Option<String> {
    let body = note.strip_prefix(b"Apple iOS\0")?;
    let order = match body.get(2..4)? {
        b"MM" => ByteOrder::Big,
        b"II" => ByteOrder::Little,
        _ => return None,
    };
    let entries = body.get(4..)?;
    let count = order.u16(entries)?.min(ENTRIES_MAX);
    let entry = entries.get(2..)?.chunks_exact(12).take(usize::from(count));
    let parsed = entry.filter_map(|bytes| Entry::parse(bytes, order, OffsetWidth::Narrow));
    let entry = parsed.into_iter().find(|entry| entry.tag == 0x0011)?;
    let start = usize::try_from(order.u32(&entry.field)?).ok()?;
    let len = usize::try_from(entry.byte_len().min(TEXT_BYTES_MAX)).ok()?;
    clean_text(note.get(start..start.checked_add(len)?)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::fixture::exif::ExifWriter;

    fn written() -> ExifWriter {
        ExifWriter {
            make: Some("Maker".to_owned()),
            model: Some("Model 5".to_owned()),
            orientation: Some(6),
            taken: Some("2019:05:12 10:15:00".to_owned()),
            offset: Some("+02:00".to_owned()),
            content_identifier: Some("1B2C-3D".to_owned()),
            thumbnail: Some(vec![0xff, 0xd8, 1, 2, 3]),
        }
    }

    #[test]
    fn the_tags_that_matter_are_found() {
        let bytes = written().tiff();
        let tags = read(&mut bytes.as_slice()).expect("a TIFF");
        assert_eq!(tags.make.as_deref(), Some("Maker"));
        assert_eq!(tags.model.as_deref(), Some("Model 5"));
        assert_eq!(tags.orientation, Some(6));
        assert_eq!(tags.original.date.as_deref(), Some(&b"2019:05:12 10:15:00\0"[..]));
        assert_eq!(tags.original.offset.as_deref(), Some(&b"+02:00\0"[..]));
        assert_eq!(tags.content_identifier.as_deref(), Some("1B2C-3D"));
        let preview = tags.previews.first().expect("a thumbnail");
        let range =
            usize::try_from(preview.start).expect("small")..usize::try_from(preview.end).expect("small");
        assert_eq!(&bytes[range], &[0xff, 0xd8, 1, 2, 3]);
    }

    #[test]
    fn loops_end() {
        // A directory without entries whose neighbour is itself.
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend([0, 0, 8, 0, 0, 0]);
        assert_eq!(read(&mut bytes.as_slice()), Some(TiffTags::default()));
        assert_eq!(read(&mut &b"II*\0"[..]), None);
        assert_eq!(read(&mut &b"GIF89a..."[..]), None);
    }

    /// A BigTIFF with one EXIF directory that has a date.
    fn big_tiff(date: &[u8; 19]) -> Vec<u8> {
        let entry = |tag: u16, kind: u16, count: u64, value: u64| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let mut bytes = b"II+\0\x08\0\0\0".to_vec();
        bytes.extend(16_u64.to_le_bytes());
        bytes.extend(3_u64.to_le_bytes());
        bytes
            .extend([entry(0x0100, 4, 1, 640), entry(0x0101, 16, 1, 480), entry(0x8769, 13, 1, 92)].concat());
        bytes.extend(0_u64.to_le_bytes());
        assert_eq!(bytes.len(), 92);
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(entry(0x9003, 2, 20, 128));
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(date);
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_big_tiff_is_read() {
        let tags = read(&mut big_tiff(b"2018:04:05 06:07:08").as_slice()).expect("a TIFF");
        assert_eq!(tags.first_size, Some((640, 480)));
        assert_eq!(tags.original.date.as_deref(), Some(&b"2018:04:05 06:07:08\0"[..]));
        let mut odd = big_tiff(b"2018:04:05 06:07:08");
        odd[4] = 16;
        assert_eq!(read(&mut odd.as_slice()), None);
    }

    proptest! {
        #[test]
        fn damage_to_a_big_tiff_is_survived(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            let mut bytes = big_tiff(b"2018:04:05 06:07:08");
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
        }

        #[test]
        fn damage_is_survived(
            cut in 0_usize..600,
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            let mut bytes = written().tiff();
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut % 40));
            if let Some(tags) = read(&mut bytes.as_slice()) {
                prop_assert!(tags.previews.len() <= PREVIEWS_MAX);
            }
        }
    }
}
