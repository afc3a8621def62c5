//! Bringing files back: from where, what, whereto, and how far it is.

mod choices;
mod runs;

use eframe::egui::{Align, Label, RichText, Ui};

use super::address;
use super::choices::segmented;
use super::commands::{Command, PickFor, Purpose, RestoreStart, Screen};
use super::draft::WHOLE_PATH;
use super::icons::Icon;
use super::screen_context::ScreenContext;
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use crate::api::{
    self, ApiError, DestinationState, FileTotals, Operation, PathText, Query, RestoreLayout, RestoreOrder,
    RestoreOverview, RestoreScope, RestoreTarget,
};
use crate::domain::format;
use choices::{Choice, Row, ScopeKind, list};

/// An answer that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Loaded<T> {
    Asked,
    Known(T),
    Failed(String),
}

/// Where the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum TargetChoice {
    #[default]
    Folder,
    Original,
}

const WHERETO: [(TargetChoice, &str); 2] =
    [(TargetChoice::Folder, "Into a folder"), (TargetChoice::Original, "Back to where they were")];
const LAYOUTS: [(RestoreLayout, &str); 2] =
    [(RestoreLayout::Dates, "By date"), (RestoreLayout::Folders, "As the folders were")];

/// The screen's state.
#[derive(Default)]
pub(super) struct Restore {
    destination: Option<i64>,
    /// What the chosen destination has.
    overview: Option<(i64, Loaded<RestoreOverview>)>,
    choice: Choice,
    /// The size of the chosen photos' copies there.
    measured: Option<(i64, Loaded<FileTotals>)>,
    whereto: TargetChoice,
    layout: RestoreLayout,
    typed: String,
    /// The exact bytes, where the text is not.
    exact: Option<PathText>,
    /// What is wrong with the folder.
    mistake: Option<String>,
    /// The folder whose free space was asked for, and what is known of it.
    space: Option<(PathText, Option<u64>)>,
    /// The start was asked for and refused: a sentence.
    refusal: Option<String>,
    runs: runs::Runs,
    /// A restore has just begun: how far it is must be seen.
    has_news: bool,
}

impl Restore {
    /// Begins as another screen asks for it.
    pub fn begin(&mut self, start: RestoreStart) {
        self.destination = start.destination.or(self.destination);
        self.overview = None;
        self.measured = None;
        self.refusal = None;
        self.choice.begin(start.assets);
    }

    /// A folder was picked or dropped.
    pub fn set_folder(&mut self, path: PathText) {
        self.whereto = TargetChoice::Folder;
        self.typed.clone_from(&path.path);
        self.exact = Some(path);
        self.mistake = None;
    }

    /// No folder can be chosen in a dialog: a sentence that is shown at the field.
    pub fn refuse_folder(&mut self, why: String) {
        self.mistake = Some(why);
    }

    /// Takes in what a destination has.
    pub fn on_overview(&mut self, id: i64, outcome: Result<RestoreOverview, ApiError>) {
        let loaded = outcome.map_or_else(|error| Loaded::Failed(error.message), Loaded::Known);
        self.overview = Some((id, loaded));
    }

    /// Takes in how much the chosen photos are.
    pub fn on_measured(&mut self, id: i64, outcome: Result<FileTotals, ApiError>) {
        let loaded = outcome.map_or_else(|error| Loaded::Failed(error.message), Loaded::Known);
        self.measured = Some((id, loaded));
    }

    /// Takes in how much room there is in a folder.
    pub fn on_space(&mut self, path: &PathText, free_bytes: Option<u64>) {
        if let Some((_, free)) = self.space.as_mut().filter(|(asked, _)| asked == path) {
            *free = free_bytes;
        }
    }

    /// Takes in whether a restore was started.
    pub fn on_started(&mut self, outcome: Result<(), ApiError>) {
        match outcome {
            Ok(()) => (self.choice, self.has_news) = (Choice::default(), true),
            Err(error) => self.refusal = Some(error.message),
        }
    }

    /// What was asked for is asked for again: the connection was lost meanwhile.
    pub fn on_reconnected(&mut self) {
        (self.overview, self.measured, self.space) = (None, None, None);
    }

