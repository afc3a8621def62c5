//! The single requests, and what their answers mean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Dialect;
use super::xml::{self, PropfindEntry};
use crate::base::clock::SharedClock;
use crate::destination::address::below;
use crate::destination::credentials::Credentials;
use crate::destination::http::{Answer, Body, HttpError, Method, Request, Response, SharedHttp, Url, status};
use crate::destination::server_parts::ServerParts;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};

/// The largest listing, in bytes.
const LISTING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a server may take to move a file: some copy all of it.
pub(super) const MOVE_WAIT_MAX: Duration = Duration::from_secs(900);

/// What came of a MOVE that must not replace anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MoveOutcome {
    /// It has the name.
    Done {
        /// The server says that nothing had it before (201, RFC 4918, section 9.9.4).
        is_new: bool,
    },
    /// Something has it already.
    Taken,
}

/// What a server is told of a file beside its bytes; most make nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FileMetadata {
    /// The original's modification time, in Unix seconds.
    pub mtime_secs: Option<i64>,
    /// Its checksum, as the header field `OC-Checksum` has it: `SHA1:` and hexadecimal digits.
    pub checksum: Option<String>,
}

/// What a server says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RemoteFile {
    /// Its length.
    pub size: Option<u64>,
    /// Its ETag as it was given.
    pub etag: Option<String>,
}

/// Requests to one folder on a server, signed in.
pub(super) struct Client {
    http: SharedHttp,
    credentials: std::sync::Arc<Credentials>,
    clock: SharedClock,
    base: Url,
    is_cloud: bool,
    /// The server wants the target of a MOVE as a path: something in front of it changes URLs.
    moves_by_path: AtomicBool,
}

