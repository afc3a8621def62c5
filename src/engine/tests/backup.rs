//! What should go well.

use super::*;
use crate::api::{Command, Operation, Request, RestoreLayout, RestoreOrder, RestoreScope, RestoreTarget};
use crate::base::clock::SystemClock;
use crate::base::executor::Executor;
use crate::base::rng::SeededRng;
use crate::domain::key;
use crate::store::{Store, StoreOptions};

#[tokio::test(start_paused = true)]
async fn a_folder_is_backed_up_and_proved() {
    let mut world = World::new().await;
    world.put("/photos/2019/IMG_1.jpg", "one");
    world.put("/photos/IMG_2.jpg", "two");
    world.put("/photos/copy/IMG_2 again.jpg", "two");
    world.put("/photos/IMG_1.jpg", "another one");
    world.files.write_at("/photos/notes.txt", b"no photo".to_vec(), 1_500_000_000_000_000_000);
    world.set_up().await;
    let snapshot = world.settled().await;
    let d = &snapshot.destinations[0];
    assert_eq!((d.found, d.safe, d.excluded, d.needs_attention), (5, 4, 1, 0));
    assert_eq!(snapshot.library.safe_everywhere, 4);
    assert_eq!(d.pairs.len(), 1);
    assert!(d.oldest_proof_at.is_some());
    // The same bytes twice are stored once, and the same name twice loses nothing.
    assert_eq!(world.copies().len(), 3);
    assert!(world.copies().iter().all(|path| path.contains("2017/2017-07/")), "{:?}", world.copies());
    world.check_identity().await;
    world.stop().await;
    assert!(world.disk.files().iter().any(|path| path.contains(".safelight/manifest/")));
    assert!(world.disk.files().iter().all(|path| !path.ends_with(".tmp")));
}

