//! Everything that can be pressed has a name, and what is shown by colour or shape is said too.
//! The harness itself fails on a control without a name.

use eframe::egui::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::Window;
use crate::client::Connection;
use crate::ui::fake::World;

#[test]
fn photos_are_named_with_their_state_and_place() {
    let window = Window::open(World::busy(3_000));
    let list = window.harness.get_by_label("Photos");
    assert_eq!(list.accesskit_node().role(), Role::ListBox);
    assert_eq!(list.accesskit_node().size_of_set(), Some(3_000));
    let options: Vec<_> = window.harness.get_all_by(|node| node.role() == Role::ListBoxOption).collect();
    assert!(options.len() > 10 && options.len() < 200, "only what is in view: {}", options.len());
    for (at, option) in options.iter().enumerate() {
        let node = option.accesskit_node();
        let name = node.label().expect("a name");
        assert!(name.starts_with("IMG_"), "{name}");
        let states = ["safe", "waiting", "being copied", "needs attention", "left out"];
        assert!(states.iter().any(|state| name.ends_with(state)), "{name}");
        assert_eq!(node.position_in_set(), Some(at));
    }
}

#[test]
fn the_toggle_says_what_it_is_and_whether_it_is_on() {
    let window = Window::open(World::with_library(100));
    let toggle = window.harness.get_by_role_and_label(Role::Switch, "Backup");
    let node = toggle.accesskit_node();
    assert_eq!(node.role(), Role::Switch);
    assert_eq!(node.toggled(), Some(eframe::egui::accesskit::Toggled::True));
    assert!(window.sees("100 of 100 files safe in 2 destinations, oldest proof 3 days ago"));
}

#[test]
fn attention_is_said_in_the_sidebar() {
    let window = Window::open(World::busy(3_000));
    assert!(window.sees("Queue, 3 files need attention"));
}

#[test]
fn progress_has_a_value() {
    let window = Window::open(World::busy(1_000));
    let bars: Vec<_> = window.harness.get_all_by(|node| node.role() == Role::ProgressIndicator).collect();
    let node = bars[0].accesskit_node();
    assert_eq!(node.numeric_value(), Some(60.0));
    let label = node.label().unwrap_or_default().replace('\u{a0}', " ");
    assert!(label.starts_with("Backup progress, 1 190 of 1 990 copies"), "{label}");
}

#[test]
fn a_lost_connection_is_an_alert() {
    let mut world = World::busy(100);
    world.connection = Connection::Lost("The backup has stopped".into());
    let window = Window::open(world);
    let alert = window.harness.get_by_label("The backup has stopped");
    assert_eq!(alert.accesskit_node().role(), Role::Alert);
}

#[test]
fn every_number_of_a_destination_is_a_link_to_its_list() {
    let mut window = Window::open(World::busy(900));
    window.click("Destinations");
    for (word, list) in [
        ("safe in nas", "Done, "),
        ("unproven in nas", "Unproven, "),
        ("waiting in nas", "Waiting, "),
        ("need attention in nas", "Needs attention, "),
        ("left out in nas", "Left out, "),
    ] {
        let link = window
            .harness
            .get_all_by(|n| n.role() == Role::Link && n.label().is_some_and(|l| l.contains(word)))
            .next()
            .expect("a link");
        link.click();
        window.run();
        let chosen = window
            .harness
            .get_all_by(|n| {
                let is_on = n.toggled() == Some(eframe::egui::accesskit::Toggled::True);
                is_on && n.label().is_some_and(|l| l.starts_with(list))
            })
            .count();
        assert_eq!(chosen, 1, "{word} leads to {list}");
        assert!(window.sees("Only nas"));
        window.click("Destinations");
    }
}
