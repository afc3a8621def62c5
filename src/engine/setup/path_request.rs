//! Requests that need to know where paths lead before they are carried out.

use std::collections::BTreeSet;

use crate::api::{ApiError, PathText};
use crate::domain::ids::{DestinationId, SourceId};
use crate::domain::target::Target;
use crate::engine::path_resolver::{PathResolver, ResolvedPaths, trim_slashes};
use crate::engine::reply::{ReplyTo, bytes_of};
use crate::engine::setup::entered_options::EnteredOptions;

/// A request that needs to know where paths lead.
#[derive(Debug)]
pub(crate) enum PathRequest {
    /// Add a source.
    Source { path: PathText, consent_all: bool },
    /// Record consent.
    Consent { sources: Vec<SourceId>, destination: DestinationId },
    /// Try a destination that is not saved.
    Test { target: PathText, entered: EnteredOptions },
    /// Add a destination.
    Destination { target: PathText, name: Option<String>, entered: EnteredOptions, consent_all: bool },
}

/// What was found out for a request.
pub(crate) struct PathsResolved {
    pub request: PathRequest,
    pub resolved: ResolvedPaths,
    /// The file system of the source that is wanted, or why it cannot be one.
    pub source: Option<Result<String, ApiError>>,
    /// The place that is wanted gave no answer.
    pub is_silent: bool,
    pub reply: ReplyTo,
}

impl PathRequest {
    /// Consent to copy sources to a destination.
    pub fn consent(sources: Vec<i64>, destination: i64) -> Self {
        let sources = sources.into_iter().map(SourceId).collect();
        Self::Consent { sources, destination: DestinationId(destination) }
    }

    /// The folder that is wanted, if one is.
    pub fn folder(&self) -> Option<Vec<u8>> {
        match self {
            Self::Source { path, .. } => bytes_of(path).ok().map(trim_slashes),
            Self::Consent { .. } => None,
            Self::Test { target, .. } | Self::Destination { target, .. } => {
                match Target::parse(&bytes_of(target).ok()?).ok()? {
                    Target::Folder(path) => Some(trim_slashes(path)),
                    Target::NameOrPath(_) | Target::Url { .. } => None,
                }
            }
        }
    }
}

/// Finds out where all paths lead that a request may touch.
pub(crate) async fn resolve_for(
    resolver: &PathResolver,
    paths: BTreeSet<Vec<u8>>,
    request: PathRequest,
    reply: ReplyTo,
) -> PathsResolved {
    let own = request.folder();
    let (resolved, silent) = resolver.resolve(paths).await;
    let is_silent = own.as_ref().is_some_and(|own| silent.contains(own));
    let source = match (&request, &own) {
        (PathRequest::Source { .. }, Some(path)) => Some(resolver.look_at_source(path).await),
        _ => None,
    };
    PathsResolved { request, resolved, source, is_silent, reply }
}
