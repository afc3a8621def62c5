//! What a destination makes of kills, cancels and troubles in the middle.

use std::time::{Duration, Instant};

use safelight::destination::layer::faulty::{Call, Fault, Faulty};
use safelight::destination::{Destination as _, Item, Sent};
use safelight::domain::failure::{Failure, FailureKind, Reach};
use safelight::domain::key;
use safelight::domain::record::Evidence;

use super::site::{CheckpointFault, CheckpointRecorder, Site};
use super::source::{SourceFault, bytes};

const MIB: usize = 1024 * 1024;
/// How long a server may hold a name for an upload that was cut off.
const UNLOCKED_WITHIN: Duration = Duration::from_secs(20);
/// The most that may be read again after a cancel: what was read but not yet written.
const TAIL_MAX: u64 = 2 * MIB as u64;

pub async fn a_cancelled_send_goes_on_where_it_was(site: &Site) {
    let size = 8 * MIB + 11;
    for (record, at) in [(1, 0), (2, 1), (3, 3 * MIB + 7), (4, size - 1)] {
        let bytes = bytes(3, size);
        let item = site.item(record, &format!("{record}.mov"), &bytes);
        let saver = CheckpointRecorder::default();
        let transfer = site.transfer_with(saver.clone());
        let mut before = site.sources.bytes_read();
        site.sources.fault_at(at as u64, SourceFault::Cancel(transfer.cancel.clone()));
        assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled), "at {at}");
        assert_eq!(site.contents(&item.key), None);

        let next = site.transfer_with(saver.clone());
        assert!(next.checkpoint.is_some());
        let to = site.open();
        let mut sent = to.send(&item, &next).await;
        // A server may still be busy with the request that was broken off, and meddle once.
        if matches!(&sent, Err(failure) if failure.kind == FailureKind::Server && !failure.is_permanent()) {
            before = site.sources.bytes_read();
            sent = to.send(&item, &site.transfer_with(saver.clone())).await;
        }
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
        let read = site.sources.bytes_read() - before;
        // What goes in one request has nothing to go on from.
        let goes_on = site.capabilities.can_resume && !site.reads_again;
        let again = if goes_on { 0 } else { at as u64 };
        assert!(read <= size as u64 + again + TAIL_MAX, "read {read} of {size} after a cancel at {at}");
        assert_eq!(site.contents(&item.key), Some(bytes));
        assert!(matches!(to.prove(&item, "", &next).await, Ok(Evidence::Verified { .. })));
    }
    assert_eq!(site.files().len(), 4, "{:?}", site.files());
}

/// Kills before the checkpoint of each number until one is beyond the last.
pub async fn killed_at_every_checkpoint_it_ends_well(site: &Site) {
    let mut killed = 0;
    for at in 0..20 {
        let record = i64::try_from(at).expect("small") + 1;
        let bytes = bytes(record.unsigned_abs(), 2 * MIB + 5);
        let item = site.item(record, &format!("{record}.jpg"), &bytes);
        let saver = CheckpointRecorder::with_fault(CheckpointFault::HangAt(at));
        let transfer = site.transfer_with(saver.clone());
        let to = site.open();
        let was_killed = tokio::select! {
            () = saver.is_reached() => true,
            sent = to.send(&item, &transfer) => {
                assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
                false
            }
        };
        assert!(saver.phases().len() <= at);
        // The same process tries again first, then a new one.
        for to in [to, site.open()] {
            let again = site.transfer_with(saver.restarted());
            let sent = to.send(&item, &again).await;
            assert!(matches!(sent, Ok(Sent::Stored { .. } | Sent::AlreadyThere { .. })), "{sent:?}");
            assert_eq!(site.contents(&item.key).as_ref(), Some(&bytes));
        }
        assert_eq!(site.files().len(), at + 1, "{:?}", site.files());
        if !was_killed {
            break;
        }
        killed += 1;
    }
    assert!((1..20).contains(&killed), "{killed} checkpoints");
}

pub async fn without_the_store_nothing_is_named(site: &Site) {
    let bytes = bytes(1, 100_000);
    let item = site.item(1, "a.jpg", &bytes);
    let saver = CheckpointRecorder::default();
    assert!(site.open().send(&item, &site.transfer_with(saver.clone())).await.is_ok());
    for at in 0..saver.phases().len() {
        let record = i64::try_from(at).expect("small") + 2;
        let item = site.item(record, &format!("{record}.jpg"), &bytes);
        let saver = CheckpointRecorder::with_fault(CheckpointFault::FailAt(at));
        let failure = site.open().send(&item, &site.transfer_with(saver)).await.expect_err("no store");
        assert_eq!(failure.reach, Reach::Run);
        assert_eq!(site.contents(&item.key), None);
    }
}

pub async fn a_wrong_start_is_thrown_away(site: &Site) {
    let good = bytes(1, 3 * MIB);
    let mut half_wrong = good[..2 * MIB].to_vec();
    half_wrong[MIB] ^= 1;
    let starts = [
        b"garbage".to_vec(),
        half_wrong,
        bytes(9, 3 * MIB),
        bytes(9, 4 * MIB),
        good[..MIB].to_vec(),
        good.clone(),
        Vec::new(),
    ];
    for (record, start) in (1..).zip(&starts) {
        let item = site.item(record, &format!("{record}.jpg"), &good);
        let (folder, _name) = item.key.rsplit_once('/').expect("in a folder");
        site.put(&format!("{folder}/{}", key::temp_name(item.token)), start);
        let sent = site.open().send(&item, &site.transfer()).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "start {record}: {sent:?}");
        assert_eq!(site.contents(&item.key).as_ref(), Some(&good), "start {record}");
    }
    assert_eq!(site.files().len(), starts.len(), "{:?}", site.files());
}

