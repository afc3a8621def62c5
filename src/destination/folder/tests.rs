//! What only a folder has to get right: its marker, its file system's moods, and power cuts. What
//! every destination must do is in the conformance suite.

mod order;
mod proof;

use std::io::Read as _;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::base::clock::SystemClock;
use crate::base::files::{OsFiles, SourceFiles as _};
use crate::base::rng::SeededRng;
use crate::destination::marker::SCRATCH_PREFIX;
use crate::destination::{Checkpoint, NamedCopy, SaveCheckpoint};
use crate::domain::asset::{CapturedAt, Provenance, ResourceKind};
use crate::domain::failure::Reach;
use crate::domain::hash::{Blake3, ContentHash, Digests};
use crate::domain::ids::RecordId;
use crate::domain::time::UnixMillis;

const ROOT: &str = "/media/disk/backup";
const KEY: &str = "2019/2019-05/a.jpg";
const MARKER: &str = ".safelight/destination.json";

struct NoStore;

impl SaveCheckpoint for NoStore {
    fn save_named<'a>(&'a self, _copy: NamedCopy) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn save<'a>(&'a self, _checkpoint: Checkpoint) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

fn transfer() -> Transfer {
    Transfer::new(Arc::new(OsFiles), CancellationToken::new(), None, Arc::new(NoStore))
}

fn parts(root: &Path, fs: Arc<dyn FolderFs>) -> Parts {
    Parts {
        root: root.to_owned(),
        uuid: None,
        installation: "here".to_owned(),
        capabilities: None,
        fs,
        executor: Executor::inline(),
        rng: Arc::new(SeededRng::new(1)),
        clock: Arc::new(SystemClock),
    }
}

/// A source file on the real disk, and the item that sends it.
struct Source {
    _dir: tempfile::TempDir,
    item: Item,
    bytes: Vec<u8>,
}

fn source(key: &str, size: usize) -> Source {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("source.jpg");
    let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
    std::fs::write(&path, &bytes).expect("written");
    let stamp = OsFiles.stat(&path).expect("there").stamp;
    let blake3 = Blake3(*blake3::hash(&bytes).as_bytes());
    let captured_at =
        CapturedAt { wall_ms: UnixMillis(0), offset_minutes: None, provenance: Provenance::Metadata };
    let item = Item {
        record: RecordId(1),
        key: key.to_owned(),
        content: ContentHash { blake3, size: size as u64 },
        digests: Digests::default(),
        path,
        stamp,
        captured_at,
        kind: ResourceKind::Photo,
        token: key::temp_token("here", 1),
        other_paths: Vec::new(),
        companions: Vec::new(),
    };
    Source { _dir: dir, item, bytes }
}

/// A folder in memory that was added and then given these rules.
async fn folder(rules: impl FnOnce(&mut Rules)) -> (Folder, MemoryFs) {
    let memory = MemoryFs::new(ROOT);
    let (folder, _uuid) =
        Folder::create(parts(Path::new(ROOT), Arc::new(memory.clone()))).await.expect("created");
    memory.rules(rules);
    (folder, memory)
}

fn kind_and_reach(failure: &Failure) -> (FailureKind, Reach) {
    (failure.kind, failure.reach)
}

#[tokio::test]
async fn only_the_last_component_is_created_and_a_marker_is_taken_over() {
    let above = tempfile::tempdir().expect("temp dir");
    let fs: Arc<dyn FolderFs> = Arc::new(OsFs::default());
    let root = above.path().join("backup");
    let (_folder, uuid) = Folder::create(parts(&root, Arc::clone(&fs))).await.expect("created");
    assert!(root.join(MARKER).is_file());
    let (_again, same) = Folder::create(parts(&root, Arc::clone(&fs))).await.expect("taken over");
    assert_eq!(same, uuid);

    let deep = above.path().join("not/there");
    let failure = Folder::create(parts(&deep, Arc::clone(&fs))).await.err().expect("no parent");
    assert_eq!(kind_and_reach(&failure), (FailureKind::Gone, Reach::Destination));
    assert!(!above.path().join("not").exists());
    let file = above.path().join("file");
    std::fs::write(&file, b"x").expect("written");
    let failure = Folder::create(parts(&file, Arc::clone(&fs))).await.err().expect("a file");
    assert_eq!(kind_and_reach(&failure), (FailureKind::Conflict, Reach::Destination));
    let failure = Folder::create(parts(Path::new("backup"), fs)).await.err().expect("relative");
    assert_eq!(failure.kind, FailureKind::BadRequest);
}

