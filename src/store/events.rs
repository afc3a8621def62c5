//! The bounded history for the queue view and support.

use rusqlite::params;

use super::row::StoreError;
use super::writer::{Read, Write};
use crate::api::EventRow;
use crate::domain::time::UnixMillis;

/// The most events kept; the oldest go first.
pub const EVENTS_KEPT_MAX: i64 = 2_000;

impl Read<'_> {
    /// The newest events first.
    pub fn events(&self, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT at_ms, kind, text FROM event ORDER BY id DESC LIMIT ?1")?;
        let rows = query.query_map([limit], |row| {
            Ok(EventRow { at: UnixMillis(row.get(0)?).rfc3339(), kind: row.get(1)?, text: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Write<'_> {
    /// Notes that something happened. `text` is a sentence without secrets.
    pub fn add_event(&self, kind: &str, text: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO event (at_ms, kind, text) VALUES (?1, ?2, ?3)";
        self.conn.prepare_cached(sql)?.execute(params![self.now.0, kind, text])?;
        let newest = self.conn.last_insert_rowid();
        if newest % 64 == 0 {
            self.conn.execute("DELETE FROM event WHERE id <= ?1", [newest - EVENTS_KEPT_MAX])?;
        }
        Ok(())
    }
}
