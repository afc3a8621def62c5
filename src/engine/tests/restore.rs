//! Copies come back, whatever happens on the way, and what does not is told.

use tokio::task::JoinHandle;

use super::*;
use crate::api::{
    ApiError, Command, ErrorKind, Operation, OperationKind, Progress, Query, Request, RestoreAction,
    RestoreLayout, RestoreOrder, RestoreResult, RestoreScope, RestoreState, RestoreTarget,
};

const PHOTOS: u64 = 60;

/// A backup of so many photos, and a folder for what comes back.
async fn backed_up(photos: u64) -> (World, tempfile::TempDir, Request) {
    let world = World::new().await;
    for n in 0..photos {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    let destination = world.destination().await.id;
    let out = tempfile::tempdir().expect("dir");
    let into = PathText::from_bytes(out.path().as_os_str().as_encoded_bytes());
    (world, out, Request::Operation(Operation::Restore(order(destination, RestoreTarget::Folder(into)))))
}

/// A restore of everything.
fn order(destination: i64, target: RestoreTarget) -> RestoreOrder {
    RestoreOrder { destination, scope: RestoreScope::All, target, layout: RestoreLayout::Dates }
}

/// What came of a restore in which nothing failed.
fn result(restored: u64, present: u64) -> RestoreResult {
    RestoreResult { restored, present, ..RestoreResult::default() }
}

/// Copies that are wrong for now: as many as are read side by side. Each is tried again after two
/// seconds and then four, so a restore stands still meanwhile.
struct WrongCopies(Vec<(String, Vec<u8>)>);

impl WrongCopies {
    fn make(world: &World) -> Self {
        let all = world.copies().into_iter().skip(20).take(3);
        let wrong = all.map(|path| (path.clone(), world.disk.contents(&path).expect("a copy")));
        let wrong: Vec<_> = wrong.collect();
        wrong.iter().for_each(|(path, _)| world.disk.put(path, b"rotten"));
        Self(wrong)
    }

    fn mend(&self, world: &World) {
        self.0.iter().for_each(|(path, bytes)| world.disk.put(path, bytes));
    }
}

fn files(dir: &tempfile::TempDir) -> usize {
    let mut found = 0;
    let mut folders = vec![dir.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            match entry.file_type().expect("a type").is_dir() {
                true => folders.push(entry.path()),
                false => found += usize::from(!entry.file_name().to_string_lossy().starts_with('.')),
            }
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_back_is_counted_and_named() {
    let (world, out, restore) = backed_up(6).await;
    let copies = world.copies();
    world.disk.put(&copies[1], b"rotten");
    let taken = out.path().join(copies[3].trim_start_matches('/'));
    std::fs::create_dir_all(taken.parent().expect("a folder")).expect("folder");
    std::fs::write(&taken, b"mine").expect("written");
    let Reply::Restored { result, stopped } = world.ask(restore).await else { panic!("restored") };
    let RestoreResult { restored, present, failed, mut sentences } = result;
    assert_eq!((restored, present, failed, stopped), (4, 0, 2, None));
    sentences.sort();
    let key = |copy: &String| copy.trim_start_matches('/').to_owned();
    let expected = [
        format!("Another file is there already: {}", key(&copies[3])),
        format!("The copy is damaged: {}", key(&copies[1])),
    ];
    assert_eq!(sentences, expected);
    assert_eq!(std::fs::read(&taken).expect("read"), b"mine");
    assert_eq!(files(&out), 5);
    // What was seen to be damaged is not safe any more, and is sent again at once.
    let began = tokio::time::Instant::now();
    world.until("sent again", |snapshot| snapshot.destinations[0].safe == 6).await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(world.copies().len(), 7, "the damaged one is left as it is");
}

/// Asks for a restore that stands still now. Returns how many files are back.
async fn half_done(world: &World, restore: &Request) -> (JoinHandle<Result<Reply, ApiError>>, u64) {
    let (handle, request) = (world.handle().clone(), restore.clone());
    let asked = tokio::spawn(async move { handle.call(request).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reading = world.snapshot().await.reading.remove(0);
    let Progress { files_done, files_total, .. } = reading.progress;
    assert_eq!((reading.kind, files_total), (OperationKind::Restore, PHOTOS));
    assert!(files_done > 0 && files_done < PHOTOS, "{files_done}");
    (asked, files_done)
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_pulled_out_on_the_way_is_waited_for() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let wrong = WrongCopies::make(&world);
    let (asked, _) = half_done(&world, &restore).await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!asked.is_finished(), "it was given up at once");
    wrong.mend(&world);
    world.disk.rules(|rules| rules.is_unmounted = false);
    let reply = asked.await.expect("ran").expect("restored");
    assert_eq!(reply, Reply::Restored { result: result(PHOTOS, 0), stopped: None });
    assert_eq!(files(&out) as u64, PHOTOS);
    assert_eq!(world.snapshot().await.reading, []);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_stays_away_ends_it_and_the_next_goes_on() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let wrong = WrongCopies::make(&world);
    let (asked, done) = half_done(&world, &restore).await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    let reply = asked.await.expect("ran").expect("an answer");
    let Reply::Restored { result: RestoreResult { restored, failed: 0, .. }, stopped: Some(stopped) } = reply
    else {
        panic!("{reply:?}")
    };
    assert_eq!((restored, stopped.kind), (done, ErrorKind::Destination), "{stopped}");
    assert_eq!(files(&out) as u64, restored);
    wrong.mend(&world);
    world.disk.rules(|rules| rules.is_unmounted = false);
    let reply = world.ask(restore).await;
    assert_eq!(reply, Reply::Restored { result: result(PHOTOS - done, done), stopped: None });
}

#[tokio::test(start_paused = true)]
async fn a_check_is_dated_when_it_has_seen_all() {
    let (world, _out, _) = backed_up(6).await;
    assert_eq!(world.destination().await.last_audit_at, None);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let reply = world.ask(Operation::Verify { destination: None, deep: true }).await;
    assert_eq!(reply, Reply::Verified { checked: 6, failed: 0, unproven: 0, reasons: Vec::new() });
    let now = world.clock.now().rfc3339();
    let seen = world.destination().await;
    assert_eq!((seen.last_audit_at, seen.oldest_proof_at), (Some(now.clone()), Some(now)));
}

#[tokio::test(start_paused = true)]
async fn when_nobody_waits_any_more_nothing_more_is_read() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let wrong = WrongCopies::make(&world);
    let (asked, done) = half_done(&world, &restore).await;
    asked.abort();
    world.until("over", |snapshot| snapshot.reading.is_empty()).await;
    wrong.mend(&world);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(files(&out) as u64, done);
}

/// The only restore that goes on by itself.
async fn run_of(world: &World) -> RestoreState {
    world.snapshot().await.restores.into_iter().next().expect("a restore")
}

#[tokio::test(start_paused = true)]
async fn a_restore_goes_on_after_a_quit() {
    let (mut world, out, restore) = backed_up(PHOTOS).await;
    let Request::Operation(Operation::Restore(order)) = restore else { panic!("a restore") };
    let wrong = WrongCopies::make(&world);
    world.ask(Command::StartRestore(order.clone())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = run_of(&world).await;
    assert!(run.is_running && run.order == order, "{run:?}");
    let snapshot = world.snapshot().await;
    let reading = snapshot.reading.iter().find(|reading| reading.restore == Some(run.id)).expect("progress");
    let done = reading.progress.files_done;
    assert!(done > 0 && done < PHOTOS, "{done}");
    world.stop().await;
    wrong.mend(&world);
    let before = files(&out) as u64;
    world.start().await;
    world.until("restored", |s| s.restores.first().is_some_and(|run| !run.is_running)).await;
    let run = run_of(&world).await;
    assert_eq!(run.reason, None);
    assert_eq!(
        (run.result.restored + run.result.present, run.result.failed),
        (PHOTOS, 0),
        "{before}: {run:?}"
    );
    assert_eq!(files(&out) as u64, PHOTOS);
    // It is not started again, and can be put away.
    world.stop().await;
    world.start().await;
    assert!(!run_of(&world).await.is_running);
    world.ask(Command::ChangeRestore { id: run.id, action: RestoreAction::Dismiss }).await;
    assert_eq!(world.snapshot().await.restores, []);
}

#[tokio::test(start_paused = true)]
async fn a_restore_waits_for_its_destination_and_says_so() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let Request::Operation(Operation::Restore(order)) = restore else { panic!("a restore") };
    world.disk.rules(|rules| rules.is_unmounted = true);
    world.ask(Command::StartRestore(order)).await;
    world.until("waits", |s| s.restores.first().is_some_and(|run| run.reason.is_some())).await;
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    assert!(run_of(&world).await.is_running);
    world.disk.rules(|rules| rules.is_unmounted = false);
    world.until("restored", |s| s.restores.first().is_some_and(|run| !run.is_running)).await;
    let run = run_of(&world).await;
    assert_eq!((run.reason, run.result), (None, result(PHOTOS, 0)));
    assert_eq!(files(&out) as u64, PHOTOS);
}

#[tokio::test(start_paused = true)]
async fn a_restore_whose_destination_stays_away_has_an_end() {
    let (world, _out, restore) = backed_up(3).await;
    let Request::Operation(Operation::Restore(order)) = restore else { panic!("a restore") };
    world.disk.rules(|rules| rules.is_unmounted = true);
    world.ask(Command::StartRestore(order)).await;
    tokio::time::sleep(Duration::from_secs(8 * 24 * 3600)).await;
    let run = run_of(&world).await;
    assert!(!run.is_running && run.reason.is_some(), "{run:?}");
    world.disk.rules(|rules| rules.is_unmounted = false);
    world.ask(Command::ChangeRestore { id: run.id, action: RestoreAction::Resume }).await;
    world.until("restored", |s| s.restores.first().is_some_and(|run| !run.is_running)).await;
    assert_eq!(run_of(&world).await.result, result(3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_restore_stays_stopped_until_it_is_resumed() {
    let (mut world, out, restore) = backed_up(PHOTOS).await;
    let Request::Operation(Operation::Restore(order)) = restore else { panic!("a restore") };
    let wrong = WrongCopies::make(&world);
    world.ask(Command::StartRestore(order)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let id = run_of(&world).await.id;
    world.ask(Command::ChangeRestore { id, action: RestoreAction::Stop }).await;
    let stopped = world.until("stopped", |s| s.restores.first().is_some_and(|run| !run.is_running)).await;
    assert_eq!(stopped.restores[0].reason.as_deref(), Some("Stopped"));
    let done = files(&out);
    wrong.mend(&world);
    world.stop().await;
    world.start().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(files(&out), done);
    world.ask(Command::ChangeRestore { id, action: RestoreAction::Resume }).await;
    world.until("restored", |s| s.restores.first().is_some_and(|run| !run.is_running)).await;
    assert_eq!(files(&out) as u64, PHOTOS);
}

#[tokio::test(start_paused = true)]
async fn files_go_back_to_where_they_were_and_replace_nothing() {
    let world = World::new().await;
    let home = tempfile::tempdir().expect("dir");
    let root = home.path().join("Pictures");
    std::fs::create_dir_all(&root).expect("a folder");
    let root = root.to_str().expect("text").to_owned();
    for name in ["a.jpg", "Norway/b.jpg", "Norway/c.jpg"] {
        world.put(&format!("{root}/{name}"), &format!("photo {name}"));
    }
    world.set_up().await;
    let path = PathText::from_bytes(root.as_bytes());
    world.ask(Command::AddSource { path, consent_all: true }).await;
    world.until("safe", |s| s.destinations[0].safe == 3).await;
    let destination = world.destination().await.id;
    let overview = world.ask(Operation::RestoreOverview { destination }).await;
    let Reply::RestoreOverview(overview) = overview else { panic!("{overview:?}") };
    let folders: Vec<_> = overview.folders.iter().map(|f| (f.path.path.as_str(), f.totals.files)).collect();
    assert_eq!((overview.total.files, folders), (3, vec![("", 3), ("Norway", 2)]));
    // One is there, with other bytes; another with the same.
    std::fs::create_dir_all(format!("{root}/Norway")).expect("a folder");
    std::fs::write(format!("{root}/Norway/b.jpg"), b"mine").expect("written");
    let mut back = order(destination, RestoreTarget::Original);
    let Reply::Restored { result, stopped } = world.ask(Operation::Restore(back.clone())).await else {
        panic!("restored")
    };
    assert_eq!((result.restored, result.present, result.failed, stopped), (2, 0, 1, None), "{result:?}");
    assert!(result.sentences[0].starts_with("Another file is there already"), "{result:?}");
    assert_eq!(std::fs::read(format!("{root}/Norway/b.jpg")).expect("read"), b"mine");
    let copy = std::fs::read(format!("{root}/Norway/c.jpg")).expect("read");
    assert!(copy.ends_with(b"photo Norway/c.jpg"));
    // A part of it.
    let path = PathText::from_bytes(b"Norway");
    back.scope = RestoreScope::Folder { source: "Pictures".to_owned(), path };
    let measure = Request::Query(Query::MeasureRestore { destination, scope: back.scope.clone() });
    let Reply::RestoreSize(size) = world.ask(measure).await else { panic!("a size") };
    assert_eq!(size.files, 2);
    let Reply::Restored { result, .. } = world.ask(Operation::Restore(back)).await else {
        panic!("restored")
    };
    assert_eq!((result.restored, result.present, result.failed), (0, 1, 1), "{result:?}");
}
