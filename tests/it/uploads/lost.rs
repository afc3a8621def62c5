//! Limits that are found, and uploads that a server has lost.

use super::*;

/// A server whose limit is smaller than any that is guessed: it is found by halving.
#[tokio::test]
async fn a_small_limit_is_found_by_halving() {
    let behavior = Behavior { append_max: Some(256 << 10), ..Behavior::default() };
    let scene = scene_of(behavior, 9_000_000).await;
    let receipt = scene.stored().await;
    scene.is_safe(&receipt).await;
    let longest = scene.server.asked().into_iter().rev().take(20).filter_map(|asked| {
        asked.header("content-length").filter(|_| asked.method == "PATCH")?.parse::<u64>().ok()
    });
    assert!(longest.max().is_some_and(|length| (128 << 10..=256 << 10).contains(&length)));
}

/// An upload that the server has lost, and says so with a code of its own.
#[tokio::test]
async fn a_lost_upload_is_begun_again_whatever_is_said_of_it() {
    for speech in BOTH {
        for status in [400, 403, 404, 405, 409, 410, 412] {
            let scene = scene_of(Behavior { speech, ..Behavior::default() }, SIZE).await;
            let transfer = scene.transfer();
            scene.sources.fault_at(1_000_000, SourceFault::Cancel(transfer.cancel.clone()));
            assert_eq!(scene.to.send(&scene.item, &transfer).await, Ok(Sent::Cancelled));
            scene.server.order("HEAD", Fault::Status(status, Vec::new(), ""));
            let receipt = scene.stored().await;
            scene.is_safe(&receipt).await;
        }
    }
}

/// What was found stays found: it goes with the destination's capabilities to the next run.
#[tokio::test]
async fn a_limit_that_was_found_is_kept() {
    let behavior = Behavior { append_max: Some(256 << 10), ..Behavior::default() };
    let mut scene = scene_of(behavior, 1 << 20).await;
    assert_eq!(scene.to.new_findings(), None);
    scene.stored().await;
    let findings = scene.to.new_findings().expect("a limit was found");
    scene.capabilities.findings = findings;
    let address = Address { capabilities: Some(scene.capabilities.clone()), ..scene.address.clone() };
    let next = connector().open(&address, INSTALLATION).expect("opened");
    assert_eq!(next.new_findings(), None, "nothing more");
    let before = scene.server.asked().iter().filter(|asked| asked.method == "PATCH").count();
    scene.to = next;
    scene.saver = CheckpointRecorder::default();
    scene.stored().await;
    let after = scene.server.asked().iter().filter(|asked| asked.method == "PATCH").count();
    assert_eq!(after - before, 4, "four appends of the right length, and none that is refused");
}

/// One code, two reaches: a small upload of our own decides.
#[tokio::test]
async fn an_odd_code_is_one_files_until_nothing_can_be_created() {
    for speech in BOTH {
        for status in [403, 501, 507] {
            let scene = scene(speech).await;
            let refused = || Fault::Status(status, Vec::new(), "no");
            scene.server.order("POST", refused());
            let failure = scene.failed().await;
            let is_of_form = speech != UploadProtocol::Tus && status == 501;
            if !is_of_form {
                assert_eq!(failure.reach, Reach::Resource, "{speech:?} {status}: {failure}");
            }
            for _ in 0..20 {
                scene.server.order("POST", refused());
            }
            let failure = scene.failed().await;
            assert_eq!(failure.reach, Reach::Destination, "{speech:?} {status}: {failure}");
            assert!(scene.server.finished().is_empty(), "nothing of it stays");
        }
    }
}
