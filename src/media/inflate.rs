//! Unpacking small blocks of metadata, never more than a limit.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// Unpacks a zlib stream as far as it goes; `None` where nothing comes out or more than `limit` bytes.
pub(crate) fn zlib(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    unpacked(ZlibDecoder::new(packed), limit)
}

/// Unpacks a Brotli stream, like [`zlib`].
pub(crate) fn brotli(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    unpacked(brotli_decompressor::Decompressor::new(packed, 4096), limit)
}

fn unpacked(from: impl Read, limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let most = u64::try_from(limit).ok()?.checked_add(1)?;
    // A stream that is cut off or damaged still gave what came before.
    let ended = from.take(most).read_to_end(&mut out);
    (!out.is_empty() && out.len() <= limit && (ended.is_ok() || out.len() > 16)).then_some(out)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).expect("memory");
        writer.finish().expect("memory")
    }

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused() {
        let bomb = packed(&vec![0; 1 << 20]);
        assert!(bomb.len() < 4096);
        assert_eq!(zlib(&bomb, 1 << 16), None);
        assert_eq!(zlib(&packed(b"text"), 4).as_deref(), Some(&b"text"[..]));
        assert_eq!(zlib(&packed(b"text"), 3), None);
        // "text", stored as it is (RFC 7932).
        let stored = [0x8b, 0x01, 0x80, b't', b'e', b'x', b't', 0x03];
        assert_eq!(brotli(&stored, 4).as_deref(), Some(&b"text"[..]));
        assert_eq!(brotli(&stored, 3), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            zlib(&bytes, 1000);
            brotli(&bytes, 1000);
        }
    }
}
