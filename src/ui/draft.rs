//! A new destination before it is saved: what it is, where it is to be, and what the test found.
//!
//! Nothing is saved here; a draft that was not tested as it stands cannot be.

use eframe::egui::{Label, Ui};

use super::app::Env;
use super::commands::{Command, PickFor, Purpose};
use super::icons::Icon;
use super::server_form::{KINDS, ServerForm};
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use super::words;
use crate::api::{ApiError, PathText, Request, TestReport};
use crate::domain::target::DestinationKind;

/// How far the draft is.
#[derive(Debug, Clone, PartialEq, Default)]
enum State {
    /// Being written.
    #[default]
    Written,
    /// The test is under way.
    Testing,
    /// The test has an answer for exactly this text.
    Tested(TestReport),
    /// The test was refused, with a sentence.
    Refused(String),
}

/// A destination that is being added.
#[derive(Debug)]
pub(super) struct Draft {
    kind: DestinationKind,
    form: ServerForm,
    text: String,
    /// The exact bytes, where the text is not.
    exact: Option<PathText>,
    state: State,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            kind: DestinationKind::Folder,
            form: ServerForm::default(),
            text: String::new(),
            exact: None,
            state: State::default(),
        }
    }
}

impl Draft {
    /// A folder was picked or dropped: it is tested at once.
    pub fn set(&mut self, path: PathText, out: &mut Vec<Command>) {
        self.kind = DestinationKind::Folder;
        self.text.clone_from(&path.path);
        self.exact = Some(path);
        self.test(out);
    }

    /// Empties the draft.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is to be added.
    pub fn target(&self) -> PathText {
        match &self.exact {
            _ if self.kind != DestinationKind::Folder => {
                PathText { path: self.form.address(self.kind), path_b64: None }
            }
            Some(exact) if exact.path == self.text => exact.clone(),
            _ => PathText { path: self.text.trim().to_owned(), path_b64: None },
        }
    }

    /// The request that saves it, with the person's consent for every folder that is there.
    pub fn add_request(&self) -> Request {
        Request::AddDestination {
            target: self.target(),
            name: None,
            allow_http: self.form.allows_http,
            consent_all: true,
            secret: self.form.secret(self.kind),
        }
    }

    /// It was tested as it stands and can be used.
    pub fn is_usable(&self) -> bool {
        matches!(&self.state, State::Tested(report) if report.is_usable)
    }

    /// Takes the test's answer in.
    pub fn on_tested(&mut self, outcome: Result<TestReport, ApiError>) {
        if self.state == State::Testing {
            self.state = match outcome {
                Ok(report) => State::Tested(report),
                Err(error) => State::Refused(error.message),
            };
        }
    }

    fn test(&mut self, out: &mut Vec<Command>) {
        let target = self.target();
        if target.path.is_empty() {
            return;
        }
        if self.kind == DestinationKind::Folder && !target.path.starts_with('/') {
            self.state = State::Refused("Type the whole path, from the first / on".to_owned());
            return;
        }
        self.state = State::Testing;
        let (allow_http, secret) = (self.form.allows_http, self.form.secret(self.kind));
        let request = Request::TestTarget { target, allow_http, secret };
        out.push(Command::Send(Box::new(request), Purpose::TestDraft));
    }

    /// Whether a test can tell anything new: a server that did not answer may do so now.
    fn may_check(&self) -> bool {
        match &self.state {
            State::Written | State::Refused(_) => true,
            State::Testing => false,
            State::Tested(test) => !test.is_usable,
        }
    }

    /// The kinds, what the chosen one needs, and what the test found.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        ui.horizontal_wrapped(|ui| {
            for (kind, name) in KINDS {
                if widgets::chip(ui, self.kind == kind, name, name).clicked() && self.kind != kind {
                    self.kind = kind;
                    self.state = State::Written;
                }
            }
        });
        ui.add_space(space::S);
        if self.kind == DestinationKind::Folder {
            self.folder(ui, env);
        } else {
            self.server(ui, env);
        }
        ui.add_space(space::XS);
        self.outcome(ui);
    }

    fn server(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        let (changed, entered) = self.form.ui(ui, self.kind);
        if changed {
            self.state = State::Written;
        }
        ui.add_space(space::XS);
        let may_check = self.may_check() && self.form.is_filled(self.kind);
        let check = ui.add_enabled_ui(may_check, |ui| widgets::button(ui, Kind::Normal, "Check")).inner;
        if may_check && (check.clicked() || entered) {
            self.test(env.out);
        }
    }

    fn folder(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        let text = widgets::weak(ui, "A folder on another disk, or on a network drive that is connected");
        ui.label(text);
        ui.horizontal(|ui| {
            let before = self.text.clone();
            let width = widgets::field_beside(ui, "Choose", "Check");
            let hint = "for example /media/ann/Backup";
            let entered = widgets::field(ui, &mut self.text, "Backup folder", hint, width);
            if self.text != before {
                self.state = State::Written;
            }
            if widgets::icon_text_button(ui, Kind::Normal, Icon::Folder, "Choose").clicked() {
                env.out.push(Command::PickFolder(PickFor::Destination));
            }
            let may_check = self.may_check() && !self.text.trim().is_empty();
            let check = ui.add_enabled_ui(may_check, |ui| widgets::button(ui, Kind::Normal, "Check")).inner;
            if may_check && (check.clicked() || entered) {
                self.test(env.out);
            }
        });
    }

    fn outcome(&self, ui: &mut Ui) {
        let t = tokens(ui);
        match &self.state {
            State::Written => {}
            State::Testing => {
                let text = widgets::weak(ui, "Checking");
                ui.label(text);
            }
            State::Refused(why) => report(ui, Icon::Attention, why, t.accent, &[]),
            State::Tested(test) if test.is_usable => {
                let mut details = test.details.clone();
                if let Some(free) = test.free_bytes {
                    details.push(format!("{} free", words::bytes(free)));
                }
                report(ui, Icon::Safe, &test.summary, t.text, &details);
                for warning in &test.warnings {
                    ui.add_space(space::XS);
                    report(ui, Icon::Attention, warning, t.accent, &[]);
                }
            }
            State::Tested(test) => report(ui, Icon::Attention, &test.summary, t.accent, &test.details),
        }
    }
}

/// The outcome of a test.
pub(super) fn report(
    ui: &mut Ui,
    icon: Icon,
    summary: &str,
    color: eframe::egui::Color32,
    details: &[String],
) {
    ui.horizontal_top(|ui| {
        widgets::mark(ui, icon, 18.0, color);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            ui.add(Label::new(eframe::egui::RichText::new(summary).color(color)).wrap());
            for line in details {
                let line = widgets::note(ui, line);
                ui.add(Label::new(line).wrap());
            }
        });
    });
}
