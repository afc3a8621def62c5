//! A destination that the person is adding, once it was tried.

use crate::api::ApiError;
use crate::destination::SharedDestination;
use crate::destination::connect::Address;
use crate::engine::context::Context;
use crate::engine::path_resolver::ResolvedPaths;
use crate::engine::reply::{ReplyTo, refused};
use crate::engine::setup::removals::RequestNumber;
use crate::store::NewDestination;

/// The most unacknowledged jobs of a built-in destination.
const JOB_LIMIT: u32 = 64;

/// A destination that was tried and can be saved.
pub(crate) struct TestedDestination {
    pub outcome: Result<(NewDestination, SharedDestination), ApiError>,
    pub consent_all: bool,
    /// The person lets the server's checksum count as proof.
    pub trusts_checksum: bool,
    pub resolved: ResolvedPaths,
    /// When it was asked for.
    pub asked: RequestNumber,
    pub reply: ReplyTo,
}

/// Sets a destination up, which others may be doing at the same address: they wait for `lock`.
///
/// # Errors
/// Why that is refused.
pub(crate) async fn create(
    context: &Context,
    name: String,
    address: Address,
    lock: &tokio::sync::Mutex<()>,
) -> Result<(NewDestination, SharedDestination), ApiError> {
    let _alone = lock.lock().await;
    let created = context.deps.connect.create(&address, &context.installation).await;
    let (destination, capabilities) = created.map_err(|failure| refused(&failure))?;
    let Address { kind, address, .. } = address;
    Ok((NewDestination { name, kind, address, capabilities, job_limit: job_limit() }, destination))
}

/// The job limit of a new destination.
fn job_limit() -> u32 {
    // A small library reaches a small limit only.
    #[cfg(test)]
    if let Some(limit) = crate::engine::tests::sim::job_limit() {
        return limit;
    }
    JOB_LIMIT
}
