//! What a client may ask: queries that only read, commands that change something, and operations that take
//! as long as the files or the server they work on.

use serde::{Deserialize, Serialize};

use super::{
    LibraryFilter, NetworkText, PathText, QueueQuery, RestoreAction, RestoreOrder, RestoreScope, Rules,
    SecretText,
};

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Sends this client snapshots and events from now on. Replies [`super::Reply::Done`].
    Subscribe,
    /// Reads something.
    Query(Query),
    /// Changes something.
    Command(Command),
    /// Works for as long as it takes.
    Operation(Operation),
}

impl From<Query> for Request {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

impl From<Operation> for Request {
    fn from(operation: Operation) -> Self {
        Self::Operation(operation)
    }
}

/// A question that changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// The snapshot now. Replies [`super::Reply::Snapshot`].
    Snapshot,
    /// The days of the library and how many assets each has. Replies [`super::Reply::Sections`].
    Sections {
        /// Which assets.
        filter: LibraryFilter,
    },
    /// Assets of one day. Replies [`super::Reply::Assets`].
    Assets {
        /// The day, `yyyymmdd`.
        day: i32,
        /// Rows to pass over inside the day.
        offset: u32,
        /// At most this many; see [`super::PAGE_ROWS_MAX`].
        limit: u32,
        /// Which assets.
        filter: LibraryFilter,
    },
    /// One asset with all its resources and their evidence. Replies [`super::Reply::AssetDetails`].
    AssetDetails {
        /// The asset.
        id: i64,
    },
    /// A page of the queue. Replies [`super::Reply::Queue`].
    Queue(QueueQuery),
    /// Failures needing attention, grouped by cause. Replies [`super::Reply::FailureGroups`].
    FailureGroups,
    /// What happened lately. Replies [`super::Reply::Events`].
    Events {
        /// At most this many, newest first.
        limit: u32,
    },
    /// Lists the drives that photos can be copied to. Replies [`super::Reply::Drives`].
    Drives,
    /// How much room there is in a folder, or where it would be made. Replies [`super::Reply::FolderSpace`].
    FolderSpace {
        /// The folder, absolute.
        path: PathText,
    },
    /// How much a restore of this scope would bring. Replies [`super::Reply::RestoreSize`].
    MeasureRestore {
        /// The destination.
        destination: i64,
        /// Which copies.
        scope: RestoreScope,
    },
}

