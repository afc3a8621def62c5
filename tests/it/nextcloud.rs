//! What Nextcloud does beyond other WebDAV servers: large files in chunks, and a quota.

use safelight::destination::Sent;
use safelight::domain::failure::{FailureKind, Reach};
use safelight::domain::hash::DigestKind;
use safelight::domain::record::{Evidence, ProofMethod};

use crate::conformance::servers::{nextcloud_with, own_cloud, own_cloud_with_adler};
use crate::conformance::site::CheckpointRecorder;
use crate::conformance::source::{SourceFault, bytes};
use crate::fakes::fault_server::{Fault, Order};
use crate::fakes::nextcloud::NextcloudBehavior;

const MIB: usize = 1024 * 1024;
const PLENTY: u64 = u64::MAX / 4;
const SIZE: usize = 34 * MIB + 7;
/// Three whole chunks and a rest.
const CHUNKS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_only_missing_chunks_are_sent() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), PLENTY).await;
    let bytes = bytes(1, SIZE);
    let item = site.item(1, "film.mov", &bytes);
    let saver = CheckpointRecorder::default();
    let transfer = site.transfer_with(saver.clone());
    site.sources.fault_at(25 * MIB as u64, SourceFault::Cancel(transfer.cancel.clone()));
    assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled));
    let cloud = server.cloud().expect("a Nextcloud");
    assert!(cloud.uploads()[0].1 >= 2, "{:?}", cloud.uploads());
    assert!(site.files().is_empty());

    server.forget();
    let (to, again) = (site.open(), site.transfer_with(saver.restarted()));
    let sent = to.send(&item, &again).await;
    assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
    let asked = server.asked();
    let puts = asked.iter().filter(|seen| seen.method == "PUT").map(|seen| seen.path.as_str());
    let chunks: Vec<&str> = puts.filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(chunks, ["00003", "00004"]);
    assert_eq!(again.bytes_sent.load(std::sync::atomic::Ordering::Relaxed), SIZE as u64);
    assert_eq!(site.contents(&item.key), Some(bytes));
    assert_eq!(cloud.uploads(), []);
    match to.prove(&item, "", &again).await {
        Ok(Evidence::Verified { method, .. }) => assert_eq!(method, ProofMethod::ServerDigest),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_and_odd_chunks_end_well() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), PLENTY).await;
    let bytes = bytes(2, SIZE);
    for (record, method) in [(1, "MKCOL"), (2, "PUT"), (3, "MOVE")] {
        let item = site.item(record, &format!("{record}.mov"), &bytes);
        let to = site.open();
        // Its folder is there before, so that the order is for the upload.
        server.dav().add_dirs("photos/2019/2019-05");
        server.order(Order::new(Fault::DropAfter).method(method).path("/uploads/"));
        let saver = CheckpointRecorder::default();
        let failure = to.send(&item, &site.transfer_with(saver.clone())).await.expect_err("no answer");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Connect, Reach::Resource), "{method}");
        assert!(server.is_served(), "{method}");
        let sent = to.send(&item, &site.transfer_with(saver.restarted())).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. } | Sent::AlreadyThere { .. })), "{method}: {sent:?}");
        assert_eq!(site.contents(&item.key).as_ref(), Some(&bytes), "{method}");
    }
    assert_eq!(site.files().len(), 3);
    assert_eq!(server.cloud().expect("a Nextcloud").uploads(), []);
}

