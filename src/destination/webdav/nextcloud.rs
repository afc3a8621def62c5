//! What Nextcloud adds to WebDAV: where things are, uploads in chunks that survive a kill, checksums
//! that it computes itself, and a quota that is asked for before sending. ownCloud speaks the same.
//!
//! As in Nextcloud's developer manual ("WebDAV", "Chunked file upload v2") and its server's
//! `ChecksumUpdatePlugin`. What a client says of a checksum is stored unseen there, so only one that
//! the server was told to compute again is believed.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Dialect;
use super::client::{Client, RemoteFile};
use super::findings::{CHECKSUM_KINDS, ServerCapabilities};
use super::xml::PropfindEntry;
use super::{Inner, at_destination};
use crate::destination::address::{ServerAddress, below};
use crate::destination::http::{
    ANSWER_BYTES_MAX, ByteObserver, HttpError, Method, Request, SharedByteObserver, SourceRange, Url, feed,
};
use crate::destination::server_parts::ServerParts;
use crate::destination::{Item, Phase, Transfer, no_room, source};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Retry};
use crate::domain::hash::{Blake3, DigestKind};
use crate::domain::key;

/// The largest answer about capabilities, in bytes.
const CAPABILITIES_BYTES_MAX: usize = 1 << 20;
/// The most names of checksums that are read.
const OFFERED_MAX: usize = 32;
/// Larger files go in chunks, in bytes.
pub(super) const WHOLE_MAX: u64 = 10 * 1024 * 1024;
/// The smallest chunk that is used; the server wants at least 5 MB.
const CHUNK_BYTES: u64 = 10 * 1024 * 1024;
/// The most chunks of one upload.
const CHUNKS_MAX: u64 = 10_000;
/// Upload folders are named this and 16 hexadecimal characters.
const UPLOAD_PREFIX: &str = "safelight-";
/// How many parts of an address may be the path that Nextcloud is installed at.
const ROOT_PARTS_MAX: usize = 3;
/// For how long a quota that was told is believed.
const QUOTA_FRESH: Duration = Duration::from_secs(30);
/// How often a server that answered too late is asked whether it has put the file together.
const LATE_LOOKS_MAX: u32 = 20;
const LATE_LOOK_EVERY: Duration = Duration::from_secs(3);
const NANOS: i64 = 1_000_000_000;

/// Where things are on one Nextcloud server, for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerUrls {
    /// The folder that holds the copies.
    pub files: Url,
    /// The folder of uploads under way.
    pub uploads: Url,
}

/// Where things are, when Nextcloud is at `root`.
///
/// # Errors
/// `bad_request` when the address names nobody, or is above the root.
pub(super) fn layout(address: &ServerAddress, root: &str) -> Result<ServerUrls, Failure> {
    let wrong = |why: &str| Failure::destination(FailureKind::BadRequest, why);
    let user = address.user.as_deref().ok_or_else(|| {
        wrong("the address does not say who signs in; write it as nextcloud+https://USER@HOST")
    })?;
    let path =
        address.base.path().strip_prefix(root).ok_or_else(|| wrong("the address is above Nextcloud"))?;
    let mut server = address.base.clone();
    server.set_path(&format!("{root}/"));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let of_user = |what: &str| {
        let mut url = server.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(["remote.php", "dav", what]).push(user).push("");
        }
        url
    };
    Ok(ServerUrls {
        files: below(&of_user("files"), &format!("{}/", decoded.trim_matches('/'))),
        uploads: of_user("uploads"),
    })
}

/// Finds out where on the host Nextcloud is: at the top, or below a part of the address's path.
///
/// # Errors
/// `unsupported` when it is nowhere there.
pub(super) async fn find_root(
    parts: &ServerParts,
    address: &ServerAddress,
) -> Result<ServerCapabilities, Failure> {
    let names: Vec<String> = address
        .base
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    let mut last = None;
    for count in 0..=names.len().min(ROOT_PARTS_MAX) {
        let root: String = names.iter().take(count).map(|name| format!("/{name}")).collect();
        let mut url = address.base.clone();
        url.set_path(&format!("{root}/status.php"));
        let mut request = Request::new(Method::GET, url);
        request.takes_html = true;
        match parts.http.send(request).await {
            Ok(response) => {
                let answer = response.excerpt().await;
                let is_cloud = answer.status == 200
                    && serde_json::from_slice::<serde_json::Value>(&answer.body)
                        .is_ok_and(|status| status.get("installed").is_some());
                if is_cloud {
                    return Ok(ServerCapabilities { root, ..ServerCapabilities::default() });
                }
            }
            // A redirect at the top may lead to where it is.
            Err(HttpError::Failed(failure)) if failure.kind == FailureKind::Redirect => last = Some(failure),
            Err(error) => return Err(error.into_failure()),
        }
    }
    Err(last.unwrap_or_else(|| {
        Failure::destination(
            FailureKind::Unsupported,
            "there is no Nextcloud at this address (status.php is not found)",
        )
    }))
}

