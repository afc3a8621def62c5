//! What the simulation asks of the rows, at every commit and at the end.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::row::{StoreError, digest, parse_name, parse_optional_name, unsigned};
use super::writer::{Read, Write};
use crate::domain::asset::ResourceKind;
use crate::domain::hash::ContentHash;
use crate::domain::ids::{DestinationId, JobId, RecordId};
use crate::domain::job::JobState;
use crate::domain::record::RecordState;

/// A live job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobFacts {
    /// The job.
    pub id: JobId,
    /// What it sends.
    pub record: RecordId,
    /// Its destination.
    pub destination: DestinationId,
    /// Its state.
    pub state: JobState,
    /// Its one retry has been used.
    pub retry_used: bool,
}

/// A backup record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The record.
    pub id: RecordId,
    /// Its destination.
    pub destination: DestinationId,
    /// Its state.
    pub state: RecordState,
    /// Its key.
    pub key: Option<String>,
    /// Its bytes.
    pub content: ContentHash,
    /// The content that a companion goes beside, else 0.
    pub beside: i64,
    /// When it was proved.
    pub verified_ms: Option<i64>,
    /// Its last failure's kind.
    pub failure: Option<String>,
    /// Jobs failed running.
    pub jobs_failed: u32,
    /// When another job may be made.
    pub next_eligible_ms: Option<i64>,
    /// Files that have it.
    pub files: u32,
}

/// What is to be known of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRow {
    /// The destination.
    pub id: DestinationId,
    /// Its job limit.
    pub limit: u32,
    /// Switched on.
    pub is_enabled: bool,
    /// Its extension's change token.
    pub token: Option<i64>,
}

/// A present file of a consented pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairRow {
    /// Its absolute path.
    pub path: String,
    /// Where it is meant to go.
    pub destination: DestinationId,
    /// How far it is known.
    pub status: String,
    /// Why it is left out or a problem.
    pub reason: Option<String>,
    /// Its record there.
    pub record: Option<RecordId>,
    /// Its record is for the picture that it goes beside now; so it is where that cannot be told.
    pub is_beside: bool,
}

thread_local! {
    static KEPT: RefCell<Option<(PathBuf, Connection)>> = const { RefCell::new(None) };
}

/// Looks at a database beside whoever has it open, through a connection that is kept until
/// [`let_go`]: a run that dies does not fold its log in on its way out.
///
/// # Errors
/// What `look` returned.
pub fn peek<T>(path: &Path, look: impl FnOnce(&Read<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
    KEPT.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|(known, _)| known != path) {
            *kept = Some((path.to_owned(), super::connection::open_reader(path)?));
        }
        kept.as_ref().map_or(Err(StoreError::Closed), |(_, conn)| look(&Read { conn }))
    })
}

/// Makes a database that has its tables and nothing in them, in one file.
///
/// # Errors
/// What SQLite says.
pub fn make_empty(path: &Path) -> Result<(), StoreError> {
    let mut conn = Connection::open(path)?;
    super::migrate::migrate(&mut conn, path)?;
    conn.close().map_err(|(_conn, error)| error.into())
}

/// Closes what [`peek`] has open.
pub fn let_go() {
    KEPT.take();
}

