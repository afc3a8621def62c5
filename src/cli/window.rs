//! What the window needs from below: one window at a time, a backend, and what it remembers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::Global;
use super::connect::WindowClaim;
use super::exit::{CliError, Exit};
use super::{Workspace, connect};
use crate::base::clock::SystemClock;
use crate::base::files::OsFiles;
use crate::base::waker::Waker;
use crate::client::Backend;
use crate::client::pictures::PicturePool;
use crate::client::sign_in::SignInSwitch;
use crate::client::window_backend::{SystemDesktop, WindowBackend};
use crate::media::thumb_cache::{CACHE_BYTES_MAX, ThumbCache};
use crate::platform::lock::DirLock;
use crate::platform::log::{LogGuard, Sink};
use crate::platform::paths::Paths;

/// A window that may open.
#[derive(Debug)]
pub struct Opening {
    paths: Paths,
    // Held for as long as the window may be open.
    _lock: Option<DirLock>,
    _log: Option<LogGuard>,
}

/// Gets ready to open the window; none when one is open already and has been brought to the front.
///
/// # Errors
/// When there is no display, or Safelight's places cannot be used.
pub fn open(global: &Global) -> Result<Option<Opening>, CliError> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !DISPLAYS.iter().any(|name| is_set(name)) {
        // Said before an agent is started for a window that cannot be.
        return Err(CliError::new(Exit::Usage, "There is no display to open a window on")
            .advise("The commands work without a window. To see them: safelight --help"));
    }
    let place = Workspace::prepare(global)?;
    let lock = match connect::claim_window(&place.paths)? {
        WindowClaim::Raised => return Ok(None),
        WindowClaim::Ours(lock) => lock,
    };
    let dir = place.paths.log_dir();
    let log = place.log(Sink::File { dir: &dir, name: "window" });
    Ok(Some(Opening { paths: place.paths, _lock: lock, _log: log }))
}

/// Where a desktop says that it is.
const DISPLAYS: [&str; 3] = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"];
/// The most that is read of what a window remembers, in bytes.
const MEMORY_LEN_MAX: u64 = 64 << 10;

impl Opening {
    /// The window's backend: the agent, joined or started, and pictures decoded in this process.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn backend(&self, wake: impl Fn() + Send + Sync + 'static) -> io::Result<Box<dyn Backend>> {
        let waker = Waker::new(wake);
        let thumbnails = self.paths.cache_dir.join("thumbnails");
        let cache = ThumbCache::new(thumbnails, CACHE_BYTES_MAX, Arc::new(SystemClock));
        let pictures = PicturePool::start(Arc::new(OsFiles), Some(cache), waker.clone())?;
        let join = connect::window_connector(self.paths.clone());
        let desktop = Box::new(SystemDesktop);
        Ok(Box::new(WindowBackend::start(join, waker, Box::new(pictures), desktop)?))
    }

    /// A way to show and change whether the agent starts at sign-in.
    pub fn sign_in(&self, wake: impl Fn() + Send + Sync + 'static) -> SignInSwitch {
        match super::sign_in::entry(&self.paths) {
            Some(entry) => SignInSwitch::start(entry, Waker::new(wake)),
            None => SignInSwitch::default(),
        }
    }

    /// Whether this window is about the usual data directory, and not one that somebody chose.
    pub fn is_usual(&self) -> bool {
        !self.paths.is_chosen
    }

    /// What the window remembers from last time, or what it begins with.
    pub fn remembered<T: DeserializeOwned + Default>(&self) -> T {
        let read = || -> io::Result<T> {
            let file = std::fs::File::open(self.memory())?;
            Ok(serde_json::from_reader(io::Read::take(file, MEMORY_LEN_MAX))?)
        };
        read().unwrap_or_else(|error| {
            tracing::debug!("the window remembers nothing: {error}");
            T::default()
        })
    }

    /// A way to keep what the window is to remember.
    pub fn remembering<T: Serialize>(&self) -> impl FnMut(&T) + 'static {
        let path = self.memory();
        move |memory| {
            // A new name first: a torn file would forget everything.
            let fresh = path.with_extension("tmp");
            let kept = serde_json::to_vec_pretty(memory)
                .map_err(io::Error::from)
                .and_then(|text| std::fs::write(&fresh, text))
                .and_then(|()| std::fs::rename(&fresh, &path));
            if let Err(error) = kept {
                tracing::warn!("the window will not remember: {error}");
            }
        }
    }

    fn memory(&self) -> PathBuf {
        self.paths.data_dir.join("window.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_nonsense_does_not() {
        let dir = tempfile::tempdir().expect("temp");
        let chosen = Some(dir.path());
        let paths = Paths::prepare(chosen, &crate::platform::paths::Environment::default()).expect("paths");
        let opening = Opening { paths, _lock: None, _log: None };
        assert_eq!(opening.remembered::<Vec<u32>>(), Vec::<u32>::new());
        opening.remembering()(&vec![1, 2, 3]);
        assert_eq!(opening.remembered::<Vec<u32>>(), [1, 2, 3]);
        std::fs::write(opening.memory(), b"[1, 2").expect("write");
        assert_eq!(opening.remembered::<Vec<u32>>(), Vec::<u32>::new());
    }
}
