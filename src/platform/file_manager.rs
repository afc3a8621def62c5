//! Showing a file in the file manager.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Shows a file in its folder, with the file selected where the file manager can do that. Returns at
/// once; the asking happens on a thread of its own.
///
/// # Errors
/// When that thread cannot be started.
pub fn show_in_folder(path: &Path) -> io::Result<()> {
    let path = path.to_path_buf();
    std::thread::Builder::new().name("show-in-folder".into()).spawn(move || {
        let shown = attempts(&path).into_iter().any(|mut attempt| {
            attempt.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            attempt.status().is_ok_and(|status| status.success())
        });
        if !shown {
            tracing::warn!("no file manager could be asked to show a file");
        }
    })?;
    Ok(())
}

/// The ways to ask, best first. The commands only hand the question on, so each ends soon.
fn attempts(path: &Path) -> Vec<Command> {
    let uri = file_uri(path);
    let mut gdbus = Command::new("gdbus");
    gdbus.args(["call", "--session", "--timeout", "5"]);
    gdbus.args(["--dest", "org.freedesktop.FileManager1", "--object-path", "/org/freedesktop/FileManager1"]);
    gdbus.args(["--method", "org.freedesktop.FileManager1.ShowItems"]);
    gdbus.arg(format!("['{uri}']")).arg("''");

    let mut dbus_send = Command::new("dbus-send");
    dbus_send.args(["--session", "--print-reply", "--reply-timeout=5000"]);
    dbus_send.args(["--dest=org.freedesktop.FileManager1", "/org/freedesktop/FileManager1"]);
    dbus_send.arg("org.freedesktop.FileManager1.ShowItems");
    dbus_send.arg(format!("array:string:{uri}")).arg("string:");

    let mut xdg_open = Command::new("xdg-open");
    xdg_open.arg(path.parent().unwrap_or(path));
    vec![gdbus, dbus_send, xdg_open]
}

/// A `file://` address in which only harmless characters stand for themselves, so that it can stand
/// between quotes and in a list.
fn file_uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn no_name_can_break_out_of_its_quotes() {
        let nasty = Path::new(OsStr::from_bytes(b"/a b/it's,%\xff\"].jpg"));
        let uri = file_uri(nasty);
        assert_eq!(uri, "file:///a%20b/it%27s%2C%25%FF%22%5D.jpg");
        let [gdbus, dbus_send, xdg_open] = &attempts(nasty)[..] else { panic!("three ways") };
        assert!(gdbus.get_args().any(|arg| arg == OsStr::new(&format!("['{uri}']"))));
        assert!(dbus_send.get_args().any(|arg| arg == OsStr::new(&format!("array:string:{uri}"))));
        assert_eq!(xdg_open.get_args().collect::<Vec<_>>(), [OsStr::new("/a b")]);
    }
}
