//! Where copies go: one card a destination, with its accounting, its proof and its switch.

use eframe::egui::{Label, Rect, Ui, vec2};

use super::accounting;
use super::address;
use super::commands::{AfterAdding, CardField, Command, Dialog, Purpose, RestoreStart};
use super::counts::Counts;
use super::destination_fields::{self, NameField, PasswordField};
use super::draft::Draft;
use super::focus;
use super::icons::Icon;
use super::kinds;
use super::numbers::ratio;
use super::remedy;
use super::restore;
use super::screen_context::ScreenContext;
use super::server_form::CHECKSUM_CHOICE;
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use crate::api::{self, BackupSwitch, DestinationState, Operation, OperationKind, OperationState};
use crate::client::sign_in::SignInState;
use crate::domain::format;
use crate::domain::messages::SAME_DISK;

/// The screen's state.
#[derive(Default)]
pub(super) struct Destinations {
    /// A destination is being added, and what follows.
    adding: Option<AfterAdding>,
    /// The destination whose password is being entered again, and what was typed.
    password: Option<PasswordField>,
    /// The destination that is being renamed, and what was typed.
    renaming: Option<NameField>,
    /// The destination whose card is to come into view.
    revealed: Option<i64>,
}

impl Destinations {
    /// Shows the form that adds a destination.
    pub fn begin_adding(&mut self, then: AfterAdding) {
        self.adding = Some(then);
    }

    /// Puts the form away.
    pub fn end_adding(&mut self) {
        self.adding = None;
    }

    /// Whether the form is shown.
    pub fn is_adding(&self) -> bool {
        self.adding.is_some()
    }

    /// Brings a destination's card into view, with this field of it open.
    pub fn reveal(&mut self, id: i64, field: Option<CardField>) {
        self.revealed = Some(id);
        if field == Some(CardField::Secret) {
            self.password = Some(PasswordField::new(id));
        }
    }

    /// Wipes a password that is being entered: the screen is left.
    pub fn forget_secrets(&mut self) {
        self.password = None;
    }

