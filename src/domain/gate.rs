//! When work may be done: what the computer is like now, what the person allows, and what follows.
//!
//! Pure: readings, the time and the time zone come in as arguments. What is not known never holds
//! anything up.

use jiff::civil;
use jiff::tz::TimeZone;

use super::time::UnixMillis;
use super::wait::WaitReason;

/// The share of the battery below which backup waits by default, in percent.
pub const BATTERY_LEAST_DEFAULT: u8 = 20;
/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// Whether the computer has a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// It is not known.
    #[default]
    Unknown,
    /// There is none.
    Offline,
    /// There is one. It need not lead to the internet.
    Online,
}

/// What the computer is like now, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Conditions {
    /// The network.
    pub network: Network,
    /// Whether the network costs money by its use.
    pub is_metered: Option<bool>,
    /// Whether the computer runs on battery. One that charges does not.
    pub is_on_battery: Option<bool>,
    /// What the battery holds, in percent.
    pub battery_percent: Option<u8>,
}

/// What may be done on battery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnBattery {
    /// Everything.
    Always,
    /// Everything while the battery holds at least so many percent.
    AtLeast(u8),
    /// Nothing.
    Never,
}

/// The hours of each day in which backup may work, in minutes after midnight on the local clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hours {
    from: u16,
    to: u16,
}

/// What the person allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GateRules {
    /// Sending over a metered network.
    pub on_metered: bool,
    /// Working on battery.
    pub on_battery: OnBattery,
    /// Working only in these hours; at any time where there are none.
    pub hours: Option<Hours>,
}

impl Default for GateRules {
    fn default() -> Self {
        Self { on_metered: false, on_battery: OnBattery::AtLeast(BATTERY_LEAST_DEFAULT), hours: None }
    }
}

impl Hours {
    /// From one minute of the day to another; over midnight where `from` is the later. None where
    /// they are the same or no minutes of a day.
    pub fn new(from: u16, to: u16) -> Option<Self> {
        (from < DAY_MINUTES && to < DAY_MINUTES && from != to).then_some(Self { from, to })
    }

    /// The first minute.
    pub fn from(self) -> u16 {
        self.from
    }

    /// The minute after the last.
    pub fn to(self) -> u16 {
        self.to
    }

