//! Whole lines from client to engine: real sockets, real threads, a scripted engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::agent::{AgentOptions, Host, StartEngine};
use crate::api::framing::{HEAD_LEN, body_len, encode};
use crate::api::{
    self, Event, HELLO_LEN_MAX, Operation, PROTOCOL_VERSION, PathText, Query, Reply, Request, Snapshot,
    Welcome,
};
use crate::base::waker::Waker;
use crate::cli::Exit;
use crate::cli::connect::{WindowClaim, claim_window_within, connect_within, stop, window_connector};
use crate::client::remote::{ConnectError, Remote};
use crate::client::window_backend::{Connector, Desktop, OpenError, PickDone, WindowBackend};
use crate::client::{Backend as _, BackendEvent, Connection, Picture, PictureRequest, PictureSource};
use crate::engine::{self, EngineEnd};
use crate::platform::lock::DirLock;
use crate::platform::paths::{Environment, Paths};
use crate::platform::socket;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);
const OPTIONS: AgentOptions = AgentOptions { leaves_when_idle: false, handles_signals: false };

struct Home {
    _dir: tempfile::TempDir,
    paths: Paths,
}

fn home() -> Home {
    let dir = tempfile::tempdir().expect("temp");
    let paths = Paths::prepare(Some(&dir.path().join("data")), &Environment::default()).expect("paths");
    Home { _dir: dir, paths }
}

/// What a scripted engine was asked, and its other ends.
struct EngineProbe {
    asked: Receiver<Request>,
    snapshots: Receiver<tokio::sync::watch::Sender<Arc<Snapshot>>>,
}

impl EngineProbe {
    fn next(&self) -> Request {
        self.asked.recv_timeout(SOON).expect("a request")
    }
}

/// An engine that answers everything with `Done`, but never answers a `Verify`. It hands its
/// snapshots out and stops when asked to.
fn engine() -> (StartEngine, EngineProbe) {
    let (asked, seen) = sync_channel(1_000);
    let (hand_out, snapshots) = sync_channel(1);
    let start: StartEngine = Box::new(move |_paths| {
        Box::pin(async move {
            let (handle, end) = engine::channel();
            tokio::spawn(answer(end, asked, hand_out));
            Ok(handle)
        })
    });
    (start, EngineProbe { asked: seen, snapshots })
}

async fn answer(
    end: EngineEnd,
    asked: SyncSender<Request>,
    hand_out: SyncSender<tokio::sync::watch::Sender<Arc<Snapshot>>>,
) {
    let EngineEnd { mut calls, snapshots, events: _events } = end;
    // The watch is shared with the test; it closes when both ends have let go.
    let (own, mut copy) = tokio::sync::watch::channel(Arc::clone(&snapshots.borrow()));
    hand_out.send(own).ok();
    let mut unanswered = Vec::new();
    loop {
        tokio::select! {
            call = calls.recv() => {
                let Some(call) = call else { return };
                asked.send(call.request.clone()).ok();
                match call.request {
                    Request::Operation(Operation::Verify { .. }) => unanswered.push(call.reply),
                    Request::Query(Query::Snapshot) => {
                        let now = Reply::Snapshot(Box::new((**snapshots.borrow()).clone()));
                        call.reply.send(Ok(now)).ok();
                    }
                    Request::Command(api::Command::Shutdown) => {
                        call.reply.send(Ok(Reply::Done)).ok();
                        return;
                    }
                    _other => { call.reply.send(Ok(Reply::Done)).ok(); }
                }
            }
            changed = copy.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                snapshots.send_replace(Arc::clone(&copy.borrow_and_update()));
            }
        }
    }
}

fn host(paths: &Paths) -> (Host, EngineProbe) {
    let lock = DirLock::acquire(&paths.lock()).expect("lock");
    let (start, seen) = engine();
    (Host::start(paths, lock, start, OPTIONS).expect("host"), seen)
}

fn revision(revision: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot { revision, ..Snapshot::default() })
}

