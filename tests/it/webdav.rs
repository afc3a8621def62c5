//! The order of proof on WebDAV servers: proved under the temp name, named, looked at once more.

use safelight::destination::Sent;
use safelight::domain::failure::{FailureKind, Reach};
use safelight::domain::key;
use safelight::domain::record::{Evidence, ProofMethod};

use crate::conformance::servers::dav_with;
use crate::conformance::site::{CheckpointFault, CheckpointRecorder, Site};
use crate::conformance::source::bytes;
use crate::fakes::dav::{Behavior, Etag};
use crate::fakes::fault_server::{Fault, FaultServer, Order};

fn is_stored(sent: &Result<Sent, safelight::domain::failure::Failure>, by: ProofMethod) -> bool {
    let Ok(Sent::Stored { evidence: Some(Evidence::Verified { method, .. }), .. }) = sent else {
        return false;
    };
    *method == by
}

/// What was asked for about files, in order: the method, and whether it was about a temp name.
fn asked(server: &FaultServer) -> Vec<(String, bool)> {
    let seen = server.asked().into_iter().filter(|seen| seen.path.contains("/2019-05/"));
    seen.map(|seen| (seen.method, seen.path.ends_with(".tmp"))).collect()
}

/// Puts one file there, so that folders are known, and forgets how.
async fn warm_up(site: &Site, server: &FaultServer) -> safelight::destination::SharedDestination {
    let to = site.open();
    let first = site.item(99, "first.jpg", &bytes(99, 100));
    assert!(matches!(to.send(&first, &site.transfer()).await, Ok(Sent::Stored { .. })));
    server.forget();
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_proved_then_named_then_looked_at() {
    let expected = |last: &str| {
        let steps = [("PUT", true), ("GET", true), ("MOVE", true), (last, false)];
        steps.map(|(method, is_temp)| (method.to_owned(), is_temp)).to_vec()
    };
    let moved = Behavior { moves_change_tags: true, ..Behavior::default() };
    let tagless = Behavior { etag: Etag::None, ..Behavior::default() };
    // Where the tag shows that it is the file that was read, that is enough; else it is read again.
    for (behavior, last) in [(Behavior::default(), "HEAD"), (moved, "GET"), (tagless, "GET")] {
        let (site, server) = dav_with(behavior).await;
        let to = warm_up(&site, &server).await;
        let item = site.item(1, "a.jpg", &bytes(1, 5000));
        let saver = CheckpointRecorder::default();
        let sent = to.send(&item, &site.transfer_with(saver.clone())).await;
        assert!(is_stored(&sent, ProofMethod::ReadBack), "{sent:?}");
        assert_eq!(asked(&server), expected(last));
        let phases: Vec<&str> = saver.phases().into_iter().map(|phase| phase.as_str()).collect();
        assert_eq!(phases, ["sending", "proving", "committing"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_while_of_flipped_bytes_leaves_nothing_under_a_real_name() {
    let (site, server) = dav_with(Behavior::default()).await;
    let to = site.open();
    let good = bytes(1, 5000);
    let item = site.item(1, "a.jpg", &good);
    server.order(Order::new(Fault::WrongBody).method("PUT").path(".tmp").times(5));
    for _try in 0..2 {
        let failure = to.send(&item, &site.transfer()).await.expect_err("other bytes arrive");
        assert_eq!(failure.kind, FailureKind::DigestMismatch);
        assert!(site.files().is_empty(), "{:?}", site.files());
    }
    // The server is well again in the middle of the third.
    let sent = to.send(&item, &site.transfer()).await;
    assert!(is_stored(&sent, ProofMethod::ReadBack), "{sent:?}");
    assert!(server.is_served());
    assert_eq!(site.files(), [item.key.as_str()]);
    assert_eq!(site.contents(&item.key), Some(good));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_brought_is_not_sent_again_after_a_kill() {
    let (site, server) = dav_with(Behavior::default()).await;
    for (record, at) in [(1, 1), (2, 2)] {
        let item = site.item(record, &format!("{record}.jpg"), &bytes(record.unsigned_abs(), 5000));
        let saver = CheckpointRecorder::with_fault(CheckpointFault::HangAt(at + 1));
        let transfer = site.transfer_with(saver.clone());
        let to = site.open();
        tokio::select! {
            () = saver.is_reached() => {}
            sent = to.send(&item, &transfer) => {
                // There is no checkpoint beyond the last.
                assert!(at == 2 && matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
                continue;
            }
        }
        server.forget();
        let sent = site.open().send(&item, &site.transfer_with(saver.restarted())).await;
        assert!(is_stored(&sent, ProofMethod::ReadBack), "{sent:?}");
        assert_eq!(server.count("PUT"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_wrong_copy_that_is_surely_ours_is_removed() {
    // Not known to give a name once: a copy is read again under its name, and its tag says whose it is.
    let behavior = Behavior { software: "Apache", ..Behavior::default() };
    let (site, server) = dav_with(behavior).await;
    let good = bytes(1, 5000);
    let bend = |is_on| server.dav().behavior.lock().moves_change_bytes = is_on;

    // Seen right after the naming: it goes, and the file keeps its name.
    let item = site.item(1, "a.jpg", &good);
    bend(true);
    let failure = site.open().send(&item, &site.transfer()).await.expect_err("it was changed");
    assert_eq!(failure.kind, FailureKind::DigestMismatch);
    assert!(site.files().is_empty(), "{:?}", site.files());
    bend(false);
    let sent = site.open().send(&item, &site.transfer()).await;
    assert!(is_stored(&sent, ProofMethod::ReadBack), "{sent:?}");

    // Not removed any more before the run ended: what the ledger remembers of it decides.
    for (record, is_replaced) in [(2, false), (3, true)] {
        let item = site.item(record, &format!("{record}.jpg"), &good);
        let saver = CheckpointRecorder::default();
        bend(true);
        server.order(Order::new(Fault::Status(500)).method("DELETE").path(&item.key));
        let failure = site.open().send(&item, &site.transfer_with(saver.clone())).await;
        assert_eq!(failure.expect_err("it cannot be removed now").kind, FailureKind::Server);
        assert!(saver.named().is_some_and(|copy| copy.key == item.key && copy.size == 5000));
        bend(false);
        assert!(server.is_served());
        let other = bytes(7, 5000);
        if is_replaced {
            site.put(&item.key, &other);
        }
        let sent = site.open().send(&item, &site.transfer_with(saver)).await;
        if is_replaced {
            assert_eq!(sent, Ok(Sent::KeyTaken));
            assert_eq!(site.contents(&item.key), Some(other));
        } else {
            assert!(is_stored(&sent, ProofMethod::ReadBack), "{sent:?}");
            assert_eq!(site.contents(&item.key).as_ref(), Some(&good));
        }
    }
}

/// The probe saw one winner in each race, by luck: two computers that saw nothing under a name both have it
/// for all that they were told. The one whose file is not there any more tells so by the bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_believe_they_hold_a_name_harm_neither_file() {
    let tagless = Behavior { etag: Etag::None, ..Behavior::default() };
    let moved = Behavior { moves_change_tags: true, ..Behavior::default() };
    for behavior in [Behavior::default(), tagless, moved] {
        let told = format!("{behavior:?}");
        let (site, server) = dav_with(behavior).await;
        assert!(site.capabilities.findings.contains("\"names_once\":true"), "{told}");
        let to = warm_up(&site, &server).await;
        let (item, theirs) = (site.item(1, "a.jpg", &bytes(1, 5000)), bytes(2, 5000));
        server.dav().behavior.lock().rival = Some(theirs.clone().into());
        let saver = CheckpointRecorder::default();
        let sent = to.send(&item, &site.transfer_with(saver.clone())).await;
        assert_eq!(sent, Ok(Sent::KeyTaken), "{told}");
        assert_eq!(saver.named(), None, "{told}");
        assert_eq!(site.contents(&item.key), Some(theirs), "{told}");
    }
}

/// A wrong copy that nothing shows to be ours stays, and its file takes another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_copy_without_a_tag_of_ours_stays() {
    let behavior = Behavior { moves_change_tags: true, moves_change_bytes: true, ..Behavior::default() };
    let (site, server) = dav_with(Behavior { moves_change_bytes: false, ..behavior.clone() }).await;
    let item = site.item(1, "a.jpg", &bytes(1, 5000));
    *server.dav().behavior.lock() = behavior;
    assert_eq!(site.open().send(&item, &site.transfer()).await, Ok(Sent::KeyTaken));
    assert_eq!(site.files(), [item.key.as_str()]);
}

/// Another computer's file is there by the time that ours is looked at: it stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_put_in_its_place_stays() {
    let (site, server) = dav_with(Behavior::default()).await;
    let item = site.item(1, "a.jpg", &bytes(1, 5000));
    let to = warm_up(&site, &server).await;
    // The look at the tag is not answered; by the next try the name has another file.
    server.order(Order::new(Fault::DropBefore).method("HEAD").path(&item.key));
    let saver = CheckpointRecorder::default();
    to.send(&item, &site.transfer_with(saver.clone())).await.expect_err("no answer");
    let other = bytes(2, 5000);
    site.put(&item.key, &other);
    assert_eq!(to.send(&item, &site.transfer_with(saver)).await, Ok(Sent::KeyTaken));
    assert_eq!(site.contents(&item.key), Some(other));
}

/// Go's WebDAV answers 405 to any write that fails. Whether that is one file's trouble or all of the
/// place's is found out by a small write and a read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_code_is_one_files_until_nothing_can_be_written() {
    let (site, server) = dav_with(Behavior::default()).await;
    let to = warm_up(&site, &server).await;
    for status in [405, 501, 507, 403, 500] {
        let item = site.item(1, "a.jpg", &bytes(1, 5000));
        server.order(Order::new(Fault::Status(status)).method("PUT").path("/2019-05/"));
        let failure = to.send(&item, &site.transfer()).await.expect_err("refused");
        assert_eq!(failure.reach, Reach::Resource, "{status}: {failure}");
        assert!(!failure.is_permanent() && server.is_served(), "{status}: {failure}");

        server.order(Order::new(Fault::Status(status)).method("PUT").always());
        let failure = to.send(&item, &site.transfer()).await.expect_err("refused");
        assert_eq!(failure.reach, Reach::Destination, "{status}: {failure}");
        server.heal();
    }
    assert_eq!(site.own_files(), [".safelight/destination.json"], "nothing of it stays");
    let item = site.item(1, "a.jpg", &bytes(1, 5000));
    assert!(is_stored(&to.send(&item, &site.transfer()).await, ProofMethod::ReadBack));
}

/// What a server that was killed holds locked for ever neither takes bytes nor goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temp_name_that_is_stuck_has_others() {
    let (site, server) = dav_with(Behavior::default()).await;
    let to = warm_up(&site, &server).await;
    let item = site.item(1, "a.jpg", &bytes(1, 5000));
    let temp = |attempt| key::temp_name(key::temp_token_at(item.token, attempt));
    let stick = |attempt| {
        let path = format!("2019/2019-05/{}", temp(attempt));
        server.order(Order::new(Fault::Status(423)).path(&temp(attempt)).always());
        site.put(&path, b"of a server that was killed");
        path
    };
    let first = stick(0);
    let saver = CheckpointRecorder::with_fault(CheckpointFault::HangAt(2));
    let transfer = site.transfer_with(saver.clone());
    tokio::select! {
        () = saver.is_reached() => {}
        sent = to.send(&item, &transfer) => panic!("it hangs: {sent:?}"),
    }
    // After a restart it goes on with what it has under the second name.
    server.forget();
    let sent = site.open().send(&item, &site.transfer_with(saver.restarted())).await;
    assert!(is_stored(&sent, ProofMethod::ReadBack), "{sent:?}");
    assert_eq!(server.count("PUT"), 0);
    assert_eq!(site.contents(&item.key), Some(bytes(1, 5000)));

    // There is an end to it.
    let item = site.item(2, "b.jpg", &bytes(2, 5000));
    let temp = |attempt| key::temp_name(key::temp_token_at(item.token, attempt));
    for attempt in 0..key::TEMP_NAMES_MAX {
        server.order(Order::new(Fault::Status(423)).path(&temp(attempt)).always());
    }
    let failure = to.send(&item, &site.transfer()).await.expect_err("no name is left");
    assert_eq!((failure.kind, failure.reach), (FailureKind::Conflict, Reach::Resource), "{failure}");
    let temps: Vec<String> = site.files().into_iter().filter(|path| path.ends_with(".tmp")).collect();
    assert_eq!(temps, [first]);
}
