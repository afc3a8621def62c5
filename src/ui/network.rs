//! The settings' card on how servers are reached.

use eframe::egui::{Label, Ui};

use super::app::Env;
use super::commands::{Command, Purpose};
use super::rules::{LABEL_WIDTH, labelled, row};
use super::theme::{space, tokens};
use super::widgets::{self, Kind};
use crate::api::{ApiError, NetworkText, PathText, ProxyText, Request, SecretText};

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

/// What the card remembers: what is typed, and why the last change was refused.
#[derive(Default)]
pub(super) struct Network {
    limit: String,
    proxy: String,
    ca_file: String,
    secret: String,
    /// The person wants a proxy's address, and has not entered one yet.
    wants_address: bool,
    /// What the fields were filled from.
    shown: Option<NetworkText>,
    refused: Option<String>,
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(SecretText::new(std::mem::take(&mut self.secret)));
    }
}

impl Network {
    /// Takes the answer to a change in.
    pub fn on_set(&mut self, outcome: Result<(), ApiError>) {
        self.refused = outcome.err().map(|error| error.message);
        if self.refused.is_none() {
            self.wants_address = false;
        }
    }

    /// Paints the card.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        let now = env.model.snapshot.network.clone();
        if self.shown.as_ref() != Some(&now) {
            self.fill(&now);
        }
        widgets::card(ui, |ui| {
            ui.label(widgets::heading("Network"));
            let text = widgets::weak(ui, "How servers are reached. Folders and disks are not concerned");
            ui.add(Label::new(text).wrap());
            ui.add_space(space::XS);
            self.limit(ui, env, &now);
            self.proxy(ui, env, &now);
            self.authority(ui, env, &now);
            let note = env.model.snapshot.network_note.clone();
            if let Some(why) = self.refused.clone().or(note) {
                ui.add_space(space::XS);
                let color = tokens(ui).accent;
                ui.add(Label::new(eframe::egui::RichText::new(why).color(color)).wrap());
            }
        });
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

    fn limit(&mut self, ui: &mut Ui, env: &mut Env<'_>, now: &NetworkText) {
        let choices = [(false, "Off"), (true, "At most")];
        if let Some(limited) = row(ui, "Upload limit", now.upload_limit.is_some(), &choices) {
            set(env, NetworkText { upload_limit: limited.then_some(LIMIT_FIRST), ..now.clone() });
        }
        let Some(limit) = now.upload_limit else { return };
        ui.horizontal(|ui| {
            ui.add_space(LABEL_WIDTH + ui.spacing().item_spacing.x);
            let name = "Upload limit in MB a second";
            let entered = widgets::field(ui, &mut self.limit, name, "", LIMIT_WIDTH);
            self.limit.truncate(self.limit.floor_char_boundary(16));
            ui.label(widgets::weak(ui, "MB a second"));
            let is_changed = self.limit.trim() != megabytes(limit);
            if saved(ui, is_changed, "Save limit", entered) {
                match bytes(&self.limit) {
                    Some(limit) => set(env, NetworkText { upload_limit: Some(limit), ..now.clone() }),
                    None => self.refused = Some("Write the limit as a number, for example 2.5".to_owned()),
                }
            }
        });
    }

    fn proxy(&mut self, ui: &mut Ui, env: &mut Env<'_>, now: &NetworkText) {
        let is_set = matches!(now.proxy, ProxyText::Address(_));
        let via = match now.proxy {
            _ if self.wants_address || is_set => Via::Address,
            ProxyText::None => Via::None,
            ProxyText::System | ProxyText::Address(_) => Via::System,
        };
        let choices = [(Via::System, "As the system"), (Via::None, "None"), (Via::Address, "This one")];
        match row(ui, "Proxy", via, &choices) {
            Some(Via::System) => self.set_proxy(env, now, ProxyText::System),
            Some(Via::None) => self.set_proxy(env, now, ProxyText::None),
            Some(Via::Address) => self.wants_address = true,
            None => {}
        }
        if via != Via::Address && !self.wants_address {
            return;
        }
        ui.horizontal(|ui| {
            ui.add_space(LABEL_WIDTH + ui.spacing().item_spacing.x);
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
                set(env, NetworkText { proxy: address, ..now.clone() });
            }
        });
        if matches!(&now.proxy, ProxyText::Address(address) if address.contains('@')) {
            self.password(ui, env);
        }
    }

    fn set_proxy(&mut self, env: &mut Env<'_>, now: &NetworkText, proxy: ProxyText) {
        self.wants_address = false;
        if now.proxy != proxy {
            set(env, NetworkText { proxy, ..now.clone() });
        }
    }

    fn password(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        ui.horizontal(|ui| {
            labelled(ui, "Proxy password");
            let width = FIELD_WIDTH.min(ui.available_width() - BUTTONS_WIDTH).max(120.0);
            let entered = widgets::secret_field(ui, &mut self.secret, "Password of the proxy", width);
            if saved(ui, !self.secret.is_empty(), "Keep password", entered) {
                let secret = SecretText::new(std::mem::take(&mut self.secret));
                let request = Request::SetProxySecret { secret };
                env.out.push(Command::Send(Box::new(request), Purpose::SetNetwork));
            }
        });
    }

    fn authority(&mut self, ui: &mut Ui, env: &mut Env<'_>, now: &NetworkText) {
        ui.horizontal(|ui| {
            labelled(ui, "Certificate authority");
            let width = FIELD_WIDTH.min(ui.available_width() - BUTTONS_WIDTH).max(120.0);
            let hint = "for example /home/ann/my-ca.pem";
            let name = "File of a certificate authority";
            let entered = widgets::field(ui, &mut self.ca_file, name, hint, width);
            self.ca_file.truncate(self.ca_file.floor_char_boundary(FIELD_BYTES_MAX));
            let typed = self.ca_file.trim();
            let kept = now.ca_file.as_ref().map_or("", |path| path.path.as_str());
            let is_changed = typed != kept && !typed.is_empty();
            if saved(ui, is_changed, "Save file", entered) {
                let ca_file = Some(PathText { path: typed.to_owned(), path_b64: None });
                set(env, NetworkText { ca_file, ..now.clone() });
            }
            if now.ca_file.is_some() {
                let name = "Remove the certificate authority";
                if widgets::named_button(ui, Kind::Quiet, "Remove", name).clicked() {
                    set(env, NetworkText { ca_file: None, ..now.clone() });
                }
            }
        });
        ui.horizontal(|ui| {
            ui.add_space(LABEL_WIDTH + ui.spacing().item_spacing.x);
            let text = "Only for a server of your own whose certificate no public authority has signed";
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

fn set(env: &mut Env<'_>, network: NetworkText) {
    env.out.push(Command::Send(Box::new(Request::SetNetwork(network)), Purpose::SetNetwork));
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
