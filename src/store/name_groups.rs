//! Which names belong together at a destination: the folder, stem and suffix of each set, decided
//! once, by whichever of its files gets a key first.
//!
//! A group is one stem of one source folder in one folder of a destination. All files that have the
//! stem in that source folder are in it, so they keep the names that they have beside each other;
//! files of other source folders get another group, whose suffix keeps the stems apart.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::capabilities;
use super::row::StoreError;
use super::writer::Write;
use crate::domain::grouping;
use crate::domain::hash::Blake3;
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::key::{self, SetName};
use crate::domain::path::join;

/// Records that one page of the first fill reads.
const FILL_PAGE_MAX: u32 = 1_000;

/// The names of one stem of one source folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameGroup {
    pub id: i64,
    /// The folder at the destination.
    pub folder: String,
    /// The folded stem that its files have in their source.
    base: String,
    /// What its names carry behind the stem.
    pub suffix: String,
}

/// Where a record's file is.
struct FileLocation {
    /// What stands for the source folder that it belongs to; `None` for a file that has gone.
    owner: Option<Vec<u8>>,
    /// No file of the record shares its asset with another.
    is_alone: bool,
}

/// A file to be named.
pub(super) struct NewMember<'a> {
    pub destination: DestinationId,
    pub record: RecordId,
    /// The folder for its capture date, where its set has none yet.
    pub folder: String,
    /// The source folder's name, for a file that has gone.
    pub source_label: &'a str,
    /// Its path below the source.
    pub path: &'a [u8],
    pub hash: Blake3,
    pub layout: key::Layout,
}

const MEMBER_SQL: &str = "SELECT g.id, g.folder, g.base, g.suffix, other.file_id = whole.primary_file_id
    FROM attachment own JOIN resource mine ON mine.file_id = own.file_id
    JOIN resource other ON other.asset_id = mine.asset_id
    JOIN asset whole ON whole.id = mine.asset_id
    JOIN attachment theirs ON theirs.file_id = other.file_id AND theirs.destination_id = ?1
    JOIN backup_record o ON o.id = theirs.record_id
    JOIN name_group g ON g.id = o.name_group_id
    WHERE own.record_id = ?2 AND o.id <> ?2 AND o.key IS NOT NULL
    LIMIT 64";
const HOME_SQL: &str = "SELECT s.path, f.dir, f.name, NOT EXISTS (
      SELECT 1 FROM attachment x JOIN resource mine ON mine.file_id = x.file_id
      JOIN resource other ON other.asset_id = mine.asset_id AND other.file_id <> mine.file_id
      WHERE x.record_id = ?1)
    FROM attachment a JOIN file f ON f.id = a.file_id JOIN source s ON s.id = f.source_id
    WHERE a.record_id = ?1 ORDER BY f.dir <> ?2 LIMIT 1";
const STEM_SQL: &str = "SELECT id, folder, base, suffix, owner FROM name_group
    WHERE destination_id = ?1 AND folder = ?2 AND stem = ?3";
const OWNER_SQL: &str = "SELECT id, folder, base, suffix, owner FROM name_group
    WHERE destination_id = ?1 AND folder = ?2 AND base = ?3 AND owner = ?4 AND suffix <> ''";
const ADD_SQL: &str = "INSERT INTO name_group (destination_id, folder, base, suffix, stem, owner)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";

/// What runs for every key, and must never read a table from end to end.
#[cfg(test)]
pub(super) fn every_sql() -> [&'static str; 3] {
    [MEMBER_SQL, STEM_SQL, OWNER_SQL]
}

impl NameGroup {
    /// The group in a row that begins with its columns at `first`; `None` if they are null.
    pub(super) fn at(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let Some(id) = row.get(first)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id,
            folder: row.get(first + 1)?,
            base: row.get(first + 2)?,
            suffix: row.get(first + 3)?,
        }))
    }
}

/// What stands for a source folder of which only a manifest tells.
fn owner_by_label(label: &str, dir: &[u8]) -> Vec<u8> {
    [&[0], label.as_bytes(), b"/", dir].concat()
}

/// What stands for a source folder that is there: the absolute path of the folder that a file of it
/// belongs to.
fn owner_by_path(source: Vec<u8>, dir: &[u8], name: &[u8]) -> Vec<u8> {
    let home = grouping::home_folder(dir, name);
    if home.is_empty() { source } else { join(&source, home) }
}

