//! The wire under faults: what `destination::http` makes of servers that go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use safelight::base::executor::Executor;
use safelight::destination::http::{
    Body, Bucket, Client, ContentCheck, Http as _, HttpError, Method, Piece, Request, Settings, SourceRange,
    Url, into_read_back,
};
use safelight::destination::{Item, Transfer};
use safelight::domain::failure::{Failure, FailureKind, Reach};
use tokio_util::sync::CancellationToken;

use crate::conformance::site::CheckpointRecorder;
use crate::conformance::source::{SourceFault, Sources, bytes};
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};

const MIB: usize = 1024 * 1024;
/// Silence that these tests take for a dead connection.
const IDLE: Duration = Duration::from_millis(400);

fn client() -> Client {
    Client::new(Settings { idle: IDLE, ..Settings::default() })
}

fn url(server: &FaultServer, name: &str) -> Url {
    Url::parse(&format!("{}/{name}", server.url())).expect("a URL")
}

fn put(server: &FaultServer, body: impl Into<Body>) -> Request {
    let mut request = Request::new(Method::PUT, url(server, "a.jpg")).body(body);
    request.answer_wait = IDLE;
    request
}

struct Source {
    sources: Sources,
    item: Item,
    transfer: Transfer,
    executor: Executor,
    bytes: Vec<u8>,
}

fn source(size: usize) -> Source {
    let (sources, bytes) = (Sources::default(), bytes(1, size));
    let item = sources.add(1, "2019/2019-05/a.jpg", &bytes);
    let saver = Arc::new(CheckpointRecorder::default());
    let transfer = Transfer::new(sources.shared(), CancellationToken::new(), None, saver);
    let executor = Executor::threads("test", 2).expect("threads");
    Source { sources, item, transfer, executor, bytes }
}

impl Source {
    fn range(&self) -> SourceRange {
        SourceRange::whole_file(&self.item, &self.transfer, &self.executor)
    }

    fn sent(&self) -> u64 {
        self.transfer.bytes_sent.load(Ordering::Relaxed)
    }
}

fn failed<T: std::fmt::Debug>(outcome: Result<T, HttpError>) -> Failure {
    match outcome {
        Err(HttpError::Failed(failure)) => failure,
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_body_of_pieces_arrives_and_is_counted() {
    let server = FaultServer::start(Behavior::default());
    let client = client();
    let source = source(3 * MIB + 5);
    let body = Body::pieces(vec![
        Piece::Bytes("head".into()),
        Piece::Source(SourceRange::part(&source.item, &source.transfer, &source.executor, 7, MIB as u64)),
        Piece::Source(source.range()),
        Piece::Bytes("tail".into()),
    ]);
    let answer = client.send(put(&server, body.expect("few pieces"))).await.expect("answered");
    assert_eq!((answer.status, answer.is_early), (201, false));
    let expected = [b"head", &source.bytes[7..MIB + 7], &source.bytes, b"tail"].concat();
    assert_eq!(server.dav().contents("a.jpg"), Some(expected));
    assert_eq!(source.sent(), 4 * MIB as u64 + 5);

    let request = Request::new(Method::GET, url(&server, "a.jpg"));
    let answer = client.send(request).await.expect("answered");
    let (length, status) = (answer.content_length(), answer.status);
    let mut read = into_read_back(answer, length);
    let contents = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut read, &mut bytes).map(|_count| bytes)
    });
    assert_eq!(status, 200);
    assert_eq!(contents.await.expect("no panic").expect("read").len(), 4 * MIB + 13);
}

#[tokio::test]
async fn a_source_that_differs_never_makes_a_whole_request() {
    let good = bytes(1, 2 * MIB);
    type SourceChange = fn(&Source, &[u8]);
    let spoils: [SourceChange; 5] = [
        |source, _good| source.sources.change(&source.item, &bytes(2, 2 * MIB), true),
        |source, good| source.sources.change(&source.item, &good[..MIB], true),
        |source, _good| source.sources.change(&source.item, &bytes(1, 3 * MIB), true),
        |source, _good| source.sources.fault_at(MIB as u64, SourceFault::Touch),
        |source, _good| source.sources.change(&source.item, b"edited", false),
    ];
    let (server, client) =
        (FaultServer::start(Behavior { keeps_cut: true, ..Behavior::default() }), client());
    for spoil in spoils {
        let source = source(2 * MIB);
        spoil(&source, &good);
        let failure = failed(client.send(put(&server, source.range())).await);
        assert_eq!((failure.kind, failure.reach), (FailureKind::Changed, Reach::Resource), "{failure}");
        // Even a server that keeps what a cut upload left has less than the whole.
        let left = server.dav().contents("a.jpg").unwrap_or_default();
        assert!(left.len() < 2 * MIB, "{} bytes", left.len());
    }
    let gone = source(MIB);
    gone.sources.remove(&gone.item);
    assert_eq!(failed(client.send(put(&server, gone.range())).await).kind, FailureKind::Gone);
    let scratched = source(2 * MIB);
    scratched.sources.fault_at(MIB as u64, SourceFault::Error(5));
    assert_eq!(failed(client.send(put(&server, scratched.range())).await).kind, FailureKind::Unreadable);
}

