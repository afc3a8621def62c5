//! When new copies are listed in the manifest at their destination.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::destination::RETRY_FLOOR;

/// Copies wait at most this long to be listed in a manifest segment.
const LISTING_DELAYED: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListingState {
    /// The next listing may be early while nothing else is to be done.
    Ready,
    /// The last listing failed: the next one waits for its time.
    Failed,
    Running,
}

/// The listing of one destination's copies.
#[derive(Debug)]
pub(crate) struct ListingSchedule {
    state: ListingState,
    /// When the next listing is due at the latest; `None` if there is nothing to list.
    at: Option<Instant>,
}

impl ListingSchedule {
    pub fn new(now: Instant) -> Self {
        Self { state: ListingState::Ready, at: Some(now + LISTING_DELAYED) }
    }

    /// There are new copies to list.
    pub fn on_new_copies(&mut self, now: Instant) {
        self.list_by(now + LISTING_DELAYED);
    }

    fn list_by(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |planned| planned.min(at)));
    }

    /// When the next listing is due, unless one is under way.
    pub fn due_at(&self) -> Option<Instant> {
        self.at.filter(|_| self.state != ListingState::Running)
    }

    /// Begins a listing if one is due, or there is one to be made and nothing else to do. Returns whether
    /// it begins.
    pub fn begin(&mut self, now: Instant, is_idle: bool) -> bool {
        let may_be_early = is_idle && self.state == ListingState::Ready;
        let begins = self.due_at().is_some_and(|at| at <= now || may_be_early);
        if begins {
            (self.state, self.at) = (ListingState::Running, None);
        }
        begins
    }

    /// A listing under way is stopped: it is taken up again as soon as it may be.
    pub fn on_stopped(&mut self, now: Instant) {
        if self.state == ListingState::Running {
            self.list_by(now);
        }
    }

    /// A listing ended: all is listed, or it is tried again later.
    pub fn on_ended(&mut self, is_done: bool, now: Instant) {
        self.state = if is_done { ListingState::Ready } else { ListingState::Failed };
        if !is_done {
            self.list_by(now + RETRY_FLOOR);
        }
    }
}
