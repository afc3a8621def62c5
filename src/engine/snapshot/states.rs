//! Sources, destinations and transfers as clients see them.

use crate::api::{
    DestinationState, PairState, PathText, SourceCondition as ApiCondition, SourceState, TransferState,
    TransferStep, UnreadableFolder,
};
use crate::domain::path::join;
use crate::domain::record::ProofMethod;
use crate::engine::destination::worker::Worker;
use crate::engine::destination::workers::Workers;
use crate::engine::library::{LibraryState, SourceStatus};
use crate::store::{DestinationCounts, SourceCondition, SourceRow, UnreadableDir};

/// The transfers under way.
pub(crate) fn transfer_states(workers: &Workers) -> Vec<TransferState> {
    let all =
        workers.iter().flat_map(|worker| worker.transfers().iter().map(|transfer| (worker.id(), transfer)));
    all.map(|(destination, transfer)| {
        let started = transfer.started();
        let mut path = started.source_path.clone();
        path.push(b'/');
        path.extend_from_slice(&started.path.to_bytes());
        TransferState {
            id: started.record.to_string(),
            path: PathText::from_bytes(&path),
            asset: started.asset.map(|asset| asset.0),
            destination: destination.0,
            bytes_sent: transfer.sent(),
            bytes_total: started.content.size,
            step: if transfer.is_proving() { TransferStep::Proving } else { TransferStep::Copying },
        }
    })
    .collect()
}

/// One source as clients see it.
pub(crate) fn source_state(
    library: &LibraryState,
    row: &SourceRow,
    found: u64,
    (unreadable_folders, unreadable): (u64, Vec<UnreadableDir>),
) -> SourceState {
    // One that the library has not taken up yet will be looked through first of all.
    let unseen = || SourceStatus { is_due: true, ..SourceStatus::default() };
    let scan = library.sources.get(&row.id).cloned().unwrap_or_else(unseen);
    let state = match row.condition {
        SourceCondition::Unavailable => ApiCondition::Unavailable,
        SourceCondition::Unreadable => ApiCondition::Unreadable,
        SourceCondition::Present if scan.is_scanning || scan.is_due => ApiCondition::Scanning,
        SourceCondition::Present => ApiCondition::Watching,
    };
    let scanned = if scan.is_scanning { scan.scanned } else { 0 };
    let path = PathText::from_bytes(&row.path);
    let unreadable = unreadable.into_iter().map(|dir| unreadable_folder(&row.path, dir)).collect();
    SourceState { id: row.id.0, path, state, found, scanned, note: scan.note, unreadable_folders, unreadable }
}

fn unreadable_folder(source: &[u8], dir: UnreadableDir) -> UnreadableFolder {
    UnreadableFolder {
        path: PathText::from_bytes(&join(source, &dir.dir)),
        problem: dir.problem.as_str().to_owned(),
        summary: dir.problem.summary().to_owned(),
        advice: dir.problem.advice().to_owned(),
        details: dir.details,
    }
}

/// One destination as clients see it.
pub(crate) fn destination_state(
    worker: &Worker,
    counts: &DestinationCounts,
    sources: Vec<i64>,
    is_working: bool,
) -> DestinationState {
    let (row, bins) = (worker.row(), counts.bins());
    let pair =
        |(source, bins): (&crate::domain::ids::SourceId, &crate::domain::accounting::Bins)| PairState {
            source: source.0,
            safe: bins.safe,
            unproven: bins.unproven,
            waiting: bins.waiting,
            uploading: bins.uploading,
            needs_attention: bins.needs_attention,
            excluded: bins.excluded,
        };
    DestinationState {
        id: row.id.0,
        name: row.name.clone(),
        kind: row.kind.as_str().to_owned(),
        url: String::from_utf8_lossy(&row.address).into_owned(),
        enabled: row.is_enabled,
        found: counts.found,
        safe: bins.safe,
        unproven: bins.unproven,
        waiting: bins.waiting,
        uploading: bins.uploading,
        needs_attention: bins.needs_attention,
        excluded: bins.excluded,
        bytes_safe: counts.bytes_safe,
        bytes_waiting: counts.bytes_waiting,
        oldest_proof_at: counts.oldest_proof.map(crate::domain::time::UnixMillis::rfc3339),
        last_audit_at: counts.last_audit.map(crate::domain::time::UnixMillis::rfc3339),
        wait_reason: worker
            .wait_reason()
            .filter(|_| is_working || !row.is_enabled)
            .map(|reason| worker.wait_text(&reason)),
        failure: worker.current_failure().filter(|_| is_working),
        proof: row.capabilities.proof.map(ProofMethod::sentence).unwrap_or_default().to_owned(),
        proof_need: worker.proof_need().map(|need| need.as_str().to_owned()),
        proof_advice: worker
            .proof_obstacle()
            .or_else(|| worker.proof_advice().map(str::to_owned))
            .filter(|_| bins.unproven > 0),
        trusts_checksum: row.kind.has_checksum_choice().then_some(row.trusts_checksum),
        bytes_read: worker.bytes_read(),
        is_reconnecting: worker.is_reconnecting(),
        note: row.capabilities.note.clone(),
        sources,
        verifying: is_working && bins.unproven > 0 && worker.is_verifying(),
        same_disk: false,
        pairs: counts.pairs.iter().map(pair).collect(),
    }
}
