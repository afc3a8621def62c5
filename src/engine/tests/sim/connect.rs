//! Where the engine gets its simulated destinations and watches.

use std::path::Path;
use std::sync::Arc;

use super::client::Client;
use super::remote::Remote;
use super::world::World;
use crate::base::executor::Executor;
use crate::base::files::path_bytes;
use crate::base::memory_secrets::MemorySecrets;
use crate::base::rng::SharedRng;
use crate::base::secret::Secret;
use crate::destination::connect::{Address, Connect, Connector, CreatedDestination};
use crate::destination::credentials::SecretSources;
use crate::destination::http::{Client as HttpClient, Settings};
use crate::destination::{BoxFuture, Capabilities, Destination as _, SharedDestination};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::target::DestinationKind;
use crate::engine::library::{FolderWatcher, Hints, WatchError, WatchGuard};

/// How the person writes the address of a remote.
pub fn target_of(remote: &Remote) -> String {
    let number = remote.number;
    match (&remote.disk, remote.rules.reads_later) {
        (Some(_), _) => format!("/disk-{number}"),
        (None, true) => format!("immich+https://sim-{number}/"),
        (None, false) => format!("webdav+https://me@sim-{number}/photos"),
    }
}

/// The number in an address.
pub fn number_of(address: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(address).ok()?;
    let from = text.find("/disk-").map(|at| at + 6).or_else(|| text.find("sim-").map(|at| at + 4))?;
    text[from..].split('/').next()?.parse().ok()
}

/// Makes clients of remotes.
pub struct SimConnect {
    /// The world.
    pub world: Arc<World>,
    /// The engine's chance.
    pub rng: SharedRng,
}

impl SimConnect {
    fn number(&self, address: &Address) -> Result<usize, Failure> {
        let count = self.world.with(|around| around.remotes.len());
        let number = number_of(&address.address).filter(|number| *number < count);
        number.ok_or_else(|| Failure::destination(FailureKind::Dns, "no such host"))
    }

    fn connector(&self, number: usize) -> Option<Connector> {
        let disk = self.world.with(|around| around.remotes[number].disk.clone())?;
        Some(Connector {
            executor: Executor::inline(),
            rng: Arc::clone(&self.rng),
            clock: Arc::clone(&self.world.clock) as _,
            fs: Arc::new(disk),
            http: Arc::new(HttpClient::new(Settings::default())),
            secret_sources: SecretSources {
                store: Arc::new(MemorySecrets::default()),
                environment: Arc::new(|_name| None),
            },
        })
    }

    fn client(&self, address: &Address, installation: &str, inner: Option<SharedDestination>) -> Client {
        let (world, number) = (Arc::clone(&self.world), number_of(&address.address).expect("seen before"));
        let trusts_checksum = address.trusts_checksum;
        Client { world, number, installation: installation.to_owned(), inner, trusts_checksum }
    }
}

impl Connect for SimConnect {
    fn open(&self, address: &Address, installation: &str) -> Result<SharedDestination, Failure> {
        let number = self.number(address)?;
        let inner = match self.connector(number) {
            Some(connector) => Some(connector.open(address, installation)?),
            None => None,
        };
        Ok(Arc::new(self.client(address, installation, inner)))
    }

    fn create<'a>(
        &'a self,
        address: &'a Address,
        installation: &'a str,
    ) -> BoxFuture<'a, Result<CreatedDestination, Failure>> {
        Box::pin(async move {
            let number = self.number(address)?;
            let probed = self.client(address, installation, None).probe().await?;
            if address.kind != DestinationKind::Folder {
                let client: SharedDestination = Arc::new(self.client(address, installation, None));
                return Ok((client, probed));
            }
            let connector = self.connector(number).expect("a folder has a disk");
            let (inner, capabilities) = connector.create(address, installation).await?;
            let client: SharedDestination = Arc::new(self.client(address, installation, Some(inner)));
            Ok((client, capabilities))
        })
    }

    fn test<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<(Capabilities, Option<u64>), Failure>> {
        Box::pin(async move {
            self.number(address)?;
            let capabilities = self.client(address, "test", None).probe().await?;
            Ok((capabilities, None))
        })
    }

    fn keep_secret<'a>(
        &'a self,
        _address: &'a Address,
        _secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn forget_secret<'a>(&'a self, _address: &'a Address) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// Watches that tell most things, or cannot be had.
pub struct SimWatcher(pub Arc<World>);

impl FolderWatcher for SimWatcher {
    fn watch(&self, root: &Path, hints: &Hints) -> Result<WatchGuard, WatchError> {
        let root = String::from_utf8_lossy(&path_bytes(root)).into_owned();
        self.0.with(|around| {
            if around.dice.percent(15) {
                return Err(WatchError::Limit);
            }
            around.watched.insert(root, hints.clone());
            Ok(Box::new(()) as WatchGuard)
        })
    }
}
