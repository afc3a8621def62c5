//! Network and power as a real bus tells of them, from services that this test plays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use safelight::base::waker::Waker;
use safelight::domain::gate::{Conditions, Network};
use safelight::platform::conditions::{ConditionSources, watch_conditions};
use tokio::sync::{Notify, watch};
use zbus::zvariant::Value;

use crate::support::bus::Bus;

/// A change is told within half a second; a loaded machine may take longer to pass it on.
const TOLD_WITHIN: Duration = Duration::from_secs(20);
const UPOWER: &str = "/org/freedesktop/UPower";
const BATTERY: &str = "/org/freedesktop/UPower/devices/DisplayDevice";
const NETWORK: &str = "/org/freedesktop/NetworkManager";

struct Power {
    on_battery: bool,
}

#[zbus::interface(name = "org.freedesktop.UPower")]
impl Power {
    #[zbus(property)]
    fn on_battery(&self) -> bool {
        self.on_battery
    }
}

struct Battery {
    percentage: f64,
}

#[zbus::interface(name = "org.freedesktop.UPower.Device")]
impl Battery {
    #[zbus(property)]
    fn is_present(&self) -> bool {
        true
    }
    #[zbus(property)]
    fn percentage(&self) -> f64 {
        self.percentage
    }
}

struct Manager {
    state: u32,
    metered: u32,
}

#[zbus::interface(name = "org.freedesktop.NetworkManager")]
impl Manager {
    #[zbus(property)]
    fn state(&self) -> u32 {
        self.state
    }
    #[zbus(property)]
    fn metered(&self) -> u32 {
        self.metered
    }
}

async fn until(heard: &mut watch::Receiver<Conditions>, what: &str, fits: impl Fn(&Conditions) -> bool) {
    let told = tokio::time::timeout(TOLD_WITHIN, heard.wait_for(|now| fits(now))).await;
    let is_told = matches!(told, Ok(Ok(_)));
    drop(told);
    assert!(is_told, "never {what}; last: {:?}", heard.borrow());
}

async fn say_sleep_and_waking(login: &zbus::Connection) {
    for begins in [true, false] {
        login
            .emit_signal(
                None::<&str>,
                "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager",
                "PrepareForSleep",
                &(begins,),
            )
            .await
            .expect("told");
    }
}

/// A word about the network from one who is not it.
async fn say_for_another(login: &zbus::Connection) {
    let nothing: HashMap<&str, Value<'_>> = HashMap::new();
    login
        .emit_signal(
            None::<&str>,
            NETWORK,
            "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            &("org.freedesktop.NetworkManager", nothing, ["State"].as_slice()),
        )
        .await
        .expect("sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_come_change_and_go_and_what_is_missing_is_not_known() {
    let bus = Bus::start();
    let (tell, mut heard) = watch::channel(Conditions::default());
    let origin = ConditionSources { bus_address: Some(bus.address.clone()), routes: "/nonexistent".into() };
    let slept = Arc::<Notify>::default();
    let hear = Arc::clone(&slept);
    let following = tokio::spawn(async move {
        watch_conditions(&origin, &tell, &Waker::new(move || hear.notify_one())).await
    });
    let builder = || zbus::connection::Builder::address(bus.address.as_str()).expect("an address");

    // Nobody is there yet, and it is said by nothing being known.
    let power = builder()
        .serve_at(UPOWER, Power { on_battery: true })
        .and_then(|b| b.serve_at(BATTERY, Battery { percentage: 37.9 }))
        .and_then(|b| b.name("org.freedesktop.UPower"))
        .expect("a service")
        .build()
        .await
        .expect("on the bus");
    until(&mut heard, "on battery", |now| now.is_on_battery == Some(true) && now.battery_percent == Some(37))
        .await;
    assert_eq!((heard.borrow().network, heard.borrow().is_metered), (Network::Unknown, None));

    let network = builder()
        .serve_at(NETWORK, Manager { state: 70, metered: 4 })
        .and_then(|b| b.name("org.freedesktop.NetworkManager"))
        .expect("a service")
        .build()
        .await
        .expect("on the bus");
    until(&mut heard, "online", |now| now.network == Network::Online && now.is_metered == Some(false)).await;

    // Changes are told; several at once are one reading.
    let manager = network.object_server().interface::<_, Manager>(NETWORK).await.expect("served");
    {
        let mut now = manager.get_mut().await;
        (now.state, now.metered) = (20, 1);
        now.state_changed(manager.signal_emitter()).await.expect("told");
        now.metered_changed(manager.signal_emitter()).await.expect("told");
    }
    until(&mut heard, "offline", |now| now.network == Network::Offline && now.is_metered == Some(true)).await;
    let supply = power.object_server().interface::<_, Power>(UPOWER).await.expect("served");
    {
        let mut now = supply.get_mut().await;
        now.on_battery = false;
        now.on_battery_changed(supply.signal_emitter()).await.expect("told");
    }
    until(&mut heard, "on power", |now| now.is_on_battery == Some(false)).await;

    // Going to sleep is passed on, waking is not.
    let login = builder().name("org.freedesktop.login1").expect("a name").build().await.expect("on the bus");
    say_sleep_and_waking(&login).await;
    tokio::time::timeout(TOLD_WITHIN, slept.notified()).await.expect("told of the sleep");

    // A signal from somebody else changes nothing by itself, and a service that goes is not known.
    say_for_another(&login).await;
    drop(manager);
    network.close().await.expect("gone");
    until(&mut heard, "unknown again", |now| now.network == Network::Unknown && now.is_metered.is_none())
        .await;
    assert_eq!(heard.borrow().is_on_battery, Some(false));
    drop(heard);
    let ended = tokio::time::timeout(TOLD_WITHIN, following).await.expect("it ends when nobody listens");
    ended.expect("joined").expect("without an error");
}