    fn holds(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// Whether `now` is inside the hours, on the clocks of `zone`.
    pub fn is_open(self, now: UnixMillis, zone: &TimeZone) -> bool {
        let time = local(now, zone).time();
        let minute = i16::from(time.hour()) * 60 + i16::from(time.minute());
        self.holds(minute.unsigned_abs())
    }

    /// When the hours next begin or end, whichever they have not done at `now`.
    pub fn next_change(self, now: UnixMillis, zone: &TimeZone) -> UnixMillis {
        let wanted = if self.is_open(now, zone) { self.to } else { self.from };
        next_at(wanted, now, zone)
    }
}

fn local(now: UnixMillis, zone: &TimeZone) -> civil::DateTime {
    let time = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(time)
}

/// The first time after `now` at which the clocks of `zone` show this minute of the day.
fn next_at(minute: u16, now: UnixMillis, zone: &TimeZone) -> UnixMillis {
    let (hour, minute) = (i8::try_from(minute / 60).unwrap_or(0), i8::try_from(minute % 60).unwrap_or(0));
    let mut day = local(now, zone).date();
    // Today's may have passed, and clocks that are set back can show a day's end twice.
    for _ in 0..3 {
        let at = zone.to_ambiguous_timestamp(day.at(hour, minute, 0, 0)).compatible();
        match at.map(jiff::Timestamp::as_millisecond) {
            Ok(at) if at > now.0 => return UnixMillis(at),
            _ => day = day.tomorrow().unwrap_or(day),
        }
    }
    now.plus(std::time::Duration::from_secs(24 * 3600))
}

/// Why nothing may be done at a destination; none where it may. `is_local` says that the
/// destination is on this computer, so that no network concerns it.
///
/// Where several reasons hold, what the outside does comes before what the person chose.
pub fn closed(
    rules: &GateRules,
    conditions: &Conditions,
    is_local: bool,
    now: UnixMillis,
    zone: &TimeZone,
) -> Option<WaitReason> {
    if !is_local && conditions.network == Network::Offline {
        return Some(WaitReason::Offline);
    }
    if !is_local && !rules.on_metered && conditions.is_metered == Some(true) {
        return Some(WaitReason::Metered);
    }
    if conditions.is_on_battery == Some(true) {
        let is_low = |least| conditions.battery_percent.is_some_and(|percent| percent < least);
        let must_wait = match rules.on_battery {
            OnBattery::Always => false,
            OnBattery::AtLeast(least) => is_low(least),
            OnBattery::Never => true,
        };
        if must_wait {
            return Some(WaitReason::Battery);
        }
    }
    let hours = rules.hours.filter(|hours| !hours.is_open(now, zone))?;
    Some(WaitReason::Schedule { until: hours.next_change(now, zone) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14 22:13:20 UTC, a Tuesday.
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const MINUTE_MS: i64 = 60_000;

    fn kind(rules: &GateRules, conditions: &Conditions, is_local: bool) -> Option<&'static str> {
        closed(rules, conditions, is_local, NOW, &TimeZone::UTC).map(|reason| reason.kind())
    }

    #[test]
    fn what_is_not_known_holds_nothing_up() {
        let strict = GateRules { on_battery: OnBattery::Never, ..GateRules::default() };
        for is_local in [true, false] {
            assert_eq!(kind(&strict, &Conditions::default(), is_local), None);
            assert_eq!(kind(&GateRules::default(), &Conditions::default(), is_local), None);
        }
        let on_battery = Conditions { is_on_battery: Some(true), ..Conditions::default() };
        assert_eq!(kind(&GateRules::default(), &on_battery, false), None, "its charge is not known");
    }

    #[test]
    fn reasons_have_an_order_and_a_local_place_knows_no_network() {
        let hours = Hours::new(60, 120);
        let mut rules = GateRules { on_metered: false, on_battery: OnBattery::Never, hours };
        let mut conditions = Conditions {
            network: Network::Offline,
            is_metered: Some(true),
            is_on_battery: Some(true),
            battery_percent: Some(5),
        };
        assert_eq!(kind(&rules, &conditions, false), Some("offline"));
        assert_eq!(kind(&rules, &conditions, true), Some("battery"));
        conditions.network = Network::Online;
        assert_eq!(kind(&rules, &conditions, false), Some("metered"));
        rules.on_metered = true;
        assert_eq!(kind(&rules, &conditions, false), Some("battery"));
        rules.on_battery = OnBattery::Always;
        assert_eq!(kind(&rules, &conditions, false), Some("schedule"));
        rules.hours = None;
        assert_eq!(kind(&rules, &conditions, false), None);
    }

    #[test]
    fn the_battery_may_be_used_down_to_its_least() {
        let at = |percent| Conditions {
            is_on_battery: Some(true),
            battery_percent: Some(percent),
            ..Conditions::default()
        };
        assert_eq!(kind(&GateRules::default(), &at(20), true), None);
        assert_eq!(kind(&GateRules::default(), &at(19), true), Some("battery"));
        let charging = Conditions { is_on_battery: Some(false), ..at(3) };
        assert_eq!(kind(&GateRules::default(), &charging, true), None);
    }

    #[test]
    fn hours_may_go_over_midnight() {
        assert_eq!(Hours::new(100, 100), None);
        assert_eq!(Hours::new(DAY_MINUTES, 0), None);
        let night = Hours::new(22 * 60, 7 * 60).expect("hours");
        assert!(night.is_open(NOW, &TimeZone::UTC));
        let seven = UnixMillis(1_700_031_600_000);
        assert_eq!(night.next_change(NOW, &TimeZone::UTC), seven);
        assert!(!night.is_open(seven, &TimeZone::UTC));
        assert_eq!(night.next_change(seven, &TimeZone::UTC), UnixMillis(seven.0 + 15 * 60 * MINUTE_MS));
        let rules = GateRules { hours: Hours::new(60, 120), ..GateRules::default() };
        let reason = closed(&rules, &Conditions::default(), true, NOW, &TimeZone::UTC).expect("closed");
        assert_eq!(reason.until().map(UnixMillis::rfc3339).as_deref(), Some("2023-11-15T01:00:00Z"));
    }

    #[test]
    fn hours_follow_clocks_that_are_set_forward_and_back() {
        // Central European time without a database: the rules are in the name.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("zone");
        let at = |text: &str| UnixMillis(text.parse::<jiff::Timestamp>().expect("time").as_millisecond());
        let early = Hours::new(2 * 60 + 30, 5 * 60).expect("hours");
        // On 26 March 2023 there is no 02:30.
        let before = at("2023-03-26T00:30:00Z");
        assert!(!early.is_open(before, &zone));
        assert_eq!(early.next_change(before, &zone), at("2023-03-26T01:30:00Z"));
        assert!(early.is_open(at("2023-03-26T01:30:00Z"), &zone));
        // On 29 October 2023 there are two.
        let before = at("2023-10-29T00:00:00Z");
        assert_eq!(early.next_change(before, &zone), at("2023-10-29T00:30:00Z"));
        assert_eq!(early.next_change(at("2023-10-29T02:00:00Z"), &zone), at("2023-10-29T04:00:00Z"));
        // Every change lies after now, whatever the hour, over a year of hours.
        let mut now = at("2023-01-01T00:17:00Z");
        for _ in 0..24 * 366 {
            let next = early.next_change(now, &zone);
            assert!(next > now && next.since(now) <= std::time::Duration::from_secs(26 * 3600));
            now = UnixMillis(now.0 + 60 * MINUTE_MS);
        }
    }
}
