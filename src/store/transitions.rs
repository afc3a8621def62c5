//! The steps of a job's life, each guarded by the state it starts from.
//!
//! A step that finds its job in another state changes nothing and says so: somebody else was first.

use rusqlite::params;

use super::row::{StoreError, signed};
use super::writer::Write;
use crate::base::mutant::{self, Mutant};
use crate::domain::backoff::{CRASHES_BEFORE_SUSPECT, JOBS_BEFORE_ATTENTION};
use crate::domain::cause::Cause;
use crate::domain::failure::Failure;
use crate::domain::ids::{DestinationId, FileId, ItemId, JobId, RecordId};
use crate::domain::record::Evidence;
use crate::domain::time::UnixMillis;

/// A copy that read as damaged is read again after this long.
const DAMAGED_READ_AGAIN: std::time::Duration = std::time::Duration::from_secs(6 * 60 * 60);

/// Records that failed with the kind or class `?1`; all where that is none.
const RECORD_OF_CLASS: &str = "(?1 IS NULL OR failure_kind = ?1
    OR failure_kind || '.' || coalesce(failure_cause, '') = ?1)";
/// Files without a record that cannot be read for the reason, or of the class, `?1`.
const FILE_OF_CLASS: &str = "(?1 IS NULL OR reason = ?1 OR reason || '.' = ?1)";

/// How a pending job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// The destination has it.
    Succeeded {
        /// What it showed.
        evidence: Evidence,
        /// What it said.
        receipt: String,
    },
    /// It failed on the resource's own account.
    Failed {
        /// Why it failed.
        failure: Failure,
        /// When another job may be made for it; never for a permanent failure.
        eligible_at: UnixMillis,
    },
    /// It goes back unspent: paused, offline, the destination is lost, quitting.
    PutBack {
        /// Bytes sent so far.
        bytes_sent: u64,
    },
}

/// A copy as it was when an audit began to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedCopy {
    /// Whose copy it was.
    pub record: RecordId,
    /// The name it had.
    pub key: String,
    /// What the destination had said of it.
    pub receipt: String,
}

