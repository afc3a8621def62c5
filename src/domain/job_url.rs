//! Where a job's URL may lead: to the destination's own origin, below its own path, and nowhere else.

use url::{Position, Url};

use super::key;

/// The key that `job_url` names below the destination `base`; none where it leads anywhere else, or
/// where what it names is not a key.
///
/// Both are normalised first (WHATWG URL), so that no spelling of `..`, of a host or of a port leads
/// out. A URL with a question, a fragment or somebody's name in it is refused.
pub fn key_below(base: &str, job_url: &str) -> Option<String> {
    let base = http_part(base)?;
    let url = Url::parse(job_url).ok()?;
    let is_same_origin = url[..Position::BeforeUsername] == base[..Position::BeforeUsername]
        && url[Position::BeforeHost..Position::BeforePath]
            == base[Position::BeforeHost..Position::BeforePath];
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_same_origin || !is_plain {
        return None;
    }
    let below = url.path().strip_prefix(base.path().trim_end_matches('/'))?.strip_prefix('/')?;
    let decoded = below.split('/').map(|part| {
        let part = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
        // An escaped slash would be a separator to one reader and a letter to another.
        (!part.contains(['/', '\\'])).then(|| part.into_owned())
    });
    let key = decoded.collect::<Option<Vec<String>>>()?.join("/");
    key::is_valid(&key).then_some(key)
}

/// The web's part of a destination's address: `webdav+https://…` speaks https. Addresses of other
/// kinds have none.
fn http_part(base: &str) -> Option<Url> {
    let (scheme, _) = base.split_once("://")?;
    let web = base.get(scheme.rfind('+').map_or(0, |plus| plus + 1)..)?;
    Url::parse(web).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "webdav+https://ada@photos.example/dav/backup";

    #[test]
    fn below_is_below_however_it_is_written() {
        for (url, wanted) in [
            ("https://photos.example/dav/backup/2019/a.jpg", "2019/a.jpg"),
            ("HTTPS://PHOTOS.example:443/dav/backup/2019/a.jpg", "2019/a.jpg"),
            ("https://photos.example/dav/x/../backup/./a%20b.jpg", "a b.jpg"),
            ("https://photos.example/dav/backup/%C3%A9t%C3%A9.jpg", "été.jpg"),
        ] {
            assert_eq!(key_below(BASE, url).as_deref(), Some(wanted), "{url}");
        }
        assert_eq!(
            key_below("tus+http://127.0.0.1:8080", "http://127.0.0.1:8080/a.jpg").as_deref(),
            Some("a.jpg")
        );
    }

    #[test]
    fn nothing_leads_out() {
        for url in [
            "https://photos.example/dav/backup",
            "https://photos.example/dav/backup/",
            "https://photos.example/dav/backup-of-others/a.jpg",
            "https://photos.example/dav/backup/../a.jpg",
            "https://photos.example/dav/backup/%2e%2e/a.jpg",
            "https://photos.example/dav/backup/x/..%2f..%2fa.jpg",
            "https://photos.example/dav/backup/..%5ca.jpg",
            "https://photos.example/dav/backup//a.jpg",
            "https://photos.example/dav/backup/.safelight/destination.json",
            "https://photos.example/dav/backup/a.jpg?to=elsewhere",
            "https://photos.example/dav/backup/a.jpg#x",
            "https://eve@photos.example/dav/backup/a.jpg",
            "https://photos.example@evil.example/dav/backup/a.jpg",
            "https://photos.example.evil.example/dav/backup/a.jpg",
            "https://photos.example:8443/dav/backup/a.jpg",
            "http://photos.example/dav/backup/a.jpg",
            "file:///dav/backup/a.jpg",
            "/dav/backup/a.jpg",
            "",
        ] {
            assert_eq!(key_below(BASE, url), None, "{url}");
        }
        for base in ["/media/disk", "s3://bucket/?endpoint=https://photos.example", "file:///media"] {
            assert_eq!(key_below(base, "https://photos.example/a.jpg"), None, "{base}");
        }
    }
}
