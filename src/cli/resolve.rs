//! From what was typed to what is meant: absolute paths, destinations by name or place.

use crate::domain::format::capitalize;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::exit::{CliError, Exit};
use super::words::path_text;
use crate::api::{DestinationState, PathText, Snapshot, SourceState};
use crate::base::files::{path_bytes, path_from_bytes};
use crate::domain::target::{DestinationKind, Target};

/// The path from the root. Links are kept as they were typed; only `..` is resolved, for what it
/// means depends on them.
///
/// # Errors
/// When the path is empty or the current folder has gone.
pub fn absolute(given: &Path) -> Result<PathBuf, CliError> {
    let bad = |reason: std::io::Error| {
        CliError::new(Exit::Usage, format!("The path {} cannot be used: {reason}", given.display()))
    };
    let path = std::path::absolute(given).map_err(bad)?;
    let goes_up = path.components().any(|part| part == Component::ParentDir);
    let path = if goes_up { path.canonicalize().unwrap_or(path) } else { path };
    // Going through the parts also takes the slash from the end.
    Ok(path.components().collect())
}

/// A folder to back up, looked at before anything is asked of the engine.
///
/// # Errors
/// `Source` when it is not there or cannot be listed, `Usage` when it is a file.
pub fn source_folder(given: &Path) -> Result<PathBuf, CliError> {
    let path = absolute(given)?;
    let shown = path.display();
    let meta = match std::fs::metadata(&path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CliError::new(Exit::Source, format!("There is no folder {shown}"))
                .advise("Check the path; if it is on a disk, connect it"));
        }
        Err(error) => {
            return Err(CliError::new(Exit::Source, format!("The folder {shown} cannot be read: {error}")));
        }
    };
    if !meta.is_dir() {
        return Err(
            CliError::new(Exit::Usage, format!("{shown} is a file")).advise("Use the folder it is in")
        );
    }
    if let Err(error) = std::fs::read_dir(&path) {
        return Err(CliError::new(Exit::Source, format!("The folder {shown} cannot be read: {error}"))
            .advise("Check that you have permission to open it"));
    }
    Ok(path)
}

/// A destination as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationArg {
    /// A saved one, by its id.
    Saved(i64),
    /// One that is not saved: its absolute path or URL.
    New(PathText),
}

/// Finds out which destination is meant.
///
/// # Errors
/// `Usage` when it cannot be one.
pub fn destination(given: &OsStr, snapshot: &Snapshot) -> Result<DestinationArg, CliError> {
    let bytes = path_bytes(Path::new(given));
    let target = Target::parse(&bytes).map_err(|bad| {
        CliError::new(Exit::Usage, capitalize(&bad.to_string()))
            .advise("Give a folder's path, a file:// address or the name of a saved destination")
    })?;
    let folder = match target {
        Target::NameOrPath(name) => {
            if let Some(saved) = snapshot.destinations.iter().find(|saved| saved.name == name) {
                return Ok(DestinationArg::Saved(saved.id));
            }
            PathBuf::from(name)
        }
        Target::Folder(path) => path_from_bytes(&path),
        Target::Url { url, .. } => {
            let saved = snapshot.destinations.iter().find(|saved| saved.url == url);
            return Ok(saved.map_or_else(
                || DestinationArg::New(PathText { path: url, path_b64: None }),
                |saved| DestinationArg::Saved(saved.id),
            ));
        }
    };
    let text = path_text(&absolute(&folder)?);
    let saved = snapshot.destinations.iter().find(|saved| is_folder_at(saved, &text));
    Ok(saved.map_or(DestinationArg::New(text), |saved| DestinationArg::Saved(saved.id)))
}

