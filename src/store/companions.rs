//! The other parts of a record's asset: what a destination that joins them is told, and the order in
//! which their jobs are drawn.

use rusqlite::params;

use super::records::{FACTS, RecordFacts, facts_row};
use super::row::{DIGESTS, StoreError, digest, digests, parse_name, unsigned};
use super::writer::{Read, Write};
use crate::domain::asset::ResourceKind;
use crate::domain::file::FileStamp;
use crate::domain::hash::{ContentHash, Digests};
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::path::RelPath;
use crate::domain::target::DestinationKind;

/// The most companions that one transfer is told of; an asset has a handful.
const COMPANIONS_MAX: u32 = 64;
/// The most files with the same bytes that one transfer is told of.
const FILES_MAX: u32 = 64;

/// Another part of an asset, as a destination knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanionRow {
    /// The part it plays.
    pub kind: ResourceKind,
    /// It stands for the asset.
    pub is_primary: bool,
    /// It is a sidecar about the record's file.
    pub is_own_sidecar: bool,
    /// The record's file is a sidecar about it.
    pub is_subject: bool,
    /// It plays the record's part, or one beside the record's file, of which a server may keep one only: the
    /// moving half of the same still, or a sidecar about the same file.
    pub is_rival: bool,
    /// Its bytes.
    pub content: ContentHash,
    /// What else is known of them.
    pub digests: Digests,
    /// The source's absolute path.
    pub source_path: Vec<u8>,
    /// The file below it.
    pub path: RelPath,
    /// The file's state when it was hashed.
    pub stamp: FileStamp,
    /// What the destination said of its copy, where it has one.
    pub receipt: Option<String>,
}

/// The files of a record, their assets, and the assets of every other file with the bytes of a part of those:
/// what a destination has once is part of them all. `mine` are the record's own files in their assets.
const SETS: &str = "own AS (SELECT file_id FROM attachment WHERE record_id = ?2 AND destination_id = ?1
      ORDER BY file_id LIMIT ?3),
    mine AS (SELECT r.asset_id, r.kind, own_about.record_id AS about, top.record_id AS top
      FROM own JOIN resource r ON r.file_id = own.file_id JOIN asset a ON a.id = r.asset_id
      LEFT JOIN attachment own_about ON own_about.destination_id = ?1
        AND own_about.file_id = coalesce(r.about_file_id, a.primary_file_id)
      LEFT JOIN attachment top ON top.destination_id = ?1 AND top.file_id = a.primary_file_id),
    parts AS (SELECT DISTINCT t.record_id FROM mine JOIN resource r ON r.asset_id = mine.asset_id
      JOIN attachment t ON t.destination_id = ?1 AND t.file_id = r.file_id),
    sets AS (SELECT asset_id, 1 AS is_near FROM mine UNION
      SELECT r.asset_id, 0 FROM parts JOIN attachment t ON t.record_id = parts.record_id
        JOIN resource r ON r.file_id = t.file_id
        WHERE r.asset_id NOT IN (SELECT asset_id FROM mine))";

