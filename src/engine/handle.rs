//! How everyone above talks with the running engine.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::api::{ApiError, ErrorKind, Event, Reply, Request, Snapshot};

/// The most requests that wait for the engine; callers beyond that wait their turn.
pub const CALLS_WAITING_MAX: usize = 256;
/// The most events a slow listener may fall behind before it loses the oldest.
pub const EVENTS_BEHIND_MAX: usize = 64;

/// One request and where its answer goes.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the outcome goes; nobody may be listening any more.
    pub reply: oneshot::Sender<Result<Reply, ApiError>>,
}

/// A running engine, as its clients see it. Clones are cheap and speak to the same engine.
#[derive(Debug, Clone)]
pub struct Handle {
    calls: mpsc::Sender<Call>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    events: broadcast::Sender<Event>,
}

/// The engine's ends of the same lines.
#[derive(Debug)]
pub struct EngineEnd {
    /// Requests, in order. Closed when the last handle has gone.
    pub calls: mpsc::Receiver<Call>,
    /// Where each new snapshot goes. Dropping it tells every handle that the engine has stopped.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// Where events go.
    pub events: broadcast::Sender<Event>,
}

/// The two ends of a new engine's lines.
pub fn channel() -> (Handle, EngineEnd) {
    let (calls, calls_end) = mpsc::channel(CALLS_WAITING_MAX);
    let (snapshots_end, snapshots) = watch::channel(Arc::new(Snapshot::default()));
    let (events, _) = broadcast::channel(EVENTS_BEHIND_MAX);
    let end = EngineEnd { calls: calls_end, snapshots: snapshots_end, events: events.clone() };
    (Handle { calls, snapshots, events }, end)
}

impl Handle {
    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// What the engine refused, or `unavailable` when it has stopped.
    pub async fn call(&self, request: impl Into<Request>) -> Result<Reply, ApiError> {
        let stopped = || ApiError::new(ErrorKind::Unavailable, "Safelight is stopping");
        let (reply, outcome) = oneshot::channel();
        self.calls.send(Call { request: request.into(), reply }).await.map_err(|_closed| stopped())?;
        outcome.await.map_err(|_dropped| stopped())?
    }

    /// The newest snapshot and a way to wait for the next. It errs when the engine has stopped.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Events from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Sends an event to every listener, for what does not start in the engine. Returns how many
    /// listen.
    pub fn publish(&self, event: Event) -> usize {
        self.events.send(event).unwrap_or(0)
    }

    /// Returns when the engine has stopped.
    pub async fn stopped(&self) {
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {}
    }
}
