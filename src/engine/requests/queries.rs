//! Queries that the store answers, and what it cannot know of the rows that it returns.

use crate::api::{LibraryFilter, PAGE_ROWS_MAX, QueueQuery, Reply, Snapshot};
use crate::domain::ids::AssetId;
use crate::domain::time::{Day, UnixMillis};
use crate::domain::wait::WaitReason;
use crate::engine::destination::workers::Workers;
use crate::store::{QueueContext, Read, StoreError};

/// What the store cannot know, and the revisions that the answer shows.
pub(crate) struct QueryContext {
    queue: QueueContext,
    library_revision: u64,
}

impl QueryContext {
    /// What the workers and the newest snapshot tell.
    pub fn new(
        now: UnixMillis,
        app_wait: Option<WaitReason>,
        workers: &Workers,
        snapshot: &Snapshot,
    ) -> Self {
        let obstacles = workers.iter().filter_map(|worker| Some((worker.id(), worker.proof_obstacle()?)));
        let waits = workers.iter().filter_map(|worker| Some((worker.id(), worker.wait_reason()?)));
        let queue = QueueContext {
            now,
            app_wait,
            destination_wait: waits.collect(),
            proof_obstacle: obstacles.collect(),
            sent: workers.iter().flat_map(|worker| worker.transfers().sent()).collect(),
            revision: snapshot.queue_revision,
        };
        Self { queue, library_revision: snapshot.library_revision }
    }
}

/// The days of the library.
///
/// # Errors
/// When the store fails; the same holds for all functions here.
pub(crate) fn sections(
    r: &Read<'_>,
    context: &QueryContext,
    filter: LibraryFilter,
) -> Result<Reply, StoreError> {
    Ok(Reply::Sections { revision: context.library_revision, sections: r.sections(filter)? })
}

/// Assets of one day, from an offset, at most [`PAGE_ROWS_MAX`].
pub(crate) fn assets(
    r: &Read<'_>,
    context: &QueryContext,
    (day, offset, limit): (Day, u32, u32),
    filter: LibraryFilter,
) -> Result<Reply, StoreError> {
    let rows = r.assets(day, offset, limit.min(PAGE_ROWS_MAX), filter)?;
    Ok(Reply::Assets { revision: context.library_revision, rows })
}

/// One asset with its files and their copies.
pub(crate) fn asset_details(r: &Read<'_>, context: &QueryContext, id: AssetId) -> Result<Reply, StoreError> {
    Ok(Reply::AssetDetails(r.asset_details(id, &context.queue)?.map(Box::new)))
}

/// A page of the queue, at most [`PAGE_ROWS_MAX`] rows.
pub(crate) fn queue_page(
    r: &Read<'_>,
    context: &QueryContext,
    mut query: QueueQuery,
) -> Result<Reply, StoreError> {
    query.limit = query.limit.min(PAGE_ROWS_MAX);
    r.queue_page(&query, &context.queue).map(Reply::Queue)
}

/// Failures that need attention, grouped by class.
pub(crate) fn failure_groups(r: &Read<'_>) -> Result<Reply, StoreError> {
    r.failure_groups().map(Reply::FailureGroups)
}

/// The latest events, at most [`PAGE_ROWS_MAX`].
pub(crate) fn events(r: &Read<'_>, limit: u32) -> Result<Reply, StoreError> {
    r.events(limit.min(PAGE_ROWS_MAX)).map(Reply::Events)
}
