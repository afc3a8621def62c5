//! `SIGINT`, `SIGTERM` and `SIGHUP` end a command cleanly; a second one ends it at once.

use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::exit::Exit;
use crate::client::conversation::Interrupter;

/// Whether a signal came, and what it interrupts.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    came: Arc<AtomicBool>,
    current: Arc<Mutex<Option<Interrupter>>>,
}

impl Signals {
    /// Listens from now on. Until there is something to interrupt, a signal ends the process.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen() -> io::Result<Self> {
        let signals = Self::default();
        let code = i32::from(Exit::Interrupted.code());
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order counts: the first signal finds the flag down and only raises it.
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&signals.came))?;
            signal_hook::flag::register(signal, Arc::clone(&signals.came))?;
        }
        let mut arriving = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let listening = signals.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            if arriving.forever().next().is_some() {
                match &*listening.current.lock() {
                    Some(interrupter) => interrupter.interrupt(),
                    None => std::process::exit(code),
                }
            }
        })?;
        Ok(signals)
    }

    /// From now on a signal ends the waits of this talk.
    pub fn interrupt(&self, interrupter: Interrupter) {
        *self.current.lock() = Some(interrupter);
    }

    /// Whether a signal came.
    pub fn was_interrupted(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }
}
