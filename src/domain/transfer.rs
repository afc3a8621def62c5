//! What the ledger and the destinations tell each other of a copy: what a place can do, how far a
//! transfer has come, and what a restore needs to know.
//!
//! Plain facts: how they are kept is the store's, how they are spelled in a manifest the
//! destination's.

use super::asset::CapturedAt;
use super::hash::{ContentHash, DigestKind, DigestSet};
use super::key::{Layout, RefusedChars};
use super::record::{ProofMethod, ProofNeed};
use super::stable_name::stable_names;
use super::target::DestinationKind;
use super::time::UnixMillis;
use super::wait::WaitReason;

/// The largest file that S3 takes in one request here; larger ones go in parts. In bytes.
pub const S3_WHOLE_MAX: u64 = 16 << 20;

/// What a probe found out about a destination, remembered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The UUID kept at the destination, by which it is known again.
    pub uuid: String,
    /// An interrupted transfer goes on where it was.
    pub can_resume: bool,
    /// An existing name is never overwritten, and that was seen.
    pub no_replace: bool,
    /// Names that differ in case only are different.
    pub case_sensitive: bool,
    /// How a copy is proved; `None` if it cannot be.
    pub proof: Option<ProofMethod>,
    /// What must happen before copies can be proved, where that cannot be done at once.
    pub proof_need: Option<ProofNeed>,
    /// The modification time of the original is kept.
    pub keeps_mtime: bool,
    /// The most transfers that help at once.
    pub concurrent_max: u32,
    /// The longest file name in bytes.
    pub name_len_max: u32,
    /// Characters that it was seen not to take in a name: a copy was refused, landed under another name
    /// or could not be read again.
    pub refused_chars: RefusedChars,
    /// The largest file, where there is a limit.
    pub size_max: Option<u64>,
    /// What a person may want to know: the file system, a server's version.
    pub note: String,
    /// What answers there, in its own words: another version may do other things. Empty where it says
    /// nothing of itself.
    pub software: String,
    /// Digests of which a wrong one was seen to be refused.
    pub trusted_digests: DigestSet,
    /// What else the protocol found out, in its own words, opaque to everyone else.
    pub findings: String,
}

impl Capabilities {
    /// How names are made there.
    pub fn layout(&self) -> Layout {
        Layout {
            always_hash: !self.no_replace,
            name_len_max: usize::try_from(self.name_len_max).unwrap_or(usize::MAX),
            refused: self.refused_chars,
        }
    }

    /// Why a copy there is not verified yet.
    pub fn proof_wait(&self) -> WaitReason {
        match self.proof_need {
            Some(need) => WaitReason::ProofNeed(need),
            None if self.proof.is_none() => WaitReason::NoProof,
            None => WaitReason::ProofDue,
        }
    }

    /// The digests beside BLAKE3 that a destination of this kind wants of a file of `size` bytes
    /// before it is sent.
    pub fn digests_wanted(&self, kind: DestinationKind, size: u64) -> DigestSet {
        match kind {
            DestinationKind::Folder => DigestSet::NONE,
            DestinationKind::S3 => {
                let trusted = self.trusted_digests;
                let best = [DigestKind::Crc64Nvme, DigestKind::Sha256];
                let best: DigestSet =
                    best.into_iter().find(|kind| trusted.contains(*kind)).into_iter().collect();
                if size <= S3_WHOLE_MAX {
                    best.with(DigestKind::Md5)
                } else {
                    // Of the others a file in parts has none that is of the whole.
                    best.intersection(DigestSet::NONE.with(DigestKind::Crc64Nvme))
                }
            }
            DestinationKind::Immich => self.trusted_digests.with(DigestKind::Sha1),
            // Where nothing is compared, the server keeps what it is told for others to see.
            DestinationKind::Nextcloud if self.trusted_digests.is_empty() => {
                DigestSet::NONE.with(DigestKind::Sha256)
            }
            DestinationKind::Nextcloud => self.trusted_digests,
            DestinationKind::WebDav | DestinationKind::Tus | DestinationKind::Resumable => {
                self.trusted_digests
            }
        }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            uuid: String::new(),
            can_resume: false,
            no_replace: false,
            case_sensitive: false,
            proof: None,
            proof_need: None,
            keeps_mtime: false,
            concurrent_max: 1,
            name_len_max: 255,
            refused_chars: RefusedChars::NONE,
            size_max: None,
            note: String::new(),
            software: String::new(),
            trusted_digests: DigestSet::NONE,
            findings: String::new(),
        }
    }
}

/// How a destination is attached now, where copies can be proved only after it was attached again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What a copy that is written now gets as its receipt: it can be proved once this is another.
    pub session: String,
    /// What must happen until then.
    pub need: ProofNeed,
}

/// How far a transfer has come, committed before the effect it names.
///
/// Where a copy has a temp name first, it is proved there and named afterwards. Servers that name an
/// upload at once commit first and prove afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// The upload is being created.
    Creating,
    /// Bytes are moving.
    Sending,
    /// All bytes are there; they are being proved.
    Proving,
    /// The copy is being given its name.
    Committing,
}

stable_names!(Phase);

/// What is remembered of a transfer between runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How far it has come.
    pub phase: Phase,
    /// The protocol's own words (upload id, parts), opaque to everyone else. At most 64 KiB.
    pub state: String,
}

/// A copy of ours that got its name and is not verified yet, as the server described it right after
/// the naming.
///
/// Only a wrong copy that such a row names may be removed, and only while its length and tag are
/// still these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCopy {
    /// The name it got.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// The server's tag of its state: an ETag, or a version. At most 1 KiB.
    pub tag: String,
}

impl NamedCopy {
    /// The longest tag that is kept, in bytes; a copy with a longer one is not remembered.
    pub const TAG_BYTES_MAX: usize = 1024;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_wants_its_own_digests() {
        use DigestKind::{Crc64Nvme, Md5, Sha1, Sha256};
        let wants = |trusted: &[DigestKind], kind, size| {
            let trusted_digests = trusted.iter().copied().collect();
            let capabilities = Capabilities { trusted_digests, ..Capabilities::default() };
            capabilities.digests_wanted(kind, size).kinds().collect::<Vec<_>>()
        };
        let (small, large) = (S3_WHOLE_MAX, S3_WHOLE_MAX + 1);
        assert_eq!(wants(&[Sha1, Sha256, Md5, Crc64Nvme], DestinationKind::Folder, small), []);
        assert_eq!(wants(&[Sha256, Md5, Crc64Nvme], DestinationKind::S3, small), [Md5, Crc64Nvme]);
        assert_eq!(wants(&[Sha256, Md5, Crc64Nvme], DestinationKind::S3, large), [Crc64Nvme]);
        assert_eq!(wants(&[Sha256], DestinationKind::S3, small), [Sha256, Md5]);
        assert_eq!(wants(&[Sha256], DestinationKind::S3, large), []);
        assert_eq!(wants(&[], DestinationKind::S3, small), [Md5]);
        assert_eq!(wants(&[], DestinationKind::Immich, large), [Sha1]);
        assert_eq!(wants(&[], DestinationKind::Nextcloud, large), [Sha256]);
        assert_eq!(wants(&[Sha1], DestinationKind::Nextcloud, large), [Sha1]);
        assert_eq!(wants(&[Md5], DestinationKind::WebDav, large), [Md5]);
    }
}
