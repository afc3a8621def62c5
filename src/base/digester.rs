//! Several digests of the same bytes, in one pass.

use std::io::{self, Read, Write};

use sha1::Digest as _;

use crate::domain::hash::{Blake3, ContentHash, DigestKind, DigestSet, Digests, Hashed};

/// Digests bytes as they come by.
pub struct Digester {
    blake3: blake3::Hasher,
    sha1: Option<sha1::Sha1>,
    sha256: Option<sha2::Sha256>,
    md5: Option<md5::Md5>,
    crc64nvme: Option<crc_fast::Digest>,
    size: u64,
}

impl Digester {
    /// A digester of nothing yet: BLAKE3, and what `set` asks for.
    pub fn new(set: DigestSet) -> Self {
        Self {
            blake3: blake3::Hasher::new(),
            sha1: set.contains(DigestKind::Sha1).then(sha1::Sha1::new),
            sha256: set.contains(DigestKind::Sha256).then(sha2::Sha256::new),
            md5: set.contains(DigestKind::Md5).then(md5::Md5::new),
            crc64nvme: set
                .contains(DigestKind::Crc64Nvme)
                .then(|| crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)),
            size: 0,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(crc) = &mut self.crc64nvme {
            crc.update(bytes);
        }
        self.size += bytes.len() as u64;
    }

    /// The digests of all bytes so far.
    pub fn finish(self) -> Hashed {
        Hashed {
            content: ContentHash { blake3: Blake3(*self.blake3.finalize().as_bytes()), size: self.size },
            digests: Digests {
                sha1: self.sha1.map(|sha1| sha1.finalize().into()),
                sha256: self.sha256.map(|sha256| sha256.finalize().into()),
                md5: self.md5.map(|md5| md5.finalize().into()),
                crc64nvme: self.crc64nvme.map(|crc| crc.finalize()),
            },
        }
    }
}

/// Bytes that [`copy_hashed`] copies at a time.
const COPY_CHUNK_BYTES: usize = 1 << 20;

/// Copies all that `reader` reads to `writer`, and returns what it was. Blocks.
///
/// # Errors
/// Whatever the reader or the writer says.
pub fn copy_hashed(mut reader: impl Read, mut writer: impl Write) -> io::Result<ContentHash> {
    let mut digester = Digester::new(DigestSet::NONE);
    let mut chunk = vec![0; COPY_CHUNK_BYTES];
    loop {
        let filled = fill(&mut reader, &mut chunk)?;
        if filled == 0 {
            break;
        }
        digester.update(&chunk[..filled]);
        writer.write_all(&chunk[..filled])?;
    }
    writer.flush()?;
    Ok(digester.finish().content)
}

/// Reads until the buffer is full or the end is reached, and returns how many bytes that were; 0 at the
/// end.
///
/// # Errors
/// Whatever the reader says.
pub fn fill(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The CRC-64/NVME of the bytes of `first` followed by the `second_bytes` bytes of `second`.
pub fn combine_crc64nvme(first: u64, second: u64, second_bytes: u64) -> u64 {
    crc_fast::checksum_combine(crc_fast::CrcAlgorithm::Crc64Nvme, first, second, second_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(bytes: &[u8]) -> Hashed {
        let mut digester = Digester::new(DigestKind::ALL.into_iter().collect());
        digester.update(bytes);
        digester.finish()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn known_answers() {
        // RFC 3174, FIPS 180, RFC 1321, and the check value of the CRC catalogue.
        let Digests { sha1, sha256, md5, .. } = all_of(b"abc").digests;
        assert_eq!(hex(&sha1.expect("asked for")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            hex(&sha256.expect("asked for")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex(&md5.expect("asked for")), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(all_of(b"123456789").digests.crc64nvme, Some(0xae8b_1486_0a79_9888));
    }

    #[test]
    fn pieces_make_the_same_and_only_what_was_asked_for_is_made() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let whole = all_of(&bytes);
        let mut pieces = Digester::new(DigestKind::ALL.into_iter().collect());
        bytes.chunks(999).for_each(|piece| pieces.update(piece));
        assert_eq!(pieces.finish(), whole);
        let mut plain = Digester::new(DigestSet::NONE);
        plain.update(&bytes);
        assert_eq!(plain.finish(), Hashed { digests: Digests::default(), ..whole });
    }

    #[test]
    fn crcs_of_parts_combine() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n * 31).to_le_bytes()[1]).collect();
        let crc = |bytes: &[u8]| all_of(bytes).digests.crc64nvme.expect("asked for");
        for cut in [0, 1, 4096, 9_999, 10_000] {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(combine_crc64nvme(crc(first), crc(second), second.len() as u64), crc(&bytes), "{cut}");
        }
    }
}
