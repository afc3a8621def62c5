//! Records whose bytes a destination has, but in its trash.

use rusqlite::params;

use super::records::{FACTS, RecordFacts, facts_row};
use super::row::StoreError;
use super::writer::Read;
use crate::domain::cause::Cause;
use crate::domain::ids::{DestinationId, RecordId};

impl Read<'_> {
    /// Records that need attention because a destination has their bytes, or those of the photo that they
    /// belong to, in its trash: all, or those of a failure kind or class. After `after`, by id.
    pub fn in_trash(
        &self,
        destination: DestinationId,
        class: Option<&str>,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        let sql = format!(
            "SELECT {FACTS} FROM backup_record r JOIN content c ON c.id = r.content_id
             WHERE r.bin = 'needs_attention' AND r.destination_id = ?1 AND r.file_count > 0 AND r.id > ?2
               AND r.failure_cause IN (?3, ?4)
               AND (?5 IS NULL OR r.failure_kind = ?5 OR r.failure_kind || '.' || r.failure_cause = ?5)
             ORDER BY r.id LIMIT ?6"
        );
        let mut query = self.conn.prepare_cached(&sql)?;
        let (own, photo) = (Cause::Trashed.as_str(), Cause::PhotoTrashed.as_str());
        let rows = query.query_map(params![destination.0, after.0, own, photo, class, limit], facts_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
