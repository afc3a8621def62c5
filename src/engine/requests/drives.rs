//! What disks there are and how much room is on them.

use std::sync::Arc;

use crate::api::{DriveText, PathText, Reply};
use crate::base::files::path_from_bytes;
use crate::engine::parts::Parts;
use crate::engine::reply::{ReplyTo, usage};
use crate::engine::task_set::TaskEnd;
use crate::platform::drives::Drive;

/// Answers which drives photos can be copied to.
pub(crate) fn spawn_drives(parts: &mut Parts<'_>, reply: ReplyTo) {
    let deps = &parts.context.deps;
    let (drives, executor) = (Arc::clone(&deps.drives), deps.library_executor.with_own_threads());
    parts.tasks.spawn(async move {
        let found = executor.run(move || drives()).await.unwrap_or_default();
        reply.send(Ok(Reply::Drives(found.into_iter().map(drive_text).collect()))).ok();
        TaskEnd::Answered
    });
}

/// Answers how much room there is in a folder, or where it would be made.
pub(crate) fn spawn_folder_space(parts: &mut Parts<'_>, path: &PathText, reply: ReplyTo) {
    let Some(bytes) = path.to_bytes().filter(|bytes| bytes.starts_with(b"/")) else {
        return drop(reply.send(Err(usage("the folder's path must be absolute"))));
    };
    let path = path_from_bytes(&bytes);
    let deps = &parts.context.deps;
    let (free, executor) = (Arc::clone(&deps.free_bytes), deps.library_executor.with_own_threads());
    parts.tasks.spawn(async move {
        let free_bytes = executor.run(move || free(&path)).await.ok().flatten();
        reply.send(Ok(Reply::FolderSpace { free_bytes })).ok();
        TaskEnd::Answered
    });
}

fn drive_text(drive: Drive) -> DriveText {
    DriveText {
        name: drive.name,
        path: PathText::from_bytes(drive.path.as_os_str().as_encoded_bytes()),
        free_bytes: drive.free_bytes,
    }
}
