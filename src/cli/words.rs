//! Parts of messages that several commands share.

use std::path::Path;

use crate::api::{PathText, SourceState};
use crate::base::files::path_bytes;
use crate::domain::format::number;

/// A path for the wire.
pub fn path_text(path: &Path) -> PathText {
    PathText::from_bytes(&path_bytes(path))
}

/// What is to be said of folders inside a source that cannot be looked into: which, why, what to do.
pub fn unreadable_lines(source: &SourceState) -> Vec<String> {
    let named = source.unreadable.iter().flat_map(|folder| {
        let told = format!("The folder {} is not backed up: {}", folder.path.path, folder.summary);
        [told, format!("  {}", folder.advice)]
    });
    let more = source.unreadable_folders.saturating_sub(source.unreadable.len() as u64);
    let verb = if more == 1 { "folder is" } else { "folders are" };
    let more =
        (more > 0).then(|| format!("{} more {verb} not backed up in {}", number(more), source.path.path));
    named.chain(more).collect()
}
