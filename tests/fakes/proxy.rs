//! A proxy that misbehaves, in front of any HTTP/1.1 server on this computer.
//!
//! ```text
//! let proxy = Proxy::start(server_port);
//! proxy.set(Some(ProxyFault::Compressed));
//! … run the program against proxy.host(), then proxy.set(None) …
//! ```
//! It reads each request whole, sends it on over a connection of its own, reads the answer whole and
//! writes it as raw bytes, so that it can break what no HTTP library would let it break. What it does
//! to the text of an answer is in [`super::proxy_text`].

use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::proxy_text::{self, Href};

/// The longest head of a message, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How much is read at once, in bytes.
const READ_AHEAD_BYTES: usize = 256 * 1024;
/// Bodies of at least this many bytes are a file's; shorter ones belong to the protocol.
const FILE_BYTES_MIN: usize = 2_000;

/// What the proxy does to every exchange that it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFault {
    /// Answers are HTTP/1.0: one a connection, and the end of the connection ends the body.
    Http10,
    /// Interim answers (100, 103) that nobody asked for come before the answer.
    InterimAnswers,
    /// Bodies of answers are compressed with gzip, though nobody said that they may be.
    Compressed,
    /// `Content-Length` says ten bytes more than there are.
    LengthTooLong,
    /// `Content-Length` says ten bytes fewer than there are.
    LengthTooShort,
    /// No `Content-Length`: the end of the connection ends the body.
    NoLength,
    /// One bit of every file on its way to the server is flipped.
    FlippedUploads,
    /// One bit of every file on its way back is flipped.
    FlippedDownloads,
    /// Listings have some entries twice and lack others.
    ListingRepeatsAndSkips,
    /// Addresses in listings, and those of new uploads, are spelled so.
    Hrefs(Href),
    /// XML has other namespace prefixes.
    Prefixes,
    /// The server's clock is off by so many seconds.
    ClockOff(i64),
    /// As a server whose clock is an hour off from the signature's time.
    SignatureTooOld,
    /// This is answered in place of the server, after the whole request; `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// The connection is reset after the whole request, before anything is done.
    ResetBefore,
    /// It is done, and the connection is reset in place of an answer.
    ResetAfter,
    /// Every request is pointed elsewhere.
    Redirect(u16),
}

struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Option<ProxyFault>>,
    /// Exchanges that the fault had to do with.
    hits: AtomicU64,
    /// Requests that had an `Expect` field.
    expected: AtomicU64,
}

/// The proxy; it ends, with its connections, when this is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    /// Starts in front of this port of 127.0.0.1; nothing is wrong yet.
    pub fn start(upstream: u16) -> Self {
        let shared = Arc::new(Shared {
            upstream: SocketAddr::from(([127, 0, 0, 1], upstream)),
            fault: Mutex::default(),
            hits: AtomicU64::new(0),
            expected: AtomicU64::new(0),
        });
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("bound");
        let (stop, serving) = (CancellationToken::new(), Arc::clone(&shared));
        let until = stop.clone();
        let run = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                tokio::select! {
                    () = until.cancelled() => {}
                    () = accept(listener, serving) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(run).expect("a thread");
        Self { shared, address, stop, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// From now on this goes wrong, or nothing.
    pub fn set(&self, fault: Option<ProxyFault>) {
        *self.shared.fault.lock() = fault;
    }

    /// How many exchanges a fault had to do with.
    pub fn hits(&self) -> u64 {
        self.shared.hits.load(Ordering::SeqCst)
    }

    /// How many requests asked to be told to go on (`Expect`).
    pub fn expected(&self) -> u64 {
        self.shared.expected.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _from)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A client that goes away is no trouble of the proxy.
            serve(stream, &shared).await.ok();
        });
    }
}

/// A message: its first line, its fields and its body.
#[derive(Debug, Clone)]
pub struct Message {
    pub start: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _value)| known.eq_ignore_ascii_case(name))
            .map(|(_name, value)| value.as_str())
    }

    pub fn set(&mut self, name: &str, value: String) {
        self.remove(name);
        self.fields.push((name.to_owned(), value));
    }

    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(known, _value)| !known.eq_ignore_ascii_case(name));
    }

    /// The second word of the first line of an answer.
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    fn head(&self) -> Vec<u8> {
        let fields: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{fields}\r\n", self.start).into_bytes()
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A connection, and what was read of it beyond the last message.
struct Reader<'a> {
    stream: &'a mut TcpStream,
    ahead: Vec<u8>,
}