#[tokio::test]
async fn trying_a_folder_out_leaves_nothing_behind() {
    let above = tempfile::tempdir().expect("temp dir");
    let fs: Arc<dyn FolderFs> = Arc::new(OsFs::default());
    let entries = |path: &Path| std::fs::read_dir(path).expect("listed").count();
    let root = above.path().join("backup");
    let (capabilities, free) = Folder::try_out(parts(&root, Arc::clone(&fs))).await.expect("tried");
    assert!(capabilities.no_replace && capabilities.uuid.is_empty() && free.is_some());
    assert_eq!(entries(above.path()), 0);
    std::fs::create_dir(&root).expect("made");
    Folder::try_out(parts(&root, Arc::clone(&fs))).await.expect("tried");
    assert_eq!(entries(&root), 0);
    let (_folder, uuid) = Folder::create(parts(&root, Arc::clone(&fs))).await.expect("created");
    let (capabilities, _free) = Folder::try_out(parts(&root, Arc::clone(&fs))).await.expect("tried");
    assert_eq!(capabilities.uuid, uuid);
    assert_eq!((entries(&root), entries(&root.join(".safelight"))), (1, 1));

    let other = Parts { uuid: Some("another".to_owned()), ..parts(&root, Arc::clone(&fs)) };
    let file = above.path().join("file");
    std::fs::write(&file, b"x").expect("written");
    for (parts, kind) in [
        (other, FailureKind::Conflict),
        (parts(&file, Arc::clone(&fs)), FailureKind::Conflict),
        (parts(&above.path().join("not/there"), fs), FailureKind::Gone),
    ] {
        let failure = Folder::try_out(parts).await.expect_err("not usable");
        assert_eq!(kind_and_reach(&failure), (kind, Reach::Destination));
    }
}

#[tokio::test]
async fn what_a_killed_trial_left_goes_with_the_next() {
    let above = tempfile::tempdir().expect("temp dir");
    let fs: Arc<dyn FolderFs> = Arc::new(OsFs::default());
    let root = above.path().join("backup");
    let leave = |at: &Path, name: &str, age_secs: u64| {
        let dir = at.join(name);
        std::fs::create_dir_all(&dir).expect("made");
        std::fs::write(dir.join("a"), b"a").expect("written");
        let begun = std::time::SystemTime::now() - std::time::Duration::from_secs(age_secs);
        std::fs::File::open(&dir).expect("opened").set_modified(begun).expect("dated");
        dir
    };
    let killed = leave(above.path(), ".safelight-try-0123456789abcdef", 3_600);
    // Another process may be trying the same place just now, and not all names are ours.
    let others = [
        leave(above.path(), ".safelight-try-0123456789abcde0", 5),
        leave(above.path(), ".safelight-try-mine", 3_600),
        leave(above.path(), ".safelight-try-0123456789ABCDEF", 3_600),
    ];
    Folder::try_out(parts(&root, Arc::clone(&fs))).await.expect("tried");
    assert!(!killed.exists() && others.iter().all(|dir| dir.join("a").exists()));
    let killed = leave(&root, ".safelight-try-0123456789abcdef", 3_600);
    let (folder, _uuid) = Folder::create(parts(&root, fs)).await.expect("created");
    folder.probe().await.expect("probed");
    assert!(!killed.exists());
}

#[tokio::test]
async fn an_unmounted_disk_is_gone_and_nothing_is_made_in_its_place() {
    for unplug in
        [|rules: &mut Rules| rules.is_unmounted = true, |rules: &mut Rules| rules.is_present = false]
    {
        let (folder, memory) = folder(unplug).await;
        let source = source(KEY, 10);
        let gone = (FailureKind::Gone, Reach::Destination);
        let failures = [
            folder.check().await.err(),
            folder.probe().await.err(),
            folder.send(&source.item, &transfer()).await.err(),
            folder.prove(&source.item, "", &transfer()).await.err(),
            folder.read(KEY, "").await.err(),
            folder.write_manifest("here", 1, b"x").await.err(),
            folder.read_manifests().await.err(),
            folder.clean(&[]).await.err(),
            folder.free_bytes().await.err(),
        ];
        for failure in failures {
            assert_eq!(kind_and_reach(&failure.expect("gone")), gone);
        }
        memory.rules(|rules| (rules.is_present, rules.is_unmounted) = (true, false));
        assert_eq!(memory.files(), [MARKER]);
        assert_eq!(folder.check().await, Ok(()));
    }
}

