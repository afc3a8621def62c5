//! Immich, generations 2 and 3: a photo library that knows an asset by the SHA-1 of its bytes.
//!
//! Before a file is sent, the server is asked whether it has those bytes, many files in one request;
//! after it was sent, the same question tells what went wrong on the way. The proof is the original, read
//! back in the background; the server's checksum counts as proof only where the person said so. Nothing there has a name that could be taken,
//! so nothing is ever replaced, and a file of which an answer was lost is found and not sent again.
//! It must never call a copy in the trash safe, tell a checksum of other bytes than those it sends
//! (the server would drop them as a duplicate), or remove anything but its own damaged uploads
//! ([`replace`]) and test files ([`write_test`]).
//!
//! Source: the OpenAPI description that each server gives of itself; what servers 2.7.5 and 3.0.3
//! were seen to answer.

mod albums;
mod api;
mod checks;
mod errors;
mod form;
mod placement;
mod probe;
mod prove;
mod receipt;
mod replace;
mod send;
mod server_info;
mod sidecar;
mod wire;
mod write_test;
mod xmp;

use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

pub use placement::Placement;

use super::server_parts::ServerParts;
use super::{BoxFuture, Capabilities, Destination, Item, ReadBack, Sent, Transfer, no_room};
use crate::domain::cause::Cause;
use crate::domain::failure::Failure;
use crate::domain::key;
use crate::domain::record::Evidence;
use albums::Albums;
use checks::DuplicateChecks;
use server_info::ServerInfo;
use wire::Client;

/// How long what a server takes is believed before it is asked again: an update may bring more.
const TYPES_HOLD: Duration = Duration::from_secs(3600);

/// How long a refusal for the quota is believed, where the key may not see the quota.
const FULL_HOLDS: Duration = Duration::from_secs(3600);

/// An Immich destination.
#[derive(Clone)]
pub struct Immich(Arc<Inner>);

struct Inner {
    parts: ServerParts,
    place: Placement,
    wire: Arc<Client>,
    checks: DuplicateChecks,
    albums: Albums,
    known: Mutex<Arc<ServerInfo>>,
    /// When the server was last asked what it takes.
    types_at: Mutex<Option<Instant>>,
    /// Bytes that the account's quota leaves, as far as is known.
    room: Mutex<Option<u64>>,
    /// When the server last refused a file for the quota, where the key may not see that.
    full_at: Mutex<Option<Instant>>,
    /// Held while a test file is written or cleaned up.
    write_test: tokio::sync::Mutex<()>,
    /// The key may not read copies back, as the server said last.
    is_download_denied: AtomicBool,
}

impl Inner {
    fn server_info(&self) -> Arc<ServerInfo> {
        Arc::clone(&self.known.lock())
    }

    fn set_server_info(&self, known: ServerInfo) {
        *self.known.lock() = Arc::new(known);
        *self.types_at.lock() = Some(Instant::now());
    }

    fn set_room(&self, room: Option<u64>) {
        let full_at = *self.full_at.lock();
        if room.is_none() && full_at.is_some_and(|at| at.elapsed() < FULL_HOLDS) {
            return;
        }
        *self.room.lock() = room;
    }

    /// The server says that there is no room only after it has taken all bytes.
    fn refuse_beyond_room(&self, size: u64) -> Result<(), Failure> {
        let room = *self.room.lock();
        match room {
            Some(room) if size > room => {
                let why = format!("the account's quota leaves {room} bytes, the file has {size}");
                Err(no_room(room, why).with_cause(Cause::Quota))
            }
            _ => Ok(()),
        }
    }

    /// The server has refused a file of `size` bytes for the quota: larger ones are not even sent, smaller
    /// ones may have room.
    fn refused_for_room(&self, size: u64) -> Failure {
        let room = size.saturating_sub(1);
        *self.full_at.lock() = Some(Instant::now());
        *self.room.lock() = Some(room);
        let why = format!("the account's quota leaves no room for the file's {size} bytes");
        no_room(room, why).with_cause(Cause::Quota)
    }

    fn use_room(&self, size: u64) {
        if let Some(room) = self.room.lock().as_mut() {
            *room = room.saturating_sub(size);
        }
    }