fn split_path(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn last_component(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

impl Write<'_> {
    /// The group in which a file is named: its set's, else its source folder's for this stem, else a
    /// new one, whose suffix keeps its stem apart from those of other source folders.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when every stem is taken.
    pub(super) fn name_group_for(&self, member: &NewMember<'_>) -> Result<NameGroup, StoreError> {
        let (dir, name) = split_path(member.path);
        let label = owner_by_label(member.source_label, grouping::home_folder(dir, name));
        let FileLocation { owner, is_alone } = self.location_of(member.record, dir)?;
        let owners = [owner.unwrap_or_else(|| label.clone()), label];
        let set = if is_alone { None } else { self.group_of_set(member.destination, member.record)? };
        let folder = set.as_ref().map_or(member.folder.as_str(), |set| set.folder.as_str());
        let plain = SetName { folder: "", suffix: "", original: name };
        let never_hashed = key::Layout { always_hash: false, ..member.layout };
        let base_in =
            |layout| plain.key(member.hash, 0, layout).map(|name| key::group_stem(&name)).unwrap_or_default();
        let base = base_in(never_hashed);
        // A set that was named before the probe knew what the destination refuses stays one set.
        let is_of = |set: &&NameGroup| {
            let unescaped = key::Layout { refused: key::RefusedChars::NONE, ..never_hashed };
            set.base == base || !never_hashed.refused.is_empty() && set.base == base_in(unescaped)
        };
        if let Some(set) = set.as_ref().filter(is_of) {
            return Ok(set.clone());
        }
        if let Some(own) = self.group_of_owner(member.destination, folder, &base, &owners)? {
            return Ok(own);
        }
        let mut attempt = 0;
        while let Some(suffix) = key::set_suffix(member.hash, attempt) {
            let stem = if suffix.is_empty() {
                base.clone()
            } else {
                let named = SetName { folder: "", suffix: &suffix, original: name };
                named.key(member.hash, 0, never_hashed).map(|name| key::group_stem(&name)).unwrap_or_default()
            };
            let values = params![member.destination.0, folder, base, suffix, stem, owners[0]];
            if self.conn.prepare_cached(ADD_SQL)?.execute(values)? > 0 {
                let id = self.conn.last_insert_rowid();
                return Ok(NameGroup { id, folder: folder.to_owned(), base, suffix });
            }
            attempt += 1;
        }
        Err(StoreError::Refused("every name for this file is taken at the destination".to_owned()))
    }

    /// The group of the set that a record's file is in: its primary's, else any other member's.
    fn group_of_set(
        &self,
        destination: DestinationId,
        record: RecordId,
    ) -> Result<Option<NameGroup>, StoreError> {
        let mut query = self.conn.prepare_cached(MEMBER_SQL)?;
        let mut rows = query.query(params![destination.0, record.0])?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let (group, is_primary) = (NameGroup::at(row, 0)?, row.get::<_, bool>(4)?);
            if is_primary {
                return Ok(group);
            }
            found = found.or(group);
        }
        Ok(found)
    }

    /// Where a record's file is, one in `dir` before others.
    fn location_of(&self, record: RecordId, dir: &[u8]) -> Result<FileLocation, StoreError> {
        let mut query = self.conn.prepare_cached(HOME_SQL)?;
        let home = |row: &Row<'_>| {
            let (dir, name): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
            Ok(FileLocation { owner: Some(owner_by_path(row.get(0)?, &dir, &name)), is_alone: row.get(3)? })
        };
        let home = query.query_row(params![record.0, dir], home).optional()?;
        Ok(home.unwrap_or(FileLocation { owner: None, is_alone: false }))
    }

    /// The group that a source folder has for a stem. One that was known by a label alone is that of
    /// the first source folder that fits, from now on.
    fn group_of_owner(
        &self,
        destination: DestinationId,
        folder: &str,
        base: &str,
        owners: &[Vec<u8>; 2],
    ) -> Result<Option<NameGroup>, StoreError> {
        let with_owner = |row: &Row<'_>| Ok(NameGroup::at(row, 0)?.zip(Some(row.get::<_, Vec<u8>>(4)?)));
        let values = params![destination.0, folder, base];
        let plain = self.conn.prepare_cached(STEM_SQL)?.query_row(values, with_owner).optional()?.flatten();
        let mut found = plain.filter(|(group, owner)| group.suffix.is_empty() && owners.contains(owner));
        let mut query = self.conn.prepare_cached(OWNER_SQL)?;
        for owner in owners {
            if found.is_none() {
                let values = params![destination.0, folder, base, owner];
                found = query.query_row(values, with_owner).optional()?.flatten();
            }
        }
        let Some((found, owner)) = found else {
            return Ok(None);
        };
        if owner != owners[0] {
            let sql = "UPDATE OR IGNORE name_group SET owner = ?2 WHERE id = ?1";
            self.conn.prepare_cached(sql)?.execute(params![found.id, owners[0]])?;
        }
        Ok(Some(found))
    }

    /// Notes the group of a copy that a manifest told of.
    pub(super) fn add_name_group_of(&self, record: RecordId) -> Result<(), StoreError> {
        add_groups(self.conn, "r.id = ?1", record.0).map(|_last| ())
    }
}

