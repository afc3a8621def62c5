//! The dialogs that pick a folder or a file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the window says where no dialog can be shown.
pub const NO_DIALOG: &str = "No folder dialog can be shown here. Enter the folder's path instead";

/// The same where a file is wanted.
pub const NO_FILE_DIALOG: &str = "No file dialog can be shown here. Enter the file's path instead";

/// No person cancels a dialog faster than this: an answer that fast means that none was shown.
const FASTEST_CANCEL: Duration = Duration::from_millis(200);

/// Opens the folder dialog on a thread of its own and gives `done` what was picked: nothing when the
/// person cancelled, an error sentence when no dialog could be shown.
///
/// # Errors
/// When that thread cannot be started; `done` is then never called.
pub fn pick_folder(
    title: &str,
    done: impl FnOnce(Result<Option<PathBuf>, String>) + Send + 'static,
) -> io::Result<()> {
    let title = title.to_owned();
    open(move || rfd::FileDialog::new().set_title(&title).pick_folder(), NO_DIALOG, done)
}

/// [`pick_folder`] for a file.
///
/// # Errors
/// When its thread cannot be started; `done` is then never called.
pub fn pick_file(
    title: &str,
    done: impl FnOnce(Result<Option<PathBuf>, String>) + Send + 'static,
) -> io::Result<()> {
    let title = title.to_owned();
    open(move || rfd::FileDialog::new().set_title(&title).pick_file(), NO_FILE_DIALOG, done)
}

fn open(
    pick: impl FnOnce() -> Option<PathBuf> + Send + 'static,
    refusal: &'static str,
    done: impl FnOnce(Result<Option<PathBuf>, String>) + Send + 'static,
) -> io::Result<()> {
    std::thread::Builder::new().name("file-dialog".into()).spawn(move || {
        let has_zenity = is_in_path("zenity", std::env::var_os("PATH"));
        if !has_zenity && !has_portal() {
            done(Err(refusal.to_owned()));
            return;
        }
        let opened = Instant::now();
        let picked = pick();
        // The dialog's library gives the same nothing for a cancel and for a portal that failed.
        if picked.is_none() && opened.elapsed() < FASTEST_CANCEL {
            done(Err(refusal.to_owned()));
        } else {
            done(Ok(picked));
        }
    })?;
    Ok(())
}

/// Whether a desktop portal that picks files is installed and there is a session to ask it in.
fn has_portal() -> bool {
    let has_session = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|dir| Path::new(&dir).join("bus").exists());
    let data_dirs = std::env::var_os("XDG_DATA_DIRS").filter(|dirs| !dirs.is_empty());
    let data_dirs = data_dirs.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    has_session && std::env::split_paths(&data_dirs).any(|dir| offers_file_chooser(&dir))
}

fn offers_file_chooser(data_dir: &Path) -> bool {
    let Ok(portals) = std::fs::read_dir(data_dir.join("xdg-desktop-portal/portals")) else {
        return false;
    };
    portals.filter_map(Result::ok).any(|portal| {
        std::fs::read_to_string(portal.path())
            .is_ok_and(|text| text.contains("org.freedesktop.impl.portal.FileChooser"))
    })
}

fn is_in_path(program: &str, path: Option<std::ffi::OsString>) -> bool {
    path.is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_counts_only_if_it_picks_files() {
        let dir = tempfile::tempdir().expect("temp");
        assert!(!offers_file_chooser(dir.path()));
        let portals = dir.path().join("xdg-desktop-portal/portals");
        std::fs::create_dir_all(&portals).expect("dir");
        std::fs::write(portals.join("a.portal"), "Interfaces=org.freedesktop.impl.portal.Settings\n")
            .expect("file");
        assert!(!offers_file_chooser(dir.path()));
        std::fs::write(
            portals.join("b.portal"),
            "[portal]\nInterfaces=org.freedesktop.impl.portal.Access;org.freedesktop.impl.portal.FileChooser\n",
        )
        .expect("file");
        assert!(offers_file_chooser(dir.path()));
    }

    #[test]
    fn programs_are_looked_for_where_the_path_says() {
        let dir = tempfile::tempdir().expect("temp");
        std::fs::write(dir.path().join("zenity"), b"").expect("file");
        let path = std::env::join_paths([Path::new("/nowhere"), dir.path()]).expect("path");
        assert!(is_in_path("zenity", Some(path.clone())));
        assert!(!is_in_path("kdialog", Some(path)));
        assert!(!is_in_path("zenity", None));
    }
}