/// A destination that must be saved already.
///
/// # Errors
/// `Usage` when it is not.
pub fn saved_destination<'a>(
    given: &OsStr,
    snapshot: &'a Snapshot,
) -> Result<&'a DestinationState, CliError> {
    let saved = match destination(given, snapshot)? {
        DestinationArg::Saved(id) => snapshot.destinations.iter().find(|saved| saved.id == id),
        DestinationArg::New(_) => None,
    };
    saved.ok_or_else(|| {
        let names: Vec<&str> = snapshot.destinations.iter().map(|saved| saved.name.as_str()).collect();
        let advice = match &names[..] {
            [] => "Add one first: safelight destination add DEST".to_owned(),
            names => format!("Saved destinations: {}", names.join(", ")),
        };
        CliError::new(Exit::Usage, format!("There is no saved destination {}", given.display()))
            .advise(advice)
    })
}

/// A source that must be known already.
///
/// # Errors
/// `Usage` when it is not.
pub fn known_source<'a>(given: &Path, snapshot: &'a Snapshot) -> Result<&'a SourceState, CliError> {
    let path = absolute(given)?;
    let text = path_text(&path);
    snapshot.sources.iter().find(|source| source.path == text).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("{} is not one of your photo folders", path.display()))
            .advise("To see them: safelight source list")
    })
}

fn is_folder_at(saved: &DestinationState, text: &PathText) -> bool {
    if saved.kind != DestinationKind::Folder.as_str() {
        return false;
    }
    let address = match Target::parse(saved.url.as_bytes()) {
        Ok(Target::Folder(path)) => String::from_utf8_lossy(&path).into_owned(),
        _other => saved.url.clone(),
    };
    address.trim_end_matches('/') == text.path.trim_end_matches('/')
}

/// Whether a folder to back up and a backup folder would swallow one another.
///
/// # Errors
/// `Usage` with the reason.
pub fn refuse_overlap(
    sources: &[PathBuf],
    dest: &DestinationArg,
    snapshot: &Snapshot,
) -> Result<(), CliError> {
    let text = match dest {
        DestinationArg::New(text) => text.clone(),
        DestinationArg::Saved(id) => {
            match snapshot.destinations.iter().find(|saved| saved.id == *id && saved.kind == "folder") {
                Some(saved) => PathText { path: saved.url.clone(), path_b64: None },
                None => return Ok(()),
            }
        }
    };
    let Some(bytes) = text.to_bytes().filter(|bytes| bytes.starts_with(b"/")) else { return Ok(()) };
    let dest = real_place(&path_from_bytes(&bytes));
    for source in sources {
        let real = real_place(source);
        let (photos, backup) = (source.display(), dest.display());
        let reason = if real == dest {
            format!("{photos} cannot be its own backup")
        } else if dest.starts_with(&real) {
            format!("The backup folder {backup} is inside the photo folder {photos}")
        } else if real.starts_with(&dest) {
            format!("The photo folder {photos} is inside the backup folder {backup}")
        } else {
            continue;
        };
        return Err(
            CliError::new(Exit::Usage, reason).advise("Choose folders that do not contain each other")
        );
    }
    Ok(())
}