#[test]
fn a_command_without_an_agent_is_one_and_others_join_it() {
    let home = home();
    let (start, seen) = engine();
    let mut first = connect_within(&home.paths, start, SOON).expect("first");
    assert!(first.host.is_some());
    first.talk.call(api::Command::Resume.into()).expect("in process");
    assert_eq!(seen.next(), Request::Command(api::Command::Resume));

    let (unused, _) = engine();
    let mut second = connect_within(&home.paths, unused, SOON).expect("second");
    assert!(second.host.is_none(), "it uses the first one's engine");
    second.talk.call(api::Command::Pause { for_secs: None }.into()).expect("over the socket");
    assert_eq!(seen.next(), Request::Command(api::Command::Pause { for_secs: None }));

    let snapshots = seen.snapshots.recv_timeout(SOON).expect("snapshots");
    snapshots.send_replace(revision(4));
    for talk in [&mut first.talk, &mut second.talk] {
        let newer = talk.wait_snapshot(3, Some(SOON)).expect("waits").expect("newer");
        assert_eq!(newer.revision, 4);
        assert_eq!(talk.wait_snapshot(4, Some(Duration::ZERO)).expect("waits"), None);
    }
    first.leave();
    assert!(second.talk.call(api::Command::Resume.into()).is_err(), "the engine has gone with its command");
    assert!(!home.paths.socket.exists());
    DirLock::acquire(&home.paths.lock()).expect("the data directory is free");
}

#[test]
fn an_agent_is_found_from_another_environment() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    let run = home._dir.path().join("run");
    std::fs::create_dir(&run).expect("dir");
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).expect("mode");
    let on_desktop = Environment { runtime_dir: Some(run.into_os_string()), ..Environment::default() };
    let desktop = Paths::prepare(Some(&home.paths.data_dir), &on_desktop).expect("paths");
    assert_ne!(desktop.socket, home.paths.socket);
    for (agents, clients) in [(&desktop, &home.paths), (&home.paths, &desktop)] {
        let (host, seen) = host(agents);
        let (unused, _) = engine();
        let mut joined = connect_within(clients, unused, Duration::ZERO).expect("joined");
        joined.talk.call(api::Command::Resume.into()).expect("done");
        assert_eq!(seen.next(), Request::Command(api::Command::Resume));
        host.leave();
        assert!(
            !agents.socket_paths().iter().any(|door| door.symlink_metadata().is_ok()),
            "doors are closed"
        );
    }
}

#[test]
fn a_held_lock_without_a_socket_is_told_with_its_holder() {
    let home = home();
    let _lock = DirLock::acquire(&home.paths.lock()).expect("lock");
    let (start, _seen) = engine();
    let error = connect_within(&home.paths, start, Duration::ZERO).err().expect("refused");
    assert_eq!(error.exit, Exit::Internal);
    let pid = std::process::id().to_string();
    assert!(error.message.contains("does not respond") && error.message.contains(&pid), "{error:?}");
}

#[test]
fn an_engine_that_does_not_start_says_why() {
    let home = home();
    let start: StartEngine =
        Box::new(|_| Box::pin(async { Err("The database is from a newer release".to_owned()) }));
    let error = connect_within(&home.paths, start, SOON).err().expect("refused");
    assert_eq!(error.message, "The database is from a newer release");
    DirLock::acquire(&home.paths.lock()).expect("the lock is free again");
}

#[test]
fn stopping_waits_until_the_data_directory_is_free() {
    let home = home();
    assert_eq!(stop(&home.paths), Ok(false), "nothing runs");
    let (host, seen) = host(&home.paths);
    let agent = std::thread::Builder::new().spawn(move || host.wait()).expect("thread");
    assert_eq!(stop(&home.paths), Ok(true));
    assert_eq!(seen.next(), Request::Command(api::Command::Shutdown));
    DirLock::acquire(&home.paths.lock()).expect("free");
    assert_eq!(agent.join().expect("agent"), crate::agent::AgentExit::Requested);
}

#[test]
fn an_interrupt_ends_every_wait() {
    let home = home();
    let (host, _seen) = host(&home.paths);
    let in_process = crate::client::in_process::InProcess::new(host.runtime().clone(), host.handle().clone());
    let remote = Remote::connect(&home.paths.socket, "test").expect("connect");
    let talks: [Box<dyn crate::client::conversation::Conversation + Send>; 2] =
        [Box::new(in_process), Box::new(remote)];
    for mut talk in talks {
        let interrupter = talk.interrupter();
        let (done, ended) = sync_channel(1);
        let waiting = std::thread::Builder::new()
            .spawn(move || {
                let first = talk.call(Operation::Verify { destination: None, deep: true }.into());
                let next = talk.wait_snapshot(100, None);
                done.send((first.is_err(), next.is_err())).expect("said");
            })
            .expect("thread");
        interrupter.interrupt();
        assert_eq!(ended.recv_timeout(SOON).expect("ended"), (true, true));
        waiting.join().expect("thread");
    }
    host.leave();
}

