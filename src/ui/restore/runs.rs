//! Restores that are under way, and how others ended.

use std::collections::BTreeSet;

use eframe::egui::{Label, RichText, ScrollArea, Ui};

use crate::api::{
    self, PathText, Progress, RestoreAction, RestoreScope, RestoreState, RestoreTarget, Snapshot,
};
use crate::domain::format;
use crate::domain::time::Day;
use crate::ui::commands::Command;
use crate::ui::numbers::ratio;
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{self, Kind};

/// The height that sentences about files may take, in points.
const SENTENCES_HEIGHT: f32 = 160.0;

/// What is unfolded.
#[derive(Debug, Default)]
pub(super) struct Runs {
    unfolded: BTreeSet<i64>,
}

impl Runs {
    /// Paints a card for each, the latest first.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let snapshot = env.model.snapshot.clone();
        for run in snapshot.restores.iter().rev() {
            widgets::card(ui, |ui| {
                widgets::section_title(ui, title(&snapshot, run));
                ui.add_space(space::XS);
                ui.add(Label::new(widgets::weak(ui, order_text(run))).wrap());
                ui.add_space(space::XS);
                if run.is_running {
                    running(ui, env, &snapshot, run);
                } else {
                    self.ended(ui, env, run);
                }
            });
            ui.add_space(space::M);
        }
    }

    fn ended(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, run: &RestoreState) {
        let result = &run.result;
        let mut text = format!("{} restored and verified", format::files(result.restored));
        if result.present > 0 {
            let verb = if result.present == 1 { "was" } else { "were" };
            text = format!("{text}. {} {verb} already there", format::files(result.present));
        }
        widgets::status(ui, text);
        if let Some(why) = &run.reason {
            let why = RichText::new(format::capitalize(why)).color(tokens(ui).accent);
            ui.add(Label::new(why).wrap());
        }
        if result.failed > 0 {
            let failed = format!("{} could not be restored", format::files(result.failed));
            ui.label(RichText::new(failed).color(tokens(ui).accent));
            let mut is_open = self.unfolded.contains(&run.id);
            if widgets::fold(ui, &mut is_open, "Details", "Details of what could not be restored") {
                self.unfolded.insert(run.id);
                sentences(ui, run);
            } else {
                self.unfolded.remove(&run.id);
            }
        }
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            let is_whole = result.failed == 0 && run.reason.is_none();
            if !is_whole && widgets::button(ui, Kind::Normal, "Retry").clicked() {
                env.out.push(change(run.id, RestoreAction::Resume));
            }
            if let RestoreTarget::Folder(path) = &run.order.target
                && widgets::button(ui, Kind::Normal, "Show folder").clicked()
            {
                env.out.push(Command::ShowInFolder(path.clone()));
            }
            if widgets::button(ui, Kind::Quiet, "Dismiss").clicked() {
                env.out.push(change(run.id, RestoreAction::Dismiss));
            }
        });
    }
}

fn change(id: i64, action: RestoreAction) -> Command {
    Command::send_ignoring_reply(api::Command::ChangeRestore { id, action })
}

fn title(snapshot: &Snapshot, run: &RestoreState) -> String {
    let destination = snapshot.destinations.iter().find(|d| d.id == run.order.destination);
    let name = destination.map_or("a removed destination", |d| d.name.as_str());
    match (run.is_running, run.result.failed == 0 && run.reason.is_none()) {
        (true, _) => format!("Restoring from {name}"),
        (false, true) => format!("Restored from {name}"),
        (false, false) => format!("Not everything was restored from {name}"),
    }
}

/// What was asked for, in a sentence.
fn order_text(run: &RestoreState) -> String {
    let what = match &run.order.scope {
        RestoreScope::All => "Everything".to_owned(),
        RestoreScope::Period { year, month: None } => year.to_string(),
        RestoreScope::Period { year, month: Some(month) } => {
            format::month_and_year(Day(year * 10_000 + month * 100 + 1))
        }
        RestoreScope::Folder { source, path: PathText { path, .. } } if path.is_empty() => source.clone(),
        RestoreScope::Folder { source, path } => format!("{source}/{}", path.path),
        RestoreScope::Assets(assets) => photos(assets.len()),
        RestoreScope::Copies(copies) => format::files(u64::try_from(copies.len()).unwrap_or(u64::MAX)),
        RestoreScope::Glob(pattern) => pattern.clone(),
    };
    match &run.order.target {
        RestoreTarget::Folder(path) => format!("{what}, into {}", path.path),
        RestoreTarget::Original => format!("{what}, back to where it was"),
    }
}

fn photos(count: usize) -> String {
    format::counted(u64::try_from(count).unwrap_or(u64::MAX), "photo", "photos")
}

fn running(ui: &mut Ui, env: &mut ScreenContext<'_>, snapshot: &Snapshot, run: &RestoreState) {
    let reading = snapshot.reading.iter().find(|reading| reading.restore == Some(run.id));
    let progress = reading.map(|reading| reading.progress.clone()).unwrap_or_default();
    if let Some(why) = &run.reason {
        let text = format!("Waiting. {}", format::capitalize(why));
        ui.add(Label::new(RichText::new(text).color(tokens(ui).accent)).wrap());
    } else {
        ui.add(Label::new(progress_text(&progress)).wrap());
    }
    ui.add_space(space::XS);
    let width = ui.available_width();
    let part = ratio(progress.bytes_done, progress.bytes_total);
    widgets::progress(ui, part, width, "Restored");
    ui.add_space(space::S);
    if widgets::button(ui, Kind::Normal, "Stop").clicked() {
        env.out.push(change(run.id, RestoreAction::Stop));
    }
}

fn progress_text(progress: &Progress) -> String {
    if progress.files_total == 0 {
        return "Reading what is backed up there".to_owned();
    }
    let mut text = format!(
        "{} of {}, {} of {}",
        format::number(progress.files_done),
        format::files(progress.files_total),
        format::bytes(progress.bytes_done),
        format::bytes(progress.bytes_total)
    );
    if progress.bytes_per_sec > 0 {
        text = format!("{text}, {}", format::speed(progress.bytes_per_sec));
    }
    if let Some(secs) = progress.secs_left {
        text = format!("{text}, {}", format::time_left(secs));
    }
    text
}

fn sentences(ui: &mut Ui, run: &RestoreState) {
    let result = &run.result;
    let area = ScrollArea::vertical().id_salt(("sentences", run.id)).max_height(SENTENCES_HEIGHT);
    area.auto_shrink([false, true]).show(ui, |ui| {
        for sentence in &result.sentences {
            ui.add(Label::new(widgets::note(ui, sentence)).wrap().selectable(true));
        }
        let untold = result.failed.saturating_sub(u64::try_from(result.sentences.len()).unwrap_or(u64::MAX));
        if untold > 0 {
            ui.label(widgets::note(ui, format!("And {} more", format::files(untold))));
        }
    });
}
