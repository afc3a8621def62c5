//! Which destinations were removed lately: a request from before must not bring one back.

use std::collections::VecDeque;

/// Removals that are remembered. A request takes some seconds, and a person removes few.
const KEPT_MAX: usize = 16;

/// A place in the order of what the person asked.
pub(crate) type RequestNumber = u64;

/// The last removals, each with its place in that order.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    turn: RequestNumber,
    last: VecDeque<(String, RequestNumber)>,
}

impl Removals {
    /// The place in the order of what is asked now.
    pub fn next_number(&mut self) -> RequestNumber {
        self.turn += 1;
        self.turn
    }

    /// The destination with this UUID is removed now.
    pub fn note(&mut self, uuid: String) {
        let turn = self.next_number();
        if self.last.len() >= KEPT_MAX {
            self.last.pop_front();
        }
        self.last.push_back((uuid, turn));
    }

    /// Whether it was removed after that.
    pub fn has_after(&self, uuid: &str, turn: RequestNumber) -> bool {
        self.last.iter().any(|(removed, at)| removed == uuid && *at > turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_before_is_void() {
        let mut removals = Removals::default();
        let before = removals.next_number();
        removals.note("disk".to_owned());
        let after = removals.next_number();
        assert!(removals.has_after("disk", before) && !removals.has_after("disk", after));
        assert!(!removals.has_after("cloud", before));
        (0..KEPT_MAX).for_each(|n| removals.note(n.to_string()));
        assert_eq!(removals.last.len(), KEPT_MAX);
    }
}
