//! Adding a destination on a server: what is asked for, what is sent, and what is never shown.

use egui_kittest::kittest::Queryable as _;

use super::Window;
use super::flows::type_into;
use crate::api::{self, Operation, Request, SecretText};
use crate::ui::fake::World;

fn adding() -> Window {
    let mut window = Window::open(World::with_library(10));
    window.click("Destinations");
    window.click("Add destination");
    window
}

#[test]
fn a_server_is_tried_and_added_with_its_password() {
    let mut window = adding();
    window.click("Nextcloud");
    assert!(window.sees("Create an app password"));
    for (field, text) in [
        ("Server", "cloud.example"),
        ("Folder", "My Photos"),
        ("User name", "ann"),
        ("App password", "planted"),
    ] {
        type_into(&mut window, field, text);
    }
    window.click("Check");
    let address = "nextcloud+https://ann@cloud.example/My%20Photos";
    let entered = Some(SecretText::new("planted".to_owned()));
    let is_test = |r: &Request| {
        matches!(r, Request::Operation(Operation::TestTarget { target, secret, allow_http: false, trust_checksum: false })
            if target.path == address && *secret == entered)
    };
    assert_eq!(window.asked(is_test), 1);
    assert!(!window.sees("planted"), "a password is not shown");
    window.scroll_to("Agree and add");
    window.click("Agree and add");
    let is_added = |r: &Request| {
        matches!(r, Request::Command(api::Command::AddDestination { target, secret, consent_all: true, .. })
            if target.path == address && *secret == entered)
    };
    assert_eq!(window.asked(is_added), 1);
    // The form forgets it.
    window.scroll_to("Add destination");
    window.click("Add destination");
    window.click("Nextcloud");
    assert!(window.harness.get_by_label("App password").value().unwrap_or_default().is_empty());
}

#[test]
fn plain_http_is_agreed_to_and_every_kind_says_what_it_needs() {
    let mut window = adding();
    window.click("More kinds of destination");
    for (kind, field) in [
        ("WebDAV", "Address of the folder"),
        ("S3 storage", "Secret access key"),
        ("Immich", "API key"),
        ("tus", "Address"),
        ("Resumable HTTP", "Token, if it needs one"),
        ("Folder or disk", "Backup folder"),
        ("WebDAV", "Password"),
    ] {
        window.click(kind);
        assert!(window.harness.query_by_label(field).is_some(), "{kind}: {field}");
    }
    type_into(&mut window, "Address of the folder", "http://10.0.0.2/dav");
    window.scroll_to("Allow an unencrypted connection");
    window.click("Allow an unencrypted connection");
    window.scroll_to("Check");
    window.click("Check");
    let is_test = |r: &Request| {
        matches!(r, Request::Operation(Operation::TestTarget { target, allow_http: true, secret: None, .. })
            if target.path == "webdav+http://10.0.0.2/dav")
    };
    assert_eq!(window.asked(is_test), 1);
}

#[test]
fn a_password_can_be_entered_anew() {
    let mut world = World::with_library(10);
    world.snapshot.destinations[0].kind = "webdav".to_owned();
    world.snapshot.destinations[0].url = "webdav+https://ann@h/photos/".to_owned();
    let (id, name) = (world.snapshot.destinations[0].id, world.snapshot.destinations[0].name.clone());
    let mut window = Window::open(world);
    window.click("Destinations");
    let change = format!("Change the password of {name}");
    window.scroll_to(&change);
    window.click(&change);
    type_into(&mut window, &format!("New password, key or token for {name}"), "planted");
    window.scroll_to("Save");
    window.click("Save");
    let kept = SecretText::new("planted".to_owned());
    let is_kept = |r: &Request| matches!(r, Request::Command(api::Command::SetSecret { id: to, secret }) if *to == id && *secret == kept);
    assert_eq!(window.asked(is_kept), 1);
    assert!(window.harness.query_by_label("Save").is_none());
}

fn secret_in(window: &Window, field: &str) -> String {
    window.harness.get_by_label(field).value().unwrap_or_default()
}

