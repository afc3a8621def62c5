//! A backup on the disk of the photos is said to be one.

use super::*;
use crate::api::Operation;
use crate::domain::messages::SAME_DISK;

fn disks(world: &World, backup: Option<&str>) {
    let mut disks = vec![("/photos", "8:0".to_owned())];
    disks.extend(backup.map(|disk| ("/backup", disk.to_owned())));
    *world.disks.lock() = disks;
}

async fn test(world: &World) -> Vec<String> {
    let target = PathText::from_bytes(b"/backup");
    let test = Request::Operation(Operation::TestTarget {
        target,
        allow_http: false,
        secret: None,
        trust_checksum: false,
    });
    let Reply::Tested(report) = world.ask(test).await else { panic!("a report") };
    assert!(report.is_usable);
    report.warnings
}

#[tokio::test(start_paused = true)]
async fn it_is_said_before_it_is_added_and_for_as_long_as_it_is_so() {
    let mut world = World::new().await;
    world.put("/photos/1.jpg", "one");
    world.mount(Some("a disk"));
    let path = PathText::from_bytes(b"/photos");
    world.ask(Command::AddSource { path, consent_all: true }).await;
    for (disk, warns) in [(Some("8:0"), true), (Some("8:16"), false), (None, false)] {
        disks(&world, disk);
        assert_eq!(test(&world).await, if warns { vec![SAME_DISK.to_owned()] } else { Vec::new() });
    }
    disks(&world, Some("8:0"));
    world.set_up().await;
    assert!(world.destination().await.same_disk, "at once, for whoever asks after adding it");
    world.settled().await;

    world.stop().await;
    world.start().await;
    world.until("known after a start", |s| s.destinations[0].same_disk).await;

    // While it is away, what is at its place may well be on the photos' disk.
    world.mount(None);
    world.until("away", |s| s.destinations[0].wait_reason.is_some()).await;
    assert!(!world.destination().await.same_disk);
    disks(&world, Some("8:16"));
    world.mount(Some("another disk"));
    let back = world.until("back", |s| s.destinations[0].wait_reason.is_none()).await;
    assert!(!back.destinations[0].same_disk);
}

#[tokio::test(start_paused = true)]
async fn a_server_is_on_no_disk_of_the_photos() {
    let world = World::new().await;
    disks(&world, Some("8:0"));
    world.put("/photos/1.jpg", "one");
    world.add_cloud().await;
    let path = PathText::from_bytes(b"/photos");
    world.ask(Command::AddSource { path, consent_all: true }).await;
    assert!(!world.destination().await.same_disk);
}
