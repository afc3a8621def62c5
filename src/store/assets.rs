//! What looking at files told of them, and the assets they make together.
//!
//! Only files that share a group key can share an asset, so every change regroups one key at a
//! time, in the transaction that makes it. A result is written only while its file still is the
//! version that was looked at.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, Row, params};

use super::dates::{asset_date, found_date};
use super::file_inspection::{FileInspection, InspectionOutcome};
use super::group_key::{GroupKey, group_key};
use super::row::{StoreError, parse_name, parse_optional_name, signed};
use super::writer::Write;
use crate::base::mutant::{self, Mutant};
use crate::domain::asset::{DateDoubt, DateSource, FACTS_VERSION, Facts, FoundDate, ResourceKind};
use crate::domain::file::{ExcludeReason, FileStamp, FileStatus};
use crate::domain::grouping::{self, Group, Member};
use crate::domain::hash::Hashed;
use crate::domain::ids::{AssetId, FileId, SourceId};
use crate::domain::media_type::{MediaClass, MediaType};
use crate::domain::time::UnixMillis;

/// A file of a key, with the part it plays until now.
pub(super) struct AssetPart {
    pub(super) id: FileId,
    source: i64,
    dir: Vec<u8>,
    name: Vec<u8>,
    status: FileStatus,
    is_sound: bool,
    media_type: MediaType,
    content_identifier: Option<String>,
    /// What its own file says.
    pub(super) date: FoundDate,
    kind: Option<ResourceKind>,
    asset: Option<AssetId>,
    primary: Option<FileId>,
    changed_at: UnixMillis,
    duration_ms: Option<u64>,
    is_outdated: bool,
    about: Option<FileId>,
}

impl AssetPart {
    fn member(&self) -> Member<'_> {
        // A time of change confirms and never denies; a clock that was never set says nothing.
        let is_stated = matches!(self.date.source, DateSource::Metadata | DateSource::FileName)
            && self.date.doubt.is_none();
        Member {
            id: self.id,
            name: &self.name,
            media_type: self.media_type,
            content_identifier: self.content_identifier.as_deref(),
            stated: is_stated.then_some(self.date.captured_at),
            changed_at: self.changed_at,
            duration_ms: self.duration_ms,
            asset: self.asset,
            is_outdated: self.is_outdated,
        }
    }
}

fn part(row: &Row<'_>) -> rusqlite::Result<AssetPart> {
    let status = parse_name(row, 2, FileStatus::parse)?;
    let reason: Option<String> = row.get(3)?;
    let is_lone = reason.as_deref() == Some(ExcludeReason::LoneSidecar.as_str());
    Ok(AssetPart {
        id: FileId(row.get(0)?),
        name: row.get(1)?,
        status,
        is_sound: match status {
            FileStatus::Found | FileStatus::Settling | FileStatus::Described | FileStatus::Ready => true,
            FileStatus::Excluded => is_lone,
            FileStatus::Problem => false,
        },
        media_type: parse_name(row, 4, MediaType::parse)?,
        content_identifier: row.get(5)?,
        date: found_date(row, 6)?,
        kind: parse_optional_name(row, 10, ResourceKind::parse)?,
        asset: row.get::<_, Option<i64>>(11)?.map(AssetId),
        primary: row.get::<_, Option<i64>>(12)?.map(FileId),
        source: row.get(13)?,
        dir: row.get(14)?,
        changed_at: UnixMillis(row.get::<_, i64>(15)?.div_euclid(1_000_000)),
        duration_ms: row.get::<_, Option<i64>>(16)?.map(i64::unsigned_abs),
        is_outdated: row.get::<_, u32>(17)? < FACTS_VERSION,
        about: row.get::<_, Option<i64>>(18)?.map(FileId),
    })
}

/// The assets that the files of one key make.
///
/// A file that cannot be backed up, or that the person left out, stands alone: nothing may wait
/// for its bytes.
fn group_parts(parts: &[AssetPart]) -> Vec<Group> {
    let sound: Vec<Member<'_>> = parts.iter().filter(|part| part.is_sound).map(AssetPart::member).collect();
    let mut groups = grouping::group(&sound).groups;
    groups.extend(parts.iter().filter(|part| !part.is_sound).filter_map(|part| {
        let kind = match part.media_type.class() {
            MediaClass::Photo | MediaClass::Raw => ResourceKind::Photo,
            MediaClass::Video => ResourceKind::Video,
            MediaClass::Sidecar => return None,
        };
        Some(Group::of_one(part.id, kind))
    }));
    groups
}

