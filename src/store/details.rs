//! How one file stands at one destination, in words for people.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Row, params};

use super::destinations::DestinationRow;
use super::library_queries::absolute;
use super::row::{StoreError, parse_name, parse_optional_name, unsigned};
use super::writer::Read;
use crate::api::{AssetDetails, CopyDetails, DecisionRow, FailureText, PathText, ResourceDetails, WaitText};
use crate::domain::accounting::Bin;
use crate::domain::asset::ResourceKind;
use crate::domain::backoff;
use crate::domain::cause::Cause;
use crate::domain::failure::{FailureKind, Reach};
use crate::domain::file::{ExcludeReason, FileStatus, Problem};
use crate::domain::hash::Blake3;
use crate::domain::ids::{AssetId, DestinationId, FileId, ItemId, RecordId, SourceId};
use crate::domain::media_type::MediaType;
use crate::domain::record::ProofMethod;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::wait::WaitReason;

/// What the store cannot know and rows must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueContext {
    /// The time.
    pub now: UnixMillis,
    /// Why nothing happens anywhere: off, paused, offline …
    pub app_wait: Option<WaitReason>,
    /// Why nothing happens at one destination.
    pub destination_wait: BTreeMap<DestinationId, WaitReason>,
    /// Why copies at a destination cannot be proved now, and what would help.
    pub proof_obstacle: BTreeMap<DestinationId, String>,
    /// Bytes sent of what is under way now.
    pub sent: BTreeMap<RecordId, u64>,
    /// The revision that the rows show.
    pub revision: u64,
}

impl QueueContext {
    /// Nothing holds anything up.
    pub fn at(now: UnixMillis) -> Self {
        Self {
            now,
            app_wait: None,
            destination_wait: BTreeMap::new(),
            proof_obstacle: BTreeMap::new(),
            sent: BTreeMap::new(),
            revision: 0,
        }
    }
}

/// A file as the queue and the details show it.
pub(super) struct ShownFile {
    pub id: FileId,
    pub source: SourceId,
    pub path: Vec<u8>,
    pub size: u64,
    pub status: FileStatus,
    pub problem: Option<Problem>,
    pub excluded: Option<ExcludeReason>,
    pub details: String,
    pub is_source_there: bool,
    pub asset: Option<AssetId>,
}

/// A record as the queue and the details show it.
pub(super) struct ShownRecord {
    pub id: RecordId,
    pub bin: Bin,
    pub kind: ResourceKind,
    pub key: Option<String>,
    pub jobs_tried: u32,
    /// The destination keeps nothing of its kind, as its failure says.
    pub is_left_out_there: bool,
    pub next_eligible: Option<UnixMillis>,
    pub failure: Option<FailureText>,
    pub proof: Option<ProofMethod>,
    pub verified_at: Option<UnixMillis>,
    pub job_state: Option<String>,
    pub bytes_sent: u64,
}

fn shown_record(row: &Row<'_>) -> rusqlite::Result<ShownRecord> {
    let bin = parse_name(row, 1, Bin::parse)?;
    let kind = parse_optional_name(row, 5, FailureKind::parse)?;
    let reach = parse_optional_name(row, 6, Reach::parse)?;
    let details = row.get::<_, Option<String>>(7)?.unwrap_or_default();
    // A later release's cause is none: the kind still has words.
    let cause = row.get::<_, Option<String>>(12)?.as_deref().and_then(Cause::parse);
    Ok(ShownRecord {
        id: RecordId(row.get(0)?),
        bin,
        key: row.get(2)?,
        jobs_tried: row.get(3)?,
        next_eligible: row.get::<_, Option<i64>>(4)?.map(UnixMillis),
        is_left_out_there: bin == Bin::Excluded && cause.is_some_and(Cause::leaves_out),
        failure: kind
            .zip(reach)
            .filter(|_| bin != Bin::Safe)
            .map(|(kind, reach)| FailureText::with_cause(kind, reach, cause, details)),
        proof: parse_optional_name(row, 8, ProofMethod::parse)?,
        verified_at: row.get::<_, Option<i64>>(9)?.map(UnixMillis),
        job_state: row.get(10)?,
        bytes_sent: row.get::<_, Option<i64>>(11)?.unwrap_or(0).unsigned_abs(),
        kind: parse_name(row, 13, ResourceKind::parse)?,
    })
}

