//! What needs the person, one card a cause: what happened, what to do, and buttons that do it.

use eframe::egui::{Label, ScrollArea, Ui};

use super::waits::SharedWaits;
use super::{Queue, inset, rows};
use crate::api::{FailureGroup, FailureText, QueueList, Selection};
use crate::domain::format;
use crate::ui::commands::{Command, Dialog, FailedFiles, Verb};
use crate::ui::counts::Amount;
use crate::ui::icons::Icon;
use crate::ui::remedy::{self, Remedy, can_retry};
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{self, Kind};

impl Queue {
    pub(super) fn attention(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, left: f32) {
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
                    let what = format::files(helped.map(|group| group.files).sum());
                    let name = groups.iter().any(is_elsewhere).then(|| self.chosen_name(env)).flatten();
                    let text = match &name {
                        Some(name) => format!("Retry all at {name}"),
                        None => format!("Retry {what}"),
                    };
                    ui.horizontal(|ui| {
                        if widgets::icon_text_button(ui, Kind::Normal, Icon::Retry, &text).clicked() {
                            let destination = name.as_ref().and(self.destination);
                            env.out.push(retry(Selection::All, None, destination, &what));
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

    fn is_here(&self, group: &FailureGroup, env: &ScreenContext<'_>) -> bool {
        self.destination.is_none_or(|id| {
            let name = env.model.destination_name(id);
            group.destinations.iter().any(|d| d == name)
        })
    }

    /// The name of the chosen destination, if one is chosen.
    fn chosen_name(&self, env: &ScreenContext<'_>) -> Option<String> {
        self.destination.map(|id| env.model.destination_name(id).to_owned())
    }

    /// How many files a group is about, and how many copies.
    fn amount(&self, group: &FailureGroup) -> Amount {
        Amount { files: Some(group.files), copies: group.copies }
    }

    fn group(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, group: &FailureGroup) {
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
                self.group_buttons(ui, env, group, &mut open);
            });
        });
        if open != was_open {
            self.open_group = open.then(|| failure.class.clone());
        }
        if open {
            self.group_rows(ui, env);
        }
    }

    /// What mends the cause comes first, retrying second, leaving out last.
    fn group_buttons(&self, ui: &mut Ui, env: &mut ScreenContext<'_>, group: &FailureGroup, open: &mut bool) {
        let failure = &group.failure;
        let selection = Selection::Kind(failure.class.clone());
        let what = format::files(group.files);
        let model = env.model;
        let here =
            |name: &&String| self.destination.is_none_or(|id| model.destination_name(id) == name.as_str());
        let destination = group.destinations.iter().find(here);
        let destination = destination.and_then(|name| remedy::destination_named(&model.snapshot, name));
        let subject =
            remedy::Subject { failure, destination, file: None, selection: selection.clone(), what: &what };
        let is_one = group.files == 1;
        // Several files are shown in their list, each with what shows it in the file manager.
        let leads_to_list = !is_one && remedy::of(failure, destination) == Some(Remedy::ShowFile);
        // With one destination chosen, files that failed at others too are changed only there.
        let at = if is_elsewhere(group) { self.destination.zip(self.chosen_name(env)) } else { None };
        let all = |text: &str| match &at {
            Some((_id, name)) => format!("{text} at {name}"),
            None => text.to_owned(),
        };
        ui.horizontal_wrapped(|ui| {
            if leads_to_list {
                list_button(ui, open, failure);
            }
            let has_remedy = leads_to_list || remedy::button(ui, env, &subject);
            let kind = if has_remedy { Kind::Quiet } else { Kind::Normal };
            let text = all(if is_one { "Retry" } else { "Retry all" });
            let name = format!("{text}: {}", failure.summary);
            if can_retry(failure) && widgets::named_button(ui, kind, &text, &name).clicked() {
                let destination = at.as_ref().map(|(id, _name)| *id);
                env.out.push(retry(selection.clone(), Some(&failure.class), destination, &what));
            }
            let text = all(if is_one { "Leave out" } else { "Leave all out" });
            let name = format!("{text}: {}", failure.summary);
            if widgets::named_button(ui, Kind::Quiet, &text, &name).clicked() {
                env.out.push(Command::Ask(Dialog::Exclude {
                    selection,
                    files: group.files,
                    what: what.clone(),
                    at: at.clone(),
                }));
            }
        });
        if !leads_to_list {
            ui.add_space(space::XS);
            let text = list_text(*open);
            widgets::fold(ui, open, text, &list_name(failure));
        }
    }

    fn group_rows(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let key = self.key();
        let Some(list) = self.lists.get(&key).filter(|list| list.is_known) else { return };
        for row in &list.rows {
            rows::row(ui, env, row, &mut self.folds, QueueList::NeedsAttention, &SharedWaits::default());
        }
        let shown = u64::try_from(list.rows.len()).unwrap_or(u64::MAX);
        if list.next.is_some() {
            let text =
                format!("Show more, {} of {} shown", format::number(shown), format::number(list.total));
            if widgets::button(ui, Kind::Quiet, &text).clicked() {
                self.more(env);
            }
        }
    }
}

/// Whether a group's files failed at several destinations.
fn is_elsewhere(group: &FailureGroup) -> bool {
    group.destinations.len() > 1
}

/// Retries a selection, or with a destination its files that failed there, for one class or for all.
fn retry(selection: Selection, class: Option<&str>, destination: Option<i64>, what: &str) -> Command {
    if destination.is_none() {
        return Command::change(Verb::Retry, selection, what);
    }
    let failed = FailedFiles { class: class.map(str::to_owned), destination };
    Command::OnFailed(Verb::Retry, failed, what.to_owned())
}

fn list_text(open: bool) -> &'static str {
    if open { "Hide files" } else { "Show files" }
}

fn list_name(failure: &FailureText) -> String {
    format!("Files, {}", failure.summary)
}

/// The fold of a group's files, as the button that leads.
fn list_button(ui: &mut Ui, open: &mut bool, failure: &FailureText) {
    let response = widgets::named_button(ui, Kind::Normal, list_text(*open), &list_name(failure));
    if response.clicked() {
        *open = !*open;
    }
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_expanded(*open));
}
