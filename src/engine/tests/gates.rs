//! Conditions and rules: what may go on, what must stop, and what it says meanwhile.

use super::*;
use crate::api::{BatteryRule, Command, HoursRule, Rules};
use crate::destination::layer::faulty::{Call, Fault};
use crate::domain::gate::Network;
use crate::engine::conditions::gates::GATE_GRACE;

const ONLINE: Conditions = Conditions {
    network: Network::Online,
    is_metered: Some(false),
    is_on_battery: Some(false),
    battery_percent: Some(80),
};
const OFFLINE: Conditions = Conditions { network: Network::Offline, ..ONLINE };
const METERED: Conditions = Conditions { is_metered: Some(true), ..ONLINE };

/// A disk and a cloud, both with everything that is there.
async fn disk_and_cloud() -> World {
    let world = World::new().await;
    world.conditions.send_replace(ONLINE);
    world.put("/photos/first.jpg", "first");
    world.set_up().await;
    world.add_cloud().await;
    world
        .until("both have it", |s| s.destinations.len() == 2 && s.destinations.iter().all(|d| d.safe == 1))
        .await;
    world
}

fn kind(wait: Option<&crate::api::WaitText>) -> Option<&str> {
    wait.map(|wait| wait.kind.as_str())
}

async fn add_photos(world: &World, names: std::ops::Range<u32>) {
    for n in names {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.ask(Command::Rescan { id: None }).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_network_only_the_disk_goes_on_and_the_network_wakes_the_rest() {
    let world = disk_and_cloud().await;
    world.conditions.send_replace(OFFLINE);
    tokio::time::sleep(GATE_GRACE * 2).await;
    add_photos(&world, 0..10).await;
    let disk = world.until("on the disk", |s| s.destinations[0].safe == 11).await;
    assert_eq!(disk.wait_reason, None, "the disk works");
    assert_eq!(kind(disk.destinations[0].wait_reason.as_ref()), None);
    assert_eq!(kind(disk.destinations[1].wait_reason.as_ref()), Some("offline"));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.snapshot().await.destinations[1].safe, 1);
    for row in world.queue(QueueList::Waiting).await {
        assert_eq!((row.destination.as_str(), kind(row.wait_reason.as_ref())), ("cloud", Some("offline")));
    }
    let back = world.clock.now();
    world.conditions.send_replace(ONLINE);
    world.settled().await;
    assert!(world.clock.now().since(back) < Duration::from_secs(15), "the network wakes the engine");
    assert_eq!(world.snapshot().await.destinations[1].safe, 11);
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn what_runs_stops_within_five_seconds_of_the_grace_and_costs_no_attempt() {
    let world = disk_and_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults("s3://photos/?endpoint=https://cloud.example");
    for _ in 0..3 {
        assert!(cloud.queue(Call::Send, Fault::HangUntilCancelled));
    }
    add_photos(&world, 0..3).await;
    world.until("three run", |s| s.destinations[1].uploading == 3 && s.destinations[0].safe == 4).await;
    let closed = world.clock.now();
    world.conditions.send_replace(METERED);
    tokio::time::sleep(GATE_GRACE / 2).await;
    assert_eq!(world.snapshot().await.destinations[1].uploading, 3, "it may take itself back");
    let stopped = world.until("stopped", |s| s.destinations[1].uploading == 0).await;
    assert!(world.clock.now().since(closed) <= GATE_GRACE + Duration::from_secs(5));
    assert_eq!(kind(stopped.destinations[1].wait_reason.as_ref()), Some("metered"));
    assert!(
        world.queue(QueueList::Waiting).await.iter().all(|row| row.attempt <= 1 && row.failure.is_none())
    );
    // Nothing begins while it is closed.
    assert!(cloud.queue(Call::Check, Fault::HangUntilCancelled));
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(cloud.waiting(), 1, "not even a check");
    world.conditions.send_replace(Conditions { is_metered: None, ..ONLINE });
    // The check that hangs is met now, and stopped when the network goes.
    world.until("open", |s| s.destinations[1].wait_reason.is_none()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cloud.waiting(), 0);
    world.conditions.send_replace(METERED);
    tokio::time::sleep(GATE_GRACE * 2).await;
    world.conditions.send_replace(ONLINE);
    world.settled().await;
    assert_eq!(world.snapshot().await.destinations[1].safe, 4);
}

#[tokio::test(start_paused = true)]
async fn a_short_change_for_the_worse_stops_nothing() {
    let world = disk_and_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults("s3://photos/?endpoint=https://cloud.example");
    assert!(cloud.queue(Call::Send, Fault::Slow(GATE_GRACE * 3)));
    add_photos(&world, 0..1).await;
    world.until("it runs", |s| s.destinations[1].uploading == 1).await;
    let began = world.clock.now();
    for _ in 0..4 {
        world.conditions.send_replace(METERED);
        tokio::time::sleep(GATE_GRACE / 2).await;
        world.conditions.send_replace(ONLINE);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.until("done", |s| s.destinations[1].safe == 2).await;
    assert!(world.clock.now().since(began) < GATE_GRACE * 4, "it was never begun again");
}

#[tokio::test(start_paused = true)]
async fn a_low_battery_holds_up_everything_until_there_is_power() {
    let world = disk_and_cloud().await;
    let low = Conditions { is_on_battery: Some(true), battery_percent: Some(15), ..ONLINE };
    world.conditions.send_replace(low);
    tokio::time::sleep(GATE_GRACE * 2).await;
    add_photos(&world, 0..3).await;
    let waits = world.until("waits", |s| s.destinations.iter().all(|d| d.waiting == 3)).await;
    assert_eq!(kind(waits.wait_reason.as_ref()), Some("battery"));
    assert_eq!(waits.conditions.battery_percent, Some(15));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.copies().len(), 1);
    let power = world.clock.now();
    world.conditions.send_replace(Conditions { is_on_battery: Some(false), ..low });
    world.settled().await;
    assert!(world.clock.now().since(power) < Duration::from_secs(15));
    assert_eq!(world.snapshot().await.wait_reason, None);
}

#[tokio::test(start_paused = true)]
async fn the_hours_are_kept_to_the_minute_and_survive_a_restart_and_a_lost_database() {
    let mut world = disk_and_cloud().await;
    // It is 22:13:20 UTC.
    let rules = Rules { hours: Some(HoursRule { from: 23 * 60, to: 60 }), ..Rules::default() };
    world.ask(Command::SetRules(rules)).await;
    add_photos(&world, 0..3).await;
    let waits = world.until("waits", |s| s.destinations.iter().all(|d| d.waiting == 3)).await;
    let reason = waits.wait_reason.expect("a reason");
    assert_eq!((reason.kind.as_str(), reason.until.as_deref()), ("schedule", Some("2023-11-14T23:00:00Z")));
    world.stop().await;
    std::fs::remove_file(world.dir.path().join("safelight.db")).expect("lost");
    world.start().await;
    let rebuilt = world.until("rebuilt", |s| s.destinations.len() == 2).await;
    assert_eq!(rebuilt.rules, rules);
    tokio::time::sleep(Duration::from_secs(40 * 60)).await;
    assert!(world.snapshot().await.destinations.iter().all(|d| d.waiting > 0 && d.uploading == 0));
    world.settled().await;
    let done = world.clock.now().rfc3339();
    assert!(done.starts_with("2023-11-14T23:00:"), "{done}");
    // They end, too.
    let ended = world.until("ended", |s| s.wait_reason.is_some()).await;
    assert_eq!(ended.wait_reason.and_then(|w| w.until).as_deref(), Some("2023-11-15T23:00:00Z"));
    assert!(world.clock.now().rfc3339().starts_with("2023-11-15T01:00:0"), "{}", world.clock.now().rfc3339());
}

#[tokio::test(start_paused = true)]
async fn the_persons_word_holds_at_once_and_nonsense_is_refused() {
    let world = disk_and_cloud().await;
    world.conditions.send_replace(METERED);
    tokio::time::sleep(GATE_GRACE * 2).await;
    assert_eq!(kind(world.snapshot().await.destinations[1].wait_reason.as_ref()), Some("metered"));
    add_photos(&world, 0..2).await;
    world.ask(Command::SetRules(Rules { on_metered: true, ..Rules::default() })).await;
    world.until("sent", |s| s.destinations[1].safe == 3).await;
    world.ask(Command::SetRules(Rules::default())).await;
    add_photos(&world, 2..4).await;
    world.until("waits", |s| s.destinations[0].safe == 5 && s.destinations[1].waiting == 2).await;
    assert_eq!(kind(world.snapshot().await.destinations[1].wait_reason.as_ref()), Some("metered"));
    let bad = Rules { on_battery: BatteryRule::AtLeast(200), ..Rules::default() };
    let refused = world.handle().call(Command::SetRules(bad)).await.expect_err("refused");
    assert_eq!(refused.kind, crate::api::ErrorKind::Usage);
}
