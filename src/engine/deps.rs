//! What the engine is given: everything that it may touch outside itself.

use std::path::PathBuf;
use std::sync::Arc;

use super::library::Watch;
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::files::SharedFiles;
use crate::base::rng::SharedRng;
use crate::destination::connect::Connect;

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
