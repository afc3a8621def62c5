//! The store's own tests: SQL is at home here, so rows can be made by hand.

mod audits;
mod companions;
mod dates;
mod decisions;
mod grouping;
mod keys;
mod ledger;
mod name_groups;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::base::clock::{Clock, SystemClock};
use crate::base::executor::Executor;
use crate::base::rng::SeededRng;
use crate::domain::hash::{Blake3, ContentHash, Digests, Hashed};

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

/// Writes that come at once, one of which may fail after it has written; with one that runs once among
/// them or not. Returns how many failed and how often they ran.
async fn at_once(store: &Store, failing: Option<u8>, has_once: bool) -> (usize, usize) {
    let (go, wait) = std::sync::mpsc::sync_channel(1);
    let (begun, begins) = tokio::sync::oneshot::channel();
    let (runs, source) = (Arc::new(AtomicUsize::new(0)), |n: u8| vec![b'/', b'a' + n]);
    let mut all = tokio::task::JoinSet::new();
    let first = store.clone();
    // While it runs, the others wait to be committed together.
    let hold = move |_: &Write<'_>| {
        begun.send(()).ok();
        wait.recv().ok();
        Ok(())
    };
    all.spawn(async move { first.write(hold).await });
    begins.await.expect("it runs");
    for n in 0..5_u8 {
        let (store, runs) = (store.clone(), Arc::clone(&runs));
        let work = move |tx: &Write<'_>| {
            runs.fetch_add(1, Ordering::SeqCst);
            tx.add_source(&source(n), "fs")?;
            let fails = failing == Some(n);
            if fails { Err(StoreError::Refused("planted".into())) } else { Ok(()) }
        };
        all.spawn(async move {
            if has_once && n == 2 { store.write(work).await } else { store.write_again(work).await }
        });
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    go.send(()).expect("it waits");
    let outcomes = all.join_all().await;
    (outcomes.iter().filter(|outcome| outcome.is_err()).count(), runs.load(Ordering::SeqCst))
}

#[tokio::test]
async fn of_writes_that_come_at_once_the_failing_one_is_undone_alone() {
    for (failing, has_once, expected) in [
        (None, false, (0, 5)),
        (None, true, (0, 5)),
        // Three ran in vain and all ran again.
        (Some(2), false, (1, 8)),
        (Some(3), true, (1, 5)),
    ] {
        let dir = tempfile::tempdir().expect("dir");
        let threads = Executor::threads("store", 2).expect("threads");
        let store = Store::open(options(dir.path(), threads)).expect("open").store;
        assert_eq!(at_once(&store, failing, has_once).await, expected, "{failing:?} {has_once}");
        let kept: Vec<u8> =
            store.read(|r| r.sources()).await.expect("read").iter().map(|s| s.path[1]).collect();
        let wanted: Vec<u8> = (0..5).filter(|n| Some(*n) != failing).map(|n| b'a' + n).collect();
        assert_eq!(kept, wanted);
        store.close().await;
    }
}

#[tokio::test]
async fn an_unclean_exit_is_noticed_and_each_run_has_its_epoch() {
    let dir = tempfile::tempdir().expect("dir");
    let first = Store::open(options(dir.path(), Executor::inline())).expect("open");
    assert!(!first.was_unclean);
    let epoch = first.store.epoch();
    drop(first);
    let second = Store::open(options(dir.path(), Executor::inline())).expect("open");
    assert!(second.was_unclean);
    assert_eq!(second.store.epoch(), epoch + 1);
    second.store.close().await;
    assert!(!Store::open(options(dir.path(), Executor::inline())).expect("open").was_unclean);
}

#[tokio::test]
async fn digests_are_added_and_never_lost() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let content = ContentHash { blake3: Blake3([7; 32]), size: 3 };
    let first = Digests { md5: Some([1; 16]), ..Digests::default() };
    let second = Digests {
        sha1: Some([2; 20]),
        sha256: Some([3; 32]),
        crc64nvme: Some(u64::MAX),
        ..Digests::default()
    };
    for digests in [Digests::default(), first, Digests::default(), second] {
        store.write(move |tx| tx.add_content(Hashed { content, digests })).await.expect("kept");
    }
    let kept = store.read(move |r| r.digests(content)).await.expect("read");
    assert_eq!(kept, first.or(second));
    let other = ContentHash { size: 4, ..content };
    assert_eq!(store.read(move |r| r.digests(other)).await.expect("read"), Digests::default());
}
