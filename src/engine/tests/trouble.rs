//! What goes wrong must be seen, explained and survived.

use super::*;
use crate::api::Operation;
use crate::domain::record::ProofMethod;

#[tokio::test(start_paused = true)]
async fn files_that_cannot_be_read_need_attention_and_hold_up_nobody() {
    let world = World::new().await;
    world.put("/photos/good.jpg", "good");
    world.put("/photos/locked.jpg", "locked");
    world.files.refuse("/photos/locked.jpg", Some(std::io::ErrorKind::PermissionDenied));
    world.files.write_at("/photos/empty.jpg", Vec::new(), 1_500_000_000_000_000_000);
    world.set_up().await;
    let snapshot = world.settled().await;
    let d = &snapshot.destinations[0];
    assert_eq!((d.safe, d.needs_attention), (1, 2));
    let rows = world.queue(QueueList::NeedsAttention).await;
    let mut kinds: Vec<String> =
        rows.iter().filter_map(|row| row.failure.as_ref().map(|f| f.kind.clone())).collect();
    kinds.sort();
    assert_eq!(kinds, ["empty", "unreadable"]);
    // Mended, and tried again by the person.
    world.files.refuse("/photos/locked.jpg", None);
    world.ask(Command::Retry(crate::api::Selection::All)).await;
    world.until("two safe", |s| s.destinations[0].safe == 2).await;
    // The empty one is left out for good.
    let empty = world.queue(QueueList::NeedsAttention).await.remove(0).id;
    world.ask(Command::Exclude(crate::api::Selection::Items(vec![empty]))).await;
    let d = world.until("left out", |s| s.destinations[0].excluded == 1).await;
    assert_eq!(d.destinations[0].needs_attention, 0);
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_pulled_out_costs_no_attempt() {
    let world = World::new().await;
    for n in 0..5 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    for n in 5..20 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.ask(Command::Rescan { id: None }).await;
    let lost = world.until("lost", |s| s.destinations[0].wait_reason.is_some()).await;
    let reason = lost.destinations[0].wait_reason.clone().expect("a reason");
    assert_eq!(reason.kind, "unreachable");
    assert!(reason.until.is_some());
    tokio::time::sleep(Duration::from_secs(7200)).await;
    let d = world.destination().await;
    assert_eq!((d.needs_attention, d.uploading), (0, 0));
    assert_eq!(d.safe + d.waiting, 20);
    world.disk.rules(|rules| rules.is_unmounted = false);
    world.settled().await;
    assert_eq!(world.destination().await.safe, 20);
    assert_eq!(world.copies().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_comes_or_goes_is_noticed_at_once() {
    let world = World::new().await;
    world.mount(Some("the disk"));
    world.put("/photos/1.jpg", "one");
    world.set_up().await;
    world.settled().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // Nothing is to be done there, and still a person sees at once that it is away.
    let soon = Duration::from_secs(1);
    let began = tokio::time::Instant::now();
    world.mount(None);
    let lost = world.until("away", |s| s.destinations[0].wait_reason.is_some()).await;
    assert_eq!(lost.destinations[0].wait_reason.as_ref().map(|w| w.kind.as_str()), Some("unreachable"));
    assert!(began.elapsed() <= soon, "{:?}", began.elapsed());
    world.put("/photos/2.jpg", "two");
    world.ask(Command::Rescan { id: None }).await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    // It was looked for now and then, at long last every few minutes.
    let began = tokio::time::Instant::now();
    world.mount(Some("the disk"));
    world.until("safe", |s| s.destinations[0].safe == 2).await;
    assert!(began.elapsed() <= soon, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_two_files_have_are_read_from_the_one_that_can_be_read() {
    let world = World::new().await;
    world.put("/photos/a.jpg", "the same");
    world.put("/photos/b.jpg", "the same");
    world.add_backup().await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    world.set_up().await;
    world.until("known", |s| s.destinations[0].waiting == 2).await;
    // Nothing tells of it: size and times are as they were.
    world.files.fail_from("/photos/a.jpg", Some(0));
    world.disk.rules(|rules| rules.is_unmounted = false);
    world.until("both safe", |s| s.destinations[0].safe == 2).await;
    assert_eq!(world.queue(QueueList::NeedsAttention).await.len(), 0);
    assert_eq!(world.copies().len(), 1);
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let world = World::new().await;
    for n in 0..10 {
        world.put(&format!("/photos/{n}.jpg"), &"x".repeat(1000 + n));
    }
    world.add_backup().await;
    let used = 6_000;
    world.disk.rules(|rules| rules.capacity = Some(used));
    world.set_up().await;
    let full = world.until("full", |s| s.destinations[0].wait_reason.is_some()).await;
    assert_eq!(full.destinations[0].wait_reason.as_ref().map(|r| r.kind.as_str()), Some("no_space"));
    assert_eq!(full.destinations[0].needs_attention, 0);
    world.disk.rules(|rules| rules.capacity = None);
    world.settled().await;
    assert_eq!(world.destination().await.safe, 10);
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn an_unplugged_source_keeps_its_files() {
    let world = World::new().await;
    for n in 0..30 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    world.files.unplug("/photos");
    world.ask(Command::Rescan { id: None }).await;
    let away = world.until("away", |s| s.sources[0].state == crate::api::SourceCondition::Unavailable).await;
    assert_eq!((away.destinations[0].found, away.destinations[0].safe), (30, 30));
    world.files.plug("/photos");
    world.ask(Command::Rescan { id: None }).await;
    world.until("back", |s| s.sources[0].state == crate::api::SourceCondition::Watching).await;
    assert_eq!(world.destination().await.safe, 30);
}

#[tokio::test(start_paused = true)]
async fn folders_inside_one_another_are_refused_with_the_reason() {
    let world = World::new().await;
    world.set_up().await;
    world.files.mkdir("/backup/below");
    let add = Request::Command(Command::AddSource {
        path: PathText::from_bytes(b"/backup/below"),
        consent_all: true,
    });
    let refused = world.handle().call(add).await.expect_err("refused");
    assert_eq!(refused.kind, crate::api::ErrorKind::Usage);
    assert!(refused.message.contains("inside"), "{}", refused.message);
    for (path, what) in [("/missing", "no such folder"), ("/photos/a.jpg", "a file")] {
        world.put("/photos/a.jpg", "a");
        let add = Request::Command(Command::AddSource {
            path: PathText::from_bytes(path.as_bytes()),
            consent_all: true,
        });
        let refused = world.handle().call(add).await.expect_err("refused");
        assert!(refused.message.contains(what), "{}", refused.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_waits_for_its_disk_without_spinning() {
    let mut world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    world.stop().await;
    std::fs::remove_file(world.dir.path().join("safelight.db")).expect("lost");
    world.disk.rules(|rules| rules.is_unmounted = true);
    world.start().await;
    world.until("lost", |s| s.destinations.first().is_some_and(|d| d.wait_reason.is_some())).await;
    let began = std::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    // A day of the engine's time is a few hundred probes; a loop that spins takes minutes for it.
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(world.destination().await.safe, 0);
    world.disk.rules(|rules| rules.is_unmounted = false);
    world.until("safe", |s| s.destinations[0].safe == 1).await;
    assert_eq!(world.copies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_reads_back_wrong_is_never_safe_and_is_tried_three_times() {
    let world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    world.put("/photos/b.jpg", "b");
    world.disk.rules(|rules| rules.lie = Some(crate::destination::folder::ReadFault::FlippedByte));
    world.ask(Command::Rescan { id: None }).await;
    let began = world.clock.now();
    let snapshot = world.until("attention", |s| s.destinations[0].needs_attention == 1).await;
    assert_eq!(snapshot.destinations[0].safe, 1);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let row = world.queue(QueueList::NeedsAttention).await.remove(0);
    assert_eq!(row.failure.as_ref().map(|f| f.kind.as_str()), Some("digest_mismatch"));
    assert!(row.attempt >= 3, "{row:?}");
    assert!(world.clock.now().since(began) >= crate::domain::backoff::RESOURCE_FIRST);
    assert_eq!(world.destination().await.safe, 1, "no wrong copy is ever called safe");
    world.disk.rules(|rules| rules.lie = None);
    world.ask(Command::Retry(crate::api::Selection::Kind("digest_mismatch".to_owned()))).await;
    world.until("safe", |s| s.destinations[0].safe == 2).await;
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn waking_from_sleep_looks_at_everything_anew() {
    let world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    world.put("/photos/b.jpg", "b");
    world.ask(Command::Rescan { id: None }).await;
    // Long enough for the waits between probes to be minutes.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    world.disk.rules(|rules| rules.is_unmounted = false);
    world.put("/photos/c.jpg", "c");
    let woken = world.clock.now();
    world.resumed.notify_one();
    world.until("all safe", |s| s.destinations[0].safe == 3).await;
    assert!(world.clock.now().since(woken) < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn two_requests_at_once_for_one_place_make_one_destination() {
    let world = World::new().await;
    let add = |consent_all| {
        Request::Command(Command::AddDestination {
            target: PathText::from_bytes(b"/backup"),
            name: None,
            allow_http: false,
            consent_all,
            secret: None,
            trust_checksum: false,
        })
    };
    let (first, second) = tokio::join!(world.ask(add(false)), world.ask(add(false)));
    let told = |reply| match reply {
        Reply::Destination { id, name, is_new } => (id, name, is_new),
        other => panic!("{other:?}"),
    };
    let (first, second) = (told(first), told(second));
    assert_eq!((first.0, &first.1), (second.0, &second.1));
    assert!(first.2 != second.2, "one of them made it");
    assert_eq!(world.snapshot().await.destinations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_queue_tells_why_until_when_and_what_was_decided() {
    let world = World::new().await;
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.settled().await;
    assert!(world.queue(QueueList::Done).await[0].decisions.is_empty(), "what goes well needs no words");
    world.put("/photos/b.jpg", "b");
    world.disk.rules(|rules| rules.lie = Some(crate::destination::folder::ReadFault::FlippedByte));
    world.ask(Command::Rescan { id: None }).await;
    let is_waiting = |s: &Snapshot| s.destinations[0].waiting == 1 && s.destinations[0].uploading == 0;
    world.until("tried", is_waiting).await;
    let mut row = world.queue(QueueList::Waiting).await.remove(0);
    while row.decisions.len() < 3 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        row = world.queue(QueueList::Waiting).await.remove(0);
    }
    let kinds: Vec<&str> = row.decisions.iter().rev().map(|decision| decision.kind.as_str()).collect();
    assert_eq!(kinds[..3], ["failed", "retry", "failed"], "{:#?}", row.decisions);
    let wait = row.wait_reason.expect("a reason");
    assert_eq!(wait.kind, "back_off");
    assert!(row.decisions[0].text.ends_with(&wait.until.expect("an end")), "{:?}", row.decisions);
    world.until("attention", |s| s.destinations[0].needs_attention == 1).await;
    let id = world.queue(QueueList::NeedsAttention).await.remove(0).id;
    for _ in 0..10 {
        world.ask(Command::Retry(crate::api::Selection::Items(vec![id.clone()]))).await;
    }
    world.ask(Command::Exclude(crate::api::Selection::Items(vec![id]))).await;
    let row = world.queue(QueueList::Excluded).await.remove(0);
    assert_eq!(row.decisions[0].text, "You left it out");
    assert!(row.decisions.len() <= 6, "the last few");
}

#[tokio::test(start_paused = true)]
async fn a_source_says_why_it_is_not_there() {
    let world = World::new().await;
    for n in 0..30 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    assert_eq!(world.snapshot().await.sources[0].note, None);
    world.files.unplug("/photos");
    world.ask(Command::Rescan { id: None }).await;
    let away = |s: &Snapshot| s.sources[0].state == crate::api::SourceCondition::Unavailable;
    let snapshot = world.until("away", away).await;
    assert!(
        snapshot.sources[0].note.as_ref().is_some_and(|note| !note.is_empty()),
        "{:?}",
        snapshot.sources[0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_is_never_shown_as_looked_through_before_it_was() {
    let world = World::new().await;
    world.put("/photos/a.jpg", "a");
    let add =
        Request::Command(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true });
    world.ask(add).await;
    // Whether or not the library has had a turn by now.
    let snapshot = world.snapshot().await;
    let source = &snapshot.sources[0];
    let is_looked_through = source.state == crate::api::SourceCondition::Watching && source.found == 1;
    assert!(source.state == crate::api::SourceCondition::Scanning || is_looked_through, "{source:?}");
    world.until("looked through", |s| s.library.found == 1).await;
}

/// What a disk can do may be another when it was away, and after a week of use it is looked at anyway.
#[tokio::test(start_paused = true)]
async fn what_a_destination_can_do_is_found_out_again() {
    let world = World::new().await;
    world.mount(Some("the disk"));
    world.put("/photos/1.jpg", "one");
    world.set_up().await;
    world.settled().await;
    let proof = async || world.destination().await.proof;
    let first = proof().await;
    world.mount(None);
    world.until("away", |s| s.destinations[0].wait_reason.is_some()).await;
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    world.disk.rules(|rules| rules.proof = Some(ProofMethod::EvictedRead));
    world.mount(Some("the disk"));
    world.until("back", |s| s.destinations[0].wait_reason.is_none()).await;
    let second = proof().await;
    assert_ne!(first, second);
    world.put("/photos/2.jpg", "two");
    world.ask(Command::Rescan { id: None }).await;
    world.until("two safe", |s| s.destinations[0].safe == 2).await;

    // It never goes away, and another week has passed when there is something to do.
    world.disk.rules(|rules| rules.proof = Some(ProofMethod::DirectRead));
    tokio::time::sleep(Duration::from_secs(8 * 24 * 3600)).await;
    assert_eq!(proof().await, second, "nothing is asked of it while nothing is to be done");
    world.put("/photos/3.jpg", "three");
    world.ask(Command::Rescan { id: None }).await;
    world.until("three safe", |s| s.destinations[0].safe == 3).await;
    assert_eq!(proof().await, first);
    let id = world.destination().await.id;
    // A test by the person finds it out at once.
    world.disk.rules(|rules| rules.proof = Some(ProofMethod::EvictedRead));
    world.ask(Operation::TestDestination { id }).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(proof().await, second);
    assert!(world.copies().len() == 3 && world.disk.files().len() < 10, "{:?}", world.disk.files());
}

#[tokio::test(start_paused = true)]
async fn retrying_one_file_looks_at_its_folder_only_and_a_check_retries_nothing() {
    let world = World::new().await;
    world.put("/photos/one/a.jpg", "a");
    world.disk.rules(|rules| rules.lie = Some(crate::destination::folder::ReadFault::FlippedByte));
    world.set_up().await;
    world.until("attention", |s| s.destinations[0].needs_attention == 1).await;
    let row = world.queue(QueueList::NeedsAttention).await.remove(0);
    world.disk.rules(|rules| rules.lie = None);
    world.put("/photos/two/b.jpg", "b");
    world.ask(Command::CheckDestination { id: world.destination().await.id }).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.destination().await.needs_attention, 1, "a check is no retry");
    world.put("/photos/one/c.jpg", "c");
    world.ask(Command::Retry(crate::api::Selection::Items(vec![row.id]))).await;
    world.until("copied", |s| s.destinations[0].safe == 2).await;
    assert_eq!(world.snapshot().await.sources[0].found, 2, "the other folder was not looked at");
    world.ask(Command::Rescan { id: None }).await;
    world.until("all", |s| s.destinations[0].safe == 3).await;
}
