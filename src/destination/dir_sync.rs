//! One directory sync for all who wait for it.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex as AsyncMutex;

use crate::domain::failure::Failure;

/// How many idle entries are kept before they are swept out.
const IDLE_KEPT_MAX: usize = 256;

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
pub(in crate::destination) struct DirSync(Mutex<HashMap<String, Arc<Group>>>);

impl DirSync {
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
        let syncs = Arc::new(DirSync::default());
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
        let syncs = DirSync::default();
        let failure = Failure::destination(FailureKind::Unreadable, "no");
        let outcome = syncs.sync("a", || async { Err(failure.clone()) }).await;
        assert_eq!(outcome, Err(failure));
        assert_eq!(syncs.sync("a", || async { Ok(()) }).await, Ok(()));
    }
}
