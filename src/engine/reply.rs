//! Answers to requests, and the errors that refuse one.

use tokio::sync::oneshot;

use crate::api::{ApiError, ErrorKind, PathText, Reply};
use crate::domain::failure::Failure;
use crate::domain::messages::describe_failure;
use crate::store::StoreError;

/// The outcome of a request.
pub(crate) type Outcome = Result<Reply, ApiError>;

/// Where the outcome of a request goes; nobody may be listening any more.
pub(crate) type ReplyTo = oneshot::Sender<Outcome>;

/// The request itself is at fault.
pub(crate) fn usage(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::Usage, message)
}

/// The request names a destination that does not exist.
pub(crate) fn no_such_destination() -> ApiError {
    usage("there is no such destination")
}

/// The store failed, or refused a change that makes no sense.
pub(crate) fn internal(error: &StoreError) -> ApiError {
    match error {
        StoreError::Refused(why) => usage(why.clone()),
        other => ApiError::new(ErrorKind::Internal, other.to_string()),
    }
}

/// A refusal by a destination, in a person's words.
pub(crate) fn refused(failure: &Failure) -> ApiError {
    let message = describe_failure(failure);
    ApiError::new(
        ErrorKind::Destination,
        format!("{}. {} ({})", message.summary, message.advice, failure.details),
    )
}

/// The engine stops before the request is answered.
pub(crate) fn stopping() -> ApiError {
    ApiError::new(ErrorKind::Unavailable, "Safelight is stopping")
}

/// The bytes of a path in a request.
///
/// # Errors
/// When the path is not valid.
pub(crate) fn bytes_of(path: &PathText) -> Result<Vec<u8>, ApiError> {
    path.to_bytes().ok_or_else(|| usage("the path is not valid"))
}