impl Reader<'_> {
    /// Reads more; `false` at the end.
    async fn more(&mut self) -> io::Result<bool> {
        self.ahead.reserve(READ_AHEAD_BYTES);
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }

    /// The head of a message; `None` where the connection ends before one.
    async fn head(&mut self) -> io::Result<Option<Message>> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if self.ahead.len() > HEAD_BYTES_MAX {
                return Err(broken("a long head"));
            }
            if !self.more().await? {
                return Ok(None);
            }
        };
        let rest = self.ahead.split_off(end + 4);
        let head = std::mem::replace(&mut self.ahead, rest);
        // Fields are octets; what is no ASCII goes through unchanged.
        let text: String = head[..end].iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        };
        Ok(Some(Message { start, fields: lines.map(field).collect(), body: Vec::new() }))
    }

    async fn exact(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < length {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.ahead.windows(2).position(|window| window == b"\r\n") {
                let line = self.exact(at + 2).await?;
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_error| broken("a chunk's size"))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exact(size).await?);
            self.exact(2).await?;
        }
    }

    /// The body of a message; `to_end` says that one without a length lasts as long as the connection.
    async fn body(&mut self, head: &Message, to_end: bool) -> io::Result<Vec<u8>> {
        if head.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.chunked().await;
        }
        match head.field("content-length") {
            Some(length) => self.exact(length.parse().map_err(|_error| broken("a length"))?).await,
            None if to_end => {
                while self.more().await? {}
                Ok(std::mem::take(&mut self.ahead))
            }
            None => Ok(Vec::new()),
        }
    }
}

/// What becomes of a connection after an exchange.
enum Next {
    Goes,
    Closes,
    /// Closed in a way that the client is told of at once.
    Resets,
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut ahead = Vec::new();
    loop {
        let mut reader = Reader { stream: &mut stream, ahead: std::mem::take(&mut ahead) };
        let Some(mut request) = reader.head().await? else { return Ok(()) };
        if request.field("expect").is_some() {
            shared.expected.fetch_add(1, Ordering::SeqCst);
        }
        request.body = reader.body(&request, false).await?;
        ahead = std::mem::take(&mut reader.ahead);
        let fault = *shared.fault.lock();
        match exchange(&mut stream, shared, request, fault).await? {
            Next::Goes => {}
            Next::Closes => return stream.shutdown().await,
            Next::Resets => {
                rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))?;
                return Ok(());
            }
        }
    }
}

async fn exchange(
    stream: &mut TcpStream,
    shared: &Shared,
    mut request: Message,
    fault: Option<ProxyFault>,
) -> io::Result<Next> {
    let hit = || shared.hits.fetch_add(1, Ordering::SeqCst);
    match fault {
        Some(ProxyFault::ResetBefore) => {
            hit();
            return Ok(Next::Resets);
        }
        Some(ProxyFault::FlippedUploads) if request.body.len() >= FILE_BYTES_MIN => {
            hit();
            let middle = request.body.len() / 2;
            request.body[middle] ^= 1;
        }
        _ => {}
    }
    if let Some(answer) = fault.and_then(|fault| own_answer(fault, &request)) {
        hit();
        stream.write_all(&[answer.head(), answer.body].concat()).await?;
        return Ok(Next::Goes);
    }
    let answer = forward(shared, &request).await?;
    if fault == Some(ProxyFault::ResetAfter) {
        hit();
        return Ok(Next::Resets);
    }
    let is_head = request.start.starts_with("HEAD ");
    let mut sent = answer.clone();
    let next = match fault {
        Some(fault) => disturb(fault, &request, &mut sent, is_head),
        None => Next::Goes,
    };
    if sent.head() != answer.head()
        || sent.body != answer.body
        || matches!(fault, Some(ProxyFault::InterimAnswers))
    {
        hit();
    }
    if fault == Some(ProxyFault::InterimAnswers) {
        stream
            .write_all(
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
            )
            .await?;
    }
    let body = if is_head { Vec::new() } else { sent.body.clone() };
    stream.write_all(&[sent.head(), body].concat()).await?;
    Ok(next)
}

