//! Finding the agent, starting one, or being one for as long as a command lasts.

use crate::domain::format::capitalize;
use std::path::Path;
use std::time::{Duration, Instant};

use super::exit::{CliError, Exit};
use crate::agent::{self, AgentOptions, Host, SpawnError, StartEngine};
use crate::api::{self, PROTOCOL_VERSION};
use crate::client::conversation::Conversation;
use crate::client::in_process::InProcess;
use crate::client::remote::{ConnectError, Remote};
use crate::client::window_backend::{Connector, OpenError};
use crate::platform::lock::{DirLock, LockError};
use crate::platform::paths::Paths;

/// How long an agent that is just starting or just ending is waited for.
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// How long between two looks at it.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// How long an agent may take to end: its engine's time and some more.
const STOP_MAX: Duration = Duration::from_secs(8);
/// How long a window that is there may take to come to the front: it looks for a new agent every ten
/// seconds.
const WINDOW_ANSWERS_MAX: Duration = Duration::from_secs(25);
/// Who a command says it is.
const ROLE: &str = "cli";
/// Who a window says it is.
const WINDOW_ROLE: &str = "window";

/// A talk with the engine, wherever that runs.
pub(super) struct Connection {
    /// The talk.
    pub talk: Box<dyn Conversation>,
    /// The agent that this process is meanwhile, if it is one.
    pub host: Option<Host>,
}

impl Connection {
    /// Ends the talk, and the agent in this process.
    pub fn leave(self) {
        drop(self.talk);
        if let Some(host) = self.host {
            host.leave();
        }
    }
}

/// Joins the agent, or becomes one.
///
/// # Errors
/// When the engine does not start, or another process has the data directory and does not answer.
pub fn join(paths: &Paths, start_engine: StartEngine) -> Result<Connection, CliError> {
    connect_within(paths, start_engine, CONNECT_MAX)
}

/// [`join`] with another patience.
pub(super) fn connect_within(
    paths: &Paths,
    start_engine: StartEngine,
    within: Duration,
) -> Result<Connection, CliError> {
    let deadline = Instant::now() + within;
    loop {
        match connect(paths, ROLE) {
            Ok(remote) => return Ok(Connection { talk: Box::new(remote), host: None }),
            Err(AttachError::Nobody) => {}
            Err(AttachError::Shut { message, .. }) => return Err(CliError::new(Exit::Internal, message)),
        }
        match DirLock::acquire(&paths.lock()) {
            Ok(lock) => return become_agent(paths, lock, start_engine),
            Err(LockError::Io(error)) => {
                return Err(CliError::new(Exit::Internal, LockError::Io(error).to_string()));
            }
            Err(held @ LockError::Held { .. }) if Instant::now() >= deadline => {
                return Err(CliError::new(Exit::Internal, format!("{held}, but it does not respond"))
                    .advise("Wait a moment and try again; if it happens again, end that process"));
            }
            Err(LockError::Held { .. }) => wait_between_tries(),
        }
    }
}

fn become_agent(paths: &Paths, lock: DirLock, start_engine: StartEngine) -> Result<Connection, CliError> {
    let options = AgentOptions { leaves_when_idle: false, handles_signals: false };
    let host = Host::start(paths, lock, start_engine, options)
        .map_err(|error| CliError::new(Exit::Internal, capitalize(&error.to_string())))?;
    let talk = InProcess::new(host.runtime().clone(), host.handle().clone());
    Ok(Connection { talk: Box::new(talk), host: Some(host) })
}

/// Why nobody opened.
enum AttachError {
    /// Nobody is there.
    Nobody,
    /// Someone is there and will not talk.
    Shut { message: String, is_final: bool },
}

/// Tries each socket path until one answers.
fn try_sockets<T>(paths: &Paths, at: impl Fn(&Path) -> Result<T, ConnectError>) -> Result<T, ConnectError> {
    for socket in paths.socket_paths() {
        match at(&socket) {
            Err(ConnectError::NotRunning) => {}
            answered => return answered,
        }
    }
    Err(ConnectError::NotRunning)
}

/// Connects; an older agent is replaced by one of this release first.
fn connect(paths: &Paths, role: &str) -> Result<Remote, AttachError> {
    match try_sockets(paths, |socket| Remote::connect(socket, role)) {
        Ok(remote) => Ok(remote),
        Err(ConnectError::NotRunning) => Err(AttachError::Nobody),
        Err(ConnectError::OtherVersion { version, .. }) if version < PROTOCOL_VERSION => {
            tracing::info!("an older agent runs; it is replaced");
            let replaced = try_sockets(paths, |socket| Remote::stop(socket, STOP_MAX))
                .map_err(|error| error.to_string())
                .and_then(|_old| start_agent(paths));
            match replaced {
                Ok(()) => Err(AttachError::Nobody),
                Err(message) => Err(AttachError::Shut { message, is_final: false }),
            }
        }
        Err(error) => {
            let is_final = matches!(error, ConnectError::OtherVersion { .. });
            Err(AttachError::Shut { message: error.to_string(), is_final })
        }
    }
}

