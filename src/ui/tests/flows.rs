//! What a person does, from the first start to quitting.

use eframe::egui::{Event, Key, Modifiers, ViewportCommand, ViewportId};

use super::Window;
use crate::api::{
    self, ApiError, BackupSwitch, ErrorKind, Event as AgentEvent, Operation, PathText, Request, Selection,
    TestReport,
};
use crate::client::Connection;
use crate::ui::commands::Screen;
use crate::ui::fake::World;
use crate::ui::preferences::Appearance;

pub(super) fn path(text: &str) -> PathText {
    PathText::from_bytes(text.as_bytes())
}

/// A folder that is dropped on the window.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl eframe::egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }
    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("a folder".to_owned())
    }
}

fn drop_folder(window: &mut Window, path: &str) {
    window.harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.into())));
    window.run();
}

/// Types into the field with this name.
pub(super) fn type_into(window: &mut Window, name: &str, text: &str) {
    use egui_kittest::kittest::Queryable as _;
    let field = window.harness.get_by_label(name);
    field.focus();
    window.run();
    window.harness.event(Event::Text(text.to_owned()));
    window.run();
}

#[test]
fn first_run_with_the_dialogs_ends_switched_on() {
    let mut world = World::new();
    world.picks.push_back(Ok(Some(path("/home/ada/Pictures"))));
    world.picks.push_back(Ok(Some(path("/media/disk/backup"))));
    let mut window = Window::open(world);
    assert!(window.sees("Keep your photos safe"));
    assert!(!window.sees("Agree and switch on backup"), "nothing can be agreed to yet");
    window.click("Choose");
    assert_eq!(window.world.borrow().snapshot.sources[0].path, path("/home/ada/Pictures"));
    let choose = {
        use egui_kittest::kittest::Queryable as _;
        window.harness.get_all_by_label("Choose").nth(1)
    };
    choose.expect("the second step").click();
    window.run();
    assert!(window.sees("Ready to use"));
    assert!(window.sees("Photos from these folders will be backed up to /media/disk/backup"));
    assert_eq!(
        window.asked(|r| matches!(r, Request::Command(api::Command::AddDestination { .. }))),
        0,
        "not before consent"
    );
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::Off);
    window.scroll_to("Agree and switch on backup");
    window.click("Agree and switch on backup");
    let added = |r: &Request| matches!(r, Request::Command(api::Command::AddDestination { consent_all: true, target, .. }) if target.path == "/media/disk/backup");
    assert_eq!(window.asked(added), 1);
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::On);
    assert!(window.sees("Backup is on"));
    assert!(!window.sees("Keep your photos safe"));
}

#[test]
fn first_run_with_typed_paths() {
    let mut window = Window::open(World::new());
    type_into(&mut window, "Photo folder", "/photos");
    window.press(Key::Enter);
    assert_eq!(window.world.borrow().snapshot.sources[0].path, path("/photos"));
    type_into(&mut window, "Backup folder", "backup");
    window.press(Key::Enter);
    assert!(window.sees("Enter the full path, starting with /"));
    assert_eq!(window.asked(|r| matches!(r, Request::Operation(Operation::TestTarget { .. }))), 0);
}

#[test]
fn first_run_goes_on_where_it_was_left() {
    let mut world = World::with_library(10);
    world.snapshot.destinations.clear();
    world.snapshot.backup = BackupSwitch::Off;
    let window = Window::open(world);
    assert!(window.sees("Keep your photos safe"));
    assert!(window.sees("10 files, watched for changes"));
    let mut world = World::with_library(10);
    world.snapshot.backup = BackupSwitch::Off;
    assert!(!Window::open(world).sees("Keep your photos safe"), "all was chosen and switched off again");
}

#[test]
fn first_run_can_be_left() {
    let mut window = Window::open(World::new());
    window.click("Not now");
    assert!(window.sees("No folders yet"));
    assert!(window.sees("Choose the folders that hold your photos"));
}

#[test]
fn the_toggle_switches_off_and_on() {
    let mut window = Window::open(World::with_library(100));
    window.toggle();
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::Off);
    assert!(window.sees("Backup is off. New photos are not backed up"));
    window.toggle();
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::On);
}

#[test]
fn pause_and_resume() {
    let mut window = Window::open(World::busy(1_000));
    window.click("Pause");
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::Paused);
    assert!(window.sees("Paused, "));
    window.click("Resume");
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::On);
}

