//! Backup disks with other systems' formats: behind a program (FUSE), and by the kernel where it has them.
//!
//! The disks are image files behind loop devices, so a copy's bytes can be changed below everything. What
//! this computer cannot try says *skipped* and why.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{contents, copies_below, json_of, make_photos};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::server::installed;
use crate::support::wait::wait_until;

/// Set for a test that runs once more with mounts of its own.
const INSIDE_VARIABLE: &str = "SAFELIGHT_TEST_WITH_OWN_MOUNTS";
/// Where the kernel lists FUSE file systems.
const FUSE_CONNECTIONS: &str = "/sys/fs/fuse/connections";
const PHOTO_FILES: usize = 8;
const PHOTOS: u64 = PHOTO_FILES as u64;
/// A program that serves a file system may take so long to be there, and to be gone.
const MOUNTED_WITHIN: Duration = Duration::from_secs(30);

/// Says that a test could not be run here, past what cargo hides.
fn skipped(name: &str, why: &str) {
    writeln!(std::io::stderr(), "{name}: skipped, {why}").ok();
}

/// Runs `body` with mounts that nobody else sees and that are gone with it.
fn with_own_mounts(name: &str, body: impl FnOnce(&str)) {
    if !rustix::process::geteuid().is_root() {
        return skipped(name, "only root may attach an image file as a disk");
    }
    if std::env::var_os(INSIDE_VARIABLE).is_some() {
        return body(name);
    }
    let outcome = Command::new("unshare")
        .args(["-m", "--"])
        .arg(std::env::current_exe().expect("this test's own program"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE_VARIABLE, "1")
        .output()
        .expect("unshare (util-linux) is there");
    let (said, told) = (String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
    assert!(outcome.status.success() && said.contains("1 passed"), "{}\n{said}\n{told}", outcome.status);
    for line in told.lines().filter(|line| line.contains(": skipped, ")) {
        writeln!(std::io::stderr(), "{line}").ok();
    }
}

/// Runs a program; none where it is not there, else whether it succeeded and what it said.
fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|why| format!("{program}: {why}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Whether some process has a file open.
fn is_open(path: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("processes are listed").flatten();
    let files = processes.filter_map(|process| std::fs::read_dir(process.path().join("fd")).ok());
    files
        .flatten()
        .flatten()
        .any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == Path::new(path)))
}

/// An image file as a disk.
struct Disk {
    image: PathBuf,
    device: String,
    at: PathBuf,
}

impl Disk {
    fn attach(sandbox: &Sandbox, make: &[&str]) -> Result<Self, String> {
        let (image, at) = (sandbox.path("disk.img"), sandbox.path("media"));
        File::create(&image).and_then(|file| file.set_len(64 << 20)).expect("an image");
        std::fs::create_dir_all(&at).expect("a folder to mount on");
        let device = run("losetup", &["--find", "--show", text(&image)])?;
        let disk = Self { image, device, at };
        let (program, options) = make.split_first().expect("a program");
        run(program, &[options, &[disk.device.as_str()]].concat())?;
        Ok(disk)
    }

    fn mount(&self, how: &[&str]) -> Result<(), String> {
        let (program, options) = how.split_first().expect("a program");
        run(program, &[options, &[self.device.as_str(), text(&self.at)]].concat()).map(drop)
    }

    fn unmount(&self) {
        let busy = || run("umount", &[text(&self.at)]).is_err();
        wait_until("the disk is not in use", MOUNTED_WITHIN, busy, |busy| !busy);
        // The program ends on its own; until then the disk's cache is in use.
        wait_until("nobody holds the disk", MOUNTED_WITHIN, || is_open(&self.device), |used| !used);
    }

    /// Flips a byte of a file's bytes where the disk keeps them.
    fn damage(&self, file: &Path) {
        let wanted = std::fs::read(file).expect("a copy");
        let part = &wanted[wanted.len() - 2_000..wanted.len() - 1_000];
        let image = std::fs::read(&self.image).expect("the image");
        let at = image.windows(part.len()).position(|seen| seen == part).expect("its bytes are on the disk");
        let offset = at as u64 + 500;
        let writable = File::options().write(true).open(&self.image).expect("the image");
        writable.write_all_at(&[image[at + 500] ^ 1], offset).expect("written");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", text(&self.at)]).ok();
        run("losetup", &["--detach", &self.device]).ok();
    }
}

/// A backup's exit code and the bins at its end.
fn backup(sandbox: &Sandbox, to: &Path) -> (Option<i32>, Value, String) {
    let source = sandbox.path("photos");
    let output = sandbox.run(&["backup", "--json", text(&source), "--to", text(to)]);
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    let finished: Value = serde_json::from_str(last).expect("a line of JSON");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), finished["destinations"][0].clone(), told)
}

fn bins(of: &Value) -> (u64, u64) {
    let bin = |name: &str| of[name].as_u64().expect("a number");
    (bin("safe"), bin("unproven"))
}

