//! The boxes of the ISO base media format: MP4, QuickTime, HEIF and CR3.

use super::bounded_reader::{ReadAt, array};

/// The most boxes that are visited on one level.
const BOXES_MAX: usize = 4096;

/// Adobe's name of the box that holds an XMP packet.
pub(crate) const XMP_UUID: [u8; 16] = *b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";

/// One box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundBox {
    pub(crate) kind: [u8; 4],
    /// Where its content begins.
    pub(crate) start: u64,
    /// Where it ends.
    pub(crate) end: u64,
}

impl FoundBox {
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// The boxes side by side between `start` and `end`, as far as they make sense.
pub(crate) fn list(source: &mut dyn ReadAt, start: u64, end: u64) -> Vec<FoundBox> {
    list_at_most(source, start, end, BOXES_MAX)
}

/// Like [`list`], but no more than `most`: where boxes are far apart, each costs a read.
pub(crate) fn list_at_most(source: &mut dyn ReadAt, start: u64, end: u64, most: usize) -> Vec<FoundBox> {
    let end = end.min(source.size());
    let mut boxes = Vec::new();
    let mut at = start;
    while boxes.len() < most
        && let Some(found) = header(source, at, end)
    {
        at = found.end;
        boxes.push(found);
    }
    boxes
}

/// The first box of a kind between `start` and `end`. Stops looking where it is found.
pub(crate) fn find(source: &mut dyn ReadAt, start: u64, end: u64, kind: &[u8; 4]) -> Option<FoundBox> {
    let end = end.min(source.size());
    let mut at = start;
    for _box in 0..BOXES_MAX {
        let found = header(source, at, end)?;
        if &found.kind == kind {
            return Some(found);
        }
        at = found.end;
    }
    None
}

fn header(source: &mut dyn ReadAt, at: u64, end: u64) -> Option<FoundBox> {
    if at.checked_add(8)? > end {
        return None;
    }
    let [a, b, c, d, kind @ ..] = array::<8>(source, at)?;
    let (start, len) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (at + 8, end - at),
        1 => (at + 16, array(source, at + 8).map(u64::from_be_bytes)?),
        len => (at + 8, u64::from(len)),
    };
    let box_end = at.checked_add(len)?;
    // The last box of a file that was cut off still counts as far as it goes.
    (box_end >= start && start <= end).then_some(FoundBox { kind, start, end: box_end.min(end) })
}

/// A big-endian number at a place.
pub(crate) fn u32_at(source: &mut dyn ReadAt, at: u64) -> Option<u32> {
    array(source, at).map(u32::from_be_bytes)
}

/// A big-endian number at a place.
pub(crate) fn u64_at(source: &mut dyn ReadAt, at: u64) -> Option<u64> {
    array(source, at).map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn boxes_of_all_lengths() {
        let mut bytes = b"\0\0\0\x0cabcd1234".to_vec();
        bytes.extend(b"\0\0\0\x01wide\0\0\0\0\0\0\0\x12xy");
        bytes.extend(b"\0\0\0\0rest....");
        let found = list(&mut bytes.as_slice(), 0, u64::MAX);
        let told: Vec<_> = found.iter().map(|b| (&b.kind, b.len())).collect();
        assert_eq!(told, [(b"abcd", 4), (b"wide", 2), (b"rest", 4)]);
        assert_eq!(find(&mut bytes.as_slice(), 0, u64::MAX, b"wide").map(|b| b.len()), Some(2));
        assert_eq!(find(&mut bytes.as_slice(), 0, u64::MAX, b"none"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for found in list(&mut bytes.as_slice(), 0, u64::MAX) {
                prop_assert!(found.start <= found.end && found.end <= bytes.len() as u64);
            }
        }
    }
}
