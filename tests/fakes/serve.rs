//! Runs a handler for HTTP/1.1 on a free port of 127.0.0.1, on a thread of its own.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How fast what nobody wants is read after an early answer, in bytes a second, and how much of it.
const LINGERING_RATE: u64 = 16 << 20;
const LINGERED_BYTES_MAX: usize = 16 << 20;

/// An answer; its body may break off.
pub type Answer = hyper::Response<UnsyncBoxBody<Bytes, io::Error>>;

/// The connection is closed without an answer.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionClosed;

impl std::fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on order")
    }
}

impl std::error::Error for ConnectionClosed {}

/// What a handler gives.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Answer, ConnectionClosed>> + Send + 'a>>;

/// Answers requests. One call a request, many at once.
pub trait Handler: Send + Sync + 'static {
    /// Answers one.
    fn handle(&self, request: hyper::Request<Incoming>) -> Handling<'_>;
}

/// A running server; it ends, with all its connections, when this is dropped.
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Starts serving on a free port.
    pub fn start(handler: Arc<dyn Handler>) -> Self {
        Self::start_at(0, handler)
    }

    /// Starts serving on a free port, over TLS with one of the certificates of these fakes.
    pub fn start_tls(handler: Arc<dyn Handler>, certificate: &str) -> Self {
        Self::start_any(0, handler, Some(acceptor(certificate)))
    }

    /// Starts serving on this port.
    pub fn start_at(port: u16, handler: Arc<dyn Handler>) -> Self {
        Self::start_any(port, handler, None)
    }

    fn start_any(port: u16, handler: Arc<dyn Handler>, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("bound");
        let stop = CancellationToken::new();
        let until = stop.clone();
        let run = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                tokio::select! {
                    () = until.cancelled() => {}
                    () = accept(listener, handler, tls) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("fake-server".to_owned()).spawn(run).expect("a thread");
        Self { address, stop, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A handler that panicked has failed its test already.
            thread.join().ok();
        }
    }
}

/// The path of one of the certificates of these fakes.
pub fn certificate(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fakes/certificates/{name}.pem"))
}

fn acceptor(name: &str) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate(name)).expect("a certificate");
    let chain: Result<Vec<_>, _> = chain.collect();
    let key = PrivateKeyDer::from_pem_file(certificate("key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key)
        .expect("they fit");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve<S>(stream: S, handler: Arc<dyn Handler>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let service = service_fn(|request| handler.handle(request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that goes away, or was cut off, is none of the server's trouble.
    connection.await.ok();
}

async fn accept(listener: std::net::TcpListener, handler: Arc<dyn Handler>, tls: Option<TlsAcceptor>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _from)) = listener.accept().await else { continue };
        let (handler, tls) = (Arc::clone(&handler), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, handler).await,
                Some(tls) => {
                    // A client that does not trust the certificate hangs up here.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, handler).await;
                    }
                }
            }
        });
    }
}

/// An answer with a status and a body.
pub fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    let never = |error: Infallible| match error {};
    let body = Full::new(body.into()).map_err(never).boxed_unsync();
    hyper::Response::builder().status(status).body(body).expect("a status")
}

/// The same with header fields.
pub fn answer_with(status: u16, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut answer = answer(status, body);
    for (name, value) in fields {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).expect("a field's name");
        answer.headers_mut().append(name, value.parse().expect("a field's value"));
    }
    answer
}

/// A header field's value.
pub fn field<'a>(headers: &'a hyper::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What became of reading a request's body.
pub enum BodyRead {
    /// All of it.
    Whole(Vec<u8>),
    /// The client went away in the middle.
    Short(Vec<u8>),
}

/// Reads on after an answer and throws it away, as real servers do for a while: closed with bytes
/// unread the connection would be reset, and the answer could be lost on its way.
pub fn linger(body: Incoming) {
    tokio::spawn(async move {
        receive(body, Some(LINGERING_RATE), LINGERED_BYTES_MAX).await;
    });
}

/// Reads a request's body, at most at `rate` bytes a second, and stops after `limit` bytes.
pub async fn receive(mut body: Incoming, rate: Option<u64>, limit: usize) -> BodyRead {
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        match body.frame().await {
            None => return BodyRead::Whole(bytes),
            Some(Err(_gone)) => return BodyRead::Short(bytes),
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { continue };
                if let Some(rate) = rate {
                    let pause =
                        std::time::Duration::from_micros(chunk.len() as u64 * 1_000_000 / rate.max(1));
                    tokio::time::sleep(pause).await;
                }
                bytes.extend_from_slice(&chunk);
            }
        }
    }
    BodyRead::Short(bytes)
}
