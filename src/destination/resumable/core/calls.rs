//! The requests of an upload: each is built by the protocol, signed in, sent, and its answer read.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Append, AppendAnswer, CreatedUpload, Inner, NewUpload, ServerOffer, UploadError, UploadStatus};
use crate::destination::http::{Answer, Body, Headers, HttpError, Method, Request, Response, status};
use crate::domain::failure::{Failure, Reach};

/// The largest answer that is read, in bytes: these protocols speak in header fields.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How an append or a question ended when it was not told to stop.
pub(super) type CallOutcome<T> = Result<Result<T, UploadError>, HttpError>;

impl Inner {
    async fn request(&self, method: Method, url: &Url, fields: &Headers) -> Result<Request, Failure> {
        let mut request = Request::new(method, url.clone()).headers(fields);
        if let Some(login) = self.parts.credentials.login().await? {
            match &login.user {
                Some(user) => request.headers.set_basic(user, &login.secret),
                None => request.headers.set_bearer(&login.secret),
            }
        }
        Ok(request)
    }

    async fn response(&self, request: Request) -> Result<Response, HttpError> {
        let response = self.parts.http.send(request).await?;
        if response.status == 401 {
            self.parts.credentials.forget().await;
        }
        Ok(response)
    }

    async fn call(
        &self,
        method: Method,
        url: &Url,
        fields: &Headers,
        body: Option<Body>,
        stop: &CancellationToken,
    ) -> Result<Answer, HttpError> {
        let mut request = self.request(method, url, fields).await?.stopped_by(stop);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = self.response(request).await?;
        if response.is_success() {
            response.read_to_end(ANSWER_BYTES_MAX).await
        } else {
            Ok(response.excerpt().await)
        }
    }

    /// What the server says that it can do.
    pub(super) async fn options(&self, form: u8) -> Result<ServerOffer, Failure> {
        let stop = CancellationToken::new();
        let fields = self.dialect.options(form);
        let answer = self.call(Method::OPTIONS, &self.base, &fields, None, &stop).await;
        self.dialect.offer(&answer.map_err(HttpError::into_failure)?, self.clock())
    }

    /// Creates an upload, with its first bytes or empty.
    pub(super) async fn create(
        &self,
        form: u8,
        new: &NewUpload<'_>,
        body: Option<Body>,
        stop: &CancellationToken,
    ) -> Result<CreatedUpload, HttpError> {
        let fields = self.dialect.create(form, new);
        let body = body.unwrap_or_else(|| Bytes::new().into());
        let answer = self.call(Method::POST, &self.base, &fields, Some(body), stop).await?;
        Ok(self.dialect.created(form, &answer, self.clock())?)
    }

    /// Where an upload stands.
    pub(super) async fn query_status(
        &self,
        form: u8,
        url: &Url,
        stop: &CancellationToken,
    ) -> CallOutcome<UploadStatus> {
        let fields = self.dialect.status_headers(form);
        let answer = self.call(Method::HEAD, url, &fields, None, stop).await?;
        Ok(self.dialect.read_status(form, &answer, self.clock()))
    }

    /// Appends bytes to an upload. A connection that breaks in the middle is the upload's trouble,
    /// not the file's.
    pub(super) async fn append(
        &self,
        form: u8,
        url: &Url,
        append: &Append<'_>,
        body: Body,
        stop: &CancellationToken,
    ) -> CallOutcome<AppendAnswer> {
        let fields = self.dialect.append(form, append);
        match self.call(Method::PATCH, url, &fields, Some(body), stop).await {
            Ok(answer) => Ok(self.dialect.appended(form, append, &answer, self.clock())),
            Err(HttpError::Failed(failure)) if is_of_the_connection(&failure) => {
                Ok(Err(UploadError::Broken(failure)))
            }
            Err(error) => Err(error),
        }
    }

    /// Ends an upload of ours that nobody will finish. The server does so by itself some day where
    /// this fails.
    pub(super) async fn end(&self, url: &Url, form: u8) {
        if !self.findings().can_end {
            return;
        }
        if let Err(error) = self.status_of(Method::DELETE, url, form).await {
            tracing::debug!(?error, "an upload could not be ended");
        }
    }

    /// The status of a request that has neither fields nor body of its own.
    pub(super) async fn status_of(&self, method: Method, url: &Url, form: u8) -> Result<u16, HttpError> {
        let stop = CancellationToken::new();
        Ok(self.call(method, url, &self.dialect.base_headers(form), None, &stop).await?.status)
    }

    /// The bytes of a finished upload.
    pub(super) async fn get(&self, url: &Url, stop: &CancellationToken) -> Result<Response, HttpError> {
        let request =
            self.request(Method::GET, url, &self.dialect.base_headers(self.findings().form)).await?;
        self.response(request.stopped_by(stop)).await
    }

    /// What it means that there was no success, in a protocol's common words.
    pub(super) fn failure(&self, answer: &Answer, what: &str) -> Failure {
        status::failure(answer, self.clock(), what, message_of(answer).as_deref())
    }
}

/// What a server's text says of an error; web pages say nothing.
pub(in crate::destination) fn message_of(answer: &Answer) -> Option<String> {
    if status::is_html(&answer.headers) {
        return None;
    }
    let text = std::str::from_utf8(&answer.body).ok()?;
    if answer.header("content-type").is_some_and(|kind| kind.contains("json")) {
        let problem: serde_json::Value = serde_json::from_str(text).ok()?;
        let field = |name| problem.get(name).and_then(serde_json::Value::as_str);
        return field("detail").or_else(|| field("title")).or_else(|| field("message")).map(str::to_owned);
    }
    Some(text.to_owned()).filter(|text| !text.trim().is_empty())
}

/// Whether the connection failed, and neither the file nor the setting up of connections.
fn is_of_the_connection(failure: &Failure) -> bool {
    use crate::domain::failure::FailureKind as K;
    match failure.kind {
        K::Timeout => true,
        K::Connect => failure.reach == Reach::Resource,
        _ => false,
    }
}
