//! What a probe remembers of a server beyond the common capabilities.

use serde::{Deserialize, Serialize};

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{DigestKind, DigestSet, Digests};

/// Digests that a server may compare with what arrives, the best first. Adler-32, which ownCloud
/// knows too, proves too little to be computed for it alone.
pub(super) const CHECKSUM_KINDS: [DigestKind; 3] = [DigestKind::Sha256, DigestKind::Sha1, DigestKind::Md5];

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ServerCapabilities {
    /// The path that Nextcloud is installed at: empty, or with a slash at its beginning only.
    pub root: String,
    /// An ETag stays with its file when that gets another name, and another file has another.
    pub keeps_tag: bool,
    /// Of several that want one name at the same moment, one gets it.
    pub names_once: bool,
    /// The digest that the server compares with what arrives: a wrong one was refused, a right one not.
    pub checksum: Option<String>,
    /// The digest that the server shows of what it has stored: computed when it is asked to, or an
    /// ETag.
    pub shown: Option<String>,
    /// The server refuses a request that tells a modification time.
    pub refuses_mtime: bool,
}

impl ServerCapabilities {
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        // A struct of strings and truths always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The header field `OC-Checksum` for bytes with these digests. A Nextcloud, which compares
    /// nothing, keeps what it is told.
    pub(super) fn checksum_of(&self, digests: Digests, is_cloud: bool) -> Option<String> {
        let kind = match &self.checksum {
            Some(name) => DigestKind::parse(name)?,
            None if is_cloud => DigestKind::Sha256,
            None => return None,
        };
        Some(format!("{}:{}", kind.as_str().to_ascii_uppercase(), digits_of(digests, kind)?))
    }

    /// A server that compares a checksum refuses bytes that are not those that were sent as it refuses a
    /// request that makes no sense: sent again, they may arrive.
    pub(super) fn explain_refusal(&self, failure: Failure) -> Failure {
        if self.checksum.is_none() || failure.kind != FailureKind::BadRequest {
            return failure;
        }
        Failure::transient(FailureKind::DigestMismatch, failure.details)
    }

    /// The digest that the server shows of what it has stored. Releases that knew of no other put it
    /// among the trusted ones only.
    pub(super) fn shown_kind(&self, trusted: DigestSet) -> Option<DigestKind> {
        match (&self.shown, &self.checksum) {
            (Some(name), _) => DigestKind::parse(name),
            (None, Some(_)) => None,
            (None, None) => {
                [DigestKind::Sha256, DigestKind::Md5].into_iter().find(|kind| trusted.contains(*kind))
            }
        }
    }
}

/// A digest in hexadecimal, where it is known.
pub(super) fn digits_of(digests: Digests, kind: DigestKind) -> Option<String> {
    match kind {
        DigestKind::Sha256 => digests.sha256.map(|digest| hex(&digest)),
        DigestKind::Sha1 => digests.sha1.map(|digest| hex(&digest)),
        DigestKind::Md5 => digests.md5.map(|digest| hex(&digest)),
        DigestKind::Crc64Nvme => None,
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_survive_a_restart() {
        let findings = ServerCapabilities {
            root: "/nc".to_owned(),
            keeps_tag: true,
            names_once: true,
            checksum: Some("sha1".to_owned()),
            shown: Some("md5".to_owned()),
            refuses_mtime: true,
        };
        assert_eq!(ServerCapabilities::parse(&findings.text()), findings);
        assert_eq!(ServerCapabilities::parse("nonsense"), ServerCapabilities::default());
        assert_eq!(ServerCapabilities::parse("{\"root\":\"/nc\"}").root, "/nc");
    }

    #[test]
    fn what_is_compared_on_arrival_is_not_what_is_shown() {
        let trusted = |kind| DigestSet::NONE.with(kind);
        let compares =
            ServerCapabilities { checksum: Some("md5".to_owned()), ..ServerCapabilities::default() };
        assert_eq!(compares.shown_kind(trusted(DigestKind::Md5)), None);
        let older = ServerCapabilities::default();
        assert_eq!(older.shown_kind(trusted(DigestKind::Sha256)), Some(DigestKind::Sha256));
        assert_eq!(older.shown_kind(DigestSet::NONE), None);
        let shows = ServerCapabilities { shown: Some("sha1".to_owned()), ..compares };
        assert_eq!(shows.shown_kind(DigestSet::NONE), Some(DigestKind::Sha1));
        let digests = Digests { md5: Some([0xab; 16]), ..Digests::default() };
        assert_eq!(shows.checksum_of(digests, true).as_deref(), Some("MD5:abababababababababababababababab"));
        assert_eq!(older.checksum_of(digests, false), None);
        assert_eq!(older.checksum_of(digests, true), None, "its SHA-256 is not known");
    }
}
