//! The drives that are mounted beside the system's own: external disks, cards and network drives.

use std::fs;
use std::path::{Path, PathBuf};

use super::network_fs::unescape;

/// Drives that are listed at most.
const DRIVES_MAX: usize = 32;
/// Folders that desktops and people mount drives below.
const HOMES_OF_DRIVES: [&str; 3] = ["/media/", "/run/media/", "/mnt/"];
/// File systems that hold no files of a person.
const VIRTUAL: [&str; 8] =
    ["tmpfs", "devtmpfs", "proc", "sysfs", "overlay", "squashfs", "autofs", "fuse.portal"];

/// One drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// As the desktop calls it: the last part of where it is mounted.
    pub name: String,
    /// Where it is mounted.
    pub path: PathBuf,
    /// Bytes free for this person, where the system says.
    pub free_bytes: Option<u64>,
}

/// All drives that are mounted now and can be written to, sorted by name. Blocks.
pub fn list() -> Vec<Drive> {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut drives: Vec<Drive> = mounted(&String::from_utf8_lossy(&mounts))
        .into_iter()
        .map(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let free_bytes = free_bytes(&path);
            Drive { name, path, free_bytes }
        })
        .collect();
    drives.sort_by_key(|drive| drive.name.to_lowercase());
    drives
}

/// Where drives are mounted that can be written to, from the text of `mountinfo` (proc_pid_mountinfo(5)).
fn mounted(mounts: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for line in mounts.lines() {
        let Some((mount, file_system)) = line.split_once(" - ") else { continue };
        let mut words = mount.split(' ').skip(4);
        let (Some(point), Some(options)) = (words.next().map(unescape), words.next()) else { continue };
        let kind = file_system.split(' ').next().unwrap_or_default();
        let is_drive = HOMES_OF_DRIVES.iter().any(|home| point.starts_with(home)) && !VIRTUAL.contains(&kind);
        let is_read_only = options.split(',').any(|option| option == "ro");
        let point = PathBuf::from(point);
        if is_drive && !is_read_only && !found.contains(&point) && found.len() < DRIVES_MAX {
            found.push(point);
        }
    }
    found
}

/// Bytes free for this person in a folder, or where it would be made; `None` if the system does not say.
/// Blocks.
pub fn free_bytes_below(path: &Path) -> Option<u64> {
    path.ancestors().find_map(free_bytes)
}

fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_are_what_is_mounted_where_desktops_mount_them() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:2 / /home rw - ext4 /dev/sda2 rw
40 22 8:17 / /media/ann/My\\040disk rw,nosuid - exfat /dev/sdb1 rw
41 22 8:33 / /run/media/ann/CARD ro,nosuid - vfat /dev/sdc1 ro
42 22 0:50 / /mnt/nas rw - cifs //nas/photos rw
43 22 0:51 / /mnt/scratch rw - tmpfs tmpfs rw
44 22 8:17 / /media/ann/My\\040disk rw,nosuid - exfat /dev/sdb1 rw
garbage
";
        assert_eq!(mounted(mounts), [PathBuf::from("/media/ann/My disk"), PathBuf::from("/mnt/nas")]);
        assert!(free_bytes(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(Path::new("/nowhere at all")), None);
        assert!(free_bytes_below(Path::new("/nowhere at all/a/b")).is_some(), "where it would be made");
    }
}
