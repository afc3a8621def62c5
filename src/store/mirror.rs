//! `config.json`: what a lost database is rebuilt from. No secrets, no ledger: the folders, the
//! destinations and the person's consent.

use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::abilities;
use super::connection::Store;
use super::destinations::NewDestination;
use super::rows::StoreError;
use crate::api::{PathText, Rules};
use crate::domain::gate::GateRules;
use crate::domain::target::DestinationKind;

/// The mirror's file name in the data folder.
pub const MIRROR_NAME: &str = "config.json";
/// The largest mirror that is read.
const MIRROR_LEN_MAX: u64 = 4 << 20;

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Mirror {
    version: u32,
    installation: String,
    backup_on: bool,
    /// Whatever is there, so that rules of another release do not cost the folders.
    #[serde(default)]
    rules: serde_json::Value,
    sources: Vec<MirroredSource>,
    destinations: Vec<MirroredDestination>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct MirroredSource {
    #[serde(flatten)]
    path: PathText,
    file_system: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct MirroredDestination {
    name: String,
    kind: String,
    address: PathText,
    enabled: bool,
    job_limit: u32,
    /// As in the database: unknown fields are kept out, missing ones read as not able.
    abilities: String,
    /// The paths of the sources that are consented to go there.
    consents: Vec<PathText>,
}

/// Writes the mirror anew: temp file, fsync, rename.
///
/// # Errors
/// When the database cannot be read or the file cannot be written.
pub async fn save(store: &Store, data_dir: &Path) -> Result<(), StoreError> {
    let mirror = store
        .read(|r| {
            let installation = r.installation()?;
            let (sources, consents) = (r.sources()?, r.consents()?);
            let destinations = r.destinations()?.into_iter().map(|row| {
                let given = consents.iter().filter(|(_, d)| *d == row.id).map(|(s, _)| *s);
                let paths = given.filter_map(|s| sources.iter().find(|row| row.id == s));
                MirroredDestination {
                    consents: paths.map(|row| PathText::from_bytes(&row.path)).collect(),
                    name: row.name,
                    kind: row.kind.as_str().to_owned(),
                    address: PathText::from_bytes(&row.address),
                    enabled: row.is_enabled,
                    job_limit: row.job_limit,
                    abilities: abilities::text(&row.abilities).unwrap_or_default(),
                }
            });
            Ok(Mirror {
                version: 1,
                installation: installation.uuid,
                backup_on: installation.is_on,
                rules: serde_json::to_value(Rules::from(r.rules()?)).unwrap_or_default(),
                destinations: destinations.collect(),
                sources: sources
                    .iter()
                    .map(|row| MirroredSource {
                        path: PathText::from_bytes(&row.path),
                        file_system: row.file_system.clone(),
                    })
                    .collect(),
            })
        })
        .await?;
    let text = serde_json::to_vec_pretty(&mirror).map_err(|e| StoreError::Refused(e.to_string()))?;
    write_whole(data_dir, &text).map_err(|error| StoreError::File { what: "writing config.json", error })
}

fn write_whole(data_dir: &Path, text: &[u8]) -> std::io::Result<()> {
    let temp = data_dir.join(format!("{MIRROR_NAME}.new"));
    let mut file = std::fs::File::create(&temp)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&temp, data_dir.join(MIRROR_NAME))?;
    std::fs::File::open(data_dir)?.sync_all()
}

/// Fills a new database from the mirror, if there is one. A mirror that cannot be read is left
/// alone: an empty database is then the truth.
///
/// # Errors
/// When the database cannot be written.
pub async fn restore(store: &Store, data_dir: &Path) -> Result<(), StoreError> {
    let path = data_dir.join(MIRROR_NAME);
    let readable = std::fs::metadata(&path).is_ok_and(|meta| meta.len() <= MIRROR_LEN_MAX);
    let text = if readable { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
    let Ok(mirror) = serde_json::from_slice::<Mirror>(&text) else {
        if readable {
            tracing::warn!("config.json cannot be understood and is left alone");
        }
        return Ok(());
    };
    store
        .write_durably(move |tx| {
            tx.set_installation_uuid(&mirror.installation)?;
            tx.set_backup_on(mirror.backup_on)?;
            let rules = serde_json::from_value::<Rules>(mirror.rules).ok();
            if let Some(rules) = rules.and_then(|rules| GateRules::try_from(rules).ok()) {
                tx.set_rules(rules)?;
            }
            let mut sources = Vec::new();
            for source in mirror.sources {
                let Some(path) = source.path.to_bytes() else { continue };
                let known = tx.source_at(&path)?;
                let id = known.map_or_else(|| tx.add_source(&path, &source.file_system), Ok)?;
                sources.push((source.path, id));
            }
            for destination in mirror.destinations {
                let (Some(kind), Some(address)) =
                    (DestinationKind::parse(&destination.kind), destination.address.to_bytes())
                else {
                    continue;
                };
                let MirroredDestination { name, enabled, job_limit, consents, .. } = destination;
                let abilities = abilities::parse(&destination.abilities);
                let id = tx.add_destination(&NewDestination { name, kind, address, abilities, job_limit })?;
                if !enabled {
                    tx.disable_destination(id)?;
                }
                for (_, source) in sources.iter().filter(|(path, _)| consents.contains(path)) {
                    tx.add_consent(*source, id)?;
                }
            }
            tx.add_event("rebuilt", "The list of folders and backup places was restored from config.json")
        })
        .await
}

/// Moves a damaged database and its companions aside, under names with `stamp`.
///
/// # Errors
/// When a file that is there cannot be moved.
pub fn set_aside(database: &Path, stamp: i64) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut from = database.as_os_str().to_owned();
        from.push(suffix);
        let mut to = database.as_os_str().to_owned();
        to.push(format!(".damaged-{stamp}{suffix}"));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
