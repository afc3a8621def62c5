//! Where the keyboard is, and in which order Tab walks.

use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::Window;
use super::flows::type_into;
use crate::client::Connection;
use crate::ui::commands::Dialog;
use crate::ui::fake::World;

/// The names that Tab walks through from where the keyboard is, until it comes round.
fn stops(window: &mut Window) -> Vec<String> {
    let mut stops: Vec<String> = Vec::new();
    for _ in 0..60 {
        window.press(Key::Tab);
        let name = window.focused();
        if stops.contains(&name) {
            break;
        }
        stops.push(name);
    }
    stops
}

fn place(stops: &[String], name: &str) -> usize {
    stops.iter().position(|stop| stop.starts_with(name)).unwrap_or_else(|| panic!("{name} in {stops:?}"))
}

fn assert_order(stops: &[String], names: &[&str]) {
    let places: Vec<usize> = names.iter().map(|name| place(stops, name)).collect();
    // Tab goes round: the order holds from wherever it began.
    let falls = places.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(falls <= 1, "{names:?} in {stops:?}");
}

#[test]
fn tab_walks_in_the_order_of_reading() {
    let mut window = Window::open(World::busy(900));
    let library = stops(&mut window);
    assert_order(&library, &["Library", "Review", "Backup", "Show: All", "Photos", "Pause"]);
    window.click("Settings");
    let settings = stops(&mut window);
    assert_order(&settings, &["Rescan", "Rescan /home", "Remove /home", "Photo folder", "Choose"]);
    window.click("Destinations");
    let cards = stops(&mut window);
    assert_order(
        &cards,
        &["Add destination", "Back up to Backup disk", "Test Backup disk", "Back up to nas"],
    );
}

#[test]
fn groups_of_choices_are_one_stop_and_arrows_walk_in_them() {
    let mut window = Window::open(World::busy(900));
    let library = stops(&mut window);
    assert_eq!(library.iter().filter(|stop| stop.starts_with("Show: ")).count(), 1, "{library:?}");
    let screens = ["Library", "Queue", "Destinations", "Settings"];
    assert_eq!(library.iter().filter(|stop| screens.iter().any(|s| stop.starts_with(s))).count(), 1);
    window.click_starting("Queue");
    assert_eq!(window.focused(), "Needs attention, 6 copies", "the list that is shown has the keyboard");
    window.press(Key::ArrowRight);
    assert!(window.focused().starts_with("Uploading, "));
    assert_eq!(window.harness.state().queue.tab, crate::api::QueueList::Uploading);
    window.press(Key::End);
    assert!(window.focused().starts_with("Done, "));
    window.press(Key::ArrowRight);
    assert!(window.focused().starts_with("Needs attention, "), "it goes round");
}

#[test]
fn the_first_field_has_the_keyboard_however_long_the_agent_takes() {
    let mut world = World::new();
    world.connection = Connection::Connecting;
    let mut window = Window::open(world);
    // Nothing has the keyboard while there is nothing to type into.
    window.harness.ctx.memory_mut(|memory| memory.stop_text_input());
    for _ in 0..10 {
        window.run();
    }
    window.world.borrow_mut().connection = Connection::Connected;
    window.run();
    assert_eq!(window.focused(), "Photo folder");
}

#[test]
fn the_first_field_of_a_page_has_the_keyboard() {
    let window = Window::open(World::new());
    assert_eq!(window.focused(), "Photo folder");
    let mut window = Window::open(World::with_library(20));
    assert_eq!(window.focused(), "Photos");
    window.press_with(Modifiers::COMMAND, Key::Num4);
    assert_eq!(window.focused(), "Folder for the restored files");
    window.press_with(Modifiers::COMMAND, Key::Num5);
    assert_eq!(window.focused(), "Photo folder");
    window.press_with(Modifiers::COMMAND, Key::Num3);
    window.click("Add destination");
    assert_eq!(window.focused(), "Backup folder");
    window.press_with(Modifiers::COMMAND, Key::Num1);
    assert_eq!(window.focused(), "Photos");
}

