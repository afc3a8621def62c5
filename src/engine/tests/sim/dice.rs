//! A seed's choices. Each part of the world has dice of its own, so that a change in one does not
//! stir all others.

use std::time::Duration;

/// Numbers that are the same for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x5afe_1167)
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Other dice.
    pub fn fork(&mut self) -> Self {
        Self(self.bits())
    }

    /// Uniform below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// Uniform from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let end = u64::try_from(all.len()).expect("few");
        &all[usize::try_from(self.below(end)).expect("few")]
    }

    /// One of so many.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).expect("few"))).expect("few")
    }

    /// A time: most are short, some are long, none is longer than `longest` seconds.
    pub fn wait(&mut self, longest: u64) -> Duration {
        let most = match self.below(10) {
            0..=3 => 2_000,
            4..=7 => 60_000,
            _ => longest * 1_000,
        };
        Duration::from_millis(self.between(1, most.min(longest * 1_000)))
    }
}