#[tokio::test]
async fn a_marker_that_cannot_be_believed_is_a_conflict() {
    for marker in [
        &b"not json"[..],
        b"{\"uuid\":\"../..\",\"created\":\"\",\"format\":1}",
        b"{\"uuid\":\"6f1f6a0e-0000-4000-8000-000000000001\",\"created\":\"\",\"format\":2}",
        &[b' '; 5000],
    ] {
        let (folder, memory) = folder(|_rules| {}).await;
        memory.put(MARKER, marker);
        let failure = folder.check().await.expect_err("damaged");
        assert_eq!(kind_and_reach(&failure), (FailureKind::Conflict, Reach::Destination));
        let again = Folder::create(parts(Path::new(ROOT), Arc::new(memory.clone()))).await;
        assert_eq!(again.err().map(|failure| failure.kind), Some(FailureKind::Conflict));
        assert_eq!(memory.contents(MARKER).as_deref(), Some(marker));
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_left_as_it_was() {
    let source = source(KEY, 3_000_000);
    for capacity in [1_000_000, 2_999_999] {
        let (folder, memory) = folder(|rules| rules.capacity = Some(capacity)).await;
        let failure = folder.send(&source.item, &transfer()).await.expect_err("full");
        assert_eq!(kind_and_reach(&failure), (FailureKind::Full, Reach::Destination));
        assert_eq!(memory.files(), [MARKER]);
        memory.rules(|rules| rules.capacity = None);
        assert!(matches!(folder.send(&source.item, &transfer()).await, Ok(Sent::Stored { .. })));
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_keeps_no_partial_copy() {
    let source = source(KEY, 3_000_000);
    let (folder, memory) = folder(|rules| rules.capacity = Some(3_000_200)).await;
    memory.rules(|rules| rules.hides_free_space = true);
    memory.put("person/big.bin", &[0; 1_500_000]);
    let failure = folder.send(&source.item, &transfer()).await.expect_err("full");
    assert_eq!(kind_and_reach(&failure), (FailureKind::Full, Reach::Destination));
    assert_eq!(memory.files(), [MARKER, "person/big.bin"]);
}

#[tokio::test]
async fn a_read_only_disk_is_forbidden() {
    let (folder, memory) = folder(|rules| rules.is_read_only = true).await;
    let source = source(KEY, 10);
    for failure in [
        folder.send(&source.item, &transfer()).await.err(),
        folder.probe().await.err(),
        folder.write_manifest("here", 1, b"x").await.err(),
    ] {
        let failure = failure.expect("read-only");
        assert_eq!(kind_and_reach(&failure), (FailureKind::Forbidden, Reach::Destination));
    }
    assert_eq!(memory.files(), [MARKER]);
}

#[tokio::test]
async fn a_disk_that_vanishes_in_the_middle_is_gone_and_the_copy_goes_on_later() {
    let source = source(KEY, 5_000_000);
    let (folder, memory) = folder(|rules| rules.vanish_after = Some(2_500_000)).await;
    let failure = folder.send(&source.item, &transfer()).await.expect_err("gone");
    assert_eq!(kind_and_reach(&failure), (FailureKind::Gone, Reach::Destination));
    memory.rules(|rules| (rules.is_present, rules.vanish_after) = (true, None));
    assert_eq!(memory.contents(KEY), None);
    assert!(matches!(folder.send(&source.item, &transfer()).await, Ok(Sent::Stored { .. })));
    assert_eq!(memory.files(), [MARKER, KEY]);
    assert_eq!(memory.contents(KEY), Some(source.bytes));
}

#[tokio::test]
async fn a_disk_that_reads_back_other_bytes_proves_nothing() {
    for lie in [ReadFault::FlippedByte, ReadFault::ShortByOne, ReadFault::CannotRead] {
        let (folder, memory) = folder(|_rules| {}).await;
        let source = source(KEY, 100_000);
        assert!(matches!(folder.send(&source.item, &transfer()).await, Ok(Sent::Stored { .. })));
        memory.rules(|rules| rules.lie = Some(lie));
        let failure = folder.prove(&source.item, "", &transfer()).await.expect_err("a lie");
        assert_eq!(kind_and_reach(&failure), (FailureKind::DigestMismatch, Reach::Resource), "{lie:?}");
        memory.rules(|rules| rules.lie = None);
        let proved = folder.prove(&source.item, "", &transfer()).await;
        assert!(matches!(proved, Ok(Evidence::Verified { .. })));
    }
}

#[tokio::test]
async fn without_a_way_past_the_cache_a_copy_is_proved_after_a_remount() {
    let (folder, memory) = folder(|rules| rules.proof = None).await;
    let source = source(KEY, 100_000);
    let Ok(Sent::Stored { receipt, .. }) = folder.send(&source.item, &transfer()).await else {
        panic!("not stored")
    };
    assert_eq!(folder.prove(&source.item, &receipt, &transfer()).await, Ok(Evidence::Accepted));
    assert_eq!(folder.prove(&source.item, "", &transfer()).await, Ok(Evidence::Accepted));
    memory.rules(|rules| rules.session = "second".to_owned());
    match folder.prove(&source.item, &receipt, &transfer()).await {
        Ok(Evidence::Verified { method, .. }) => assert_eq!(method, ProofMethod::RemountRead),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_said_to_be_stored_survives_a_cut_of_power() {
    let (folder, memory) = folder(|_rules| {}).await;
    memory.power_cut();
    assert_eq!(folder.check().await, Ok(()));
    let first = source(KEY, 100_000);
    assert!(matches!(folder.send(&first.item, &transfer()).await, Ok(Sent::Stored { .. })));
    folder.write_manifest("here", 1, b"x").await.expect("written");
    memory.power_cut();
    assert_eq!(memory.contents(KEY), Some(first.bytes));
    assert!(memory.contents(".safelight/manifest/here/1.jsonl").is_some());

    // A run that was killed between making a folder and syncing it, then the next run, then the cut.
    let second = source("2020/2020-01/b.jpg", 1000);
    let root = memory.open_root(Path::new(ROOT)).expect("there");
    root.make_dir("2020").expect("made");
    root.open_dir("2020").and_then(|year| year.make_dir("2020-01")).expect("made");
    assert!(matches!(folder.send(&second.item, &transfer()).await, Ok(Sent::Stored { .. })));
    memory.power_cut();
    assert_eq!(memory.contents("2020/2020-01/b.jpg"), Some(second.bytes));

    // Equal bytes that somebody else put there without syncing are adopted, and then they stay.
    let third = source("2020/2020-01/c.jpg", 1000);
    let month = root.open_dir("2020").and_then(|year| year.open_dir("2020-01")).expect("there");
    month.create("c.jpg").and_then(|mut file| file.write_all(&third.bytes)).expect("written");
    assert!(matches!(folder.send(&third.item, &transfer()).await, Ok(Sent::AlreadyThere { .. })));
    memory.power_cut();
    assert_eq!(memory.contents("2020/2020-01/c.jpg"), Some(third.bytes));
}

#[tokio::test]
async fn what_a_kill_left_in_our_own_folder_goes() {
    let (folder, memory) = folder(|_rules| {}).await;
    let segment = ".safelight/manifest/here/1.jsonl";
    memory.put(&format!(".safelight/manifest/here/{}", key::temp_name(key::temp_token("here", 1))), b"ha");
    folder.write_manifest("here", 1, b"half no more").await.expect("written");
    assert_eq!(memory.files(), [MARKER, segment]);

    let scratch = format!(".safelight/{SCRATCH_PREFIX}{:016x}/a", key::temp_token("here", 7));
    let marker = format!(".safelight/{}", key::temp_name(key::temp_token("here", 8)));
    let foreign = format!(".safelight/{}", key::temp_name(key::temp_token("there", 8)));
    for left in [&scratch, &marker, &foreign] {
        memory.put(left, b"left");
    }
    folder.probe().await.expect("probed");
    let mut expected = [foreign.as_str(), MARKER, segment];
    expected.sort_unstable();
    assert_eq!(memory.files(), expected);
}

#[tokio::test]
async fn where_names_may_be_replaced_a_key_without_its_hash_is_refused() {
    let (folder, memory) = folder(|rules| rules.no_replace = false).await;
    let plain = source(KEY, 10);
    let failure = folder.send(&plain.item, &transfer()).await.expect_err("could replace");
    assert_eq!(kind_and_reach(&failure), (FailureKind::Unsupported, Reach::Destination));
    assert_eq!(memory.contents(KEY), None);
    let hex = plain.item.content.blake3.to_hex();
    let hashed = Item { key: format!("2019/2019-05/a~{}.jpg", &hex[..16]), ..plain.item.clone() };
    assert!(matches!(folder.send(&hashed, &transfer()).await, Ok(Sent::Stored { .. })));
    memory.put(&hashed.key, b"other");
    assert_eq!(folder.send(&hashed, &transfer()).await, Ok(Sent::KeyTaken));
}

#[tokio::test]
async fn what_stands_in_the_way_is_left_alone() {
    let (folder, memory) = folder(|_rules| {}).await;
    memory.put_link("2019");
    memory.put("2020", b"a file");
    memory.put("2021/2021-01/a.jpg/inside", b"a folder with a copy's name");
    memory.put_link("2022/2022-01/a.jpg");
    for (key, expected) in [
        (KEY, Err((FailureKind::Conflict, Reach::Resource))),
        ("2020/2020-01/a.jpg", Err((FailureKind::Conflict, Reach::Resource))),
        ("2021/2021-01/a.jpg", Ok(Sent::KeyTaken)),
        ("2022/2022-01/a.jpg", Ok(Sent::KeyTaken)),
    ] {
        let source = source(key, 10);
        let before = memory.files();
        let sent = folder.send(&source.item, &transfer()).await;
        assert_eq!(sent.map_err(|failure| kind_and_reach(&failure)), expected, "{key}");
        assert_eq!(memory.files(), before);
    }
}

#[tokio::test]
async fn links_on_the_real_disk_are_not_followed() {
    let dir = tempfile::tempdir().expect("temp dir");
    let outside = dir.path().join("outside");
    std::fs::create_dir_all(outside.join("2019-05")).expect("made");
    std::fs::write(outside.join("2019-05/a.jpg"), b"outside").expect("written");
    let root = dir.path().join("backup");
    let (folder, _uuid) = Folder::create(parts(&root, Arc::new(OsFs::default()))).await.expect("created");
    std::os::unix::fs::symlink(&outside, root.join("2019")).expect("linked");
    let linked = source(KEY, 10);
    let failure = folder.send(&linked.item, &transfer()).await.expect_err("leads out");
    assert_eq!(kind_and_reach(&failure), (FailureKind::Conflict, Reach::Resource));
    assert!(
        folder.read(KEY, "").await.is_err() && folder.prove(&linked.item, "", &transfer()).await.is_err()
    );
    std::fs::create_dir_all(root.join("2020/2020-01")).expect("made");
    let target = outside.join("2019-05/a.jpg");
    std::os::unix::fs::symlink(&target, root.join("2020/2020-01/a.jpg")).expect("linked");
    let file = source("2020/2020-01/a.jpg", 7);
    assert_eq!(folder.send(&file.item, &transfer()).await, Ok(Sent::KeyTaken));
    assert!(folder.read("2020/2020-01/a.jpg", "").await.is_err());
    // Cleaning does not go through the link either.
    let temp = outside.join("2019-05").join(key::temp_name(linked.item.token));
    std::fs::write(&temp, b"x").expect("written");
    assert_eq!(folder.clean(&[]).await, Ok(0));
    assert!(temp.is_file());
    assert_eq!(std::fs::read(target).expect("read"), b"outside");
}

#[tokio::test]
async fn a_temp_file_that_is_also_a_copy_is_not_written_to() {
    let dir = tempfile::tempdir().expect("temp dir");
    let root = dir.path().join("backup");
    let (folder, _uuid) = Folder::create(parts(&root, Arc::new(OsFs::default()))).await.expect("created");
    // What a kill between link and unlink leaves: one file under both names.
    let source = source(KEY, 5000);
    let month = root.join("2019/2019-05");
    std::fs::create_dir_all(&month).expect("made");
    std::fs::write(month.join("other.jpg"), &source.bytes[..100]).expect("written");
    std::fs::hard_link(month.join("other.jpg"), month.join(key::temp_name(source.item.token)))
        .expect("linked");
    assert!(matches!(folder.send(&source.item, &transfer()).await, Ok(Sent::Stored { .. })));
    assert_eq!(std::fs::read(month.join("other.jpg")).expect("read"), source.bytes[..100]);
    assert_eq!(std::fs::read(month.join("a.jpg")).expect("read"), source.bytes);
    assert_eq!(std::fs::read_dir(&month).expect("listed").count(), 2);
}

#[tokio::test]
async fn the_real_disk_keeps_the_time_and_says_what_it_can() {
    let dir = tempfile::tempdir().expect("temp dir");
    let root = dir.path().join("backup");
    let (folder, uuid) = Folder::create(parts(&root, Arc::new(OsFs::default()))).await.expect("created");
    let capabilities = folder.probe().await.expect("probed");
    assert_eq!(capabilities.uuid, uuid);
    assert!(
        capabilities.no_replace && capabilities.case_sensitive && capabilities.keeps_mtime,
        "{capabilities:?}"
    );
    assert_eq!(capabilities.name_len_max, 255);
    assert!(folder.free_bytes().await.expect("asked").is_some_and(|free| free > 0));
    let source = source(KEY, 1_000_000);
    assert!(matches!(folder.send(&source.item, &transfer()).await, Ok(Sent::Stored { .. })));
    let copied = OsFiles.stat(&root.join(KEY)).expect("there").stamp;
    assert_eq!(copied.mtime_ns, source.item.stamp.mtime_ns);
    let mut read = Vec::new();
    folder.read(KEY, "").await.expect("opened").read_to_end(&mut read).expect("read");
    assert_eq!(read, source.bytes);
}

#[tokio::test]
async fn coarse_times_and_short_names_are_noticed() {
    let (folder, memory) = folder(|rules| rules.mtime_step_ns = 2_000_000_000).await;
    memory.rules(|rules| (rules.name_len_max, rules.ignores_case) = (143, false));
    let capabilities = folder.probe().await.expect("probed");
    assert!(capabilities.keeps_mtime && capabilities.note.contains("times are rounded"), "{capabilities:?}");
    assert_eq!(capabilities.name_len_max, 143);
    memory.rules(|rules| rules.mtime_step_ns = 86_400_000_000_000);
    assert!(!folder.probe().await.expect("probed").keeps_mtime);
}

#[tokio::test]
async fn characters_that_a_file_system_refuses_are_found() {
    let (folder, memory) = folder(|rules| rules.refused_chars = ";#\u{1f600}").await;
    let refused = folder.probe().await.expect("probed").refused_chars;
    assert_eq!(refused.ascii(), "#;");
    assert_eq!(refused.last_taken(), '\u{ffff}');
    assert_eq!(memory.files(), [MARKER], "nothing of it stays");
    memory.rules(|rules| rules.refused_chars = "");
    assert!(folder.probe().await.expect("probed").refused_chars.is_empty());
}

#[tokio::test]
async fn a_temp_name_that_is_stuck_has_others() {
    let (folder, memory) = folder(|_rules| {}).await;
    let source = source(KEY, 5000);
    let temp = |attempt| key::temp_name(key::temp_token_at(source.item.token, attempt));
    let stuck = format!("2019/2019-05/{}", temp(0));
    memory.put(&stuck, b"of a server that was killed");
    memory.rules(|rules| rules.stuck_name = Some(temp(0)));
    let sent = folder.send(&source.item, &transfer()).await;
    assert!(matches!(sent, Ok(Sent::Stored { evidence: Some(_), .. })), "{sent:?}");
    assert_eq!(memory.contents(KEY), Some(source.bytes.clone()));
    assert_eq!(memory.files(), [MARKER, &stuck, KEY], "nothing else stays");
}
