//! Conversations over streams in memory, on paused time, with a scripted engine at the end.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::conversation::serve_client;
use super::server::{AgentExit, serve};
use super::state::Agent;
use super::{AgentOptions, CLIENTS_MAX, HANDSHAKE_MAX, IDLE_GRACE};
use crate::api::framing::{self, HEAD_LEN};
use crate::api::{
    ApiError, BackupSwitch, Call, Command, ErrorKind, Event, FRAME_LEN_MAX, Frame, HELLO_LEN_MAX, Hello,
    Operation, PROTOCOL_VERSION, Reply, Request, Snapshot, Welcome,
};
use crate::engine::{self, EngineEnd};

/// Bytes in flight between a client and the agent.
const PIPE_LEN: usize = 64 << 10;

struct Client(DuplexStream);

impl Client {
    /// A client at the other end of a new conversation.
    fn new(agent: &Agent) -> Self {
        let (here, there) = duplex(PIPE_LEN);
        let agent = agent.clone();
        tokio::spawn(async move {
            let (read, write) = tokio::io::split(there);
            serve_client(read, write, &agent).await;
        });
        Self(here)
    }

    /// A client that has been let in.
    async fn joined(agent: &Agent, role: &str) -> Self {
        let mut client = Self::new(agent);
        let hello = Hello { version: PROTOCOL_VERSION, role: role.to_owned(), stop: false };
        client.write(&hello).await;
        let welcome: Welcome = client.hear().await.expect("welcome");
        assert_eq!((welcome.version, welcome.refused), (PROTOCOL_VERSION, None));
        client
    }

    async fn write<T: serde::Serialize>(&mut self, message: &T) {
        self.say_bytes(&framing::encode(message, FRAME_LEN_MAX).expect("encode")).await;
    }

    async fn say_bytes(&mut self, bytes: &[u8]) {
        // The other end may have hung up, which is what some tests look for next.
        self.0.write_all(bytes).await.ok();
    }

    async fn ask(&mut self, id: u64, request: impl Into<Request>) {
        self.write(&Call { id, request: request.into() }).await;
    }

    /// The next message; none when the agent has hung up.
    async fn hear<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        let mut head = [0; HEAD_LEN];
        self.0.read_exact(&mut head).await.ok()?;
        let mut body = vec![0; framing::body_len(head, FRAME_LEN_MAX).expect("len")];
        self.0.read_exact(&mut body).await.expect("body");
        Some(framing::decode(&body).expect("decode"))
    }

    async fn answer(&mut self, wanted: u64) -> Result<Reply, ApiError> {
        loop {
            match self.hear::<Frame>().await.expect("answer") {
                Frame::Reply { id, outcome } if id == wanted => return outcome,
                _other => {}
            }
        }
    }
}

/// An engine whose requests the test sees, and answers by hand.
fn agent() -> (Agent, EngineEnd) {
    let (handle, end) = engine::channel();
    (Agent::new(handle), end)
}

/// Answers every request with `Done` until it is asked to stop. What was asked comes out.
fn answer_all(end: EngineEnd) -> mpsc::Receiver<Request> {
    let (asked, seen) = mpsc::channel(1_000);
    tokio::spawn(async move {
        let mut end: EngineEnd = { end };
        while let Some(call) = end.calls.recv().await {
            let is_over = call.request == Request::Command(Command::Shutdown);
            asked.send(call.request).await.ok();
            call.reply.send(Ok(Reply::Done)).ok();
            if is_over {
                return;
            }
        }
    });
    seen
}

fn snapshot(revision: u64, backup: BackupSwitch) -> Arc<Snapshot> {
    Arc::new(Snapshot { revision, backup, ..Snapshot::default() })
}

