//! What a restore is asked for, where its files go, and how it ended.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::api::{ApiError, ErrorKind, Reply, RestoreResult};
use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::DestinationId;
use crate::domain::restore_plan::{RestoreCopy, RestoreLayout, RestorePlan, is_plain_path};
use crate::domain::restore_scope::RestoreScope;
use crate::engine::reply::refused;
use crate::platform::restored_file::RestoreTarget;

/// What is to be restored, from where and whereto.
#[derive(Clone)]
pub(crate) struct RestoreTask {
    pub id: DestinationId,
    pub destination: SharedDestination,
    /// Copies that may be read from it side by side.
    pub width: u32,
    pub installation: String,
    pub target: TargetFolders,
    pub scope: RestoreScope,
}

/// Where files are restored to.
#[derive(Debug, Clone)]
pub(crate) enum TargetFolders {
    /// Into a folder.
    Folder(PathBuf, RestoreLayout),
    /// Back to where they were: source folders by name. Of several with one name none is meant.
    Original(HashMap<String, Option<PathBuf>>),
}

impl TargetFolders {
    /// How the files are laid out.
    pub fn layout(&self) -> RestoreLayout {
        match self {
            Self::Folder(_, layout) => *layout,
            Self::Original(_) => RestoreLayout::Folders,
        }
    }

    /// Whether a copy is an older version of a file, which has no place where the file was.
    pub fn leaves_out(&self, plan: &RestorePlan, copy: &RestoreCopy<'_>) -> bool {
        matches!(self, Self::Original(_)) && !plan.is_newest(copy)
    }

    /// Where a copy is restored to.
    ///
    /// # Errors
    /// A sentence that says why it cannot be.
    pub fn of(&self, plan: &RestorePlan, copy: &RestoreCopy<'_>) -> Result<RestoreTarget, String> {
        let sources = match self {
            Self::Folder(into, _) => {
                return Ok(RestoreTarget { folder: into.clone(), path: plan.target(copy) });
            }
            Self::Original(sources) => sources,
        };
        let label = copy.source_label;
        let folder = match sources.get(label) {
            Some(Some(folder)) => folder.clone(),
            Some(None) => return Err(format!("Several photo folders are called {label}. Choose a folder")),
            None => return Err(format!("No photo folder is called {label}. Add it, or choose a folder")),
        };
        if !is_plain_path(copy.path) {
            return Err("The path that it had can't be used. Choose a folder".to_owned());
        }
        Ok(RestoreTarget { folder, path: copy.path.to_vec() })
    }
}

/// How a restore ended.
#[derive(Debug)]
pub(crate) struct RestoreReport {
    pub result: RestoreResult,
    pub end: RestoreEnd,
}

/// Why a restore ended.
#[derive(Debug)]
pub(crate) enum RestoreEnd {
    /// Every file was looked at.
    Complete,
    /// Nothing comes from the destination.
    Lost(Failure),
    /// Something else is in the way.
    Refused(ApiError),
    /// It was told to stop.
    Stopped,
}

impl RestoreReport {
    /// A restore that did not begin.
    pub fn unbegun(end: RestoreEnd) -> Self {
        Self { result: RestoreResult::default(), end }
    }

    /// As the answer to a client that waits.
    pub fn into_reply(self) -> Result<Reply, ApiError> {
        let stopped = match self.end {
            RestoreEnd::Complete => None,
            RestoreEnd::Lost(failure) => Some(refused(&failure)),
            RestoreEnd::Refused(error) => Some(error),
            RestoreEnd::Stopped => Some(ApiError::new(ErrorKind::Unavailable, "Safelight is stopping")),
        };
        match stopped {
            Some(error) if self.result == RestoreResult::default() => Err(error),
            stopped => Ok(Reply::Restored { result: self.result, stopped }),
        }
    }
}
