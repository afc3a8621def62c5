//! What a restore order means in the library and the ledger as they are now.

use std::collections::HashMap;

use crate::api::{self, ApiError, RestoreOrder, RestoreTarget};
use crate::base::files::path_from_bytes;
use crate::destination::SharedDestination;
use crate::domain::glob::Glob;
use crate::domain::ids::{AssetId, DestinationId, ItemId};
use crate::domain::restore_plan::RestoreLayout;
use crate::domain::restore_scope::RestoreScope;
use crate::engine::context::Context;
use crate::engine::destination::workers::Workers;
use crate::engine::reply::{bytes_of, internal, no_such_destination, refused, usage};
use crate::engine::restore::order::{RestoreTask, TargetFolders};
use crate::store::{SourceRow, Store};

/// A restore whose scope has not been looked up yet.
pub(crate) struct PreparedRestore {
    id: DestinationId,
    destination: SharedDestination,
    width: u32,
    installation: String,
    order: RestoreOrder,
}

/// A restore from a destination as it is now.
///
/// # Errors
/// When there is no such destination, or it cannot be opened.
pub(crate) fn prepare(
    context: &Context,
    workers: &Workers,
    order: &RestoreOrder,
) -> Result<PreparedRestore, ApiError> {
    let id = DestinationId(order.destination);
    let worker = workers.get(id).ok_or_else(no_such_destination)?;
    let destination = worker.destination().map_err(|failure| refused(&failure))?;
    Ok(PreparedRestore {
        id,
        destination,
        width: worker.width(),
        installation: context.installation.to_string(),
        order: order.clone(),
    })
}

impl PreparedRestore {
    /// Looks up what the order means in the library and the ledger.
    pub async fn resolve(self, store: &Store) -> Result<RestoreTask, ApiError> {
        let Self { id, destination, width, installation, order } = self;
        let target = match &order.target {
            RestoreTarget::Folder(path) => {
                let layout = match order.layout {
                    api::RestoreLayout::Dates => RestoreLayout::Dates,
                    api::RestoreLayout::Folders => RestoreLayout::Folders,
                };
                TargetFolders::Folder(path_from_bytes(&bytes_of(path)?), layout)
            }
            RestoreTarget::Original => {
                let sources = store.read(|r| r.sources()).await.map_err(|error| internal(&error))?;
                TargetFolders::Original(folders_by_label(&sources))
            }
        };
        let scope = resolve_scope(store, id, order.scope).await?;
        Ok(RestoreTask { id, destination, width, installation, target, scope })
    }
}

/// The source folders by the name that copies remember.
fn folders_by_label(sources: &[SourceRow]) -> HashMap<String, Option<std::path::PathBuf>> {
    let mut folders = HashMap::new();
    for source in sources {
        let label = source.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let label = String::from_utf8_lossy(label).into_owned();
        let folder = Some(path_from_bytes(&source.path));
        folders.entry(label).and_modify(|known| *known = None).or_insert(folder);
    }
    folders
}

/// What of a destination's copies is meant.
///
/// # Errors
/// When an id is not one, there are too many, or the store fails.
pub(crate) async fn resolve_scope(
    store: &Store,
    id: DestinationId,
    scope: api::RestoreScope,
) -> Result<RestoreScope, ApiError> {
    let is_too_long = |len: usize| {
        let why = format!("no more than {} items at once", api::IDS_MAX);
        if len > api::IDS_MAX { Err(usage(why)) } else { Ok(()) }
    };
    Ok(match scope {
        api::RestoreScope::All => RestoreScope::All,
        api::RestoreScope::Period { year, month } => RestoreScope::Period { year, month },
        api::RestoreScope::Folder { source, path } => {
            RestoreScope::Folder { source_label: source, path: bytes_of(&path)? }
        }
        api::RestoreScope::Glob(pattern) => RestoreScope::Glob(Glob::new(&pattern)),
        api::RestoreScope::Copies(ids) => {
            is_too_long(ids.len())?;
            let record = |id: &String| match id.parse() {
                Ok(ItemId::Record(record)) => Ok(record),
                _ => Err(usage(format!("{id} is not the id of a copy"))),
            };
            RestoreScope::Records(ids.iter().map(record).collect::<Result<_, _>>()?)
        }
        api::RestoreScope::Assets(assets) => {
            is_too_long(assets.len())?;
            let assets: Vec<AssetId> = assets.into_iter().map(AssetId).collect();
            let records = store.read(move |r| r.records_of_assets(id, &assets)).await;
            RestoreScope::Records(records.map_err(|error| internal(&error))?.into_iter().collect())
        }
    })
}
