//! The settings' card on how servers are reached.

use eframe::egui::{Label, Ui};

use super::commands::{Command, PickFor, Purpose};
use super::focus;
use super::rules::{below_field, indent, labelled, row};
use super::screen_context::ScreenContext;
use super::secret_input::SecretInput;
use super::theme::space;
use super::widgets::{self, Kind};
use crate::api::{self, ApiError, NetworkText, PathText, ProxyText};

/// The limit of a person who has chosen none yet, in bytes a second.
const LIMIT_FIRST: u64 = 2_000_000;
/// Bytes of the unit in which the limit is shown.
const UNIT: f64 = 1_000_000.0;
/// How wide the field of the limit is, in points.
const LIMIT_WIDTH: f32 = 76.0;
/// How wide the fields of addresses are, in points, and what stays free beside them for buttons.
const FIELD_WIDTH: f32 = 330.0;
const BUTTONS_WIDTH: f32 = 150.0;
/// The longest text that a field takes, in bytes.
const FIELD_BYTES_MAX: usize = 4096;

/// Which proxy, without its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    System,
    None,
    Address,
}

/// The fields of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Limit,
    Proxy,
    Password,
    Authority,
}

/// What the card remembers: what is typed, and why the last change was refused.
#[derive(Default)]
pub(super) struct Network {
    limit: String,
    proxy: String,
    ca_file: String,
    secret: SecretInput,
    /// The person wants a proxy's address, and has not entered one yet.
    wants_address: bool,
    /// What the fields were filled from.
    shown: Option<NetworkText>,
    /// The field whose text was sent last.
    sent: Option<Field>,
    /// Why a field's text cannot be kept.
    refused: Option<(Field, String)>,
}

impl Network {
    /// Wipes the proxy's password: the screen is left.
    pub fn forget_secrets(&mut self) {
        self.secret.wipe();
    }

    /// A certificate authority's file was picked: it is kept at once.
    pub fn set_authority(&mut self, path: PathText, now: &NetworkText, out: &mut Vec<Command>) {
        self.ca_file.clone_from(&path.path);
        self.sent = Some(Field::Authority);
        let network = NetworkText { ca_file: Some(path), ..now.clone() };
        out.push(Command::send(api::Command::SetNetwork(network), Purpose::SetNetwork));
    }

    /// No file can be picked in a dialog: says so under the field.
    pub fn refuse_authority(&mut self, why: String) {
        self.refused = Some((Field::Authority, why));
    }

    /// Takes the answer to a change in.
    pub fn on_set(&mut self, outcome: Result<(), ApiError>) {
        let field = self.sent.take().unwrap_or(Field::Authority);
        self.refused = outcome.err().map(|error| (field, error.message));
        if self.refused.is_none() {
            self.wants_address = false;
        }
    }

