//! Adding and removing photo folders, and the person's consent to copy them.

use std::path::Path;

use crate::api::{ApiError, PathText, Reply};
use crate::domain::ids::{DestinationId, SourceId};
use crate::engine::destination::workers::Workers;
use crate::engine::parts::Parts;
use crate::engine::path_resolver::{ResolvedPaths, trim_slashes};
use crate::engine::reply::{Outcome, bytes_of, internal, no_such_destination, usage};

/// Adds a source. `looked` is the file system that it is on, or why it cannot be a source.
///
/// # Errors
/// When it cannot be a source, or the store fails.
pub(crate) async fn add_source(
    parts: &mut Parts<'_>,
    path: &PathText,
    looked: Result<String, ApiError>,
    consent_all: bool,
    resolved: &ResolvedPaths,
) -> Outcome {
    let bytes = trim_slashes(bytes_of(path)?);
    if bytes.first() != Some(&b'/') {
        return Err(usage("a source is an absolute path"));
    }
    let all = if consent_all { parts.workers.ids() } else { Vec::new() };
    let known = parts.context.store.read({
        let bytes = bytes.clone();
        move |r| r.source_at(&bytes)
    });
    if let Some(id) = known.await.map_err(|e| internal(&e))? {
        if consent_all {
            consent(parts, &[id], all, resolved).await?;
        }
        return Ok(Reply::Source { id: id.0, is_new: false });
    }
    let file_system = looked?;
    refuse_overlap(parts.workers, &bytes, resolved)?;
    // At once with the consent: a kill in between would leave a folder that goes nowhere.
    let added = parts.context.store.write_durably(move |tx| {
        let id = tx.add_source(&bytes, &file_system)?;
        for destination in all {
            tx.add_consent(id, destination)?;
        }
        Ok(id)
    });
    let id = added.await.map_err(|e| internal(&e))?;
    parts.library.refresh_sources();
    parts.library.rescan(Some(id));
    parts.context.mirror().await;
    parts.workers.call_all_extensions();
    Ok(Reply::Source { id: id.0, is_new: true })
}

/// Removes a source. Its copies stay where they are.
///
/// # Errors
/// When the store fails.
pub(crate) async fn remove_source(parts: &mut Parts<'_>, id: SourceId) -> Outcome {
    parts.workers.stop_source(id);
    let removed = parts.context.store.write_durably(move |tx| tx.remove_source(id)).await;
    removed.map_err(|e| internal(&e))?;
    parts.library.refresh_sources();
    parts.context.mirror().await;
    parts.workers.call_all_extensions();
    Ok(Reply::Done)
}

/// Records that sources may be copied to destinations.
///
/// # Errors
/// When one of them does not exist, one is inside another, or the store fails.
pub(crate) async fn consent(
    parts: &mut Parts<'_>,
    sources: &[SourceId],
    destinations: Vec<DestinationId>,
    resolved: &ResolvedPaths,
) -> Outcome {
    if destinations.iter().any(|id| parts.workers.get(*id).is_none()) {
        return Err(no_such_destination());
    }
    let known = parts.context.store.read(|r| r.sources()).await.map_err(|e| internal(&e))?;
    for source in sources {
        let Some(row) = known.iter().find(|row| row.id == *source) else {
            return Err(usage("there is no such source"));
        };
        refuse_overlap(parts.workers, &row.path, resolved)?;
    }
    let sources = sources.to_vec();
    let written = parts.context.store.write_durably(move |tx| {
        for source in sources {
            for destination in &destinations {
                tx.add_consent(source, *destination)?;
            }
        }
        Ok(())
    });
    written.await.map_err(|e| internal(&e))?;
    parts.context.mirror().await;
    parts.workers.call_all_extensions();
    Ok(Reply::Done)
}

/// A folder cannot be backed up into itself.
fn refuse_overlap(workers: &Workers, source: &[u8], resolved: &ResolvedPaths) -> Result<(), ApiError> {
    let source = resolved.target_of(source);
    for worker in workers.folders() {
        if overlaps(&source, &resolved.target_of(&worker.row().address)) {
            return Err(usage(format!(
                "The backup folder {} can't be inside a photo folder, nor a photo folder inside it",
                worker.row().name
            )));
        }
    }
    Ok(())
}

/// Whether one path is the other or below it.
pub(crate) fn overlaps(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}
