//! What needs the person, one card a cause: what happened, what to do, and buttons that do it.

use eframe::egui::{Label, ScrollArea, Ui};

use super::{Queue, can_retry, inset, rows};
use crate::api::{FailureGroup, QueueList, Selection};
use crate::ui::app::Env;
use crate::ui::commands::{Command, Dialog, Screen, Verb};
use crate::ui::counts::Amount;
use crate::ui::icons::Icon;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{self, Kind};
use crate::ui::words;

impl Queue {
    pub(super) fn attention(&mut self, ui: &mut Ui, env: &mut Env<'_>, left: f32) {
        if !self.groups_known {
            return;
        }
        if let Some(why) = self.groups_refusal.as_ref().filter(|_| self.groups.is_empty()) {
            widgets::empty(ui, Icon::Attention, "This list can't be shown", why);
            return;
        }
        let groups: Vec<FailureGroup> =
            self.groups.iter().filter(|g| self.is_here(g, env)).cloned().collect();
        if groups.is_empty() {
            widgets::empty(ui, Icon::Safe, "All good", "Files that need you show here");
            return;
        }
        ScrollArea::vertical().id_salt("attention").auto_shrink(false).show(ui, |ui| {
            inset(ui, left, |ui| {
                let helped = groups.iter().filter(|group| can_retry(&group.failure));
                if groups.len() > 1 && helped.clone().count() > 0 {
                    let what = words::files(helped.map(|group| group.files).sum());
                    ui.horizontal(|ui| {
                        let text = format!("Retry {what}");
                        if widgets::icon_text_button(ui, Kind::Normal, Icon::Retry, &text).clicked() {
                            env.out.push(Command::change(Verb::Retry, Selection::All, &what));
                        }
                    });
                    ui.add_space(space::S);
                }
                for group in &groups {
                    widgets::card(ui, |ui| self.group(ui, env, group));
                    ui.add_space(space::M);
                }
            });
        });
    }

    fn is_here(&self, group: &FailureGroup, env: &Env<'_>) -> bool {
        self.destination.is_none_or(|id| {
            let name = env.model.destination_name(id);
            group.destinations.iter().any(|d| d == name)
        })
    }

    /// How many files a group is about, and how many copies.
    fn amount(&self, group: &FailureGroup) -> Amount {
        Amount { files: Some(group.files), copies: group.copies }
    }

    fn group(&mut self, ui: &mut Ui, env: &mut Env<'_>, group: &FailureGroup) {
        let failure = &group.failure;
        let was_open = self.open_group.as_deref() == Some(failure.class.as_str());
        let mut open = was_open;
        ui.horizontal_top(|ui| {
            widgets::mark(ui, Icon::Attention, 22.0, tokens(ui).accent);
            ui.add_space(space::XS);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = space::XS;
                widgets::section_title(ui, failure.summary.as_str());
                let advice = widgets::weak(ui, &failure.advice);
                ui.add(Label::new(advice).wrap());
                let places = group.destinations.join(", ");
                let count = format!("{}, {places}", self.amount(group).text());
                let count = widgets::note(ui, count);
                ui.label(count);
                ui.add_space(space::S);
                self.group_buttons(ui, env, group);
                ui.add_space(space::XS);
                let name = format!("Files, {}", failure.summary);
                let text = if open { "Hide files" } else { "Show files" };
                widgets::fold(ui, &mut open, text, &name);
            });
        });
        if open != was_open {
            self.open_group = open.then(|| failure.class.clone());
        }
        if open {
            self.group_rows(ui, env);
        }
    }

    fn group_buttons(&self, ui: &mut Ui, env: &mut Env<'_>, group: &FailureGroup) {
        let failure = &group.failure;
        let selection = Selection::Kind(failure.class.clone());
        let what = words::files(group.files);
        ui.horizontal_wrapped(|ui| {
            let text = if group.files == 1 { "Retry" } else { "Retry all" };
            let name = format!("{text}: {}", failure.summary);
            if can_retry(failure) && widgets::named_button(ui, Kind::Normal, text, &name).clicked() {
                env.out.push(Command::change(Verb::Retry, selection.clone(), &what));
            }
            if failure.action == "restore_from_trash" {
                let name = format!("Restore from trash: {}", failure.summary);
                if widgets::named_button(ui, Kind::Normal, "Restore from trash", &name).clicked() {
                    env.out.push(Command::change(Verb::Reclaim, selection.clone(), &what));
                }
            }
            if failure.action == "open_network" {
                let name = format!("Open network settings: {}", failure.summary);
                if widgets::named_button(ui, Kind::Quiet, "Open network settings", &name).clicked() {
                    env.out.push(Command::Go(Screen::Settings));
                }
            }
            let goes_to_destination = ["sign_in_again", "free_space", "open_destination", "connect_disk"]
                .contains(&&*failure.action);
            if goes_to_destination {
                let name = format!("Open destinations: {}", failure.summary);
                if widgets::named_button(ui, Kind::Quiet, "Open destinations", &name).clicked() {
                    env.out.push(Command::Go(Screen::Destinations));
                }
            }
            let text = if group.files == 1 { "Leave out" } else { "Leave all out" };
            let name = format!("{text}: {}", failure.summary);
            if widgets::named_button(ui, Kind::Quiet, text, &name).clicked() {
                env.out.push(Command::Ask(Dialog::Exclude { selection, files: group.files, what }));
            }
        });
    }

    fn group_rows(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        let key = self.key();
        let Some(list) = self.lists.get(&key).filter(|list| list.is_known) else { return };
        for row in &list.rows {
            rows::row(ui, env, row, &mut self.folds, QueueList::NeedsAttention);
        }
        let shown = u64::try_from(list.rows.len()).unwrap_or(u64::MAX);
        if list.next.is_some() {
            let text = format!("Show more, {} of {} shown", words::number(shown), words::number(list.total));
            if widgets::button(ui, Kind::Quiet, &text).clicked() {
                self.more(env);
            }
        }
    }
}