/// One Nextcloud server.
pub(super) struct Nextcloud {
    uploads: Client,
    quota: Mutex<Option<(Instant, Option<u64>)>>,
}

impl Nextcloud {
    pub(super) fn new(parts: &ServerParts, layout: &ServerUrls) -> Self {
        Self {
            uploads: Client::new(parts, layout.uploads.clone(), Dialect::Nextcloud),
            quota: Mutex::default(),
        }
    }

    /// Refuses a file for which there is no room, before a byte of it is sent.
    pub(super) async fn check_room(&self, inner: &Inner, size: u64) -> Result<(), Failure> {
        let known = *self.quota.lock();
        let free = match known {
            Some((at, free)) if at.elapsed() < QUOTA_FRESH => free,
            _ => {
                let found = inner.calls.propfind("", 0).await?;
                let free = found
                    .and_then(|found| found.into_iter().next())
                    .and_then(|entry: PropfindEntry| entry.free);
                *self.quota.lock() = Some((Instant::now(), free));
                free
            }
        };
        match free {
            Some(free) if free < size => {
                let why = format!("Nextcloud has {free} bytes left for this person; the file has {size}");
                Err(no_room(free, why).with_cause(Cause::Quota))
            }
            _ => Ok(()),
        }
    }

    /// So much of the quota was used.
    pub(super) fn count_used_space(&self, size: u64) {
        let mut quota = self.quota.lock();
        if let Some((_at, Some(free))) = quota.as_mut() {
            *free = free.saturating_sub(size);
        }
    }

    /// Sends a file in chunks, beginning with those that an earlier run has not sent, and has the
    /// server put them together under the temp name.
    pub(super) async fn send(
        &self,
        inner: &Inner,
        item: &Item,
        transfer: &Transfer,
        temp: &str,
    ) -> Result<(), HttpError> {
        let folder = upload_folder(item.token);
        let chunk = CHUNK_BYTES.max(item.content.size.div_ceil(CHUNKS_MAX));
        let state = format!("{{\"chunk\":{chunk}}}");
        transfer.save(Phase::Creating, state.clone()).await?;
        let target = below(inner.calls.base(), temp).to_string();
        let is_same_size =
            transfer.checkpoint.as_ref().is_none_or(|known| known.state == state || known.state.is_empty());
        let there = match if is_same_size { self.chunks(&folder).await } else { Ok(None) } {
            Ok(there) => there,
            // Whatever it says of an upload that it does not know: there is none to go on with.
            Err(failure) if is_refusal(&failure) => None,
            Err(failure) => return Err(failure.into()),
        };
        let there = match there {
            Some(there) => there,
            None => {
                self.uploads.remove(&format!("{folder}/")).await.ok();
                self.make_upload(&folder, &target).await?;
                Vec::new()
            }
        };
        transfer.save(Phase::Sending, state.clone()).await?;
        let upload = Upload { folder: &folder, target: &target, chunk, there };
        let sent = match self.send_chunks(inner, item, transfer, &upload).await {
            Ok(()) => {
                transfer.save(Phase::Proving, state).await?;
                if transfer.cancel.is_cancelled() {
                    return Err(HttpError::Cancelled);
                }
                self.assemble(inner, item, &folder, temp).await
            }
            Err(error) => Err(error),
        };
        match sent {
            Err(HttpError::Failed(failure)) if is_refusal(&failure) => {
                // Its chunks may be of no use, or the server may have lost them: the next try begins again.
                self.uploads.remove(&format!("{folder}/")).await.ok();
                Err(Failure { retry: Retry::After(Duration::ZERO), ..failure }.into())
            }
            sent => sent,
        }
    }

    async fn make_upload(&self, folder: &str, target: &str) -> Result<(), HttpError> {
        let request =
            self.uploads.request(Method::MKCOL, &format!("{folder}/")).header("destination", target);
        let answer = self.uploads.send(request).await?.excerpt().await;
        match answer.status {
            200..=299 | 405 => Ok(()),
            _ => Err(self.uploads.failed(&answer, "beginning an upload").into()),
        }
    }

    /// The chunks that are there: number and length. `None` when there is no such upload.
    async fn chunks(&self, folder: &str) -> Result<Option<Vec<(u64, u64)>>, Failure> {
        let Some(listed) = super::folders::list(&self.uploads, folder).await? else { return Ok(None) };
        let chunks = listed.into_iter().filter_map(|entry| Some((entry.name.parse().ok()?, entry.size?)));
        Ok(Some(chunks.collect()))
    }

