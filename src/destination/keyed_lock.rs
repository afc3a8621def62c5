//! Several operations on one key, one after another.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// How many idle entries are kept before they are swept out.
const IDLE_KEPT_MAX: usize = 256;

/// A lock for each temp file. A send that was dropped goes on in the background until it next looks at its
/// cancellation token; the next send of the same record must not overtake it.
#[derive(Default)]
pub(in crate::destination) struct KeyedLock(Mutex<HashMap<u64, Arc<AsyncMutex<()>>>>);

impl KeyedLock {
    /// Waits until nobody else holds this token. It is held until the guard is dropped.
    pub(in crate::destination) async fn lock(&self, token: u64) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock();
            if locks.len() >= IDLE_KEPT_MAX {
                locks.retain(|_token, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(locks.entry(token).or_default())
        };
        lock.lock_owned().await
    }

    /// Whether a send holds or awaits this token.
    pub(in crate::destination) fn is_busy(&self, token: u64) -> bool {
        let locks = self.0.lock();
        locks.get(&token).is_some_and(|lock| Arc::strong_count(lock) > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_busy_until_its_guard_is_dropped() {
        let lock = KeyedLock::default();
        let guard = lock.lock(7).await;
        assert!(lock.is_busy(7) && !lock.is_busy(8));
        drop(guard);
        assert!(!lock.is_busy(7));
    }
}
