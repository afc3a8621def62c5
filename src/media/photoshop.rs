//! Photoshop's image resources, which carry IPTC, EXIF and XMP in JPEG, TIFF and Photoshop files
//! (*Adobe Photoshop File Formats Specification*, "Image Resources").

use super::bounded_reader::{ReadAt, array, block};

/// The most resources that are visited.
const RESOURCES_MAX: usize = 512;
/// The longest resource that is read.
const RESOURCE_BYTES_MAX: usize = 512 * 1024;

/// The resources that state dates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) iptc: Option<Vec<u8>>,
    /// An EXIF block, a TIFF.
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
}

/// Reads the resources between `start` and `end`.
pub(crate) fn read(source: &mut dyn ReadAt, start: u64, end: u64) -> Resources {
    let mut resources = Resources::default();
    let end = end.min(source.size());
    let mut at = start;
    for _resource in 0..RESOURCES_MAX {
        let Some((id, body, len)) = header(source, at, end) else { break };
        let slot = match id {
            0x0404 => Some(&mut resources.iptc),
            0x0422 => Some(&mut resources.exif),
            0x0424 => Some(&mut resources.xmp),
            _ => None,
        };
        if let Some(slot @ None) = slot {
            *slot = block(source, body, len.min(end - body), RESOURCE_BYTES_MAX);
        }
        // Resources begin at even places.
        at = body + len + (len & 1);
    }
    resources
}

/// The number of the resource at `at`, and where its data are.
fn header(source: &mut dyn ReadAt, at: u64, end: u64) -> Option<(u16, u64, u64)> {
    if at.checked_add(12)? > end {
        return None;
    }
    // Old programs wrote other names than Adobe's.
    let [a, b, c, d, id @ .., name_len] = array::<7>(source, at)?;
    if !matches!(&[a, b, c, d], b"8BIM" | b"AgHg" | b"DCSR" | b"PHUT" | b"MeSa") {
        return None;
    }
    let name = (u64::from(name_len) + 1).next_multiple_of(2);
    let len_at = at + 6 + name;
    let len = u64::from(u32::from_be_bytes(array(source, len_at)?));
    let body = len_at + 4;
    (body <= end).then_some((u16::from_be_bytes(id), body, len))
}

/// A Photoshop document: its size and its resources.
pub(crate) fn document(source: &mut dyn ReadAt) -> Option<((u32, u32), Resources)> {
    let [a, b, c, d] = array(source, 0)?;
    let number = |source: &mut dyn ReadAt, at| array(source, at).map(u32::from_be_bytes);
    let height = number(source, 14).filter(|_| [a, b, c, d] == *b"8BPS")?;
    let width = number(source, 18)?;
    let colours = u64::from(number(source, 26)?);
    let start = 30 + colours;
    let len = u64::from(number(source, start)?);
    Some(((width, height), read(source, start + 4, start + 4 + len)))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One resource without a name.
    pub(crate) fn resource(id: u16, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).expect("short").to_be_bytes();
        let pad = vec![0; data.len() & 1];
        [b"8BIM", &id.to_be_bytes()[..], &[0, 0], &len, data, &pad].concat()
    }

    /// A document of one pixel with these resources.
    pub(crate) fn psd(resources: &[u8]) -> Vec<u8> {
        let mut bytes = b"8BPS\0\x01\0\0\0\0\0\0\0\x01".to_vec();
        for number in [1_u32, 1] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend([0, 8, 0, 1, 0, 0, 0, 0]);
        bytes.extend(u32::try_from(resources.len()).expect("short").to_be_bytes());
        bytes.extend(resources);
        bytes.extend([0; 8]);
        bytes
    }

    #[test]
    fn resources_are_found() {
        let all =
            [resource(0x03ed, b"odd"), resource(0x0404, b"iptc"), resource(0x0424, b"<x:xmpmeta/>")].concat();
        let found = read(&mut all.as_slice(), 0, u64::MAX);
        assert_eq!(found.iptc.as_deref(), Some(&b"iptc"[..]));
        assert_eq!(found.xmp.as_deref(), Some(&b"<x:xmpmeta/>"[..]));
        assert_eq!(found.exif, None);
        let whole = psd(&all);
        assert_eq!(document(&mut whole.as_slice()), Some(((1, 1), found)));
        assert_eq!(document(&mut &b"8BPX"[..]), None);
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = psd(&[resource(0x0404, b"iptc"), resource(0x0422, b"II*\0")].concat());
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            document(&mut bytes.as_slice());
        }
    }
}
