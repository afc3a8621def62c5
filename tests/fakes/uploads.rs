//! A server that takes uploads: tus 1.0, or any version of the draft "Resumable Uploads for HTTP"
//! (interop 3 to 9), and goes wrong on order.
//!
//! ```text
//! let server = UploadServer::start(Behavior { speech: UploadProtocol::Draft(6), ..Behavior::default() });
//! server.order("PATCH", Fault::CutIn(100_000));
//! … run the program against server.url(), then look at server.finished() and server.received() …
//! ```
//! What the protocols forbid is refused, so that a client which passes here speaks them properly: a
//! missing `Tus-Resumable`, an append at another offset or of another media type, more bytes than
//! were announced, a question with fields that it must not have. Whoever speaks another version of
//! the draft is, as the draft has it, answered like any client that knows nothing of it: its POST
//! makes an ordinary (empty) file, which [`UploadServer::strays`] counts. Interim answers (104) are
//! not sent: a client that creates carefully does not need them.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::Incoming;

use super::serve::{
    Answer, ConnectionClosed, Handler, Handling, Running, answer, answer_with, field, linger,
};
use super::uploads_speech::{draft, tus};

/// The most bytes of one append that are kept in memory.
const APPEND_BYTES_MAX: usize = 1 << 30;

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadProtocol {
    /// tus 1.0.
    Tus,
    /// The draft, in the version of this interop number.
    Draft(u8),
}

/// Where a finished upload can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadLocation {
    Nowhere,
    AtTheUpload,
    /// Where the last answer points to.
    AtTheFile,
}

/// How this server differs from others.
#[derive(Debug, Clone)]
pub struct Behavior {
    pub speech: UploadProtocol,
    pub gives: DownloadLocation,
    /// Compares `Upload-Checksum` or `Content-Digest`, and throws away an append that differs.
    pub compares_parts: bool,
    /// Compares `Repr-Digest`, or the `checksum` in the metadata, when all bytes are there.
    pub compares_whole: bool,
    /// Still knows an upload that is finished.
    pub keeps_finished: bool,
    pub can_end: bool,
    pub takes_bytes_at_once: bool,
    pub size_max: Option<u64>,
    pub append_max: Option<u64>,
    /// What `Authorization` must be.
    pub authorization: Option<String>,
    /// Refuses other versions of the draft with 412 in place of taking them for ordinary requests.
    pub refuses_other_versions: bool,
    /// Answers to OPTIONS.
    pub answers_options: bool,
    /// Bodies are read at most this fast, in bytes a second.
    pub rate: Option<u64>,
    /// Fails to give back what has a name outside Latin-1, as @tus/server: its own header field breaks.
    pub gives_only_latin1: bool,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            speech: UploadProtocol::Tus,
            gives: DownloadLocation::AtTheUpload,
            compares_parts: false,
            compares_whole: false,
            keeps_finished: true,
            can_end: true,
            takes_bytes_at_once: true,
            size_max: None,
            append_max: None,
            authorization: None,
            refuses_other_versions: false,
            answers_options: true,
            rate: None,
            gives_only_latin1: false,
        }
    }
}

/// What goes wrong, once.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is closed before anything is done.
    DropBefore,
    /// It is done, and the connection is closed in place of an answer.
    DropAfter,
    /// The connection is closed after this many bytes of the body, which stay.
    CutIn(usize),
    /// This is answered, and nothing done.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// It is done, and the answer's `Location` is this.
    Location(String),
    /// First the last bytes of every unfinished upload get lost.
    Lose(usize),
    /// First all unfinished uploads expire; whoever asks for one is told 410.
    Expire,
}

/// An upload.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    pub bytes: Vec<u8>,
    pub length: Option<u64>,
    pub is_complete: bool,
    /// Its key, as far as the client said it.
    pub name: String,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
    /// The digest of the whole that it must have in the end.
    pub whole: Option<String>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
}

impl RecordedRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _value)| known == name).map(|(_name, value)| value.as_str())
    }
}

#[derive(Default)]
pub(in crate::fakes) struct State {
    pub uploads: BTreeMap<String, Upload>,
    pub expired: Vec<String>,
    pub strays: u64,
    received: u64,
    next: u64,
    orders: Vec<(&'static str, Fault)>,
    asked: Vec<RecordedRequest>,
}

impl State {
    /// A new upload's name on the server.
    pub fn add(&mut self, upload: Upload) -> String {
        self.next += 1;
        let id = format!("{:08x}", self.next.wrapping_mul(2_654_435_761) & 0xffff_ffff);
        self.uploads.insert(id.clone(), upload);
        id
    }
}

/// What a request asks of an upload, its body read.
pub(in crate::fakes) struct Call<'a> {
    pub method: &'a str,
    /// The upload's name; empty for the place where uploads are created.
    pub id: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// The client went away in the middle of the body.
    pub is_short: bool,
    pub behavior: &'a Behavior,
}

struct Shared {
    behavior: Behavior,
    state: Mutex<State>,
    /// One request at a time for each path: a question waits until a cut append has ended.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A running server.
pub struct UploadServer {
    shared: Arc<Shared>,
    running: Running,
}

impl UploadServer {
    pub fn start(behavior: Behavior) -> Self {
        let shared = Arc::new(Shared { behavior, state: Mutex::default(), turns: Mutex::default() });
        let running = Running::start(Arc::clone(&shared) as Arc<dyn Handler>);
        Self { shared, running }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.running.address().to_string()
    }

    /// Where uploads are created.
    pub fn url(&self) -> String {
        format!("{}/files/", self.running.origin())
    }

    /// The next request of this method goes wrong. Orders of one method are served in turn.
    pub fn order(&self, method: &'static str, fault: Fault) {
        self.lock().orders.push((method, fault));
    }

