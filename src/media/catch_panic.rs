//! Runs code that may panic on hostile bytes, so that a panic costs one file and prints nothing.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The contained code panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaughtPanic;

/// Runs `work`. Its panics are caught and, on this thread and during this call only, not printed.
///
/// What `work` leaves half-done when it panics must not be used afterwards.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                print(info);
            }
        }));
    });
    let was_quiet = IS_QUIET.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(was_quiet);
    outcome.map_err(|_payload| CaughtPanic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_here_and_noise_returns() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| -> u8 { panic!("planted") }), Err(CaughtPanic));
        assert!(!IS_QUIET.get());
        let nested = contain(|| (contain(|| -> u8 { panic!("planted") }), IS_QUIET.get()));
        assert_eq!(nested, Ok((Err(CaughtPanic), true)));
    }
}
