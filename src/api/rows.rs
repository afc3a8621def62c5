//! Rows of the lists that clients ask for.

use serde::{Deserialize, Serialize};

use super::reason::{FailureText, WaitText};
use super::wire::PathText;

/// Which assets the grid shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum LibraryFilter {
    /// All.
    #[default]
    All,
    /// Photos, RAWs included.
    Photos,
    /// Videos.
    Videos,
    /// Not safe everywhere yet, and not left out.
    NotSafe,
    /// With a file that needs attention.
    Attention,
    /// With a capture date that is a camera's default or in the future.
    DoubtfulDate,
}

/// One day of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// `yyyymmdd`.
    pub day: i32,
    /// Assets captured on it.
    pub assets: u32,
}

/// How an asset stands over all the enabled destinations it is meant for: the worst of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Badge {
    /// Meant for no destination.
    None,
    /// Safe everywhere.
    Safe,
    /// Taken somewhere without proof.
    Unproven,
    /// Waiting somewhere.
    Waiting,
    /// Being sent somewhere.
    Uploading,
    /// Needs attention somewhere.
    Attention,
    /// Left out.
    Excluded,
}

/// One cell of the grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetRow {
    /// The asset.
    pub id: i64,
    /// Its primary file, absolute.
    pub path: PathText,
    /// The media type's stable name.
    pub media_type: String,
    /// Local capture time as written, milliseconds as if UTC.
    pub captured_wall_ms: i64,
    /// Pixels as shown, after orientation.
    pub dimensions: Option<(u32, u32)>,
    /// The primary file's size in bytes.
    pub size: u64,
    /// Identifies this version of the picture, for thumbnail caches.
    pub cache_key: String,
    /// How it stands.
    pub badge: Badge,
    /// It has a moving half.
    pub is_live: bool,
    /// It has, or is, a RAW.
    pub has_raw: bool,
    /// It is a clip.
    pub is_video: bool,
}

/// Everything about one asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetDetails {
    /// Its cell.
    pub row: AssetRow,
    /// Where the date comes from: a date source's stable name.
    pub captured_from: String,
    /// Why the date is not to be trusted, if it is not: a doubt's stable name.
    pub date_doubt: Option<String>,
    /// The offset from UTC in minutes, where the file says.
    pub offset_minutes: Option<i16>,
    /// Camera make and model.
    pub camera: Option<String>,
    /// Its files, the primary first.
    pub resources: Vec<ResourceDetails>,
}

/// One file of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceDetails {
    /// The file, absolute.
    pub path: PathText,
    /// The resource kind's stable name.
    pub kind: String,
    /// The media type's stable name.
    pub media_type: String,
    /// The name promises another type than the bytes show.
    pub is_mismatch: bool,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 in hexadecimal, when it has been hashed.
    pub blake3: Option<String>,
    /// How it stands at each destination it is meant for.
    pub copies: Vec<CopyDetails>,
}

/// One file at one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyDetails {
    /// The public id.
    pub id: String,
    /// The destination's name.
    pub destination: String,
    /// The bin's stable name.
    pub bin: String,
    /// Where the copy is, below the destination.
    pub key: Option<String>,
    /// How it was proved, in a person's words.
    pub proof: Option<String>,
    /// When, RFC 3339 UTC.
    pub proved_at: Option<String>,
    /// What failed last.
    pub failure: Option<FailureText>,
    /// Why it waits.
    pub wait_reason: Option<WaitText>,
    /// What was decided about it last, newest first.
    #[serde(default)]
    pub decisions: Vec<DecisionRow>,
}

/// Something that was decided about one file at one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// When, RFC 3339 UTC.
    pub at: String,
    /// What sort: `failed`, `put_back`, `retry`, `renamed`, `asked`.
    pub kind: String,
    /// A sentence, without paths or secrets.
    pub text: String,
}

/// Which part of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueList {
    /// Being sent or proved.
    Uploading,
    /// To be sent.
    Waiting,
    /// Needs a person.
    NeedsAttention,
    /// Taken, not provable.
    Unproven,
    /// Left out.
    Excluded,
    /// Safe, newest proof first.
    Done,
}

/// A page of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueQuery {
    /// Which list.
    pub list: QueueList,
    /// Only this destination.
    pub destination: Option<i64>,
    /// Where no destination is named: only those that are switched on.
    #[serde(default)]
    pub enabled_only: bool,
    /// Only this failure kind (a stable name), or class.
    pub failure_kind: Option<String>,
    /// After the row with this cursor; from the start where absent.
    pub after: Option<String>,
    /// At most this many; see [`super::PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// Rows of the queue and where the next page starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePage {
    /// The queue's revision that these rows show.
    pub revision: u64,
    /// The rows.
    pub rows: Vec<QueueRow>,
    /// Give this as `after` for the next page; none at the end.
    pub next: Option<String>,
    /// How many rows the whole list has.
    pub total: u64,
}

/// One file at one destination, in the queue. The fields up to `failure` are the contract of
/// `queue --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    /// The public id.
    pub id: String,
    /// The file, absolute.
    #[serde(flatten)]
    pub path: PathText,
    /// The destination's name.
    pub destination: String,
    /// The bin's stable name.
    pub state: String,
    /// The live job's state.
    pub job_state: Option<String>,
    /// Jobs tried, the live one included.
    pub attempt: u32,
    /// Bytes sent by the live job.
    pub bytes_sent: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
    /// Why it waits.
    pub wait_reason: Option<WaitText>,
    /// What failed last.
    pub failure: Option<FailureText>,
    /// Why it is left out, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_because: Option<String>,
    /// The asset it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<i64>,
    /// When it was proved, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_at: Option<String>,
    /// What was decided about it last, newest first.
    #[serde(default)]
    pub decisions: Vec<DecisionRow>,
}

/// Files that need attention for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The cause; its details are one example's.
    pub failure: FailureText,
    /// How many files, each counted once.
    pub files: u64,
    /// How many of their copies: one for each file and destination.
    #[serde(default)]
    pub copies: u64,
    /// The destinations concerned, by name.
    pub destinations: Vec<String>,
}

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// When, RFC 3339 UTC.
    pub at: String,
    /// A stable name: `enabled`, `scan_finished`, `destination_lost` …
    pub kind: String,
    /// A sentence.
    pub text: String,
}
