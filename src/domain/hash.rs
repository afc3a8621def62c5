//! The identity of bytes.

use super::stable_name::stable_names;

/// A BLAKE3 digest of a whole file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blake3(pub [u8; 32]);

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Blake3 {
    /// The digest as 64 lower-case hexadecimal characters.
    pub fn to_hex(self) -> String {
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|digit| char::from(HEX_DIGITS[usize::from(digit)])).collect()
    }

    /// Reads 64 hexadecimal characters of either case; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let mut digest = [0; 32];
        for (slot, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            let nibble = |c: u8| (c as char).to_digit(16);
            *slot = u8::try_from(nibble(pair[0])? * 16 + nibble(pair[1])?).ok()?;
        }
        Some(Self(digest))
    }
}

impl std::fmt::Debug for Blake3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex()[..16])
    }
}

/// The identity of one file version's bytes: digest and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash {
    /// BLAKE3 of all the bytes.
    pub blake3: Blake3,
    /// How many bytes there are.
    pub size: u64,
}

/// A digest that some destination speaks beside BLAKE3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DigestKind {
    /// SHA-1, by which Immich knows an asset again.
    Sha1,
    /// SHA-256.
    Sha256,
    /// MD5, the `Content-MD5` of HTTP and the entity tag of many servers.
    Md5,
    /// The CRC of 64 bits that NVMe uses; those of two parts combine into that of the whole.
    #[strum(serialize = "crc64nvme")]
    Crc64Nvme,
}

stable_names!(DigestKind);

impl DigestKind {
    fn bit(self) -> u8 {
        match self {
            Self::Sha1 => 1,
            Self::Sha256 => 2,
            Self::Md5 => 4,
            Self::Crc64Nvme => 8,
        }
    }
}

/// A set of digest kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DigestSet(u8);

impl DigestSet {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Whether `kind` is in the set.
    pub fn contains(self, kind: DigestKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The set with `kind`.
    #[must_use]
    pub fn with(self, kind: DigestKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// What is in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in the set, in the order of [`DigestKind::ALL`].
    pub fn kinds(self) -> impl Iterator<Item = DigestKind> {
        DigestKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<DigestKind> for DigestSet {
    fn from_iter<I: IntoIterator<Item = DigestKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Digests of a content beside its BLAKE3, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digests {
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// MD5.
    pub md5: Option<[u8; 16]>,
    /// CRC-64/NVME.
    pub crc64nvme: Option<u64>,
}

impl Digests {
    /// Which are known.
    pub fn known(&self) -> DigestSet {
        let is_known = |kind: &DigestKind| match kind {
            DigestKind::Sha1 => self.sha1.is_some(),
            DigestKind::Sha256 => self.sha256.is_some(),
            DigestKind::Md5 => self.md5.is_some(),
            DigestKind::Crc64Nvme => self.crc64nvme.is_some(),
        };
        DigestKind::ALL.into_iter().filter(is_known).collect()
    }

    /// Those of them that are in `set`.
    #[must_use]
    pub fn only(self, set: DigestSet) -> Self {
        Self {
            sha1: self.sha1.filter(|_| set.contains(DigestKind::Sha1)),
            sha256: self.sha256.filter(|_| set.contains(DigestKind::Sha256)),
            md5: self.md5.filter(|_| set.contains(DigestKind::Md5)),
            crc64nvme: self.crc64nvme.filter(|_| set.contains(DigestKind::Crc64Nvme)),
        }
    }

    /// These, and what `other` knows beyond them. Both must be of the same bytes.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            sha1: self.sha1.or(other.sha1),
            sha256: self.sha256.or(other.sha256),
            md5: self.md5.or(other.md5),
            crc64nvme: self.crc64nvme.or(other.crc64nvme),
        }
    }
}

/// What one read of a whole file told of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hashed {
    /// Their identity.
    pub content: ContentHash,
    /// The other digests that were asked for.
    pub digests: Digests,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_other_text() {
        let digest = Blake3(std::array::from_fn(|i| u8::try_from(i * 7 % 256).unwrap_or(0)));
        assert_eq!(Blake3::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(Blake3::from_hex(&digest.to_hex().to_uppercase()), Some(digest));
        assert_eq!(Blake3::from_hex(""), None);
        assert_eq!(Blake3::from_hex(&"g".repeat(64)), None);
        assert_eq!(Blake3::from_hex(&"é".repeat(32)), None);
    }

    #[test]
    fn sets_of_digests() {
        let set: DigestSet = [DigestKind::Md5, DigestKind::Sha1].into_iter().collect();
        assert_eq!(set.kinds().collect::<Vec<_>>(), [DigestKind::Sha1, DigestKind::Md5]);
        let md5 = DigestSet::NONE.with(DigestKind::Md5);
        assert_eq!(set.without(md5), DigestSet::NONE.with(DigestKind::Sha1));
        assert_eq!(set.intersection(md5), md5);
        assert_eq!(set.union(md5), set);
        assert!(DigestSet::NONE.is_empty() && !set.is_empty());
        for kind in DigestKind::ALL {
            assert_eq!(DigestKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn what_is_known_is_kept_and_added_to() {
        let one = Digests { sha1: Some([1; 20]), ..Digests::default() };
        let two = Digests { sha1: Some([2; 20]), md5: Some([2; 16]), ..Digests::default() };
        let both = one.or(two);
        assert_eq!((both.sha1, both.md5), (Some([1; 20]), Some([2; 16])));
        assert_eq!(both.known(), [DigestKind::Sha1, DigestKind::Md5].into_iter().collect());
        assert_eq!(both.only(DigestSet::NONE.with(DigestKind::Md5)), Digests { sha1: None, ..both });
        assert!(Digests::default().known().is_empty());
    }
}
