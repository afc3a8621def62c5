//! Pages of what a server lists: objects, parts, unfinished uploads. All of it may come from anyone.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::client::{Call, base64_of};
use super::errors::{ErrorBody, RequestPurpose};
use super::state::{PARTS_MAX, Upload};
use super::xml::{self, Element};
use crate::destination::http::{Answer, HttpError, Method, parse_http_date};
use crate::destination::metadata_store::FolderEntry;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::time::UnixMillis;

/// The most pages of one listing.
const PAGES_MAX: usize = 10_000;
/// The most unfinished uploads that are looked at.
const UPLOADS_MAX: usize = 10_000;
/// The most entries of one folder that are read.
const ENTRIES_MAX: usize = 200_000;
const LIST: RequestPurpose = RequestPurpose { what: "listing the bucket", permission: "s3:ListBucket" };
const LIST_PARTS: RequestPurpose =
    RequestPurpose { what: "listing the parts that are there", permission: "s3:ListMultipartUploadParts" };
const LIST_UPLOADS: RequestPurpose =
    RequestPurpose { what: "listing unfinished uploads", permission: "s3:ListBucketMultipartUploads" };

/// A part as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedPart {
    pub size: Option<u64>,
    pub tag: String,
    pub crc64nvme: Option<u64>,
    /// It was not listed: it is what the answer to its sending said.
    pub is_remembered: bool,
}

fn parsed(answer: &Answer) -> Result<Element, Failure> {
    xml::parse(answer.body.trim_ascii_start()).map_err(|error| {
        let details = format!("the answer is not understood: {error}");
        Failure::destination(FailureKind::Protocol, details)
    })
}

fn is_truncated(root: &Element) -> bool {
    root.text_of("IsTruncated").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// The whole names of all objects that begin with `prefix`, at most `limit`.
pub(super) async fn objects(
    inner: &Inner,
    prefix: &str,
    limit: usize,
    cancel: &CancellationToken,
) -> Result<Vec<String>, HttpError> {
    let mut names = Vec::new();
    let mut token: Option<String> = None;
    for _page in 0..PAGES_MAX {
        let mut call = Call::new(LIST, Method::GET, None)
            .query("list-type", "2")
            .query("prefix", prefix)
            .query("encoding-type", "url");
        if let Some(token) = &token {
            call = call.query("continuation-token", token.clone());
        }
        let root = parsed(&inner.wire.done(&call, cancel).await?)?;
        let is_encoded = root.text_of("EncodingType").is_some_and(|kind| kind == "url");
        for entry in root.all("Contents") {
            let Some(name) = entry.text_of("Key") else { continue };
            // A name that is not UTF-8, or not below the prefix, is none of ours.
            let Some(name) = decoded(name, is_encoded).filter(|name| name.starts_with(prefix)) else {
                continue;
            };
            names.push(name);
            if names.len() >= limit {
                return Ok(names);
            }
        }
        let next = root.text_of("NextContinuationToken").map(str::to_owned);
        if !is_truncated(&root) || next.is_none() || next == token {
            return Ok(names);
        }
        token = next;
    }
    Ok(names)
}

/// What is directly below `prefix`, as in a folder.
pub(super) async fn folder(
    inner: &Inner,
    prefix: &str,
    cancel: &CancellationToken,
) -> Result<Vec<FolderEntry>, HttpError> {
    let mut entries = Vec::new();
    let mut token: Option<String> = None;
    for _page in 0..PAGES_MAX {
        let mut call = Call::new(LIST, Method::GET, None)
            .query("list-type", "2")
            .query("prefix", prefix)
            .query("delimiter", "/")
            .query("encoding-type", "url");
        if let Some(token) = &token {
            call = call.query("continuation-token", token.clone());
        }
        let root = parsed(&inner.wire.done(&call, cancel).await?)?;
        let is_encoded = root.text_of("EncodingType").is_some_and(|kind| kind == "url");
        let below = |name: Option<&str>| {
            let name = decoded(name?, is_encoded)?;
            let name = name.strip_prefix(prefix)?.trim_end_matches('/').to_owned();
            (!name.is_empty() && !name.contains('/')).then_some(name)
        };
        for entry in root.all("CommonPrefixes") {
            let name = below(entry.text_of("Prefix"));
            entries.extend(name.map(|name| FolderEntry { name, is_dir: true, size: None }));
        }
        for entry in root.all("Contents") {
            let size = entry.text_of("Size").and_then(|size| size.parse().ok());
            let name = below(entry.text_of("Key"));
            entries.extend(name.map(|name| FolderEntry { name, is_dir: false, size }));
        }
        let next = root.text_of("NextContinuationToken").map(str::to_owned);
        if !is_truncated(&root) || next.is_none() || next == token || entries.len() >= ENTRIES_MAX {
            break;
        }
        token = next;
    }
    Ok(entries)
}

fn decoded(name: &str, is_encoded: bool) -> Option<String> {
    if !is_encoded {
        return Some(name.to_owned());
    }
    let spaced = name.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
}

/// The parts that the server has of an upload; `None` when it does not know the upload.
pub(super) async fn parts(
    inner: &Inner,
    upload: &Upload,
    cancel: &CancellationToken,
) -> Result<Option<BTreeMap<u64, ListedPart>>, HttpError> {
    let mut parts = BTreeMap::new();
    let mut marker: Option<String> = None;
    for _page in 0..PAGES_MAX {
        let mut call = Call::new(LIST_PARTS, Method::GET, Some(upload.object.clone()))
            .query("uploadId", upload.id.clone());
        if let Some(marker) = &marker {
            call = call.query("part-number-marker", marker.clone());
        }
        let answer = inner.wire.answer(&call, cancel).await?;
        if answer.status == 404
            && matches!(ErrorBody::of(&answer).code.as_str(), "NoSuchUpload" | "NoSuchKey" | "")
        {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(inner.wire.failure(&answer, LIST_PARTS).into());
        }
        let root = parsed(&answer)?;
        parts.extend(root.all("Part").filter_map(part));
        let next = root.text_of("NextPartNumberMarker").map(str::to_owned);
        if !is_truncated(&root) || next.is_none() || next == marker || parts.len() as u64 >= PARTS_MAX {
            break;
        }
        marker = next;
    }
    Ok(Some(parts))
}

fn part(element: &Element) -> Option<(u64, ListedPart)> {
    let number: u64 = element.text_of("PartNumber")?.parse().ok()?;
    let crc = element.text_of("ChecksumCRC64NVME").and_then(base64_of::<8>).map(u64::from_be_bytes);
    let listed = ListedPart {
        size: Some(element.text_of("Size")?.parse().ok()?),
        tag: element.text_of("ETag")?.to_owned(),
        crc64nvme: crc,
        is_remembered: false,
    };
    (1..=PARTS_MAX).contains(&number).then_some((number, listed))
}

/// Whether unfinished uploads can be listed, and this one is among them.
pub(super) async fn has_upload(
    inner: &Inner,
    upload: &Upload,
    cancel: &CancellationToken,
) -> Result<bool, HttpError> {
    let call = Call::new(LIST_UPLOADS, Method::GET, None)
        .query("uploads", "")
        .query("prefix", upload.object.clone());
    let answer = inner.wire.done(&call, cancel).await?;
    let root = parsed(&answer)?;
    Ok(root.all("Upload").any(|entry| entry.text_of("UploadId") == Some(&upload.id)))
}

/// An unfinished upload as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedUpload {
    pub object: String,
    pub id: String,
    /// When it was begun, by the server's clock.
    pub initiated: UnixMillis,
}