fn shown_file(row: &Row<'_>) -> rusqlite::Result<ShownFile> {
    let (root, dir, name): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let reason: Option<String> = row.get(6)?;
    let condition: String = row.get(8)?;
    Ok(ShownFile {
        id: FileId(row.get(0)?),
        path: absolute(&root, &dir, &name),
        size: unsigned(row, 4)?,
        status: parse_name(row, 5, FileStatus::parse)?,
        problem: reason.as_deref().and_then(Problem::parse),
        excluded: reason.as_deref().and_then(ExcludeReason::parse),
        details: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
        is_source_there: condition == "present",
        asset: row.get::<_, Option<i64>>(9)?.map(AssetId),
        source: SourceId(row.get(10)?),
    })
}

impl ShownFile {
    /// The bin of a file that has no record.
    pub(super) fn bin(&self) -> Bin {
        match self.status {
            FileStatus::Problem => Bin::NeedsAttention,
            FileStatus::Excluded => Bin::Excluded,
            FileStatus::Found | FileStatus::Settling | FileStatus::Described | FileStatus::Ready => {
                Bin::Waiting
            }
        }
    }

    /// Why a file without a record needs a person.
    pub(super) fn failure(&self) -> Option<FailureText> {
        let kind = FailureKind::parse(self.problem?.as_str())?;
        Some(FailureText::new(kind, Reach::Resource, self.details.clone()))
    }

    /// The public id: the record's, else the file's.
    pub(super) fn item(&self, record: Option<&ShownRecord>) -> String {
        record.map_or(ItemId::File(self.id), |record| ItemId::Record(record.id)).to_string()
    }
}

/// Why a file waits at a destination; `None` if it does not wait. What is true of the file comes
/// first, then what is true of everything, of the destination, and of the record.
pub(super) fn wait_reason(
    file: &ShownFile,
    record: Option<&ShownRecord>,
    destination: &DestinationRow,
    context: &QueueContext,
) -> Option<WaitText> {
    match record.map_or_else(|| file.bin(), |record| record.bin) {
        Bin::Waiting => {}
        Bin::Unproven => return unproven_reason(record?, destination, context),
        Bin::Safe | Bin::Uploading | Bin::NeedsAttention | Bin::Excluded => return None,
    }
    let reason = match file.status {
        FileStatus::Settling => WaitReason::Settling,
        _ if !file.is_source_there => WaitReason::SourceUnavailable,
        FileStatus::Found | FileStatus::Described => WaitReason::Indexing,
        _ => destination_wait(destination, context)
            .or_else(|| {
                let until = record?.next_eligible?;
                (!backoff::is_due(until, context.now)).then_some(WaitReason::BackOff { until })
            })
            .unwrap_or(WaitReason::Queued),
    };
    Some(match &destination.lost {
        Some(lost) => WaitText::with_cause(&reason, lost.kind, lost.cause),
        None => WaitText::from(&reason),
    })
}

/// Why a copy has no proof yet; `None` where nothing is known but that its destination gives none.
fn unproven_reason(
    record: &ShownRecord,
    destination: &DestinationRow,
    context: &QueueContext,
) -> Option<WaitText> {
    let told = |summary: &str| {
        Some(WaitText { kind: "unproven".to_owned(), until: None, summary: summary.to_owned() })
    };
    if record.kind == ResourceKind::Sidecar && destination.kind == DestinationKind::Immich {
        return told("Immich does not give sidecars back, so this copy cannot be verified");
    }
    if let Some(obstacle) = context.proof_obstacle.get(&destination.id) {
        return told(obstacle);
    }
    let proof = || destination.capabilities.proof_wait();
    let waits = destination_wait(destination, context).unwrap_or_else(proof);
    Some(WaitText::from(&waits))
}

fn destination_wait(destination: &DestinationRow, context: &QueueContext) -> Option<WaitReason> {
    if let Some(reason) = &context.app_wait {
        return Some(reason.clone());
    }
    if !destination.is_enabled {
        return Some(WaitReason::Off);
    }
    if let Some(reason) = context.destination_wait.get(&destination.id) {
        return Some(reason.clone());
    }
    let lost = destination.lost.as_ref()?;
    Some(match lost.kind {
        FailureKind::Credentials => WaitReason::Credentials,
        FailureKind::Forbidden => WaitReason::Forbidden,
        FailureKind::Full => WaitReason::NoSpace { until: lost.until },
        _ => WaitReason::Unreachable { until: lost.until },
    })
}

