//! Where unit tests watch, fail and end what the store does ([`failpoints`], [`fault`]). Outside of them
//! every hook does nothing.
//!
//! [`failpoints`]: super::failpoints
//! [`fault`]: super::fault

#[cfg(not(test))]
mod hooks {
    use crate::store::{StoreError, Write};

    #[expect(clippy::unnecessary_wraps, reason = "tests have it fail")]
    pub const fn before_commit(_tx: &Write<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    pub const fn after_commit(_tx: &Write<'_>) {}

    pub const fn name_write<F>() {}

    pub async fn wait_if_dead() {}

    pub const fn changes_kept() -> Option<i64> {
        None
    }
}

/// Before the commit of what was written.
pub(super) use hooks::before_commit;

/// After the commit, before anyone hears of it.
pub(super) use hooks::after_commit;

/// Names the write that is about to be queued by the type of its closure.
pub(super) use hooks::name_write;

/// Never returns in a run that a test has ended.
pub(super) use hooks::wait_if_dead;

/// How many changes the history keeps, where a test says so.
pub(super) use hooks::changes_kept;

#[cfg(test)]
mod hooks {
    use crate::store::{StoreError, Write, failpoints, fault};

    pub fn before_commit(tx: &Write<'_>) -> Result<(), StoreError> {
        fault::before_commit()?;
        failpoints::before(tx)
    }

    pub fn after_commit(tx: &Write<'_>) {
        failpoints::after(tx);
    }

    pub fn name_write<F>() {
        failpoints::name_write::<F>();
    }

    pub async fn wait_if_dead() {
        failpoints::wait_if_dead().await;
    }

    pub fn changes_kept() -> Option<i64> {
        failpoints::changes_kept()
    }
}
