//! The grid and the viewer by keyboard and pointer.

use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::Window;
use crate::api::{self, LibraryFilter, Query, Request, Selection};
use crate::client::PICTURES_WANTED_MAX;
use crate::ui::fake::World;

fn photos(window: &Window) -> Vec<String> {
    let options = window.harness.query_all_by(|node| node.role() == Role::ListBoxOption);
    options.filter_map(|node| node.accesskit_node().label()).collect()
}

fn selected(window: &Window) -> usize {
    let is_on = |node: &egui_kittest::kittest::AccessKitNode<'_>| {
        node.role() == Role::ListBoxOption && node.is_selected() == Some(true)
    };
    window.harness.query_all_by(is_on).count()
}

fn click_photo(window: &mut Window, at: usize, modifiers: Modifiers) {
    let option = window.harness.query_all_by(|node| node.role() == Role::ListBoxOption).nth(at);
    option.expect("a photo").click_modifiers(modifiers);
    window.run();
}

#[test]
fn only_what_is_in_view_is_asked_for() {
    let window = Window::open(World::with_library(250_000));
    let rows: usize = window.asked(|r| matches!(r, Request::Query(Query::Assets { .. })));
    assert!((1..60).contains(&rows), "{rows} pages for one view of a quarter of a million");
    assert!(photos(&window).len() < 200);
    assert!(window.sees("250 000 items"));
}

#[test]
fn clicks_select_with_control_and_shift() {
    let mut window = Window::open(World::with_library(500));
    click_photo(&mut window, 1, Modifiers::NONE);
    assert!(window.sees("1 selected"));
    click_photo(&mut window, 3, Modifiers::COMMAND);
    assert!(window.sees("2 selected"));
    click_photo(&mut window, 6, Modifiers::SHIFT);
    assert!(window.sees("4 selected"));
    assert_eq!(selected(&window), 4);
    window.press(Key::Escape);
    assert_eq!(selected(&window), 0);
}

#[test]
fn the_keyboard_moves_selects_and_opens() {
    let mut window = Window::open(World::with_library(3_000));
    let first = photos(&window)[0].clone();
    window.press(Key::ArrowRight);
    window.press(Key::Space);
    assert_eq!(selected(&window), 1);
    window.press_with(Modifiers::SHIFT, Key::ArrowRight);
    window.press_with(Modifiers::SHIFT, Key::ArrowRight);
    assert!(window.sees("3 selected"));
    window.press(Key::ArrowRight);
    window.press(Key::Space);
    assert!(window.sees("4 selected"), "Space adds to what is selected");
    window.press(Key::Space);
    assert!(window.sees("3 selected"));
    window.press(Key::Escape);
    window.press(Key::End);
    assert_ne!(photos(&window)[0], first, "it scrolled to the end");
    window.press(Key::Home);
    assert_eq!(photos(&window)[0], first);
    window.press(Key::PageDown);
    window.press(Key::PageDown);
    assert_ne!(photos(&window)[0], first);
    window.press(Key::PageUp);
    window.press(Key::PageUp);
    window.press(Key::Home);
    window.press(Key::Enter);
    assert!(window.sees("Back to the library"));
    let name = first.split(',').next().expect("a name").to_owned();
    assert!(window.sees(&name));
    window.press(Key::ArrowRight);
    assert!(window.sees("Previous photo"));
    window.press(Key::ArrowLeft);
    assert!(!window.sees("Previous photo"), "there is none before the first");
    window.press(Key::Escape);
    assert!(!window.sees("Back to the library"));
}

#[test]
fn all_are_selected_only_where_that_is_not_too_many() {
    let mut window = Window::open(World::with_library(600));
    window.press_with(Modifiers::COMMAND, Key::A);
    assert!(window.sees("600 selected"));
    let mut window = Window::open(World::with_library(6_000));
    window.press_with(Modifiers::COMMAND, Key::A);
    assert!(window.sees("At most 2 000 photos can be selected at once"));
    assert_eq!(selected(&window), 0);
}

#[test]
fn filters_ask_for_their_own_days() {
    let mut window = Window::open(World::busy(2_000));
    window.click("Show: Attention");
    let asked =
        |r: &Request| matches!(r, Request::Query(Query::Sections { filter: LibraryFilter::Attention }));
    assert_eq!(window.asked(asked), 1);
    assert_eq!(photos(&window).len(), 3);
    assert!(photos(&window).iter().all(|name| name.ends_with("needs attention")));
    window.click("Show: Videos");
    assert!(photos(&window).iter().all(|name| name.contains("video")));
}

#[test]
fn selected_photos_are_left_out_by_their_records() {
    let mut window = Window::open(World::busy(900));
    click_photo(&mut window, 0, Modifiers::NONE);
    assert!(!window.sees("Leave out") && !window.sees("Include again"), "a safe photo needs neither");
    window.click("Show: Not safe");
    click_photo(&mut window, 0, Modifiers::NONE);
    click_photo(&mut window, 1, Modifiers::COMMAND);
    window.click("Leave out");
    assert!(window.sees("Leave 2 photos out?"));
    window.click_in_dialog("Leave out");
    let named = |ids: &[String]| ["r30", "r31"].iter().all(|id| ids.iter().any(|named| named == id));
    let out = |r: &Request| matches!(r, Request::Command(api::Command::Exclude(Selection::Items(ids))) if named(ids));
    assert_eq!(window.asked(out), 1);
    assert_eq!(window.world.borrow().excluded.len(), 4);
    assert!(window.sees("Left out 2 photos"));
    // What can be undone says so, and the key does the same as the button.
    window.click("Undo");
    let back = |r: &Request| matches!(r, Request::Command(api::Command::Include(Selection::Items(ids))) if named(ids));
    assert_eq!(window.asked(back), 1);
    assert_eq!(window.world.borrow().excluded.len(), 2);
    window.press_with(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.world.borrow().excluded.len(), 4);
}

