//! The job table: creating, drawing and starting upload jobs.

use rusqlite::{OptionalExtension as _, params};

use super::companions;
use super::keys::NewTries;
use super::row::{DIGESTS, StoreError, digest, digests, parse_name, unsigned};
use super::writer::{Read, Write};
use crate::base::mutant::{self, Mutant};
use crate::domain::asset::{CapturedAt, FACTS_VERSION, Provenance, ResourceKind};
use crate::domain::backoff;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::file::FileStamp;
use crate::domain::hash::{ContentHash, Digests};
use crate::domain::ids::{AssetId, DestinationId, JobId, RecordId, SourceId};
use crate::domain::job::{JobAction, JobState};
use crate::domain::path::RelPath;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;

/// A live job, as an extension sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub id: JobId,
    /// What it sends.
    pub record: RecordId,
    /// Where it stands.
    pub state: JobState,
    /// Its one retry has been used.
    pub retry_used: bool,
    /// It failed in a way that the same try would fail again.
    pub is_permanent: bool,
    /// The file it is for is still there, in a source that is there, and still wanted.
    pub is_needed: bool,
}

/// A job that the engine has just started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedJob {
    /// The job.
    pub job: JobId,
    /// Its record.
    pub record: RecordId,
    /// Where the copy goes.
    pub key: String,
    /// The bytes that must arrive.
    pub content: ContentHash,
    /// What else is known of those bytes.
    pub digests: Digests,
    /// The source's absolute path.
    pub source_path: Vec<u8>,
    /// The source.
    pub source: SourceId,
    /// The file below it.
    pub path: RelPath,
    /// The file's state when it was hashed.
    pub stamp: FileStamp,
    /// When it was captured.
    pub captured_at: CapturedAt,
    /// The part it plays.
    pub kind: ResourceKind,
    /// Names its temp file.
    pub token: u64,
    /// The asset it belongs to.
    pub asset: Option<AssetId>,
    /// What the destination said of an earlier copy.
    pub receipt: Option<String>,
}

/// The record can be sent now: no job of it is live, some file of it can be read, it waits for no other
/// part of its asset, and its date, which its key is to tell, is not one that an earlier release read.
fn free() -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM upload_job j WHERE j.record_id = r.id)
         AND EXISTS (SELECT 1 FROM attachment a JOIN source s ON s.id = a.source_id
           WHERE a.record_id = r.id AND s.condition = 'present')
         AND (r.key IS NOT NULL OR NOT EXISTS (SELECT 1 FROM attachment a
           JOIN resource x ON x.file_id = a.file_id AND x.facts_version < {FACTS_VERSION}
           JOIN source s ON s.id = a.source_id AND s.condition = 'present'
           WHERE a.record_id = r.id)) AND {}",
        companions::turn_condition_sql()
    )
}

fn fresh_sql() -> String {
    let free = free();
    format!(
        "SELECT id FROM backup_record r WHERE destination_id = ?1 AND state = 'wanted' AND file_count > 0
           AND crashes < ?3 AND {free} ORDER BY captured_ms DESC, id DESC LIMIT ?2"
    )
}

fn due_sql() -> String {
    let free = free();
    // Each half is in the order of the index; a due time beyond the horizon comes last in it.
    format!(
        "SELECT id FROM backup_record r WHERE destination_id = ?1 AND state IN ('failed', 'needs_attention')
           AND file_count > 0 AND next_eligible_ms IS NOT NULL
           AND (next_eligible_ms <= ?3 OR next_eligible_ms > ?4) AND {free}
         ORDER BY next_eligible_ms LIMIT ?2"
    )
}

const LIVE_SQL: &str = "SELECT jobs FROM job_count WHERE destination_id = ?1";
const JOBS_SQL: &str = "SELECT j.id, j.record_id, j.state, j.retry_used, j.is_permanent,
      r.state NOT IN ('superseded', 'excluded') AND EXISTS (
        SELECT 1 FROM attachment a JOIN source s ON s.id = a.source_id
        WHERE a.record_id = r.id AND s.condition = 'present')
    FROM upload_job j JOIN backup_record r ON r.id = j.record_id
    WHERE j.destination_id = ?1 AND j.state = ?2 ORDER BY j.id";
const REGISTERED_SQL: &str =
    "SELECT EXISTS (SELECT 1 FROM upload_job WHERE destination_id = ?1 AND state = 'registered')";
const SUSPECT_SQL: &str =
    "SELECT EXISTS (SELECT 1 FROM upload_job j JOIN backup_record r ON r.id = j.record_id
    WHERE j.destination_id = ?1 AND r.crashes >= ?2)";
