//! A blocking connection to the agent, of nothing but the standard library.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::conversation::{Conversation, Interrupter};
use crate::api::framing::{self, FrameError, HEAD_LEN};
use crate::api::{
    ApiError, Call, ErrorKind, Event, FRAME_LEN_MAX, Frame, HELLO_LEN_MAX, Hello, PROTOCOL_VERSION, Reply,
    Request, Snapshot, Welcome,
};
use crate::platform::paths::own_uid;
use crate::platform::socket;

/// How long the agent may take to take a client in.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The most events kept for a client that does not fetch them; the oldest go first.
const EVENTS_KEPT_MAX: usize = 64;
/// How much is read at a time, in bytes.
const READ_LEN: usize = 16 << 10;

/// There is no talking with the agent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens.
    #[error("Safelight is not running")]
    NotRunning,
    /// The agent is of another version.
    #[error("{message}")]
    OtherVersion {
        /// The agent's [`PROTOCOL_VERSION`].
        version: u32,
        /// What it says.
        message: String,
    },
    /// The agent does not take this client in.
    #[error("{0}")]
    Refused(String),
    /// It hangs, or breaks off.
    #[error("Safelight is running but does not respond: {0}")]
    Io(#[from] io::Error),
    /// It says something else than an agent does.
    #[error("Safelight is running but sends an unexpected reply: {0}")]
    Frame(#[from] FrameError),
}

/// A connection after the handshake.
#[derive(Debug)]
pub struct Remote {
    write: Writer,
    read: Reader,
    next_id: u64,
    is_subscribed: bool,
    newest: Option<Arc<Snapshot>>,
    events: VecDeque<Event>,
}

/// Sends requests.
#[derive(Debug)]
pub struct Writer(UnixStream);

/// Receives frames.
#[derive(Debug)]
pub struct Reader {
    stream: UnixStream,
    bytes: Vec<u8>,
}

/// Ends a connection from anywhere, waking whoever reads.
#[derive(Debug)]
pub struct ConnectionCloser(UnixStream);

impl ConnectionCloser {
    /// Ends it.
    pub fn hang_up(&self) {
        // It may have ended by itself.
        self.0.shutdown(Shutdown::Both).ok();
    }
}

impl Remote {
    /// Connects to the agent and introduces this client: `window`, `cli`, `test`.
    ///
    /// # Errors
    /// [`ConnectError::NotRunning`] when nobody listens.
    pub fn connect(socket: &Path, role: &str) -> Result<Self, ConnectError> {
        let hello = Hello { version: PROTOCOL_VERSION, role: role.to_owned(), stop: false };
        let (stream, welcome) = greet(socket, &hello)?;
        if let Some(refused) = welcome.refused {
            return Err(if welcome.version == PROTOCOL_VERSION {
                ConnectError::Refused(refused.message)
            } else {
                ConnectError::OtherVersion { version: welcome.version, message: refused.message }
            });
        }
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(None)?;
        Ok(Self {
            write: Writer(stream.try_clone()?),
            read: Reader { stream, bytes: Vec::new() },
            next_id: 1,
            is_subscribed: false,
            newest: None,
            events: VecDeque::new(),
        })
    }

    /// Asks an agent of any version to stop, and returns when it has hung up.
    ///
    /// # Errors
    /// [`ConnectError::NotRunning`] when nobody listens; `TimedOut` when it has not stopped `within`.
    pub fn stop(socket: &Path, within: Duration) -> Result<Welcome, ConnectError> {
        let hello = Hello { version: PROTOCOL_VERSION, role: "cli".to_owned(), stop: true };
        let (mut stream, welcome) = greet(socket, &hello)?;
        if let Some(refused) = welcome.refused {
            return Err(ConnectError::Refused(refused.message));
        }
        stream.set_read_timeout(Some(within))?;
        let mut rest = [0; 64];
        while stream.read(&mut rest)? > 0 {}
        Ok(welcome)
    }

    /// Takes the two directions apart, for a thread each.
    ///
    /// # Errors
    /// When the system has no room.
    pub fn split(self) -> io::Result<(Writer, Reader, ConnectionCloser)> {
        let hang_up = ConnectionCloser(self.read.stream.try_clone()?);
        Ok((self.write, self.read, hang_up))
    }

    /// Asks for snapshots and events from now on.
    ///
    /// # Errors
    /// As [`Conversation::call`].
    pub fn subscribe(&mut self) -> Result<(), ApiError> {
        if !self.is_subscribed {
            self.call(Request::Subscribe)?;
            self.is_subscribed = true;
        }
        Ok(())
    }

    /// The next event that came while waiting for something else.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn ask(&mut self, request: Request, watch: &mut dyn FnMut(&Snapshot)) -> Result<Reply, ApiError> {
        let id = self.next_id;
        self.next_id += 1;
        self.write.send(&Call { id, request })?;
        loop {
            match self.read.next(None)? {
                Some(Frame::Reply { id: answered, outcome }) if answered == id => return outcome,
                Some(other) => {
                    if let Frame::Snapshot(snapshot) = &other {
                        watch(snapshot);
                    }
                    self.keep_frame(other);
                }
                None => {}
            }
        }
    }

    fn keep_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Snapshot(snapshot) => self.newest = Some(Arc::from(snapshot)),
            Frame::Event(event) => {
                if self.events.len() == EVENTS_KEPT_MAX {
                    self.events.pop_front();
                }
                self.events.push_back(event);
            }
            Frame::Reply { id, .. } => tracing::debug!("answer {id} was no longer waited for"),
        }
    }
}

