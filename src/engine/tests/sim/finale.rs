//! What must be true when all trouble is over: every file where it belongs, and nothing else
//! anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::photos::{ExpectedState, Photo};
use super::remote::Remote;
use super::watcher::check_counts;
use super::world::{Outside, World};
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::record::RecordState;
use crate::store::StoreError;
use crate::store::simulation_audit::{LedgerRow, PairRow, peek};

/// Failures that stay, where a destination has answered so.
const LASTING: [&str; 3] = ["too_large", "unsupported", "conflict"];

/// What the database says.
struct Rows {
    pairs: Vec<PairRow>,
    ledger: BTreeMap<RecordId, LedgerRow>,
    sources: Vec<String>,
    consents: usize,
    enabled: BTreeMap<DestinationId, bool>,
    jobs: usize,
    /// Keys of different source folders that share a stem.
    shared_stems: Vec<String>,
    /// Destinations with copies that no manifest lists.
    unlisted: Vec<DestinationId>,
}

fn rows(path: &Path) -> Result<Rows, StoreError> {
    peek(path, |r| {
        let ledger = r.ledger(false)?.into_iter().map(|row| (row.id, row)).collect();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let enabled: BTreeMap<_, _> = r.limits()?.into_iter().map(|row| (row.id, row.is_enabled)).collect();
        let mut unlisted = Vec::new();
        for id in enabled.iter().filter(|(_, enabled)| **enabled).map(|(id, _)| *id) {
            unlisted.extend((!r.unlisted(id, 1)?.is_empty()).then_some(id));
        }
        Ok(Rows {
            unlisted,
            shared_stems: r.shared_stems()?,
            pairs: r.pair_rows()?,
            ledger,
            sources: r.sources()?.into_iter().map(|source| text(source.path)).collect(),
            consents: r.consents()?.len(),
            enabled,
            jobs: r.job_facts()?.len(),
        })
    })
}

/// Whether some file fails for as long as it is there, and is tried again now and then.
pub fn awaits_retry(path: &Path) -> bool {
    let is_waiting = |row: &LedgerRow| row.next_eligible_ms.is_some() && row.files > 0;
    rows(path).is_ok_and(|rows| rows.ledger.values().any(is_waiting))
}

/// Whether a job is live.
pub fn is_busy(path: &Path) -> bool {
    rows(path).is_ok_and(|rows| rows.jobs > 0)
}

/// Files that are not where they should be, while everything may run.
pub fn differences(world: &World, path: &Path) -> Vec<String> {
    let rows = match rows(path) {
        Ok(rows) => rows,
        Err(error) => return vec![format!("the rows cannot be read: {error}")],
    };
    world.with(|around| {
        let mut found = rows.shared_stems.clone();
        if rows.jobs > 0 {
            found.push(format!("{} jobs are still live", rows.jobs));
        }
        if !rows.unlisted.is_empty() {
            found.push(format!("no manifest lists all copies at {:?}", rows.unlisted));
        }
        if rows.consents == 0 && !rows.sources.is_empty() && !rows.enabled.is_empty() {
            found.push("nobody may send anything".to_owned());
        }
        let left_out = left_out(&rows.pairs);
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        for row in &rows.pairs {
            *known.entry(&row.path).or_default() += 1;
            let remote = around.remotes.iter().find(|remote| remote.id == Some(row.destination));
            let Some(remote) = remote.filter(|_| rows.enabled.get(&row.destination) == Some(&true)) else {
                continue;
            };
            let record = row.record.and_then(|id| rows.ledger.get(&id));
            found.extend(judge(around, (row, &left_out), record, remote));
        }
        for path in around.photos.files.keys() {
            let is_meant = rows.sources.iter().any(|root| path.starts_with(&format!("{root}/")));
            if is_meant && rows.consents > 0 && !known.contains_key(path.as_str()) && has_pair(&rows, path) {
                found.push(format!("{path} is not known"));
            }
        }
        found
    })
}

/// Whether any file of the same source is in a pair.
fn has_pair(rows: &Rows, path: &str) -> bool {
    let root = rows.sources.iter().find(|root| path.starts_with(&format!("{root}/")));
    root.is_some_and(|root| rows.pairs.iter().any(|row| row.path.starts_with(&format!("{root}/"))))
}