const NEXT_DUE_SQL: &str = "SELECT next_eligible_ms FROM backup_record r
    WHERE destination_id = ?1 AND next_eligible_ms IS NOT NULL AND state IN ('failed', 'needs_attention')
      AND file_count > 0 AND NOT EXISTS (SELECT 1 FROM upload_job j WHERE j.record_id = r.id)
    ORDER BY next_eligible_ms LIMIT 1";

/// Whether a record waits for room, and whether none waits or is being sent for another reason.
const ROOM_SQL: &str = "SELECT EXISTS (SELECT 1 FROM backup_record
      WHERE bin = 'waiting' AND destination_id = ?1 AND file_count > 0
        AND state = 'failed' AND failure_kind = 'full'),
    NOT EXISTS (SELECT 1 FROM backup_record
      WHERE bin = 'waiting' AND destination_id = ?1 AND file_count > 0
        AND (state <> 'failed' OR failure_kind <> 'full'))
    AND NOT EXISTS (SELECT 1 FROM backup_record
      WHERE bin = 'uploading' AND destination_id = ?1 AND file_count > 0)";

fn start_sql() -> String {
    format!(
        "SELECT j.id, r.id, r.key, c.blake3, c.size, s.path, s.id, f.dir, f.name, f.size, f.mtime_ns,
           f.ctime_ns, r.captured_ms, r.offset_minutes, r.provenance, r.kind, r.token, res.asset_id, r.receipt,
           {DIGESTS}, r.jobs_failed + j.retry_used, r.file_count
         FROM upload_job j JOIN backup_record r ON r.id = j.record_id JOIN content c ON c.id = r.content_id
         JOIN file f ON f.id = (SELECT min(a.file_id) FROM attachment a JOIN source sf ON sf.id = a.source_id
           WHERE a.record_id = r.id AND sf.condition = 'present')
         JOIN source s ON s.id = f.source_id
         LEFT JOIN resource res ON res.file_id = f.id
         WHERE j.destination_id = ?1 AND j.state = 'registered' AND r.key IS NOT NULL
           AND r.state NOT IN ('superseded', 'excluded')
         ORDER BY j.id LIMIT ?2"
    )
}

const ANOTHER_SQL: &str = "SELECT s.path, s.id, f.dir, f.name, f.size, f.mtime_ns, f.ctime_ns, res.asset_id
    FROM attachment a JOIN file f ON f.id = a.file_id JOIN source s ON s.id = f.source_id
    LEFT JOIN resource res ON res.file_id = f.id
    WHERE a.record_id = ?1 AND s.condition = 'present' LIMIT 1 OFFSET ?2";
const PENDING_SQL: &str =
    "UPDATE upload_job SET state = 'pending', run_epoch = ?2 WHERE id = ?1 AND state = 'registered'";
const UPLOADING_SQL: &str = "UPDATE OR FAIL backup_record SET bin = 'uploading' WHERE id = ?1";
const CREATE_SQL: &str = "INSERT INTO upload_job (record_id, destination_id, state, created_ms)
    VALUES (?1, ?2, 'registered', ?3) ON CONFLICT DO NOTHING";

/// What runs for every job, and must never read a table from end to end.
#[cfg(test)]
pub(super) fn every_sql() -> Vec<String> {
    let plain = [
        LIVE_SQL,
        JOBS_SQL,
        REGISTERED_SQL,
        SUSPECT_SQL,
        NEXT_DUE_SQL,
        ANOTHER_SQL,
        PENDING_SQL,
        UPLOADING_SQL,
        CREATE_SQL,
    ];
    plain.into_iter().map(str::to_owned).chain([fresh_sql(), due_sql(), start_sql()]).collect()
}

