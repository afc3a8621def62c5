//! The window's state, and the two halves of a frame: take in what came, then paint.
//!
//! `logic` never paints and `ui` never talks to the backend: screens collect commands, which are
//! carried out after painting.

mod bulk_change;
mod dispatch;
mod drops;
mod page_focus;
mod removals;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use eframe::egui::{self, CentralPanel, Context, Frame, Ui, UiBuilder, ViewportCommand};

use super::commands::{Command, Dialog, GLOBAL_KEYS, PickFor, Purpose, Screen};
use super::destinations::Destinations;
use super::draft::Draft;
use super::focus;
use super::library::Library;
use super::model::Model;
use super::preferences::{Appearance, Preferences};
use super::queue::Queue;
use super::restore::Restore;
use super::screen_context::ScreenContext;
use super::settings::{About, Settings};
use super::theme::tokens;
use super::viewer::Viewer;
use super::{Options, first_run, shell, status_line};
use crate::api::{self, BackupSwitch, Request};
use crate::client::{Backend, Connection, PICTURES_WANTED_MAX, PictureRequest, THUMBNAIL_SIDE_MAX, Ticket};
use bulk_change::BulkChange;
use removals::Removal;

/// A frame spends at most this on what came.
const DRAIN_BUDGET: Duration = Duration::from_millis(4);
/// Messages taken in one frame at most.
const DRAIN_MAX: usize = 256;
/// Pictures taken in one frame even when the budget is spent.
const PICTURES_AT_LEAST: usize = 4;
/// Lists are asked for again at most this often, in milliseconds.
const REFRESH_MS: i64 = 400;

/// The application.
pub struct App {
    pub(super) backend: Box<dyn Backend>,
    pub(super) model: Model,
    pub(super) pending: HashMap<Ticket, Purpose>,
    pub(super) screen: Screen,
    pub(super) library: Library,
    pub(super) viewer: Option<Viewer>,
    pub(super) queue: Queue,
    pub(super) destinations: Destinations,
    pub(super) restore: Restore,
    pub(super) settings: Settings,
    pub(super) draft: Draft,
    pub(super) dialog: Option<Dialog>,
    gather: Option<BulkChange>,
    /// Destinations that were removed and can still be had back.
    removals: Vec<Removal>,
    /// Destinations whose removal the agent has been asked for.
    forgetting: Vec<i64>,
    pub(super) options: Options,
    /// The first run is shown. Not known before the first snapshot.
    pub(super) first_run: Option<bool>,
    /// Quitting, and when the window closes at the latest.
    pub(super) quitting: Option<crate::domain::time::UnixMillis>,
    pub(super) may_close: bool,
    /// What had the keyboard when the viewer was opened.
    pub(super) focus_under_viewer: Option<egui::Id>,
    /// The same for a question.
    pub(super) focus_under_dialog: Option<Option<egui::Id>>,
    /// Frames in which what the page offers takes the keyboard, if nothing has it.
    pub(super) focus_frames: u8,
    /// What had the keyboard in the last frame.
    pub(super) last_focus: Option<egui::Id>,
    dialog_is_new: bool,
    refreshed_at: Option<crate::domain::time::UnixMillis>,
    refresh_library: bool,
    was_connected: bool,
    wanted: Vec<PictureRequest>,
    /// Pictures came since it was said which are wanted.
    pictures_came: bool,
}

impl App {
    /// The application on a backend.
    pub fn new(ctx: &Context, backend: Box<dyn Backend>, mut options: Options) -> Self {
        super::theme::apply(ctx);
        options.preferences = options.preferences.clamped();
        set_theme(ctx, options.preferences.appearance);
        ctx.set_zoom_factor(options.preferences.text_scale);
        let model = Model {
            snapshot: backend.snapshot(),
            connection: backend.connection(),
            now: backend.now(),
            toasts: std::collections::VecDeque::new(),
        };
        Self {
            backend,
            model,
            pending: HashMap::new(),
            screen: Screen::default(),
            library: Library::new(options.preferences.cell_side),
            viewer: None,
            queue: Queue::default(),
            destinations: Destinations::default(),
            restore: Restore::default(),
            settings: Settings::default(),
            draft: Draft::default(),
            dialog: None,
            gather: None,
            removals: Vec::new(),
            forgetting: Vec::new(),
            options,
            first_run: None,
            quitting: None,
            may_close: false,
            focus_under_viewer: None,
            focus_under_dialog: None,
            focus_frames: focus::FRAMES,
            last_focus: None,
            dialog_is_new: false,
            refreshed_at: None,
            refresh_library: false,
            was_connected: false,
            wanted: Vec::new(),
            pictures_came: false,
        }
    }

