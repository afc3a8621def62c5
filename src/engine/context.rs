//! What every part of the engine works with and none of them changes.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Event;
use crate::base::executor::Executor;
use crate::domain::time::UnixMillis;
use crate::engine::deps::Deps;
use crate::store::{Store, mirror};

/// The time on both clocks, and where the person's clock is.
pub(crate) struct ClockReading {
    /// For waiting.
    pub now: Instant,
    /// For people.
    pub wall: UnixMillis,
    /// The person's time zone.
    pub zone: TimeZone,
}

/// The engine's surroundings. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Context {
    pub deps: Deps,
    pub store: Store,
    /// Where restored files are compared and written, so that a slow disk they come to holds up nothing
    /// else.
    pub restore_executor: Executor,
    /// This installation's UUID.
    pub installation: Arc<str>,
    /// Where events for clients go.
    pub events: broadcast::Sender<Event>,
    /// Cancelled when the engine stops.
    pub stop: CancellationToken,
}

impl Context {
    /// The time for people.
    pub fn wall(&self) -> UnixMillis {
        self.deps.clock.now()
    }

    /// The time on both clocks, and the person's time zone.
    pub fn read_clocks(&self) -> ClockReading {
        ClockReading { now: Instant::now(), wall: self.wall(), zone: (self.deps.zone)() }
    }

    /// Tells every client. Returns how many listen.
    pub fn send_event(&self, event: Event) -> usize {
        self.events.send(event).unwrap_or(0)
    }

    /// Keeps `config.json` true. A failure costs nothing now and is only logged.
    pub async fn mirror(&self) {
        if let Err(error) = mirror::save(&self.store, &self.deps.data_dir).await {
            tracing::warn!(%error, "config.json was not written");
        }
    }
}
