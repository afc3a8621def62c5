//! The frame around the screens: sidebar, the toggle with its sentence, progress, and what is said
//! for a moment.

use std::time::Duration;

use eframe::egui::{
    Align, Align2, Area, Color32, Context, Frame, Id, Label, Layout, Margin, Order, Panel, Rect, RichText,
    Role, Sense, TextStyle, Ui, UiBuilder, Vec2, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use super::commands::{Command, Screen};
use super::counts::{self, Counts};
use super::focus;
use super::icons::{self, Icon};
use super::model::Model;
use super::numbers::ratio;
use super::screen_context::ScreenContext;
use super::status_line::{self, StatusTone};
use super::theme::{radius, size, space, tokens};
use super::widgets::{self, Kind};
use crate::api::{self, BackupSwitch, QueueList, Snapshot};
use crate::client::Connection;
use crate::domain::format;

/// The widest a sentence is that is shown for a moment, in points.
const TOAST_WIDTH: f32 = 480.0;
/// A window that is narrower than this has the narrow sidebar, in points.
const NARROW_WIDTH: f32 = 860.0;
/// A bar that is narrower than this has smaller text and no word beside the switch.
const NARROW_BAR: f32 = 560.0;

fn icon_of(screen: Screen) -> Icon {
    match screen {
        Screen::Library => Icon::Library,
        Screen::Queue => Icon::Queue,
        Screen::Destinations => Icon::Disk,
        Screen::Restore => Icon::Restore,
        Screen::Settings => Icon::Settings,
    }
}

/// The sidebar: one stop for Tab. In a narrow window it shows icons alone.
pub(super) fn sidebar(ui: &mut Ui, env: &mut ScreenContext<'_>, shown: Screen) {
    let is_narrow = ui.ctx().content_rect().width() < NARROW_WIDTH;
    let (width, margin) = if is_narrow { (size::SIDEBAR_NARROW, 8) } else { (size::SIDEBAR, 12) };
    let frame = Frame::new().fill(tokens(ui).chrome).inner_margin(Margin::symmetric(margin, 0));
    Panel::left("sidebar").exact_size(width).resizable(false).frame(frame).show_separator_line(false).show(
        ui,
        |ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            brand(ui, is_narrow);
            let builder = UiBuilder::new().accessibility_role(Role::TabList).accessibility_label("Screens");
            let picked = ui.scope_builder(builder, |ui| screens(ui, env, shown, is_narrow)).inner;
            if let Some(screen) = picked {
                env.out.push(Command::Go(screen));
            }
            if !is_narrow {
                ui.with_layout(Layout::bottom_up(Align::LEFT), |ui| {
                    ui.add_space(space::L);
                    summary(ui, env.model);
                });
            }
        },
    );
}

fn screens(ui: &mut Ui, env: &ScreenContext<'_>, shown: Screen, is_narrow: bool) -> Option<Screen> {
    let counts = Counts::of(&env.model.snapshot);
    let members = Screen::ALL.map(|screen| {
        let attention = if screen == Screen::Queue { Some(&counts) } else { None };
        item(ui, screen, shown == screen, attention, is_narrow)
    });
    let stop = Screen::ALL.iter().position(|screen| *screen == shown).unwrap_or(0);
    let clicked = members.iter().position(eframe::egui::Response::clicked);
    let picked = clicked.or_else(|| focus::arrows(ui, &members, stop))?;
    Screen::ALL.get(picked).copied()
}

fn brand(ui: &mut Ui, is_narrow: bool) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::TOP_BAR), Sense::hover());
    let t = tokens(ui);
    let mark = Rect::from_center_size(pos2(rect.left() + 20.0, rect.center().y), Vec2::splat(24.0));
    icons::paint_mark(ui.painter(), mark, t.accent, t.text);
    if is_narrow {
        return;
    }
    let font = TextStyle::Name(super::theme::HEADING.into()).resolve(ui.style());
    let at = pos2(mark.right() + space::M, rect.center().y);
    ui.painter().text(at, Align2::LEFT_CENTER, "Safelight", font, t.text);
}

