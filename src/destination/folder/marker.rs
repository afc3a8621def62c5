//! The file by which a folder is known again: without it a folder is not the destination, however
//! alike its path is, and it is made only when a destination is added.

use std::io::{self, Read as _, Write as _};

use super::errors::at_destination;
use super::fs::FolderDir;
pub(super) use crate::destination::marker::{HOME, SCRATCH_PREFIX, TRIAL_PREFIX};
use crate::destination::marker::{MARKER, MARKER_BYTES_MAX, Marker};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key;

/// Reads the marker; `None` when there is none.
///
/// # Errors
/// `conflict` when it is damaged or of a later version; what the file system says.
pub(super) fn read(root: &dyn FolderDir) -> Result<Option<Marker>, Failure> {
    let bytes = match read_bytes(root) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at_destination(&error, "reading the destination's marker")),
    };
    Marker::parse(&bytes).map(Some)
}

/// Writes the marker, which must not exist yet; returns the one that is there in the end.
///
/// # Errors
/// As [`read`].
pub(super) fn write(root: &dyn FolderDir, marker: &Marker, token: u64) -> Result<Marker, Failure> {
    let outcome = write_new(root, &marker.bytes(), token);
    match outcome {
        Ok(()) => Ok(marker.clone()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let gone = || Failure::destination(FailureKind::Gone, "the destination's marker went away");
            read(root)?.ok_or_else(gone)
        }
        Err(error) => Err(at_destination(&error, "writing the destination's marker")),
    }
}

fn write_new(root: &dyn FolderDir, bytes: &[u8], token: u64) -> io::Result<()> {
    match root.make_dir(HOME) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let home = root.open_dir(HOME)?;
    put_new(home.as_ref(), MARKER, bytes, token)?;
    root.sync()
}

/// Writes a small file under a name that must be free, all of it or nothing. A temp file of this
/// token is a killed run's, and goes.
pub(super) fn put_new(dir: &dyn FolderDir, name: &str, bytes: &[u8], token: u64) -> io::Result<()> {
    let temp = key::temp_name(token);
    let outcome = (|| {
        match dir.remove_file(&temp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = dir.create(&temp)?;
        file.write_all(bytes)?;
        file.sync()?;
        match dir.rename_new(&temp, name) {
            // Nobody else writes these names: each installation has its own.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => match dir.entry(name) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => dir.rename_over(&temp, name),
                Err(other) => Err(other),
                Ok(_there) => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            },
            other => other,
        }?;
        dir.sync()
    })();
    if outcome.is_err() {
        dir.remove_file(&temp).ok();
    }
    outcome
}

fn read_bytes(root: &dyn FolderDir) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    root.open_dir(HOME)?.read(MARKER)?.take(MARKER_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
