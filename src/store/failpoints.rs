//! Commit points, for the simulation: each can be looked at from inside its transaction, and each
//! can be the last thing that a run does.
//!
//! All of it is for one thread: the simulation runs an engine's every part on the thread that owns
//! it. After a run has died nothing of it reaches the database, and whoever waits for the database
//! waits for ever, as a killed process does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::row::StoreError;
use super::writer::Write;

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Live,
    /// It ends here.
    Die,
}

/// Looks at commit points.
pub trait CommitObserver {
    /// All is written and nothing committed. `kind` names the place in the source that writes.
    fn before(&self, kind: &'static str, tx: &Write<'_>) -> Verdict;
    /// All is committed and nobody has heard of it.
    fn after(&self, kind: &'static str, tx: &Write<'_>) -> Verdict;
}

thread_local! {
    static OBSERVER: RefCell<Option<Rc<dyn CommitObserver>>> = const { RefCell::new(None) };
    static WRITE_NAME: Cell<&'static str> = const { Cell::new("") };
    static IS_DEAD: Cell<bool> = const { Cell::new(false) };
    static HISTORY: Cell<Option<i64>> = const { Cell::new(None) };
}

/// How many changes are kept by every store of this thread, so that a token can expire in a small
/// history too; as many as always where there is none.
pub fn keep_changes(kept: Option<i64>) {
    HISTORY.set(kept);
}

/// What [`keep_changes`] was told.
pub(super) fn changes_kept() -> Option<i64> {
    HISTORY.get()
}

/// Sets an observer before this thread's commits, or takes it away; the next run lives.
pub fn set_observer(observer: Option<Rc<dyn CommitObserver>>) {
    IS_DEAD.set(false);
    OBSERVER.set(observer);
}

/// Ends the run on this thread here and now.
pub fn kill() {
    IS_DEAD.set(true);
}

/// Whether the run on this thread is over.
pub fn is_dead() -> bool {
    IS_DEAD.get()
}

/// Never returns in a run that is over.
pub async fn wait_if_dead() {
    if is_dead() {
        std::future::pending::<()>().await;
    }
}

/// Names the place that is about to write.
pub(super) fn name_write<F>() {
    WRITE_NAME.set(std::any::type_name::<F>());
}

/// Before the commit of what was written.
pub(super) fn before(tx: &Write<'_>) -> Result<(), StoreError> {
    ask_observer(|observer| observer.before(WRITE_NAME.get(), tx))
}

/// After the commit of what was written.
pub(super) fn after(tx: &Write<'_>) {
    // Whoever wrote hears nothing any more: it waits at [`wait_if_dead`].
    ask_observer(|observer| observer.after(WRITE_NAME.get(), tx)).ok();
}

fn ask_observer(verdict: impl FnOnce(&dyn CommitObserver) -> Verdict) -> Result<(), StoreError> {
    let observer = OBSERVER.with_borrow(Clone::clone);
    let Some(observer) = observer else { return Ok(()) };
    if is_dead() {
        return Err(StoreError::Closed);
    }
    if verdict(observer.as_ref()) == Verdict::Die {
        kill();
    }
    if is_dead() { Err(StoreError::Closed) } else { Ok(()) }
}
