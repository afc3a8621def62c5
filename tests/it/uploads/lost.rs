//! Limits that are found, and uploads that a server has lost.

use super::*;

/// A server whose limit is smaller than any that is guessed: it is found by halving.
#[tokio::test]
async fn a_small_limit_is_found_by_halving() {
    let moods = Moods { append_max: Some(256 << 10), ..Moods::default() };
    let place = place_of(moods, 9_000_000).await;
    let receipt = place.stored().await;
    place.is_safe(&receipt).await;
    let longest = place.server.asked().into_iter().rev().take(20).filter_map(|asked| {
        asked.header("content-length").filter(|_| asked.method == "PATCH")?.parse::<u64>().ok()
    });
    assert!(longest.max().is_some_and(|length| (128 << 10..=256 << 10).contains(&length)));
}

/// An upload that the server has lost, and says so with a code of its own.
#[tokio::test]
async fn a_lost_upload_is_begun_again_whatever_is_said_of_it() {
    for speech in BOTH {
        for status in [400, 403, 404, 405, 409, 410, 412] {
            let place = place_of(Moods { speech, ..Moods::default() }, SIZE).await;
            let transfer = place.transfer();
            place.sources.trouble_at(1_000_000, Trouble::Cancel(transfer.cancel.clone()));
            assert_eq!(place.to.send(&place.item, &transfer).await, Ok(Sent::Cancelled));
            place.server.order("HEAD", Fault::Status(status, Vec::new(), ""));
            let receipt = place.stored().await;
            place.is_safe(&receipt).await;
        }
    }
}
