//! The drives that are mounted beside the system's own: external disks, cards and network drives.

use std::path::{Path, PathBuf};

use crate::base::file_systems::is_virtual;
use crate::base::mounts::MountList;

/// Drives that are listed at most.
const DRIVES_MAX: usize = 32;
/// Folders that desktops and people mount drives below.
const PARENT_FOLDERS: [&str; 3] = ["/media", "/run/media", "/mnt"];

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
    let mounts = MountList::read().unwrap_or_default();
    let mut drives: Vec<Drive> = writable_drives(&mounts)
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

/// Where drives are mounted that can be written to.
fn writable_drives(mounts: &MountList) -> Vec<PathBuf> {
    let mut points: Vec<PathBuf> = Vec::new();
    for mount in mounts.iter() {
        let is_where_drives_are = PARENT_FOLDERS.iter().any(|parent| mount.point.starts_with(parent));
        let is_drive = is_where_drives_are && !is_virtual(&mount.kind) && !mount.is_read_only;
        if is_drive && !points.contains(&mount.point) && points.len() < DRIVES_MAX {
            points.push(mount.point.clone());
        }
    }
    points
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
        let mounts = MountList::parse(mounts.as_bytes());
        assert_eq!(
            writable_drives(&mounts),
            [PathBuf::from("/media/ann/My disk"), PathBuf::from("/mnt/nas")]
        );
        assert!(free_bytes(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(Path::new("/nowhere at all")), None);
        assert!(free_bytes_below(Path::new("/nowhere at all/a/b")).is_some(), "where it would be made");
    }
}