impl Write<'_> {
    /// Keeps what looks at files came to. A look at a version that is no longer the known one
    /// counts for nothing. Returns how many counted.
    pub fn record_looks(&self, looks: &[FileInspection]) -> Result<usize, StoreError> {
        let mut counted = 0;
        let mut keys = BTreeSet::new();
        for look in looks {
            let FileInspection { file, stamp, found } = look;
            let is_kept = match found {
                InspectionOutcome::Facts(facts) => self.set_described(*file, *stamp, facts, &mut keys)?,
                InspectionOutcome::Refreshed(facts) => {
                    self.set_refreshed(*file, *stamp, facts.as_deref(), &mut keys)?
                }
                InspectionOutcome::Content(hashed) => self.set_ready(*file, *stamp, *hashed)?,
                InspectionOutcome::Excluded(reason) => self.exclude_file(look, *reason, None, &mut keys)?,
                InspectionOutcome::Unseen(details) => {
                    self.exclude_file(look, ExcludeReason::NotMedia, Some(details), &mut keys)?
                }
                InspectionOutcome::Problem(problem, details) => {
                    let is_kept =
                        self.reset_status(*file, *stamp, "problem", Some(problem.as_str()), Some(details))?;
                    keys.extend(self.group_key_of(*file)?);
                    is_kept
                }
                InspectionOutcome::Settled => self.reset_status(*file, *stamp, "found", None, None)?,
                InspectionOutcome::Changed(now, until) => {
                    let is_kept = self.set_settling(*file, *stamp, *now, *until)?;
                    keys.extend(self.group_key_of(*file)?);
                    is_kept
                }
            };
            counted += usize::from(is_kept);
        }
        self.regroup(&keys)?;
        Ok(counted)
    }

    fn exclude_file(
        &self,
        look: &FileInspection,
        reason: ExcludeReason,
        details: Option<&str>,
        keys: &mut BTreeSet<GroupKey>,
    ) -> Result<bool, StoreError> {
        let is_kept = self.reset_status(look.file, look.stamp, "excluded", Some(reason.as_str()), details)?;
        if is_kept {
            keys.extend(self.delete_facts(look.file)?);
        }
        Ok(is_kept)
    }

    fn set_described(
        &self,
        file: FileId,
        stamp: FileStamp,
        facts: &Facts,
        keys: &mut BTreeSet<GroupKey>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE file SET status = 'described', captured_ms = ?5, reason = NULL, details = NULL
            WHERE id = ?1 AND size = ?2 AND mtime_ns = ?3 AND ctime_ns = ?4
              AND (status = 'found' OR status = 'problem'
                OR status = 'excluded' AND reason = 'not_media' AND details IS NOT NULL)";
        let captured_ms = facts.date.captured_at.wall_ms.0;
        let values = params![file.0, signed(stamp.size), stamp.mtime_ns, stamp.ctime_ns, captured_ms];
        // Asked for apart: RETURNING would set up a table of its own for each row.
        if self.conn.prepare_cached(sql)?.execute(values)? == 0 {
            return Ok(false);
        }
        self.keep_facts(file, facts, keys)?;
        Ok(true)
    }

    pub(super) fn keep_facts(
        &self,
        file: FileId,
        facts: &Facts,
        keys: &mut BTreeSet<GroupKey>,
    ) -> Result<(), StoreError> {
        let FoundDate { captured_at: captured, source, doubt } = facts.date;
        let sql = "SELECT source_id, dir, name FROM file WHERE id = ?1";
        let key = self.conn.prepare_cached(sql)?.query_row([file.0], group_key)?;
        let sql = "INSERT INTO resource (file_id, media_type, is_mismatch, captured_ms, offset_minutes,
              provenance, width, height, orientation, camera, content_identifier, group_hash, duration_ms,
              facts_version, date_source, date_doubt)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
            ON CONFLICT (file_id) DO UPDATE SET media_type = excluded.media_type,
              is_mismatch = excluded.is_mismatch, captured_ms = excluded.captured_ms,
              offset_minutes = excluded.offset_minutes, provenance = excluded.provenance,
              width = excluded.width, height = excluded.height, orientation = excluded.orientation,
              camera = excluded.camera, content_identifier = excluded.content_identifier,
              group_hash = excluded.group_hash, duration_ms = excluded.duration_ms,
              facts_version = excluded.facts_version, date_source = excluded.date_source,
              date_doubt = excluded.date_doubt";
        let shown = facts.dimensions.filter(|(width, height)| *width > 0 && *height > 0);
        self.conn.prepare_cached(sql)?.execute(params![
            file.0,
            facts.media_type.as_str(),
            facts.is_mismatch,
            captured.wall_ms.0,
            captured.offset_minutes,
            captured.provenance.as_str(),
            shown.map(|(width, _)| width),
            shown.map(|(_, height)| height),
            facts.orientation.clamp(1, 8),
            facts.camera,
            facts.content_identifier,
            key.hash(),
            facts.duration_ms.map(signed),
            FACTS_VERSION,
            source.as_str(),
            doubt.map(DateDoubt::as_str),
        ])?;
        keys.insert(key);
        Ok(())
    }

    fn set_ready(&self, file: FileId, stamp: FileStamp, hashed: Hashed) -> Result<bool, StoreError> {
        let (size, digest) = (signed(hashed.content.size), &hashed.content.blake3.0[..]);
        self.add_content(hashed)?;
        let sql = "UPDATE file SET status = 'ready',
              content_id = (SELECT id FROM content WHERE blake3 = ?5 AND size = ?2)
            WHERE id = ?1 AND size = ?2 AND mtime_ns = ?3 AND ctime_ns = ?4 AND status = 'described'";
        let values = params![file.0, size, stamp.mtime_ns, stamp.ctime_ns, digest];
        if self.conn.prepare_cached(sql)?.execute(values)? == 0 {
            return Ok(false);
        }
        let sql = "SELECT source_id FROM file WHERE id = ?1";
        let source: i64 = self.conn.prepare_cached(sql)?.query_row([file.0], |row| row.get(0))?;
        self.note_ready(file, SourceId(source))?;
        // Companions are recorded beside the bytes that they go with, so they are news as well.
        let sql = "SELECT r.file_id FROM resource own JOIN asset a ON a.id = own.asset_id
              JOIN resource r ON r.asset_id = a.id JOIN file f ON f.id = r.file_id
            WHERE own.file_id = ?1 AND coalesce(r.about_file_id, a.primary_file_id) = ?1
              AND r.file_id <> ?1 AND f.status = 'ready'";
        let mut query = self.conn.prepare_cached(sql)?;
        let beside = query.query_map([file.0], |row| row.get(0).map(FileId))?;
        let beside = beside.filter(|_| !mutant::is(Mutant::ForgetsCompanions));
        for companion in beside.collect::<Result<Vec<_>, _>>()? {
            self.note_ready(companion, SourceId(source))?;
        }
        Ok(true)
    }

    /// Moves one version of a file to a status that knows no content.
    fn reset_status(
        &self,
        file: FileId,
        stamp: FileStamp,
        status: &str,
        reason: Option<&str>,
        details: Option<&str>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE file SET status = ?5, reason = ?6, details = ?7, settle_until_ms = NULL
            WHERE id = ?1 AND size = ?2 AND mtime_ns = ?3 AND ctime_ns = ?4
              AND status <> 'ready'
              AND (status <> 'excluded' OR reason = 'not_media' AND details IS NOT NULL)";
        let values =
            params![file.0, signed(stamp.size), stamp.mtime_ns, stamp.ctime_ns, status, reason, details];
        Ok(self.conn.prepare_cached(sql)?.execute(values)? > 0)
    }

    fn set_settling(
        &self,
        file: FileId,
        stamp: FileStamp,
        now: FileStamp,
        until: UnixMillis,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE file SET status = 'settling', reason = NULL, details = NULL, settle_until_ms = ?5,
              size = ?6, mtime_ns = ?7, ctime_ns = ?8
            WHERE id = ?1 AND size = ?2 AND mtime_ns = ?3 AND ctime_ns = ?4
              AND status <> 'ready'
              AND (status <> 'excluded' OR reason = 'not_media' AND details IS NOT NULL)";
        let values = params![
            file.0,
            signed(stamp.size),
            stamp.mtime_ns,
            stamp.ctime_ns,
            until.0,
            signed(now.size),
            now.mtime_ns,
            now.ctime_ns
        ];
        Ok(self.conn.prepare_cached(sql)?.execute(values)? > 0)
    }

    /// The key of a file that has been described.
    pub(super) fn group_key_of(&self, file: FileId) -> Result<Option<GroupKey>, StoreError> {
        let sql = "SELECT f.source_id, f.dir, f.name FROM file f JOIN resource r ON r.file_id = f.id
            WHERE f.id = ?1";
        let key = self.conn.prepare_cached(sql)?.query_row([file.0], group_key);
        Ok(key.optional()?)
    }

    /// Drops what was known of a file's head. The key it gives is to be regrouped.
    pub(super) fn delete_facts(&self, file: FileId) -> Result<Option<GroupKey>, StoreError> {
        let key = self.group_key_of(file)?;
        let sql = "DELETE FROM resource WHERE file_id = ?1 RETURNING asset_id";
        let mut delete = self.conn.prepare_cached(sql)?;
        let asset: Option<Option<i64>> = delete.query_row([file.0], |row| row.get(0)).optional()?;
        if let Some(asset) = asset.flatten() {
            let sql = "DELETE FROM asset WHERE id = ?1
                AND NOT EXISTS (SELECT 1 FROM resource WHERE asset_id = ?1)";
            self.conn.prepare_cached(sql)?.execute([asset])?;
        }
        Ok(key)
    }

    /// Moves files by the person's wish, and regroups what they can share an asset with. `change` is
    /// what follows `SET`. Returns how many moved.
    pub(super) fn move_files(
        &self,
        change: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<u64, StoreError> {
        let mut update = self.conn.prepare_cached(&format!("UPDATE file SET {change} RETURNING id"))?;
        let moved = update.query_map(values, |row| row.get(0).map(FileId))?;
        let moved: Vec<FileId> = moved.collect::<Result<_, _>>()?;
        let mut keys = BTreeSet::new();
        for file in &moved {
            keys.extend(self.group_key_of(*file)?);
        }
        self.regroup(&keys)?;
        Ok(moved.len() as u64)
    }

    pub(super) fn regroup(&self, keys: &BTreeSet<GroupKey>) -> Result<(), StoreError> {
        for key in keys {
            self.regroup_one(key)?;
        }
        Ok(())
    }

    fn regroup_one(&self, key: &GroupKey) -> Result<(), StoreError> {
        let parts = self.parts_of(key)?;
        let groups = group_parts(&parts);
        let by_id: BTreeMap<FileId, &AssetPart> = parts.iter().map(|part| (part.id, part)).collect();
        let had: BTreeSet<AssetId> = parts.iter().filter_map(|part| part.asset).collect();
        let chosen = choose_assets(&groups, &by_id);
        // Free what will not be used before primaries move, as an asset's primary is unique.
        let used: BTreeSet<AssetId> = chosen.iter().flatten().copied().collect();
        for asset in had.difference(&used) {
            self.conn.prepare_cached("DELETE FROM asset WHERE id = ?1")?.execute([asset.0])?;
        }
        let mut placed = BTreeSet::new();
        for (group, asset) in groups.iter().zip(chosen) {
            placed.extend(group.parts.iter().map(|part| part.file));
            self.assign_asset(group, asset, &by_id)?;
        }
        for part in parts.iter().filter(|part| !placed.contains(&part.id)) {
            self.detach_sidecar(part)?;
        }
        Ok(())
    }

    fn parts_of(&self, key: &GroupKey) -> Result<Vec<AssetPart>, StoreError> {
        // CROSS, so that the search begins with the hash and not with the whole folder.
        let sql = "SELECT f.id, f.name, f.status, f.reason, r.media_type, r.content_identifier,
              r.captured_ms, r.offset_minutes, coalesce(r.date_source, r.provenance), r.date_doubt, r.kind,
              r.asset_id, a.primary_file_id, f.source_id, f.dir, f.mtime_ns, r.duration_ms, r.facts_version,
              r.about_file_id
            FROM resource r CROSS JOIN file f ON f.id = r.file_id LEFT JOIN asset a ON a.id = r.asset_id
            WHERE r.group_hash = ?1 AND f.source_id = ?2 ORDER BY f.id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![key.hash(), key.source], part)?;
        let mut parts = rows.collect::<Result<Vec<_>, _>>()?;
        parts.retain(|part| GroupKey::of(part.source, &part.dir, &part.name) == *key);
        Ok(parts)
    }

    fn assign_asset(
        &self,
        group: &Group,
        asset: Option<AssetId>,
        by_id: &BTreeMap<FileId, &AssetPart>,
    ) -> Result<(), StoreError> {
        let Some(primary) = by_id.get(&group.primary) else {
            return Ok(());
        };
        let class = match primary.media_type.class() {
            MediaClass::Photo | MediaClass::Sidecar => "photo",
            MediaClass::Raw => "raw",
            MediaClass::Video => "video",
        };
        let date = asset_date(group, primary, by_id);
        let FoundDate { captured_at: captured, source, doubt } = date;
        let values = params![
            asset.map_or(primary.source, |asset| asset.0),
            primary.id.0,
            class,
            captured.wall_ms.0,
            captured.day().0,
            captured.offset_minutes,
            source.as_str(),
            doubt.map(DateDoubt::as_str),
        ];
        let (asset, is_dated) = match asset {
            Some(asset) => {
                let sql = "UPDATE asset SET primary_file_id = ?2, class = ?3, captured_ms = ?4, day = ?5,
                      offset_minutes = ?6, date_source = ?7, date_doubt = ?8
                    WHERE id = ?1 AND (primary_file_id <> ?2 OR class <> ?3 OR captured_ms <> ?4
                      OR offset_minutes IS NOT ?6 OR date_source <> ?7 OR date_doubt IS NOT ?8)";
                (asset, self.conn.prepare_cached(sql)?.execute(values)? > 0)
            }
            None => {
                let sql = "INSERT INTO asset (source_id, primary_file_id, class, captured_ms, day,
                      offset_minutes, date_source, date_doubt)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                self.conn.prepare_cached(sql)?.execute(values)?;
                (AssetId(self.conn.last_insert_rowid()), false)
            }
        };
        if source == DateSource::Sidecar || is_dated {
            self.apply_asset_date(group, primary, date)?;
        }
        for grouping::Part { file: id, kind, of } in &group.parts {
            let Some(part) = by_id.get(id) else { continue };
            let about = Some(*of).filter(|of| *kind == ResourceKind::Sidecar && *of != primary.id);
            if part.asset != Some(asset) || part.kind != Some(*kind) || part.about != about {
                let sql =
                    "UPDATE resource SET asset_id = ?2, kind = ?3, about_file_id = ?4 WHERE file_id = ?1";
                let values = params![id.0, asset.0, kind.as_str(), about.map(|file| file.0)];
                self.conn.prepare_cached(sql)?.execute(values)?;
            }
            let is_news = part.kind != Some(*kind) || part.primary != Some(primary.id) || part.about != about;
            if is_news && part.status == FileStatus::Ready {
                self.note_ready(*id, SourceId(part.source))?;
            }
            if part.status == FileStatus::Excluded && part.is_sound {
                self.set_paired(part)?;
            }
        }
        Ok(())
    }

    /// A sidecar whose picture has come: it waits for its hash again.
    fn set_paired(&self, part: &AssetPart) -> Result<(), StoreError> {
        let sql = "UPDATE file SET status = 'described', reason = NULL WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute([part.id.0])?;
        Ok(())
    }

    /// A sidecar without its picture, or one that cannot be read.
    fn detach_sidecar(&self, part: &AssetPart) -> Result<(), StoreError> {
        let sql = "UPDATE resource SET asset_id = NULL, kind = NULL, about_file_id = NULL
            WHERE file_id = ?1 AND kind IS NOT NULL";
        self.conn.prepare_cached(sql)?.execute([part.id.0])?;
        // A new version that nobody has looked at yet may be empty or unreadable, which is to be said.
        let is_known = matches!(part.status, FileStatus::Described | FileStatus::Ready);
        if !part.is_sound || !is_known {
            return Ok(());
        }
        if part.status == FileStatus::Ready {
            self.note_removed(part.id, SourceId(part.source))?;
        }
        let sql = "UPDATE file SET status = 'excluded', reason = 'lone_sidecar', details = NULL,
              content_id = NULL WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute([part.id.0])?;
        Ok(())
    }
}

/// Which asset each group goes on as: the one its primary stands for, else one that any of its
/// files is in and no other group takes; `None` if a new one is needed.
fn choose_assets(groups: &[Group], by_id: &BTreeMap<FileId, &AssetPart>) -> Vec<Option<AssetId>> {
    let mut taken = BTreeSet::new();
    let mut chosen: Vec<Option<AssetId>> = groups
        .iter()
        .map(|group| {
            let primary = by_id.get(&group.primary)?;
            let own = primary.asset.filter(|_| primary.primary == Some(group.primary))?;
            taken.insert(own).then_some(own)
        })
        .collect();
    for (group, slot) in groups.iter().zip(&mut chosen) {
        if slot.is_none() {
            let assets = group.parts.iter().filter_map(|part| by_id.get(&part.file)?.asset);
            *slot = assets.into_iter().find(|asset| taken.insert(*asset));
        }
    }
    chosen
}
