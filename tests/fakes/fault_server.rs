//! A WebDAV, S3 and plain HTTP server that goes wrong on order.
//!
//! ```text
//! let server = FaultServer::start(Behavior::default());
//! server.order(Order::new(Fault::DropAfter).method("PUT").times(2));
//! … run the program against server.url(), then look at server.dav() and server.asked() …
//! ```
//! Orders are tried in the order they were given; each serves the requests that fit it until it is
//! used up, and what fits none is answered as a sound server would.

use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};

use super::dav::{Behavior, BufferedRequest, Dav, Etag};
use super::nextcloud::{Nextcloud, NextcloudBehavior};
use super::s3::{Bucket, BucketBehavior};
use super::serve::{
    Answer, BodyRead, ConnectionClosed, Handler, Handling, Running, answer, answer_with, field, linger,
    receive,
};

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers this without doing anything, after the whole body.
    Status(u16),
    /// The same with header fields and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Answers this at once, without reading the body.
    EarlyStatus(u16),
    /// Never answers, and does nothing.
    Hang,
    /// Stops reading the body after this many bytes and never answers.
    HangIn(usize),
    /// Closes the connection after this many bytes of the body; what had come is what a cut leaves.
    CutIn(usize),
    /// Closes the connection before doing anything.
    DropBefore,
    /// Does it, and closes the connection in place of an answer.
    DropAfter,
    /// Gives half of the answer's body and closes the connection.
    CutAnswer,
    /// Changes one byte of the answer's body.
    WrongAnswer,
    /// Changes one byte of the request's body before it does what it is asked.
    WrongBody,
    /// Reads the body at this many bytes a second.
    Slow(u64),
    /// Waits this long before it answers.
    Delay(Duration),
    /// Points elsewhere.
    Redirect(String),
    /// The sign-in page of a network: `200` and HTML.
    CaptivePortal,
    /// `413` with HTML, as of a proxy with a limit.
    TooLargeInFront,
}

/// A fault, and which requests it is for.
#[derive(Debug, Clone)]
pub struct Order {
    fault: Fault,
    method: Option<&'static str>,
    path: Option<String>,
    query: Option<&'static str>,
    skip: u64,
    times: u64,
}

impl Order {
    /// For the next request of any kind.
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, path: None, query: None, skip: 0, times: 1 }
    }

    /// Only for requests of this method.
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    /// Only for requests whose path has this in it.
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Only for requests whose query has this in it.
    pub fn query(mut self, part: &'static str) -> Self {
        self.query = Some(part);
        self
    }

    /// Lets this many that fit pass first.
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Serves this many.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Serves all that come.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    /// Bytes of the body that were read.
    pub received: u64,
}

impl RecordedRequest {
    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _value)| known == name).map(|(_name, value)| value.as_str())
    }
}

/// The most requests that are remembered.
const SEEN_MAX: usize = 100_000;
/// The largest body.
const BODY_BYTES_MAX: usize = 1 << 30;

struct Shared {
    dav: Dav,
    cloud: Option<Nextcloud>,
    bucket: Option<Bucket>,
    orders: Mutex<Vec<Order>>,
    seen: Mutex<Vec<RecordedRequest>>,
    received: AtomicU64,
    /// How many requests are being answered, and the most there were at once.
    busy: AtomicU64,
    busiest: AtomicU64,
}

/// The server.
pub struct FaultServer {
    shared: Arc<Shared>,
    running: Running,
}

impl FaultServer {
    /// Starts with an empty store and no orders.
    pub fn start(behavior: Behavior) -> Self {
        Self::run(Dav::new("/dav", behavior), None, None)
    }

    /// Starts a Nextcloud for this person, with an empty store and no orders.
    pub fn nextcloud(user: &str, password: &str, space: u64, behavior: NextcloudBehavior) -> Self {
        let login = Some((user.to_owned(), password.to_owned()));
        let dav = Behavior { login, space, etag: Etag::Opaque, ..Behavior::default() };
        let base = Nextcloud::files_base(user, &behavior);
        Self::run(Dav::new(&base, dav), Some(Nextcloud::new(user, behavior)), None)
    }

