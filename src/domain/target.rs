//! What a person writes to name a destination.
//!
//! `DEST` is, in this order: a URL when it contains `://`, the exact name of a saved destination,
//! else a path (`./x` forces a path).

use super::stable_name::stable_names;

/// The protocol a destination speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DestinationKind {
    /// A folder or an external disk.
    Folder,
    /// S3-compatible storage.
    S3,
    /// A WebDAV server.
    #[strum(serialize = "webdav")]
    WebDav,
    /// Nextcloud.
    Nextcloud,
    /// Immich.
    Immich,
    /// tus 1.0.
    Tus,
    /// Resumable uploads for HTTP.
    Resumable,
}

stable_names!(DestinationKind);

impl DestinationKind {
    /// Whether a place of this kind makes one thing of an asset's parts, and so must be told of the
    /// others with each and be given them in order.
    pub fn joins_companions(self) -> bool {
        matches!(self, Self::Immich)
    }

    /// Whether an address of this kind is that of a folder; if not, it is the one address that uploads are
    /// created at.
    pub fn has_folders(self) -> bool {
        !matches!(self, Self::Tus | Self::Resumable)
    }

    /// How the secret of a destination of this kind is found, with or without a user in its address.
    pub fn secret_rules(self, has_user: bool) -> SecretRules {
        let password = SecretRules {
            variable: "SAFELIGHT_PASSWORD",
            is_variable_read: true,
            is_optional: false,
            is_key_pair: false,
        };
        match self {
            Self::Folder => SecretRules { is_optional: true, ..password },
            // A server that lets everyone in has no users, and whoever names no user did not mean the
            // password that is there for all.
            Self::WebDav => SecretRules { is_variable_read: has_user, is_optional: !has_user, ..password },
            Self::Nextcloud => password,
            Self::S3 => SecretRules { variable: "AWS_SECRET_ACCESS_KEY", is_key_pair: true, ..password },
            Self::Immich => SecretRules { variable: "IMMICH_API_KEY", ..password },
            Self::Tus | Self::Resumable if has_user => password,
            Self::Tus | Self::Resumable => {
                SecretRules { variable: "SAFELIGHT_TOKEN", is_optional: true, ..password }
            }
        }
    }

    /// Whether the person chooses what proves a copy in a place of this kind: its bytes, read back, or
    /// the server's word for their checksum.
    pub fn has_checksum_choice(self) -> bool {
        matches!(self, Self::Immich)
    }
}

/// How the secret of a destination is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretRules {
    /// The environment variable that may hold it for all destinations of the kind.
    pub variable: &'static str,
    /// The secret is taken from that variable.
    pub is_variable_read: bool,
    /// The destination may be used without any secret.
    pub is_optional: bool,
    /// The secret goes with the id of an access key, kept as `ID:SECRET`, and perhaps with a session token.
    pub is_key_pair: bool,
}

/// The longest name a destination may have, in characters.
pub const NAME_LEN_MAX: usize = 40;

/// Whether `text` may name a saved destination: 1 to 40 characters, none of them a control character or
/// one that paths and addresses are told by, and none at the start that an option or a hidden file has.
pub fn is_valid_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.chars().count())
        && text.trim() == text
        && !text.starts_with(['-', '.'])
        && !text.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'))
}

/// A destination as the person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A folder, as the bytes of its path; may be relative to where the command was given.
    Folder(Vec<u8>),
    /// A network destination. The URL is whole, as written.
    Url {
        /// Which protocol.
        kind: DestinationKind,
        /// The URL as written.
        url: String,
    },
    /// Something that could be the name of a saved destination, or else a path.
    NameOrPath(String),
}

/// Why a target was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadTarget {
    /// Nothing was written.
    Empty,
    /// The part before `://` is none that Safelight knows.
    UnknownScheme(String),
    /// A `file://` URL with a host, or with an escape that is not a byte.
    BadFileUrl,
}

impl std::fmt::Display for BadTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the destination is empty"),
            Self::UnknownScheme(scheme) => {
                write!(f, "Safelight does not know destinations of the kind {scheme}://")
            }
            Self::BadFileUrl => f.write_str("this file:// address is not one of a folder on this computer"),
        }
    }
}

