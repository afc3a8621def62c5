//! The ledger's row: one content at one destination.

use super::accounting::Bin;
use super::time::UnixMillis;

/// Where a backup record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordState {
    /// To be sent; a job may be live.
    Wanted,
    /// The last job failed; eligible again at a known time.
    Failed,
    /// A person should look: permanent, or three jobs have failed.
    NeedsAttention,
    /// The person left it out for good, or the destination keeps nothing of its kind.
    Excluded,
    /// The destination took it and cannot prove it.
    Accepted,
    /// The destination proved it.
    Verified,
    /// Never finished, and the file it was for has changed or gone.
    Superseded,
}

impl RecordState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Wanted,
        Self::Failed,
        Self::NeedsAttention,
        Self::Excluded,
        Self::Accepted,
        Self::Verified,
        Self::Superseded,
    ];

    /// The state's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Failed => "failed",
            Self::NeedsAttention => "needs_attention",
            Self::Excluded => "excluded",
            Self::Accepted => "accepted",
            Self::Verified => "verified",
            Self::Superseded => "superseded",
        }
    }

    /// The state with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// The bin of a record in this state whose job, if it has one, is not pending.
    pub fn bin(self) -> Bin {
        match self {
            Self::Wanted | Self::Failed | Self::Superseded => Bin::Waiting,
            Self::NeedsAttention => Bin::NeedsAttention,
            Self::Excluded => Bin::Excluded,
            Self::Accepted => Bin::Unproven,
            Self::Verified => Bin::Safe,
        }
    }
}

/// How a destination proved that it holds the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofMethod {
    /// Read back with direct I/O: the disk answered, not the page cache.
    DirectRead,
    /// Read back after the page cache was seen to hold none of it.
    EvictedRead,
    /// Read back from a file system that lives in memory; there is no deeper place to read.
    MemoryBacked,
    /// Read back after the disk had been mounted anew.
    RemountRead,
    /// Read back whole over the wire.
    ReadBack,
    /// A digest from a server that was seen to refuse a wrong one.
    ServerDigest,
    /// The server was asked again and named the same copy.
    ServerRecheck,
}

impl ProofMethod {
    /// All methods.
    pub const ALL: [Self; 7] = [
        Self::DirectRead,
        Self::EvictedRead,
        Self::MemoryBacked,
        Self::RemountRead,
        Self::ReadBack,
        Self::ServerDigest,
        Self::ServerRecheck,
    ];

    /// The method's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DirectRead => "direct_read",
            Self::EvictedRead => "evicted_read",
            Self::MemoryBacked => "memory_backed",
            Self::RemountRead => "remount_read",
            Self::ReadBack => "read_back",
            Self::ServerDigest => "server_digest",
            Self::ServerRecheck => "server_recheck",
        }
    }

    /// The method with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == text)
    }

    /// The method in a person's words, for the viewer's evidence line.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::DirectRead => "read back from the disk itself",
            Self::EvictedRead => "read back after clearing the cache",
            Self::MemoryBacked => "read back from memory-backed storage",
            Self::RemountRead => "read back after reconnecting the disk",
            Self::ReadBack => "read back from the server",
            Self::ServerDigest => "confirmed by the server's checksum",
            Self::ServerRecheck => "confirmed by the server's checksum",
        }
    }
}

/// What must happen before copies can be proved at a destination that cannot prove them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProofNeed {
    /// Its disk must be detached and attached again: a program between the file system and the disk reads
    /// through the disk's page cache, which nothing else empties for certain.
    Reconnect,
    /// The computer must start anew: what is cached lies where a remount does not empty it.
    Restart,
    /// Nothing helps: the program behind the mount keeps copies of its own on this computer.
    Never,
}

impl ProofNeed {
    /// All needs.
    pub const ALL: [Self; 3] = [Self::Reconnect, Self::Restart, Self::Never];

    /// The need's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
            Self::Restart => "restart",
            Self::Never => "never",
        }
    }

    /// The need with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|need| need.as_str() == text)
    }

    /// What the person is told to do: a sentence without a full stop.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Reconnect => "Unplug the disk and plug it in again, so that the copies can be verified",
            Self::Restart => "Restart the computer, so that the copies can be verified",
            Self::Never => {
                "Copies on this drive cannot be verified, because its program keeps a cache; back up to another destination as well"
            }
        }
    }
}

/// What a destination has shown of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It took the bytes; nothing proves that it still has them.
    Accepted,
    /// It holds exactly these bytes.
    Verified {
        /// How that was found out.
        method: ProofMethod,
        /// When.
        at: UnixMillis,
    },
}