fn item(
    ui: &mut Ui,
    screen: Screen,
    is_shown: bool,
    counts: Option<&Counts>,
    is_narrow: bool,
) -> eframe::egui::Response {
    let attention = counts.map_or(0, |counts| counts.needs_attention().number());
    let sense = if is_shown { Sense::click() } else { Sense::CLICK };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), sense);
    let t = tokens(ui);
    let fill = match (is_shown, response.hovered()) {
        (true, _) => t.control,
        (false, true) => t.hover.gamma_multiply(0.6),
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, radius::CONTROL, fill);
    let ink = if is_shown { t.text } else { t.weak };
    let icon = Rect::from_center_size(pos2(rect.left() + 20.0, rect.center().y), Vec2::splat(20.0));
    icons::paint(ui.painter(), icon_of(screen), icon, if is_shown { t.accent } else { ink });
    let font = TextStyle::Body.resolve(ui.style());
    let at = pos2(icon.right() + space::M, rect.center().y);
    if !is_narrow {
        ui.painter().text(at, Align2::LEFT_CENTER, screen.label(), font, ink);
    }
    if attention > 0 && is_narrow {
        ui.painter().circle_filled(icon.right_top(), 5.0, t.accent);
    } else if attention > 0 {
        let font = TextStyle::Small.resolve(ui.style());
        let galley = ui.painter().layout_no_wrap(format::number(attention), font, t.on_accent);
        let width = (galley.size().x + 12.0).max(20.0);
        let pill = Rect::from_center_size(
            pos2(rect.right() - 8.0 - width / 2.0, rect.center().y),
            vec2(width, 20.0),
        );
        ui.painter().rect_filled(pill, 10.0, t.accent);
        ui.painter().galley(pill.center() - galley.size() / 2.0, galley, t.on_accent);
    }
    focus::focus_ring(ui, rect, f32::from(radius::CONTROL), &response);
    let mut name = screen.label().to_owned();
    if let Some(attention) = counts.and_then(Counts::attention_text) {
        name += &format!(", {attention}");
    }
    widgets::describe_choice(ui, &response, Role::Tab, is_shown, &name);
    if is_narrow { widgets::hint(ui, response, &name) } else { response }
}

fn summary(ui: &mut Ui, model: &Model) {
    let library = model.snapshot.library;
    if library.found == 0 {
        return;
    }
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let items =
                widgets::note(ui, format::counted(library.assets, "photo or video", "photos and videos"));
            ui.label(items);
            let files = widgets::note(ui, format!("in {}", format::files(library.found)));
            ui.label(files);
        });
    });
}

fn mood_icon(mood: StatusTone) -> Icon {
    match mood {
        StatusTone::Safe => Icon::Safe,
        StatusTone::Working => Icon::Uploading,
        StatusTone::Resting => Icon::Waiting,
        StatusTone::Stopped => Icon::Pause,
        StatusTone::Attention => Icon::Attention,
    }
}

/// The toggle and its sentence.
pub(super) fn top_bar(ui: &mut Ui, env: &mut ScreenContext<'_>) {
    let t = tokens(ui);
    let frame = Frame::new().fill(t.canvas).inner_margin(Margin::symmetric(16, 0));
    Panel::top("toggle").exact_size(size::TOP_BAR).frame(frame).show_separator_line(false).show(ui, |ui| {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let needs = needs_review(env);
            let (model, is_narrow) = (env.model, ui.available_width() < NARROW_BAR);
            focus::split_row(
                ui,
                |ui| said(ui, model, is_narrow),
                |ui| {
                    if needs && widgets::button(ui, Kind::Quiet, "Review").clicked() {
                        env.out.push(Command::ShowQueue(QueueList::NeedsAttention, None));
                    }
                    toggle(ui, env, is_narrow);
                },
            );
        });
    });
}

/// Whether the sentence is about files that the queue lists for the person.
fn needs_review(env: &ScreenContext<'_>) -> bool {
    let said = status_line::of(&env.model.snapshot, &env.model.connection, env.model.now);
    said.mood == StatusTone::Attention
        && env.model.connection == Connection::Connected
        && !Counts::of(&env.model.snapshot).needs_attention().is_zero()
}

