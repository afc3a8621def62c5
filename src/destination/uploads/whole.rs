//! The digest of a whole file that is sent in several appends.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::digester::Digester;
use crate::destination::http::{SharedTap, Tap};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash, DigestSet, Digests};

/// Sees all bytes of a file in order, over any number of appends, and keeps the last of them from
/// being sent when they are not the content that the ledger knows.
pub(super) struct Whole(Arc<Mutex<Running>>);

struct Running {
    hasher: blake3::Hasher,
    expected: ContentHash,
}

impl Tap for Running {
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

/// A position to which the digest can be put back.
pub(super) struct Mark(blake3::Hasher);

impl Whole {
    pub(super) fn new(expected: ContentHash) -> Self {
        Self(Arc::new(Mutex::new(Running { hasher: blake3::Hasher::new(), expected })))
    }

    pub(super) fn tap(&self) -> SharedTap {
        Arc::clone(&self.0) as SharedTap
    }

    /// How many bytes have been seen.
    pub(super) fn position(&self) -> u64 {
        self.lock().hasher.count()
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().hasher.clone())
    }

    /// Goes back as little as possible to be at `offset` or before it.
    pub(super) fn back_to(&self, offset: u64, mark: Option<Mark>) {
        let mut running = self.lock();
        if running.hasher.count() <= offset {
            return;
        }
        running.hasher = match mark {
            Some(Mark(hasher)) if hasher.count() <= offset => hasher,
            _ => blake3::Hasher::new(),
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the digests of one append.
pub(super) struct Part(Option<Digester>);

impl Part {
    pub(super) fn new(set: DigestSet) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self(Some(Digester::new(set)))))
    }

    pub(super) fn digests(part: &Mutex<Self>) -> Digests {
        let digester = part.lock().unwrap_or_else(PoisonError::into_inner).0.take();
        digester.map(|digester| digester.finish().digests).unwrap_or_default()
    }
}

impl Tap for Part {
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

    fn feed(whole: &Whole, bytes: &[u8]) -> Result<(), Failure> {
        let tap = whole.tap();
        let mut tap = tap.lock().expect("unpoisoned");
        tap.update(bytes);
        tap.finish()
    }

    #[test]
    fn goes_back_to_where_the_server_is() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let whole = Whole::new(content(&bytes));
        feed(&whole, &bytes[..4000]).expect("the start");
        let mark = whole.mark();
        feed(&whole, &bytes[4000..9000]).expect("the middle");
        whole.back_to(6000, Some(mark));
        assert_eq!(whole.position(), 4000);
        feed(&whole, &bytes[4000..6000]).expect("again");
        feed(&whole, &bytes[6000..]).expect("whole");
        let mark = whole.mark();
        whole.back_to(3, Some(mark));
        assert_eq!(whole.position(), 0);
        feed(&whole, &[0; 9_999]).expect("not whole yet");
        assert_eq!(feed(&whole, &[0]).expect_err("other bytes").kind, FailureKind::Changed);
    }
}
