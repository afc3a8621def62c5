//! Restoring: what is asked for, how it is told, and where it begins.

use eframe::egui::{Key, Modifiers};

use super::*;
use crate::api::{
    self, OperationKind, OperationState, PathText, Query, Request, RestoreAction, RestoreLayout,
    RestoreOrder, RestoreResult, RestoreScope, RestoreState, RestoreTarget,
};

fn path(text: &str) -> PathText {
    PathText { path: text.to_owned(), path_b64: None }
}

fn order(scope: RestoreScope) -> RestoreOrder {
    let target = RestoreTarget::Folder(path("/home/ada/Back"));
    RestoreOrder { destination: 2, scope, target, layout: RestoreLayout::Dates }
}

/// The restore screen for the second destination, with a folder chosen.
fn opened() -> Window {
    let mut world = World::with_library(100);
    world.picks.push_back(Ok(Some(path("/home/ada/Back"))));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Restore files from nas");
    window.click("Choose");
    window
}

fn start(window: &mut Window, button: &str) -> RestoreOrder {
    window.scroll_to(button);
    window.click(button);
    let world = window.world.borrow();
    let asked = world.requests.iter().rev().find_map(|request| match request {
        Request::Command(api::Command::StartRestore(order)) => Some(order.clone()),
        _ => None,
    });
    asked.expect("a restore was asked for")
}

#[test]
fn everything_a_year_a_month_and_a_folder_can_be_chosen() {
    let mut window = opened();
    assert_eq!(start(&mut window, "Restore 300 files (1.1 GB)"), order(RestoreScope::All));
    window.scroll_to("What: A year");
    window.click("What: A year");
    window.scroll_to("2024, 200 files, 768 MB");
    window.click("2024, 200 files, 768 MB");
    let year = RestoreScope::Period { year: 2024, month: None };
    assert_eq!(start(&mut window, "Restore 200 files (768 MB)"), order(year));
    window.scroll_to("What: A month");
    window.click("What: A month");
    window.scroll_to("December 2023, 100 files, 384 MB");
    window.click("December 2023, 100 files, 384 MB");
    let month = RestoreScope::Period { year: 2023, month: Some(12) };
    assert_eq!(start(&mut window, "Restore 100 files (384 MB)"), order(month));
    window.scroll_to("What: A folder");
    window.click("What: A folder");
    window.scroll_to("Pictures/Norway, 120 files, 460 MB");
    window.click("Pictures/Norway, 120 files, 460 MB");
    window.scroll_to("Folders: As the folders were");
    window.click("Folders: As the folders were");
    let folder = RestoreScope::Folder { source: "Pictures".to_owned(), path: path("Norway") };
    let folders = RestoreOrder { layout: RestoreLayout::Folders, ..order(folder) };
    assert_eq!(start(&mut window, "Restore 120 files (460 MB)"), folders);
}

#[test]
fn a_folder_is_needed_or_everything_goes_back_to_where_it_was() {
    let mut window = Window::open(World::with_library(100));
    window.click("Restore");
    window.click("Restore 300 files (1.1 GB)");
    assert!(window.sees("Choose a folder for the restored files"));
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::StartRestore(_)))), 0);
    window.click("Where to: Back to where they were");
    assert!(!window.sees("Choose a folder for the restored files"));
    assert_eq!(start(&mut window, "Restore 300 files (1.1 GB)").target, RestoreTarget::Original);
}

#[test]
fn chosen_photos_are_restored_from_the_grid() {
    let mut window = Window::open(World::with_library(100));
    window.press_with(Modifiers::COMMAND, Key::A);
    let button = window.harness.get_all_by_label("Restore").last().expect("a button");
    button.click();
    window.run();
    assert!(window.sees("What: 100 photos"));
    window.click("Where to: Back to where they were");
    let asked = start(&mut window, "Restore 100 files (384 MB)");
    let RestoreScope::Assets(assets) = asked.scope else { panic!("{asked:?}") };
    assert_eq!(assets.len(), 100);
}

