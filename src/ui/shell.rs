//! The frame around the screens: sidebar, the toggle with its sentence, progress, and what is said
//! for a moment.

use std::time::Duration;

use eframe::egui::{
    Align, Align2, Area, Color32, Context, Frame, Id, Label, Layout, Margin, Order, Panel, Rect, RichText,
    Role, Sense, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::app::Env;
use super::commands::{Command, Screen};
use super::counts::{self, Counts};
use super::icons::{self, Icon};
use super::model::Model;
use super::numbers::ratio;
use super::sentence::{self, Mood};
use super::theme::{radius, size, space, tokens};
use super::widgets::{self, Kind};
use super::words;
use crate::api::{BackupSwitch, QueueList, Request, Snapshot};
use crate::client::Connection;

/// The widest a sentence is that is shown for a moment, in points.
const TOAST_WIDTH: f32 = 480.0;

fn icon_of(screen: Screen) -> Icon {
    match screen {
        Screen::Library => Icon::Library,
        Screen::Queue => Icon::Queue,
        Screen::Destinations => Icon::Disk,
        Screen::Settings => Icon::Settings,
    }
}

/// The sidebar.
pub(super) fn sidebar(ui: &mut Ui, env: &mut Env<'_>, shown: Screen) {
    let frame = Frame::new().fill(tokens(ui).chrome).inner_margin(Margin::symmetric(12, 0));
    Panel::left("sidebar")
        .exact_size(size::SIDEBAR)
        .resizable(false)
        .frame(frame)
        .show_separator_line(false)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            brand(ui);
            for screen in Screen::ALL {
                let counts = Counts::of(&env.model.snapshot);
                let attention = if screen == Screen::Queue { Some(counts) } else { None };
                if item(ui, screen, shown == screen, attention.as_ref()).clicked() {
                    env.out.push(Command::Go(screen));
                }
            }
            ui.with_layout(Layout::bottom_up(Align::LEFT), |ui| {
                ui.add_space(space::L);
                summary(ui, env.model);
            });
        });
}

fn brand(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::TOP_BAR), Sense::hover());
    let t = tokens(ui);
    let mark = Rect::from_center_size(pos2(rect.left() + 20.0, rect.center().y), Vec2::splat(24.0));
    icons::paint_mark(ui.painter(), mark, t.accent, t.text);
    let font = TextStyle::Name(super::theme::HEADING.into()).resolve(ui.style());
    let at = pos2(mark.right() + space::M, rect.center().y);
    ui.painter().text(at, Align2::LEFT_CENTER, "Safelight", font, t.text);
}

fn item(ui: &mut Ui, screen: Screen, is_shown: bool, counts: Option<&Counts>) -> eframe::egui::Response {
    let attention = counts.map_or(0, |counts| counts.needs_attention().number());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), Sense::click());
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
    ui.painter().text(at, Align2::LEFT_CENTER, screen.label(), font, ink);
    if attention > 0 {
        let font = TextStyle::Small.resolve(ui.style());
        let galley = ui.painter().layout_no_wrap(words::number(attention), font, t.on_accent);
        let width = (galley.size().x + 12.0).max(20.0);
        let pill = Rect::from_center_size(
            pos2(rect.right() - 8.0 - width / 2.0, rect.center().y),
            vec2(width, 20.0),
        );
        ui.painter().rect_filled(pill, 10.0, t.accent);
        ui.painter().galley(pill.center() - galley.size() / 2.0, galley, t.on_accent);
    }
    widgets::focus_ring(ui, rect, f32::from(radius::CONTROL), &response);
    response.widget_info(|| {
        let mut name = screen.label().to_owned();
        if let Some(attention) = counts.and_then(Counts::attention_text) {
            name += &format!(", {attention}");
        }
        WidgetInfo::selected(Role::Tab, true, is_shown, name)
    });
    response
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
                widgets::note(ui, words::counted(library.assets, "photo or video", "photos and videos"));
            ui.label(items);
            let files = widgets::note(ui, format!("in {}", words::files(library.found)));
            ui.label(files);
        });
    });
}

fn mood_icon(mood: Mood) -> Icon {
    match mood {
        Mood::Safe => Icon::Safe,
        Mood::Working => Icon::Uploading,
        Mood::Resting => Icon::Waiting,
        Mood::Stopped => Icon::Pause,
        Mood::Attention => Icon::Attention,
    }
}

/// The toggle and its sentence.
pub(super) fn top_bar(ui: &mut Ui, env: &mut Env<'_>) {
    let t = tokens(ui);
    let frame = Frame::new().fill(t.canvas).inner_margin(Margin::symmetric(16, 0));
    Panel::top("toggle").exact_size(size::TOP_BAR).frame(frame).show_separator_line(false).show(ui, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            toggle(ui, env);
            ui.add_space(space::S);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| said(ui, env));
        });
    });
}

fn said(ui: &mut Ui, env: &mut Env<'_>) {
    let t = tokens(ui);
    let said = sentence::of(&env.model.snapshot, &env.model.connection, env.model.now);
    let color = if said.mood == Mood::Attention { t.accent } else { t.text };
    widgets::mark(ui, mood_icon(said.mood), 22.0, color);
    ui.add_space(space::XS);
    let font =
        RichText::new(&said.text).text_style(TextStyle::Name(super::theme::HEADING.into())).color(t.text);
    let label = ui.add(Label::new(font).truncate());
    label.widget_info(|| WidgetInfo::labeled(Role::Status, true, &said.text));
    if said.mood == Mood::Attention
        && env.model.connection == Connection::Connected
        && !Counts::of(&env.model.snapshot).needs_attention().is_zero()
        && ui.available_width() > 80.0
        && widgets::button(ui, Kind::Quiet, "Review").clicked()
    {
        env.out.push(Command::ShowQueue(QueueList::NeedsAttention, None));
    }
}

