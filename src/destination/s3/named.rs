//! Objects that have just been written and are not verified yet: what they are known by, and when a wrong
//! one may be removed.

use super::object::{self, head};
use super::{Inner, unless_stopped};
use crate::destination::{Item, NamedCopy, Transfer};
use crate::domain::failure::Failure;

/// Commits what the server says of an object of ours that it has just taken, where the condition that kept
/// it from replacing another is honoured.
pub(super) async fn save_named_copy(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<(), Failure> {
    if !inner.trust().findings.if_none_match {
        return Ok(());
    }
    match find_named_copy(inner, item, transfer).await? {
        Some(copy) => transfer.save_named(copy).await,
        None => Ok(()),
    }
}

/// Removes a wrong copy that an earlier try of this record has written and that was never verified, as
/// long as it still is what it was then. Says whether it did.
pub(super) async fn remove_if_ours(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<bool, Failure> {
    let Some(copy) = transfer.named.as_ref().filter(|copy| copy.key == item.key) else { return Ok(false) };
    if !inner.trust().findings.deletes || find_named_copy(inner, item, transfer).await?.as_ref() != Some(copy)
    {
        return Ok(false);
    }
    tracing::info!(record = %item.record, "a wrong copy that was never verified is removed");
    object::remove(inner, inner.wire.place.object(&item.key)).await?;
    Ok(true)
}

/// What the server says of the object under the item's key; `None` when there is none, or nothing by
/// which it could be known again, or when told to stop.
async fn find_named_copy(
    inner: &Inner,
    item: &Item,
    transfer: &Transfer,
) -> Result<Option<NamedCopy>, Failure> {
    let object = inner.wire.place.object(&item.key);
    let found = unless_stopped(head(inner, object, &transfer.cancel).await)?.flatten();
    Ok(found.and_then(|head| {
        let tag = head.headers.get("etag").filter(|tag| !tag.is_empty())?.to_owned();
        Some(NamedCopy { key: item.key.clone(), size: head.size, tag })
    }))
}