pub async fn a_changed_source_is_never_stored(site: &Site) {
    let good = bytes(1, 3 * MIB);
    let to = site.open();
    let check = async |record: i64, name: &str, spoil: &dyn Fn(&safelight::destination::Item)| {
        let item = site.item(record, &format!("{record}.jpg"), &good);
        spoil(&item);
        let failure = to.send(&item, &site.transfer()).await.expect_err(name);
        assert_eq!((failure.kind, failure.reach), (FailureKind::Changed, Reach::Resource), "{name}");
        site.has_nothing(&to, name).await;
    };
    check(1, "edited before", &|item| site.sources.change(item, b"other", false)).await;
    check(2, "other bytes, same stamp", &|item| site.sources.change(item, &bytes(2, 3 * MIB), true)).await;
    check(3, "shorter, same stamp", &|item| site.sources.change(item, &good[..MIB], true)).await;
    check(4, "longer, same stamp", &|item| site.sources.change(item, &bytes(1, 4 * MIB), true)).await;
    check(5, "touched in the middle", &|_item| site.sources.fault_at(2 * MIB as u64, SourceFault::Touch))
        .await;
}

pub async fn a_source_that_goes_is_only_its_own_trouble(site: &Site) {
    let good = bytes(1, 3 * MIB);
    let to = site.open();
    let item = site.item(1, "gone.jpg", &good);
    site.sources.remove(&item);
    let failure = to.send(&item, &site.transfer()).await.expect_err("gone");
    assert_eq!((failure.kind, failure.reach), (FailureKind::Gone, Reach::Resource));
    assert!(site.files().is_empty());

    // EIO in the middle, once: the next try brings it all.
    let item = site.item(2, "scratched.jpg", &good);
    site.sources.fault_at(2 * MIB as u64, SourceFault::Error(5));
    let failure = to.send(&item, &site.transfer()).await.expect_err("unreadable");
    assert_eq!((failure.kind, failure.reach), (FailureKind::Unreadable, Reach::Resource));
    assert!(!failure.is_permanent());
    let began = Instant::now();
    loop {
        match to.send(&item, &site.transfer()).await {
            Ok(Sent::Stored { .. }) => break,
            Err(failure) if site.removes_late && failure.kind == FailureKind::Server => {}
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() < UNLOCKED_WITHIN, "the server removes every upload");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(site.files(), [item.key.as_str()]);
    assert_eq!(site.contents(&item.key), Some(good));
}

/// What comes of a send with this fault. Some servers (rclone) lock a name for as long as they are busy
/// with an upload to it that was cut off; the engine tries again, and so does this.
async fn failure_of(faulty: &Faulty, fault: &Fault, item: &Item, site: &Site) -> Failure {
    let began = Instant::now();
    loop {
        assert!(faulty.queue(Call::Send, fault.clone()));
        let failure = faulty.send(item, &site.transfer()).await.expect_err("a fault is queued");
        let is_removed = site.removes_late && failure.kind == FailureKind::Server;
        let is_locked = failure.kind == FailureKind::Conflict && !failure.is_permanent() || is_removed;
        if !is_locked || began.elapsed() > UNLOCKED_WITHIN {
            return failure;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn lost_answers_are_survived(site: &Site) {
    let good = bytes(1, MIB + 1);
    let faulty = Faulty::new(site.open());
    let lost = Failure::destination(FailureKind::Timeout, "no answer");
    let item = site.item(1, "a.jpg", &good);
    let mut failures = Vec::new();
    for fault in [Fault::FailBefore(lost.clone()), Fault::Truncate, Fault::WrongBytes, Fault::FailAfter(lost)]
    {
        failures.push(failure_of(&faulty, &fault, &item, site).await);
    }
    use FailureKind::{Changed, Timeout};
    let kinds: Vec<FailureKind> = failures.iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [Timeout, Changed, Changed, Timeout], "{failures:?}");
    // The last one had stored it before its answer was lost.
    assert!(matches!(faulty.send(&item, &site.transfer()).await, Ok(Sent::AlreadyThere { .. })));
    assert_eq!(site.files(), [item.key.as_str()]);

    let hanging = site.item(2, "b.jpg", &good);
    assert!(faulty.queue(Call::Send, Fault::HangUntilCancelled));
    let transfer = site.transfer();
    let cancel = transfer.cancel.clone();
    let (sent, ()) = tokio::join!(faulty.send(&hanging, &transfer), async { cancel.cancel() });
    assert_eq!(sent, Ok(Sent::Cancelled));
    assert!(faulty.queue(Call::Prove, Fault::WrongBytes));
    let failure = faulty.prove(&item, "", &site.transfer()).await.expect_err("a fault is queued");
    assert_eq!(failure.kind, FailureKind::DigestMismatch);
    assert_eq!(faulty.waiting(), 0);
}
