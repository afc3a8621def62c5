//! The window's [`Backend`]: a line to the agent on threads of its own, mended when it breaks.
//!
//! One thread joins the agent and reads; while the line is up a second one writes. What the window
//! sees is behind one mutex that is never held while anything is waited for.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::remote::{ConnectionCloser, Reader, Remote, Writer};
use super::{Backend, BackendEvent, Connection, Picture, PictureRequest, PictureSource, Ticket};
use crate::api::{ApiError, Call, ErrorKind, Event, Frame, PathText, Reply, Request, Snapshot};
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::files::{path_bytes, path_from_bytes};
use crate::base::waker::Waker;
use crate::domain::time::UnixMillis;
use crate::platform::{dialog, file_manager};

/// The most requests whose answers the window has not yet seen.
pub const CALLS_OPEN_MAX: usize = 256;
/// The most arrivals kept for a window that does not look; events beyond that are lost.
const INCOMING_MAX: usize = 2 * CALLS_OPEN_MAX;
/// The first pause before the line is mended; each next one is twice as long.
const MEND_FIRST: Duration = Duration::from_millis(250);
/// The longest pause before the line is mended.
const MEND_MAX: Duration = Duration::from_secs(10);
/// How long a closing window waits for its last requests to leave.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);
/// The call that subscribes; tickets start after it.
const SUBSCRIBE_ID: u64 = 0;

/// Joins the agent. `may_start` allows to start one where none runs.
pub type Connector = Box<dyn FnMut(bool) -> Result<Remote, OpenError> + Send>;

/// The agent cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenError {
    /// A sentence for the person.
    pub message: String,
    /// Trying again cannot help.
    pub is_final: bool,
}

/// What the window asks of the desktop.
pub trait Desktop: Send {
    /// Opens the folder dialog; see [`dialog::pick_folder`].
    ///
    /// # Errors
    /// When it cannot even be tried.
    fn pick_folder(&mut self, title: &str, done: PickDone) -> std::io::Result<()>;
    /// Opens the dialog that picks a file; see [`dialog::pick_file`].
    ///
    /// # Errors
    /// When it cannot be opened; `done` is then never called.
    fn pick_file(&mut self, title: &str, done: PickDone) -> std::io::Result<()>;
    /// Shows a file in the file manager.
    fn show_in_folder(&mut self, path: &Path);
}

/// Takes what was picked.
pub type PickDone = Box<dyn FnOnce(Result<Option<std::path::PathBuf>, String>) + Send>;

/// The desktop this process runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDesktop;

impl Desktop for SystemDesktop {
    fn pick_folder(&mut self, title: &str, done: PickDone) -> std::io::Result<()> {
        dialog::pick_folder(title, done)
    }

    fn pick_file(&mut self, title: &str, done: PickDone) -> std::io::Result<()> {
        dialog::pick_file(title, done)
    }

    fn show_in_folder(&mut self, path: &Path) {
        if let Err(error) = file_manager::show_in_folder(path) {
            tracing::warn!("a file could not be shown: {error}");
        }
    }
}

/// The window's end of the line.
pub struct WindowBackend {
    shared: Arc<Shared>,
    pictures: Box<dyn PictureSource>,
    desktop: Box<dyn Desktop>,
    next_ticket: u64,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    waker: Waker,
}

struct State {
    connection: Connection,
    snapshot: Arc<Snapshot>,
    incoming: VecDeque<BackendEvent>,
    /// Requests without an answer yet.
    open: BTreeSet<u64>,
    /// Those of them that have not left yet.
    outgoing: VecDeque<Call>,
    /// A request is leaving.
    is_writing: bool,
    line: Link,
    is_picking: bool,
    is_closing: bool,
}

enum Link {
    Down,
    Up(ConnectionCloser),
}

impl WindowBackend {
    /// Starts to join the agent. `waker` is called, from any thread, whenever there is something to
    /// look at; `pictures` has been given the same one by whoever made it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        join: Connector,
        waker: Waker,
        pictures: Box<dyn PictureSource>,
        desktop: Box<dyn Desktop>,
    ) -> std::io::Result<Self> {
        let state = State {
            connection: Connection::Connecting,
            snapshot: Arc::default(),
            incoming: VecDeque::new(),
            open: BTreeSet::new(),
            outgoing: VecDeque::new(),
            is_writing: false,
            line: Link::Down,
            is_picking: false,
            is_closing: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), waker });
        let line = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("window-line".into())
            .spawn(move || maintain_connection(&line, join))?;
        Ok(Self { shared, pictures, desktop, next_ticket: SUBSCRIBE_ID + 1 })
    }

    fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }
}