/// Sends a request on, and gives the answer with its whole body and a length.
async fn forward(shared: &Shared, request: &Message) -> io::Result<Message> {
    let mut onward = request.clone();
    onward.remove("connection");
    onward.remove("transfer-encoding");
    onward.remove("expect");
    onward.set("connection", "close".to_owned());
    if !request.body.is_empty() || request.field("content-length").is_some() {
        onward.set("content-length", request.body.len().to_string());
    }
    let mut stream = TcpStream::connect(shared.upstream).await?;
    stream.set_nodelay(true)?;
    // A server may answer before it has read everything, and close.
    stream.write_all(&[onward.head(), onward.body].concat()).await.ok();
    let mut reader = Reader { stream: &mut stream, ahead: Vec::new() };
    let mut answer = loop {
        let head = reader.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if head.status() >= 200 {
            break head;
        }
    };
    let has_no_body = request.start.starts_with("HEAD ") || matches!(answer.status(), 204 | 304);
    if !has_no_body {
        answer.body = reader.body(&answer, true).await?;
        answer.set("content-length", answer.body.len().to_string());
    }
    answer.remove("connection");
    answer.remove("transfer-encoding");
    answer.start = answer.start.replacen("HTTP/1.0", "HTTP/1.1", 1);
    Ok(answer)
}

fn plain_answer(start: &str, fields: &[(&str, &str)], body: &str) -> Message {
    let mut fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    fields.push(("Content-Length".to_owned(), body.len().to_string()));
    Message { start: format!("HTTP/1.1 {start}"), fields, body: body.as_bytes().to_vec() }
}

/// What the proxy says by itself.
fn own_answer(fault: ProxyFault, request: &Message) -> Option<Message> {
    let text = [("Content-Type", "text/plain")];
    match fault {
        ProxyFault::Status(401, _) => {
            Some(plain_answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=\"proxy\"")], "no"))
        }
        ProxyFault::Status(status, None) => Some(plain_answer(&format!("{status} So"), &text, "not now")),
        ProxyFault::Status(status, Some(wait)) => {
            let fields = [("Retry-After", wait.to_string())];
            Some(plain_answer(
                &format!("{status} So"),
                &fields.each_ref().map(|(n, v)| (*n, v.as_str())),
                "not now",
            ))
        }
        ProxyFault::SignatureTooOld => {
            let body = "<?xml version=\"1.0\"?><Error><Code>RequestTimeTooSkewed</Code><Message>The difference between \
                        the request time and the current time is too large.</Message></Error>";
            let date = proxy_text::http_date(3_600);
            Some(plain_answer("403 Forbidden", &[("Content-Type", "application/xml"), ("Date", &date)], body))
        }
        ProxyFault::Redirect(status) => {
            let path = request.start.split(' ').nth(1).unwrap_or("/");
            let to = format!("https://elsewhere.example{path}");
            Some(plain_answer(&format!("{status} Elsewhere"), &[("Location", &to)], ""))
        }
        _ => None,
    }
}

/// Changes an answer, and says what becomes of the connection.
fn disturb(fault: ProxyFault, request: &Message, answer: &mut Message, is_head: bool) -> Next {
    let has_body = !answer.body.is_empty() && !is_head;
    match fault {
        ProxyFault::Http10 => {
            answer.start = answer.start.replacen("HTTP/1.1", "HTTP/1.0", 1);
            if !is_head {
                answer.remove("content-length");
            }
            return Next::Closes;
        }
        ProxyFault::NoLength if !is_head => {
            answer.remove("content-length");
            answer.set("Connection", "close".to_owned());
            return Next::Closes;
        }
        ProxyFault::LengthTooLong if has_body => {
            answer.set("Content-Length", (answer.body.len() + 10).to_string());
            return Next::Closes;
        }
        ProxyFault::LengthTooShort if answer.body.len() > 10 && !is_head => {
            answer.set("Content-Length", (answer.body.len() - 10).to_string());
            return Next::Closes;
        }
        ProxyFault::Compressed if has_body => {
            answer.body = proxy_text::gzip(&answer.body);
            answer.set("Content-Encoding", "gzip".to_owned());
            answer.set("Content-Length", answer.body.len().to_string());
        }
        ProxyFault::FlippedDownloads
            if answer.body.len() >= FILE_BYTES_MIN && proxy_text::is_file(answer) =>
        {
            let middle = answer.body.len() / 2;
            answer.body[middle] ^= 1;
        }
        ProxyFault::ClockOff(seconds) => answer.set("Date", proxy_text::http_date(seconds)),
        ProxyFault::ListingRepeatsAndSkips | ProxyFault::Hrefs(_) | ProxyFault::Prefixes => {
            proxy_text::rewrite(fault, request, answer);
        }
        _ => {}
    }
    Next::Goes
}