#[tokio::test(start_paused = true)]
async fn what_changes_later_is_backed_up_too_and_nothing_twice() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    let first = world.copies();
    world.files.rename("/photos/a.jpg", "/photos/renamed.jpg");
    world.put("/photos/b.jpg", "b");
    world.ask(Command::Rescan { id: None }).await;
    world.until("two safe", |s| s.destinations[0].safe == 2).await;
    assert_eq!(world.copies().len(), 2);
    assert!(world.copies().contains(&first[0]), "a rename sends nothing");
    // An edit is a new version beside the old one.
    world.files.write_at("/photos/b.jpg", photo("b, edited"), 1_600_000_000_000_000_000);
    world.ask(Command::Rescan { id: None }).await;
    world.until("noticed", |s| s.destinations[0].safe < 2).await;
    world.until("edited", |s| s.destinations[0].safe == 2).await;
    assert_eq!(world.copies().len(), 3);
    world.check_identity().await;
    world.stop().await;
    // Another run finds nothing to do.
    world.start().await;
    let snapshot = world.settled().await;
    assert_eq!(snapshot.destinations[0].safe, 2);
    assert_eq!(world.copies().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn switching_off_stops_and_keeps_the_ledger() {
    let mut world = World::new().await;
    for n in 0..20 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.until("half", |s| s.destinations[0].safe >= 10).await;
    let id = world.destination().await.id;
    world.ask(Command::EnableDestination { id, enabled: false }).await;
    let off = world.until("off", |s| !s.destinations[0].enabled && s.destinations[0].uploading == 0).await;
    let safe = off.destinations[0].safe;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.destination().await.safe, safe, "nothing is sent while it is off");
    world.check_identity().await;
    world.ask(Command::EnableDestination { id, enabled: true }).await;
    world.settled().await;
    assert_eq!(world.destination().await.safe, 20);
    assert_eq!(world.copies().len(), 20);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_by_itself() {
    let world = World::new().await;
    world.set_up().await;
    world.ask(Command::Pause { for_secs: Some(600) }).await;
    world.put("/photos/a.jpg", "a");
    world.ask(Command::Rescan { id: None }).await;
    let paused = world.until("waiting", |s| s.destinations[0].waiting == 1).await;
    assert_eq!(paused.backup, crate::api::BackupSwitch::Paused);
    assert_eq!(paused.wait_reason.map(|reason| reason.kind), Some("paused".to_owned()));
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!(world.destination().await.safe, 0);
    world.until("safe", |s| s.destinations[0].safe == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_is_rebuilt_from_sources_and_manifests() {
    let mut world = World::new().await;
    for n in 0..30 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    world.stop().await;
    let copies = world.copies();
    let database = world.dir.path().join("safelight.db");
    std::fs::write(&database, b"this is no database, and long enough to be looked at as one")
        .expect("damage");
    world.start().await;
    let snapshot = world.until("rebuilt", |s| s.destinations.first().is_some_and(|d| d.safe == 30)).await;
    assert_eq!(snapshot.destinations[0].found, 30);
    assert_eq!(world.copies(), copies, "nothing was sent again");
    let aside = std::fs::read_dir(world.dir.path()).expect("list").filter_map(Result::ok);
    assert!(aside.into_iter().any(|entry| entry.file_name().to_string_lossy().contains(".damaged-")));
}

#[tokio::test(start_paused = true)]
async fn a_kill_before_a_new_database_is_filled_costs_nothing() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    world.stop().await;
    let copies = world.copies();
    for name in ["safelight.db", "safelight.db-wal", "safelight.db-shm"] {
        std::fs::remove_file(world.dir.path().join(name)).ok();
    }
    // It was made, and the process was killed there.
    let options = StoreOptions {
        path: world.dir.path().join("safelight.db"),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::inline(),
    };
    drop(Store::open(options).expect("made"));
    world.start().await;
    world.until("rebuilt", |s| s.destinations.first().is_some_and(|d| d.safe == 1)).await;
    assert_eq!(world.copies(), copies, "nothing was sent again");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_reads_more_looks_again_and_sends_nothing_again() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.put("/photos/b.jpg", "b");
    world.set_up().await;
    world.settled().await;
    let copies = world.copies();
    world.stop().await;
    let open = |path: std::path::PathBuf| {
        let (clock, rng) = (Arc::new(SystemClock), Arc::new(SeededRng::new(1)));
        Store::open(StoreOptions { path, clock, rng, executor: Executor::inline() }).expect("open").store
    };
    let path = world.dir.path().join("safelight.db");
    let store = open(path.clone());
    store.write(|tx| tx.set_all_outdated()).await.expect("outdated");
    store.close().await;
    world.put("/photos/c.jpg", "c");
    world.start().await;
    let snapshot = world.until("all safe", |s| s.destinations[0].safe == 3).await;
    assert_eq!(snapshot.destinations[0].found, 3);
    world.settled().await;
    world.check_identity().await;
    assert!(copies.iter().all(|copy| world.copies().contains(copy)));
    assert_eq!(world.copies().len(), 3, "nothing was sent again");
    world.stop().await;
    let store = open(path);
    assert!(!store.read(|r| r.has_outdated()).await.expect("read"), "all heads were read again");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_understood_of_the_settings_is_kept() {
    let mut world = World::new().await;
    world.stop().await;
    std::fs::remove_file(world.dir.path().join("safelight.db")).expect("removed");
    std::fs::write(world.dir.path().join("config.json"), b"{ half a document").expect("written");
    world.start().await;
    world.add_backup().await;
    let files = std::fs::read_dir(world.dir.path()).expect("list").filter_map(Result::ok);
    let kept =
        files.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains(".not-understood-"));
    assert_eq!(std::fs::read(kept.expect("kept")).expect("read"), b"{ half a document");
}

#[tokio::test(start_paused = true)]
async fn nothing_wakes_the_engine_when_all_is_done() {
    let world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let revision = world.snapshot().await.revision;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.snapshot().await.revision, revision);
}

#[tokio::test(start_paused = true)]
async fn another_computer_restores_from_the_disk_alone() {
    let mut world = World::new().await;
    for n in 0..5 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    world.stop().await;
    // Another data folder knows nothing; backup stays off.
    world.dir = tempfile::tempdir().expect("dir");
    world.start().await;
    world.add_backup().await;
    let destination = world.destination().await.id;
    let out = tempfile::tempdir().expect("dir");
    let into = PathText::from_bytes(out.path().as_os_str().as_encoded_bytes());
    let restore = |layout| {
        let (scope, target) = (RestoreScope::All, RestoreTarget::Folder(into.clone()));
        Request::Operation(Operation::Restore(RestoreOrder { destination, scope, target, layout }))
    };
    let reply = world.ask(restore(RestoreLayout::Dates)).await;
    let counts = |reply: &Reply| match reply {
        Reply::Restored { result, stopped: None } => (result.restored, result.present, result.failed),
        other => panic!("{other:?}"),
    };
    assert_eq!(counts(&reply), (5, 0, 0));
    for copy in world.copies() {
        let placed = std::fs::read(out.path().join(copy.trim_start_matches('/'))).expect("placed");
        assert_eq!(Some(placed), world.disk.contents(&copy));
    }
    let again = world.ask(restore(RestoreLayout::Dates)).await;
    assert_eq!(counts(&again), (0, 5, 0));
    let folders = world.ask(restore(RestoreLayout::Folders)).await;
    assert_eq!(counts(&folders), (5, 0, 0));
    for copy in world.copies() {
        let name = copy.rsplit('/').next().expect("a name");
        let placed = std::fs::read(out.path().join("photos").join(name)).expect("placed");
        assert_eq!(Some(placed), world.disk.contents(&copy));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_computer_verifies_the_copies_that_it_learns_of() {
    let mut world = World::new().await;
    for n in 0..5 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    world.stop().await;
    let copies = world.copies();
    world.dir = tempfile::tempdir().expect("dir");
    world.start().await;
    world.set_up().await;
    // Whoever waits for the backup is told that its copies are still being read back.
    world
        .until("all found there, and verified", |snapshot| {
            let d = &snapshot.destinations[0];
            assert!(d.verifying || d.unproven == 0 || d.safe + d.unproven < 5, "{d:?}");
            d.safe == 5 && !d.verifying
        })
        .await;
    assert_eq!(world.copies(), copies, "nothing was sent again");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_run_left_is_removed_whatever_run_is_the_first_to_reach_the_place() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    world.stop().await;
    let path = world.dir.path().join("safelight.db");
    let (clock, rng) = (Arc::new(SystemClock), Arc::new(SeededRng::new(1)));
    let killed =
        Store::open(StoreOptions { path, clock, rng, executor: Executor::inline() }).expect("open").store;
    let installation = killed.read(|r| r.installation()).await.expect("read").uuid;
    drop(killed);
    let temp = key::temp_name(key::temp_token(&installation, 7));
    let temp = format!(".safelight/{temp}");
    world.disk.put(&temp, b"half a mani");
    // The next run cannot reach the place, and ends as it should.
    world.disk.rules(|rules| rules.is_unmounted = true);
    world.start().await;
    world.until("lost", |s| s.destinations[0].wait_reason.is_some()).await;
    world.stop().await;
    world.disk.rules(|rules| rules.is_unmounted = false);
    assert!(world.disk.contents(&temp).is_some());
    world.start().await;
    let gone = async {
        while world.disk.contents(&temp).is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3600), gone).await.expect("removed");
    assert_eq!(world.copies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_destination_is_renamed_and_stays_so() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    let id = world.destination().await.id;
    let rename = |name: &str| Request::Command(Command::RenameDestination { id, name: name.to_owned() });
    for bad in ["", "a/b", "-x", "a:b"] {
        assert!(world.handle().call(rename(bad)).await.is_err(), "{bad}");
    }
    world.ask(rename(" Disk at home ")).await;
    assert_eq!(world.destination().await.name, "Disk at home");
    world.stop().await;
    world.start().await;
    assert_eq!(world.destination().await.name, "Disk at home");
    assert_eq!(world.destination().await.safe, 1);
}
