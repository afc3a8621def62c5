//! Sources that are not there: nothing that only seems to be gone is forgotten.

use std::io::ErrorKind;

use super::*;

async fn with_files(count: usize) -> World {
    let mut world = World::new().await;
    world.files.set_file_system("/photos", "memory");
    for n in 0..count {
        world.put(&format!("/photos/{}/{n}.jpg", n % 3), format!("picture {n}"));
    }
    world.look().await;
    world
}

async fn expect_condition(world: &mut World, condition: Condition, files: usize) {
    let state = world.look().await;
    let source = state.sources.values().next().expect("source");
    assert_eq!(source.condition, condition, "{source:?}");
    assert_eq!(world.files().await.len(), files);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_pulled_out_is_unavailable_and_comes_back() {
    let mut world = with_files(30).await;
    world.files.unplug("/photos");
    expect_condition(&mut world, Condition::Unavailable, 30).await;
    // Found again by itself, without a hint, and without reading anything again.
    let opened = world.files.open_count();
    world.files.plug("/photos");
    let mut state = world.library().state();
    let back =
        |state: &LibraryState| state.sources.values().all(|source| source.condition == Condition::Present);
    tokio::time::timeout(MISSING_POLL * 2, state.wait_for(back)).await.expect("in time").expect("runs");
    world.settle().await;
    assert_eq!(world.files.open_count(), opened);
    expect_condition(&mut world, Condition::Present, 30).await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_mount_point_and_another_disk_are_not_the_source() {
    let mut world = with_files(3).await;
    world.files.rename("/photos", "/away");
    world.files.mkdir("/photos");
    expect_condition(&mut world, Condition::Unavailable, 3).await;
    world.put("/photos/other.jpg", "other");
    world.files.set_file_system("/photos", "another disk");
    expect_condition(&mut world, Condition::Unavailable, 3).await;
    world.files.remove("/photos");
    world.files.rename("/away", "/photos");
    world.files.set_file_system("/photos", "memory");
    expect_condition(&mut world, Condition::Present, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_mass_disappearance_is_believed_when_the_person_says_so() {
    let mut world = with_files(30).await;
    let id = *world.library().state().borrow().sources.keys().next().expect("source");
    world.files.remove("/photos/0");
    world.files.remove("/photos/1");
    expect_condition(&mut world, Condition::Unavailable, 30).await;
    world.library().rescan(Some(id));
    world.settle().await;
    expect_condition(&mut world, Condition::Present, 10).await;
}

#[tokio::test(start_paused = true)]
async fn moving_everything_is_no_disappearance() {
    let mut world = with_files(30).await;
    for n in 0..3 {
        world.files.rename(format!("/photos/{n}"), format!("/photos/moved/{n}"));
    }
    expect_condition(&mut world, Condition::Present, 30).await;
    assert!(world.files().await.iter().all(|line| line.starts_with("moved/")));
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_source_keeps_its_files() {
    let mut world = with_files(30).await;
    world.files.refuse("/photos", Some(ErrorKind::PermissionDenied));
    expect_condition(&mut world, Condition::Unreadable, 30).await;
    world.files.refuse("/photos", None);
    expect_condition(&mut world, Condition::Present, 30).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_in_the_place_of_a_source() {
    let mut world = with_files(3).await;
    world.files.remove("/photos");
    world.put("/photos", "a file");
    expect_condition(&mut world, Condition::Unreadable, 3).await;
}

#[tokio::test(start_paused = true)]
async fn pulled_out_while_it_is_read() {
    let mut world = World::new().await;
    for n in 0..200 {
        world.put(&format!("/photos/{n}.jpg"), format!("picture {n}"));
    }
    world.start();
    let mut state = world.library().state();
    state.wait_for(|state| state.to_hash > 60).await.expect("runs");
    world.files.unplug("/photos");
    let gone = |state: &LibraryState| {
        state.sources.values().all(|source| source.condition == Condition::Unavailable && !source.is_due)
    };
    tokio::time::timeout(Duration::from_secs(60), state.wait_for(gone))
        .await
        .expect("noticed")
        .expect("runs");
    assert_eq!(world.files().await.len(), 200);
    assert!(world.files().await.iter().any(|line| line.contains("described")));
    assert!(!world.files().await.iter().any(|line| line.contains("problem")));
    world.files.plug("/photos");
    world.look().await;
    assert!(world.files().await.iter().all(|line| line.ends_with("ready photo")));
}

#[tokio::test(start_paused = true)]
async fn a_disk_of_its_own_is_missed_without_a_hint() {
    let mut world = World::new().await;
    world.files.set_file_system("/disk", "usb");
    world.put("/disk/a.jpg", "one");
    world.store.write(|tx| tx.add_source(b"/disk", "usb")).await.expect("added");
    world.look().await;
    world.files.unplug("/disk");
    let mut state = world.library().state();
    let is_gone = |state: &LibraryState| {
        state.sources.values().any(|source| source.condition == Condition::Unavailable)
    };
    tokio::time::timeout(MOUNT_POLL * 2, state.wait_for(is_gone)).await.expect("in time").expect("runs");
    world.files.plug("/disk");
    tokio::time::timeout(MISSING_POLL * 2, state.wait_for(|state| !is_gone(state)))
        .await
        .expect("in time")
        .expect("runs");
    world.settle().await;
    world.expect(&["a.jpg ready photo"]).await;
}

#[tokio::test(start_paused = true)]
async fn hints_do_not_make_a_disappearance_true() {
    let mut world = with_files(30).await;
    world.files.remove("/photos/0");
    world.files.remove("/photos/1");
    expect_condition(&mut world, Condition::Unavailable, 30).await;
    world.put("/photos/2/new.jpg", "new");
    world.library().look_at(SourceId(1), b"2");
    let state = world.settle().await;
    assert_eq!(state.sources[&SourceId(1)].condition, Condition::Unavailable);
    assert_eq!(world.files().await.len(), 31);
    let kept = world.store.read(|store| store.sources()).await.expect("sources");
    assert_eq!(kept[0].condition, crate::store::SourceCondition::Unavailable);
}
