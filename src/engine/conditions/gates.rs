//! When the engine may work at a destination: what the computer is like and what the person allows.
//!
//! A gate that was open stays open for a moment when conditions change for the worse, because many
//! such changes take themselves back; it opens at once. What is not known closes no gate.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::gate::{self, Conditions, GateRules, Network};
use crate::domain::target::DestinationKind;
use crate::domain::wait::WaitReason;
use crate::engine::context::ClockReading;
use crate::store::DestinationRow;

/// How long a gate that was open stays open when the conditions no longer allow work.
pub(crate) const GATE_GRACE: Duration = Duration::from_secs(10);

/// One gate.
#[derive(Debug, Default)]
struct Gate {
    /// Why it is closed or is about to close, and since or from when.
    closes: Option<(WaitReason, Instant)>,
}

impl Gate {
    fn set(&mut self, reason: Option<WaitReason>, now: Instant, grace: Duration) {
        let at = self.closes.take().map(|(_, at)| at);
        self.closes = reason.map(|reason| {
            // The person knows the hours; nothing about them comes and goes.
            let grace = if matches!(reason, WaitReason::Schedule { .. }) { Duration::ZERO } else { grace };
            let at = at.map_or(now + grace, |at| at.min(now + grace));
            (reason, at)
        });
    }

    fn closed(&self, now: Instant) -> Option<&WaitReason> {
        self.closes.as_ref().filter(|(_, at)| *at <= now).map(|(reason, _)| reason)
    }
}

/// The gates of all destinations. Those on this computer share one, as no network concerns them.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    rules: GateRules,
    conditions: Conditions,
    local: Gate,
    network: Gate,
}

impl Gates {
    /// What is so from the start is no change for the worse.
    pub fn new(rules: GateRules, conditions: Conditions, clocks: &ClockReading) -> Self {
        let mut gates = Self { rules, conditions, ..Self::default() };
        gates.decide(clocks, Duration::ZERO);
        gates
    }

    pub fn rules(&self) -> GateRules {
        self.rules
    }

    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// Looks at the clock: hours begin and end, and a grace runs out.
    pub fn update(&mut self, clocks: &ClockReading) {
        self.decide(clocks, GATE_GRACE);
    }

    /// The person's word holds at once.
    pub fn set_rules(&mut self, rules: GateRules, clocks: &ClockReading) {
        self.rules = rules;
        self.decide(clocks, Duration::ZERO);
    }

    /// Takes new conditions. Says whether there is a network again after there was none.
    pub fn set_conditions(&mut self, conditions: Conditions, clocks: &ClockReading) -> bool {
        // What is heard for the first time was so before; nothing changed for the worse.
        let is_first = self.conditions == Conditions::default();
        let was_offline = self.conditions.network == Network::Offline;
        self.conditions = conditions;
        self.decide(clocks, if is_first { Duration::ZERO } else { GATE_GRACE });
        was_offline && conditions.network != Network::Offline
    }

    fn decide(&mut self, clocks: &ClockReading, grace: Duration) {
        for (gate, is_local) in [(&mut self.local, true), (&mut self.network, false)] {
            let ClockReading { now, wall, zone } = clocks;
            let reason = gate::closed(&self.rules, &self.conditions, is_local, *wall, zone);
            gate.set(reason, *now, grace);
        }
    }

    /// Why nothing may be done at destinations that are on this computer, or that are not.
    pub fn closed(&self, is_local: bool, now: Instant) -> Option<&WaitReason> {
        if is_local { self.local.closed(now) } else { self.network.closed(now) }
    }

    /// When to look again although nothing was heard.
    pub fn next_update(&self, clocks: &ClockReading) -> Option<Instant> {
        let ClockReading { now, wall, zone } = clocks;
        let closing = [&self.local, &self.network].map(|gate| gate.closes.as_ref().map(|(_, at)| *at));
        let closing = closing.into_iter().flatten().filter(|at| at > now);
        let hours = self.rules.hours.map(|hours| *now + hours.next_change(*wall, zone).since(*wall));
        closing.chain(hours).min()
    }
}

