//! What is known of a server and of the key: kept with the destination, renewed now and then.

use serde::{Deserialize, Serialize};

use super::api::{MediaTypes, Version};
use crate::domain::asset::ResourceKind;

/// Everything may be done.
const ALL: &str = "all";

/// Sending files, and asking which are there: nothing goes without it.
pub const UPLOAD: &str = "asset.upload";
/// Reading copies back: to verify them, and to restore.
pub const DOWNLOAD: &str = "asset.download";
/// Changing an asset: late sidecars, and joining a video with a still that is there already.
pub const UPDATE: &str = "asset.update";
/// Taking things out of the trash again, and removing damaged copies and test files of our own.
pub const DELETE: &str = "asset.delete";
/// Seeing whose key it is, and the quota.
pub const USER: &str = "user.read";
/// What albums need.
pub const ALBUMS: [&str; 3] = ["album.read", "album.create", "albumAsset.create"];
/// What stacks need.
pub const STACKS: [&str; 1] = ["stack.create"];

/// What is good to have, and what for.
pub const USEFUL: [(&str, &str); 4] = [
    (DOWNLOAD, "verifying copies and restoring"),
    (USER, "seeing the quota"),
    (UPDATE, "late sidecars and Live Photos"),
    (DELETE, "restoring from the trash and replacing damaged copies"),
];

/// The permissions that removing an asset of this kind needs.
pub fn needed_to_remove(kind: ResourceKind) -> &'static [&'static str] {
    if has_moving_half(kind) { &[DELETE, UPDATE] } else { &[DELETE] }
}

/// Whether an asset of this kind may be joined with a video, which the server removes together with it.
pub fn has_moving_half(kind: ResourceKind) -> bool {
    !matches!(kind, ResourceKind::Video | ResourceKind::PairedVideo)
}

/// What a probe found out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerInfo {
    /// The server's version.
    pub version: Option<Version>,
    /// Whose key it is, where the key may tell.
    pub user: Option<String>,
    /// What the key may do, where the server tells.
    pub permissions: Option<Vec<String>>,
    /// What the server takes; nothing known where empty.
    pub types: MediaTypes,
    /// The server does not read sidecars.
    pub ignores_sidecars: bool,
}

impl ServerInfo {
    /// As it was kept; nothing known where that makes no sense.
    pub fn parse(findings: &str) -> Self {
        serde_json::from_str(findings).unwrap_or_default()
    }

    /// To be kept.
    pub fn findings(&self) -> String {
        // Strings and numbers always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the key may do something, as far as is known.
    pub fn may(&self, permission: &str) -> bool {
        let Some(permissions) = &self.permissions else { return true };
        permissions.iter().any(|known| known == permission || known == ALL)
    }

    /// Which of these the key is known to lack.
    pub fn lacks<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        wanted.iter().copied().filter(|permission| !self.may(permission)).collect()
    }

    /// Whether files of this name are taken, as far as is known.
    pub fn takes(&self, file_name: &str) -> bool {
        self.types.image.is_empty() || self.types.takes(file_name)
    }

    /// Whether sidecars of this name are taken.
    pub fn takes_sidecar(&self, file_name: &str) -> bool {
        !self.ignores_sidecars && self.types.takes_sidecar(file_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_kept_whole() {
        let known = ServerInfo {
            version: Some(Version { major: 3, minor: 0, patch: 3 }),
            user: Some("u".to_owned()),
            permissions: Some(vec![UPLOAD.to_owned(), "album.read".to_owned()]),
            types: MediaTypes { image: vec![".jpg".to_owned()], ..MediaTypes::default() },
            ignores_sidecars: true,
        };
        assert_eq!(ServerInfo::parse(&known.findings()), known);
        assert_eq!(known.lacks(&ALBUMS), ["album.create", "albumAsset.create"]);
        assert!(known.takes("a.jpg") && !known.takes("a.txt") && !known.takes_sidecar("a.xmp"));
        let nothing = ServerInfo::parse("nonsense");
        assert!(nothing.may(UPLOAD) && nothing.takes("a.txt"));
        let all = ServerInfo { permissions: Some(vec![ALL.to_owned()]), ..ServerInfo::default() };
        assert!(all.lacks(&ALBUMS).is_empty());
    }
}
