//! When backup may work, and what the computer is like now.

use serde::{Deserialize, Serialize};

use crate::domain::gate::{Conditions, DAY_MINUTES, GateRules, Hours, Network, OnBattery};

/// What the person allows. Missing fields have their defaults, so that older files are read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Sending over a metered network.
    pub on_metered: bool,
    /// Working on battery.
    pub on_battery: BatteryRule,
    /// Working only in these hours of each day; at any time where there are none.
    pub hours: Option<HoursRule>,
}

/// What may be done on battery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatteryRule {
    /// Everything.
    Always,
    /// Everything while it holds at least so many percent.
    AtLeast(u8),
    /// Nothing.
    Never,
}

/// Hours of each day on the local clock, in minutes after midnight. They go over midnight where
/// `from` is the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HoursRule {
    /// The first minute.
    pub from: u16,
    /// The minute after the last.
    pub to: u16,
}

/// What the computer is like now; what is not known is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct ConditionsText {
    /// It has a network.
    pub is_online: Option<bool>,
    /// The network costs money by its use.
    pub is_metered: Option<bool>,
    /// It runs on battery.
    pub is_on_battery: Option<bool>,
    /// What the battery holds, in percent.
    pub battery_percent: Option<u8>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::from(GateRules::default())
    }
}

impl From<GateRules> for Rules {
    fn from(rules: GateRules) -> Self {
        Self {
            on_metered: rules.on_metered,
            on_battery: match rules.on_battery {
                OnBattery::Always => BatteryRule::Always,
                OnBattery::AtLeast(percent) => BatteryRule::AtLeast(percent),
                OnBattery::Never => BatteryRule::Never,
            },
            hours: rules.hours.map(|hours| HoursRule { from: hours.from(), to: hours.to() }),
        }
    }
}

impl TryFrom<Rules> for GateRules {
    /// A sentence.
    type Error = String;

    fn try_from(rules: Rules) -> Result<Self, String> {
        let on_battery = match rules.on_battery {
            BatteryRule::Always => OnBattery::Always,
            BatteryRule::AtLeast(percent) if percent <= 100 => OnBattery::AtLeast(percent),
            BatteryRule::AtLeast(_) => return Err("a battery holds 0 to 100 percent".to_owned()),
            BatteryRule::Never => OnBattery::Never,
        };
        let hours = match rules.hours {
            None => None,
            Some(HoursRule { from, to }) => Some(Hours::new(from, to).ok_or_else(|| {
                format!("hours begin and end at different minutes of a day, 0 to {}", DAY_MINUTES - 1)
            })?),
        };
        Ok(Self { on_metered: rules.on_metered, on_battery, hours })
    }
}

impl From<Conditions> for ConditionsText {
    fn from(conditions: Conditions) -> Self {
        Self {
            is_online: match conditions.network {
                Network::Unknown => None,
                Network::Offline => Some(false),
                Network::Online => Some(true),
            },
            is_metered: conditions.is_metered,
            is_on_battery: conditions.is_on_battery,
            battery_percent: conditions.battery_percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_the_way_out_and_back() {
        let hours = Some(HoursRule { from: 1_320, to: 420 });
        for on_battery in [BatteryRule::Always, BatteryRule::AtLeast(35), BatteryRule::Never] {
            let rules = Rules { on_metered: true, on_battery, hours };
            assert_eq!(GateRules::try_from(rules).map(Rules::from), Ok(rules));
        }
        let read: Rules = serde_json::from_str("{}").expect("json");
        assert_eq!(read, Rules::default());
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        let hours = |from, to| Rules { hours: Some(HoursRule { from, to }), ..Rules::default() };
        for rules in [
            hours(60, 60),
            hours(1_440, 0),
            Rules { on_battery: BatteryRule::AtLeast(101), ..Rules::default() },
        ] {
            assert!(GateRules::try_from(rules).is_err(), "{rules:?}");
        }
    }
}
