//! What can be restored from a destination, and how much that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{self, Reply};
use crate::domain::ids::DestinationId;
use crate::domain::restore_scope::{month_of, top_folder};
use crate::engine::copies::adopt::adopt;
use crate::engine::parts::Parts;
use crate::engine::reply::{Outcome, ReplyTo, internal, refused};
use crate::engine::restore::prepare::resolve_scope;
use crate::engine::task_set::TaskEnd;
use crate::store::{Read, Store, StoreError};

/// Folders in an overview.
const FOLDERS_MAX: usize = 1_000;

/// Answers what can be restored from a destination, also from one that the ledger does not know yet.
pub(crate) fn spawn_overview(parts: &mut Parts<'_>, id: DestinationId, reply: ReplyTo) {
    let (destination, needs_adoption) = match parts.worker(id) {
        Ok(worker) => (worker.destination(), worker.needs_adoption()),
        Err(error) => return drop(reply.send(Err(error))),
    };
    let context = parts.context.clone();
    parts.tasks.spawn(async move {
        let work = async {
            let store = &context.store;
            if needs_adoption {
                let destination = destination.map_err(|failure| refused(&failure))?;
                destination.check().await.map_err(|failure| refused(&failure))?;
                let rng = Arc::clone(&context.deps.rng);
                let adopted = adopt(store, id, &destination, &rng, &context.installation).await;
                adopted.map_err(|failure| refused(&failure))?;
            }
            let overview = store.read(move |r| overview(r, id)).await;
            Ok(Reply::RestoreOverview(Box::new(overview.map_err(|error| internal(&error))?)))
        };
        reply.send(work.await).ok();
        TaskEnd::Answered
    });
}

/// Answers how much a restore of this scope would bring.
pub(crate) fn spawn_measure(
    parts: &mut Parts<'_>,
    id: DestinationId,
    scope: api::RestoreScope,
    reply: ReplyTo,
) {
    let store = parts.context.store.clone();
    parts.tasks.spawn(async move {
        reply.send(measure(&store, id, scope).await).ok();
        TaskEnd::Answered
    });
}

/// What a destination has that can be restored.
fn overview(r: &Read<'_>, id: DestinationId) -> Result<api::RestoreOverview, StoreError> {
    let mut overview = api::RestoreOverview::default();
    let mut months: BTreeMap<(i32, i32), api::FileTotals> = BTreeMap::new();
    let mut folders: BTreeMap<(String, Vec<u8>), api::FileTotals> = BTreeMap::new();
    r.each_restorable(id, |copy, size| {
        overview.total.add(size);
        months.entry(month_of(copy.captured_at)).or_default().add(size);
        let top = top_folder(copy.path);
        let chosen: &[&[u8]] = if top.is_empty() { &[&[]] } else { &[&[], top] };
        for folder in chosen {
            let key = (copy.source_label.to_owned(), folder.to_vec());
            if folders.len() < FOLDERS_MAX || folders.contains_key(&key) {
                folders.entry(key).or_default().add(size);
            }
        }
    })?;
    overview.months = months
        .into_iter()
        .rev()
        .map(|((year, month), totals)| api::RestoreMonth { year, month, totals })
        .collect();
    let folder = |((source, path), totals): ((String, Vec<u8>), _)| api::RestoreFolder {
        source,
        path: api::PathText::from_bytes(&path),
        totals,
    };
    overview.folders = folders.into_iter().map(folder).collect();
    Ok(overview)
}

/// How much a restore of this scope would bring.
async fn measure(store: &Store, id: DestinationId, scope: api::RestoreScope) -> Outcome {
    let scope = resolve_scope(store, id, scope).await?;
    let measured = store.read(move |r| {
        let mut totals = api::FileTotals::default();
        r.each_restorable(id, |copy, size| {
            if scope.contains(copy) {
                totals.add(size);
            }
        })?;
        Ok(totals)
    });
    Ok(Reply::RestoreSize(measured.await.map_err(|error| internal(&error))?))
}
