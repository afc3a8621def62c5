//! The whole conversation with any client: requests, replies, snapshots and events.
//!
//! Every client (window, command line, tests) speaks only this. A snapshot is small: the work in
//! flight and counters. Lists are asked for in pages. These types are the only ones that cross the
//! socket, so they, and not the domain's, are serialisable.

pub mod framing;
pub mod gate;
pub mod network;
pub mod reason;
pub mod request;
pub mod restore;
pub mod rows;
pub mod snapshot;
pub mod wire;

use serde::{Deserialize, Serialize};

pub use gate::*;
pub use network::*;
pub use reason::*;
pub use request::*;
pub use restore::*;
pub use rows::*;
pub use snapshot::*;
pub use wire::{PathText, SecretText};

/// The version both ends must share. Raised with any change to these types.
pub const PROTOCOL_VERSION: u32 = 11;
/// The largest frame either end accepts, in bytes.
pub const FRAME_LEN_MAX: usize = 8 << 20;
/// The most rows a page may ask for.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// The most ids one request may carry.
pub const IDS_MAX: usize = 10_000;

/// The longest [`Hello`] or [`Welcome`] either end accepts, in bytes.
pub const HELLO_LEN_MAX: usize = 4 << 10;

/// What a client says first. This and [`Welcome`] keep their shape over all versions, so that two
/// releases can at least tell each other why they part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The client's [`PROTOCOL_VERSION`].
    pub version: u32,
    /// What it is: `window`, `cli`, `test`.
    pub role: String,
    /// It comes only to have the agent stop, whatever the versions: the way in for a newer release
    /// that finds an older agent.
    #[serde(default)]
    pub stop: bool,
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The agent's [`PROTOCOL_VERSION`].
    pub version: u32,
    /// The agent's release, for a message to the person.
    pub release: String,
    /// The agent's process id.
    pub pid: u32,
    /// Why the agent hangs up now; none when the conversation may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<ApiError>,
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the client; the reply carries it back.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// A frame from the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The answer to the call with this id.
    Reply {
        /// The call's id.
        id: u64,
        /// Its outcome.
        outcome: Result<Reply, ApiError>,
    },
    /// The newest snapshot, to subscribers.
    Snapshot(Box<Snapshot>),
    /// Something that happened once, to subscribers.
    Event(Event),
}

/// What the agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done.
    Done,
    /// The snapshot.
    Snapshot(Box<Snapshot>),
    /// A source was added, or was there already.
    Source {
        /// Its id.
        id: i64,
        /// It was not there before.
        is_new: bool,
    },
    /// A destination was added, or was there already.
    Destination {
        /// Its id.
        id: i64,
        /// Its name.
        name: String,
        /// It was not there before.
        is_new: bool,
    },
    /// A destination was tried.
    Tested(TestReport),
    /// So many items were changed.
    Changed {
        /// How many.
        items: u64,
    },
    /// Days, newest first.
    Sections {
        /// The library's revision that these rows show.
        revision: u64,
        /// The days.
        sections: Vec<Section>,
    },
    /// Assets of a day, newest first.
    Assets {
        /// The library's revision that these rows show.
        revision: u64,
        /// The rows.
        rows: Vec<AssetRow>,
    },
    /// One asset; none when it has gone.
    AssetDetails(Option<Box<AssetDetails>>),
    /// A page of the queue.
    Queue(QueuePage),
    /// Causes, most files first.
    FailureGroups(Vec<FailureGroup>),
    /// Events, newest first.
    Events(Vec<EventRow>),
    /// The audit's outcome.
    Verified {
        /// Copies compared.
        checked: u64,
        /// Copies that were not as they should be.
        failed: u64,
        /// Copies that could not be proved now.
        #[serde(default)]
        unproven: u64,
        /// Why not, and what would help: a sentence without a full stop for each destination.
        #[serde(default)]
        reasons: Vec<String>,
    },
    /// The restore's outcome.
    Restored {
        /// What came of it; at most 1 000 sentences.
        result: RestoreResult,
        /// Why it ended before every file was looked at, where it did.
        stopped: Option<ApiError>,
    },
    /// Drives that are mounted now, by name.
    Drives(Vec<DriveText>),
    /// How much room there is.
    FolderSpace {
        /// Bytes free for this person; `None` if the system does not say.
        free_bytes: Option<u64>,
    },
    /// What can be restored.
    RestoreOverview(Box<RestoreOverview>),
    /// How much a restore would bring.
    RestoreSize(FileTotals),
    /// Whether a window was there to raise.
    Raised {
        /// There was one.
        was_open: bool,
    },
}

/// A drive that photos can be copied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveText {
    /// As the desktop calls it.
    pub name: String,
    /// Where it is mounted.
    pub path: PathText,
    /// Bytes free, where that is known.
    pub free_bytes: Option<u64>,
}

/// What a test of a destination found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// It can be used.
    pub is_usable: bool,
    /// One sentence on how it went.
    pub summary: String,
    /// What it can do or what is wrong, line by line.
    pub details: Vec<String>,
    /// Bytes free, where that is known.
    pub free_bytes: Option<u64>,
    /// What the person should know before choosing it: sentences without a full stop.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What sort of refusal this is; the command line's exit code comes from it.
    pub kind: ErrorKind,
    /// A plain sentence.
    pub message: String,
}

/// The sorts of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request makes no sense: exit code 2.
    Usage,
    /// The destination cannot be reached, refuses or is full: exit code 3.
    Destination,
    /// The source cannot be read: exit code 4.
    Source,
    /// Safelight itself failed: exit code 5.
    Internal,
    /// The agent is stopping, or another version.
    Unavailable,
}

impl ApiError {
    /// An error with a sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Something that happens once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The window should come to the front: the person started Safelight again.
    RaiseWindow,
    /// Everything that was waiting is safe now.
    Finished {
        /// Files made safe in this run.
        files: u64,
    },
    /// The agent is stopping.
    Stopping,
    /// A sentence worth showing for a moment.
    Notice {
        /// The sentence.
        text: String,
    },
}
