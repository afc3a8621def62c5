//! Unmounting a removable disk and mounting it again, by UDisks2 over D-Bus.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, Message};

use crate::base::mounts::{MOUNT_LIST, MountList};

const SERVICE: &str = "org.freedesktop.UDisks2";
const BLOCK: &str = "org.freedesktop.UDisks2.Block";
const FILE_SYSTEM: &str = "org.freedesktop.UDisks2.Filesystem";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BLOCK_DEVICES: &str = "/org/freedesktop/UDisks2/block_devices";
/// Unmounting writes out what waits, and the person may be asked for a password.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Where UDisks2 is asked, and what the system says of mounts.
#[derive(Debug, Clone)]
pub struct Bus {
    /// The bus's address; the system's where there is none.
    pub address: Option<String>,
    /// The kernel's list of mounts.
    pub mounts: PathBuf,
}

impl Default for Bus {
    fn default() -> Self {
        Self { address: None, mounts: PathBuf::from(MOUNT_LIST) }
    }
}

/// Why a disk was not unmounted and mounted again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemountError {
    /// It is no removable disk that UDisks2 looks after, or there is no UDisks2.
    #[error("not a removable disk")]
    Unsupported,
    /// Something is open on it.
    #[error("the disk is in use")]
    Busy,
    /// This user may not.
    #[error("not allowed")]
    NotAllowed,
    /// It was unmounted, and is not where it was.
    #[error("not mounted again: {0}")]
    NotMounted(String),
    /// Any other error.
    #[error("{0}")]
    Other(String),
}

/// Unmounts the removable disk that `path` is on and mounts it again at the same place. Disks of the
/// system, and those that UDisks2 does not know, are left alone.
///
/// # Errors
/// Why that was not done, or only half.
pub async fn remount(bus: &Bus, path: &Path) -> Result<(), RemountError> {
    let mounts = MountList::read_from(&bus.mounts).map_err(|_none| RemountError::Unsupported)?;
    let mount = mounts.containing(path).ok_or(RemountError::Unsupported)?;
    let device = Some(&mount.source).filter(|source| source.starts_with("/dev/"));
    let device = device.ok_or(RemountError::Unsupported)?;
    // A mapped device has a name of its own, and the kernel's behind it.
    let device = std::fs::canonicalize(device).unwrap_or_else(|_none| PathBuf::from(device));
    let device = device.to_string_lossy();
    let name = device.strip_prefix("/dev/").ok_or(RemountError::Unsupported)?;
    let object = format!("{BLOCK_DEVICES}/{}", object_name(name));
    let connection = match &bus.address {
        None => Connection::system().await,
        Some(address) => match zbus::connection::Builder::address(address.as_str()) {
            Ok(builder) => builder.build().await,
            Err(error) => Err(error),
        },
    };
    let connection = connection.map_err(|_none| RemountError::Unsupported)?;
    if !is_removable(&connection, &object).await? {
        return Err(RemountError::Unsupported);
    }
    let options = HashMap::<&str, Value<'_>>::new();
    let call = |member: &'static str| ask(&connection, &object, FILE_SYSTEM, member, (&options,));
    call("Unmount").await.map_err(|error| remount_error(&error))?;
    let mounted = call("Mount").await.map_err(|error| RemountError::NotMounted(error.to_string()))?;
    let at: String = mounted.body().deserialize().unwrap_or_default();
    if Path::new(&at) == mount.point {
        Ok(())
    } else {
        Err(RemountError::NotMounted(format!("it is at {at} now")))
    }
}

/// Whether it is a disk that people plug in and out, as UDisks2 sees it.
async fn is_removable(connection: &Connection, object: &str) -> Result<bool, RemountError> {
    let answer = ask(connection, object, PROPERTIES, "Get", (BLOCK, "HintSystem")).await;
    let answer = answer.map_err(|_unknown| RemountError::Unsupported)?;
    let value: OwnedValue = answer.body().deserialize().map_err(|_other| RemountError::Unsupported)?;
    bool::try_from(value).map(|is_system| !is_system).map_err(|_other| RemountError::Unsupported)
}

async fn ask<B>(
    connection: &Connection,
    object: &str,
    interface: &str,
    member: &str,
    body: B,
) -> zbus::Result<Message>
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    let call = connection.call_method(Some(SERVICE), object, Some(interface), member, &body);
    let late = |_late| zbus::Error::Failure("no answer".to_owned());
    tokio::time::timeout(ANSWER_WITHIN, call).await.map_err(late)?
}

/// What an error of UDisks2 means.
fn remount_error(error: &zbus::Error) -> RemountError {
    let zbus::Error::MethodError(name, ..) = error else { return RemountError::Other(error.to_string()) };
    match name.as_str().rsplit('.').next().unwrap_or_default() {
        "DeviceBusy" => RemountError::Busy,
        "NotAuthorized" | "NotAuthorizedCanObtain" | "NotAuthorizedDismissed" => RemountError::NotAllowed,
        "UnknownMethod" | "UnknownObject" | "ServiceUnknown" | "NotMounted" => RemountError::Unsupported,
        _ => RemountError::Other(error.to_string()),
    }
}

/// A device's name as UDisks2 spells it in a path: what is no letter or digit as `_` and two digits.
fn object_name(device: &str) -> String {
    let spell = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("_{other:02x}"),
    };
    device.bytes().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_spelled_as_udisks_does() {
        assert_eq!(object_name("sdb1"), "sdb1");
        assert_eq!(object_name("mapper/luks-0a"), "mapper_2fluks_2d0a");
    }
}
