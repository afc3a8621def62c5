//! Who may act now: one send at a time on each temp file, and one directory sync for all who wait.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::failure::Failure;

/// How many idle entries are kept before they are swept out.
const IDLE_KEPT_MAX: usize = 256;

/// One turn at a time for each temp file. A send that was dropped goes on in the background until
/// its next look at its stop sign; the next send of the same record must not overtake it.
#[derive(Default)]
pub(in crate::destination) struct Turns(Mutex<HashMap<u64, Arc<AsyncMutex<()>>>>);

impl Turns {
    pub(in crate::destination) async fn wait(&self, token: u64) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock();
            if turns.len() >= IDLE_KEPT_MAX {
                turns.retain(|_token, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(token).or_default())
        };
        turn.lock_owned().await
    }

    /// Whether a send holds or awaits this token.
    pub(in crate::destination) fn is_busy(&self, token: u64) -> bool {
        let turns = self.0.lock();
        turns.get(&token).is_some_and(|turn| Arc::strong_count(turn) > 1)
    }
}

#[derive(Default)]
struct Progress {
    started: u64,
    finished: u64,
}

#[derive(Default)]
struct Group {
    progress: Mutex<Progress>,
    leader: AsyncMutex<()>,
}

/// Group commit for directories: whoever asks while a sync is under way shares the next one.
#[derive(Default)]
pub(in crate::destination) struct DirSyncs(Mutex<HashMap<String, Arc<Group>>>);

impl DirSyncs {
    /// Returns when a sync of `dir` that began after this call has finished. `sync` does it, if
    /// nobody else does.
    ///
    /// # Errors
    /// Whatever `sync` fails with; each waiter then tries by itself.
    pub(in crate::destination) async fn sync<F>(
        &self,
        dir: &str,
        sync: impl FnOnce() -> F + Send,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + Send,
    {
        let group = self.group(dir);
        let wanted = group.lock().started + 1;
        let _leading = group.leader.lock().await;
        if group.lock().finished >= wanted {
            return Ok(());
        }
        let number = {
            let mut progress = group.lock();
            progress.started += 1;
            progress.started
        };
        sync().await?;
        group.lock().finished = number;
        Ok(())
    }

    fn group(&self, dir: &str) -> Arc<Group> {
        let mut groups = self.0.lock();
        if groups.len() >= IDLE_KEPT_MAX {
            groups.retain(|_dir, group| Arc::strong_count(group) > 1);
        }
        Arc::clone(groups.entry(dir.to_owned()).or_default())
    }
}

impl Group {
    fn lock(&self) -> parking_lot::MutexGuard<'_, Progress> {
        self.progress.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::failure::FailureKind;

    #[tokio::test]
    async fn those_who_ask_during_a_sync_share_the_next_one() {
        let syncs = Arc::new(DirSyncs::default());
        let count = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let mut waiters = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let (syncs, count, gate) = (Arc::clone(&syncs), Arc::clone(&count), Arc::clone(&gate));
            waiters.spawn(async move {
                let sync = || async move {
                    count.fetch_add(1, Ordering::Relaxed);
                    gate.acquire().await.expect("open").forget();
                    Ok(())
                };
                syncs.sync("2019/2019-05", sync).await
            });
        }
        // Let the first one begin and the others queue up behind it.
        while count.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);
        while let Some(done) = waiters.join_next().await {
            assert_eq!(done.expect("no panic"), Ok(()));
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failed_sync_serves_nobody_else() {
        let syncs = DirSyncs::default();
        let failure = Failure::destination(FailureKind::Unreadable, "no");
        let outcome = syncs.sync("a", || async { Err(failure.clone()) }).await;
        assert_eq!(outcome, Err(failure));
        assert_eq!(syncs.sync("a", || async { Ok(()) }).await, Ok(()));
    }

    #[tokio::test]
    async fn a_turn_is_busy_until_it_ends() {
        let turns = Turns::default();
        let turn = turns.wait(7).await;
        assert!(turns.is_busy(7) && !turns.is_busy(8));
        drop(turn);
        assert!(!turns.is_busy(7));
    }
}
