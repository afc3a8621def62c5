//! Which physical disk a path is on, as far as the system tells (`/sys/dev/block`, sysfs-rules).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::base::mounts::MountList;

/// The most layers (partition, mapper, loop) between a file system and its disk.
const LAYERS_MAX: usize = 8;
/// The most devices below one layer that are looked at.
const SLAVES_MAX: usize = 64;

/// The number (`8:0`) of the one whole disk that `path` is on. For a path that does not exist, the folder
/// above it counts. `None` if that is not known, if it is not a disk of this computer, or if the file
/// system is spread over several disks, one of which may break alone. Blocks.
pub fn disk_of(path: &Path) -> Option<String> {
    let system = BlockDevices { sys: PathBuf::from("/sys"), device_of: &device_of };
    only_disk(&system.disks_of_path(path, 0)?)
}

/// A device's number as the kernel spells it.
type DeviceNumber = String;

/// Where the facts come from.
struct BlockDevices<'a> {
    /// The root of sysfs.
    sys: PathBuf,
    /// The block device that a path's file system is on.
    device_of: &'a dyn Fn(&Path, &Path) -> Option<DeviceNumber>,
}

impl BlockDevices<'_> {
    fn disks_of_path(&self, path: &Path, depth: usize) -> Option<BTreeSet<DeviceNumber>> {
        self.disks_of(&(self.device_of)(path, &self.sys)?, depth)
    }

    /// The whole disks below a block device.
    fn disks_of(&self, device: &str, depth: usize) -> Option<BTreeSet<DeviceNumber>> {
        if depth > LAYERS_MAX {
            return None;
        }
        let dir = self.sys.join("dev/block").join(device).canonicalize().ok()?;
        let slaves: Vec<_> = entries(&dir.join("slaves")).collect();
        if !slaves.is_empty() {
            let mut disks = BTreeSet::new();
            for slave in slaves {
                disks.extend(self.disks_of(&read_device_number(&slave)?, depth + 1)?);
            }
            return Some(disks);
        }
        if dir.join("partition").exists() {
            return self.disks_of(&read_device_number(dir.parent()?)?, depth + 1);
        }
        if let Ok(file) = fs::read_to_string(dir.join("loop/backing_file")) {
            return self.disks_of_path(Path::new(file.trim_end_matches('\n')), depth + 1);
        }
        Some(BTreeSet::from([device.to_owned()]))
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().take(SLAVES_MAX).flatten().map(|entry| entry.path())
}

/// The number in a device's folder of sysfs.
fn read_device_number(dir: &Path) -> Option<DeviceNumber> {
    fs::read_to_string(dir.join("dev")).ok().map(|text| text.trim().to_owned())
}

fn only_disk(disks: &BTreeSet<DeviceNumber>) -> Option<DeviceNumber> {
    let mut all = disks.iter();
    all.next().filter(|_| all.next().is_none()).cloned()
}

fn device_number(device: u64) -> DeviceNumber {
    format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

/// The block device below a path's file system.
fn device_of(path: &Path, sys: &Path) -> Option<DeviceNumber> {
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::metadata(path.parent()?),
        other => other,
    };
    let device = meta.ok()?.dev();
    if rustix::fs::major(device) != 0 {
        return Some(device_number(device));
    }
    // An anonymous number: btrfs has one for each subvolume, and what is on no disk here has one too.
    let real = path.canonicalize().or_else(|_| path.parent().unwrap_or(path).canonicalize()).ok()?;
    let mounts = MountList::read().ok()?;
    let mount = mounts.containing(&real)?;
    if mount.kind != "btrfs" || !mount.source.starts_with('/') {
        return None;
    }
    let device = device_number(fs::metadata(&mount.source).ok()?.rdev());
    is_alone_in_btrfs(sys, &device).then_some(device)
}

