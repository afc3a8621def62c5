//! Destinations are named, and drives chosen from a list.

use super::flows::type_into;
use super::*;
use crate::api::{DriveText, PathText};

#[test]
fn a_drive_is_chosen_and_given_a_name() {
    let mut world = World::with_library(20);
    world.drives = vec![DriveText {
        name: "My disk".to_owned(),
        path: PathText { path: "/media/ada/My disk".to_owned(), path_b64: None },
        free_bytes: Some(812_000_000_000),
    }];
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Add destination");
    window.click("My disk, 812 GB free");
    let is_tested = |r: &Request| matches!(r, Request::TestTarget { target, .. } if target.path == "/media/ada/My disk/Safelight");
    assert_eq!(window.asked(is_tested), 1);
    window.scroll_to("Name of the destination");
    type_into(&mut window, "Name of the destination", "Disk at home");
    window.scroll_to("Agree and add");
    window.click("Agree and add");
    let is_added =
        |r: &Request| matches!(r, Request::AddDestination { name: Some(name), .. } if name == "Disk at home");
    assert_eq!(window.asked(is_added), 1);
}

#[test]
fn a_destination_is_given_another_name() {
    let mut window = Window::open(World::with_library(20));
    window.click("Destinations");
    window.scroll_to("Rename nas");
    window.click("Rename nas");
    assert_eq!(window.focused(), "Name");
    type_into(&mut window, "Name", " in the attic");
    window.press(eframe::egui::Key::Enter);
    let is_renamed =
        |r: &Request| matches!(r, Request::RenameDestination { id: 2, name } if name == "nas in the attic");
    assert_eq!(window.asked(is_renamed), 1);
    assert!(window.sees("Rename nas in the attic"));
}

#[test]
fn a_name_that_cannot_be_one_is_said_under_its_field() {
    let mut window = Window::open(World::with_library(20));
    window.click("Destinations");
    window.click("Add destination");
    type_into(&mut window, "Backup folder", "/media/ada/Backup");
    window.press(eframe::egui::Key::Enter);
    window.scroll_to("Name of the destination");
    type_into(&mut window, "Name of the destination", "a/b");
    assert!(window.sees("A name has 1 to 40 characters"));
    window.scroll_to("Agree and add");
    window.click("Agree and add");
    assert_eq!(window.asked(|r| matches!(r, Request::AddDestination { .. })), 0);
}
