//! What is kept of a copy: the asset it is, and what went with it.

use crate::domain::hash::Blake3;

/// The longest id that is believed.
const ID_BYTES_MAX: usize = 64;

/// Whether a text may be the id of something at the server. It goes into URLs.
pub fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// What is kept of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// A photo or video.
    Asset {
        /// Its id.
        id: String,
        /// The sidecar whose bytes went with it.
        sidecar: Option<Blake3>,
    },
    /// A sidecar whose bytes went with this asset.
    SidecarOf(String),
    /// A sidecar whose contents were told to the server of this asset.
    ToldOf(String),
}

impl Receipt {
    /// An asset that came alone.
    pub fn asset(id: impl Into<String>) -> Self {
        Self::Asset { id: id.into(), sidecar: None }
    }

    /// Reads a kept receipt; none for what is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let mut words = rest.split(' ');
        let id = words.next().filter(|id| is_id(id))?.to_owned();
        let sidecar = words.find_map(|word| word.strip_prefix("sidecar:")).and_then(Blake3::from_hex);
        match kind {
            "asset" => Some(Self::Asset { id, sidecar }),
            "sidecar-of" => Some(Self::SidecarOf(id)),
            "told-of" => Some(Self::ToldOf(id)),
            _ => None,
        }
    }

    /// The asset, where the copy is one.
    pub fn asset_of(text: Option<&str>) -> Option<String> {
        match Self::parse(text?)? {
            Self::Asset { id, .. } => Some(id),
            Self::SidecarOf(_) | Self::ToldOf(_) => None,
        }
    }
}

impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asset { id, sidecar: None } => write!(f, "asset:{id}"),
            Self::Asset { id, sidecar: Some(hash) } => write!(f, "asset:{id} sidecar:{}", hash.to_hex()),
            Self::SidecarOf(id) => write!(f, "sidecar-of:{id}"),
            Self::ToldOf(id) => write!(f, "told-of:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_read_as_they_were_written() {
        let id = "758afa74-d124-4012-8621-c0aee2aee9ef".to_owned();
        for receipt in [
            Receipt::asset(id.clone()),
            Receipt::Asset { id: id.clone(), sidecar: Some(Blake3([7; 32])) },
            Receipt::SidecarOf(id.clone()),
            Receipt::ToldOf(id),
        ] {
            assert_eq!(Receipt::parse(&receipt.to_string()), Some(receipt));
        }
        for bad in ["", "asset:", "asset:a/b", "asset:../x", "x:1", "1"] {
            assert_eq!(Receipt::parse(bad), None, "{bad}");
        }
        assert!(!is_id(&"a".repeat(65)));
    }
}
