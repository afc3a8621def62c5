//! The ledger: what is wanted where, under which key, and what is known of the copy.

use rusqlite::{OptionalExtension as _, params};

use super::row::{StoreError, digest, digests, parse_name, parse_optional_name, signed, unsigned};
use super::writer::{Read, Write};
use crate::domain::asset::{CapturedAt, DateSource, Provenance, ResourceKind};
use crate::domain::hash::{Blake3, ContentHash, Digests};
use crate::domain::ids::{ContentId, DestinationId, FileId, RecordId};
use crate::domain::key;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::ManifestEntry;

/// What asking for a file at a destination came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A record of these bytes exists for this file now; it was not the file's before.
    Recorded(RecordId),
    /// The file had this record already; nothing was changed.
    Known(RecordId),
    /// The file, or the primary it goes beside, is not known yet; it is asked for again when it is.
    NotReady,
}

/// What a ready file says about the record it needs.
struct RecordSpec {
    content: ContentId,
    size: u64,
    beside: i64,
    kind: ResourceKind,
    captured_at: CapturedAt,
    origin_source: String,
    origin_path: Vec<u8>,
    mtime_ns: i64,
}

/// What a record is about, for keys and manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFacts {
    /// The record.
    pub id: RecordId,
    /// Its bytes.
    pub content: ContentHash,
    /// What else is known of those bytes.
    pub digests: Digests,
    /// The part it plays.
    pub kind: ResourceKind,
    /// When it was captured.
    pub captured_at: CapturedAt,
    /// The source folder's name.
    pub origin_source: String,
    /// Where it was below the source when it was first wanted.
    pub origin_path: Vec<u8>,
    /// The original's modification time.
    pub origin_mtime_ns: i64,
    /// Its key, once it has one.
    pub key: Option<String>,
    /// What the destination said of the copy.
    pub receipt: Option<String>,
}

fn captured(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<CapturedAt> {
    Ok(CapturedAt {
        wall_ms: UnixMillis(row.get(first)?),
        offset_minutes: row.get(first + 1)?,
        provenance: parse_name(row, first + 2, Provenance::parse)?,
    })
}

pub(super) const FACTS: &str =
    "r.id, c.blake3, c.size, r.kind, r.captured_ms, r.offset_minutes, r.provenance,
    r.origin_source, r.origin_path, r.origin_mtime_ns, r.key, r.receipt, c.sha1, c.sha256, c.md5,
    c.crc64nvme";

pub(super) fn facts_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RecordFacts> {
    Ok(RecordFacts {
        id: RecordId(row.get(0)?),
        content: ContentHash { blake3: digest(row, 1)?, size: unsigned(row, 2)? },
        kind: parse_name(row, 3, ResourceKind::parse)?,
        captured_at: captured(row, 4)?,
        origin_source: row.get(7)?,
        origin_path: row.get(8)?,
        origin_mtime_ns: row.get(9)?,
        key: row.get(10)?,
        receipt: row.get(11)?,
        digests: digests(row, 12)?,
    })
}

/// The content that a file `f` goes beside, as SQL: 0 for what goes by itself, none while it is not
/// known.
fn beside() -> String {
    let kinds = ResourceKind::ALL.into_iter().filter(|kind| kind.is_companion());
    let kinds: Vec<String> = kinds.map(|kind| format!("'{}'", kind.as_str())).collect();
    let kinds = kinds.join(", ");
    format!(
        "(SELECT CASE WHEN own.kind IN ({kinds}) AND o.primary_file_id <> f.id THEN p.content_id ELSE 0 END
          FROM resource own JOIN asset o ON o.id = own.asset_id
            JOIN file p ON p.id = coalesce(own.about_file_id, o.primary_file_id)
          WHERE own.file_id = f.id)"
    )
}

/// CROSS: the files in their order come first. Taken source by source, every page would sort them all.
fn unattached_sql() -> String {
    format!(
        "SELECT f.id FROM file f CROSS JOIN consent c ON c.source_id = f.source_id AND c.destination_id = ?1
        WHERE f.id > ?2 AND f.status = 'ready'
          AND NOT EXISTS (
            SELECT 1 FROM attachment a JOIN backup_record b ON b.id = a.record_id
            WHERE a.file_id = f.id AND a.destination_id = ?1 AND b.beside_id = coalesce({}, b.beside_id))
        ORDER BY f.id LIMIT ?3",
        beside()
    )
}

