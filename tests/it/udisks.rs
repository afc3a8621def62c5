//! Unmounting and mounting a removable disk by a UDisks2 that this test plays on a real bus.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use safelight::platform::udisks::{Bus as Udisks, RemountError, remount};
use zbus::fdo;
use zbus::zvariant::OwnedValue;

use crate::support::bus::Bus;

const OBJECT: &str = "/org/freedesktop/UDisks2/block_devices/sdx1";

#[derive(Default)]
struct State {
    is_system: bool,
    is_busy: bool,
    mounts_at: &'static str,
    calls: Vec<&'static str>,
}

struct Block(Arc<Mutex<State>>);

#[zbus::interface(name = "org.freedesktop.UDisks2.Block")]
impl Block {
    #[zbus(property)]
    fn hint_system(&self) -> bool {
        self.0.lock().is_system
    }
}

struct FileSystem(Arc<Mutex<State>>);

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.UDisks2.Error")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    DeviceBusy(String),
}

#[zbus::interface(name = "org.freedesktop.UDisks2.Filesystem")]
impl FileSystem {
    fn unmount(&self, _options: HashMap<String, OwnedValue>) -> Result<(), Refusal> {
        let mut state = self.0.lock();
        state.calls.push("unmount");
        if state.is_busy { Err(Refusal::DeviceBusy("target is busy".to_owned())) } else { Ok(()) }
    }

    fn mount(&self, _options: HashMap<String, OwnedValue>) -> fdo::Result<String> {
        let mut state = self.0.lock();
        state.calls.push("mount");
        Ok(state.mounts_at.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removable_disk_is_unmounted_and_mounted_and_others_are_left_alone() {
    let bus = Bus::start();
    let state = Arc::<Mutex<State>>::default();
    let service = zbus::connection::Builder::address(bus.address.as_str()).expect("an address");
    let _service = service
        .serve_at(OBJECT, Block(Arc::clone(&state)))
        .and_then(|b| b.serve_at(OBJECT, FileSystem(Arc::clone(&state))))
        .and_then(|b| b.name("org.freedesktop.UDisks2"))
        .expect("a service")
        .build()
        .await
        .expect("on the bus");
    let dir = tempfile::tempdir().expect("temp");
    let mounts = dir.path().join("mountinfo");
    let table =
        "22 1 8:1 / / rw - ext4 /dev/sdy1 rw\n41 22 8:17 / /media/a/my\\040disk rw - fuseblk /dev/sdx1 rw\n";
    std::fs::write(&mounts, table).expect("written");
    let udisks = Udisks { address: Some(bus.address.clone()), mounts };
    let ask = |path: &'static str| remount(&udisks, Path::new(path));
    let set = |change: fn(&mut State)| {
        let mut state = state.lock();
        state.calls.clear();
        change(&mut state);
    };
    let calls = || state.lock().calls.clone();

    set(|state| state.mounts_at = "/media/a/my disk");
    assert_eq!(ask("/media/a/my disk/backup").await, Ok(()));
    assert_eq!(calls(), ["unmount", "mount"]);
    set(|state| state.mounts_at = "/media/a/my disk1");
    let elsewhere = ask("/media/a/my disk/backup").await;
    assert!(
        matches!(&elsewhere, Err(RemountError::NotMounted(why)) if why.contains("disk1")),
        "{elsewhere:?}"
    );
    set(|state| state.is_busy = true);
    assert_eq!(ask("/media/a/my disk/backup").await, Err(RemountError::Busy));
    assert_eq!(calls(), ["unmount"]);
    set(|state| (state.is_busy, state.is_system) = (false, true));
    assert_eq!(ask("/media/a/my disk/backup").await, Err(RemountError::Unsupported));
    assert_eq!(ask("/home/a/backup").await, Err(RemountError::Unsupported), "UDisks2 does not know it");
    assert_eq!(calls(), Vec::<&str>::new());
    let nobody = Udisks { address: Some("unix:path=/nonexistent".to_owned()), ..udisks.clone() };
    assert_eq!(remount(&nobody, Path::new("/media/a/my disk")).await, Err(RemountError::Unsupported));
}
