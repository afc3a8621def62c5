//! Starting an agent that outlives the program that started it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::platform::log::tail;
use crate::platform::paths::{Paths, make_private_dir};

/// What a detached agent writes on its standard output when clients can come.
pub const READY_LINE: &str = "ready";
/// How an agent exits that finds another one in its place.
pub const TAKEN_EXIT: u8 = 2;
/// How long a new agent may take until then: a large database may need to be brought up to date.
const READY_MAX: Duration = Duration::from_secs(30);
/// How much of a failed agent's last words is shown, in bytes.
const LAST_WORDS_MAX: usize = 600;

/// No agent could be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program could not be run.
    #[error("Safelight could not start itself in the background: {0}")]
    Io(#[from] std::io::Error),
    /// Another agent has the data directory already, or is just letting go of it.
    #[error("Safelight is already running, but does not respond yet")]
    Taken,
    /// It ended before clients could come.
    #[error("Safelight could not start in the background: {0}")]
    Ended(String),
    /// It has not become ready.
    #[error("Safelight has not started in the background after {} seconds", READY_MAX.as_secs())]
    Late,
}

/// Starts an agent for these places and returns when clients can come.
///
/// # Errors
/// When it ends before, with its last words; another agent having the lock already is one way.
pub fn spawn_detached(paths: &Paths) -> Result<(), SpawnError> {
    spawn(Command::new(std::env::current_exe()?), paths)
}

fn spawn(mut command: Command, paths: &Paths) -> Result<(), SpawnError> {
    make_private_dir(&paths.log_dir()).map_err(std::io::Error::other)?;
    let words = paths.log_dir().join("start.log");
    let stderr =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&words)?;
    command.args(["agent", "--detached"]);
    if paths.is_chosen {
        command.arg("--data-dir").arg(&paths.data_dir);
    }
    // The root, for an agent must not keep a disk from being unmounted.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    wait_until_ready(command.spawn()?, &words, READY_MAX)
}

fn wait_until_ready(mut child: Child, words: &Path, within: Duration) -> Result<(), SpawnError> {
    let (ready, is_ready) = sync_channel(1);
    let stdout = child.stdout.take();
    std::thread::Builder::new().name("agent-watch".into()).spawn(move || {
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line).ok();
        }
        let is_up = line.trim_end() == READY_LINE;
        if is_up {
            ready.send(None).ok();
        }
        // The system keeps a dead child's entry until its parent has asked for it.
        let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(-1);
        if !is_up {
            ready.send(Some(code)).ok();
        }
    })?;
    match is_ready.recv_timeout(within) {
        Ok(None) => Ok(()),
        Ok(Some(code)) if code == i32::from(TAKEN_EXIT) => Err(SpawnError::Taken),
        Ok(Some(_)) | Err(RecvTimeoutError::Disconnected) => {
            let words = tail(words, LAST_WORDS_MAX);
            let words = if words.is_empty() { "it said nothing".to_owned() } else { words };
            Err(SpawnError::Ended(words))
        }
        Err(RecvTimeoutError::Timeout) => Err(SpawnError::Late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(dir: &Path) -> Paths {
        Paths {
            data_dir: dir.to_path_buf(),
            cache_dir: dir.join("cache"),
            socket: dir.join("s"),
            is_chosen: true,
        }
    }

    /// A shell stands in for the agent; it finds the arguments in `$*`.
    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, "agent"]);
        command
    }

    #[test]
    fn readiness_is_waited_for_and_the_arguments_are_given() {
        let dir = tempfile::tempdir().expect("temp");
        let heard = dir.path().join("heard");
        let script = format!("echo \"$* in $(pwd)\" > {}; echo {READY_LINE}", heard.display());
        spawn(shell(&script), &paths(dir.path())).expect("ready");
        let heard = std::fs::read_to_string(heard).expect("heard");
        assert_eq!(heard, format!("agent --detached --data-dir {} in /\n", dir.path().display()));
    }

    #[test]
    fn a_failure_brings_its_last_words() {
        let dir = tempfile::tempdir().expect("temp");
        let error = spawn(shell("echo 'the database is from the future' >&2; exit 5"), &paths(dir.path()))
            .expect_err("failed");
        assert!(error.to_string().contains("the database is from the future"), "{error}");
        let taken = spawn(shell("exit 2"), &paths(dir.path())).expect_err("failed");
        assert!(matches!(taken, SpawnError::Taken), "{taken}");
        let silent = spawn(shell("exit 1"), &paths(dir.path())).expect_err("failed");
        assert!(silent.to_string().contains("it said nothing"), "{silent}");
    }
}
