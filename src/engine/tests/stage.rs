//! Extensions that a test plays: each does what it is told, and all that happens to it is counted.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::extension::{BoxFuture, BuiltIn, Extension, JobContext, MakeExtension, ProcessingResult};
use crate::store::DestinationRow;

/// What one call does.
pub(super) type Play =
    Arc<dyn for<'a> Fn(&'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult> + Send + Sync>;

/// What happened to the extensions of one destination.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Extensions that were made.
    pub made: AtomicU32,
    /// Calls that began.
    pub calls: AtomicU32,
    /// Notices of the end.
    pub notices: AtomicU32,
}

impl Seen {
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

/// Makes played extensions for the destinations that have a play, and built-in ones for the rest.
#[derive(Default)]
pub(super) struct Stage {
    plays: Mutex<BTreeMap<String, (Play, Arc<Seen>)>>,
}

impl Stage {
    /// The destination of this name is played from now on, as far as its extension is made anew.
    pub fn play(&self, name: &str, play: Play) -> Arc<Seen> {
        let seen = Arc::<Seen>::default();
        let mut plays = self.plays.lock();
        plays.insert(name.to_owned(), (play, Arc::clone(&seen)));
        seen
    }

    /// The destination of this name has the built-in extension from now on.
    pub fn behave(&self, name: &str) {
        self.plays.lock().remove(name);
    }
}

impl MakeExtension for Stage {
    fn make(&self, destination: &DestinationRow) -> Box<dyn Extension> {
        let plays = self.plays.lock();
        match plays.get(&destination.name) {
            None => Box::new(BuiltIn),
            Some((play, seen)) => {
                seen.made.fetch_add(1, Ordering::SeqCst);
                Box::new(Played { play: Arc::clone(play), seen: Arc::clone(seen) })
            }
        }
    }
}

struct Played {
    play: Play,
    seen: Arc<Seen>,
}

impl Extension for Played {
    fn process_jobs<'a>(&'a mut self, cx: &'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult> {
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        (self.play)(cx)
    }

    fn will_terminate(&mut self) -> BoxFuture<'_, ()> {
        self.seen.notices.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}