/// Greets one client as an agent of another version would.
fn other_version(socket: &Path, version: u32) -> std::thread::JoinHandle<()> {
    use std::io::{Read as _, Write as _};
    let listener = socket::listen(socket).expect("listen");
    std::thread::Builder::new()
        .spawn(move || {
            let (mut stream, _) = listener.accept().expect("accept");
            let mut head = [0; HEAD_LEN];
            stream.read_exact(&mut head).expect("head");
            let mut body = vec![0; body_len(head, HELLO_LEN_MAX).expect("len")];
            stream.read_exact(&mut body).expect("hello");
            let refused = crate::api::ApiError::new(crate::api::ErrorKind::Unavailable, "I am another");
            let welcome = Welcome { version, release: "0".into(), pid: 1, refused: Some(refused) };
            stream.write_all(&encode(&welcome, HELLO_LEN_MAX).expect("encode")).expect("welcome");
        })
        .expect("thread")
}

#[test]
fn another_version_is_told_from_other_errors() {
    let home = home();
    let nobody = Remote::connect(&home.paths.socket, "test").expect_err("nobody");
    assert!(matches!(nobody, ConnectError::NotRunning));
    let newer = other_version(&home.paths.socket, PROTOCOL_VERSION + 1);
    let error = Remote::connect(&home.paths.socket, "test").expect_err("newer");
    assert!(matches!(error, ConnectError::OtherVersion { version, .. } if version > PROTOCOL_VERSION));
    newer.join().expect("greeted");

    let newer = other_version(&home.paths.socket, PROTOCOL_VERSION + 1);
    let refused = window_connector(home.paths)(false).expect_err("newer");
    assert_eq!(refused, OpenError { message: "I am another".into(), is_final: true });
    newer.join().expect("greeted");
}

struct NoPictures;

impl PictureSource for NoPictures {
    fn want(&mut self, _wanted: Vec<PictureRequest>) {}
    fn poll(&mut self) -> Option<Picture> {
        None
    }
}

/// A desktop whose dialog picks what it was given.
struct Picks(Option<Result<Option<PathBuf>, String>>);

impl Desktop for Picks {
    fn pick_folder(&mut self, _title: &str, done: PickDone) -> std::io::Result<()> {
        if let Some(outcome) = self.0.take() {
            done(outcome);
        }
        Ok(())
    }

    fn pick_file(&mut self, title: &str, done: PickDone) -> std::io::Result<()> {
        self.pick_folder(title, done)
    }

    fn show_in_folder(&mut self, _path: &Path) {}
}

struct Window {
    backend: WindowBackend,
    woken: Receiver<()>,
}

impl Window {
    fn open(join: Connector, picks: Picks) -> Self {
        let (wake, woken) = sync_channel(1);
        let waker = Waker::new(move || {
            wake.try_send(()).ok();
        });
        let backend =
            WindowBackend::start(join, waker, Box::new(NoPictures), Box::new(picks)).expect("backend");
        Self { backend, woken }
    }

    /// Looks again after each wake-up until there is something.
    fn until<T>(&mut self, mut look: impl FnMut(&mut WindowBackend) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&mut self.backend) {
                return found;
            }
            self.woken.recv_timeout(SOON).expect("a wake-up");
        }
    }

    fn until_connection(&mut self, wanted: impl Fn(&Connection) -> bool) {
        self.until(|backend| wanted(&backend.connection()).then_some(()));
    }
}

fn unasked(_paths: &Paths) -> Result<(), String> {
    panic!("no agent is needed")
}

#[test]
fn of_two_first_starts_one_opens_a_window() {
    let home = home();
    let claim = |within| claim_window_within(&home.paths, within, |_paths| Ok(()));
    let Ok(WindowClaim::Ours(Some(first))) = claim_window_within(&home.paths, SOON, unasked) else {
        panic!("the first opens a window")
    };
    // One that hangs is not doubled.
    let error = claim(Duration::from_millis(200)).expect_err("it does not answer");
    assert!(error.message.contains("does not respond") && error.advice.is_some(), "{error:?}");
    // One that is only just opening is waited for, and asked to come to the front.
    std::thread::scope(|scope| {
        let second = scope.spawn(|| claim(SOON));
        let (agent, _seen) = host(&home.paths);
        let mut window = Window::open(existing_connector(&home.paths), Picks(None));
        assert_eq!(window.until(|backend| backend.poll()), BackendEvent::Event(Event::RaiseWindow));
        assert!(matches!(second.join(), Ok(Ok(WindowClaim::Raised))));
        agent.leave();
    });
    // One that closes meanwhile makes room.
    std::thread::scope(|scope| {
        let second = scope.spawn(|| claim(SOON));
        drop(first);
        assert!(matches!(second.join(), Ok(Ok(WindowClaim::Ours(Some(_))))));
    });
}

