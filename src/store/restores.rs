//! Restores that go on by themselves, and the copies that they choose from.

use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::row::{StoreError, unsigned};
use super::writer::{Read, Write};
use crate::api::{RestoreOrder, RestoreResult};
use crate::domain::asset::{CapturedAt, Provenance};
use crate::domain::ids::{AssetId, DestinationId, RecordId};
use crate::domain::restore_scope::ScopedCopy;
use crate::domain::time::UnixMillis;

/// Restores that are kept, those under way and the latest of those that have ended.
pub const RESTORES_KEPT_MAX: i64 = 20;

/// One restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRow {
    /// Its number.
    pub id: i64,
    /// What was asked for. None where this release does not understand it.
    pub order: Option<RestoreOrder>,
    /// When it was asked for.
    pub started_at: UnixMillis,
    /// It has ended.
    pub is_ended: bool,
    /// Why it ended before every file was looked at.
    pub stopped: Option<String>,
    /// What came of it.
    pub result: RestoreResult,
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

impl Read<'_> {
    /// All restores that are kept, in the order in which they were asked for.
    pub fn restores(&self) -> Result<Vec<RestoreRow>, StoreError> {
        let sql = "SELECT id, restore_order, started_ms, ended_ms IS NOT NULL, stopped, result
            FROM restore_run ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            Ok(RestoreRow {
                id: row.get(0)?,
                order: parse(&row.get::<_, String>(1)?),
                started_at: UnixMillis(row.get(2)?),
                is_ended: row.get(3)?,
                stopped: row.get(4)?,
                result: parse(&row.get::<_, String>(5)?).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The records at a destination of all files of some assets.
    pub fn records_of_assets(
        &self,
        destination: DestinationId,
        assets: &[AssetId],
    ) -> Result<Vec<RecordId>, StoreError> {
        let sql = "SELECT a.record_id FROM resource r
            JOIN attachment a ON a.file_id = r.file_id AND a.destination_id = ?1 WHERE r.asset_id = ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut records = Vec::new();
        for asset in assets {
            for record in query.query_map(params![destination.0, asset.0], |row| row.get(0).map(RecordId))? {
                records.push(record?);
            }
        }
        Ok(records)
    }

    /// Calls `each` with every copy that the destination is believed to have, and its size.
    pub fn each_restorable(
        &self,
        destination: DestinationId,
        mut each: impl FnMut(&ScopedCopy<'_>, u64),
    ) -> Result<(), StoreError> {
        let sql = "SELECT id, key, captured_ms, origin_source, origin_path, size FROM backup_record
            WHERE destination_id = ?1 AND state IN ('verified', 'accepted')";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([destination.0])?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
            let captured_at = CapturedAt {
                wall_ms: UnixMillis(row.get(2)?),
                offset_minutes: None,
                provenance: Provenance::Metadata,
            };
            let path = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
            let copy = ScopedCopy {
                id: RecordId(row.get(0)?),
                key: text(1)?,
                captured_at,
                source_label: text(3)?,
                path,
            };
            each(&copy, unsigned(row, 5)?);
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Keeps a restore that was asked for, and returns its number. Of those that have ended, only the
    /// latest stay.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when too many are under way.
    pub fn add_restore(&self, order: &RestoreOrder) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM restore_run WHERE ended_ms IS NULL";
        let under_way: i64 = self.conn.query_row(sql, [], |row| row.get(0))?;
        if under_way >= RESTORES_KEPT_MAX {
            return Err(StoreError::Refused("Too many restores are under way".to_owned()));
        }
        let sql = "DELETE FROM restore_run WHERE ended_ms IS NOT NULL AND id NOT IN
            (SELECT id FROM restore_run WHERE ended_ms IS NOT NULL ORDER BY id DESC LIMIT ?1)";
        self.conn.execute(sql, [RESTORES_KEPT_MAX - under_way - 1])?;
        let sql = "INSERT INTO restore_run (restore_order, destination_id, started_ms, result)
            VALUES (?1, ?2, ?3, ?4)";
        let result = json(&RestoreResult::default())?;
        self.conn.execute(sql, params![json(order)?, order.destination, self.now.0, result])?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Keeps what a restore that has not ended has brought so far.
    pub fn save_restore(&self, id: i64, result: &RestoreResult) -> Result<(), StoreError> {
        let sql = "UPDATE restore_run SET result = ?2 WHERE id = ?1 AND ended_ms IS NULL";
        self.conn.execute(sql, params![id, json(result)?])?;
        Ok(())
    }

    /// Notes how a restore ended, and why before its time where it did.
    pub fn end_restore(
        &self,
        id: i64,
        result: &RestoreResult,
        stopped: Option<&str>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE restore_run SET ended_ms = ?2, result = ?3, stopped = ?4 WHERE id = ?1";
        self.conn.execute(sql, params![id, self.now.0, json(result)?, stopped])?;
        Ok(())
    }

    /// Takes up a restore that has ended.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it is not kept any more, or has not ended.
    pub fn resume_restore(&self, id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE restore_run SET ended_ms = NULL, stopped = NULL, started_ms = ?2
            WHERE id = ?1 AND ended_ms IS NOT NULL RETURNING id";
        let resumed: Option<i64> =
            self.conn.query_row(sql, params![id, self.now.0], |row| row.get(0)).optional()?;
        resumed.map(|_| ()).ok_or_else(|| StoreError::Refused("This restore can't be resumed".to_owned()))
    }

    /// Forgets a restore that has ended.
    pub fn dismiss_restore(&self, id: i64) -> Result<(), StoreError> {
        self.conn.execute("DELETE FROM restore_run WHERE id = ?1 AND ended_ms IS NOT NULL", [id])?;
        Ok(())
    }
}