#[test]
fn one_file_a_class_or_all_can_be_tried_again() {
    let mut window = Window::open(World::busy(900));
    window.click("Review");
    assert!(window.sees("The file cannot be read"));
    assert!(window.sees("Check that you have permission to open it"));
    window.click_starting("Files, The file cannot be read");
    window.click_starting("Retry IMG_");
    let one = |r: &Request| matches!(r, Request::Command(api::Command::Retry(Selection::Items(ids))) if ids.len() == 1);
    assert_eq!(window.asked(one), 1);
    assert!(window.sees("Retrying IMG_"));
    assert_eq!(window.world.borrow().attention.len(), 2, "the others still need the person");
    assert!(
        !window.sees("Retry all") && !window.sees("Retry IMG_"),
        "trying again does not fill an empty file"
    );
    window.click_starting("Leave all out: The file is empty");
    assert!(window.sees("They will not be backed up"));
    window.click_in_dialog("Leave out");
    assert!(window.sees("All good"));
    let mut world = World::busy(900);
    world.attention = [30, 33, 100].into();
    world.recount();
    let mut window = Window::open(world);
    window.click("Review");
    window.click("Retry all: The file cannot be read");
    assert_eq!(
        window.asked(|r| *r == Request::Command(api::Command::Retry(Selection::Kind("unreadable.".into())))),
        1
    );
    assert!(window.sees("Retrying 2 files"));
    let mut window = Window::open(World::busy(900));
    window.click("Review");
    window.click("Retry 1 file");
    assert_eq!(window.asked(|r| *r == Request::Command(api::Command::Retry(Selection::All))), 1);
}

#[test]
fn leaving_out_asks_first() {
    let mut window = Window::open(World::busy(900));
    window.click("Review");
    window.click_starting("Leave");
    assert!(window.sees("You can include them again at any time"));
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::Exclude(_)))), 0);
    window.click("Cancel");
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::Exclude(_)))), 0);
    window.click_starting("Leave");
    window.click_in_dialog("Leave out");
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::Exclude(_)))), 1);
}

#[test]
fn a_file_left_out_by_the_person_can_be_taken_back() {
    let mut window = Window::open(World::busy(900));
    window.click_starting("Queue");
    window.click_starting("Left out, ");
    assert!(window.sees("IMG_0007"));
    window.click_starting("Include IMG_0007");
    assert_eq!(window.world.borrow().excluded.len(), 1);
}

#[test]
fn a_refused_destination_cannot_be_saved_and_says_why() {
    let mut world = World::with_library(100);
    world.test = Ok(TestReport {
        is_usable: false,
        summary: "This folder lies inside a photo folder".into(),
        details: vec!["Choose a folder outside /home/ada/Pictures".into()],
        free_bytes: None,
        warnings: Vec::new(),
    });
    world.picks.push_back(Ok(Some(path("/home/ada/Pictures/backup"))));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Add destination");
    window.click("Choose");
    assert!(window.sees("This folder lies inside a photo folder"));
    assert!(window.sees("Choose a folder outside"));
    window.click("Agree and add");
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::AddDestination { .. }))), 0);
    let error = ApiError::new(ErrorKind::Destination, "There is no such folder");
    window.world.borrow_mut().test = Err(error);
    window.world.borrow_mut().picks.push_back(Ok(Some(path("/nowhere"))));
    window.click("Choose");
    assert!(window.sees("There is no such folder"));
}

#[test]
fn a_destination_is_added_with_consent() {
    let mut world = World::with_library(100);
    world.picks.push_back(Ok(Some(path("/mnt/second"))));
    let mut window = Window::open(world);
    window.click("Destinations");
    window.click("Add destination");
    window.click("Choose");
    assert!(window.sees("Photos from these folders will be backed up to /mnt/second"));
    window.click("Agree and add");
    assert_eq!(window.world.borrow().snapshot.destinations.len(), 3);
    assert!(window.sees("second was added"));
}

#[test]
fn removing_and_switching_off_say_that_copies_stay() {
    let mut window = Window::open(World::with_library(100));
    window.click("Destinations");
    window.click("Back up to nas");
    assert!(window.sees("Existing copies stay"));
    window.click("Remove nas");
    assert!(window.sees("100 files safe there will stay"));
    window.click("Cancel");
    assert_eq!(window.world.borrow().snapshot.destinations.len(), 2);
    window.click("Remove nas");
    window.click("Remove destination");
    assert!(!window.sees("Back up to nas") && window.sees("nas was removed"));
}

#[test]
fn a_saved_destination_can_be_tested() {
    let mut window = Window::open(World::with_library(100));
    window.click("Destinations");
    window.click("Test nas");
    assert!(window.sees("Test of nas"));
    assert!(window.sees("1.4 TB free"));
    window.press(Key::Escape);
    assert!(!window.sees("Test of nas"));
}

