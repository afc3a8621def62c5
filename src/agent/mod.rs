//! The agent: the process that owns a data directory and runs its engine for all clients.
//!
//! This floor wires things together and decides how long the process lives. It must never decide
//! anything about a backup, never wait for a slow client, and never name egui.

mod conversation;
mod host;
mod server;
mod spawn;
mod state;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use host::{Host, HostError};
pub use server::AgentExit;
pub use spawn::{READY_LINE, SpawnError, TAKEN_EXIT, spawn_detached};

use crate::engine;
use crate::platform::paths::Paths;

/// The most clients at once.
pub const CLIENTS_MAX: usize = 32;
/// The most requests of one client that are under way at once; it is not read from beyond that.
pub const CALLS_PER_CLIENT_MAX: usize = 32;
/// The most answers that wait for a client to read them.
pub const REPLIES_WAITING_MAX: usize = 64;
/// How long a client may take to say who it is.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// How long the engine may take to stop.
pub const STOP_MAX: Duration = Duration::from_secs(5);
/// How long an agent that a window started stays when backup is off and no client is there.
pub const IDLE_GRACE: Duration = Duration::from_secs(60);

/// Starts the engine on a data directory. Passed in, so that this floor can be tested without one.
pub type StartEngine =
    Box<dyn FnOnce(Paths) -> Pin<Box<dyn Future<Output = Result<engine::Handle, String>> + Send>> + Send>;

/// How an agent's process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentOptions {
    /// It ends by itself when there is nothing to do and nobody is there.
    pub leaves_when_idle: bool,
    /// It stops on `SIGTERM`, `SIGINT` and `SIGHUP`.
    pub handles_signals: bool,
}

/// Starts the engine on the computer itself.
pub fn system_engine() -> StartEngine {
    Box::new(|paths| {
        Box::pin(async move {
            let deps = engine::Deps::system(paths.data_dir)
                .map_err(|error| format!("Safelight could not start its threads: {error}"))?;
            engine::start(deps).await.map_err(|error| error.to_string())
        })
    })
}