impl Read<'_> {
    /// A file as it is shown; none for one that has gone.
    pub(super) fn shown_file(&self, file: FileId) -> Result<Option<ShownFile>, StoreError> {
        let sql = "SELECT f.id, s.path, f.dir, f.name, f.size, f.status, f.reason, f.details, s.condition,
              r.asset_id, f.source_id
            FROM file f JOIN source s ON s.id = f.source_id LEFT JOIN resource r ON r.file_id = f.id
            WHERE f.id = ?1";
        Ok(self.conn.prepare_cached(sql)?.query_row([file.0], shown_file).optional()?)
    }

    /// A file's record at a destination; `None` if it has none yet.
    pub(super) fn shown_record(
        &self,
        file: FileId,
        destination: DestinationId,
    ) -> Result<Option<ShownRecord>, StoreError> {
        let sql = "SELECT b.id, b.bin, b.key, b.jobs_tried, b.next_eligible_ms, b.failure_kind,
              b.failure_reach, b.failure_details, b.proof_method, b.verified_ms, j.state, j.bytes_sent,
              b.failure_cause, b.kind
            FROM attachment t JOIN backup_record b ON b.id = t.record_id
            LEFT JOIN upload_job j ON j.record_id = b.id
            WHERE t.destination_id = ?1 AND t.file_id = ?2";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row(params![destination.0, file.0], shown_record).optional()?)
    }

    /// What was decided about a record last. Nothing has been where no job has been.
    pub(super) fn decisions_of(&self, record: &ShownRecord) -> Result<Vec<DecisionRow>, StoreError> {
        if record.jobs_tried == 0 { Ok(Vec::new()) } else { self.decisions(record.id) }
    }

    /// Everything about one asset; none for one that has gone.
    pub fn asset_details(
        &self,
        id: AssetId,
        context: &QueueContext,
    ) -> Result<Option<AssetDetails>, StoreError> {
        let Some(row) = self.asset_row(id, &self.meant()?)? else {
            return Ok(None);
        };
        let sql = "SELECT a.date_source, a.date_doubt, a.offset_minutes, r.camera
            FROM asset a JOIN resource r ON r.file_id = a.primary_file_id WHERE a.id = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let (captured_from, date_doubt, offset_minutes, camera) =
            query.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let sql = "SELECT r.file_id, r.kind, r.media_type, r.is_mismatch, c.blake3
            FROM asset a JOIN resource r ON r.asset_id = a.id JOIN file f ON f.id = r.file_id
            LEFT JOIN content c ON c.id = f.content_id
            WHERE a.id = ?1 ORDER BY r.file_id <> a.primary_file_id, f.name";
        let mut query = self.conn.prepare_cached(sql)?;
        let mut rows = query.query([id.0])?;
        let (destinations, consents) = (self.destinations()?, self.consents()?);
        let mut resources = Vec::new();
        while let Some(part) = rows.next()? {
            let Some(file) = self.shown_file(FileId(part.get(0)?))? else { continue };
            let kind = parse_optional_name(part, 1, ResourceKind::parse)?.unwrap_or(ResourceKind::Photo);
            let mut copies = Vec::new();
            for destination in destinations.iter().filter(|row| consents.contains(&(file.source, row.id))) {
                copies.push(self.copy_details(&file, destination, context)?);
            }
            resources.push(ResourceDetails {
                path: PathText::from_bytes(&file.path),
                kind: kind.as_str().to_owned(),
                media_type: parse_name(part, 2, MediaType::parse)?.as_str().to_owned(),
                is_mismatch: part.get(3)?,
                size: file.size,
                blake3: part.get::<_, Option<[u8; 32]>>(4)?.map(|digest| Blake3(digest).to_hex()),
                copies,
            });
        }
        Ok(Some(AssetDetails { row, captured_from, date_doubt, offset_minutes, camera, resources }))
    }

    fn copy_details(
        &self,
        file: &ShownFile,
        destination: &DestinationRow,
        context: &QueueContext,
    ) -> Result<CopyDetails, StoreError> {
        let record = self.shown_record(file.id, destination.id)?;
        let wait_reason = wait_reason(file, record.as_ref(), destination, context);
        let item = file.item(record.as_ref());
        let bin = record.as_ref().map_or_else(|| file.bin(), |record| record.bin);
        let mut copy = CopyDetails {
            id: item,
            destination: destination.name.clone(),
            bin: bin.as_str().to_owned(),
            key: None,
            proof: None,
            proved_at: None,
            failure: file.failure(),
            wait_reason,
            decisions: Vec::new(),
        };
        if let Some(record) = record {
            copy.decisions = self.decisions_of(&record)?;
            copy.key = record.key;
            copy.proof = record.proof.map(|method| method.sentence().to_owned());
            copy.proved_at = record.verified_at.map(UnixMillis::rfc3339);
            copy.failure = record.failure;
        }
        Ok(copy)
    }
}
