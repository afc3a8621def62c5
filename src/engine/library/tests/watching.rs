//! Hints, floors and quiet.

use super::*;

impl World {
    pub fn hints(&self) -> Hints {
        self.watch.hints.lock().last().expect("watched").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_followed_and_costs_one_listing() {
    let mut world = World::new().await;
    for n in 0..100 {
        world.put(&format!("/photos/{n}/1.jpg"), format!("picture {n}"));
    }
    world.look().await;
    let listed = world.files.listed();
    world.put("/photos/7/2.jpg", "new");
    world.hints().dir(b"7", false);
    world.settle().await;
    // The folder, and the source's own before and after.
    assert_eq!(world.files.listed(), listed + 3);
    assert_eq!(world.files().await.len(), 101);
    world.files.remove("/photos/7/2.jpg");
    world.hints().dir(b"7", false);
    world.settle().await;
    assert_eq!(world.files().await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn new_folders_are_looked_through_to_the_bottom() {
    let mut world = World::new().await;
    world.put("/photos/old/1.jpg", "one");
    world.look().await;
    world.put("/photos/new/a/b/c.jpg", "two");
    world.put("/photos/old/2.jpg", "not hinted");
    world.hints().dir(b"", false);
    world.settle().await;
    world.expect(&["new/a/b/c.jpg ready photo", "old/1.jpg ready photo"]).await;
    world.files.rename("/photos/new", "/photos/newer");
    world.hints().dir(b"", false);
    world.hints().dir(b"new", true);
    world.hints().dir(b"newer", true);
    world.settle().await;
    world.expect(&["newer/a/b/c.jpg ready photo", "old/1.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_hint_at_a_folder_that_has_gone_leads_to_its_parent() {
    let mut world = World::new().await;
    world.put("/photos/keep.jpg", "one");
    world.put("/photos/a/b/1.jpg", "two");
    world.look().await;
    world.files.remove("/photos/a");
    world.hints().dir(b"a/b", false);
    world.settle().await;
    world.expect(&["keep.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn hints_of_a_great_loss_lead_to_a_whole_look() {
    let mut world = World::new().await;
    for n in 0..40 {
        world.put(&format!("/photos/{}/{n}.jpg", n % 2), format!("picture {n}"));
    }
    world.look().await;
    world.files.remove("/photos/0");
    world.files.remove("/photos/1/1.jpg");
    world.hints().dir(b"", false);
    world.hints().dir(b"1", false);
    let state = world.settle().await;
    let source = state.sources.values().next().expect("source");
    assert_eq!(source.condition, Condition::Unavailable);
    assert_eq!((source.looks, world.files().await.len()), (2, 40));
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_it_is_looked_through_often() {
    let mut world = World::new().await;
    *world.watch.fails.lock() = Some(WatchError::Limit);
    world.put("/photos/1.jpg", "one");
    let state = world.look().await;
    let source = state.sources.values().next().expect("source");
    assert!(!source.is_watched);
    assert!(source.note.as_ref().is_some_and(|note| note.contains("Too many folders")), "{source:?}");
    world.put("/photos/2.jpg", "two");
    tokio::time::sleep(UNWATCHED_POLL + Duration::from_secs(1)).await;
    world.settle().await;
    assert_eq!(world.files().await.len(), 2);
    // The limit was raised: watched again from the next look on.
    *world.watch.fails.lock() = None;
    let state = world.look().await;
    let source = state.sources.values().next().expect("source");
    assert!(source.is_watched && source.note.is_none(), "{source:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_made_up_for() {
    let mut world = World::new().await;
    world.put("/photos/1.jpg", "one");
    world.look().await;
    world.put("/photos/2.jpg", "two");
    let hints = world.hints();
    hints.whole();
    hints.watch_lost(WatchError::Limit);
    let state = world.settle().await;
    assert_eq!(world.files().await.len(), 2);
    assert!(state.sources.values().all(|source| source.is_watched));
    assert_eq!(world.watch.hints.lock().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn quiet_lasts_until_the_floor() {
    let mut world = World::new().await;
    world.put("/photos/1.jpg", "one");
    world.look().await;
    let listed = world.files.listed();
    let mut state = world.library().state();
    state.mark_unchanged();
    tokio::time::sleep(RESCAN_FLOOR - Duration::from_secs(60)).await;
    assert_eq!(world.files.listed(), listed);
    assert!(!state.has_changed().expect("runs"));
    world.put("/photos/2.jpg", "two");
    tokio::time::sleep(Duration::from_secs(120)).await;
    world.settle().await;
    assert_eq!(world.files().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn changes_are_announced() {
    let mut world = World::new().await;
    world.put("/photos/1.jpg", "one");
    world.start();
    let changes = world.library().changes();
    tokio::time::timeout(Duration::from_secs(10), changes.notified()).await.expect("announced");
    world.settle().await;
    let newest = world.store.read(|store| store.newest_token()).await.expect("token");
    assert_eq!(newest, 1);
}

#[tokio::test]
async fn on_a_real_disk_with_real_threads() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path().join("photos");
    std::fs::create_dir_all(root.join("a/b")).expect("mkdir");
    // Hidden files are left out at once, so nothing here waits for a file to settle.
    std::fs::write(root.join("a/b/.1.jpg"), "one").expect("write");
    let clock = Arc::new(crate::base::clock::SystemClock);
    let files: crate::base::files::SharedFiles = Arc::new(crate::base::files::OsFiles);
    let options = StoreOptions {
        path: dir.path().join("safelight.db"),
        clock: Arc::clone(&clock) as crate::base::clock::SharedClock,
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::threads("store", 1).expect("threads"),
    };
    let store = Store::open(options).expect("store").store;
    let (path, system) = (path_bytes(&root), files.file_system(&root).expect("named"));
    store.write(move |tx| tx.add_source(&path, &system)).await.expect("added");
    let library = Library::start(LibraryDeps {
        store: store.clone(),
        files,
        clock,
        reader: Arc::new(MediaReader),
        watch: Arc::new(SystemWatcher),
        executor: Executor::threads("library", 1).expect("threads"),
        parallel: READS_MAX,
    });
    let mut state = library.state();
    let found = async |count: u64| {
        let mut state = library.state();
        loop {
            let known = store.read(|r| r.source_found(SourceId(1))).await.expect("counted");
            if known == count {
                return;
            }
            state.changed().await.expect("runs");
        }
    };
    found(1).await;
    let watched = |state: &LibraryState| state.is_quiet() && state.sources[&SourceId(1)].is_watched;
    state.wait_for(watched).await.expect("runs");
    std::fs::create_dir(root.join("new")).expect("mkdir");
    std::fs::write(root.join("new/.2.jpg"), "two").expect("write");
    found(2).await;
    std::fs::remove_dir_all(root.join("a")).expect("remove");
    found(1).await;
    library.stop().await;
    store.close().await;
}