    /// Paints the screen.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let snapshot = env.model.snapshot.clone();
        let known = self.destination.filter(|id| snapshot.destinations.iter().any(|d| d.id == *id));
        self.destination = known.or_else(|| snapshot.destinations.first().map(|d| d.id));
        widgets::page(ui, "restore", |ui| {
            let title = widgets::page_title(ui, "Restore");
            if std::mem::take(&mut self.has_news) {
                title.scroll_to_me(Some(Align::TOP));
            }
            ui.add_space(space::L);
            self.runs.ui(ui, env);
            let Some(destination) = self.destination else {
                return no_destination(ui, env);
            };
            self.load(env, destination);
            self.from(ui, env, destination);
            ui.add_space(space::M);
            self.what(ui, destination);
            ui.add_space(space::M);
            self.whereto(ui, env, destination);
            ui.add_space(space::L);
            self.start(ui, env, destination);
        });
    }

    /// Asks for what is not known yet.
    fn load(&mut self, env: &mut ScreenContext<'_>, destination: i64) {
        if self.overview.as_ref().is_none_or(|(id, _)| *id != destination) {
            self.overview = Some((destination, Loaded::Asked));
            let request = Operation::RestoreOverview { destination };
            env.out.push(Command::send(request, Purpose::RestoreOverview(destination)));
        }
        if self.choice.what == ScopeKind::Photos
            && self.measured.as_ref().is_none_or(|(id, _)| *id != destination)
        {
            self.measured = Some((destination, Loaded::Asked));
            let scope = RestoreScope::Assets(self.choice.assets.clone());
            let request = Query::MeasureRestore { destination, scope };
            env.out.push(Command::send(request, Purpose::MeasureRestore(destination)));
        }
    }

    fn from(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, destination: i64) {
        widgets::card(ui, |ui| {
            widgets::section_title(ui, "From");
            ui.add_space(space::XS);
            let destinations = &env.model.snapshot.destinations;
            let row = |index: usize| {
                let d: &DestinationState = &destinations[index];
                let place = address::format_address(&d.url);
                Row { text: d.name.clone(), more: place, name: format!("From {}", d.name) }
            };
            let chosen = destinations.iter().position(|d| d.id == destination);
            let picked = list(ui, "From", destinations.len(), chosen, row);
            if let Some(d) = picked.and_then(|index| destinations.get(index)) {
                self.destination = Some(d.id);
                self.refusal = None;
            }
            ui.add_space(space::XS);
            if widgets::icon_text_button(ui, Kind::Quiet, Icon::Plus, "Another backup").clicked() {
                env.out.push(Command::AddDestinationToRestore);
            }
        });
    }

    fn what(&mut self, ui: &mut Ui, destination: i64) {
        let loaded = self.overview.as_ref().filter(|(id, _)| *id == destination).map(|(_, loaded)| loaded);
        let mut asks_again = false;
        widgets::card(ui, |ui| {
            widgets::section_title(ui, "What");
            ui.add_space(space::XS);
            match loaded {
                Some(Loaded::Known(overview)) if overview.total.files == 0 => {
                    let text = "No backed up files are known here";
                    ui.label(widgets::weak(ui, text));
                }
                Some(Loaded::Known(overview)) => self.choice.ui(ui, overview),
                Some(Loaded::Failed(why)) => {
                    let why = RichText::new(format::capitalize(why)).color(tokens(ui).accent);
                    ui.add(Label::new(why).wrap());
                    ui.add_space(space::XS);
                    asks_again = widgets::button(ui, Kind::Normal, "Try again").clicked();
                }
                Some(Loaded::Asked) | None => {
                    ui.label(widgets::weak(ui, "Reading what is backed up there"));
                }
            }
        });
        if asks_again {
            self.overview = None;
        }
    }

    fn whereto(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, destination: i64) {
        widgets::card(ui, |ui| {
            widgets::section_title(ui, "Where to");
            ui.add_space(space::XS);
            if let Some(picked) = segmented(ui, "Where to", self.whereto, &WHERETO) {
                (self.whereto, self.mistake) = (picked, None);
            }
            ui.add_space(space::S);
            if self.whereto == TargetChoice::Original {
                let text = "Each file returns to its photo folder on this computer, where no other file is now. Existing files are never overwritten";
                let text = widgets::weak(ui, text);
                ui.add(Label::new(text).wrap());
                return;
            }
            self.folder(ui, env);
            self.room(ui, env, destination);
            ui.add_space(space::S);
            ui.horizontal(|ui| {
                ui.label(widgets::weak(ui, "Folders"));
                if let Some(picked) = segmented(ui, "Folders", self.layout, &LAYOUTS) {
                    self.layout = picked;
                }
            });
        });
    }

    fn folder(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        ui.horizontal(|ui| {
            let button = widgets::button_width(ui, true, "Choose") + ui.spacing().item_spacing.x;
            let width = (ui.available_width() - button).max(120.0);
            let before = self.typed.clone();
            let hint = "for example /home/ann/Restored";
            widgets::field(ui, &mut self.typed, "Folder for the restored files", hint, width);
            if self.typed != before {
                (self.exact, self.mistake) = (None, None);
            }
            if widgets::icon_text_button(ui, Kind::Normal, Icon::Folder, "Choose").clicked() {
                env.out.push(Command::PickFolder(PickFor::Restore));
            }
        });
        widgets::field_error(ui, self.mistake.as_deref());
    }

    /// The folder that was entered, where that is a whole path.
    fn folder_path(&self) -> Option<PathText> {
        let typed = self.typed.trim();
        let exact = self.exact.clone().filter(|exact| exact.path == self.typed);
        let path = exact.unwrap_or_else(|| PathText { path: typed.to_owned(), path_b64: None });
        typed.starts_with('/').then_some(path)
    }

    /// How much room there is in the folder, and whether what is to be restored fits.
    fn room(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, destination: i64) {
        let Some(path) = self.folder_path() else { return };
        if self.space.as_ref().is_none_or(|(asked, _)| *asked != path) {
            self.space = Some((path.clone(), None));
            let request = Query::FolderSpace { path: path.clone() };
            env.out.push(Command::send(request, Purpose::FolderSpace(path)));
        }
        let Some((_, Some(free))) = self.space else { return };
        let needed = self.totals(destination).map_or(0, |totals| totals.bytes);
        if needed > free {
            let text = format!(
                "Not enough space: {} to restore, and {} free here",
                format::bytes(needed),
                format::bytes(free)
            );
            widgets::field_error(ui, Some(&text));
        } else {
            widgets::field_note(ui, &format!("{} free here", format::bytes(free)));
        }
    }

    /// What would be restored: files and bytes, once known.
    fn totals(&self, destination: i64) -> Option<FileTotals> {
        if self.choice.what == ScopeKind::Photos {
            return match &self.measured {
                Some((id, Loaded::Known(totals))) if *id == destination => Some(*totals),
                _ => None,
            };
        }
        match &self.overview {
            Some((id, Loaded::Known(overview))) if *id == destination => self.choice.totals(overview),
            _ => None,
        }
    }

    fn start(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, destination: i64) {
        let totals = self.totals(destination);
        widgets::field_error(ui, self.refusal.as_deref());
        let is_empty = totals.is_none_or(|totals| totals.files == 0);
        let text = match totals {
            Some(totals) if totals.files > 0 => {
                format!("Restore {} ({})", format::files(totals.files), format::bytes(totals.bytes))
            }
            _ => "Restore".to_owned(),
        };
        ui.horizontal(|ui| {
            let button = ui.add_enabled_ui(!is_empty, |ui| widgets::button(ui, Kind::Primary, &text)).inner;
            if button.clicked() {
                self.ask(env, destination);
            }
            if totals.is_some_and(|totals| totals.files == 0) {
                ui.label(widgets::weak(ui, "None of this is backed up there"));
            }
        });
    }

    fn ask(&mut self, env: &mut ScreenContext<'_>, destination: i64) {
        let typed = self.typed.trim();
        let target = match self.whereto {
            TargetChoice::Original => RestoreTarget::Original,
            TargetChoice::Folder if typed.is_empty() => {
                self.mistake = Some("Choose a folder for the restored files".to_owned());
                return;
            }
            TargetChoice::Folder if !typed.starts_with('/') => {
                self.mistake = Some(WHOLE_PATH.to_owned());
                return;
            }
            TargetChoice::Folder => {
                let Some(path) = self.folder_path() else { return };
                RestoreTarget::Folder(path)
            }
        };
        self.refusal = None;
        let order = RestoreOrder { destination, scope: self.choice.scope(), target, layout: self.layout };
        env.out.push(Command::send(api::Command::StartRestore(order), Purpose::StartRestore));
    }
}

fn no_destination(ui: &mut Ui, env: &mut ScreenContext<'_>) {
    widgets::card(ui, |ui| {
        widgets::section_title(ui, "Restore from a backup");
        let text = "Say where the backup is. Safelight reads what is in it, and copies nothing to it";
        let text = widgets::weak(ui, text);
        ui.add(Label::new(text).wrap());
        ui.add_space(space::S);
        if widgets::button(ui, Kind::Primary, "Choose a backup").clicked() {
            env.out.push(Command::AddDestinationToRestore);
        }
    });
}

/// Shows the screen, with what is to be restored.
pub(super) fn open(start: RestoreStart) -> [Command; 2] {
    [Command::BeginRestore(start), Command::Go(Screen::Restore)]
}
