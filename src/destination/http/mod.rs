//! The wire: the one module that names the HTTP client.
//!
//! Protocols build a [`Request`] and read an [`Answer`] or a stream; [`Http`] carries them and is
//! the seam where tests and simulations put their own. It must never follow a redirect, keep a
//! cookie, put a secret into an error, a URL or a log, or wait without a limit: what has a limit is
//! silence, never the length of a transfer.

mod answer;
mod body;
mod client;
mod date;
mod decode;
mod errors;
mod headers;
mod idle_timeout;
mod rate_limit;
mod reader;
pub mod status;
mod status_table;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio_util::sync::{CancellationToken, DropGuard};
pub use url::Url;

pub use answer::Answer;
pub use body::{Body, ByteObserver, ContentCheck, Piece, SharedByteObserver, SourceRange, feed};
pub use client::{Client, ProxyChoice, Settings, is_loopback};
pub use date::{parse_http_date, parse_retry_after};
pub use headers::Headers;
pub use rate_limit::{Bucket, RateLimiter, SharedRateLimiter, Unlimited};
pub use reader::{into_limited_read_back, into_read_back};

use super::BoxFuture;
use crate::domain::failure::{Failure, FailureKind};

/// The largest answer that is read whole where a protocol names no limit of its own, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long nothing may move before a connection counts as dead.
pub const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take once everything has been sent.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(180);

/// Carries requests. The seam where tests put their own.
pub trait Http: Send + Sync {
    /// Sends one request and returns the head of its answer, whatever its status; a redirect is a
    /// failure. Dropping the future or the answer ends the exchange.
    ///
    /// # Errors
    /// [`HttpError`]: told to stop, or why there is no answer.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>>;

    /// The limit that what is sent keeps to, for reading that is to keep to it as well.
    fn pace(&self) -> SharedRateLimiter {
        Arc::new(Unlimited)
    }

    /// Applies other network settings from the next request on; the upload limit holds for running ones too.
    ///
    /// # Errors
    /// `bad_request` when it makes no sense: then everything stays as it was.
    fn set_network_config(&self, _config: NetworkConfig) -> Result<(), Failure> {
        Ok(())
    }
}

/// The network settings of servers that a person can choose.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// The upload limit over all requests, in bytes a second; `None` for none.
    pub upload_limit: Option<u64>,
    /// Which proxy is used.
    pub proxy: ProxyChoice,
    /// Certificate authorities that are trusted besides the system's own, as PEM.
    pub extra_ca: Vec<u8>,
}

/// A carrier that can be shared.
pub type SharedHttp = std::sync::Arc<dyn Http>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The request's own token was cancelled.
    Cancelled,
    /// What went wrong, mapped.
    Failed(Failure),
}

impl From<Failure> for HttpError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl HttpError {
    /// The failure; being told to stop becomes one that costs nothing, for callers that look at
    /// their token anyway.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Cancelled => Failure::cancelled("told to stop"),
        }
    }
}

/// A request's method, in the words of RFC 9110, RFC 4918 and RFC 5789.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method(&'static str);

#[expect(missing_docs, reason = "the names say it")]
impl Method {
    pub const GET: Self = Self("GET");
    pub const HEAD: Self = Self("HEAD");
    pub const PUT: Self = Self("PUT");
    pub const POST: Self = Self("POST");
    pub const PATCH: Self = Self("PATCH");
    pub const DELETE: Self = Self("DELETE");
    pub const OPTIONS: Self = Self("OPTIONS");
    pub const PROPFIND: Self = Self("PROPFIND");
    pub const PROPPATCH: Self = Self("PROPPATCH");
    pub const MKCOL: Self = Self("MKCOL");
    pub const MOVE: Self = Self("MOVE");

    /// The method as it is sent.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// One request.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of what. Without user name or password: those go into headers.
    pub url: Url,
    /// Header fields, in order.
    pub headers: Headers,
    /// What is sent.
    pub body: Body,
    /// Stops it at any point.
    pub cancel: CancellationToken,
    /// A web page is a sensible answer. Where it is not, `200` with one is a captive portal's.
    pub takes_html: bool,
    /// A redirect is an answer that the protocol reads. It is not followed either way.
    pub takes_redirects: bool,
    /// How long the answer may take once everything has been sent.
    pub answer_wait: Duration,
}

impl Request {
    /// A request without header fields and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Headers::default(),
            body: Body::default(),
            cancel: CancellationToken::new(),
            takes_html: false,
            takes_redirects: false,
            answer_wait: ANSWER_WAIT_MAX,
        }
    }

    /// With one more header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// With all of `headers` too.
    #[must_use]
    pub fn headers(mut self, headers: &Headers) -> Self {
        self.headers.extend(headers);
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Stopped by `cancel`.
    #[must_use]
    pub fn stopped_by(mut self, cancel: &CancellationToken) -> Self {
        self.cancel = cancel.clone();
        self
    }
}

/// An answer's body, as it comes in.
pub trait ResponseBody: Send {
    /// The next bytes; `None` at the end.
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, HttpError>>;
}

/// A body that is here already.
impl ResponseBody for Option<Bytes> {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, HttpError>> {
        Box::pin(std::future::ready(Ok(self.take().filter(|bytes| !bytes.is_empty()))))
    }
}

/// The head of an answer, and its body still to be read.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The answer came before everything was sent; what was left is not sent any more.
    pub is_early: bool,
    body: Box<dyn ResponseBody>,
    _stops_the_rest: Option<DropGuard>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("headers", &self.headers).finish()
    }
}

impl Response {
    /// An answer with this body.
    pub fn new(status: u16, headers: Headers, body: Box<dyn ResponseBody>) -> Self {
        Self { status, headers, is_early: false, body, _stops_the_rest: None }
    }

    /// Whether the status says that it was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The length of the body, where it was said.
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get("content-length")?.trim().parse().ok()
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        self.body.chunk().await
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// `protocol` when it has more than `limit` bytes, and as [`Http::send`].
    pub async fn read_to_end(mut self, limit: usize) -> Result<Answer, HttpError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                let details = format!("the answer has more than {limit} bytes");
                return Err(Failure::destination(FailureKind::Protocol, details).into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: body.freeze(),
            is_early: self.is_early,
        })
    }

    /// Reads the body for what it says of an error: as much as is shown, and never a failure.
    pub async fn excerpt(mut self) -> Answer {
        let mut body = BytesMut::new();
        while body.len() < ANSWER_BYTES_MAX {
            match self.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        body.truncate(ANSWER_BYTES_MAX);
        Answer { status: self.status, headers: self.headers, body: body.freeze(), is_early: self.is_early }
    }
}