    pub(super) fn send(&mut self, request: impl Into<Request>, purpose: Purpose) {
        let request = request.into();
        let switches_on = matches!(request, Request::Command(api::Command::SetBackup { on: true }));
        if switches_on && self.options.starts_with_backup {
            self.options.sign_in.set_if_undecided();
        }
        let ticket = self.backend.send(request);
        self.pending.insert(ticket, purpose);
    }

    pub(super) fn open_dialog(&mut self, dialog: Dialog) {
        self.dialog = Some(dialog);
        self.dialog_is_new = true;
    }

    pub(super) fn change_preferences(&mut self, change: impl FnOnce(&mut Preferences)) {
        let before = self.options.preferences;
        change(&mut self.options.preferences);
        if self.options.preferences != before {
            (self.options.save_preferences)(&self.options.preferences);
        }
    }

    /// Takes in what came. True when more waits.
    fn drain(&mut self, ctx: &Context) -> bool {
        let began = Instant::now();
        self.model.now = self.backend.now();
        self.model.connection = self.backend.connection();
        self.model.snapshot = self.without_removed(self.backend.snapshot());
        let mut has_more = false;
        for _ in 0..DRAIN_MAX {
            let Some(incoming) = self.backend.poll() else { break };
            self.on_incoming(ctx, incoming);
            if began.elapsed() > DRAIN_BUDGET {
                has_more = true;
                break;
            }
        }
        for taken in 0..DRAIN_MAX {
            let Some(picture) = self.backend.poll_picture() else { break };
            self.pictures_came = true;
            let is_thumbnail = picture.side_max <= THUMBNAIL_SIDE_MAX;
            if let Some(viewer) = &mut self.viewer
                && (!is_thumbnail || viewer.asset == picture.asset)
            {
                viewer.on_picture(ctx, picture.clone());
            }
            if is_thumbnail {
                self.library.on_picture(picture);
            }
            // However many messages came, some pictures are taken: they must not starve.
            if taken + 1 >= PICTURES_AT_LEAST && began.elapsed() > DRAIN_BUDGET {
                has_more = true;
                break;
            }
        }
        self.library.upload(ctx) || has_more
    }

    fn decide_first_run(&mut self) {
        let is_connected = self.model.connection == Connection::Connected;
        if is_connected && self.first_run.is_none() {
            let snapshot = &self.model.snapshot;
            let is_new = snapshot.sources.is_empty() || snapshot.destinations.is_empty();
            self.first_run = Some(is_new && snapshot.backup == BackupSwitch::Off);
            // The agent may take longer to start than the frames in which a page offers the keyboard.
            self.focus_page();
        }
        if self.first_run == Some(true) && self.model.snapshot.backup == BackupSwitch::On {
            self.first_run = Some(false);
            self.model.toast("Backup is on. You can close this window at any time");
        }
        if is_connected && !self.was_connected {
            // Whatever was under way is lost with the line; a folder dialog is not.
            self.forget_asked();
            self.library.pages.on_reconnected();
            self.queue.on_reconnected();
            self.restore.on_reconnected();
            self.gather = None;
            self.refresh_library = true;
        }
        self.was_connected = is_connected;
    }

