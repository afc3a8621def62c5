//! How soon a window shows something, with the agent running.
//!
//! Opens the window as the binary does, with one listener between it and its backend, and ends the
//! process once the grid has been shown.

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};

use safelight::api::{PathText, Request, Snapshot};
use safelight::cli;
use safelight::client::{Backend, BackendEvent, Connection, Picture, PictureRequest, Ticket};
use safelight::domain::time::UnixMillis;
use safelight::ui::{self, Wake};

use super::Outcome;

/// Looks at the snapshot before the first frame: one when the window is made, one as the frame begins.
const LOOKS_BEFORE_FIRST: usize = 2;

/// Listens to what the window asks for.
struct Listener {
    inner: Box<dyn Backend>,
    wake: Arc<OnceLock<Wake>>,
    looks: std::cell::Cell<usize>,
    has_grid: bool,
}

/// Prints `frame` when the first frame has been shown and `grid` when photos have, and ends.
pub fn first_frames(data: &str) -> Outcome {
    let words = ["safelight", "--data-dir", data].map(OsString::from);
    let arguments = cli::parse(words).map_err(|code| format!("exit code {code}"))?;
    let code = cli::open_window(&arguments.global, |opening| {
        let wake = Arc::new(OnceLock::<Wake>::new());
        let (woken, mine) = (Arc::clone(&wake), Arc::clone(&wake));
        let wake_window = move || {
            if let Some(wake) = woken.get() {
                wake();
            }
        };
        let inner = opening.backend(wake_window).map_err(|error| error.to_string())?;
        let listener = Listener { inner, wake: mine, looks: std::cell::Cell::new(0), has_grid: false };
        let factory = Box::new(move |window: Wake| -> Box<dyn Backend> {
            drop(wake.set(window));
            Box::new(listener)
        });
        ui::run(factory, ui::Options { preferences: opening.remembered(), ..ui::Options::default() })
    });
    Err(format!("the window closed before it showed photos: exit code {code}").into())
}

impl Listener {
    fn ask_for_a_frame(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

impl Backend for Listener {
    fn connection(&self) -> Connection {
        self.inner.connection()
    }

    /// Called once as each frame begins: what was painted before has been shown.
    fn snapshot(&self) -> Arc<Snapshot> {
        self.looks.set(self.looks.get() + 1);
        if self.looks.get() == LOOKS_BEFORE_FIRST {
            self.ask_for_a_frame();
        }
        if self.looks.get() == LOOKS_BEFORE_FIRST + 1 {
            println!("frame");
        }
        if self.has_grid {
            println!("grid");
            std::process::exit(0);
        }
        self.inner.snapshot()
    }

    fn send(&mut self, request: Request) -> Ticket {
        self.inner.send(request)
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        self.inner.poll()
    }

    fn want_pictures(&mut self, wanted: Vec<PictureRequest>) {
        self.has_grid |= !wanted.is_empty();
        self.ask_for_a_frame();
        self.inner.want_pictures(wanted);
    }

    fn poll_picture(&mut self) -> Option<Picture> {
        self.inner.poll_picture()
    }

    fn pick_file(&mut self, title: &str) -> Ticket {
        self.inner.pick_file(title)
    }

    fn pick_folder(&mut self, title: &str) -> Ticket {
        self.inner.pick_folder(title)
    }

    fn show_in_folder(&mut self, path: &PathText) {
        self.inner.show_in_folder(path);
    }

    fn now(&self) -> UnixMillis {
        self.inner.now()
    }
}
