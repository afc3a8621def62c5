//! Paths on the wire: text where they are text, bytes where they are not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::base::secret::Secret;

/// A path for people (`path`, lossy) that keeps its bytes (`path_b64`) when it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathText {
    /// The path, with `�` for bytes that are not UTF-8.
    pub path: String,
    /// The exact bytes in base64, only where `path` is not exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
}

impl PathText {
    /// From the bytes the file system gave.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { path: text.to_owned(), path_b64: None },
            Err(_not_utf8) => Self {
                path: String::from_utf8_lossy(bytes).into_owned(),
                path_b64: Some(STANDARD.encode(bytes)),
            },
        }
    }

    /// The exact bytes; `None` where `path_b64` is not base64.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        match &self.path_b64 {
            Some(b64) => STANDARD.decode(b64).ok(),
            None => Some(self.path.clone().into_bytes()),
        }
    }

    /// The last component, for people.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A secret on its way over the owner's own socket. It is not printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretText(Secret);

impl SecretText {
    /// Takes a secret over.
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The secret.
    pub fn into_inner(self) -> Secret {
        self.0
    }
}

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_crosses_and_is_not_printed() {
        let secret = SecretText::new("planted".to_owned());
        let json = serde_json::to_string(&secret).expect("json");
        assert_eq!(serde_json::from_str::<SecretText>(&json).expect("json"), secret);
        assert!(!format!("{secret:?}").contains("planted"));
    }

    #[test]
    fn paths_keep_their_bytes() {
        for bytes in [&b"/photos/a.jpg"[..], b"/photos/\xff\xfe.jpg", "/фото/é.jpg".as_bytes()] {
            let path = PathText::from_bytes(bytes);
            assert_eq!(path.to_bytes().as_deref(), Some(bytes));
            let json = serde_json::to_string(&path).expect("json");
            assert_eq!(serde_json::from_str::<PathText>(&json).expect("json"), path);
        }
        assert_eq!(PathText { path: String::new(), path_b64: Some("*".into()) }.to_bytes(), None);
    }
}
