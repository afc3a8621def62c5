//! The socket's other end: who may come in, how many, and when it is time to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conversation::{refuse, serve_client};
use super::state::Agent;
use super::{AgentOptions, CLIENTS_MAX, IDLE_GRACE, STOP_MAX};
use crate::api::{BackupSwitch, Command};
use crate::engine::Handle;
use crate::platform::paths::own_uid;

/// Clients beyond the most who are being told so; further ones are dropped without a word.
const REFUSALS_MAX: usize = 8;
/// How long clients may take to read their last answers.
const FAREWELL_MAX: Duration = Duration::from_millis(500);
/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentExit {
    /// A client asked for it.
    Requested,
    /// A signal asked for it.
    Signalled,
    /// Nothing to do and nobody there.
    Idle,
    /// The command that ran the engine for itself is done.
    Left,
    /// The engine stopped on its own: something is wrong.
    EngineStopped,
}

/// Serves clients until it is time to end; then the engine has stopped, or had [`STOP_MAX`] to.
/// `leave` ends it without a word to clients, who may start an agent of their own.
pub(super) async fn serve(
    listener: UnixListener,
    agent: Agent,
    options: AgentOptions,
    leave: CancellationToken,
) -> AgentExit {
    let mut clients = JoinSet::new();
    let signals = async {
        if options.handles_signals {
            until_signal().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let idle = async {
        if options.leaves_when_idle {
            until_idle(&agent).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(signals, idle);
    let ending = loop {
        tokio::select! {
            () = agent.stop.cancelled() => break AgentExit::Requested,
            () = &mut signals => {
                agent.stop.cancel();
                break AgentExit::Signalled;
            }
            () = leave.cancelled() => break AgentExit::Left,
            () = agent.handle.stopped() => break AgentExit::EngineStopped,
            () = &mut idle => break AgentExit::Idle,
            accepted = listener.accept() => match accepted {
                Ok((stream, _address)) => welcome(&mut clients, stream, &agent),
                Err(error) => {
                    tracing::warn!("a client could not be let in: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_ended) = clients.join_next() => {}
        }
    };
    tracing::info!("the agent ends: {ending:?}");
    // Nobody may knock while the engine stops: who comes now must find nobody and try again.
    drop(listener);
    stop_engine(&agent.handle).await;
    agent.stopped.cancel();
    agent.closing.cancel();
    let farewell = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL_MAX, farewell).await.is_err() {
        tracing::debug!("some clients did not read their last answers");
    }
    ending
}

fn welcome(clients: &mut JoinSet<()>, stream: UnixStream, agent: &Agent) {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own_uid() => {}
        Ok(peer) => {
            tracing::warn!("user {} knocked and was turned away", peer.uid());
            return;
        }
        Err(error) => {
            tracing::warn!("a client who cannot be told was turned away: {error}");
            return;
        }
    }
    if clients.len() >= CLIENTS_MAX + REFUSALS_MAX {
        return;
    }
    let (read, write) = stream.into_split();
    match Arc::clone(&agent.seats).try_acquire_owned() {
        Ok(seat) => {
            let agent = agent.clone();
            clients.spawn(async move {
                serve_client(read, write, &agent).await;
                drop(seat);
            });
        }
        Err(_full) => {
            clients.spawn(refuse(write));
        }
    }
}

async fn stop_engine(handle: &Handle) {
    let stopped = async {
        if let Err(error) = handle.call(Command::Shutdown).await {
            tracing::debug!("the engine on being stopped: {error}");
        }
        handle.stopped().await;
    };
    if tokio::time::timeout(STOP_MAX, stopped).await.is_err() {
        tracing::error!("the engine did not stop in time and is left behind");
    }
}

async fn until_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = || -> std::io::Result<_> {
        Ok((
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ))
    };
    match listen() {
        Ok((mut terminate, mut interrupt, mut hangup)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        Err(error) => {
            tracing::error!("cannot install signal handlers: {error}");
            std::future::pending::<()>().await;
        }
    }
}

/// Returns when backup has been off and no client there for [`IDLE_GRACE`].
async fn until_idle(agent: &Agent) {
    let mut clients = agent.clients.subscribe();
    let mut snapshots = agent.handle.snapshots();
    let mut idle_since = None;
    loop {
        let is_off = snapshots.borrow_and_update().backup == BackupSwitch::Off;
        let is_idle = *clients.borrow_and_update() == 0 && is_off;
        idle_since = if is_idle { idle_since.or_else(|| Some(Instant::now())) } else { None };
        let grace = async {
            match idle_since {
                Some(since) => tokio::time::sleep_until(since + IDLE_GRACE).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = grace => return,
            _ = clients.changed() => {}
            changed = snapshots.changed() => if changed.is_err() {
                // The engine has stopped, which others see to.
                std::future::pending::<()>().await;
            },
        }
    }
}
