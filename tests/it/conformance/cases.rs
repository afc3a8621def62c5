//! What a destination does when all is well, and when others are busy too.

use std::io::Read as _;
use std::sync::Arc;

use safelight::destination::{Capabilities, Item, Sent};
use safelight::domain::failure::{Failure, FailureKind, Reach};
use safelight::domain::key;
use safelight::domain::record::Evidence;

use super::site::{CheckpointRecorder, Site};
use super::source::bytes;

const MIB: usize = 1024 * 1024;

pub async fn every_size_arrives_is_proved_and_reads_back(site: &Site) {
    let to = site.open();
    let sizes = [1, 4095, 4096, 4097, MIB - 1, MIB, MIB + 1, 5 * MIB + 3];
    for (record, size) in (1..).zip(sizes) {
        let bytes = bytes(7, size);
        let item = site.item(record, &format!("{size}.jpg"), &bytes);
        let saver = CheckpointRecorder::default();
        let transfer = site.transfer_with(saver.clone());
        let Ok(Sent::Stored { receipt, .. }) = to.send(&item, &transfer).await else {
            panic!("{size} bytes were not stored")
        };
        assert!(saver.phases().is_sorted() && !saver.phases().is_empty(), "{:?}", saver.phases());
        assert_eq!(transfer.bytes_sent.load(std::sync::atomic::Ordering::Relaxed), size as u64);
        assert_eq!(site.contents(&item.key).as_ref(), Some(&bytes));
        let method = site.capabilities.proof.expect("a method was found");
        match to.prove(&item, &receipt, &transfer).await {
            Ok(Evidence::Verified { method: by, .. }) => assert_eq!(by, method),
            other => panic!("{size} bytes were not proved: {other:?}"),
        }
        let mut read = Vec::new();
        let mut copy = to.read(&item.key, &receipt).await.expect("opened");
        // What fetches it may be next in line on this very thread.
        tokio::task::block_in_place(|| copy.read_to_end(&mut read)).expect("read");
        assert_eq!(read, bytes);
    }
    assert_eq!(site.files().len(), sizes.len(), "{:?}", site.files());
}

pub async fn another_file_is_never_overwritten(site: &Site) {
    let to = site.open();
    for (record, other) in [(1, bytes(1, 5000)), (2, bytes(1, 4999))] {
        let mine = bytes(2, 5000);
        let name = format!("{record}.jpg");
        let item = site.item(record, &name, &mine);
        site.put(&item.key, &other);
        assert_eq!(to.send(&item, &site.transfer()).await, Ok(Sent::KeyTaken));
        assert_eq!(site.contents(&item.key), Some(other.clone()));
        let next = site.sources.add(record, &site.keys(name.as_bytes(), &mine)[1], &mine);
        assert!(matches!(to.send(&next, &site.transfer()).await, Ok(Sent::Stored { .. })));
        assert_eq!(site.contents(&next.key), Some(mine));
        assert_eq!(site.contents(&item.key), Some(other));
    }
    assert_eq!(site.files().len(), 4, "{:?}", site.files());
}

pub async fn equal_bytes_are_adopted_unread(site: &Site) {
    let to = site.open();
    let bytes = bytes(1, 300_000);
    let item = site.item(1, "a.jpg", &bytes);
    site.put(&item.key, &bytes);
    let transfer = site.transfer();
    let Ok(Sent::AlreadyThere { receipt }) = to.send(&item, &transfer).await else {
        panic!("equal bytes were not adopted")
    };
    assert_eq!(site.sources.bytes_read(), 0);
    assert!(matches!(to.prove(&item, &receipt, &transfer).await, Ok(Evidence::Verified { .. })));
    assert_eq!(site.files(), [item.key.as_str()]);
    // And the same again, as after a restart.
    assert!(matches!(site.open().send(&item, &transfer).await, Ok(Sent::AlreadyThere { .. })));
}

pub async fn an_empty_file_is_refused(site: &Site) {
    let item = site.item(1, "empty.jpg", b"");
    let failure = site.open().send(&item, &site.transfer()).await.expect_err("nothing to prove");
    assert_eq!((failure.kind, failure.reach), (FailureKind::Empty, Reach::Resource));
    assert!(failure.is_permanent() && site.files().is_empty());
}