impl Read<'_> {
    /// The hashed files of a record's assets that are not its own, those of its own assets first.
    pub fn companions(
        &self,
        destination: DestinationId,
        record: RecordId,
    ) -> Result<Vec<CompanionRow>, StoreError> {
        let sql = format!(
            "WITH {SETS}
             SELECT res.kind, sets.is_near AND a.primary_file_id = f.id, c.blake3, c.size, s.path, f.dir, f.name,
               f.size, f.mtime_ns, f.ctime_ns, o.receipt, {DIGESTS},
               res.kind = 'sidecar' AND about.record_id = ?2,
               t.record_id IN (SELECT mine.about FROM mine WHERE mine.kind = 'sidecar'),
               res.kind = 'paired_video' AND (top.record_id = ?2
                   OR top.record_id IN (SELECT mine.top FROM mine WHERE mine.kind = 'paired_video'))
                 OR res.kind = 'sidecar' AND (about.record_id = ?2
                   OR about.record_id IN (SELECT mine.about FROM mine WHERE mine.kind = 'sidecar'))
             FROM sets JOIN resource res ON res.asset_id = sets.asset_id JOIN asset a ON a.id = res.asset_id
             JOIN file f ON f.id = res.file_id
             JOIN source s ON s.id = f.source_id JOIN content c ON c.id = f.content_id
             LEFT JOIN attachment t ON t.file_id = f.id AND t.destination_id = ?1
             LEFT JOIN attachment top ON top.file_id = a.primary_file_id AND top.destination_id = ?1
             LEFT JOIN attachment about ON about.destination_id = ?1
               AND about.file_id = coalesce(res.about_file_id, a.primary_file_id)
             LEFT JOIN backup_record o ON o.id = t.record_id AND o.state IN ('accepted', 'verified')
             WHERE f.status = 'ready' AND res.kind IS NOT NULL AND t.record_id IS NOT ?2
             ORDER BY sets.is_near DESC, f.id LIMIT ?4"
        );
        let mut query = self.conn.prepare_cached(&sql)?;
        let values = params![destination.0, record.0, FILES_MAX, COMPANIONS_MAX];
        let rows = query.query_map(values, |row| {
            Ok(CompanionRow {
                kind: parse_name(row, 0, ResourceKind::parse)?,
                is_primary: row.get(1)?,
                content: ContentHash { blake3: digest(row, 2)?, size: unsigned(row, 3)? },
                source_path: row.get(4)?,
                path: RelPath { dir: row.get(5)?, name: row.get(6)? },
                stamp: FileStamp { size: unsigned(row, 7)?, mtime_ns: row.get(8)?, ctime_ns: row.get(9)? },
                receipt: row.get(10)?,
                digests: digests(row, 11)?,
                is_own_sidecar: row.get::<_, Option<bool>>(15)?.unwrap_or(false),
                is_subject: row.get::<_, Option<bool>>(16)?.unwrap_or(false),
                is_rival: row.get::<_, Option<bool>>(17)?.unwrap_or(false),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Copies that are to be arranged again, after `after` by id, each with the number of files that came.
    pub fn to_arrange(
        &self,
        destination: DestinationId,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<(RecordFacts, i64)>, StoreError> {
        let mut query = self.conn.prepare_cached(&to_arrange_sql())?;
        let rows = query.query_map(params![destination.0, after.0, limit], |row| {
            Ok((facts_row(row)?, row.get("due")?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The present files of a record, as the source's absolute path and the file below it.
    pub fn record_files(&self, record: RecordId) -> Result<Vec<(Vec<u8>, RelPath)>, StoreError> {
        let sql = "SELECT s.path, f.dir, f.name FROM attachment t JOIN file f ON f.id = t.file_id
            JOIN source s ON s.id = f.source_id WHERE t.record_id = ?1 ORDER BY f.id LIMIT ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![record.0, FILES_MAX], |row| {
            Ok((row.get(0)?, RelPath { dir: row.get(1)?, name: row.get(2)? }))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn to_arrange_sql() -> String {
    format!(
        "SELECT {FACTS}, r.arrange_due AS due FROM backup_record r JOIN content c ON c.id = r.content_id
         WHERE r.destination_id = ?1 AND r.id > ?2 AND r.arrange_due > 0 AND r.state IN ('accepted', 'verified')
         ORDER BY r.id LIMIT ?3"
    )
}

/// What runs for every page of copies to be arranged.
#[cfg(test)]
pub(super) fn every_sql() -> [String; 1] {
    [to_arrange_sql()]
}

impl Write<'_> {
    /// A copy was arranged for all files that had come by then.
    pub fn set_arranged(&self, record: RecordId, due: i64) -> Result<(), StoreError> {
        let sql = "UPDATE backup_record SET arrange_due = 0 WHERE id = ?1 AND arrange_due = ?2";
        self.conn.prepare_cached(sql)?.execute(params![record.0, due])?;
        Ok(())
    }
}

/// Whether a record `r` need not wait for another part of its asset, as SQL. Only destinations that
/// join the parts have an order: the moving half comes before its still, a RAW after the picture it is
/// stacked with, and a sidecar after the file that it is about, which is sent once the sidecar is known. A
/// part that a person has to look at holds up nobody.
pub(super) fn turn_condition_sql() -> String {
    let joining = DestinationKind::ALL.into_iter().filter(|kind| kind.joins_companions());
    let joining: Vec<String> = joining.map(|kind| format!("'{}'", kind.as_str())).collect();
    let joining = joining.join(", ");
    format!(
        "((SELECT d.kind FROM destination d WHERE d.id = r.destination_id) NOT IN ({joining}) OR NOT EXISTS (
           SELECT 1 FROM attachment own JOIN resource mine ON mine.file_id = own.file_id
           JOIN asset whole ON whole.id = mine.asset_id
           JOIN resource other ON other.asset_id = mine.asset_id AND other.file_id <> mine.file_id
           JOIN file beside ON beside.id = other.file_id
           LEFT JOIN attachment theirs
             ON theirs.file_id = other.file_id AND theirs.destination_id = r.destination_id
           LEFT JOIN backup_record o ON o.id = theirs.record_id
           WHERE own.record_id = r.id AND o.id IS NOT r.id AND CASE
             WHEN mine.kind = 'sidecar' THEN
               other.file_id = coalesce(mine.about_file_id, whole.primary_file_id)
                 AND o.state IN ('wanted', 'failed')
             WHEN other.kind = 'sidecar' THEN
               coalesce(other.about_file_id, whole.primary_file_id) = mine.file_id
                 AND beside.status IN ('found', 'settling', 'described')
             WHEN mine.file_id = whole.primary_file_id THEN
               other.kind = 'paired_video' AND (o.state IN ('wanted', 'failed')
                 OR beside.status IN ('found', 'settling', 'described'))
             WHEN mine.kind = 'alternate_photo' THEN
               other.file_id = whole.primary_file_id AND o.state IN ('wanted', 'failed')
             ELSE 0 END))"
    )
}
