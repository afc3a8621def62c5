//! News of the computer: it has slept, or a disk has come or gone.

use std::collections::BTreeSet;

use crate::base::files::path_from_bytes;
use crate::domain::target::DestinationKind;
use crate::engine::deps::Deps;
use crate::engine::destination::worker::Worker;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::{TaskEnd, spawn};

/// The mount that a destination's folder is on; none for what is no folder.
pub(crate) fn mount_of(deps: &Deps, worker: &Worker) -> Option<String> {
    let is_folder = worker.row.kind == DestinationKind::Folder;
    is_folder.then(|| (deps.mount_of)(&path_from_bytes(&worker.row.address)))?
}

impl Supervisor {
    /// The computer has slept or its clock was set: what was known of the outside may be old.
    pub(crate) fn on_resumed(&mut self) {
        tracing::info!("the computer has slept, or its clock was set");
        self.workers.values_mut().for_each(|worker| worker.checked_until = None);
        self.retry_unreachable_destinations(|_| true);
        self.library.rescan(None);
        self.call_all_extensions();
    }

    /// Something was mounted or unmounted: a folder that is on another mount now than before is looked
    /// for at once. No other is touched, for a disk that sleeps should not be woken by its neighbours.
    pub(crate) async fn on_mounts_changed(&mut self) {
        let mut moved = Vec::new();
        for worker in self.workers.values_mut() {
            let mount = mount_of(&self.deps, worker);
            if mount != worker.mount {
                worker.mount = mount;
                (worker.must_check, worker.checked_until) = (true, None);
                worker.may_prove |= worker.attachment.is_some();
                moved.push(worker.id());
            }
        }
        self.retry_unreachable_destinations(|worker| moved.contains(&worker.id()));
        if !moved.is_empty() {
            self.spawn_disk_lookup().await;
        }
    }

    /// Looks up which disks the photos and the enabled folder destinations are on.
    pub(crate) async fn spawn_disk_lookup(&mut self) {
        let folders = self.workers.values().filter(|worker| worker.row.kind == DestinationKind::Folder);
        let enabled = folders.filter(|worker| worker.row.is_enabled);
        let mut paths: BTreeSet<Vec<u8>> = enabled.map(|worker| worker.row.address.clone()).collect();
        // Without a folder there is nothing to compare with.
        if paths.is_empty() {
            return;
        }
        let Ok(sources) = self.store.read(|r| r.sources()).await else { return };
        paths.extend(sources.into_iter().map(|row| row.path));
        let places = self.places.clone();
        let lost = TaskEnd::Lost("a look at the disks".to_owned());
        spawn(&mut self.tasks, lost, async move {
            let (resolved, _silent) = places.resolve(paths).await;
            TaskEnd::Disks(resolved.disks().clone())
        });
    }

    /// Whether a folder is on the same disk as one of these sources. What is not known is not said.
    pub(crate) fn is_on_disk_of(&self, folder: &[u8], sources: impl Iterator<Item = Vec<u8>>) -> bool {
        let Some(disk) = self.disks.get(folder) else { return false };
        sources.into_iter().any(|source| self.disks.get(&source) == Some(disk))
    }
}
