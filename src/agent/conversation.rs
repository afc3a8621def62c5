//! One client's conversation: the handshake, its requests side by side, its answers in a bounded
//! queue, and the newest snapshot whenever it is ready to take one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::state::{Agent, WindowGuard};
use super::{CALLS_PER_CLIENT_MAX, HANDSHAKE_MAX, REPLIES_WAITING_MAX};
use crate::api::framing::{self, FrameError, HEAD_LEN};
use crate::api::{
    ApiError, Call, Command, ErrorKind, Event, FRAME_LEN_MAX, Frame, HELLO_LEN_MAX, Hello, PROTOCOL_VERSION,
    Reply, Request, Welcome,
};

/// The role of a client that can be raised.
const WINDOW_ROLE: &str = "window";
/// How long a client that has hung up, or is being hung up on, is still written to.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum ConversationError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Tells a client that there is no room, and hangs up.
pub(super) async fn refuse(mut write: impl AsyncWrite + Unpin) {
    let error = ApiError::new(ErrorKind::Unavailable, "Too many programs are talking with Safelight");
    let words = welcome(Some(error));
    let farewell = send(&mut write, &words, HELLO_LEN_MAX);
    if !matches!(tokio::time::timeout(HANDSHAKE_MAX, farewell).await, Ok(Ok(()))) {
        tracing::debug!("a client that was one too many did not listen");
    }
}

/// Talks with one client until it hangs up, breaks the rules, or the agent ends.
pub(super) async fn serve_client<R, W>(mut read: R, mut write: W, agent: &Agent)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let _seat = agent.admit_client();
    let greeting = tokio::time::timeout(HANDSHAKE_MAX, greet(&mut read, &mut write));
    let hello = match greeting.await {
        Ok(Ok(Some(hello))) => hello,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => {
            tracing::debug!("a client did not say who it is: {error}");
            return;
        }
        Err(_late) => {
            tracing::debug!("a client took too long to say who it is");
            return;
        }
    };
    if hello.stop {
        agent.stop.cancel();
        agent.stopped.cancelled().await;
        return;
    }
    let (replies, waiting) = mpsc::channel(REPLIES_WAITING_MAX);
    let gone = CancellationToken::new();
    let is_window = hello.role == WINDOW_ROLE;
    let speaker = FrameWriter {
        write,
        waiting,
        is_window,
        agent: agent.clone(),
        _tells_listener: gone.clone().drop_guard(),
    };
    let given_up = async {
        gone.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS_MAX).await;
    };
    let listener = FrameReader { read, replies, gone: gone.clone(), agent: agent.clone() };
    tokio::select! {
        _both_done = async { tokio::join!(listener.run(), speaker.run()) } => {}
        () = given_up => {}
    }
}

/// The handshake; none when the client is sent away.
async fn greet<R, W>(read: &mut R, write: &mut W) -> Result<Option<Hello>, ConversationError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Some(body) = receive(read, HELLO_LEN_MAX).await? else { return Ok(None) };
    let hello: Hello = framing::decode(&body)?;
    if hello.version == PROTOCOL_VERSION || hello.stop {
        send(write, &welcome(None), HELLO_LEN_MAX).await?;
        return Ok(Some(hello));
    }
    let message = format!(
        "Another release of Safelight ({}) is running in the background; quit it and try again",
        env!("CARGO_PKG_VERSION")
    );
    send(write, &welcome(Some(ApiError::new(ErrorKind::Unavailable, message))), HELLO_LEN_MAX).await?;
    Ok(None)
}

fn welcome(refused: Option<ApiError>) -> Welcome {
    Welcome {
        version: PROTOCOL_VERSION,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        refused,
    }
}

/// The next body; none at the end of the stream.
async fn receive<R: AsyncRead + Unpin>(
    read: &mut R,
    max: usize,
) -> Result<Option<Vec<u8>>, ConversationError> {
    let mut head = [0; HEAD_LEN];
    if read.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    read.read_exact(&mut head[1..]).await?;
    let mut body = Vec::new();
    let len = framing::body_len(head, max)?;
    // Memory grows with what has come, not with what was promised.
    read.take(len as u64).read_to_end(&mut body).await?;
    if body.len() < len {
        return Err(ConversationError::Io(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Some(body))
}

async fn send<W, T>(write: &mut W, message: &T, max: usize) -> Result<(), ConversationError>
where
    W: AsyncWrite + Unpin,
    T: serde::Serialize,
{
    write.write_all(&framing::encode(message, max)?).await?;
    write.flush().await?;
    Ok(())
}

/// What the listener has for the speaker.
enum Outgoing {
    /// An answer.
    Frame(Frame),
    /// The client subscribes with the call of this id.
    Subscribe(u64),
}

/// Reads requests and starts them in the order they came.
struct FrameReader<R> {
    read: R,
    replies: mpsc::Sender<Outgoing>,
    gone: CancellationToken,
    agent: Agent,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    async fn run(mut self) {
        let room = Arc::new(Semaphore::new(CALLS_PER_CLIENT_MAX));
        let closing = self.agent.closing.clone();
        let gone = self.gone.clone();
        // Cancels what only this client waits for.
        let _hangs_up = gone.clone().drop_guard();
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await.ok()?;
                match receive(&mut self.read, FRAME_LEN_MAX).await {
                    Ok(Some(body)) => Some((permit, body)),
                    Ok(None) => None,
                    Err(error) => {
                        tracing::warn!("a client was cut off: {error}");
                        None
                    }
                }
            };
            let (permit, body) = tokio::select! {
                next = next => match next {
                    Some(next) => next,
                    None => return,
                },
                () = closing.cancelled() => return,
                () = gone.cancelled() => return,
            };
            let call: Call = match framing::decode(&body) {
                Ok(call) => call,
                Err(error) => {
                    tracing::warn!("a client was cut off: {error}");
                    return;
                }
            };
            self.start(call, permit).await;
        }
    }

    async fn start(&self, call: Call, permit: tokio::sync::OwnedSemaphorePermit) {
        let Call { id, request } = call;
        if request == Request::Subscribe {
            return self.send_outgoing(Outgoing::Subscribe(id)).await;
        }
        let is_operation = matches!(request, Request::Operation(_));
        let mut outcome = Box::pin(answer(self.agent.clone(), request));
        // The first look puts the request in the engine's queue, so requests keep their order.
        let first = std::future::poll_fn(|cx| Poll::Ready(outcome.as_mut().poll(cx))).await;
        if let Poll::Ready(outcome) = first {
            return self.send_outgoing(Outgoing::Frame(Frame::Reply { id, outcome })).await;
        }
        let replies = self.replies.clone();
        let gone = self.gone.clone();
        tokio::spawn(async move {
            let outcome = if is_operation {
                // Dropping the question tells the engine that nobody waits for the answer.
                tokio::select! {
                    outcome = outcome => outcome,
                    () = gone.cancelled() => return,
                }
            } else {
                outcome.await
            };
            if replies.send(Outgoing::Frame(Frame::Reply { id, outcome })).await.is_err() {
                tracing::trace!("a client left before its answer");
            }
            drop(permit);
        });
    }

    async fn send_outgoing(&self, outgoing: Outgoing) {
        tokio::select! {
            _ = self.replies.send(outgoing) => {}
            () = self.gone.cancelled() => {}
        }
    }
}

