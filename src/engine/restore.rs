//! Copying files from a destination back to a folder.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::calls::{Outcome, internal, refused};
use super::deps::Deps;
use super::tasks::adopt;
use crate::api::Reply;
use crate::destination::SharedDestination;
use crate::domain::glob::Glob;
use crate::domain::ids::{DestinationId, RecordId};
use crate::platform::place::{Placed, place_new};
use crate::store::{RecordFacts, Store};

/// Copies read from the ledger at once.
const PAGE_COPIES_MAX: u32 = 500;
/// Sentences about files that could not be restored.
const SENTENCES_MAX: usize = 1_000;

/// What is to be restored, and from where.
pub(super) struct Order {
    pub id: DestinationId,
    pub destination: SharedDestination,
    pub installation: String,
    pub into: PathBuf,
    pub only: Option<String>,
}

/// Restores every copy whose key matches into a folder, under its key. Nothing there is replaced.
pub(super) async fn run(deps: &Deps, store: &Store, order: &Order, cancel: &CancellationToken) -> Outcome {
    let Order { id, destination, installation, into, only } = order;
    let id = *id;
    destination.check().await.map_err(|failure| refused(&failure))?;
    // The ledger may be new: another computer's, or one that was lost.
    adopt(store, id, destination, &deps.rng, installation).await.map_err(|failure| refused(&failure))?;
    let only = only.as_deref();
    let glob = only.map(Glob::new);
    let (mut restored, mut present, mut failed) = (0, 0, Vec::new());
    let mut after = RecordId(i64::MIN);
    while !cancel.is_cancelled() {
        let page = store
            .read(move |r| r.restorable(id, after, PAGE_COPIES_MAX))
            .await
            .map_err(|error| internal(&error))?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.id;
        for copy in page {
            let Some(key) = copy.key.clone() else {
                continue;
            };
            if glob.as_ref().is_some_and(|glob| !glob.matches(&key)) {
                continue;
            }
            match one(deps, destination, into, &key, &copy).await {
                Ok(Placed::Written) => restored += 1,
                Ok(Placed::Present) => present += 1,
                Err(sentence) if failed.len() < SENTENCES_MAX => failed.push(format!("{sentence}: {key}")),
                Err(_) => {}
            }
        }
    }
    Ok(Reply::Restored { restored, present, failed })
}

async fn one(
    deps: &Deps,
    destination: &SharedDestination,
    into: &Path,
    key: &str,
    copy: &RecordFacts,
) -> Result<Placed, String> {
    let reader = destination
        .read(key, copy.receipt.as_deref().unwrap_or_default())
        .await
        .map_err(|failure| crate::domain::messages::describe_failure(&failure).summary.to_owned())?;
    let (path, content, mtime_ns) = (into.join(key), copy.content, copy.origin_mtime_ns);
    let token = deps.rng.next_u64();
    let placed = deps.library_executor.run(move || place_new(&path, reader, content, mtime_ns, token)).await;
    placed.map_err(|lost| lost.to_string())?.map_err(|error| error.to_string())
}
