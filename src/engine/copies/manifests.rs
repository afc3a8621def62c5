//! Listing copies in the manifest at their destination.

use crate::destination::{SharedDestination, manifest};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ids::DestinationId;
use crate::store::{Store, StoreError, Write};

/// Segment numbers tried when the next one is taken, before it waits for another time.
const NUMBERS_TRIED_MAX: u64 = 1_000;
/// Copies in one manifest segment.
const SEGMENT_ENTRIES_MAX: u32 = 1_000;

/// Writes manifest segments until every copy is in one.
///
/// # Errors
/// When the destination or the store fails; what is listed stays listed.
pub(crate) async fn list_copies(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    installation: &str,
) -> Result<(), Failure> {
    let store_failed = |error: StoreError| Failure::from(&error);
    loop {
        let copies = store.read(move |r| r.unlisted(id, SEGMENT_ENTRIES_MAX)).await.map_err(store_failed)?;
        if copies.is_empty() {
            return Ok(());
        }
        let entries: Vec<manifest::Entry> = copies.iter().filter_map(|copy| copy.manifest_entry()).collect();
        let segment = manifest::encode(&entries)
            .map_err(|error| Failure::permanent(FailureKind::Protocol, error.to_string()))?;
        let row = store.read(move |r| r.destination(id)).await.map_err(store_failed)?;
        let Some(row) = row else {
            return Ok(());
        };
        // A kill, a lost connection or the end of the run may leave a temp file, until this is taken back.
        let mut may_leave_temp = row.needs_clean;
        if !may_leave_temp {
            store.write(move |tx| tx.set_needs_clean(id, true)).await.map_err(store_failed)?;
        }
        let mut number = row.manifest_next;
        // A segment that a killed run wrote and did not note has its number; the next one is free.
        while let Err(failure) = destination.write_manifest(installation, number, &segment).await {
            let is_taken =
                failure.kind == FailureKind::Conflict && number < row.manifest_next + NUMBERS_TRIED_MAX;
            if !is_taken {
                return Err(failure);
            }
            (number, may_leave_temp) = (number + 1, true);
        }
        let records: Vec<_> = copies.iter().map(|copy| copy.id).collect();
        let list = move |tx: &Write<'_>| {
            tx.set_needs_clean(id, may_leave_temp)?;
            tx.set_listed(id, &records, number + 1)
        };
        store.write(list).await.map_err(store_failed)?;
    }
}
