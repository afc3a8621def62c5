//! Disks on which only reading after reconnecting proves a copy.

use super::*;
use crate::api::Operation;
use crate::domain::record::ProofNeed;

/// A world whose backup proves nothing at once, with three photos in it.
async fn world(need: ProofNeed) -> World {
    let world = World::new().await;
    world.mount(Some("the disk"));
    world.disk.rules(|rules| (rules.proof, rules.proof_need) = (None, need));
    for n in 0..3 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    world.settled().await;
    let d = world.until("looked at", |s| !s.destinations[0].verifying).await.destinations.remove(0);
    assert_eq!((d.unproven, d.safe), (3, 0));
    assert_eq!(
        (d.proof_need.as_deref(), d.proof_advice.as_deref()),
        (Some(need.as_str()), Some(need.advice()))
    );
    world
}

fn plug_in_again(world: &World) {
    world.mount(None);
    world.disk.rules(|rules| rules.session.push('+'));
    world.mount(Some("the disk, another time"));
}

async fn verify(world: &World, deep: bool) -> (u64, u64, u64, Vec<String>) {
    let verify = Request::Operation(Operation::Verify { destination: None, deep });
    let Reply::Verified { checked, failed, unproven, reasons } = world.ask(verify).await else {
        panic!("verified")
    };
    (checked, failed, unproven, reasons)
}

#[tokio::test(start_paused = true)]
async fn copies_are_verified_by_themselves_when_the_disk_comes_back() {
    let world = world(ProofNeed::Reconnect).await;
    let advice = format!("backup: {}", ProofNeed::Reconnect.advice());
    for deep in [false, true] {
        assert_eq!(verify(&world, deep).await, (0, 0, 3, vec![advice.clone()]));
    }
    plug_in_again(&world);
    let d = world.until("safe", |s| s.destinations[0].safe == 3).await.destinations.remove(0);
    assert_eq!((d.unproven, d.proof_advice), (0, None));
    assert_eq!(verify(&world, true).await, (3, 0, 0, Vec::new()));
    // What comes now waits for the next time.
    world.put("/photos/new.jpg", "new");
    world.ask(Command::Rescan { id: None }).await;
    world.until("copied", |s| s.destinations[0].unproven == 1).await;
    assert_eq!(world.destination().await.safe, 3);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_was_away_for_a_while_is_verified_as_soon_as_it_is_back() {
    let world = world(ProofNeed::Reconnect).await;
    world.mount(None);
    world.until("away", |s| s.destinations[0].wait_reason.is_some()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let began = tokio::time::Instant::now();
    plug_in_again(&world);
    world.until("safe", |s| s.destinations[0].safe == 3).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_start_after_the_disk_was_reconnected_verifies_too_but_not_while_paused() {
    let mut world = world(ProofNeed::Restart).await;
    world.ask(Command::Pause { for_secs: None }).await;
    world.stop().await;
    world.disk.rules(|rules| rules.session.push('+'));
    world.start().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.destination().await.unproven, 3);
    world.ask(Command::Resume).await;
    world.until("safe", |s| s.destinations[0].safe == 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_copy_is_seen_even_where_nothing_can_be_proved() {
    let world = world(ProofNeed::Reconnect).await;
    world.disk.put("2017/2017-07/0.jpg", &photo("photo X"));
    let (checked, failed, unproven, _) = verify(&world, true).await;
    assert_eq!((checked, failed, unproven), (1, 1, 2));
    world.until("sent again", |s| s.destinations[0].unproven == 3).await;
    assert_eq!(world.copies().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn where_a_program_keeps_a_cache_nothing_is_ever_taken_for_proved() {
    let world = world(ProofNeed::Never).await;
    plug_in_again(&world);
    world.until("back", |s| s.destinations[0].wait_reason.is_none()).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.destination().await.unproven, 3);
    assert_eq!(verify(&world, true).await.2, 3);
}

#[tokio::test(start_paused = true)]
async fn copies_that_a_lost_ledger_knew_are_verified_after_the_next_time() {
    let mut world = world(ProofNeed::Reconnect).await;
    world.stop().await;
    std::fs::remove_file(world.dir.path().join("safelight.db")).expect("removed");
    world.start().await;
    world.until("adopted", |s| s.destinations[0].unproven == 3 && !s.destinations[0].verifying).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.destination().await.safe, 0, "nobody knows when they were written");
    plug_in_again(&world);
    world.until("safe", |s| s.destinations[0].safe == 3).await;
    assert_eq!(world.copies().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_disk_is_reconnected_by_request_and_what_keeps_it_from_that_is_said() {
    let world = world(ProofNeed::Reconnect).await;
    let told = |errors: &[RemountError]| world.remounts.lock().extend(errors.to_vec());
    let id = world.destination().await.id;
    for (error, says) in [
        (RemountError::Unsupported, "Unplug the disk and plug it in again"),
        (RemountError::NotAllowed, "does not allow"),
        (RemountError::NotMounted("x".to_owned()), "could not be connected again"),
    ] {
        told(&[error]);
        let refused = world.handle().call(Operation::Reconnect { id }).await.expect_err("refused");
        assert!(refused.message.contains(says), "{refused:?}");
        assert!(!world.destination().await.is_reconnecting);
    }
    told(&vec![RemountError::Busy; 20]);
    let refused = world.handle().call(Operation::Reconnect { id }).await.expect_err("busy");
    assert!(refused.message.contains("Another program"), "{refused:?}");
    assert_eq!(world.destination().await.unproven, 3);
    world.remounts.lock().truncate(2);
    assert_eq!(world.ask(Operation::Reconnect { id }).await, Reply::Done);
    world.until("safe", |s| s.destinations[0].safe == 3).await;
}
