//! The other parts of a record's asset: what a destination that joins them is told, and the order in
//! which their jobs are drawn.

use rusqlite::params;

use super::rows::{DIGESTS, StoreError, digest, digests, named, unsigned};
use super::writer::Read;
use crate::domain::asset::ResourceKind;
use crate::domain::file::FileStamp;
use crate::domain::hash::{ContentHash, Digests};
use crate::domain::ids::{AssetId, DestinationId, RecordId};
use crate::domain::path::RelPath;
use crate::domain::target::DestinationKind;

/// The most companions that one transfer is told of; an asset has a handful.
const COMPANIONS_MAX: u32 = 16;

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

impl Read<'_> {
    /// The hashed files of an asset that are not `record`'s own.
    pub fn companions(
        &self,
        destination: DestinationId,
        asset: AssetId,
        record: RecordId,
    ) -> Result<Vec<CompanionRow>, StoreError> {
        let own =
            "SELECT own.file_id FROM attachment own WHERE own.record_id = ?3 AND own.destination_id = ?1";
        let sql = format!(
            "SELECT res.kind, a.primary_file_id = f.id, c.blake3, c.size, s.path, f.dir, f.name, f.size,
               f.mtime_ns, f.ctime_ns, o.receipt, {DIGESTS},
               res.kind = 'sidecar' AND coalesce(res.about_file_id, a.primary_file_id) IN ({own}),
               EXISTS (SELECT 1 FROM resource mine WHERE mine.file_id IN ({own})
                 AND mine.asset_id = a.id AND mine.kind = 'sidecar'
                 AND coalesce(mine.about_file_id, a.primary_file_id) = f.id)
             FROM resource res JOIN asset a ON a.id = res.asset_id JOIN file f ON f.id = res.file_id
             JOIN source s ON s.id = f.source_id JOIN content c ON c.id = f.content_id
             LEFT JOIN attachment t ON t.file_id = f.id AND t.destination_id = ?1
             LEFT JOIN backup_record o ON o.id = t.record_id AND o.state IN ('accepted', 'verified')
             WHERE res.asset_id = ?2 AND f.status = 'ready' AND res.kind IS NOT NULL
               AND t.record_id IS NOT ?3
             ORDER BY f.id LIMIT ?4"
        );
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map(params![destination.0, asset.0, record.0, COMPANIONS_MAX], |row| {
            Ok(CompanionRow {
                kind: named(row, 0, ResourceKind::parse)?,
                is_primary: row.get(1)?,
                content: ContentHash { blake3: digest(row, 2)?, size: unsigned(row, 3)? },
                source_path: row.get(4)?,
                path: RelPath { dir: row.get(5)?, name: row.get(6)? },
                stamp: FileStamp { size: unsigned(row, 7)?, mtime_ns: row.get(8)?, ctime_ns: row.get(9)? },
                receipt: row.get(10)?,
                digests: digests(row, 11)?,
                is_own_sidecar: row.get(15)?,
                is_subject: row.get(16)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Whether a record `r` need not wait for another part of its asset, as SQL. Only destinations that
/// join the parts have an order: the moving half comes before its still, a RAW after the picture it is
/// stacked with, and a sidecar after the file that it is about, which is sent once the sidecar is known. A
/// part that a person has to look at holds up nobody.
pub(super) fn is_its_turn() -> String {
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
