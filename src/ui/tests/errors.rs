//! What is wrong stands where it is, until it is mended.

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use super::Window;
use super::flows::type_into;
use crate::api::{self, ApiError, ErrorKind, Request, TestReport, WaitText};
use crate::domain::wait::WaitReason;
use crate::ui::fake::World;

/// How far below the field the sentence stands, in points.
fn below(window: &Window, field: &str, sentence: &str) -> f32 {
    let field = window.harness.get_by_label(field).rect();
    window.harness.get_by_label(sentence).rect().top() - field.bottom()
}

#[test]
fn a_folder_that_cannot_be_added_says_so_under_its_field_until_it_is_mended() {
    let mut window = Window::open(World::with_library(10));
    window.click("Settings");
    type_into(&mut window, "Photo folder", "Pictures");
    window.press(Key::Enter);
    let why = "Enter the full path, starting with /";
    assert!((0.0..40.0).contains(&below(&window, "Photo folder", why)));
    window.world.borrow_mut().now.0 += 60_000;
    window.run();
    assert!(window.sees(why), "it does not go by itself");
    window.press(Key::Home);
    window.harness.event(eframe::egui::Event::Text("/".to_owned()));
    window.run();
    assert!(!window.sees(why), "nor does it outlive the mending");
}

#[test]
fn a_consent_that_is_cancelled_keeps_the_path_and_one_that_is_given_empties_the_field() {
    let mut window = Window::open(World::with_library(10));
    window.click("Settings");
    type_into(&mut window, "Photo folder", "/cards");
    window.press(Key::Enter);
    window.press(Key::Escape);
    let typed = |window: &Window| window.harness.get_by_label("Photo folder").value().unwrap_or_default();
    assert_eq!(typed(&window), "/cards");
    assert_eq!(window.focused(), "Photo folder");
    window.press(Key::Enter);
    window.click("Agree and add");
    assert_eq!(typed(&window), "");
    type_into(&mut window, "Photo folder", "/cards");
    window.press(Key::Enter);
    window.click("Agree and add");
    assert!(window.sees("This folder is already backed up"));
}

#[test]
fn hours_and_limits_that_make_no_sense_say_so_below_until_they_are_changed() {
    let mut window = Window::open(World::with_library(10));
    window.click("Settings");
    window.click("Hours of the day: Only these");
    window.harness.get_by_label("Back up from").focus();
    window.run();
    window.press_with(Modifiers::COMMAND, Key::A);
    window.harness.event(eframe::egui::Event::Text("25:00".to_owned()));
    window.run();
    window.press(Key::Enter);
    let why = "Use 24-hour times, such as 22:00";
    assert!((0.0..40.0).contains(&below(&window, "Back up from", why)));
    assert_eq!(window.focused(), "Back up from");
    window.press(Key::Backspace);
    assert!(!window.sees(why));
}

#[test]
fn the_answer_of_a_check_comes_into_view() {
    let mut world = World::with_library(10);
    world.picks.push_back(Ok(Some(super::flows::path("/mnt/second"))));
    let mut window = Window::sized(world, 1_000.0, 480.0);
    window.click("Destinations");
    window.click("Add destination");
    window.click("Choose");
    let view = window.harness.ctx.content_rect();
    let answer = window.harness.get_by_label("Ready to use").rect();
    assert!(view.contains_rect(answer), "{answer:?} in {view:?}");
    let next = window.harness.get_by_label("Agree and add").rect();
    assert!(view.contains_rect(next), "and so does what follows: {next:?} in {view:?}");
}

#[test]
fn a_test_that_succeeds_retries_a_destination_that_waits() {
    let mut world = World::with_library(10);
    let until = world.now;
    world.snapshot.destinations[1].wait_reason = Some(WaitText::from(&WaitReason::Unreachable { until }));
    let is_retry = |r: &Request| matches!(r, Request::Command(api::Command::CheckDestination { .. }));
    let failed = TestReport { is_usable: false, ..world.test.clone().expect("a report") };
    let well = std::mem::replace(&mut world.test, Ok(failed));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Test nas");
    assert_eq!(window.asked(is_retry), 0);
    window.press(Key::Escape);
    window.world.borrow_mut().test = well;
    window.click("Test Backup disk");
    window.press(Key::Escape);
    assert_eq!(window.asked(is_retry), 0, "that one waits for nothing");
    window.click("Test nas");
    assert_eq!(window.asked(is_retry), 1);
}

#[test]
fn a_refused_test_says_why_beside_the_field() {
    let mut world = World::with_library(10);
    world.test = Err(ApiError::new(ErrorKind::Destination, "There is no such folder"));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Add destination");
    type_into(&mut window, "Backup folder", "/nowhere");
    window.press(Key::Enter);
    assert!((0.0..40.0).contains(&below(&window, "Backup folder", "There is no such folder")));
    assert_eq!(window.focused(), "Backup folder");
}
