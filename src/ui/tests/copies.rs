//! Copies that are checked, and files that come back.

use eframe::egui::{Key, Modifiers};

use super::Window;
use super::flows::{path, type_into};
use crate::api::{Progress, Reading, ReadingKind, Reply, Request};
use crate::ui::fake::World;

#[test]
fn copies_are_checked_and_how_far_that_is_is_shown() {
    let mut world = World::with_library(100);
    world.verified = Reply::Verified { checked: 100, failed: 2, unproven: 0, reasons: Vec::new() };
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Verify the copies in nas");
    assert_eq!(window.asked(|r| matches!(r, Request::Verify { destination: Some(2), deep: false })), 1);
    assert!(window.sees("2 of 100 files in nas damaged or missing"));
    let progress = Progress { files_done: 40, files_total: 100, secs_left: Some(200), ..Progress::default() };
    let reading = Reading { kind: ReadingKind::Verify, destination: 2, progress };
    {
        let mut world = window.world.borrow_mut();
        world.snapshot.reading = vec![reading];
        world.snapshot.revision += 1;
    }
    window.run();
    assert!(window.sees("Verifying copies, 40 of 100 files, about 4 minutes left"));
    // One at a time.
    window.click("Verify the copies in nas");
    assert_eq!(window.asked(|r| matches!(r, Request::Verify { .. })), 1);
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
    assert!(window.sees(advice) && window.sees("Proof: read back after the disk was reconnected"));
    window.click("Verify nas after reconnecting");
    assert_eq!(window.asked(|r| matches!(r, Request::Reconnect { id: 2 })), 1);
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

#[test]
fn files_come_back_into_a_folder_and_what_did_not_is_named() {
    let mut world = World::with_library(100);
    world.picks.extend([Ok(Some(path("/home/ada/Back"))), Ok(None)]);
    world.restored = Reply::Restored {
        restored: 97,
        present: 1,
        failed: 2,
        sentences: vec!["The copy is damaged: 2024/2024-07/a.jpg".to_owned()],
        stopped: None,
    };
    let mut window = Window::open(world);
    window.click("Destinations");
    restore(&mut window);
    let is_asked = |r: &Request| matches!(r, Request::Restore { destination: 2, into, layout: crate::api::RestoreLayout::Dates, only: None } if into.path == "/home/ada/Back");
    assert_eq!(window.asked(is_asked), 1);
    for text in [
        "Not everything came back from nas",
        "97 files restored into /home/ada/Back and verified",
        "1 file was already there",
        "2 files could not be restored",
        "The copy is damaged: 2024/2024-07/a.jpg",
        "And 1 file more",
    ] {
        assert!(window.sees(text), "{text}");
    }
    window.click("Show folder");
    assert_eq!(window.world.borrow().shown_in_folder, [path("/home/ada/Back")]);
    // A folder dialog that is cancelled asks for nothing.
    window.click("Restore files from nas");
    window.click("Choose");
    window.click("Restore");
    assert!(window.sees("Enter the full path, starting with /"), "nothing was chosen");
    assert_eq!(window.asked(is_asked), 1);
}

/// Restores into the folder that is picked next.
fn restore(window: &mut Window) {
    window.click("Restore files from nas");
    window.click("Choose");
    window.click("Restore");
}

#[test]
fn where_no_folder_dialog_can_be_shown_the_folder_is_typed() {
    let mut world = World::with_library(100);
    world.picks.push_back(Err("No folder dialog here; type the path instead".into()));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Restore files from nas");
    assert_eq!(window.focused(), "Folder for the restored files");
    window.click("Choose");
    assert!(window.sees("type the path instead"), "said in the question itself");
    type_into(&mut window, "Folder for the restored files", "/home/ada/Typed");
    assert!(!window.sees("type the path instead"), "until it is mended");
    window.press(Key::Enter);
    let is_asked = |r: &Request| matches!(r, Request::Restore { into, .. } if into.path == "/home/ada/Typed");
    assert_eq!(window.asked(is_asked), 1);
}

#[test]
fn a_window_that_waits_for_files_asks_before_it_closes() {
    let mut world = World::with_library(100);
    world.picks.push_back(Ok(Some(path("/home/ada/Back"))));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.world.borrow_mut().is_mute = true;
    restore(&mut window);
    window.press_with(Modifiers::COMMAND, Key::Q);
    assert!(window.sees("Stop restoring?"));
    window.click("Keep restoring");
    assert_eq!(window.asked(|r| *r == Request::Shutdown), 0);
    window.press_with(Modifiers::COMMAND, Key::Q);
    window.click("Quit");
    assert_eq!(window.asked(|r| *r == Request::Shutdown), 1);
}
