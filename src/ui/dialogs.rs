//! The questions: what will happen, in one or two sentences, and buttons that say what they do.

use eframe::egui::{
    Align, Context, Frame, Grid, Id, Label, Layout, Margin, Modal, Response, RichText, Role, TextStyle, Ui,
    vec2,
};

use super::app::Env;
use super::commands::{Command, Dialog, Purpose, SHEET, Verb};
use super::counts::Counts;
use super::icons::Icon;
use super::theme::{radius, size, space, tokens, tokens_of};
use super::widgets::{self, Kind};
use super::{draft, words};
use crate::api::Request;

/// A dialog's width in points.
const WIDTH: f32 = 440.0;

/// Shows a question. `is_new` on its first frame, when its first button is given the keyboard.
pub(super) fn show(ctx: &Context, env: &mut Env<'_>, dialog: &Dialog, is_new: bool) {
    let t = tokens_of(ctx.theme());
    let title = title(dialog);
    // An area keeps its size under its id, and questions differ in size.
    let id = Id::unique(("dialog", &title));
    let area = Modal::default_area(id).role(Role::Dialog).accessible_name(title.clone());
    let frame = Frame::popup(&ctx.global_style())
        .fill(t.surface)
        .corner_radius(radius::CARD)
        .inner_margin(Margin::same(24));
    let modal = Modal::new(id).area(area).frame(frame).backdrop_color(t.veil).show(ctx, |ui| {
        ui.set_width(WIDTH);
        ui.label(widgets::heading(title));
        ui.add_space(space::XS);
        body(ui, env, dialog);
        ui.add_space(space::L);
        let row = vec2(WIDTH, size::CONTROL);
        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
            let first = buttons(ui, env, dialog);
            if is_new {
                first.request_focus();
            }
        });
    });
    if modal.should_close() {
        env.out.push(Command::CloseDialog);
    }
}

fn title(dialog: &Dialog) -> String {
    match dialog {
        Dialog::ClosingNotice => "Backup goes on".to_owned(),
        Dialog::QuitWithWorkLeft => "Quit before everything is safe?".to_owned(),
        Dialog::ConsentToSource { .. } => "Back up this folder?".to_owned(),
        Dialog::RemoveSource { .. } => "Stop backing up this folder?".to_owned(),
        Dialog::RemoveDestination { name, .. } => format!("Remove {name}?"),
        Dialog::Exclude { files: 1, .. } => "Leave this file out?".to_owned(),
        Dialog::Exclude { files, .. } => format!("Leave {} out?", words::files(*files)),
        Dialog::ExcludeAssets { assets } if assets.len() == 1 => "Leave this photo out?".to_owned(),
        Dialog::ExcludeAssets { assets } => {
            let n = u64::try_from(assets.len()).unwrap_or(u64::MAX);
            format!("Leave {} out?", words::counted(n, "photo", "photos"))
        }
        Dialog::Tested { name, .. } => format!("Test of {name}"),
        Dialog::EndsRestore { .. } => "Stop restoring?".to_owned(),
        Dialog::Restored(outcome) => outcome.title(),
        Dialog::Shortcuts => "Keyboard shortcuts".to_owned(),
    }
}

fn say(ui: &mut Ui, text: impl Into<String>) {
    let text = widgets::weak(ui, text);
    ui.add(Label::new(text).wrap());
}

