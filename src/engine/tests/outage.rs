//! When the disk of Safelight's own data takes nothing: everything waits, says why, and goes on by
//! itself.

use super::*;
use crate::store::{Outage, fault};

/// Ends the outage when the test does, also when it fails.
struct OutageGuard;

impl OutageGuard {
    fn after(good: u32, outage: Outage) -> Self {
        fault::begin(outage, good);
        Self
    }
}

impl Drop for OutageGuard {
    fn drop(&mut self) {
        fault::end();
    }
}

fn waits_with(kind: &'static str) -> impl Fn(&Snapshot) -> bool {
    move |snapshot| snapshot.wait_reason.as_ref().is_some_and(|wait| wait.kind == kind)
}

/// A backup that is up to date, and then forty photos more.
async fn world_with_news() -> World {
    let world = World::new().await;
    world.put("/photos/first.jpg", "first");
    world.set_up().await;
    world.settled().await;
    for n in 0..40 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world
}

async fn look(world: &World) {
    world.ask(Command::Rescan { id: None }).await;
}

fn is_done(snapshot: &Snapshot) -> bool {
    snapshot.wait_reason.is_none() && snapshot.destinations[0].safe == 41
}

#[tokio::test(start_paused = true)]
async fn a_full_data_disk_holds_everything_up_until_there_is_room() {
    let world = world_with_news().await;
    let broken = OutageGuard::after(25, Outage::Full);
    look(&world).await;
    let waiting = world.until("waits", waits_with("data_full")).await;
    let wait = waiting.wait_reason.expect("a reason");
    assert_eq!(wait.summary, "Waiting: the disk with Safelight's data folder is full");
    assert!(wait.until.is_some());
    assert!(waiting.destinations[0].wait_reason.is_none(), "the destination is well");
    // Transfers that were under way let go; then nothing reaches the destination any more.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (copies, before) = (world.copies(), fault::failed());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.copies(), copies);
    // A probe every five minutes in the end, and what the library tries to keep.
    let tries = fault::failed() - before;
    assert!((10..120).contains(&tries), "{tries}");
    world.check_identity().await;
    drop(broken);
    world.until("done", is_done).await;
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn wherever_it_strikes_nothing_is_lost_or_sent_twice() {
    for good in 0..60 {
        let world = world_with_news().await;
        let broken = OutageGuard::after(good, Outage::Unwritable);
        look(&world).await;
        let strikes = |s: &Snapshot| waits_with("data_unwritable")(s) || s.destinations[0].safe == 41;
        let struck = world.until("strikes", strikes).await;
        assert!(struck.wait_reason.is_some() || good > 30, "{good} commits were enough");
        drop(broken);
        world.until("done", is_done).await;
        assert_eq!(world.copies().len(), 41, "after {good} commits");
        world.check_identity().await;
        if struck.wait_reason.is_some() {
            let Reply::Events(events) = world.ask(Query::Events { limit: 50 }).await else {
                panic!("events")
            };
            assert!(events.iter().any(|event| event.kind == "data_found"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_with_the_run_that_saw_it() {
    let mut world = world_with_news().await;
    let broken = OutageGuard::after(30, Outage::Full);
    look(&world).await;
    world.until("waits", waits_with("data_full")).await;
    world.stop().await;
    drop(broken);
    world.start().await;
    world.until("done", is_done).await;
    assert_eq!(world.copies().len(), 41);
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_person_asks_is_refused_with_the_reason() {
    let world = world_with_news().await;
    let _broken = OutageGuard::after(0, Outage::Full);
    let refused = world.handle().call(Command::SetBackup { on: false }).await.expect_err("not written");
    assert!(refused.message.contains("space"), "{}", refused.message);
    world.until("waits", waits_with("data_full")).await;
}
