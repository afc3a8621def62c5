//! Where the keyboard is: groups that are one stop, the first field of a page, and rows that are walked
//! through in the order in which they are read.

use eframe::egui::{
    Align, Context, EventFilter, Id, Key, Layout, Modifiers, Rect, Response, Stroke, StrokeKind, Ui,
    UiBuilder, accesskit_root_id, pos2, vec2,
};

use super::theme::{space, tokens};

/// For so many frames a new page's own widget may take the keyboard: egui notices only in the second that
/// a widget has gone.
pub(super) const FRAMES: u8 = 4;
/// Widths of less than this are the same, in points.
const WIDTH_SLACK: f32 = 0.5;

fn offered_id() -> Id {
    Id::unique("offered focus")
}

fn next_id() -> Id {
    Id::unique("focus next field")
}

/// Offers this widget as the one that has the keyboard when its page comes; the first offer of a frame
/// counts.
pub(super) fn offer(ui: &Ui, id: Id) {
    let pass = ui.ctx().cumulative_pass_nr();
    ui.data_mut(|data| {
        let is_first = data.get_temp::<(u64, Id)>(offered_id()).is_none_or(|(at, _)| at != pass);
        if is_first {
            data.insert_temp(offered_id(), (pass, id));
        }
    });
}

/// What was offered in this frame.
pub(super) fn offered(ctx: &Context) -> Option<Id> {
    let pass = ctx.cumulative_pass_nr();
    let (at, id) = ctx.data(|data| data.get_temp::<(u64, Id)>(offered_id()))?;
    (at == pass).then_some(id)
}

/// The next field that is painted takes the keyboard.
pub(super) fn next_field(ui: &Ui) {
    ui.data_mut(|data| data.insert_temp(next_id(), true));
}

/// A field is painted: takes the keyboard if it is meant to, and comes into view when it gets it.
pub(super) fn on_field(ui: &Ui, response: &Response) {
    offer(ui, response.id);
    let is_meant = ui.data_mut(|data| data.remove_temp::<bool>(next_id()).unwrap_or(false));
    if is_meant {
        response.request_focus();
    }
    if is_meant || response.gained_focus() {
        response.scroll_to_me(None);
    }
}

/// The ring around what has the keyboard, which comes into view when it gets it.
pub(super) fn focus_ring(ui: &Ui, rect: Rect, corner: f32, response: &Response) {
    if response.gained_focus() {
        ui.scroll_to_rect(rect.expand2(vec2(0.0, space::L)), None);
    }
    if response.has_focus() {
        let stroke = Stroke::new(2.0, tokens(ui).focus);
        ui.painter().rect_stroke(rect.expand(2.0), corner + 2.0, stroke, StrokeKind::Middle);
    }
}

/// The arrow keys of a group that is one stop for Tab, given its members in order and the one that Tab
/// stops at. Returns the member that the keys lead to, which then has the keyboard.
pub(super) fn arrows(ui: &Ui, members: &[Response], stop: usize) -> Option<usize> {
    let here = members.get(stop).filter(|member| member.has_focus())?;
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(here.id, filter));
    let last = members.len() - 1;
    let keys = [
        (Key::ArrowLeft, stop.checked_sub(1).unwrap_or(last)),
        (Key::ArrowUp, stop.checked_sub(1).unwrap_or(last)),
        (Key::ArrowRight, if stop < last { stop + 1 } else { 0 }),
        (Key::ArrowDown, if stop < last { stop + 1 } else { 0 }),
        (Key::Home, 0),
        (Key::End, last),
    ];
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let to = keys.into_iter().find_map(|(key, to)| pressed(key).then_some(to))?;
    members.get(to)?.request_focus();
    (to != stop).then_some(to)
}

/// A row of two parts: the left one takes what the right one leaves. Both are walked through from left
/// to right.
pub(super) fn split_row(ui: &mut Ui, left: impl FnOnce(&mut Ui), right: impl FnOnce(&mut Ui)) {
    let id = ui.auto_id_with("split row");
    let width = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0);
    let area = ui.available_rect_before_wrap();
    let edge = (area.right() - width).max(area.left());
    let gap = if width > 0.0 { space::S } else { 0.0 };
    let layout = Layout::left_to_right(Align::Center);
    let rest = Rect::from_min_max(area.min, pos2((edge - gap).max(area.left()), area.bottom()));
    ui.scope_builder(UiBuilder::new().max_rect(rest).layout(layout), left);
    at_edge(ui, id, area, width, right);
}

/// Lays a row's last part out at its right edge, walked through from left to right.
pub(super) fn at_right<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let id = ui.auto_id_with("at right");
    let width = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0);
    let area = ui.available_rect_before_wrap();
    at_edge(ui, id, area, width, add)
}

/// The width of what stands at the right edge is known from the frame before; where it has changed, the
/// frame is laid out once more before it is shown.
fn at_edge<R>(ui: &mut Ui, id: Id, area: Rect, width: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let min = pos2((area.right() - width).max(area.left()), area.top());
    let part = Rect::from_min_max(min, area.max);
    let builder = UiBuilder::new().max_rect(part).layout(Layout::left_to_right(Align::Center));
    let shown = ui.scope_builder(builder, |ui| {
        let inner = add(ui);
        (inner, ui.min_rect().right() - min.x)
    });
    let (inner, now) = shown.inner;
    if (now - width).abs() > WIDTH_SLACK {
        ui.data_mut(|data| data.insert_temp(id, now));
        ui.ctx().request_discard("the width of a row's right part");
    }
    inner
}

/// The frame has a name for assistive technology too.
pub(super) fn name_window(ctx: &Context) {
    ctx.accesskit_node_builder(accesskit_root_id(), |node| node.set_label("Safelight"));
}