#[test]
fn a_window_lives_through_its_agent() {
    let home = home();
    let (first, seen) = host(&home.paths);
    let mut window = Window::open(existing_connector(&home.paths), Picks(None));
    window.until_connection(|connection| *connection == Connection::Connected);
    let snapshots = seen.snapshots.recv_timeout(SOON).expect("snapshots");
    snapshots.send_replace(revision(9));
    window.until(|backend| (backend.snapshot().revision == 9).then_some(()));

    let ticket = window.backend.send(api::Command::Resume.into());
    let reply = window.until(|backend| backend.poll());
    assert_eq!(reply, BackendEvent::Reply { ticket, outcome: Ok(Reply::Done) });

    assert!(matches!(claim_window_within(&home.paths, SOON, unasked), Ok(WindowClaim::Raised)));
    assert_eq!(window.until(|backend| backend.poll()), BackendEvent::Event(Event::RaiseWindow));

    // The agent goes away in the middle of a request.
    let open = window.backend.send(Operation::Verify { destination: None, deep: false }.into());
    let is_verify = |request: &Request| matches!(request, Request::Operation(Operation::Verify { .. }));
    assert!((0..10).map(|_| seen.next()).any(|request| is_verify(&request)));
    first.leave();
    let lost = window.until(|backend| backend.poll());
    assert!(matches!(lost, BackendEvent::Reply { ticket, outcome: Err(_) } if ticket == open), "{lost:?}");
    window.until_connection(|connection| matches!(connection, Connection::Lost(_)));
}

/// Joins the agent, and never starts one.
fn existing_connector(paths: &Paths) -> Connector {
    let socket = paths.socket.clone();
    Box::new(move |_may_start| {
        Remote::connect(&socket, "window")
            .map_err(|error| OpenError { message: error.to_string(), is_final: false })
    })
}

#[test]
fn a_lost_line_is_mended_and_refuses_meanwhile() {
    let home = home();
    let mut window = Window::open(existing_connector(&home.paths), Picks(None));
    window.until_connection(|connection| *connection == Connection::Lost("Safelight is not running".into()));
    let ticket = window.backend.send(api::Command::Resume.into());
    let refused = window.until(|backend| backend.poll());
    assert!(matches!(refused, BackendEvent::Reply { ticket: t, outcome: Err(_) } if t == ticket));
    let (first, _seen) = host(&home.paths);
    window.until_connection(|connection| *connection == Connection::Connected);
    first.leave();
    window.until_connection(|connection| matches!(connection, Connection::Lost(_)));
    let (_second, _seen) = host(&home.paths);
    window.until_connection(|connection| *connection == Connection::Connected);
}

#[test]
fn the_last_request_of_a_closing_window_arrives() {
    let home = home();
    let (host, seen) = host(&home.paths);
    let mut window = Window::open(existing_connector(&home.paths), Picks(None));
    window.until_connection(|connection| *connection == Connection::Connected);
    window.backend.send(api::Command::Shutdown.into());
    drop(window);
    assert_eq!(seen.next(), Request::Command(api::Command::Shutdown));
    assert_eq!(host.wait(), crate::agent::AgentExit::Requested);
}

#[test]
fn too_many_requests_are_refused_at_once() {
    let home = home();
    let (_host, _seen) = host(&home.paths);
    let mut window = Window::open(existing_connector(&home.paths), Picks(None));
    window.until_connection(|connection| *connection == Connection::Connected);
    let most = crate::client::window_backend::CALLS_OPEN_MAX;
    for _ in 0..most {
        window.backend.send(Operation::Verify { destination: None, deep: false }.into());
    }
    let one_more = window.backend.send(api::Command::Resume.into());
    let refused = window.until(|backend| backend.poll());
    assert!(
        matches!(refused, BackendEvent::Reply { ticket, outcome: Err(_) } if ticket == one_more),
        "{refused:?}"
    );
}

#[test]
fn a_picked_folder_comes_back_with_its_ticket() {
    use std::os::unix::ffi::OsStrExt as _;
    let home = home();
    let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"/photos/\xff"));
    let mut window = Window::open(existing_connector(&home.paths), Picks(Some(Ok(Some(odd)))));
    let ticket = window.backend.pick_folder("Choose a folder");
    let picked = window.until(|backend| backend.poll());
    let outcome = Ok(Some(PathText::from_bytes(b"/photos/\xff")));
    assert_eq!(picked, BackendEvent::FolderPicked { ticket, outcome });

    // This desktop's second dialog stays open; a third one is not opened beside it.
    window.backend.pick_folder("Choose a folder");
    let third = window.backend.pick_folder("Choose a folder");
    let refused = window.until(|backend| backend.poll());
    assert_eq!(refused, BackendEvent::FolderPicked { ticket: third, outcome: Ok(None) });
}
