//! The controls every screen is made of: each has a name, a keyboard path and a visible focus.

use eframe::egui::{
    Align2, Color32, EventFilter, FontId, Frame, Id, Key, Label, Margin, Modifiers, Rect, Response, RichText,
    Role, Sense, Shape, Stroke, StrokeKind, TextStyle, Ui, Vec2, WidgetInfo, accesskit::Live, pos2, vec2,
};

pub(super) use super::choices::{Group, choices, describe_choice, segmented};
use super::focus;
use super::icons::{self, Icon};
use super::theme::{HEADING, Tokens, radius, size, space, tokens};

/// How loud a button is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one thing to do here.
    Primary,
    /// Something that can be done.
    Normal,
    /// Something that can be done beside it.
    Quiet,
    /// Something that takes away what is hard to have back.
    Danger,
}

/// A page's title.
pub(super) fn page_title(ui: &mut Ui, text: &str) -> Response {
    heading_of(ui, RichText::new(text).text_style(TextStyle::Heading), 1)
}

/// The title of a part of a page.
pub(super) fn section_title(ui: &mut Ui, text: impl Into<String>) -> Response {
    heading_of(ui, heading(text), 2)
}

/// A heading of this level, for assistive technology too.
pub(super) fn heading_of(ui: &mut Ui, text: RichText, level: usize) -> Response {
    let said = text.text().to_owned();
    let response = ui.add(Label::new(text).wrap());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &said));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_level(level));
    response
}

/// A sentence that is read out when it appears or changes: a result, or how far something is.
pub(super) fn status(ui: &mut Ui, text: impl Into<RichText>) -> Response {
    let text: RichText = text.into();
    let said = text.text().to_owned();
    let response = ui.add(Label::new(text).wrap());
    announced(ui, &response, Role::Status, &said);
    response
}

/// Has a label read out when it appears or changes.
pub(super) fn announced(ui: &Ui, response: &Response, role: Role, said: &str) {
    response.widget_info(|| WidgetInfo::labeled(role, true, said));
    let live = if role == Role::Alert { Live::Assertive } else { Live::Polite };
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(live));
}

/// What is wrong with the field above, where something is.
pub(super) fn field_error(ui: &mut Ui, why: Option<&str>) {
    let Some(why) = why else { return };
    let text = RichText::new(why).color(tokens(ui).accent);
    let response = ui.add(Label::new(text).wrap());
    announced(ui, &response, Role::Alert, why);
}

/// What is to be known of the field above.
pub(super) fn field_note(ui: &mut Ui, text: &str) {
    let text = note(ui, text);
    status(ui, text);
}

/// A tooltip, unless a question is shown over what it explains.
pub(super) fn hint(ui: &Ui, response: Response, text: &str) -> Response {
    let is_covered = !ui.memory(|memory| memory.allows_interaction(response.layer_id));
    if is_covered { response } else { response.on_hover_text(text) }
}

/// A heading inside a page.
pub(super) fn heading(text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(TextStyle::Name(HEADING.into()))
}

/// Text beside what matters.
pub(super) fn weak(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).color(tokens(ui).weak)
}

/// Small text that may be passed over.
pub(super) fn note(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(TextStyle::Small).color(tokens(ui).faint)
}

struct ButtonColors {
    fill: Color32,
    text: Color32,
    line: Color32,
}

fn look(t: &Tokens, kind: Kind, response: &Response) -> ButtonColors {
    let pressed = response.is_pointer_button_down_on();
    let hovered = response.hovered();
    let look = |fill, text, line| ButtonColors { fill, text, line };
    let none = Color32::TRANSPARENT;
    if !response.enabled() {
        let fill = if kind == Kind::Quiet { none } else { t.control };
        let line = if kind == Kind::Quiet { none } else { t.line };
        return look(fill.gamma_multiply(0.5), t.faint.gamma_multiply(0.7), line);
    }
    match kind {
        Kind::Primary => look(if hovered || pressed { t.accent_hover } else { t.accent }, t.on_accent, none),
        Kind::Normal => look(if hovered || pressed { t.pressed } else { t.control }, t.text, t.outline),
        Kind::Danger => look(if hovered || pressed { t.accent_wash } else { none }, t.accent, t.accent),
        Kind::Quiet if pressed => look(t.pressed, t.text, none),
        Kind::Quiet if hovered => look(t.hover, t.text, none),
        Kind::Quiet => look(none, t.weak, none),
    }
}

/// A button with text.
pub(super) fn button(ui: &mut Ui, kind: Kind, text: &str) -> Response {
    text_button(ui, kind, None, text, text)
}

