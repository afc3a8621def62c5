//! What needs the person comes first, with the action that mends it; waiting says why once.

use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::Window;
use crate::api::{self, FailureText, Operation, Query, QueueList, Request, Selection, WaitText};
use crate::domain::cause::Cause;
use crate::domain::failure::{FailureKind, Reach};
use crate::domain::time::UnixMillis;
use crate::domain::wait::WaitReason;
use crate::ui::commands::Screen;
use crate::ui::fake::World;

/// The names of everything that is shown, in the order in which they are read.
fn names(window: &Window) -> Vec<String> {
    let all = window.harness.query_all_by(|_| true);
    all.filter_map(|node| node.accesskit_node().label()).map(|name| name.replace('\u{a0}', " ")).collect()
}

fn place(names: &[String], start: &str) -> usize {
    let at = names.iter().position(|name| name.starts_with(start));
    at.unwrap_or_else(|| panic!("no {start} in {names:?}"))
}

fn failing(kind: FailureKind, cause: Option<Cause>) -> World {
    let mut world = World::busy(900);
    world.failure = Some(FailureText::with_cause(kind, Reach::Resource, cause, "as it was said".to_owned()));
    world
}

#[test]
fn the_queue_opens_on_what_needs_the_person() {
    let mut window = Window::open(World::busy(900));
    window.harness.state_mut().queue.tab = QueueList::Done;
    window.click_starting("Queue");
    assert_eq!(window.harness.state().queue.tab, QueueList::NeedsAttention);
    assert!(window.focused().starts_with("Needs attention, "), "{}", window.focused());
    let names = names(&window);
    assert!(place(&names, "Needs attention, ") < place(&names, "Uploading, "), "the first of the lists");
    window.click_starting("Waiting, ");
    window.click_starting("Queue");
    assert_eq!(
        window.harness.state().queue.tab,
        QueueList::Waiting,
        "pressed where one is, it changes nothing"
    );
    let mut world = World::busy(900);
    world.attention.clear();
    world.recount();
    let mut window = Window::open(world);
    window.click_starting("Queue");
    assert_eq!(window.harness.state().queue.tab, QueueList::Uploading, "nothing needs the person");
    let mut window = Window::open(World::busy(900));
    window.harness.state_mut().queue.destination = Some(2);
    window.world.borrow_mut().snapshot.destinations[1].needs_attention = 0;
    window.click_starting("Queue");
    assert_eq!(window.harness.state().queue.destination, None, "what needs the person is not hidden");
}

#[test]
fn the_first_list_has_the_keyboard_where_nothing_else_happens() {
    let mut world = World::with_library(900);
    world.attention = (3..120).step_by(9).collect();
    world.recount();
    let mut window = Window::open(world);
    window.press_with(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::Num2);
    assert!(window.focused().starts_with("Needs attention, "), "{}", window.focused());
}

#[test]
fn waiting_says_its_reason_once() {
    let mut world = World::busy(900);
    world.attention.clear();
    world.snapshot.uploading.clear();
    let away = WaitReason::Unreachable { until: UnixMillis(world.now.0 + 240_000) };
    world.snapshot.destinations[1].wait_reason = Some(WaitText::from(&away));
    world.recount();
    let mut window = Window::open(world);
    window.harness.state_mut().screen = Screen::Queue;
    window.harness.state_mut().queue.tab = QueueList::Waiting;
    window.run();
    assert_eq!(window.count("nas: the destination cannot be reached, next try in 4 minutes"), 1);
    assert_eq!(window.count("Uploaded next, newest first"), 1);
    assert!(window.count("IMG_") > 4, "the rows are there");
    let painted = window.harness.output().shapes.iter().filter(|clipped| match &clipped.shape {
        eframe::egui::Shape::Text(text) => text.galley.text().contains("cannot be reached"),
        _ => false,
    });
    assert_eq!(painted.count(), 1, "no row says it again");
}

#[test]
fn what_mends_comes_before_retrying() {
    for (kind, cause, action) in [
        (FailureKind::Full, None, "Free space: "),
        (FailureKind::Credentials, Some(Cause::KeyExpired), "Change password: "),
        (FailureKind::Forbidden, Some(Cause::FolderPermission), "Change permissions: "),
        (FailureKind::Unreadable, Some(Cause::ReadOnly), "Test again: "),
        (FailureKind::Tls, Some(Cause::UnknownAuthority), "Open network settings: "),
        (FailureKind::Conflict, Some(Cause::Trashed), "Restore from trash: "),
    ] {
        let mut window = Window::open(failing(kind, cause));
        window.click("Review");
        let names = names(&window);
        let (mend, retry) = (place(&names, action), place(&names, "Retry all: "));
        assert!(mend < retry && retry < place(&names, "Leave all out: "), "{kind:?}: {names:?}");
    }
    let mut window = Window::open(failing(FailureKind::Timeout, None));
    window.click("Review");
    let names = names(&window);
    assert!(place(&names, "Retry all: ") < place(&names, "Leave all out: "), "passes by itself");
}