#[test]
fn a_folder_is_added_only_with_consent_once_there_is_a_destination() {
    let mut world = World::with_library(100);
    world.picks.push_back(Ok(Some(path("/cards/dcim"))));
    let mut window = Window::open(world);
    window.click("Settings");
    window.click("Choose");
    assert!(window.sees("Photos from /cards/dcim will be backed up to"));
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::AddSource { .. }))), 0);
    window.click("Agree and add");
    assert_eq!(window.world.borrow().snapshot.sources.len(), 2);
    window.click("Remove /cards/dcim");
    assert!(window.sees("all copies stay as they are"));
    window.click("Stop backing up");
    assert_eq!(window.world.borrow().snapshot.sources.len(), 1);
}

#[test]
fn when_no_dialog_can_be_shown_the_path_can_be_typed() {
    let mut world = World::new();
    world.picks.push_back(Err("No folder dialog here; type the path instead".into()));
    let mut window = Window::open(world);
    window.click("Choose");
    assert!(window.sees("type the path instead"));
}

#[test]
fn the_theme_is_chosen_and_kept() {
    let mut window = Window::open(World::with_library(100));
    window.click("Settings");
    window.scroll_to("Appearance: Light");
    window.click("Appearance: Light");
    assert!(!window.harness.ctx.global_style().visuals.dark_mode);
    assert_eq!(window.saved.borrow().last().map(|p| p.appearance), Some(Appearance::Light));
}

#[test]
fn the_keyboard_reaches_every_screen() {
    let mut window = Window::open(World::with_library(100));
    for (key, screen) in [
        (Key::Num2, Screen::Queue),
        (Key::Num3, Screen::Destinations),
        (Key::Num4, Screen::Restore),
        (Key::Num5, Screen::Settings),
        (Key::Num1, Screen::Library),
    ] {
        window.press_with(Modifiers::COMMAND, key);
        assert_eq!(window.harness.state().screen, screen);
    }
    window.press(Key::F1);
    assert!(window.sees("Keyboard shortcuts"));
    window.press(Key::Escape);
    window.press(Key::F5);
    assert_eq!(window.asked(|r| *r == Request::Command(api::Command::Rescan { id: None })), 1);
}

fn commands(window: &Window) -> Vec<ViewportCommand> {
    window
        .harness
        .output()
        .viewport_output
        .get(&ViewportId::ROOT)
        .map(|o| o.commands.clone())
        .unwrap_or_default()
}

/// The window manager asks the window to close; returns what the window answers.
fn ask_to_close(window: &mut Window) -> Vec<ViewportCommand> {
    let input = window.harness.input_mut();
    let viewport = input.viewports.entry(ViewportId::ROOT).or_default();
    viewport.events.push(eframe::egui::ViewportEvent::Close);
    window.harness.step();
    let said = commands(window);
    window.run();
    said
}

#[test]
fn the_first_close_says_that_backup_goes_on_and_the_second_closes() {
    let mut window = Window::open(World::busy(500));
    assert!(ask_to_close(&mut window).contains(&ViewportCommand::CancelClose));
    assert!(window.sees("Safelight keeps backing up when this window is closed. To stop it, choose Quit"));
    window.click("Close window");
    assert_eq!(window.saved.borrow().last().map(|p| p.has_read_closing_notice), Some(true));
    assert!(!ask_to_close(&mut window).contains(&ViewportCommand::CancelClose));
    assert_eq!(window.asked(|r| *r == Request::Command(api::Command::Shutdown)), 0);
}

#[test]
fn closing_says_nothing_while_backup_is_off() {
    let mut world = World::with_library(10);
    world.snapshot.backup = BackupSwitch::Off;
    let mut window = Window::open(world);
    assert!(!ask_to_close(&mut window).contains(&ViewportCommand::CancelClose));
}

#[test]
fn quitting_stops_the_agent_and_asks_where_work_is_left() {
    let mut window = Window::open(World::busy(500));
    window.press_with(Modifiers::COMMAND, Key::Q);
    assert!(window.sees("Quit before everything is safe?"));
    window.click("Keep backing up");
    assert_eq!(window.asked(|r| *r == Request::Command(api::Command::Shutdown)), 0);
    window.press_with(Modifiers::COMMAND, Key::Q);
    window.click("Quit Safelight");
    assert_eq!(window.asked(|r| *r == Request::Command(api::Command::Shutdown)), 1);
    assert!(window.harness.state().may_close);
    let mut window = Window::open(World::with_library(500));
    window.click("Settings");
    window.scroll_to("Quit Safelight");
    window.click("Quit Safelight");
    assert_eq!(
        window.asked(|r| *r == Request::Command(api::Command::Shutdown)),
        1,
        "nothing is left, so nothing is asked"
    );
}

#[test]
fn quitting_does_not_wait_for_ever() {
    let mut world = World::with_library(10);
    world.is_mute = true;
    let mut window = Window::open(world);
    window.press_with(Modifiers::COMMAND, Key::Q);
    assert!(!window.harness.state().may_close);
    window.world.borrow_mut().now.0 += 5_001;
    window.run();
    assert!(window.harness.state().may_close);
}

