//! What is true now: small, immutable, at most ten a second.

use serde::{Deserialize, Serialize};

use super::gate::{ConditionsText, Rules};
use super::network::NetworkText;
use super::reason::{FailureText, WaitText};
use super::wire::PathText;

/// The state of everything a client shows without asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Snapshot {
    /// Rises with every change of this snapshot.
    pub revision: u64,
    /// Rises when the library's rows change: time to ask for visible pages again.
    pub library_revision: u64,
    /// Rises when the queue's rows change.
    pub queue_revision: u64,
    /// The main toggle.
    pub backup: BackupSwitch,
    /// Why nothing happens, where one reason holds for everything.
    pub wait_reason: Option<WaitText>,
    /// The library's counters.
    pub library: LibraryCounts,
    /// The sources, in the order they were added.
    pub sources: Vec<SourceState>,
    /// The destinations, in the order they were added.
    pub destinations: Vec<DestinationState>,
    /// Transfers running now; never more than the pool is wide.
    pub uploading: Vec<TransferState>,
    /// The run's progress; none when nothing is to be done.
    pub progress: Option<Progress>,
    /// First looks at files that are still to be done.
    pub indexing: Indexing,
    /// Checks and restores that somebody waits for.
    #[serde(default)]
    pub reading: Vec<OperationState>,
    /// Restores that go on by themselves, or how they ended.
    #[serde(default)]
    pub restores: Vec<super::RestoreState>,
    /// When backup may work.
    #[serde(default)]
    pub rules: Rules,
    /// What the computer is like now.
    #[serde(default)]
    pub conditions: ConditionsText,
    /// How servers are reached.
    #[serde(default)]
    pub network: NetworkText,
    /// What is wrong with that: a sentence.
    #[serde(default)]
    pub network_note: Option<String>,
}

/// The main toggle's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum BackupSwitch {
    /// Backing up.
    On,
    /// Never switched on, or switched off.
    #[default]
    Off,
    /// On, but stopped for a while.
    Paused,
}

/// Counters over all sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LibraryCounts {
    /// Present files.
    pub found: u64,
    /// Assets in the grid.
    pub assets: u64,
    /// Files safe at every enabled destination that they are meant for.
    pub safe_everywhere: u64,
    /// Files safe at one at least.
    pub safe_somewhere: u64,
    /// The files that go to an enabled destination, each counted once; `None` if too many are left out,
    /// unproven or in need of attention to be looked at for every snapshot.
    #[serde(default)]
    pub files: Option<FileCounts>,
}

/// The present files that go to at least one enabled destination, each counted once, by the worst of
/// its copies: `found = safe + unproven + left + needs_attention + excluded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct FileCounts {
    /// All of them.
    pub found: u64,
    /// Verified at every enabled destination that does not leave them out, and at one at least.
    pub safe: u64,
    /// Copied everywhere, somewhere without proof.
    pub unproven: u64,
    /// Waiting or uploading somewhere.
    pub left: u64,
    /// In need of attention somewhere.
    pub needs_attention: u64,
    /// Left out everywhere.
    pub excluded: u64,
}

/// A source's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Its id.
    pub id: i64,
    /// Its folder, absolute.
    pub path: PathText,
    /// How it is.
    pub state: SourceCondition,
    /// Present files below it.
    pub found: u64,
    /// Entries seen by the running scan.
    pub scanned: u64,
    /// What a person should know of it: why it is not there, what cannot be read, why it is not
    /// watched. A sentence.
    #[serde(default)]
    pub note: Option<String>,
    /// Folders in it that could not be looked into; what they hold is not backed up.
    #[serde(default)]
    pub unreadable_folders: u64,
    /// The first of them, by path; at most [`UNREADABLE_TOLD_MAX`].
    #[serde(default)]
    pub unreadable: Vec<UnreadableFolder>,
}

/// The most unreadable folders of a source that a snapshot names.
pub const UNREADABLE_TOLD_MAX: u32 = 8;

/// A folder inside a source that could not be looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableFolder {
    /// Where it is, absolute.
    #[serde(flatten)]
    pub path: PathText,
    /// A [`FolderProblem`](crate::domain::folder_problem::FolderProblem)'s stable name.
    pub problem: String,
    /// What keeps it from being read, as it follows its name.
    pub summary: String,
    /// What to do about it: a sentence without a full stop.
    pub advice: String,
    /// What the system said.
    pub details: String,
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceCondition {
    /// Up to date, and watched.
    Watching,
    /// Being looked through.
    Scanning,
    /// Not there now; its files count as present.
    Unavailable,
    /// There, but it cannot be read.
    Unreadable,
}

