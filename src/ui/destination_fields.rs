//! Fields that open on a destination's card: for another password, and for another name.

use eframe::egui::Ui;

use super::commands::Command;
use super::focus;
use super::screen_context::ScreenContext;
use super::secret_input::SecretInput;
use super::theme::space;
use super::widgets::{self, Kind};
use crate::api::{self, DestinationState};
use crate::domain::target::is_valid_name;

/// A password that is being entered.
pub(super) struct PasswordField {
    /// The destination.
    pub id: i64,
    input: SecretInput,
    /// The field has not been painted yet.
    is_new: bool,
}

impl PasswordField {
    /// An empty field for a destination.
    pub fn new(id: i64) -> Self {
        Self { id, input: SecretInput::default(), is_new: true }
    }
}

/// A name that is being entered.
pub(super) struct NameField {
    /// The destination.
    pub id: i64,
    text: String,
    /// Its field has not had the keyboard yet.
    is_new: bool,
}

impl NameField {
    /// A field with the name that a destination has.
    pub fn new(id: i64, name: &str) -> Self {
        Self { id, text: name.to_owned(), is_new: true }
    }
}

/// The field for another password, key or token.
pub(super) fn enter_password(
    ui: &mut Ui,
    env: &mut ScreenContext<'_>,
    d: &DestinationState,
    password: &mut Option<PasswordField>,
) {
    let Some(entry) = password.as_mut() else { return };
    let what = if d.kind == "s3" { "New access key, as ID:SECRET" } else { "New password, key or token" };
    widgets::caption(ui, what);
    let mut is_over = false;
    ui.horizontal(|ui| {
        let width = widgets::field_beside(ui, "Cancel", "Save");
        let name = format!("{what} for {}", d.name);
        if std::mem::take(&mut entry.is_new) {
            focus::next_field(ui);
        }
        let (_, entered) = entry.input.ui(ui, &name, width, &d.url);
        let may_save = !entry.input.is_empty();
        let save = ui.add_enabled_ui(may_save, |ui| widgets::button(ui, Kind::Primary, "Save")).inner;
        if let Some(secret) = entry.input.take_if(may_save && (save.clicked() || entered)) {
            env.out.push(Command::send_ignoring_reply(api::Command::SetSecret { id: d.id, secret }));
            env.out.push(Command::send_ignoring_reply(api::Command::CheckDestination { id: d.id }));
            is_over = true;
        }
        is_over |= widgets::button(ui, Kind::Quiet, "Cancel").clicked();
    });
    ui.add_space(space::S);
    if is_over {
        *password = None;
    }
}

/// The field for another name.
pub(super) fn enter_name(ui: &mut Ui, env: &mut ScreenContext<'_>, renaming: &mut Option<NameField>) {
    let Some(entry) = renaming.as_mut() else { return };
    let mut is_over = false;
    widgets::caption(ui, "Name");
    ui.horizontal(|ui| {
        let width = widgets::field_beside(ui, "Cancel", "Save").min(420.0);
        if std::mem::take(&mut entry.is_new) {
            focus::next_field(ui);
        }
        let entered = widgets::field(ui, &mut entry.text, "Name", "for example Disk at home", width);
        let name = entry.text.trim().to_owned();
        let may_save = is_valid_name(&name);
        let save = ui.add_enabled_ui(may_save, |ui| widgets::button(ui, Kind::Primary, "Save")).inner;
        if may_save && (save.clicked() || entered) {
            env.out
                .push(Command::send_ignoring_reply(api::Command::RenameDestination { id: entry.id, name }));
            is_over = true;
        }
        is_over |= widgets::button(ui, Kind::Quiet, "Cancel").clicked();
    });
    ui.add_space(space::S);
    if is_over {
        *renaming = None;
    }
}
