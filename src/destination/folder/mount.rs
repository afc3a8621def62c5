//! What the system says of a mounted file system: its type, and whether what was cached of it has
//! been lost since.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, StatxFlags};

use crate::base::file_systems::{FUSE_MAGIC, Medium, UNKNOWN, medium};
use crate::base::mounts::MountList;
use crate::domain::record::ProofNeed;

/// Where the kernel lists the mounted FUSE file systems (`fusectl`).
const FUSE_CONNECTIONS: &str = "/sys/fs/fuse/connections";
/// `STATX_MNT_ID_UNIQUE`: a mount's number that is never given twice; since Linux 6.8.
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;

/// The file system's type as the mount table spells it (`ext4`, `fuse.sshfs`); `unknown` where the
/// table does not say.
pub(super) fn kind(dir: &File) -> String {
    let of_mount = mount_id(dir).and_then(|id| Some(MountList::read().ok()?.by_id(id)?.kind.clone()));
    of_mount.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// What must happen before copies can be proved by reading, where no method is there.
pub(super) fn proof_need(kind: &str) -> ProofNeed {
    match medium(kind) {
        Medium::Disk | Medium::DiskBehindProgram => ProofNeed::Reconnect,
        Medium::Memory | Medium::Network | Medium::OpaqueCache => ProofNeed::Restart,
        Medium::DiskCache => ProofNeed::Never,
    }
}

/// Changes when the computer restarts or the disk is attached again: only then is everything gone that
/// was cached of it, also below this system's view. For a disk behind a program, mounting it again counts
/// too: with the last user of the device its page cache goes (`blkdev_put`), and the program's own memory
/// goes with the program. The parts are divided by slashes; one that is not known is empty.
pub(super) fn session(dir: &File) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let device = dir.metadata().ok().map(|meta| meta.dev());
    let attached = device.and_then(disk_sequence).unwrap_or_default();
    // FUSE on a block device: its other mounts have anonymous numbers.
    let is_fuse = rustix::fs::fstatfs(dir).is_ok_and(|facts| u32::try_from(facts.f_type) == Ok(FUSE_MAGIC));
    let connection = device.filter(|dev| is_fuse && rustix::fs::major(*dev) != 0).and_then(fuse_connection);
    match connection {
        Some(connection) => format!("{}/{attached}/{connection}", boot.trim()),
        None => format!("{}/{attached}", boot.trim()),
    }
}

/// Whether the session `then` is over for certain, now that this is `now`: a part that is not known in
/// both tells nothing.
pub(super) fn is_over(then: &str, now: &str) -> bool {
    let (mut then, mut now) = (then.split('/'), now.split('/'));
    let mut differs = || match (then.next(), now.next()) {
        (Some(then), Some(now)) => !then.is_empty() && !now.is_empty() && then != now,
        _ => false,
    };
    let (is_other_boot, is_attached_anew) = (differs(), differs());
    if is_other_boot || is_attached_anew {
        return true;
    }
    // Connections are told apart by the list they are in: that must be the same one.
    match (
        then.next().and_then(|text| text.split_once('.')),
        now.next().and_then(|text| text.split_once('.')),
    ) {
        (Some((list_then, then)), Some((list_now, now))) => list_then == list_now && then != now,
        _ => false,
    }
}

/// The running program behind a FUSE mount: the list's own mount, and the inode and birth of the
/// connection's entry in it. A bind mount or another name space has the same one.
fn fuse_connection(dev: u64) -> Option<String> {
    let list = File::open(FUSE_CONNECTIONS).ok()?;
    // The kernel's own spelling of a device number: 12 bits and 20 bits.
    let number = u64::from(rustix::fs::major(dev)) << 20 | u64::from(rustix::fs::minor(dev));
    let entry = std::fs::metadata(format!("{FUSE_CONNECTIONS}/{number}")).ok()?;
    let list = unique_mount_id(&list).or_else(|| mount_id(&list))?;
    Some(format!("{list}.{}.{}.{}", entry.ino(), entry.ctime(), entry.ctime_nsec()))
}

fn unique_mount_id(dir: &File) -> Option<u64> {
    let stat =
        rustix::fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::from_bits_retain(STATX_MNT_ID_UNIQUE))
            .ok()?;
    (stat.stx_mask & STATX_MNT_ID_UNIQUE != 0).then_some(stat.stx_mnt_id)
}

fn mount_id(dir: &File) -> Option<u64> {
    let stat = rustix::fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id)
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
    fn a_session_is_over_only_where_that_is_known() {
        for (then, now, over) in [
            ("a/1", "b/1", true),
            ("a/1", "a/2", true),
            ("a/1", "a/1", false),
            ("a/", "a/1", false),
            ("a/1", "a/", false),
            // Written by a release that knew nothing of connections.
            ("a/1", "a/1/7.3.9", false),
            ("a/1/7.3.9", "a/1", false),
            ("a/1/7.3.9", "a/1/7.3.9", false),
            ("a/1/7.3.9", "a/1/7.4.10", true),
            // The list of connections was mounted again.
            ("a/1/7.3.9", "a/1/8.4.10", false),
            ("a//7.3.9", "a//7.4.10", true),
            ("", "a/1", false),
        ] {
            assert_eq!(is_over(then, now), over, "{then} {now}");
        }
    }

    #[test]
    fn this_computer_answers() {
        let dir = tempfile::tempdir().expect("temp dir");
        let dir = File::open(dir.path()).expect("open");
        assert_ne!(kind(&dir), UNKNOWN);
        assert!(session(&dir).len() > 30, "{}", session(&dir));
    }
}
