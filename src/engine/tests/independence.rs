//! Two destinations at once, with different speeds and faults, know nothing of each other.

use super::*;
use crate::destination::layer::faulty::{Call, Fault};
use crate::domain::failure::{Failure, FailureKind};

const CLOUD_URL: &str = "s3://photos/?endpoint=https://cloud.example";
const FILES: u64 = 300;

/// How long the disk takes over everything while the cloud has `trouble`.
async fn disk_takes(trouble: impl Fn(u64) -> Option<(Call, Fault)>) -> (World, Duration) {
    let world = World::new().await;
    world.add_backup().await;
    world.add_cloud().await;
    let places = world.places.as_ref().expect("places");
    let (disk, cloud) = (places.faults("/backup"), places.faults(CLOUD_URL));
    for n in 0..FILES {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
        // So that there is time to be measured.
        disk.queue(Call::Send, Fault::Slow(Duration::from_millis(200)));
        if let Some((call, fault)) = trouble(n) {
            cloud.queue(call, fault);
        }
    }
    let began = world.clock.now();
    world.set_up().await;
    world.until("on the disk", |s| s.destinations[0].safe == FILES).await;
    let took = world.clock.now().since(began);
    (world, took)
}

#[tokio::test(start_paused = true)]
async fn a_place_in_trouble_slows_nobody_down() {
    let (_world, alone) = disk_takes(|_| None).await;
    let hangs = |_| Some((Call::Send, Fault::HangUntilCancelled));
    let refuses =
        |_| Some((Call::Send, Fault::FailBefore(Failure::transient(FailureKind::Server, "planted"))));
    let is_silent = |_| Some((Call::Check, Fault::HangUntilCancelled));
    let is_slow = |_| Some((Call::Send, Fault::Slow(Duration::from_secs(600))));
    let (world, hung) = disk_takes(hangs).await;
    let limit = alone.mul_f64(1.1);
    assert!(hung <= limit, "{hung:?} against {alone:?}");
    let cloud = &world.snapshot().await.destinations[1];
    assert_eq!((cloud.safe, cloud.wait_reason.as_ref().map(|w| w.kind.as_str())), (0, Some("silent")));
    assert!(cloud.uploading <= u64::from(crate::engine::destination::worker::TRANSFERS_MAX), "{cloud:?}");
    world.check_identity().await;
    for (what, took) in [
        ("refuses", disk_takes(refuses).await.1),
        ("is slow", disk_takes(is_slow).await.1),
        ("is silent", disk_takes(is_silent).await.1),
    ] {
        assert!(took <= limit, "the cloud {what}: {took:?} against {alone:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_says_nothing_counts_as_unreachable() {
    let world = World::new().await;
    world.add_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults(CLOUD_URL);
    cloud.queue(Call::Check, Fault::HangUntilCancelled);
    world.put("/photos/a.jpg", "a");
    world.ask(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true }).await;
    world.ask(Command::SetBackup { on: true }).await;
    let lost = world.until("unreachable", |s| s.destinations[0].wait_reason.is_some()).await;
    assert_eq!(lost.destinations[0].wait_reason.as_ref().map(|w| w.kind.as_str()), Some("unreachable"));
    world.until("safe", |s| s.destinations[0].safe == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_place_that_takes_nothing_for_a_while_is_told_of() {
    let world = World::new().await;
    world.add_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults(CLOUD_URL);
    cloud.queue(Call::Send, Fault::Slow(Duration::from_secs(30)));
    world.put("/photos/a.jpg", "a");
    world.ask(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true }).await;
    world.ask(Command::SetBackup { on: true }).await;
    world.until("it runs", |s| s.destinations[0].uploading == 1).await;
    let began = world.clock.now();
    let told = world.until("told of", |s| s.destinations[0].wait_reason.is_some()).await;
    assert_eq!(told.destinations[0].wait_reason.as_ref().map(|w| w.kind.as_str()), Some("silent"));
    let took = world.clock.now().since(began);
    assert!((10..12).contains(&took.as_secs()), "{took:?}");
    let safe = world.until("safe", |s| s.destinations[0].safe == 1).await;
    assert_eq!(safe.destinations[0].wait_reason, None);
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_does_not_heed_a_stop_is_let_go_of() {
    let world = World::new().await;
    world.add_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults(CLOUD_URL);
    // A slow send does not look at being told to stop.
    cloud.queue(Call::Send, Fault::Slow(Duration::from_secs(24 * 3600)));
    world.put("/photos/a.jpg", "a");
    world.ask(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true }).await;
    world.ask(Command::SetBackup { on: true }).await;
    world.until("it runs", |s| s.destinations[0].uploading == 1).await;
    let told = world.clock.now();
    world.ask(Command::Pause { for_secs: None }).await;
    world.until("stopped", |s| s.destinations[0].uploading == 0).await;
    assert!(world.clock.now().since(told) <= Duration::from_secs(5));
    world.ask(Command::Resume).await;
    world.until("safe", |s| s.destinations[0].safe == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_transfer_without_a_sign_of_life_fails_and_is_tried_again() {
    let world = World::new().await;
    world.add_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults(CLOUD_URL);
    cloud.queue(Call::Send, Fault::Slow(Duration::from_secs(3650 * 24 * 3600)));
    world.put("/photos/a.jpg", "a");
    world.ask(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true }).await;
    world.ask(Command::SetBackup { on: true }).await;
    world.until("it runs", |s| s.destinations[0].uploading == 1).await;
    let began = world.clock.now();
    world.until("safe", |s| s.destinations[0].safe == 1).await;
    let took = world.clock.now().since(began);
    assert!((1800..3600).contains(&took.as_secs()), "{took:?}");
}