#[test]
fn one_destination_chosen_is_the_only_one_that_is_changed() {
    let open = || {
        let mut window = Window::open(failing(FailureKind::Timeout, None));
        window.click("Review");
        window.harness.state_mut().queue.destination = Some(2);
        window.harness.run();
        window
    };
    let mut window = open();
    let is_asked_of = |r: &Request| matches!(r, Request::Query(Query::Queue(query)) if query.destination == Some(2) && query.failure_kind.is_some());
    let name = window.world.borrow().snapshot.destinations[1].name.clone();
    let before = window.asked(is_asked_of);
    window.click_starting(&format!("Retry all at {name}: "));
    assert_eq!(window.asked(is_asked_of), before + 1);
    let by_id = |r: &Request| matches!(r, Request::Command(api::Command::Retry(Selection::Items(_))));
    let by_class =
        |r: &Request| matches!(r, Request::Command(api::Command::Retry(Selection::Kind(_) | Selection::All)));
    assert_eq!((window.asked(by_id), window.asked(by_class)), (1, 0));
    let mut window = open();
    window.click_starting(&format!("Leave all out at {name}: "));
    assert!(window.sees(&format!("Leave these files out at {name}?")));
    let by_class = |r: &Request| matches!(r, Request::Command(api::Command::Exclude(Selection::Kind(_))));
    window.click("Leave out");
    let by_id = |r: &Request| matches!(r, Request::Command(api::Command::Exclude(Selection::Items(_))));
    assert_eq!((window.asked(by_id), window.asked(by_class)), (1, 0));
}

#[test]
fn what_mends_is_done_by_its_button() {
    let mut world = failing(FailureKind::Credentials, Some(Cause::KeyExpired));
    world.snapshot.destinations[0].kind = "immich".to_owned();
    let mut window = Window::open(world);
    window.click("Review");
    window.click_starting("Change key: ");
    assert_eq!(window.harness.state().screen, Screen::Destinations);
    assert_eq!(window.focused(), "New password, key or token for Backup disk");
    let mut window = Window::open(failing(FailureKind::Full, None));
    window.click("Review");
    window.click_starting("Free space: ");
    assert_eq!(window.world.borrow().shown_in_folder[0].path, "/media/ada/Backup disk");
    let mut window = Window::open(failing(FailureKind::Unreadable, Some(Cause::ReadOnly)));
    window.click("Review");
    window.click_starting("Test again: ");
    assert_eq!(window.asked(|r| *r == Request::Operation(Operation::TestDestination { id: 1 })), 1);
    let mut window = Window::open(failing(FailureKind::Conflict, Some(Cause::Trashed)));
    window.click("Review");
    window.click_starting("Restore from trash: ");
    let class = |r: &Request| matches!(r, Request::Operation(Operation::RestoreFromTrash(Selection::Kind(class))) if class == "conflict.trashed");
    assert_eq!(window.asked(class), 1);
}

#[test]
fn a_file_is_shown_where_one_fails_and_a_list_where_many_do() {
    let mut world = World::busy(900);
    world.attention = [30].into();
    world.recount();
    let name = world.path(30);
    let mut window = Window::open(world);
    window.click("Review");
    window.click_starting("Show file: ");
    assert_eq!(window.world.borrow().shown_in_folder, [name]);
    let mut world = World::busy(900);
    world.attention = [30, 33, 36].into();
    world.recount();
    let mut window = Window::open(world);
    window.click("Review");
    let files = window.harness.get_by(|node| node.label().is_some_and(|l| l.starts_with("Files, ")));
    assert_eq!(files.accesskit_node().data().is_expanded(), Some(false));
    window.click_starting("Files, ");
    assert!(window.sees("Show IMG_0030"), "each with what shows it in the file manager");
}

#[test]
fn a_destination_that_cannot_be_used_offers_what_mends_it() {
    let mut world = World::with_library(20);
    let full = FailureText::new(FailureKind::Full, Reach::Destination, "ENOSPC".to_owned());
    world.snapshot.destinations[0].failure = Some(full);
    let gone = FailureText::new(FailureKind::Credentials, Reach::Destination, "401".to_owned());
    (world.snapshot.destinations[1].failure, world.snapshot.destinations[1].kind) =
        (Some(gone), "webdav".to_owned());
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Free space: Backup disk");
    assert_eq!(window.world.borrow().shown_in_folder.len(), 1);
    window.scroll_to("Change password: nas");
    window.click("Change password: nas");
    assert_eq!(window.focused(), "New password, key or token for nas");
}

#[test]
fn damaged_pictures_and_failing_files_say_so_in_the_library() {
    let mut world = World::busy(900);
    world.damaged.insert(0);
    world.recount();
    let first = world.path(0).file_name().to_owned();
    let mut window = Window::open(world);
    let damaged =
        |window: &Window| names(window).iter().any(|n| n.starts_with(&first) && n.contains(", damaged, "));
    assert!(damaged(&window));
    window.click("Show: Attention");
    assert!(window.sees("3 items"));
    window.click("Show 3 files in the queue");
    assert_eq!(window.harness.state().queue.tab, QueueList::NeedsAttention);
    window.click("Library");
    window.click("Show: All");
    window.harness.state_mut().viewer = Some(super::super::viewer::Viewer::new(1, Some(0)));
    window.run();
    assert!(window.sees("This picture is damaged"));
    assert!(window.sees("It is backed up as it is"));
}

#[test]
fn what_is_switched_off_is_in_no_list_but_its_own() {
    let mut world = World::busy(900);
    world.snapshot.destinations[1].enabled = false;
    world.recount();
    let mut window = Window::open(world);
    window.harness.state_mut().screen = Screen::Queue;
    for list in [QueueList::Waiting, QueueList::Done, QueueList::Excluded] {
        window.harness.state_mut().queue.tab = list;
        window.run();
        assert!(window.sees(", Backup disk, ") || window.sees("Backup disk, /"), "{list:?}");
        assert!(!window.sees("nas, /"), "{list:?}");
    }
    window.click("Only nas, off");
    assert!(window.sees("nas, /") && !window.sees("Backup disk, /"));
    assert!(window.sees("This destination is switched off"));
    window.click_starting("Needs attention, ");
    assert!(window.sees("Open IMG_") && !window.sees("Retry all"), "its files one by one");
}