fn has_fuse() -> Result<(), String> {
    File::options().read(true).write(true).open("/dev/fuse").map_err(|why| format!("/dev/fuse: {why}"))?;
    if std::fs::read_dir(FUSE_CONNECTIONS).map_err(|why| why.to_string())?.next().is_none() {
        // Either nothing is mounted, or the list is not.
        run("mount", &["-t", "fusectl", "fusectl", FUSE_CONNECTIONS]).ok();
    }
    Ok(())
}

/// A disk behind a program: nothing is safe until it was mounted again, then everything is; and what the
/// device itself does not hold is never taken for safe.
fn is_proved_by_mounting_anew(name: &str, make: &[&str], how: &[&str]) {
    if let Err(why) = has_fuse() {
        return skipped(name, &why);
    }
    let (seeded, sandbox) = (Seeded::announced("file systems"), Sandbox::new());
    make_photos(&seeded, &sandbox.path("photos"), PHOTO_FILES, 20_000);
    let disk = match Disk::attach(&sandbox, make) {
        Ok(disk) => disk,
        Err(why) => return skipped(name, &why),
    };
    disk.mount(how).expect("mounted");
    let to = disk.at.join("backup");
    let advice = "Unplug the disk and plug it in again";
    let (code, state, told) = backup(&sandbox, &to);
    assert_eq!((code, bins(&state), &state["proof_need"]), (Some(1), (0, PHOTOS), &Value::from("reconnect")));
    assert!(told.contains(advice), "{told}");
    let verify = sandbox.run(&["verify", "--deep"]);
    let told = String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.code() == Some(1) && told.contains("8 files could not be verified"), "{told}");
    assert!(told.contains(advice), "{told}");

    // The same mount at another place changes nothing of what is cached.
    let other = sandbox.path("other");
    std::fs::create_dir_all(&other).expect("a folder");
    run("mount", &["--bind", text(&disk.at), text(&other)]).expect("mounted twice");
    assert_eq!(bins(&backup(&sandbox, &to).1), (0, PHOTOS));
    run("umount", &[text(&other)]).expect("unmounted");

    let bad = copies_below(&to).pop().expect("a copy");
    let original = std::fs::read(&bad).expect("a copy");
    disk.unmount();
    let below = disk.at.join("backup");
    assert!(!below.exists(), "the disk is away");
    disk.mount(how).expect("mounted");
    disk.damage(&bad);
    disk.unmount();
    disk.mount(how).expect("mounted");
    let (code, state, _told) = backup(&sandbox, &to);
    assert_eq!((code, bins(&state)), (Some(1), (PHOTOS - 1, 1)), "one is sent again");
    assert_ne!(std::fs::read(&bad).expect("there"), original, "what is there is not touched");

    disk.unmount();
    disk.mount(how).expect("mounted");
    let (code, state, told) = backup(&sandbox, &to);
    assert_eq!((code, bins(&state)), (Some(0), (PHOTOS, 0)), "{told}");
    assert!(sandbox.run(&["verify", "--deep"]).status.success());
    assert_eq!(contents(&to).len() as u64, PHOTOS + 1);
    disk.unmount();
}

#[test]
fn ntfs_behind_a_program_is_proved_by_mounting_anew() {
    with_own_mounts("fire::file_systems::ntfs_behind_a_program_is_proved_by_mounting_anew", |name| {
        is_proved_by_mounting_anew(name, &["mkntfs", "--quiet", "--force"], &["ntfs-3g"]);
    });
}

#[test]
fn exfat_behind_a_program_is_proved_by_mounting_anew() {
    with_own_mounts("fire::file_systems::exfat_behind_a_program_is_proved_by_mounting_anew", |name| {
        is_proved_by_mounting_anew(name, &["mkfs.exfat"], &["mount.exfat-fuse"]);
    });
}

/// Whether the kernel has a file system, as a module too.
fn has_kernel(file_system: &str) -> bool {
    let list = || std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let is_listed =
        |list: &str| list.lines().any(|line| line.trim_start_matches("nodev").trim() == file_system);
    is_listed(&list()) || run("modprobe", &[file_system]).is_ok() && is_listed(&list())
}

fn is_proved_at_once(name: &str, file_system: &str, make: &[&str]) {
    if !has_kernel(file_system) {
        return skipped(name, &format!("this kernel has no {file_system}"));
    }
    let (seeded, sandbox) = (Seeded::announced("file systems"), Sandbox::new());
    make_photos(&seeded, &sandbox.path("photos"), PHOTO_FILES, 20_000);
    let disk = match Disk::attach(&sandbox, make) {
        Ok(disk) => disk,
        Err(why) => return skipped(name, &why),
    };
    disk.mount(&["mount", "-t", file_system]).expect("mounted");
    let (code, state, told) = backup(&sandbox, &disk.at.join("backup"));
    assert_eq!((code, bins(&state), &state["proof_need"]), (Some(0), (PHOTOS, 0), &Value::Null), "{told}");
    disk.unmount();
}

