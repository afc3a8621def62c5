//! Taking what the manifests at a destination say into a ledger that does not know it.

use crate::base::rng::SharedRng;
use crate::destination::{SharedDestination, manifest};
use crate::domain::failure::Failure;
use crate::domain::ids::DestinationId;
use crate::domain::key;
use crate::store::Store;

/// Manifest entries taken into the ledger in one transaction.
const ENTRIES_AT_ONCE: usize = 500;

/// Takes all manifest entries into the ledger, as accepted copies: each is proved when a present file
/// needs it.
///
/// # Errors
/// When the destination cannot be read or the store cannot be written.
pub(crate) async fn adopt(
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    rng: &SharedRng,
    installation: &str,
) -> Result<(), Failure> {
    let collected = destination.read_manifests().await?;
    for damage in &collected.damaged {
        tracing::warn!(%damage, "a manifest segment is damaged");
    }
    for entries in collected.entries.chunks(ENTRIES_AT_ONCE) {
        let entries: Vec<(manifest::Entry, u64)> = entries
            .iter()
            .map(|entry| (entry.clone(), key::temp_token(installation, rng.next_u64())))
            .collect();
        let work = store.write(move |tx| {
            for (entry, token) in &entries {
                tx.adopt(id, entry, *token)?;
            }
            Ok(())
        });
        work.await.map_err(|error| Failure::from(&error))?;
    }
    let done = store.write(move |tx| tx.set_adopted(id));
    done.await.map_err(|error| Failure::from(&error))
}
