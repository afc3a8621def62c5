//! Why nothing happens now.

use super::record::ProofNeed;
use super::time::UnixMillis;

/// What is said of copies that can never be compared.
pub const NO_PROOF: &str = "This server gives no copies back, so they cannot be verified";

/// The reason work waits, for the app, a destination or one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitReason {
    /// The person paused.
    Paused {
        /// When it goes on by itself, if ever.
        until: Option<UnixMillis>,
    },
    /// There is no network.
    Offline,
    /// The network is metered.
    Metered,
    /// The computer runs on battery.
    Battery,
    /// Outside the hours the person chose.
    Schedule {
        /// When the hours begin.
        until: UnixMillis,
    },
    /// The destination does not answer or its disk is not there.
    Unreachable {
        /// When it is tried again.
        until: UnixMillis,
    },
    /// Transfers are under way, and for a while the destination has taken nothing and said nothing.
    Silent,
    /// The destination refused the credentials.
    Credentials,
    /// The destination does not allow what is to be done there.
    Forbidden,
    /// The destination is full.
    NoSpace {
        /// When it is tried again.
        until: UnixMillis,
    },
    /// The disk that holds the app's own data is full.
    DataFull {
        /// When it is tried again.
        until: UnixMillis,
    },
    /// The folder of the app's own data cannot be written.
    DataUnwritable {
        /// When it is tried again.
        until: UnixMillis,
    },
    /// It failed and is tried again later.
    BackOff {
        /// When the wait ends.
        until: UnixMillis,
    },
    /// The file is still being written.
    Settling,
    /// The file has not been read yet.
    Indexing,
    /// Others go first.
    Queued,
    /// The source is not there now.
    SourceUnavailable,
    /// Backup is off, here or everywhere.
    Off,
    /// The copy is to be read back.
    ProofDue,
    /// The copy can be verified once this was done.
    ProofNeed(ProofNeed),
    /// Nothing there can show what the copy is.
    NoProof,
}

impl WaitReason {
    /// The reason's stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Paused { .. } => "paused",
            Self::Offline => "offline",
            Self::Metered => "metered",
            Self::Battery => "battery",
            Self::Schedule { .. } => "schedule",
            Self::Unreachable { .. } => "unreachable",
            Self::Silent => "silent",
            Self::Credentials => "credentials",
            Self::Forbidden => "forbidden",
            Self::NoSpace { .. } => "no_space",
            Self::DataFull { .. } => "data_full",
            Self::DataUnwritable { .. } => "data_unwritable",
            Self::BackOff { .. } => "back_off",
            Self::Settling => "settling",
            Self::Indexing => "indexing",
            Self::Queued => "queued",
            Self::SourceUnavailable => "source_unavailable",
            Self::Off => "off",
            Self::ProofDue => "proof_due",
            Self::ProofNeed(_) => "proof_need",
            Self::NoProof => "no_proof",
        }
    }

    /// When the wait ends by itself, where that is known.
    pub fn until(&self) -> Option<UnixMillis> {
        match self {
            Self::Paused { until } => *until,
            Self::Schedule { until }
            | Self::Unreachable { until }
            | Self::NoSpace { until }
            | Self::DataFull { until }
            | Self::DataUnwritable { until }
            | Self::BackOff { until } => Some(*until),
            Self::Offline
            | Self::Metered
            | Self::Battery
            | Self::Silent
            | Self::Credentials
            | Self::Forbidden
            | Self::Settling
            | Self::Indexing
            | Self::Queued
            | Self::SourceUnavailable
            | Self::Off
            | Self::ProofDue
            | Self::ProofNeed(_)
            | Self::NoProof => None,
        }
    }

    /// The reason as a short sentence for the toggle and the queue.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Paused { .. } => "Paused by you",
            Self::Offline => "Waiting for a network",
            Self::Metered => "Waiting: this network is metered",
            Self::Battery => "Waiting: on battery",
            Self::Schedule { .. } => "Waiting for the hours you chose",
            Self::Unreachable { .. } => "Waiting: the destination cannot be reached",
            Self::Silent => "Waiting: the destination has not responded for a while",
            Self::Credentials => "Waiting: the destination refused the sign-in",
            Self::Forbidden => "Waiting: the destination cannot be written to",
            Self::NoSpace { .. } => "Waiting: the destination is full",
            Self::DataFull { .. } => "Waiting: the disk with Safelight's data folder is full",
            Self::DataUnwritable { .. } => "Waiting: Safelight's data folder cannot be written to",
            Self::BackOff { .. } => "Will retry later",
            Self::Settling => "Still being written",
            Self::Indexing => "Reading it for the first time",
            Self::Queued => "In the queue",
            Self::SourceUnavailable => "Its folder is not connected",
            Self::Off => "Backup is off",
            Self::ProofDue => "Copied; it is verified soon",
            Self::ProofNeed(need) => need.advice(),
            Self::NoProof => NO_PROOF,
        }
    }
}