impl Read<'_> {
    /// The live jobs to which `action` applies, oldest first.
    pub fn jobs(&self, destination: DestinationId, action: JobAction) -> Result<Vec<JobRow>, StoreError> {
        let mut query = self.conn.prepare_cached(JOBS_SQL)?;
        let may_apply = |state: &JobState| action.allows(*state, false) || action.allows(*state, true);
        let mut jobs: Vec<JobRow> = Vec::new();
        for state in JobState::ALL.into_iter().filter(may_apply) {
            let rows = query.query_map(params![destination.0, state.as_str()], |row| {
                Ok(JobRow {
                    id: JobId(row.get(0)?),
                    record: RecordId(row.get(1)?),
                    state: parse_name(row, 2, JobState::parse)?,
                    retry_used: row.get(3)? && !mutant::is(Mutant::RetriesTwice),
                    is_permanent: row.get(4)?,
                    is_needed: row.get(5)?,
                })
            })?;
            for job in rows {
                jobs.extend(Some(job?).filter(|job| action.allows(job.state, job.retry_used)));
            }
        }
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// Unacknowledged jobs of a destination.
    pub fn live_jobs(&self, destination: DestinationId) -> Result<u32, StoreError> {
        let live: Option<u32> =
            self.conn.prepare_cached(LIVE_SQL)?.query_row([destination.0], |row| row.get(0)).optional()?;
        if mutant::is(Mutant::ForgetsFinished) {
            let sql = "SELECT count(*) FROM upload_job WHERE destination_id = ?1 AND state IN ('registered', 'pending')";
            return Ok(self.conn.query_row(sql, [destination.0], |row| row.get(0))?);
        }
        Ok(live.unwrap_or(0))
    }

    /// Whether a job waits for the engine to start it.
    pub fn has_registered(&self, destination: DestinationId) -> Result<bool, StoreError> {
        Ok(self.conn.prepare_cached(REGISTERED_SQL)?.query_row([destination.0], |row| row.get(0))?)
    }

    /// Records that a job may be created for now: those due for another try first (a few), then the
    /// newest captures, and what has crashed the app again and again only when nothing else is left.
    pub fn draw(
        &self,
        destination: DestinationId,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Vec<RecordId>, StoreError> {
        if self.has_suspect(destination)? {
            return Ok(Vec::new());
        }
        let mut drawn = self.due(destination, (limit / 8).max(1).min(limit), now)?;
        let room = limit.saturating_sub(u32::try_from(drawn.len()).unwrap_or(u32::MAX));
        let fresh = self.drawable(&fresh_sql(), destination, room)?;
        drawn.extend(fresh);
        if drawn.is_empty() && limit > 0 && self.live_jobs(destination)? == 0 {
            let free = free();
            let suspect = format!(
                "SELECT id FROM backup_record r WHERE destination_id = ?1 AND state = 'wanted' AND file_count > 0
                   AND crashes >= ?3 AND {free} ORDER BY crashes, id LIMIT min(?2, 1)"
            );
            drawn = self.drawable(&suspect, destination, limit)?;
        }
        Ok(drawn)
    }

    /// Whether a job is live for a record that was in flight in crash after crash.
    fn has_suspect(&self, destination: DestinationId) -> Result<bool, StoreError> {
        let values = params![destination.0, backoff::CRASHES_BEFORE_SUSPECT];
        Ok(self.conn.prepare_cached(SUSPECT_SQL)?.query_row(values, |row| row.get(0))?)
    }

    fn drawable(
        &self,
        sql: &str,
        destination: DestinationId,
        limit: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query
            .query_map(params![destination.0, limit, backoff::CRASHES_BEFORE_SUSPECT], |row| {
                row.get(0).map(RecordId)
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn due(
        &self,
        destination: DestinationId,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Vec<RecordId>, StoreError> {
        // A due time further away than any back-off reaches was set by another clock: it is now.
        let horizon = now.plus(backoff::RESOURCE_MAX).0;
        let mut query = self.conn.prepare_cached(&due_sql())?;
        let rows =
            query.query_map(params![destination.0, limit, now.0, horizon], |row| row.get(0).map(RecordId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether all that waits at a destination waits for room.
    pub fn waits_for_room(&self, destination: DestinationId) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached(ROOM_SQL)?;
        Ok(query.query_row([destination.0], |row| Ok(row.get(0)? && row.get(1)?))?)
    }

    /// When the next record becomes eligible again, if any waits for that.
    pub fn next_due(&self, destination: DestinationId) -> Result<Option<UnixMillis>, StoreError> {
        let mut query = self.conn.prepare_cached(NEXT_DUE_SQL)?;
        Ok(query.query_row([destination.0], |row| row.get(0).map(UnixMillis)).optional()?)
    }
}

/// What creating a job needs.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// The record to be sent.
    pub record: RecordId,
    /// The destination's capabilities, which decide the key.
    pub capabilities: &'a Capabilities,
    /// The destination's job limit.
    pub limit: u32,
}

impl Write<'_> {
    /// Creates a job for a record and allocates its key. A record for which every name is taken gets
    /// no job but a person's attention, so that it holds up nobody else.
    ///
    /// # Errors
    /// [`StoreError::LimitExceeded`] over the limit; [`StoreError::Refused`] for a record that is
    /// finished, excluded or already has a job.
    pub fn create_job(&self, new: NewJob<'_>) -> Result<Option<JobId>, StoreError> {
        let Some(facts) = self.key_facts(new.record)? else {
            return Err(StoreError::Refused("the record has gone".to_owned()));
        };
        if facts.files == 0 || !matches!(facts.state.as_str(), "wanted" | "failed" | "needs_attention") {
            return Err(StoreError::Refused(format!("a {} record needs no job", facts.state)));
        }
        if self.live_jobs(facts.destination)? >= new.limit {
            return Err(StoreError::LimitExceeded);
        }
        let destination = facts.destination;
        if mutant::is(Mutant::ThawsKeys) && facts.key.is_some() {
            self.next_key(new.record, new.capabilities)?;
        }
        match self.allocate_key(new.record, facts, new.capabilities, NewTries(1)) {
            Ok(_) => {}
            Err(StoreError::Refused(why)) => {
                self.set_failed(new.record, &Failure::permanent(FailureKind::Conflict, why), self.now)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let mut create = self.conn.prepare_cached(CREATE_SQL)?;
        if create.execute(params![new.record.0, destination.0, self.now.0])? == 0 {
            return Err(StoreError::Refused("the record has a job already".to_owned()));
        }
        Ok(Some(JobId(self.conn.last_insert_rowid())))
    }

    /// Starts up to `limit` registered jobs whose file can be read now.
    pub fn start_jobs(&self, destination: DestinationId, limit: u32) -> Result<Vec<StartedJob>, StoreError> {
        let mut query = self.conn.prepare_cached(&start_sql())?;
        let rows = query.query_map(params![destination.0, limit], started_row)?;
        let rows: Vec<(StartedJob, u32, u32)> = rows.collect::<Result<_, _>>()?;
        let read_anew = |(job, tries, files)| self.read_from_another(job, tries, files);
        let started: Vec<StartedJob> = rows.into_iter().map(read_anew).collect::<Result<_, _>>()?;
        let mut start = self.conn.prepare_cached(PENDING_SQL)?;
        let mut mark = self.conn.prepare_cached(UPLOADING_SQL)?;
        for job in &started {
            start.execute(params![job.job.0, self.epoch])?;
            mark.execute([job.record.0])?;
        }
        Ok(started)
    }
}

impl Read<'_> {
    /// Another try reads another of the record's files, each in turn: one that cannot be read never
    /// holds up bytes that others have too.
    fn read_from_another(
        &self,
        mut job: StartedJob,
        tries: u32,
        files: u32,
    ) -> Result<StartedJob, StoreError> {
        let Some(place) = tries.checked_rem(files).filter(|_place| tries > 0 && files > 1) else {
            return Ok(job);
        };
        let mut query = self.conn.prepare_cached(ANOTHER_SQL)?;
        let mut rows = query.query(params![job.record.0, place])?;
        if let Some(row) = rows.next()? {
            (job.source_path, job.source) = (row.get(0)?, SourceId(row.get(1)?));
            job.path = RelPath { dir: row.get(2)?, name: row.get(3)? };
            job.stamp = FileStamp { size: unsigned(row, 4)?, mtime_ns: row.get(5)?, ctime_ns: row.get(6)? };
            job.asset = row.get::<_, Option<i64>>(7)?.map(AssetId);
        }
        Ok(job)
    }
}

/// The job, how often it failed so far, and how many files have its bytes.
fn started_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(StartedJob, u32, u32)> {
    let started = StartedJob {
        job: JobId(row.get(0)?),
        record: RecordId(row.get(1)?),
        key: row.get(2)?,
        content: ContentHash { blake3: digest(row, 3)?, size: unsigned(row, 4)? },
        source_path: row.get(5)?,
        source: SourceId(row.get(6)?),
        path: RelPath { dir: row.get(7)?, name: row.get(8)? },
        stamp: FileStamp { size: unsigned(row, 9)?, mtime_ns: row.get(10)?, ctime_ns: row.get(11)? },
        captured_at: CapturedAt {
            wall_ms: UnixMillis(row.get(12)?),
            offset_minutes: row.get(13)?,
            provenance: parse_name(row, 14, Provenance::parse)?,
        },
        kind: parse_name(row, 15, ResourceKind::parse)?,
        token: row.get::<_, i64>(16)?.cast_unsigned(),
        asset: row.get::<_, Option<i64>>(17)?.map(AssetId),
        receipt: row.get(18)?,
        digests: digests(row, 19)?,
    };
    Ok((started, row.get(23)?, row.get(24)?))
}
