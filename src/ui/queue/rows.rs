//! One file of a list: what it is, how it stands, and what can be done with it.

use std::collections::BTreeSet;

use eframe::egui::{Align2, Rect, TextStyle, Ui, UiBuilder, Vec2, pos2, vec2};

use super::hair_line;
use super::waits::SharedWaits;
use crate::api::{DecisionRow, PathText, QueueList, QueueRow, Selection, TransferState, TransferStep};
use crate::domain::accounting::Bin;
use crate::domain::format;
use crate::domain::time::UnixMillis;
use crate::ui::commands::{Command, Dialog, Verb};
use crate::ui::focus;
use crate::ui::icons::{self, Icon};
use crate::ui::numbers::ratio;
use crate::ui::remedy::can_retry;
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{size, space, tokens};
use crate::ui::widgets::{self, paint_cut};

/// A row's height in points, without the space below it.
pub(super) const HEIGHT: f32 = 60.0;
/// Room for the note at the right.
const NOTE_WIDTH: f32 = 200.0;
/// A row that is narrower than this has no room for the note.
const NOTE_ROW_MIN: f32 = 520.0;

struct Frame {
    text: Rect,
    right: Rect,
}

/// Icon, name and folder at the left; returns what is left at the right.
fn frame(ui: &mut Ui, icon: Icon, path: &PathText, below: &str, accent: bool) -> Frame {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), eframe::egui::Sense::hover());
    let t = tokens(ui);
    hair_line(ui, rect);
    let at = Rect::from_center_size(pos2(rect.left() + 12.0, rect.center().y), Vec2::splat(20.0));
    icons::paint(ui.painter(), icon, at, if accent { t.accent } else { t.weak });
    let left = rect.left() + 24.0 + space::M;
    let note = if rect.width() < NOTE_ROW_MIN { 0.0 } else { NOTE_WIDTH };
    let right = Rect::from_min_max(pos2(rect.right() - note - 120.0, rect.top()), rect.max);
    let width = (right.left() - left - space::M).max(80.0);
    let body = TextStyle::Body.resolve(ui.style());
    let small = TextStyle::Small.resolve(ui.style());
    let middle = rect.center().y;
    let name = path.file_name().to_owned();
    paint_cut(ui, Align2::LEFT_BOTTOM, pos2(left, middle + 1.0), name, body, t.text, width);
    paint_cut(ui, Align2::LEFT_TOP, pos2(left, middle + 3.0), below.to_owned(), small, t.faint, width);
    let text = Rect::from_min_max(pos2(left, rect.top()), pos2(left + width, rect.bottom()));
    // What is painted is also said.
    let label = ui.interact(text, ui.auto_id_with("row"), eframe::egui::Sense::hover());
    ui.skip_ahead_auto_ids(1);
    let said = format!("{}, {below}", path.file_name());
    label.widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Label, true, said.clone()));
    widgets::hint(ui, label, &path.path);
    Frame { text, right }
}

