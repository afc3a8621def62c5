//! The digest of a whole file that is sent in several appends.

use parking_lot::Mutex;
use std::sync::Arc;

use crate::base::digester::Digester;
use crate::destination::http::ByteObserver;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash, DigestSet, Digests};

/// The digest of all bytes that the server has confirmed. Each append carries it on by itself: one
/// that was broken off may still be read from for a moment, and must not disturb the next.
pub(super) struct ConfirmedDigest {
    hasher: blake3::Hasher,
    expected: ContentHash,
}

/// Carries the digest on over one append, and keeps the file's last byte from being sent when the
/// whole is not the content that the ledger knows.
pub(super) struct AppendDigest {
    hasher: blake3::Hasher,
    expected: ContentHash,
}

impl ByteObserver for AppendDigest {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let size = self.hasher.count();
        if size < self.expected.size {
            return Ok(());
        }
        if size == self.expected.size && Blake3(*self.hasher.finalize().as_bytes()) == self.expected.blake3 {
            return Ok(());
        }
        Err(Failure::transient(FailureKind::Changed, "the file has other bytes"))
    }
}

impl ConfirmedDigest {
    pub(super) fn new(expected: ContentHash) -> Self {
        Self { hasher: blake3::Hasher::new(), expected }
    }

    /// How many bytes it is of.
    pub(super) fn position(&self) -> u64 {
        self.hasher.count()
    }

    /// For the bytes from here on.
    pub(super) fn carry(&self) -> Arc<Mutex<AppendDigest>> {
        Arc::new(Mutex::new(AppendDigest { hasher: self.hasher.clone(), expected: self.expected }))
    }

    /// Takes over what was carried on, if that is exactly to `offset`.
    pub(super) fn advance(&mut self, carried: &Mutex<AppendDigest>, offset: u64) {
        let carried = carried.lock();
        if carried.hasher.count() == offset {
            self.hasher = carried.hasher.clone();
        }
    }

    /// Makes sure that it is not of more than the server has.
    pub(super) fn back_to(&mut self, offset: u64) {
        if self.position() > offset {
            self.hasher = blake3::Hasher::new();
        }
    }
}

/// Makes the digests of one append.
pub(super) struct PartDigest(Option<Digester>);

impl PartDigest {
    pub(super) fn new(set: DigestSet) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self(Some(Digester::new(set)))))
    }

    pub(super) fn digests(part: &Mutex<Self>) -> Digests {
        let digester = part.lock().0.take();
        digester.map(|digester| digester.finish().digests).unwrap_or_default()
    }
}

impl ByteObserver for PartDigest {
    fn update(&mut self, bytes: &[u8]) {
        if let Some(digester) = &mut self.0 {
            digester.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8]) -> ContentHash {
        ContentHash { blake3: Blake3(*blake3::hash(bytes).as_bytes()), size: bytes.len() as u64 }
    }

    fn feed(carried: &Mutex<AppendDigest>, bytes: &[u8]) -> Result<(), Failure> {
        let mut observer = carried.lock();
        observer.update(bytes);
        observer.finish()
    }

    #[test]
    fn a_broken_append_disturbs_nothing() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut whole = ConfirmedDigest::new(content(&bytes));
        let first = whole.carry();
        feed(&first, &bytes[..4000]).expect("the start");
        whole.advance(&first, 4000);
        let broken = whole.carry();
        feed(&broken, &bytes[4000..9000]).expect("the middle");
        whole.advance(&broken, 6000);
        assert_eq!(whole.position(), 4000);
        let next = whole.carry();
        feed(&broken, &bytes[9000..9500]).expect("late");
        feed(&next, &bytes[4000..6000]).expect("again");
        whole.advance(&next, 6000);
        feed(&whole.carry(), &bytes[6000..]).expect("whole");
        feed(&whole.carry(), &[0; 3999]).expect("not whole yet");
        assert_eq!(feed(&whole.carry(), &[0; 4000]).expect_err("other bytes").kind, FailureKind::Changed);
        whole.back_to(5999);
        assert_eq!(whole.position(), 0);
    }
}
