//! `s3://BUCKET/PREFIX?endpoint=URL&region=R&style=path|virtual`, and the URLs made of it.
//!
//! It must never take a secret: an address is kept and shown.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key;

/// Everything but RFC 3986's unreserved characters, as signature version 4 wants it.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a value in an address cannot hold as it is; the rest stays readable.
const QUERY: &AsciiSet = &RESERVED.remove(b':').remove(b'/');
/// The region of those who know none.
const REGION_DEFAULT: &str = "us-east-1";
/// The longest prefix in bytes; with a key it must stay below the 1024 that S3 takes.
const PREFIX_BYTES_MAX: usize = 512;
/// The longest name of a bucket in bytes.
const BUCKET_BYTES_MAX: usize = 255;

/// How a bucket is named in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `https://host/bucket/key`.
    Path,
    /// `https://bucket.host/key`.
    Virtual,
}

/// Where a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BucketAddress {
    /// The server, with a path below which it serves, without a slash at its end.
    endpoint: Url,
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with: empty, or ends with a slash.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    style: Style,
}

/// A URL and its parts as they are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The URL itself.
    pub url: Url,
    /// The host and the port, where it is not the scheme's own.
    pub host: String,
    /// The path, percent-encoded once.
    pub path: String,
    /// The query, percent-encoded and sorted.
    pub query: String,
}

fn wrong(why: impl Into<String>) -> Failure {
    Failure::destination(FailureKind::BadRequest, why)
}

fn decoded(text: &str) -> Result<String, Failure> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_bad| wrong("an escape in the address is not UTF-8"))?.into_owned())
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A path below the bucket, with its slashes kept.
fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

impl BucketAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// `bad_request` with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| wrong("an S3 address begins with s3://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let bucket = decoded(bucket)?;
        if bucket.contains(['@', ':']) {
            return Err(wrong("an address holds no user and no password: keys are asked for apart"));
        }
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !(1..=BUCKET_BYTES_MAX).contains(&bucket.len())
            || !bucket.bytes().all(is_name)
            || matches!(bucket.as_str(), "." | "..")
        {
            return Err(wrong(format!("not the name of a bucket: {bucket:?}")));
        }
        let prefix = prefix_of(&decoded(prefix)?)?;
        let (mut endpoint, mut region, mut style) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "endpoint" => endpoint = Some(value),
                "region" => region = Some(value),
                "style" => style = Some(value),
                other => return Err(wrong(format!("an S3 address has no {other}"))),
            }
        }
        let region = region.filter(|region| !region.is_empty()).unwrap_or_else(|| REGION_DEFAULT.to_owned());
        if !region.bytes().all(is_name) {
            return Err(wrong(format!("not a region: {region:?}")));
        }
        let is_amazon = endpoint.is_none();
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint = endpoint_of(&endpoint)?;
        let style = match style.as_deref() {
            Some("path") => Style::Path,
            Some("virtual") => Style::Virtual,
            Some(other) => return Err(wrong(format!("the style is path or virtual, not {other}"))),
            // A name with a dot has no certificate below the host's.
            None if is_amazon && !bucket.contains('.') => Style::Virtual,
            None => Style::Path,
        };
        if style == Style::Virtual && !matches!(endpoint.host(), Some(url::Host::Domain(_))) {
            return Err(wrong("the virtual style needs a server with a name, not an IP address"));
        }
        Ok(Self { endpoint, bucket, prefix, region, style })
    }

    /// The address as it is kept: everything said, in one order.
    pub fn text(&self) -> String {
        let style = match self.style {
            Style::Path => "path",
            Style::Virtual => "virtual",
        };
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        let prefix = encoded_path(self.prefix.trim_end_matches('/'));
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!(
            "s3://{}{slash}{prefix}?endpoint={}&region={}&style={style}",
            encoded(&self.bucket),
            utf8_percent_encode(endpoint, QUERY),
            encoded(&self.region)
        )
    }

    /// The server's URL.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The whole name of what is under `key` below the prefix.
    pub fn object(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The URL of an object (its whole name), or of the bucket itself.
    ///
    /// # Errors
    /// `bad_request` for a name that no URL can hold.
    pub fn target(&self, object: Option<&str>, query: &[(&str, &str)]) -> Result<Target, Failure> {
        let base = self.endpoint.path().trim_end_matches('/');
        let object = encoded_path(object.unwrap_or_default());
        let path = match self.style {
            Style::Path if object.is_empty() => format!("{base}/{}", encoded(&self.bucket)),
            Style::Path => format!("{base}/{}/{object}", encoded(&self.bucket)),
            Style::Virtual => format!("{base}/{object}"),
        };
        let mut pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        pairs.sort();
        let query = pairs.join("&");
        let host = self.endpoint.host_str().unwrap_or_default();
        let host = match self.style {
            Style::Path => host.to_owned(),
            Style::Virtual => format!("{}.{host}", self.bucket),
        };
        let host = match self.endpoint.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        let mark = if query.is_empty() { "" } else { "?" };
        let text = format!("{}://{host}{path}{mark}{query}", self.endpoint.scheme());
        let url = Url::parse(&text).map_err(|bad| wrong(format!("the address makes no URL: {bad}")))?;
        // What is signed must be what is sent.
        if url.path() != path || url.query().unwrap_or_default() != query {
            return Err(wrong(format!("a name that no URL can hold: {path}")));
        }
        Ok(Target { url, host, path, query })
    }
}

