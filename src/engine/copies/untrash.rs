//! Taking files out of a server's trash again, because the person wants them there.

use std::collections::BTreeSet;

use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::{DestinationId, ItemId, RecordId};
use crate::engine::copies::verify::item_of;
use crate::store::{Store, StoreError};

/// Records read from the ledger at once.
const PAGE_RECORDS_MAX: u32 = 200;

/// Which of the records in a trash are meant.
pub(crate) enum TrashSelection {
    /// All.
    All,
    /// Those of a failure kind or class.
    Class(String),
    /// These.
    Records(BTreeSet<RecordId>),
}

impl TrashSelection {
    fn class(&self) -> Option<&str> {
        match self {
            Self::Class(class) => Some(class),
            Self::All | Self::Records(_) => None,
        }
    }

    fn has(&self, record: RecordId) -> bool {
        match self {
            Self::Records(records) => records.contains(&record),
            Self::All | Self::Class(_) => true,
        }
    }
}

/// Asks a destination to take the chosen records out of its trash, and has those tried again. Returns how
/// many there were.
///
/// # Errors
/// The first failure; what was done before it stays done.
pub(crate) async fn run(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    chosen: &TrashSelection,
) -> Result<u64, Failure> {
    let store_failed = |error: StoreError| Failure::from(&error);
    let (mut after, mut count) = (RecordId(0), 0);
    loop {
        let class = chosen.class().map(ToOwned::to_owned);
        let read = store.read(move |r| r.in_trash(id, class.as_deref(), after, PAGE_RECORDS_MAX));
        let page = read.await.map_err(store_failed)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.id;
        for copy in page.iter().filter(|copy| chosen.has(copy.id)) {
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
