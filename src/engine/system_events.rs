//! News of the computer: it has slept, a disk has come or gone, or its network or power has changed.

use crate::domain::gate::Conditions;
use crate::engine::conditions::gates::{Gates, is_local};
use crate::engine::parts::Parts;
use crate::engine::path_resolver::PathResolver;
use crate::engine::task_set::TaskEnd;

/// The computer has slept or its clock was set: what was known of the outside may be old.
pub(crate) fn on_resumed(parts: &mut Parts<'_>) {
    tracing::info!("the computer has slept, or its clock was set");
    parts.workers.iter_mut().for_each(crate::engine::destination::worker::Worker::forget_check);
    parts.workers.retry_unreachable(parts.context.wall(), |_| true);
    parts.library.rescan(None);
    parts.workers.call_all_extensions();
}

/// What the computer is like has changed.
pub(crate) fn on_conditions_changed(parts: &mut Parts<'_>, gates: &mut Gates, conditions: Conditions) {
    tracing::info!(?conditions, "conditions changed");
    if gates.set_conditions(conditions, &parts.context.read_clocks()) {
        parts.workers.retry_unreachable(parts.context.wall(), |worker| !is_local(worker.row()));
    }
}

/// Something was mounted or unmounted: a folder that is on another mount now than before is looked for
/// at once. No other is touched, for a disk that sleeps should not be woken by its neighbours.
pub(crate) async fn on_mounts_changed(parts: &mut Parts<'_>, resolver: &PathResolver) {
    let (deps, wall) = (&parts.context.deps, parts.context.wall());
    let mut has_moved = false;
    for worker in parts.workers.iter_mut() {
        if worker.update_mount(deps) {
            worker.retry_unreachable(wall);
            has_moved = true;
        }
    }
    if has_moved {
        spawn_disk_lookup(parts, resolver).await;
    }
}

/// Looks up which disks the photos and the enabled folder destinations are on.
pub(crate) async fn spawn_disk_lookup(parts: &mut Parts<'_>, resolver: &PathResolver) {
    let mut paths = parts.workers.folder_paths(|worker| worker.row().is_enabled);
    // Without a folder there is nothing to compare with.
    if paths.is_empty() {
        return;
    }
    let Ok(sources) = parts.context.store.read(|r| r.sources()).await else { return };
    paths.extend(sources.into_iter().map(|row| row.path));
    let resolver = resolver.clone();
    parts.tasks.spawn_or(TaskEnd::Lost("a look at the disks".to_owned()), async move {
        let (resolved, _silent) = resolver.resolve(paths).await;
        TaskEnd::Disks(resolved.disks().clone())
    });
}