/// The unfinished uploads of objects that begin with `prefix`, at most [`UPLOADS_MAX`], and what the
/// server's clock says. Those whose beginning is not known are left out.
pub(super) async fn uploads(
    inner: &Inner,
    prefix: &str,
    cancel: &CancellationToken,
) -> Result<(Vec<ListedUpload>, UnixMillis), HttpError> {
    let mut uploads = Vec::new();
    let mut now = inner.parts.clock.now();
    let mut marker: Option<(String, String)> = None;
    for _page in 0..PAGES_MAX {
        let mut call = Call::new(LIST_UPLOADS, Method::GET, None)
            .query("uploads", "")
            .query("prefix", prefix)
            .query("encoding-type", "url");
        if let Some((key, id)) = &marker {
            call = call.query("key-marker", key.clone()).query("upload-id-marker", id.clone());
        }
        let answer = inner.wire.done(&call, cancel).await?;
        now = answer.header("date").and_then(parse_http_date).unwrap_or(now);
        let root = parsed(&answer)?;
        let is_encoded = root.text_of("EncodingType").is_some_and(|kind| kind == "url");
        let listed = root.all("Upload").filter_map(|entry| listed_upload(entry, is_encoded));
        uploads.extend(listed.filter(|upload| upload.object.starts_with(prefix)));
        let next_key = root.text_of("NextKeyMarker").and_then(|key| decoded(key, is_encoded));
        let next = next_key.zip(root.text_of("NextUploadIdMarker").map(str::to_owned));
        if !is_truncated(&root) || next.is_none() || next == marker || uploads.len() >= UPLOADS_MAX {
            break;
        }
        marker = next;
    }
    uploads.truncate(UPLOADS_MAX);
    Ok((uploads, now))
}

fn listed_upload(entry: &Element, is_encoded: bool) -> Option<ListedUpload> {
    Some(ListedUpload {
        object: decoded(entry.text_of("Key")?, is_encoded)?,
        id: entry.text_of("UploadId")?.to_owned(),
        initiated: UnixMillis::parse_rfc3339(entry.text_of("Initiated")?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_believed_only_whole() {
        let read = |text: &str| part(&xml::parse(text.as_bytes()).expect("XML"));
        let whole = "<Part><PartNumber>3</PartNumber><Size>5</Size><ETag>&quot;a&quot;</ETag><ChecksumCRC64NVME>AAAAAAAAAAE=</ChecksumCRC64NVME></Part>";
        let expected =
            ListedPart { size: Some(5), tag: "\"a\"".to_owned(), crc64nvme: Some(1), is_remembered: false };
        assert_eq!(read(whole), Some((3, expected)));
        for text in [
            whole.replace(">3<", ">0<"),
            whole.replace(">3<", ">10001<"),
            whole.replace(">5<", ">-5<"),
            whole.replace("Size", "Sighs"),
            whole.replace("&quot;a&quot;", ""),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
        assert_eq!(read(&whole.replace("AAE=", "=")).and_then(|(_, part)| part.crc64nvme), None);
        assert_eq!(decoded("a+b%2Fc%C3%A9", true).as_deref(), Some("a b/c\u{e9}"));
        assert_eq!(decoded("%ff", true), None);
        assert_eq!(decoded("a+b", false).as_deref(), Some("a+b"));
    }
}
