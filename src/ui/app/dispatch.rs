//! Carries commands out after painting, and folds in what comes back.

use std::time::Duration;

use eframe::egui::{Context, ViewportCommand};

use super::bulk_change::nothing_to_do;
use super::{App, raise, set_theme};
use crate::api::{
    self, ApiError, BackupSwitch, DestinationState, ErrorKind, Event, FileTotals, PathText, Reply,
    RestoreOverview, Selection,
};
use crate::client::{BackendEvent, Connection};
use crate::domain::format;
use crate::domain::time::UnixMillis;
use crate::ui::commands::{
    AfterAdding, Change, Command, Dialog, PickFor, Purpose, RestoreStart, Screen, Verb,
};
use crate::ui::counts::Counts;
use crate::ui::preferences::TEXT_SCALES;
use crate::ui::viewer::Viewer;

/// The window closes at the latest this long after the person quits, in milliseconds.
const QUIT_MS: i64 = 5_000;

impl App {
    pub(super) fn carry_out(&mut self, ctx: &Context, command: Command) {
        match command {
            Command::Go(Screen::Queue) => {
                if self.screen != Screen::Queue {
                    self.queue.open(&self.model.snapshot);
                }
                self.go(ctx, Screen::Queue);
            }
            Command::Go(screen) => self.go(ctx, screen),
            Command::ShowDestination(id, field) => {
                self.go(ctx, Screen::Destinations);
                self.destinations.reveal(id, field);
            }
            Command::ShowQueue(list, destination) => {
                self.queue.tab = list;
                self.queue.destination = destination;
                self.go(ctx, Screen::Queue);
            }
            Command::Send(request, purpose) => self.send(*request, purpose),
            Command::PickFolder(what) => self.pick_folder(what),
            Command::ShowInFolder(path) => self.backend.show_in_folder(&path),
            Command::OpenAsset { asset, index } => {
                self.focus_under_viewer = ctx.memory(|memory| memory.focused());
                self.viewer = Some(Viewer::new(asset, index));
            }
            Command::CloseViewer => self.close_viewer(ctx),
            Command::RemoveDestination(id) => self.remove_destination(id),
            Command::KeepDestination(id) => self.keep_destination(id),
            Command::OnAssets(verb, assets) => self.gather(verb, assets),
            Command::OnFailed(verb, files, what) => self.gather_failed(verb, files, what),
            Command::Undo => {
                for command in self.model.take_undo() {
                    self.carry_out(ctx, command);
                }
            }
            Command::ScaleText(steps) => {
                let scale = next_text_scale(self.options.preferences.text_scale, steps);
                ctx.set_zoom_factor(scale);
                self.change_preferences(|p| p.text_scale = scale);
            }
            Command::Ask(dialog) => self.open_dialog(dialog),
            Command::CloseDialog => self.close_dialog(ctx),
            Command::Toast(text) => self.model.toast(text),
            Command::SetAppearance(appearance) => {
                set_theme(ctx, appearance);
                self.change_preferences(|p| p.appearance = appearance);
            }
            Command::StartAtSignIn(on) => self.options.sign_in.set(on),
            Command::Zoom(steps) => {
                let side = self.library.zoom(steps);
                self.change_preferences(|p| p.cell_side = side);
            }
            Command::Quit => self.quit(ctx),
            Command::QuitNow => self.quit_now(ctx),
            Command::CloseWindow => ctx.send_viewport_cmd(ViewportCommand::Close),
            Command::ClosingNoticeRead => {
                self.change_preferences(|p| p.has_read_closing_notice = true);
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            Command::EndFirstRun => self.first_run = Some(false),
            Command::BeginRestore(start) => self.restore.begin(start),
            Command::AddDestinationToRestore => {
                self.first_run = Some(false);
                self.destinations.begin_adding(AfterAdding::Restore);
                self.go(ctx, Screen::Destinations);
            }
        }
        // What a command changed is seen in the next frame.
        ctx.request_repaint_after(Duration::from_millis(1));
    }

    fn go(&mut self, ctx: &Context, screen: Screen) {
        if self.viewer.is_some() {
            self.close_viewer(ctx);
        }
        if self.screen != screen {
            self.screen = screen;
            if screen == Screen::Settings {
                self.options.sign_in.refresh();
            }
            self.forget_secrets();
            self.draft.forget_drives();
            self.focus_page();
        }
    }

    /// A page with a form is left: what was typed as a secret is wiped.
    fn forget_secrets(&mut self) {
        self.draft.forget_secrets();
        self.destinations.forget_secrets();
        self.settings.network.forget_secrets();
    }

    fn close_viewer(&mut self, ctx: &Context) {
        if let Some(index) = self.viewer.take().and_then(|viewer| viewer.index) {
            self.library.reveal(index);
        }
        let under = self.focus_under_viewer.take();
        self.return_focus(ctx, under);
    }

    fn close_dialog(&mut self, ctx: &Context) {
        self.dialog = None;
        if let Some(under) = self.focus_under_dialog.take() {
            self.return_focus(ctx, under);
        }
    }

    fn pick_folder(&mut self, what: PickFor) {
        let title = match what {
            PickFor::Source => "Choose a folder of photos",
            PickFor::Destination => "Choose a destination",
            PickFor::Restore => "Choose a folder for the restored files",
            PickFor::Authority => "Choose a certificate authority's file",
        };
        let ticket = match what {
            PickFor::Authority => self.backend.pick_file(title),
            PickFor::Source | PickFor::Destination | PickFor::Restore => self.backend.pick_folder(title),
        };
        self.pending.insert(ticket, Purpose::Picked(what));
    }

    fn quit(&mut self, ctx: &Context) {
        let snapshot = &self.model.snapshot;
        let works = snapshot.backup == BackupSwitch::On && self.model.connection == Connection::Connected;
        if works && !Counts::of(snapshot).left().is_zero() {
            self.open_dialog(Dialog::QuitWithWorkLeft);
        } else {
            self.quit_now(ctx);
        }
    }

    fn quit_now(&mut self, ctx: &Context) {
        if self.quitting.is_none() {
            self.finish_removals(ctx, true);
            self.quitting = Some(UnixMillis(self.model.now.0 + QUIT_MS));
            self.send(api::Command::Shutdown, Purpose::Shutdown);
        }
    }

    /// Answers the window manager's wish to close, and closes when quitting is done.
    pub(super) fn closing(&mut self, ctx: &Context) {
        if let Some(at_the_latest) = self.quitting {
            let is_gone = matches!(self.model.connection, Connection::Lost(_));
            if is_gone || self.model.now >= at_the_latest {
                self.close(ctx);
            } else {
                ctx.request_repaint_after(Duration::from_millis(100));
            }
        }
        let asked = ctx.input(|input| input.viewport().close_requested());
        if !asked || self.may_close || self.quitting.is_some() {
            return;
        }
        let goes_on = self.model.snapshot.backup == BackupSwitch::On;
        if goes_on && !self.options.preferences.has_read_closing_notice {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            raise(ctx);
            self.open_dialog(Dialog::ClosingNotice);
        } else {
            self.finish_removals(ctx, true);
        }
    }

    fn close(&mut self, ctx: &Context) {
        self.may_close = true;
        self.quitting = None;
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }

    pub(super) fn on_incoming(&mut self, ctx: &Context, incoming: BackendEvent) {
        match incoming {
            BackendEvent::Reply { ticket, outcome } => {
                if let Some(purpose) = self.pending.remove(&ticket) {
                    self.on_reply(ctx, purpose, outcome);
                }
            }
            BackendEvent::Event(event) => self.on_event(ctx, event),
            BackendEvent::FolderPicked { ticket, outcome } => {
                let Some(Purpose::Picked(what)) = self.pending.remove(&ticket) else { return };
                match outcome {
                    Ok(Some(path)) => {
                        let mut out = Vec::new();
                        self.take_path(what, path, &mut out);
                        for command in out {
                            self.carry_out(ctx, command);
                        }
                    }
                    Ok(None) => {}
                    Err(why) => self.on_no_folder_dialog(what, why),
                }
            }
        }
    }

    /// No folder dialog can be shown: that is said where the path can be typed instead.
    fn on_no_folder_dialog(&mut self, what: PickFor, why: String) {
        match what {
            PickFor::Restore => self.restore.refuse_folder(why),
            PickFor::Source => self.settings.folder_error = Some(why),
            PickFor::Destination => self.draft.refuse(why),
            PickFor::Authority => self.settings.network.refuse_authority(why),
        }
    }

    fn on_event(&mut self, ctx: &Context, event: Event) {
        match event {
            Event::RaiseWindow => raise(ctx),
            Event::Finished { files } => {
                let new = format::counted(files, "new copy", "new copies");
                let counts = Counts::of(&self.model.snapshot);
                let rest = counts.attention_text().map(|text| format!(". {text}"));
                self.model.toast(format!("Backup finished, {new}{}", rest.unwrap_or_default()));
            }
            Event::Stopping => {}
            Event::Notice { text } => self.model.toast(text),
        }
    }

    /// Nobody answers any more what was asked. A person who waits for an answer is told.
    pub(super) fn forget_asked(&mut self) {
        let all = std::mem::take(&mut self.pending);
        self.forgetting.clear();
        for (ticket, purpose) in all {
            match purpose {
                Purpose::Picked(_) => drop(self.pending.insert(ticket, purpose)),
                Purpose::StartRestore if self.quitting.is_none() => {
                    let why = "The connection to the backup service was lost";
                    self.on_done(purpose, Err(ApiError::new(ErrorKind::Unavailable, why)));
                }
                _ => {}
            }
        }
    }

    fn on_reply(&mut self, ctx: &Context, purpose: Purpose, outcome: Result<Reply, ApiError>) {
        match (purpose, outcome) {
            (Purpose::Sections(filter), Ok(Reply::Sections { revision, sections })) => {
                self.library.pages.on_sections(filter, revision, sections);
            }
            (Purpose::Sections(_), outcome) => self.library.pages.on_sections_failed(why(outcome)),
            (Purpose::Page(key), Ok(Reply::Assets { revision, rows })) => {
                self.library.pages.on_page(key, revision, rows);
            }
            (Purpose::Page(key), _) => self.library.pages.on_page_failed(key),
            (Purpose::Details(asset), outcome) => {
                let details = outcome.map(|reply| match reply {
                    Reply::AssetDetails(details) => details,
                    _ => None,
                });
                if let Some(viewer) = &mut self.viewer {
                    viewer.on_details(asset, details);
                }
            }
            (Purpose::BulkChange, outcome) => self.on_gathered(outcome),
            (Purpose::GatherFailed, outcome) => self.on_failed_gathered(outcome),
            (Purpose::Queue(key), Ok(Reply::Queue(page))) => self.queue.on_page(&key, page),
            (Purpose::Queue(key), outcome) => self.queue.on_page_failed(&key, why(outcome)),
            (Purpose::Groups, Ok(Reply::FailureGroups(groups))) => self.queue.on_groups(Ok(groups)),
            (Purpose::Groups, outcome) => self.queue.on_groups(Err(why(outcome))),
            (Purpose::ShowFile, Ok(Reply::Queue(page))) => match page.rows.first() {
                Some(row) => self.backend.show_in_folder(&row.path),
                None => self.model.toast("This file no longer needs attention"),
            },
            (Purpose::Shutdown, _) => self.close(ctx),
            (purpose, outcome) => self.on_done(purpose, outcome),
        }
    }

    fn on_done(&mut self, purpose: Purpose, outcome: Result<Reply, ApiError>) {
        match (purpose, outcome) {
            (Purpose::SetNetwork, outcome) => self.settings.network.on_set(outcome.map(|_done| ())),
            (Purpose::TestDraft(number), outcome) => self.draft.on_tested(number, tested(outcome)),
            (Purpose::TestSaved { id, name }, outcome) => {
                let outcome = tested(outcome).map_err(|error| error.message);
                let is_well = outcome.as_ref().is_ok_and(|report| report.is_usable);
                let waits = |d: &DestinationState| d.id == id && d.enabled && d.wait_reason.is_some();
                if is_well && self.model.snapshot.destinations.iter().any(waits) {
                    self.send(api::Command::CheckDestination { id }, Purpose::OnlyErrors);
                }
                self.open_dialog(Dialog::Tested { name, outcome });
            }
            (Purpose::AddDestination { then }, Ok(Reply::Destination { id, name, is_new })) => {
                self.on_destination_added(then, id, &name, is_new);
            }
            (Purpose::Drives, Ok(Reply::Drives(drives))) => self.draft.on_drives(drives),
            (Purpose::Drives, _) => {}
            (Purpose::RestoreOverview(id), outcome) => {
                self.restore.on_overview(id, outcome.and_then(overview_of));
            }
            (Purpose::MeasureRestore(id), outcome) => {
                self.restore.on_measured(id, outcome.and_then(|reply| size_of(&reply)));
            }
            (Purpose::FolderSpace(path), Ok(Reply::FolderSpace { free_bytes })) => {
                self.restore.on_space(&path, free_bytes);
            }
            // What is not known is not said.
            (Purpose::FolderSpace(_), Err(_)) => {}
            (Purpose::StartRestore, outcome) => self.restore.on_started(outcome.map(|_done| ())),
            (Purpose::Verify { name }, Ok(Reply::Verified { checked, failed, unproven, reasons })) => {
                if checked > 0 || unproven == 0 {
                    self.model.toast(checked_copies(&name, checked, failed));
                }
                if unproven > 0 {
                    let text = format!("{} in {name} could not be verified", format::files(unproven));
                    self.model.toast(std::iter::once(text).chain(reasons).collect::<Vec<_>>().join(". "));
                }
            }
            (Purpose::Reconnect { name }, Ok(Reply::Done)) => {
                self.model
                    .toast(format!("The disk of {name} was reconnected. Its copies are being verified"));
            }
            (Purpose::RemoveDestination(id), outcome) => {
                self.on_destination_removed(id);
                if let Err(error) = outcome {
                    self.model.toast(error.message);
                }
            }
            (Purpose::AddSource(path), outcome) => self.on_source_added(&path, outcome),
            (Purpose::RemoveSource { path, destinations }, Ok(_)) => {
                let text = format!("{} is no longer backed up. All copies stay", path.path);
                let request = api::Command::AddSource { path, consent_all: false };
                let again = Command::send(request, Purpose::ReturnSource(destinations));
                self.model.toast_with_undo(text, vec![again]);
            }
            (Purpose::ReturnSource(destinations), Ok(Reply::Source { id, .. })) => {
                for destination in destinations {
                    self.send(api::Command::Consent { sources: vec![id], destination }, Purpose::OnlyErrors);
                }
            }
            (Purpose::Changed(change), Ok(Reply::Changed { items })) => self.on_changed(&change, items),
            (_, Err(error)) => self.model.toast(error.message),
            (_, Ok(_)) => {}
        }
    }
}

impl App {
    /// What became of a folder is said where it was typed, or for a moment where it was picked.
    fn on_destination_added(&mut self, then: AfterAdding, id: i64, name: &str, is_new: bool) {
        self.draft.clear();
        self.destinations.end_adding();
        self.keep_destination(id);
        match then {
            AfterAdding::SwitchOn => self.send(api::Command::SetBackup { on: true }, Purpose::OnlyErrors),
            AfterAdding::Restore => {
                self.restore.begin(RestoreStart { destination: Some(id), assets: Vec::new() });
                self.screen = Screen::Restore;
                self.focus_page();
            }
            AfterAdding::Nothing if is_new => self.model.toast(format!("{name} was added")),
            AfterAdding::Nothing => self.model.toast(format!("{name} already exists")),
        }
    }