#[tokio::test(start_paused = true)]
async fn another_version_is_told_so_and_sent_away() {
    let (agent, _end) = agent();
    let mut client = Client::new(&agent);
    client.write(&Hello { version: PROTOCOL_VERSION + 1, role: "window".into(), stop: false }).await;
    let welcome: Welcome = client.hear().await.expect("welcome");
    let refused = welcome.refused.expect("refused");
    assert_eq!((welcome.version, refused.kind), (PROTOCOL_VERSION, ErrorKind::Unavailable));
    assert!(refused.message.contains(env!("CARGO_PKG_VERSION")), "{}", refused.message);
    assert!(client.hear::<Welcome>().await.is_none(), "hung up");
    assert!(!agent.stop.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_newer_client_can_have_an_old_agent_stop() {
    let (agent, _end) = agent();
    let mut client = Client::new(&agent);
    client.write(&serde_json::json!({"version": 999, "role": "window", "stop": true, "more": "later"})).await;
    assert_eq!(client.hear::<Welcome>().await.expect("welcome").refused, None);
    agent.stop.cancelled().await;
    agent.stopped.cancel();
    assert!(client.hear::<Welcome>().await.is_none(), "hung up when it had stopped");
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_cut_off_and_costs_nobody_else_anything() {
    let (agent, end) = agent();
    let mut seen = answer_all(end);
    let mut good = Client::joined(&agent, "test").await;

    let too_long = u32::try_from(HELLO_LEN_MAX + 1).expect("small").to_be_bytes();
    let greetings: [&[u8]; 5] =
        [&too_long, &[0xff; 8], b"\0\0\0\x02{]", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x05nul"];
    for greeting in greetings {
        let mut client = Client::new(&agent);
        client.say_bytes(greeting).await;
        client.0.shutdown().await.expect("end");
        assert!(client.hear::<Welcome>().await.is_none(), "{greeting:?}");
    }
    let unknown =
        framing::encode(&serde_json::json!({"id": 1, "request": "make_coffee"}), 100).expect("encode");
    let frames: [&[u8]; 4] = [&[0xff; 4], b"\0\0\0\x02{]", b"\0\0\0\0", &unknown];
    for frame in frames {
        let mut client = Client::joined(&agent, "test").await;
        client.say_bytes(frame).await;
        assert!(client.hear::<Frame>().await.is_none(), "{frame:?}");
    }

    good.ask(1, Command::Resume).await;
    assert_eq!(good.answer(1).await, Ok(Reply::Done));
    assert_eq!(seen.recv().await, Some(Request::Command(Command::Resume)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_cut_off() {
    let (agent, _end) = agent();
    let mut client = Client::new(&agent);
    let began = tokio::time::Instant::now();
    assert!(client.hear::<Welcome>().await.is_none());
    assert_eq!(began.elapsed(), HANDSHAKE_MAX);
    assert_eq!(*agent.clients.borrow(), 0, "its seat is free");
}

#[tokio::test(start_paused = true)]
async fn requests_reach_the_engine_in_their_order() {
    let (agent, end) = agent();
    let mut seen = answer_all(end);
    let mut client = Client::joined(&agent, "test").await;
    for id in 0..200_u64 {
        client.ask(id, Command::Rescan { id: Some(id.try_into().expect("small")) }).await;
        if id % 16 == 15 {
            client.answer(id).await.expect("done");
        }
    }
    for id in 0..200 {
        assert_eq!(seen.recv().await, Some(Request::Command(Command::Rescan { id: Some(id) })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_holds_up_no_other() {
    let (agent, mut end) = agent();
    let mut client = Client::joined(&agent, "test").await;
    client.ask(1, Operation::Verify { destination: None, deep: true }).await;
    client.ask(2, Command::Resume).await;
    let slow = end.calls.recv().await.expect("verify");
    let quick = end.calls.recv().await.expect("resume");
    quick.reply.send(Ok(Reply::Done)).expect("answer");
    assert_eq!(client.hear().await, Some(Frame::Reply { id: 2, outcome: Ok(Reply::Done) }));
    let verified = Reply::Verified { checked: 3, failed: 0, unproven: 0, reasons: Vec::new() };
    slow.reply.send(Ok(verified.clone())).expect("answer");
    assert_eq!(client.answer(1).await, Ok(verified));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_its_long_requests_and_no_short_ones() {
    let (agent, mut end) = agent();
    let mut client = Client::joined(&agent, "test").await;
    client.ask(1, Operation::Verify { destination: None, deep: true }).await;
    client.ask(2, Command::SetBackup { on: false }).await;
    drop(client);
    let mut long = end.calls.recv().await.expect("verify");
    let short = end.calls.recv().await.expect("switch");
    long.reply.closed().await;
    tokio::task::yield_now().await;
    assert_eq!(short.request, Request::Command(Command::SetBackup { on: false }));
    assert!(!short.reply.is_closed(), "a switch is a switch, even when the window has gone");
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_finds_the_newest_snapshot_and_holds_nobody_up() {
    let (agent, end) = agent();
    let mut slow = Client::joined(&agent, "test").await;
    let mut quick = Client::joined(&agent, "test").await;
    for client in [&mut slow, &mut quick] {
        client.ask(1, Request::Subscribe).await;
        assert_eq!(client.answer(1).await, Ok(Reply::Done));
    }
    let wide = "x".repeat(PIPE_LEN / 4);
    for revision in 1..=500 {
        let mut next = (*snapshot(revision, BackupSwitch::On)).clone();
        next.wait_reason =
            Some(crate::api::WaitText { kind: "queued".into(), until: None, summary: wide.clone() });
        end.snapshots.send_replace(Arc::new(next));
        loop {
            match quick.hear::<Frame>().await.expect("snapshot") {
                Frame::Snapshot(heard) if heard.revision == revision => break,
                _older => {}
            }
        }
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&500) {
        if let Frame::Snapshot(snapshot) = slow.hear::<Frame>().await.expect("snapshot") {
            heard.push(snapshot.revision);
        }
    }
    assert!(heard.len() < 10, "what it missed is not kept: {heard:?}");
    assert!(heard.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn raising_reaches_windows_that_listen_and_nobody_else() {
    let (agent, _end) = agent();
    let mut cli = Client::joined(&agent, "cli").await;
    let mut window = Client::joined(&agent, "window").await;
    cli.ask(1, Command::RaiseWindow).await;
    assert_eq!(cli.answer(1).await, Ok(Reply::Raised { was_open: false }), "it does not listen yet");

    cli.ask(2, Request::Subscribe).await;
    cli.answer(2).await.expect("subscribed");
    window.ask(1, Request::Subscribe).await;
    window.answer(1).await.expect("subscribed");
    let Some(Frame::Snapshot(_)) = window.hear().await else { panic!("the first snapshot") };
    cli.ask(3, Command::RaiseWindow).await;
    assert_eq!(cli.answer(3).await, Ok(Reply::Raised { was_open: true }));
    assert_eq!(window.hear().await, Some(Frame::Event(Event::RaiseWindow)));

    agent.handle.publish(Event::Notice { text: "for all".into() });
    loop {
        match cli.hear::<Frame>().await.expect("notice") {
            Frame::Event(event) => {
                assert_eq!(event, Event::Notice { text: "for all".into() });
                break;
            }
            _snapshot => {}
        }
    }
    drop(window);
    tokio::time::timeout(HANDSHAKE_MAX, async {
        let mut id = 4;
        loop {
            cli.ask(id, Command::RaiseWindow).await;
            if cli.answer(id).await == Ok(Reply::Raised { was_open: false }) {
                break;
            }
            id += 1;
        }
    })
    .await
    .expect("a window that has gone does not count");
}

const OPTIONS: AgentOptions = AgentOptions { leaves_when_idle: false, handles_signals: false };

fn listener(dir: &tempfile::TempDir) -> tokio::net::UnixListener {
    tokio::net::UnixListener::bind(dir.path().join("s")).expect("bind")
}

#[tokio::test]
async fn shutdown_is_answered_when_the_engine_has_stopped() {
    let dir = tempfile::tempdir().expect("temp");
    let (agent, mut end) = agent();
    let mut client = Client::joined(&agent, "window").await;
    let mut other = Client::joined(&agent, "window").await;
    other.ask(1, Request::Subscribe).await;
    other.answer(1).await.expect("subscribed");
    client.ask(1, Command::Shutdown).await;
    let server = tokio::spawn(serve(listener(&dir), agent.clone(), OPTIONS, CancellationToken::new()));
    let call = end.calls.recv().await.expect("stop");
    assert_eq!(call.request, Request::Command(Command::Shutdown));
    assert!(!agent.stopped.is_cancelled());
    call.reply.send(Ok(Reply::Done)).expect("answer");
    drop(end);
    assert_eq!(client.answer(1).await, Ok(Reply::Done));
    assert_eq!(server.await.expect("server"), AgentExit::Requested);
    let mut heard = Vec::new();
    while let Some(frame) = other.hear::<Frame>().await {
        heard.push(frame);
    }
    assert!(heard.contains(&Frame::Event(Event::Stopping)), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_does_not_keep_the_agent() {
    let dir = tempfile::tempdir().expect("temp");
    let (agent, _hangs) = agent();
    agent.stop.cancel();
    let began = tokio::time::Instant::now();
    let ending = serve(listener(&dir), agent.clone(), OPTIONS, CancellationToken::new()).await;
    assert_eq!((ending, began.elapsed()), (AgentExit::Requested, super::STOP_MAX));
}

#[tokio::test(start_paused = true)]
async fn an_idle_agent_leaves_only_when_backup_is_off() {
    let dir = tempfile::tempdir().expect("temp");
    let (agent, mut end) = agent();
    end.snapshots.send_replace(snapshot(1, BackupSwitch::Paused));
    let seat = agent.admit_client();
    let options = AgentOptions { leaves_when_idle: true, ..OPTIONS };
    let server = tokio::spawn(serve(listener(&dir), agent.clone(), options, CancellationToken::new()));

    tokio::time::advance(IDLE_GRACE * 10).await;
    drop(seat);
    tokio::time::advance(IDLE_GRACE * 10).await;
    assert!(!server.is_finished(), "paused is not off");
    end.snapshots.send_replace(snapshot(2, BackupSwitch::Off));
    let began = tokio::time::Instant::now();
    assert_eq!(end.calls.recv().await.expect("stop").request, Request::Command(Command::Shutdown));
    assert_eq!(began.elapsed(), IDLE_GRACE);
    drop(end);
    assert_eq!(server.await.expect("server"), AgentExit::Idle);
}

#[tokio::test]
async fn an_engine_that_stops_on_its_own_ends_the_agent() {
    let dir = tempfile::tempdir().expect("temp");
    let (agent, end) = agent();
    drop(end);
    let ending = serve(listener(&dir), agent, OPTIONS, CancellationToken::new()).await;
    assert_eq!(ending, AgentExit::EngineStopped);
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let dir = tempfile::tempdir().expect("temp");
    let (agent, end) = agent();
    let _seen = answer_all(end);
    let leave = CancellationToken::new();
    let server = tokio::spawn(serve(listener(&dir), agent.clone(), OPTIONS, leave.clone()));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS_MAX {
        clients.push(tokio::net::UnixStream::connect(dir.path().join("s")).await.expect("connect"));
    }
    let mut count = agent.clients.subscribe();
    count.wait_for(|count| *count == CLIENTS_MAX).await.expect("all are in");
    let mut late = tokio::net::UnixStream::connect(dir.path().join("s")).await.expect("connect");
    let mut words = Vec::new();
    late.read_to_end(&mut words).await.expect("read");
    let welcome: Welcome = framing::decode(&words[HEAD_LEN..]).expect("welcome");
    assert!(welcome.refused.expect("refused").message.contains("Too many"));
    leave.cancel();
    assert_eq!(server.await.expect("server"), AgentExit::Left);
}