    /// Paints the card.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let now = env.model.snapshot.network.clone();
        if self.shown.as_ref() != Some(&now) {
            self.fill(&now);
        }
        widgets::card(ui, |ui| {
            widgets::section_title(ui, "Network");
            let text = widgets::weak(ui, "How servers are reached. This doesn't affect folders and disks");
            ui.add(Label::new(text).wrap());
            ui.add_space(space::XS);
            self.limit(ui, env, &now);
            self.proxy(ui, env, &now);
            self.authority(ui, env, &now);
            if let Some(why) = &env.model.snapshot.network_note {
                ui.add_space(space::XS);
                widgets::field_error(ui, Some(why));
            }
        });
    }

    /// What is wrong with a field stands below it until its text is changed.
    fn error(&mut self, ui: &mut Ui, field: Field, is_edited: bool) {
        if is_edited {
            self.refused = self.refused.take().filter(|(of, _)| *of != field);
        }
        let why = self.refused.as_ref().filter(|(of, _)| *of == field).map(|(_, why)| why.as_str());
        if why.is_some() {
            below_field(ui, |ui| widgets::field_error(ui, why));
        }
    }

    fn set(&mut self, env: &mut ScreenContext<'_>, field: Field, network: NetworkText) {
        self.sent = Some(field);
        set(env, network);
    }

    fn fill(&mut self, now: &NetworkText) {
        self.limit = now.upload_limit.map(megabytes).unwrap_or_default();
        self.proxy = match &now.proxy {
            ProxyText::Address(address) => address.clone(),
            ProxyText::System | ProxyText::None => String::new(),
        };
        self.ca_file = now.ca_file.as_ref().map(|path| path.path.clone()).unwrap_or_default();
        self.shown = Some(now.clone());
    }

    fn limit(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, now: &NetworkText) {
        let choices = [(false, "Off"), (true, "At most")];
        if let Some(limited) = row(ui, "Upload limit", now.upload_limit.is_some(), &choices) {
            set(env, NetworkText { upload_limit: limited.then_some(LIMIT_FIRST), ..now.clone() });
        }
        let Some(limit) = now.upload_limit else { return };
        let before = self.limit.clone();
        ui.horizontal(|ui| {
            indent(ui);
            let name = "Upload limit in MB a second";
            let entered = widgets::field(ui, &mut self.limit, name, "", LIMIT_WIDTH);
            self.limit.truncate(self.limit.floor_char_boundary(16));
            ui.label(widgets::weak(ui, "MB a second"));
            let is_changed = self.limit.trim() != megabytes(limit);
            if saved(ui, is_changed, "Save limit", entered) {
                match bytes(&self.limit) {
                    Some(limit) => {
                        let network = NetworkText { upload_limit: Some(limit), ..now.clone() };
                        self.set(env, Field::Limit, network);
                    }
                    None => {
                        let why = "Enter the limit as a number, such as 2.5".to_owned();
                        self.refused = Some((Field::Limit, why));
                    }
                }
            }
        });
        let is_edited = self.limit != before;
        self.error(ui, Field::Limit, is_edited);
    }

    fn proxy(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, now: &NetworkText) {
        let is_set = matches!(now.proxy, ProxyText::Address(_));
        let via = match now.proxy {
            _ if self.wants_address || is_set => Via::Address,
            ProxyText::None => Via::None,
            ProxyText::System | ProxyText::Address(_) => Via::System,
        };
        let choices = [(Via::System, "System"), (Via::None, "None"), (Via::Address, "Custom")];
        match row(ui, "Proxy", via, &choices) {
            Some(Via::System) => self.set_proxy(env, now, ProxyText::System),
            Some(Via::None) => self.set_proxy(env, now, ProxyText::None),
            Some(Via::Address) => {
                self.wants_address = true;
                focus::next_field(ui);
            }
            None => {}
        }
        if via != Via::Address && !self.wants_address {
            return;
        }
        let before = self.proxy.clone();
        ui.horizontal(|ui| {
            indent(ui);
            let width = FIELD_WIDTH.min(ui.available_width() - BUTTONS_WIDTH).max(120.0);
            let hint = "for example http://proxy.example:3128";
            let entered = widgets::field(ui, &mut self.proxy, "Address of the proxy", hint, width);
            self.proxy.truncate(self.proxy.floor_char_boundary(FIELD_BYTES_MAX));
            let kept = match &now.proxy {
                ProxyText::Address(address) => address.as_str(),
                ProxyText::System | ProxyText::None => "",
            };
            let is_changed = self.proxy.trim() != kept && !self.proxy.trim().is_empty();
            if saved(ui, is_changed, "Save proxy", entered) {
                let address = ProxyText::Address(self.proxy.trim().to_owned());
                self.set(env, Field::Proxy, NetworkText { proxy: address, ..now.clone() });
            }
        });
        let is_edited = self.proxy != before;
        self.error(ui, Field::Proxy, is_edited);
        if let ProxyText::Address(address) = &now.proxy
            && address.contains('@')
        {
            self.password(ui, env, address);
        }
    }

    fn set_proxy(&mut self, env: &mut ScreenContext<'_>, now: &NetworkText, proxy: ProxyText) {
        self.wants_address = false;
        if now.proxy != proxy {
            set(env, NetworkText { proxy, ..now.clone() });
        }
    }

    fn password(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, proxy: &str) {
        self.secret.set_origin(proxy);
        let mut is_edited = false;
        ui.horizontal_wrapped(|ui| {
            labelled(ui, "Proxy password");
            let width = FIELD_WIDTH.min(ui.available_width() - BUTTONS_WIDTH).max(120.0);
            let (changed, entered) = self.secret.ui(ui, "Password of the proxy", width, proxy);
            is_edited = changed;
            let is_due = saved(ui, !self.secret.is_empty(), "Save password", entered);
            if let Some(secret) = self.secret.take_if(is_due) {
                let request = api::Command::SetProxySecret { secret };
                self.sent = Some(Field::Password);
                env.out.push(Command::send(request, Purpose::SetNetwork));
            }
        });
        self.error(ui, Field::Password, is_edited);
    }

    fn authority(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, now: &NetworkText) {
        let before = self.ca_file.clone();
        ui.horizontal_wrapped(|ui| {
            labelled(ui, "Certificate authority");
            let width = FIELD_WIDTH.min(ui.available_width() - BUTTONS_WIDTH).max(120.0);
            let hint = "for example /home/ann/my-ca.pem";
            let name = "File of a certificate authority";
            let entered = widgets::field(ui, &mut self.ca_file, name, hint, width);
            self.ca_file.truncate(self.ca_file.floor_char_boundary(FIELD_BYTES_MAX));
            if widgets::named_button(ui, Kind::Normal, "Choose", "Choose a certificate authority's file")
                .clicked()
            {
                env.out.push(Command::PickFolder(PickFor::Authority));
            }
            let typed = self.ca_file.trim();
            let kept = now.ca_file.as_ref().map_or("", |path| path.path.as_str());
            let is_changed = typed != kept && !typed.is_empty();
            if saved(ui, is_changed, "Save file", entered) {
                let ca_file = Some(PathText { path: typed.to_owned(), path_b64: None });
                self.set(env, Field::Authority, NetworkText { ca_file, ..now.clone() });
            }
            if now.ca_file.is_some() {
                let name = "Remove the certificate authority";
                if widgets::named_button(ui, Kind::Quiet, "Remove", name).clicked() {
                    set(env, NetworkText { ca_file: None, ..now.clone() });
                }
            }
        });
        let is_edited = self.ca_file != before;
        self.error(ui, Field::Authority, is_edited);
        below_field(ui, |ui| {
            let text = "Only for your own server, if no public authority has signed its certificate";
            let text = widgets::note(ui, text);
            ui.add(Label::new(text).wrap());
        });
    }
}

