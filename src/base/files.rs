//! The only door to a source's files, and it opens one way: there is nothing here that writes,
//! renames or removes.

use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::file::FileStamp;

/// What a directory entry is, without following links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A socket, pipe or device.
    Other,
}

/// What the file system says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: EntryKind,
    /// Size and times.
    pub stamp: FileStamp,
    /// The device it is on.
    pub dev: u64,
    /// Its inode there.
    pub ino: u64,
    /// 512-byte blocks on the disk; 0 with a size may mean a cloud placeholder.
    pub blocks: u64,
}

/// One entry of a listed directory.
#[derive(Debug)]
pub struct Entry {
    /// Its name, as the bytes the file system gave.
    pub name: Vec<u8>,
    /// What it is, or why that cannot be found out.
    pub stat: io::Result<Stat>,
}

/// An open source file.
pub trait SourceFile: Read + Seek + Send {
    /// The open file's own state, however its name has moved since.
    fn stat(&self) -> io::Result<Stat>;
}

/// Read-only access to sources. Implementations never follow a symbolic link in the last component.
pub trait SourceFiles: Send + Sync {
    /// The entries of a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// An entry's state, without following a link.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SourceFile>>;
    /// A name for the file system that `path` is on, which survives a remount where the system has
    /// one (a UUID), else its type and id.
    fn file_system(&self, path: &Path) -> io::Result<String>;
    /// The path that `path` leads to when every link in it is followed: for comparing places, never
    /// for reading.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_path_buf())
    }
}

/// Source files that can be shared.
pub type SharedFiles = Arc<dyn SourceFiles>;

/// The computer's own file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFiles;

fn stat_of(meta: &std::fs::Metadata) -> Stat {
    use std::os::unix::fs::MetadataExt as _;
    let kind = if meta.file_type().is_symlink() {
        EntryKind::Symlink
    } else if meta.is_dir() {
        EntryKind::Dir
    } else if meta.is_file() {
        EntryKind::File
    } else {
        EntryKind::Other
    };
    let nanos = |secs: i64, nanos: i64| secs.saturating_mul(1_000_000_000).saturating_add(nanos);
    Stat {
        kind,
        stamp: FileStamp {
            size: meta.len(),
            mtime_ns: nanos(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: nanos(meta.ctime(), meta.ctime_nsec()),
        },
        dev: meta.dev(),
        ino: meta.ino(),
        blocks: meta.blocks(),
    }
}

impl SourceFile for std::fs::File {
    fn stat(&self) -> io::Result<Stat> {
        self.metadata().map(|meta| stat_of(&meta))
    }
}

impl SourceFiles for OsFiles {
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let stat = entry.metadata().map(|meta| stat_of(&meta));
            entries.push(Entry { name: entry.file_name().into_vec(), stat });
        }
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        std::fs::symlink_metadata(path).map(|meta| stat_of(&meta))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SourceFile>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        // O_NONBLOCK: a pipe that took a photo's name must not hang the reader.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Box::new(file))
    }

    fn file_system(&self, path: &Path) -> io::Result<String> {
        use std::os::unix::fs::MetadataExt as _;
        let dev = std::fs::metadata(path)?.dev();
        if let Some(uuid) = uuid_of_device(dev) {
            return Ok(format!("uuid:{uuid}"));
        }
        let fs = rustix::fs::statfs(path)?;
        Ok(format!("type:{:x}", fs.f_type))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }
}

/// The UUID under `/dev/disk/by-uuid` whose link leads to the block device numbered `dev`.
fn uuid_of_device(dev: u64) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let links = std::fs::read_dir("/dev/disk/by-uuid").ok()?;
    let mut found: Vec<PathBuf> = links
        .filter_map(Result::ok)
        .map(|link| link.path())
        .filter(|link| std::fs::metadata(link).is_ok_and(|meta| meta.rdev() == dev))
        .collect();
    found.sort();
    Some(found.first()?.file_name()?.to_string_lossy().into_owned())
}

/// Whether the disk itself failed, rather than that something is not there or not allowed.
pub fn is_disk_error(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EUCLEAN | libc::EBADMSG | libc::EREMOTEIO))
}

/// A path from the bytes the file system gave.
pub fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// A path's bytes.
pub fn path_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().to_vec()
}
