//! The kinds of destination: a list to choose from, each with its icon and a line on what it is.

use eframe::egui::{
    Align2, Color32, Rect, Response, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, UiBuilder, Vec2,
    WidgetInfo, pos2, vec2,
};

use super::focus;
use super::icons::{self, Icon};
use super::theme::{radius, space, tokens};
use super::widgets::{self, paint_cut};
use crate::domain::target::DestinationKind;

/// A row's height in points.
const ROW_HEIGHT: f32 = 54.0;
/// From this width on, in points, the list has two columns.
const TWO_COLUMNS: f32 = 560.0;
/// So many kinds are shown at once; the others under *More*.
const FIRST: usize = 5;

/// The kinds that can be chosen, in the order in which they are shown.
pub(super) const KINDS: [DestinationKind; 7] = [
    DestinationKind::Folder,
    DestinationKind::Nextcloud,
    DestinationKind::WebDav,
    DestinationKind::Immich,
    DestinationKind::S3,
    DestinationKind::Tus,
    DestinationKind::Resumable,
];

/// A kind's name, as people know it.
pub(super) fn name(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Folder => "Folder or disk",
        DestinationKind::Nextcloud => "Nextcloud",
        DestinationKind::WebDav => "WebDAV",
        DestinationKind::S3 => "S3 storage",
        DestinationKind::Immich => "Immich",
        DestinationKind::Tus => "tus",
        DestinationKind::Resumable => "Resumable HTTP",
    }
}

/// What a kind is, in a line.
fn line(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Folder => "A USB drive, another disk or a network drive",
        DestinationKind::Nextcloud => "Your own cloud, or one at a provider",
        DestinationKind::WebDav => "Most NAS devices, ownCloud and web storage",
        DestinationKind::S3 => "A bucket at a provider or on your own server",
        DestinationKind::Immich => "A photo server; your copies are in its timeline",
        DestinationKind::Tus => "An upload server that supports tus 1.0",
        DestinationKind::Resumable => "A server that accepts resumable uploads",
    }
}

/// A kind's icon.
pub(super) fn icon(kind: DestinationKind) -> Icon {
    match kind {
        DestinationKind::Folder => Icon::Disk,
        DestinationKind::Nextcloud => Icon::Cloud,
        DestinationKind::WebDav => Icon::Server,
        DestinationKind::S3 => Icon::Bucket,
        DestinationKind::Immich => Icon::PhotoServer,
        DestinationKind::Tus | DestinationKind::Resumable => Icon::Resumable,
    }
}

/// The icon of the kind with this stable name.
pub(super) fn icon_of(kind: &str) -> Icon {
    DestinationKind::parse(kind).map_or(Icon::Disk, icon)
}

/// The list: one stop for Tab, walked through with the arrow keys, and *More* below it. Returns the kind
/// that the person picks.
pub(super) fn choose(ui: &mut Ui, chosen: DestinationKind, shows_more: &mut bool) -> Option<DestinationKind> {
    let at = KINDS.iter().position(|kind| *kind == chosen).unwrap_or(0);
    let is_open = *shows_more || at >= FIRST;
    let builder =
        UiBuilder::new().accessibility_role(Role::RadioGroup).accessibility_label("Kind of destination");
    let picked = ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(space::XS);
        let (first, more) = KINDS.split_at(FIRST);
        let mut members = rows(ui, first, chosen);
        let mut open = is_open;
        // What is chosen is never hidden.
        ui.add_enabled_ui(at < FIRST, |ui| widgets::fold(ui, &mut open, "More", "More kinds of destination"));
        *shows_more = open;
        if is_open {
            members.extend(rows(ui, more, chosen));
        }
        let clicked = members.iter().position(Response::clicked);
        clicked.or_else(|| focus::arrows(ui, &members, at))
    });
    picked.inner.and_then(|at| KINDS.get(at)).copied()
}

fn rows(ui: &mut Ui, kinds: &[DestinationKind], chosen: DestinationKind) -> Vec<Response> {
    let is_wide = ui.available_width() >= TWO_COLUMNS;
    let columns = if is_wide { 2 } else { 1 };
    let width = if is_wide { (ui.available_width() - space::XS) / 2.0 } else { ui.available_width() };
    let mut members = Vec::with_capacity(kinds.len());
    for together in kinds.chunks(columns) {
        ui.horizontal(|ui| {
            members.extend(together.iter().map(|kind| row(ui, *kind, *kind == chosen, width)));
        });
    }
    members
}

/// One kind. Tab stops only at the one that is chosen.
fn row(ui: &mut Ui, kind: DestinationKind, is_chosen: bool, width: f32) -> Response {
    let sense = if is_chosen { Sense::click() } else { Sense::CLICK };
    let (rect, response) = ui.allocate_exact_size(vec2(width, ROW_HEIGHT), sense);
    let t = tokens(ui);
    let (fill, line_color) = match (is_chosen, response.hovered()) {
        (true, _) => (t.control, t.outline),
        (false, true) => (t.hover.gamma_multiply(0.6), Color32::TRANSPARENT),
        (false, false) => (Color32::TRANSPARENT, Color32::TRANSPARENT),
    };
    ui.painter().rect(rect, radius::CONTROL, fill, Stroke::new(1.0, line_color), StrokeKind::Inside);
    let mark = Rect::from_center_size(pos2(rect.left() + 26.0, rect.center().y), Vec2::splat(24.0));
    icons::paint(ui.painter(), icon(kind), mark, if is_chosen { t.accent } else { t.weak });
    let left = mark.right() + space::M;
    let room = rect.right() - left - space::S;
    let (body, small) = (TextStyle::Body.resolve(ui.style()), TextStyle::Small.resolve(ui.style()));
    let middle = rect.center().y;
    let above = pos2(left, middle + 1.0);
    paint_cut(ui, Align2::LEFT_BOTTOM, above, name(kind).to_owned(), body, t.text, room);
    let ink = if is_chosen { t.weak } else { t.faint };
    paint_cut(ui, Align2::LEFT_TOP, pos2(left, middle + 3.0), line(kind).to_owned(), small, ink, room);
    focus::focus_ring(ui, rect, f32::from(radius::CONTROL), &response);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_chosen, name(kind)));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(line(kind)));
    response
}
