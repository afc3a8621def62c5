//! What the engine is given: everything that it may touch outside itself.

use std::path::PathBuf;
use std::sync::Arc;

use super::library::Watch;
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::files::SharedFiles;
use crate::base::rng::SharedRng;
use crate::destination::{Abilities, BoxFuture, SharedDestination};
use crate::domain::failure::Failure;
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

/// Makes destinations out of addresses. The seam where a simulation puts its own.
pub trait Connect: Send + Sync {
    /// A destination that is known: nothing is tried or written.
    ///
    /// # Errors
    /// When this release has no such kind, or the address makes no sense.
    fn open(&self, address: &Address) -> Result<SharedDestination, Failure>;

    /// Sets up a destination that the person is adding, or finds it set up already, and probes it.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn create<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<(SharedDestination, Abilities), Failure>>;

    /// Tries a destination and leaves nothing behind that was not there. Gives its free space where
    /// that is known.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn test<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<(Abilities, Option<u64>), Failure>>;
}

/// The engine's dependencies.
#[derive(Clone)]
pub struct Deps {
    /// The folder of the database, `config.json` and the log. It exists.
    pub data_dir: PathBuf,
    /// Time.
    pub clock: SharedClock,
    /// Chance.
    pub rng: SharedRng,
    /// The sources.
    pub files: SharedFiles,
    /// Destinations.
    pub connect: Arc<dyn Connect>,
    /// Where the database is read.
    pub store_executor: Executor,
    /// Watches sources for changes.
    pub watch: Arc<dyn Watch>,
    /// Where sources are looked through, described and hashed.
    pub library_executor: Executor,
}
