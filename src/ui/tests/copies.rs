//! Copies that are checked, and files that come back.

use super::Window;
use crate::api::{Operation, OperationKind, OperationState, Progress, Reply, Request};
use crate::ui::fake::World;

#[test]
fn copies_are_checked_and_how_far_that_is_is_shown() {
    let mut world = World::with_library(100);
    world.verified = Reply::Verified { checked: 100, failed: 2, unproven: 0, reasons: Vec::new() };
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Verify the copies in nas");
    assert_eq!(
        window.asked(|r| matches!(
            r,
            Request::Operation(Operation::Verify { destination: Some(2), deep: false })
        )),
        1
    );
    assert!(window.sees("2 of 100 files in nas damaged or missing"));
    let progress = Progress { files_done: 40, files_total: 100, secs_left: Some(200), ..Progress::default() };
    let reading = OperationState { kind: OperationKind::Verify, destination: 2, restore: None, progress };
    {
        let mut world = window.world.borrow_mut();
        world.snapshot.reading = vec![reading];
        world.snapshot.revision += 1;
    }
    window.run();
    assert!(window.sees("Verifying copies, 40 of 100 files, about 4 minutes left"));
    // One at a time.
    window.click("Verify the copies in nas");
    assert_eq!(window.asked(|r| matches!(r, Request::Operation(Operation::Verify { .. }))), 1);
}

#[test]
fn a_disk_that_proves_nothing_yet_says_what_would_and_can_be_reconnected() {
    let advice = crate::domain::record::ProofNeed::Reconnect.advice();
    let mut world = World::with_library(100);
    let nas = &mut world.snapshot.destinations[1];
    nas.proof.clear();
    nas.unproven = 7;
    (nas.proof_need, nas.proof_advice) = (Some("reconnect".to_owned()), Some(advice.to_owned()));
    let mut window = Window::open(world);
    window.click("Destinations");
    assert!(window.sees(advice) && window.sees("Verified by reading back after reconnecting the disk"));
    window.click("Verify nas after reconnecting");
    assert_eq!(window.asked(|r| matches!(r, Request::Operation(Operation::Reconnect { id: 2 }))), 1);
    assert!(window.sees("The disk of nas was reconnected. Its copies are being verified"));
    for (reconnecting, says) in [(true, "Reconnecting the disk"), (false, "Verifying 7 files")] {
        {
            let mut world = window.world.borrow_mut();
            let nas = &mut world.snapshot.destinations[1];
            (nas.is_reconnecting, nas.verifying) = (reconnecting, true);
            world.snapshot.revision += 1;
        }
        window.run();
        assert!(window.sees(says) && !window.sees(advice), "{says}");
    }
}
