//! Files that come back: what is asked for, and what came of it.

use eframe::egui::{Label, ScrollArea, Ui};

use super::commands::{Command, PickFor, Purpose};
use super::draft::WHOLE_PATH;
use super::icons::Icon;
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use super::words;
use crate::api::{ApiError, PathText, Reply, Request, RestoreLayout};

/// The height that sentences about files may take, in points.
const SENTENCES_HEIGHT: f32 = 180.0;

/// What is to come back, and whereto.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// The destination.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The folder.
    pub into: PathText,
}

impl Order {
    /// Asks for it.
    pub fn command(self) -> Command {
        let request = Request::Restore {
            destination: self.id,
            into: self.into.clone(),
            layout: RestoreLayout::Dates,
            only: None,
        };
        Command::Send(Box::new(request), Purpose::Restore(self))
    }
}

/// What is asked before files come back: where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// The destination.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Why the folder cannot be taken, or no folder dialog can be shown.
    pub error: Option<String>,
    text: String,
    /// The exact bytes, where the text is not.
    exact: Option<PathText>,
}

impl Form {
    /// A form for one destination.
    pub fn new(id: i64, name: &str) -> Self {
        Self { id, name: name.to_owned(), error: None, text: String::new(), exact: None }
    }

    /// A folder was picked.
    pub fn set(&mut self, path: PathText) {
        self.error = None;
        self.text.clone_from(&path.path);
        self.exact = Some(path);
    }

    /// Paints the field and its button. True when Enter was pressed in the field.
    pub fn ui(&mut self, ui: &mut Ui, out: &mut Vec<Command>) -> bool {
        let about = "Every file is compared with its copy. Existing files are never overwritten";
        ui.add(Label::new(widgets::weak(ui, about)).wrap());
        ui.add_space(space::S);
        widgets::caption(ui, "Folder for the restored files");
        let before = self.text.clone();
        let entered = ui.horizontal(|ui| {
            let width = widgets::button_width(ui, true, "Choose") + ui.spacing().item_spacing.x;
            let width = (ui.available_width() - width).max(120.0);
            let hint = "for example /home/ann/Restored";
            let entered = widgets::field(ui, &mut self.text, "Folder for the restored files", hint, width);
            if widgets::icon_text_button(ui, Kind::Normal, Icon::Folder, "Choose").clicked() {
                out.push(Command::PickFolder(PickFor::Restore(self.id)));
            }
            entered
        });
        if self.text != before {
            self.error = None;
        }
        widgets::field_error(ui, self.error.as_deref());
        entered.inner
    }

    /// What is to come back, if the folder is named as it must be; else says under the field why not.
    pub fn order(&mut self) -> Option<Order> {
        let into = match &self.exact {
            Some(exact) if exact.path == self.text => exact.clone(),
            _ => PathText { path: self.text.trim().to_owned(), path_b64: None },
        };
        if !into.path.starts_with('/') {
            self.error = Some(WHOLE_PATH.to_owned());
            return None;
        }
        Some(Order { id: self.id, name: self.name.clone(), into })
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// What was to come back.
    pub order: Order,
    restored: u64,
    present: u64,
    failed: u64,
    sentences: Vec<String>,
    stopped: Option<String>,
}

impl Outcome {
    /// What an answer says.
    pub fn of(order: Order, answer: Result<Reply, ApiError>) -> Self {
        let none = Self { order, restored: 0, present: 0, failed: 0, sentences: Vec::new(), stopped: None };
        match answer {
            Ok(Reply::Restored { restored, present, failed, sentences, stopped }) => {
                let stopped = stopped.map(|error| error.message);
                Self { restored, present, failed, sentences, stopped, ..none }
            }
            Ok(_) => Self { stopped: Some("Internal error: unexpected reply".to_owned()), ..none },
            Err(error) => Self { stopped: Some(error.message), ..none },
        }
    }

    /// Whether all is back.
    pub fn is_whole(&self) -> bool {
        self.failed == 0 && self.stopped.is_none()
    }

    /// The heading.
    pub fn title(&self) -> String {
        let name = &self.order.name;
        match self.is_whole() {
            true => format!("Restored from {name}"),
            false => format!("Not everything came back from {name}"),
        }
    }

    /// Paints what came of it.
    pub fn ui(&self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = space::XS;
        let back =
            format!("{} restored into {} and verified", words::files(self.restored), self.order.into.path);
        widgets::status(ui, widgets::weak(ui, back));
        if self.present > 0 {
            let verb = if self.present == 1 { "was" } else { "were" };
            let there = format!("{} {verb} already there", words::files(self.present));
            ui.label(widgets::weak(ui, there));
        }
        if let Some(why) = &self.stopped {
            ui.add_space(space::S);
            let why = eframe::egui::RichText::new(words::sentence(why)).color(tokens(ui).accent);
            ui.add(Label::new(why).wrap());
            let on = "Restoring again resumes where this ended";
            ui.add(Label::new(widgets::weak(ui, on)).wrap());
        }
        if self.failed == 0 {
            return;
        }
        ui.add_space(space::S);
        let failed = format!("{} could not be restored", words::files(self.failed));
        ui.label(eframe::egui::RichText::new(failed).color(tokens(ui).accent));
        ScrollArea::vertical().max_height(SENTENCES_HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
            for sentence in &self.sentences {
                ui.add(Label::new(widgets::note(ui, sentence)).wrap().selectable(true));
            }
            let untold = self.failed.saturating_sub(self.sentences.len() as u64);
            if untold > 0 {
                ui.label(widgets::note(ui, format!("And {} more", words::files(untold))));
            }
        });
    }
}
