//! Where a saved destination is.

use crate::base::mutant::{self, Mutant};
use crate::destination::connect::Address;
use crate::store::DestinationRow;

/// The address of a destination in the ledger, with what is known of it.
pub(crate) fn stored_address(row: &DestinationRow) -> Address {
    Address {
        name: Some(row.name.clone()),
        capabilities: Some(row.capabilities.clone()),
        trusts_checksum: row.trusts_checksum || mutant::is(Mutant::TrustsUnasked),
        ..Address::new(row.kind, row.address.clone())
    }
}
