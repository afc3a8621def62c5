//! Addresses of servers: `webdav+https://USER@HOST/PATH` and its kin.
//!
//! An address is kept, shown and mirrored in plain text, so it never holds a secret; one that does
//! is refused before anything else looks at it.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::http::is_loopback;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::target::DestinationKind;

/// The longest address in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;
/// The longest user name in bytes.
const USER_BYTES_MAX: usize = 256;

/// Where a server keeps the copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// What it speaks.
    pub kind: DestinationKind,
    /// The folder on the server: `http` or `https`, no user, no query, a slash at its end; where a
    /// protocol has one address instead of folders, that address as it was given.
    pub base: Url,
    /// Who signs in, where the address says so.
    pub user: Option<String>,
}

fn wrong(why: impl Into<String>) -> Failure {
    let mut failure = Failure::destination(FailureKind::BadRequest, why);
    failure.retry = crate::domain::failure::Retry::Never;
    failure
}

impl ServerAddress {
    /// Reads an address of any kind but a folder's and S3's.
    ///
    /// # Errors
    /// `bad_request` with what is wrong with it. The address itself is not repeated: it may hold a
    /// secret.
    pub fn parse(kind: DestinationKind, text: &str) -> Result<Self, Failure> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(wrong("the address is too long"));
        }
        let rest = text
            .strip_prefix(kind.as_str())
            .and_then(|rest| rest.strip_prefix('+'))
            .ok_or_else(|| wrong("the address begins with another kind of server"))?;
        let url = Url::parse(rest).map_err(|error| wrong(format!("the address cannot be read: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("the address is not one of a web server"));
        }
        if url.password().is_some() {
            return Err(wrong(
                "an address must not hold a password; leave it out, it is asked for or read from the environment",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("the address must end with its path, without ? and #"));
        }
        let user = match url.username() {
            "" => None,
            name => Some(decoded(name)?),
        };
        if user.as_ref().is_some_and(|user| {
            user.len() > USER_BYTES_MAX || user.contains(':') || user.chars().any(char::is_control)
        }) {
            return Err(wrong("the user name has characters that none can have"));
        }
        let base = if kind.has_folders() { folder_url(url) } else { without_user(url) };
        let address = Self { kind, base, user };
        // Escapes make it longer, and what is kept must be read again.
        if address.text().len() > ADDRESS_BYTES_MAX {
            return Err(wrong("the address is too long"));
        }
        Ok(address)
    }

    /// The address as it is kept: the same for all spellings of one place.
    pub fn text(&self) -> String {
        let mut url = self.base.clone();
        if let Some(user) = &self.user {
            // A URL with a host takes any user name; what looks like an escape in it is none.
            url.set_username(&user.replace('%', "%25")).ok();
        }
        format!("{}+{}", self.kind.as_str(), url)
    }

    /// Refuses to send what nobody else should read over a connection that everyone can read.
    ///
    /// # Errors
    /// `tls` for plain http: to this computer it is fine, to a private network only where the person
    /// has agreed to that, to the world never.
    pub fn check_encryption(&self, is_http_agreed: bool) -> Result<(), Failure> {
        check_encryption(&self.base, is_http_agreed)
    }
}

/// The URL of something below a folder's. Each part of `path` is encoded; slashes part them.
pub fn below(folder: &Url, path: &str) -> Url {
    let mut url = folder.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().extend(path.split('/').filter(|part| !part.is_empty()));
        if path.ends_with('/') || path.is_empty() {
            parts.push("");
        }
    }
    url
}

/// See [`ServerAddress::check_encryption`].
///
/// # Errors
/// `tls`.
pub fn check_encryption(url: &Url, is_http_agreed: bool) -> Result<(), Failure> {
    if url.scheme() == "https" || is_loopback(url) {
        return Ok(());
    }
    let refused = |why: &str| {
        let mut failure = Failure::destination(FailureKind::Tls, why);
        failure.retry = crate::domain::failure::Retry::Never;
        Err(failure)
    };
    if is_public(url) {
        return refused(
            "without encryption anyone on the way could read the password and the photos; use https",
        );
    }
    if !is_http_agreed {
        return refused(
            "the connection is not encrypted; where only people you trust share the network, allow http (--allow-http)",
        );
    }
    Ok(())
}

/// Whether the host is certainly not in a private network.
fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            !(ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared)
        }
        Some(Host::Ipv6(ip)) => !(ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback()),
        // What a name leads to is for its network to say.
        Some(Host::Domain(_)) | None => false,
    }
}

