//! The file system that a folder destination stands on, behind a trait.
//!
//! A directory is a handle, opened one component at a time without following links, so nothing
//! that happens to the path afterwards can lead an operation out of the destination. All calls
//! block.

use std::io::{self, Read, Write};
use std::path::Path;

use crate::base::files::EntryKind;
use crate::domain::record::{ProofMethod, ProofNeed};

/// Opens folders.
pub trait FolderFs: Send + Sync {
    /// Makes sure that `root` exists, creating its last component only.
    ///
    /// # Errors
    /// `NotFound` when its parent is missing; whatever the system says.
    fn create_root(&self, root: &Path) -> io::Result<()>;

    /// Opens the existing folder `root`. Links on the way to it are followed: the person chose it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open_root(&self, root: &Path) -> io::Result<Box<dyn FolderDir>>;
}

/// An open directory. Names are single components; any other name is refused as invalid input.
/// Links are never followed. Errors are the system's own.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait FolderDir: Send + Sync {
    /// Opens a directory in this one.
    fn open_dir(&self, name: &str) -> io::Result<Box<dyn FolderDir>>;
    /// Creates a directory; `AlreadyExists` when the name is taken.
    fn make_dir(&self, name: &str) -> io::Result<()>;
    /// What has this name.
    fn entry(&self, name: &str) -> io::Result<EntryFacts>;
    /// What is in here, in no order, at most `limit` of it.
    fn list(&self, limit: usize) -> io::Result<Vec<(Vec<u8>, EntryKind)>>;
    /// Creates a file that must not exist.
    fn create(&self, name: &str) -> io::Result<Box<dyn CopyFile>>;
    /// Opens a file to go on with it, at its start. `None` when it is not a regular file or has
    /// another name as well, so that writing to it could reach a finished copy.
    fn reopen(&self, name: &str) -> io::Result<Option<Box<dyn CopyFile>>>;
    /// Opens a file for plain reading.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;
    /// Opens a file for a proof. `ResourceBusy` when the method cannot be kept to right now.
    fn read_back(&self, name: &str, method: ProofMethod) -> io::Result<Box<dyn Chunks>>;
    /// Finds the best way past the page cache by trying it on the synced file `name`.
    fn find_proof(&self, name: &str) -> io::Result<Option<ProofMethod>>;
    /// Renames inside this directory, but never over an existing name (`AlreadyExists`).
    /// `Unsupported` where the file system cannot promise that.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;
    /// Renames inside this directory, over whatever is there.
    fn rename_over(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, name: &str) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, name: &str) -> io::Result<()>;
    /// Makes the names in this directory durable.
    fn sync(&self) -> io::Result<()>;
    /// Makes a file's bytes durable.
    fn sync_file(&self, name: &str) -> io::Result<()>;
    /// What the file system says of itself.
    fn facts(&self) -> io::Result<FsFacts>;
    /// Bytes that may still be written; `None` where the file system does not know.
    fn free_bytes(&self) -> io::Result<Option<u64>>;
    /// Changes whenever everything that this computer cached of the file system has been lost:
    /// another boot, or the disk attached again.
    fn session(&self) -> String;
    /// Whether the session that a copy was written in is over for certain.
    fn is_over(&self, session: &str) -> bool;
    /// What must happen before copies can be proved here, where [`Self::find_proof`] finds no way.
    fn proof_need(&self) -> ProofNeed;
}

/// A file that is being written. Reading and writing share one position, which starts at 0.
#[expect(clippy::missing_errors_doc, reason = "whatever the system says")]
pub trait CopyFile: Read + Write + Send {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Sets its modification time, in nanoseconds since the epoch.
    fn set_mtime(&self, nanos: i64) -> io::Result<()>;
    /// Makes its bytes, length and times durable.
    fn sync(&self) -> io::Result<()>;
}

/// A file's bytes in order, in pieces whose size the reader chooses.
pub trait Chunks: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Whatever the system says.
    fn next_chunk(&mut self) -> io::Result<Option<&[u8]>>;
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryFacts {
    /// What it is.
    pub kind: EntryKind,
    /// The number by which the file system knows it (inode), which a rename keeps.
    pub file_id: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its modification time in nanoseconds since the epoch.
    pub mtime_ns: i64,
}

/// What a file system says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsFacts {
    /// Its type, as the system names it: `ext4`.
    pub kind: String,
    /// The longest name it says it takes, in bytes.
    pub name_len_max: u32,
    /// The largest file, where its type has a limit.
    pub size_max: Option<u64>,
}

/// Refuses a name that is not one plain component.
///
/// # Errors
/// `InvalidInput`.
pub fn check_name(name: &str) -> io::Result<()> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a name"));
    }
    Ok(())
}