    /// Asks for what is shown and out of date, not too often.
    fn refresh(&mut self, ctx: &Context) {
        if self.model.connection != Connection::Connected {
            return;
        }
        let snapshot = self.model.snapshot.clone();
        let shows_library = self.screen == Screen::Library || self.viewer.is_some();
        let library_is_stale =
            shows_library && (self.refresh_library || self.library.is_stale(snapshot.library_revision));
        let queue_is_stale = self.screen == Screen::Queue && self.queue.is_stale(snapshot.queue_revision);
        let viewer_is_stale = self.viewer.as_ref().is_some_and(|v| v.is_stale(snapshot.library_revision));
        if !(library_is_stale || queue_is_stale || viewer_is_stale) {
            return;
        }
        let since = self.refreshed_at.map_or(REFRESH_MS, |at| self.model.now.0 - at.0);
        let is_urgent = self.refresh_library
            || queue_is_stale && self.queue.is_missing()
            || self.viewer.as_ref().is_some_and(Viewer::is_missing);
        if (0..REFRESH_MS).contains(&since) && !is_urgent {
            let rest = u64::try_from(REFRESH_MS - since).unwrap_or(0);
            ctx.request_repaint_after(Duration::from_millis(rest.max(20)));
            return;
        }
        self.refreshed_at = Some(self.model.now);
        self.refresh_library = false;
        if shows_library && let Some(request) = self.library.pages.refresh(snapshot.library_revision) {
            let filter = self.library.pages.filter;
            self.send(request, Purpose::Sections(filter));
        }
        if queue_is_stale {
            for (request, purpose) in self.queue.refresh(snapshot.queue_revision) {
                self.send(request, purpose);
            }
        }
        if let Some(viewer) = &mut self.viewer
            && let Some(request) = viewer.refresh(snapshot.library_revision)
        {
            let asset = viewer.asset;
            self.send(request, Purpose::Details(asset));
        }
    }

    fn paint(&mut self, ui: &mut Ui, out: &mut Vec<Command>) {
        let mut env = ScreenContext {
            model: &self.model,
            out,
            has_dialog: self.dialog.is_some(),
            refresh_library: false,
            cell_side_changed: false,
            repaint_soon: false,
            focus_page: false,
            sign_in: self.options.sign_in_state(),
        };
        let first_run = self.first_run == Some(true);
        if self.viewer.is_none() || first_run {
            if !first_run {
                shell::sidebar(ui, &mut env, self.screen);
            }
            shell::connection_banner(ui, &env);
        }
        let frame = Frame::new().fill(tokens(ui).canvas);
        if first_run {
            CentralPanel::default()
                .frame(frame)
                .show(ui, |ui| first_run::ui(ui, &mut env, &mut self.settings, &mut self.draft));
        } else if let Some(viewer) = &mut self.viewer {
            self.library.want_nothing();
            viewer.ui(ui, &mut env, &mut self.library);
        } else {
            shell::top_bar(ui, &mut env);
            let about = About {
                appearance: self.options.preferences.appearance,
                text_scale: self.options.preferences.text_scale,
                version: &self.options.version,
            };
            CentralPanel::default().frame(frame).show(ui, |ui| {
                // The bar at the bottom comes last for Tab too, so it is not a panel.
                let area = ui.max_rect();
                let bottom = shell::bottom_height(&env);
                let page = area.with_max_y(area.bottom() - bottom);
                ui.scope_builder(UiBuilder::new().max_rect(page), |ui| match self.screen {
                    Screen::Library => self.library.ui(ui, &mut env),
                    Screen::Queue => self.queue.ui(ui, &mut env),
                    Screen::Destinations => self.destinations.ui(ui, &mut env, &mut self.draft),
                    Screen::Restore => self.restore.ui(ui, &mut env),
                    Screen::Settings => self.settings.ui(ui, &mut env, &about),
                });
                if bottom > 0.0 {
                    let bar = area.with_min_y(area.bottom() - bottom);
                    ui.scope_builder(UiBuilder::new().max_rect(bar), |ui| shell::bottom_bar(ui, &mut env));
                }
            });
        }
        if self.screen != Screen::Library || first_run {
            self.library.want_nothing();
        }
        self.refresh_library |= env.refresh_library;
        let (side_changed, soon, focus_page) = (env.cell_side_changed, env.repaint_soon, env.focus_page);
        if focus_page {
            self.focus_page();
        }
        if self.refresh_library || soon {
            ui.ctx().request_repaint_after(Duration::from_millis(16));
        }
        if side_changed {
            let side = self.library.cell_side;
            self.change_preferences(|p| p.cell_side = side);
        }
    }

