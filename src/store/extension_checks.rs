//! What an extension's changes are held against: whose rows they are, and whether there is anything
//! to change.

use rusqlite::{OptionalExtension as _, params};

use super::row::{StoreError, digest, parse_name};
use super::writer::{Read, Write};
use crate::domain::file::FileStatus;
use crate::domain::hash::Blake3;
use crate::domain::ids::{DestinationId, FileId, JobId, RecordId};
use crate::domain::key;
use crate::domain::transfer::Capabilities;

/// Digits of the hash that a key carries where a destination might replace what is there.
const KEY_HASH_DIGITS: usize = 16;

fn refused<T>(why: impl Into<String>) -> Result<T, StoreError> {
    Err(StoreError::Refused(why.into()))
}

impl Read<'_> {
    /// Where a file stands; none for one that has gone.
    pub fn file_status(&self, file: FileId) -> Result<Option<FileStatus>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT status FROM file WHERE id = ?1")?;
        Ok(query.query_row([file.0], |row| parse_name(row, 0, FileStatus::parse)).optional()?)
    }

    /// Refuses changes at a destination that is switched off or has gone.
    ///
    /// # Errors
    /// [`StoreError::Refused`].
    pub fn require_enabled(&self, destination: DestinationId) -> Result<(), StoreError> {
        let mut query = self.conn.prepare_cached("SELECT enabled FROM destination WHERE id = ?1")?;
        match query.query_row([destination.0], |row| row.get(0)).optional()? {
            Some(true) => Ok(()),
            Some(false) => refused("the destination is switched off"),
            None => refused("the destination has gone"),
        }
    }

    /// Refuses a job of another destination. One that is not there any more is nobody's.
    ///
    /// # Errors
    /// [`StoreError::Refused`].
    pub fn require_own_job(&self, job: JobId, destination: DestinationId) -> Result<(), StoreError> {
        self.require_own("SELECT destination_id FROM upload_job WHERE id = ?1", job.0, destination)
    }

    /// Refuses a record of another destination.
    ///
    /// # Errors
    /// [`StoreError::Refused`].
    pub fn require_own_record(&self, record: RecordId, destination: DestinationId) -> Result<(), StoreError> {
        self.require_own("SELECT destination_id FROM backup_record WHERE id = ?1", record.0, destination)
    }

    fn require_own(&self, sql: &str, id: i64, destination: DestinationId) -> Result<(), StoreError> {
        let owner: Option<i64> =
            self.conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
        if owner.is_some_and(|owner| owner != destination.0) {
            return refused("this is another destination's");
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Gives a job's record another key, where it has not been sent yet. What was sent of it under
    /// the old one is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a key that is none, that another record has, or that could
    /// replace something where the destination would let it.
    pub fn retarget_job(&self, job: JobId, key: &str, capabilities: &Capabilities) -> Result<(), StoreError> {
        let sql = "SELECT r.id, c.blake3 FROM upload_job j JOIN backup_record r ON r.id = j.record_id
            JOIN content c ON c.id = r.content_id WHERE j.id = ?1 AND r.state NOT IN ('verified', 'accepted')";
        let mut query = self.conn.prepare_cached(sql)?;
        let found: Option<(i64, Blake3)> =
            query.query_row([job.0], |row| Ok((row.get(0)?, digest(row, 1)?))).optional()?;
        let Some((record, hash)) = found else {
            return refused("a finished record keeps its key");
        };
        if !key::is_valid(key) {
            return refused("this is no name for a copy");
        }
        let name = key.rsplit('/').next().unwrap_or_default();
        if !capabilities.no_replace && !name.contains(&hash.to_hex()[..KEY_HASH_DIGITS]) {
            return refused("at this destination a name must carry a part of the checksum");
        }
        let sql =
            "UPDATE OR IGNORE backup_record SET key = ?2, key_fold = ?3, name_group_id = NULL WHERE id = ?1";
        if self.conn.prepare_cached(sql)?.execute(params![record, key, key::fold(key)])? == 0 {
            return refused("another copy has this name");
        }
        self.conn
            .prepare_cached("DELETE FROM transfer_checkpoint WHERE record_id = ?1")?
            .execute([record])?;
        Ok(())
    }
}
