//! Removing what nobody will finish: temp files, and uploads that only the server knows.

use crate::destination::{BoxFuture, KeyOwner, KeyOwners, SharedDestination};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ids::DestinationId;
use crate::store::{Store, Write};

/// Unfinished uploads that are ended at once.
const ABANDONED_MAX: u32 = 500;

/// Removes our temp files of an earlier run, if there may be any. What cannot be removed stays for the
/// next run.
///
/// # Errors
/// When the destination cannot be used.
pub(crate) async fn clean(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
) -> Result<(), Failure> {
    let needs_clean = store.read(move |r| {
        let is_marked = r.destination(id)?.is_some_and(|row| row.needs_clean);
        Ok(is_marked || r.has_stale_checkpoints(id)?)
    });
    if !needs_clean.await.unwrap_or(false) {
        return Ok(());
    }
    let Ok(keep) = store.read(move |r| r.tokens_in_use(id)).await else {
        return Ok(());
    };
    match destination.clean(&keep).await {
        Ok(_removed) => {}
        // What cannot be removed harms nobody; the next run tries it again.
        Err(failure) if is_refusal(&failure) => {
            tracing::warn!(details = %failure.details, "temp files stay");
            return Ok(());
        }
        Err(failure) => return Err(failure),
    }
    let Ok(abandoned) = store.read(move |r| r.stale_checkpoints(id, ABANDONED_MAX)).await else {
        return Ok(());
    };
    destination.abandon(&abandoned).await;
    let forget = move |tx: &Write<'_>| {
        tx.set_needs_clean(id, false)?;
        tx.forget_stale_checkpoints(id)
    };
    store.write(forget).await.ok();
    Ok(())
}

/// Whether a destination is well and does not let us.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Forbidden | FailureKind::Unsupported | FailureKind::Conflict)
}

/// Says whose a key is, from the ledger.
struct Owners<'a> {
    store: &'a Store,
    destination: DestinationId,
}

impl KeyOwners for Owners<'_> {
    fn owner<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyOwner, Failure>> {
        Box::pin(async move {
            let (destination, key) = (self.destination, key.to_owned());
            let known = self.store.read(move |r| r.key_checkpoint(destination, &key)).await;
            let known = known.map_err(|error| Failure::from(&error))?;
            Ok(known.map_or(KeyOwner::Unknown, KeyOwner::Record))
        })
    }
}

/// Ends uploads that only the server knows. Where that fails, it is tried another day.
pub(crate) async fn end_lost_uploads(store: &Store, id: DestinationId, destination: &SharedDestination) {
    match destination.end_lost_uploads(&Owners { store, destination: id }).await {
        Ok(0) => {}
        Ok(ended) => tracing::info!(ended, "unfinished uploads that nobody knew of were ended"),
        Err(failure) => tracing::warn!(details = %failure.details, "unfinished uploads stay"),
    }
}
