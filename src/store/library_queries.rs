//! The grid's rows: days, their assets, and how each asset stands.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Row, params};

use super::row::{StoreError, parse_name, parse_optional_name, signed, unsigned};
use super::writer::Read;
use crate::api::{AssetRow, Badge, LibraryFilter, PathText, Section};
use crate::domain::accounting::Bin;
use crate::domain::asset::ResourceKind;
use crate::domain::file::FileStatus;
use crate::domain::ids::{AssetId, DestinationId, FileId, SourceId};
use crate::domain::media_type::{MediaClass, MediaType};
use crate::domain::path::join;
use crate::domain::time::Day;

/// The destinations that the files of each source are meant for.
pub(super) type DestinationsBySource = BTreeMap<SourceId, Vec<DestinationId>>;

/// A file of an asset, with an enabled destination that it is meant for.
const SOME_FILE: &str = "SELECT 1 FROM resource r JOIN file f ON f.id = r.file_id
      JOIN consent c ON c.source_id = f.source_id
      JOIN destination d ON d.id = c.destination_id AND d.enabled = 1
    WHERE r.asset_id = a.id";

/// Files with a record in one of these bins at an enabled destination.
const RECORDED: &str = "SELECT r.asset_id FROM backup_record b
      CROSS JOIN attachment t ON t.record_id = b.id
      CROSS JOIN resource r ON r.file_id = t.file_id
      JOIN destination d ON d.id = b.destination_id AND d.enabled = 1
    WHERE b.file_count > 0 AND b.bin <> 'safe' AND b.bin IN";

/// Files meant for an enabled destination.
const MEANT: &str = "EXISTS (SELECT 1 FROM consent c JOIN destination d ON d.id = c.destination_id
      AND d.enabled = 1 WHERE c.source_id = f.source_id)";

/// The condition on `asset a` for one day's rows: looks at each asset in turn.
fn condition(filter: LibraryFilter) -> String {
    match filter {
        LibraryFilter::All => "1".to_owned(),
        LibraryFilter::Photos => "a.class IN ('photo', 'raw')".to_owned(),
        LibraryFilter::Videos => "a.class = 'video'".to_owned(),
        LibraryFilter::NotSafe => format!(
            "EXISTS ({SOME_FILE} AND f.status <> 'excluded' AND NOT EXISTS (SELECT 1 FROM attachment t
               JOIN backup_record b ON b.id = t.record_id WHERE t.destination_id = d.id
               AND t.file_id = f.id AND b.bin IN ('safe', 'excluded')))"
        ),
        LibraryFilter::Attention => format!(
            "EXISTS ({SOME_FILE} AND (f.status = 'problem' OR EXISTS (SELECT 1 FROM attachment t
               JOIN backup_record b ON b.id = t.record_id WHERE t.destination_id = d.id
               AND t.file_id = f.id AND b.bin = 'needs_attention')))"
        ),
        LibraryFilter::DoubtfulDate => "a.date_doubt IS NOT NULL".to_owned(),
    }
}