    /// Paints the screen.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, draft: &mut Draft) {
        let snapshot = env.model.snapshot.clone();
        let is_first = snapshot.destinations.is_empty();
        widgets::page(ui, "destinations", |ui| {
            ui.horizontal(|ui| {
                widgets::page_title(ui, "Destinations");
                if !self.is_adding() && !is_first {
                    focus::at_right(ui, |ui| {
                        if widgets::icon_text_button(ui, Kind::Normal, Icon::Plus, "Add destination")
                            .clicked()
                        {
                            self.begin_adding(AfterAdding::Nothing);
                            focus::next_field(ui);
                        }
                    });
                }
            });
            let lead = widgets::weak(
                ui,
                "Your photos are backed up to every destination that is switched on, and each copy is verified",
            );
            ui.label(lead);
            ui.add_space(space::L);
            if self.is_adding() || is_first {
                self.form(ui, env, draft, is_first);
                ui.add_space(space::M);
            }
            for destination in &snapshot.destinations {
                let top = ui.next_widget_position();
                widgets::card(ui, |ui| self.card(ui, env, destination));
                if self.revealed.take_if(|id| *id == destination.id).is_some() {
                    let card = Rect::from_min_max(top, ui.next_widget_position() + vec2(1.0, 0.0));
                    ui.scroll_to_rect(card, None);
                }
                ui.add_space(space::M);
            }
        });
    }

    fn form(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, draft: &mut Draft, is_first: bool) {
        let then = self.adding.unwrap_or_default();
        let is_to_restore = then == AfterAdding::Restore;
        let (title, agree) = match is_to_restore {
            true => ("Where is your backup?", "Use this backup"),
            false => ("Add a destination", "Agree and add"),
        };
        widgets::card(ui, |ui| {
            widgets::section_title(ui, title);
            if is_to_restore {
                let text =
                    "Safelight reads what is in it. Nothing is copied to it unless you choose that later";
                let text = widgets::weak(ui, text);
                ui.add(Label::new(text).wrap());
            }
            ui.add_space(space::S);
            draft.ui(ui, env);
            if draft.is_usable() && !is_to_restore {
                ui.add_space(space::S);
                consent(ui, env, &draft.target().path);
            }
            ui.add_space(space::S);
            ui.horizontal(|ui| {
                let add =
                    ui.add_enabled_ui(draft.is_usable(), |ui| widgets::button(ui, Kind::Primary, agree));
                if add.inner.clicked() {
                    env.out.push(add_destination(draft, then));
                }
                let may_cancel = !is_first || is_to_restore;
                if may_cancel && widgets::button(ui, Kind::Quiet, "Cancel").clicked() {
                    self.end_adding();
                    draft.clear();
                    env.focus_page = true;
                }
            });
        });
    }

    fn card(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, d: &DestinationState) {
        ui.spacing_mut().item_spacing.y = space::XS;
        let t = tokens(ui);
        ui.horizontal(|ui| {
            widgets::mark(ui, kinds::icon_of(&d.kind), 22.0, if d.enabled { t.text } else { t.faint });
            ui.add_space(space::XS);
            widgets::section_title(ui, d.name.as_str());
            focus::at_right(ui, |ui| {
                let name = format!("Back up to {}", d.name);
                if widgets::switch(ui, d.enabled, &name).clicked() {
                    let request = api::Command::EnableDestination { id: d.id, enabled: !d.enabled };
                    env.out.push(Command::send_ignoring_reply(request));
                }
            });
        });
        let mut address = address::format_address(&d.url);
        if !d.note.is_empty() {
            address += &format!(", {}", d.note);
        }
        let address = widgets::note(ui, address);
        ui.add(Label::new(address).truncate());
        ui.add_space(space::XS);
        let (state, needs) = state(env, d);
        let color = if needs { t.accent } else { t.weak };
        ui.add(Label::new(eframe::egui::RichText::new(state).color(color)).wrap());
        trouble(ui, env, d);
        if d.same_disk {
            let text = eframe::egui::RichText::new(SAME_DISK).color(t.accent);
            ui.add(Label::new(text).wrap());
        }
        unproven(ui, env, d);
        ui.add_space(space::M);
        accounting::bar(ui, t, d);
        ui.add_space(space::S);
        accounting::legend(ui, env, t, d);
        ui.add_space(space::M);
        proof(ui, env, d);
        checksum_choice(ui, env, d);
        readings(ui, env, d);
        not_agreed(ui, env, d);
        ui.add_space(space::S);
        if self.password.as_ref().is_some_and(|password| password.id == d.id) {
            destination_fields::enter_password(ui, env, d, &mut self.password);
        }
        if self.renaming.as_ref().is_some_and(|renaming| renaming.id == d.id) {
            destination_fields::enter_name(ui, env, &mut self.renaming);
        }
        self.buttons(ui, env, d);
    }

    fn buttons(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, d: &DestinationState) {
        ui.horizontal_wrapped(|ui| {
            let has_password = d.kind != "folder";
            let name = format!("Change the password of {}", d.name);
            if has_password && widgets::named_button(ui, Kind::Normal, "Password", &name).clicked() {
                self.password = Some(PasswordField::new(d.id));
            }
            if widgets::named_button(ui, Kind::Normal, "Test", &format!("Test {}", d.name)).clicked() {
                let purpose = Purpose::TestSaved { id: d.id, name: d.name.clone() };
                env.out.push(Command::send(Operation::TestDestination { id: d.id }, purpose));
            }
            let is_under_way = |kind: OperationKind| {
                let here = |r: &OperationState| r.kind == kind && r.destination == d.id;
                env.model.snapshot.reading.iter().any(here)
            };
            let may_verify = d.enabled && !is_under_way(OperationKind::Verify);
            let name = format!("Verify the copies in {}", d.name);
            let verify = ui.add_enabled_ui(may_verify, |ui| {
                widgets::named_button(ui, Kind::Normal, "Verify copies", &name)
            });
            if verify.inner.clicked() {
                let request = Operation::Verify { destination: Some(d.id), deep: false };
                env.out.push(Command::send(request, Purpose::Verify { name: d.name.clone() }));
            }
            let name = format!("Restore files from {}", d.name);
            if widgets::named_button(ui, Kind::Normal, "Restore", &name).clicked() {
                let start = RestoreStart { destination: Some(d.id), assets: Vec::new() };
                env.out.extend(restore::open(start));
            }
            if widgets::named_button(ui, Kind::Quiet, "Rename", &format!("Rename {}", d.name)).clicked() {
                self.renaming = Some(NameField::new(d.id, &d.name));
            }
            if widgets::named_button(ui, Kind::Quiet, "Remove", &format!("Remove {}", d.name)).clicked() {
                let dialog = Dialog::RemoveDestination { id: d.id, name: d.name.clone(), safe: d.safe };
                env.out.push(Command::Ask(dialog));
            }
        });
    }
}

/// The request that saves a draft, with the person's consent for every folder that is there, unless it
/// is only to restore from.
pub(super) fn add_destination(draft: &mut Draft, then: AfterAdding) -> Command {
    let request = draft.add_request(then != AfterAdding::Restore);
    Command::send(request, Purpose::AddDestination { then })
}