fn toggle(ui: &mut Ui, env: &mut Env<'_>) {
    let snapshot = &env.model.snapshot;
    let is_on = snapshot.backup != BackupSwitch::Off;
    let may = env.model.connection == Connection::Connected && (is_on || !snapshot.destinations.is_empty());
    let response = ui.add_enabled_ui(may, |ui| widgets::switch(ui, is_on, "Backup")).inner;
    let response = response.on_disabled_hover_text("Choose a destination first");
    if response.clicked() {
        env.out.push(Command::plain(Request::SetBackup { on: !is_on }));
    }
    ui.add_space(space::XS);
    let text = widgets::weak(ui, "Backup");
    ui.label(text);
}

/// The line at the top when the agent is gone.
pub(super) fn connection_banner(ui: &mut Ui, env: &Env<'_>) {
    let Connection::Lost(why) = &env.model.connection else { return };
    let t = tokens(ui);
    let frame = Frame::new().fill(t.accent_wash).inner_margin(Margin::symmetric(16, 12));
    Panel::top("connection").frame(frame).show_separator_line(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            widgets::mark(ui, Icon::Attention, 20.0, t.accent);
            let label = ui.add(Label::new(RichText::new(why).color(t.text)).wrap());
            label.widget_info(|| WidgetInfo::labeled(Role::Alert, true, why));
        });
    });
}

/// Progress, speed and time left, while there is something to do.
pub(super) fn bottom_bar(ui: &mut Ui, env: &mut Env<'_>) {
    let snapshot = env.model.snapshot.clone();
    let is_shown = snapshot.backup != BackupSwitch::Off && env.model.connection == Connection::Connected;
    let Some(progress) = snapshot.progress.as_ref().filter(|_| is_shown) else {
        return;
    };
    let is_paused = snapshot.backup == BackupSwitch::Paused;
    let t = tokens(ui);
    let frame = Frame::new().fill(t.chrome).inner_margin(Margin::symmetric(16, 0));
    Panel::bottom("progress").exact_size(size::BOTTOM_BAR).frame(frame).show_separator_line(false).show(
        ui,
        |ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let (icon, name) = if is_paused { (Icon::Play, "Resume") } else { (Icon::Pause, "Pause") };
                if widgets::icon_button(ui, icon, name).clicked() {
                    let request = if is_paused { Request::Resume } else { Request::Pause { for_secs: None } };
                    env.out.push(Command::plain(request));
                }
                ui.add_space(space::S);
                let right = widgets::weak(ui, speed_and_time(&snapshot, progress));
                ui.label(right);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let done = counts::progress_text(&snapshot, progress);
                    ui.label(&done);
                    ui.add_space(space::M);
                    let part = if progress.bytes_total > 0 {
                        ratio(progress.bytes_done, progress.bytes_total)
                    } else {
                        ratio(progress.files_done, progress.files_total)
                    };
                    let width = (ui.available_width() - space::XL).max(40.0);
                    widgets::progress(ui, part, width, &format!("Backup progress, {done}"));
                });
            });
        },
    );
}

/// How fast it is and how long it takes, only while something moves.
fn speed_and_time(snapshot: &Snapshot, progress: &crate::api::Progress) -> String {
    if snapshot.backup == BackupSwitch::Paused {
        return "Paused".to_owned();
    }
    if !sentence::is_moving(snapshot) {
        return "Waiting".to_owned();
    }
    let speed = (progress.bytes_per_sec > 0).then(|| words::speed(progress.bytes_per_sec));
    let left = progress.secs_left.map(words::time_left);
    speed.into_iter().chain(left).collect::<Vec<_>>().join(", ")
}

/// The sentences that are shown for a moment.
pub(super) fn toasts(ctx: &Context, ui: &Ui, model: &Model) {
    let Some(first_ends) = model.toasts.iter().map(|toast| toast.until).min() else { return };
    ctx.request_repaint_after(first_ends.since(model.now) + Duration::from_millis(1));
    let t = tokens(ui);
    let at = ctx.content_rect().center_bottom() - vec2(0.0, size::BOTTOM_BAR + space::XL);
    let area = Area::new(Id::unique("toasts")).order(Order::Tooltip).interactable(false);
    area.pivot(Align2::CENTER_BOTTOM).fixed_pos(at).show(ctx, |ui| {
        ui.set_width(TOAST_WIDTH);
        ui.with_layout(Layout::top_down(Align::Center), |ui| {
            for toast in &model.toasts {
                let frame = Frame::popup(ui.style())
                    .fill(t.text)
                    .corner_radius(radius::CONTROL)
                    .inner_margin(Margin::symmetric(16, 10));
                frame.show(ui, |ui| {
                    let label = ui.add(Label::new(RichText::new(&toast.text).color(t.canvas)).wrap());
                    label.widget_info(|| WidgetInfo::labeled(Role::Status, true, &toast.text));
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