fn said(ui: &mut Ui, model: &Model, is_narrow: bool) {
    let t = tokens(ui);
    let said = status_line::of(&model.snapshot, &model.connection, model.now);
    let color = if said.mood == StatusTone::Attention { t.accent } else { t.text };
    widgets::mark(ui, mood_icon(said.mood), 22.0, color);
    ui.add_space(space::XS);
    let style = if is_narrow { TextStyle::Body } else { TextStyle::Name(super::theme::HEADING.into()) };
    // Two rows at most, so that the end of a long sentence is seen in a narrow window too.
    let mut job = LayoutJob::simple(said.text.clone(), style.resolve(ui.style()), t.text, 0.0);
    job.wrap = TextWrapping { max_width: ui.available_width(), max_rows: 2, ..TextWrapping::default() };
    let label = ui.add(Label::new(job).wrap());
    widgets::announced(ui, &label, Role::Status, &said.text);
    widgets::hint(ui, label, &said.text);
}

fn toggle(ui: &mut Ui, env: &mut ScreenContext<'_>, is_narrow: bool) {
    let snapshot = &env.model.snapshot;
    let is_on = snapshot.backup != BackupSwitch::Off;
    let may = env.model.connection == Connection::Connected && (is_on || !snapshot.destinations.is_empty());
    if !is_narrow {
        let text = widgets::weak(ui, "Backup");
        ui.label(text);
    }
    let response = ui.add_enabled_ui(may, |ui| widgets::switch(ui, is_on, "Backup")).inner;
    let response = response.on_disabled_hover_text("Choose a destination first");
    if response.clicked() {
        env.out.push(Command::send_ignoring_reply(api::Command::SetBackup { on: !is_on }));
    }
}

/// The line at the top when the agent is gone.
pub(super) fn connection_banner(ui: &mut Ui, env: &ScreenContext<'_>) {
    let Connection::Lost(why) = &env.model.connection else { return };
    let t = tokens(ui);
    let frame = Frame::new().fill(t.accent_wash).inner_margin(Margin::symmetric(16, 12));
    Panel::top("connection").frame(frame).show_separator_line(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            widgets::mark(ui, Icon::Attention, 20.0, t.accent);
            let label = ui.add(Label::new(RichText::new(why).color(t.text)).wrap());
            widgets::announced(ui, &label, Role::Alert, why);
        });
    });
}

/// The run's progress, while there is something to do.
fn progress<'a>(env: &ScreenContext<'a>) -> Option<&'a crate::api::Progress> {
    let snapshot = &env.model.snapshot;
    let is_shown = snapshot.backup != BackupSwitch::Off && env.model.connection == Connection::Connected;
    snapshot.progress.as_ref().filter(|_| is_shown)
}

/// How high the bar at the bottom is; 0 while there is nothing to do.
pub(super) fn bottom_height(env: &ScreenContext<'_>) -> f32 {
    progress(env).map_or(0.0, |_| size::BOTTOM_BAR)
}

/// Progress, speed and time left.
pub(super) fn bottom_bar(ui: &mut Ui, env: &mut ScreenContext<'_>) {
    let Some(progress) = progress(env) else { return };
    let snapshot = &env.model.snapshot;
    let is_paused = snapshot.backup == BackupSwitch::Paused;
    let area = ui.max_rect();
    let is_narrow = area.width() < NARROW_BAR;
    ui.painter().rect_filled(area, 0.0, tokens(ui).chrome);
    let inner = UiBuilder::new()
        .max_rect(area.shrink2(vec2(space::L, 0.0)))
        .layout(Layout::left_to_right(Align::Center));
    let done = counts::progress_text(snapshot, progress);
    ui.scope_builder(inner, |ui| {
        focus::split_row(
            ui,
            |ui| {
                ui.label(&done);
                ui.add_space(space::S);
                let part = if progress.bytes_total > 0 {
                    ratio(progress.bytes_done, progress.bytes_total)
                } else {
                    ratio(progress.files_done, progress.files_total)
                };
                let width = ui.available_width().max(40.0);
                widgets::progress(ui, part, width, &format!("Backup progress, {done}"));
            },
            |ui| {
                if !is_narrow {
                    let right = widgets::weak(ui, speed_and_time(snapshot, progress));
                    ui.label(right);
                }
                let (icon, name) = if is_paused { (Icon::Play, "Resume") } else { (Icon::Pause, "Pause") };
                if widgets::icon_button(ui, icon, name).clicked() {
                    let request =
                        if is_paused { api::Command::Resume } else { api::Command::Pause { for_secs: None } };
                    env.out.push(Command::send_ignoring_reply(request));
                }
            },
        );
    });
}