/// Starts an agent; one that is there already will do.
fn start_agent(paths: &Paths) -> Result<(), String> {
    match agent::spawn_detached(paths) {
        Ok(()) | Err(SpawnError::Taken) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// How a window joins the agent, and starts one where none runs.
pub fn window_connector(paths: Paths) -> Connector {
    Box::new(move |may_start| {
        let deadline = Instant::now() + CONNECT_MAX;
        loop {
            match connect(&paths, WINDOW_ROLE) {
                Ok(remote) => return Ok(remote),
                Err(AttachError::Shut { message, is_final }) => return Err(OpenError { message, is_final }),
                Err(AttachError::Nobody) if !may_start => {
                    let message = "Safelight was stopped".to_owned();
                    return Err(OpenError { message, is_final: false });
                }
                Err(AttachError::Nobody) => {}
            }
            start_agent(&paths).map_err(|message| OpenError { message, is_final: false })?;
            if Instant::now() >= deadline {
                let message = "Safelight is running but does not respond".to_owned();
                return Err(OpenError { message, is_final: false });
            }
            wait_between_tries();
        }
    })
}

/// Who shows the window.
#[derive(Debug)]
pub enum WindowClaim {
    /// The one that is open; it was brought to the front.
    Raised,
    /// This process, for as long as it holds the lock; none where no lock can be had at all.
    Ours(Option<DirLock>),
}

/// Makes this process the window, or brings the one that is there to the front. One that is only
/// just opening, as when Safelight was started twice in one second, is waited for.
///
/// # Errors
/// When a window is there and does not answer.
pub fn claim_window(paths: &Paths) -> Result<WindowClaim, CliError> {
    claim_window_within(paths, WINDOW_ANSWERS_MAX, start_agent)
}

/// [`claim_window`] with another patience and another way to start an agent.
pub(super) fn claim_window_within(
    paths: &Paths,
    within: Duration,
    start: impl FnOnce(&Paths) -> Result<(), String>,
) -> Result<WindowClaim, CliError> {
    let deadline = Instant::now() + within;
    let mut start = Some(start);
    loop {
        if raise_window(paths) {
            return Ok(WindowClaim::Raised);
        }
        match DirLock::acquire(&paths.window_lock()) {
            Ok(lock) => return Ok(WindowClaim::Ours(Some(lock))),
            Err(LockError::Io(error)) => {
                tracing::warn!("a second window could not be kept from opening: {error}");
                return Ok(WindowClaim::Ours(None));
            }
            Err(LockError::Held { .. }) if Instant::now() >= deadline => {
                return Err(CliError::new(Exit::Internal, "The window is open but does not respond")
                    .advise("Close it, then start Safelight again"));
            }
            Err(LockError::Held { .. }) => {
                // Its agent may have been stopped: an open window joins the next one by itself.
                if let Some(Err(message)) = start.take().map(|start| start(paths)) {
                    tracing::debug!("no agent for the open window: {message}");
                }
                wait_between_tries();
            }
        }
    }
}

/// Asks the open window to come to the front. Returns whether there was one.
fn raise_window(paths: &Paths) -> bool {
    let asked = try_sockets(paths, |socket| Remote::connect(socket, ROLE))
        .ok()
        .and_then(|mut remote| remote.call(api::Command::RaiseWindow.into()).ok());
    matches!(asked, Some(crate::api::Reply::Raised { was_open: true }))
}

/// Stops the agent and returns when its data directory is free. Returns whether there was one.
///
/// # Errors
/// When it does not stop.
pub fn stop(paths: &Paths) -> Result<bool, CliError> {
    let deadline = Instant::now() + STOP_MAX + STOP_MAX;
    let stuck = |what: String| CliError::new(Exit::Internal, what).advise("End its process; no data is lost");
    loop {
        match try_sockets(paths, |socket| Remote::stop(socket, STOP_MAX)) {
            Ok(_welcome) => break,
            Err(ConnectError::NotRunning) => {}
            Err(error) => return Err(stuck(error.to_string())),
        }
        match DirLock::acquire(&paths.lock()) {
            Ok(_free) => return Ok(false),
            // It may be just starting, and listen in a moment.
            Err(error) if Instant::now() >= deadline => {
                return Err(stuck(format!("{error}, but it does not respond")));
            }
            Err(_held) => wait_between_tries(),
        }
    }
    loop {
        match DirLock::acquire(&paths.lock()) {
            Ok(_free) => return Ok(true),
            Err(error) if Instant::now() >= deadline => return Err(stuck(error.to_string())),
            Err(_held) => wait_between_tries(),
        }
    }
}

/// Waits a moment: another process gives no signal when it is ready.
fn wait_between_tries() {
    std::thread::park_timeout(POLL_EVERY);
}
