//! Destinations are named, and drives chosen from a list.

use super::flows::type_into;
use super::*;
use crate::api::{self, DriveText, Operation, PathText, Request};

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
    let is_tested = |r: &Request| matches!(r, Request::Operation(Operation::TestTarget { target, .. }) if target.path == "/media/ada/My disk/Safelight");
    assert_eq!(window.asked(is_tested), 1);
    window.scroll_to("Name of the destination");
    type_into(&mut window, "Name of the destination", "Disk at home");
    window.scroll_to("Agree and add");
    window.click("Agree and add");
    let is_added = |r: &Request| matches!(r, Request::Command(api::Command::AddDestination { name: Some(name), .. }) if name == "Disk at home");
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
    let is_renamed = |r: &Request| matches!(r, Request::Command(api::Command::RenameDestination { id: 2, name }) if name == "nas in the attic");
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
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::AddDestination { .. }))), 0);
}

#[test]
fn kinds_are_a_list_with_a_line_each_and_the_rare_ones_under_more() {
    let mut window = Window::open(World::with_library(20));
    window.click("Destinations");
    window.click("Add destination");
    let kinds = |window: &Window| -> Vec<String> {
        let all = window.harness.query_all_by(|node| node.role() == Role::RadioButton);
        all.filter_map(|node| {
            assert!(node.accesskit_node().data().description().is_some_and(|line| !line.is_empty()));
            node.accesskit_node().label()
        })
        .collect()
    };
    let first = ["Folder or disk", "Nextcloud", "WebDAV", "Immich", "S3 storage"];
    assert_eq!(kinds(&window), first);
    window.harness.get_by_label("Folder or disk").focus();
    window.run();
    window.press(eframe::egui::Key::ArrowDown);
    assert_eq!(window.focused(), "Nextcloud", "the arrows choose");
    assert!(window.harness.query_by_label("App password").is_some());
    window.press(eframe::egui::Key::End);
    assert_eq!(window.focused(), "S3 storage");
    window.press(eframe::egui::Key::Tab);
    assert_eq!(window.focused(), "More kinds of destination", "one stop for Tab");
    window.press(eframe::egui::Key::Enter);
    assert_eq!(kinds(&window)[5..], ["tus", "Resumable HTTP"]);
    window.click("tus");
    let more = window.harness.get_by_label("More kinds of destination");
    assert!(more.accesskit_node().is_disabled(), "what is chosen is not hidden");
}

#[test]
fn parts_of_the_bar_are_separated() {
    use eframe::egui::Shape;
    let mut window = Window::open(World::busy(900));
    window.click("Destinations");
    let t = crate::ui::theme::tokens_of(Theme::Dark);
    let bins = [t.bin_safe, t.bin_unproven, t.bin_uploading, t.bin_waiting, t.accent, t.bin_excluded];
    let shapes = &window.harness.output().shapes;
    let mut parts: Vec<_> = shapes
        .iter()
        .filter_map(|clipped| match &clipped.shape {
            Shape::Rect(rect) if bins.contains(&rect.fill) && rect.rect.height() == 10.0 => Some(rect.rect),
            _ => None,
        })
        .collect();
    parts.sort_by(|a, b| a.top().total_cmp(&b.top()).then(a.left().total_cmp(&b.left())));
    assert!(parts.len() >= 5, "{parts:?}");
    for pair in parts.windows(2).filter(|pair| pair[0].top() == pair[1].top()) {
        assert!(pair[1].left() - pair[0].right() >= 3.0 && pair[0].width() >= 4.0, "{pair:?}");
    }
}
