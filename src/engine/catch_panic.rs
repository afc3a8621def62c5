//! Work whose panic costs only itself.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

/// The work panicked. What it held is gone; what it wrote into the database is whole, because that
/// is written in transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PanicError;

/// Runs `work`; a panic in it ends here. The panic itself is logged by the process's hook.
///
/// # Errors
/// When it panicked.
pub(crate) async fn catch_panic<T>(work: impl Future<Output = T>) -> Result<T, PanicError> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_payload| PanicError)
}
