//! The kernel's list of this process's mounts (`mountinfo`, proc_pid_mountinfo(5)): its only parser.

use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The file that holds the list.
pub const MOUNT_LIST: &str = "/proc/self/mountinfo";

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The mount's number, unique among those mounted now.
    pub id: u64,
    /// The folder it is mounted at.
    pub point: PathBuf,
    /// The mount can only be read.
    pub is_read_only: bool,
    /// The file system's type: `ext4`, `fuse.sshfs`.
    pub kind: String,
    /// What is mounted, often a device: `/dev/sda1`.
    pub source: String,
    /// The whole line of the list: another line is another mount.
    pub line: String,
}

/// All mounts, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountList(Vec<Mount>);

impl MountList {
    /// Reads the mounts of this process. Blocks.
    ///
    /// # Errors
    /// When the system has no such list.
    pub fn read() -> io::Result<Self> {
        Self::read_from(Path::new(MOUNT_LIST))
    }

    /// Reads the mounts that the file `list` names. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_from(list: &Path) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read(list)?))
    }

    /// Parses the text of a mount list. Lines that do not follow the format are skipped.
    pub fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(parse_line).collect())
    }

    /// All mounts, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }

    /// The mount with this number.
    pub fn by_id(&self, id: u64) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.id == id)
    }

    /// The mount that `path`, an absolute path without links, is on.
    pub fn containing(&self, path: &Path) -> Option<&Mount> {
        // Of several at one place the latest covers the others; `max_by_key` returns the last maximum.
        let around = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        around.max_by_key(|mount| mount.point.as_os_str().len())
    }
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    // Optional fields of any number end with a lone hyphen.
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let hyphen = fields.iter().position(|field| *field == b"-")?;
    let [id, _parent, _device, _root, point, options, ..] = fields.get(..hyphen)? else { return None };
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let options = text(options);
    Some(Mount {
        id: std::str::from_utf8(id).ok()?.parse().ok()?,
        point: PathBuf::from(std::ffi::OsString::from_vec(unescape(point))),
        is_read_only: options.split(',').any(|option| option == "ro"),
        kind: text(fields.get(hyphen + 1)?),
        source: text(&unescape(fields.get(hyphen + 2)?)),
        line: text(line),
    })
}

/// Decodes a field in which spaces, tabs, newlines and backslashes are three octal digits after a
/// backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\');
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /home/a/my\\040server rw - fuse.sshfs a@b:/ rw
41 22 0:51 / /home/a/disk ro,nosuid master:1 shared:2 - fuseblk /dev/my\\134disk rw
garbage
44 22 8:17 / /home/a/disk rw,nosuid - exfat /dev/sdb1 rw
";

    #[test]
    fn mounts_are_found_by_number_and_by_what_is_on_them() {
        let list = MountList::parse(LIST);
        assert_eq!(list.iter().count(), 4);
        assert_eq!(list.by_id(22).map(|mount| mount.kind.as_str()), Some("ext4"));
        assert_eq!(list.by_id(2), None);
        let covered = list.by_id(41).expect("listed");
        assert!(covered.is_read_only);
        assert_eq!(covered.source, "/dev/my\\disk");
        let kind = |path: &str| list.containing(Path::new(path)).map(|mount| mount.kind.as_str());
        assert_eq!(kind("/home/a/my server/x"), Some("fuse.sshfs"));
        assert_eq!(kind("/home/a/my serverside"), Some("ext4"));
        assert_eq!(kind("/home/a/disk/photos"), Some("exfat"), "the later mount covers the earlier");
    }

    #[test]
    fn this_computer_has_a_root() {
        let list = MountList::read().expect("a list");
        assert!(list.containing(Path::new("/")).is_some());
    }
}
