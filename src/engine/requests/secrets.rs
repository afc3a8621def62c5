//! Secrets on their way from the person to the keyring. The engine passes them on and keeps none.

use crate::api::Reply;
use crate::base::secret::Secret;
use crate::domain::ids::DestinationId;
use crate::engine::destination::address::stored_address;
use crate::engine::parts::Parts;
use crate::engine::reply::{ReplyTo, refused};
use crate::engine::task_set::TaskEnd;

/// Keeps another secret for a destination.
pub(crate) fn spawn_set_secret(parts: &mut Parts<'_>, id: DestinationId, secret: Secret, reply: ReplyTo) {
    let address = match parts.worker(id) {
        Ok(worker) => stored_address(worker.row()),
        Err(error) => return drop(reply.send(Err(error))),
    };
    let context = parts.context.clone();
    parts.tasks.spawn(async move {
        let kept = context.deps.connect.keep_secret(&address, secret).await;
        reply.send(kept.map(|()| Reply::Done).map_err(|failure| refused(&failure))).ok();
        TaskEnd::Answered
    });
}
