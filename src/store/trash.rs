//! Records whose bytes a destination has, but in its trash.

use rusqlite::params;

use super::records::{FACTS, RecordFacts, facts_row};
use super::rows::StoreError;
use super::writer::Read;
use crate::domain::cause::Cause;
use crate::domain::ids::{DestinationId, RecordId};

impl Read<'_> {
    /// Records that need attention because a destination has their bytes in its trash, after `after`
    /// by id.
    pub fn in_trash(
        &self,
        destination: DestinationId,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        let sql = format!(
            "SELECT {FACTS} FROM backup_record r JOIN content c ON c.id = r.content_id
             WHERE r.bin = 'needs_attention' AND r.destination_id = ?1 AND r.file_count > 0 AND r.id > ?2
               AND r.failure_cause = ?3 ORDER BY r.id LIMIT ?4"
        );
        let mut query = self.conn.prepare_cached(&sql)?;
        let cause = Cause::Trashed.as_str();
        let rows = query.query_map(params![destination.0, after.0, cause, limit], facts_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