fn judge(
    around: &Outside,
    (row, left_out): (&PairRow, &BTreeSet<&str>),
    record: Option<&LedgerRow>,
    remote: &Remote,
) -> Option<String> {
    let said = || {
        let reason = row.reason.as_deref().unwrap_or("");
        let record = record.map(|r| (r.id, r.state, r.failure.as_deref(), r.jobs_failed, r.next_eligible_ms));
        format!("{} at {}: {} {reason} {record:?}", row.path, remote.name(), row.status)
    };
    let Some(photo) = around.photos.files.get(&row.path) else {
        return Some(format!("{} is known and not there", said()));
    };
    let is_out = row.status == "excluded";
    let by_person = is_out
        && row.reason.as_deref() == Some("by_person")
        && (around.excluded_classes || !around.excluded.is_empty());
    if by_person {
        return None;
    }
    let is_kept = || row.status == "ready" && record.is_some_and(|record| is_well(around, record, remote));
    let expected_state = around.photos.expected_state(&row.path, photo, left_out);
    let is_fine = match expected_state {
        ExpectedState::LeftOut(reason) => is_out && row.reason.as_deref() == Some(reason),
        ExpectedState::Troubled(reason) => {
            row.status == "problem" && row.reason.as_deref() == Some(reason)
                || reason == "unreadable"
                    && (is_empty(row, photo) || is_kept() || record.is_some_and(is_stuck_at_source))
        }
        ExpectedState::Kept => is_kept(),
        ExpectedState::Depends => {
            is_out || row.status == "problem" || is_kept() || record.is_some_and(is_stuck_at_source)
        }
    };
    if !is_fine {
        return Some(format!("{}, and should be {expected_state:?}", said()));
    }
    if !row.is_beside {
        return Some(format!("{}, beside another picture", said()));
    }
    let record = record.filter(|record| record.state == RecordState::Verified && row.status == "ready")?;
    if photo.is_unreadable {
        return None;
    }
    // What the person wants to believe is not held against anyone.
    if remote.is_trusted {
        return None;
    }
    let copy = remote.copy(record.key.as_deref().unwrap_or_default());
    (copy.as_ref() != Some(&photo.bytes)).then(|| format!("{} is safe and its copy is another", said()))
}

/// A file without bytes needs not be opened to be known as one.
fn is_empty(row: &PairRow, photo: &Photo) -> bool {
    photo.bytes.is_empty() && row.status == "problem" && row.reason.as_deref() == Some("empty")
}

/// The files that the person left out.
fn left_out(pairs: &[PairRow]) -> BTreeSet<&str> {
    let by_person = pairs.iter().filter(|row| row.reason.as_deref() == Some("by_person"));
    by_person.map(|row| row.path.as_str()).collect()
}

/// A file that could be read once and cannot be read now.
fn is_stuck_at_source(record: &LedgerRow) -> bool {
    let is_source = matches!(record.failure.as_deref(), Some("unreadable" | "gone" | "changed"));
    record.state == RecordState::NeedsAttention && is_source
}

/// Whether a record is where a sound file's record may stay.
fn is_well(around: &Outside, record: &LedgerRow, remote: &Remote) -> bool {
    match record.state {
        RecordState::Verified => true,
        RecordState::Accepted => remote.rules.proof.is_none(),
        RecordState::Excluded => around.excluded_classes || around.excluded.contains(&record.id.to_string()),
        RecordState::NeedsAttention => {
            let kind = record.failure.as_deref().unwrap_or_default();
            let has_met =
                remote.met.get(&record.id.0).is_some_and(|met| met.iter().any(|m| m.as_str() == kind));
            let is_damaged = kind == "digest_mismatch" && remote.has_damaged(&record.content.blake3.0);
            is_damaged
                || record.next_eligible_ms.is_none()
                    && LASTING.contains(&kind)
                    && (has_met || kind == "conflict")
        }
        RecordState::Wanted | RecordState::Failed | RecordState::Superseded => false,
    }
}

/// What must hold after all is quiet, beyond [`differences`].
pub fn after_all(world: &World, path: &Path) {
    let found = match rows(path) {
        Ok(rows) => world.with(|around| {
            let twice = around.remotes.iter().flat_map(|remote| doubles(remote, &rows.ledger));
            let harmed = around.remotes.iter().flat_map(harmed);
            twice.chain(harmed).collect::<Vec<_>>()
        }),
        Err(error) => vec![format!("the rows cannot be read: {error}")],
    };
    for what in found {
        world.violate(what);
    }
    if let Err(error) = peek(path, |r| check_counts(world, r)) {
        world.violate(format!("the counters cannot be read: {error}"));
    }
}

/// Bytes that are at a destination more often than the ledger knows of.
fn doubles(remote: &Remote, ledger: &BTreeMap<RecordId, LedgerRow>) -> Vec<String> {
    let Some(id) = remote.id.filter(|_| !remote.was_forgotten) else { return Vec::new() };
    let mut copies: BTreeMap<[u8; 32], Vec<String>> = BTreeMap::new();
    for (key, bytes) in remote.copies() {
        copies.entry(*blake3::hash(&bytes).as_bytes()).or_default().push(key);
    }
    let mut found = Vec::new();
    for (hash, keys) in copies {
        let records = ledger.values().filter(|r| r.destination == id && r.content.blake3.0 == hash).count();
        let times = |counts: &BTreeMap<[u8; 32], u64>| counts.get(&hash).copied().unwrap_or_default();
        if keys.len() as u64 > records.max(1) as u64 + times(&remote.slandered) + times(&remote.bent) {
            found.push(format!("{} holds the same bytes for {records} records: {keys:?}", remote.name()));
        }
    }
    found
}

/// What others had put there and is not as it was.
fn harmed(remote: &Remote) -> Vec<String> {
    let is_harmed = |(key, bytes): &(&String, &Vec<u8>)| remote.copy(key).as_ref() != Some(*bytes);
    let harmed = remote.foreign.iter().filter(is_harmed);
    harmed.map(|(key, _)| format!("{} lost {key}, which is not ours", remote.name())).collect()
}