    /// Orders that were not served yet.
    pub fn waiting(&self) -> usize {
        self.lock().orders.len()
    }

    /// Forgets all orders.
    pub fn heal(&self) {
        self.lock().orders.clear();
    }

    /// All uploads, by the last part of their addresses.
    pub fn uploads(&self) -> BTreeMap<String, Upload> {
        self.lock().uploads.clone()
    }

    /// The uploads that are whole.
    pub fn finished(&self) -> Vec<Upload> {
        self.lock().uploads.values().filter(|upload| upload.is_complete).cloned().collect()
    }

    /// The uploads that are not.
    pub fn unfinished(&self) -> Vec<Upload> {
        self.lock().uploads.values().filter(|upload| !upload.is_complete).cloned().collect()
    }

    /// Changes what is kept of the upload of this name.
    pub fn spoil(&self, name: &str, bytes: &[u8]) {
        let mut state = self.lock();
        let upload = state.uploads.values_mut().find(|upload| upload.name == name).expect("it is there");
        upload.bytes = bytes.to_vec();
    }

    /// Ordinary files that clients made who did not speak our version.
    pub fn strays(&self) -> u64 {
        self.lock().strays
    }

    /// How many bytes of uploads have come in, those that were not kept included.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    pub fn asked(&self) -> Vec<RecordedRequest> {
        self.lock().asked.clone()
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Notes the request, and takes the fault that is ordered for it.
    fn note(&self, request: &hyper::Request<Incoming>) -> Option<Fault> {
        let mut state = self.lock();
        let headers = request.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()));
        state.asked.push(RecordedRequest {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            headers: headers.collect(),
        });
        let at = state.orders.iter().position(|(method, _fault)| *method == request.method().as_str())?;
        Some(state.orders.remove(at).1)
    }

    /// Applies what goes wrong before anything is done. Returns the answer, where that is all.
    fn before(&self, fault: Option<&Fault>) -> Option<Result<Answer, ConnectionClosed>> {
        let mut state = self.lock();
        match fault? {
            Fault::DropBefore => Some(Err(ConnectionClosed)),
            Fault::Status(status, fields, body) => {
                let fields: Vec<(&str, &str)> =
                    fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                Some(Ok(answer_with(*status, &fields, *body)))
            }
            Fault::Lose(count) => {
                for upload in state.uploads.values_mut().filter(|upload| !upload.is_complete) {
                    let left = upload.bytes.len().saturating_sub(*count);
                    upload.bytes.truncate(left);
                }
                None
            }
            Fault::Expire => {
                let gone: Vec<String> = state
                    .uploads
                    .iter()
                    .filter(|(_id, one)| !one.is_complete)
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in gone {
                    state.uploads.remove(&id);
                    state.expired.push(id);
                }
                None
            }
            Fault::DropAfter | Fault::CutIn(_) | Fault::Location(_) => None,
        }
    }

    /// Reads a body up to `limit` bytes, and says whether it ended before its time.
    async fn take_in(&self, mut body: Incoming, limit: usize) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            let chunk = match body.frame().await {
                None => return (bytes, false),
                Some(Err(_gone)) => return (bytes, true),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            let chunk = &chunk[..chunk.len().min(limit - bytes.len())];
            self.lock().received += chunk.len() as u64;
            bytes.extend_from_slice(chunk);
            if let Some(rate) = self.behavior.rate {
                let pause = Duration::from_micros(chunk.len() as u64 * 1_000_000 / rate.max(1));
                tokio::time::sleep(pause).await;
            }
        }
        (bytes, true)
    }

    async fn serve(&self, request: hyper::Request<Incoming>) -> Result<Answer, ConnectionClosed> {
        let fault = self.note(&request);
        if let Some(ended) = self.before(fault.as_ref()) {
            if ended.is_ok() {
                linger(request.into_body());
            }
            return ended;
        }
        let (head, body) = request.into_parts();
        let turn = {
            let mut turns = self.turns.lock();
            Arc::clone(turns.entry(head.uri.path().to_owned()).or_default())
        };
        let _turn = if head.uri.path().ends_with('/') { None } else { Some(turn.lock().await) };
        if self
            .behavior
            .authorization
            .as_deref()
            .is_some_and(|wanted| field(&head.headers, "authorization") != Some(wanted))
        {
            linger(body);
            return Ok(answer_with(401, &[("www-authenticate", "Bearer")], "who are you?"));
        }
        let limit = if let Some(Fault::CutIn(limit)) = fault { limit } else { APPEND_BYTES_MAX };
        let (body, is_short) = self.take_in(body, limit).await;
        let path = head.uri.path().to_owned();
        let Some(id) = path.strip_prefix("/files").map(|id| id.trim_matches('/')) else {
            return Ok(answer(404, "there is nothing here"));
        };
        let (method, headers) = (head.method.as_str(), &head.headers);
        let mut state = self.lock();
        let call = Call { method, id, headers, body: &body, is_short, behavior: &self.behavior };
        let mut answer = match self.behavior.speech {
            UploadProtocol::Tus => tus::answer_to(&mut state, &call),
            UploadProtocol::Draft(version) => draft::answer_to(&mut state, &call, version),
        };
        match fault {
            Some(Fault::DropAfter) => Err(ConnectionClosed),
            _ if is_short => Err(ConnectionClosed),
            Some(Fault::Location(location)) => {
                answer.headers_mut().insert("location", location.parse().expect("a field's value"));
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }
}

impl Handler for Shared {
    fn handle(&self, request: hyper::Request<Incoming>) -> Handling<'_> {
        Box::pin(self.serve(request))
    }
}
