//! Which folders are there and what was in them: asked once, so that many small files cost few
//! requests. What is remembered is only ever a hint; the server decides.

use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Mutex as AsyncMutex;

use super::client::Client;
use crate::destination::metadata_store::FolderEntry;
use crate::domain::failure::{Failure, FailureKind};

/// How many folders are remembered.
const FOLDERS_KEPT_MAX: usize = 256;
/// How many names of one folder are remembered; one with more is asked name by name.
const NAMES_KEPT_MAX: usize = 50_000;

/// What is known of a folder that is there.
#[derive(Debug)]
enum FolderContents {
    /// Not what is in it.
    There,
    /// The names in it.
    Listed(HashSet<String>),
    /// It has too many names to remember.
    Large,
}

type Slot = Arc<AsyncMutex<Option<FolderContents>>>;

/// The folders that this process has met.
#[derive(Default)]
pub(super) struct Folders(Mutex<HashMap<String, Slot>>);

/// What is remembered of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameHint {
    /// Nothing had it.
    Free,
    /// Something has it, or may have.
    Ask,
}

impl Folders {
    fn slot(&self, folder: &str) -> Slot {
        let mut slots = self.0.lock();
        if slots.len() >= FOLDERS_KEPT_MAX && !slots.contains_key(folder) {
            slots.retain(|_folder, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(folder.to_owned()).or_default())
    }

    /// Whether a name in a folder may be free. Lists the folder the first time.
    pub(super) async fn hint(&self, calls: &Client, folder: &str, name: &str) -> Result<NameHint, Failure> {
        let slot = self.slot(folder);
        let mut known = slot.lock().await;
        if matches!(*known, None | Some(FolderContents::There)) {
            match list_or_large(calls, folder).await? {
                // Nothing can be in a folder that is not there; it is made when something is to be.
                None => return Ok(NameHint::Free),
                Some(found) => *known = Some(found),
            }
        }
        match known.as_ref() {
            Some(FolderContents::Listed(names)) if !names.contains(name) => Ok(NameHint::Free),
            _ => Ok(NameHint::Ask),
        }
    }

    /// Makes a folder and those above it, where they are missing.
    pub(super) async fn make(&self, calls: &Client, folder: &str) -> Result<(), Failure> {
        let mut path = String::new();
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
            let slot = self.slot(&path);
            let mut known = slot.lock().await;
            if known.is_none() {
                let is_new = calls.make_dir(&path).await?;
                *known =
                    Some(if is_new { FolderContents::Listed(HashSet::new()) } else { FolderContents::There });
            }
        }
        Ok(())
    }

    /// Something in the folder has this name now.
    pub(super) async fn note(&self, folder: &str, name: &str) {
        let slot = self.slot(folder);
        let mut known = slot.lock().await;
        if let Some(FolderContents::Listed(names)) = known.as_mut() {
            names.insert(name.to_owned());
            if names.len() > NAMES_KEPT_MAX {
                *known = Some(FolderContents::Large);
            }
        }
    }

    /// Forgets a folder and those above it: something about them was not as remembered.
    pub(super) fn forget(&self, folder: &str) {
        let mut slots = self.0.lock();
        slots.retain(|known, _slot| known != folder && !folder.starts_with(&format!("{known}/")));
    }
}

impl FolderContents {
    fn of(listed: Vec<FolderEntry>) -> Self {
        if listed.len() > NAMES_KEPT_MAX {
            return Self::Large;
        }
        Self::Listed(listed.into_iter().map(|entry| entry.name).collect())
    }
}

/// What is known of a folder after listing it; `None` when there is none. A listing that is too long
/// or that nobody understands is not a failure: names are then asked for one by one.
async fn list_or_large(calls: &Client, folder: &str) -> Result<Option<FolderContents>, Failure> {
    match list(calls, folder).await {
        Ok(listed) => Ok(listed.map(FolderContents::of)),
        Err(failure) if failure.kind == FailureKind::Protocol => Ok(Some(FolderContents::Large)),
        Err(failure) => Err(failure),
    }
}

/// What is in a folder; `None` when there is none.
pub(super) async fn list(calls: &Client, folder: &str) -> Result<Option<Vec<FolderEntry>>, Failure> {
    let slash = if folder.is_empty() { "" } else { "/" };
    let Some(found) = calls.propfind(&format!("{folder}{slash}"), 1).await? else { return Ok(None) };
    let own = calls.path_of(folder);
    let listed = found.into_iter().filter_map(|entry| {
        // Whatever a server lists, only what is right below the folder is in it.
        let name = entry.path.strip_prefix(&own)?.strip_prefix('/')?;
        let is_name = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
        is_name.then(|| FolderEntry { name: name.to_owned(), is_dir: entry.is_dir, size: entry.size })
    });
    Ok(Some(listed.collect()))
}