/// A server that refuses a body and never reads the rest of it, as rustus: what is asked next is not held
/// up behind that.
#[tokio::test]
async fn a_refused_body_holds_up_nothing() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = Url::parse(&format!("http://{}/a", listener.local_addr().expect("bound"))).expect("a URL");
    let serve = move || {
        let mut kept = Vec::new();
        for answer in ["413 Too Large", "200 OK"] {
            let (mut stream, _from) = listener.accept().expect("a client");
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).expect("read") > 0);
            stream
                .write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes())
                .expect("sent");
            kept.push(stream);
        }
        kept
    };
    let server = std::thread::Builder::new().name("server".to_owned()).spawn(serve).expect("a thread");
    let (client, source) = (client(), source(400_000));
    let mut request = Request::new(Method::PATCH, url.clone()).body(source.range());
    request.answer_wait = Duration::from_secs(30);
    let refused = client.send(request).await.expect("answered").excerpt().await;
    assert_eq!(refused.status, 413);
    let mut next = Request::new(Method::HEAD, url);
    next.answer_wait = Duration::from_secs(30);
    assert_eq!(client.send(next).await.expect("answered on another connection").status, 200);
    drop(server.join());
}

#[tokio::test]
async fn an_early_answer_ends_the_sending() {
    let (server, client) = (FaultServer::start(Behavior::default()), client());
    server.order(Order::new(Fault::EarlyStatus(413)).method("PUT").always());
    let source = source(64 * MIB);
    let answer = client.send(put(&server, source.range())).await.expect("the answer is heard");
    assert_eq!((answer.status, answer.is_early), (413, true));
    assert!(answer.excerpt().await.body.starts_with(b"on order"));
    assert!(source.sent() < 32 * MIB as u64, "{} bytes were sent", source.sent());
    server.heal();
    let again = client.send(put(&server, source.range())).await.expect("answered");
    assert_eq!(again.status, 201);
    assert_eq!(server.dav().contents("a.jpg").map(|bytes| bytes.len()), Some(64 * MIB));
}

#[tokio::test]
async fn silence_ends_an_exchange_and_slowness_does_not() {
    let (server, client) = (FaultServer::start(Behavior::default()), client());
    let source = source(16 * MIB);
    for fault in [Fault::Hang, Fault::HangIn(MIB)] {
        server.order(Order::new(fault).method("PUT"));
        let failure = failed(client.send(put(&server, source.range())).await);
        assert_eq!((failure.kind, failure.reach), (FailureKind::Timeout, Reach::Destination));
    }
    server.order(Order::new(Fault::Slow(8 * MIB as u64)).method("PUT"));
    let began = Instant::now();
    let mut request = put(&server, source.range());
    request.answer_wait = 20 * IDLE;
    let answer = client.send(request).await.expect("slow is not dead");
    assert_eq!(answer.status, 201);
    assert!(began.elapsed() > 3 * IDLE, "the server was not slow");
}

#[tokio::test]
async fn told_to_stop_it_stops() {
    let (server, client) = (FaultServer::start(Behavior::default()), client());
    let source = source(16 * MIB);
    source.sources.fault_at(4 * MIB as u64, SourceFault::Cancel(source.transfer.cancel.clone()));
    let request = put(&server, source.range()).stopped_by(&source.transfer.cancel);
    assert!(matches!(client.send(request).await, Err(HttpError::Cancelled)));
    assert!(source.sent() < 6 * MIB as u64);
    let request = put(&server, source.range()).stopped_by(&source.transfer.cancel);
    assert!(matches!(client.send(request).await, Err(HttpError::Cancelled)));
    assert_eq!(server.dav().contents("a.jpg"), None);
}