pub async fn cancelled_before_it_begins_nothing_happens(site: &Site) {
    let item = site.item(1, "a.jpg", b"bytes");
    let transfer = site.transfer();
    transfer.cancel.cancel();
    assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled));
    assert!(site.files().is_empty() && site.sources.bytes_read() == 0);
}

pub async fn names_of_every_kind_are_kept_apart(site: &Site) {
    let to = site.open();
    let longest = [b"x".repeat(251), b".jpg".to_vec()].concat();
    let beyond = [b"x".repeat(300), b".jpg".to_vec()].concat();
    let beyond_too = [b"x".repeat(301), b".jpg".to_vec()].concat();
    let names: Vec<&[u8]> = vec![
        b"IMG_1.JPG",
        b"img_1.jpg",
        b"IMG_1.JPG",
        "caf\u{e9}.jpg".as_bytes(),
        "cafe\u{301}.jpg".as_bytes(),
        "CAF\u{c9}.jpg".as_bytes(),
        b"\xff\xfe.jpg",
        b"%FF%FE.jpg",
        b"a\nb.jpg",
        b"12:30.jpg",
        b"12?30.jpg",
        b"NUL.jpg",
        b".hidden.jpg",
        b"dot.",
        b"dot",
        b"space ",
        b"..",
        "\u{1f4f7}\u{202e}.jpg".as_bytes(),
        &longest,
        &beyond,
        &beyond_too,
    ];
    let mut kept = Vec::new();
    for (record, name) in (1..).zip(&names) {
        let bytes = bytes(record, 1000);
        let key = site.send_under_any_key(&to, name, record.cast_signed(), &bytes).await;
        kept.push((key, bytes));
    }
    for (key, bytes) in &kept {
        assert_eq!(site.contents(key).as_ref(), Some(bytes), "{key}");
    }
    assert_eq!(site.files().len(), names.len(), "{:?}", site.files());
    if !site.capabilities.case_sensitive {
        let mut folded: Vec<String> = kept.iter().map(|(key, _bytes)| key::fold(key)).collect();
        folded.sort();
        folded.dedup();
        assert_eq!(folded.len(), names.len());
    }
}

/// As when two computers back up to one place. A server may look for the name and take it in two
/// steps (Apache does), so that both sends hold for the moment; the proof then tells.
pub async fn two_at_once_under_one_key_lose_nothing(site: &Site) {
    let to = site.open();
    let contents = [bytes(1, 2 * MIB), bytes(2, 2 * MIB)];
    // Where a name may be replaced, the hash in every key already keeps these two apart.
    let items = [site.item(1, "a.jpg", &contents[0]), site.item(2, "a.jpg", &contents[1])];
    let transfers = [site.transfer(), site.transfer()];
    let (a, b) = tokio::join!(to.send(&items[0], &transfers[0]), to.send(&items[1], &transfers[1]));
    let first = until_proved(site, items[0].clone(), &contents[0], a).await;
    let second = until_proved(site, items[1].clone(), &contents[1], b).await;
    assert_eq!(site.contents(&first).as_ref(), Some(&contents[0]));
    assert_eq!(site.contents(&second).as_ref(), Some(&contents[1]));
}

/// Goes on from an answer as the engine does, until the copy is proved, and gives its key.
async fn until_proved(site: &Site, mut item: Item, bytes: &[u8], mut sent: Result<Sent, Failure>) -> String {
    let to = site.open();
    let mut keys = site.keys(b"a.jpg", bytes).into_iter().skip(1);
    for _again in 0..4 {
        let transfer = site.transfer();
        match sent {
            Ok(Sent::Stored { receipt, .. } | Sent::AlreadyThere { receipt }) => {
                match to.prove(&item, &receipt, &transfer).await {
                    Ok(Evidence::Verified { .. }) => return item.key,
                    other => assert_eq!(other.expect_err("proof").kind, FailureKind::DigestMismatch),
                }
            }
            Ok(Sent::KeyTaken) => {
                let key = keys.next().expect("a key that only equal bytes can take");
                item = site.sources.add(item.record.0, &key, bytes);
            }
            Err(failure) if !failure.is_permanent() => {}
            other => panic!("{other:?}"),
        }
        sent = to.send(&item, &transfer).await;
    }
    panic!("not proved: {sent:?}")
}