    async fn send_chunks(
        &self,
        inner: &Inner,
        item: &Item,
        transfer: &Transfer,
        upload: &Upload<'_>,
    ) -> Result<(), HttpError> {
        // This try's own: what still reads for a broken one must not disturb the next.
        let whole: Arc<Mutex<ContentHasher>> = Arc::default();
        let observer: SharedByteObserver = Arc::clone(&whole) as SharedByteObserver;
        transfer.set_bytes_sent(0);
        let (size, executor) = (item.content.size, &inner.parts.executor);
        let mut start = 0;
        let mut number = 1;
        while start < size {
            let len = upload.chunk.min(size - start);
            let range =
                SourceRange::part(item, transfer, executor, start, len).with_observer(Arc::clone(&observer));
            let name = format!("{}/{number:05}", upload.folder);
            match upload.there.iter().find(|(known, _len)| *known == number) {
                Some((_number, there)) if *there == len => {
                    let range = SourceRange { sent: None, ..range };
                    feed(range, &transfer.cancel)
                        .await
                        .map_err(|failure| failure.map_or(HttpError::Cancelled, HttpError::Failed))?;
                    transfer.set_bytes_sent(start + len);
                }
                odd => {
                    if odd.is_some() {
                        self.uploads.remove(&name).await?;
                    }
                    let request = self
                        .uploads
                        .request(Method::PUT, &name)
                        .header("destination", upload.target)
                        .header("oc-total-length", size.to_string())
                        .header("content-type", "application/octet-stream")
                        .body(range)
                        .stopped_by(&transfer.cancel);
                    let answer = self.uploads.send(request).await?.excerpt().await;
                    if !answer.is_success() || answer.is_early {
                        return Err(self.uploads.failed(&answer, "sending a part of the file").into());
                    }
                }
            }
            start += len;
            number += 1;
        }
        let digest = whole.lock().0.finalize();
        if Blake3(*digest.as_bytes()) != item.content.blake3 {
            self.uploads.remove(&format!("{}/", upload.folder)).await?;
            return Err(source::changed("the file has other bytes").into());
        }
        Ok(())
    }

    async fn assemble(&self, inner: &Inner, item: &Item, folder: &str, temp: &str) -> Result<(), HttpError> {
        let mut request = self
            .uploads
            .request(Method::MOVE, &format!("{folder}/.file"))
            .header("destination", below(inner.calls.base(), temp).to_string())
            // Whatever an earlier try has put together there is a temp file of ours.
            .header("overwrite", "T")
            .header("oc-total-length", item.content.size.to_string());
        if !inner.findings.refuses_mtime {
            request = request.header("x-oc-mtime", item.stamp.mtime_ns.div_euclid(NANOS).to_string());
        }
        if let Some(checksum) = inner.findings.checksum_of(item.digests, true) {
            request = request.header("oc-checksum", checksum);
        }
        request.takes_html = true;
        request.answer_wait = super::client::MOVE_WAIT_MAX;
        let answer = self.uploads.send(request).await?.excerpt().await;
        match answer.status {
            200..=299 => Ok(()),
            // Putting a large file together can outlast the patience of what stands in front.
            502..=504 | 524 => {
                for _look in 0..LATE_LOOKS_MAX {
                    tokio::time::sleep(LATE_LOOK_EVERY).await;
                    let seen = inner.calls.head(temp).await?;
                    if seen.and_then(|seen: RemoteFile| seen.size) == Some(item.content.size) {
                        return Ok(());
                    }
                }
                Err(self.uploads.failed(&answer, "putting the parts together").into())
            }
            _ => {
                let failure = self.uploads.failed(&answer, "putting the parts together");
                Err(inner.findings.explain_refusal(failure).into())
            }
        }
    }

