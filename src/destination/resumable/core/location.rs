//! Addresses that a server gives for its uploads.
//!
//! They are a stranger's words: they may lead elsewhere, hold a sign-in, or name the destination
//! itself. What passes here may be sent credentials and bytes.

use url::Url;

use crate::domain::failure::{Failure, FailureKind};

/// The longest address of an upload in bytes.
const LOCATION_BYTES_MAX: usize = 2048;

/// The upload that `given` names, in answer to a request for `base`: of the same origin, without a
/// sign-in and without a fragment. A server behind one that does the encryption often says `http`
/// for its own `https` address; that is read as what it means. Characters that are escaped without need are
/// not (RFC 3986, section 6.2.2.2): servers compare their paths letter by letter.
///
/// # Errors
/// `redirect` when it leads to another server, `protocol` when it makes no sense. Both reach the
/// destination, and neither repeats more than the place.
pub(super) fn normalised(base: &Url, given: &str) -> Result<Url, Failure> {
    let nonsense = |why: &str| {
        let details = format!("the address that the server gave for an upload {why}");
        Failure::destination(FailureKind::Protocol, details)
    };
    let given = given.trim_matches([' ', '\t']);
    if given.is_empty() || given.len() > LOCATION_BYTES_MAX {
        return Err(nonsense("is empty or too long"));
    }
    if given.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(nonsense("has characters that none can have"));
    }
    let mut url = base.join(given).map_err(|_bad| nonsense("cannot be read"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(nonsense("holds a sign-in"));
    }
    let plain = unescaped(url.path());
    url.set_path(&plain);
    if url.scheme() == "http" && base.scheme() == "https" && url.port() == base.port() {
        // Between these two schemes the change is always possible.
        url.set_scheme("https").ok();
    }
    let origin = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
    if origin(&url) != origin(base) {
        let place = url.origin().ascii_serialization();
        let details = format!(
            "the server wants uploads to be sent to another place ({place}); nothing is sent there. If that is \
             the server itself, it must be told the address by which it is reached"
        );
        return Err(Failure::destination(FailureKind::Redirect, details));
    }
    url.set_fragment(None);
    if url.as_str().len() > LOCATION_BYTES_MAX {
        return Err(nonsense("is too long"));
    }
    if url.path().trim_end_matches('/') == base.path().trim_end_matches('/') && url.query() == base.query() {
        return Err(nonsense("is that of the destination itself"));
    }
    Ok(url)
}

/// [`normalised`], of an address that the server gives now. A server behind another one often does not know
/// the address by which it is reached, and says its own: one whose path lies below the destination's is
/// asked for at the origin that was asked.
///
/// # Errors
/// As [`normalised`].
pub(super) fn as_reached(base: &Url, given: &str) -> Result<Url, Failure> {
    normalised(base, given).or_else(|failure| match below(base, given) {
        Some(here) if failure.kind == FailureKind::Redirect => normalised(base, here.as_str()),
        _ => Err(failure),
    })
}

/// What has the path of a web address elsewhere, at the origin of `base`, if that is below the path of `base`.
fn below(base: &Url, given: &str) -> Option<Url> {
    let url = base.join(given.trim_matches([' ', '\t'])).ok()?;
    let folder = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(folder)?.strip_prefix('/')?;
    // Everything is below the root, which says nothing.
    if folder.is_empty() || rest.is_empty() || !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let mut here = base.clone();
    here.set_path(url.path());
    here.set_query(url.query());
    Some(here)
}