impl Client {
    pub(super) fn new(parts: &ServerParts, base: Url, dialect: Dialect) -> Self {
        Self {
            http: std::sync::Arc::clone(&parts.http),
            credentials: std::sync::Arc::clone(&parts.credentials),
            clock: std::sync::Arc::clone(&parts.clock),
            base,
            is_cloud: dialect == Dialect::Nextcloud,
            moves_by_path: AtomicBool::new(false),
        }
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The decoded path of something below the folder, without a slash at its end.
    pub(super) fn path_of(&self, path: &str) -> String {
        let url = below(&self.base, path);
        percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().trim_end_matches('/').to_owned()
    }

    /// Sends a request below the folder.
    pub(super) async fn send(&self, mut request: Request) -> Result<Response, HttpError> {
        if let Some(login) = self.credentials.login().await? {
            request.headers.set_basic(login.user.as_deref().unwrap_or_default(), &login.secret);
        }
        let response = self.http.send(request).await?;
        if response.status == 401 {
            self.credentials.forget().await;
        }
        Ok(response)
    }

    pub(super) fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, below(&self.base, path))
    }

    /// What an answer that is not a success means.
    pub(super) fn failed(&self, answer: &Answer, what: &str) -> Failure {
        let text = if status::is_html(&answer.headers) { None } else { error_text(&answer.body) };
        let mut failure = status::failure(answer, self.clock.as_ref(), what, text.as_deref());
        if answer.status == 401 && self.is_cloud {
            failure.details.push_str(
                "; Nextcloud wants an app password: make one under Settings, Security, Devices and sessions",
            );
        } else if answer.status == 401
            && answer.header("www-authenticate").is_some_and(|way| !offers_basic(way))
        {
            failure.details.push_str("; it does not take a name and a password in the usual way (Basic)");
        }
        failure
    }

    async fn failure(&self, response: Response, what: &str) -> Failure {
        self.failed(&response.excerpt().await, what)
    }

    /// What is at `path` and, with `depth` 1, right below it; `None` when nothing is there.
    pub(super) async fn propfind(
        &self,
        path: &str,
        depth: u8,
    ) -> Result<Option<Vec<PropfindEntry>>, Failure> {
        let request = self
            .request(Method::PROPFIND, path)
            .header("depth", depth.to_string())
            .header("content-type", "application/xml; charset=utf-8")
            .body(xml::PROPFIND.to_owned());
        let response = self.send(request).await.map_err(HttpError::into_failure)?;
        match response.status {
            207 => {
                let answer =
                    response.read_to_end(LISTING_BYTES_MAX).await.map_err(HttpError::into_failure)?;
                let found = xml::parse(&answer.body).map_err(|why| {
                    Failure::destination(
                        FailureKind::Protocol,
                        format!("a listing cannot be understood: {why}"),
                    )
                })?;
                Ok(Some(found))
            }
            404 | 410 => Ok(None),
            200..=299 | 400 | 405 | 501 => Err(Failure::destination(
                FailureKind::Unsupported,
                format!("what answers there does not speak WebDAV (it answered {})", response.status),
            )),
            _ => Err(self.failure(response, "asking what is there").await),
        }
    }

    /// What the server says of the file at `path`; `None` when nothing is there.
    pub(super) async fn head(&self, path: &str) -> Result<Option<RemoteFile>, Failure> {
        let mut request = self.request(Method::HEAD, path);
        request.takes_html = true;
        let response = self.send(request).await.map_err(HttpError::into_failure)?;
        match response.status {
            200 | 204 => {
                let size = response.content_length();
                let etag = response.headers.get("etag").map(str::to_owned);
                if size.is_some() { Ok(Some(RemoteFile { size, etag })) } else { self.entry(path).await }
            }
            404 | 410 => Ok(None),
            // Folders, and servers that do not answer HEAD.
            _ => self.entry(path).await,
        }
    }

    async fn entry(&self, path: &str) -> Result<Option<RemoteFile>, Failure> {
        let found = self.propfind(path, 0).await?;
        let own = self.path_of(path);
        let found = found.and_then(|found| found.into_iter().find(|entry| entry.path == own));
        Ok(found.map(|entry| RemoteFile { size: entry.size.filter(|_size| !entry.is_dir), etag: entry.etag }))
    }

    /// Opens the file at `path`; `None` when nothing is there.
    pub(super) async fn get(
        &self,
        path: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Response>, HttpError> {
        let mut request = self.request(Method::GET, path).stopped_by(cancel);
        request.takes_html = true;
        let response = self.send(request).await?;
        match response.status {
            200 => Ok(Some(response)),
            404 | 410 => Ok(None),
            _ => Err(self.failure(response, "reading the copy").await.into()),
        }
    }

    /// Stores a body under `path`, whatever is there: for temp names only.
    pub(super) async fn put(
        &self,
        path: &str,
        body: impl Into<Body>,
        told: &FileMetadata,
        cancel: &CancellationToken,
    ) -> Result<Answer, HttpError> {
        let mut request = self
            .request(Method::PUT, path)
            .header("content-type", "application/octet-stream")
            .body(body)
            .stopped_by(cancel);
        request.takes_html = true;
        if let Some(secs) = told.mtime_secs {
            request = request.header("x-oc-mtime", secs.to_string());
        }
        if let Some(checksum) = &told.checksum {
            request = request.header("oc-checksum", checksum.clone());
        }
        let response = self.send(request).await?;
        let is_early = response.is_early;
        let answer = response.excerpt().await;
        match answer.status {
            200 | 201 | 204 if !is_early => Ok(answer),
            200..=299 => {
                let details = "the server said that it had the file before all of it was sent";
                Err(Failure::transient(FailureKind::Protocol, details).into())
            }
            _ => Err(self.failed(&answer, "sending the file").into()),
        }
    }

    /// Makes a folder; one that is there is fine. Whether it is new, and so empty.
    pub(super) async fn make_dir(&self, path: &str) -> Result<bool, Failure> {
        let mut request = self.request(Method::MKCOL, &format!("{path}/"));
        request.takes_html = true;
        let response = self.send(request).await.map_err(HttpError::into_failure)?;
        match response.status {
            // 405 is the specification's way to say that it is there; some say 409 or 301 for it.
            201 => Ok(true),
            200..=299 => Ok(false),
            405 | 409 => match self.propfind(&format!("{path}/"), 0).await? {
                Some(_there) => Ok(false),
                None => Err(self.failure(response, "making a folder").await),
            },
            _ => Err(self.failure(response, "making a folder").await),
        }
    }

    /// Gives a file another name, which must be free.
    pub(super) async fn rename(&self, from: &str, to: &str) -> Result<MoveOutcome, Failure> {
        let is_by_path = self.moves_by_path.load(Ordering::Relaxed);
        let answer = self.try_rename(from, to, is_by_path).await?;
        // Behind something that changes URLs, the server takes its own for another's.
        let answer = if matches!(answer.status, 400 | 502) && !is_by_path {
            let again = self.try_rename(from, to, true).await?;
            if again.is_success() {
                self.moves_by_path.store(true, Ordering::Relaxed);
            }
            if again.is_success() || again.status == 412 { again } else { answer }
        } else {
            answer
        };
        match answer.status {
            200..=299 => Ok(MoveOutcome::Done { is_new: answer.status == 201 }),
            412 => Ok(MoveOutcome::Taken),
            405 | 501 | 502 => {
                let mut failure = self.failed(&answer, "naming the copy");
                failure.reach = Reach::Destination;
                failure.details.push_str("; a server in front of it may not pass on the request MOVE");
                Err(failure)
            }
            _ => Err(self.failed(&answer, "naming the copy")),
        }
    }

    async fn try_rename(&self, from: &str, to: &str, is_by_path: bool) -> Result<Answer, Failure> {
        let to = below(&self.base, to);
        let to = if is_by_path { to.path().to_owned() } else { to.to_string() };
        let mut request = self.request(Method::MOVE, from).header("destination", to).header("overwrite", "F");
        request.takes_html = true;
        request.answer_wait = MOVE_WAIT_MAX;
        let response = self.send(request).await.map_err(HttpError::into_failure)?;
        Ok(response.excerpt().await)
    }

    /// Removes one of our own files or folders; none to remove is fine.
    pub(super) async fn remove(&self, path: &str) -> Result<(), Failure> {
        let mut request = self.request(Method::DELETE, path);
        request.takes_html = true;
        let response = self.send(request).await.map_err(HttpError::into_failure)?;
        match response.status {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(self.failure(response, "removing a temp file").await),
        }
    }

    /// Removes a copy of ours that is of no use, unless it has become another since its tag was seen. Says
    /// whether it is gone.
    pub(super) async fn remove_unchanged(&self, path: &str, tag: &str) -> Result<bool, Failure> {
        let mut request = self.request(Method::DELETE, path);
        // A weak tag never matches here (RFC 9110, section 13.1.1).
        if tag.starts_with('"') {
            request = request.header("if-match", tag);
        }
        request.takes_html = true;
        let response = self.send(request).await.map_err(HttpError::into_failure)?;
        match response.status {
            200..=299 | 404 | 410 => Ok(true),
            412 => Ok(false),
            _ => Err(self.failure(response, "removing a wrong copy").await),
        }
    }

    /// Reads a small file whole; `None` when there is none. What is longer is cut beyond `limit`.
    pub(super) async fn read_small(&self, path: &str, limit: usize) -> Result<Option<Bytes>, Failure> {
        let none = CancellationToken::new();
        let Some(mut response) = self.get(path, &none).await.map_err(HttpError::into_failure)? else {
            return Ok(None);
        };
        if status::is_html(&response.headers) {
            return Err(Failure::destination(
                FailureKind::Protocol,
                "a web page answered in place of a file: this network may want you to sign in with a browser, \
                 or the address is that of a web site",
            )
            .with_cause(Cause::WebPage));
        }
        let mut bytes = bytes::BytesMut::new();
        while bytes.len() <= limit {
            match response.chunk().await.map_err(HttpError::into_failure)? {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(Some(bytes.freeze()))
    }
}

fn offers_basic(way: &str) -> bool {
    way.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("basic"))
        || way.to_lowercase().contains(", basic")
}

/// What a server says in the XML or text of an error, if that can be read.
fn error_text(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.trim_start().starts_with('<') {
        return Some(status::one_line(text));
    }
    // Sabre's `<s:message>`, as Nextcloud's.
    let start = text.find(":message>")? + ":message>".len();
    let rest = &text[start..];
    Some(status::one_line(&rest[..rest.find('<')?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_words_are_found() {
        assert_eq!(error_text(b"no room\n here"), Some("no room here".to_owned()));
        let sabre = b"<?xml version=\"1.0\"?><d:error><s:exception>X</s:exception><s:message>No such file</s:message></d:error>";
        assert_eq!(error_text(sabre).as_deref(), Some("No such file"));
        assert_eq!(error_text(b"<html>no</html>"), None);
        assert!(
            offers_basic("Basic realm=\"x\"")
                && offers_basic("Digest a=b, Basic realm")
                && !offers_basic("Digest x")
        );
    }
}