/// A button with text whose name says more than the text, where several share it.
pub(super) fn named_button(ui: &mut Ui, kind: Kind, text: &str, name: &str) -> Response {
    text_button(ui, kind, None, text, name)
}

/// A button with an icon and text.
pub(super) fn icon_text_button(ui: &mut Ui, kind: Kind, icon: Icon, text: &str) -> Response {
    text_button(ui, kind, Some(icon), text, text)
}

/// How wide a button with this text is, for what shares its row.
pub(super) fn button_width(ui: &Ui, has_icon: bool, text: &str) -> f32 {
    let font = TextStyle::Button.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let icon = if has_icon { size::ICON + space::S } else { 0.0 };
    galley.size().x + icon + 2.0 * (space::M + 2.0)
}

/// How wide a field is that fills a row up to its two buttons, the first with an icon.
pub(super) fn field_beside(ui: &Ui, first: &str, second: &str) -> f32 {
    let buttons = button_width(ui, true, first) + button_width(ui, false, second);
    (ui.available_width() - buttons - 2.0 * ui.spacing().item_spacing.x).max(120.0)
}

fn text_button(ui: &mut Ui, kind: Kind, icon: Option<Icon>, text: &str, name: &str) -> Response {
    let font = TextStyle::Button.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let icon_width = if icon.is_some() { size::ICON + space::S } else { 0.0 };
    let width = galley.size().x + icon_width + 2.0 * (space::M + 2.0);
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::click());
    let ButtonColors { fill, text: ink, line } = look(tokens(ui), kind, &response);
    ui.painter().rect(rect, radius::CONTROL, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let mut x = rect.left() + space::M + 2.0;
    if let Some(icon) = icon {
        let center = pos2(x + size::ICON / 2.0, rect.center().y);
        icons::paint(ui.painter(), icon, Rect::from_center_size(center, Vec2::splat(size::ICON)), ink);
        x += icon_width;
    }
    ui.painter().galley(pos2(x, rect.center().y - galley.size().y / 2.0), galley, ink);
    focus::focus_ring(ui, rect, f32::from(radius::CONTROL), &response);
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    response
}

/// A round icon button on a photo.
pub(super) fn icon_button_on_photo(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size::CONTROL + 8.0), Sense::click());
    let t = tokens(ui);
    let fill = if response.hovered() { t.shade } else { t.shade.gamma_multiply(0.6) };
    ui.painter().circle_filled(rect.center(), rect.width() / 2.0, fill);
    icons::paint(ui.painter(), icon, rect.shrink(11.0), t.on_shade);
    focus::focus_ring(ui, rect, rect.width() / 2.0, &response);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    hint(ui, response, name)
}

/// A square button with an icon. The name is also its tooltip.
pub(super) fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    icon_toggle(ui, icon, name, false)
}

/// An icon button that shows whether what it stands for is on.
pub(super) fn icon_toggle(ui: &mut Ui, icon: Icon, name: &str, on: bool) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size::CONTROL), Sense::click());
    let t = tokens(ui);
    let mut l = look(t, Kind::Quiet, &response);
    if on && response.enabled() {
        l = ButtonColors { fill: t.control, text: t.text, line: t.outline };
    }
    ui.painter().rect(rect, radius::CONTROL, l.fill, Stroke::new(1.0, l.line), StrokeKind::Inside);
    icons::paint(ui.painter(), icon, rect.shrink((size::CONTROL - size::ICON) / 2.0), l.text);
    focus::focus_ring(ui, rect, f32::from(radius::CONTROL), &response);
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    hint(ui, response, name)
}

/// A number of the accounting with its colour, which leads to the list behind it.
pub(super) fn legend(ui: &mut Ui, color: Color32, text: &str, name: &str) -> Response {
    let font = TextStyle::Body.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 14.0, 22.0), Sense::click());
    let t = tokens(ui);
    ui.painter().circle_filled(pos2(rect.left() + 4.0, rect.center().y), 4.0, color);
    let at = pos2(rect.left() + 14.0, rect.center().y - galley.size().y / 2.0);
    let under = at.y + galley.size().y;
    ui.painter().galley(at, galley, if response.hovered() { t.accent } else { t.text });
    if response.hovered() {
        ui.painter().hline(at.x..=rect.right(), under, Stroke::new(1.0, t.accent));
    }
    focus::focus_ring(ui, rect, 4.0, &response);
    response.widget_info(|| WidgetInfo::labeled(Role::Link, true, name));
    response
}