    fn overlays(&mut self, ui: &Ui, out: &mut Vec<Command>) {
        let ctx = ui.ctx().clone();
        let is_new = std::mem::take(&mut self.dialog_is_new);
        if is_new && self.focus_under_dialog.is_none() {
            self.focus_under_dialog = Some(ctx.memory(|memory| memory.focused()));
        }
        if let Some(dialog) = &mut self.dialog {
            let mut env = ScreenContext {
                model: &self.model,
                out,
                has_dialog: true,
                refresh_library: false,
                cell_side_changed: false,
                repaint_soon: false,
                focus_page: false,
                sign_in: self.options.sign_in_state(),
            };
            super::dialogs::show(&ctx, &mut env, dialog, is_new);
        }
        shell::toasts(&ctx, ui, &self.model, out);
        if ctx.input(|input| !input.raw.hovered_files.is_empty()) {
            let text = match self.drop_goes_to() {
                PickFor::Source => "Drop folders to add them",
                PickFor::Destination => "Drop a folder to back up to it",
                PickFor::Restore => "Drop a folder for the restored files",
                // No file is dropped for it: see `drop_goes_to`.
                PickFor::Authority => return,
            };
            shell::drop_hint(&ctx, ui, text);
        }
    }

    fn keys(&mut self, ctx: &Context, out: &mut Vec<Command>) {
        if self.dialog.is_some() {
            return;
        }
        let undo = egui::KeyboardShortcut::new(egui::Modifiers::COMMAND, egui::Key::Z);
        let can_undo = self.model.toasts.iter().any(|toast| !toast.undo.is_empty());
        if can_undo
            && !ctx.egui_wants_keyboard_input()
            && ctx.input_mut(|input| input.consume_shortcut(&undo))
        {
            out.push(Command::Undo);
        }
        for (shortcut, key) in GLOBAL_KEYS {
            if ctx.input_mut(|input| input.consume_shortcut(&shortcut)) {
                out.push(key.command());
            }
        }
    }

    fn say_which_pictures(&mut self) {
        let mut wanted: Vec<PictureRequest> = Vec::new();
        if let Some(viewer) = &self.viewer {
            wanted.extend_from_slice(viewer.wanted());
        }
        wanted.extend_from_slice(self.library.wanted());
        wanted.truncate(PICTURES_WANTED_MAX);
        // A picture that came and is wanted again was dropped on its way to the screen.
        let again = std::mem::take(&mut self.pictures_came) && !wanted.is_empty();
        if again || wanted != self.wanted {
            self.wanted.clone_from(&wanted);
            self.backend.want_pictures(wanted);
        }
    }

    fn wake_for_words(&self, ctx: &Context) {
        if let Some(after) = status_line::next_change(&self.model.snapshot, self.model.now) {
            ctx.request_repaint_after(after);
        }
    }
}

/// Follows the system's theme, or not.
pub(super) fn set_theme(ctx: &Context, appearance: Appearance) {
    ctx.set_theme(match appearance {
        Appearance::System => egui::ThemePreference::System,
        Appearance::Light => egui::ThemePreference::Light,
        Appearance::Dark => egui::ThemePreference::Dark,
    });
}

impl App {
    /// The first half of a frame: takes in what came and asks for what is missing. Paints nothing.
    pub fn take_in(&mut self, ctx: &Context) {
        let has_more = self.drain(ctx);
        self.model.expire_toasts();
        self.decide_first_run();
        self.refresh(ctx);
        self.go_on_gathering();
        self.finish_removals(ctx, false);
        self.closing(ctx);
        if has_more {
            ctx.request_repaint();
        }
    }

    /// The second half: paints, then carries out what was asked for.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let mut out = Vec::new();
        self.keys(&ctx, &mut out);
        self.dropped(&ctx, &mut out);
        self.paint(ui, &mut out);
        self.overlays(ui, &mut out);
        self.settle_focus(&ctx);
        focus::name_window(&ctx);
        for command in out {
            self.carry_out(&ctx, command);
        }
        self.say_which_pictures();
        self.wake_for_words(&ctx);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.take_in(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// Brings the window to the front.
pub(super) fn raise(ctx: &Context) {
    ctx.send_viewport_cmd(ViewportCommand::Visible(true));
    ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
    ctx.send_viewport_cmd(ViewportCommand::Focus);
    ctx.request_repaint();
}
