//! What a HEIC, HEIF or AVIF file says of itself, without decoding it.

use super::bounded_reader::{ReadAt, array, block};
use super::isobmff::{FoundBox, find, list, u32_at};

/// The most items that are looked at.
const ITEMS_MAX: usize = 4096;
/// The most pieces of one item.
const EXTENTS_MAX: u64 = 16;
/// The longest EXIF or XMP item that is read.
const ITEM_BYTES_MAX: usize = 256 * 1024;

/// What the container says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heif {
    /// Of the largest picture in it: the whole of a tiled one.
    pub(crate) size: Option<(u32, u32)>,
    /// The EXIF block with what comes before its TIFF.
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
}

/// Reads the container's description; `None` where there is none.
pub(crate) fn read(source: &mut dyn ReadAt) -> Option<Heif> {
    let end = source.size();
    let meta = find(source, 0, end, b"meta")?;
    let inside = FoundBox { start: (meta.start + 4).min(meta.end), ..meta };
    let mut heif = Heif { size: largest_size(source, inside), ..Heif::default() };
    for (id, kind) in item_kinds(source, inside) {
        match &kind {
            b"Exif" => heif.exif = heif.exif.take().or_else(|| item(source, inside, id)),
            b"mime" => {
                let packet = || item(source, inside, id).filter(|block| is_xmp(block));
                heif.xmp = heif.xmp.take().or_else(packet);
            }
            _ => {}
        }
    }
    Some(heif)
}

fn is_xmp(item: &[u8]) -> bool {
    item.windows(9).any(|w| w == b"x:xmpmeta" || w == b"<rdf:RDF ")
}

fn largest_size(source: &mut dyn ReadAt, meta: FoundBox) -> Option<(u32, u32)> {
    let iprp = find(source, meta.start, meta.end, b"iprp")?;
    let ipco = find(source, iprp.start, iprp.end, b"ipco")?;
    let properties = list(source, ipco.start, ipco.end);
    let sizes = properties.iter().filter(|property| &property.kind == b"ispe");
    let sizes = sizes.filter_map(|ispe| u32_at(source, ispe.start + 4).zip(u32_at(source, ispe.start + 8)));
    sizes.max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

/// The number and kind of each item that is not a picture.
fn item_kinds(source: &mut dyn ReadAt, meta: FoundBox) -> Vec<(u32, [u8; 4])> {
    let Some(iinf) = find(source, meta.start, meta.end, b"iinf") else { return Vec::new() };
    let version = array::<1>(source, iinf.start).map_or(0, |[v]| v);
    let entries = iinf.start + if version == 0 { 6 } else { 8 };
    let entries = list(source, entries, iinf.end);
    let entry = |infe: &FoundBox| {
        let [version] = array::<1>(source, infe.start)?;
        match version {
            2 => Some((
                u32::from(u16::from_be_bytes(array(source, infe.start + 4)?)),
                array(source, infe.start + 8)?,
            )),
            3 => Some((u32_at(source, infe.start + 4)?, array(source, infe.start + 10)?)),
            _ => None,
        }
    };
    entries
        .iter()
        .filter(|e| &e.kind == b"infe")
        .filter_map(entry)
        .filter(|(_, kind)| matches!(kind, b"Exif" | b"mime"))
        .collect()
}

/// The bytes of an item that lies in the file or in the description's own data, in one piece or a few.
fn item(source: &mut dyn ReadAt, meta: FoundBox, id: u32) -> Option<Vec<u8>> {
    let place = locate(source, meta, id)?;
    let base = match place.method {
        0 => 0,
        1 => find(source, meta.start, meta.end, b"idat")?.start,
        _ => return None,
    };
    let mut bytes = Vec::new();
    for (offset, len) in place.extents {
        let room = ITEM_BYTES_MAX.saturating_sub(bytes.len());
        bytes.extend(block(source, base.checked_add(offset)?, len, room)?);
    }
    Some(bytes)
}

struct ItemLocation {
    method: u8,
    /// Start and length of each piece.
    extents: Vec<(u64, u64)>,
}

/// Reads `iloc`, whose fields have the widths that its head says.
fn locate(source: &mut dyn ReadAt, meta: FoundBox, wanted: u32) -> Option<ItemLocation> {
    let iloc = find(source, meta.start, meta.end, b"iloc")?;
    let [version, _, _, _, sizes, more] = array::<6>(source, iloc.start)?;
    let (offset_size, len_size, base_size) = (sizes >> 4, sizes & 15, more >> 4);
    let index_size = if version == 0 { 0 } else { more & 15 };
    let mut cursor = Cursor { source, at: iloc.start + 6, end: iloc.end };
    let id_size = if version < 2 { 2 } else { 4 };
    let count = usize::try_from(cursor.number(id_size)?).ok()?;
    for _item in 0..count.min(ITEMS_MAX) {
        let id = cursor.number(id_size)?;
        let method = if version == 0 { 0 } else { cursor.number(2)? & 15 };
        cursor.number(2)?;
        let base = cursor.number(base_size)?;
        let extents = cursor.number(2)?;
        if id == u64::from(wanted) {
            if extents > EXTENTS_MAX {
                return None;
            }
            let mut place = ItemLocation { method: u8::try_from(method).ok()?, extents: Vec::new() };
            for _extent in 0..extents {
                cursor.number(index_size)?;
                let offset = base.checked_add(cursor.number(offset_size)?)?;
                place.extents.push((offset, cursor.number(len_size)?));
            }
            return Some(place);
        }
        cursor.at += extents * (u64::from(index_size) + u64::from(offset_size) + u64::from(len_size));
    }
    None
}

struct Cursor<'s> {
    source: &'s mut dyn ReadAt,
    at: u64,
    end: u64,
}

impl Cursor<'_> {
    /// A big-endian number of 0, 2, 4 or 8 bytes.
    fn number(&mut self, size: u8) -> Option<u64> {
        let at = self.at;
        self.at = at.checked_add(u64::from(size)).filter(|end| *end <= self.end)?;
        match size {
            0 => Some(0),
            2 => array(self.source, at).map(|b| u64::from(u16::from_be_bytes(b))),
            4 => array(self.source, at).map(|b| u64::from(u32::from_be_bytes(b))),
            8 => array(self.source, at).map(u64::from_be_bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::fixture;

    #[test]
    fn an_encoded_picture_is_read() {
        let photo = fixture::Photo {
            width: 96,
            height: 64,
            taken: Some("2019:05:12 10:15:00"),
            ..fixture::Photo::new(4)
        };
        let heif = read(&mut photo.heic().as_slice()).expect("a container");
        assert_eq!(heif.size, Some((96, 64)));
        assert!(heif.exif.is_some_and(|exif| exif[4..].starts_with(b"II*\0")));
    }

    proptest! {
        #[test]
        fn damage_is_survived(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
            cut in 0_usize..600,
        ) {
            static HEIC: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            let photo = || fixture::Photo { width: 32, height: 32, taken: Some("2019:05:12 10:15:00"), ..fixture::Photo::new(4) }.heic();
            let mut bytes = HEIC.get_or_init(photo).clone();
            let head = bytes.len().min(700);
            for (index, byte) in flips {
                bytes[index.index(head)] = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            read(&mut bytes.as_slice());
        }
    }
}
