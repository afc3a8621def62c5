//! What the window needs from below: one window at a time, and a backend.

use super::args::Global;
use super::exit::Trouble;
use super::{Place, join};
use crate::base::waker::Waker;
use crate::client::window_backend::{SystemDesktop, WindowBackend};
use crate::client::{Backend, PictureSource};
use crate::platform::log::{LogGuard, Sink};
use crate::platform::paths::Paths;

/// A window that may open.
#[derive(Debug)]
pub struct Opening {
    paths: Paths,
    _log: Option<LogGuard>,
}

/// Gets ready to open the window; none when one is open already and has been brought to the front.
///
/// # Errors
/// When Safelight's places cannot be used.
pub fn open(global: &Global) -> Result<Option<Opening>, Trouble> {
    let place = Place::prepare(global)?;
    if join::raise_window(&place.paths) {
        return Ok(None);
    }
    let dir = place.paths.log_dir();
    let log = place.log(Sink::File { dir: &dir, name: "window" });
    Ok(Some(Opening { paths: place.paths, _log: log }))
}

impl Opening {
    /// Where Safelight keeps its things.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The window's backend. `pictures` wakes the same `waker`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn backend(&self, waker: Waker, pictures: Box<dyn PictureSource>) -> std::io::Result<Box<dyn Backend>> {
        let join = join::window_join(self.paths.clone());
        Ok(Box::new(WindowBackend::start(join, waker, pictures, Box::new(SystemDesktop))?))
    }
}
