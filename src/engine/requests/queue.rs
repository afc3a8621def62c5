//! What the person wants of files in the queue: another try, leaving them out, or taking them out of a
//! server's trash.

use tokio::time::Instant;

use crate::api::{ApiError, IDS_MAX, Reply, Selection};
use crate::domain::ids::ItemId;
use crate::engine::copies::untrash::{self, TrashSelection};
use crate::engine::parts::Parts;
use crate::engine::reply::{Outcome, ReplyTo, internal, refused, usage};
use crate::engine::task_set::TaskEnd;
use crate::store::{DecisionKind, RetryScope, StoreError, Write};

/// Tries failed files again.
///
/// # Errors
/// When an id is not one, or the store fails.
pub(crate) async fn retry(parts: &mut Parts<'_>, selection: Selection) -> Outcome {
    let store = &parts.context.store;
    let work = match selection {
        Selection::All => store.write(|tx| tx.retry_all(None)).await,
        Selection::Kind(kind) => store.write(move |tx| tx.retry_all(Some(&kind))).await,
        Selection::Items(ids) => {
            let items = items_of(&ids)?;
            let retry = move |tx: &Write<'_>| {
                note_request(tx, &items, "You asked for a retry")?;
                Ok((tx.retry_items(&items)?, tx.retry_scope(&items)?))
            };
            let (items, scope) = store.write(retry).await.map_err(|e| internal(&e))?;
            wake(parts, scope);
            return Ok(Reply::Changed { items });
        }
    };
    let items = work.map_err(|e| internal(&e))?;
    parts.workers.retry_unreachable(parts.context.wall(), |_| true);
    parts.library.look_again();
    parts.library.rescan(None);
    parts.workers.call_all_extensions();
    Ok(Reply::Changed { items })
}

/// Chosen files are tried again: only their folders are looked at again, and only destinations that they
/// could not be copied to are woken.
fn wake(parts: &mut Parts<'_>, scope: RetryScope) {
    for (source, dir) in scope.folders {
        parts.library.look_at(source, &dir);
    }
    parts.library.look_again();
    let (now, wall) = (Instant::now(), parts.context.wall());
    for id in scope.destinations {
        if let Some(worker) = parts.workers.get_mut(id) {
            worker.retry_unreachable(wall);
            worker.call_at_once(now);
        }
    }
}

/// Leaves files out. Transfers of them stop.
///
/// # Errors
/// When an id is not one, or the store fails.
pub(crate) async fn exclude(parts: &mut Parts<'_>, selection: Selection) -> Outcome {
    let store = &parts.context.store;
    let work = match selection {
        Selection::All => store.write(|tx| tx.exclude_all(None)).await,
        Selection::Kind(kind) => store.write(move |tx| tx.exclude_all(Some(&kind))).await,
        Selection::Items(ids) => {
            let items = items_of(&ids)?;
            parts.workers.stop_records(|record| items.contains(&ItemId::Record(record)));
            let exclude = move |tx: &Write<'_>| {
                note_request(tx, &items, "You left it out")?;
                tx.exclude_items(&items)
            };
            store.write(exclude).await
        }
    };
    let items = work.map_err(|e| internal(&e))?;
    parts.workers.call_all_extensions();
    Ok(Reply::Changed { items })
}

/// Takes files in again that the person left out.
///
/// # Errors
/// When no files are named, an id is not one, or the store fails.
pub(crate) async fn include(parts: &mut Parts<'_>, selection: Selection) -> Outcome {
    let Selection::Items(ids) = selection else {
        return Err(usage("name the files to include again"));
    };
    let items = items_of(&ids)?;
    let included = parts.context.store.write(move |tx| tx.include_items(&items)).await;
    let items = included.map_err(|e| internal(&e))?;
    parts.library.look_again();
    parts.library.rescan(None);
    parts.workers.call_all_extensions();
    Ok(Reply::Changed { items })
}

/// Takes files out of the servers' trash, where the destination is enabled.
pub(crate) fn spawn_untrash(parts: &mut Parts<'_>, selection: Selection, reply: ReplyTo) {
    let chosen = match trash_selection(selection) {
        Ok(chosen) => chosen,
        Err(error) => return drop(reply.send(Err(error))),
    };
    let (store, enabled) = (parts.context.store.clone(), parts.workers.enabled());
    parts.tasks.spawn(async move {
        let work = async {
            let mut items = 0;
            for (id, destination) in enabled {
                let done = untrash::run(&store, id, &destination, &chosen).await;
                items += done.map_err(|failure| refused(&failure))?;
            }
            Ok(Reply::Changed { items })
        };
        reply.send(work.await).ok();
        TaskEnd::WantedAgain
    });
}

/// Which records in a trash a request means.
fn trash_selection(selection: Selection) -> Result<TrashSelection, ApiError> {
    let ids = match selection {
        Selection::All => return Ok(TrashSelection::All),
        Selection::Kind(class) => return Ok(TrashSelection::Class(class)),
        Selection::Items(ids) => ids,
    };
    let record = |item| match item {
        ItemId::Record(id) => Some(id),
        ItemId::File(_) => None,
    };
    Ok(TrashSelection::Records(items_of(&ids)?.into_iter().filter_map(record).collect()))
}

/// Keeps what the person asked for of these.
fn note_request(tx: &Write<'_>, items: &[ItemId], text: &str) -> Result<(), StoreError> {
    for item in items {
        if let ItemId::Record(record) = item {
            tx.add_decision(*record, DecisionKind::Asked, text)?;
        }
    }
    Ok(())
}

fn items_of(ids: &[String]) -> Result<Vec<ItemId>, ApiError> {
    if ids.len() > IDS_MAX {
        return Err(usage(format!("no more than {IDS_MAX} items at once")));
    }
    ids.iter()
        .map(|id| id.parse().map_err(|()| usage(format!("{id} is not the id of a file in the queue"))))
        .collect()
}
