//! Signing in again and again: the entry in the autostart folder is started as a desktop starts it, the
//! agent that it starts resumes the backup without a window, and it is killed in each session.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::backup::{Bins, digest, files_below, status, tiny_jpeg};
use crate::support::process::{Sandbox, binary};
use crate::support::seed::Seeded;
use crate::support::wait::wait_until;

/// Sign-ins with a kill in each.
const SESSIONS: u64 = 20;
/// New photos before each sign-in, and the bytes of each.
const PHOTOS: u64 = 30;
const PHOTO_LEN: usize = 400_000;
/// The backup must go on within 10 seconds after a sign-in; four times that on a busy machine.
const RESUMED_WITHIN: Duration = Duration::from_secs(40);
/// How long the last, undisturbed session may take.
const DONE_WITHIN: Duration = Duration::from_secs(300);

/// The entry that a desktop finds in the person's autostart folder.
fn entry(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.config/autostart/app.safelight.Safelight.desktop")
}

/// Starts the entry as a desktop does: GLib reads it, quoting and all.
fn sign_in(sandbox: &Sandbox) {
    let mut command = std::process::Command::new("gio");
    command.arg("launch").arg(entry(sandbox)).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", sandbox.path("home")).env("XDG_RUNTIME_DIR", sandbox.path("run"));
    // The agent keeps what it inherits: a pipe would not end with gio.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("gio starts").success(), "gio does not start the entry");
}

/// The agent of a sandbox: who runs the tested binary with its data directory.
fn agent(sandbox: &Sandbox) -> Option<Pid> {
    let wanted = sandbox.data_dir();
    let processes = std::fs::read_dir("/proc").expect("processes are listed");
    processes.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        let words = std::fs::read(process.path().join("cmdline")).ok()?;
        let mut words = words.split(|byte| *byte == 0);
        let is_ours = Path::new(std::str::from_utf8(words.next()?).ok()?) == binary();
        let words: Vec<&[u8]> = words.collect();
        let names = |word: &[u8]| words.contains(&word);
        (is_ours && names(b"agent") && names(wanted.as_os_str().as_encoded_bytes())).then_some(pid)
    })
}

fn add_photos(seeded: &Seeded, folder: &Path, round: u64) {
    let picture = tiny_jpeg();
    std::fs::create_dir_all(folder).expect("a folder");
    for n in 0..PHOTOS {
        let bytes = [picture.clone(), seeded.bytes(PHOTO_LEN)].concat();
        std::fs::write(folder.join(format!("IMG_{round:02}{n:03}.jpg")), bytes).expect("a photo");
    }
}

#[test]
fn twenty_sign_ins_with_a_kill_in_each_resume_the_backup() {
    let seeded = Seeded::announced("sign-in");
    let sandbox = Sandbox::new();
    let (photos, backup) = (sandbox.path("photos"), sandbox.path("backup"));
    add_photos(&seeded, &photos, 0);
    let run = |arguments: &[&str]| {
        let output = sandbox.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    run(&["backup", &text(&photos), "--to", &text(&backup)]);
    assert!(!entry(&sandbox).exists(), "a data directory that was chosen starts at sign-in by itself");
    let said = run(&["settings", "--start-at-sign-in", "on"]);
    assert!(said.contains("Start at sign-in       on"), "{said}");

    let done = |bins: &Option<Bins>| bins.is_some_and(|bins| bins.left() == 0 && bins.safe == bins.found);
    let mut safe = PHOTOS;
    for round in 1..=SESSIONS {
        add_photos(&seeded, &photos, round);
        sign_in(&sandbox);
        wait_until("the agent listens", RESUMED_WITHIN, || sandbox.is_listening(), |listens| *listens);
        // More is safe than before: the backup went on. How far it gets is left to chance.
        let wanted = safe + seeded.within(1..PHOTOS);
        let bins = wait_until(
            "the backup goes on",
            RESUMED_WITHIN,
            || status(&sandbox),
            |bins| bins.is_some_and(|bins| bins.safe >= wanted),
        );
        safe = bins.map_or(safe, |bins| bins.safe);
        let pid = agent(&sandbox).expect("the agent runs");
        kill_process(pid, Signal::KILL).expect("killed");
        wait_until("the agent is gone", RESUMED_WITHIN, || sandbox.is_listening(), |listens| !listens);
    }
    sign_in(&sandbox);
    wait_until("the agent listens", RESUMED_WITHIN, || sandbox.is_listening(), |listens| *listens);
    let bins = wait_until("all is safe", DONE_WITHIN, || status(&sandbox), done);
    assert_eq!(bins.map(|bins| bins.safe), Some(PHOTOS * (SESSIONS + 1)));
    run(&["agent", "--stop"]);

    let digests = |root: &Path| files_below(root).iter().map(|path| digest(path)).collect::<Vec<_>>();
    let copies = files_below(&backup).into_iter().filter(|path| path.extension().is_some_and(|e| e == "jpg"));
    let copies: Vec<_> = copies.map(|path| digest(&path)).collect();
    let unique: BTreeSet<_> = copies.iter().copied().collect();
    assert_eq!(copies.len(), unique.len(), "a photo is there twice");
    assert_eq!(unique, digests(&photos).into_iter().collect());
}

#[test]
fn starting_at_sign_in_is_a_choice_that_stays() {
    let sandbox = Sandbox::new();
    let settings = |choice: &[&str]| {
        let output = sandbox.run(&[&["settings"], choice].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(settings(&[]).contains("Start at sign-in       off"));
    settings(&["--start-at-sign-in", "on"]);
    let validated = std::process::Command::new("desktop-file-validate").arg(entry(&sandbox)).output();
    let validated = validated.expect("desktop-file-validate starts");
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stdout));
    settings(&["--start-at-sign-in", "off"]);
    assert!(settings(&[]).contains("Start at sign-in       off"));
}

#[test]
fn a_service_is_installed_for_systemd_and_removed() {
    let sandbox = Sandbox::new();
    // A systemd of our own, which notes what it is asked.
    let bin = sandbox.path("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let script = "#!/bin/sh\necho \"$@\" >>\"$HOME/asked\"\n[ \"$2\" != is-active ] || echo active\n";
    std::fs::write(bin.join("systemctl"), script).expect("a script");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(bin.join("systemctl"), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let service = |action: &str| {
        let output = sandbox.command(["service", action]).env("PATH", &path).output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let unit = sandbox.path("home/.config/systemd/user/safelight.service");
    assert!(service("status").contains("not installed"));
    let said = service("install");
    assert!(said.contains("State: active"), "{said}");
    let text = std::fs::read_to_string(&unit).expect("the unit is there");
    let data_dir = sandbox.data_dir();
    assert!(text.contains(&format!("--data-dir \"{}\" agent\n", data_dir.display())), "{text}");
    assert_eq!(service("remove"), "Removed\n");
    assert!(!unit.exists());
    assert_eq!(service("remove"), "The service was not installed\n");
    let asked = std::fs::read_to_string(sandbox.path("home/asked")).expect("it was asked");
    assert!(asked.contains("--user enable --now safelight.service\n"), "{asked}");
    assert!(asked.contains("--user disable --now safelight.service\n"), "{asked}");
}
