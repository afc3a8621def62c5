//! What is left on a disk that fills up or becomes read-only while the process is killed.

use std::path::Path;

use super::{FaultyDestination, assert_only_ours, assert_only_ours_stays};
use crate::fire::mounts::{Tmpfs, with_mounts};
use crate::support::backup::{digest, files_below};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;

/// Room that is left when a round begins, in KiB: for the large photo of a round and its temp file.
const ROOM_KIB: u64 = 48 * 1024;

struct Disk {
    disk: Tmpfs,
}

impl Disk {
    fn make_room(&self) {
        let sizes = files_below(self.disk.path()).into_iter();
        let kib: u64 =
            sizes.map(|path| std::fs::metadata(path).map_or(0, |meta| meta.len() / 1024 + 8)).sum();
        self.disk.resize(&format!("{}k", kib + ROOM_KIB));
    }
}

impl FaultyDestination for Disk {
    fn to(&self) -> String {
        self.disk.path().join("backup").display().to_string()
    }

    fn plant_faults(&self, seeded: &Seeded) {
        match seeded.within(0..4) {
            // Full at once: a file system cannot become smaller than what is on it.
            0 => drop(self.disk.fill("filler")),
            1 => self.disk.set_read_only(),
            // Nothing but the kill.
            _ => {}
        }
    }

    fn heal(&self) {
        self.disk.set_writable();
        std::fs::remove_file(self.disk.path().join("filler")).ok();
        self.make_room();
    }

    fn assert_holds_only(&self, source: &Path) {
        let root = self.disk.path().join("backup");
        let below = |path: &std::path::PathBuf| {
            let path = path.strip_prefix(&root).expect("below").to_str().expect("UTF-8");
            path.to_owned()
        };
        let files = files_below(&root);
        assert_only_ours(files.iter().map(|path| (below(path), digest(path))).collect(), source);
    }
}

#[test]
fn only_ours_stays_on_a_disk() {
    with_mounts("leftovers::folder::only_ours_stays_on_a_disk", || {
        let sandbox = Sandbox::new();
        let disk = Disk { disk: Tmpfs::mount(sandbox.path("disk"), &format!("{ROOM_KIB}k")) };
        assert_only_ours_stays("leftovers on a disk", &disk, 2);
    });
}
