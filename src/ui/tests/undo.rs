//! What can be undone offers that in its message.

use super::Window;
use crate::api::{self, Request};
use crate::ui::fake::World;

#[test]
fn what_can_be_undone_says_so_and_is() {
    let mut window = Window::open(World::busy(900));
    window.click("Review");
    window.click_starting("Leave all out: The file is empty");
    window.click_in_dialog("Leave out");
    assert!(window.sees("Left out 2 files"), "a whole class, file by file");
    assert_eq!(window.world.borrow().excluded.len(), 4);
    window.click("Undo");
    assert_eq!(window.world.borrow().excluded.len(), 2);
    // A folder that was removed comes back to the destinations it had.
    window.click("Settings");
    window.world.borrow_mut().snapshot.destinations[1].sources.clear();
    window.click("Remove /home/ada/Pictures");
    window.click_in_dialog("Stop backing up");
    assert!(window.world.borrow().snapshot.sources.is_empty());
    assert!(window.sees("/home/ada/Pictures is no longer backed up. All copies stay"));
    window.click("Undo");
    assert_eq!(window.world.borrow().snapshot.sources.len(), 1);
    let consents =
        window.asked(|r| matches!(r, Request::Command(api::Command::Consent { destination: 1, .. })));
    assert_eq!(consents, 1, "to the one, and not to the other");
    assert_eq!(
        window.asked(|r| matches!(r, Request::Command(api::Command::Consent { destination: 2, .. }))),
        0
    );
}

#[test]
fn a_removed_destination_is_forgotten_only_when_that_cannot_be_undone() {
    let removed = |r: &Request| matches!(r, Request::Command(api::Command::RemoveDestination { .. }));
    let switched = |on: bool| {
        move |r: &Request| *r == Request::Command(api::Command::EnableDestination { id: 2, enabled: on })
    };
    let mut window = Window::open(World::with_library(20));
    window.click("Destinations");
    window.scroll_to("Remove nas");
    window.click("Remove nas");
    window.click_in_dialog("Remove destination");
    assert!(window.sees("nas was removed. Its copies stay where they are"));
    assert!(!window.sees("Back up to nas"), "it is out of sight");
    assert_eq!((window.asked(removed), window.asked(switched(false))), (0, 1), "off at once, and known");
    window.click("Undo");
    assert_eq!(window.asked(switched(true)), 1);
    assert!(window.sees("Back up to nas"));
    window.world.borrow_mut().now.0 += 60_000;
    window.run();
    assert_eq!(window.asked(removed), 0, "undone is undone");
    window.scroll_to("Remove nas");
    window.click("Remove nas");
    window.click_in_dialog("Remove destination");
    window.world.borrow_mut().now.0 += 16_000;
    window.run();
    assert_eq!(
        window.asked(|r| *r == Request::Command(api::Command::RemoveDestination { id: 2 })),
        1,
        "its time is over"
    );
    assert_eq!(window.world.borrow().snapshot.destinations.len(), 1);
}

#[test]
fn a_removal_is_carried_out_when_the_window_ends_and_waits_for_a_lost_agent() {
    use crate::client::Connection;
    let removed = |r: &Request| *r == Request::Command(api::Command::RemoveDestination { id: 1 });
    let remove = |window: &mut Window| {
        window.click("Destinations");
        window.click("Remove Backup disk");
        window.click_in_dialog("Remove destination");
    };
    let mut window = Window::open(World::with_library(20));
    remove(&mut window);
    window.press_with(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::Q);
    let place = |window: &Window, test: &dyn Fn(&Request) -> bool| {
        window.world.borrow().requests.iter().position(test)
    };
    let (first, last) =
        (place(&window, &removed), place(&window, &|r| *r == Request::Command(api::Command::Shutdown)));
    assert!(first.is_some() && first < last, "before the agent stops: {first:?} {last:?}");
    let mut window = Window::open(World::with_library(20));
    remove(&mut window);
    window.world.borrow_mut().connection = Connection::Lost("gone".into());
    window.world.borrow_mut().now.0 += 60_000;
    window.run();
    assert_eq!(window.asked(removed), 0);
    window.world.borrow_mut().connection = Connection::Connected;
    window.run();
    assert_eq!(window.asked(removed), 1);
}
