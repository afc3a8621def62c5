//! News of the computer: it has slept, or a disk has come or gone.

use std::collections::BTreeSet;

use crate::base::files::path_from_bytes;
use crate::domain::target::DestinationKind;
use crate::engine::deps::Deps;
use crate::engine::destination::worker::Runner;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::{TaskEnd, spawn};

/// The mount that a destination's folder is on; none for what is no folder.
pub(crate) fn mount_of(deps: &Deps, runner: &Runner) -> Option<String> {
    let is_folder = runner.row.kind == DestinationKind::Folder;
    is_folder.then(|| (deps.mount_of)(&path_from_bytes(&runner.row.address)))?
}

impl Supervisor {
    /// The computer has slept or its clock was set: what was known of the outside may be old.
    pub(crate) fn resumed(&mut self) {
        tracing::info!("the computer has slept, or its clock was set");
        self.runners.values_mut().for_each(|runner| runner.checked_until = None);
        self.unlose(|_| true);
        self.library.rescan(None);
        self.process_all();
    }

    /// Something was mounted or unmounted: a folder that is on another mount now than before is looked
    /// for at once. No other is touched, for a disk that sleeps should not be woken by its neighbours.
    pub(crate) async fn mounts_changed(&mut self) {
        let mut moved = Vec::new();
        for runner in self.runners.values_mut() {
            let mount = mount_of(&self.deps, runner);
            if mount != runner.mount {
                runner.mount = mount;
                (runner.must_check, runner.checked_until) = (true, None);
                runner.may_prove |= runner.attachment.is_some();
                moved.push(runner.id());
            }
        }
        self.unlose(|runner| moved.contains(&runner.id()));
        if !moved.is_empty() {
            self.spawn_disks().await;
        }
    }

    /// Looks up which disks the photos and the enabled folder destinations are on.
    pub(crate) async fn spawn_disks(&mut self) {
        let folders = self.runners.values().filter(|runner| runner.row.kind == DestinationKind::Folder);
        let enabled = folders.filter(|runner| runner.row.is_enabled);
        let mut paths: BTreeSet<Vec<u8>> = enabled.map(|runner| runner.row.address.clone()).collect();
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