/// A switch, on or off. The name says what it switches.
pub(super) fn switch(ui: &mut Ui, on: bool, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(44.0, 24.0), Sense::click());
    let t = tokens(ui);
    let how_on = ui.ctx().animate_bool_responsive(response.id, on);
    let hovered = response.hovered() && response.enabled();
    let off_fill = if hovered { t.faint } else { t.outline };
    let on_fill = if hovered { t.accent_hover } else { t.accent };
    let fill = off_fill.lerp_to_gamma(on_fill, how_on);
    let fill = if response.enabled() { fill } else { fill.gamma_multiply(0.5) };
    ui.painter().rect_filled(rect, rect.height() / 2.0, fill);
    let knob_x = rect.left() + 12.0 + 20.0 * how_on;
    ui.painter().circle_filled(pos2(knob_x, rect.center().y), 9.0, t.on_shade);
    focus::focus_ring(ui, rect, rect.height() / 2.0, &response);
    let enabled = response.enabled();
    response.widget_info(|| WidgetInfo::selected(Role::Switch, enabled, on, name));
    response
}

/// A slider. Returns the new value when the person changes it.
pub(super) fn slider(ui: &mut Ui, value: f32, min: f32, max: f32, name: &str) -> Option<f32> {
    const STEPS: f32 = 16.0;
    let (rect, response) = ui.allocate_exact_size(vec2(104.0, 24.0), Sense::click_and_drag());
    let rail = rect.shrink2(vec2(8.0, 10.0));
    let mut changed = response.interact_pointer_pos().map(|at| {
        let part = (at.x - rail.left()) / rail.width().max(1.0);
        min + part.clamp(0.0, 1.0) * (max - min)
    });
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        for (key, by) in [(Key::ArrowLeft, -1.0), (Key::ArrowRight, 1.0)] {
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                changed = Some((value + by * (max - min) / STEPS).clamp(min, max));
            }
        }
    }
    let shown = changed.unwrap_or(value);
    let t = tokens(ui);
    let x = rail.left() + (shown - min) / (max - min) * rail.width();
    ui.painter().rect_filled(rail, 2.0, t.outline);
    ui.painter().rect_filled(rail.with_max_x(x), 2.0, t.text);
    let lit = response.hovered() || response.dragged();
    ui.painter().circle_filled(pos2(x, rail.center().y), 8.0, if lit { t.text } else { t.weak });
    focus::focus_ring(ui, rect, 8.0, &response);
    response.widget_info(|| WidgetInfo::slider(true, f64::from(shown.round()), name));
    changed.filter(|new| (new - value).abs() > f32::EPSILON)
}

/// How far something is, 0 to 1.
pub(super) fn progress(ui: &mut Ui, part: f32, width: f32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, 6.0), Sense::hover());
    let t = tokens(ui);
    ui.painter().rect(rect, 3.0, t.pressed, Stroke::new(1.0, t.outline), StrokeKind::Inside);
    let part = part.clamp(0.0, 1.0);
    if part > 0.0 {
        let filled = Rect::from_min_size(rect.min, vec2((rect.width() * part).max(6.0), rect.height()));
        ui.painter().rect_filled(filled, 3.0, t.accent);
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = Some(f64::from((part * 100.0).round()));
        info
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
    });
    response
}

/// A card: a raised area with a margin.
pub(super) fn card<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    Frame::new()
        .fill(tokens(ui).surface)
        .stroke(Stroke::new(1.0, tokens(ui).outline))
        .corner_radius(radius::CARD)
        .inner_margin(Margin::same(20))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui)
        })
        .inner
}

/// A page's scrolling column, no wider than is good to read.
pub(super) fn page(ui: &mut Ui, id: &str, add: impl FnOnce(&mut Ui)) {
    eframe::egui::ScrollArea::vertical().id_salt(id).auto_shrink(false).show(ui, |ui| {
        let width = ui.available_width();
        let column = (width - 2.0 * space::XXL).clamp(200.0, size::PAGE);
        let left = ((width - column) / 2.0).max(space::L);
        ui.add_space(space::XXL);
        ui.horizontal_top(|ui| {
            ui.add_space(left - ui.spacing().item_spacing.x);
            ui.vertical(|ui| {
                ui.set_width(column);
                add(ui);
                ui.add_space(space::XXL);
            });
        });
    });
}

