//! What the library's tasks share: what they were given, what they tell, and how they stop.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::library_deps::LibraryDeps;
use super::state::{LibraryState, SourceStatus};
use super::watch::Hints;
use crate::domain::hash::DigestSet;
use crate::domain::ids::SourceId;
use crate::domain::target::DestinationKind;
use crate::domain::transfer::Capabilities;
use crate::store::{PendingFiles, StoreError, Write};

/// The destinations that are to be served, which say what digests a file needs.
#[derive(Default)]
pub(super) struct DigestsWanted(Vec<(DestinationKind, Capabilities)>);

impl DigestsWanted {
    /// What one of them wants of a file of `size` bytes.
    pub(super) fn of_size(&self, size: u64) -> DigestSet {
        let wanted = self.0.iter().map(|(kind, capabilities)| capabilities.digests_wanted(*kind, size));
        wanted.fold(DigestSet::NONE, DigestSet::union)
    }
}

pub(super) struct Shared {
    pub(super) deps: LibraryDeps,
    state: watch::Sender<LibraryState>,
    pub(super) changes: Arc<Notify>,
    newest_token: AtomicI64,
    /// Counts taken so far, in the order of their transactions.
    counted: Arc<AtomicU64>,
    /// The newest count that was told.
    told: AtomicU64,
    sources: Mutex<BTreeMap<SourceId, Hints>>,
    left_out: Mutex<Arc<Vec<Vec<u8>>>>,
    digests: Mutex<Arc<DigestsWanted>>,
    index_news: Notify,
    source_news: Notify,
    /// How often the sources were said to be others.
    reloads: AtomicU64,
    pub(super) cancel: CancellationToken,
    /// Looked at between two chunks of a file that is being read.
    pub(super) stop_reading: Arc<AtomicBool>,
}

impl Shared {
    pub(super) fn new(deps: LibraryDeps) -> Self {
        let state = LibraryState { is_loading: true, is_indexing: true, ..LibraryState::default() };
        Self {
            deps,
            state: watch::Sender::new(state),
            changes: Arc::default(),
            newest_token: AtomicI64::new(0),
            counted: Arc::default(),
            told: AtomicU64::new(0),
            sources: Mutex::default(),
            left_out: Mutex::default(),
            digests: Mutex::default(),
            index_news: Notify::new(),
            source_news: Notify::new(),
            reloads: AtomicU64::new(0),
            cancel: CancellationToken::new(),
            stop_reading: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> watch::Receiver<LibraryState> {
        self.state.subscribe()
    }

    pub(super) fn stop(&self) {
        self.stop_reading.store(true, Ordering::Relaxed);
        self.cancel.cancel();
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut LibraryState)) {
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            *state != before
        });
    }

    pub(super) fn update_source(&self, source: SourceId, change: impl FnOnce(&mut SourceStatus)) {
        self.update(|state| {
            if let Some(look) = state.sources.get_mut(&source) {
                change(look);
            }
        });
    }

    pub(super) fn reload(&self) {
        self.update(|state| {
            self.reloads.fetch_add(1, Ordering::SeqCst);
            state.is_loading = true;
        });
        self.source_news.notify_one();
    }

    /// What a loading that begins now has to tell [`Shared::loaded`].
    pub(super) fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::SeqCst)
    }

    /// The sources were read. Where they became others meanwhile, they will be read once more.
    pub(super) fn loaded(&self, reloads: u64) {
        self.update(|state| state.is_loading = self.reloads() != reloads);
    }

    pub(super) async fn sources_changed(&self) {
        self.source_news.notified().await;
    }

    fn with_sources<T>(&self, work: impl FnOnce(&mut BTreeMap<SourceId, Hints>) -> T) -> T {
        work(&mut self.sources.lock())
    }

    pub(super) fn add_source(&self, source: SourceId, hints: Hints, look: SourceStatus) {
        self.with_sources(|sources| sources.insert(source, hints));
        self.update(|state| {
            state.sources.insert(source, look);
        });
    }

    pub(super) fn drop_source(&self, source: SourceId) {
        self.with_sources(|sources| sources.remove(&source));
        self.update(|state| {
            state.sources.remove(&source);
            state.revision += 1;
        });
    }

    /// Where hints for a source go; none for one that is not known any more.
    pub(super) fn hints(&self, source: SourceId) -> Option<Hints> {
        self.with_sources(|sources| sources.get(&source).cloned())
    }

    pub(super) fn rescan(&self, source: Option<SourceId>) {
        let targets: Vec<Hints> = self.with_sources(|sources| match source {
            Some(id) => sources.get(&id).cloned().into_iter().collect(),
            None => sources.values().cloned().collect(),
        });
        for hints in targets {
            hints.request_rescan(source.is_some());
        }
    }

    pub(super) fn left_out(&self) -> Arc<Vec<Vec<u8>>> {
        Arc::clone(&self.left_out.lock())
    }

    pub(super) fn set_left_out(&self, paths: Vec<Vec<u8>>) {
        *self.left_out.lock() = Arc::new(paths);
    }

    pub(super) fn digests(&self) -> Arc<DigestsWanted> {
        Arc::clone(&self.digests.lock())
    }

    pub(super) fn set_digests(&self, places: Vec<(DestinationKind, Capabilities)>) {
        *self.digests.lock() = Arc::new(DigestsWanted(places));
    }

    pub(super) fn wake_index(&self) {
        self.update(|state| state.is_indexing = true);
        self.index_news.notify_one();
    }

    pub(super) async fn index_news(&self) {
        self.index_news.notified().await;
    }

    /// Writes to the store, and tells everyone what the library is like then.
    pub(super) async fn commit<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let counted = Arc::clone(&self.counted);
        let (value, to_do, token, order) = self
            .deps
            .store
            .write(move |tx| {
                let value = write(tx)?;
                tx.prune_changes()?;
                Ok((value, tx.to_do()?, tx.newest_token()?, counted.fetch_add(1, Ordering::Relaxed) + 1))
            })
            .await?;
        self.update(|state| state.revision += 1);
        self.tell(to_do, token, order);
        Ok(value)
    }

    /// Tells everyone what is still to be done, after somebody else wrote to the store.
    pub(super) async fn recount(&self) -> Result<(), StoreError> {
        let counted = Arc::clone(&self.counted);
        let count = move |tx: &Write<'_>| {
            Ok((tx.to_do()?, tx.newest_token()?, counted.fetch_add(1, Ordering::Relaxed) + 1))
        };
        let (to_do, token, order) = self.deps.store.write(count).await?;
        self.tell(to_do, token, order);
        Ok(())
    }

    /// Counts are taken in the order of the commits, but their takers may get here in another: an
    /// older count never replaces a newer one.
    fn tell(&self, to_do: PendingFiles, token: i64, order: u64) {
        self.update(|state| {
            if self.told.fetch_max(order, Ordering::Relaxed) > order {
                return;
            }
            (state.to_describe, state.to_hash) = (to_do.to_describe, to_do.to_hash);
            state.settling = to_do.settling;
        });
        if self.newest_token.fetch_max(token, Ordering::Relaxed) < token {
            self.changes.notify_one();
        }
    }
}