async fn answer(agent: Agent, request: Request) -> Result<Reply, ApiError> {
    match request {
        Request::Command(Command::RaiseWindow) => {
            let was_open = agent.windows.load(Ordering::SeqCst) > 0;
            if was_open {
                agent.handle.publish(Event::RaiseWindow);
            }
            Ok(Reply::Raised { was_open })
        }
        Request::Command(Command::Shutdown) => {
            agent.stop.cancel();
            agent.stopped.cancelled().await;
            Ok(Reply::Done)
        }
        request => agent.handle.call(request).await,
    }
}

/// Writes answers, and to subscribers events and the newest snapshot.
struct FrameWriter<W> {
    write: W,
    waiting: mpsc::Receiver<Outgoing>,
    is_window: bool,
    agent: Agent,
    _tells_listener: DropGuard,
}

/// What a subscriber hears besides its answers.
struct Subscription {
    snapshots: watch::Receiver<Arc<crate::api::Snapshot>>,
    events: broadcast::Receiver<Event>,
    is_engine_gone: bool,
    is_stop_told: bool,
    _window: Option<WindowGuard>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    async fn run(mut self) {
        let mut subscription = None;
        loop {
            let next = tokio::select! {
                outgoing = self.waiting.recv() => match outgoing {
                    Some(Outgoing::Frame(frame)) => Some(frame),
                    Some(Outgoing::Subscribe(id)) => {
                        subscription.get_or_insert_with(|| self.subscribe());
                        Some(Frame::Reply { id, outcome: Ok(Reply::Done) })
                    }
                    None => return,
                },
                frame = next_event(subscription.as_mut(), &self.agent, self.is_window) => frame,
            };
            let Some(frame) = next else { continue };
            if let Err(error) = self.write(frame).await {
                tracing::debug!("a client no longer listens: {error}");
                return;
            }
        }
    }

    fn subscribe(&self) -> Subscription {
        let mut snapshots = self.agent.handle.snapshots();
        snapshots.mark_changed();
        Subscription {
            snapshots,
            events: self.agent.handle.events(),
            is_engine_gone: false,
            is_stop_told: false,
            _window: self.is_window.then(|| self.agent.window()),
        }
    }

    async fn write(&mut self, frame: Frame) -> Result<(), ConversationError> {
        match send(&mut self.write, &frame, FRAME_LEN_MAX).await {
            Err(ConversationError::Frame(FrameError::TooLong { .. })) => {
                let Frame::Reply { id, .. } = frame else { return Ok(()) };
                let error = ApiError::new(ErrorKind::Internal, "The answer is too long; ask for less");
                send(&mut self.write, &Frame::Reply { id, outcome: Err(error) }, FRAME_LEN_MAX).await
            }
            said => said,
        }
    }
}

/// The next thing for a subscriber. A slow one finds only the newest snapshot and the last events.
async fn next_event(
    subscription: Option<&mut Subscription>,
    agent: &Agent,
    is_window: bool,
) -> Option<Frame> {
    let Some(subscription) = subscription else { return std::future::pending().await };
    tokio::select! {
        event = subscription.events.recv() => match event {
            // The agent says itself when it stops; and only windows can be raised.
            Ok(Event::Stopping) => None,
            Ok(Event::RaiseWindow) if !is_window => None,
            Ok(event) => Some(Frame::Event(event)),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        },
        () = agent.stop.cancelled(), if !subscription.is_stop_told => {
            subscription.is_stop_told = true;
            Some(Frame::Event(Event::Stopping))
        }
        changed = subscription.snapshots.changed(), if !subscription.is_engine_gone => {
            subscription.is_engine_gone = changed.is_err();
            let newest = subscription.snapshots.borrow_and_update().clone();
            changed.is_ok().then(|| Frame::Snapshot(Box::new((*newest).clone())))
        }
    }
}
