//! A record's key: taken when its first job is created, and frozen then.

use rusqlite::{OptionalExtension as _, params};

use super::rows::{StoreError, digest, named};
use super::writer::{Read, Write};
use crate::domain::asset::{CapturedAt, Provenance};
use crate::domain::hash::Blake3;
use crate::domain::ids::{ContentId, DestinationId, RecordId};
use crate::domain::key;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Abilities;

/// What decides a record's key and whether it may have a job.
pub(super) struct KeyFacts {
    pub destination: DestinationId,
    pub state: String,
    pub files: i64,
    pub(super) key: Option<String>,
    attempt: u32,
    beside: ContentId,
    captured_at: CapturedAt,
    origin_path: Vec<u8>,
    blake3: Blake3,
}

/// How many jobs more are counted for the record with its key: one statement changes both.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewTries(pub u32);

impl Read<'_> {
    pub(super) fn key_facts(&self, record: RecordId) -> Result<Option<KeyFacts>, StoreError> {
        let sql = "SELECT r.destination_id, r.state, r.file_count, r.key, r.key_attempt, r.beside_id,
              r.captured_ms, r.offset_minutes, r.provenance, r.origin_path, c.blake3
            FROM backup_record r JOIN content c ON c.id = r.content_id WHERE r.id = ?1";
        let facts = |row: &rusqlite::Row<'_>| {
            Ok(KeyFacts {
                destination: DestinationId(row.get(0)?),
                state: row.get(1)?,
                files: row.get(2)?,
                key: row.get(3)?,
                attempt: row.get(4)?,
                beside: ContentId(row.get(5)?),
                captured_at: CapturedAt {
                    wall_ms: UnixMillis(row.get(6)?),
                    offset_minutes: row.get(7)?,
                    provenance: named(row, 8, Provenance::parse)?,
                },
                origin_path: row.get(9)?,
                blake3: digest(row, 10)?,
            })
        };
        Ok(self.conn.prepare_cached(sql)?.query_row([record.0], facts).optional()?)
    }
}

impl Write<'_> {
    /// The record's key, taken now if it has none: the first candidate, from the record's attempt
    /// on, that no other record of the destination has.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when every name is taken; then nothing was changed.
    pub(super) fn take_key(
        &self,
        record: RecordId,
        facts: KeyFacts,
        abilities: &Abilities,
        tries: NewTries,
    ) -> Result<String, StoreError> {
        if let Some(key) = facts.key {
            if tries.0 > 0 {
                let sql = "UPDATE backup_record SET jobs_tried = jobs_tried + ?2 WHERE id = ?1";
                self.conn.prepare_cached(sql)?.execute(params![record.0, tries.0])?;
            }
            return Ok(key);
        }
        let layout =
            key::Layout { always_hash: !abilities.no_replace, name_len_max: abilities.name_len_max as usize };
        let name = facts.origin_path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let candidates = match self.primary_key(&facts, abilities)? {
            Some(primary) => key::companion_candidates(&primary, name, facts.blake3, layout),
            None => key::candidates(facts.captured_at, name, facts.blake3, layout),
        };
        let sql = "UPDATE OR IGNORE backup_record
            SET key = ?2, key_fold = ?3, key_attempt = ?4, jobs_tried = jobs_tried + ?5 WHERE id = ?1";
        let mut take = self.conn.prepare_cached(sql)?;
        for (number, candidate) in candidates.into_iter().enumerate().skip(facts.attempt as usize) {
            let fold = key::fold(&candidate);
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            if take.execute(params![record.0, candidate, fold, number, tries.0])? > 0 {
                return Ok(candidate);
            }
        }
        Err(StoreError::Refused("every name for this file is taken at the destination".to_owned()))
    }

    fn ensure_key(&self, record: RecordId, abilities: &Abilities) -> Result<String, StoreError> {
        let Some(facts) = self.key_facts(record)? else {
            return Err(StoreError::Refused("the record has gone".to_owned()));
        };
        self.take_key(record, facts, abilities, NewTries(0))
    }

    /// The key of the record that a companion goes beside; none for anything that goes by itself.
    fn primary_key(&self, facts: &KeyFacts, abilities: &Abilities) -> Result<Option<String>, StoreError> {
        if facts.beside.0 == 0 {
            return Ok(None);
        }
        let sql = "SELECT id FROM backup_record
            WHERE destination_id = ?1 AND content_id = ?2 AND beside_id = 0";
        let values = params![facts.destination.0, facts.beside.0];
        let primary: Option<i64> =
            self.conn.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
        primary.map(|id| self.ensure_key(RecordId(id), abilities)).transpose()
    }

    /// Gives up the key that someone else's bytes have at the destination, and takes the next
    /// candidate.
    pub fn next_key(&self, record: RecordId, abilities: &Abilities) -> Result<String, StoreError> {
        let sql = "UPDATE backup_record SET key = NULL, key_fold = NULL, key_attempt = key_attempt + 1
            WHERE id = ?1 AND state NOT IN ('verified', 'accepted')";
        if self.conn.prepare_cached(sql)?.execute([record.0])? == 0 {
            return Err(StoreError::Refused("a finished record keeps its key".to_owned()));
        }
        self.conn.execute("DELETE FROM transfer_checkpoint WHERE record_id = ?1", [record.0])?;
        self.ensure_key(record, abilities)
    }
}
