//! The ledger's row: one content at one destination.

use super::accounting::Bin;
use super::stable_name::stable_names;
use super::time::UnixMillis;

/// Where a backup record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
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

stable_names!(RecordState);

impl RecordState {
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
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ProofMethod {
    /// Read back with direct I/O: the disk answered, not the page cache.
    DirectRead,
    /// Read back after the page cache was seen to hold none of it.
    EvictedRead,
    /// Read back from a file system that lives in memory; nothing lies below the cache.
    MemoryBacked,
    /// Read back after the disk had been mounted again.
    RemountRead,
    /// Read back whole over the wire.
    ReadBack,
    /// A digest from a server that was seen to refuse a wrong one.
    ServerDigest,
    /// The server was asked again and named the same copy.
    ServerRecheck,
}

stable_names!(ProofMethod);

impl ProofMethod {
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
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ProofNeed {
    /// Its disk must be detached and attached again: a program between the file system and the disk reads
    /// through the disk's page cache, which nothing else empties for certain.
    Reconnect,
    /// The computer must start again: what is cached lies where a remount does not empty it.
    Restart,
    /// Nothing helps: the program behind the mount keeps copies of its own on this computer.
    Never,
}

stable_names!(ProofNeed);

impl ProofNeed {
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
        /// When it was proved.
        at: UnixMillis,
    },
}