/// Chunks that broke off in the middle, or were refused while they were read: the same process goes
/// on at once, while the try before may still be read from, and its bytes are not taken for changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_chunk_disturbs_no_later_one() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), PLENTY).await;
    let good = bytes(4, SIZE);
    let faults = [Fault::CutIn(3 * MIB), Fault::EarlyStatus(503), Fault::HangIn(2 * MIB), Fault::Status(500)];
    let to = site.open();
    for (record, fault) in (1..).zip(faults) {
        let item = site.item(record, &format!("{record}.mov"), &good);
        let saver = CheckpointRecorder::default();
        for chunk in ["/00001", "/00002", "/00004"] {
            let transfer = site.transfer_with(saver.clone());
            server.order(Order::new(fault.clone()).method("PUT").path(chunk));
            if matches!(fault, Fault::HangIn(_)) {
                // The person pauses while the server takes nothing more.
                let stop = transfer.cancel.clone();
                let send = to.send(&item, &transfer);
                let (sent, ()) = tokio::join!(send, async {
                    while !server.is_served() {
                        tokio::task::yield_now().await;
                    }
                    stop.cancel();
                });
                assert_eq!(sent, Ok(Sent::Cancelled), "{fault:?} {chunk}");
                continue;
            }
            let failure = to.send(&item, &transfer).await.expect_err("broken");
            assert_ne!(failure.kind, FailureKind::Changed, "{fault:?} {chunk}: {failure}");
            assert!(!failure.is_permanent(), "{fault:?} {chunk}: {failure}");
            assert!(server.is_served(), "{fault:?} {chunk}");
        }
        let sent = to.send(&item, &site.transfer_with(saver)).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{fault:?}: {sent:?}");
        assert!(site.contents(&item.key).as_ref() == Some(&good), "{fault:?}: other bytes are there");
    }
    assert_eq!(server.cloud().expect("a Nextcloud").uploads(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_of_a_changed_file_are_never_put_together() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), PLENTY).await;
    let item = site.item(1, "film.mov", &bytes(1, SIZE));
    site.sources.change(&item, &bytes(9, SIZE), true);
    let failure = site.open().send(&item, &site.transfer()).await.expect_err("other bytes");
    assert_eq!((failure.kind, failure.reach), (FailureKind::Changed, Reach::Resource));
    assert!(site.files().is_empty() && server.cloud().expect("a Nextcloud").uploads().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_quota_is_seen_before_a_byte_is_sent() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), 12 * MIB as u64).await;
    let before = server.received();
    for (record, size) in [(1, 13 * MIB), (2, SIZE)] {
        let item = site.item(record, &format!("{record}.mov"), &bytes(1, size));
        let failure = site.open().send(&item, &site.transfer()).await.expect_err("no room");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Full, Reach::Destination));
    }
    assert!(server.received() - before < 4096, "only questions were sent");
    let fits = site.item(3, "3.jpg", &bytes(1, MIB));
    assert!(matches!(site.open().send(&fits, &site.transfer()).await, Ok(Sent::Stored { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_taken_is_left_alone() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), PLENTY).await;
    let (mine, other) = (bytes(1, SIZE), bytes(2, SIZE));
    let item = site.item(1, "film.mov", &mine);
    let to = site.open();
    // Someone else comes first, after the folder was looked at.
    server.order(Order::new(Fault::Delay(std::time::Duration::ZERO)).method("MOVE").path("/uploads/"));
    let first = site.item(2, "other.mov", &mine);
    assert!(matches!(to.send(&first, &site.transfer()).await, Ok(Sent::Stored { .. })));
    site.put(&item.key, &other);
    assert_eq!(to.send(&item, &site.transfer()).await, Ok(Sent::KeyTaken));
    assert_eq!(site.contents(&item.key), Some(other));
    assert_eq!(
        server.asked().iter().filter(|seen| seen.path.contains("/uploads/") && seen.method == "PUT").count(),
        2 * CHUNKS
    );
}

/// What is wrong on its way is refused, and the proof is what is read back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_cloud_that_compares_checksums_is_no_worse_for_it() {
    for behavior in [own_cloud(), own_cloud_with_adler()] {
        let (site, server) = nextcloud_with(behavior, PLENTY).await;
        assert_eq!(site.capabilities.proof, Some(ProofMethod::ReadBack));
        assert!(site.capabilities.trusted_digests.contains(DigestKind::Sha1), "{:?}", site.capabilities);
        assert!(site.capabilities.note.starts_with("ownCloud 10.15"), "{}", site.capabilities.note);
        for (record, size) in [(1, MIB), (2, SIZE)] {
            let item = site.item(record, &format!("{record}.mov"), &bytes(record.unsigned_abs(), size));
            let sent = site.open().send(&item, &site.transfer()).await;
            let Ok(Sent::Stored { evidence: Some(Evidence::Verified { method, .. }), .. }) = sent else {
                panic!("{sent:?}")
            };
            assert_eq!(method, ProofMethod::ReadBack);
        }
        let told =
            server.asked().into_iter().filter_map(|seen| seen.header("oc-checksum").map(str::to_owned));
        assert!(told.filter(|told| told.starts_with("SHA1:")).count() >= 2);

        // A byte that is another on its way is refused at once, not found out afterwards.
        let item = site.item(3, "3.jpg", &bytes(3, 5000));
        server.order(Order::new(Fault::WrongBody).method("PUT").path(".tmp"));
        let failure = site.open().send(&item, &site.transfer()).await.expect_err("refused");
        assert!(!failure.is_permanent(), "{failure}");
        assert!(site.contents(&item.key).is_none());
        assert!(matches!(site.open().send(&item, &site.transfer()).await, Ok(Sent::Stored { .. })));
    }
}

/// An upload that the server has lost, or cannot put together any more, is begun again, whatever it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_upload_is_begun_again_whatever_is_said_of_it() {
    let (site, server) = nextcloud_with(NextcloudBehavior::default(), PLENTY).await;
    let good = bytes(5, SIZE);
    for (record, status) in (1..).zip([400, 403, 404, 409]) {
        let item = site.item(record, &format!("{record}.mov"), &good);
        let saver = CheckpointRecorder::default();
        server.order(Order::new(Fault::DropBefore).method("MOVE").path("/uploads/").times(3));
        site.open().send(&item, &site.transfer_with(saver.clone())).await.expect_err("no answer");
        server.heal();
        // The next run's first question about it is refused.
        server.order(Order::new(Fault::Status(status)).method("PROPFIND").path("/uploads/"));
        let sent = site.open().send(&item, &site.transfer_with(saver.clone())).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{status}: {sent:?}");
        assert!(server.is_served(), "{status}");

        // And so is putting it together: once it fails, and then all is sent again.
        let item = site.item(record + 10, &format!("{}.mov", record + 10), &good);
        let saver = CheckpointRecorder::default();
        server.order(Order::new(Fault::Status(status)).method("MOVE").path("/uploads/"));
        site.open().send(&item, &site.transfer_with(saver.clone())).await.expect_err("refused");
        let sent = site.open().send(&item, &site.transfer_with(saver)).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{status}: {sent:?}");
        assert_eq!(server.cloud().expect("a Nextcloud").uploads(), []);
    }
}