#[test]
fn how_it_went_is_told_and_can_be_tried_again() {
    let mut world = World::with_library(100);
    let result = RestoreResult {
        restored: 97,
        present: 1,
        failed: 2,
        sentences: vec!["The copy is damaged: 2024/2024-07/a.jpg".to_owned()],
    };
    let order = order(RestoreScope::All);
    world.snapshot.restores.push(RestoreState { id: 7, order, is_running: false, reason: None, result });
    let mut window = Window::open(world);
    window.click("Restore");
    for text in [
        "Not everything was restored from nas",
        "Everything, into /home/ada/Back",
        "97 files restored and verified. 1 file was already there",
        "2 files could not be restored",
    ] {
        assert!(window.sees(text), "{text}");
    }
    window.click_starting("Details of what could not be restored");
    assert!(window.sees("The copy is damaged: 2024/2024-07/a.jpg") && window.sees("And 1 file more"));
    window.click("Show folder");
    assert_eq!(window.world.borrow().shown_in_folder, [path("/home/ada/Back")]);
    window.click("Retry");
    assert_eq!(
        window
            .asked(|r| *r
                == Request::Command(api::Command::ChangeRestore { id: 7, action: RestoreAction::Resume })),
        1
    );
}

#[test]
fn progress_a_wait_and_a_stop_are_shown_and_closing_ends_nothing() {
    let mut world = World::with_library(100);
    let (order, result) = (order(RestoreScope::All), RestoreResult::default());
    world.snapshot.restores.push(RestoreState { id: 7, order, is_running: true, reason: None, result });
    let progress = crate::api::Progress {
        files_done: 10,
        files_total: 300,
        bytes_done: 38_400_000,
        bytes_total: 1_152_000_000,
        bytes_per_sec: 10_000_000,
        secs_left: Some(111),
    };
    world.snapshot.reading.push(OperationState {
        kind: OperationKind::Restore,
        destination: 2,
        restore: Some(7),
        progress,
    });
    let mut window = Window::open(world);
    window.click("Restore");
    assert!(window.sees("Restoring from nas"));
    assert!(window.sees("10 of 300 files, 38.4 MB of 1.1 GB, 10.0 MB/s, about 2 minutes left"));
    {
        let mut world = window.world.borrow_mut();
        world.snapshot.restores[0].reason = Some("The destination cannot be found".to_owned());
        world.snapshot.revision += 1;
    }
    window.run();
    assert!(window.sees("Waiting. The destination cannot be found"));
    window.press_with(Modifiers::COMMAND, Key::Q);
    assert_eq!(
        window.asked(|r| *r == Request::Command(api::Command::Shutdown)),
        1,
        "it goes on at the next start: nothing is asked"
    );
    window.click("Stop");
    assert_eq!(
        window
            .asked(|r| *r
                == Request::Command(api::Command::ChangeRestore { id: 7, action: RestoreAction::Stop })),
        1
    );
}

#[test]
fn a_backup_that_is_there_already_is_restored_from_on_the_first_page() {
    let mut world = World::new();
    world.picks.push_back(Ok(Some(path("/media/disk/Backup"))));
    let mut window = Window::open(world);
    window.click("I already have a backup");
    assert!(window.sees("Where is your backup?"));
    window.click("Choose");
    window.click("Use this backup");
    let is_asked =
        |r: &Request| matches!(r, Request::Command(api::Command::AddDestination { consent_all: false, .. }));
    assert_eq!(window.asked(is_asked), 1);
    assert!(window.sees("From Backup"));
    assert_eq!(window.asked(|r| *r == Request::Command(api::Command::SetBackup { on: true })), 0);
}

#[test]
fn free_space_is_said_and_what_does_not_fit_is_said_before_it_begins() {
    let mut window = Window::open(World::with_library(20));
    window.click("Restore");
    window.scroll_to("Folder for the restored files");
    super::flows::type_into(&mut window, "Folder for the restored files", "here");
    let asks = |r: &Request| matches!(r, Request::Query(Query::FolderSpace { .. }));
    assert_eq!(window.asked(asks), 0, "no whole path");
    window.press_with(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::A);
    super::flows::type_into(&mut window, "Folder for the restored files", "/mnt/big");
    assert!(window.sees("812 GB free here"));
    assert_eq!(window.asked(asks), 1, "asked once");
    window.world.borrow_mut().free_bytes = Some(1_000);
    super::flows::type_into(&mut window, "Folder for the restored files", "/small");
    assert!(window.sees("Not enough space: "));
    assert!(window.sees("to restore, and 1 kB free here") || window.sees("1.0 kB free here"));
}