    async fn check(&self) -> Result<(), Failure> {
        let room = probe::check(self, self.parts.uuid.as_deref()).await?;
        self.set_room(room);
        let asked_at = *self.types_at.lock();
        if asked_at.is_none_or(|at| at.elapsed() >= TYPES_HOLD) {
            let types = probe::media_types(self).await?;
            self.set_server_info(ServerInfo { types, ..ServerInfo::clone(&self.server_info()) });
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(Capabilities, Option<u64>), Failure> {
        let probed = probe::probe(self).await?;
        let capabilities = probe::capabilities(self, &probed);
        self.set_room(probed.room);
        self.is_download_denied.store(!probed.known.may(server_info::DOWNLOAD), Ordering::Relaxed);
        self.set_server_info(probed.known);
        Ok((capabilities, probed.room))
    }
}

impl Immich {
    /// A destination that was added before. Touches nothing.
    ///
    /// # Errors
    /// `bad_request` when the address makes no sense.
    pub fn new(parts: ServerParts) -> Result<Self, Failure> {
        let place = Placement::parse(&parts.address)?;
        let wire = Arc::new(Client {
            http: Arc::clone(&parts.http),
            api: place.api(),
            credentials: Arc::clone(&parts.credentials),
            clock: Arc::clone(&parts.clock),
        });
        let known =
            parts.capabilities.as_ref().map(|able| ServerInfo::parse(&able.findings)).unwrap_or_default();
        let is_download_denied = AtomicBool::new(!known.may(server_info::DOWNLOAD));
        Ok(Self(Arc::new(Inner {
            place,
            is_download_denied,
            checks: DuplicateChecks::new(Arc::clone(&wire)),
            albums: Albums::new(Arc::clone(&wire)),
            wire,
            known: Mutex::new(Arc::new(known)),
            types_at: Mutex::default(),
            room: Mutex::default(),
            full_at: Mutex::default(),
            write_test: tokio::sync::Mutex::default(),
            parts,
        })))
    }

    /// Looks at a server that is being added. Changes nothing there: it needs no mark to be known
    /// again.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn create(parts: ServerParts) -> Result<(Self, Capabilities), Failure> {
        let (capabilities, room) = Self::new(parts.clone())?.0.probe().await?;
        let parts = ServerParts {
            uuid: Some(capabilities.uuid.clone()),
            capabilities: Some(capabilities.clone()),
            ..parts
        };
        let immich = Self::new(parts)?;
        immich.0.set_room(room);
        Ok((immich, capabilities))
    }

    /// Tries a server. Returns the room that a quota leaves, where there is one.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn try_out(parts: ServerParts) -> Result<(Capabilities, Option<u64>), Failure> {
        Self::new(parts)?.0.probe().await
    }
}

/// A path's last part, as the server is told it. Its form parser takes no control characters: such a name,
/// and one that reads like its escape, is escaped as in a key. The ledger keeps the original.
fn name_of(path: &Path) -> String {
    let original = path.file_name().unwrap_or_default();
    let name = original.to_string_lossy();
    let is_taken = !name.chars().any(char::is_control) && !name.contains('%');
    if is_taken { name.into_owned() } else { key::safe_name(original.as_encoded_bytes()) }
}

impl Destination for Immich {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(self.0.check())
    }

    fn probe(&self) -> BoxFuture<'_, Result<Capabilities, Failure>> {
        Box::pin(async {
            self.0.check().await?;
            let (capabilities, _room) = self.0.probe().await?;
            Ok(capabilities)
        })
    }

    fn software(&self) -> BoxFuture<'_, Result<String, Failure>> {
        Box::pin(async { Ok(probe::software_of(probe::version(&self.0).await?)) })
    }

    fn send<'a>(&'a self, item: &'a Item, transfer: &'a Transfer) -> BoxFuture<'a, Result<Sent, Failure>> {
        Box::pin(send::send(&self.0, item, transfer))
    }

    fn prove<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>> {
        Box::pin(prove::prove(&self.0, item, receipt, transfer))
    }

    fn proof_obstacle(&self) -> Option<String> {
        prove::obstacle(&self.0)
    }

    fn read<'a>(&'a self, _key: &'a str, receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>> {
        Box::pin(prove::read(&self.0, receipt))
    }

    fn arrange<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(send::arrange_again(&self.0, item, receipt, transfer))
    }

    fn untrash<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(prove::untrash(&self.0, item))
    }

    fn clean<'a>(&'a self, _keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(write_test::clean(&self.0))
    }
}