/// A path in which nothing is escaped that need not be: letters, digits, `-`, `_` and `~`. A dot stays
/// escaped, for a part of dots alone has a meaning.
fn unescaped(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at..at + 3).unwrap_or(&rest[at..]);
        let byte = code.get(1..).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.map(char::from).filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '~')) {
            Some(letter) => plain.push(letter),
            None => plain.push_str(code),
        }
        rest = &rest[at + code.len()..];
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(base: &str, given: &str) -> Result<String, FailureKind> {
        let base = Url::parse(base).expect("a URL");
        normalised(&base, given).map(String::from).map_err(|failure| failure.kind)
    }

    #[test]
    fn the_same_origin_passes_normalised() {
        let base = "https://h.example/files/";
        for (given, url) in [
            ("/files/a", "https://h.example/files/a"),
            ("a?token=1#part", "https://h.example/files/a?token=1"),
            ("../other/./x/../a", "https://h.example/other/a"),
            ("//h.example/files/a", "https://h.example/files/a"),
            ("HTTPS://H.Example:443/files/a", "https://h.example/files/a"),
            ("http://h.example/files/a", "https://h.example/files/a"),
            ("/%66iles/%61%2D%2e%2f%C3%A9%5", "https://h.example/files/a-%2e%2f%C3%A9%5"),
        ] {
            assert_eq!(at(base, given).as_deref(), Ok(url), "{given}");
        }
        assert_eq!(at("https://h:8443/", "http://h:8443/a").as_deref(), Ok("https://h:8443/a"));
        assert_eq!(
            at("http://127.0.0.1:1/f/", "http://127.0.0.1:1/f/a").as_deref(),
            Ok("http://127.0.0.1:1/f/a")
        );
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let base = "https://h.example/files/";
        for given in [
            "https://evil.example/files/a",
            "//evil.example/a",
            "https://h.example:8443/files/a",
            "http://h.example:8080/files/a",
            "https://h.example.evil.example/a",
            "https:\\\\evil.example/a",
            "file:///etc/passwd",
            "ftp://h.example/a",
        ] {
            assert_eq!(at(base, given), Err(FailureKind::Redirect), "{given}");
        }
        assert_eq!(at("http://h.example/", "https://h.example/a"), Err(FailureKind::Redirect));
        for given in [
            "",
            "https://ann:planted@h.example/files/a",
            "https://ann@h.example/files/a",
            "/files/a b",
            "/files/a\u{7f}",
            "https://[::1",
            "/files/",
            "/files",
            "#part",
        ] {
            assert_eq!(at(base, given), Err(FailureKind::Protocol), "{given}");
        }
        assert_eq!(at(base, &"x".repeat(LOCATION_BYTES_MAX + 1)), Err(FailureKind::Protocol));
    }

    #[test]
    fn an_address_that_the_server_has_for_itself_is_asked_for_where_it_is_reached() {
        let at = |base: &str, given| {
            let base = Url::parse(base).expect("a URL");
            as_reached(&base, given).map(String::from).map_err(|failure| failure.kind)
        };
        let base = "https://h.example/files/";
        for given in ["http://backend.internal:8080/files/a?x=1#y", "//10.0.0.2/files/../files/a?x=1"] {
            assert_eq!(at(base, given).as_deref(), Ok("https://h.example/files/a?x=1"), "{given}");
        }
        for given in [
            "https://evil.example/file/a",
            "https://evil.example/files/",
            "https://evil.example/filesystem/a",
            "http://h.example:8080/files/../a",
            "ftp://h.example/files/a",
        ] {
            assert_eq!(at(base, given), Err(FailureKind::Redirect), "{given}");
        }
        assert_eq!(at("https://h.example/", "https://evil.example/a"), Err(FailureKind::Redirect));
        assert_eq!(at(base, "https://ann:planted@evil.example/files/a"), Err(FailureKind::Protocol));
    }

    proptest! {
        #[test]
        fn whatever_passes_is_of_the_same_origin(given in ".{0,60}", base in 0..3_usize) {
            let bases = ["https://h.example/files/", "http://127.0.0.1:1080/files/", "https://h:8443/"];
            let base = Url::parse(bases[base]).expect("a URL");
            if let Ok(url) = as_reached(&base, &given) {
                prop_assert_eq!(url.origin(), base.origin());
                prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
                let again = normalised(&base, url.as_str());
                prop_assert_eq!(again, Ok(url));
            }
        }

        #[test]
        fn other_hosts_never_pass(host in "[a-z0-9.@:-]{1,20}", path in "[ -~]{0,20}", scheme in "https?|ftp|file|ws") {
            let base = Url::parse("https://h.example/files/").expect("a URL");
            if let Ok(url) = as_reached(&base, &format!("{scheme}://{host}/{path}")) {
                prop_assert_eq!(url.host_str(), Some("h.example"));
            }
        }
    }
}