fn folder(path: &PathText) -> &str {
    path.path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A transfer that is running.
pub(super) fn transfer(ui: &mut Ui, env: &mut ScreenContext<'_>, transfer: &TransferState) {
    let place = env.model.destination_name(transfer.destination).to_owned();
    let step = match transfer.step {
        TransferStep::Copying => "uploading to",
        TransferStep::Proving => "verifying at",
    };
    let below = format!("{step} {place}, from {}", folder(&transfer.path));
    let Frame { right, .. } = frame(ui, Icon::Uploading, &transfer.path, &below, false);
    let mut child = ui.new_child(UiBuilder::new().max_rect(right));
    child.spacing_mut().item_spacing.y = space::XS;
    child.add_space(HEIGHT / 2.0 - 16.0);
    let part = match transfer.step {
        TransferStep::Copying => ratio(transfer.bytes_sent, transfer.bytes_total),
        TransferStep::Proving => 1.0,
    };
    let text = match transfer.step {
        TransferStep::Copying => {
            format!("{} of {}", format::bytes(transfer.bytes_sent), format::bytes(transfer.bytes_total))
        }
        TransferStep::Proving => format!("{}, verifying", format::bytes(transfer.bytes_total)),
    };
    let note = widgets::note(&child, text);
    child.label(note);
    let name = format!("Progress of {}", transfer.path.file_name());
    let width = child.available_width();
    widgets::progress(&mut child, part, width, &name);
}

/// A row of a list.
pub(super) fn row(
    ui: &mut Ui,
    env: &mut ScreenContext<'_>,
    row: &QueueRow,
    folds: &mut BTreeSet<String>,
    list: QueueList,
    shared: &SharedWaits,
) {
    let (icon, note) = standing(row, env, shared);
    let last = row.decisions.first().filter(|_| list == QueueList::Waiting);
    let below = last.map_or_else(|| folder(&row.path), |decision| decision.text.as_str());
    let below = format!("{}, {below}", row.destination);
    let accent = icon == Icon::Attention;
    let Frame { text, right } = frame(ui, icon, &row.path, &below, accent);
    let mut child = ui.new_child(
        UiBuilder::new()
            .max_rect(right)
            .layout(eframe::egui::Layout::left_to_right(eframe::egui::Align::Center)),
    );
    child.spacing_mut().item_spacing.x = 0.0;
    let left = focus::at_right(&mut child, |ui| {
        let left = ui.max_rect().left();
        buttons(ui, env, row, list);
        left
    });
    let font = TextStyle::Small.resolve(ui.style());
    let edge = pos2(left - space::S, right.center().y);
    let room = edge.x - text.right() - space::M;
    paint_cut(ui, Align2::RIGHT_CENTER, edge, note, font, tokens(ui).weak, room);
    if let Some(failure) = row.failure.as_ref().filter(|_| list == QueueList::NeedsAttention) {
        let mut open = folds.contains(&row.id);
        let name = format!("Details of {}", row.path.file_name());
        ui.horizontal_top(|ui| {
            ui.add_space(24.0 + space::XS);
            ui.vertical(|ui| {
                let has_more = !failure.details.is_empty() || !row.decisions.is_empty();
                if has_more && widgets::fold(ui, &mut open, "Details", &name) {
                    for line in decision_lines(&row.decisions, env.model.now) {
                        let line = widgets::note(ui, line);
                        ui.add(eframe::egui::Label::new(line).wrap());
                    }
                    let details = eframe::egui::RichText::new(&failure.details)
                        .text_style(TextStyle::Monospace)
                        .color(tokens(ui).weak);
                    ui.add(eframe::egui::Label::new(details).wrap().selectable(true));
                }
            });
        });
        if open {
            folds.insert(row.id.clone());
        } else {
            folds.remove(&row.id);
        }
    }
}

/// What was decided last, each with its age.
pub(in crate::ui) fn decision_lines(
    decisions: &[DecisionRow],
    now: UnixMillis,
) -> impl Iterator<Item = String> {
    decisions.iter().map(move |decision| match format::parse_time(&decision.at) {
        Some(then) => format!("{}: {}", format::capitalize(&format::age(then, now)), decision.text),
        None => decision.text.clone(),
    })
}

/// The icon and the note at the right.
fn standing(row: &QueueRow, env: &ScreenContext<'_>, shared: &SharedWaits) -> (Icon, String) {
    let size = format::bytes(row.bytes_total);
    match Bin::parse(&row.state) {
        Some(Bin::Safe) => {
            let when = row.proved_at.as_deref().and_then(format::parse_time);
            let when = when.map_or(size, |then| format!("verified {}", format::age(then, env.model.now)));
            (Icon::Safe, when)
        }
        Some(Bin::Unproven) => (Icon::Unproven, size),
        Some(Bin::Uploading) => (Icon::Uploading, size),
        Some(Bin::NeedsAttention) => {
            let tries = format::counted(row.attempt.into(), "try", "tries");
            (Icon::Attention, if row.attempt > 0 { tries } else { size })
        }
        Some(Bin::Excluded) => {
            (Icon::Excluded, row.excluded_because.clone().unwrap_or_else(|| "Left out".to_owned()))
        }
        // A reason that stands above the list is not said again.
        Some(Bin::Waiting) | None if shared.has(row) => (Icon::Waiting, size),
        Some(Bin::Waiting) | None => (Icon::Waiting, waiting(row, env).unwrap_or(size)),
    }
}

fn waiting(row: &QueueRow, env: &ScreenContext<'_>) -> Option<String> {
    let wait = row.wait_reason.as_ref()?;
    let until = wait.until.as_deref().and_then(format::parse_time);
    Some(match until {
        Some(until) => format!("{}, {}", wait.summary, format::until(until, env.model.now)),
        None => wait.summary.clone(),
    })
}

fn buttons(ui: &mut Ui, env: &mut ScreenContext<'_>, row: &QueueRow, list: QueueList) {
    let file = row.path.file_name();
    let this = || Selection::Items(vec![row.id.clone()]);
    if let Some(asset) = row.asset {
        if widgets::icon_button(ui, Icon::Info, &format!("Open {file}")).clicked() {
            env.out.push(Command::OpenAsset { asset, index: None });
        }
    } else if list != QueueList::Excluded {
        ui.add_space(size::CONTROL);
    }
    match list {
        QueueList::Excluded => {
            let by_person = row.excluded_because.as_deref()
                == Some(crate::domain::file::ExcludeReason::ByPerson.sentence());
            if by_person && widgets::icon_button(ui, Icon::Plus, &format!("Include {file} again")).clicked() {
                env.out.push(Command::change(Verb::Include, this(), file));
            }
        }
        QueueList::Waiting | QueueList::NeedsAttention | QueueList::Unproven => {
            let name = format!("Retry {file}");
            let can_help = row.failure.as_ref().is_some_and(can_retry);
            if list == QueueList::NeedsAttention
                && can_help
                && widgets::icon_button(ui, Icon::Retry, &name).clicked()
            {
                env.out.push(Command::change(Verb::Retry, this(), file));
            }
            if widgets::icon_button(ui, Icon::Excluded, &format!("Leave out {file}")).clicked() {
                let what = file.to_owned();
                env.out.push(Command::Ask(Dialog::Exclude { selection: this(), files: 1, what, at: None }));
            }
        }
        QueueList::Done | QueueList::Uploading => {}
    }
    if widgets::icon_button(ui, Icon::ShowInFolder, &format!("Show {file} in folder")).clicked() {
        env.out.push(Command::ShowInFolder(row.path.clone()));
    }
}
