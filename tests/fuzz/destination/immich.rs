//! What an Immich server answers, and where it is.

use crate::base::clock::Clock;
use crate::destination::http::Answer;

#[path = "../../../src/destination/immich/api.rs"]
mod api;
#[path = "../../../src/destination/immich/errors.rs"]
mod errors;
#[path = "../../../src/destination/immich/placement.rs"]
mod placement;
#[path = "../../../src/destination/immich/receipt.rs"]
mod receipt;

pub use placement::Placement;

/// An answer, which may come from anyone.
pub fn check(answer: &Answer, clock: &dyn Clock) {
    crate::checks::answers::tells(&errors::failure(answer, clock, "sending the file"));
    for count in [0, 1, 3] {
        let Ok(checksum_statuses) = api::checksum_statuses(answer, count) else { continue };
        assert_eq!(checksum_statuses.len(), count);
        for verdict in checksum_statuses {
            if let api::ChecksumStatus::Present { id, .. } = verdict {
                assert!(receipt::is_id(&id));
            }
        }
    }
    if let Ok(uploaded) = api::uploaded(answer) {
        assert!(receipt::is_id(&uploaded.id));
        // What is remembered of it must be understood when it is asked for again.
        let kept = receipt::Receipt::asset(uploaded.id.clone()).to_string();
        assert_eq!(receipt::Receipt::asset_of(Some(&kept)), Some(uploaded.id));
    }
    if let Ok(user) = api::read::<api::User>(answer, "asking who this is") {
        assert!(user.room().is_none_or(|room| user.quota_size_in_bytes.is_some_and(|all| room <= all)));
    }
    if let Ok(types) = api::read::<api::MediaTypes>(answer, "asking what it takes") {
        types.takes("a.jpg");
        types.takes_sidecar("a.jpg.xmp");
    }
    api::read::<api::Version>(answer, "asking for its version").ok();
    api::read::<Vec<api::Album>>(answer, "asking for albums").ok();
}
