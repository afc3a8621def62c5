//! Which file systems can hold the database.

use std::io;
use std::path::Path;

use crate::base::file_systems::{FUSE_MAGIC, network_name, network_name_of_magic};
use crate::base::mounts::MountList;

/// The name of the network file system that `path` is on; `None` if it is on this computer.
///
/// # Errors
/// When the system does not say.
pub fn network_file_system(path: &Path) -> io::Result<Option<String>> {
    let magic = magic_of(path)?;
    let mounts = if magic == FUSE_MAGIC { MountList::read()? } else { MountList::default() };
    Ok(classify(magic, &path.canonicalize()?, &mounts).map(str::to_owned))
}

fn magic_of(path: &Path) -> io::Result<u32> {
    // The number is 32 bits wide everywhere; the field that carries it is sometimes wider, and
    // then it may have been sign-extended.
    let wide = rustix::fs::statfs(path)?.f_type;
    let [a, b, c, d, ..] = wide.to_le_bytes();
    Ok(u32::from_le_bytes([a, b, c, d]))
}

fn classify(magic: u32, path: &Path, mounts: &MountList) -> Option<&'static str> {
    if magic == FUSE_MAGIC {
        return network_name(&mounts.containing(path)?.kind);
    }
    network_name_of_magic(magic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /home/a/my\\040server rw - fuse.sshfs a@b:/ rw
41 22 0:51 / /home/a/disk rw - fuseblk /dev/sdb1 rw
42 22 0:52 / /home/a/cloud rw - fuse.rclone r: rw
";

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        let mounts = MountList::parse(MOUNTS);
        let kind = |magic, path: &str| classify(magic, Path::new(path), &mounts);
        assert_eq!(kind(0x6969, "/net"), Some("NFS"));
        assert_eq!(kind(0xff53_4d42, "/net"), Some("SMB"));
        assert_eq!(kind(0xef53, "/home/a"), None);
        assert_eq!(kind(FUSE_MAGIC, "/home/a/my server/x"), Some("fuse.sshfs"));
        assert_eq!(kind(FUSE_MAGIC, "/home/a/cloud"), Some("fuse.rclone"));
        assert_eq!(kind(FUSE_MAGIC, "/home/a/disk/photos"), None);
    }

    #[test]
    fn this_computers_own_disk_is_local() {
        let dir = tempfile::tempdir().expect("temp");
        assert_eq!(network_file_system(dir.path()).expect("statfs"), None);
    }
}
