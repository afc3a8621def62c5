//! What another try of chosen files concerns.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::row::StoreError;
use super::writer::Read;
use crate::domain::ids::{DestinationId, ItemId, SourceId};

/// The destinations and folders that a retry of chosen items concerns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryScope {
    /// Where the files could not be copied to.
    pub destinations: BTreeSet<DestinationId>,
    /// The folders that the files are in, below their sources.
    pub folders: BTreeSet<(SourceId, Vec<u8>)>,
}

impl Read<'_> {
    /// What a retry of these concerns. Items that are gone concern nothing.
    pub fn retry_scope(&self, items: &[ItemId]) -> Result<RetryScope, StoreError> {
        let mut scope = RetryScope::default();
        for item in items {
            let (sql, id) = match item {
                ItemId::Record(record) => {
                    let sql = "SELECT destination_id FROM backup_record WHERE id = ?1";
                    let mut query = self.conn.prepare_cached(sql)?;
                    let at = query.query_row(params![record.0], |row| row.get(0)).optional()?;
                    scope.destinations.extend(at.map(DestinationId));
                    let sql = "SELECT f.source_id, f.dir FROM attachment t JOIN file f ON f.id = t.file_id
                        WHERE t.record_id = ?1";
                    (sql, record.0)
                }
                ItemId::File(file) => ("SELECT source_id, dir FROM file WHERE id = ?1", file.0),
            };
            let mut query = self.conn.prepare_cached(sql)?;
            let folders = query.query_map(params![id], |row| Ok((SourceId(row.get(0)?), row.get(1)?)))?;
            for folder in folders {
                scope.folders.insert(folder?);
            }
        }
        Ok(scope)
    }
}
