//! `config.json`: what a lost database is rebuilt from. No secrets, no ledger: the folders, the
//! destinations and the person's consent.

mod document;

use std::path::Path;

use self::document::{Mirror, MirroredDestination, MirroredSource};
use super::capabilities;
use super::connection::Store;
use super::destinations::{NewDestination, SLOTS_MAX};
use super::row::StoreError;
use crate::api::{NetworkText, PathText, Rules};
use crate::base::atomic_file::{self, Durability};
use crate::domain::time::UnixMillis;

/// The mirror's file name in the data folder.
pub const MIRROR_NAME: &str = "config.json";
/// The largest mirror that is read.
const MIRROR_LEN_MAX: u64 = 4 << 20;

/// Writes the mirror again, as a whole and durably.
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
                    capabilities: capabilities::text(&row.capabilities).unwrap_or_default(),
                    trusts_checksum: row.trusts_checksum,
                }
            });
            Ok(Mirror {
                version: document::VERSION,
                installation: installation.uuid,
                backup_on: installation.is_on,
                rules: serde_json::to_value(Rules::from(r.rules()?)).unwrap_or_default(),
                network: serde_json::to_value(NetworkText::from(&r.network()?)).unwrap_or_default(),
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
    let (path, temp) = (data_dir.join(MIRROR_NAME), data_dir.join(format!("{MIRROR_NAME}.new")));
    let written = atomic_file::replace(&path, &temp, &text, Durability::Synced);
    written.map_err(|error| StoreError::File { what: "writing config.json", error })
}

/// Fills a new database from the mirror, if there is one. A mirror that cannot be understood is set
/// aside under a name with the time: an empty database is then the truth, and the next change
/// would write over it.
///
/// # Errors
/// When the database cannot be written, or the mirror cannot be set aside.
pub async fn restore(store: &Store, data_dir: &Path, now: UnixMillis) -> Result<(), StoreError> {
    let path = data_dir.join(MIRROR_NAME);
    let readable = std::fs::metadata(&path).is_ok_and(|meta| meta.len() <= MIRROR_LEN_MAX);
    let text = if readable { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
    let Some(valid) = document::read(&text) else {
        let aside = data_dir.join(format!("{MIRROR_NAME}.not-understood-{}", now.0));
        match std::fs::rename(&path, aside) {
            Ok(()) => tracing::warn!("config.json cannot be understood and was set aside"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::File { what: "setting config.json aside", error }),
        }
        return store.write_durably(|tx| tx.set_restored()).await;
    };
    if valid.left_out > 0 {
        tracing::warn!(entries = valid.left_out, "config.json has entries that make no sense");
    }
    store
        .write_durably(move |tx| {
            if let Some(installation) = &valid.installation {
                tx.set_installation_uuid(installation)?;
            }
            tx.set_backup_on(valid.is_on)?;
            if let Some(rules) = valid.rules {
                tx.set_rules(rules)?;
            }
            if let Some(network) = &valid.network {
                tx.set_network(network)?;
            }
            let mut sources = Vec::new();
            for (path, file_system) in &valid.sources {
                let known = tx.source_at(path)?;
                sources.push(known.map_or_else(|| tx.add_source(path, file_system), Ok)?);
            }
            let slots = usize::try_from(SLOTS_MAX).unwrap_or(0);
            for destination in valid.destinations.into_iter().take(slots) {
                let id = tx.add_destination(&NewDestination {
                    name: destination.name,
                    kind: destination.kind,
                    address: destination.address,
                    capabilities: capabilities::parse(&destination.capabilities),
                    job_limit: destination.job_limit,
                })?;
                if destination.trusts_checksum {
                    tx.set_checksum_trust(id, true)?;
                }
                if !destination.is_enabled {
                    tx.disable_destination(id)?;
                }
                for source in destination.consents.iter().filter_map(|place| sources.get(*place)) {
                    tx.add_consent(*source, id)?;
                }
            }
            tx.set_restored()?;
            tx.add_event("rebuilt", "The list of folders and destinations was restored from config.json")
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
