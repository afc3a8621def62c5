//! The library's history: what became ready to be backed up, and what no longer is.
//!
//! A change token is a position in it. The history is pruned from its old end, so a token can
//! expire; then everything is looked at once.

use std::collections::BTreeMap;

use rusqlite::params;

use super::row::StoreError;
use super::writer::{Read, Write};
use crate::domain::ids::{FileId, SourceId};

/// The most changes that are kept; who falls further behind looks at everything once.
pub const CHANGES_KEPT_MAX: i64 = 200_000;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// Its content, the part it plays or its primary became known or is another.
    Ready,
    /// It is no longer there, or no longer to be backed up.
    Removed,
}

/// The last that happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The file; it may have gone.
    pub file: FileId,
    /// The source it is or was in.
    pub source: SourceId,
    /// What happened.
    pub kind: ChangeKind,
}

/// The history after a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// The next part of it.
    Since {
        /// The last change of each file, in the order they happened.
        list: Vec<Change>,
        /// The token to go on from.
        next_token: i64,
        /// There was nothing more when this was read.
        is_end: bool,
    },
    /// That part of the history is gone: look at everything, then go on from
    /// [`Read::newest_token`] as it was before looking.
    Expired,
}

impl Read<'_> {
    /// The history after `token`, at most `limit` changes of it.
    pub fn changes_since(&self, token: i64, limit: u32) -> Result<Changes, StoreError> {
        let newest = self.newest_token()?;
        let sql = "SELECT coalesce(min(seq), ?1 + 1) FROM change";
        let oldest: i64 = self.conn.prepare_cached(sql)?.query_row([newest], |row| row.get(0))?;
        if token > newest || token < oldest - 1 {
            return Ok(Changes::Expired);
        }
        let sql = "SELECT seq, file_id, source_id, kind = 'ready' FROM change
            WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query(params![token, limit])?;
        let mut last: BTreeMap<FileId, (i64, Change)> = BTreeMap::new();
        let mut next_token = token;
        while let Some(row) = rows.next()? {
            next_token = row.get(0)?;
            let kind = if row.get(3)? { ChangeKind::Ready } else { ChangeKind::Removed };
            let change = Change { file: FileId(row.get(1)?), source: SourceId(row.get(2)?), kind };
            last.insert(change.file, (next_token, change));
        }
        let mut list: Vec<(i64, Change)> = last.into_values().collect();
        list.sort_unstable_by_key(|(seq, _)| *seq);
        let list = list.into_iter().map(|(_, change)| change).collect();
        Ok(Changes::Since { list, next_token, is_end: next_token >= newest })
    }

    /// The position after everything that has happened.
    pub fn newest_token(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'change'";
        Ok(self.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Ready files of a source after `after`, in the order of their ids.
    pub fn ready_files(
        &self,
        source: SourceId,
        after: FileId,
        limit: u32,
    ) -> Result<Vec<FileId>, StoreError> {
        let sql = "SELECT id FROM file WHERE +source_id = ?1 AND status = 'ready' AND id > ?2
            ORDER BY id LIMIT ?3";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![source.0, after.0, limit], |row| row.get(0).map(FileId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Write<'_> {
    pub(super) fn note_ready(&self, file: FileId, source: SourceId) -> Result<(), StoreError> {
        self.add_change(file, source, "ready")
    }

    pub(super) fn note_removed(&self, file: FileId, source: SourceId) -> Result<(), StoreError> {
        self.add_change(file, source, "removed")
    }

    fn add_change(&self, file: FileId, source: SourceId, kind: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO change (file_id, source_id, kind) VALUES (?1, ?2, ?3)";
        self.conn.prepare_cached(sql)?.execute(params![file.0, source.0, kind])?;
        Ok(())
    }

    /// Forgets the oldest changes beyond [`CHANGES_KEPT_MAX`].
    pub fn prune_changes(&self) -> Result<(), StoreError> {
        self.prune_changes_to(super::commit_hooks::changes_kept().unwrap_or(CHANGES_KEPT_MAX))
    }

    pub(super) fn prune_changes_to(&self, kept: i64) -> Result<(), StoreError> {
        let oldest = self.newest_token()? - kept;
        self.conn.prepare_cached("DELETE FROM change WHERE seq <= ?1")?.execute([oldest])?;
        Ok(())
    }
}
