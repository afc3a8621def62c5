//! Groups of choices: each is one stop for Tab, and the arrow keys walk in it.

use eframe::egui::{
    Align, Color32, Layout, Response, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, UiBuilder, Vec2,
    WidgetInfo, vec2,
};

use super::focus;
use super::theme::{space, tokens};

/// A group of choices that is one stop for Tab.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    /// What is chosen.
    pub name: &'a str,
    /// What its members are: tabs or radio buttons.
    pub role: Role,
}

/// A row of choices of which one is chosen.
pub(super) fn segmented<T: PartialEq + Copy>(
    ui: &mut Ui,
    group: &str,
    chosen: T,
    members: &[(T, &str)],
) -> Option<T> {
    let names: Vec<_> =
        members.iter().map(|(_, text)| ((*text).to_owned(), format!("{group}: {text}"))).collect();
    let at = members.iter().position(|(value, _)| *value == chosen);
    let group = Group { name: group, role: Role::RadioButton };
    let picked = choices(ui, group, at, &names)?;
    members.get(picked).map(|(value, _)| *value)
}

/// Choices, each with its text and its name, of which one is chosen: one stop for Tab, walked through
/// with the arrow keys. Returns the one that the person picks.
pub(super) fn choices(
    ui: &mut Ui,
    group: Group<'_>,
    chosen: Option<usize>,
    names: &[(String, String)],
) -> Option<usize> {
    let role = if group.role == Role::Tab { Role::TabList } else { Role::RadioGroup };
    let builder = UiBuilder::new().accessibility_role(role).accessibility_label(group.name);
    let stop = chosen.unwrap_or(0);
    let wrapped = Layout::left_to_right(Align::Center).with_main_wrap(true);
    let shown = ui.scope_builder(builder, |ui| {
        let row = vec2(ui.available_width(), CHIP_HEIGHT);
        ui.allocate_ui_with_layout(row, wrapped, |ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(space::XS);
            ui.spacing_mut().interact_size.y = CHIP_HEIGHT;
            let members: Vec<Response> = names
                .iter()
                .enumerate()
                .map(|(at, (text, name))| chip(ui, group.role, chosen == Some(at), at == stop, text, name))
                .collect();
            if group.role == Role::Tab
                && let Some(member) = members.get(stop)
            {
                focus::offer(ui, member.id);
            }
            let clicked = members.iter().position(Response::clicked);
            clicked.or_else(|| focus::arrows(ui, &members, stop))
        })
        .inner
    });
    shown.inner
}

/// The height of a choice in points.
const CHIP_HEIGHT: f32 = 30.0;

/// One choice of a group. Tab stops only at one of them.
fn chip(ui: &mut Ui, role: Role, chosen: bool, is_stop: bool, text: &str, name: &str) -> Response {
    let font = TextStyle::Button.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    let sense = if is_stop { Sense::click() } else { Sense::CLICK };
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 2.0 * space::M, CHIP_HEIGHT), sense);
    let t = tokens(ui);
    let (fill, ink, line) = match (chosen, response.hovered()) {
        (true, _) => (t.control, t.text, t.outline),
        (false, true) => (t.hover.gamma_multiply(0.6), t.text, Color32::TRANSPARENT),
        (false, false) => (Color32::TRANSPARENT, t.weak, Color32::TRANSPARENT),
    };
    let round = rect.height() / 2.0;
    ui.painter().rect(rect, round, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let at = rect.center() - galley.size() / 2.0;
    ui.painter().galley(at, galley, ink);
    focus::focus_ring(ui, rect, round, &response);
    describe_choice(ui, &response, role, chosen, name);
    response
}

/// What assistive technology is told of one choice of a group.
pub(super) fn describe_choice(ui: &Ui, response: &Response, role: Role, chosen: bool, name: &str) {
    if role == Role::Tab {
        response.widget_info(|| WidgetInfo::labeled(role, true, name));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_selected(chosen));
    } else {
        response.widget_info(|| WidgetInfo::selected(role, true, chosen, name));
    }
}
