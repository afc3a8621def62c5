//! Files below the sources: what a scan found and how far each has come.
//!
//! Counts and records are never touched here: the schema's triggers count, and let go of a file's
//! records when it no longer is what they say.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, OptionalExtension as _, Row, params};

use super::group_key::GroupKey;
use super::row::{StoreError, signed, unsigned};
use super::writer::{Read, Write};
use crate::domain::file::{ExcludeReason, FileStamp, FileStatus, Problem};
use crate::domain::ids::{FileId, SourceId};
use crate::domain::path::RelPath;
use crate::domain::time::UnixMillis;

/// One directory as it was just listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirListing {
    /// The directory below its source.
    pub dir: Vec<u8>,
    /// Everything in it that is not a directory, in the order of the names' bytes.
    pub files: Vec<ListedEntry>,
    /// The names of its directories that belong to the source, in the order of their bytes.
    pub subdirs: Vec<Vec<u8>>,
}

/// One entry of a listed directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// What the file system says of it, or why it says nothing.
    pub seen: Result<EntryState, String>,
}

/// What the file system says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryState {
    /// Size and times.
    pub stamp: FileStamp,
    /// It is a regular file.
    pub is_regular: bool,
}

/// How listed directories differ from what is known of them. Indices point into the listings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListingDiff {
    /// Entries that were not known: listing and file.
    pub new: Vec<(usize, usize)>,
    /// Known files with another stamp.
    pub changed: Vec<ChangedFile>,
    /// Known files that are not there.
    pub gone: Vec<FileId>,
    /// Directories below which nothing is known: listing and subdirectory.
    pub new_dirs: Vec<(usize, usize)>,
}

/// A known file whose stamp differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedFile {
    /// The file.
    pub file: FileId,
    /// Where it stood.
    pub was: FileStatus,
    /// Its listing's index.
    pub listing: usize,
    /// Its index there.
    pub entry: usize,
}

impl ListingDiff {
    /// Nothing differs.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }
}

/// Where a new or changed file starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitialStatus {
    /// To be described.
    Found,
    /// Still being written; looked at again at this time.
    Settling(UnixMillis),
    /// It cannot be backed up as it is, with what the system said.
    Problem(Problem, Option<String>),
    /// It is left out.
    Excluded(ExcludeReason),
}

impl InitialStatus {
    fn status(&self) -> FileStatus {
        match self {
            Self::Found => FileStatus::Found,
            Self::Settling(_) => FileStatus::Settling,
            Self::Problem(..) => FileStatus::Problem,
            Self::Excluded(_) => FileStatus::Excluded,
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Found | Self::Settling(_) => None,
            Self::Problem(problem, _) => Some(problem.as_str()),
            Self::Excluded(reason) => Some(reason.as_str()),
        }
    }

    fn details(&self) -> Option<&str> {
        match self {
            Self::Problem(_, details) => details.as_deref(),
            Self::Found | Self::Settling(_) | Self::Excluded(_) => None,
        }
    }

    fn settle_until(&self) -> Option<i64> {
        match self {
            Self::Settling(until) => Some(until.0),
            Self::Found | Self::Problem(..) | Self::Excluded(_) => None,
        }
    }
}

/// A file to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where it is.
    pub path: RelPath,
    /// Its stamp.
    pub stamp: FileStamp,
    /// Where it starts.
    pub start: InitialStatus,
}

/// A file that is another version now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The file.
    pub file: FileId,
    /// Its new stamp.
    pub stamp: FileStamp,
    /// Where it starts again.
    pub start: InitialStatus,
}

/// How many files are on their way to being known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingFiles {
    /// Nothing of them has been read.
    pub to_describe: u64,
    /// Their bytes are still to be hashed.
    pub to_hash: u64,
    /// Still being written.
    pub settling: u64,
}

/// A file to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileToRead {
    /// The file.
    pub id: FileId,
    /// Its source.
    pub source: SourceId,
    /// The source's absolute path.
    pub root: Vec<u8>,
    /// Where it is below the source.
    pub path: RelPath,
    /// The version that is known.
    pub stamp: FileStamp,
}

