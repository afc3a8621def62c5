//! Making destinations out of addresses: the one place that knows which kinds there are.

use std::path::Path;
use std::sync::Arc;

use super::folder::{Folder, FolderFs, Parts, RealFs};
use super::{Abilities, BoxFuture, Destination as _, SharedDestination};
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::files::path_from_bytes;
use crate::base::rng::SharedRng;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::target::DestinationKind;

/// Where a destination is, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// What it speaks.
    pub kind: DestinationKind,
    /// A folder's absolute path, or a URL without secrets; as bytes.
    pub address: Vec<u8>,
    /// What a probe found; none before the first.
    pub abilities: Option<Abilities>,
}

/// A destination that was set up, and what it can do.
pub type SetUp = (SharedDestination, Abilities);

/// Makes destinations. The seam where a simulation puts its own.
pub trait Connect: Send + Sync {
    /// A destination that is known: nothing is tried or written.
    ///
    /// # Errors
    /// When this release has no such kind, or the address makes no sense.
    fn open(&self, address: &Address, installation: &str) -> Result<SharedDestination, Failure>;

    /// Sets up a destination that the person is adding, or finds it set up already, and probes it.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn create<'a>(
        &'a self,
        address: &'a Address,
        installation: &'a str,
    ) -> BoxFuture<'a, Result<SetUp, Failure>>;

    /// Tries a destination and leaves nothing behind that was not there. Gives its free space where
    /// that is known.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn test<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<(Abilities, Option<u64>), Failure>>;
}

/// Destinations of this computer and its network.
#[derive(Clone)]
pub struct Connector {
    /// What blocking work of folders runs on; each destination has threads of its own like these.
    pub executor: Executor,
    /// Chance.
    pub rng: SharedRng,
    /// Time.
    pub clock: SharedClock,
    /// The file systems that folders are on.
    pub fs: Arc<dyn FolderFs>,
}

impl Connector {
    /// A connector to the computer's own file systems.
    pub fn new(executor: Executor, rng: SharedRng, clock: SharedClock) -> Self {
        Self { executor, rng, clock, fs: Arc::new(RealFs::default()) }
    }

    fn parts(&self, root: &Path, abilities: Option<Abilities>, installation: &str) -> Parts {
        Parts {
            root: root.to_path_buf(),
            uuid: abilities.as_ref().map(|abilities| abilities.uuid.clone()),
            installation: installation.to_owned(),
            abilities,
            fs: Arc::clone(&self.fs),
            executor: self.executor.apart(),
            rng: Arc::clone(&self.rng),
            clock: Arc::clone(&self.clock),
        }
    }

    async fn set_up(&self, root: &Path, installation: &str) -> Result<(Folder, Abilities), Failure> {
        let (folder, uuid) = Folder::create(self.parts(root, None, installation)).await?;
        let abilities = Abilities { uuid, ..folder.probe().await? };
        Ok((Folder::new(self.parts(root, Some(abilities.clone()), installation)), abilities))
    }
}

fn unknown(kind: DestinationKind) -> Failure {
    let why = format!("this release cannot back up to {} yet", kind.as_str());
    Failure::destination(FailureKind::Unsupported, why)
}

impl Connect for Connector {
    fn open(&self, address: &Address, installation: &str) -> Result<SharedDestination, Failure> {
        match address.kind {
            DestinationKind::Folder => {
                let root = path_from_bytes(&address.address);
                Ok(Arc::new(Folder::new(self.parts(&root, address.abilities.clone(), installation))))
            }
            other => Err(unknown(other)),
        }
    }

    fn create<'a>(
        &'a self,
        address: &'a Address,
        installation: &'a str,
    ) -> BoxFuture<'a, Result<SetUp, Failure>> {
        Box::pin(async move {
            match address.kind {
                DestinationKind::Folder => {
                    let root = path_from_bytes(&address.address);
                    let (folder, abilities) = self.set_up(&root, installation).await?;
                    let folder: SharedDestination = Arc::new(folder);
                    Ok((folder, abilities))
                }
                other => Err(unknown(other)),
            }
        })
    }

    fn test<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<(Abilities, Option<u64>), Failure>> {
        Box::pin(async move {
            match address.kind {
                DestinationKind::Folder => {
                    let root = path_from_bytes(&address.address);
                    Folder::try_out(self.parts(&root, address.abilities.clone(), "test")).await
                }
                other => Err(unknown(other)),
            }
        })
    }
}
