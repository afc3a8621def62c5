//! What the ledger and the destinations tell each other of a copy: what a place can do, how far a
//! transfer has come, and what a restore needs to know.
//!
//! Plain facts: how they are kept is the store's, how they are spelled in a manifest the
//! destination's.

use super::asset::CapturedAt;
use super::hash::ContentHash;
use super::time::UnixMillis;

/// What a probe found out about a destination, remembered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// The UUID kept at the destination, by which it is known again.
    pub uuid: String,
    /// An interrupted transfer goes on where it was.
    pub can_resume: bool,
    /// An existing name is never overwritten, and that was seen.
    pub no_replace: bool,
    /// Names that differ in case only are different.
    pub case_sensitive: bool,
    /// How a copy is proved: a [`super::record::ProofMethod`]'s stable name, or `none`.
    pub proof: String,
    /// The modification time of the original is kept.
    pub keeps_mtime: bool,
    /// The most transfers that help at once.
    pub concurrent_max: u32,
    /// The longest file name in bytes.
    pub name_len_max: u32,
    /// The largest file, where there is a limit.
    pub size_max: Option<u64>,
    /// What a person may want to know: the file system, a server's version.
    pub note: String,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            uuid: String::new(),
            can_resume: false,
            no_replace: false,
            case_sensitive: false,
            proof: "none".to_owned(),
            keeps_mtime: false,
            concurrent_max: 1,
            name_len_max: 255,
            size_max: None,
            note: String::new(),
        }
    }
}

/// How far a transfer has come, committed before the effect it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The upload is being created.
    Creating,
    /// Bytes are moving.
    Sending,
    /// All bytes are there; the copy is being given its name.
    Committing,
    /// The copy has its name; it is being proved.
    Proving,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 4] = [Self::Creating, Self::Sending, Self::Committing, Self::Proving];

    /// The phase's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Sending => "sending",
            Self::Committing => "committing",
            Self::Proving => "proving",
        }
    }

    /// The phase with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

/// What is remembered of a transfer between runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How far it has come.
    pub phase: Phase,
    /// The protocol's own words (upload id, parts), opaque to everyone else. At most 64 KiB.
    pub state: String,
}

/// One line of a manifest: one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Where the copy is at the destination.
    pub key: String,
    /// Its bytes.
    pub content: ContentHash,
    /// When it was captured.
    pub captured_at: Option<CapturedAt>,
    /// The source folder's name.
    pub source: String,
    /// Where it was below the source, as bytes.
    pub path: Vec<u8>,
    /// The original's modification time.
    pub mtime: UnixMillis,
}
