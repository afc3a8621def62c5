//! Damaged copies at Immich: only one that an upload of the record created, and that was never verified, is
//! removed and sent again. And the small write that tells a file's trouble from the whole place's.

use safelight::destination::{Item, Sent, SharedDestination, Transfer};
use safelight::domain::asset::ResourceKind;
use safelight::domain::cause::Cause;
use safelight::domain::failure::{Failure, FailureKind, Reach};
use safelight::domain::record::Evidence;
use tokio_util::sync::CancellationToken;

use super::super::site::CheckpointRecorder;
use super::super::source::bytes;
use super::{Bench, companion};

/// One record's transfers, and what is remembered between them.
struct Record<'a> {
    bench: &'a Bench,
    to: SharedDestination,
    item: Item,
    saver: CheckpointRecorder,
}

impl<'a> Record<'a> {
    fn new(bench: &'a Bench, to: &SharedDestination, item: Item) -> Self {
        Self { bench, to: to.clone(), item, saver: CheckpointRecorder::default() }
    }

    fn transfer(&self) -> Transfer {
        let (files, stop) = (self.bench.sources.shared(), CancellationToken::new());
        let saver = std::sync::Arc::new(self.saver.clone());
        let mut transfer = Transfer::new(files, stop, self.saver.last(), saver);
        transfer.named = self.saver.named();
        transfer
    }

    async fn send(&self) -> Result<Sent, Failure> {
        self.to.send(&self.item, &self.transfer()).await
    }

    async fn receipt(&self) -> String {
        match self.send().await {
            Ok(Sent::Stored { receipt, .. } | Sent::AlreadyThere { receipt }) => receipt,
            other => panic!("{other:?}"),
        }
    }

    async fn prove(&self, receipt: &str) -> Result<Evidence, Failure> {
        self.to.prove(&self.item, receipt, &self.transfer()).await
    }
}

/// The bytes that the server gives back, by asset.
fn held(bench: &Bench) -> Vec<Vec<u8>> {
    bench.server.assets().into_iter().map(|asset| asset.bytes).collect()
}

#[tokio::test]
async fn a_damaged_copy_of_ours_is_removed_and_sent_again() {
    for bench in Bench::both() {
        let to = bench.open().await;
        // On its disk it becomes another; or other bytes arrive, and are known by their own checksum.
        for (record, is_spoiled) in [(1_i64, false), (2, true)] {
            let good = bytes(record.unsigned_abs(), 5000);
            let record = Record::new(&bench, &to, bench.item(record, &good));
            bench.server.set(|behavior| {
                (behavior.damages_next, behavior.spoils_next) = if is_spoiled { (0, 1) } else { (1, 0) };
            });
            let receipt = record.receipt().await;
            let failure = record.prove(&receipt).await.expect_err("other bytes");
            assert_eq!((failure.kind, failure.is_permanent()), (FailureKind::DigestMismatch, false));
            let receipt = record.receipt().await;
            assert!(matches!(record.prove(&receipt).await, Ok(Evidence::Verified { .. })), "{is_spoiled}");
        }
        assert_eq!(held(&bench), [bytes(1, 5000), bytes(2, 5000)]);
    }
}

/// A run that ended between the upload and its proof: the copy is read, and stays.
#[tokio::test]
async fn a_sound_copy_that_was_not_read_yet_is_verified_when_it_is_met() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let record = Record::new(&bench, &to, bench.item(1, &bytes(1, 5000)));
        record.receipt().await;
        let sent = record.send().await;
        let Ok(Sent::Stored { evidence: Some(Evidence::Verified { .. }), .. }) = sent else {
            panic!("{sent:?}")
        };
        assert_eq!(held(&bench).len(), 1);
    }
}

#[tokio::test]
async fn what_the_server_called_a_duplicate_is_never_removed() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let good = bytes(1, 5000);
        bench.server.put("a.jpg", &good);
        bench.server.immich.lock().assets[0].bytes[7] ^= 1;
        // Found by the question before the upload; or met by the upload itself.
        for blind in [0, 1] {
            let record = Record::new(&bench, &to, bench.item(1, &good));
            bench.server.set(|behavior| behavior.blind_checks = blind);
            let receipt = record.receipt().await;
            assert_eq!(record.saver.named(), None);
            let failure = record.prove(&receipt).await.expect_err("other bytes");
            assert_eq!(failure.cause, Some(Cause::CopyDamaged));
            assert!(matches!(record.send().await, Ok(Sent::AlreadyThere { .. })));
            assert_eq!(bench.server.assets().len(), 1);
            assert!(!bench.server.assets()[0].is_trashed);
        }
    }
}

