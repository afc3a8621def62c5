//! How the files of a destination stand: a bar of its bins, and their numbers.

use eframe::egui::{Rect, Sense, Ui, vec2};

use super::commands::Command;
use super::counts::Counts;
use super::numbers::ratio;
use super::screen_context::ScreenContext;
use super::theme::{Tokens, space};
use super::widgets;
use crate::api::{DestinationState, QueueList};
use crate::domain::format;

/// The narrowest a bin that is not empty is drawn, in points.
const SEGMENT_MIN: f32 = 8.0;
/// The line of the card's own colour between two bins, in points. Each bin stands out from it.
const SEGMENT_GAP: f32 = 3.0;

struct BinLine {
    count: u64,
    color: eframe::egui::Color32,
    word: &'static str,
    list: QueueList,
}

fn bins(t: &Tokens, d: &DestinationState) -> [BinLine; 6] {
    let line = |count, color, word, list| BinLine { count, color, word, list };
    let attention = if d.needs_attention == 1 { "needs attention" } else { "need attention" };
    [
        line(d.safe, t.bin_safe, "safe", QueueList::Done),
        line(d.unproven, t.bin_unproven, "unproven", QueueList::Unproven),
        line(d.uploading, t.bin_uploading, "uploading", QueueList::Uploading),
        line(d.waiting, t.bin_waiting, "waiting", QueueList::Waiting),
        line(d.needs_attention, t.accent, attention, QueueList::NeedsAttention),
        line(d.excluded, t.bin_excluded, "left out", QueueList::Excluded),
    ]
}

/// How the files stand, each bin a part of a bar.
pub(super) fn bar(ui: &mut Ui, t: &Tokens, d: &DestinationState) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 10.0), Sense::hover());
    let said = Counts::at(d).safe_text().unwrap_or_else(|| "Nothing to back up".to_owned());
    let said = format!("{said} in {}", d.name);
    response.widget_info(|| {
        let mut info = eframe::egui::WidgetInfo::labeled(eframe::egui::Role::ProgressIndicator, true, &said);
        info.value = Some(f64::from((ratio(d.safe, d.found) * 100.0).floor()));
        info
    });
    let outline = eframe::egui::Stroke::new(1.0, t.outline);
    ui.painter().rect_stroke(rect.expand(1.0), 6.0, outline, eframe::egui::StrokeKind::Middle);
    let lines = bins(t, d);
    let filled = lines.iter().filter(|line| line.count > 0);
    let at_least = SEGMENT_MIN * filled.clone().map(|_| 1.0).sum::<f32>();
    let room = (rect.width() - at_least).max(0.0);
    let mut x = rect.left();
    let count = filled.clone().count();
    for (i, line) in filled.enumerate() {
        let width = SEGMENT_MIN + room * ratio(line.count, d.found);
        let segment = Rect::from_min_size(eframe::egui::pos2(x, rect.top()), vec2(width, rect.height()));
        let mut corner = eframe::egui::CornerRadius::ZERO;
        if i == 0 {
            (corner.nw, corner.sw) = (5, 5);
        }
        if i + 1 == count {
            (corner.ne, corner.se) = (5, 5);
        }
        let gap = if i + 1 == count { 0.0 } else { SEGMENT_GAP };
        ui.painter().rect_filled(segment.with_max_x(segment.max.x - gap), corner, line.color);
        x += width;
    }
}

/// What the parts are, each number a link to its list.
pub(super) fn legend(ui: &mut Ui, env: &mut ScreenContext<'_>, t: &Tokens, d: &DestinationState) {
    let found = widgets::note(ui, format!("{} found", format::files(d.found)));
    ui.label(found);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        ui.spacing_mut().item_spacing = vec2(space::L, space::XS);
        for line in bins(t, d).into_iter().filter(|line| line.count > 0) {
            let text = format!("{} {}", format::number(line.count), line.word);
            let name = format!("{text} in {}", d.name);
            if widgets::legend(ui, line.color, &text, &name).clicked() {
                env.out.push(Command::ShowQueue(line.list, Some(d.id)));
            }
        }
    });
}
