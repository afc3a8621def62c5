//! Adding a destination on a server: what is asked for, what is sent, and what is never shown.

use egui_kittest::kittest::Queryable as _;

use super::Window;
use super::flows::type_into;
use crate::api::{Request, SecretText};
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
    assert!(window.sees("Make an app password"));
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
        matches!(r, Request::TestTarget { target, secret, allow_http: false }
            if target.path == address && *secret == entered)
    };
    assert_eq!(window.asked(is_test), 1);
    assert!(!window.sees("planted"), "a password is not shown");
    window.scroll_to("Agree and add");
    window.click("Agree and add");
    let is_added = |r: &Request| {
        matches!(r, Request::AddDestination { target, secret, consent_all: true, .. }
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
    window.scroll_to("Allow a connection that is not encrypted");
    window.click("Allow a connection that is not encrypted");
    window.scroll_to("Check");
    window.click("Check");
    let is_test = |r: &Request| {
        matches!(r, Request::TestTarget { target, allow_http: true, secret: None }
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
    window.scroll_to("Keep");
    window.click("Keep");
    let kept = SecretText::new("planted".to_owned());
    let is_kept =
        |r: &Request| matches!(r, Request::SetSecret { id: to, secret } if *to == id && *secret == kept);
    assert_eq!(window.asked(is_kept), 1);
    assert!(window.harness.query_by_label("Keep").is_none());
}
