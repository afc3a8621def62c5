//! How a destination's capabilities are kept: as JSON, so that a new capability needs no migration.

use serde::{Deserialize, Serialize};

use super::row::StoreError;
use crate::domain::hash::DigestKind;
use crate::domain::key::RefusedChars;
use crate::domain::record::{ProofMethod, ProofNeed};
use crate::domain::transfer::Capabilities;

/// The kept form. Written by another release it may lack fields; those read as not able.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct StoredCapabilities {
    uuid: String,
    can_resume: bool,
    no_replace: bool,
    case_sensitive: bool,
    /// The stable name of how a copy is proved, or `none`.
    proof: String,
    proof_need: Option<String>,
    keeps_mtime: bool,
    concurrent_max: u32,
    name_len_max: u32,
    /// ASCII characters.
    refused_chars: String,
    /// Where later ones are refused.
    last_char_taken: Option<char>,
    size_max: Option<u64>,
    note: String,
    software: String,
    trusted_digests: Vec<String>,
    findings: String,
}

impl Default for StoredCapabilities {
    fn default() -> Self {
        Self::from(Capabilities::default())
    }
}

impl From<Capabilities> for StoredCapabilities {
    fn from(capabilities: Capabilities) -> Self {
        let Capabilities {
            uuid,
            can_resume,
            no_replace,
            case_sensitive,
            proof,
            proof_need,
            keeps_mtime,
            concurrent_max,
            name_len_max,
            refused_chars,
            size_max,
            note,
            software,
            trusted_digests,
            findings,
        } = capabilities;
        Self {
            uuid,
            can_resume,
            no_replace,
            case_sensitive,
            proof: proof.map_or("none", ProofMethod::as_str).to_owned(),
            proof_need: proof_need.map(|need| need.as_str().to_owned()),
            keeps_mtime,
            concurrent_max,
            name_len_max,
            refused_chars: refused_chars.ascii(),
            last_char_taken: Some(refused_chars.last_taken()).filter(|last| *last < char::MAX),
            size_max,
            note,
            software,
            trusted_digests: trusted_digests.kinds().map(|kind| kind.as_str().to_owned()).collect(),
            findings,
        }
    }
}

impl From<StoredCapabilities> for Capabilities {
    fn from(kept: StoredCapabilities) -> Self {
        Self {
            uuid: kept.uuid,
            can_resume: kept.can_resume,
            no_replace: kept.no_replace,
            case_sensitive: kept.case_sensitive,
            proof: ProofMethod::parse(&kept.proof),
            proof_need: kept.proof_need.as_deref().and_then(ProofNeed::parse),
            keeps_mtime: kept.keeps_mtime,
            concurrent_max: kept.concurrent_max,
            name_len_max: kept.name_len_max,
            refused_chars: kept
                .refused_chars
                .chars()
                .fold(RefusedChars::NONE, RefusedChars::with)
                .with_last_taken(kept.last_char_taken.unwrap_or(char::MAX)),
            size_max: kept.size_max,
            note: kept.note,
            software: kept.software,
            trusted_digests: kept.trusted_digests.iter().filter_map(|name| DigestKind::parse(name)).collect(),
            findings: kept.findings,
        }
    }
}

/// The text that is kept.
pub(super) fn text(capabilities: &Capabilities) -> Result<String, StoreError> {
    serde_json::to_string(&StoredCapabilities::from(capabilities.clone()))
        .map_err(|e| StoreError::Refused(e.to_string()))
}

/// The capabilities in a kept text; one that makes no sense reads as not able to do anything.
pub(super) fn parse(text: &str) -> Capabilities {
    serde_json::from_str::<StoredCapabilities>(text).map(Capabilities::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_kept_whole() {
        let able = Capabilities {
            uuid: "u".to_owned(),
            can_resume: true,
            no_replace: true,
            case_sensitive: true,
            proof: Some(ProofMethod::DirectRead),
            proof_need: Some(ProofNeed::Reconnect),
            keeps_mtime: true,
            concurrent_max: 4,
            name_len_max: 143,
            refused_chars: RefusedChars::NONE.with(';').with('%').with_last_taken('\u{ff}'),
            size_max: Some(1 << 32),
            note: "vfat".to_owned(),
            software: "a server 1.0".to_owned(),
            trusted_digests: [DigestKind::Md5, DigestKind::Crc64Nvme].into_iter().collect(),
            findings: "{}".to_owned(),
        };
        assert_eq!(parse(&text(&able).expect("JSON")), able);
        assert_eq!(
            parse("{\"can_resume\":true}"),
            Capabilities { can_resume: true, ..Capabilities::default() }
        );
        assert_eq!(parse("nonsense"), Capabilities::default());
    }
}
