//! Knowing that the computer has slept, or that somebody has set its clock, without ever waking to
//! look.

use std::io::{self, Read as _};

use crate::base::waker::Waker;

/// Calls `waker` each time the computer has slept or its clock was set, until the process ends.
///
/// # Errors
/// When the system has no such timer, or the thread cannot be started. Then only the engine's floor
/// timer notices.
pub fn watch(waker: Waker) -> io::Result<()> {
    let mut timer = clock_watch()?;
    arm(&timer)?;
    std::thread::Builder::new().name("resume".to_owned()).spawn(move || {
        let mut expirations = [0; 8];
        loop {
            match timer.read(&mut expirations) {
                // The timer was cancelled because the clock is another now: that is the news.
                Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => waker.wake(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // It ran out, which takes longer than computers last, or cannot be read.
                Ok(_) | Err(_) => return,
            }
            if arm(&timer).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// A timer on the wall clock.
#[expect(unsafe_code, reason = "there is no safe wrapper in what is built in")]
fn clock_watch() -> io::Result<std::fs::File> {
    use std::os::fd::{FromRawFd as _, OwnedFd};
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, libc::TFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was made just now and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) }.into())
}

/// Sets the timer to a time that does not come, to be cancelled when the clock is set. The kernel
/// takes waking from sleep for setting the clock.
#[expect(unsafe_code, reason = "there is no safe wrapper in what is built in")]
fn arm(timer: &std::fs::File) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let never = libc::timespec { tv_sec: libc::time_t::MAX / 2_000_000_000, tv_nsec: 0 };
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let value = libc::itimerspec { it_interval: zero, it_value: never };
    let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
    // SAFETY: `value` lives over the call, and no old value is asked for.
    let armed =
        unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const value, std::ptr::null_mut()) };
    if armed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_has_such_a_timer_and_it_can_be_armed_again() {
        let timer = clock_watch().expect("a timer");
        arm(&timer).expect("armed");
        arm(&timer).expect("armed again");
        watch(Waker::none()).expect("watched");
    }
}