fn prefix_of(text: &str) -> Result<String, Failure> {
    let trimmed = text.trim_matches('/');
    if trimmed.is_empty() {
        return Ok(String::new());
    }
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    if trimmed.len() > PREFIX_BYTES_MAX || !trimmed.split('/').all(is_plain) {
        return Err(wrong(format!("not a folder in a bucket: {trimmed:?}")));
    }
    Ok(format!("{trimmed}/"))
}

fn endpoint_of(text: &str) -> Result<Url, Failure> {
    // A bare host is meant to be reached as one reaches a host.
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&text).map_err(|bad| wrong(format!("the endpoint is no URL: {bad}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("the endpoint is an https:// URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("an address holds no user and no password: keys are asked for apart"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("the endpoint has neither a query nor a fragment"));
    }
    Ok(url)
}

/// Refuses a key that could lead anywhere but below the prefix.
pub(super) fn check_key(key: &str) -> Result<(), Failure> {
    if key::is_valid(key) {
        return Ok(());
    }
    Err(Failure::permanent(FailureKind::BadRequest, format!("not a key: {key:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> BucketAddress {
        BucketAddress::parse(text).unwrap_or_else(|failure| panic!("{text}: {failure}"))
    }

    fn url(text: &str, object: Option<&str>, query: &[(&str, &str)]) -> String {
        place(text).target(object, query).expect("a URL").url.to_string()
    }

    #[test]
    fn addresses_become_urls() {
        let amazon = "s3://photos/a/b/?region=eu-west-1";
        assert_eq!(place(amazon).prefix, "a/b/");
        assert_eq!(
            url(amazon, Some("a/b/x y.jpg"), &[]),
            "https://photos.s3.eu-west-1.amazonaws.com/a/b/x%20y.jpg"
        );
        assert_eq!(url("s3://my.photos", Some("x"), &[]), "https://s3.us-east-1.amazonaws.com/my.photos/x");
        let own = "s3://photos?endpoint=http://127.0.0.1:9000/s3&style=path";
        assert_eq!(
            url(own, Some("caf\u{e9}~+.jpg"), &[]),
            "http://127.0.0.1:9000/s3/photos/caf%C3%A9~%2B.jpg"
        );
        let listed = url(own, None, &[("prefix", "a/"), ("list-type", "2")]);
        assert_eq!(listed, "http://127.0.0.1:9000/s3/photos?list-type=2&prefix=a%2F");
        assert_eq!(url(own, Some("a"), &[("uploads", "")]), "http://127.0.0.1:9000/s3/photos/a?uploads=");
        let named = "s3://photos/x?endpoint=https%3A%2F%2Fnas.local%3A8443&style=virtual";
        let target = place(named).target(Some("k"), &[]).expect("a URL");
        assert_eq!(
            (target.url.as_str(), target.host.as_str()),
            ("https://photos.nas.local:8443/k", "photos.nas.local:8443")
        );
        assert_eq!(place("s3://b?endpoint=nas.local").endpoint().as_str(), "https://nas.local/");
        let canonical = place(named).text();
        assert_eq!(canonical, "s3://photos/x?endpoint=https://nas.local:8443&region=us-east-1&style=virtual");
        for text in [amazon, own, named, "s3://b/caf%C3%A9%20x/y?endpoint=http://127.0.0.1:1/a%20b"] {
            assert_eq!(place(&place(text).text()), place(text), "{text}");
        }
        // The scheme's own port is not part of the host.
        let plain = place("s3://b?endpoint=https://nas.local:443");
        assert_eq!(plain.target(None, &[]).expect("a URL").host, "nas.local");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "s3://",
            "s3:///a",
            "s3://key:secret@bucket",
            "s3://key%3Asecret%40bucket",
            "s3://..",
            "s3://b/a/../b",
            "s3://b/a//b",
            "s3://b/a%00b",
            "s3://b/%ff",
            "s3://b?endpoint=ftp://host",
            "s3://b?endpoint=http://",
            "s3://b?endpoint=https://u:p@host",
            "s3://b?endpoint=https://host?x=1",
            "s3://b?region=a%0ab",
            "s3://b?style=other",
            "s3://b?secret=x",
            "s3://b?endpoint=https://127.0.0.1&style=virtual",
            &format!("s3://{}", "b".repeat(256)),
            &format!("s3://b/{}", "p".repeat(513)),
        ] {
            let failure = BucketAddress::parse(text).err().unwrap_or_else(|| panic!("taken: {text}"));
            assert_eq!(failure.kind, FailureKind::BadRequest);
        }
    }
}