fn greet(socket: &Path, hello: &Hello) -> Result<(UnixStream, Welcome), ConnectError> {
    let mut stream = match socket::connect(socket, CONNECT_MAX) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(ConnectError::NotRunning);
        }
        Err(error) => return Err(error.into()),
    };
    if socket::peer_uid(&stream)? != own_uid() {
        return Err(ConnectError::Refused("Safelight's socket belongs to another person".to_owned()));
    }
    stream.set_read_timeout(Some(CONNECT_MAX))?;
    stream.set_write_timeout(Some(CONNECT_MAX))?;
    let greeting = framing::encode(hello, HELLO_LEN_MAX)?;
    // An agent that has no room says so and hangs up without listening.
    let sent = stream.write_all(&greeting);
    let mut head = [0; HEAD_LEN];
    let heard = stream.read_exact(&mut head);
    if let (Err(unsent), Err(_unheard)) = (sent, &heard) {
        return Err(classify_greeting_error(unsent));
    }
    heard.map_err(classify_greeting_error)?;
    let mut body = vec![0; framing::body_len(head, HELLO_LEN_MAX)?];
    stream.read_exact(&mut body).map_err(classify_greeting_error)?;
    Ok((stream, framing::decode(&body)?))
}

/// An agent that hangs up in the middle of the greeting is one that is just ending.
fn classify_greeting_error(error: io::Error) -> ConnectError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            ConnectError::NotRunning
        }
        _other => ConnectError::Io(error),
    }
}

fn connection_lost(error: impl std::fmt::Display) -> ApiError {
    tracing::debug!("the connection to the agent ended: {error}");
    ApiError::new(ErrorKind::Unavailable, "The connection to Safelight was lost")
}

impl Writer {
    /// Sends one request.
    ///
    /// # Errors
    /// `usage` when it is too long, `unavailable` when the agent has gone.
    pub fn send(&mut self, call: &Call) -> Result<(), ApiError> {
        let frame = framing::encode(call, FRAME_LEN_MAX)
            .map_err(|error| ApiError::new(ErrorKind::Usage, error.to_string()))?;
        // A request may hold a secret.
        self.0.write_all(&zeroize::Zeroizing::new(frame)).map_err(connection_lost)
    }
}

impl Reader {
    /// The next frame; none when `until` has come first. A frame that has half arrived is kept.
    ///
    /// # Errors
    /// `unavailable` when the agent has gone or cannot be understood.
    pub fn next(&mut self, until: Option<Instant>) -> Result<Option<Frame>, ApiError> {
        loop {
            if let Some(frame) = self.next_frame().map_err(connection_lost)? {
                return Ok(Some(frame));
            }
            let timeout = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Ok(None),
                timeout => timeout,
            };
            self.stream.set_read_timeout(timeout).map_err(connection_lost)?;
            let mut piece = [0; READ_LEN];
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(connection_lost("the agent hung up")),
                Ok(len) => self.bytes.extend_from_slice(&piece[..len]),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                    _other => return Err(connection_lost(error)),
                },
            }
        }
    }

    /// The frame that has arrived whole, if any.
    fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(&head) = self.bytes.first_chunk::<HEAD_LEN>() else { return Ok(None) };
        let end = HEAD_LEN + framing::body_len(head, FRAME_LEN_MAX)?;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let frame = framing::decode(&self.bytes[HEAD_LEN..end])?;
        self.bytes.drain(..end);
        Ok(Some(frame))
    }
}

impl Conversation for Remote {
    fn call(&mut self, request: Request) -> Result<Reply, ApiError> {
        self.ask(request, &mut |_| {})
    }

    fn call_watched(
        &mut self,
        request: Request,
        watch: &mut dyn FnMut(&Snapshot),
    ) -> Result<Reply, ApiError> {
        self.subscribe()?;
        self.ask(request, watch)
    }

    fn wait_snapshot(
        &mut self,
        after: u64,
        within: Option<Duration>,
    ) -> Result<Option<Arc<Snapshot>>, ApiError> {
        self.subscribe()?;
        let until = within.map(|within| Instant::now() + within);
        loop {
            if let Some(newest) = self.newest.as_ref().filter(|newest| newest.revision > after) {
                return Ok(Some(Arc::clone(newest)));
            }
            match self.read.next(until)? {
                Some(frame) => self.keep_frame(frame),
                None => return Ok(None),
            }
        }
    }

    fn interrupter(&self) -> Interrupter {
        match self.read.stream.try_clone() {
            Ok(stream) => {
                let hang_up = ConnectionCloser(stream);
                Interrupter::new(move || hang_up.hang_up())
            }
            Err(error) => {
                tracing::warn!("this talk cannot be interrupted: {error}");
                Interrupter::new(|| {})
            }
        }
    }
}
