//! Files that come back: what is asked for, and what came of it.

use eframe::egui::{Label, ScrollArea, Ui};

use super::commands::{Command, Purpose};
use super::theme::{space, tokens};
use super::{widgets, words};
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
            Ok(_) => Self { stopped: Some("The answer makes no sense".to_owned()), ..none },
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
        let back = format!(
            "{} restored into {}, each one compared",
            words::files(self.restored),
            self.order.into.path
        );
        ui.add(Label::new(widgets::weak(ui, back)).wrap());
        if self.present > 0 {
            let verb = if self.present == 1 { "was" } else { "were" };
            let there = format!("{} {verb} there already", words::files(self.present));
            ui.label(widgets::weak(ui, there));
        }
        if let Some(why) = &self.stopped {
            ui.add_space(space::S);
            let why = eframe::egui::RichText::new(words::sentence(why)).color(tokens(ui).accent);
            ui.add(Label::new(why).wrap());
            let on = "The next try goes on where this one ended";
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
