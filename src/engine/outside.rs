//! News of the computer: it has slept, or a disk has come or gone.

use super::deps::Deps;
use super::runner::Runner;
use super::supervisor::Supervisor;
use crate::base::files::path_from_bytes;
use crate::domain::target::DestinationKind;

/// The mount that a destination's folder is on; none for what is no folder.
pub(super) fn mount_of(deps: &Deps, runner: &Runner) -> Option<String> {
    let is_folder = runner.row.kind == DestinationKind::Folder;
    is_folder.then(|| (deps.mount_of)(&path_from_bytes(&runner.row.address)))?
}

impl Supervisor {
    /// The computer has slept or its clock was set: what was known of the outside may be old.
    pub(super) fn resumed(&mut self) {
        tracing::info!("the computer has slept, or its clock was set");
        self.runners.values_mut().for_each(|runner| runner.checked_until = None);
        self.unlose(|_| true);
        self.library.rescan(None);
        self.process_all();
    }

    /// Something was mounted or unmounted: a folder that is on another mount now than before is looked
    /// for at once. No other is touched, for a disk that sleeps should not be woken by its neighbours.
    pub(super) fn mounts_changed(&mut self) {
        let mut moved = Vec::new();
        for runner in self.runners.values_mut() {
            let mount = mount_of(&self.deps, runner);
            if mount != runner.mount {
                runner.mount = mount;
                (runner.must_check, runner.checked_until) = (true, None);
                moved.push(runner.id());
            }
        }
        self.unlose(|runner| moved.contains(&runner.id()));
    }
}
