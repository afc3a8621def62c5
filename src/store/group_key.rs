//! The key that files of one asset share, and its hash, by which their rows are found.

use rusqlite::{Row, params};

use super::row::StoreError;
use crate::domain::grouping;

/// Files that can share an asset have equal keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) source: i64,
    dir: Vec<u8>,
    key: Vec<u8>,
}

impl GroupKey {
    pub(super) fn of(source: i64, dir: &[u8], name: &[u8]) -> Self {
        Self { source, dir: grouping::home_folder(dir, name).to_vec(), key: grouping::group_key(name) }
    }

    pub(super) fn hash(&self) -> i64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.source.to_le_bytes());
        hasher.update(&self.dir);
        hasher.update(&[0]);
        hasher.update(&self.key);
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        i64::from_le_bytes(bytes)
    }
}

/// From source, folder and name.
pub(super) fn group_key(row: &Row<'_>) -> rusqlite::Result<GroupKey> {
    let (dir, name): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
    Ok(GroupKey::of(row.get(0)?, &dir, &name))
}

/// Brings the hashes of all group keys up to how names are compared now.
pub(super) fn rehash_groups(conn: &rusqlite::Connection) -> Result<(), StoreError> {
    let sql = "SELECT f.source_id, f.dir, f.name, r.file_id, r.group_hash
        FROM resource r JOIN file f ON f.id = r.file_id";
    let mut query = conn.prepare(sql)?;
    let rows = query.query_map([], |row| Ok((group_key(row)?.hash(), row.get(3)?, row.get(4)?)))?;
    let mut changed: Vec<(i64, i64)> = Vec::new();
    for row in rows {
        let (now, file, was): (i64, i64, i64) = row?;
        if now != was {
            changed.push((file, now));
        }
    }
    let mut update = conn.prepare("UPDATE resource SET group_hash = ?2 WHERE file_id = ?1")?;
    for (file, hash) in changed {
        update.execute(params![file, hash])?;
    }
    Ok(())
}