#[test]
fn a_secret_typed_for_one_kind_is_neither_in_another_nor_there_on_coming_back() {
    let mut window = adding();
    window.click("S3 storage");
    for (field, text) in [
        ("Server", "https://s3.example"),
        ("Bucket", "photos"),
        ("Access key ID", "ID"),
        ("Secret access key", "planted"),
    ] {
        type_into(&mut window, field, text);
    }
    for (kind, field) in [("Immich", "API key"), ("WebDAV", "Password"), ("S3 storage", "Secret access key")]
    {
        window.click(kind);
        assert!(secret_in(&window, field).is_empty(), "{kind}");
        // Undoing brings nothing back either.
        window.harness.get_by_label(field).focus();
        window.run();
        window.press_with(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::Z);
        assert!(secret_in(&window, field).is_empty(), "{kind}");
    }
    assert_eq!(secret_in(&window, "Server"), "https://s3.example", "all else is still there");
    window.world.borrow_mut().picks.push_back(Ok(Some(super::flows::path("/mnt/disk"))));
    window.click("Folder or disk");
    window.click("Choose");
    window.scroll_to("Agree and add");
    window.click("Agree and add");
    let is_added = |r: &Request| matches!(r, Request::Command(api::Command::AddDestination { target, secret: None, .. }) if target.path == "/mnt/disk");
    assert_eq!(window.asked(is_added), 1, "a folder is added without any secret");
}

#[test]
fn a_secret_is_forgotten_when_its_page_is_left_or_its_server_changes() {
    let mut window = adding();
    window.click("WebDAV");
    type_into(&mut window, "Address of the folder", "https://nas.example/dav");
    type_into(&mut window, "Password", "planted");
    window.click("Settings");
    window.click("Destinations");
    assert!(secret_in(&window, "Password").is_empty());
    assert_eq!(secret_in(&window, "Address of the folder"), "https://nas.example/dav");
    type_into(&mut window, "Password", "planted");
    type_into(&mut window, "Address of the folder", "/more");
    assert!(!secret_in(&window, "Password").is_empty(), "another folder of the same server");
    window.harness.get_by_label("Address of the folder").focus();
    window.run();
    window.press_with(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::A);
    window.harness.event(eframe::egui::Event::Text("https://other.example".to_owned()));
    window.run();
    assert!(secret_in(&window, "Password").is_empty());
    assert!(window.sees("Password was cleared, because it was typed for another server"));
    window.scroll_to("Check");
    window.click("Check");
    let is_test = |r: &Request| matches!(r, Request::Operation(Operation::TestTarget { secret: None, .. }));
    assert_eq!(window.asked(is_test), 1);
    assert_eq!(
        window.asked(|r| matches!(r, Request::Operation(Operation::TestTarget { secret: Some(_), .. }))),
        0
    );
}

#[test]
fn an_answer_to_another_kinds_test_is_not_taken_for_this_ones() {
    let mut window = adding();
    window.click("More kinds of destination");
    window.click("tus");
    type_into(&mut window, "Address", "https://uploads.example");
    window.world.borrow_mut().is_mute = true;
    window.click("Check");
    window.click("Resumable HTTP");
    window.harness.state_mut().draft.on_tested(1, window_test());
    window.run();
    assert!(!window.sees("Ready to use"));
    window.click("Agree and add");
    assert_eq!(window.asked(|r| matches!(r, Request::Command(api::Command::AddDestination { .. }))), 0);
}

fn window_test() -> Result<crate::api::TestReport, crate::api::ApiError> {
    World::new().test
}

#[test]
fn the_checksum_is_trusted_only_where_a_person_says_so() {
    let mut window = adding();
    window.click("Immich");
    type_into(&mut window, "Server", "photos.example");
    type_into(&mut window, "API key", "planted");
    window.scroll_to("Trust the server's checksum");
    window.click("Trust the server's checksum");
    window.scroll_to("Check");
    window.click("Check");
    let is_test =
        |r: &Request| matches!(r, Request::Operation(Operation::TestTarget { trust_checksum: true, .. }));
    assert_eq!(window.asked(is_test), 1);

    let mut world = World::with_library(10);
    world.snapshot.destinations[0].trusts_checksum = Some(false);
    let name = format!("Trust the checksum of {}", world.snapshot.destinations[0].name);
    let mut window = Window::open(world);
    window.click("Destinations");
    window.scroll_to(&name);
    window.click(&name);
    let is_change =
        |r: &Request| matches!(r, Request::Command(api::Command::SetChecksumTrust { trusted: true, .. }));
    assert_eq!(window.asked(is_change), 1);
}
