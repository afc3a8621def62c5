//! Extensions that a test plays: each does what it is told, and all that happens to it is counted.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::extension::{BoxFuture, BuiltIn, Extension, JobContext, MakeExtension, ProcessingResult};
use crate::store::DestinationRow;

/// What one call does.
pub(super) type Script =
    Arc<dyn for<'a> Fn(&'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult> + Send + Sync>;

/// What happened to the extensions of one destination.
#[derive(Debug, Default)]
pub(super) struct ExtensionLog {
    /// Extensions that were made.
    pub made: AtomicU32,
    /// Calls that began.
    pub calls: AtomicU32,
    /// Notices of the end.
    pub notices: AtomicU32,
}

impl ExtensionLog {
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

/// Makes played extensions for the destinations that have a play, and built-in ones for the rest.
#[derive(Default)]
pub(super) struct ScriptedExtensions {
    plays: Mutex<BTreeMap<String, (Script, Arc<ExtensionLog>)>>,
}

impl ScriptedExtensions {
    /// The destination of this name is played from now on, as far as its extension is made again.
    pub fn script(&self, name: &str, script: Script) -> Arc<ExtensionLog> {
        let seen = Arc::<ExtensionLog>::default();
        let mut plays = self.plays.lock();
        plays.insert(name.to_owned(), (script, Arc::clone(&seen)));
        seen
    }

    /// The destination of this name has the built-in extension from now on.
    pub fn behave(&self, name: &str) {
        self.plays.lock().remove(name);
    }
}

impl MakeExtension for ScriptedExtensions {
    fn make(&self, destination: &DestinationRow) -> Box<dyn Extension> {
        let plays = self.plays.lock();
        match plays.get(&destination.name) {
            None => Box::new(BuiltIn),
            Some((script, seen)) => {
                seen.made.fetch_add(1, Ordering::SeqCst);
                Box::new(ScriptedExtension { script: Arc::clone(script), seen: Arc::clone(seen) })
            }
        }
    }
}

struct ScriptedExtension {
    script: Script,
    seen: Arc<ExtensionLog>,
}

impl Extension for ScriptedExtension {
    fn process_jobs<'a>(&'a mut self, cx: &'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult> {
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        (self.script)(cx)
    }

    fn will_terminate(&mut self) -> BoxFuture<'_, ()> {
        self.seen.notices.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}