pub async fn many_at_once_all_arrive(site: &Site) {
    let to = site.open();
    let mut sends = tokio::task::JoinSet::new();
    let items: Vec<_> =
        (1..=40).map(|n| site.item(n, &format!("{n}.jpg"), &bytes(n.unsigned_abs(), 3000))).collect();
    for item in items.clone() {
        let (to, transfer) = (Arc::clone(&to), site.transfer());
        sends.spawn(async move {
            let mut tries = 0;
            // A server may close a kept connection in the moment that it is used again.
            let receipt = loop {
                tries += 1;
                match to.send(&item, &transfer).await {
                    Ok(Sent::Stored { receipt, .. }) => break receipt,
                    Err(failure) if failure.kind == FailureKind::Connect && tries < 4 => {}
                    other => panic!("{other:?}"),
                }
            };
            to.prove(&item, &receipt, &transfer).await
        });
    }
    while let Some(done) = sends.join_next().await {
        assert!(matches!(done.expect("no panic"), Ok(Evidence::Verified { .. })));
    }
    assert_eq!(site.files().len(), items.len());
}

pub async fn what_is_not_there_is_not_found(site: &Site) {
    let to = site.open();
    let item = site.item(1, "a.jpg", b"bytes");
    let unproved = to.prove(&item, "", &site.transfer()).await.expect_err("nothing to prove");
    assert_eq!((unproved.kind, unproved.reach), (FailureKind::NotFound, Reach::Resource));
    let Err(unread) = to.read(&item.key, "").await else { panic!("nothing to read") };
    assert_eq!(unread.kind, FailureKind::NotFound);
}

pub async fn a_changed_copy_is_found_out(site: &Site) {
    let to = site.open();
    let bytes = bytes(1, 100_000);
    for (record, wrong) in [(1, [&bytes[..99_999], b"?"].concat()), (2, bytes[..99_999].to_vec())] {
        let item = site.item(record, &format!("{record}.jpg"), &bytes);
        let transfer = site.transfer();
        assert!(matches!(to.send(&item, &transfer).await, Ok(Sent::Stored { .. })));
        site.put(&item.key, &wrong);
        // A later run: the answer to the send itself may have been proof enough until then.
        let failure = site.open().prove(&item, "", &transfer).await.expect_err("other bytes");
        assert_eq!((failure.kind, failure.reach), (FailureKind::DigestMismatch, Reach::Resource));
        // Sending it again does not replace what is there, whoever made it.
        assert_eq!(to.send(&item, &transfer).await, Ok(Sent::KeyTaken));
        assert_eq!(site.contents(&item.key), Some(wrong));
    }
}

pub async fn a_probe_leaves_nothing_behind(site: &Site) {
    let to = site.open();
    // Whether two that want one name at once both believe they have it is a race at some servers: it may
    // go well once and not the next time.
    let steady = |capabilities: &Capabilities| {
        let findings = capabilities.findings.replace("\"names_once\":true", "\"names_once\":false");
        Capabilities { findings, ..capabilities.clone() }
    };
    let found = to.probe().await.expect("probed");
    assert_eq!(steady(&found), steady(&site.capabilities));
    assert!(site.files().is_empty());
    assert_eq!(site.own_files(), [".safelight/destination.json"]);
}

pub async fn check_knows_the_place_again(site: &Site) {
    assert_eq!(site.open().check().await, Ok(()));
    let item = site.item(1, "a.jpg", b"bytes");
    let other = site.open_expecting("00000000-0000-4000-8000-000000000000");
    for failure in [
        other.check().await.expect_err("another place"),
        other.send(&item, &site.transfer()).await.expect_err("another place"),
        other.probe().await.expect_err("another place"),
    ] {
        assert_eq!((failure.kind, failure.reach), (FailureKind::Conflict, Reach::Destination));
    }
    assert!(site.files().is_empty());
}