impl Read<'_> {
    /// Days with assets, newest first.
    pub fn sections(&self, filter: LibraryFilter) -> Result<Vec<Section>, StoreError> {
        let sql = match filter {
            LibraryFilter::All
            | LibraryFilter::Photos
            | LibraryFilter::Videos
            | LibraryFilter::DoubtfulDate => format!(
                "SELECT a.day, count(*) FROM asset a WHERE {} GROUP BY a.day ORDER BY a.day DESC",
                condition(filter)
            ),
            LibraryFilter::NotSafe | LibraryFilter::Attention => format!(
                "SELECT a.day, count(*) FROM asset a WHERE a.id IN ({})
                 GROUP BY a.day ORDER BY a.day DESC",
                self.assets_in_question(filter)?
            ),
        };
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map([], |row| Ok(Section { day: row.get(0)?, assets: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The assets that are not safe or need attention, found from their records' side: however large
    /// the library, this costs what is still to be done.
    fn assets_in_question(&self, filter: LibraryFilter) -> Result<String, StoreError> {
        let with_status = |status: &str| {
            format!(
                " UNION SELECT r.asset_id FROM file f CROSS JOIN resource r ON r.file_id = f.id
                  WHERE f.status = '{status}' AND {MEANT}"
            )
        };
        if filter == LibraryFilter::Attention {
            return Ok(format!("{RECORDED} ('needs_attention') {}", with_status("problem")));
        }
        let mut sql = format!("{RECORDED} ('unproven', 'waiting', 'uploading', 'needs_attention')");
        for status in ["found", "settling", "described", "problem"] {
            sql += &with_status(status);
        }
        // Only for a moment, or while a destination was off, are there ready files without records.
        for destination in self.destinations()?.iter().filter(|row| row.is_enabled) {
            if self.has_unattached(destination.id)? {
                sql += &format!(
                    " UNION SELECT r.asset_id FROM file f JOIN consent c ON c.source_id = f.source_id
                        AND c.destination_id = {id} JOIN resource r ON r.file_id = f.id
                      WHERE f.status = 'ready' AND NOT EXISTS (SELECT 1 FROM attachment t
                        WHERE t.destination_id = {id} AND t.file_id = f.id)",
                    id = destination.id
                );
            }
        }
        Ok(sql)
    }

    /// Whether some ready file that is meant for a destination has no record there yet.
    pub(super) fn has_unattached(&self, destination: DestinationId) -> Result<bool, StoreError> {
        let sql = "SELECT (SELECT coalesce(sum(files), 0) FROM file_count JOIN consent USING (source_id)
              WHERE destination_id = ?1 AND status = 'ready')
            > (SELECT coalesce(sum(files), 0) FROM bin_count WHERE destination_id = ?1)";
        Ok(self.conn.prepare_cached(sql)?.query_row([destination.0], |row| row.get(0))?)
    }

    /// A day's assets, newest first.
    pub fn assets(
        &self,
        day: Day,
        offset: u32,
        limit: u32,
        filter: LibraryFilter,
    ) -> Result<Vec<AssetRow>, StoreError> {
        let sql = format!(
            "SELECT a.id FROM asset a WHERE a.day = ?1 AND {}
             ORDER BY a.captured_ms DESC, a.id DESC LIMIT ?2 OFFSET ?3",
            condition(filter)
        );
        let mut query = self.conn.prepare_cached(&sql)?;
        let ids = query.query_map(params![day.0, limit, offset], |row| row.get(0).map(AssetId))?;
        let ids: Vec<AssetId> = ids.collect::<Result<_, _>>()?;
        let meant = self.meant()?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(self.asset_row(id, &meant)?);
        }
        Ok(rows)
    }

    /// The enabled destinations that each source is consented to.
    pub(super) fn meant(&self) -> Result<DestinationsBySource, StoreError> {
        let sql = "SELECT c.source_id, d.id FROM consent c JOIN destination d ON d.id = c.destination_id
            WHERE d.enabled = 1 ORDER BY 1, 2";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        let mut meant = DestinationsBySource::new();
        while let Some(row) = rows.next()? {
            meant.entry(SourceId(row.get(0)?)).or_default().push(DestinationId(row.get(1)?));
        }
        Ok(meant)
    }

    /// One cell of the grid; none for an asset that has gone.
    pub(super) fn asset_row(
        &self,
        id: AssetId,
        meant: &DestinationsBySource,
    ) -> Result<Option<AssetRow>, StoreError> {
        let sql = "SELECT a.id, s.path, f.dir, f.name, r.media_type, a.captured_ms, r.width, r.height,
              r.orientation, f.size, f.mtime_ns, f.source_id
            FROM asset a JOIN file f ON f.id = a.primary_file_id JOIN source s ON s.id = f.source_id
            JOIN resource r ON r.file_id = f.id WHERE a.id = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let found = query.query_row([id.0], |row| Ok((cell(row)?, SourceId(row.get(11)?)))).optional()?;
        let Some((mut cell, source)) = found else {
            return Ok(None);
        };
        let meant = meant.get(&source).map(Vec::as_slice).unwrap_or_default();
        let sql =
            "SELECT f.id, f.status, r.kind, r.media_type FROM resource r JOIN file f ON f.id = r.file_id
            WHERE r.asset_id = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut parts = query.query([id.0])?;
        let mut worst = None;
        while let Some(part) = parts.next()? {
            let status = parse_name(part, 1, FileStatus::parse)?;
            let kind = parse_optional_name(part, 2, ResourceKind::parse)?;
            cell.is_live |= kind == Some(ResourceKind::PairedVideo);
            cell.has_raw |= parse_name(part, 3, MediaType::parse)?.class() == MediaClass::Raw;
            for destination in meant {
                let bin = self.bin_of(FileId(part.get(0)?), status, *destination)?;
                worst = worst.max(Some(rank(bin)));
            }
        }
        cell.badge = badge(worst);
        Ok(Some(cell))
    }

    /// The bin of a file at a destination it is meant for.
    pub(super) fn bin_of(
        &self,
        file: FileId,
        status: FileStatus,
        destination: DestinationId,
    ) -> Result<Bin, StoreError> {
        Ok(match status {
            FileStatus::Excluded => Bin::Excluded,
            FileStatus::Problem => Bin::NeedsAttention,
            FileStatus::Found | FileStatus::Settling | FileStatus::Described => Bin::Waiting,
            FileStatus::Ready => {
                let sql = "SELECT b.bin FROM attachment t JOIN backup_record b ON b.id = t.record_id
                    WHERE t.destination_id = ?1 AND t.file_id = ?2";
                let mut query = self.conn.prepare_cached(sql)?;
                let values = params![destination.0, file.0];
                query
                    .query_row(values, |row| parse_name(row, 0, Bin::parse))
                    .optional()?
                    .unwrap_or(Bin::Waiting)
            }
        })
    }
}

fn cell(row: &Row<'_>) -> rusqlite::Result<AssetRow> {
    let root: Vec<u8> = row.get(1)?;
    let (dir, name): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
    let path = absolute(&root, &dir, &name);
    let media_type = parse_name(row, 4, MediaType::parse)?;
    let size = unsigned(row, 9)?;
    let pixels: (Option<u32>, Option<u32>) = (row.get(6)?, row.get(7)?);
    let is_turned = row.get::<_, u8>(8)? >= 5;
    let dimensions = pixels.0.zip(pixels.1).map(|(w, h)| if is_turned { (h, w) } else { (w, h) });
    Ok(AssetRow {
        id: row.get(0)?,
        cache_key: cache_key(&path, size, row.get(10)?),
        path: PathText::from_bytes(&path),
        media_type: media_type.as_str().to_owned(),
        captured_wall_ms: row.get(5)?,
        dimensions,
        size,
        badge: Badge::None,
        is_live: false,
        has_raw: false,
        is_video: media_type.class() == MediaClass::Video,
    })
}

/// The absolute path of a file.
pub(super) fn absolute(root: &[u8], dir: &[u8], name: &[u8]) -> Vec<u8> {
    let root = root.strip_suffix(b"/").unwrap_or(root);
    [root, b"/", &join(dir, name)].concat()
}

/// Changes with the version of the picture, and not when its bytes become known.
fn cache_key(path: &[u8], size: u64, mtime_ns: i64) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&signed(size).to_le_bytes());
    hasher.update(&mtime_ns.to_le_bytes());
    hasher.update(path);
    let hex = hasher.finalize().to_hex();
    hex.as_str()[..32].to_owned()
}

/// How bad a bin is for the asset's badge. Files that are left out count only when all are.
fn rank(bin: Bin) -> u8 {
    match bin {
        Bin::Excluded => 0,
        Bin::Safe => 1,
        Bin::Unproven => 2,
        Bin::Waiting => 3,
        Bin::Uploading => 4,
        Bin::NeedsAttention => 5,
    }
}

fn badge(worst: Option<u8>) -> Badge {
    match worst {
        None => Badge::None,
        Some(0) => Badge::Excluded,
        Some(1) => Badge::Safe,
        Some(2) => Badge::Unproven,
        Some(3) => Badge::Waiting,
        Some(4) => Badge::Uploading,
        Some(_) => Badge::Attention,
    }
}