impl Write<'_> {
    /// Ends a pending job of this run and writes its outcome into the ledger. Says whether the job
    /// was still this run's.
    pub fn end_job(&self, job: JobId, record: RecordId, outcome: &JobOutcome) -> Result<bool, StoreError> {
        let (state, permanent, bytes) = match outcome {
            JobOutcome::Succeeded { .. } => ("succeeded", false, None),
            JobOutcome::Failed { failure, .. } => ("failed", failure.is_permanent(), None),
            JobOutcome::PutBack { bytes_sent } => ("registered", false, Some(signed(*bytes_sent))),
        };
        let sql =
            "UPDATE upload_job SET state = ?2, is_permanent = ?3, bytes_sent = coalesce(?4, bytes_sent),
              run_epoch = NULL
            WHERE id = ?1 AND state = 'pending' AND run_epoch = ?5";
        let sql =
            if mutant::is(Mutant::IgnoresEpoch) { sql.replace("= ?5", "<> -?5") } else { sql.to_owned() };
        let ended =
            self.conn.prepare_cached(&sql)?.execute(params![job.0, state, permanent, bytes, self.epoch])?;
        if ended == 0 {
            return Ok(false);
        }
        match outcome {
            JobOutcome::Succeeded { evidence, receipt } => self.set_evidence(record, *evidence, receipt)?,
            JobOutcome::Failed { failure, eligible_at } => self.set_failed(record, failure, *eligible_at)?,
            JobOutcome::PutBack { .. } => self.settle_bin(record)?,
        }
        Ok(true)
    }

    /// Writes what an audit has read of a copy. A record whose copy is another by now, or none, is left
    /// as it is: the reading says nothing of it. Says whether it still was that one.
    pub fn set_audit_evidence(&self, copy: &AuditedCopy, evidence: Evidence) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM backup_record
            WHERE id = ?1 AND key = ?2 AND receipt = ?3 AND state IN ('verified', 'accepted'))";
        let AuditedCopy { record, key, receipt } = copy;
        let is_same =
            self.conn.prepare_cached(sql)?.query_row(params![record.0, key, receipt], |row| row.get(0))?;
        if is_same {
            self.set_evidence(*record, evidence, receipt)?;
        }
        Ok(is_same)
    }

    /// Writes what a destination has shown of a copy.
    pub(super) fn set_evidence(
        &self,
        record: RecordId,
        evidence: Evidence,
        receipt: &str,
    ) -> Result<(), StoreError> {
        let (state, bin, method, at) = match evidence {
            Evidence::Accepted => ("accepted", "unproven", None, None),
            Evidence::Verified { method, at } => ("verified", "safe", Some(method.as_str()), Some(at.0)),
        };
        let sql = "UPDATE OR FAIL backup_record SET state = ?2, bin = ?3, proof_method = ?4, verified_ms = ?5, receipt = ?6,
              jobs_failed = 0, crashes = 0, next_eligible_ms = NULL, failure_kind = NULL, failure_reach = NULL,
              failure_cause = NULL, failure_details = NULL, failed_ms = NULL
            WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute(params![record.0, state, bin, method, at, receipt])?;
        self.conn
            .prepare_cached("DELETE FROM transfer_checkpoint WHERE record_id = ?1")?
            .execute([record.0])?;
        if state == "verified" {
            self.conn.prepare_cached("DELETE FROM named_copy WHERE record_id = ?1")?.execute([record.0])?;
        }
        Ok(())
    }

    pub(super) fn set_failed(
        &self,
        record: RecordId,
        failure: &Failure,
        eligible_at: UnixMillis,
    ) -> Result<(), StoreError> {
        // Excluded while it was being sent, or no longer wanted: that stays, the failure is only noted.
        let sql = "UPDATE OR FAIL backup_record SET jobs_failed = jobs_failed + 1,
              state = CASE WHEN state IN ('excluded', 'superseded') THEN state WHEN ?10 THEN 'excluded'
                WHEN ?2 OR jobs_failed + 1 >= ?3 THEN 'needs_attention' ELSE 'failed' END,
              bin = CASE WHEN state = 'excluded' THEN 'excluded' WHEN state = 'superseded' THEN 'waiting'
                WHEN ?10 THEN 'excluded' WHEN ?2 OR jobs_failed + 1 >= ?3 THEN 'needs_attention' ELSE 'waiting' END,
              next_eligible_ms = CASE WHEN ?2 OR ?10 THEN NULL ELSE ?4 END,
              failure_kind = ?5, failure_reach = ?6, failure_details = ?7, failed_ms = ?8, failure_cause = ?9
            WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute(params![
            record.0,
            failure.is_permanent() && !mutant::is(Mutant::RetriesPermanent),
            if failure.waits_for_room() { u32::MAX } else { JOBS_BEFORE_ATTENTION },
            eligible_at.0,
            failure.kind.as_str(),
            failure.reach.as_str(),
            failure.details,
            self.now.0,
            failure.cause.map(Cause::as_str),
            failure.cause.is_some_and(Cause::leaves_out)
        ])?;
        Ok(())
    }

    fn settle_bin(&self, record: RecordId) -> Result<(), StoreError> {
        let sql = "UPDATE OR FAIL backup_record SET bin = CASE state
                WHEN 'accepted' THEN 'unproven' WHEN 'verified' THEN 'safe'
                WHEN 'needs_attention' THEN state WHEN 'excluded' THEN state ELSE 'waiting' END
            WHERE id = ?1";
        self.conn.prepare_cached(sql)?.execute([record.0])?;
        Ok(())
    }

    /// The extension's one retry: the job is registered again, and the failure it takes back no
    /// longer counts. Says whether the job allowed it.
    pub fn retry_job(&self, job: JobId) -> Result<bool, StoreError> {
        let sql = "UPDATE upload_job SET state = 'registered', retry_used = 1, is_permanent = 0
            WHERE id = ?1 AND state = 'failed' AND retry_used = 0 RETURNING record_id";
        let sql = if mutant::is(Mutant::RetriesTwice) {
            sql.replace("retry_used = 0", "1")
        } else {
            sql.to_owned()
        };
        let mut retry = self.conn.prepare_cached(&sql)?;
        let mut rows = retry.query([job.0])?;
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        let record: i64 = row.get(0)?;
        let sql = "UPDATE backup_record SET jobs_failed = max(jobs_failed - 1, 0), state = 'wanted', bin = 'waiting',
              next_eligible_ms = NULL
            WHERE id = ?1 AND state IN ('failed', 'needs_attention')";
        self.conn.prepare_cached(sql)?.execute([record])?;
        Ok(true)
    }

    /// The extension has seen the outcome: the job goes and its slot is free.
    pub fn acknowledge_job(&self, job: JobId) -> Result<bool, StoreError> {
        let sql = "DELETE FROM upload_job WHERE id = ?1 AND state IN ('succeeded', 'failed')";
        Ok(self.conn.prepare_cached(sql)?.execute([job.0])? > 0)
    }

    /// The extension no longer wants the job. A pending one loses its row at once; the engine sees
    /// that when it ends.
    pub fn cancel_job(&self, job: JobId) -> Result<bool, StoreError> {
        let sql =
            "DELETE FROM upload_job WHERE id = ?1 AND state IN ('registered', 'pending') RETURNING record_id";
        let mut cancel = self.conn.prepare_cached(sql)?;
        let mut rows = cancel.query([job.0])?;
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        self.settle_bin(RecordId(row.get(0)?))?;
        Ok(true)
    }

    /// After a start: whatever an earlier run had in flight goes back unspent, and each such record
    /// has one crash more. Returns how many there were.
    pub fn rescue_jobs(&self) -> Result<u64, StoreError> {
        let sql = "UPDATE backup_record SET crashes = crashes + 1, bin = CASE state
                WHEN 'accepted' THEN 'unproven' WHEN 'verified' THEN 'safe'
                WHEN 'needs_attention' THEN state WHEN 'excluded' THEN state ELSE 'waiting' END
            WHERE id IN (SELECT record_id FROM upload_job WHERE state = 'pending' AND run_epoch <> ?1)";
        self.conn.execute(sql, [self.epoch])?;
        let sql = "UPDATE upload_job SET state = 'registered', run_epoch = NULL
            WHERE state = 'pending' AND run_epoch <> ?1";
        let rescued = self.conn.execute(sql, [self.epoch])? as u64;
        // What was in flight in crash after crash loses its place: it is drawn again last and alone.
        let sql = "DELETE FROM upload_job WHERE state = 'registered'
            AND record_id IN (SELECT id FROM backup_record WHERE crashes >= ?1)";
        self.conn.execute(sql, [CRASHES_BEFORE_SUSPECT])?;
        Ok(rescued)
    }

    /// A copy that nobody knew the writing of was seen: it gets the receipt of what is written now. Says
    /// whether the record's copy still was that one.
    pub fn set_receipt(&self, copy: &AuditedCopy, receipt: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE backup_record SET receipt = ?4
            WHERE id = ?1 AND key = ?2 AND coalesce(receipt, '') = ?3 AND state = 'accepted'";
        let AuditedCopy { record, key, receipt: old } = copy;
        Ok(self.conn.prepare_cached(sql)?.execute(params![record.0, key, old, receipt])? > 0)
    }

    /// A copy that an audit found missing or different: it is sent again. Its key is given up, for
    /// what is there now is not touched. Says whether the record's copy still was that one.
    pub fn set_copy_bad(&self, copy: &AuditedCopy) -> Result<bool, StoreError> {
        let sql =
            "UPDATE backup_record SET state = CASE file_count WHEN 0 THEN 'superseded' ELSE 'wanted' END,
              bin = 'waiting', proof_method = NULL, verified_ms = NULL, receipt = NULL, is_manifested = 0,
              key = NULL, key_fold = NULL
            WHERE id = ?1 AND key = ?2 AND receipt = ?3 AND state IN ('verified', 'accepted')";
        let AuditedCopy { record, key, receipt } = copy;
        Ok(self.conn.prepare_cached(sql)?.execute(params![record.0, key, receipt])? > 0)
    }

    /// A copy that an audit found wrong, and that sending again would not mend: a person has to look. It is
    /// looked at again by itself, for what was read may have been bent on the way for a while. Says whether the record's copy still was that one.
    pub fn set_copy_damaged(&self, copy: &AuditedCopy, failure: &Failure) -> Result<bool, StoreError> {
        if !self.set_copy_bad(copy)? {
            return Ok(false);
        }
        let sql = "UPDATE backup_record SET state = 'needs_attention', bin = 'needs_attention',
              failure_kind = ?2, failure_reach = ?3, failure_details = ?4, failed_ms = ?5, failure_cause = ?6,
              next_eligible_ms = ?7
            WHERE id = ?1 AND state = 'wanted'";
        self.conn.prepare_cached(sql)?.execute(params![
            copy.record.0,
            failure.kind.as_str(),
            failure.reach.as_str(),
            failure.details,
            self.now.0,
            failure.cause.map(Cause::as_str),
            self.now.plus(DAMAGED_READ_AGAIN).0
        ])?;
        Ok(true)
    }

    /// Notes why a copy without proof could not be read back. It stays what it is.
    pub fn note_unread(&self, copy: &AuditedCopy, failure: &Failure) -> Result<(), StoreError> {
        let sql =
            "UPDATE backup_record SET failure_kind = ?4, failure_reach = ?5, failure_details = ?6, failed_ms = ?7,
              failure_cause = ?8
            WHERE id = ?1 AND key = ?2 AND receipt = ?3 AND state = 'accepted'";
        let AuditedCopy { record, key, receipt } = copy;
        self.conn.prepare_cached(sql)?.execute(params![
            record.0,
            key,
            receipt,
            failure.kind.as_str(),
            failure.reach.as_str(),
            failure.details,
            self.now.0,
            failure.cause.map(Cause::as_str)
        ])?;
        Ok(())
    }

    /// The person wants these tried again now. Returns how many items that changed.
    pub fn retry_items(&self, items: &[ItemId]) -> Result<u64, StoreError> {
        let mut changed = 0;
        for item in items {
            changed += match item {
                ItemId::Record(id) => self.retry_where("id = ?1", params![id.0])?,
                ItemId::File(id) => self.mark_due("id = ?1", params![id.0])?,
            };
        }
        Ok(changed)
    }

    /// The person wants everything tried again now, or everything that failed with one kind or class.
    pub fn retry_all(&self, kind: Option<&str>) -> Result<u64, StoreError> {
        let records = self.retry_where(RECORD_OF_CLASS, params![kind])?;
        let files = self.mark_due(FILE_OF_CLASS, params![kind])?;
        Ok(records + files)
    }

    fn retry_where(&self, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE backup_record SET state = CASE file_count WHEN 0 THEN 'superseded' ELSE 'wanted' END,
               bin = 'waiting', jobs_failed = 0, crashes = 0, next_eligible_ms = NULL
             WHERE {which} AND state IN ('failed', 'needs_attention') AND bin <> 'uploading'"
        );
        Ok(self.conn.execute(&sql, values)? as u64)
    }

    fn mark_due(&self, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<u64, StoreError> {
        let change = format!(
            "status = 'found', reason = NULL, details = NULL WHERE {which} AND status = 'problem' AND size > 0"
        );
        self.move_files(&change, values)
    }

    /// The person leaves these out for good. Returns how many items that changed.
    pub fn exclude_items(&self, items: &[ItemId]) -> Result<u64, StoreError> {
        let mut changed = 0;
        for item in items {
            changed += match item {
                ItemId::Record(id) => self.exclude_record(*id)?,
                ItemId::File(id) => self.move_files(
                    "status = 'excluded', reason = 'by_person', details = NULL,
                       settle_until_ms = NULL, content_id = NULL
                     WHERE id = ?1 AND status <> 'excluded'",
                    params![id.0],
                )?,
            };
        }
        Ok(changed)
    }

    fn exclude_record(&self, id: RecordId) -> Result<u64, StoreError> {
        // A live job goes with it; the extension and the engine find that out by its absence.
        self.conn.execute("DELETE FROM upload_job WHERE record_id = ?1", [id.0])?;
        let sql = "UPDATE backup_record SET state = 'excluded', bin = 'excluded', next_eligible_ms = NULL
            WHERE id = ?1 AND (state = 'wanted' OR state = 'failed' OR state = 'needs_attention')";
        Ok(self.conn.execute(sql, [id.0])? as u64)
    }

    /// The person takes an exclusion back. Returns how many items that changed.
    pub fn include_items(&self, items: &[ItemId]) -> Result<u64, StoreError> {
        let mut changed = 0;
        for item in items {
            changed += match item {
                ItemId::Record(RecordId(id)) => self.conn.execute(
                    "UPDATE backup_record SET state = CASE file_count WHEN 0 THEN 'superseded' ELSE 'wanted' END,
                       bin = 'waiting', jobs_failed = 0 WHERE id = ?1 AND state = 'excluded'",
                    [id],
                )? as u64,
                ItemId::File(FileId(id)) => self.move_files(
                    "status = 'found', reason = NULL
                     WHERE id = ?1 AND status = 'excluded' AND reason = 'by_person'",
                    params![id],
                )?,
            };
        }
        Ok(changed)
    }

    /// Everything that failed or needs attention, or failed with one kind or class, is left out for
    /// good.
    pub fn exclude_all(&self, kind: Option<&str>) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE backup_record SET state = 'excluded', bin = 'excluded', next_eligible_ms = NULL
            WHERE state IN ('failed', 'needs_attention') AND {RECORD_OF_CLASS}
              AND NOT EXISTS (SELECT 1 FROM upload_job j WHERE j.record_id = backup_record.id)"
        );
        let records = self.conn.execute(&sql, params![kind])? as u64;
        let change = format!(
            "status = 'excluded', reason = 'by_person', details = NULL
             WHERE status = 'problem' AND {FILE_OF_CLASS}"
        );
        let files = self.move_files(&change, params![kind])?;
        Ok(records + files)
    }

    /// Jobs of a destination that were pending when it was lost or switched off, and whose rows the
    /// engine has let go of, go back.
    pub fn put_back_all(&self, destination: DestinationId) -> Result<(), StoreError> {
        let sql = "UPDATE upload_job SET state = 'registered', run_epoch = NULL
            WHERE destination_id = ?1 AND state = 'pending'";
        self.conn.execute(sql, [destination.0])?;
        self.settle_bins(destination)
    }
}
