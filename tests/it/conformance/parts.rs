//! Files that go in parts: what is sent, what is sent again, and what is left behind.

use std::sync::atomic::Ordering;
use std::time::Duration;

use safelight::destination::Sent;
use safelight::domain::failure::FailureKind;
use safelight::domain::record::{Evidence, ProofMethod};
use safelight::domain::target::DestinationKind;

use super::s3::{rclone, unfinished_uploads, weed};
use super::site::{CheckpointFault, CheckpointRecorder, Site};
use super::source::{SourceFault, bytes};
use crate::support::wait::wait_until;

const MIB: usize = 1024 * 1024;
/// Three parts: beyond what goes in one request.
const SIZE: usize = 20 * MIB + 11;

/// How long the server may take to clear away what has ended.
const CLEARED_WITHIN: Duration = Duration::from_secs(20);

/// The test of this binary that counts what the whole bucket has must not run beside others.
static BUCKET_IS_QUIET: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Waits until as many uploads are unfinished beyond those of `before`. The server clears away what
/// was finished or ended in its own time.
fn expect_new(before: &[String], count: usize) {
    let new = || {
        let mut uploads = unfinished_uploads();
        uploads.retain(|upload| !before.contains(upload));
        uploads
    };
    wait_until("the server has cleared away", CLEARED_WITHIN, new, |new| new.len() == count);
}

async fn arrives(site: &Site, by: ProofMethod) {
    let (to, bytes) = (site.open(), bytes(5, SIZE));
    let mut item = site.item(1, "clip.mov", &bytes);
    // As much as the engine would have made of it.
    item.digests = item.digests.only(site.capabilities.digests_wanted(DestinationKind::S3, SIZE as u64));
    let transfer = site.transfer();
    let Ok(Sent::Stored { receipt, .. }) = to.send(&item, &transfer).await else { panic!("not stored") };
    assert_eq!(transfer.bytes_sent.load(Ordering::Relaxed), SIZE as u64);
    assert!(site.contents(&item.key).as_ref() == Some(&bytes), "other bytes are there");
    for to in [to, site.open()] {
        let proof = to.prove(&item, &receipt, &transfer).await;
        assert!(matches!(proof, Ok(Evidence::Verified { method, .. }) if method == by), "{proof:?}");
    }
    // And a deep audit reads it all, whatever the server tells.
    let mut deep = site.transfer();
    deep.must_read = true;
    let proof = site.open().prove(&item, &receipt, &deep).await;
    let by = ProofMethod::ReadBack;
    assert!(matches!(proof, Ok(Evidence::Verified { method, .. }) if method == by), "{proof:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_arrives_and_is_proved() {
    let _quiet = BUCKET_IS_QUIET.lock().await;
    arrives(&weed().await, ProofMethod::ServerDigest).await;
    arrives(&rclone().await, ProofMethod::ReadBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_checkpoint_no_part_is_sent_twice_and_nothing_is_left() {
    let _quiet = BUCKET_IS_QUIET.lock().await;
    let site = weed().await;
    let before = unfinished_uploads();
    let mut killed = 0;
    for at in 0..20 {
        let record = i64::try_from(at).expect("small") + 1;
        let bytes = bytes(record.unsigned_abs(), SIZE);
        let item = site.item(record, &format!("{record}.mov"), &bytes);
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
        let again = site.transfer_with(saver.restarted());
        let sent = site.open().send(&item, &again).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. } | Sent::AlreadyThere { .. })), "{sent:?}");
        assert!(site.contents(&item.key).as_ref() == Some(&bytes), "other bytes are there");
        if !was_killed {
            break;
        }
        killed += 1;
    }
    assert!((2..20).contains(&killed), "{killed} checkpoints");
    // One may be: killed between the server's making it and our knowing its name. It holds nothing.
    let left = || unfinished_uploads().into_iter().filter(|upload| !before.contains(upload)).count();
    wait_until("the server has cleared away", CLEARED_WITHIN, left, |left| *left <= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_large_file_goes_on_with_the_next_part() {
    let _quiet = BUCKET_IS_QUIET.lock().await;
    for site in [weed().await, rclone().await] {
        let bytes = bytes(9, SIZE);
        let item = site.item(1, "clip.mov", &bytes);
        let saver = CheckpointRecorder::default();
        let transfer = site.transfer_with(saver.clone());
        // While the last part is read, the ones before are on their way or there.
        site.sources.fault_at(18 * MIB as u64, SourceFault::Cancel(transfer.cancel.clone()));
        assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled));
        assert_eq!(site.contents(&item.key), None);
        let again = site.transfer_with(saver);
        let sent = site.open().send(&item, &again).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
        assert!(site.contents(&item.key).as_ref() == Some(&bytes), "other bytes are there");
        assert_eq!(site.files(), [item.key.as_str()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_wanted_is_ended() {
    let _quiet = BUCKET_IS_QUIET.lock().await;
    let site = weed().await;
    let before = unfinished_uploads();
    let good = bytes(1, SIZE);

    // Changed in the middle: its parts are of no use.
    let item = site.item(1, "changed.mov", &good);
    site.sources.fault_at(9 * MIB as u64, SourceFault::Touch);
    let failure = site.open().send(&item, &site.transfer()).await.expect_err("changed");
    assert_eq!(failure.kind, FailureKind::Changed);
    let item = site.item(2, "quietly.mov", &good);
    site.sources.change(&item, &bytes(2, SIZE), true);
    let failure = site.open().send(&item, &site.transfer()).await.expect_err("other bytes");
    assert_eq!(failure.kind, FailureKind::Changed);
    assert_eq!(site.files(), Vec::<String>::new());
    expect_new(&before, 0);

    // Given up by the ledger: ended by its id, and no other.
    let item = site.item(3, "given-up.mov", &good);
    let saver = CheckpointRecorder::default();
    let transfer = site.transfer_with(saver.clone());
    site.sources.fault_at(18 * MIB as u64, SourceFault::Cancel(transfer.cancel.clone()));
    assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled));
    expect_new(&before, 1);
    site.open().abandon(&[saver.last().expect("a checkpoint")]).await;
    expect_new(&before, 0);

    // Somebody was faster under the same name.
    let item = site.item(4, "taken.mov", &good);
    let saver = CheckpointRecorder::default();
    let transfer = site.transfer_with(saver.clone());
    site.sources.fault_at(18 * MIB as u64, SourceFault::Cancel(transfer.cancel.clone()));
    assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled));
    site.put(&item.key, b"faster");
    assert_eq!(site.open().send(&item, &site.transfer_with(saver)).await, Ok(Sent::KeyTaken));
    assert_eq!(site.contents(&item.key).as_deref(), Some(&b"faster"[..]));
    expect_new(&before, 0);
}
