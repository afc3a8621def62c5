//! Waiting for what another process does: a state that can be seen, and a deadline.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How often the state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks at a state until it is as wanted.
///
/// `look` gives the state; `wanted` says whether it is the one. Returns the first that is. Panics at
/// the deadline with the state that was seen last.
pub fn wait_until<T: Debug>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> T,
    mut wanted: impl FnMut(&T) -> bool,
) -> T {
    let began = Instant::now();
    loop {
        let seen = look();
        if wanted(&seen) {
            return seen;
        }
        assert!(began.elapsed() < deadline, "{what}: not within {deadline:?}; last seen: {seen:#?}");
        rest(LOOK_EVERY);
    }
}

/// Lets other processes run for a while.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is watched from outside; there is no clock to share with it"
)]
pub fn rest(duration: Duration) {
    std::thread::sleep(duration);
}

#[test]
fn gives_the_first_wanted_state() {
    let mut looks = 0;
    let seen = wait_until(
        "count",
        Duration::from_secs(5),
        || {
            looks += 1;
            looks
        },
        |n| *n == 3,
    );
    assert_eq!(seen, 3);
}

#[test]
fn tells_the_last_state_at_the_deadline() {
    let outcome = std::panic::catch_unwind(|| {
        wait_until("the lamp", Duration::from_millis(30), || "still dark", |state| *state == "lit")
    });
    let said = *outcome.expect_err("the deadline passes").downcast::<String>().expect("a sentence");
    assert!(said.contains("the lamp") && said.contains("still dark"), "{said}");
}
