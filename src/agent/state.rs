//! What all conversations of an agent share: the engine, who is there, and whether it is time to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::CLIENTS_MAX;
use crate::engine::Handle;

/// What all conversations of an agent share.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// The engine.
    pub handle: Handle,
    /// Cancelled when someone asks the agent to stop.
    pub stop: CancellationToken,
    /// Cancelled when the engine has stopped.
    pub stopped: CancellationToken,
    /// Cancelled when conversations must end.
    pub closing: CancellationToken,
    /// Room for clients.
    pub seats: Arc<Semaphore>,
    /// Clients that are there.
    pub clients: watch::Sender<usize>,
    /// Windows that listen.
    pub windows: Arc<AtomicUsize>,
}

impl Agent {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            handle,
            stop: CancellationToken::new(),
            stopped: CancellationToken::new(),
            closing: CancellationToken::new(),
            seats: Arc::new(Semaphore::new(CLIENTS_MAX)),
            clients: watch::Sender::new(0),
            windows: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Counts a client for as long as the value lives.
    pub(super) fn admit_client(&self) -> ClientGuard {
        self.clients.send_modify(|count| *count += 1);
        ClientGuard(self.clients.clone())
    }

    /// Counts a listening window for as long as the value lives.
    pub(super) fn window(&self) -> WindowGuard {
        self.windows.fetch_add(1, Ordering::SeqCst);
        WindowGuard(Arc::clone(&self.windows))
    }
}

/// One client's place in the count.
pub(super) struct ClientGuard(watch::Sender<usize>);

impl Drop for ClientGuard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// One window's place in the count.
pub(super) struct WindowGuard(Arc<AtomicUsize>);

impl Drop for WindowGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
