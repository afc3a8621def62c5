//! placeholder until the library lands
use super::Deps;
use crate::domain::ids::SourceId;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LibraryState {
    pub sources: BTreeMap<SourceId, SourceProgress>,
    pub to_describe: u64,
    pub to_hash: u64,
    pub revision: u64,
}
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceProgress {
    pub is_scanning: bool,
    pub scanned: u64,
}
pub struct Library {
    state: watch::Receiver<LibraryState>,
    changes: Arc<tokio::sync::Notify>,
}
impl Library {
    pub fn start(_deps: &Deps, _store: Store) -> Self {
        let (_tx, state) = watch::channel(LibraryState::default());
        Self { state, changes: Arc::default() }
    }
    pub fn rescan(&self, _source: Option<SourceId>) {}
    pub fn look_at(&self, _source: SourceId, _dir: &[u8]) {}
    pub fn refresh_sources(&self) {}
    pub fn state(&self) -> watch::Receiver<LibraryState> {
        self.state.clone()
    }
    pub fn changes(&self) -> Arc<tokio::sync::Notify> {
        Arc::clone(&self.changes)
    }
    pub async fn stop(&self) {}
}
