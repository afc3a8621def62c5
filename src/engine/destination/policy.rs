//! Calls of extensions: when, for how long, and what becomes of one that misbehaves.
//!
//! An extension may hang, panic, claim progress that there is none of, or come back without an
//! answer. Each costs its own destination some time, and nobody else anything.

use std::time::Duration;

use crate::domain::ids::{DestinationId, JobId};
use crate::domain::time::UnixMillis;
use crate::engine::catch_panic::catch_panic;
use crate::engine::destination::port::Port;
use crate::extension::{Extension, ProcessingResult};

/// How long one call of an extension may take before it is dropped.
const CALL_BUDGET: Duration = Duration::from_secs(20);
/// How long an extension may take over the notice that all is about to end.
const TERMINATION_BUDGET: Duration = Duration::from_millis(500);

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// With an answer.
    Answered(ProcessingResult),
    /// It was over its budget and dropped where it stood: its blocks are transactions.
    Overran,
    /// It panicked.
    Panicked,
}

/// What is known after a call of an extension.
pub(crate) struct ExtensionCallReport {
    pub destination: DestinationId,
    pub end: CallEnd,
    /// Rows that it changed.
    pub changed: u64,
    /// Jobs that it no longer wants.
    pub cancelled: Vec<JobId>,
    /// When the next failed record may be tried again.
    pub next_due: Option<UnixMillis>,
    /// All that waits waits for room.
    pub waits_for_room: bool,
    /// The extension, if it may be called again.
    pub extension: Option<Box<dyn Extension>>,
}

impl ExtensionCallReport {
    /// The call panicked where no extension runs.
    pub fn lost(destination: DestinationId) -> Self {
        Self {
            destination,
            end: CallEnd::Panicked,
            changed: 0,
            cancelled: Vec::new(),
            next_due: None,
            waits_for_room: false,
            extension: None,
        }
    }
}

/// Calls an extension.
pub(crate) async fn call(mut extension: Box<dyn Extension>, mut port: Port) -> ExtensionCallReport {
    let id = port.destination.id;
    let call = catch_panic(async { extension.process_jobs(&mut port).await });
    let end = match tokio::time::timeout(CALL_BUDGET, call).await {
        Ok(Ok(result)) => CallEnd::Answered(result),
        Ok(Err(_panicked)) => CallEnd::Panicked,
        Err(_late) => CallEnd::Overran,
    };
    // One that panicked or hung is in a state that nobody knows.
    let extension = matches!(end, CallEnd::Answered(_)).then_some(extension);
    let Port { store, changed, cancelled, .. } = port;
    let next_due = store.read(move |r| r.next_due(id)).await.unwrap_or(None);
    let waits_for_room =
        next_due.is_some() && store.read(move |r| r.waits_for_room(id)).await.unwrap_or(false);
    ExtensionCallReport { destination: id, end, changed, cancelled, next_due, waits_for_room, extension }
}

/// Gives an extension the notice, and half a second for it.
pub(crate) async fn notify(extension: &mut dyn Extension) {
    let notice = catch_panic(async { extension.will_terminate().await });
    tokio::time::timeout(TERMINATION_BUDGET, notice).await.ok();
}
