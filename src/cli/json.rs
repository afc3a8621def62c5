//! The JSON that scripts read. These shapes are a contract: nothing is renamed or left out, and what is
//! added comes last.

use serde::Serialize;

use crate::api::{
    BackupSwitch, DecisionRow, DestinationState, FailureText, PathText, QueueRow, Snapshot, SourceCondition,
    SourceState, UnreadableFolder, WaitText,
};

/// `status --json`.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    backup: BackupSwitch,
    wait_reason: Option<&'a WaitText>,
    library: Library,
    sources: Vec<Source<'a>>,
    destinations: Vec<Destination<'a>>,
}

#[derive(Debug, Serialize)]
struct Library {
    found: u64,
    safe_everywhere: u64,
    safe_somewhere: u64,
}

/// A source as `status --json` and `source list --json` show it.
#[derive(Debug, Serialize)]
pub struct Source<'a> {
    #[serde(flatten)]
    path: &'a PathText,
    state: SourceCondition,
    found: u64,
    note: Option<&'a str>,
    unreadable_folders: u64,
    unreadable: &'a [UnreadableFolder],
}

/// A destination as `status --json` and `destination list --json` show it.
#[derive(Debug, Serialize)]
pub struct Destination<'a> {
    name: &'a str,
    kind: &'a str,
    url: &'a str,
    enabled: bool,
    found: u64,
    safe: u64,
    unproven: u64,
    waiting: u64,
    uploading: u64,
    needs_attention: u64,
    excluded: u64,
    bytes_safe: u64,
    oldest_proof_at: Option<&'a str>,
    last_audit_at: Option<&'a str>,
    wait_reason: Option<&'a WaitText>,
    failure: Option<Failure<'a>>,
    same_disk: bool,
    proof_need: Option<&'a str>,
    proof_advice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusts_checksum: Option<bool>,
}

impl<'a> Status<'a> {
    /// The document for a snapshot.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let library = snapshot.library;
        Self {
            backup: snapshot.backup,
            wait_reason: snapshot.wait_reason.as_ref(),
            library: Library {
                found: library.found,
                safe_everywhere: library.safe_everywhere,
                safe_somewhere: library.safe_somewhere,
            },
            sources: snapshot.sources.iter().map(Source::of).collect(),
            destinations: snapshot.destinations.iter().map(Destination::of).collect(),
        }
    }
}

impl<'a> Source<'a> {
    /// The object for a source.
    pub fn of(source: &'a SourceState) -> Self {
        Self {
            path: &source.path,
            state: source.state,
            found: source.found,
            note: source.note.as_deref(),
            unreadable_folders: source.unreadable_folders,
            unreadable: &source.unreadable,
        }
    }
}

impl<'a> Destination<'a> {
    /// The object for a destination.
    pub fn of(destination: &'a DestinationState) -> Self {
        let d = destination;
        Self {
            name: &d.name,
            kind: &d.kind,
            url: &d.url,
            enabled: d.enabled,
            found: d.found,
            safe: d.safe,
            unproven: d.unproven,
            waiting: d.waiting,
            uploading: d.uploading,
            needs_attention: d.needs_attention,
            excluded: d.excluded,
            bytes_safe: d.bytes_safe,
            oldest_proof_at: d.oldest_proof_at.as_deref(),
            last_audit_at: d.last_audit_at.as_deref(),
            wait_reason: d.wait_reason.as_ref(),
            failure: d.failure.as_ref().map(Failure::of),
            same_disk: d.same_disk,
            proof_need: d.proof_need.as_deref(),
            proof_advice: d.proof_advice.as_deref(),
            trusts_checksum: d.trusts_checksum,
        }
    }
}

/// A line of `backup --json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BackupLine<'a> {
    /// How far it is.
    Progress {
        /// The destination's name.
        destination: &'a str,
        /// Proved.
        safe: u64,
        /// Taken, not provable.
        unproven: u64,
        /// To be sent.
        waiting: u64,
        /// Being sent or proved.
        uploading: u64,
        /// Needs a person.
        needs_attention: u64,
        /// Left out.
        excluded: u64,
        /// Bytes safe, or sent of what is under way.
        bytes_done: u64,
        /// Bytes safe or to be sent, as far as they are known.
        bytes_total: u64,
    },
}

/// The last line of `backup --json`.
#[derive(Debug, Serialize)]
pub struct Finished<'a> {
    event: &'static str,
    destinations: Vec<Destination<'a>>,
    sources: Vec<Source<'a>>,
}

impl<'a> Finished<'a> {
    /// The line for these destinations and sources.
    pub fn of(
        destinations: impl Iterator<Item = &'a DestinationState>,
        sources: impl Iterator<Item = &'a SourceState>,
    ) -> Self {
        Self {
            event: "finished",
            destinations: destinations.map(Destination::of).collect(),
            sources: sources.map(Source::of).collect(),
        }
    }
}

/// An item of `queue --json`.
#[derive(Debug, Serialize)]
pub struct Item<'a> {
    id: &'a str,
    #[serde(flatten)]
    path: &'a PathText,
    destination: &'a str,
    state: &'a str,
    job_state: Option<&'a str>,
    attempt: u32,
    bytes_sent: u64,
    bytes_total: u64,
    wait_reason: Option<&'a WaitText>,
    failure: Option<Failure<'a>>,
    decisions: &'a [DecisionRow],
}

#[derive(Debug, Serialize)]
struct Failure<'a> {
    kind: &'a str,
    reach: &'a str,
    summary: &'a str,
    details: &'a str,
    action: &'a str,
    advice: &'a str,
    class: &'a str,
}

impl<'a> Failure<'a> {
    fn of(failure: &'a FailureText) -> Self {
        Self {
            kind: &failure.kind,
            reach: &failure.reach,
            summary: &failure.summary,
            details: &failure.details,
            action: &failure.action,
            advice: &failure.advice,
            class: &failure.class,
        }
    }
}

impl<'a> Item<'a> {
    /// The item for a row.
    pub fn of(row: &'a QueueRow) -> Self {
        Self {
            id: &row.id,
            path: &row.path,
            destination: &row.destination,
            state: &row.state,
            job_state: row.job_state.as_deref(),
            attempt: row.attempt,
            bytes_sent: row.bytes_sent,
            bytes_total: row.bytes_total,
            wait_reason: row.wait_reason.as_ref(),
            failure: row.failure.as_ref().map(Failure::of),
            decisions: &row.decisions,
        }
    }
}
