//! What time it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::UnixMillis;

/// The wall clock. It may jump either way: nothing may rely on it going forward.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixMillis;
}

/// A clock that can be shared.
pub type SharedClock = Arc<dyn Clock>;

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        UnixMillis(millis)
    }
}

/// Follows tokio's clock from a fixed start, so that paused time moves it too.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClock {
    start: UnixMillis,
    began: tokio::time::Instant,
}

impl RuntimeClock {
    /// A clock that reads `start` now. Needs a tokio runtime's context.
    pub fn starting_at(start: UnixMillis) -> Self {
        Self { start, began: tokio::time::Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> UnixMillis {
        self.start.plus(self.began.elapsed())
    }
}
