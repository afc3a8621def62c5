//! One call to the server: signed, sent, and patient with what passes by itself.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::address::BucketAddress;
use super::errors::{self, ErrorBody, RequestPurpose};
use super::sign::{self, AccessKey, UNSIGNED};
use crate::base::clock::SharedClock;
use crate::base::secret::Secret;
use crate::destination::credentials::Credentials;
use crate::destination::http::{Answer, Body, HttpError, Method, Piece, Request, Response, SharedHttp};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::hash::Digests;

/// The largest answer that is read whole: a page of a listing, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Tries of one call, for troubles that pass by themselves.
const TRIES_MAX: u32 = 3;
/// The pause after the first try; each next one is four times as long.
const PAUSE: Duration = Duration::from_millis(200);
/// Where the token of temporary credentials goes.
const SESSION_FIELD: &str = "x-amz-security-token";
/// How long assembling an object of many parts may take.
pub(super) const ASSEMBLY_MAX: Duration = Duration::from_secs(600);

/// One request to S3.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub task: RequestPurpose,
    pub method: Method,
    /// The object's whole name, or the bucket itself.
    pub object: Option<String>,
    pub query: Vec<(&'static str, String)>,
    /// With names in lower case; all of them are signed.
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Bytes>,
    /// How long the answer may take, where that is not the usual.
    pub answer_wait: Option<Duration>,
    /// Whoever asks looks what came of it before it is tried again.
    pub is_once: bool,
}

impl Call {
    pub fn new(task: RequestPurpose, method: Method, object: Option<String>) -> Self {
        Self {
            task,
            method,
            object,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answer_wait: None,
            is_once: false,
        }
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// Not sent again by itself when its connection breaks.
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// With the digests that are known of the body, as header fields. The server compares them with
    /// what arrives, where its probe has shown that it does.
    pub fn digests(mut self, digests: Digests) -> Self {
        for (name, value) in digest_fields(digests) {
            self.headers.push((name, value));
        }
        self
    }
}

/// `Content-MD5` and one checksum: servers take no more than one of those.
fn digest_fields(digests: Digests) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(md5) = digests.md5 {
        fields.push(("content-md5", BASE64.encode(md5)));
    }
    if let Some(crc) = digests.crc64nvme {
        fields.push(("x-amz-checksum-crc64nvme", BASE64.encode(crc.to_be_bytes())));
    } else if let Some(sha256) = digests.sha256 {
        fields.push(("x-amz-checksum-sha256", BASE64.encode(sha256)));
    }
    fields
}

/// Where calls go, and in whose name.
pub(super) struct Client {
    pub http: SharedHttp,
    pub place: BucketAddress,
    pub credentials: Arc<Credentials>,
    pub clock: SharedClock,
}

