//! Small file systems of a test's own, so that a disk can be full or read-only for real.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set for a test that runs once more where it may mount.
const INSIDE_VARIABLE: &str = "SAFELIGHT_TEST_IN_NAMESPACE";

/// Runs `body` where file systems can be mounted: here, or in a user and mount namespace in which
/// the test `name` is run once more. Where neither is allowed the test fails.
pub fn with_mounts(name: &str, body: impl FnOnce()) {
    if can_mount() {
        return body();
    }
    assert!(
        std::env::var_os(INSIDE_VARIABLE).is_none(),
        "file systems cannot be mounted, not even in a namespace: run the tests as root or allow user namespaces"
    );
    let outcome = Command::new("unshare")
        .args(["-rm", "--"])
        .arg(std::env::current_exe().expect("this test's own program"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE_VARIABLE, "1")
        .output()
        .expect("unshare (util-linux) is needed where the tests do not run as root");
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(
        outcome.status.success() && said.contains("1 passed"),
        "{name} in a namespace: {}\n{said}\n{}",
        outcome.status,
        String::from_utf8_lossy(&outcome.stderr)
    );
}

fn can_mount() -> bool {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mounted = mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], dir.path());
    mounted.is_ok() && unmount(dir.path())
}

fn mount(arguments: &[&str], at: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).arg(at).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn unmount(at: &Path) -> bool {
    // Lazily, as a process that is just ending may still be inside.
    Command::new("umount").arg("-l").arg(at).status().is_ok_and(|status| status.success())
}

/// A file system in memory of a size that can be changed; gone when this goes.
#[derive(Debug)]
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one at `path`, which is made, of at most `size` as mount says it (`2m`).
    pub fn mount(path: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&path).expect("a folder to mount on");
        mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"], &path).expect("mounted");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, size: &str) {
        mount(&["-o", &format!("remount,size={size}")], &self.0).expect("mounted with another size");
    }

    /// Lets nothing be written on it from now on; no file of it may be open for writing.
    pub fn set_read_only(&self) {
        mount(&["-o", "remount,ro"], &self.0).expect("mounted read-only");
    }

    /// Lets it be written on again.
    pub fn set_writable(&self) {
        mount(&["-o", "remount,rw"], &self.0).expect("mounted for writing");
    }

    /// Takes all the room that is left, by a file of this name.
    pub fn fill(&self, name: &str) -> PathBuf {
        use std::io::Write as _;
        let path = self.0.join(name);
        let mut file = std::fs::File::create(&path).expect("a file can be made");
        for length in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![7; length]).is_ok() {}
        }
        path
    }
}

/// A folder that is seen at another place too; gone from there when this goes.
#[derive(Debug)]
pub struct Bind(PathBuf);

impl Bind {
    /// Shows the folder `from` at `path`, which is made.
    pub fn mount(from: &Path, path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).expect("a folder to mount on");
        mount(&["--bind", from.to_str().expect("UTF-8")], &path).expect("mounted");
        Self(path)
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}
