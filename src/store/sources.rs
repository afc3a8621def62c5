//! The folders the person chose.

use rusqlite::{OptionalExtension as _, params};

use super::row::{StoreError, parse_name};
use super::writer::{Read, Write};
use crate::domain::ids::SourceId;
use crate::domain::stable_name::stable_names;
use crate::domain::time::UnixMillis;

/// How a source was when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SourceCondition {
    /// It is there.
    Present,
    /// Not there: unplugged, unmounted, or suddenly empty. Its files count as present.
    Unavailable,
    /// There, but it cannot be listed.
    Unreadable,
}

stable_names!(SourceCondition);

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Its id.
    pub id: SourceId,
    /// Its absolute path, as bytes.
    pub path: Vec<u8>,
    /// The file system it was on when it was added; see [`crate::base::files::SourceFiles`].
    pub file_system: String,
    /// How it was last.
    pub condition: SourceCondition,
    /// When it was last looked through to the end.
    pub scanned_at: Option<UnixMillis>,
}

fn source_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        id: SourceId(row.get(0)?),
        path: row.get(1)?,
        file_system: row.get(2)?,
        condition: parse_name(row, 3, SourceCondition::parse)?,
        scanned_at: row.get::<_, Option<i64>>(4)?.map(UnixMillis),
    })
}

impl Read<'_> {
    /// All sources, in the order they were added.
    pub fn sources(&self) -> Result<Vec<SourceRow>, StoreError> {
        let sql = "SELECT id, path, file_system, condition, scanned_ms FROM source ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], source_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The source with this path.
    pub fn source_at(&self, path: &[u8]) -> Result<Option<SourceId>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT id FROM source WHERE path = ?1")?;
        Ok(query.query_row([path], |row| row.get(0).map(SourceId)).optional()?)
    }
}

impl Write<'_> {
    /// Adds a source.
    pub fn add_source(&self, path: &[u8], file_system: &str) -> Result<SourceId, StoreError> {
        let sql = "INSERT INTO source (path, file_system, added_ms) VALUES (?1, ?2, ?3)";
        self.conn.execute(sql, params![path, file_system, self.now.0])?;
        Ok(SourceId(self.conn.last_insert_rowid()))
    }

    /// Forgets a source and its files. Records stay in the ledger; what was never finished is
    /// superseded.
    pub fn remove_source(&self, id: SourceId) -> Result<(), StoreError> {
        // File by file, so that the triggers count every one of them out.
        self.conn.execute("DELETE FROM file WHERE source_id = ?1", [id.0])?;
        self.conn.execute("DELETE FROM source WHERE id = ?1", [id.0])?;
        self.conn.execute("DELETE FROM file_count WHERE source_id = ?1", [id.0])?;
        self.conn.execute("DELETE FROM bin_count WHERE source_id = ?1", [id.0])?;
        Ok(())
    }

    /// Notes how a source is; `file_system` where it has become known or has changed with the
    /// person's consent.
    pub fn set_source_condition(&self, id: SourceId, condition: SourceCondition) -> Result<(), StoreError> {
        let mut update = self.conn.prepare_cached("UPDATE source SET condition = ?2 WHERE id = ?1")?;
        update.execute(params![id.0, condition.as_str()])?;
        Ok(())
    }

    /// Notes that a source was looked through to the end just now.
    pub fn set_source_scanned(&self, id: SourceId) -> Result<(), StoreError> {
        let sql = "UPDATE source SET scanned_ms = ?2, condition = 'present' WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute(params![id.0, self.now.0])?;
        Ok(())
    }
}
