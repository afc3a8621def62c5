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
        let states = ["safe", "waiting", "uploading", "needs attention", "left out"];
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
    assert!(window.sees("100 of 100 files safe in 2 destinations, oldest verification 3 days ago"));
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
                let is_on = n.role() == Role::Tab && n.is_selected() == Some(true);
                is_on && n.label().is_some_and(|l| l.starts_with(list))
            })
            .count();
        assert_eq!(chosen, 1, "{word} leads to {list}");
        assert!(window.sees("Only nas"));
        window.click("Destinations");
    }
}

#[test]
fn headings_are_headings_and_tabs_are_tabs() {
    let mut window = Window::open(World::busy(900));
    let levels = |window: &Window| -> Vec<(String, usize)> {
        let headings = window.harness.query_all_by(|node| node.role() == Role::Heading);
        let name = |node: &egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
        headings.map(|node| (name(&node), node.accesskit_node().level().unwrap_or(0))).collect()
    };
    for (screen, heading) in [("Queue", "Queue"), ("Destinations", "Destinations"), ("Settings", "Settings")]
    {
        window.click_starting(screen);
        assert!(levels(&window).contains(&(heading.to_owned(), 1)), "{screen}: {:?}", levels(&window));
    }
    assert!(levels(&window).contains(&("Photo folders".to_owned(), 2)));
    let screens = window.harness.get_by(|node| node.role() == Role::TabList);
    assert_eq!(screens.accesskit_node().label().as_deref(), Some("Screens"));
    let tabs: Vec<_> = screens.query_all_by(|node| node.role() == Role::Tab).collect();
    let shown: Vec<_> = tabs.iter().filter(|tab| tab.accesskit_node().is_selected() == Some(true)).collect();
    assert_eq!((tabs.len(), shown.len()), (5, 1));
    assert_eq!(shown[0].accesskit_node().label().as_deref(), Some("Settings"));
}

#[test]
fn folds_say_whether_they_are_open_and_dialogs_that_nothing_else_can_be_used() {
    let mut window = Window::open(World::busy(900));
    window.click("Review");
    let expanded = |window: &Window| {
        let fold = window.harness.get_by_label("Files, The file is empty");
        fold.accesskit_node().data().is_expanded()
    };
    assert_eq!(expanded(&window), Some(false));
    window.click("Files, The file is empty");
    assert_eq!(expanded(&window), Some(true));
    window.press(eframe::egui::Key::F1);
    let dialog = window.harness.get_by(|node| node.role() == Role::Dialog);
    assert!(dialog.accesskit_node().is_modal(), "nothing behind it can be used");
    assert_eq!(dialog.accesskit_node().label().as_deref(), Some("Keyboard shortcuts"));
}

#[test]
fn the_window_has_a_name_and_what_happens_is_read_out() {
    use eframe::egui::accesskit::Live;
    let mut window = Window::open(World::busy(900));
    let frame = window.harness.root().accesskit_node().label();
    assert_eq!(frame.as_deref(), Some("Safelight"));
    window.click("Review");
    window.click("Retry 1 file");
    assert!(window.sees("Retrying 1 file"));
    let said = window.harness.query_all_by(|node| node.role() == Role::Status);
    let live = said.filter(|node| node.accesskit_node().live() == Live::Polite).count();
    assert!(live >= 2, "the message and the sentence beside the switch is read out when it changes");
}
