//! The settings' card on how servers are reached.

use eframe::egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use super::Window;
use crate::api::{self, NetworkText, PathText, ProxyText, Request, SecretText};
use crate::ui::fake::World;

fn settings(network: NetworkText) -> Window {
    let mut world = World::with_library(10);
    world.snapshot.network = network;
    let mut window = Window::open(world);
    window.click("Settings");
    window
}

fn network(window: &Window) -> NetworkText {
    window.world.borrow().snapshot.network.clone()
}

fn write(window: &mut Window, name: &str, text: &str) {
    window.scroll_to(name);
    window.harness.get_by_label(name).focus();
    window.run();
    window.press_with(Modifiers::COMMAND, Key::A);
    window.harness.event(Event::Text(text.to_owned()));
    window.run();
}

fn click(window: &mut Window, name: &str) {
    window.scroll_to(name);
    window.click(name);
}

#[test]
fn a_limit_is_switched_on_changed_and_off() {
    let mut window = settings(NetworkText::default());
    click(&mut window, "Upload limit: At most");
    assert_eq!(network(&window).upload_limit, Some(2_000_000));
    write(&mut window, "Upload limit in MB a second", "0,5");
    click(&mut window, "Save limit");
    assert_eq!(network(&window).upload_limit, Some(500_000));
    write(&mut window, "Upload limit in MB a second", "fast");
    click(&mut window, "Save limit");
    assert!(window.sees("Enter the limit as a number"));
    assert_eq!(network(&window).upload_limit, Some(500_000));
    click(&mut window, "Upload limit: Off");
    assert_eq!(network(&window).upload_limit, None);
}

#[test]
fn a_proxy_has_an_address_and_its_password_goes_elsewhere() {
    let mut window = settings(NetworkText::default());
    click(&mut window, "Proxy: Custom");
    assert_eq!(network(&window).proxy, ProxyText::System, "not before there is an address");
    write(&mut window, "Address of the proxy", "http://ann@proxy.example:3128");
    click(&mut window, "Save proxy");
    assert_eq!(network(&window).proxy, ProxyText::Address("http://ann@proxy.example:3128".into()));
    write(&mut window, "Password of the proxy", "planted");
    click(&mut window, "Save password");
    let kept =
        Request::Command(api::Command::SetProxySecret { secret: SecretText::new("planted".to_owned()) });
    assert_eq!(window.asked(|request| *request == kept), 1);
    assert!(!window.sees("planted"));
    click(&mut window, "Proxy: None");
    assert_eq!(network(&window).proxy, ProxyText::None);
    assert!(window.harness.query_by_label("Address of the proxy").is_none());
}

#[test]
fn a_certificate_authority_is_chosen_by_path_and_removed() {
    let mut window = settings(NetworkText::default());
    write(&mut window, "File of a certificate authority", "/home/ann/ca.pem");
    click(&mut window, "Save file");
    assert_eq!(network(&window).ca_file, Some(PathText::from_bytes(b"/home/ann/ca.pem")));
    click(&mut window, "Remove the certificate authority");
    assert_eq!(network(&window).ca_file, None);
}

#[test]
fn a_certificate_authoritys_file_is_picked_in_a_dialog() {
    let mut world = World::with_library(20);
    world.picks.push_back(Ok(Some(super::flows::path("/home/ada/ca.pem"))));
    world.picks.push_back(Err("No file dialog can be shown here. Enter the file's path instead".into()));
    let mut window = Window::open(world);
    window.click("Settings");
    let choose = "Choose a certificate authority's file";
    window.scroll_to(choose);
    window.click(choose);
    let set = |r: &Request| matches!(r, Request::Command(api::Command::SetNetwork(n)) if n.ca_file.as_ref().is_some_and(|p| p.path == "/home/ada/ca.pem"));
    assert_eq!(window.asked(set), 1);
    window.scroll_to(choose);
    window.click(choose);
    assert!(window.sees("No file dialog can be shown here"));
}