pub(super) const TO_READ: &str = "f.id, f.source_id, s.path, f.dir, f.name, f.size, f.mtime_ns, f.ctime_ns
    FROM file f JOIN source s ON s.id = f.source_id AND s.condition = 'present'";

fn to_describe_sql() -> String {
    format!("SELECT {TO_READ} WHERE f.status = 'found' ORDER BY f.id LIMIT ?1")
}

fn to_hash_sql() -> String {
    // Named, as the planner would rather sort all of them for every page.
    let read = TO_READ.replace("FROM file f", "FROM file f INDEXED BY file_to_hash");
    format!("SELECT {read} WHERE f.status = 'described' ORDER BY f.captured_ms DESC, f.id DESC LIMIT ?1")
}

fn unread_sql() -> String {
    // Each half is in the order of an index of its own, which is named, as in `to_hash_sql`.
    let half = |index: &str, which: &str| {
        let read = TO_READ.replace("FROM file f", &format!("FROM file f INDEXED BY {index}"));
        format!("SELECT {read} WHERE {which} AND f.source_id = ?1 AND f.id > ?2")
    };
    format!(
        "{} UNION ALL {} ORDER BY 1 LIMIT ?3",
        half("file_to_do", "f.status = 'problem' AND f.reason <> 'empty'"),
        half("file_unseen", "f.status = 'excluded' AND f.reason = 'not_media' AND f.details IS NOT NULL")
    )
}

#[cfg(test)]
pub(super) fn every_sql() -> [String; 3] {
    [to_describe_sql(), to_hash_sql(), unread_sql()]
}

pub(super) fn file_to_read(row: &Row<'_>) -> rusqlite::Result<FileToRead> {
    Ok(FileToRead {
        id: FileId(row.get(0)?),
        source: SourceId(row.get(1)?),
        root: row.get(2)?,
        path: RelPath { dir: row.get(3)?, name: row.get(4)? },
        stamp: stamp_at(row, 5)?,
    })
}

fn stamp_at(row: &Row<'_>, first: usize) -> rusqlite::Result<FileStamp> {
    Ok(FileStamp {
        size: unsigned(row, first)?,
        mtime_ns: row.get(first + 1)?,
        ctime_ns: row.get(first + 2)?,
    })
}

