//! The years at the right edge: where in the library this is, and a way to anywhere in it.

use eframe::egui::{Align2, Color32, Id, Rect, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::layout::Layout;
use crate::domain::format;
use crate::ui::numbers::near;
use crate::ui::theme::{Tokens, tokens};

/// The scrubber's width in points.
pub(in crate::ui) const WIDTH: f32 = 64.0;
/// Years closer than this are left out.
const YEAR_PITCH: f32 = 22.0;
/// The handle's least height.
const HANDLE_MIN: f32 = 20.0;

/// Shows the scrubber and returns where to scroll to, if the person says so.
pub(in crate::ui) fn show(
    ui: &Ui,
    rect: Rect,
    layout: &Layout,
    scroll: f64,
    scroll_max: f64,
    page: f32,
) -> Option<f64> {
    if scroll_max <= 0.0 {
        return None;
    }
    let response = ui.interact(rect, Id::unique("library scrubber"), Sense::click_and_drag());
    let day = layout.day_at(scroll + 1.0);
    response.widget_info(|| {
        let at = day.map_or_else(String::new, format::month_and_year);
        let mut info =
            WidgetInfo::slider(true, (scroll / scroll_max * 100.0).round(), format!("Timeline, {at}"));
        info.role = Role::Slider;
        info
    });
    let t = tokens(ui);
    let track = rect.shrink2(vec2(0.0, 12.0));
    paint_years(ui, t, track, layout);
    let handle = handle(track, scroll / scroll_max, f64::from(page) / layout.height().max(1.0));
    let lit = response.hovered() || response.dragged() || response.has_focus();
    let fill = if lit { t.accent } else { t.faint };
    let bar = Rect::from_min_max(
        pos2(handle.right() - 8.0, handle.top()),
        pos2(handle.right() - 4.0, handle.bottom()),
    );
    ui.painter().rect_filled(bar, 2.0, fill);
    let pointer = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked());
    if response.dragged()
        && let Some(day) = day
    {
        bubble(ui, t, pos2(rect.left() + 4.0, handle.center().y), &format::month_and_year(day));
    }
    pointer.map(|at| {
        let span = (track.height() - handle.height()).max(1.0);
        let part = (at.y - track.top() - handle.height() / 2.0) / span;
        f64::from(part.clamp(0.0, 1.0)) * scroll_max
    })
}

fn handle(track: Rect, part: f64, seen: f64) -> Rect {
    let height = (near(seen) * track.height()).clamp(HANDLE_MIN, track.height().max(HANDLE_MIN));
    let top = track.top() + near(part.clamp(0.0, 1.0)) * (track.height() - height);
    Rect::from_min_size(pos2(track.left(), top), vec2(track.width(), height))
}

fn paint_years(ui: &Ui, t: &Tokens, track: Rect, layout: &Layout) {
    let font = TextStyle::Small.resolve(ui.style());
    let mut free_from = f32::NEG_INFINITY;
    for (year, top) in layout.years() {
        let y = track.top() + near(top / layout.height().max(1.0)) * track.height();
        let dash = [pos2(track.right() - 8.0, y), pos2(track.right() - 4.0, y)];
        if y < free_from {
            continue;
        }
        free_from = y + YEAR_PITCH;
        ui.painter().line_segment(dash, Stroke::new(1.0, t.line));
        let at = pos2(track.right() - 16.0, y);
        ui.painter().text(at, Align2::RIGHT_CENTER, year.to_string(), font.clone(), t.faint);
    }
}

fn bubble(ui: &Ui, t: &Tokens, right_center: eframe::egui::Pos2, text: &str) {
    let font = TextStyle::Button.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let size = galley.size() + vec2(24.0, 12.0);
    let rect = Rect::from_min_size(right_center - vec2(size.x, size.y / 2.0), size);
    ui.painter().rect_filled(rect, size.y / 2.0, t.shade);
    ui.painter().galley(rect.min + vec2(12.0, 6.0), galley, t.on_shade);
}