fn decoded(text: &str) -> Result<String, Failure> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_bad| wrong("an escape in the address is not UTF-8"))?.into_owned())
}

fn without_user(mut url: Url) -> Url {
    // Only URLs without a host refuse.
    url.set_username("").ok();
    url
}

/// A URL without user and with exactly one slash at its end.
fn folder_url(url: Url) -> Url {
    let mut url = without_user(url);
    let parts: Vec<String> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let path: String = parts.iter().map(|part| format!("/{part}")).collect();
    url.set_path(&format!("{path}/"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::target::DestinationKind as K;

    fn parse(kind: K, text: &str) -> ServerAddress {
        ServerAddress::parse(kind, text).expect(text)
    }

    #[test]
    fn one_place_has_one_spelling() {
        for (given, kept) in [
            ("webdav+https://ann@Photos.Example:443/a//b", "webdav+https://ann@photos.example/a/b/"),
            ("webdav+https://ann@photos.example/a/b/", "webdav+https://ann@photos.example/a/b/"),
            ("webdav+http://127.0.0.1:8080", "webdav+http://127.0.0.1:8080/"),
            ("webdav+https://a%40b@h/x%20y/%2F", "webdav+https://a%40b@h/x%20y/%2F/"),
            ("webdav+https://h/a/../b/./c", "webdav+https://h/b/c/"),
        ] {
            assert_eq!(parse(K::WebDav, given).text(), kept);
            assert_eq!(parse(K::WebDav, kept).text(), kept);
        }
        for kept in ["tus+https://h/files", "tus+https://ann@h/files/", "tus+https://h/"] {
            assert_eq!(parse(K::Tus, kept).text(), kept);
        }
        let address = parse(K::Nextcloud, "nextcloud+https://a%40b@cloud.example/sub/Photos");
        assert_eq!(address.user.as_deref(), Some("a@b"));
        assert_eq!(address.base.as_str(), "https://cloud.example/sub/Photos/");
        assert_eq!(
            below(&address.base, "2019/a b#?%.jpg").as_str(),
            "https://cloud.example/sub/Photos/2019/a%20b%23%3F%25.jpg"
        );
        assert_eq!(below(&address.base, "2019/").as_str(), "https://cloud.example/sub/Photos/2019/");
        assert_eq!(below(&address.base, "").as_str(), "https://cloud.example/sub/Photos/");
    }

    #[test]
    fn secrets_and_nonsense_are_refused_without_being_repeated() {
        for bad in [
            "webdav+https://ann:planted@h/",
            "webdav+https://h/?token=planted",
            "webdav+https://h/#planted",
            "webdav+ftp://planted/",
            "tus+https://planted/",
            "webdav+https://",
            "webdav+https://ann%3Aplanted@h/",
            &format!("webdav+https://h/{}", "planted".repeat(400)),
        ] {
            let failure = ServerAddress::parse(K::WebDav, bad).expect_err(bad);
            assert_eq!(failure.kind, FailureKind::BadRequest);
            assert!(failure.is_permanent() && !failure.details.contains("planted"), "{failure}");
        }
    }

    #[test]
    fn plain_http_needs_a_reason() {
        let check = |host: &str, agreed| {
            parse(K::WebDav, &format!("webdav+{host}/")).check_encryption(agreed).is_ok()
        };
        for fine in ["https://8.8.8.8", "http://127.0.0.1", "http://localhost:1", "http://[::1]"] {
            assert!(check(fine, false), "{fine}");
        }
        for private in [
            "http://192.168.1.2",
            "http://10.0.0.1",
            "http://nas.local",
            "http://[fd00::1]",
            "http://100.64.0.1",
        ] {
            assert!(!check(private, false) && check(private, true), "{private}");
        }
        for public in ["http://8.8.8.8", "http://[2001:4860::1]"] {
            assert!(!check(public, true), "{public}");
        }
    }

    #[test]
    fn a_user_with_a_percent_sign_stays_the_same() {
        let typed = "webdav+https://a%2541%25zz@host.example/dav/";
        let address = ServerAddress::parse(DestinationKind::WebDav, typed).expect("an address");
        assert_eq!(address.user.as_deref(), Some("a%41%zz"));
        let again = ServerAddress::parse(DestinationKind::WebDav, &address.text()).expect("as it is kept");
        assert_eq!(again, address);
    }
}