impl std::fmt::Debug for WindowBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WindowBackend")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes the state and tells everyone.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        self.waker.wake();
        result
    }

    fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    /// Waits for the state to please `done`, at most `within`.
    fn wait(&self, within: Option<Duration>, mut done: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        match within {
            None => self.changed.wait_while(&mut state, |state| !done(state)),
            Some(within) => {
                let _timed_out = self.changed.wait_while_for(&mut state, |state| !done(state), within);
            }
        }
        state
    }
}

impl State {
    fn deliver(&mut self, incoming: BackendEvent) {
        let is_event = matches!(incoming, BackendEvent::Event(_));
        if self.incoming.len() < INCOMING_MAX || !is_event {
            self.incoming.push_back(incoming);
        }
    }

    fn answer(&mut self, id: u64, outcome: Result<Reply, ApiError>) {
        if self.open.remove(&id) {
            self.deliver(BackendEvent::Reply { ticket: Ticket(id), outcome });
        }
    }

    /// The line is down: nothing under way will be answered any more.
    fn fail_pending(&mut self, message: &str) {
        self.connection = Connection::Lost(message.to_owned());
        self.line = Link::Down;
        self.outgoing.clear();
        for id in std::mem::take(&mut self.open) {
            let error = ApiError::new(ErrorKind::Unavailable, message);
            self.deliver(BackendEvent::Reply { ticket: Ticket(id), outcome: Err(error) });
        }
    }
}

/// Joins, reads, mends: until the window closes.
fn maintain_connection(shared: &Shared, mut join: Connector) {
    let mut pause = MEND_FIRST;
    // Whoever stopped the agent does not want it back only because a window is still open.
    let mut may_start = true;
    while !shared.is_closing() {
        let joined = join(may_start);
        let lost = match joined.and_then(|remote| run_connection(shared, remote)) {
            Ok(Disconnect { was_stopped, error }) => {
                pause = MEND_FIRST;
                may_start = !was_stopped;
                let message = if was_stopped { "Safelight was stopped".to_owned() } else { error.message };
                OpenError { message, is_final: false }
            }
            Err(error) => error,
        };
        shared.update(|state| state.fail_pending(&lost.message));
        let within = (!lost.is_final).then_some(pause);
        drop(shared.wait(within, |state| state.is_closing));
        pause = (pause * 2).min(MEND_MAX);
    }
}

/// How a line that was up went down.
struct Disconnect {
    was_stopped: bool,
    error: ApiError,
}

fn run_connection(shared: &Shared, remote: Remote) -> Result<Disconnect, OpenError> {
    let failed = |error: std::io::Error| OpenError {
        message: format!("Cannot start the connection: {error}"),
        is_final: false,
    };
    let (mut writer, mut reader, hang_up) = remote.split().map_err(failed)?;
    let subscribe = Call { id: SUBSCRIBE_ID, request: Request::Subscribe };
    if let Err(error) = writer.send(&subscribe) {
        return Ok(Disconnect { was_stopped: false, error });
    }
    shared.update(|state| state.line = Link::Up(hang_up));
    std::thread::scope(|scope| {
        let spawned = std::thread::Builder::new()
            .name("window-writer".into())
            .spawn_scoped(scope, || write_frames(shared, writer));
        let outcome = match spawned {
            Ok(_writer) => Ok(read_frames(shared, &mut reader)),
            Err(error) => Err(failed(error)),
        };
        // The writer may be waiting for more to say, or for an agent that no longer reads.
        shared.update(|state| {
            if let Link::Up(hang_up) = std::mem::replace(&mut state.line, Link::Down) {
                hang_up.hang_up();
            }
        });
        outcome
    })
}

fn read_frames(shared: &Shared, reader: &mut Reader) -> Disconnect {
    let mut was_stopped = false;
    loop {
        let frame = match reader.next(None) {
            Ok(Some(frame)) => frame,
            Ok(None) => continue,
            Err(error) => return Disconnect { was_stopped, error },
        };
        was_stopped |= matches!(frame, Frame::Event(Event::Stopping));
        shared.update(|state| match frame {
            Frame::Reply { id, outcome } => state.answer(id, outcome),
            Frame::Event(event) => state.deliver(BackendEvent::Event(event)),
            Frame::Snapshot(snapshot) => {
                state.snapshot = Arc::from(snapshot);
                state.connection = Connection::Connected;
            }
        });
    }
}

