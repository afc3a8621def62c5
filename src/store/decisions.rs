//! The last that was decided about each record: why it failed, went back, was tried again.

use rusqlite::params;

use super::row::StoreError;
use super::writer::{Read, Write};
use crate::api::DecisionRow;
use crate::domain::ids::{JobId, RecordId};
use crate::domain::stable_name::stable_names;
use crate::domain::time::UnixMillis;

/// The most decisions kept for one record; the oldest go first.
pub const DECISIONS_OF_RECORD_MAX: i64 = 6;
/// The most decisions kept in all, with a few more between two prunings.
pub const DECISIONS_MAX: i64 = 20_000;
/// The longest text of a decision, in characters.
const TEXT_LEN_MAX: usize = 1_024;
/// Every so many decisions the oldest of all are pruned.
const PRUNED_EVERY: i64 = 256;

/// The sorts of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DecisionKind {
    /// A job failed, and what follows.
    Failed,
    /// A job went back without having cost a try.
    PutBack,
    /// The extension tries it once more.
    Retry,
    /// It gets another name at the destination.
    Renamed,
    /// The destination did something in another way than could be expected.
    Noted,
    /// The person asked for something.
    Asked,
}

stable_names!(DecisionKind);

impl Read<'_> {
    /// What was decided about a record last, newest first.
    pub fn decisions(&self, record: RecordId) -> Result<Vec<DecisionRow>, StoreError> {
        let sql = "SELECT at_ms, kind, text FROM decision WHERE record_id = ?1 ORDER BY id DESC LIMIT ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![record.0, DECISIONS_OF_RECORD_MAX], |row| {
            Ok(DecisionRow { at: UnixMillis(row.get(0)?).rfc3339(), kind: row.get(1)?, text: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Write<'_> {
    /// Notes what was decided about a record. `text` is a sentence without paths or secrets. A record
    /// that has gone has nothing to be noted of.
    pub fn add_decision(&self, record: RecordId, kind: DecisionKind, text: &str) -> Result<(), StoreError> {
        let text: String = text.chars().take(TEXT_LEN_MAX).collect();
        let sql = "INSERT INTO decision (record_id, at_ms, kind, text)
            SELECT id, ?2, ?3, ?4 FROM backup_record WHERE id = ?1";
        let values = params![record.0, self.now.0, kind.as_str(), text];
        if self.conn.prepare_cached(sql)?.execute(values)? == 0 {
            return Ok(());
        }
        let newest = self.conn.last_insert_rowid();
        let sql = "DELETE FROM decision WHERE record_id = ?1 AND id <= (SELECT id FROM decision
            WHERE record_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        self.conn.prepare_cached(sql)?.execute(params![record.0, DECISIONS_OF_RECORD_MAX])?;
        if newest % PRUNED_EVERY == 0 {
            self.conn.execute("DELETE FROM decision WHERE id <= ?1", [newest - DECISIONS_MAX])?;
        }
        Ok(())
    }

    /// As [`Write::add_decision`], for the record that a job sends.
    pub fn add_job_decision(&self, job: JobId, kind: DecisionKind, text: &str) -> Result<(), StoreError> {
        let mut query = self.conn.prepare_cached("SELECT record_id FROM upload_job WHERE id = ?1")?;
        let mut rows = query.query([job.0])?;
        match rows.next()? {
            Some(row) => self.add_decision(RecordId(row.get(0)?), kind, text),
            None => Ok(()),
        }
    }
}