/// How fast it is and how long it takes, only while something moves.
fn speed_and_time(snapshot: &Snapshot, progress: &crate::api::Progress) -> String {
    if snapshot.backup == BackupSwitch::Paused {
        return "Paused".to_owned();
    }
    if !status_line::is_moving(snapshot) {
        return "Waiting".to_owned();
    }
    let speed = (progress.bytes_per_sec > 0).then(|| format::speed(progress.bytes_per_sec));
    let left = progress.secs_left.map(format::time_left);
    speed.into_iter().chain(left).collect::<Vec<_>>().join(", ")
}

/// The sentences that are shown for a moment, each with what undoes it.
pub(super) fn toasts(ctx: &Context, ui: &Ui, model: &Model, out: &mut Vec<Command>) {
    let Some(first_ends) = model.toasts.iter().map(|toast| toast.until).min() else { return };
    ctx.request_repaint_after(first_ends.since(model.now) + Duration::from_millis(1));
    let t = tokens(ui);
    let at = ctx.content_rect().right_bottom() - vec2(space::XL, size::BOTTOM_BAR + space::L);
    let has_undo = model.toasts.iter().any(|toast| !toast.undo.is_empty());
    let order = if has_undo { Order::Foreground } else { Order::Tooltip };
    let area = Area::new(Id::unique("toasts")).order(order).interactable(has_undo);
    let width = TOAST_WIDTH.min(ctx.content_rect().width() - 2.0 * space::L);
    let newest_undo = model.toasts.iter().rposition(|toast| !toast.undo.is_empty());
    area.pivot(Align2::RIGHT_BOTTOM).fixed_pos(at).show(ctx, |ui| {
        ui.set_width(width);
        ui.with_layout(Layout::top_down(Align::Max), |ui| {
            for (index, toast) in model.toasts.iter().enumerate() {
                let frame = Frame::popup(ui.style())
                    .fill(t.text)
                    .corner_radius(radius::CONTROL)
                    .inner_margin(Margin::symmetric(16, 10));
                frame.show(ui, |ui| {
                    let text = RichText::new(&toast.text).color(t.canvas);
                    let label = ui.add(Label::new(text).wrap());
                    widgets::announced(ui, &label, Role::Status, &toast.text);
                    // The newest alone: changes are undone from the last one on.
                    if newest_undo == Some(index) && widgets::button(ui, Kind::Normal, "Undo").clicked() {
                        out.push(Command::Undo);
                    }
                });
            }
        });
    });
}

/// What is shown while folders are held over the window.
pub(super) fn drop_hint(ctx: &Context, ui: &Ui, text: &str) {
    let t = tokens(ui);
    let rect = ctx.content_rect();
    let painter = ctx.layer_painter(eframe::egui::LayerId::new(Order::Tooltip, Id::unique("drop hint")));
    painter.rect_filled(rect, 0.0, t.veil);
    let inner = rect.shrink(space::L);
    let stroke = eframe::egui::Stroke::new(2.0, t.accent_over_photo);
    painter.rect_stroke(inner, radius::CARD, stroke, eframe::egui::StrokeKind::Inside);
    let icon = Rect::from_center_size(rect.center() - vec2(0.0, 32.0), Vec2::splat(56.0));
    icons::paint(&painter, Icon::Folder, icon, t.on_shade);
    let font = TextStyle::Heading.resolve(ui.style());
    painter.text(rect.center() + vec2(0.0, 24.0), Align2::CENTER_CENTER, text, font, t.on_shade);
}