    /// Starts an S3 server with one empty bucket and no orders.
    pub fn s3(bucket: &str, behavior: BucketBehavior) -> Self {
        Self::run(Dav::new("/dav", Behavior::default()), None, Some(Bucket::new(bucket, behavior)))
    }

    fn run(dav: Dav, cloud: Option<Nextcloud>, bucket: Option<Bucket>) -> Self {
        let shared = Arc::new(Shared {
            dav,
            cloud,
            bucket,
            orders: Mutex::default(),
            seen: Mutex::default(),
            received: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            busiest: AtomicU64::new(0),
        });
        let handler: Arc<dyn Handler> = Arc::clone(&shared) as Arc<dyn Handler>;
        Self { shared, running: Running::start(handler) }
    }

    /// `http://127.0.0.1:PORT/dav`.
    pub fn url(&self) -> String {
        format!("{}/dav", self.running.origin())
    }

    /// What only a Nextcloud has.
    pub fn cloud(&self) -> Option<&Nextcloud> {
        self.shared.cloud.as_ref()
    }

    /// The bucket of an S3 server.
    pub fn bucket(&self) -> &Bucket {
        self.shared.bucket.as_ref().expect("an S3 server")
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.running.address().to_string()
    }

    /// What it holds.
    pub fn dav(&self) -> &Dav {
        &self.shared.dav
    }

    /// From now on, requests that fit go wrong.
    pub fn order(&self, order: Order) {
        self.shared.orders.lock().push(order);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.shared.orders.lock().clear();
    }

    /// Whether every order that ends was served.
    pub fn is_served(&self) -> bool {
        self.shared.orders.lock().iter().all(|order| order.times == u64::MAX)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<RecordedRequest> {
        self.shared.seen.lock().clone()
    }

    /// How many requests of this method came.
    pub fn count(&self, method: &str) -> usize {
        self.asked().iter().filter(|seen| seen.method == method).count()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.seen.lock().clear();
    }

    /// Bytes of bodies that were read so far.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }

    /// The most requests there were at once.
    pub fn busiest(&self) -> u64 {
        self.shared.busiest.load(Ordering::SeqCst)
    }
}

impl Handler for Shared {
    fn handle(&self, request: hyper::Request<Incoming>) -> Handling<'_> {
        Box::pin(async move {
            let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
            self.busiest.fetch_max(busy, Ordering::SeqCst);
            let outcome = self.answer(request).await;
            self.busy.fetch_sub(1, Ordering::SeqCst);
            outcome
        })
    }
}

impl Shared {
    async fn answer(&self, request: hyper::Request<Incoming>) -> Result<Answer, ConnectionClosed> {
        let (head, body) = request.into_parts();
        let (method, path) = (head.method.as_str().to_owned(), head.uri.path().to_owned());
        let query = head.uri.query().unwrap_or_default().to_owned();
        let seen = RecordedRequest {
            method: method.clone(),
            path: path.clone(),
            query: query.clone(),
            headers: fields_of(&head.headers),
            received: 0,
        };
        let fault = self.fault_for(&seen);
        let number = self.note(seen);
        let limit = match fault {
            Some(Fault::Hang | Fault::DropBefore) => 0,
            Some(Fault::HangIn(bytes) | Fault::CutIn(bytes)) => bytes,
            _ => BODY_BYTES_MAX,
        };
        let rate = if let Some(Fault::Slow(rate)) = fault { Some(rate) } else { None };
        let (bytes, is_cut) = if matches!(fault, Some(Fault::EarlyStatus(_))) {
            linger(body);
            (Vec::new(), true)
        } else {
            match receive(body, rate, limit).await {
                BodyRead::Whole(bytes) => (bytes, false),
                BodyRead::Short(bytes) => (bytes, true),
            }
        };
        self.received.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        if let Some(seen) = self.seen.lock().get_mut(number) {
            seen.received = bytes.len() as u64;
        }
        let (headers, body) = (&head.headers, Bytes::from(bytes));
        let asked = BufferedRequest { method: &method, path: &path, query: &query, headers, body, is_cut };
        self.obey(fault, &asked).await
    }

