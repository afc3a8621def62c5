//! What the computer is like: its network, by NetworkManager, and its power, by UPower.
//!
//! Both are asked over D-Bus and speak up when something changes, so nothing is ever polled. Where
//! one of them is missing, does not answer or does not know, the answer is "not known", which holds
//! no work up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, MatchRule, MessageStream};

use crate::base::waker::Waker;
use crate::domain::gate::{Conditions, Network};

const UPOWER: &str = "org.freedesktop.UPower";
const UPOWER_PATH: &str = "/org/freedesktop/UPower";
const BATTERY: &str = "org.freedesktop.UPower.Device";
/// What UPower makes of all batteries together.
const BATTERY_PATH: &str = "/org/freedesktop/UPower/devices/DisplayDevice";
const NETWORK: &str = "org.freedesktop.NetworkManager";
const NETWORK_PATH: &str = "/org/freedesktop/NetworkManager";

const LOGIN: &str = "org.freedesktop.login1";
const LOGIN_PATH: &str = "/org/freedesktop/login1";
const LOGIN_MANAGER: &str = "org.freedesktop.login1.Manager";

/// `NMState`: this and above is some connection, if only a local one.
const NM_STATE_CONNECTED_LOCAL: u32 = 50;
/// `NMMetered`: said to be, and guessed to be.
const NM_METERED: [u32; 2] = [1, 3];
/// `NMMetered`: said not to be, and guessed not to be.
const NM_NOT_METERED: [u32; 2] = [2, 4];

/// Changes come in bursts, and routes go a moment after the word that they will.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// A service that takes longer to answer counts as missing.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Signals that may wait for this task.
const SIGNALS_WAITING_MAX: usize = 64;

/// Where the readings come from.
#[derive(Debug, Clone)]
pub struct ConditionSources {
    /// The bus of both services; the system's where there is none.
    pub bus_address: Option<String>,
    /// The kernel's table of routes, `/proc/net/route`, for networks that NetworkManager does not
    /// look after.
    pub routes: PathBuf,
}

impl Default for ConditionSources {
    fn default() -> Self {
        Self { bus_address: None, routes: PathBuf::from("/proc/net/route") }
    }
}

/// The conditions of this computer and every change of them, for as long as the receiver lives. It
/// begins with nothing known. Outside an async runtime it stays so. `sleeping` is called when the
/// computer is about to sleep.
pub fn watch(sleeping: Waker) -> watch::Receiver<Conditions> {
    let (tell, heard) = watch::channel(Conditions::default());
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            if let Err(error) = watch_conditions(&ConditionSources::default(), &tell, &sleeping).await {
                tracing::info!(%error, "network and power are not known");
            }
        });
    }
    heard
}

/// Tells the conditions now and whenever they change, until nobody listens or the bus is gone.
///
/// # Errors
/// When the bus cannot be reached or used.
pub async fn watch_conditions(
    origin: &ConditionSources,
    tell: &watch::Sender<Conditions>,
    sleeping: &Waker,
) -> zbus::Result<()> {
    let connection = match &origin.bus_address {
        None => Connection::system().await?,
        Some(address) => zbus::connection::Builder::address(address.as_str())?.build().await?,
    };
    let mut streams = Vec::new();
    for rule in rules()? {
        streams.push(MessageStream::for_match_rule(rule, &connection, Some(SIGNALS_WAITING_MAX)).await?);
    }
    let mut signals = futures_util::stream::select_all(streams);
    let mut sleeps =
        MessageStream::for_match_rule(sleep_rule()?, &connection, Some(SIGNALS_WAITING_MAX)).await?;
    loop {
        let conditions = read(&connection, &origin.routes).await;
        tell.send_if_modified(|last| std::mem::replace(last, conditions) != conditions);
        loop {
            tokio::select! {
                signal = signals.next() => if signal.is_some() { break } else { return Ok(()) },
                Some(Ok(signal)) = sleeps.next() => {
                    // It says the same, with another word, when it is awake again.
                    if signal.body().deserialize() == Ok(true) {
                        sleeping.wake();
                    }
                }
                () = tell.closed() => return Ok(()),
            }
        }
        tokio::time::sleep(SETTLED_AFTER).await;
        // What came meanwhile is answered by the same reading.
        while futures_util::FutureExt::now_or_never(signals.next()).flatten().is_some() {}
    }
}

fn sleep_rule() -> zbus::Result<MatchRule<'static>> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender(LOGIN)?
        .path(LOGIN_PATH)?
        .interface(LOGIN_MANAGER)?
        .member("PrepareForSleep")?;
    Ok(rule.build())
}

/// What is listened for: properties that change, and services that come and go.
fn rules() -> zbus::Result<Vec<MatchRule<'static>>> {
    let signal = || MatchRule::builder().msg_type(zbus::message::Type::Signal);
    let mut rules = Vec::new();
    for (service, path) in [(UPOWER, UPOWER_PATH), (UPOWER, BATTERY_PATH), (NETWORK, NETWORK_PATH)] {
        let changed = signal()
            .sender(service)?
            .path(path)?
            .interface("org.freedesktop.DBus.Properties")?
            .member("PropertiesChanged")?;
        rules.push(changed.build());
    }
    for service in [UPOWER, NETWORK] {
        let owner = signal()
            .sender("org.freedesktop.DBus")?
            .interface("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .arg(0, service)?;
        rules.push(owner.build());
    }
    Ok(rules)
}

