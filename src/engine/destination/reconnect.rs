//! Unmounting a destination's disk and mounting it again, so that copies which only that proves are verified.

use std::path::PathBuf;
use std::time::Duration;

use crate::api::{ApiError, ErrorKind, Reply};
use crate::engine::deps::Remount;
use crate::engine::reply::Outcome;
use crate::platform::udisks::RemountError;

/// Transfers that were told to stop let go of the disk within so many tries,
const TRIES_MAX: u32 = 10;
/// one after this time each.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Unmounts and mounts the disk that a folder is on, once those who use it have let go.
pub(crate) async fn reconnect(remount: Remount, path: PathBuf) -> Outcome {
    let mut outcome = remount(path.clone()).await;
    for _try in 1..TRIES_MAX {
        if outcome != Err(RemountError::Busy) {
            break;
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
        outcome = remount(path.clone()).await;
    }
    outcome.map(|()| Reply::Done).map_err(|error| refusal(&error))
}

/// Why a disk was not reconnected, and what the person can do.
fn refusal(error: &RemountError) -> ApiError {
    let by_hand = "Unplug the disk and plug it in again";
    let message = match error {
        RemountError::Unsupported => format!("Safelight cannot do this here. {by_hand}"),
        RemountError::Busy => {
            "Another program is using the disk. Close it and try again, or restart the computer".to_owned()
        }
        RemountError::NotAllowed => format!("The system does not allow Safelight to do this. {by_hand}"),
        RemountError::NotMounted(why) => {
            format!("The disk was disconnected but could not be connected again. {by_hand} ({why})")
        }
        RemountError::Other(why) => format!("The disk could not be reconnected. {by_hand} ({why})"),
    };
    ApiError::new(ErrorKind::Destination, message)
}
