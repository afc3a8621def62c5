//! Taking files out of a server's trash again, because the person wants them there.

use std::collections::BTreeSet;

use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::{DestinationId, ItemId, RecordId};
use crate::engine::copies::verify::item_of;
use crate::store::{Store, StoreError};

/// Records read from the ledger at once.
const PAGE_RECORDS_MAX: u32 = 200;

/// Asks a destination to take records out of its trash, all that are there or the chosen ones, and
/// has those tried again. Returns how many there were.
///
/// # Errors
/// The first failure; what was done before it stays done.
pub(crate) async fn run(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    chosen: Option<&BTreeSet<RecordId>>,
) -> Result<u64, Failure> {
    let store_failed = |error: StoreError| Failure::from(&error);
    let (mut after, mut count) = (RecordId(0), 0);
    loop {
        let page =
            store.read(move |r| r.in_trash(id, after, PAGE_RECORDS_MAX)).await.map_err(store_failed)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.id;
        for copy in page.iter().filter(|copy| chosen.is_none_or(|chosen| chosen.contains(&copy.id))) {
            let item = item_of(copy, copy.key.clone().unwrap_or_default());
            destination.untrash(&item).await?;
            let record = copy.id;
            count += store
                .write(move |tx| tx.retry_items(&[ItemId::Record(record)]))
                .await
                .map_err(store_failed)?;
        }
    }
}
