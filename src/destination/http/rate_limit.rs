//! How fast may be sent: a limit that all transfers of one client share.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::destination::BoxFuture;

/// Lets bytes pass at a rate. The seam for a bandwidth limit.
pub trait RateLimiter: Send + Sync {
    /// Returns when `bytes` may be sent.
    fn admit(&self, bytes: u64) -> BoxFuture<'_, ()>;

    /// The most that should be asked for at once, in bytes.
    fn chunk_max(&self) -> usize;

    /// Another rate, in bytes a second, from now on. Whoever waits by the old one waits no longer.
    fn set_rate(&self, _rate: Option<u64>) {}
}

/// A pace that can be shared.
pub type SharedRateLimiter = Arc<dyn RateLimiter>;

/// As fast as it goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl RateLimiter for Unlimited {
    fn admit(&self, _bytes: u64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn chunk_max(&self) -> usize {
        usize::MAX
    }
}

/// A token bucket that may be in debt: whoever asks pays at once and waits until the debt is paid
/// off, so turns are kept and nobody starves. The limit may be changed at any time.
#[derive(Debug)]
pub struct Bucket {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Bytes a second; `None` is no limit.
    rate: Option<u64>,
    /// When everything that was let through has been paid off; none while nothing was.
    paid_at: Option<Instant>,
}

/// How much may be sent at once after a pause.
const BURST: Duration = Duration::from_millis(250);
/// No chunk is smaller, however low the limit, in bytes.
const CHUNK_MIN: u64 = 8 * 1024;

impl Bucket {
    /// A bucket that lets `rate` bytes a second through; `None` for no limit.
    pub fn new(rate: Option<u64>) -> Self {
        Self { state: Mutex::new(State { rate, paid_at: None }), changed: Notify::new() }
    }

    fn spend_tokens(&self, bytes: u64) -> Option<Instant> {
        let mut state = self.lock();
        let rate = state.rate?.max(1);
        let now = Instant::now();
        let cost = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate);
        let free_from = now.checked_sub(BURST).unwrap_or(now);
        let starts = state.paid_at.map_or(free_from, |at| at.max(free_from));
        state.paid_at = Some(starts + cost);
        Some(starts)
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl RateLimiter for Bucket {
    fn admit(&self, bytes: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listened for before paying, so that no change comes in between.
            changed.as_mut().enable();
            if let Some(at) = self.spend_tokens(bytes) {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = changed => {}
                }
            }
        })
    }

    fn chunk_max(&self) -> usize {
        let rate = self.lock().rate;
        // An eighth of a second's worth, so that a change of the limit is felt at once.
        rate.map_or(usize::MAX, |rate| usize::try_from((rate / 8).max(CHUNK_MIN)).unwrap_or(usize::MAX))
    }

    fn set_rate(&self, rate: Option<u64>) {
        let mut state = self.lock();
        if state.rate != rate {
            // Debts by the old rate are let go: at most a chunk for each that waits.
            *state = State { rate, paid_at: None };
            drop(state);
            self.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn transfers_share_the_limit() {
        let bucket = Arc::new(Bucket::new(Some(1_000_000)));
        let began = Instant::now();
        let mut transfers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let bucket = Arc::clone(&bucket);
            transfers.spawn(async move {
                for _ in 0..25 {
                    bucket.admit(100_000).await;
                }
            });
        }
        transfers.join_all().await;
        let took = began.elapsed();
        assert!((9.0..=10.1).contains(&took.as_secs_f64()), "10 MB at 1 MB/s took {took:?}");

        bucket.set_rate(None);
        let began = Instant::now();
        bucket.admit(1 << 40).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn another_limit_holds_for_whoever_waits_already() {
        let bucket = Arc::new(Bucket::new(Some(1_000)));
        bucket.admit(1_000_000).await;
        let began = Instant::now();
        let waiting = tokio::spawn({
            let bucket = Arc::clone(&bucket);
            async move { bucket.admit(10_000).await }
        });
        tokio::task::yield_now().await;
        bucket.set_rate(Some(2_000_000));
        waiting.await.expect("joined");
        assert_eq!(began.elapsed(), Duration::ZERO, "not a thousand seconds");
        for _ in 0..4 {
            bucket.admit(1_000_000).await;
        }
        let took = began.elapsed().as_secs_f64();
        assert!((1.2..=1.6).contains(&took), "three of four at 2 MB/s took {took} s");
        // The same limit again takes nothing back.
        bucket.set_rate(Some(2_000_000));
        let began = Instant::now();
        bucket.admit(1).await;
        assert!(began.elapsed() > Duration::from_millis(100));
    }
}
