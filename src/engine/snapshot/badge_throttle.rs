//! How often the grid is told that badges have changed.

use std::time::Duration;

use tokio::time::Instant;

/// Badges in the grid move with every transfer; the grid is told of it only so often.
const BADGES_EVERY: Duration = Duration::from_secs(1);

/// When the grid is told that badges have moved.
#[derive(Debug, Default)]
pub(crate) struct BadgeThrottle {
    revision: u64,
    has_changed: bool,
    next: Option<Instant>,
}

impl BadgeThrottle {
    /// Badges may have changed.
    pub fn note(&mut self, has_changed: bool) {
        self.has_changed |= has_changed;
    }

    /// How often the grid has been told so far, this time included when one is due.
    pub fn revision(&mut self, now: Instant) -> u64 {
        if self.has_changed && self.next.is_none_or(|next| next <= now) {
            self.has_changed = false;
            self.revision += 1;
            self.next = Some(now + BADGES_EVERY);
        }
        self.revision
    }

    /// When a snapshot must tell the grid.
    pub fn due(&self) -> Option<Instant> {
        self.next.filter(|_| self.has_changed)
    }
}
