//! Unmounting a destination's disk and mounting it again, so that copies which only that proves are verified.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::api::{ApiError, ErrorKind, Reply};
use crate::base::files::path_from_bytes;
use crate::domain::ids::DestinationId;
use crate::domain::target::DestinationKind;
use crate::engine::requests::{Outcome, usage};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::TaskEnd;
use crate::platform::udisks::RemountError;

/// Transfers that were told to stop let go of the disk within so many tries,
const TRIES_MAX: u32 = 10;
/// one after this time each.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Supervisor {
    /// Stops what goes on at a folder's disk and has it unmounted and mounted again.
    pub(crate) fn spawn_reconnect(&mut self, id: DestinationId, reply: oneshot::Sender<Outcome>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            reply.send(Err(usage("there is no such destination"))).ok();
            return;
        };
        if worker.row.kind != DestinationKind::Folder || worker.is_reconnecting {
            reply.send(Err(usage("there is no disk to reconnect now"))).ok();
            return;
        }
        worker.stop_transfers();
        worker.is_reconnecting = true;
        let (remount, path) = (self.deps.remount.clone(), path_from_bytes(&worker.row.address));
        self.tasks.spawn(async move {
            let mut outcome = remount(path.clone()).await;
            for _try in 1..TRIES_MAX {
                if outcome != Err(RemountError::Busy) {
                    break;
                }
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
                outcome = remount(path.clone()).await;
            }
            let told = outcome.map(|()| Reply::Done).map_err(|error| refusal(&error));
            reply.send(told).ok();
            TaskEnd::Reconnected { destination: id }
        });
    }

    /// The disk may be worked at again; what can be proved now is.
    pub(crate) fn on_reconnected(&mut self, id: DestinationId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.is_reconnecting = false;
            (worker.must_check, worker.checked_until, worker.may_prove) = (true, None, true);
        }
    }
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
