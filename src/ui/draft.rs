//! A new destination before it is saved: what it is, where it is to be, and what the test found.
//!
//! Nothing is saved here; a draft that was not tested as it stands cannot be.

use eframe::egui::{Label, Rect, Ui, vec2};

use super::commands::{Command, PickFor, Purpose};
use super::icons::Icon;
use super::kinds::{self, KINDS};
use super::screen_context::ScreenContext;
use super::server_form::ServerForm;
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use crate::api::{self, ApiError, DriveText, Operation, PathText, Query, Request, SecretText, TestReport};
use crate::domain::format;
use crate::domain::target::{DestinationKind, is_valid_name};

/// What is said of a path that does not begin at the root.
pub(super) const WHOLE_PATH: &str = "Enter the full path, starting with /";
/// How much below a test's answer comes into view with it, in points: the consent and its button.
const NEWS_BELOW: f32 = 220.0;

/// How far the draft of a kind is.
#[derive(Debug, Clone, PartialEq, Default)]
enum State {
    /// Being written.
    #[default]
    Written,
    /// The test under way that has this number.
    Testing(u64),
    /// The test has an answer for exactly this text.
    Tested(TestReport),
    /// The test was refused, with a sentence.
    Refused(String),
}

/// What was entered for one kind, and how far it is.
#[derive(Debug, Default)]
struct KindDraft {
    form: ServerForm,
    state: State,
}

/// A destination that is being added: each kind has a draft of its own.
#[derive(Debug)]
pub(super) struct Draft {
    kind: DestinationKind,
    kinds: [KindDraft; KINDS.len()],
    text: String,
    /// The exact bytes, where the text is not.
    exact: Option<PathText>,
    /// The number of the last test.
    tests: u64,
    /// A test has just been answered: its answer must be seen.
    has_news: bool,
    /// What to call it; made up from its address where nothing is entered.
    name: String,
    drives: Drives,
    /// The kinds under *More* are shown.
    shows_more_kinds: bool,
}

/// The drives that can be chosen.
#[derive(Debug, Default)]
enum Drives {
    /// Not asked for yet.
    #[default]
    Unknown,
    Asked,
    Known(Vec<DriveText>),
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            kind: DestinationKind::Folder,
            kinds: Default::default(),
            text: String::new(),
            exact: None,
            tests: 0,
            has_news: false,
            name: String::new(),
            drives: Drives::default(),
            shows_more_kinds: false,
        }
    }
}

impl Draft {
    fn at(kind: DestinationKind) -> usize {
        KINDS.iter().position(|known| *known == kind).unwrap_or(0)
    }

    fn of_kind(&mut self, kind: DestinationKind) -> &mut KindDraft {
        &mut self.kinds[Self::at(kind)]
    }

    fn current(&self) -> &KindDraft {
        &self.kinds[Self::at(self.kind)]
    }

    fn set_state(&mut self, state: State) {
        self.of_kind(self.kind).state = state;
    }

    /// Another kind is chosen. The secret that was typed for the one before is wiped.
    fn choose(&mut self, kind: DestinationKind) {
        if self.kind != kind {
            self.forget_secrets();
            self.kind = kind;
        }
    }

    /// Wipes every secret: the form is left. What was tested with one must be tested again.
    pub fn forget_secrets(&mut self) {
        for (draft, kind) in self.kinds.iter_mut().zip(KINDS) {
            draft.form.forget_secret();
            if kind != DestinationKind::Folder {
                draft.state = State::Written;
            }
        }
    }

    /// A folder was picked or dropped: it is tested at once.
    pub fn set(&mut self, path: PathText, out: &mut Vec<Command>) {
        self.choose(DestinationKind::Folder);
        self.text.clone_from(&path.path);
        self.exact = Some(path);
        self.test(out);
    }

    /// Empties the draft.
    pub fn clear(&mut self) {
        *self = Self { tests: self.tests, ..Self::default() };
    }

    /// What is to be added.
    pub fn target(&self) -> PathText {
        match &self.exact {
            _ if self.kind != DestinationKind::Folder => {
                PathText { path: self.current().form.address(self.kind), path_b64: None }
            }
            Some(exact) if exact.path == self.text => exact.clone(),
            _ => PathText { path: self.text.trim().to_owned(), path_b64: None },
        }
    }

    /// The secret for what is to be added, whether a connection without encryption was agreed to, and
    /// whether the server's checksum is trusted.
    fn access(&mut self) -> (Option<SecretText>, bool, bool) {
        let kind = self.kind;
        let form = &mut self.of_kind(kind).form;
        (form.secret(kind), form.allows_http, form.trusts_checksum(kind))
    }

    /// The request that saves it, with or without the person's consent for every folder that is there.
    pub fn add_request(&mut self, consent_all: bool) -> Request {
        let (secret, allow_http, trust_checksum) = self.access();
        let name = Some(self.name.trim().to_owned()).filter(|name| !name.is_empty());
        let target = self.target();
        Request::Command(api::Command::AddDestination {
            target,
            name,
            allow_http,
            consent_all,
            secret,
            trust_checksum,
        })
    }

    /// It was tested as it stands and can be used, under a name that can be one.
    pub fn is_usable(&self) -> bool {
        let name = self.name.trim();
        let is_named = name.is_empty() || is_valid_name(name);
        is_named && matches!(&self.current().state, State::Tested(report) if report.is_usable)
    }

    /// The drives that are there now.
    pub fn on_drives(&mut self, drives: Vec<DriveText>) {
        self.drives = Drives::Known(drives);
    }

    /// The form is shown again: drives may have come and gone.
    pub fn forget_drives(&mut self) {
        self.drives = Drives::Unknown;
    }

