//! Requests that only look.

use crate::api::{PAGE_ROWS_MAX, Reply, Request};
use crate::domain::ids::AssetId;
use crate::domain::time::Day;
use crate::engine::requests::{Outcome, internal};
use crate::store::{QueueContext, Read, Store, StoreError};

/// What the store cannot know, and the revisions that the answer shows.
pub(crate) struct Context {
    pub queue: QueueContext,
    pub library_revision: u64,
}

/// Answers from one consistent state of the database.
pub(crate) async fn answer(store: &Store, request: Request, context: Context) -> Outcome {
    store.read(move |r| look(r, request, &context)).await.map_err(|error| internal(&error))
}

fn look(r: &Read<'_>, request: Request, context: &Context) -> Result<Reply, StoreError> {
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