/// A change. It is finished even if the client leaves before the reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Adds a source. Replies [`super::Reply::Source`].
    AddSource {
        /// An absolute path.
        path: PathText,
        /// Also consent to back it up to every present destination (the window's way).
        consent_all: bool,
    },
    /// Forgets a source. Its copies and records stay.
    RemoveSource {
        /// The source.
        id: i64,
    },
    /// Looks at all sources, or one, again. Replies at once; a snapshot asked for after the reply
    /// shows those sources as scanning until that look has ended. The same holds for a new source.
    Rescan {
        /// Only this source.
        id: Option<i64>,
    },
    /// Validates, saves and enables a destination. Replies [`super::Reply::Destination`].
    AddDestination {
        /// What the person wrote; a folder's path must be absolute.
        target: PathText,
        /// Its name; made up from the target where there is none.
        name: Option<String>,
        /// Plain http to a private address was agreed to.
        allow_http: bool,
        /// Also consent for every present source (the window's way).
        consent_all: bool,
        /// The password, key or token that was entered for it; it is kept in the keyring.
        secret: Option<SecretText>,
        /// The server's checksum is to count as proof, where that is a choice.
        #[serde(default)]
        trust_checksum: bool,
    },
    /// Lets the server's checksum of a copy count as proof that it is there, or has copies read back. Only
    /// for destinations where that is a choice ([`super::DestinationState::trusts_checksum`]).
    SetChecksumTrust {
        /// The destination.
        id: i64,
        /// It counts.
        trusted: bool,
    },
    /// Keeps another password, key or token for a destination, in the keyring.
    SetSecret {
        /// The destination.
        id: i64,
        /// The secret. S3's is `ID:SECRET`.
        secret: SecretText,
    },
    /// Uses a destination now that could not be used, once a check of it passes. Nothing else is tried
    /// again.
    CheckDestination {
        /// The destination.
        id: i64,
    },
    /// Renames a destination.
    RenameDestination {
        /// The destination.
        id: i64,
        /// The name.
        name: String,
    },
    /// Forgets a destination and its records. What it holds stays there.
    RemoveDestination {
        /// The destination.
        id: i64,
    },
    /// Switches one destination on or off.
    EnableDestination {
        /// The destination.
        id: i64,
        /// On or off.
        enabled: bool,
    },
    /// Records the person's consent for exactly these pairs.
    Consent {
        /// Sources.
        sources: Vec<i64>,
        /// The destination.
        destination: i64,
    },
    /// The main toggle.
    SetBackup {
        /// On or off.
        on: bool,
    },
    /// Stops for a while.
    Pause {
        /// Goes on by itself after this many seconds; never where absent.
        for_secs: Option<u64>,
    },
    /// Goes on.
    Resume,
    /// Says when backup may work. The rules now are in the snapshot.
    SetRules(Rules),
    /// Says how servers are reached: how fast, through which proxy, trusting whom. Holds at once, for
    /// what is running too. What is set now is in the snapshot.
    SetNetwork(NetworkText),
    /// Keeps the password of the proxy that is set, in the keyring.
    SetProxySecret {
        /// The password.
        secret: SecretText,
    },
    /// Tries failed items again now. Replies [`super::Reply::Changed`].
    Retry(Selection),
    /// Leaves items out for good. Replies [`super::Reply::Changed`].
    Exclude(Selection),
    /// Takes back an exclusion. Replies [`super::Reply::Changed`].
    Include(Selection),
    /// Starts a restore that goes on by itself, whoever leaves, and after a restart. Snapshots tell how far
    /// it is.
    StartRestore(RestoreOrder),
    /// Stops, resumes or dismisses such a restore.
    ChangeRestore {
        /// The restore.
        id: i64,
        /// What is done with it.
        action: RestoreAction,
    },
    /// Asks the open window, if there is one, to come to the front. Replies [`super::Reply::Raised`].
    RaiseWindow,
    /// Stops the agent cleanly.
    Shutdown,
}

/// Work that takes as long as the files or the server it is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Tries a destination without saving it. Replies [`super::Reply::Tested`].
    TestTarget {
        /// What the person wrote; a folder's path must be absolute.
        target: PathText,
        /// Plain http to a private address was agreed to.
        allow_http: bool,
        /// The password, key or token that was entered for it.
        secret: Option<SecretText>,
        /// The server's checksum is to count as proof, where that is a choice.
        #[serde(default)]
        trust_checksum: bool,
    },
    /// Tries a saved destination. Replies [`super::Reply::Tested`].
    TestDestination {
        /// The destination.
        id: i64,
    },
    /// Re-reads copies and compares them. Replies [`super::Reply::Verified`] when done.
    Verify {
        /// Only this destination.
        destination: Option<i64>,
        /// Every copy, not those not proved lately.
        deep: bool,
    },
    /// Unmounts a destination's removable disk and mounts it again, so that copies which only that proves
    /// are verified. Done when it is mounted again; the verification goes on by itself.
    Reconnect {
        /// The destination.
        id: i64,
    },
    /// Restores files while this client waits. Replies [`super::Reply::Restored`] when done.
    Restore(RestoreOrder),
    /// Takes files that need attention for it out of their server's trash, and tries them again.
    /// Replies [`super::Reply::Changed`] when done.
    RestoreFromTrash(Selection),
    /// What a destination has that can be restored. Replies [`super::Reply::RestoreOverview`].
    RestoreOverview {
        /// The destination.
        destination: i64,
    },
}

/// Which items a retry or an exclusion is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Everything that failed or needs attention.
    All,
    /// Everything that failed with this kind (a stable name), or that is of this class
    /// ([`super::FailureText::class`]).
    Kind(String),
    /// These public ids.
    Items(Vec<String>),
}