#[test]
fn a_second_start_brings_the_window_to_the_front() {
    let mut window = Window::open(World::with_library(10));
    window.world.borrow_mut().events.push_back(AgentEvent::RaiseWindow);
    window.harness.step();
    let said = commands(&window);
    assert!(said.contains(&ViewportCommand::Minimized(false)), "{said:?}");
    assert!(said.contains(&ViewportCommand::Focus), "{said:?}");
}

#[test]
fn a_line_that_comes_back_is_asked_anew() {
    let mut world = World::with_library(300);
    world.connection = Connection::Connecting;
    let mut window = Window::open(world);
    assert!(window.sees("Starting"));
    assert_eq!(window.asked(|_| true), 0);
    window.world.borrow_mut().connection = Connection::Connected;
    window.run();
    assert!(window.sees("300 of 300 files safe"));
    window.world.borrow_mut().connection = Connection::Lost("It stopped".into());
    window.run();
    assert!(window.sees("It stopped"));
    let before = window.asked(|_| true);
    window.world.borrow_mut().connection = Connection::Connected;
    window.world.borrow_mut().snapshot.library_revision += 1;
    window.run();
    assert!(window.asked(|_| true) > before);
}

#[test]
fn what_happened_is_said_for_a_moment() {
    let mut window = Window::open(World::with_library(10));
    window.world.borrow_mut().events.push_back(AgentEvent::Finished { files: 12 });
    window.run();
    assert!(window.sees("Backup finished, 12 new copies"));
    window.world.borrow_mut().now.0 += 10_000;
    window.run();
    assert!(!window.sees("Backup finished, 12 new copies"));
}

#[test]
fn folders_can_be_dropped_on_the_window() {
    let mut window = Window::open(World::new());
    drop_folder(&mut window, "/photos");
    assert_eq!(window.world.borrow().snapshot.sources[0].path, path("/photos"));
    drop_folder(&mut window, "/backup");
    assert!(window.sees("Photos from these folders will be backed up to /backup"));
    drop_folder(&mut window, "/more");
    assert_eq!(window.world.borrow().snapshot.sources.len(), 2, "the place is chosen, so this is a folder");
    let mut window = Window::open(World::with_library(10));
    drop_folder(&mut window, "/more");
    assert!(window.sees("Back up this folder?"));
}

#[test]
fn a_folder_on_the_disk_of_the_photos_says_so_before_and_after_it_is_chosen() {
    let mut world = World::with_library(10);
    world.snapshot.destinations[0].same_disk = true;
    if let Ok(report) = &mut world.test {
        report.warnings = vec!["Here too, both are lost".into()];
    }
    world.picks.push_back(Ok(Some(path("/home/ada/backup"))));
    let mut window = Window::open(world);
    window.click("Destinations");
    assert_eq!(window.count(crate::domain::messages::SAME_DISK), 1);
    window.click("Add destination");
    window.click("Choose");
    assert!(window.sees("Here too, both are lost"));
}

#[test]
fn folders_nobody_agreed_to_copy_are_shown_and_can_be_agreed_to() {
    let mut world = World::with_library(10);
    world.snapshot.destinations[1].sources.clear();
    let mut window = Window::open(world);
    window.click("Destinations");
    assert!(window.sees("Photos from these folders are not backed up here"));
    window.click("Agree to back up these folders to nas");
    assert_eq!(window.world.borrow().snapshot.destinations[1].sources, [1]);
    assert!(!window.sees("Photos from these folders are not backed up here"));
}

#[test]
fn a_folders_note_and_a_files_decisions_are_shown() {
    let mut world = World::busy(500);
    world.snapshot.sources[0].note = Some("Too many folders to watch".to_owned());
    world.snapshot.sources[0].unreadable_folders = 2;
    let problem = crate::domain::folder_problem::FolderProblem::Denied;
    world.snapshot.sources[0].unreadable = vec![crate::api::UnreadableFolder {
        path: crate::api::PathText::from_bytes(b"/home/ada/Pictures/closed"),
        problem: problem.as_str().to_owned(),
        summary: problem.summary().to_owned(),
        advice: problem.advice().to_owned(),
        details: "Permission denied".to_owned(),
    }];
    let mut window = Window::open(world);
    window.click("Settings");
    assert!(window.sees("Too many folders to watch"));
    assert!(window.sees("2 folders in it cannot be read"));
    assert!(window.sees("/home/ada/Pictures/closed: you do not have permission to open it"));
    window.click("Review");
    window.click_starting("Files, ");
    window.click_starting("Details of");
    assert!(window.sees("1 hour ago: Retried at once"));
}