    fn respond(&self, asked: &BufferedRequest<'_>) -> Answer {
        match (&self.bucket, &self.cloud) {
            (Some(bucket), _) => bucket.respond(asked),
            (None, Some(cloud)) => cloud.respond(&self.dav, asked),
            (None, None) => self.dav.respond(asked),
        }
    }

    async fn obey(
        &self,
        fault: Option<Fault>,
        asked: &BufferedRequest<'_>,
    ) -> Result<Answer, ConnectionClosed> {
        match fault {
            Some(Fault::WrongBody) => {
                let mut bytes = asked.body.to_vec();
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
                Ok(self.respond(&BufferedRequest { body: bytes.into(), ..asked.clone() }))
            }
            None | Some(Fault::Slow(_)) => {
                let done = self.respond(asked);
                if asked.is_cut { Err(ConnectionClosed) } else { Ok(done) }
            }
            Some(Fault::Status(status) | Fault::EarlyStatus(status)) => Ok(answer(status, "on order")),
            Some(Fault::Answer(status, fields, body)) => {
                let fields: Vec<(&str, &str)> =
                    fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                Ok(answer_with(status, &fields, body))
            }
            Some(Fault::Hang | Fault::HangIn(_)) => std::future::pending().await,
            Some(Fault::CutIn(_)) => {
                self.respond(asked);
                Err(ConnectionClosed)
            }
            Some(Fault::DropBefore) => Err(ConnectionClosed),
            Some(Fault::DropAfter) => {
                self.respond(asked);
                Err(ConnectionClosed)
            }
            Some(Fault::CutAnswer) => Ok(broken(self.respond(asked)).await),
            Some(Fault::WrongAnswer) => Ok(falsified(self.respond(asked)).await),
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(self.respond(asked))
            }
            Some(Fault::Redirect(to)) => Ok(answer_with(307, &[("location", &to)], "")),
            Some(Fault::CaptivePortal) => {
                Ok(page(200, "<html><body>Welcome to the hotel. Please sign in.</body></html>"))
            }
            Some(Fault::TooLargeInFront) => {
                Ok(page(413, "<html><center><h1>413 Request Entity Too Large</h1></center></html>"))
            }
        }
    }

    fn note(&self, seen: RecordedRequest) -> usize {
        let mut all = self.seen.lock();
        assert!(all.len() < SEEN_MAX, "more requests than any test makes");
        all.push(seen);
        all.len() - 1
    }

    fn fault_for(&self, seen: &RecordedRequest) -> Option<Fault> {
        let mut orders = self.orders.lock();
        let at = orders.iter_mut().position(|order| {
            let fits = order.method.is_none_or(|wanted| wanted == seen.method)
                && order.path.as_ref().is_none_or(|part| seen.path.contains(part.as_str()))
                && order.query.is_none_or(|part| seen.query.contains(part));
            if fits && order.skip > 0 {
                order.skip -= 1;
                return false;
            }
            fits
        })?;
        let order = orders.get_mut(at)?;
        let fault = order.fault.clone();
        if order.times != u64::MAX {
            order.times -= 1;
        }
        if order.times == 0 {
            orders.remove(at);
        }
        Some(fault)
    }
}

fn fields_of(headers: &hyper::HeaderMap) -> Vec<(String, String)> {
    let value = |name: &str| field(headers, name).unwrap_or_default().to_owned();
    headers.keys().map(|name| (name.to_string(), value(name.as_str()))).collect()
}

fn page(status: u16, html: &'static str) -> Answer {
    answer_with(status, &[("content-type", "text/html; charset=utf-8")], html)
}

/// The same answer, whose body breaks off in the middle.
async fn broken(answer: Answer) -> Answer {
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await.expect("in memory").to_bytes();
    head.headers.insert("content-length", bytes.len().into());
    let half = bytes.slice(..bytes.len() / 2);
    let frames = [Ok(Frame::data(half)), Err(io::Error::other("cut on order"))];
    Answer::from_parts(head, StreamBody::new(stream::iter(frames)).boxed_unsync())
}

/// The same answer with one byte changed.
async fn falsified(answer: Answer) -> Answer {
    let (head, body) = answer.into_parts();
    let mut bytes = body.collect().await.expect("in memory").to_bytes().to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    let (_head, body) = self::answer(200, bytes).into_parts();
    Answer::from_parts(head, body)
}