/// What stands where there is nothing yet.
pub(super) fn empty(ui: &mut Ui, icon: Icon, text: &str, more: &str) {
    let t = tokens(ui);
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.3).clamp(space::XXL, 160.0));
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(56.0), Sense::hover());
        icons::paint(ui.painter(), icon, rect, t.faint);
        ui.add_space(space::M);
        section_title(ui, text);
        ui.add_space(space::XS);
        ui.scope(|ui| {
            ui.set_max_width(420.0);
            ui.label(weak(ui, more));
        });
    });
}

/// An icon in a row of text.
pub(super) fn mark(ui: &mut Ui, icon: Icon, side: f32, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    icons::paint(ui.painter(), icon, rect, color);
}

/// A fold-out: a quiet line that shows more when it is pressed. Returns whether it is open.
pub(super) fn fold(ui: &mut Ui, open: &mut bool, text: &str, name: &str) -> bool {
    let font = TextStyle::Small.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 24.0, 24.0), Sense::click());
    let t = tokens(ui);
    let ink = if response.hovered() { t.text } else { t.weak };
    let icon = if *open { Icon::Down } else { Icon::Right };
    let at = Rect::from_center_size(pos2(rect.left() + 7.0, rect.center().y), Vec2::splat(14.0));
    icons::paint(ui.painter(), icon, at, ink);
    let y = rect.center().y - galley.size().y / 2.0;
    ui.painter().galley(pos2(rect.left() + 20.0, y), galley, ink);
    focus::focus_ring(ui, rect, 4.0, &response);
    if response.clicked() {
        *open = !*open;
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_expanded(*open));
    *open
}

/// A field for one line of text. True when the person pressed Enter in it.
pub(super) fn field(ui: &mut Ui, text: &mut String, name: &str, hint: &str, width: f32) -> bool {
    let edit = line_edit(text, width).hint_text(RichText::new(hint).color(tokens(ui).faint).italics());
    show_field(ui, edit, name).1
}

fn line_edit(text: &mut dyn eframe::egui::TextBuffer, width: f32) -> eframe::egui::TextEdit<'_> {
    eframe::egui::TextEdit::singleline(text)
        .desired_width(width)
        .margin(Margin::symmetric(12, 8))
        .align(Align2::LEFT_CENTER)
}

/// The keyboard stays in a field in which Enter was pressed.
fn show_field(ui: &mut Ui, edit: eframe::egui::TextEdit<'_>, name: &str) -> (Id, bool) {
    let response = ui.add(edit).accessible_name(name);
    focus::on_field(ui, &response);
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if entered {
        response.request_focus();
    }
    (response.id, entered)
}

/// The name above a field. It is only drawn: the field itself says it to a screen reader.
pub(super) fn caption(ui: &mut Ui, text: &str) {
    let galley =
        ui.painter().layout_no_wrap(text.to_owned(), TextStyle::Small.resolve(ui.style()), tokens(ui).weak);
    let (rect, _response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    ui.painter().galley(rect.min, galley, tokens(ui).weak);
}

/// [`field`] for what nobody may read over a shoulder, of at most so many characters. Returns the field's
/// id too.
pub(super) fn secret_field(
    ui: &mut Ui,
    text: &mut dyn eframe::egui::TextBuffer,
    chars_max: usize,
    name: &str,
    width: f32,
) -> (Id, bool) {
    let edit = line_edit(text, width).password(true).char_limit(chars_max);
    show_field(ui, edit, name)
}

/// Text painted in at most `width`, cut with an ellipsis.
pub(super) fn paint_cut(
    ui: &Ui,
    anchor: Align2,
    at: eframe::egui::Pos2,
    text: String,
    font: FontId,
    color: Color32,
    width: f32,
) -> Rect {
    let mut job = eframe::egui::text::LayoutJob::simple_singleline(text, font, color);
    job.wrap = eframe::egui::text::TextWrapping::truncate_at_width(width);
    let galley = ui.painter().layout_job(job);
    let rect = anchor.anchor_size(at, galley.size());
    ui.painter().galley(rect.min, galley, color);
    rect
}

/// A ring that fills as `part` goes from 0 to 1.
pub(super) fn paint_ring(
    painter: &eframe::egui::Painter,
    center: eframe::egui::Pos2,
    r: f32,
    part: f32,
    track: Color32,
    lit: Color32,
) {
    painter.circle_stroke(center, r, Stroke::new(2.0, track));
    let top = -std::f32::consts::FRAC_PI_2;
    let path = icons::arc(center, r, top, top + std::f32::consts::TAU * part.clamp(0.02, 1.0));
    painter.add(Shape::line(path, Stroke::new(2.0, lit)));
}