    /// Takes the answer to the test with this number in. One that is no longer awaited is passed over.
    pub fn on_tested(&mut self, number: u64, outcome: Result<TestReport, ApiError>) {
        let Some(draft) = self.kinds.iter_mut().find(|draft| draft.state == State::Testing(number)) else {
            return;
        };
        draft.state = match outcome {
            Ok(report) => State::Tested(report),
            Err(error) => State::Refused(error.message),
        };
        self.has_news = true;
    }

    /// No folder dialog can be shown: says so under the field.
    pub fn refuse(&mut self, why: String) {
        self.set_state(State::Refused(why));
    }

    fn test(&mut self, out: &mut Vec<Command>) {
        let target = self.target();
        if target.path.is_empty() {
            return;
        }
        if self.kind == DestinationKind::Folder && !target.path.starts_with('/') {
            self.set_state(State::Refused(WHOLE_PATH.to_owned()));
            return;
        }
        self.tests += 1;
        self.set_state(State::Testing(self.tests));
        let (secret, allow_http, trust_checksum) = self.access();
        let request = Operation::TestTarget { target, allow_http, secret, trust_checksum };
        out.push(Command::send(request, Purpose::TestDraft(self.tests)));
    }

    /// Whether a test can tell anything new: a server that did not answer may do so now.
    fn may_check(&self) -> bool {
        match &self.current().state {
            State::Written | State::Refused(_) => true,
            State::Testing(_) => false,
            State::Tested(test) => !test.is_usable,
        }
    }

    /// The kinds, what the chosen one needs, and what the test found.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        if let Some(kind) = kinds::choose(ui, self.kind, &mut self.shows_more_kinds) {
            self.choose(kind);
        }
        ui.add_space(space::M);
        if self.kind == DestinationKind::Folder {
            self.folder(ui, env);
        } else {
            self.server(ui, env);
        }
        ui.add_space(space::XS);
        self.outcome(ui);
        if matches!(&self.current().state, State::Tested(report) if report.is_usable) {
            ui.add_space(space::XS);
            widgets::caption(ui, "Name, if you like");
            let width = ui.available_width().min(420.0);
            widgets::field(ui, &mut self.name, "Name of the destination", "for example Disk at home", width);
            let name = self.name.trim();
            let is_bad = !name.is_empty() && !is_valid_name(name);
            let why = "A name has 1 to 40 characters, without /, \\ or :, and doesn't start with - or a dot";
            widgets::field_error(ui, is_bad.then_some(why));
        }
    }

    /// The drives that are connected, each with its free space: one click chooses a folder on it.
    fn drives(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        if matches!(self.drives, Drives::Unknown) {
            self.drives = Drives::Asked;
            env.out.push(Command::send(Query::Drives, Purpose::Drives));
        }
        let Drives::Known(drives) = &self.drives else { return };
        let mut chosen = None;
        for drive in drives {
            let free = drive.free_bytes.map(|free| format!(", {} free", format::bytes(free)));
            let text = format!("{}{}", drive.name, free.unwrap_or_default());
            if widgets::icon_text_button(ui, Kind::Normal, Icon::Disk, &text).clicked() {
                chosen = Some(folder_on(drive));
            }
        }
        if let Some(path) = chosen {
            self.set(path, env.out);
        }
    }

    fn server(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let kind = self.kind;
        let (changed, entered) = self.of_kind(kind).form.ui(ui, kind);
        if changed {
            self.set_state(State::Written);
        }
        ui.add_space(space::XS);
        let may_check = self.may_check() && self.current().form.is_filled(self.kind);
        let check = ui.add_enabled_ui(may_check, |ui| widgets::button(ui, Kind::Normal, "Check")).inner;
        if may_check && (check.clicked() || entered) {
            self.test(env.out);
        }
    }

    fn folder(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let text = widgets::weak(ui, "A folder on another disk, or on a network drive that is connected");
        ui.label(text);
        self.drives(ui, env);
        ui.horizontal(|ui| {
            let before = self.text.clone();
            let width = widgets::field_beside(ui, "Choose", "Check");
            let hint = "for example /media/ann/Backup";
            let entered = widgets::field(ui, &mut self.text, "Backup folder", hint, width);
            if self.text != before {
                self.set_state(State::Written);
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

    /// What the test found. An answer that has just come is brought into view, with what follows it.
    fn outcome(&mut self, ui: &mut Ui) {
        let top = ui.next_widget_position();
        self.answer(ui);
        if std::mem::take(&mut self.has_news) {
            let below = ui.next_widget_position() + vec2(ui.available_width(), NEWS_BELOW);
            ui.scroll_to_rect(Rect::from_min_max(top, below), None);
        }
    }

    fn answer(&self, ui: &mut Ui) {
        let t = tokens(ui);
        match &self.current().state {
            State::Written => {}
            State::Testing(_) => drop(widgets::status(ui, widgets::weak(ui, "Checking"))),
            State::Refused(why) => report(ui, Icon::Attention, why, t.accent, &[]),
            State::Tested(test) if test.is_usable => {
                let mut details = test.details.clone();
                if let Some(free) = test.free_bytes {
                    details.push(format!("{} free", format::bytes(free)));
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

/// The folder that copies go to on a drive that was chosen as a whole.
fn folder_on(drive: &DriveText) -> PathText {
    let mut bytes = drive.path.to_bytes().unwrap_or_else(|| drive.path.path.clone().into_bytes());
    bytes.extend_from_slice(b"/Safelight");
    PathText::from_bytes(&bytes)
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
            widgets::status(ui, eframe::egui::RichText::new(summary).color(color));
            for line in details {
                let line = widgets::note(ui, line);
                ui.add(Label::new(line).wrap());
            }
        });
    });
}