/// A destination's state and its accounting identity:
/// `found = safe + unproven + waiting + uploading + needs_attention + excluded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct DestinationState {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its kind's stable name.
    pub kind: String,
    /// Its address, without secrets.
    pub url: String,
    /// Switched on.
    pub enabled: bool,
    /// Present files of its consented sources.
    pub found: u64,
    /// Proved there.
    pub safe: u64,
    /// Taken, not provable.
    pub unproven: u64,
    /// To be sent.
    pub waiting: u64,
    /// Moving or being proved.
    pub uploading: u64,
    /// Needs a person.
    pub needs_attention: u64,
    /// Left out.
    pub excluded: u64,
    /// Bytes of the files that are safe.
    pub bytes_safe: u64,
    /// Bytes known to be waiting or uploading.
    pub bytes_waiting: u64,
    /// The oldest verification among the safe files, RFC 3339 UTC.
    pub oldest_proof_at: Option<String>,
    /// The last audit's end, RFC 3339 UTC.
    pub last_audit_at: Option<String>,
    /// Why it waits.
    pub wait_reason: Option<WaitText>,
    /// What keeps it from being used, where something does.
    #[serde(default)]
    pub failure: Option<FailureText>,
    /// How it proves copies, in a person's words; empty where it cannot.
    pub proof: String,
    /// What must happen before copies can be proved (`reconnect`, `restart`, `never`); `None` if that can
    /// be done at any time.
    #[serde(default)]
    pub proof_need: Option<String>,
    /// What the person can do to have unproven copies verified: a sentence without a full stop; `None` if
    /// there are none, or nothing is known to help.
    #[serde(default)]
    pub proof_advice: Option<String>,
    /// Whether the person lets the server's checksum count as proof; `None` where that is not a choice.
    #[serde(default)]
    pub trusts_checksum: Option<bool>,
    /// Bytes of copies that were read back in the background since the engine started.
    #[serde(default)]
    pub bytes_read: u64,
    /// The disk is being unmounted and mounted again, as the person asked.
    #[serde(default)]
    pub is_reconnecting: bool,
    /// What the probe noted: the file system, a server's version.
    pub note: String,
    /// The sources that are consented to go there.
    pub sources: Vec<i64>,
    /// Copies without proof are being read back, or are about to be.
    #[serde(default)]
    pub verifying: bool,
    /// It is a folder on the same disk as photos that go there, or as any where none do yet.
    #[serde(default)]
    pub same_disk: bool,
    /// The same six bins, source by source. Empty where the engine does not break them down.
    #[serde(default)]
    pub pairs: Vec<PairState>,
}

/// The six bins of one consented (source, destination) pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PairState {
    /// The source.
    pub source: i64,
    /// Proved there.
    pub safe: u64,
    /// Taken, not provable.
    pub unproven: u64,
    /// To be sent.
    pub waiting: u64,
    /// Moving or being proved.
    pub uploading: u64,
    /// Needs a person.
    pub needs_attention: u64,
    /// Left out.
    pub excluded: u64,
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferState {
    /// The backup record's public id.
    pub id: String,
    /// The file.
    pub path: PathText,
    /// The asset it belongs to, for its thumbnail.
    pub asset: Option<i64>,
    /// The destination.
    pub destination: i64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// What is done now.
    pub step: TransferStep,
}

/// What a transfer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStep {
    /// Bytes are moving.
    Copying,
    /// The copy is being read back.
    Proving,
}

/// The run's progress over all enabled destinations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Progress {
    /// Files done in this run.
    pub files_done: u64,
    /// Files to do in this run, the done ones included.
    pub files_total: u64,
    /// Bytes done in this run.
    pub bytes_done: u64,
    /// Bytes to do in this run, the done ones included, as far as they are known.
    pub bytes_total: u64,
    /// Bytes a second lately; 0 until there is something to measure.
    pub bytes_per_sec: u64,
    /// Seconds left; none until an estimate means something.
    pub secs_left: Option<u64>,
}

/// A check of copies, or a restore, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationState {
    /// What it is.
    pub kind: OperationKind,
    /// The destination that is read.
    pub destination: i64,
    /// The restore that it is for, where it is one that goes on by itself.
    #[serde(default)]
    pub restore: Option<i64>,
    /// How far it is. No bytes in all where that is not known.
    pub progress: Progress,
}

/// Why copies are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// To compare them.
    Verify,
    /// To have them back.
    Restore,
}

/// First looks still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Indexing {
    /// Files of which nothing has been read.
    pub to_describe: u64,
    /// Files whose bytes are still to be hashed.
    pub to_hash: u64,
}
