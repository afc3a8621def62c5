//! What a probe found out of a server, and what that makes its answers worth.

use serde::{Deserialize, Serialize};

use super::client::base64_of;
use crate::destination::http::Headers;
use crate::destination::{Capabilities, Item};
use crate::domain::hash::{DigestKind, DigestSet, Digests};

/// What a probe found out, as it is kept in [`Capabilities::findings`]. What is not known is taken to
/// be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ServerCapabilities {
    /// `If-None-Match: *` was seen to keep an object from being replaced.
    pub if_none_match: bool,
    /// An object's entity tag is its MD5.
    pub md5_etag: bool,
    /// The parts of an upload can be listed.
    pub list_parts: bool,
    /// Unfinished uploads can be listed.
    pub list_uploads: bool,
    /// An object of parts has the CRC of the whole, and a wrong one was refused.
    pub whole_crc: bool,
    /// The key may remove objects.
    pub deletes: bool,
    /// Replaced and removed objects are kept by the server.
    pub versioned: bool,
}

/// What a server's digests are worth, and how it is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ChecksumTrust {
    pub findings: ServerCapabilities,
    /// Digests of which a wrong one was seen to be refused.
    pub digests: DigestSet,
}

impl ChecksumTrust {
    pub fn of(capabilities: Option<&Capabilities>) -> Self {
        let Some(capabilities) = capabilities else { return Self::default() };
        let findings = serde_json::from_str(&capabilities.findings).unwrap_or_default();
        Self { findings, digests: capabilities.trusted_digests }
    }

    /// The checksum that goes along with bytes, beside their MD5.
    pub fn checksum(self) -> Option<DigestKind> {
        [DigestKind::Crc64Nvme, DigestKind::Sha256].into_iter().find(|kind| self.digests.contains(*kind))
    }

    /// The digests that are sent along with bytes.
    pub fn sent(self) -> DigestSet {
        self.checksum().into_iter().collect::<DigestSet>().with(DigestKind::Md5)
    }

    /// Whether the digests in an answer's head are those of the item; nothing where the head has
    /// none that means something.
    pub fn compare_headers(self, headers: &Headers, item: &Item) -> Option<bool> {
        let said = |name| headers.get(name);
        // A digest of digests is none of the bytes.
        let is_whole =
            said("x-amz-checksum-type").is_none_or(|kind| kind.eq_ignore_ascii_case("FULL_OBJECT"));
        let crc = said("x-amz-checksum-crc64nvme").filter(|_| is_whole);
        let sha256 = said("x-amz-checksum-sha256").filter(|_| is_whole);
        self.compare_digests(crc, sha256, said("etag"), item.digests)
    }

    /// [`Self::compare_headers`] for digests however they were said.
    pub fn compare_digests(
        self,
        crc: Option<&str>,
        sha256: Option<&str>,
        etag: Option<&str>,
        known: Digests,
    ) -> Option<bool> {
        if let (true, Some(said), Some(crc)) =
            (self.digests.contains(DigestKind::Crc64Nvme), crc.and_then(base64_of::<8>), known.crc64nvme)
        {
            return Some(u64::from_be_bytes(said) == crc);
        }
        if let (true, Some(said), Some(sha256)) =
            (self.digests.contains(DigestKind::Sha256), sha256.and_then(base64_of::<32>), known.sha256)
        {
            return Some(said == sha256);
        }
        let trusts_tag = self.findings.md5_etag && self.digests.contains(DigestKind::Md5);
        match (trusts_tag, etag.and_then(md5_of_etag), known.md5) {
            (true, Some(said), Some(md5)) => Some(said == md5),
            _ => None,
        }
    }
}

/// The MD5 that an entity tag is, where it has the form of one.
pub(super) fn md5_of_etag(etag: &str) -> Option<[u8; 16]> {
    let digits = etag.trim().trim_matches('"');
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut md5 = [0; 16];
    for (slot, at) in md5.iter_mut().zip((0..32).step_by(2)) {
        *slot = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(md5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::s3::client::base64;

    #[test]
    fn findings_are_kept_and_nonsense_finds_nothing() {
        let findings =
            ServerCapabilities { list_parts: true, md5_etag: true, ..ServerCapabilities::default() };
        let text = serde_json::to_string(&findings).expect("JSON");
        let capabilities = Capabilities { findings: text, ..Capabilities::default() };
        assert_eq!(ChecksumTrust::of(Some(&capabilities)).findings, findings);
        let nonsense = Capabilities { findings: "?".to_owned(), ..Capabilities::default() };
        assert_eq!(ChecksumTrust::of(Some(&nonsense)), ChecksumTrust::default());
    }

    #[test]
    fn only_what_was_seen_to_be_checked_proves_anything() {
        let known =
            Digests { md5: Some([7; 16]), crc64nvme: Some(9), sha256: Some([3; 32]), ..Digests::default() };
        let trust = |kinds: &[DigestKind], md5_etag| ChecksumTrust {
            findings: ServerCapabilities { md5_etag, ..ServerCapabilities::default() },
            digests: kinds.iter().copied().collect(),
        };
        let (good, bad) = (base64(&9_u64.to_be_bytes()), base64(&8_u64.to_be_bytes()));
        let sha = base64(&[3; 32]);
        let tag = format!("\"{}\"", "07".repeat(16));
        let compare_headers = |trust: ChecksumTrust, crc: &str, sha: &str, tag: &str| {
            trust.compare_digests(Some(crc), Some(sha), Some(tag), known)
        };
        use DigestKind::{Crc64Nvme, Md5, Sha256};
        assert_eq!(compare_headers(trust(&[], true), &good, &sha, &tag), None);
        assert_eq!(compare_headers(trust(&[Crc64Nvme], false), &good, "", ""), Some(true));
        assert_eq!(compare_headers(trust(&[Crc64Nvme, Md5], true), &bad, &sha, &tag), Some(false));
        assert_eq!(compare_headers(trust(&[Sha256], false), &bad, &sha, ""), Some(true));
        assert_eq!(compare_headers(trust(&[Md5], true), &bad, &sha, &tag), Some(true));
        assert_eq!(compare_headers(trust(&[Md5], false), &good, &sha, &tag), None);
        assert_eq!(compare_headers(trust(&[Md5], true), "", "", "\"0707-2\""), None);
        assert_eq!(compare_headers(trust(&[Md5], true), "", "", &"08".repeat(16)), Some(false));
    }
}