async fn read(connection: &Connection, routes: &Path) -> Conditions {
    let get = |service, path, interface, name| property(connection, service, path, interface, name);
    let on_battery = get(UPOWER, UPOWER_PATH, UPOWER, "OnBattery").await;
    let has_battery = get(UPOWER, BATTERY_PATH, BATTERY, "IsPresent").await;
    let percent = get(UPOWER, BATTERY_PATH, BATTERY, "Percentage").await;
    let state = get(NETWORK, NETWORK_PATH, NETWORK, "State").await;
    let metered = get(NETWORK, NETWORK_PATH, NETWORK, "Metered").await;
    let has_battery = has_battery.and_then(|value| bool::try_from(value).ok()).unwrap_or(false);
    Conditions {
        network: network(state.and_then(|value| u32::try_from(value).ok()), || has_route(routes)),
        is_metered: metered.and_then(|value| u32::try_from(value).ok()).and_then(is_metered),
        is_on_battery: on_battery.and_then(|value| bool::try_from(value).ok()),
        battery_percent: percent
            .filter(|_| has_battery)
            .and_then(|value| f64::try_from(value).ok())
            .and_then(whole_percent),
    }
}

/// One property; `None` if the service, the property or the answer is missing.
async fn property(
    connection: &Connection,
    service: &str,
    path: &str,
    interface: &str,
    name: &str,
) -> Option<OwnedValue> {
    let what = (interface, name);
    let call =
        connection.call_method(Some(service), path, Some("org.freedesktop.DBus.Properties"), "Get", &what);
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(Ok(answer)) => answer.body().deserialize().ok(),
        Ok(Err(error)) => {
            tracing::debug!(%error, service, name, "a condition is not known");
            None
        }
        Err(_late) => {
            tracing::debug!(service, name, "a service did not answer");
            None
        }
    }
}

/// NetworkManager knows only the connections that it looks after; a way out of the computer that it
/// does not know of is a network all the same.
fn network(state: Option<u32>, has_route: impl FnOnce() -> bool) -> Network {
    match state {
        None | Some(0) => Network::Unknown,
        Some(state) if state >= NM_STATE_CONNECTED_LOCAL => Network::Online,
        Some(_) if has_route() => Network::Online,
        Some(_) => Network::Offline,
    }
}

fn is_metered(value: u32) -> Option<bool> {
    if NM_METERED.contains(&value) { Some(true) } else { NM_NOT_METERED.contains(&value).then_some(false) }
}

/// A share as it is shown: rounded down, so that it is not more than there is.
fn whole_percent(percent: f64) -> Option<u8> {
    (0..=100_u8).rev().find(|whole| f64::from(*whole) <= percent)
}

/// Whether there is a default route in a table of the form of `/proc/net/route`.
fn has_route(routes: &Path) -> bool {
    let text = std::fs::read_to_string(routes).unwrap_or_default();
    // Columns: interface, destination, gateway, flags, and more that do not matter.
    text.lines().skip(1).any(|line| line.split_ascii_whitespace().nth(1) == Some("00000000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_network_manager_means_them() {
        let of = |state, route: bool| network(state, || route);
        assert_eq!(of(None, true), Network::Unknown);
        assert_eq!(of(Some(0), false), Network::Unknown);
        for state in [10, 20, 30, 40] {
            assert_eq!(of(Some(state), false), Network::Offline);
            assert_eq!(of(Some(state), true), Network::Online, "somebody else looks after it");
        }
        assert_eq!(of(Some(50), false), Network::Online);
        assert_eq!(of(Some(70), false), Network::Online);
        assert_eq!(
            [0, 1, 2, 3, 4, 9].map(is_metered),
            [None, Some(true), Some(false), Some(true), Some(false), None]
        );
        assert_eq!(
            [19.99, 20.0, 100.0, 250.0].map(whole_percent),
            [Some(19), Some(20), Some(100), Some(100)]
        );
        assert_eq!(whole_percent(-1.0), None);
        assert_eq!(whole_percent(f64::NAN), None);
    }

    #[test]
    fn a_default_route_is_seen() {
        let dir = tempfile::tempdir().expect("dir");
        let table = dir.path().join("route");
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
        std::fs::write(&table, format!("{head}eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"))
            .expect("write");
        assert!(!has_route(&table));
        std::fs::write(&table, format!("{head}eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n"))
            .expect("write");
        assert!(has_route(&table));
        assert!(!has_route(&dir.path().join("none")));
    }

    #[tokio::test]
    async fn without_a_bus_nothing_is_known_and_nothing_fails() {
        let origin = ConditionSources {
            bus_address: Some("unix:path=/nonexistent/bus".to_owned()),
            ..ConditionSources::default()
        };
        let (tell, heard) = watch::channel(Conditions::default());
        assert!(watch_conditions(&origin, &tell, &Waker::none()).await.is_err());
        assert_eq!(*heard.borrow(), Conditions::default());
    }
}