impl Read<'_> {
    /// Compares listed directories of a source with what is known of them. Directories that are
    /// known and not listed count as gone with all that is below them.
    pub fn compare(&self, source: SourceId, listings: &[DirListing]) -> Result<ListingDiff, StoreError> {
        let sql = "SELECT name, size, mtime_ns, ctime_ns, id, status FROM file
            WHERE source_id = ?1 AND dir = ?2 ORDER BY name";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut delta = ListingDiff::default();
        for (index, listing) in listings.iter().enumerate() {
            compare_files(&mut query, source, index, listing, &mut delta)?;
            self.compare_dirs(source, index, listing, &mut delta)?;
        }
        Ok(delta)
    }

    /// Finds known directories that are not listed, and listed ones that are not known: one or two
    /// probes of the index for each known directory, whatever is below it.
    fn compare_dirs(
        &self,
        source: SourceId,
        index: usize,
        listing: &DirListing,
        delta: &mut ListingDiff,
    ) -> Result<(), StoreError> {
        let prefix = if listing.dir.is_empty() { Vec::new() } else { [&listing.dir[..], b"/"].concat() };
        let end = after_all_below(&listing.dir);
        let sql = "SELECT dir FROM file WHERE source_id = ?1 AND dir >= ?2 AND dir < ?3 ORDER BY dir LIMIT 1";
        let mut query = self.conn.prepare_cached(sql)?;
        // The empty directory name is the source itself, which is nobody's subdirectory.
        let mut from = if prefix.is_empty() { vec![0] } else { prefix.clone() };
        let mut known: BTreeSet<Vec<u8>> = BTreeSet::new();
        loop {
            let found: Option<Vec<u8>> =
                query.query_row(params![source.0, from, end], |row| row.get(0)).optional()?;
            let Some(found) = found else { break };
            let below = &found[prefix.len()..];
            let name = below.split(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
            let child = [&prefix[..], &name].concat();
            // Names such as `a b` sort between `a` and what is below `a/`, so `a` may come twice.
            from = if found == child { [&child[..], &[0]].concat() } else { after_all_below(&child) };
            known.insert(name);
        }
        for name in &known {
            if listing.subdirs.binary_search(name).is_err() {
                delta.gone.extend(self.files_below(source, &[&prefix[..], name].concat())?);
            }
        }
        let is_new = |(at, name): (usize, &Vec<u8>)| (!known.contains(name)).then_some((index, at));
        delta.new_dirs.extend(listing.subdirs.iter().enumerate().filter_map(is_new));
        Ok(())
    }

    /// All known files in a directory and below it.
    fn files_below(&self, source: SourceId, dir: &[u8]) -> Result<Vec<FileId>, StoreError> {
        let sql = "SELECT id FROM file WHERE source_id = ?1 AND dir = ?2
            UNION ALL SELECT id FROM file WHERE source_id = ?1 AND dir >= ?3 AND dir < ?4";
        let mut query = self.conn.prepare_cached(sql)?;
        let first = [dir, b"/"].concat();
        let rows = query
            .query_map(params![source.0, dir, first, after_all_below(dir)], |row| row.get(0).map(FileId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Files to be described, in the order they were found, of sources that are there.
    pub fn next_to_describe(&self, limit: u32) -> Result<Vec<FileToRead>, StoreError> {
        self.files_to_read(&to_describe_sql(), limit)
    }

    /// Files to be hashed, newest captured first, of sources that are there.
    pub fn next_to_hash(&self, limit: u32) -> Result<Vec<FileToRead>, StoreError> {
        self.files_to_read(&to_hash_sql(), limit)
    }

    /// Settling files whose time has come. A time further away than `horizon` was set by another
    /// clock, so it has come too.
    pub fn next_to_settle(
        &self,
        now: UnixMillis,
        horizon: UnixMillis,
        limit: u32,
    ) -> Result<Vec<FileToRead>, StoreError> {
        let sql = format!(
            "SELECT {TO_READ} WHERE f.status = 'settling' AND (f.settle_until_ms <= ?1 OR f.settle_until_ms > ?2)
             ORDER BY f.settle_until_ms LIMIT ?3"
        );
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map(params![now.0, horizon.0, limit], file_to_read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the next settling file is to be looked at, of sources that are there.
    pub fn settle_due(&self) -> Result<Option<UnixMillis>, StoreError> {
        let sql = "SELECT f.settle_until_ms FROM file f JOIN source s ON s.id = f.source_id
            WHERE f.status = 'settling' AND s.condition = 'present' ORDER BY f.settle_until_ms LIMIT 1";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row([], |row| row.get(0).map(UnixMillis)).optional()?)
    }

    /// Files of a source that could not be read and may be readable by now, after `after`: problems, and
    /// what is left out for its name because nobody could look into it.
    pub fn unread_files(
        &self,
        source: SourceId,
        after: FileId,
        limit: u32,
    ) -> Result<Vec<FileToRead>, StoreError> {
        let mut query = self.conn.prepare_cached(&unread_sql())?;
        let rows = query.query_map(params![source.0, after.0, limit], file_to_read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What is still to be done for files of sources that are there.
    pub fn to_do(&self) -> Result<PendingFiles, StoreError> {
        let sql = "SELECT coalesce(sum(files) FILTER (WHERE status = 'found'), 0),
              coalesce(sum(files) FILTER (WHERE status = 'described'), 0),
              coalesce(sum(files) FILTER (WHERE status = 'settling'), 0)
            FROM file_count JOIN source ON source.id = source_id WHERE condition = 'present'";
        let mut query = self.conn.prepare_cached(sql)?;
        let row = |row: &Row<'_>| {
            Ok(PendingFiles {
                to_describe: unsigned(row, 0)?,
                to_hash: unsigned(row, 1)?,
                settling: unsigned(row, 2)?,
            })
        };
        Ok(query.query_row([], row)?)
    }

    pub(super) fn files_to_read(&self, sql: &str, limit: u32) -> Result<Vec<FileToRead>, StoreError> {
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([limit], file_to_read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The first byte string after everything below a directory; the source's own sorts after all.
fn after_all_below(dir: &[u8]) -> Vec<u8> {
    if dir.is_empty() { vec![0xff; 4097] } else { [dir, &[b'/' + 1]].concat() }
}

/// Walks a listing and its rows side by side, both in the order of the names.
fn compare_files(
    query: &mut CachedStatement<'_>,
    source: SourceId,
    index: usize,
    listing: &DirListing,
    delta: &mut ListingDiff,
) -> Result<(), StoreError> {
    let mut rows = query.query(params![source.0, listing.dir])?;
    let mut at = 0;
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        while listing.files.get(at).is_some_and(|file| file.name.as_slice() < name) {
            delta.new.push((index, at));
            at += 1;
        }
        match listing.files.get(at) {
            Some(file) if file.name == name => {
                // A file that cannot be looked at is there, and is what it was.
                if file.seen.as_ref().is_ok_and(|seen| !is_same(row, seen.stamp)) {
                    let was = super::row::parse_name(row, 5, FileStatus::parse)?;
                    delta.changed.push(ChangedFile {
                        file: FileId(row.get(4)?),
                        was,
                        listing: index,
                        entry: at,
                    });
                }
                at += 1;
            }
            _ => delta.gone.push(FileId(row.get(4)?)),
        }
    }
    delta.new.extend((at..listing.files.len()).map(|rest| (index, rest)));
    Ok(())
}

fn is_same(row: &Row<'_>, stamp: FileStamp) -> bool {
    stamp_at(row, 1).is_ok_and(|kept| kept == stamp)
}

impl Write<'_> {
    /// Adds files that a scan found. One that is known already stays as it is.
    pub fn add_files(&self, source: SourceId, files: &[NewFile]) -> Result<(), StoreError> {
        let sql = "INSERT INTO file
              (source_id, dir, name, size, mtime_ns, ctime_ns, status, reason, details, settle_until_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (source_id, dir, name) DO NOTHING";
        let mut insert = self.conn.prepare_cached(sql)?;
        for NewFile { path, stamp, start } in files {
            insert.execute(params![
                source.0,
                path.dir,
                path.name,
                signed(stamp.size),
                stamp.mtime_ns,
                stamp.ctime_ns,
                start.status().as_str(),
                start.reason(),
                start.details(),
                start.settle_until(),
            ])?;
        }
        Ok(())
    }

    /// Starts files over as the new versions they are. What was known of a version that can be
    /// looked at stays in the grid until it is described again.
    pub fn change_files(&self, versions: &[NewVersion]) -> Result<(), StoreError> {
        let sql = "UPDATE file SET size = ?2, mtime_ns = ?3, ctime_ns = ?4, status = ?5, reason = ?6,
              details = ?7, settle_until_ms = ?8, content_id = NULL WHERE id = ?1";
        let mut update = self.conn.prepare_cached(sql)?;
        let mut keys = BTreeSet::new();
        for NewVersion { file, stamp, start } in versions {
            update.execute(params![
                file.0,
                signed(stamp.size),
                stamp.mtime_ns,
                stamp.ctime_ns,
                start.status().as_str(),
                start.reason(),
                start.details(),
                start.settle_until(),
            ])?;
            if let InitialStatus::Excluded(_) = start {
                keys.extend(self.delete_facts(*file)?);
            } else {
                keys.extend(self.group_key_of(*file)?);
            }
        }
        self.regroup(&keys)
    }

    /// Forgets files that are no longer there.
    pub fn remove_files(&self, files: &[FileId]) -> Result<(), StoreError> {
        let mut keys: BTreeSet<GroupKey> = BTreeSet::new();
        for file in files {
            let sql = "SELECT source_id FROM file WHERE id = ?1 AND status = 'ready'";
            let ready: Option<i64> =
                self.conn.prepare_cached(sql)?.query_row([file.0], |row| row.get(0)).optional()?;
            if let Some(source) = ready {
                self.note_removed(*file, SourceId(source))?;
            }
            keys.extend(self.delete_facts(*file)?);
        }
        // The assets find their new primaries while the old ones are still there, and so keep
        // their ids.
        self.regroup(&keys)?;
        let mut delete = self.conn.prepare_cached("DELETE FROM file WHERE id = ?1")?;
        for file in files {
            delete.execute([file.0])?;
        }
        Ok(())
    }
}
