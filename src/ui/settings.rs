//! The folders that are backed up, when, how the window looks, and how to quit.

use eframe::egui::{Label, RichText, Ui};

use super::commands::{Command, Dialog, PickFor};
use super::draft::WHOLE_PATH;
use super::focus;
use super::icons::Icon;
use super::network::Network;
use super::preferences::Appearance;
use super::rules::HoursForm;
use super::screen_context::ScreenContext;
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use crate::api::{self, PathText, SourceCondition, SourceState};
use crate::client::sign_in::SignInState;
use crate::domain::format;

/// The screen's state.
#[derive(Default)]
pub(super) struct Settings {
    typed: String,
    /// Why the folder that was typed was not added, or no folder dialog can be shown.
    pub folder_error: Option<String>,
    when: HoursForm,
    /// How servers are reached.
    pub network: Network,
}

/// What the screen shows beside the snapshot.
pub(super) struct About<'a> {
    /// Which theme is chosen.
    pub appearance: Appearance,
    /// The size of text.
    pub text_scale: f32,
    /// The release.
    pub version: &'a str,
}

const APPEARANCES: [(Appearance, &str); 3] =
    [(Appearance::System, "System"), (Appearance::Light, "Light"), (Appearance::Dark, "Dark")];

impl Settings {
    /// Paints the screen.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, about: &About<'_>) {
        widgets::page(ui, "settings", |ui| {
            widgets::page_title(ui, "Settings");
            ui.add_space(space::L);
            self.folders(ui, env);
            ui.add_space(space::M);
            self.when.ui(ui, env);
            ui.add_space(space::M);
            self.network.ui(ui, env);
            ui.add_space(space::M);
            widgets::card(ui, |ui| {
                widgets::section_title(ui, "Appearance");
                ui.add_space(space::XS);
                if let Some(picked) = widgets::segmented(ui, "Appearance", about.appearance, &APPEARANCES) {
                    env.out.push(Command::SetAppearance(picked));
                }
                text_size(ui, env, about.text_scale);
            });
            ui.add_space(space::M);
            background(ui, env);
            ui.add_space(space::M);
            widgets::card(ui, |ui| {
                widgets::section_title(ui, "About");
                let text = format!(
                    "Safelight {}. It backs up photo folders to destinations you own and verifies every copy",
                    about.version
                );
                let text = widgets::weak(ui, text);
                ui.add(Label::new(text).wrap());
                ui.add_space(space::XS);
                if widgets::button(ui, Kind::Normal, "Keyboard shortcuts").clicked() {
                    env.out.push(Command::Ask(Dialog::Shortcuts));
                }
            });
        });
    }

    fn folders(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        widgets::card(ui, |ui| {
            ui.horizontal(|ui| {
                widgets::section_title(ui, "Photo folders");
                if !env.model.snapshot.sources.is_empty() {
                    focus::at_right(ui, |ui| {
                        if widgets::icon_text_button(ui, Kind::Quiet, Icon::Retry, "Rescan").clicked() {
                            env.out.push(Command::send_ignoring_reply(api::Command::Rescan { id: None }));
                        }
                    });
                }
            });
            let text = "Safelight only reads these folders. Drop a folder on the window to add it";
            let text = widgets::weak(ui, text);
            ui.add(Label::new(text).wrap());
            ui.add_space(space::S);
            let snapshot = env.model.snapshot.clone();
            for source in &snapshot.sources {
                source_row(ui, env, source);
            }
            self.add_folder(ui, env);
        });
    }

    /// The field and the button that add a folder.
    pub fn add_folder(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let before = self.typed.clone();
        ui.horizontal(|ui| {
            let width = widgets::field_beside(ui, "Choose", "Add");
            let entered =
                widgets::field(ui, &mut self.typed, "Photo folder", "for example /home/ann/Pictures", width);
            if widgets::icon_text_button(ui, Kind::Normal, Icon::Folder, "Choose").clicked() {
                env.out.push(Command::PickFolder(PickFor::Source));
            }
            let typed = self.typed.trim();
            let add =
                ui.add_enabled_ui(!typed.is_empty(), |ui| widgets::button(ui, Kind::Normal, "Add")).inner;
            if !typed.is_empty() && (add.clicked() || entered) {
                if typed.starts_with('/') {
                    // The text stays until the folder is there: a question in between may be cancelled.
                    env.add_source(PathText { path: typed.to_owned(), path_b64: None });
                } else {
                    self.folder_error = Some(WHOLE_PATH.to_owned());
                }
            }
        });
        if self.typed != before {
            self.folder_error = None;
        }
        widgets::field_error(ui, self.folder_error.as_deref());
    }

    /// A folder was added: its field is empty again.
    pub fn on_folder_added(&mut self, path: &PathText) {
        self.folder_error = None;
        if self.typed.trim() == path.path {
            self.typed.clear();
        }
    }

    /// A folder was not added. False if it was not typed here, so that this is said elsewhere.
    pub fn refuse_folder(&mut self, path: &PathText, why: &str) -> bool {
        let is_typed = self.typed.trim() == path.path;
        if is_typed {
            self.folder_error = Some(why.to_owned());
        }
        is_typed
    }
}

