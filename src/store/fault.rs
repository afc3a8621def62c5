//! A disk that takes nothing, for tests: commits of this thread fail as they would on one.

use std::cell::Cell;

use super::row::{Outage, StoreError};

thread_local! {
    static OUTAGE: Cell<Option<Outage>> = const { Cell::new(None) };
    static GOOD: Cell<u32> = const { Cell::new(0) };
    static FAILED: Cell<u32> = const { Cell::new(0) };
}

/// After `good` more commits this thread's commits fail so, until [`end`].
pub fn begin(outage: Outage, good: u32) {
    OUTAGE.set(Some(outage));
    GOOD.set(good);
    FAILED.set(0);
}

/// Commits hold again.
pub fn end() {
    OUTAGE.set(None);
}

/// How many commits have failed since [`begin`].
pub fn failed() -> u32 {
    FAILED.get()
}

pub(super) fn before_commit() -> Result<(), StoreError> {
    let Some(outage) = OUTAGE.get() else { return Ok(()) };
    if let Some(left) = GOOD.get().checked_sub(1) {
        GOOD.set(left);
        return Ok(());
    }
    FAILED.set(FAILED.get() + 1);
    Err(match outage {
        Outage::Full => StoreError::Full,
        Outage::Unwritable => StoreError::Disk("planted".to_owned()),
    })
}