    fn on_source_added(&mut self, path: &PathText, outcome: Result<Reply, ApiError>) {
        let why = match outcome {
            Ok(Reply::Source { is_new: false, .. }) => "This folder is already backed up".to_owned(),
            Ok(_) => return self.settings.on_folder_added(path),
            Err(error) => error.message,
        };
        if !self.settings.refuse_folder(path, &why) {
            self.model.toast(why);
        }
    }

    fn on_changed(&mut self, change: &Change, items: u64) {
        let Change { verb, what, ids } = change;
        if items == 0 {
            return self.model.toast(nothing_to_do(*verb));
        }
        let (text, back) = match verb {
            Verb::Retry => (format!("Retrying {what}"), None),
            Verb::Exclude => (format!("Left out {what}"), Some(Verb::Include)),
            Verb::Include => (format!("Included {what} again"), Some(Verb::Exclude)),
            Verb::Untrash => (format!("Took {what} out of the trash"), None),
        };
        let undo = back.filter(|_| !ids.is_empty());
        let undo = undo.map(|back| Command::change(back, Selection::Items(ids.clone()), what));
        self.model.toast_with_undo(text, undo.into_iter().collect());
    }
}

/// The size of text so many steps further: 0 is the normal one.
fn next_text_scale(now: f32, steps: i8) -> f32 {
    if steps == 0 {
        return 1.0;
    }
    let larger = TEXT_SCALES.into_iter().find(|scale| *scale > now + 0.01);
    let smaller = TEXT_SCALES.into_iter().rev().find(|scale| *scale < now - 0.01);
    if steps > 0 { larger.unwrap_or(now) } else { smaller.unwrap_or(now) }
}

fn no_sense() -> ApiError {
    ApiError::new(ErrorKind::Internal, "Internal error: unexpected reply")
}

fn overview_of(reply: Reply) -> Result<RestoreOverview, ApiError> {
    match reply {
        Reply::RestoreOverview(overview) => Ok(*overview),
        _ => Err(no_sense()),
    }
}

fn size_of(reply: &Reply) -> Result<FileTotals, ApiError> {
    match reply {
        Reply::RestoreSize(totals) => Ok(*totals),
        _ => Err(no_sense()),
    }
}

/// The sentence of a refusal.
fn why(outcome: Result<Reply, ApiError>) -> String {
    outcome.err().map_or_else(|| "Internal error: unexpected reply".to_owned(), |error| error.message)
}

fn tested(outcome: Result<Reply, ApiError>) -> Result<crate::api::TestReport, ApiError> {
    match outcome? {
        Reply::Tested(report) => Ok(report),
        _ => Err(ApiError::new(crate::api::ErrorKind::Internal, "Internal error: unexpected reply")),
    }
}

fn checked_copies(name: &str, checked: u64, failed: u64) -> String {
    match (checked, failed) {
        (0, _) => format!("No copy in {name} is due to be verified"),
        (_, 0) => format!("{} in {name} verified, no problems", format::files(checked)),
        (_, bad) => format!(
            "{} of {} in {name} damaged or missing, backing up again",
            format::number(bad),
            format::files(checked)
        ),
    }
}
