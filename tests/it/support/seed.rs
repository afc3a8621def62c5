//! Chance that can be had again: the seed is printed, and can be given.

use std::ops::Range;

use safelight::base::rng::{Rng as _, SeededRng, SystemRng};

/// The variable that gives a seed instead of a fresh one.
pub const SEED_VARIABLE: &str = "SAFELIGHT_TEST_SEED";

/// A seeded source of chance.
pub struct Seeded(SeededRng);

impl Seeded {
    /// The given seed, or a fresh one; printed, so that a failure can be had again.
    #[expect(clippy::print_stdout, reason = "the seed is for whoever reads the failed test")]
    pub fn announced(test: &str) -> Self {
        let seed = match std::env::var(SEED_VARIABLE) {
            Ok(text) => text.parse().expect("the seed is a whole number"),
            Err(_unset) => SystemRng.next_u64(),
        };
        println!("{test}: seed {seed} (again with {SEED_VARIABLE}={seed})");
        Self::new(seed)
    }

    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(SeededRng::new(seed))
    }

    /// Uniform enough in `range`, which must not be empty.
    pub fn within(&self, range: Range<u64>) -> u64 {
        let span = range.end.checked_sub(range.start).filter(|span| *span > 0).expect("a range");
        range.start + self.0.next_u64() % span
    }

    /// A length between the two, with as many short as long ones on a logarithmic scale.
    pub fn length(&self, shortest: u64, longest: u64) -> usize {
        let doublings = u64::from((longest / shortest.max(1)).max(1).ilog2());
        let base = shortest << self.within(0..doublings + 1);
        let length = (base + self.within(0..base.max(1))).min(longest);
        usize::try_from(length).expect("a length fits memory")
    }

    /// `length` random bytes.
    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.0.next_u64().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[test]
fn the_same_seed_gives_the_same_chances() {
    let (one, two, other) = (Seeded::new(7), Seeded::new(7), Seeded::new(8));
    assert_eq!(one.bytes(100), two.bytes(100));
    assert_ne!(one.bytes(100), other.bytes(100));
    for _ in 0..1_000 {
        assert!((3..9).contains(&one.within(3..9)));
        assert!((20..=3_000).contains(&one.length(20, 3_000)));
    }
}
