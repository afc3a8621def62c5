//! What is on its way, what waits and why, and what needs the person.
//!
//! Every number of the accounting leads to one of these lists. Lists are pages asked for one after
//! the other; what is shown stays until its newer self has come.

mod groups;
mod rows;
mod waits;

pub(in crate::ui) use rows::decision_lines;

use std::collections::{BTreeSet, HashMap};

use eframe::egui::{Role, ScrollArea, Ui};

use super::commands::{Command, ListKey, Purpose};
use super::counts::Counts;
use super::icons::Icon;
use super::screen_context::ScreenContext;
use super::status_line;
use super::theme::{space, tokens};
use super::widgets::{self, Group};
use crate::api::{
    FailureGroup, PAGE_ROWS_MAX, Query, QueueList, QueuePage, QueueQuery, QueueRow, Request, Snapshot,
};
use crate::domain::format;

/// Rows asked for at a time.
const PAGE: u32 = 100;
/// Lists kept beside the one that is shown.
const LISTS_MAX: usize = 32;
/// A list's rows this far from its end ask for the next page.
const NEAR_THE_END: usize = 30;

/// The lists in the order in which they are shown.
const TABS: [(QueueList, &str); 6] = [
    (QueueList::NeedsAttention, "Needs attention"),
    (QueueList::Uploading, "Uploading"),
    (QueueList::Waiting, "Waiting"),
    (QueueList::Unproven, "Unproven"),
    (QueueList::Excluded, "Left out"),
    (QueueList::Done, "Done"),
];

#[derive(Debug, Default)]
struct List {
    rows: Vec<QueueRow>,
    next: Option<String>,
    total: u64,
    is_known: bool,
    is_under_way: bool,
    /// Why the rows could not be had, the last time.
    refusal: Option<String>,
}

/// The screen's state.
pub(super) struct Queue {
    /// The list that is shown.
    pub tab: QueueList,
    /// Only this destination.
    pub destination: Option<i64>,
    lists: HashMap<ListKey, List>,
    groups: Vec<FailureGroup>,
    groups_known: bool,
    groups_under_way: bool,
    /// Why the groups could not be had, the last time.
    groups_refusal: Option<String>,
    /// The cause whose files are shown.
    open_group: Option<String>,
    folds: BTreeSet<String>,
    revision: Option<u64>,
    /// The chosen destination is switched off: its files are in no other list, and in no group.
    is_off: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            tab: QueueList::Uploading,
            destination: None,
            lists: HashMap::new(),
            groups: Vec::new(),
            groups_known: false,
            groups_under_way: false,
            groups_refusal: None,
            open_group: None,
            folds: BTreeSet::new(),
            revision: None,
            is_off: false,
        }
    }
}

impl Queue {
    /// The screen is opened: on what needs the person, else on what is on its way, else on what it showed.
    pub fn open(&mut self, snapshot: &Snapshot) {
        let has = |at: Option<i64>, list| !Counts::at_or_of(snapshot, at).listed(list).is_zero();
        if !has(self.destination, QueueList::NeedsAttention) && has(None, QueueList::NeedsAttention) {
            self.destination = None;
        }
        let first = [QueueList::NeedsAttention, QueueList::Uploading, QueueList::Waiting];
        if let Some(list) = first.into_iter().find(|list| has(self.destination, *list)) {
            self.tab = list;
        } else if self.tab == QueueList::NeedsAttention {
            self.tab = QueueList::Done;
        }
    }

    fn key(&self) -> ListKey {
        let is_grouped = self.tab == QueueList::NeedsAttention && !self.is_off;
        let failure_kind = is_grouped.then(|| self.open_group.clone()).flatten();
        ListKey { list: self.tab, destination: self.destination, failure_kind, is_more: false }
    }

    /// Whether something that is shown has not been asked for at this revision.
    pub fn is_stale(&self, revision: u64) -> bool {
        self.revision != Some(revision) || self.is_missing()
    }

    /// Whether what is shown has never been asked for.
    pub fn is_missing(&self) -> bool {
        let no_groups = !self.groups_known && !self.groups_under_way;
        no_groups || self.shows_rows() && !self.lists.contains_key(&self.key())
    }

    /// The line was lost: what was under way will not come.
    pub fn on_reconnected(&mut self) {
        self.revision = None;
        self.groups_under_way = false;
        for list in self.lists.values_mut() {
            list.is_under_way = false;
        }
    }

    fn shows_rows(&self) -> bool {
        match self.tab {
            QueueList::Uploading => false,
            QueueList::NeedsAttention => self.is_off || self.open_group.is_some(),
            _ => true,
        }
    }