#[test]
fn what_concerns_only_some_of_the_selected_says_how_many() {
    let mut window = Window::open(World::busy(900));
    // The photos 7 and 8 were left out, those around them are safe.
    click_photo(&mut window, 6, Modifiers::NONE);
    click_photo(&mut window, 7, Modifiers::SHIFT);
    assert!(window.sees("Include again (1 of 2)") && !window.sees("Leave out"));
    window.click("Include again (1 of 2)");
    assert_eq!(window.world.borrow().excluded.len(), 1);
    assert!(window.sees("Included 2 photos again") || window.sees("Included 1 photo again"));
}

#[test]
fn home_and_end_go_to_the_first_and_last_photo_from_wherever() {
    let mut window = Window::open(World::with_library(3_000));
    window.press(Key::End);
    window.press(Key::Enter);
    assert!(window.sees("IMG_2999"), "the very first key goes there too");
    assert!(!window.sees("Next photo"));
    window.press(Key::Home);
    assert!(window.sees("IMG_0000") && !window.sees("Previous photo"));
    window.press(Key::End);
    assert!(window.sees("IMG_2999"));
}

#[test]
fn rows_stay_on_screen_while_newer_ones_are_fetched() {
    let mut window = Window::open(World::with_library(400));
    let before = photos(&window);
    {
        let mut world = window.world.borrow_mut();
        world.is_mute = true;
        world.snapshot.library_revision += 1;
        world.now.0 += 10_000;
    }
    window.run();
    assert_eq!(photos(&window), before);
}

#[test]
fn a_new_state_reaches_the_grid() {
    let mut window = Window::open(World::busy(400));
    assert!(photos(&window)[0].ends_with("safe"));
    {
        let mut world = window.world.borrow_mut();
        world.attention.insert(0);
        world.recount();
        world.now.0 += 10_000;
    }
    window.run();
    assert!(photos(&window)[0].ends_with("needs attention"), "{:?}", photos(&window)[0]);
}

#[test]
fn zoom_changes_the_cells_and_is_kept() {
    let mut window = Window::open(World::with_library(2_000));
    let before = photos(&window).len();
    window.press(Key::Minus);
    window.press(Key::Minus);
    assert!(photos(&window).len() > before);
    assert!(window.saved.borrow().last().is_some_and(|p| p.cell_side < 120.0));
    assert!(window.harness.state().library.wanted().is_empty(), "the smaller thumbnails have come");
    window.click("Larger thumbnails");
    assert!(window.saved.borrow().last().is_some_and(|p| p.cell_side > 120.0));
}

#[test]
fn scrolling_changes_what_is_in_view_and_what_pictures_are_wanted() {
    let mut window = Window::open(World::with_library(5_000));
    let before = photos(&window);
    window.harness.hover_at(eframe::egui::pos2(600.0, 500.0));
    window.harness.event(eframe::egui::Event::MouseWheel {
        unit: eframe::egui::MouseWheelUnit::Point,
        delta: eframe::egui::vec2(0.0, -900.0),
        modifiers: Modifiers::NONE,
        phase: eframe::egui::TouchPhase::Move,
        source: eframe::egui::MouseWheelSource::Wheel,
    });
    window.run();
    assert_ne!(photos(&window), before);
    assert!(window.harness.state().library.wanted().len() <= PICTURES_WANTED_MAX);
    assert!(window.harness.state().library.wanted().is_empty(), "all that were wanted have come");
}

#[test]
fn the_viewer_shows_evidence_and_acts() {
    let mut window = Window::open(World::busy(900));
    window.press(Key::ArrowRight);
    window.press(Key::Enter);
    window.press(Key::I);
    assert!(window.sees("Safe in Backup disk"));
    assert!(window.sees("Read back from the disk itself, 3 days ago"));
    assert!(window.sees("as recorded by the camera"));
    assert!(window.sees("4 032 × 3 024"));
    assert!(!window.sees("BLAKE3"));
    window.click_starting("Where it is, ");
    assert!(window.sees("BLAKE3"));
    window.click("Show in folder");
    assert_eq!(window.world.borrow().shown_in_folder.len(), 1);
}

#[test]
fn a_photo_that_has_gone_says_so() {
    let mut window = Window::open(World::with_library(20));
    window.harness.state_mut().viewer = Some(crate::ui::viewer::Viewer::new(999, None));
    window.run();
    window.world.borrow_mut().now.0 += 1_000;
    window.run();
    assert!(window.sees("Back to the library"));
    window.press(Key::Escape);
    assert!(!window.sees("Back to the library"));
}
