//! The settings' card on when to back up.

use eframe::egui::{Align, Label, Layout, Ui, vec2};

use super::commands::Command;
use super::screen_context::ScreenContext;
use super::theme::{size, space};
use super::widgets::{self, Kind};
use crate::api::{self, BatteryRule, ConditionsText, HoursRule, Rules};
use crate::domain::gate::{BATTERY_LEAST_DEFAULT, DAY_MINUTES};

/// Hours for a person who has chosen none yet: the night.
const HOURS_FIRST: HoursRule = HoursRule { from: 22 * 60, to: 7 * 60 };
/// How wide the field of a time is, in points.
const TIME_WIDTH: f32 = 76.0;
/// How wide the column of conditions is, in points.
const LABEL_WIDTH: f32 = 180.0;

/// A row that is narrower than this has its name above, in points.
const ROW_MIN: f32 = 460.0;

/// What the card remembers: the times as they are typed.
#[derive(Default)]
pub(super) struct HoursForm {
    from: String,
    to: String,
    /// The hours that the fields were filled from.
    shown: Option<HoursRule>,
    /// Why the hours that were typed cannot be kept.
    error: Option<&'static str>,
}

impl HoursForm {
    /// Paints the card.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let (rules, now) = (env.model.snapshot.rules, env.model.snapshot.conditions);
        widgets::card(ui, |ui| {
            widgets::section_title(ui, "When to back up");
            if let Some(text) = describe(&now) {
                let text = widgets::weak(ui, text);
                ui.add(Label::new(text).wrap());
            }
            ui.add_space(space::XS);
            let metered = [(false, "Wait"), (true, "Back up")];
            let picked = row(ui, "On a metered network", rules.on_metered, &metered);
            if let Some(on_metered) = picked {
                set(env, Rules { on_metered, ..rules });
            }
            let least = match rules.on_battery {
                BatteryRule::AtLeast(least) => least,
                _ => BATTERY_LEAST_DEFAULT,
            };
            let above = format!("Back up above {least} %");
            let choices = [
                (BatteryRule::Always, "Back up"),
                (BatteryRule::AtLeast(least), above.as_str()),
                (BatteryRule::Never, "Wait"),
            ];
            if let Some(on_battery) = row(ui, "On battery", rules.on_battery, &choices) {
                set(env, Rules { on_battery, ..rules });
            }
            let choices = [(false, "Any"), (true, "Only these")];
            if let Some(only) = row(ui, "Hours of the day", rules.hours.is_some(), &choices) {
                set(env, Rules { hours: only.then_some(HOURS_FIRST), ..rules });
            }
            if let Some(hours) = rules.hours {
                self.hours(ui, env, rules, hours);
            }
            ui.add_space(space::XS);
            let text = "For folders and disks on this computer, only battery and hours matter";
            let text = widgets::note(ui, text);
            ui.add(Label::new(text).wrap());
        });
    }

    fn hours(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, rules: Rules, hours: HoursRule) {
        if self.shown != Some(hours) {
            *self = Self { from: clock(hours.from), to: clock(hours.to), shown: Some(hours), error: None };
        }
        let before = (self.from.clone(), self.to.clone());
        ui.horizontal_wrapped(|ui| {
            indent(ui);
            ui.label(widgets::weak(ui, "From"));
            let mut entered = widgets::field(ui, &mut self.from, "Back up from", "", TIME_WIDTH);
            ui.label(widgets::weak(ui, "until"));
            entered |= widgets::field(ui, &mut self.to, "Back up until", "", TIME_WIDTH);
            let is_changed = self.from != clock(hours.from) || self.to != clock(hours.to);
            let save =
                ui.add_enabled_ui(is_changed, |ui| widgets::button(ui, Kind::Normal, "Save hours")).inner;
            if !is_changed || !(entered || save.clicked()) {
                return;
            }
            match (minutes(&self.from), minutes(&self.to)) {
                (Some(from), Some(to)) if from != to => {
                    set(env, Rules { hours: Some(HoursRule { from, to }), ..rules });
                }
                (Some(_), Some(_)) => self.error = Some("The two times must differ"),
                _ => self.error = Some("Use 24-hour times, such as 22:00"),
            }
        });
        if (&self.from, &self.to) != (&before.0, &before.1) {
            self.error = None;
        }
        below_field(ui, |ui| widgets::field_error(ui, self.error));
    }
}

