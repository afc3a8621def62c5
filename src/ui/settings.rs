//! The folders that are backed up, when, how the window looks, and how to quit.

use eframe::egui::{Label, Ui};

use super::app::Env;
use super::commands::{Command, Dialog, PickFor};
use super::icons::Icon;
use super::network::Network;
use super::preferences::Appearance;
use super::rules::When;
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use super::words;
use crate::api::{PathText, Request, SourceCondition, SourceState};

/// The screen's state.
#[derive(Default)]
pub(super) struct Settings {
    typed: String,
    when: When,
    /// How servers are reached.
    pub network: Network,
}

/// What the screen shows beside the snapshot.
pub(super) struct About<'a> {
    /// Which theme is chosen.
    pub appearance: Appearance,
    /// The release.
    pub version: &'a str,
}

const APPEARANCES: [(Appearance, &str); 3] =
    [(Appearance::System, "As the system"), (Appearance::Light, "Light"), (Appearance::Dark, "Dark")];

impl Settings {
    /// Paints the screen.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut Env<'_>, about: &About<'_>) {
        widgets::page(ui, "settings", |ui| {
            ui.label(widgets::title("Settings"));
            ui.add_space(space::L);
            self.folders(ui, env);
            ui.add_space(space::M);
            self.when.ui(ui, env);
            ui.add_space(space::M);
            self.network.ui(ui, env);
            ui.add_space(space::M);
            widgets::card(ui, |ui| {
                ui.label(widgets::heading("Appearance"));
                ui.add_space(space::XS);
                if let Some(picked) = widgets::segmented(ui, "Appearance", about.appearance, &APPEARANCES) {
                    env.out.push(Command::SetAppearance(picked));
                }
            });
            ui.add_space(space::M);
            background(ui, env);
            ui.add_space(space::M);
            widgets::card(ui, |ui| {
                ui.label(widgets::heading("About"));
                let text = format!(
                    "Safelight {}. It backs up photo folders to places you own, and proves that every copy is there",
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

    fn folders(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        widgets::card(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(widgets::heading("Photo folders"));
                if !env.model.snapshot.sources.is_empty() {
                    widgets::at_right(ui, |ui| {
                        if widgets::icon_text_button(ui, Kind::Quiet, Icon::Retry, "Look again").clicked() {
                            env.out.push(Command::plain(Request::Rescan { id: None }));
                        }
                    });
                }
            });
            let text = "Safelight only ever reads these folders. Drop a folder on the window to add it";
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
    pub fn add_folder(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
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
                    env.add_source(PathText { path: typed.to_owned(), path_b64: None });
                    self.typed.clear();
                } else {
                    env.out.push(Command::Toast("Type the whole path, from the first / on".to_owned()));
                }
            }
        });
    }
}

/// How a source is, in words, and whether the person should look.
pub(super) fn source_state(source: &SourceState) -> (String, bool) {
    let found = words::files(source.found);
    if source.unreadable_folders > 0 && source.state == SourceCondition::Watching {
        let folders = match source.unreadable_folders {
            1 => "1 folder".to_owned(),
            n => format!("{} folders", words::number(n)),
        };
        return (format!("{found}, {folders} in it cannot be read"), true);
    }
    match source.state {
        SourceCondition::Watching => (format!("{found}, watched for changes"), false),
        SourceCondition::Scanning => {
            (format!("Looking through it, {} seen so far", words::files(source.scanned)), false)
        }
        SourceCondition::Unavailable => (format!("Not connected now, {found} known"), true),
        SourceCondition::Unreadable => ("This folder cannot be read".to_owned(), true),
    }
}

/// One folder with its state.
pub(super) fn source_row(ui: &mut Ui, env: &mut Env<'_>, source: &SourceState) {
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
        widgets::at_right(ui, |ui| {
            if widgets::icon_button(ui, Icon::Close, &format!("Remove {path}")).clicked() {
                let dialog = Dialog::RemoveSource { id: source.id, path: path.clone() };
                env.out.push(Command::Ask(dialog));
            }
            if widgets::icon_button(ui, Icon::Retry, &format!("Look through {path} again")).clicked() {
                env.out.push(Command::plain(Request::Rescan { id: Some(source.id) }));
            }
        });
    });
    ui.add_space(space::XS);
}

fn background(ui: &mut Ui, env: &mut Env<'_>) {
    widgets::card(ui, |ui| {
        ui.label(widgets::heading("In the background"));
        let text =
            "Closing the window does not stop the backup. Quitting does, until Safelight is opened again";
        let text = widgets::weak(ui, text);
        ui.add(Label::new(text).wrap());
        ui.add_space(space::XS);
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
