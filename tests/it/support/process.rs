//! The built binary as a person or a script runs it: own data directory, own process group, no
//! inherited settings.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;

use super::wait::wait_until;

/// How long a killed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Names another binary to test, as `tests/release` does.
const OTHER_BINARY: &str = "SAFELIGHT_TESTED_BINARY";

/// The binary that cargo built for these tests, or the one that the environment names.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(OTHER_BINARY) {
        Some(other) => std::fs::canonicalize(other).expect("a binary to test"),
        None => env!("CARGO_BIN_EXE_safelight").into(),
    })
}

/// A folder of its own for everything that one test writes; removed at the end.
pub struct Sandbox(tempfile::TempDir);

impl Sandbox {
    /// A fresh, empty sandbox. Its path is short, as a socket's path must be.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sl-").tempdir().expect("a temporary folder");
        for name in ["home", "run"] {
            std::fs::create_dir(dir.path().join(name)).expect("a folder in the sandbox");
        }
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir.path().join("run"), private).expect("a private folder");
        Self(dir)
    }

    /// A path below the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// A call of the binary with this sandbox's data directory, in a process group of its own and
    /// without a display, a bus or settings from outside.
    pub fn command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<std::ffi::OsStr>,
    {
        self.command_of(binary(), arguments)
    }

    /// The same by a copy of the binary, for someone who may not come near the built one.
    pub fn command_of<P, I, S>(&self, binary: P, arguments: I) -> Command
    where
        P: AsRef<Path>,
        I: IntoIterator<Item = S>,
        S: AsRef<std::ffi::OsStr>,
    {
        let mut command = Command::new(binary.as_ref());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("RUST_BACKTRACE", "1")
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Makes everything in it another user's.
    pub fn give_to(&self, user: u32) {
        let mut left = vec![self.0.path().to_owned()];
        while let Some(path) = left.pop() {
            std::os::unix::fs::chown(&path, Some(user), Some(user)).expect("only root can give files away");
            if path.is_dir() {
                let entries = std::fs::read_dir(&path).expect("a folder can be listed");
                left.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
        }
    }

    /// Whether a process of this sandbox listens for clients now. A dead one's socket file may
    /// remain; the kernel's list has only the living.
    pub fn is_listening(&self) -> bool {
        let sockets = std::fs::read_to_string("/proc/net/unix").expect("the kernel lists its sockets");
        let here = self.0.path().to_string_lossy();
        sockets.lines().any(|line| {
            let mut fields = line.split_whitespace();
            let accepts = fields.nth(3) == Some("00010000");
            accepts && fields.next_back().is_some_and(|path| path.starts_with(here.as_ref()))
        })
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Starts the binary; the whole process group ends with the handle.
    pub fn spawn(&self, mut command: Command) -> Running {
        Running { child: command.spawn().expect("the binary starts") }
    }
}

/// A running process and its group, killed when this goes.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// The process id, which is the group's too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The pipes and the rest.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be asked for its end")
    }

    /// Waits for its end.
    pub fn wait_for_end(&mut self, deadline: Duration) -> ExitStatus {
        wait_until("the process ends", deadline, || self.ended(), Option::is_some).expect("ended")
    }

    /// `kill -9` for the whole group. Returns whether the process was still running until then.
    pub fn kill(&mut self) -> bool {
        let was_running = self.ended().is_none();
        self.kill_group().expect("the group can be killed");
        self.wait_for_end(GONE_WITHIN);
        was_running
    }

    /// Sends a signal to the whole group, as a terminal does.
    pub fn signal(&self, signal: Signal) {
        self.signal_group(signal).expect("the group can be sent a signal");
    }

    fn kill_group(&self) -> io::Result<()> {
        self.signal_group(Signal::KILL)
    }

    fn signal_group(&self, signal: Signal) -> io::Result<()> {
        let group = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        let group = group.ok_or(io::ErrorKind::InvalidInput)?;
        match rustix::process::kill_process_group(group, signal) {
            Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_group().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_dropped_process_takes_its_group_along() {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped()).process_group(0);
    let mut running = Running { child: command.spawn().expect("sh starts") };
    let mut line = String::new();
    let out = running.child().stdout.take().expect("a pipe");
    io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).expect("the grandchild's id");
    let grandchild = PathBuf::from(format!("/proc/{}/stat", line.trim()));
    assert!(grandchild.exists());
    drop(running);
    // Whoever adopts the orphan may take a moment to collect it; until then it is a zombie.
    wait_until(
        "the grandchild is gone",
        GONE_WITHIN,
        || std::fs::read_to_string(&grandchild).unwrap_or_default(),
        |stat| stat.is_empty() || stat.contains(") Z "),
    );
}