/// Room as wide as the column of names, where the window has it.
pub(super) fn indent(ui: &mut Ui) {
    if ui.available_width() > ROW_MIN {
        ui.add_space(LABEL_WIDTH + ui.spacing().item_spacing.x);
    }
}

/// Lays out below a field, in its column.
pub(super) fn below_field(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        indent(ui);
        ui.vertical(add);
    });
}

fn set(env: &mut ScreenContext<'_>, rules: Rules) {
    env.out.push(Command::send_ignoring_reply(api::Command::SetRules(rules)));
}

/// A condition and what is done about it.
pub(super) fn row<T: PartialEq + Copy>(
    ui: &mut Ui,
    text: &str,
    chosen: T,
    choices: &[(T, &str)],
) -> Option<T> {
    let add = |ui: &mut Ui| {
        labelled(ui, text);
        widgets::segmented(ui, text, chosen, choices)
    };
    let is_wide = ui.available_width() > ROW_MIN;
    let picked = if is_wide { ui.horizontal(add).inner } else { ui.vertical(add).inner };
    picked.filter(|picked| *picked != chosen)
}

/// The name of a row, in a column of its own.
pub(super) fn labelled(ui: &mut Ui, text: &str) {
    let column = vec2(LABEL_WIDTH, size::CONTROL);
    ui.allocate_ui_with_layout(column, Layout::left_to_right(Align::Center), |ui| {
        ui.set_width(LABEL_WIDTH);
        ui.label(text);
    });
}

/// What is known of the computer now.
fn describe(now: &ConditionsText) -> Option<String> {
    let mut parts = Vec::new();
    match (now.is_online, now.is_metered) {
        (Some(false), _) => parts.push("no network".to_owned()),
        (_, Some(true)) => parts.push("a metered network".to_owned()),
        (_, Some(false)) => parts.push("a network that is not metered".to_owned()),
        (Some(true), None) => parts.push("a network".to_owned()),
        (None, None) => {}
    }
    let percent = now.battery_percent.map(|percent| format!(", {percent} %")).unwrap_or_default();
    match now.is_on_battery {
        Some(true) => parts.push(format!("on battery{percent}")),
        Some(false) => parts.push("on power".to_owned()),
        None => {}
    }
    (!parts.is_empty()).then(|| format!("Now: {}", parts.join(", ")))
}

/// A minute of the day as clocks show it.
fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The minute of the day that a person wrote.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let all = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && all < DAY_MINUTES).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        assert_eq!(
            ["22:00", " 7:05 ", "7", "00:00"].map(minutes),
            [Some(1_320), Some(425), Some(420), Some(0)]
        );
        for wrong in ["", "24:00", "12:60", "noon", "1:2:3", "-1:00", "9999:00"] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
        assert_eq!(clock(425), "07:05");
    }

    #[test]
    fn only_what_is_known_is_said() {
        assert_eq!(describe(&ConditionsText::default()), None);
        let now = ConditionsText {
            is_online: Some(true),
            is_metered: Some(true),
            is_on_battery: Some(true),
            battery_percent: Some(57),
        };
        assert_eq!(describe(&now).as_deref(), Some("Now: a metered network, on battery, 57 %"));
        let plain = ConditionsText { is_online: Some(false), is_on_battery: Some(false), ..now };
        assert_eq!(describe(&plain).as_deref(), Some("Now: no network, on power"));
    }
}
