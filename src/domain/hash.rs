//! The identity of bytes.

/// A BLAKE3 digest of a whole file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blake3(pub [u8; 32]);

impl Blake3 {
    /// The digest as 64 lower-case hexadecimal characters.
    pub fn to_hex(self) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            // Writing to a String cannot fail.
            write!(text, "{byte:02x}").ok();
        }
        text
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
}