impl Client {
    /// The request of a call, signed for now.
    fn request(
        &self,
        call: &Call,
        access_key: &AccessKey,
        cancel: &CancellationToken,
    ) -> Result<Request, Failure> {
        let query: Vec<(&str, &str)> =
            call.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let target = self.place.target(call.object.as_deref(), &query)?;
        let stamp = sign::timestamp(self.clock.now());
        let mut fields: Vec<(&str, &str)> =
            vec![("host", &target.host), ("x-amz-content-sha256", UNSIGNED), ("x-amz-date", &stamp)];
        if let Some(session) = &access_key.session {
            fields.push((SESSION_FIELD, session.expose()));
        }
        fields.extend(call.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let authorization = sign::authorization(
            call.method.as_str(),
            &target,
            &fields,
            UNSIGNED,
            &stamp,
            &self.place.region,
            access_key,
        );
        let mut request = Request::new(call.method, target.url).stopped_by(cancel);
        for (name, value) in fields {
            match name {
                // The client writes it itself, from the URL.
                "host" => {}
                SESSION_FIELD => request.headers.set_secret(name, Secret::new(value.to_owned())),
                name => request.headers.set(name, value),
            }
        }
        request.headers.set_secret("authorization", authorization);
        if let Some(body) = &call.body {
            request.body = Body::pieces(vec![Piece::Bytes(body.clone())])?;
        }
        // It says which region the bucket is in.
        request.takes_redirects = true;
        if let Some(wait) = call.answer_wait {
            request.answer_wait = wait;
        }
        Ok(request)
    }

    /// Sends a call once and returns the head of its answer, whatever its status.
    pub async fn send(&self, call: &Call, cancel: &CancellationToken) -> Result<Response, HttpError> {
        let login = self.credentials.login().await?;
        let missing = || {
            let details = "a secret without the id of its access key: give both, as ID:SECRET";
            Failure::destination(FailureKind::Credentials, details)
        };
        let access_key = login.and_then(|login| {
            Some(AccessKey { id: login.user?, secret: login.secret, session: login.session })
        });
        let request = self.request(call, &access_key.ok_or_else(missing)?, cancel)?;
        let response = self.http.send(request).await?;
        if matches!(response.status, 401 | 403) {
            // The person may have changed it meanwhile.
            self.credentials.forget().await;
        }
        Ok(response)
    }

    /// Sends a call and returns its whole answer, whatever its status. What passes by itself (a
    /// connection that broke, a server that is busy for a moment) is tried again a few times.
    pub async fn answer(&self, call: &Call, cancel: &CancellationToken) -> Result<Answer, HttpError> {
        self.answer_within(call, cancel, ANSWER_BYTES_MAX).await
    }

    /// As [`Self::answer`], for answers that are larger or smaller than most.
    pub async fn answer_within(
        &self,
        call: &Call,
        cancel: &CancellationToken,
        limit: usize,
    ) -> Result<Answer, HttpError> {
        let mut pause = PAUSE;
        for tries in 1.. {
            let outcome = match self.send(call, cancel).await {
                Ok(response) => response.read_to_end(limit).await,
                Err(error) => Err(error),
            };
            let is_lost = call.is_once && outcome.is_err();
            if tries >= TRIES_MAX || is_lost || !is_transient(&outcome) {
                return outcome;
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(HttpError::Cancelled),
                () = tokio::time::sleep(pause) => {}
            }
            pause *= 4;
        }
        Err(HttpError::Cancelled)
    }

    /// As [`Self::answer`], where anything but success is a failure.
    pub async fn done(&self, call: &Call, cancel: &CancellationToken) -> Result<Answer, HttpError> {
        let answer = self.answer(call, cancel).await?;
        if answer.is_success() { Ok(answer) } else { Err(self.failure(&answer, call.task).into()) }
    }

    /// The failure that an answer stands for.
    pub fn failure(&self, answer: &Answer, task: RequestPurpose) -> Failure {
        errors::failure(answer, task, self.clock.as_ref())
    }
}

/// Whether a connection that was there broke: what was asked may have been done.
pub(super) fn is_connection_lost(failure: &Failure) -> bool {
    failure.reach == Reach::Resource && failure.kind == FailureKind::Connect
}

/// Whether the trouble is of a kind that a moment mends.
fn is_transient(outcome: &Result<Answer, HttpError>) -> bool {
    match outcome {
        Err(HttpError::Failed(failure)) => is_connection_lost(failure),
        Err(HttpError::Cancelled) => false,
        Ok(answer) => match answer.status {
            500 | 502 | 503 | 504 => answer.header("retry-after").is_none(),
            409 => {
                matches!(
                    ErrorBody::of(answer).code.as_str(),
                    "ConditionalRequestConflict" | "OperationAborted"
                )
            }
            400 => matches!(ErrorBody::of(answer).code.as_str(), "RequestTimeout" | "IncompleteBody"),
            // Assembling may fail after its head has been sent.
            200 => {
                matches!(
                    ErrorBody::of(answer).code.as_str(),
                    "InternalError" | "SlowDown" | "ServiceUnavailable"
                )
            }
            _ => false,
        },
    }
}

/// A value in base64 of exactly this many bytes.
pub(super) fn base64_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text.trim()).ok()?.try_into().ok()
}

/// Base64 as checksums are written.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