/// How a source is, in words, and whether the person should look.
pub(super) fn source_state(source: &SourceState) -> (String, bool) {
    let found = format::files(source.found);
    if source.unreadable_folders > 0 && source.state == SourceCondition::Watching {
        let folders = match source.unreadable_folders {
            1 => "1 folder".to_owned(),
            n => format!("{} folders", format::number(n)),
        };
        return (format!("{found}, {folders} in it cannot be read"), true);
    }
    match source.state {
        SourceCondition::Watching => (format!("{found}, watched for changes"), false),
        SourceCondition::Scanning => (format!("Scanning, {} so far", format::files(source.scanned)), false),
        SourceCondition::Unavailable => (format!("Not connected, {found} known"), true),
        SourceCondition::Unreadable => ("This folder cannot be read".to_owned(), true),
    }
}

/// One folder with its state.
pub(super) fn source_row(ui: &mut Ui, env: &mut ScreenContext<'_>, source: &SourceState) {
    let t = tokens(ui);
    let (state, needs) = source_state(source);
    ui.horizontal(|ui| {
        widgets::mark(ui, Icon::Folder, 20.0, if needs { t.accent } else { t.weak });
        ui.add_space(space::XS);
        let path = &source.path.path;
        let room = (ui.available_width() - 84.0).max(80.0);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.set_width(room);
            ui.add(Label::new(path).truncate());
            let color = if needs { t.accent } else { t.faint };
            ui.label(widgets::note(ui, state).color(color));
            if let Some(note) = &source.note {
                let note = widgets::note(ui, note.as_str());
                ui.add(Label::new(note).wrap());
            }
            for folder in &source.unreadable {
                let text = format!("{}: {}. {}", folder.path.path, folder.summary, folder.advice);
                let text = widgets::note(ui, text);
                ui.add(Label::new(text).wrap());
            }
        });
        focus::at_right(ui, |ui| {
            if widgets::icon_button(ui, Icon::Retry, &format!("Rescan {path}")).clicked() {
                env.out.push(Command::send_ignoring_reply(api::Command::Rescan { id: Some(source.id) }));
            }
            if widgets::icon_button(ui, Icon::Close, &format!("Remove {path}")).clicked() {
                let dialog = Dialog::RemoveSource { id: source.id, path: source.path.clone() };
                env.out.push(Command::Ask(dialog));
            }
        });
    });
    ui.add_space(space::XS);
}

/// The size of text and controls, in steps.
fn text_size(ui: &mut Ui, env: &mut ScreenContext<'_>, scale: f32) {
    ui.horizontal(|ui| {
        ui.label("Text size");
        ui.add_space(space::S);
        if widgets::icon_button(ui, Icon::Minus, "Smaller text").clicked() {
            env.out.push(Command::ScaleText(-1));
        }
        widgets::status(ui, RichText::new(format!("{} %", (scale * 100.0).round())));
        if widgets::icon_button(ui, Icon::Plus, "Larger text").clicked() {
            env.out.push(Command::ScaleText(1));
        }
        let is_changed = (scale - 1.0).abs() > f32::EPSILON;
        if is_changed && widgets::button(ui, Kind::Quiet, "Normal").clicked() {
            env.out.push(Command::ScaleText(0));
        }
    });
}

fn background(ui: &mut Ui, env: &mut ScreenContext<'_>) {
    widgets::card(ui, |ui| {
        widgets::section_title(ui, "In the background");
        let is_started = env.sign_in == Some(SignInState::On);
        let until = if is_started { "sign in again or open Safelight" } else { "open Safelight again" };
        let text =
            format!("Backup continues when you close the window. It stops when you quit, until you {until}");
        let text = widgets::weak(ui, text);
        ui.add(Label::new(text).wrap());
        ui.add_space(space::XS);
        if env.sign_in.is_some() {
            ui.horizontal(|ui| {
                if widgets::switch(ui, is_started, "Start when I sign in").clicked() {
                    env.out.push(Command::StartAtSignIn(!is_started));
                }
                ui.label("Start in the background when I sign in");
            });
            ui.add_space(space::XS);
        }
        ui.horizontal(|ui| {
            if widgets::button(ui, Kind::Normal, "Close window").clicked() {
                env.out.push(Command::CloseWindow);
            }
            if widgets::button(ui, Kind::Normal, "Quit Safelight").clicked() {
                env.out.push(Command::Quit);
            }
        });
    });
}
