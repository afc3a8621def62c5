//! Whether the agent starts at sign-in, for a window that must not wait for a disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parking_lot::Mutex;

use crate::base::waker::Waker;
use crate::platform::sign_in::SignInEntry;
pub use crate::platform::sign_in::SignInState;

/// Changes that may wait for the disk. A person does not click faster.
const CHANGES_MAX: usize = 8;

/// A change that a window asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignInChange {
    /// The person switched it on or off.
    Set(bool),
    /// Backup was switched on: start at sign-in, unless somebody has decided already.
    SetIfUndecided,
    /// Nothing is changed: another program may have, so the entry is read again.
    Refresh,
}

/// Shows and changes whether the agent starts at sign-in. Never blocks.
#[derive(Debug, Clone, Default)]
pub struct SignInSwitch {
    shown: Arc<Mutex<Option<SignInState>>>,
    changes: Option<SyncSender<SignInChange>>,
}

impl SignInSwitch {
    /// Starts the thread that reads and writes `entry`, and wakes the window when something changed.
    pub(crate) fn start(entry: SignInEntry, waker: Waker) -> Self {
        let (changes, received) = sync_channel(CHANGES_MAX);
        let shown = Arc::<Mutex<Option<SignInState>>>::default();
        let thread = {
            let shown = Arc::clone(&shown);
            move || apply_changes(&entry, &received, &shown, &waker)
        };
        match std::thread::Builder::new().name("sign-in".to_owned()).spawn(thread) {
            Ok(_) => Self { shown, changes: Some(changes) },
            Err(error) => {
                tracing::warn!("start at sign-in cannot be changed: {error}");
                Self::default()
            }
        }
    }

    /// A switch without a file behind it, which keeps what it is set to.
    #[cfg(feature = "testing")]
    pub fn in_memory(state: SignInState) -> Self {
        Self { shown: Arc::new(Mutex::new(Some(state))), changes: None }
    }

    /// Returns whether the agent starts at sign-in; `None` if that is unknown or not to be had here.
    pub fn state(&self) -> Option<SignInState> {
        *self.shown.lock()
    }

    /// Switches it on or off.
    pub fn set(&self, on: bool) {
        let next = if on { SignInState::On } else { SignInState::Off };
        self.request(SignInChange::Set(on), next);
    }

    /// Switches it on, unless the person or the desktop has decided already.
    pub fn set_if_undecided(&self) {
        if self.state() == Some(SignInState::Undecided) {
            self.request(SignInChange::SetIfUndecided, SignInState::On);
        }
    }

    /// Reads the state again: a command or the desktop's own settings may have changed it.
    pub fn refresh(&self) {
        if let Some(changes) = &self.changes {
            // A queue that is full ends with a reading too.
            changes.try_send(SignInChange::Refresh).ok();
        }
    }

    fn request(&self, change: SignInChange, next: SignInState) {
        if let Some(changes) = &self.changes {
            // A full queue means that the disk hangs. The change is dropped, and what is shown stays true.
            if changes.try_send(change).is_err() {
                return;
            }
        }
        let mut now = self.shown.lock();
        if now.is_some() {
            *now = Some(next);
        }
    }
}

fn apply_changes(
    entry: &SignInEntry,
    received: &Receiver<SignInChange>,
    shown: &Mutex<Option<SignInState>>,
    waker: &Waker,
) {
    let show_state = || {
        *shown.lock() = entry.state().ok();
        waker.wake();
    };
    show_state();
    while let Ok(change) = received.recv() {
        let outcome = match change {
            SignInChange::Set(on) => entry.set(on),
            SignInChange::SetIfUndecided => entry.set_if_undecided().map(|_| ()),
            SignInChange::Refresh => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::warn!("start at sign-in cannot be changed: {error}");
        }
        show_state();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::{SignInState, SignInSwitch};
    use crate::base::waker::Waker;
    use crate::platform::paths::{Environment, Paths};
    use crate::platform::sign_in::SignInEntry;

    /// The thread answers at once; this only ends a test that would hang.
    const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

    #[test]
    fn what_another_program_changes_is_shown_once_it_is_read_again() {
        let home = tempfile::tempdir().expect("a folder");
        let environment = Environment { home: Some(home.path().to_owned()), ..Environment::default() };
        let paths = Paths::prepare(None, &environment).expect("paths");
        let entry = SignInEntry::locate(&paths, &environment).expect("a place for an entry");
        let (wakes, woken) = sync_channel(1);
        let waker = Waker::new(move || wakes.send(()).expect("the test listens"));
        let switch = SignInSwitch::start(entry.clone(), waker);
        woken.recv_timeout(ANSWERED_WITHIN).expect("it is read at the start");
        assert_eq!(switch.state(), Some(SignInState::Undecided));
        entry.set(true).expect("another program writes it");
        switch.refresh();
        woken.recv_timeout(ANSWERED_WITHIN).expect("it is read again");
        assert_eq!(switch.state(), Some(SignInState::On));
    }
}
