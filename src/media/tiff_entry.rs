//! One entry of a TIFF's directory, and how its numbers are written.

/// The order of a number's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// Little-endian.
    Little,
    /// Big-endian.
    Big,
}

/// How wide places and counts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetWidth {
    /// 32 bits.
    Narrow,
    /// 64 bits: a BigTIFF.
    Wide,
}

impl OffsetWidth {
    pub(crate) fn of(head: &[u8; 8]) -> Option<Self> {
        match head {
            [b'I', b'I', b'+', 0, rest @ ..] => (*rest == [8, 0, 0, 0]).then_some(Self::Wide),
            [b'M', b'M', 0, b'+', rest @ ..] => (*rest == [0, 8, 0, 0]).then_some(Self::Wide),
            _ => Some(Self::Narrow),
        }
    }

    /// Bytes of a place or count.
    pub(crate) fn bytes(self) -> u64 {
        if self == Self::Wide { 8 } else { 4 }
    }
}

impl ByteOrder {
    pub(crate) fn of(head: &[u8; 8]) -> Option<Self> {
        match &head[..4] {
            b"II*\0" | b"II+\0" | b"IIU\0" | b"IIRO" | b"IIRS" | b"II\xbc\x01" => Some(Self::Little),
            b"MM\0*" | b"MM\0+" | b"MMOR" => Some(Self::Big),
            _ => None,
        }
    }

    pub(crate) fn u16(self, bytes: &[u8]) -> Option<u16> {
        let bytes = *bytes.first_chunk()?;
        Some(if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    pub(crate) fn u32(self, bytes: &[u8]) -> Option<u32> {
        let bytes = *bytes.first_chunk()?;
        Some(if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    pub(crate) fn u64(self, bytes: &[u8]) -> Option<u64> {
        let bytes = *bytes.first_chunk()?;
        Some(if self == Self::Little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    /// A place or count.
    pub(crate) fn wide(self, width: OffsetWidth, bytes: &[u8]) -> Option<u64> {
        match width {
            OffsetWidth::Narrow => self.u32(bytes).map(u64::from),
            OffsetWidth::Wide => self.u64(bytes),
        }
    }
}

/// One entry of a directory.
pub(crate) struct Entry {
    pub(crate) tag: u16,
    pub(crate) kind: u16,
    pub(crate) count: u64,
    /// The value itself where it fits, else where it is.
    pub(crate) field: [u8; 8],
}

impl Entry {
    pub(crate) fn parse(bytes: &[u8], order: ByteOrder, width: OffsetWidth) -> Option<Self> {
        let mut field = [0; 8];
        let value = bytes.get(usize::try_from(4 + width.bytes()).ok()?..)?;
        for (to, from) in field.iter_mut().zip(value) {
            *to = *from;
        }
        Some(Self {
            tag: order.u16(bytes)?,
            kind: order.u16(bytes.get(2..)?)?,
            count: order.wide(width, bytes.get(4..)?)?,
            field,
        })
    }

    pub(crate) fn byte_len(&self) -> u64 {
        let unit = match self.kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => 1,
        };
        self.count.saturating_mul(unit)
    }
}