impl Read<'_> {
    /// All live jobs, by id.
    pub fn job_facts(&self) -> Result<Vec<JobFacts>, StoreError> {
        let sql = "SELECT id, record_id, destination_id, state, retry_used FROM upload_job ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            Ok(JobFacts {
                id: JobId(row.get(0)?),
                record: RecordId(row.get(1)?),
                destination: DestinationId(row.get(2)?),
                state: parse_name(row, 3, JobState::parse)?,
                retry_used: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All destinations, by id.
    pub fn limits(&self) -> Result<Vec<LimitRow>, StoreError> {
        let sql = "SELECT id, job_limit, enabled, change_token FROM destination ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            Ok(LimitRow {
                id: DestinationId(row.get(0)?),
                limit: row.get(1)?,
                is_enabled: row.get(2)?,
                token: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The addresses of all destinations.
    pub fn addresses(&self) -> Result<Vec<(DestinationId, Vec<u8>)>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT id, address FROM destination")?;
        let rows = query.query_map([], |row| Ok((DestinationId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The kind of a record's last failure.
    pub fn failure_of(&self, record: RecordId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT failure_kind FROM backup_record WHERE id = ?1";
        Ok(self.conn.prepare_cached(sql)?.query_row([record.0], |row| row.get(0))?)
    }

    /// The whole ledger, or only what is proved.
    pub fn ledger(&self, only_proved: bool) -> Result<Vec<LedgerRow>, StoreError> {
        let sql =
            "SELECT r.id, r.destination_id, r.state, r.key, c.blake3, c.size, r.beside_id, r.verified_ms,
              r.failure_kind, r.jobs_failed, r.next_eligible_ms, r.file_count
            FROM backup_record r JOIN content c ON c.id = r.content_id
            WHERE ?1 = 0 OR r.state = 'verified' ORDER BY r.id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([only_proved], |row| {
            Ok(LedgerRow {
                id: RecordId(row.get(0)?),
                destination: DestinationId(row.get(1)?),
                state: parse_name(row, 2, RecordState::parse)?,
                key: row.get(3)?,
                content: ContentHash { blake3: digest(row, 4)?, size: unsigned(row, 5)? },
                beside: row.get(6)?,
                verified_ms: row.get(7)?,
                failure: row.get(8)?,
                jobs_failed: row.get(9)?,
                next_eligible_ms: row.get(10)?,
                files: row.get(11)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keys of different name groups that share a stem in one folder of a destination. A file that took
    /// its own hash stands for itself, and so do equal bytes where every key carries the hash.
    pub fn shared_stems(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT destination_id, key, name_group_id, content_id FROM backup_record
            WHERE key IS NOT NULL AND key_attempt = 0 AND name_group_id IS NOT NULL ORDER BY id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
            ))
        })?;
        let (mut owners, mut shared) = (std::collections::BTreeMap::new(), Vec::new());
        for row in rows {
            let (destination, key, group, content) = row?;
            let (folder, name) = key.rsplit_once('/').unwrap_or(("", &key));
            let stem = (destination, folder.to_owned(), crate::domain::key::group_stem(name));
            let (owner, bytes, other) = owners.entry(stem).or_insert_with(|| (group, content, key.clone()));
            if *owner != group && *bytes != content {
                shared.push(format!("{key} and {other} share a stem"));
            }
        }
        Ok(shared)
    }

    /// All present files of the consented pairs.
    pub fn pair_rows(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql = "SELECT s.path, f.dir, f.name, c.destination_id, f.status, f.reason, a.record_id,
              p.kind, o.primary_file_id = f.id, pf.content_id, b.beside_id
            FROM file f JOIN source s ON s.id = f.source_id JOIN consent c ON c.source_id = s.id
            LEFT JOIN attachment a ON a.file_id = f.id AND a.destination_id = c.destination_id
            LEFT JOIN backup_record b ON b.id = a.record_id
            LEFT JOIN resource p ON p.file_id = f.id LEFT JOIN asset o ON o.id = p.asset_id
            LEFT JOIN file pf ON pf.id = coalesce(p.about_file_id, o.primary_file_id)
            ORDER BY s.path, f.dir, f.name, c.destination_id";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            let (root, dir, name): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let path = [&root[..], b"/", &crate::domain::path::join(&dir, &name)].concat();
            Ok(PairRow {
                path: String::from_utf8_lossy(&path).into_owned(),
                destination: DestinationId(row.get(3)?),
                status: row.get(4)?,
                reason: row.get(5)?,
                record: row.get::<_, Option<i64>>(6)?.map(RecordId),
                is_beside: is_beside(row)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// From the part that a file plays, whether it stands for its asset, what it goes with, and what its
/// record is beside.
fn is_beside(row: &rusqlite::Row<'_>) -> rusqlite::Result<bool> {
    let (kind, is_primary) =
        (parse_optional_name(row, 7, ResourceKind::parse)?, row.get::<_, Option<bool>>(8)?);
    let (subject, beside) = (row.get::<_, Option<i64>>(9)?, row.get::<_, Option<i64>>(10)?);
    let goes_beside = kind.is_some_and(ResourceKind::is_companion) && is_primary == Some(false);
    let wanted = if goes_beside { subject } else { Some(0) };
    Ok(wanted.is_none() || beside.is_none() || wanted == beside)
}

impl Write<'_> {
    /// What a run that is over, and does not know it, would write: the end of a job that it had in
    /// flight. Says whether that changed anything.
    pub fn end_as_earlier_run(
        &self,
        job: JobId,
        record: RecordId,
        outcome: &super::JobOutcome,
    ) -> Result<bool, StoreError> {
        let epoch = self.epoch - 1;
        let earlier = Write { read: Read { conn: self.conn }, now: self.now, epoch };
        earlier.end_job(job, record, outcome)
    }
}