/// Whether a device is all that its btrfs is made of.
fn is_alone_in_btrfs(sys: &Path, device: &str) -> bool {
    entries(&sys.join("fs/btrfs")).any(|file_system| {
        let devices: Vec<_> = entries(&file_system.join("devices")).collect();
        devices.len() == 1 && read_device_number(&devices[0]).as_deref() == Some(device)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sysfs with these devices: number, place below `devices`, files and folders in it.
    struct FakeSysfs(tempfile::TempDir);

    impl FakeSysfs {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("temp");
            fs::create_dir_all(dir.path().join("dev/block")).expect("made");
            Self(dir)
        }

        fn add(&self, number: &str, place: &str) -> PathBuf {
            let dir = self.0.path().join("devices").join(place);
            fs::create_dir_all(dir.join("slaves")).expect("made");
            fs::write(dir.join("dev"), format!("{number}\n")).expect("written");
            std::os::unix::fs::symlink(&dir, self.0.path().join("dev/block").join(number)).expect("linked");
            dir
        }

        fn partition(&self, number: &str, place: &str) {
            fs::write(self.add(number, place).join("partition"), "1\n").expect("written");
        }

        fn put_on(&self, upper: &Path, lower: &str) {
            let to = self.0.path().join("dev/block").join(lower).canonicalize().expect("there");
            let name = to.file_name().expect("a name").to_owned();
            std::os::unix::fs::symlink(to, upper.join("slaves").join(name)).expect("linked");
        }

        fn disk(&self, device: &str) -> Option<DeviceNumber> {
            let on = |path: &Path, _sys: &Path| path.starts_with("/home").then(|| "8:1".to_owned());
            let system = BlockDevices { sys: self.0.path().to_owned(), device_of: &on };
            only_disk(&system.disks_of(device, 0)?)
        }
    }

    #[test]
    fn a_partition_a_mapped_and_a_looped_device_lead_to_their_disk() {
        let sys = FakeSysfs::new();
        sys.add("8:0", "sda");
        sys.partition("8:1", "sda/sda1");
        sys.partition("8:2", "sda/sda2");
        sys.add("8:16", "sdb");
        sys.partition("8:17", "sdb/sdb1");
        let crypt = sys.add("253:0", "virtual/dm-0");
        sys.put_on(&crypt, "8:2");
        let volume = sys.add("253:1", "virtual/dm-1");
        sys.put_on(&volume, "253:0");
        let mirror = sys.add("9:0", "virtual/md0");
        sys.put_on(&mirror, "8:2");
        sys.put_on(&mirror, "8:17");
        let looped = sys.add("7:0", "virtual/loop0");
        fs::create_dir(looped.join("loop")).expect("made");
        fs::write(looped.join("loop/backing_file"), "/home/ada/disk.img\n").expect("written");
        for (device, disk) in [
            ("8:0", Some("8:0")),
            ("8:1", Some("8:0")),
            ("8:17", Some("8:16")),
            ("253:1", Some("8:0")),
            ("9:0", None),
            ("7:0", Some("8:0")),
            ("99:9", None),
        ] {
            assert_eq!(sys.disk(device).as_deref(), disk, "{device}");
        }
    }

    #[test]
    fn layers_that_never_end_are_given_up() {
        let sys = FakeSysfs::new();
        let snake = sys.add("253:0", "virtual/dm-0");
        sys.put_on(&snake, "253:0");
        assert_eq!(sys.disk("253:0"), None);
    }

    #[test]
    fn a_btrfs_over_two_disks_is_on_neither() {
        let sys = FakeSysfs::new();
        let (one, two) = (sys.add("8:0", "sda"), sys.add("8:16", "sdb"));
        let devices = sys.0.path().join("fs/btrfs/f/devices");
        fs::create_dir_all(&devices).expect("made");
        std::os::unix::fs::symlink(one, devices.join("sda")).expect("linked");
        assert!(is_alone_in_btrfs(sys.0.path(), "8:0") && !is_alone_in_btrfs(sys.0.path(), "8:16"));
        std::os::unix::fs::symlink(two, devices.join("sdb")).expect("linked");
        assert!(!is_alone_in_btrfs(sys.0.path(), "8:0"));
    }

    #[test]
    fn this_computer_gives_one_answer_for_one_folder() {
        let dir = tempfile::tempdir().expect("temp");
        let (here, new) = (disk_of(dir.path()), disk_of(&dir.path().join("new")));
        assert_eq!(here, new);
        assert_eq!(disk_of(Path::new("/proc")), None);
    }
}
