//! What the library works with.

use std::sync::Arc;

use super::reader::Reader;
use super::watch::FolderWatcher;
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::files::SharedFiles;
use crate::store::Store;

/// Pieces of reading under way at once in the app: enough that reading goes on while what was read
/// before is written down.
pub const READS_MAX: usize = 4;

/// What the library is given.
#[derive(Clone)]
pub struct LibraryDeps {
    /// Where it keeps what it finds.
    pub store: Store,
    /// The sources' files.
    pub files: SharedFiles,
    /// The clock for people.
    pub clock: SharedClock,
    /// Makes facts and digests of bytes.
    pub reader: Arc<dyn Reader>,
    /// Watches sources.
    pub watch: Arc<dyn FolderWatcher>,
    /// Where files are read. Inline in tests, which also keeps the walk on the caller's thread.
    pub executor: Executor,
    /// How many pieces of reading are under way at once, the one being written to the store
    /// included.
    pub parallel: usize,
}
