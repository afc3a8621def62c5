//! Starting at sign-in: said where the person agrees, and a switch in the settings.

use eframe::egui::{Key, Role};
use egui_kittest::kittest::Queryable as _;

use super::Window;
use super::flows::type_into;
use crate::api::BackupSwitch;
use crate::client::sign_in::SignInState;
use crate::ui::fake::World;

const CONSENT: &str =
    "Safelight will also start in the background when you sign in. You can change this in Settings";

#[test]
fn switching_backup_on_starts_it_at_sign_in_and_says_so_before() {
    let mut window = Window::open(World::new());
    type_into(&mut window, "Photo folder", "/photos");
    window.press(Key::Enter);
    type_into(&mut window, "Backup folder", "/media/disk/backup");
    window.press(Key::Enter);
    assert!(window.sees(CONSENT));
    assert_eq!(window.sign_in.state(), Some(SignInState::Undecided));
    window.scroll_to("Agree and switch on backup");
    window.click("Agree and switch on backup");
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::On);
    assert_eq!(window.sign_in.state(), Some(SignInState::On));
}

fn switch_backup(window: &mut Window) {
    window.harness.get_by_role_and_label(Role::Switch, "Backup").click();
    window.run();
}

#[test]
fn a_no_in_the_settings_stays_when_backup_is_switched_off_and_on() {
    let mut window = Window::open(World::busy(40));
    window.click("Settings");
    window.scroll_to("Start when I sign in");
    window.click("Start when I sign in");
    assert_eq!(window.sign_in.state(), Some(SignInState::On));
    window.click("Start when I sign in");
    assert_eq!(window.sign_in.state(), Some(SignInState::Off));
    switch_backup(&mut window);
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::Off);
    switch_backup(&mut window);
    assert_eq!(window.world.borrow().snapshot.backup, BackupSwitch::On);
    assert_eq!(window.sign_in.state(), Some(SignInState::Off));
}
