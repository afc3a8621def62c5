//! A window in which nothing changes does not repaint: `run` fails when it does not settle.

use eframe::egui::Theme;

use super::Window;
use crate::api::{BackupSwitch, QueueList};
use crate::client::Connection;
use crate::ui::commands::{Dialog, Screen};
use crate::ui::fake::World;

fn on_every_theme(test: impl Fn(Theme)) {
    for theme in [Theme::Dark, Theme::Light] {
        test(theme);
    }
}

/// Settles, then checks that the next step asks for no other at once.
fn assert_idle(window: &mut Window) {
    // The keyboard may look for its place in as many frames as it is given.
    for _ in 0..=crate::ui::focus::FRAMES {
        window.run();
    }
    let steps = window.harness.run();
    assert_eq!(steps, 1, "a settled window repaints: {:?}", window.harness.ctx.repaint_causes());
    let delay = window.harness.output().viewport_output.values().map(|out| out.repaint_delay).min();
    assert!(delay.is_none_or(|delay| delay.as_millis() >= 500), "it wakes again after {delay:?}");
}

#[test]
fn the_library_is_idle() {
    on_every_theme(|theme| assert_idle(&mut Window::themed(World::busy(2_000), theme)));
}

#[test]
fn an_empty_library_is_idle() {
    on_every_theme(|theme| {
        let mut window = Window::themed(World::with_library(0), theme);
        assert!(window.sees("No photos here yet"));
        assert_idle(&mut window);
    });
}

#[test]
fn the_viewer_is_idle() {
    on_every_theme(|theme| {
        let mut window = Window::themed(World::busy(50), theme);
        window.press(eframe::egui::Key::ArrowRight);
        window.press(eframe::egui::Key::Enter);
        assert!(window.sees("Back to the library"));
        window.press(eframe::egui::Key::I);
        assert_idle(&mut window);
    });
}

#[test]
fn every_list_of_the_queue_is_idle() {
    on_every_theme(|theme| {
        let mut window = Window::themed(World::busy(2_000), theme);
        window.harness.state_mut().screen = Screen::Queue;
        for list in [
            QueueList::Uploading,
            QueueList::Waiting,
            QueueList::NeedsAttention,
            QueueList::Unproven,
            QueueList::Excluded,
            QueueList::Done,
        ] {
            window.harness.state_mut().queue.tab = list;
            assert_idle(&mut window);
        }
    });
}

#[test]
fn the_destinations_are_idle() {
    on_every_theme(|theme| {
        let mut window = Window::themed(World::busy(2_000), theme);
        window.click("Destinations");
        assert_idle(&mut window);
        window.click("Add destination");
        assert_idle(&mut window);
    });
}

#[test]
fn the_settings_are_idle() {
    on_every_theme(|theme| {
        let mut window = Window::themed(World::busy(2_000), theme);
        window.click("Settings");
        assert_idle(&mut window);
    });
}

#[test]
fn the_first_run_is_idle() {
    on_every_theme(|theme| assert_idle(&mut Window::themed(World::new(), theme)));
}

#[test]
fn a_lost_connection_is_idle() {
    on_every_theme(|theme| {
        let mut world = World::busy(2_000);
        world.connection = Connection::Lost("It stopped".into());
        assert_idle(&mut Window::themed(world, theme));
    });
}

#[test]
fn every_dialog_is_idle() {
    on_every_theme(|theme| {
        let mut window = Window::themed(World::busy(200), theme);
        let dialogs = [
            Dialog::ClosingNotice,
            Dialog::QuitWithWorkLeft,
            Dialog::RemoveSource { id: 1, path: crate::api::PathText::from_bytes(b"/p") },
            Dialog::RemoveDestination { id: 1, name: "Backup disk".into(), safe: 12 },
            Dialog::ExcludeAssets { assets: vec![1, 2] },
            Dialog::Tested { name: "Backup disk".into(), outcome: Err("It is not there".into()) },
            Dialog::Shortcuts,
        ];
        for dialog in dialogs {
            window.harness.state_mut().open_dialog(dialog);
            assert_idle(&mut window);
        }
    });
}

#[test]
fn a_sentence_with_an_age_wakes_when_it_changes_and_no_sooner() {
    let mut window = Window::open(World::with_library(100));
    assert_idle(&mut window);
    let delay = window.harness.output().viewport_output.values().map(|out| out.repaint_delay).min();
    let delay = delay.expect("a delay");
    assert!((60..=3_600).contains(&delay.as_secs()), "an age of days is read anew after {delay:?}");
}

#[test]
fn what_cannot_be_shown_says_why_and_is_idle() {
    let mut world = World::busy(500);
    world.refuses = Some("The database cannot be read".into());
    let mut window = Window::open(world);
    assert!(window.sees("The library can't be shown"));
    assert!(window.sees("The database cannot be read"));
    assert_idle(&mut window);
    window.harness.state_mut().screen = Screen::Queue;
    for list in [QueueList::NeedsAttention, QueueList::Waiting] {
        window.harness.state_mut().queue.tab = list;
        window.run();
        assert!(window.sees("This list can't be shown"), "no list is shown as empty that is not");
        assert_idle(&mut window);
    }
    let asked = window.world.borrow().requests.len();
    window.run();
    assert_eq!(window.world.borrow().requests.len(), asked);
}

#[test]
fn refused_pages_are_not_asked_for_again_and_again() {
    let mut world = World::with_library(500);
    world.is_mute = true;
    let mut window = Window::open(world);
    let asked = window.world.borrow().requests.len();
    window.run();
    window.run();
    assert_eq!(window.world.borrow().requests.len(), asked);
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::On);
}