#[tokio::test]
async fn nothing_is_removed_of_a_file_that_is_gone_or_whose_copy_is_in_the_trash() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let record = Record::new(&bench, &to, bench.item(1, &bytes(1, 5000)));
        bench.server.set(|behavior| behavior.damages_next = 1);
        record.receipt().await;
        let mut gone =
            Record { item: record.item.clone(), to: to.clone(), saver: record.saver.clone(), ..record };
        gone.item.stamp.mtime_ns += 1;
        let failure = gone.send().await.expect_err("the file is another by now");
        assert_eq!(failure.kind, FailureKind::Changed);
        gone.item.stamp.mtime_ns -= 1;
        bench.server.immich.lock().assets[0].is_trashed = true;
        assert_eq!(gone.send().await.expect_err("in the trash").cause, Some(Cause::Trashed));
        assert_eq!(bench.server.assets().len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_may_not_remove_says_so_with_the_permission() {
    for bench in Bench::both() {
        let few = ["asset.upload", "asset.download", "asset.update"];
        let to = bench.set_up(bench.key(&few), "").await.expect("it may send");
        let record = Record::new(&bench, &to, bench.item(1, &bytes(1, 5000)));
        bench.server.set(|behavior| behavior.damages_next = 1);
        let receipt = record.receipt().await;
        for failure in [
            record.prove(&receipt).await.expect_err("other bytes"),
            record.send().await.expect_err("the server takes the checksum once"),
        ] {
            assert_eq!((failure.cause, failure.is_permanent()), (Some(Cause::RemovalDenied), true));
            assert_eq!(failure.reach, Reach::Resource);
            assert!(failure.details.contains("asset.delete"), "{failure}");
        }
        assert_eq!(bench.server.assets().len(), 1);
    }
}

/// The server removes a still's video together with the still.
#[tokio::test]
async fn a_still_that_is_removed_leaves_its_video() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let moving = bench.named(1, "IMG_1.MOV", ResourceKind::PairedVideo, &bytes(1, 9000));
        let video = bench.receipt(&to, &moving).await;
        let mut still = bench.named(2, "IMG_1.HEIC", ResourceKind::Photo, &bytes(2, 5000));
        still.companions = vec![companion(&moving, false, Some(&video))];
        let record = Record::new(&bench, &to, still);
        bench.server.set(|behavior| behavior.damages_next = 1);
        let receipt = record.receipt().await;
        record.prove(&receipt).await.expect_err("other bytes");
        let receipt = record.receipt().await;
        assert!(matches!(record.prove(&receipt).await, Ok(Evidence::Verified { .. })));
        let assets = bench.server.assets();
        assert_eq!(assets.len(), 2);
        assert_eq!(assets[1].live_video.as_deref(), Some(assets[0].id.as_str()));
        assert!(bench.is_proved(&to, &moving, &video).await);
    }
}

#[tokio::test]
async fn an_odd_code_is_one_files_until_nothing_is_taken() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let item = bench.item(1, &bytes(1, 5000));
        for status in [403, 405, 500, 501, 507] {
            bench.server.set(|behavior| behavior.refuses_uploads = Some((1, status)));
            let failure = bench.send(&to, &item).await.expect_err("refused");
            assert_eq!(failure.reach, Reach::Resource, "{status}: {failure}");
            bench.server.set(|behavior| behavior.refuses_uploads = Some((9, status)));
            let failure = bench.send(&to, &item).await.expect_err("refused");
            assert_eq!(failure.reach, Reach::Destination, "{status}: {failure}");
            bench.server.set(|behavior| behavior.refuses_uploads = None);
            assert!(bench.server.assets().is_empty(), "nothing of the test stays");
        }
        // A kill left one there.
        bench.server.set(|behavior| behavior.refuses_uploads = Some((1, 405)));
        bench.send(&to, &item).await.expect_err("refused");
        assert_eq!((to.clean(&[]).await, bench.server.assets().len()), (Ok(0), 0));
    }
}

/// A key that may not remove assets writes nothing that would stay.
#[tokio::test]
async fn a_key_that_may_not_remove_writes_no_test_file() {
    for bench in Bench::both() {
        let to = bench.set_up(bench.key(&["asset.upload", "asset.download"]), "").await.expect("it may send");
        bench.server.set(|behavior| behavior.refuses_uploads = Some((1, 405)));
        let failure = bench.send(&to, &bench.item(1, &bytes(1, 5000))).await.expect_err("refused");
        assert_eq!(failure.reach, Reach::Resource, "{failure}");
        assert!(bench.server.assets().is_empty());
        assert_eq!(to.clean(&[]).await, Ok(0));
    }
}
