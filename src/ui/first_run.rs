//! The first minute: choose folders, choose a place, read what will happen, switch on.
//!
//! One calm page. Nothing is copied before the last button is pressed.

use eframe::egui::{Align2, Color32, Label, Rect, Sense, TextStyle, Ui, Vec2, vec2};

use super::address;
use super::commands::{AfterAdding, Command, Purpose};
use super::destinations;
use super::draft::Draft;
use super::icons;
use super::screen_context::ScreenContext;
use super::settings::{self, Settings};
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use crate::api;

/// Paints the page.
pub(super) fn ui(ui: &mut Ui, env: &mut ScreenContext<'_>, folders: &mut Settings, draft: &mut Draft) {
    let snapshot = env.model.snapshot.clone();
    let has_sources = !snapshot.sources.is_empty();
    let has_place = !snapshot.destinations.is_empty() || draft.is_usable();
    widgets::page(ui, "first run", |ui| {
        head(ui);
        step(ui, 1, "Choose the folders that hold your photos", has_sources, true, |ui| {
            for source in &snapshot.sources {
                settings::source_row(ui, env, source);
            }
            folders.add_folder(ui, env);
            if !has_sources {
                let note = widgets::note(ui, "Or drop folders anywhere on this window");
                ui.label(note);
            }
        });
        step(ui, 2, "Choose a destination", has_place, has_sources, |ui| {
            if let Some(d) = snapshot.destinations.first() {
                ui.label(format!("{}, {}", d.name, address::format_address(&d.url)));
            } else {
                draft.ui(ui, env);
            }
        });
        step(ui, 3, "Switch on", false, has_sources && has_place, |ui| {
            let to = snapshot
                .destinations
                .first()
                .map_or_else(|| draft.target().path, |d| address::format_address(&d.url));
            destinations::consent(ui, env, &to);
            ui.add_space(space::S);
            if widgets::button(ui, Kind::Primary, "Agree and switch on backup").clicked() {
                if snapshot.destinations.is_empty() {
                    env.out.push(destinations::add_destination(draft, AfterAdding::SwitchOn));
                } else {
                    switch_on_existing(env);
                }
            }
        });
        ui.add_space(space::M);
        ui.horizontal(|ui| {
            if widgets::button(ui, Kind::Normal, "I already have a backup").clicked() {
                env.out.push(Command::AddDestinationToRestore);
            }
            if widgets::button(ui, Kind::Quiet, "Not now").clicked() {
                env.out.push(Command::EndFirstRun);
            }
        });
    });
}

fn switch_on_existing(env: &mut ScreenContext<'_>) {
    let snapshot = &env.model.snapshot;
    let sources: Vec<i64> = snapshot.sources.iter().map(|s| s.id).collect();
    for destination in &snapshot.destinations {
        let request = api::Command::Consent { sources: sources.clone(), destination: destination.id };
        env.out.push(Command::send_ignoring_reply(request));
    }
    env.out.push(Command::send(api::Command::SetBackup { on: true }, Purpose::OnlyErrors));
    env.out.push(Command::EndFirstRun);
}

fn head(ui: &mut Ui) {
    let t = tokens(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(56.0), Sense::hover());
    icons::paint_mark(ui.painter(), rect.translate(vec2(-5.0, 0.0)), t.accent, t.text);
    ui.add_space(space::M);
    widgets::page_title(ui, "Keep your photos safe");
    let lead = "Safelight backs up your photos to a destination you own, verifies every copy, and tells you when all are safe";
    let lead = widgets::weak(ui, lead);
    ui.add(Label::new(lead).wrap());
    ui.add_space(space::XL);
}

fn step(ui: &mut Ui, n: u8, text: &str, done: bool, open: bool, add: impl FnOnce(&mut Ui)) {
    let t = tokens(ui);
    widgets::card(ui, |ui| {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(26.0), Sense::hover());
            number(ui, rect, n, done, open);
            ui.add_space(space::XS);
            let color = if open { t.text } else { t.faint };
            widgets::heading_of(ui, widgets::heading(text).color(color), 2);
        });
        if open {
            ui.add_space(space::S);
            add(ui);
        }
    });
    ui.add_space(space::M);
}

fn number(ui: &Ui, rect: Rect, n: u8, done: bool, open: bool) {
    let t = tokens(ui);
    let (fill, ink): (Color32, Color32) = match (done, open) {
        (true, _) => (t.text, t.canvas),
        (false, true) => (t.accent, t.on_accent),
        (false, false) => (t.control, t.faint),
    };
    ui.painter().circle_filled(rect.center(), 13.0, fill);
    if done {
        icons::paint(ui.painter(), icons::Icon::Tick, rect.shrink(6.0), ink);
    } else {
        let font = TextStyle::Body.resolve(ui.style());
        let at = rect.center() + vec2(0.0, 0.5);
        ui.painter().text(at, Align2::CENTER_CENTER, n.to_string(), font, ink);
    }
}
