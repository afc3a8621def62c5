//! A real server for as long as these tests run: in a process group of its own, on 127.0.0.1, ended
//! with everything that it started when the tests end, however they end.

use std::ffi::OsStr;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wait::wait_until;

/// How long a server may take to listen.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Runs the server and waits for the end of its own standard input, which the kernel closes with
/// this process; then nothing of the group is left.
const KEEPER: &str = "\"$@\" </dev/null & cat >/dev/null; trap '' TERM; kill -TERM 0; rm -rf \"$PLACE\"; sleep 0.3; rm -rf \"$PLACE\"; kill -KILL 0";

/// A running server; dropping it ends it.
pub struct Server {
    keeper: Child,
    /// Its configuration, its log and what it keeps.
    pub dir: PathBuf,
    pub port: u16,
}

impl Server {
    /// Starts a server: `command` gets its folder and the port that it is to listen on.
    pub fn start<I, S>(name: &str, command: impl FnOnce(&Path, u16) -> I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Self::start_at(name, free_port(), command)
    }

    /// The same on a port that others have been told of.
    pub fn start_at<I, S>(name: &str, port: u16, command: impl FnOnce(&Path, u16) -> I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        // The keeper removes it: what is kept for all tests of a process is never dropped.
        let dir = tempfile::Builder::new().prefix("sl-server-").tempdir().expect("a folder").keep();
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&dir, open).expect("a folder that servers may use");
        let log = std::fs::File::create(dir.join("log")).expect("a log");
        let words = command(&dir, port);
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args(words)
            .current_dir(&dir)
            .env("HOME", &dir)
            .env("PLACE", &dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} was not started: {error}"));
        let server = Self { keeper, dir, port };
        let listens = || TcpStream::connect(("127.0.0.1", port)).map_err(|_error| server.log());
        wait_until(
            &format!("{name} listens (tests/servers installs it)"),
            READY_WITHIN,
            listens,
            Result::is_ok,
        )
        .expect("it does");
        server
    }

    /// Ends it as a power cut does, with the disk that it had.
    pub fn kill(mut self) {
        let group = i32::try_from(self.keeper.id()).ok().and_then(rustix::process::Pid::from_raw);
        let group = group.expect("a process id");
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("killed");
        self.keeper.wait().expect("it has ended");
        std::fs::remove_dir_all(&self.dir).ok();
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// A port that nobody has now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// A program that `tests/servers` has put below the target folder.
pub fn installed(name: &str) -> PathBuf {
    installed_beside(&format!("venv/bin/{name}"))
}

/// Anything else that `tests/servers` has put there.
pub fn installed_beside(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").to_owned();
    let place = target.join("servers").join(path);
    assert!(place.exists(), "{} is not there: run tests/servers", place.display());
    place
}

/// Writes a server's configuration.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text)
}
