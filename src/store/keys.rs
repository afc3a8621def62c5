//! A record's key: taken when its first job is created, and frozen then.

use rusqlite::{OptionalExtension as _, params};

use super::name_groups::{NameGroup, NewMember};
use super::row::{StoreError, digest, parse_name};
use super::writer::{Read, Write};
use crate::base::mutant::{self, Mutant};
use crate::domain::asset::{CapturedAt, Provenance};
use crate::domain::hash::Blake3;
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::key::{self, SetName};
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;

/// How many jobs may fail with a key that the destination does not take.
const REFUSED_TRIES: u32 = 3;

/// What decides a record's key and whether it may have a job.
pub(super) struct KeyFacts {
    pub destination: DestinationId,
    pub state: String,
    pub files: i64,
    pub(super) key: Option<String>,
    attempt: u32,
    captured_at: CapturedAt,
    source_label: String,
    origin_path: Vec<u8>,
    blake3: Blake3,
    group: Option<NameGroup>,
}

/// How many jobs more are counted for the record with its key: one statement changes both.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewTries(pub u32);

impl Read<'_> {
    pub(super) fn key_facts(&self, record: RecordId) -> Result<Option<KeyFacts>, StoreError> {
        let sql = "SELECT r.destination_id, r.state, r.file_count, r.key, r.key_attempt,
              r.captured_ms, r.offset_minutes, r.provenance, r.origin_source, r.origin_path, c.blake3,
              g.id, g.folder, g.base, g.suffix
            FROM backup_record r JOIN content c ON c.id = r.content_id
            LEFT JOIN name_group g ON g.id = r.name_group_id WHERE r.id = ?1";
        let facts = |row: &rusqlite::Row<'_>| {
            Ok(KeyFacts {
                destination: DestinationId(row.get(0)?),
                state: row.get(1)?,
                files: row.get(2)?,
                key: row.get(3)?,
                attempt: row.get(4)?,
                captured_at: CapturedAt {
                    wall_ms: UnixMillis(row.get(5)?),
                    offset_minutes: row.get(6)?,
                    provenance: parse_name(row, 7, Provenance::parse)?,
                },
                source_label: row.get(8)?,
                origin_path: row.get(9)?,
                blake3: digest(row, 10)?,
                group: NameGroup::at(row, 11)?,
            })
        };
        Ok(self.conn.prepare_cached(sql)?.query_row([record.0], facts).optional()?)
    }
}

impl Write<'_> {
    /// The record's key, allocated now if it has none: in the group of its set, the first candidate,
    /// from the record's attempt on, that no other record of the destination has.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when every name is taken; then nothing was changed.
    pub(super) fn allocate_key(
        &self,
        record: RecordId,
        facts: KeyFacts,
        capabilities: &Capabilities,
        tries: NewTries,
    ) -> Result<String, StoreError> {
        let layout = capabilities.layout();
        if let Some(key) = facts.key
            && (layout.takes(&key) || !self.drop_refused_key(record)?)
        {
            if tries.0 > 0 {
                let sql = "UPDATE backup_record SET jobs_tried = jobs_tried + ?2 WHERE id = ?1";
                self.conn.prepare_cached(sql)?.execute(params![record.0, tries.0])?;
            }
            return Ok(key);
        }
        let group = match facts.group {
            Some(group) => group,
            None => self.name_group_for(&NewMember {
                destination: facts.destination,
                record,
                folder: key::folder(facts.captured_at),
                source_label: &facts.source_label,
                path: &facts.origin_path,
                hash: facts.blake3,
                layout,
            })?,
        };
        let original = facts.origin_path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let suffix = if mutant::is(Mutant::DropsSuffix) { "" } else { group.suffix.as_str() };
        let name = SetName { folder: &group.folder, suffix, original };
        let sql = "UPDATE OR IGNORE backup_record SET key = ?2, key_fold = ?3, key_attempt = ?4,
              jobs_tried = jobs_tried + ?5, name_group_id = ?6 WHERE id = ?1";
        let mut set_key = self.conn.prepare_cached(sql)?;
        let mut attempt = facts.attempt;
        while let Some(candidate) = name.key(facts.blake3, attempt, layout) {
            let fold = key::fold(&candidate);
            if set_key.execute(params![record.0, candidate, fold, attempt, tries.0, group.id])? > 0 {
                return Ok(candidate);
            }
            attempt += 1;
        }
        Err(StoreError::Refused("every name for this file is taken at the destination".to_owned()))
    }

    /// Gives up a key that the destination was seen not to take, given before that was known. Whether it is
    /// given up: not before a job has failed with it, and while something may be there under it not before
    /// [`REFUSED_TRIES`] have.
    fn drop_refused_key(&self, record: RecordId) -> Result<bool, StoreError> {
        let sql = "UPDATE backup_record SET key = NULL, key_fold = NULL
            WHERE id = ?1 AND state NOT IN ('verified', 'accepted') AND jobs_tried > 0
              AND (jobs_tried >= ?2 OR NOT EXISTS (SELECT 1 FROM transfer_checkpoint WHERE record_id = ?1)
                AND NOT EXISTS (SELECT 1 FROM named_copy WHERE record_id = ?1))";
        let is_dropped = self.conn.prepare_cached(sql)?.execute(params![record.0, REFUSED_TRIES])? > 0;
        if is_dropped {
            self.conn.execute("DELETE FROM transfer_checkpoint WHERE record_id = ?1", [record.0])?;
        }
        Ok(is_dropped)
    }

    /// Gives up the key that someone else's bytes have at the destination, and allocates the next
    /// candidate.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a record that is finished or has gone, and when every name is taken.
    pub fn next_key(&self, record: RecordId, capabilities: &Capabilities) -> Result<String, StoreError> {
        let sql = "UPDATE backup_record SET key = NULL, key_fold = NULL, key_attempt = key_attempt + 1
            WHERE id = ?1 AND state NOT IN ('verified', 'accepted')";
        if self.conn.prepare_cached(sql)?.execute([record.0])? == 0 {
            return Err(StoreError::Refused("a finished record keeps its key".to_owned()));
        }
        self.conn.execute("DELETE FROM transfer_checkpoint WHERE record_id = ?1", [record.0])?;
        let Some(facts) = self.key_facts(record)? else {
            return Err(StoreError::Refused("the record has gone".to_owned()));
        };
        self.allocate_key(record, facts, capabilities, NewTries(0))
    }
}
