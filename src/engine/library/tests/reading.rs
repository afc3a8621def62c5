//! Files that are written to, cannot be read, or are not there.

use std::io::ErrorKind;

use super::*;

/// The first bytes of a JPEG.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

#[tokio::test(start_paused = true)]
async fn a_file_is_read_when_it_is_still() {
    let mut world = World::new().await;
    world.files.write("/photos/a.jpg", "half");
    world.start();
    let mut state = world.library().state();
    state.wait_for(|state| state.settling == 1 && !state.is_indexing).await.expect("runs");
    world.expect(&["a.jpg settling"]).await;
    for more in ["half and", "half and half"] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.files.write("/photos/a.jpg", more);
        assert_eq!(world.files.open_count(), 0);
    }
    let since = world.clock.now();
    world.settle().await;
    world.expect(&["a.jpg ready photo"]).await;
    assert!(world.clock.now().since(since) >= SETTLE);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_does_not_hold_a_file_up() {
    let mut world = World::new().await;
    let tomorrow = START.plus(Duration::from_secs(86_400)).0 * 1_000_000;
    world.files.write_at("/photos/future.jpg", "one", tomorrow);
    world.files.write_at("/photos/ancient.jpg", "two", -1_000_000_000_000_000_000);
    world.look().await;
    assert!(world.clock.now().since(START) < Duration::from_secs(1));
    world.expect(&["ancient.jpg ready photo", "future.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_while_it_is_read_is_read_again() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", vec![7; 3 << 20]);
    world.look().await;
    let (_, token) = world.changes(0).await;
    world.put("/photos/a.jpg", vec![8; 4 << 20]);
    world.files.change_while_read("/photos/a.jpg", vec![9; 2 << 20]);
    world.look().await;
    world.expect(&["a.jpg ready photo"]).await;
    let files = world.store.read(|store| store.audited_files()).await.expect("files");
    assert_eq!(files[0].size, 2 << 20);
    assert_eq!(world.changes(token).await.0, ["a.jpg"]);
}

#[tokio::test(start_paused = true)]
async fn unreadable_files_are_problems_until_they_can_be_read() {
    let mut world = World::new().await;
    world.put("/photos/locked.jpg", "locked");
    world.put("/photos/locked.txt", "locked");
    world.put("/photos/sick.jpg", vec![1; 4 << 20]);
    world.put("/photos/sick.xmp", "<x:xmpmeta/>");
    world.files.refuse("/photos/locked.jpg", Some(ErrorKind::PermissionDenied));
    world.files.refuse("/photos/locked.txt", Some(ErrorKind::PermissionDenied));
    world.files.fail_from("/photos/sick.jpg", Some(3 << 20));
    world.look().await;
    world
        .expect(&[
            "locked.jpg problem unreadable",
            "locked.txt excluded not_media",
            "sick.jpg problem unreadable photo",
            // Nothing is waiting for the bytes of a picture that cannot be read.
            "sick.xmp excluded lone_sidecar",
        ])
        .await;
    world.files.refuse("/photos/locked.jpg", None);
    world.files.fail_from("/photos/sick.jpg", None);
    world.look().await;
    world
        .expect(&[
            "locked.jpg ready photo",
            "locked.txt excluded not_media",
            "sick.jpg ready photo",
            "sick.xmp ready sidecar of sick.jpg",
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_file_is_that_nobody_could_look_into_is_not_decided_by_its_name() {
    let mut world = World::new().await;
    // Recovered pictures often come without the ending that tells what they are.
    world.put("/photos/f0001", JPEG);
    world.put("/photos/f0001.xmp", "<x:xmpmeta/>");
    world.put("/photos/f0002", [JPEG, &[7; 4 << 20]].concat());
    world.put("/photos/notes.txt", "notes");
    world.files.refuse("/photos/f0001", Some(ErrorKind::PermissionDenied));
    world.files.fail_from("/photos/f0002", Some(3 << 20));
    world.files.fail_from("/photos/notes.txt", Some(0));
    for _ in 0..2 {
        world.look().await;
        world
            .expect(&[
                "f0001 excluded not_media",
                "f0001.xmp excluded lone_sidecar",
                // Its head has shown what it is.
                "f0002 problem unreadable photo",
                "notes.txt excluded not_media",
            ])
            .await;
    }
    world.files.refuse("/photos/f0001", None);
    world.files.fail_from("/photos/f0002", None);
    world.files.fail_from("/photos/notes.txt", None);
    world.look().await;
    world
        .expect(&[
            "f0001 ready photo",
            "f0001.xmp ready sidecar of f0001",
            "f0002 ready photo",
            "notes.txt excluded not_media",
        ])
        .await;
    // What was looked into once is known.
    let before = world.files.open_count();
    world.look().await;
    assert_eq!(world.files.open_count(), before);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_on_this_computer() {
    let mut world = World::new().await;
    world.put("/photos/cloud.jpg", vec![0; 100_000]);
    world.files.set_blocks("/photos/cloud.jpg", 0);
    // A file system that does not count blocks is no cloud.
    world.put("/photos/odd.jpg", vec![1; 100_000]);
    world.files.set_blocks("/photos/odd.jpg", 0);
    world.look().await;
    world.expect(&["cloud.jpg problem placeholder", "odd.jpg ready photo"]).await;
    world.files.set_blocks("/photos/cloud.jpg", 200);
    world.look().await;
    world.expect(&["cloud.jpg ready photo", "odd.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_folder_keeps_its_files() {
    let mut world = World::new().await;
    world.put("/photos/a/1.jpg", "one");
    world.put("/photos/b.jpg", "two");
    world.look().await;
    world.files.refuse("/photos/a", Some(ErrorKind::PermissionDenied));
    let state = world.look().await;
    world.expect(&["b.jpg ready photo", "a/1.jpg ready photo"]).await;
    let source = state.sources.values().next().expect("source");
    assert_eq!((source.condition, source.unreadable_dirs), (Condition::Present, 1));
    let (count, dirs) = unreadable(&world).await;
    assert_eq!((count, dirs), (1, vec!["a denied".to_owned()]));

    // Safelight retries automatically, and what is new in it is found.
    world.files.refuse("/photos/a", None);
    world.put("/photos/a/2.jpg", "three");
    tokio::time::sleep(UNREADABLE_POLL + DEBOUNCE + Duration::from_secs(1)).await;
    world.settle().await;
    world.expect(&["b.jpg ready photo", "a/1.jpg ready photo", "a/2.jpg ready photo"]).await;
    assert_eq!(unreadable(&world).await, (0, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_becomes_unreadable_is_noticed_by_a_hint_too() {
    let mut world = World::new().await;
    world.put("/photos/a/1.jpg", "one");
    world.put("/photos/c/1.jpg", "two");
    world.files.refuse("/photos/c", Some(ErrorKind::PermissionDenied));
    world.look().await;
    let sub = "/photos/a/sub";
    world.put(&format!("{sub}/2.jpg"), "three");
    world.files.refuse(sub, Some(ErrorKind::Other));
    world.hints().dir(b"a", false);
    tokio::time::sleep(DEBOUNCE * 3).await;
    world.settle().await;
    assert_eq!(unreadable(&world).await, (2, vec!["a/sub other".to_owned(), "c denied".to_owned()]));
    world.files.remove("/photos/c/1.jpg");
    world.files.refuse("/photos/c", None);
    world.look().await;
    assert_eq!(unreadable(&world).await, (1, vec!["a/sub other".to_owned()]));
}

/// How many folders are known to be unreadable, and which.
async fn unreadable(world: &World) -> (u64, Vec<String>) {
    let (count, dirs) = world
        .store
        .read(|r| {
            let source = r.sources()?.first().map(|row| row.id);
            r.unreadable_dirs(source.expect("a source"), 10)
        })
        .await
        .expect("read");
    let line = |dir: crate::store::UnreadableDir| {
        format!("{} {}", String::from_utf8_lossy(&dir.dir), dir.problem.as_str())
    };
    (count, dirs.into_iter().map(line).collect())
}

#[tokio::test(start_paused = true)]
async fn an_excluded_file_stays_excluded_until_it_changes() {
    use crate::domain::ids::{FileId, ItemId};
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "one");
    world.put("/photos/a.xmp", "<x:xmpmeta/>");
    world.look().await;
    let id = world.store.read(|store| store.audited_files()).await.expect("files")[0].id;
    let exclude = move |tx: &crate::store::Write<'_>| tx.exclude_items(&[ItemId::File(FileId(id))]);
    assert_eq!(world.store.write(exclude).await.expect("excluded"), 1);
    world.look().await;
    world.expect(&["a.jpg excluded by_person photo", "a.xmp excluded lone_sidecar"]).await;
    world.put("/photos/a.jpg", "another");
    world.look().await;
    world.expect(&["a.jpg ready photo", "a.xmp ready sidecar of a.jpg"]).await;
}

#[tokio::test(start_paused = true)]
async fn newest_captures_are_hashed_first() {
    let mut world = World::new().await;
    for year in 2001..2021 {
        world.put(&format!("/photos/IMG_{year}0512_101500.jpg"), format!("{year}"));
    }
    world.look().await;
    let Changes::Since { list, .. } =
        world.store.read(|store| store.changes_since(0, 100)).await.expect("changes")
    else {
        panic!("expired");
    };
    let files = world.store.read(|store| store.audited_files()).await.expect("files");
    let path = |id: i64| files.iter().find(|file| file.id == id).expect("file").path.clone();
    let order: Vec<String> = list.iter().map(|change| path(change.file.0)).collect();
    let mut newest_first = order.clone();
    newest_first.sort_by(|a, b| b.cmp(a));
    assert_eq!(order, newest_first);
}

#[tokio::test(start_paused = true)]
async fn what_a_destination_wants_of_digests_is_made_in_the_one_read() {
    use crate::base::digester::Digester;
    use crate::domain::hash::DigestKind;
    let mut world = World::new().await;
    world.put("/photos/before.jpg", "before");
    world.look().await;
    world.library().set_digests_wanted(vec![(DestinationKind::Immich, Capabilities::default())]);
    world.put("/photos/after.jpg", "after");
    let opened = world.files.open_count();
    world.look().await;
    // Its head, and all of it; the other is not read again.
    assert_eq!(world.files.open_count() - opened, 2);
    let sha1 = [DigestKind::Sha1].into_iter().collect();
    for (bytes, is_wanted) in [(&b"before"[..], false), (b"after", true)] {
        let mut digester = Digester::new(sha1);
        digester.update(bytes);
        let hashed = digester.finish();
        let kept = world.store.read(move |store| store.digests(hashed.content)).await.expect("read");
        assert_eq!(kept.sha1.is_some(), is_wanted);
        assert!(!is_wanted || kept == hashed.digests);
    }
}