fn write_frames(shared: &Shared, mut writer: Writer) {
    loop {
        let call = {
            let mut state =
                shared.wait(None, |state| !state.outgoing.is_empty() || matches!(state.line, Link::Down));
            if matches!(state.line, Link::Down) {
                return;
            }
            let call = state.outgoing.pop_front();
            state.is_writing = call.is_some();
            call
        };
        let Some(call) = call else { continue };
        let sent = writer.send(&call);
        shared.lock().is_writing = false;
        shared.changed.notify_all();
        if let Err(error) = sent {
            shared.update(|state| state.answer(call.id, Err(error)));
        }
    }
}

impl WindowBackend {
    /// Opens a dialog with `open`; `refusal` is the answer where it cannot be opened.
    fn pick(
        &mut self,
        open: impl FnOnce(&mut dyn Desktop, PickDone) -> std::io::Result<()>,
        refusal: &str,
    ) -> Ticket {
        let ticket = self.ticket();
        let picked = move |shared: &Shared, outcome: Result<Option<PathText>, String>| {
            shared.update(|state| {
                state.is_picking = false;
                state.deliver(BackendEvent::FolderPicked { ticket, outcome });
            });
        };
        if std::mem::replace(&mut self.shared.lock().is_picking, true) {
            // One dialog is open; a second one beside it only confuses.
            self.shared
                .update(|state| state.deliver(BackendEvent::FolderPicked { ticket, outcome: Ok(None) }));
            return ticket;
        }
        let shared = Arc::clone(&self.shared);
        let done: PickDone = Box::new(move |outcome| {
            picked(&shared, outcome.map(|path| path.map(|path| PathText::from_bytes(&path_bytes(&path)))));
        });
        if let Err(error) = open(&mut *self.desktop, done) {
            tracing::warn!("the dialog could not be opened: {error}");
            picked(&self.shared, Err(refusal.to_owned()));
        }
        ticket
    }
}

impl Backend for WindowBackend {
    fn connection(&self) -> Connection {
        self.shared.lock().connection.clone()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.lock().snapshot)
    }

    fn send(&mut self, request: Request) -> Ticket {
        let ticket = self.ticket();
        let mut state = self.shared.lock();
        let refusal = match &state.connection {
            Connection::Lost(message) => Some(message.clone()),
            _other if state.open.len() + state.incoming.len() >= CALLS_OPEN_MAX => {
                Some("Too many requests at once; try again in a moment".to_owned())
            }
            _other => None,
        };
        match refusal {
            None => {
                state.open.insert(ticket.0);
                state.outgoing.push_back(Call { id: ticket.0, request });
            }
            Some(message) => {
                let outcome = Err(ApiError::new(ErrorKind::Unavailable, message));
                if state.incoming.len() < INCOMING_MAX {
                    state.deliver(BackendEvent::Reply { ticket, outcome });
                } else {
                    tracing::warn!("the window asks but does not listen");
                }
                self.shared.waker.wake();
            }
        }
        drop(state);
        self.shared.changed.notify_all();
        ticket
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        self.shared.lock().incoming.pop_front()
    }

    fn want_pictures(&mut self, wanted: Vec<PictureRequest>) {
        self.pictures.want(wanted);
    }

    fn poll_picture(&mut self) -> Option<Picture> {
        self.pictures.poll()
    }

    fn pick_folder(&mut self, title: &str) -> Ticket {
        self.pick(|desktop, done| desktop.pick_folder(title, done), dialog::NO_DIALOG)
    }

    fn pick_file(&mut self, title: &str) -> Ticket {
        self.pick(|desktop, done| desktop.pick_file(title, done), dialog::NO_FILE_DIALOG)
    }

    fn show_in_folder(&mut self, path: &PathText) {
        if let Some(bytes) = path.to_bytes() {
            self.desktop.show_in_folder(&path_from_bytes(&bytes));
        }
    }

    fn now(&self) -> UnixMillis {
        SystemClock.now()
    }
}

impl Drop for WindowBackend {
    fn drop(&mut self) {
        // The last request may be the one to stop the agent: it must leave first.
        let is_said = |state: &State| {
            (state.outgoing.is_empty() && !state.is_writing) || matches!(state.line, Link::Down)
        };
        let mut state = self.shared.wait(Some(LAST_WORDS_MAX), is_said);
        state.is_closing = true;
        if let Link::Up(hang_up) = &state.line {
            hang_up.hang_up();
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}
