//! Canon's heap of the years before EXIF: CRW files, and a segment of some JPEGs (*CIFF Specification*
//! 1.0, 1997).

use std::ops::Range;

use super::bounded_reader::{ReadAt, array, block};
use super::dates::WallTime;
use super::tiff::clean_text;

/// The most directories that are visited.
const DIRECTORIES_MAX: usize = 32;
/// The most entries of one directory.
const ENTRIES_MAX: u64 = 512;
/// The longest text that is read.
const TEXT_BYTES_MAX: u64 = 128;

/// What the heap says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CiffFields {
    /// The camera's local time.
    pub(crate) taken: Option<WallTime>,
    pub(crate) make: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) size: Option<(u32, u32)>,
    /// Where embedded JPEGs may be.
    pub(crate) previews: Vec<Range<u64>>,
}

/// Reads a heap; `None` where the bytes do not begin like one.
pub(crate) fn read(source: &mut dyn ReadAt) -> Option<CiffFields> {
    let head = array::<14>(source, 0)?;
    let is_heap = head.starts_with(b"II") && matches!(&head[6..], b"HEAPCCDR" | b"HEAPJPGM");
    let [_, _, a, b, c, d, ..] = head;
    let start = u64::from(u32::from_le_bytes([a, b, c, d]));
    let end = source.size();
    if !is_heap || start >= end {
        return None;
    }
    let (mut heap, mut queue) = (CiffFields::default(), Vec::new());
    directory(source, &(start..end), &mut heap, &mut queue);
    for _directory in 0..DIRECTORIES_MAX {
        let Some(part) = queue.pop() else { break };
        directory(source, &part, &mut heap, &mut queue);
    }
    Some(heap)
}

/// Reads the directory at the end of a part of the heap; parts of the part go to the queue.
fn directory(
    source: &mut dyn ReadAt,
    part: &Range<u64>,
    heap: &mut CiffFields,
    queue: &mut Vec<Range<u64>>,
) -> Option<()> {
    let number = |source: &mut dyn ReadAt, at| array(source, at).map(u32::from_le_bytes);
    let at = part.start.checked_add(u64::from(number(source, part.end.checked_sub(4)?)?))?;
    let count = u64::from(u16::from_le_bytes(array(source, at)?));
    for index in 0..count.min(ENTRIES_MAX) {
        let entry = at + 2 + index * 10;
        let tag = u16::from_le_bytes(array(source, entry)?);
        // A value of eight bytes may be in the entry itself.
        let (start, len) = if tag & 0x4000 != 0 {
            (entry + 2, 8)
        } else {
            let (len, offset) = (number(source, entry + 2)?, number(source, entry + 6)?);
            (part.start.checked_add(u64::from(offset))?, u64::from(len))
        };
        let Some(end) = start.checked_add(len).filter(|end| *end <= part.end) else { continue };
        match tag & 0x3fff {
            0x180e if len >= 4 => {
                let seconds = number(source, start)?;
                heap.taken = heap.taken.or_else(|| WallTime::from_local_seconds(i64::from(seconds)));
            }
            0x080a => {
                let text = block(source, start, len.min(TEXT_BYTES_MAX), 128)?;
                let mut texts = text.split(|byte| *byte == 0);
                heap.make = texts.next().and_then(clean_text);
                heap.model = texts.next().and_then(clean_text);
            }
            0x1810 if len >= 8 => {
                heap.size = number(source, start).zip(number(source, start + 4));
            }
            0x2007 | 0x2008 => heap.previews.push(start..end),
            id if matches!(id & 0x3800, 0x2800 | 0x3000) && queue.len() < DIRECTORIES_MAX => {
                queue.push(start..end);
            }
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A part of a heap with these entries.
    fn part(entries: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut directory = u16::try_from(entries.len()).expect("few").to_le_bytes().to_vec();
        for (tag, value) in entries {
            directory.extend(tag.to_le_bytes());
            directory.extend(u32::try_from(value.len()).expect("short").to_le_bytes());
            directory.extend(u32::try_from(bytes.len()).expect("short").to_le_bytes());
            bytes.extend(*value);
        }
        let at = u32::try_from(bytes.len()).expect("short").to_le_bytes();
        bytes.extend(directory);
        bytes.extend(at);
        bytes
    }

    /// A heap of a Canon camera that was used at this local time.
    pub(crate) fn heap(kind: &[u8; 8], seconds: u32) -> Vec<u8> {
        let stamp = [seconds.to_le_bytes(), [0; 4], [0; 4]].concat();
        let properties = part(&[(0x180e, &stamp), (0x1810, &[64, 0, 0, 0, 48, 0, 0, 0])]);
        let camera = part(&[(0x080a, b"Canon\0Canon EOS D60\0")]);
        let root = part(&[(0x2807, &camera), (0x300a, &properties)]);
        [b"II\x1a\0\0\0", &kind[..], &[0; 12], &root].concat()
    }

    #[test]
    fn the_camera_and_its_clock_are_read() {
        // 2003-04-05T06:07:08
        let found = read(&mut heap(b"HEAPCCDR", 1_049_522_828).as_slice()).expect("a heap");
        let taken = found.taken.map(|time| (time.local.to_string(), time.offset_minutes));
        assert_eq!(taken, Some(("2003-04-05T06:07:08".to_owned(), None)));
        assert_eq!((found.make.as_deref(), found.model.as_deref()), (Some("Canon"), Some("Canon EOS D60")));
        assert_eq!(found.size, Some((64, 48)));
        assert_eq!(read(&mut heap(b"HEAPCCDR", 0).as_slice()).and_then(|heap| heap.taken), None);
        assert_eq!(read(&mut heap(b"HEAPNONE", 1).as_slice()), None);
    }

    #[test]
    fn a_heap_within_itself_ends() {
        // Its only entry is the whole of it.
        let mut bytes = b"II\x1a\0\0\0HEAPCCDR".to_vec();
        bytes.extend([0; 12]);
        bytes.extend([1, 0, 0x0a, 0x30, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read(&mut bytes.as_slice()), Some(CiffFields::default()));
    }

    proptest! {
        #[test]
        fn damage_is_survived(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut bytes = heap(b"HEAPCCDR", 1_049_522_828);
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
            bytes.truncate(keep.index(bytes.len()));
            read(&mut bytes.as_slice());
        }
    }
}
