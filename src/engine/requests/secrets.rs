//! Secrets on their way from the person to the keyring. The engine passes them on and keeps none.

use tokio::sync::oneshot;

use crate::api::Reply;
use crate::base::secret::Secret;
use crate::destination::connect::Address;
use crate::domain::ids::DestinationId;
use crate::engine::requests::destinations::address_of;
use crate::engine::requests::{Outcome, refused, usage};
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::TaskEnd;

/// What came with an address that a person wrote.
#[derive(Debug)]
pub(crate) struct EnteredOptions {
    pub allow_http: bool,
    pub secret: Option<Secret>,
    pub trusts_checksum: bool,
}

impl EnteredOptions {
    pub fn with(self, address: Address) -> Address {
        let trusts_checksum = self.trusts_checksum && address.kind.has_checksum_choice();
        Address { is_http_agreed: self.allow_http, secret: self.secret, trusts_checksum, ..address }
    }
}

impl Supervisor {
    /// Removes the secret of a destination that has gone from the ledger. The keyring may be locked
    /// and take its time; nobody waits for it.
    pub(crate) fn spawn_forget_secret(&mut self, address: Address) {
        let deps = self.deps.clone();
        self.tasks.spawn(async move {
            deps.connect.forget_secret(&address).await;
            TaskEnd::Answered
        });
    }

    /// Keeps another secret for a destination.
    pub(crate) fn spawn_set_secret(
        &mut self,
        id: DestinationId,
        secret: Secret,
        reply: oneshot::Sender<Outcome>,
    ) {
        let Some(worker) = self.workers.get(&id) else {
            reply.send(Err(usage("there is no such destination"))).ok();
            return;
        };
        let (deps, address) = (self.deps.clone(), address_of(&worker.row));
        self.tasks.spawn(async move {
            let kept = deps.connect.keep_secret(&address, secret).await;
            reply.send(kept.map(|()| Reply::Done).map_err(|failure| refused(&failure))).ok();
            TaskEnd::Answered
        });
    }
}