/// Fills the groups from the keys that there are. Where files of several source folders share a stem
/// already, the first has it, and the others stay where they are.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let mut last = Some(i64::MIN);
    while let Some(after) = last {
        last = add_groups(conn, "r.id > ?1", after)?;
    }
    Ok(())
}

/// How names are made at a destination, but for the hash.
fn layout_of(conn: &Connection, destination: i64) -> Result<key::Layout, StoreError> {
    let sql = "SELECT abilities FROM destination WHERE id = ?1";
    let text: Option<String> =
        conn.prepare_cached(sql)?.query_row([destination], |row| row.get(0)).optional()?;
    let layout = capabilities::parse(&text.unwrap_or_default()).layout();
    Ok(key::Layout { always_hash: false, ..layout })
}

/// The stem of a key as what its file's own name makes of it and the suffix behind that; where it was made
/// from another name, all of it and no suffix.
fn base_and_suffix(stem: &str, name: &[u8], layout: key::Layout) -> (String, String) {
    let own = key::group_stem(&key::safe_name(name));
    let suffix = stem.strip_prefix(own.as_str());
    if let Some(suffix) = suffix.filter(|suffix| suffix.is_empty() || suffix.starts_with('~')) {
        return (own, suffix.to_owned());
    }
    let plain = SetName { folder: "", suffix: "", original: name };
    let own = plain.key(Blake3([0; 32]), 0, layout).map(|name| key::group_stem(&name)).unwrap_or_default();
    match stem.strip_prefix(own.as_str()) {
        Some("") => (own, String::new()),
        Some(suffix) if suffix.starts_with('~') => (own, suffix.to_owned()),
        // Where `~` is refused, a hash stands behind `-`.
        Some(suffix) if layout.refused.contains('~') && suffix.starts_with('-') => {
            (own, suffix.replacen('-', "~", 1))
        }
        _ => (stem.to_owned(), String::new()),
    }
}

/// A key that has no group yet.
struct UngroupedKey {
    record: i64,
    destination: i64,
    key: String,
    label: String,
    path: Vec<u8>,
    file: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

/// Adds the groups of a page of keys. Returns the last record of the page.
fn add_groups(conn: &Connection, which: &str, value: i64) -> Result<Option<i64>, StoreError> {
    let sql = format!(
        "SELECT r.id, r.destination_id, r.key, r.origin_source, r.origin_path, s.path, f.dir, f.name
         FROM backup_record r
         LEFT JOIN file f ON f.id = (SELECT min(a.file_id) FROM attachment a WHERE a.record_id = r.id)
         LEFT JOIN source s ON s.id = f.source_id
         WHERE {which} AND r.key IS NOT NULL ORDER BY r.id LIMIT {FILL_PAGE_MAX}"
    );
    let mut query = conn.prepare_cached(&sql)?;
    let page = query.query_map([value], |row| {
        Ok(UngroupedKey {
            record: row.get(0)?,
            destination: row.get(1)?,
            key: row.get(2)?,
            label: row.get(3)?,
            path: row.get(4)?,
            file: match (row.get(5)?, row.get(6)?, row.get(7)?) {
                (Some(source), Some(dir), Some(name)) => Some((source, dir, name)),
                _ => None,
            },
        })
    })?;
    let page: Vec<UngroupedKey> = page.collect::<Result<_, _>>()?;
    let last = page.last().map(|row| row.record);
    let mut layouts = HashMap::new();
    for row in page {
        let folder = row.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let stem = key::group_stem(last_component(&row.key));
        let (dir, name) = split_path(&row.path);
        let refused = match layouts.entry(row.destination) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => *unknown.insert(layout_of(conn, row.destination)?),
        };
        let (base, suffix) = base_and_suffix(&stem, name, refused);
        let owner = match row.file {
            Some((source, dir, name)) => owner_by_path(source, &dir, &name),
            None => owner_by_label(&row.label, grouping::home_folder(dir, name)),
        };
        let values = params![row.destination, folder, base, suffix, stem, owner];
        conn.prepare_cached(ADD_SQL)?.execute(values)?;
        let sql = "UPDATE backup_record SET name_group_id =
              (SELECT id FROM name_group WHERE destination_id = ?2 AND folder = ?3 AND stem = ?4)
            WHERE id = ?1";
        conn.prepare_cached(sql)?.execute(params![row.record, row.destination, folder, stem])?;
    }
    Ok(last)
}
