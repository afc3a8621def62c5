//! The questions: what will happen, in one or two sentences, and buttons that say what they do.

use eframe::egui::{
    Align, Context, Frame, Grid, Id, Label, Layout, Margin, Modal, Response, RichText, Role, ScrollArea,
    Stroke, TextStyle, Ui, UiKind, Vec2, vec2,
};

use super::address;
use super::commands::{Command, Dialog, FailedFiles, Purpose, SHEET, Verb};
use super::counts::Counts;
use super::icons::Icon;
use super::screen_context::ScreenContext;
use super::theme::{radius, size, space, tokens, tokens_of};
use super::widgets::{self, Kind};
use super::{draft, focus, kinds};
use crate::api::{self, DestinationState, Request, Selection};
use crate::domain::format;

/// A dialog's width in points, where the window has the room.
const WIDTH: f32 = 440.0;
/// What a dialog has beside its body, in points: margins, title and buttons.
const AROUND_BODY: f32 = 180.0;
/// The margin inside a dialog, in points.
const MARGIN: i8 = 24;

/// Shows a question. `is_new` on its first frame, when its safe choice is given the keyboard.
pub(super) fn show(ctx: &Context, env: &mut ScreenContext<'_>, dialog: &mut Dialog, is_new: bool) {
    let t = tokens_of(ctx.theme());
    let title = title(dialog);
    // An area keeps its size under its id, and questions differ in size.
    let id = Id::unique(("dialog", &title));
    let area = Modal::default_area(id).role(Role::Dialog).accessible_name(title.clone());
    let frame = Frame::popup(&ctx.global_style())
        .fill(t.surface)
        .stroke(Stroke::new(1.0, t.outline))
        .corner_radius(radius::CARD)
        .inner_margin(Margin::same(MARGIN));
    let room = ctx.content_rect().size() - Vec2::splat(2.0 * (f32::from(MARGIN) + space::S));
    let width = WIDTH.min(room.x);
    let modal = Modal::new(id).area(area).frame(frame).backdrop_color(t.veil).show(ctx, |ui| {
        say_modal(ui);
        ui.set_width(width);
        widgets::section_title(ui, title);
        ui.add_space(space::XS);
        let height = (room.y - AROUND_BODY + 2.0 * f32::from(MARGIN)).max(80.0);
        let scroll = ScrollArea::vertical().id_salt(id).max_height(height).auto_shrink([false, true]);
        scroll.show(ui, |ui| body(ui, env, dialog));
        ui.add_space(space::L);
        let row = vec2(width, size::CONTROL);
        let safe = ui
            .allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
                focus::at_right(ui, |ui| buttons(ui, env, dialog))
            })
            .inner;
        if is_new {
            safe.request_focus();
        }
    });
    if modal.should_close() {
        env.out.push(Command::CloseDialog);
    }
}

/// Tells assistive technology that nothing else can be used meanwhile.
fn say_modal(ui: &Ui) {
    let around = ui.stack().iter().find(|around| around.kind() == Some(UiKind::Modal));
    if let Some(around) = around {
        ui.ctx().accesskit_node_builder(around.unique_id, |node| node.set_modal());
    }
}

fn title(dialog: &Dialog) -> String {
    match dialog {
        Dialog::ClosingNotice => "Backup continues".to_owned(),
        Dialog::QuitWithWorkLeft => "Quit before everything is safe?".to_owned(),
        Dialog::ConsentToSource { .. } => "Back up this folder?".to_owned(),
        Dialog::RemoveSource { .. } => "Stop backing up this folder?".to_owned(),
        Dialog::RemoveDestination { name, .. } => format!("Remove {name}?"),
        Dialog::Exclude { at: Some((_, name)), .. } => format!("Leave these files out at {name}?"),
        Dialog::Exclude { files: 1, .. } => "Leave this file out?".to_owned(),
        Dialog::Exclude { files, .. } => format!("Leave {} out?", format::files(*files)),
        Dialog::ExcludeAssets { assets } if assets.len() == 1 => "Leave this photo out?".to_owned(),
        Dialog::ExcludeAssets { assets } => {
            let n = u64::try_from(assets.len()).unwrap_or(u64::MAX);
            format!("Leave {} out?", format::counted(n, "photo", "photos"))
        }
        Dialog::Tested { name, .. } => format!("Test of {name}"),
        Dialog::Shortcuts => "Keyboard shortcuts".to_owned(),
    }
}

fn say(ui: &mut Ui, text: impl Into<String>) {
    let text = widgets::weak(ui, text);
    ui.add(Label::new(text).wrap());
}