/// What runs for every page of a full look, and must never sort or read a table from end to end.
#[cfg(test)]
pub(super) fn every_sql() -> [String; 1] {
    [unattached_sql()]
}

impl RecordFacts {
    /// The record as a line of the manifest; none before it has a key.
    pub fn manifest_entry(&self) -> Option<ManifestEntry> {
        Some(ManifestEntry {
            key: self.key.clone()?,
            content: self.content,
            captured_at: Some(self.captured_at),
            source: self.origin_source.clone(),
            path: self.origin_path.clone(),
            mtime: UnixMillis(self.origin_mtime_ns.div_euclid(1_000_000)),
        })
    }
}

impl Read<'_> {
    fn need(&self, file: FileId) -> Result<Option<RecordSpec>, StoreError> {
        // A picture's whole asset is foldered by its date, which is its primary's or a sidecar's.
        let sql = "SELECT f.content_id, f.size, r.kind, a.captured_ms, a.offset_minutes, a.date_source,
              s.path, f.dir, f.name, f.mtime_ns, a.primary_file_id, sf.content_id
            FROM file f JOIN source s ON s.id = f.source_id
            JOIN resource r ON r.file_id = f.id
            JOIN asset a ON a.id = r.asset_id
            JOIN file sf ON sf.id = coalesce(r.about_file_id, a.primary_file_id)
            WHERE f.id = ?1 AND f.status = 'ready'";
        let need = self.conn.prepare_cached(sql)?.query_row([file.0], |row| {
            let kind = parse_optional_name(row, 2, ResourceKind::parse)?.unwrap_or(ResourceKind::Photo);
            let is_primary = row.get::<_, i64>(10)? == file.0;
            let beside = if kind.is_companion() && !is_primary { row.get(11)? } else { Some(0) };
            let Some(beside) = beside else {
                return Ok(None);
            };
            let source: Vec<u8> = row.get(6)?;
            let label = source.rsplit(|b| *b == b'/').next().unwrap_or_default();
            let (dir, name): (Vec<u8>, Vec<u8>) = (row.get(7)?, row.get(8)?);
            Ok(Some(RecordSpec {
                content: ContentId(row.get(0)?),
                size: unsigned(row, 1)?,
                beside,
                kind,
                captured_at: CapturedAt {
                    wall_ms: UnixMillis(row.get(3)?),
                    offset_minutes: row.get(4)?,
                    provenance: parse_name(row, 5, DateSource::parse)?.provenance(),
                },
                origin_source: String::from_utf8_lossy(label).into_owned(),
                origin_path: crate::domain::path::join(&dir, &name),
                mtime_ns: row.get(9)?,
            }))
        });
        Ok(need.optional()?.flatten())
    }

    /// Ready files of consented sources that no record of the destination is for, or only one beside
    /// another picture, after `after` by id: what a full look has to want.
    pub fn unattached(
        &self,
        destination: DestinationId,
        after: FileId,
        limit: u32,
    ) -> Result<Vec<FileId>, StoreError> {
        let mut query = self.conn.prepare_cached(&unattached_sql())?;
        let rows = query.query_map(params![destination.0, after.0, limit], |row| row.get(0).map(FileId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a source's files may go to a destination.
    pub fn is_consented(&self, file: FileId, destination: DestinationId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM file f JOIN consent c ON c.source_id = f.source_id
            WHERE f.id = ?1 AND c.destination_id = ?2)";
        Ok(self.conn.prepare_cached(sql)?.query_row(params![file.0, destination.0], |row| row.get(0))?)
    }

    /// What a record is about.
    pub fn record_facts(&self, id: RecordId) -> Result<Option<RecordFacts>, StoreError> {
        let sql = format!(
            "SELECT {FACTS} FROM backup_record r JOIN content c ON c.id = r.content_id WHERE r.id = ?1"
        );
        Ok(self.conn.prepare_cached(&sql)?.query_row([id.0], facts_row).optional()?)
    }

    /// How many jobs for this record have failed running.
    pub fn jobs_failed(&self, id: RecordId) -> Result<u32, StoreError> {
        let sql = "SELECT jobs_failed FROM backup_record WHERE id = ?1";
        Ok(self.conn.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?.unwrap_or(0))
    }
}

impl Write<'_> {
    /// Makes sure that a record asks for this file's bytes at the destination, and that the file is
    /// attached to it. `token` names the temp file of a new record.
    pub fn want(&self, destination: DestinationId, file: FileId, token: u64) -> Result<Wanted, StoreError> {
        let Some(need) = self.need(file)? else {
            return Ok(Wanted::NotReady);
        };
        if !self.is_consented(file, destination)? {
            return Ok(Wanted::NotReady);
        }
        let record = self.record_for(destination, file, &need, token)?;
        let sql = "SELECT record_id FROM attachment WHERE destination_id = ?1 AND file_id = ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        let attached: Option<i64> =
            query.query_row(params![destination.0, file.0], |row| row.get(0)).optional()?;
        if attached == Some(record.0) {
            return Ok(Wanted::Known(record));
        }
        if attached.is_some() {
            let sql = "DELETE FROM attachment WHERE destination_id = ?1 AND file_id = ?2";
            self.conn.prepare_cached(sql)?.execute(params![destination.0, file.0])?;
        }
        let sql = "INSERT INTO attachment SELECT ?1, id, ?3, source_id FROM file WHERE id = ?2";
        self.conn.prepare_cached(sql)?.execute(params![destination.0, file.0, record.0])?;
        Ok(Wanted::Recorded(record))
    }

    fn record_for(
        &self,
        destination: DestinationId,
        file: FileId,
        need: &RecordSpec,
        token: u64,
    ) -> Result<RecordId, StoreError> {
        let sql = "SELECT id, state FROM backup_record
            WHERE destination_id = ?1 AND content_id = ?2 AND beside_id = ?3";
        let mut query = self.conn.prepare_cached(sql)?;
        let found: Option<(i64, String)> = query
            .query_row(params![destination.0, need.content.0, need.beside], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let found = match found {
            None => self.rebind(destination, file, need)?,
            found => found,
        };
        if let Some((id, state)) = found {
            if state == "superseded" {
                let sql = "UPDATE backup_record SET state = 'wanted', bin = CASE
                        WHEN EXISTS (SELECT 1 FROM upload_job j WHERE j.record_id = backup_record.id AND j.state = 'pending')
                        THEN 'uploading' ELSE 'waiting' END,
                      jobs_failed = 0, failure_kind = NULL, failure_reach = NULL, failure_cause = NULL, failure_details = NULL, next_eligible_ms = NULL
                    WHERE id = ?1";
                self.conn.prepare_cached(sql)?.execute([id])?;
                self.rename_unkeyed(id, need)?;
            }
            return Ok(RecordId(id));
        }
        let sql = "INSERT INTO backup_record (destination_id, content_id, beside_id, size, kind, captured_ms,
              offset_minutes, provenance, origin_source, origin_path, origin_mtime_ns, state, bin, token)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'wanted', 'waiting', ?12)";
        self.conn.prepare_cached(sql)?.execute(params![
            destination.0,
            need.content.0,
            need.beside,
            signed(need.size),
            need.kind.as_str(),
            need.captured_at.wall_ms.0,
            need.captured_at.offset_minutes,
            need.captured_at.provenance.as_str(),
            need.origin_source,
            need.origin_path,
            need.mtime_ns,
            token.cast_signed()
        ])?;
        Ok(RecordId(self.conn.last_insert_rowid()))
    }

    /// A record without a key is named after the file that wants it now.
    fn rename_unkeyed(&self, id: i64, need: &RecordSpec) -> Result<(), StoreError> {
        let sql = "UPDATE backup_record SET captured_ms = ?2, offset_minutes = ?3, provenance = ?4,
              origin_source = ?5, origin_path = ?6, origin_mtime_ns = ?7 WHERE id = ?1 AND key IS NULL";
        self.conn.prepare_cached(sql)?.execute(params![
            id,
            need.captured_at.wall_ms.0,
            need.captured_at.offset_minutes,
            need.captured_at.provenance.as_str(),
            need.origin_source,
            need.origin_path,
            need.mtime_ns
        ])?;
        Ok(())
    }

    /// Binds a copy that is there, or on its way, to what its file goes beside now; so a file that
    /// becomes a companion, or no longer is one, is never sent again. That is the record which this
    /// file alone has, or else one of a rebuilt ledger, which knows a companion's copy but not what it
    /// goes beside: the first file that needs those bytes tells.
    fn rebind(
        &self,
        destination: DestinationId,
        file: FileId,
        need: &RecordSpec,
    ) -> Result<Option<(i64, String)>, StoreError> {
        let own = "id = (SELECT record_id FROM attachment WHERE destination_id = ?1 AND file_id = ?5)
              AND content_id = ?2 AND file_count = 1";
        let adopted = "destination_id = ?1 AND content_id = ?2 AND beside_id = 0 AND file_count = 0
              AND state = 'accepted' AND receipt = '' AND ?3 <> 0 AND ?5 IS NOT NULL";
        for which in [own, adopted] {
            let sql = format!(
                "UPDATE backup_record SET beside_id = ?3, kind = ?4 WHERE {which} RETURNING id, state"
            );
            let mut rebind = self.conn.prepare_cached(&sql)?;
            let values = params![destination.0, need.content.0, need.beside, need.kind.as_str(), file.0];
            let row = rebind.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            if row.is_some() {
                return Ok(row);
            }
        }
        Ok(None)
    }

    /// Notes that a manifest segment lists these copies, and that its number is used.
    pub fn set_listed(
        &self,
        destination: DestinationId,
        records: &[RecordId],
        next: u64,
    ) -> Result<(), StoreError> {
        let mut update =
            self.conn.prepare_cached("UPDATE backup_record SET is_manifested = 1 WHERE id = ?1")?;
        for record in records {
            update.execute([record.0])?;
        }
        let sql = "UPDATE destination SET manifest_next = max(manifest_next, ?2) WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute(params![destination.0, signed(next)])?;
        Ok(())
    }

    /// Takes a manifest's entry into the ledger of a rebuilt database: the destination said once
    /// that it holds these bytes, which an audit or the next backup proves again. Says whether it was
    /// news.
    pub fn adopt(
        &self,
        destination: DestinationId,
        entry: &ManifestEntry,
        token: u64,
    ) -> Result<bool, StoreError> {
        let ContentHash { blake3: Blake3(hash), size } = entry.content;
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO content (blake3, size) VALUES (?1, ?2)")?
            .execute(params![hash, signed(size)])?;
        let captured_at = entry.captured_at.unwrap_or(CapturedAt {
            wall_ms: entry.mtime,
            offset_minutes: None,
            provenance: Provenance::ModifiedTime,
        });
        let sql = "INSERT OR IGNORE INTO backup_record (destination_id, content_id, size, kind, captured_ms,
              offset_minutes, provenance, origin_source, origin_path, origin_mtime_ns, state, bin, token, key,
              key_fold, receipt, is_manifested)
            SELECT ?1, id, size, 'photo', ?4, ?5, ?6, ?7, ?8, ?9, 'accepted', 'unproven', ?10, ?11, ?12, '', 1
            FROM content WHERE blake3 = ?2 AND size = ?3";
        let added = self.conn.prepare_cached(sql)?.execute(params![
            destination.0,
            hash,
            signed(size),
            captured_at.wall_ms.0,
            captured_at.offset_minutes,
            captured_at.provenance.as_str(),
            entry.source,
            entry.path,
            entry.mtime.0.saturating_mul(1_000_000),
            token.cast_signed(),
            entry.key,
            key::fold(&entry.key)
        ])?;
        if added > 0 {
            self.add_name_group_of(RecordId(self.conn.last_insert_rowid()))?;
        }
        Ok(added > 0)
    }
}
