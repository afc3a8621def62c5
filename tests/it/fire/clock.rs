//! A wall clock that jumps while the process runs, and a process that is stopped for a while, as a
//! computer that sleeps stops it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::{DONE_WITHIN, assert_all_there, copies_below, json_of, make_photos};
use crate::support::backup::{Run, files_below, status};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::{rest, wait_until};

/// How long something that is due at once may take on a busy machine.
const SOON: Duration = Duration::from_secs(90);
/// As many photos as keep a fast machine busy while the clock jumps.
const PHOTOS: usize = 2_000;
/// How long the process is stopped.
const SLEEP: Duration = Duration::from_secs(4);

/// The wall clock of started processes: the real one and what a file says is added to it.
struct Clock(PathBuf);

impl Clock {
    fn new(sandbox: &Sandbox) -> Self {
        let clock = Self(sandbox.path("clock"));
        clock.set("+0");
        clock
    }

    /// Sets it forward or back, by so much (`+400d`, `-8h`), for the running processes too.
    fn set(&self, offset: &str) {
        // A new file under the old name, so that no reader sees half of it.
        let fresh = self.0.with_extension("new");
        std::fs::write(&fresh, format!("{offset}\n")).expect("written");
        std::fs::rename(fresh, &self.0).expect("renamed");
    }

    fn rules<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_NO_CACHE", "1")
            // The clock that only goes forward still does; files keep the times they have.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
    }

    fn backup(&self, sandbox: &Sandbox, source: &Path, destination: &Path) -> Run {
        let mut command = sandbox.command(["backup", "--json"]);
        self.rules(command.arg(source).arg("--to").arg(destination));
        Run::of(sandbox, command)
    }

    fn agent(&self, sandbox: &Sandbox) -> Run {
        let mut command = sandbox.command(["agent"]);
        self.rules(&mut command);
        let run = Run::silent(sandbox, command);
        wait_until("the agent listens", SOON, || sandbox.is_listening(), |up| *up);
        run
    }
}

/// The library that fakes the clock, of the Debian package `faketime`.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib").map_while(Result::ok);
    let found = folders.map(|e| e.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("the clock cannot be set back and forth: install libfaketime (tests/install faketime)")
}

#[test]
fn a_clock_that_jumps_in_mid_backup_changes_nothing() {
    let seeded = Seeded::announced("clock");
    let sandbox = Sandbox::new();
    let clock = Clock::new(&sandbox);
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    make_photos(&seeded, &source, PHOTOS, 100_000);
    let mut run = clock.backup(&sandbox, &source, &destination);
    let mut jumps = 0;
    let mut offsets = ["+400d", "-3650d", "+8h", "-1d", "+0", "-20000d", "+9000d"].iter().cycle();
    let ended = wait_until(
        "the backup ends",
        DONE_WITHIN,
        || {
            if let Some(bins) = run.bins(&sandbox) {
                clock.set(offsets.next().expect("for ever"));
                jumps += u32::from(bins.left() > 0);
            }
            run.process.ended()
        },
        Option::is_some,
    );
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    assert!(jumps >= 4, "only {jumps} jumps before it was done: too few photos for this machine");
    assert_all_there(&[&source], &destination);
    let bins = status(&sandbox).expect("status answers");
    let all = PHOTOS as u64;
    assert_eq!((bins.found, bins.safe), (all, all), "by the real clock again");
}

#[test]
fn a_due_time_by_another_clock_does_not_hold_it_up() {
    let seeded = Seeded::announced("due time");
    let sandbox = Sandbox::new();
    let clock = Clock::new(&sandbox);
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    make_photos(&seeded, &source, 5, 2_000);
    super::assert_backs_up(&sandbox, &source, &destination);

    clock.set("+400d");
    let mut agent = clock.agent(&sandbox);
    std::fs::rename(&destination, sandbox.path("unplugged")).expect("moved");
    make_photos(&seeded, &source.join("more"), 5, 2_000);
    let reason = wait_until(
        "it waits for its destination",
        SOON,
        || json_of(&sandbox, &["status", "--json"])["destinations"][0]["wait_reason"].clone(),
        |reason| reason["kind"] == "unreachable" && reason["until"].is_string(),
    );
    let this_year = safelight::base::clock::Clock::now(&safelight::base::clock::SystemClock).rfc3339();
    assert!(reason["until"].as_str() > Some(&this_year[..7]), "the clock was not ahead: {reason}");
    agent.process.kill();

    // Back to the real time, by which it would be due in more than a year.
    std::fs::rename(sandbox.path("unplugged"), &destination).expect("moved");
    let _agent = Run::agent(&sandbox);
    wait_until("the agent listens", SOON, || sandbox.is_listening(), |up| *up);
    wait_until(
        "it goes on at once",
        SOON,
        || status(&sandbox),
        |bins| bins.is_some_and(|bins| bins.safe == 10),
    );
    // The agent may just be listing the copies.
    let temp_files = || {
        let is_temp = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
        files_below(&destination).into_iter().filter(is_temp).count()
    };
    wait_until("nothing is being written any more", SOON, temp_files, |count| *count == 0);
    assert_all_there(&[&source], &destination);
}

#[test]
fn a_computer_that_slept_goes_on_where_it_was() {
    let seeded = Seeded::announced("sleep");
    let sandbox = Sandbox::new();
    let clock = Clock::new(&sandbox);
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    make_photos(&seeded, &source, 300, 200_000);
    let mut run = clock.backup(&sandbox, &source, &destination);
    let first = run.first_bins(&sandbox).expect("it shows how far it is");
    run.process.signal(Signal::STOP);
    rest(SLEEP / 2);
    let before = copies_below(&destination).len();
    rest(SLEEP / 2);
    assert_eq!(copies_below(&destination).len(), before, "a stopped process went on");
    assert!(first.left() > 0 && before < 300, "nothing was left to do: too few photos for this machine");
    // It wakes eight hours later.
    clock.set("+8h");
    run.process.signal(Signal::CONT);
    assert_eq!(run.process.wait_for_end(DONE_WITHIN).code(), Some(0));
    assert_all_there(&[&source], &destination);
}
