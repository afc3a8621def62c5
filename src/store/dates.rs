//! When assets were captured: by their own files, by their sidecars, and by later releases that read more.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, Row, params};

use super::assets::AssetPart;
use super::files::{FileToRead, TO_READ, file_to_read};
use super::group_key::GroupKey;
use super::row::{StoreError, parse_optional_name, signed};
use super::writer::{Read, Write};
use crate::domain::asset::{
    CapturedAt, DateDoubt, DateSource, FACTS_VERSION, Facts, FoundDate, ResourceKind,
};
use crate::domain::file::FileStamp;
use crate::domain::grouping::Group;
use crate::domain::ids::{FileId, SourceId};
use crate::domain::time::UnixMillis;

/// A date from its columns: time, offset, source and doubt.
pub(super) fn found_date(row: &Row<'_>, first: usize) -> rusqlite::Result<FoundDate> {
    let source = parse_optional_name(row, first + 2, DateSource::parse)?.unwrap_or(DateSource::Metadata);
    let captured_at = CapturedAt {
        wall_ms: UnixMillis(row.get(first)?),
        offset_minutes: row.get(first + 1)?,
        provenance: source.provenance(),
    };
    Ok(FoundDate { captured_at, source, doubt: parse_optional_name(row, first + 3, DateDoubt::parse)? })
}

/// The date of an asset: its primary's own, or that of a sidecar of it where that is better.
pub(super) fn asset_date(
    group: &Group,
    primary: &AssetPart,
    by_id: &BTreeMap<FileId, &AssetPart>,
) -> FoundDate {
    let sidecars = || group.parts.iter().filter(|part| part.kind == ResourceKind::Sidecar);
    // The sidecar of the RAW tells of the same shot, after those that are about the primary itself.
    let ordered = sidecars().filter(|part| part.of == primary.id).chain(sidecars());
    let dates = ordered.filter_map(|part| by_id.get(&part.file)?.date.of_sidecar());
    dates.fold(primary.date, FoundDate::or_better)
}

/// Files whose heads an earlier release read. Those that wait at some destination without a key come in
/// the order in which they will be sent, as their keys are to have the better date; then all others.
fn to_refresh_sql() -> [String; 2] {
    let is_known = "(f.status = 'described' OR f.status = 'ready'
        OR f.status = 'excluded' AND f.reason = 'lone_sidecar')";
    let join = |from: &str| TO_READ.replace("FROM file f", from);
    let wanted = join(&format!(
        "FROM backup_record b CROSS JOIN attachment t ON t.record_id = b.id
        CROSS JOIN resource r ON r.file_id = t.file_id AND r.facts_version < {FACTS_VERSION}
        CROSS JOIN file f ON f.id = t.file_id"
    ));
    let known = join("FROM resource r INDEXED BY resource_outdated CROSS JOIN file f ON f.id = r.file_id");
    [
        format!(
            "SELECT {wanted} WHERE b.destination_id = ?2 AND b.state = 'wanted' AND b.file_count > 0
             AND b.key IS NULL AND {is_known} ORDER BY b.captured_ms DESC, b.id DESC LIMIT ?1"
        ),
        format!(
            "SELECT {known} WHERE r.facts_version < {FACTS_VERSION} AND {is_known} ORDER BY r.file_id LIMIT ?1"
        ),
    ]
}

#[cfg(test)]
pub(super) fn every_sql() -> [String; 2] {
    to_refresh_sql()
}

impl Read<'_> {
    /// Files whose heads an earlier release read and this one reads better, of sources that are there.
    pub fn next_to_refresh(&self, limit: u32) -> Result<Vec<FileToRead>, StoreError> {
        if !self.has_outdated()? {
            return Ok(Vec::new());
        }
        let [wanted, known] = to_refresh_sql();
        let mut files = Vec::new();
        let ids = "SELECT id FROM destination WHERE enabled = 1";
        let mut destinations = self.conn.prepare_cached(ids)?;
        let ids = destinations.query_map([], |row| row.get::<_, i64>(0))?;
        for destination in ids.collect::<Result<Vec<_>, _>>()? {
            let mut query = self.conn.prepare_cached(&wanted)?;
            let rows = query.query_map(params![limit, destination], file_to_read)?;
            files.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        let mut seen = BTreeSet::new();
        files.retain(|file: &FileToRead| seen.insert(file.id));
        if files.is_empty() { self.files_to_read(&known, limit) } else { Ok(files) }
    }

    /// Whether some file's head was read by an earlier release only.
    pub(crate) fn has_outdated(&self) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM resource WHERE facts_version < {FACTS_VERSION})");
        Ok(self.conn.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
    }
}

impl Write<'_> {
    /// Keeps what another look at a described file told. The file stays where it stands.
    pub(super) fn set_refreshed(
        &self,
        file: FileId,
        stamp: FileStamp,
        facts: Option<&Facts>,
        keys: &mut BTreeSet<GroupKey>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE resource SET facts_version = ?5 WHERE file_id = ?1 AND EXISTS (
              SELECT 1 FROM file WHERE id = ?1 AND size = ?2 AND mtime_ns = ?3 AND ctime_ns = ?4
                AND (status = 'described' OR status = 'ready'
                  OR status = 'excluded' AND reason = 'lone_sidecar'))";
        let values = params![file.0, signed(stamp.size), stamp.mtime_ns, stamp.ctime_ns, FACTS_VERSION];
        if self.conn.prepare_cached(sql)?.execute(values)? == 0 {
            return Ok(false);
        }
        if let Some(facts) = facts {
            self.keep_facts(file, facts, keys)?;
        }
        // What waited for this look may be drawn now.
        let sql = "SELECT f.source_id FROM file f WHERE f.id = ?1 AND EXISTS (
              SELECT 1 FROM attachment t JOIN backup_record b ON b.id = t.record_id
              WHERE t.file_id = ?1 AND b.key IS NULL)";
        let waiting: Option<i64> =
            self.conn.prepare_cached(sql)?.query_row([file.0], |row| row.get(0)).optional()?;
        if let Some(source) = waiting {
            self.note_ready(file, SourceId(source))?;
        }
        Ok(true)
    }

    /// Gives an asset's date to what is not backed up yet: the primary's place in the order of hashing,
    /// and records that have no key. A key once given stays, and so does its record.
    pub(super) fn apply_asset_date(
        &self,
        group: &Group,
        primary: &AssetPart,
        date: FoundDate,
    ) -> Result<(), StoreError> {
        let captured = date.captured_at;
        let sql = "UPDATE file SET captured_ms = ?2 WHERE id = ?1 AND captured_ms IS NOT ?2";
        self.conn.prepare_cached(sql)?.execute(params![primary.id.0, captured.wall_ms.0])?;
        let sql = "UPDATE backup_record SET captured_ms = ?2, offset_minutes = ?3, provenance = ?4
            WHERE key IS NULL AND id IN (SELECT record_id FROM attachment WHERE file_id = ?1)
              AND (captured_ms <> ?2 OR offset_minutes IS NOT ?3 OR provenance <> ?4)";
        let mut update = self.conn.prepare_cached(sql)?;
        for part in &group.parts {
            let id = part.file;
            let provenance = captured.provenance.as_str();
            update.execute(params![id.0, captured.wall_ms.0, captured.offset_minutes, provenance])?;
        }
        Ok(())
    }

    /// As if an earlier release had described all files.
    #[cfg(test)]
    pub(crate) fn set_all_outdated(&self) -> Result<(), StoreError> {
        self.conn.execute("UPDATE resource SET facts_version = 0", [])?;
        Ok(())
    }
}