fn body(ui: &mut Ui, env: &Env<'_>, dialog: &Dialog) {
    match dialog {
        Dialog::ClosingNotice => {
            say(ui, "Safelight keeps backing up when this window is closed. To stop it, choose Quit.");
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
            say(ui, format!("Photos from {} will be copied to", path.path));
            for d in &env.model.snapshot.destinations {
                ui.horizontal(|ui| {
                    widgets::mark(ui, Icon::Disk, 16.0, tokens(ui).weak);
                    ui.label(&d.name);
                    let url = widgets::note(ui, d.url.strip_prefix("file://").unwrap_or(&d.url));
                    ui.add(Label::new(url).truncate());
                });
            }
        }
        Dialog::RemoveSource { path, .. } => {
            say(
                ui,
                format!(
                    "New photos in {path} will not be copied any more. The folder itself and all copies already made stay as they are"
                ),
            );
        }
        Dialog::RemoveDestination { safe, .. } => {
            let stay = if *safe > 0 {
                format!(
                    "The {} safe there stay there, and you can open them with any file manager. ",
                    words::files(*safe)
                )
            } else {
                String::new()
            };
            say(ui, format!("{stay}Nothing at the destination is deleted. Nothing new is copied to it"));
        }
        Dialog::Exclude { .. } | Dialog::ExcludeAssets { .. } => {
            say(
                ui,
                "It will not be backed up, and not counted as missing. You can take it back in at any time",
            );
        }
        Dialog::Tested { outcome: Ok(report), .. } => {
            let t = tokens(ui);
            let (icon, color) =
                if report.is_usable { (Icon::Safe, t.text) } else { (Icon::Attention, t.accent) };
            let mut details = report.details.clone();
            if let Some(free) = report.free_bytes {
                details.push(format!("{} free", words::bytes(free)));
            }
            draft::report(ui, icon, &report.summary, color, &details);
        }
        Dialog::Tested { outcome: Err(why), .. } => say(ui, why),
        Dialog::EndsRestore { .. } => {
            say(
                ui,
                "Files are still coming back, and that ends with this window. What came back stays, and the next restore into the same folder goes on with the rest",
            );
        }
        Dialog::Restored(outcome) => outcome.ui(ui),
        Dialog::Shortcuts => sheet(ui),
    }
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

/// The buttons, from the right. Returns the one that is given the keyboard.
fn buttons(ui: &mut Ui, env: &mut Env<'_>, dialog: &Dialog) -> Response {
    let mut choice = |ui: &mut Ui, kind: Kind, text: &str, commands: Vec<Command>| {
        let response = widgets::button(ui, kind, text);
        if response.clicked() {
            env.out.push(Command::CloseDialog);
            env.out.extend(commands);
        }
        response
    };
    match dialog {
        Dialog::ClosingNotice => {
            let first = choice(ui, Kind::Primary, "Close window", vec![Command::ClosingNoticeRead]);
            choice(ui, Kind::Normal, "Quit", vec![Command::QuitNow]);
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            first
        }
        Dialog::QuitWithWorkLeft => {
            let first = choice(ui, Kind::Primary, "Keep backing up", vec![]);
            choice(ui, Kind::Normal, "Quit Safelight", vec![Command::QuitNow]);
            first
        }
        Dialog::ConsentToSource { path } => {
            let request = Request::AddSource { path: path.clone(), consent_all: true };
            let add = Command::Send(Box::new(request), Purpose::AddSource);
            let first = choice(ui, Kind::Primary, "Agree and add", vec![add]);
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            first
        }
        Dialog::RemoveSource { id, .. } => {
            let remove = Command::plain(Request::RemoveSource { id: *id });
            let first = choice(ui, Kind::Normal, "Stop backing up", vec![remove]);
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            first
        }
        Dialog::RemoveDestination { id, .. } => {
            let remove = Command::plain(Request::RemoveDestination { id: *id });
            let first = choice(ui, Kind::Normal, "Remove destination", vec![remove]);
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            first
        }
        Dialog::Exclude { selection, .. } => {
            let out = Command::change(Verb::Exclude, selection.clone());
            let first = choice(ui, Kind::Normal, "Leave out for good", vec![out]);
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            first
        }
        Dialog::ExcludeAssets { assets } => {
            let out = Command::OnAssets(Verb::Exclude, assets.clone());
            let first = choice(ui, Kind::Normal, "Leave out for good", vec![out]);
            choice(ui, Kind::Quiet, "Cancel", vec![]);
            first
        }
        Dialog::EndsRestore { quits } => {
            let first = choice(ui, Kind::Primary, "Keep restoring", vec![]);
            let (text, end) =
                if *quits { ("Quit", Command::QuitNow) } else { ("Close window", Command::CloseAnyway) };
            choice(ui, Kind::Normal, text, vec![end]);
            first
        }
        Dialog::Restored(outcome) => {
            let first = choice(ui, Kind::Primary, "Done", vec![]);
            let show = Command::ShowInFolder(outcome.order.into.clone());
            choice(ui, Kind::Normal, "Show folder", vec![show]);
            if !outcome.is_whole() {
                choice(ui, Kind::Normal, "Try again", vec![outcome.order.clone().command()]);
            }
            first
        }
        Dialog::Tested { .. } | Dialog::Shortcuts => choice(ui, Kind::Normal, "Done", vec![]),
    }
}
