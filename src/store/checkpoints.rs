//! What is remembered of a transfer: checkpoints, committed before the effect they name, and copies that
//! got their name and are not verified yet, committed right after it.

use rusqlite::{OptionalExtension as _, params};

use super::row::{StoreError, parse_name, signed};
use super::writer::{Read, Write};
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::key;
use crate::domain::transfer::{Checkpoint, NamedCopy, Phase};

impl Read<'_> {
    /// The checkpoint of a record, if it is of this content under this key.
    pub fn checkpoint(&self, record: RecordId) -> Result<Option<Checkpoint>, StoreError> {
        let sql =
            "SELECT c.phase, c.state FROM transfer_checkpoint c JOIN backup_record r ON r.id = c.record_id
            WHERE c.record_id = ?1 AND c.content_id = r.content_id AND c.key = r.key";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row([record.0], checkpoint_of).optional()?)
    }

    /// The copy of a record that got its present key and was not verified since.
    pub fn named_copy(&self, record: RecordId) -> Result<Option<NamedCopy>, StoreError> {
        let sql = "SELECT n.key, n.size, n.tag FROM named_copy n JOIN backup_record r ON r.id = n.record_id
            WHERE n.record_id = ?1 AND n.key = r.key AND r.state <> 'verified'";
        let copy = |row: &rusqlite::Row<'_>| {
            let size: i64 = row.get(1)?;
            Ok(NamedCopy { key: row.get(0)?, size: size.unsigned_abs(), tag: row.get(2)? })
        };
        Ok(self.conn.prepare_cached(sql)?.query_row([record.0], copy).optional()?)
    }

    /// Whether a record of a destination has this key, and what is remembered of its transfer.
    pub fn key_checkpoint(
        &self,
        destination: DestinationId,
        key: &str,
    ) -> Result<Option<Option<Checkpoint>>, StoreError> {
        let sql = "SELECT c.phase, c.state FROM backup_record r
            LEFT JOIN transfer_checkpoint c ON c.record_id = r.id
            WHERE r.destination_id = ?1 AND r.key_fold = ?2 AND r.key = ?3";
        let checkpoint = |row: &rusqlite::Row<'_>| match row.get::<_, Option<String>>(0)? {
            Some(_phase) => checkpoint_of(row).map(Some),
            None => Ok(None),
        };
        let values = params![destination.0, key::fold(key), key];
        Ok(self.conn.prepare_cached(sql)?.query_row(values, checkpoint).optional()?)
    }

    /// The tokens of all records at a destination whose temp files may be needed again.
    pub fn tokens_in_use(&self, destination: DestinationId) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT r.token FROM transfer_checkpoint c JOIN backup_record r ON r.id = c.record_id
            WHERE r.destination_id = ?1 AND r.file_count > 0 AND r.state NOT IN ('superseded', 'excluded')
            ORDER BY r.token";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([destination.0], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether temp files may be left of records that nobody wants any more.
    pub fn has_stale_checkpoints(&self, destination: DestinationId) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 {STALE})");
        Ok(self.conn.prepare_cached(&sql)?.query_row([destination.0], |row| row.get(0))?)
    }

    /// The checkpoints of records that nobody wants any more, at most `limit`, the latest first.
    pub fn stale_checkpoints(
        &self,
        destination: DestinationId,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let sql = format!("SELECT c.phase, c.state {STALE} ORDER BY c.saved_ms DESC LIMIT ?2");
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map(params![destination.0, limit], checkpoint_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn checkpoint_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint { phase: parse_name(row, 0, Phase::parse)?, state: row.get(1)? })
}

const STALE: &str = "FROM transfer_checkpoint c JOIN backup_record r ON r.id = c.record_id
    WHERE r.destination_id = ?1 AND (r.file_count = 0 OR r.state IN ('superseded', 'excluded'))";

impl Write<'_> {
    /// The temp files of records that nobody wants any more are gone.
    pub fn forget_stale_checkpoints(&self, destination: DestinationId) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM transfer_checkpoint WHERE record_id IN (SELECT c.record_id {STALE})");
        self.conn.execute(&sql, [destination.0])?;
        Ok(())
    }

    /// Remembers a copy that has just got its name, for a record whose job this run is sending. It is
    /// forgotten when the copy is verified.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the job is no longer this run's, or the key another.
    pub fn save_named_copy(&self, record: RecordId, copy: &NamedCopy) -> Result<(), StoreError> {
        let sql = "INSERT INTO named_copy SELECT r.id, r.key, ?3, ?4, ?5 FROM backup_record r
            JOIN upload_job j ON j.record_id = r.id
            WHERE r.id = ?1 AND r.key = ?2 AND j.state = 'pending' AND j.run_epoch = ?6
            ON CONFLICT DO UPDATE SET key = excluded.key, size = excluded.size, tag = excluded.tag,
              named_ms = excluded.named_ms";
        let values = params![record.0, copy.key, signed(copy.size), copy.tag, self.now.0, self.epoch];
        match self.conn.prepare_cached(sql)?.execute(values)? {
            0 => Err(StoreError::Refused("the job is no longer being sent".to_owned())),
            _ => Ok(()),
        }
    }

    /// Remembers a checkpoint for a record whose job this run is sending.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the job is no longer this run's.
    pub fn save_checkpoint(&self, record: RecordId, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let sql = "INSERT INTO transfer_checkpoint
            SELECT r.id, r.content_id, r.key, ?2, ?3, ?4 FROM backup_record r
            JOIN upload_job j ON j.record_id = r.id
            WHERE r.id = ?1 AND j.state = 'pending' AND j.run_epoch = ?5 AND r.key IS NOT NULL
            ON CONFLICT DO UPDATE SET content_id = excluded.content_id, key = excluded.key,
              phase = excluded.phase, state = excluded.state, saved_ms = excluded.saved_ms";
        let saved = self.conn.prepare_cached(sql)?.execute(params![
            record.0,
            checkpoint.phase.as_str(),
            checkpoint.state,
            self.now.0,
            self.epoch
        ])?;
        match saved {
            0 => Err(StoreError::Refused("the job is no longer being sent".to_owned())),
            _ => Ok(()),
        }
    }
}
