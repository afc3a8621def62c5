//! What the system says of a mounted file system: its type, and whether what was cached of it has
//! been lost since.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, StatxFlags};

/// How far a plain read can be trusted to reach the place where the bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// A disk behind this computer's page cache.
    Disk,
    /// Memory: there is no deeper place.
    Memory,
    /// Another computer behind this one's page cache.
    Network,
    /// Something with a cache of its own that nothing here can pass.
    Opaque,
}

/// The largest file that FAT takes.
const FAT_SIZE_MAX: u64 = u32::MAX as u64;

/// The file system's type as the mount table spells it (`ext4`, `fuse.sshfs`); `unknown` where the
/// table does not say.
pub(super) fn kind(dir: &File) -> String {
    let of_mount = mount_id(dir).and_then(|id| {
        let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        kind_in_table(&table, id)
    });
    of_mount.unwrap_or_else(|| "unknown".to_owned())
}

pub(super) fn medium(kind: &str) -> Medium {
    match kind {
        "tmpfs" | "ramfs" => Medium::Memory,
        "nfs" | "nfs4" | "cifs" | "smb3" | "ceph" | "9p" | "virtiofs" | "afs" | "fuse.sshfs" => {
            Medium::Network
        }
        // ZFS keeps its own cache; a program behind FUSE may, and `fuseblk` reads the disk through
        // the disk's page cache.
        "zfs" | "fuse" | "fuseblk" | "unknown" => Medium::Opaque,
        other if other.starts_with("fuse.") => Medium::Opaque,
        _ => Medium::Disk,
    }
}

/// The largest file of this type of file system, where it has a limit worth knowing.
pub(super) fn size_max(kind: &str) -> Option<u64> {
    matches!(kind, "vfat" | "msdos").then_some(FAT_SIZE_MAX)
}

/// Changes when the computer starts anew or the disk is attached anew: only then is everything
/// gone that was cached of it, also below this system's view.
pub(super) fn session(dir: &File) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let attached = dir.metadata().ok().and_then(|meta| disk_sequence(meta.dev()));
    format!("{}/{}", boot.trim(), attached.unwrap_or_default())
}

fn mount_id(dir: &File) -> Option<u64> {
    let stat = rustix::fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id)
}

fn kind_in_table(table: &str, id: u64) -> Option<String> {
    let id = id.to_string();
    let line = table.lines().find(|line| line.split(' ').next() == Some(&id))?;
    let (_mount, source) = line.split_once(" - ")?;
    source.split(' ').next().map(str::to_owned)
}

/// The kernel's count of disks attached so far, as it was when this one was.
fn disk_sequence(dev: u64) -> Option<String> {
    let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
    let of_device = format!("/sys/dev/block/{major}:{minor}/diskseq");
    let of_partition = format!("/sys/dev/block/{major}:{minor}/../diskseq");
    let text = std::fs::read_to_string(of_device).or_else(|_none| std::fs::read_to_string(of_partition));
    text.ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_table_names_the_type() {
        let table = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                     221 22 0:31 / /media/a\\040b rw - fuse.sshfs host:/x rw,user_id=0\n\
                     30 22 0:5 / /dev rw - devtmpfs udev rw\n";
        assert_eq!(kind_in_table(table, 22).as_deref(), Some("ext4"));
        assert_eq!(kind_in_table(table, 221).as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind_in_table(table, 2), None);
    }

    #[test]
    fn what_caches_by_itself_is_not_taken_for_a_disk() {
        for (kind, expected) in [
            ("ext4", Medium::Disk),
            ("exfat", Medium::Disk),
            ("tmpfs", Medium::Memory),
            ("nfs4", Medium::Network),
            ("fuse.sshfs", Medium::Network),
            ("fuse.rclone", Medium::Opaque),
            ("fuseblk", Medium::Opaque),
            ("zfs", Medium::Opaque),
            ("unknown", Medium::Opaque),
        ] {
            assert_eq!(medium(kind), expected, "{kind}");
        }
    }

    #[test]
    fn this_computer_answers() {
        let dir = tempfile::tempdir().expect("temp dir");
        let dir = File::open(dir.path()).expect("open");
        assert_ne!(kind(&dir), "unknown");
        assert!(session(&dir).len() > 30, "{}", session(&dir));
    }
}
