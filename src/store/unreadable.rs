//! Folders below a source that could not be looked into.

use rusqlite::{Row, params};

use super::row::{StoreError, parse_name};
use super::writer::{Read, Write};
use crate::domain::folder_problem::FolderProblem;
use crate::domain::ids::SourceId;

/// The most unreadable folders that are kept for one source; more are not told of by name.
pub const UNREADABLE_DIRS_MAX: u32 = 1_000;
/// The longest words of the system that are kept of one, in characters.
const DETAILS_MAX: usize = 1_000;

/// A folder below a source that could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableDir {
    /// Its path below the source.
    pub dir: Vec<u8>,
    /// What keeps it from being listed.
    pub problem: FolderProblem,
    /// What the system said.
    pub details: String,
}

/// The part of a source that was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnreadableScope {
    /// All of it.
    Whole,
    /// These folders below it, each with everything below it (`true`) or by itself.
    Dirs(Vec<(Vec<u8>, bool)>),
}

impl UnreadableScope {
    /// Whether a folder below the source belongs to this part of it.
    pub fn contains(&self, dir: &[u8]) -> bool {
        match self {
            Self::Whole => true,
            Self::Dirs(dirs) => dirs.iter().any(|(start, is_deep)| {
                let below = || dir.strip_prefix(start.as_slice()).is_some_and(|rest| rest.starts_with(b"/"));
                dir == start.as_slice() || *is_deep && (start.is_empty() || below())
            }),
        }
    }
}

fn unreadable_dir(row: &Row<'_>) -> rusqlite::Result<UnreadableDir> {
    Ok(UnreadableDir {
        dir: row.get(0)?,
        problem: parse_name(row, 1, FolderProblem::parse)?,
        details: row.get(2)?,
    })
}

impl Read<'_> {
    /// Folders of a source that could not be looked into, by path, at most `limit` of them, and how many
    /// there are in all.
    pub fn unreadable_dirs(
        &self,
        source: SourceId,
        limit: u32,
    ) -> Result<(u64, Vec<UnreadableDir>), StoreError> {
        let sql = "SELECT count(*) FROM unreadable_dir WHERE source_id = ?1";
        let all: u32 = self.conn.prepare_cached(sql)?.query_row([source.0], |row| row.get(0))?;
        if all == 0 {
            return Ok((0, Vec::new()));
        }
        let sql =
            "SELECT dir, problem, details FROM unreadable_dir WHERE source_id = ?1 ORDER BY dir LIMIT ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![source.0, limit], unreadable_dir)?;
        Ok((u64::from(all), rows.collect::<Result<_, _>>()?))
    }

    /// Whether exactly these are known in this part of a source.
    pub fn is_unreadable_known(
        &self,
        source: SourceId,
        scope: &UnreadableScope,
        dirs: &[UnreadableDir],
    ) -> Result<bool, StoreError> {
        let (_, known) = self.unreadable_dirs(source, UNREADABLE_DIRS_MAX)?;
        let mut known: Vec<_> = known.into_iter().filter(|known| scope.contains(&known.dir)).collect();
        let mut dirs: Vec<_> = dirs.iter().map(shortened).collect();
        known.sort_unstable();
        dirs.sort_unstable();
        Ok(known == dirs)
    }
}

impl Write<'_> {
    /// Notes which folders of a part of a source could not be looked into. What was noted of that part
    /// before is forgotten.
    pub fn set_unreadable(
        &self,
        source: SourceId,
        scope: &UnreadableScope,
        dirs: &[UnreadableDir],
    ) -> Result<(), StoreError> {
        let (_, known) = self.unreadable_dirs(source, UNREADABLE_DIRS_MAX)?;
        let mut delete =
            self.conn.prepare_cached("DELETE FROM unreadable_dir WHERE source_id = ?1 AND dir = ?2")?;
        for old in known.iter().filter(|old| scope.contains(&old.dir)) {
            delete.execute(params![source.0, old.dir])?;
        }
        let kept = known.iter().filter(|old| !scope.contains(&old.dir)).count();
        let room = (UNREADABLE_DIRS_MAX as usize).saturating_sub(kept);
        let sql = "INSERT OR REPLACE INTO unreadable_dir (source_id, dir, problem, details)
            SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM source WHERE id = ?1)";
        let mut insert = self.conn.prepare_cached(sql)?;
        for dir in dirs.iter().take(room).map(shortened) {
            insert.execute(params![source.0, dir.dir, dir.problem.as_str(), dir.details])?;
        }
        Ok(())
    }
}

fn shortened(dir: &UnreadableDir) -> UnreadableDir {
    UnreadableDir { details: dir.details.chars().take(DETAILS_MAX).collect(), ..dir.clone() }
}
