//! Writing a restored file: whole or not at all, never over another, and never through a link.
//!
//! Paths come from manifests, which are hostile input. Each component below the chosen folder is
//! opened from the one before without following links, so a link that lies in the folder leads
//! nowhere.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::base::digester::copy_hashed;
use crate::domain::hash::ContentHash;
use crate::domain::restore_plan::is_plain_path;

/// The permissions that a new file or folder asks for; the person's umask takes some away.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It was written, and its bytes are right.
    Written,
    /// It was there already with the same bytes.
    Present,
}

/// A file to be restored, below a folder that the person chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreTarget {
    /// The chosen folder. Links in its own path are followed.
    pub folder: PathBuf,
    /// The file's path below it: plain components, separated by `/`.
    pub path: Vec<u8>,
}

fn taken_error() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "Another file is there already")
}

/// Makes the folder that files are restored into, where it is not there yet.
///
/// # Errors
/// Whatever keeps it from being made or written to.
pub fn prepare_folder(folder: &Path, token: u64) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    check_writable(folder, token)
}

/// Finds out with an empty file of ours whether files can be written to `folder`.
///
/// # Errors
/// Whatever keeps it from being written to.
pub fn check_writable(folder: &Path, token: u64) -> io::Result<()> {
    let temp = folder.join(temp_name(token));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&temp)?;
    std::fs::remove_file(&temp)
}

fn temp_name(token: u64) -> String {
    format!(".safelight-{token:016x}.tmp")
}

/// The folder of a target, opened, and the target's name in it. Without `create`, `None` if the
/// folder is not there.
fn open_parent(target: &RestoreTarget, create: bool) -> io::Result<Option<(OwnedFd, &Path)>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "The path is not valid");
    if !is_plain_path(&target.path) {
        return Err(invalid());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(&target.folder, flags, Mode::empty())?;
    let mut parts: Vec<&[u8]> = target.path.split(|byte| *byte == b'/').collect();
    let name = parts.pop().ok_or_else(invalid)?;
    for part in parts {
        let mut opened = rustix::fs::openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty());
        if create && matches!(opened, Err(Errno::NOENT)) {
            match rustix::fs::mkdirat(&folder, part, FOLDER_MODE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            opened = rustix::fs::openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty());
        }
        folder = match opened {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let why = "A file or link is where a folder should be";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Some((folder, Path::new(std::ffi::OsStr::from_bytes(name)))))
}

/// Whether these bytes are at the target already.
///
/// # Errors
/// `AlreadyExists` when something else is there; whatever keeps it from being read.
pub fn is_present(target: &RestoreTarget, content: ContentHash) -> io::Result<bool> {
    match open_parent(target, false)? {
        Some((folder, name)) => is_present_in(&folder, name, content),
        None => Ok(false),
    }
}

fn is_present_in(folder: &OwnedFd, name: &Path, content: ContentHash) -> io::Result<bool> {
    // NONBLOCK: a pipe of that name must not hang the reader.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(false),
        Err(Errno::LOOP | Errno::NXIO) => return Err(taken_error()),
        Err(error) => return Err(error.into()),
    };
    let facts = file.metadata()?;
    let is_same = facts.is_file() && facts.len() == content.size && copy_hashed(file, io::sink())? == content;
    if is_same { Ok(true) } else { Err(taken_error()) }
}

/// Writes what `reader` reads to the target, under a temp name first, and gives it its name only when
/// its bytes are `content`. Folders above it are made.
///
/// # Errors
/// `AlreadyExists` when something else is there; `InvalidData` when the copy is not what it should
/// be; `InvalidInput` for a path that could lead elsewhere.
pub fn write_new(
    target: &RestoreTarget,
    reader: Box<dyn Read + Send>,
    content: ContentHash,
    mtime_ns: i64,
    token: u64,
) -> io::Result<WriteOutcome> {
    let Some((folder, name)) = open_parent(target, true)? else {
        return Err(io::ErrorKind::NotFound.into());
    };
    if is_present_in(&folder, name, content)? {
        return Ok(WriteOutcome::Present);
    }
    let temp = temp_name(token);
    let outcome = write_temp(&folder, &temp, reader, content, mtime_ns).and_then(|()| {
        // A hard link fails where something has the name; a rename would replace it.
        match rustix::fs::linkat(&folder, &temp, &folder, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(taken_error()),
            Err(error) => match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => Ok(rustix::fs::renameat(&folder, &temp, &folder, name)?),
                _ => Err(error.into()),
            },
        }
    });
    rustix::fs::unlinkat(&folder, &temp, AtFlags::empty()).ok();
    outcome.map(|()| WriteOutcome::Written)
}

fn write_temp(
    folder: &OwnedFd,
    temp: &str,
    reader: Box<dyn Read + Send>,
    content: ContentHash,
    mtime_ns: i64,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(folder, temp, flags, FILE_MODE)?);
    if copy_hashed(reader, &mut file)? != content {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "The copy is damaged"));
    }
    let since = std::time::Duration::from_nanos(mtime_ns.unsigned_abs());
    let epoch = std::time::UNIX_EPOCH;
    let modified = if mtime_ns < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) };
    if let Some(modified) = modified {
        file.set_modified(modified)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hash::Blake3;

    fn content(bytes: &[u8]) -> ContentHash {
        ContentHash { blake3: Blake3(*blake3::hash(bytes).as_bytes()), size: bytes.len() as u64 }
    }

    fn below(folder: &Path, path: &str) -> RestoreTarget {
        RestoreTarget { folder: folder.to_path_buf(), path: path.as_bytes().to_vec() }
    }

    #[test]
    fn places_whole_files_and_replaces_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let target = below(dir.path(), "2019/a.jpg");
        let path = dir.path().join("2019/a.jpg");
        let content = content(b"bytes");
        let place =
            |bytes: &'static [u8]| write_new(&target, Box::new(bytes), content, 1_500_000_000_000_000_000, 7);
        let damaged = place(b"other").expect_err("wrong bytes");
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
        assert!(!path.exists());
        assert_eq!(place(b"bytes").expect("written"), WriteOutcome::Written);
        assert_eq!(place(b"bytes").expect("there"), WriteOutcome::Present);
        std::fs::write(&path, b"mine").expect("write");
        assert_eq!(place(b"bytes").expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("read"), b"mine");
        assert_eq!(std::fs::read_dir(dir.path().join("2019")).expect("list").count(), 1);
    }

    #[test]
    fn links_and_paths_that_lead_elsewhere_are_refused() {
        let (dir, outside) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).expect("link");
        std::os::unix::fs::symlink(outside.path().join("new"), dir.path().join("x.jpg")).expect("link");
        for path in ["link/a.jpg", "link/deep/a.jpg", "x.jpg", "../a.jpg", "/a.jpg", "a/./b.jpg", ""] {
            let target = below(dir.path(), path);
            assert!(write_new(&target, Box::new(&b"b"[..]), content(b"b"), 0, 7).is_err(), "{path}");
            assert!(!is_present(&target, content(b"b")).unwrap_or(false), "{path}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).expect("list").count(), 0);
        // The chosen folder itself may be reached through a link.
        let target = below(&dir.path().join("link"), "a.jpg");
        assert_eq!(
            write_new(&target, Box::new(&b"b"[..]), content(b"b"), 0, 7).expect("written"),
            WriteOutcome::Written
        );
    }
}
