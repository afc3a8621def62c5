//! Requests that only look.

use crate::api::{PAGE_ROWS_MAX, Reply, Request, Snapshot};
use crate::domain::ids::AssetId;
use crate::domain::time::{Day, UnixMillis};
use crate::domain::wait::WaitReason;
use crate::engine::destination::workers::Workers;
use crate::engine::reply::{Outcome, internal};
use crate::store::{QueueContext, Read, Store, StoreError};

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

/// Answers from one consistent state of the database.
pub(crate) async fn answer(store: &Store, request: Request, context: QueryContext) -> Outcome {
    store.read(move |r| look(r, request, &context)).await.map_err(|error| internal(&error))
}

fn look(r: &Read<'_>, request: Request, context: &QueryContext) -> Result<Reply, StoreError> {
    let revision = context.library_revision;
    match request {
        Request::Events { limit } => r.events(limit.min(PAGE_ROWS_MAX)).map(Reply::Events),
        Request::Sections { filter } => Ok(Reply::Sections { revision, sections: r.sections(filter)? }),
        Request::Assets { day, offset, limit, filter } => {
            let rows = r.assets(Day(day), offset, limit.min(PAGE_ROWS_MAX), filter)?;
            Ok(Reply::Assets { revision, rows })
        }
        Request::AssetDetails { id } => {
            Ok(Reply::AssetDetails(r.asset_details(AssetId(id), &context.queue)?.map(Box::new)))
        }
        Request::Queue(mut query) => {
            query.limit = query.limit.min(PAGE_ROWS_MAX);
            r.queue_page(&query, &context.queue).map(Reply::Queue)
        }
        Request::FailureGroups => r.failure_groups().map(Reply::FailureGroups),
        other => Err(StoreError::Refused(format!("{other:?} is not a query"))),
    }
}