    /// Requests that bring what is shown up to date.
    pub fn refresh(&mut self, revision: u64) -> Vec<(Request, Purpose)> {
        let mut requests = Vec::new();
        if self.revision != Some(revision) || !self.groups_known {
            self.revision = Some(revision);
            if !self.groups_under_way {
                self.groups_under_way = true;
                requests.push((Request::Query(Query::FailureGroups), Purpose::Groups));
            }
        }
        if self.shows_rows() {
            let key = self.key();
            if self.lists.len() > LISTS_MAX {
                self.lists.retain(|kept, _| *kept == key);
            }
            let list = self.lists.entry(key.clone()).or_default();
            if !list.is_under_way {
                list.is_under_way = true;
                let have = u32::try_from(list.rows.len()).unwrap_or(PAGE_ROWS_MAX);
                let limit = have.clamp(PAGE, PAGE_ROWS_MAX);
                requests.push((query(&key, None, limit), Purpose::Queue(key)));
            }
        }
        requests
    }

    /// Takes rows in.
    pub fn on_page(&mut self, key: &ListKey, page: QueuePage) {
        let Some(list) = self.lists.get_mut(&key.first_page()) else { return };
        list.is_under_way = false;
        list.is_known = true;
        list.refusal = None;
        list.total = page.total;
        list.next = page.next;
        if key.is_more {
            list.rows.extend(page.rows);
        } else {
            list.rows = page.rows;
        }
    }

    /// Rows could not be had.
    pub fn on_page_failed(&mut self, key: &ListKey, why: String) {
        if let Some(list) = self.lists.get_mut(&key.first_page()) {
            list.is_under_way = false;
            list.refusal = Some(why);
        }
    }

    /// Takes the groups of failures in.
    pub fn on_groups(&mut self, outcome: Result<Vec<FailureGroup>, String>) {
        self.groups_under_way = false;
        self.groups_known = true;
        match outcome {
            Ok(groups) => (self.groups, self.groups_refusal) = (groups, None),
            Err(why) => self.groups_refusal = Some(why),
        }
    }

    fn more(&mut self, env: &mut ScreenContext<'_>) {
        let key = self.key();
        let Some(list) = self.lists.get_mut(&key) else { return };
        if list.is_under_way || list.next.is_none() {
            return;
        }
        list.is_under_way = true;
        let request = query(&key, list.next.clone(), PAGE);
        env.out.push(Command::send(request, Purpose::Queue(ListKey { is_more: true, ..key })));
    }

    /// Paints the screen.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        self.forget_what_has_gone(&env.model.snapshot);
        let left = column(ui);
        ui.add_space(space::XXL);
        inset(ui, left, |ui| self.header(ui, env));
        ui.add_space(space::M);
        match self.tab {
            QueueList::Uploading => self.uploading(ui, env, left),
            QueueList::NeedsAttention if !self.is_off => self.attention(ui, env, left),
            _ => self.listed(ui, env, left),
        }
    }

    fn forget_what_has_gone(&mut self, snapshot: &Snapshot) {
        if self.destination.is_some_and(|id| snapshot.destinations.iter().all(|d| d.id != id)) {
            self.destination = None;
        }
        let chosen = self.destination.and_then(|id| snapshot.destinations.iter().find(|d| d.id == id));
        self.is_off = chosen.is_some_and(|d| !d.enabled);
    }

    fn header(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let snapshot = &env.model.snapshot;
        widgets::page_title(ui, "Queue");
        ui.add_space(space::XS);
        let said = status_line::why_idle(snapshot, &env.model.connection, env.model.now);
        let said = said.unwrap_or_else(|| working_line(snapshot));
        widgets::status(ui, widgets::weak(ui, said));
        ui.add_space(space::M);
        let counts = Counts::at_or_of(snapshot, self.destination);
        let names = TABS.map(|(list, label)| {
            let amount = counts.listed(list);
            let number = format::number(amount.number());
            let text = if amount.is_zero() { label.to_owned() } else { format!("{label}  {number}") };
            (text, format!("{label}, {}", amount.text()))
        });
        let chosen = TABS.iter().position(|(list, _)| *list == self.tab);
        let group = Group { name: "Lists", role: Role::Tab };
        if let Some((list, _)) = widgets::choices(ui, group, chosen, &names).and_then(|at| TABS.get(at)) {
            self.tab = *list;
        }
        if self.is_off {
            let text = "This destination is switched off: nothing is backed up to it, and its files are in no other list";
            ui.label(widgets::note(ui, text));
        } else if counts.destinations > 1 {
            let text = "Here each copy counts: one for each file and destination";
            ui.label(widgets::note(ui, text));
        }
        if snapshot.destinations.len() > 1 {
            self.choose_destination(ui, snapshot);
        }
    }

    fn choose_destination(&mut self, ui: &mut Ui, snapshot: &Snapshot) {
        let some_are_off = snapshot.destinations.iter().any(|d| !d.enabled);
        let all = if some_are_off { "All switched on" } else { "All destinations" };
        let all = (all.to_owned(), all.to_owned());
        let each = snapshot.destinations.iter().map(|d| {
            let off = if d.enabled { "" } else { ", off" };
            (format!("{}{off}", d.name), format!("Only {}{off}", d.name))
        });
        let names: Vec<_> = std::iter::once(all).chain(each).collect();
        let at = self.destination.and_then(|id| snapshot.destinations.iter().position(|d| d.id == id));
        let chosen = at.map_or(0, |at| at + 1);
        let group = Group { name: "Destination", role: Role::RadioButton };
        if let Some(picked) = widgets::choices(ui, group, Some(chosen), &names) {
            let picked = picked.checked_sub(1).and_then(|at| snapshot.destinations.get(at));
            self.destination = picked.map(|d| d.id);
        }
    }

    fn uploading(&self, ui: &mut Ui, env: &mut ScreenContext<'_>, left: f32) {
        let snapshot = &env.model.snapshot;
        let here = |d: i64| self.destination.is_none_or(|id| id == d);
        let transfers: Vec<_> = snapshot.uploading.iter().filter(|x| here(x.destination)).collect();
        if transfers.is_empty() {
            widgets::empty(
                ui,
                Icon::Uploading,
                "Nothing is uploading",
                "Files show here while they are uploaded",
            );
            return;
        }
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            inset(ui, left, |ui| {
                for transfer in transfers {
                    rows::transfer(ui, env, transfer);
                }
            });
        });
    }

    fn listed(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, left: f32) {
        let key = self.key();
        let Some(list) = self.lists.get(&key) else { return };
        let shared = match self.tab {
            QueueList::Waiting => waits::shared(&env.model.snapshot, &list.rows, self.destination),
            _ => waits::SharedWaits::default(),
        };
        if let Some(why) = list.refusal.as_ref().filter(|_| !list.is_known) {
            widgets::empty(ui, Icon::Attention, "This list can't be shown", why);
            return;
        }
        if !list.is_known {
            return;
        }
        if list.rows.is_empty() {
            let (icon, text, more) = nothing(self.tab);
            widgets::empty(ui, icon, text, more);
            return;
        }
        if !shared.is_empty() {
            inset(ui, left, |ui| shared.ui(ui, env));
            ui.add_space(space::S);
        }
        let count = list.rows.len();
        let mut seen = 0;
        ScrollArea::vertical().id_salt(("queue", self.tab as u8)).auto_shrink(false).show_rows(
            ui,
            rows::HEIGHT,
            count,
            |ui, range| {
                seen = range.end;
                inset(ui, left, |ui| {
                    for row in list.rows.get(range).unwrap_or_default() {
                        rows::row(ui, env, row, &mut self.folds, self.tab, &shared);
                    }
                });
            },
        );
        if seen + NEAR_THE_END >= count {
            self.more(env);
        }
    }
}

