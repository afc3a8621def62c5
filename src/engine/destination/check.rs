//! One check of a destination: whether it is there and itself, and now and then what it can do.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::destination::{Attachment, Capabilities, SharedDestination};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ids::DestinationId;
use crate::engine::context::Context;
use crate::engine::copies::adopt::adopt;
use crate::engine::copies::leftovers::{clean, end_lost_uploads};

/// How long a destination may take to say that it is there. One that says nothing is not there.
const CHECK_BUDGET: Duration = Duration::from_secs(60);
/// How long finding out what a destination can do may take.
const PROBE_BUDGET: Duration = Duration::from_secs(300);

/// What a check does beside asking whether the destination is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckOrder {
    /// Takes the manifests of the destination into the ledger, which is new.
    pub needs_adoption: bool,
    /// Removes temp files that nothing will ever finish, before any transfer could make new ones.
    pub needs_clean: bool,
    /// Ends uploads that only the server knows.
    pub ends_uploads: bool,
    /// Finds out again what the destination can do.
    pub needs_probe: bool,
    /// What the destination called itself when it was probed: another name asks for a probe. Empty if
    /// none may be made.
    pub known_software: String,
}

/// What a check found that passed.
#[derive(Debug)]
pub(crate) struct CheckReport {
    /// How the destination is attached, where that decides what can be proved.
    pub attachment: Option<Attachment>,
    /// What the destination can do, where that was found out again.
    pub capabilities: Option<Box<Capabilities>>,
    /// Temp files that nothing will finish were removed, if there were any.
    pub is_cleaned: bool,
}

/// How a check ended.
#[derive(Debug)]
pub(crate) enum CheckEnd {
    Passed(CheckReport),
    Failed(Failure),
    /// It was stopped and says nothing.
    Stopped,
}

impl CheckEnd {
    /// The check itself panicked.
    pub fn panicked() -> Self {
        let why = "the check stopped unexpectedly (internal error)";
        Self::Failed(Failure::destination(FailureKind::Protocol, why))
    }
}

/// Checks a destination until the check ends or is cancelled.
pub(crate) async fn run(
    context: &Context,
    id: DestinationId,
    destination: &SharedDestination,
    order: CheckOrder,
    cancel: &CancellationToken,
) -> CheckEnd {
    match cancel.run_until_cancelled(check(context, id, destination, order)).await {
        Some(Ok(findings)) => CheckEnd::Passed(findings),
        Some(Err(failure)) => CheckEnd::Failed(failure),
        None => CheckEnd::Stopped,
    }
}

async fn check(
    context: &Context,
    id: DestinationId,
    destination: &SharedDestination,
    order: CheckOrder,
) -> Result<CheckReport, Failure> {
    let store = &context.store;
    let answer = tokio::time::timeout(CHECK_BUDGET, destination.check()).await;
    answer.unwrap_or_else(|_late| Err(timed_out()))?;
    if order.needs_adoption {
        adopt(store, id, destination, &context.deps.rng, &context.installation).await?;
    }
    if order.needs_clean {
        clean(store, id, destination).await?;
    }
    if order.ends_uploads {
        end_lost_uploads(store, id, destination).await;
    }
    let attachment = destination.attachment().await?;
    let is_another = !order.needs_probe && is_other_software(destination, &order.known_software).await;
    let capabilities = if order.needs_probe || is_another { probe(destination).await } else { None };
    Ok(CheckReport { attachment, capabilities, is_cleaned: order.needs_clean })
}

fn timed_out() -> Failure {
    let why = format!("no answer within {} seconds", CHECK_BUDGET.as_secs());
    Failure::destination(FailureKind::Timeout, why)
}

/// Finds out what the destination can do by now. `None` if that cannot be found out: what was found
/// before stays, and another time it is tried again.
async fn probe(destination: &SharedDestination) -> Option<Box<Capabilities>> {
    match tokio::time::timeout(PROBE_BUDGET, destination.probe()).await {
        Ok(Ok(capabilities)) => Some(Box::new(capabilities)),
        Ok(Err(failure)) => {
            tracing::warn!(kind = failure.kind.as_str(), details = %failure.details, "a probe failed");
            None
        }
        Err(_late) => None,
    }
}

/// Whether what answers calls itself something else than when it was probed: another version may do other
/// things.
async fn is_other_software(destination: &SharedDestination, known: &str) -> bool {
    if known.is_empty() {
        return false;
    }
    let now = destination.software().await.unwrap_or_default();
    !now.is_empty() && now != known
}
