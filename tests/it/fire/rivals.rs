//! More than one process for one data folder, and a stranger at the socket.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{DONE_WITHIN, assert_all_there, json_of, make_photos, told};
use crate::support::backup::{Run, status};
use crate::support::process::{Running, Sandbox};
use crate::support::seed::Seeded;
use crate::support::wait::wait_until;

/// How long an agent may take to listen, and a refused one to give up.
const SOON: Duration = Duration::from_secs(60);
/// Whom Debian calls nobody.
const NOBODY: u32 = 65_534;

fn agent(sandbox: &Sandbox) -> Running {
    let agent = Run::agent(sandbox).process;
    wait_until("the agent listens", SOON, || sandbox.is_listening(), |up| *up);
    agent
}

#[test]
fn a_second_agent_is_refused_and_the_first_unharmed() {
    let seeded = Seeded::announced("two agents");
    let sandbox = Sandbox::new();
    make_photos(&seeded, &sandbox.path("photos"), 10, 2_000);
    let mut first = agent(&sandbox);
    let second = sandbox.run(&["agent"]);
    assert_eq!(second.status.code(), Some(2), "{}", told(&second));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("already running") && said.contains(&first.pid().to_string()), "{said}");
    assert!(sandbox.is_listening(), "the second took the first's socket along");
    assert!(json_of(&sandbox, &["status", "--json"])["destinations"].is_array());
    assert!(first.ended().is_none());
    let stopped = sandbox.run(&["agent", "--stop"]);
    assert_eq!(stopped.status.code(), Some(0), "{}", told(&stopped));
    assert!(first.wait_for_end(SOON).success(), "asked to stop, it ends well");
}

#[test]
fn two_backups_at_once_share_one_engine() {
    let seeded = Seeded::announced("two backups");
    let sandbox = Sandbox::new();
    let sources = [sandbox.path("photos"), sandbox.path("more")];
    let destination = sandbox.path("backup");
    for source in &sources {
        make_photos(&seeded, source, 120, 50_000);
    }
    // The same bytes in both: one copy serves both.
    let twin = sources[0].join("album 0/IMG_00000.jpg");
    std::fs::copy(twin, sources[1].join("twin.jpg")).expect("copied");
    let begin = |source: &Path| {
        let mut command = sandbox.command(["backup", "--quiet"]);
        command.arg(source).arg("--to").arg(&destination).stdout(Stdio::null());
        command.stderr(std::fs::File::create(source.with_extension("err")).expect("a log"));
        sandbox.spawn(command)
    };
    let mut running: Vec<Running> = sources.iter().map(|source| begin(source)).collect();
    for (process, source) in running.iter_mut().zip(&sources) {
        let ended = process.wait_for_end(DONE_WITHIN);
        let said = std::fs::read_to_string(source.with_extension("err")).unwrap_or_default();
        // The one that ran the engine may end first; the other then says that it can be run again.
        let is_left = ended.code() == Some(5) && said.contains("Run the command again");
        assert!(ended.success() || is_left, "{}: {ended}: {said}", source.display());
    }
    for source in &sources {
        super::assert_backs_up(&sandbox, source, &destination);
    }
    assert_all_there(&[&sources[0], &sources[1]], &destination);
    let bins = status(&sandbox).expect("status answers");
    assert_eq!((bins.found, bins.safe), (241, 241));
}

#[test]
fn another_user_is_turned_away_at_the_socket() {
    let seeded = Seeded::announced("stranger");
    let sandbox = Sandbox::new();
    make_photos(&seeded, &sandbox.path("photos"), 3, 2_000);
    let first = agent(&sandbox);
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can become another user: run the tests as root, or this promise is not tested"
    );
    // Everything that file modes would hold off is opened, so that only the check of the peer is left.
    let open = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("opened");
    };
    let runtime = sandbox.path("run");
    let own = runtime.join("safelight");
    for dir in [runtime.parent().expect("the sandbox"), &runtime, &own, &sandbox.path("home")] {
        open(dir, 0o755);
    }
    open(&sandbox.data_dir(), 0o777);
    let sockets = std::fs::read_dir(&own).expect("listed").map(|entry| entry.expect("an entry").path());
    let sockets: Vec<_> = sockets.collect();
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    open(&sockets[0], 0o666);
    // The binary itself is in a folder that nobody may enter.
    let copied = sandbox.path("safelight");
    std::fs::copy(crate::support::process::binary(), &copied).expect("copied");
    open(&copied, 0o755);
    let mut stranger = Command::new(&copied);
    stranger
        .env_clear()
        .env("HOME", "/nonexistent")
        .arg("--data-dir")
        .arg(sandbox.data_dir())
        .args(["status", "--json"])
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::null());
    let output = stranger.output().expect("it starts");
    assert_eq!(output.status.code(), Some(5), "{}", told(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("photos"), "{}", told(&output));
    let log = sandbox.data_dir().join("log/agent.log");
    wait_until(
        "the agent notes the stranger",
        SOON,
        || std::fs::read_to_string(&log).unwrap_or_default(),
        |log| log.contains(&format!("user {NOBODY} knocked and was turned away")),
    );
    assert!(json_of(&sandbox, &["status", "--json"])["sources"].is_array(), "its owner is still let in");
    drop(first);
}
