//! When to try again.

use std::time::Duration;

use super::failure::Retry;
use super::time::UnixMillis;

/// Failed jobs after which a record needs attention.
pub const JOBS_BEFORE_ATTENTION: u32 = 3;
/// Crashes with a record in flight after which it is tried last and alone.
pub const CRASHES_BEFORE_SUSPECT: u32 = 5;
/// The first wait after a failed job.
pub const RESOURCE_FIRST: Duration = Duration::from_secs(60);
/// The longest wait between jobs for one record.
pub const RESOURCE_MAX: Duration = Duration::from_secs(6 * 3600);
/// The first wait after a destination was lost, and after a call without progress.
pub const DESTINATION_FIRST: Duration = Duration::from_secs(5);
/// The longest wait between probes of a lost destination and between calls without progress.
pub const DESTINATION_MAX: Duration = Duration::from_secs(300);
/// The longest wait a server may ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

/// The wait before the next job for a record of which `jobs_failed` (≥ 1) have failed: full jitter
/// between half and all of 1 min × 4ⁿ, at most 6 h, and never less than the destination asked for.
/// `jitter` is uniform in `0.0..1.0`.
pub fn resource(jobs_failed: u32, retry: Retry, jitter: f64) -> Duration {
    let exponent = jobs_failed.saturating_sub(1).min(8);
    let ceiling = RESOURCE_FIRST.saturating_mul(4_u32.saturating_pow(exponent)).min(RESOURCE_MAX);
    let wait = RESOURCE_FIRST.mul_f64(0.5).max(ceiling.mul_f64(jitter.clamp(0.0, 1.0)));
    match retry {
        Retry::After(least) => wait.max(least.min(RETRY_AFTER_MAX)),
        Retry::Never | Retry::Exhausted => wait,
    }
}

/// The wait before the next probe of a lost destination, or the next call of an extension that made
/// no progress: 5 s doubling to 5 min. `failures` counts from 1.
pub fn destination(failures: u32, retry: Retry) -> Duration {
    let exponent = failures.saturating_sub(1).min(10);
    let wait = DESTINATION_FIRST.saturating_mul(2_u32.saturating_pow(exponent)).min(DESTINATION_MAX);
    match retry {
        Retry::After(least) => wait.max(least.min(RETRY_AFTER_MAX)),
        Retry::Never | Retry::Exhausted => wait,
    }
}

/// Whether something due at `due` may be tried at `now`. A due time further away than any back-off
/// reaches was set by another clock, so it is now.
pub fn is_due(due: UnixMillis, now: UnixMillis) -> bool {
    due <= now || due.since(now) > RESOURCE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_waits_grow_within_bounds_and_honour_the_server() {
        for jobs in 1..40 {
            for jitter in [0.0, 0.3, 0.999] {
                let wait = resource(jobs, Retry::Never, jitter);
                assert!(wait >= RESOURCE_FIRST / 2 && wait <= RESOURCE_MAX, "{jobs} {jitter} {wait:?}");
            }
        }
        assert_eq!(resource(1, Retry::After(Duration::from_secs(600)), 0.5), Duration::from_secs(600));
        assert_eq!(resource(1, Retry::After(Duration::MAX), 0.5), RETRY_AFTER_MAX);
        assert!(resource(5, Retry::Never, 0.9) > resource(1, Retry::Never, 0.9));
    }

    #[test]
    fn destination_doubles_to_five_minutes() {
        let secs: Vec<u64> = (1..9).map(|n| destination(n, Retry::Never).as_secs()).collect();
        assert_eq!(secs, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_due_time_beyond_any_back_off_is_now() {
        let now = UnixMillis(1_000_000_000_000);
        assert!(is_due(now, now));
        assert!(!is_due(now.plus(Duration::from_secs(60)), now));
        assert!(is_due(now.plus(RESOURCE_MAX + Duration::from_secs(1)), now));
    }
}