/// What the person agrees to.
pub(super) fn consent(ui: &mut Ui, env: &ScreenContext<'_>, to: &str) {
    ui.scope(|ui| consent_lines(ui, env, to));
}

fn consent_lines(ui: &mut Ui, env: &ScreenContext<'_>, to: &str) {
    let snapshot = &env.model.snapshot;
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.spacing_mut().interact_size.y = 20.0;
    if snapshot.sources.is_empty() {
        let text = widgets::weak(ui, format!("Photos from the folders you add will be backed up to {to}"));
        ui.add(Label::new(text).wrap());
        return;
    }
    ui.add(Label::new(format!("Photos from these folders will be backed up to {to}")).wrap());
    for source in &snapshot.sources {
        ui.horizontal(|ui| {
            widgets::mark(ui, Icon::Folder, 16.0, tokens(ui).weak);
            let path = widgets::weak(ui, &source.path.path);
            ui.add(Label::new(path).truncate());
        });
    }
    let text = "Your originals are only read. Existing files are never overwritten";
    let text = widgets::note(ui, text);
    ui.add(Label::new(text).wrap());
    if env.sign_in == Some(SignInState::Undecided) && snapshot.backup == BackupSwitch::Off {
        let text =
            "Safelight will also start in the background when you sign in. You can change this in Settings";
        let text = widgets::note(ui, text);
        ui.add(Label::new(text).wrap());
    }
}

/// How the destination is, and whether the person should look.
fn state(env: &ScreenContext<'_>, d: &DestinationState) -> (String, bool) {
    if !d.enabled {
        return (
            "Switched off. Existing copies stay, and new photos are not backed up here".to_owned(),
            false,
        );
    }
    if let Some(wait) = &d.wait_reason {
        let needs = ["credentials", "forbidden", "no_space", "unreachable"].contains(&wait.kind.as_str());
        let until = wait.until.as_deref().and_then(format::parse_time);
        let until = until.map(|then| format!(", next try {}", format::until(then, env.model.now)));
        let what = d.failure.as_ref().filter(|_| needs).map_or(&wait.summary, |failure| &failure.summary);
        return (what.clone() + until.as_deref().unwrap_or(""), needs);
    }
    if d.sources.is_empty() {
        let has_folders = !env.model.snapshot.sources.is_empty();
        return ("Not set up yet: no folder is backed up here".to_owned(), has_folders);
    }
    let counts = Counts::at(d);
    let left = counts.left();
    let text = match env.model.snapshot.backup {
        BackupSwitch::Off if !left.is_zero() => format!("Backup is off, {} waiting", left.short()),
        BackupSwitch::Off => "Backup is off".to_owned(),
        BackupSwitch::Paused => "Paused by you".to_owned(),
        BackupSwitch::On if !left.is_zero() => {
            let bytes = match d.bytes_waiting {
                0 => String::new(),
                n => format!(", {}", format::bytes(n)),
            };
            format!("Backing up, {} left{bytes}", left.short())
        }
        BackupSwitch::On => match (counts.attention_text(), counts.unproven()) {
            (Some(attention), _) => return (format!("{attention}. Everything else is backed up"), true),
            (None, unproven) if !unproven.is_zero() => format!("{} not verified", unproven.short()),
            (None, _) if counts.meant().is_zero() => "Nothing to back up yet".to_owned(),
            (None, _) => "Up to date".to_owned(),
        },
    };
    (text, false)
}

/// What the person can do about a place that cannot be used, and what the outside said.
fn trouble(ui: &mut Ui, env: &mut ScreenContext<'_>, d: &DestinationState) {
    let Some(failure) = &d.failure else { return };
    let advice = widgets::weak(ui, &failure.advice);
    ui.add(Label::new(advice).wrap());
    remedy::button_for_destination(ui, env, d, true);
    let id = ui.scope_id().with(("trouble", d.id));
    let mut open = ui.data(|data| data.get_temp::<bool>(id).unwrap_or(false));
    if widgets::fold(ui, &mut open, "Details", &format!("Details of what is wrong with {}", d.name)) {
        let details = eframe::egui::RichText::new(&failure.details)
            .text_style(eframe::egui::TextStyle::Monospace)
            .color(tokens(ui).weak);
        ui.add(Label::new(details).wrap().selectable(true));
    }
    ui.data_mut(|data| data.insert_temp(id, open));
}