fn query(key: &ListKey, after: Option<String>, limit: u32) -> Request {
    Request::Query(Query::Queue(QueueQuery {
        list: key.list,
        destination: key.destination,
        enabled_only: true,
        failure_kind: key.failure_kind.clone(),
        after,
        limit,
    }))
}

fn working_line(snapshot: &Snapshot) -> String {
    let count = u64::try_from(snapshot.uploading.len()).unwrap_or(u64::MAX);
    let count = if Counts::of(snapshot).destinations > 1 {
        format::copies(count.max(1))
    } else {
        format::files(count.max(1))
    };
    let mut text = format!("Uploading {count} now");
    if let Some(progress) = &snapshot.progress {
        if progress.bytes_per_sec > 0 {
            text += &format!(", {}", format::speed(progress.bytes_per_sec));
        }
        if let Some(secs) = progress.secs_left {
            text += &format!(", {}", format::time_left(secs));
        }
    }
    text
}

fn nothing(list: QueueList) -> (Icon, &'static str, &'static str) {
    match list {
        QueueList::Uploading => (Icon::Uploading, "Nothing is uploading", ""),
        QueueList::Waiting => {
            (Icon::Waiting, "Nothing is waiting", "New photos wait here until they are uploaded")
        }
        QueueList::NeedsAttention => (Icon::Safe, "All good", "Files that need you show here"),
        QueueList::Unproven => {
            (Icon::Unproven, "Everything is verified", "Copies that cannot be verified show here")
        }
        QueueList::Excluded => (Icon::Excluded, "Nothing is left out", "Files that are left out show here"),
        QueueList::Done => (Icon::Safe, "Nothing is safe yet", "Files show here once their copy is verified"),
    }
}

/// How far the screen's column is from the left edge.
fn column(ui: &Ui) -> f32 {
    let width = ui.available_width();
    ((width - (width - 2.0 * space::XXL).clamp(200.0, super::theme::size::PAGE)) / 2.0).max(space::L)
}

/// Lays out inside the column.
fn inset(ui: &mut Ui, left: f32, add: impl FnOnce(&mut Ui)) {
    let width = (ui.available_width() - 2.0 * left).max(200.0);
    ui.horizontal_top(|ui| {
        ui.add_space(left - ui.spacing().item_spacing.x);
        ui.vertical(|ui| {
            ui.set_width(width);
            add(ui);
        });
    });
}

/// A thin line between rows, where space alone would not tell them apart.
fn hair_line(ui: &Ui, rect: eframe::egui::Rect) {
    let stroke = eframe::egui::Stroke::new(1.0, tokens(ui).line.gamma_multiply(0.6));
    ui.painter().hline(rect.x_range(), rect.top() - space::XS, stroke);
}