#[test]
fn the_keyboard_returns_from_a_question_to_where_it_was() {
    let mut window = Window::open(World::busy(900));
    window.press(Key::F1);
    assert_eq!(window.focused(), "Done");
    window.press(Key::Escape);
    assert_eq!(window.focused(), "Photos");
    window.press(Key::ArrowRight);
    window.press(Key::Enter);
    assert!(window.sees("Back to the library"));
    window.press(Key::F1);
    window.press(Key::Escape);
    assert!(window.sees("Back to the library"), "Esc closed the question alone");
    window.press(Key::Escape);
    // The grid tells of the photo that its own place is on.
    assert!(window.focused().starts_with("IMG_0000"), "the grid has it after the viewer");
    window.press(Key::End);
    window.press(Key::Enter);
    assert!(window.sees("IMG_0899"));
}

#[test]
fn enter_and_escape_in_a_field_leave_the_keyboard_there() {
    let mut window = Window::open(World::with_library(20));
    window.click("Settings");
    type_into(&mut window, "Photo folder", "nowhere");
    window.press(Key::Enter);
    assert_eq!(window.focused(), "Photo folder");
    window.press(Key::Escape);
    assert_eq!(window.focused(), "Photo folder");
    window.press(Key::Tab);
    assert_eq!(window.focused(), "Choose");
}

#[test]
fn the_safe_choice_of_a_dangerous_question_has_the_keyboard() {
    let mut window = Window::open(World::busy(900));
    let path = super::flows::path("/p");
    for (dialog, safe) in [
        (Dialog::QuitWithWorkLeft, "Keep backing up"),
        (Dialog::RemoveSource { id: 1, path }, "Cancel"),
        (Dialog::RemoveDestination { id: 1, name: "nas".into(), safe: 3 }, "Cancel"),
        (Dialog::ExcludeAssets { assets: vec![1] }, "Cancel"),
        (Dialog::ClosingNotice, "Close window"),
    ] {
        let before = window.world.borrow().requests.len();
        window.harness.state_mut().open_dialog(dialog.clone());
        window.run();
        assert_eq!(window.focused(), safe, "{dialog:?}");
        if dialog != Dialog::ClosingNotice {
            window.press(Key::Enter);
            assert!(window.harness.query_by(|node| node.role() == Role::Dialog).is_none());
            assert_eq!(window.world.borrow().requests.len(), before, "{dialog:?}: Enter did nothing");
        } else {
            window.press(Key::Escape);
        }
    }
}

#[test]
fn a_question_fits_a_small_window_and_its_buttons_are_in_view() {
    let mut window = Window::sized(World::busy(900), 480.0, 400.0);
    for dialog in [Dialog::Shortcuts, Dialog::RemoveDestination { id: 1, name: "nas".into(), safe: 3 }] {
        window.harness.state_mut().open_dialog(dialog);
        window.run();
        let view = window.harness.ctx.content_rect();
        for button in
            window.harness.get_by(|n| n.role() == Role::Dialog).query_all_by(|n| n.role() == Role::Button)
        {
            assert!(view.contains_rect(button.rect()), "{:?} in {view:?}", button.accesskit_node().label());
        }
        window.press(Key::Escape);
    }
}

#[test]
fn nothing_leaves_a_narrow_window() {
    for width in [480.0, 760.0, 1_440.0] {
        let mut window = Window::sized(World::busy(900), width, 400.0);
        for screen in ["Library", "Queue", "Destinations", "Settings"] {
            window.click_starting(screen);
            let toggle = window.harness.get_by_role_and_label(Role::Switch, "Backup").rect();
            assert!(toggle.right() <= width, "{screen} at {width}: the switch at {toggle:?}");
            assert!(window.harness.get_by_label("Review").rect().right() <= width, "{screen} at {width}");
        }
        window.click_starting("Library");
        let count = window.harness.get_by_label("900 items").rect();
        assert!(count.right() <= width, "the count at {count:?}");
    }
}

#[test]
fn all_text_can_be_made_larger_and_stays_so() {
    let mut window = Window::open(World::with_library(50));
    window.press_with(Modifiers::COMMAND, Key::Plus);
    window.press_with(Modifiers::COMMAND, Key::Plus);
    assert_eq!(window.saved.borrow().last().map(|p| p.text_scale), Some(1.25));
    assert!((window.harness.ctx.zoom_factor() - 1.25).abs() < 0.01);
    window.press_with(Modifiers::COMMAND, Key::Minus);
    assert_eq!(window.saved.borrow().last().map(|p| p.text_scale), Some(1.1));
    window.press_with(Modifiers::COMMAND, Key::Num0);
    assert_eq!(window.saved.borrow().last().map(|p| p.text_scale), Some(1.0));
    window.click("Settings");
    window.scroll_to("Larger text");
    window.click("Larger text");
    assert!(window.sees("110 %"));
}
