//! Copies come back, whatever happens on the way, and what does not is told.

use tokio::task::JoinHandle;

use super::*;
use crate::api::{ApiError, ErrorKind, Progress, ReadingKind, RestoreLayout};

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
    (world, out, Request::Restore { destination, into, layout: RestoreLayout::Dates, only: None })
}

/// Copies that are wrong for now: as many as are read side by side. Each is tried again after two
/// seconds and then four, so a restore stands still meanwhile.
struct Wrong(Vec<(String, Vec<u8>)>);

impl Wrong {
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
    let Reply::Restored { restored, present, failed, mut sentences, stopped } = world.ask(restore).await
    else {
        panic!("restored")
    };
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

/// Asks for a restore that stands still now. Gives how many files are back.
async fn half_done(world: &World, restore: &Request) -> (JoinHandle<Result<Reply, ApiError>>, u64) {
    let (handle, request) = (world.handle().clone(), restore.clone());
    let asked = tokio::spawn(async move { handle.call(request).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reading = world.snapshot().await.reading.remove(0);
    let Progress { files_done, files_total, .. } = reading.progress;
    assert_eq!((reading.kind, files_total), (ReadingKind::Restore, PHOTOS));
    assert!(files_done > 0 && files_done < PHOTOS, "{files_done}");
    (asked, files_done)
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_pulled_out_on_the_way_is_waited_for() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let wrong = Wrong::make(&world);
    let (asked, _) = half_done(&world, &restore).await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!asked.is_finished(), "it was given up at once");
    wrong.mend(&world);
    world.disk.rules(|rules| rules.is_unmounted = false);
    let reply = asked.await.expect("ran").expect("restored");
    let back =
        Reply::Restored { restored: PHOTOS, present: 0, failed: 0, sentences: Vec::new(), stopped: None };
    assert_eq!(reply, back);
    assert_eq!(files(&out) as u64, PHOTOS);
    assert_eq!(world.snapshot().await.reading, []);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_stays_away_ends_it_and_the_next_goes_on() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let wrong = Wrong::make(&world);
    let (asked, done) = half_done(&world, &restore).await;
    world.disk.rules(|rules| rules.is_unmounted = true);
    let reply = asked.await.expect("ran").expect("an answer");
    let Reply::Restored { restored, failed: 0, stopped: Some(stopped), .. } = reply else {
        panic!("{reply:?}")
    };
    assert_eq!((restored, stopped.kind), (done, ErrorKind::Destination), "{stopped}");
    assert_eq!(files(&out) as u64, restored);
    wrong.mend(&world);
    world.disk.rules(|rules| rules.is_unmounted = false);
    let reply = world.ask(restore).await;
    let (restored, present) = (PHOTOS - done, done);
    let rest = Reply::Restored { restored, present, failed: 0, sentences: Vec::new(), stopped: None };
    assert_eq!(reply, rest);
}

#[tokio::test(start_paused = true)]
async fn a_check_is_dated_when_it_has_seen_all() {
    let (world, _out, _) = backed_up(6).await;
    assert_eq!(world.destination().await.last_audit_at, None);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let reply = world.ask(Request::Verify { destination: None, deep: true }).await;
    assert_eq!(reply, Reply::Verified { checked: 6, failed: 0, unproven: 0, reasons: Vec::new() });
    let now = world.clock.now().rfc3339();
    let seen = world.destination().await;
    assert_eq!((seen.last_audit_at, seen.oldest_proof_at), (Some(now.clone()), Some(now)));
}

#[tokio::test(start_paused = true)]
async fn when_nobody_waits_any_more_nothing_more_is_read() {
    let (world, out, restore) = backed_up(PHOTOS).await;
    let wrong = Wrong::make(&world);
    let (asked, done) = half_done(&world, &restore).await;
    asked.abort();
    world.until("over", |snapshot| snapshot.reading.is_empty()).await;
    wrong.mend(&world);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(files(&out) as u64, done);
}
