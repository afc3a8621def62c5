//! Sends a request with the key and returns its whole answer.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::errors;
use crate::base::clock::SharedClock;
use crate::destination::credentials::Credentials;
use crate::destination::http::{Answer, HttpError, Method, Request, Response, SharedHttp, Url};
use crate::domain::failure::{Failure, FailureKind};

/// The way to one server.
pub struct Client {
    /// The HTTP client.
    pub http: SharedHttp,
    /// Where the API is, with a slash at its end.
    pub api: Url,
    /// Who signs in, with the API key.
    pub credentials: Arc<Credentials>,
    /// The clock that dates failures.
    pub clock: SharedClock,
}

impl Client {
    /// The URL of a function below the API's.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.api.clone();
        url.set_path(&format!("{}{path}", self.api.path()));
        url
    }

    /// A request; the key comes to it when it is sent.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, self.url(path)).header("accept", "application/json")
    }

    /// The same with a JSON body.
    pub fn with_json(&self, method: Method, path: &str, body: String) -> Request {
        self.request(method, path).header("content-type", "application/json").body(body)
    }

    /// Sends a request with the key.
    pub async fn open(&self, mut request: Request) -> Result<Response, HttpError> {
        if let Some(login) = self.credentials.login().await? {
            request.headers.set_secret("x-api-key", login.secret);
        }
        let response = self.http.send(request).await?;
        if response.status == 401 {
            // The person may have given another key meanwhile.
            self.credentials.forget().await;
        }
        Ok(response)
    }

    /// Sends a request and returns its answer, whatever its status, with at most `limit` bytes.
    pub async fn ask(&self, request: Request, limit: usize) -> Result<Answer, HttpError> {
        let response = self.open(request).await?;
        if response.is_success() { response.read_to_end(limit).await } else { Ok(response.excerpt().await) }
    }

    /// What an answer that is not a success means.
    pub fn failure(&self, answer: &Answer, what: &str) -> Failure {
        errors::failure(answer, self.clock.as_ref(), what)
    }
}

/// What came of work that may be told to stop.
pub enum StopOutcome<T> {
    /// It is done.
    Done(T),
    /// It was told to stop.
    Cancelled,
}

/// Being told to stop is not a failure.
pub fn stop_outcome<T>(result: Result<T, HttpError>) -> Result<StopOutcome<T>, Failure> {
    match result {
        Ok(done) => Ok(StopOutcome::Done(done)),
        Err(HttpError::Cancelled) => Ok(StopOutcome::Cancelled),
        Err(HttpError::Failed(failure)) => Err(failure),
    }
}

/// Waits for `work`, but not when told to stop.
pub async fn unless_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, HttpError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(HttpError::Cancelled),
        done = work => done.map_err(HttpError::Failed),
    }
}

/// Work on a thread that may block did not come to its end.
pub fn lost(lost: crate::base::executor::WorkLost) -> Failure {
    Failure::transient(FailureKind::Server, lost.to_string())
}