/// The button beside a field; whether what is in the field is to be kept.
fn saved(ui: &mut Ui, is_changed: bool, text: &str, entered: bool) -> bool {
    let button = ui.add_enabled_ui(is_changed, |ui| widgets::button(ui, Kind::Normal, text)).inner;
    is_changed && (entered || button.clicked())
}

fn set(env: &mut ScreenContext<'_>, network: NetworkText) {
    env.out.push(Command::send(api::Command::SetNetwork(network), Purpose::SetNetwork));
}

/// A limit as it is typed.
#[expect(clippy::cast_precision_loss, reason = "a limit has few digits")]
fn megabytes(limit: u64) -> String {
    format!("{}", limit as f64 / UNIT)
}

/// A limit that was typed, in bytes a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
fn bytes(text: &str) -> Option<u64> {
    let number: f64 = text.trim().replace(',', ".").parse().ok()?;
    (number.is_finite() && number > 0.0 && number < 1e9).then(|| (number * UNIT).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written() {
        for (text, limit) in [("2", 2_000_000), (" 0,5 ", 500_000), ("12.25", 12_250_000)] {
            assert_eq!(bytes(text), Some(limit), "{text}");
        }
        for limit in [10_000, 2_500_000, 10_000_000_000] {
            assert_eq!(bytes(&megabytes(limit)), Some(limit));
        }
        for bad in ["", "fast", "-1", "0", "inf", "NaN", "1e12"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