/// What would have unproven copies verified, and the button that does it where that can be done.
fn unproven(ui: &mut Ui, env: &mut ScreenContext<'_>, d: &DestinationState) {
    if d.enabled && d.verifying && !d.is_reconnecting {
        ui.label(widgets::weak(ui, format!("Verifying {}", format::files(d.unproven))));
        return;
    }
    let Some(advice) = d.proof_advice.as_ref().filter(|_| d.enabled) else { return };
    if d.is_reconnecting {
        ui.label(widgets::weak(ui, "Reconnecting the disk"));
        return;
    }
    let text = eframe::egui::RichText::new(advice).color(tokens(ui).accent);
    ui.add(Label::new(text).wrap());
    if d.proof_need.as_deref() == Some("reconnect") {
        ui.add_space(space::XS);
        let name = format!("Verify {} after reconnecting", d.name);
        if widgets::named_button(ui, Kind::Normal, "Verify after reconnecting", &name).clicked() {
            let purpose = Purpose::Reconnect { name: d.name.clone() };
            env.out.push(Command::send(Operation::Reconnect { id: d.id }, purpose));
        }
    }
}

/// Checks and restores that read copies here now, and how far each is.
fn readings(ui: &mut Ui, env: &ScreenContext<'_>, d: &DestinationState) {
    for reading in env.model.snapshot.reading.iter().filter(|reading| reading.destination == d.id) {
        let what = match reading.kind {
            OperationKind::Verify => "Verifying copies",
            OperationKind::Restore => "Restoring",
        };
        let progress = &reading.progress;
        let (done, all) = (format::number(progress.files_done), format::files(progress.files_total));
        let left = progress.secs_left.map(format::time_left);
        let left = left.map(|left| format!(", {left}")).unwrap_or_default();
        let text = format!("{what}, {done} of {all}{left}");
        ui.add_space(space::S);
        let width = ui.available_width();
        let part = if progress.bytes_total > 0 {
            ratio(progress.bytes_done, progress.bytes_total)
        } else {
            ratio(progress.files_done, progress.files_total)
        };
        widgets::status(ui, widgets::weak(ui, &text));
        ui.add_space(space::XS);
        widgets::progress(ui, part, width, &format!("{what} in {}", d.name));
    }
}

fn proof(ui: &mut Ui, env: &ScreenContext<'_>, d: &DestinationState) {
    let how = match d.proof_need.as_deref() {
        Some("reconnect") => "Verified by reading back after reconnecting the disk".to_owned(),
        Some("restart") => "Verified by reading back after restarting the computer".to_owned(),
        _ if d.proof.is_empty() => "Copies here cannot be verified, so none counts as safe".to_owned(),
        _ => format!("How copies are verified: {}", d.proof),
    };
    let how = widgets::note(ui, how);
    ui.add(Label::new(how).wrap());
    if let Some(oldest) = d.oldest_proof_at.as_deref().and_then(format::parse_time) {
        let age = format::age(oldest, env.model.now);
        let bytes = format::bytes(d.bytes_safe);
        let checked = d.last_audit_at.as_deref().and_then(format::parse_time);
        let checked = checked.map(|then| format!(", last check {}", format::age(then, env.model.now)));
        let text = format!("Oldest verification {age}, {bytes} safe{}", checked.unwrap_or_default());
        let text = widgets::note(ui, text);
        ui.label(text);
    }
}

/// What proves a copy, where the person chooses.
fn checksum_choice(ui: &mut Ui, env: &mut ScreenContext<'_>, d: &DestinationState) {
    let Some(trusted) = d.trusts_checksum else { return };
    ui.add_space(space::S);
    ui.horizontal(|ui| {
        let name = format!("Trust the checksum of {}", d.name);
        if widgets::switch(ui, trusted, &name).clicked() {
            let request = api::Command::SetChecksumTrust { id: d.id, trusted: !trusted };
            env.out.push(Command::send_ignoring_reply(request));
        }
        let text = widgets::note(ui, CHECKSUM_CHOICE);
        ui.add(Label::new(text).wrap());
    });
}

/// Folders that nobody has agreed to copy here, as when one was added on the command line.
fn not_agreed(ui: &mut Ui, env: &mut ScreenContext<'_>, d: &DestinationState) {
    let snapshot = &env.model.snapshot;
    let missing: Vec<_> = snapshot.sources.iter().filter(|s| !d.sources.contains(&s.id)).collect();
    if missing.is_empty() {
        return;
    }
    ui.add_space(space::S);
    ui.label("Photos from these folders are not backed up here");
    for source in &missing {
        let path = widgets::weak(ui, &source.path.path);
        ui.add(Label::new(path).truncate());
    }
    let name = format!("Agree to back up these folders to {}", d.name);
    if widgets::named_button(ui, Kind::Normal, "Agree and back up these too", &name).clicked() {
        let sources = missing.iter().map(|s| s.id).collect();
        env.out.push(Command::send_ignoring_reply(api::Command::Consent { sources, destination: d.id }));
    }
}