/// Where a path really leads, as far as it exists.
fn real_place(path: &Path) -> PathBuf {
    for (depth, known) in path.ancestors().enumerate() {
        if let Ok(real) = known.canonicalize() {
            let rest: Vec<Component<'_>> = path.components().rev().take(depth).collect();
            return rest.into_iter().rev().fold(real, |real, part| real.join(part));
        }
    }
    path.to_path_buf()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;
    use crate::api::SourceCondition;

    fn snapshot() -> Snapshot {
        let saved = |id, name: &str, kind: &str, url: &str| DestinationState {
            id,
            name: name.into(),
            kind: kind.into(),
            url: url.into(),
            ..DestinationState::default()
        };
        Snapshot {
            destinations: vec![
                saved(1, "disk", "folder", "/mnt/disk"),
                saved(2, "other", "folder", "file:///mnt/with%20space"),
                saved(3, "cloud", "immich", "immich+https://photos.example"),
            ],
            sources: vec![SourceState {
                id: 9,
                path: path_text(Path::new("/photos")),
                state: SourceCondition::Watching,
                found: 3,
                scanned: 0,
                note: None,
                unreadable_folders: 0,
                unreadable: Vec::new(),
            }],
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_destination_is_a_url_a_name_or_a_path() {
        let snapshot = snapshot();
        let find = |text: &str| destination(OsStr::new(text), &snapshot).expect("destination");
        assert_eq!(find("disk"), DestinationArg::Saved(1));
        assert_eq!(find("/mnt/disk"), DestinationArg::Saved(1));
        assert_eq!(find("/mnt/./disk/"), DestinationArg::Saved(1));
        assert_eq!(find("file:///mnt/disk"), DestinationArg::Saved(1));
        assert_eq!(find("/mnt/with space"), DestinationArg::Saved(2));
        assert_eq!(find("immich+https://photos.example"), DestinationArg::Saved(3));
        let here = std::env::current_dir().expect("here");
        assert_eq!(find("./disk"), DestinationArg::New(path_text(&here.join("disk"))));
        assert_eq!(find("Disk"), DestinationArg::New(path_text(&here.join("Disk"))));
        assert_eq!(find("usb"), DestinationArg::New(path_text(&here.join("usb"))));
        let odd = destination(OsStr::from_bytes(b"/mnt/\xff"), &snapshot).expect("bytes");
        assert_eq!(odd, DestinationArg::New(PathText::from_bytes(b"/mnt/\xff")));
        let error = destination(OsStr::new("gopher://x"), &snapshot).expect_err("unknown");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.starts_with("Safelight does not know"), "{}", error.message);

        let error = saved_destination(OsStr::new("usb"), &snapshot).expect_err("not saved");
        assert_eq!(error.advice.as_deref(), Some("Saved destinations: disk, other, cloud"));
        assert_eq!(known_source(Path::new("/photos/"), &snapshot).expect("known").id, 9);
        assert_eq!(known_source(Path::new("/other"), &snapshot).expect_err("unknown").exit, Exit::Usage);
    }

    #[test]
    fn a_source_is_a_folder_that_can_be_listed() {
        let dir = tempfile::tempdir().expect("temp");
        let root = dir.path().canonicalize().expect("root");
        let exit = |path: &Path| source_folder(path).map_err(|error| error.exit);
        assert_eq!(exit(&root), Ok(root.clone()));
        assert_eq!(exit(&root.join("none")), Err(Exit::Source));
        std::fs::write(root.join("file"), b"").expect("file");
        assert_eq!(exit(&root.join("file")), Err(Exit::Usage));
        let odd = root.join(OsStr::from_bytes(b"\xff"));
        std::fs::create_dir(&odd).expect("dir");
        assert_eq!(exit(&odd), Ok(odd));
        let link = root.join("link");
        std::os::unix::fs::symlink(root.join("none"), &link).expect("link");
        assert_eq!(exit(&link), Err(Exit::Source));
        std::fs::create_dir(root.join("real")).expect("dir");
        std::fs::remove_file(&link).expect("link");
        std::os::unix::fs::symlink(root.join("real"), &link).expect("link");
        assert_eq!(exit(&link), Ok(link.clone()), "a link stays as it was typed");
        assert_eq!(exit(&link.join("../real")), Ok(root.join("real")));
    }

    #[test]
    fn folders_that_hold_one_another_are_refused() {
        let dir = tempfile::tempdir().expect("temp");
        let root = dir.path().canonicalize().expect("root");
        let photos = root.join("photos");
        std::fs::create_dir(&photos).expect("dir");
        std::os::unix::fs::symlink(&photos, root.join("link")).expect("link");
        let check = |to: &Path| {
            let dest = DestinationArg::New(path_text(to));
            refuse_overlap(std::slice::from_ref(&photos), &dest, &Snapshot::default())
                .map_err(|error| (error.exit, error.message))
        };
        assert_eq!(check(&root.join("backup")), Ok(()));
        assert_eq!(check(&root.join("photos 2")), Ok(()));
        for (to, says) in [
            (photos.clone(), "own backup"),
            (photos.join("new/backup"), "is inside the photo folder"),
            (root.join("link/backup"), "is inside the photo folder"),
            (root.clone(), "is inside the backup folder"),
        ] {
            let (exit, message) = check(&to).expect_err("refused");
            assert_eq!(exit, Exit::Usage);
            assert!(message.contains(says), "{message}");
        }
    }
}