fn body(ui: &mut Ui, env: &ScreenContext<'_>, dialog: &Dialog) {
    match dialog {
        Dialog::ClosingNotice => {
            say(ui, "Safelight keeps backing up when this window is closed. To stop it, choose Quit");
        }
        Dialog::QuitWithWorkLeft => {
            let left = Counts::of(&env.model.snapshot).left();
            let verb = if left.is_one() { "is" } else { "are" };
            say(
                ui,
                format!(
                    "{} {verb} not backed up yet. Backup resumes when you open Safelight again",
                    left.text()
                ),
            );
        }
        Dialog::ConsentToSource { path } => {
            say(ui, format!("Photos from {} will be backed up to", path.path));
            for d in &env.model.snapshot.destinations {
                ui.horizontal(|ui| {
                    widgets::mark(ui, kinds::icon_of(&d.kind), 16.0, tokens(ui).weak);
                    ui.label(&d.name);
                    let url = widgets::note(ui, address::format_address(&d.url));
                    ui.add(Label::new(url).truncate());
                });
            }
        }
        Dialog::RemoveSource { path, .. } => {
            say(
                ui,
                format!(
                    "New photos in {} will no longer be backed up. The folder and all copies stay as they are",
                    path.path
                ),
            );
        }
        Dialog::RemoveDestination { safe, .. } => {
            let stay = if *safe > 0 {
                format!(
                    "{} safe there will stay, and you can open them without Safelight. ",
                    format::files(*safe)
                )
            } else {
                String::new()
            };
            say(ui, format!("{stay}Nothing at the destination is deleted. Nothing new is backed up to it"));
        }
        Dialog::Exclude { files, at, .. } => leave_out(ui, *files == 1 && at.is_none()),
        Dialog::ExcludeAssets { assets } => leave_out(ui, assets.len() == 1),
        Dialog::Tested { outcome: Ok(report), .. } => {
            let t = tokens(ui);
            let (icon, color) =
                if report.is_usable { (Icon::Safe, t.text) } else { (Icon::Attention, t.accent) };
            let mut details = report.details.clone();
            if let Some(free) = report.free_bytes {
                details.push(format!("{} free", format::bytes(free)));
            }
            draft::report(ui, icon, &report.summary, color, &details);
        }
        Dialog::Tested { outcome: Err(why), .. } => say(ui, why.as_str()),
        Dialog::Shortcuts => sheet(ui),
    }
}

fn leave_out(ui: &mut Ui, is_one: bool) {
    let it = if is_one { "It" } else { "They" };
    let them = if is_one { "it" } else { "them" };
    say(
        ui,
        format!(
            "{it} will not be backed up or counted as missing. You can include {them} again at any time, \
             under Left out in the queue"
        ),
    );
}

fn sheet(ui: &mut Ui) {
    Grid::new("shortcuts").num_columns(2).spacing([space::XL, space::XS]).show(ui, |ui| {
        for (what, keys) in SHEET {
            let what = widgets::weak(ui, what);
            ui.label(what);
            ui.label(RichText::new(keys).text_style(TextStyle::Body));
            ui.end_row();
        }
    });
}

/// The buttons in the order in which they are read, the last at the right. Returns the safe one, which is
/// given the keyboard.
fn buttons(ui: &mut Ui, env: &mut ScreenContext<'_>, dialog: &Dialog) -> Response {
    let dangerous = danger(env, dialog);
    let out = &mut *env.out;
    let mut choice = |ui: &mut Ui, kind: Kind, text: &str, commands: Vec<Command>| {
        let response = widgets::button(ui, kind, text);
        if response.clicked() {
            out.push(Command::CloseDialog);
            out.extend(commands);
        }
        response
    };
    if let Some((text, command)) = dangerous {
        let safe = choice(ui, Kind::Normal, "Cancel", vec![]);
        choice(ui, Kind::Danger, text, vec![command]);
        return safe;
    }
    match dialog {
        Dialog::ClosingNotice => {
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            choice(ui, Kind::Danger, "Quit", vec![Command::QuitNow]);
            choice(ui, Kind::Primary, "Close window", vec![Command::ClosingNoticeRead])
        }
        Dialog::QuitWithWorkLeft => {
            choice(ui, Kind::Danger, "Quit Safelight", vec![Command::QuitNow]);
            choice(ui, Kind::Primary, "Keep backing up", vec![])
        }
        Dialog::ConsentToSource { path } => {
            let request = api::Command::AddSource { path: path.clone(), consent_all: true };
            let add = Command::send(request, Purpose::AddSource(path.clone()));
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            choice(ui, Kind::Primary, "Agree and add", vec![add])
        }
        _ => choice(ui, Kind::Normal, "Done", vec![]),
    }
}

/// What takes something away, with its button; `None` for a question that takes nothing away.
fn danger(env: &ScreenContext<'_>, dialog: &Dialog) -> Option<(&'static str, Command)> {
    match dialog {
        Dialog::RemoveSource { id, path } => {
            let with = |d: &&DestinationState| d.sources.contains(id);
            let destinations = env.model.snapshot.destinations.iter().filter(with).map(|d| d.id).collect();
            let purpose = Purpose::RemoveSource { path: path.clone(), destinations };
            let remove = Request::Command(api::Command::RemoveSource { id: *id });
            Some(("Stop backing up", Command::Send(Box::new(remove), purpose)))
        }
        Dialog::RemoveDestination { id, .. } => Some(("Remove destination", Command::RemoveDestination(*id))),
        Dialog::Exclude { selection: Selection::Kind(class), what, at, .. } => {
            let destination = at.as_ref().map(|(id, _name)| *id);
            let files = FailedFiles { class: Some(class.clone()), destination };
            Some(("Leave out", Command::OnFailed(Verb::Exclude, files, what.clone())))
        }
        Dialog::Exclude { selection, what, .. } => {
            Some(("Leave out", Command::change(Verb::Exclude, selection.clone(), what)))
        }
        Dialog::ExcludeAssets { assets } => {
            Some(("Leave out", Command::OnAssets(Verb::Exclude, assets.clone())))
        }
        _ => None,
    }
}
