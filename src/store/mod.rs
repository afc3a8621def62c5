//! The one SQLite database: sources, library, ledger and job table.
//!
//! Only this floor speaks SQL. It decides nothing: it makes illegal rows impossible, keeps counts
//! in the transaction that changes them, and applies transitions guarded by the state they start
//! from. One thread owns the only write connection and commits what is queued in one go; reads go
//! to a small pool that can never write.

mod abilities;
mod assets;
mod changes;
mod checkpoints;
mod connection;
mod counts;
mod destinations;
mod events;
mod files;
mod installation;
mod jobs;
#[cfg(test)]
mod library_audit;
mod migrate;
pub mod mirror;
mod records;
mod rows;
mod sources;
mod transitions;
mod writer;

pub use assets::{FileLook, Found};
pub use changes::{CHANGES_KEPT_MAX, Change, ChangeKind, Changes};
pub use connection::{Opened, Store, StoreOptions};
pub use counts::DestinationCounts;
pub use destinations::{DestinationRow, Lost, NewDestination, SLOTS_MAX};
pub use events::EVENTS_KEPT_MAX;
pub use files::{Delta, FileToRead, Listed, Listing, Moved, NewFile, NewVersion, Seen, Start, ToDo};
pub use installation::Installation;
#[cfg(test)]
pub use library_audit::AuditedFile;
pub use jobs::{JobRow, NewJob, Started};
pub use records::{RecordFacts, Wanted};
pub use rows::StoreError;
pub use sources::{SourceCondition, SourceRow};
pub use transitions::Outcome;
pub use writer::{Read, Write};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::{Clock, SystemClock};
    use crate::base::executor::Executor;
    use crate::base::rng::SeededRng;

    fn options(dir: &std::path::Path, executor: Executor) -> StoreOptions {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        StoreOptions { path: dir.join("safelight.db"), clock, rng: Arc::new(SeededRng::new(1)), executor }
    }

    #[tokio::test]
    async fn a_failed_write_leaves_nothing_and_harms_no_neighbour() {
        let dir = tempfile::tempdir().expect("dir");
        for executor in [Executor::inline(), Executor::threads("store", 2).expect("threads")] {
            let opened = Store::open(options(dir.path(), executor)).expect("open");
            let store = opened.store;
            let good = store.write(|tx| tx.add_source(b"/good", "fs"));
            let bad = store.write(|tx| {
                tx.add_source(b"/bad", "fs")?;
                Err::<(), _>(StoreError::Refused("planted".into()))
            });
            let (good, bad) = tokio::join!(good, bad);
            let id = good.expect("kept");
            assert!(matches!(bad, Err(StoreError::Refused(_))));
            let paths: Vec<_> = store.read(|r| r.sources()).await.expect("read");
            assert_eq!(paths.iter().map(|s| s.path.as_slice()).collect::<Vec<_>>(), [b"/good"]);
            store.write(move |tx| tx.remove_source(id)).await.expect("remove");
            store.close().await;
            assert!(matches!(store.write(|_| Ok(())).await, Err(StoreError::Closed)));
        }
    }

    #[tokio::test]
    async fn an_unclean_exit_is_noticed_and_each_run_has_its_epoch() {
        let dir = tempfile::tempdir().expect("dir");
        let first = Store::open(options(dir.path(), Executor::inline())).expect("open");
        assert!(first.is_new && !first.was_unclean);
        let epoch = first.store.epoch();
        drop(first);
        let second = Store::open(options(dir.path(), Executor::inline())).expect("open");
        assert!(!second.is_new && second.was_unclean);
        assert_eq!(second.store.epoch(), epoch + 1);
        second.store.close().await;
        assert!(!Store::open(options(dir.path(), Executor::inline())).expect("open").was_unclean);
    }
}