impl Target {
    /// Reads what the person wrote. Percent escapes are decoded in `file://` URLs only.
    pub fn parse(text: &[u8]) -> Result<Self, BadTarget> {
        if text.is_empty() {
            return Err(BadTarget::Empty);
        }
        let Ok(utf8) = std::str::from_utf8(text) else {
            return Ok(Self::Folder(text.to_vec()));
        };
        let Some((scheme, rest)) = utf8.split_once("://") else {
            return Ok(if is_valid_name(utf8) {
                Self::NameOrPath(utf8.to_owned())
            } else {
                Self::Folder(text.to_vec())
            });
        };
        let kind = match scheme {
            "file" => return file_url(rest).map(Self::Folder).ok_or(BadTarget::BadFileUrl),
            "s3" => DestinationKind::S3,
            "webdav+https" | "webdav+http" => DestinationKind::WebDav,
            "nextcloud+https" | "nextcloud+http" => DestinationKind::Nextcloud,
            "immich+https" | "immich+http" => DestinationKind::Immich,
            "tus+https" | "tus+http" => DestinationKind::Tus,
            "resumable+https" | "resumable+http" => DestinationKind::Resumable,
            other => return Err(BadTarget::UnknownScheme(other.to_owned())),
        };
        Ok(Self::Url { kind, url: utf8.to_owned() })
    }
}

fn file_url(rest: &str) -> Option<Vec<u8>> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut input = path.bytes();
    while let Some(byte) = input.next() {
        if byte == b'%' {
            let mut digit = || (input.next()? as char).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    (!bytes.contains(&0)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text that is nearly a target.
    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let scheme =
            prop::sample::select(vec!["file", "s3", "webdav+https", "immich+http", "ftp", "", "FILE"]);
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            (scheme, "(://|:/|:)", "(localhost|host)?/{0,2}[a-z%0-9./ ]{0,20}")
                .prop_map(|(scheme, separator, rest)| format!("{scheme}{separator}{rest}").into_bytes()),
            "[a-z0-9-]{0,40}".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_target_or_says_why_not(text in any_text()) {
            let is_url = std::str::from_utf8(&text).is_ok_and(|text| text.contains("://"));
            match Target::parse(&text) {
                Ok(Target::Folder(path)) => {
                    prop_assert!(!path.is_empty());
                    prop_assert!(!is_url || (path[0] == b'/' && !path.contains(&0)));
                    prop_assert!(is_url || path == text, "a path stays as it was typed");
                }
                Ok(Target::Url { kind, url }) => {
                    prop_assert_eq!(url.as_bytes(), text.as_slice());
                    prop_assert!(is_url && kind != DestinationKind::Folder);
                    prop_assert!(url.starts_with(kind.as_str()), "{url} is {kind:?}");
                }
                Ok(Target::NameOrPath(name)) => prop_assert!(is_valid_name(&name) && name.as_bytes() == text),
                Err(bad) => prop_assert!(!bad.to_string().is_empty() && (is_url || text.is_empty())),
            }
        }
    }

    #[test]
    fn targets() {
        let parse = |text: &str| Target::parse(text.as_bytes());
        assert_eq!(parse("/mnt/disk"), Ok(Target::Folder(b"/mnt/disk".to_vec())));
        assert_eq!(parse("./disk"), Ok(Target::Folder(b"./disk".to_vec())));
        assert_eq!(parse("disk"), Ok(Target::NameOrPath("disk".into())));
        assert_eq!(parse("Disk at home"), Ok(Target::NameOrPath("Disk at home".into())));
        assert_eq!(parse("Disk/x"), Ok(Target::Folder(b"Disk/x".to_vec())));
        assert_eq!(parse("-disk"), Ok(Target::Folder(b"-disk".to_vec())));
        assert_eq!(parse("file:///mnt/a%20b"), Ok(Target::Folder(b"/mnt/a b".to_vec())));
        assert_eq!(parse("file://host/x"), Err(BadTarget::BadFileUrl));
        assert_eq!(parse("file:///x%zz"), Err(BadTarget::BadFileUrl));
        assert_eq!(parse("ftp://x"), Err(BadTarget::UnknownScheme("ftp".into())));
        assert_eq!(parse(""), Err(BadTarget::Empty));
        let url = "immich+https://photos.example";
        assert_eq!(parse(url), Ok(Target::Url { kind: DestinationKind::Immich, url: url.into() }));
        assert_eq!(Target::parse(b"\xff\xfe"), Ok(Target::Folder(b"\xff\xfe".to_vec())));
    }
}
