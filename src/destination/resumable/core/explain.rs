//! What a refusal means: for one file, or for all of the place.

use super::{Inner, probe};
use crate::domain::failure::{Failure, FailureKind, Reach};

/// What it means that a file was not taken. A code that one server uses for a file and another for all of
/// the place is decided by one small upload of our own, where that can be ended again.
pub(super) async fn explain_write(inner: &Inner, failure: Failure) -> Failure {
    use FailureKind as K;
    let is_odd = match failure.kind {
        K::Unsupported | K::Full | K::Forbidden | K::NotFound => failure.reach == Reach::Destination,
        K::Server => failure.reach == Reach::Resource,
        _ => false,
    };
    if !is_odd || failure.is_permanent() || failure.cause.is_some() || !inner.findings().can_end {
        return failure;
    }
    match probe::try_write(inner).await {
        Ok(()) => {
            // Whatever the code says elsewhere: others are taken, so this is about the file.
            let kind = if failure.kind == K::Unsupported { K::Server } else { failure.kind };
            let details = format!("{}; a small upload of our own was taken", failure.details);
            Failure { kind, reach: Reach::Resource, details, ..failure }
        }
        Err(other) => Failure { reach: Reach::Destination, ..other },
    }
}
