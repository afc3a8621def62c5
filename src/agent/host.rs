//! A whole agent inside this process: runtime, engine, socket. The agent's process is nothing more,
//! and a command that finds no agent is one for as long as it lasts.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::server::{AgentExit, serve};
use super::state::Agent;
use super::{AgentOptions, StartEngine};
use crate::engine::Handle;
use crate::platform::lock::DirLock;
use crate::platform::paths::Paths;
use crate::platform::socket;

/// Async threads: they only pass things on, the work is done elsewhere.
const RUNTIME_THREADS: usize = 2;
/// How long pieces of work may take to end after the engine has stopped.
const RUNTIME_STOP_MAX: Duration = Duration::from_millis(500);

/// A running agent. Dropping it leaves at once, which is safe but not polite.
#[derive(Debug)]
pub struct Host {
    runtime: tokio::runtime::Runtime,
    handle: Handle,
    server: JoinHandle<AgentExit>,
    leave: CancellationToken,
    // Last, so that nobody else becomes the agent before all else has gone.
    socket: SocketFile,
    lock: DirLock,
}

/// The agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The threads or the socket could not be made.
    #[error("Safelight could not open its socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The engine refused, with a sentence.
    #[error("{0}")]
    Engine(String),
}

/// Removes the socket when the agent ends, while the lock is still held.
#[derive(Debug)]
struct SocketFile(Vec<PathBuf>);

impl SocketFile {
    /// Links the socket into the data directory as well, for clients with another environment.
    fn of(paths: &Paths) -> Self {
        let sockets = paths.socket_paths();
        for link in sockets.iter().filter(|link| **link != paths.socket) {
            std::fs::remove_file(link).ok();
            if let Err(error) = std::os::unix::fs::symlink(&paths.socket, link) {
                tracing::debug!("only programs of this desktop will find the agent: {error}");
            }
        }
        Self(sockets)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        for socket in &self.0 {
            if let Err(error) = std::fs::remove_file(socket) {
                tracing::debug!("the socket could not be removed: {error}");
            }
        }
    }
}

impl Host {
    /// Starts the engine and serves clients. Holding `lock` makes this process the agent.
    ///
    /// # Errors
    /// When the engine does not start or the socket cannot be made.
    pub fn start(
        paths: &Paths,
        lock: DirLock,
        start_engine: StartEngine,
        options: AgentOptions,
    ) -> Result<Self, HostError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("agent")
            .enable_all()
            .build()?;
        let handle = runtime.block_on(start_engine(paths.clone())).map_err(HostError::Engine)?;
        let listener = socket::listen(&paths.socket)?;
        let socket = SocketFile::of(paths);
        listener.set_nonblocking(true)?;
        let leave = CancellationToken::new();
        let server = {
            let _inside = runtime.enter();
            let listener = tokio::net::UnixListener::from_std(listener)?;
            tokio::spawn(serve(listener, Agent::new(handle.clone()), options, leave.clone()))
        };
        Ok(Self { runtime, handle, server, leave, socket, lock })
    }

    /// The engine, for talk within this process.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where talk within this process can be waited for.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// Stays until it is time to end: asked, idle, or the engine stopped.
    pub fn wait(self) -> AgentExit {
        let Self { runtime, handle, server, leave: _, socket, lock } = self;
        let ending = runtime.block_on(server).unwrap_or_else(|error| {
            tracing::error!("the agent's server ended: {error}");
            AgentExit::EngineStopped
        });
        drop(handle);
        runtime.shutdown_timeout(RUNTIME_STOP_MAX);
        drop(socket);
        drop(lock);
        ending
    }

    /// Stops the engine and ends, without telling clients to stay away.
    pub fn leave(self) -> AgentExit {
        self.leave.cancel();
        self.wait()
    }
}