    /// The digest that the server computes of what it has stored, in hexadecimal; `None` where it does
    /// not do that.
    pub(super) async fn recalculate(
        &self,
        inner: &Inner,
        path: &str,
        kind: DigestKind,
    ) -> Result<Option<String>, HttpError> {
        let mut request =
            inner.calls.request(Method::PATCH, path).header("x-recalculate-hash", kind.as_str());
        request.takes_html = true;
        request.answer_wait = super::client::MOVE_WAIT_MAX;
        let answer = inner.calls.send(request).await?.read_to_end(ANSWER_BYTES_MAX).await?;
        if !answer.is_success() {
            return Ok(None);
        }
        let said = answer.header("oc-checksum").unwrap_or_default();
        let digits = said.split_whitespace().find_map(|one| {
            let (name, digits) = one.split_once(':')?;
            name.eq_ignore_ascii_case(kind.as_str()).then(|| digits.to_ascii_lowercase())
        });
        Ok(digits.filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())))
    }

    /// The digests that the server says it compares with what arrives, the one it likes best first
    /// (`checksums` of the capabilities, as ownCloud has them). Nothing where it does not say.
    pub(super) async fn offered_checksums(&self, inner: &Inner) -> Vec<DigestKind> {
        let mut url = inner.calls.base().clone();
        url.set_path(&format!("{}/ocs/v2.php/cloud/capabilities", inner.findings.root));
        url.set_query(Some("format=json"));
        let request = Request::new(Method::GET, url).header("ocs-apirequest", "true");
        let Ok(response) = inner.calls.send(request).await else { return Vec::new() };
        let Ok(answer) = response.read_to_end(CAPABILITIES_BYTES_MAX).await else { return Vec::new() };
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let checksums = said.pointer("/ocs/data/capabilities/checksums");
        let best = checksums.and_then(|all| all.get("preferredUploadType"));
        let all = checksums.and_then(|all| all.get("supportedTypes")).and_then(|all| all.as_array());
        let names = best.into_iter().chain(all.into_iter().flatten()).filter_map(|name| name.as_str());
        let mut kinds: Vec<DigestKind> = Vec::new();
        for kind in names.take(OFFERED_MAX).filter_map(|name| DigestKind::parse(&name.to_ascii_lowercase())) {
            if CHECKSUM_KINDS.contains(&kind) && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// What the server is and its version, in its own words; empty where it does not say.
    pub(super) async fn software(&self, inner: &Inner) -> String {
        let mut url = inner.calls.base().clone();
        url.set_path(&format!("{}/status.php", inner.findings.root));
        let mut request = Request::new(Method::GET, url);
        request.takes_html = true;
        let Ok(response) = inner.calls.send(request).await else { return String::new() };
        let answer = response.excerpt().await;
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let word = |name: &str| said.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let name = if word("productname").is_empty() { "Nextcloud" } else { word("productname") };
        crate::destination::http::status::one_line(&format!("{name} {}", word("versionstring")))
    }

    /// Ends uploads of this installation that belong to no record in `keep`. Returns how many.
    pub(super) async fn clean(&self, inner: &Inner, keep: impl Fn(u64) -> bool) -> Result<u64, Failure> {
        let mut removed = 0;
        let listed = super::folders::list(&self.uploads, "").await.map_err(at_destination)?;
        for entry in listed.unwrap_or_default().iter().filter(|entry| entry.is_dir) {
            let digits = entry.name.strip_prefix(UPLOAD_PREFIX).filter(|digits| digits.len() == 16);
            let Some(token) = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
                continue;
            };
            if key::owns_token(&inner.parts.installation, token) && !keep(token) {
                self.uploads.remove(&format!("{}/", entry.name)).await.map_err(at_destination)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Whether renaming is done.
    pub(super) async fn forget_upload(&self, token: u64) {
        self.uploads.remove(&format!("{}/", upload_folder(token))).await.ok();
    }
}

struct Upload<'a> {
    folder: &'a str,
    target: &'a str,
    chunk: u64,
    there: Vec<(u64, u64)>,
}

/// Sees all chunks go by.
#[derive(Default)]
struct ContentHasher(blake3::Hasher);

impl ByteObserver for ContentHasher {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Whether the server refuses what it is asked about an upload, and is neither busy nor in trouble.
fn is_refusal(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotFound
            | FailureKind::Forbidden
            | FailureKind::BadRequest
            | FailureKind::Conflict
            | FailureKind::Unsupported
            | FailureKind::DigestMismatch
    )
}

fn upload_folder(token: u64) -> String {
    format!("{UPLOAD_PREFIX}{token:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::target::DestinationKind;

    #[test]
    fn where_things_are() {
        let parse = |text: &str| ServerAddress::parse(DestinationKind::Nextcloud, text).expect(text);
        let at = layout(&parse("nextcloud+https://a%40b@h/nc/My%20Photos"), "/nc").expect("a layout");
        assert_eq!(at.files.as_str(), "https://h/nc/remote.php/dav/files/a@b/My%20Photos/");
        assert_eq!(at.uploads.as_str(), "https://h/nc/remote.php/dav/uploads/a@b/");
        let at = layout(&parse("nextcloud+https://ann@h"), "").expect("a layout");
        assert_eq!(at.files.as_str(), "https://h/remote.php/dav/files/ann/");
        assert!(layout(&parse("nextcloud+https://h/x"), "").is_err());
    }
}
