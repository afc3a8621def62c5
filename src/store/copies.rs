//! The copies that a destination is believed to have, in pages: for its manifest, audits and restores.
//!
//! Every page is read in the order of an index or of the rows themselves. Where a page is sorted, a
//! walk over a million copies sorts a million rows thousands of times.

use rusqlite::{Row, params};

use super::records::{FACTS, RecordFacts, facts_row};
use super::row::{StoreError, unsigned};
use super::writer::Read;
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::time::UnixMillis;

/// A place in the order in which an audit takes copies: those without proof first, by id, then the
/// oldest verifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditCursor {
    /// After this copy without proof.
    Unproven(RecordId),
    /// After this copy, proved then.
    Proved(UnixMillis, RecordId),
}

impl AuditCursor {
    /// Before all copies.
    pub const START: Self = Self::Unproven(RecordId(i64::MIN));
}

/// What copies are still to be read back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadClass {
    /// Nothing proves them.
    Unproven,
    /// A server's word proves them, by the checksum that it keeps.
    ByChecksum,
}

/// A place in the order of captures, newest first: a copy's time and record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewestFirstCursor(pub UnixMillis, pub RecordId);

impl NewestFirstCursor {
    /// Before all copies.
    pub const START: Self = Self(UnixMillis(i64::MAX), RecordId(i64::MAX));

    /// After this copy.
    pub fn after(copy: &RecordFacts) -> Self {
        Self(copy.captured_at.wall_ms, copy.id)
    }
}

/// The plus signs keep the planner from an index of the destination alone: it would sort what it found.
fn all_sql(condition: &str) -> String {
    format!(
        "SELECT {FACTS} FROM backup_record r JOIN content c ON c.id = r.content_id
         WHERE +r.destination_id = ?1 AND r.id > ?2 AND {condition} ORDER BY r.id LIMIT ?3"
    )
}

fn restorable_sql() -> String {
    all_sql("r.state IN ('verified', 'accepted')")
}

fn accepted_sql() -> String {
    all_sql("r.state = 'accepted' AND r.bin <> 'uploading'")
}

fn unlisted_sql() -> String {
    format!(
        "SELECT {FACTS} FROM backup_record r JOIN content c ON c.id = r.content_id
         WHERE r.destination_id = ?1 AND r.is_manifested = 0 AND r.state IN ('verified', 'accepted')
         ORDER BY r.id LIMIT ?2"
    )
}

/// Newest capture first; each condition is an index's own words, without which SQLite does not take it.
fn newest_sql(condition: &str) -> String {
    format!(
        "SELECT {FACTS} FROM backup_record r JOIN content c ON c.id = r.content_id
         WHERE r.destination_id = ?1 AND r.file_count > 0 AND {condition}
           AND (r.captured_ms, r.id) < (?2, ?3)
         ORDER BY r.captured_ms DESC, r.id DESC LIMIT ?4"
    )
}

fn unproven_sql() -> String {
    newest_sql("r.bin = 'unproven'")
}

fn unread_sql() -> String {
    newest_sql("r.proof_method = 'server_recheck'")
}

/// The copies of some present file have one index, those of files that have gone another.
fn proved_sql(has_files: bool) -> String {
    let files = if has_files { "r.file_count > 0" } else { "r.file_count = 0" };
    format!(
        "SELECT {FACTS}, r.verified_ms AS proved FROM backup_record r JOIN content c ON c.id = r.content_id
         WHERE r.destination_id = ?1 AND r.state = 'verified' AND {files} AND r.bin <> 'uploading'
           AND (+r.verified_ms < ?2 OR +r.verified_ms > ?3) AND (r.verified_ms, r.id) > (?4, ?5)
         ORDER BY r.verified_ms, r.id LIMIT ?6"
    )
}

/// What runs for every page of an audit or a restore.
#[cfg(test)]
pub(super) fn every_sql() -> [String; 7] {
    [
        restorable_sql(),
        accepted_sql(),
        unlisted_sql(),
        unproven_sql(),
        unread_sql(),
        proved_sql(true),
        proved_sql(false),
    ]
}

impl Read<'_> {
    /// Copies at a destination that no manifest segment lists yet, oldest first.
    pub fn unlisted(&self, destination: DestinationId, limit: u32) -> Result<Vec<RecordFacts>, StoreError> {
        let mut query = self.conn.prepare_cached(&unlisted_sql())?;
        let rows = query.query_map(params![destination.0, limit], facts_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Copies of a class that some present file has, newest capture first, after a place in that order.
    pub fn unread_copies(
        &self,
        destination: DestinationId,
        class: UnreadClass,
        after: NewestFirstCursor,
        limit: u32,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        let sql = match class {
            UnreadClass::Unproven => unproven_sql(),
            UnreadClass::ByChecksum => unread_sql(),
        };
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map(params![destination.0, after.0.0, after.1.0, limit], facts_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Copies that the destination is believed to have, after `after` by id: what a restore offers.
    pub fn restorable(
        &self,
        destination: DestinationId,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        self.by_id(&restorable_sql(), destination, after, limit)
    }

    fn by_id(
        &self,
        sql: &str,
        destination: DestinationId,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<RecordFacts>, StoreError> {
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![destination.0, after.0, limit], facts_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Copies that were not proved from `began` to `now`, those without proof first and then the oldest
    /// proofs, after a place in that order. Each comes with its place. A proof of the future is another
    /// clock's.
    pub fn copies_by_proof(
        &self,
        destination: DestinationId,
        (began, now): (UnixMillis, UnixMillis),
        after: AuditCursor,
        limit: u32,
    ) -> Result<Vec<(AuditCursor, RecordFacts)>, StoreError> {
        let mut page = Vec::new();
        let (time, id) = match after {
            AuditCursor::Unproven(id) => {
                let accepted = self.by_id(&accepted_sql(), destination, id, limit)?;
                page.extend(accepted.into_iter().map(|copy| (AuditCursor::Unproven(copy.id), copy)));
                (i64::MIN, i64::MIN)
            }
            AuditCursor::Proved(time, id) => (time.0, id.0),
        };
        if page.len() >= limit as usize {
            return Ok(page);
        }
        let copy = |row: &Row<'_>| {
            let copy = facts_row(row)?;
            Ok((AuditCursor::Proved(UnixMillis(row.get("proved")?), copy.id), copy))
        };
        for has_files in [true, false] {
            let mut query = self.conn.prepare_cached(&proved_sql(has_files))?;
            let rows = query.query_map(params![destination.0, began.0, now.0, time, id, limit], copy)?;
            for row in rows {
                page.push(row?);
            }
        }
        page.sort_unstable_by_key(|(place, _)| *place);
        page.truncate(limit as usize);
        Ok(page)
    }

    /// Copies that the destination is believed to have, and their bytes.
    pub fn copies_total(&self, destination: DestinationId) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT count(*), coalesce(sum(size), 0) FROM backup_record
            WHERE destination_id = ?1 AND state IN ('verified', 'accepted')";
        let total = |row: &Row<'_>| Ok((unsigned(row, 0)?, unsigned(row, 1)?));
        Ok(self.conn.prepare_cached(sql)?.query_row([destination.0], total)?)
    }
}
