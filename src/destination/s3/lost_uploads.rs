//! Uploads in parts whose creation was answered with silence: only the server knows their ids.

use std::time::Duration;

use super::listing::{self, ListedUpload};
use super::metadata::is_own_scratch;
use super::multipart::abort;
use super::state::Upload;
use super::{Inner, unstopped};
use crate::destination::http::HttpError;
use crate::destination::{KeyOwner, KeyOwners};
use crate::domain::failure::Failure;

/// Younger ones may be another run's or another computer's that is about to go on.
const AGE_MIN: Duration = Duration::from_secs(24 * 3600);

/// Ends the unfinished uploads below the destination's prefix that are older than [`AGE_MIN`], by the
/// server's clock, and are this installation's: their key is a record's, and no checkpoint names their id.
/// Several computers may share the prefix.
pub(super) async fn end(inner: &Inner, owners: &dyn KeyOwners) -> Result<u64, Failure> {
    if !inner.trust().findings.list_uploads {
        return Ok(0);
    }
    let prefix = &inner.wire.place.prefix;
    let (listed, now) =
        listing::uploads(inner, prefix, &unstopped()).await.map_err(HttpError::into_failure)?;
    let mut ended = 0;
    for upload in listed.iter().filter(|upload| now.since(upload.initiated) >= AGE_MIN) {
        let Some(key) = upload.object.strip_prefix(prefix.as_str()) else { continue };
        if is_own_scratch(inner, key) || is_lost(upload, &owners.owner(key).await?) {
            abort(inner, &Upload::new(upload.object.clone(), upload.id.clone(), 0)).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

fn is_lost(upload: &ListedUpload, owner: &KeyOwner) -> bool {
    match owner {
        KeyOwner::Unknown => false,
        KeyOwner::Record(None) => true,
        KeyOwner::Record(Some(checkpoint)) => !Upload::names(checkpoint, &upload.id),
    }
}
