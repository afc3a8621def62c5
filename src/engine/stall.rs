//! Noticing that transfers which are under way no longer move.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::JobId;

/// After so long without any movement a person wants to know why nothing happens.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// How long a small transfer may show no sign of life before it counts as dead. Connections have
/// shorter limits of their own; this one is for what has none, such as a disk that hangs.
const STALL_MAX: Duration = Duration::from_secs(30 * 60);
/// Digests and read-backs show no sign before they are done; at this pace, in bytes a second, even
/// a slow line gets through them.
const SLOWEST_PACE: u64 = 64 * 1024;

/// How long a transfer of so many bytes, or reading a copy of them back, may show no sign of life.
pub(crate) fn stall_timeout(size: u64) -> Duration {
    STALL_MAX + Duration::from_secs(size / SLOWEST_PACE)
}

/// Whether transfers that are under way at one destination still move.
#[derive(Debug, Default)]
pub(crate) struct StallDetector {
    last: Option<(ActivityMark, Instant)>,
    is_stalled: bool,
}

/// What changes with whatever moves: which jobs are under way, and the bytes that they have sent.
pub(crate) type ActivityMark = (Option<JobId>, usize, u64);

impl StallDetector {
    /// Notes what is seen now; none where nothing is awaited.
    pub fn note(&mut self, mark: Option<ActivityMark>, now: Instant) {
        let since = match (mark, self.last) {
            (Some(mark), Some((last, since))) if mark == last => since,
            _ => now,
        };
        self.last = mark.map(|mark| (mark, since));
        self.is_stalled = mark.is_some() && now - since >= STALLED_AFTER;
    }

    /// Whether nothing has moved for so long that a person should hear of it.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_what_does_not_move_for_long_while_something_is_awaited() {
        let (mut stall_detector, job) = (StallDetector::default(), Some(JobId(7)));
        let mut is_stalled_after = |mark, secs| {
            let now = Instant::now() + Duration::from_secs(secs);
            stall_detector.note(mark, now);
            stall_detector.is_stalled()
        };
        let still = Some((job, 1, 500));
        assert!(!is_stalled_after(still, 0) && !is_stalled_after(still, 9) && is_stalled_after(still, 10));
        assert!(!is_stalled_after(Some((job, 1, 501)), 11), "a byte moved");
        assert!(!is_stalled_after(Some((Some(JobId(8)), 1, 501)), 30), "another job");
        assert!(is_stalled_after(Some((Some(JobId(8)), 1, 501)), 40));
        assert!(!is_stalled_after(None, 50) && !is_stalled_after(still, 51), "nothing was awaited");
    }
}