#[tokio::test]
async fn a_limit_is_kept_and_is_no_silence() {
    let server = FaultServer::start(Behavior::default());
    let pace = Arc::new(Bucket::new(Some(MIB as u64)));
    let client = Client::new(Settings { idle: IDLE, pace, ..Settings::default() });
    let source = source(2 * MIB);
    let began = Instant::now();
    let answer = client.send(put(&server, source.range())).await.expect("answered");
    assert_eq!(answer.status, 201);
    assert!(began.elapsed() > Duration::from_millis(1500), "2 MiB at 1 MiB/s took {:?}", began.elapsed());
}

#[tokio::test]
async fn detours_portals_and_cuts_are_failures() {
    let (server, client) = (FaultServer::start(Behavior::default()), client());
    let other = FaultServer::start(Behavior::default());
    server.dav().put("a.jpg", &bytes(1, MIB));
    let get = || Request::new(Method::GET, url(&server, "a.jpg"));
    server.order(Order::new(Fault::Redirect(format!("{}/a.jpg?secret=planted", other.url()))));
    let failure = failed(client.send(get()).await);
    assert_eq!((failure.kind, failure.reach), (FailureKind::Redirect, Reach::Destination));
    assert!(failure.details.contains(&other.host()) && !failure.details.contains("planted"));
    assert_eq!(other.asked().len(), 0);

    server.order(Order::new(Fault::CaptivePortal));
    let failure = failed(client.send(get()).await);
    assert_eq!((failure.kind, failure.reach), (FailureKind::Protocol, Reach::Destination));
    assert!(failure.details.contains("sign in"), "{failure}");

    server.order(Order::new(Fault::DropBefore).times(2));
    let failure = failed(client.send(get()).await);
    assert_eq!((failure.kind, failure.reach), (FailureKind::Connect, Reach::Resource), "{failure}");
    server.heal();

    server.order(Order::new(Fault::CutAnswer));
    let answer = client.send(get()).await.expect("its head");
    let failure = failed(answer.read_to_end(2 * MIB).await);
    assert_eq!(failure.kind, FailureKind::Connect, "{failure}");
    let answer = client.send(get()).await.expect("its head");
    assert_eq!(failed(answer.read_to_end(MIB - 1).await).kind, FailureKind::Protocol);
}

#[tokio::test]
async fn who_is_not_there_is_told_apart() {
    let client = client();
    let get = |url: &str| Request::new(Method::GET, Url::parse(url).expect("a URL"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let refused = failed(client.send(get(&format!("http://127.0.0.1:{port}/"))).await);
    assert_eq!((refused.kind, refused.reach), (FailureKind::Connect, Reach::Destination), "{refused}");
    assert!(refused.details.starts_with(&format!("127.0.0.1:{port}: ")), "{refused}");
    let unknown = failed(client.send(get("http://no-such-host.invalid/x?planted")).await);
    assert_eq!((unknown.kind, unknown.reach), (FailureKind::Dns, Reach::Destination), "{unknown}");
    assert!(!unknown.details.contains("planted"), "{unknown}");
    let server = FaultServer::start(Behavior::default());
    let no_tls = failed(client.send(get(&server.url().replace("http:", "https:"))).await);
    assert_eq!((no_tls.kind, no_tls.reach), (FailureKind::Tls, Reach::Destination), "{no_tls}");
    assert!(no_tls.details.contains("does not speak TLS"), "{no_tls}");
}

#[tokio::test]
async fn digests_are_of_the_bytes_that_were_sent() {
    struct Count(Arc<AtomicU64>);
    impl safelight::destination::http::ByteObserver for Count {
        fn update(&mut self, bytes: &[u8]) {
            self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
    }
    let (server, client) = (FaultServer::start(Behavior::default()), client());
    let (source, seen) = (source(MIB), Arc::new(AtomicU64::new(0)));
    let range = source.range().with_observer(Arc::new(parking_lot::Mutex::new(Count(Arc::clone(&seen)))));
    assert_eq!(client.send(put(&server, range)).await.expect("answered").status, 201);
    assert_eq!(seen.load(Ordering::Relaxed), MIB as u64);
    let mut other = source.item.content;
    other.blake3.0[0] ^= 1;
    let mut range = SourceRange::part(&source.item, &source.transfer, &source.executor, 0, MIB as u64);
    range.observers.push(ContentCheck::shared(other));
    assert_eq!(failed(client.send(put(&server, range)).await).kind, FailureKind::Changed);
}