/// Whether a destination is on this computer: a folder, or a server that only this computer has. A
/// folder that comes from another computer counts as a folder.
pub(crate) fn is_local(row: &DestinationRow) -> bool {
    if row.kind == DestinationKind::Folder {
        return true;
    }
    let Some(url) = std::str::from_utf8(&row.address).ok().and_then(|text| url::Url::parse(text).ok()) else {
        return false;
    };
    if row.kind == DestinationKind::S3 {
        let endpoint = url.query_pairs().find(|(name, _)| name == "endpoint");
        return endpoint.and_then(|(_, url)| url::Url::parse(&url).ok()).is_some_and(|url| is_loopback(&url));
    }
    is_loopback(&url)
}

fn is_loopback(url: &url::Url) -> bool {
    // The host of a scheme that is not the web's is not parsed as an address.
    match url.host_str().map(url::Host::parse) {
        Some(Ok(url::Host::Domain(name))) => name == "localhost",
        Some(Ok(url::Host::Ipv4(ip))) => ip.is_loopback(),
        Some(Ok(url::Host::Ipv6(ip))) => ip.is_loopback(),
        Some(Err(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::gate::Hours;
    use crate::domain::time::UnixMillis;

    fn clocks(wall: i64) -> ClockReading {
        ClockReading { now: Instant::now(), wall: UnixMillis(wall), zone: TimeZone::UTC }
    }

    const METERED: Conditions = Conditions {
        network: Network::Online,
        is_metered: Some(true),
        is_on_battery: None,
        battery_percent: None,
    };

    #[tokio::test(start_paused = true)]
    async fn a_gate_closes_after_its_grace_and_opens_at_once() {
        let free = Conditions { is_metered: Some(false), ..METERED };
        let mut gates = Gates::new(GateRules::default(), free, &clocks(0));
        gates.set_conditions(METERED, &clocks(0));
        assert_eq!(gates.closed(false, Instant::now()), None);
        assert_eq!(gates.next_update(&clocks(0)), Some(Instant::now() + GATE_GRACE));
        tokio::time::advance(GATE_GRACE / 2).await;
        // Looking, or hearing it once more, does not begin the grace again.
        gates.update(&clocks(0));
        gates.set_conditions(METERED, &clocks(0));
        tokio::time::advance(GATE_GRACE / 2).await;
        assert_eq!(gates.closed(false, Instant::now()), Some(&WaitReason::Metered));
        assert_eq!(gates.closed(true, Instant::now()), None);
        assert_eq!(gates.next_update(&clocks(0)), None);
        gates.set_conditions(free, &clocks(0));
        assert_eq!(gates.closed(false, Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_grace_for_what_is_heard_first_said_by_the_person_or_due() {
        let mut gates = Gates::default();
        gates.set_conditions(METERED, &clocks(0));
        assert_eq!(gates.closed(false, Instant::now()), Some(&WaitReason::Metered));
        gates.set_rules(GateRules { on_metered: true, ..GateRules::default() }, &clocks(0));
        assert_eq!(gates.closed(false, Instant::now()), None);
        gates.set_rules(GateRules::default(), &clocks(0));
        assert_eq!(gates.closed(false, Instant::now()), Some(&WaitReason::Metered));
        let hours = GateRules { hours: Hours::new(0, 60), on_metered: true, ..GateRules::default() };
        gates.set_rules(hours, &clocks(0));
        assert_eq!(gates.next_update(&clocks(0)), Some(Instant::now() + Duration::from_secs(3600)));
        gates.update(&clocks(3_600_000));
        let until = UnixMillis(24 * 3_600_000);
        assert_eq!(gates.closed(true, Instant::now()), Some(&WaitReason::Schedule { until }));
    }

    #[test]
    fn a_server_on_this_computer_needs_no_network() {
        let is_local = |text: &str| url::Url::parse(text).is_ok_and(|url| is_loopback(&url));
        for here in ["http://127.0.0.1:9000/", "https://localhost/", "webdav+http://a@[::1]:80/x"] {
            assert!(is_local(here), "{here}");
        }
        for there in [
            "https://photos.example/",
            "webdav+http://192.168.1.2/",
            "https://127.example/",
            "https://localhost.example/",
        ] {
            assert!(!is_local(there), "{there}");
        }
    }
}
