//! Tells silence from slowness: what has moved lately, and whether an answer is still awaited.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::domain::failure::Failure;

/// What one exchange is doing.
#[derive(Debug, Default)]
pub(super) struct IdleTimeout {
    /// Goes up with every chunk that the connection took.
    moved: AtomicU64,
    /// How many parts of our own are holding it up.
    held: AtomicUsize,
    is_whole: AtomicBool,
    is_answered: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// While it lives, silence is our own doing.
pub(super) struct BusyGuard(Arc<IdleTimeout>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.moved.fetch_add(1, Ordering::Relaxed);
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl IdleTimeout {
    pub(super) fn hold(watch: &Arc<Self>) -> BusyGuard {
        watch.held.fetch_add(1, Ordering::Relaxed);
        BusyGuard(Arc::clone(watch))
    }

    /// The whole body was handed over.
    pub(super) fn set_whole(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
        self.is_whole.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    /// The head of the answer is there.
    pub(super) fn set_answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// The body broke off because of this.
    pub(super) fn fail(&self, failure: Failure) {
        *self.failure.lock() = Some(failure);
    }

    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().take()
    }

    /// Returns when nothing has moved for `idle`, or, once everything was sent, for `answer_wait`.
    pub(super) async fn silence(&self, idle: Duration, answer_wait: Duration) {
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            tokio::time::sleep(if self.is_whole() { answer_wait } else { idle }).await;
            let has_moved = self.moved.load(Ordering::Relaxed) != before;
            if !has_moved && self.held.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_neither_slowness_nor_our_own_doing() {
        let watch = Arc::new(IdleTimeout::default());
        let (idle, answer) = (Duration::from_secs(10), Duration::from_secs(100));
        let began = tokio::time::Instant::now();
        let busy = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                drop(IdleTimeout::hold(&watch));
            }
            let held = IdleTimeout::hold(&watch);
            tokio::time::sleep(Duration::from_secs(55)).await;
            watch.set_whole();
            drop(held);
        };
        tokio::join!(busy, watch.silence(idle, answer));
        let took = began.elapsed().as_secs();
        assert!((200..=210).contains(&took), "{took} s");
    }
}
