//! Requests that only look.

use super::calls::{Outcome, internal};
use crate::api::{PAGE_ROWS_MAX, Reply, Request};
use crate::store::Store;

/// Answers from one consistent state of the database.
pub(super) async fn answer(store: &Store, request: Request, _context: ()) -> Outcome {
    let work = store.read(move |r| match request {
        Request::Events { limit } => r.events(limit.min(PAGE_ROWS_MAX)).map(Reply::Events),
        other => Err(crate::store::StoreError::Refused(format!("{other:?} is not a query"))),
    });
    work.await.map_err(|error| internal(&error))
}