#[test]
fn fat_by_the_kernel_is_proved_at_once() {
    with_own_mounts("fire::file_systems::fat_by_the_kernel_is_proved_at_once", |name| {
        is_proved_at_once(name, "vfat", &["mkfs.vfat", "-F", "32"]);
    });
}

#[test]
fn exfat_by_the_kernel_is_proved_at_once() {
    with_own_mounts("fire::file_systems::exfat_by_the_kernel_is_proved_at_once", |name| {
        is_proved_at_once(name, "exfat", &["mkfs.exfat"]);
    });
}

#[test]
fn ntfs_by_the_kernel_is_proved_at_once() {
    with_own_mounts("fire::file_systems::ntfs_by_the_kernel_is_proved_at_once", |name| {
        is_proved_at_once(name, "ntfs3", &["mkntfs", "--quiet", "--force"]);
    });
}

/// A program that serves a file system until this goes.
struct FileSystemServer {
    programs: Vec<Child>,
    at: PathBuf,
}

impl FileSystemServer {
    fn wait(self) -> Self {
        let table = || std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        wait_until("it is mounted", MOUNTED_WITHIN, table, |table| table.contains(text(&self.at)));
        self
    }
}

impl Drop for FileSystemServer {
    fn drop(&mut self) {
        run("umount", &["-l", text(&self.at)]).ok();
        for program in &mut self.programs {
            program.kill().ok();
            program.wait().ok();
        }
    }
}

#[test]
fn a_folder_of_another_computer_by_sshfs_is_read_back_at_once() {
    with_own_mounts(
        "fire::file_systems::a_folder_of_another_computer_by_sshfs_is_read_back_at_once",
        |name| {
            if let Err(why) = has_fuse() {
                return skipped(name, &why);
            }
            let (seeded, sandbox) = (Seeded::announced("file systems"), Sandbox::new());
            make_photos(&seeded, &sandbox.path("photos"), PHOTO_FILES, 20_000);
            let (remote, at) = (sandbox.path("remote"), sandbox.path("media"));
            std::fs::create_dir_all(&remote).expect("a folder");
            std::fs::create_dir_all(&at).expect("a folder");
            // The two speak through pipes, so nothing listens.
            let server = Command::new("/usr/lib/openssh/sftp-server")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let Ok(mut server) = server else { return skipped(name, "there is no sftp-server") };
            let client = Command::new("sshfs")
                .args([&format!(":{}", text(&remote)), text(&at), "-f", "-o", "passive"])
                .stdin(server.stdout.take().expect("a pipe"))
                .stdout(server.stdin.take().expect("a pipe"))
                .spawn();
            let Ok(client) = client else {
                server.kill().ok();
                server.wait().ok();
                return skipped(name, "there is no sshfs");
            };
            let _served = FileSystemServer { programs: vec![client, server], at: at.clone() }.wait();
            let (code, state, told) = backup(&sandbox, &at.join("backup"));
            assert_eq!(
                (code, bins(&state), &state["proof_need"]),
                (Some(0), (PHOTOS, 0), &Value::Null),
                "{told}"
            );
            assert_eq!(contents(&remote.join("backup")).len() as u64, PHOTOS);
        },
    );
}

#[test]
fn a_program_that_keeps_a_cache_proves_nothing_and_says_so() {
    with_own_mounts("fire::file_systems::a_program_that_keeps_a_cache_proves_nothing_and_says_so", |name| {
        if let Err(why) = has_fuse() {
            return skipped(name, &why);
        }
        let (seeded, sandbox) = (Seeded::announced("file systems"), Sandbox::new());
        make_photos(&seeded, &sandbox.path("photos"), PHOTO_FILES, 20_000);
        let (remote, at) = (sandbox.path("remote"), sandbox.path("media"));
        std::fs::create_dir_all(&remote).expect("a folder");
        std::fs::create_dir_all(&at).expect("a folder");
        let started = Command::new(installed("rclone"))
            .args(["mount", "--vfs-cache-mode", "writes", "--config", "/dev/null", "--cache-dir"])
            .args([text(&sandbox.path("cache")), &format!(":local:{}", text(&remote)), text(&at)])
            .stderr(Stdio::null())
            .spawn();
        let Ok(program) = started else { return skipped(name, "there is no rclone") };
        let _served = FileSystemServer { programs: vec![program], at: at.clone() }.wait();
        let (code, state, told) = backup(&sandbox, &at.join("backup"));
        assert_eq!(
            (code, bins(&state), &state["proof_need"]),
            (Some(1), (0, PHOTOS), &Value::from("never")),
            "{told}"
        );
        assert!(told.contains("cannot be verified"), "{told}");
        let status = json_of(&sandbox, &["status", "--json"]);
        assert_eq!(bins(&status["destinations"][0]), (0, PHOTOS));
    });
}
