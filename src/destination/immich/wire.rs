//! Sends a request with the key and gives its whole answer.

use tokio_util::sync::CancellationToken;

use super::errors;
use crate::base::clock::SharedClock;
use crate::base::secret::Secret;
use crate::destination::http::{Answer, Headers, HttpError, Method, Request, Response, SharedHttp, Url};
use crate::domain::failure::{Failure, FailureKind};

/// The way to one server.
pub struct Wire {
    /// Carries requests.
    pub http: SharedHttp,
    /// Where the API is, with a slash at its end.
    pub api: Url,
    /// The API key.
    pub key: Secret,
    /// Dates failures.
    pub clock: SharedClock,
}

impl Wire {
    /// The URL of a function below the API's.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.api.clone();
        url.set_path(&format!("{}{path}", self.api.path()));
        url
    }

    /// A request with the key.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut headers = Headers::default();
        headers.set_secret("x-api-key", self.key.clone());
        Request::new(method, self.url(path)).header("accept", "application/json").headers(&headers)
    }

    /// The same with a JSON body.
    pub fn with_json(&self, method: Method, path: &str, body: String) -> Request {
        self.request(method, path).header("content-type", "application/json").body(body)
    }

    /// Sends a request.
    pub async fn open(&self, request: Request) -> Result<Response, HttpError> {
        self.http.send(request).await
    }

    /// Sends a request and gives its answer, whatever its status, with at most `limit` bytes.
    pub async fn ask(&self, request: Request, limit: usize) -> Result<Answer, HttpError> {
        let response = self.open(request).await?;
        if response.is_success() { response.whole(limit).await } else { Ok(response.excerpt().await) }
    }

    /// What an answer that is no success means.
    pub fn failure(&self, answer: &Answer, what: &str) -> Failure {
        errors::failure(answer, self.clock.as_ref(), what)
    }
}

/// What came of work that may be told to stop.
pub enum Outcome<T> {
    /// It is done.
    Done(T),
    /// It was told to stop.
    Cancelled,
}

/// Being told to stop is no failure.
pub fn settle<T>(result: Result<T, HttpError>) -> Result<Outcome<T>, Failure> {
    match result {
        Ok(done) => Ok(Outcome::Done(done)),
        Err(HttpError::Cancelled) => Ok(Outcome::Cancelled),
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
