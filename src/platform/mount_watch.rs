//! Knowing when something was mounted or unmounted, without ever waking to look.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

use super::network_fs::line_of;
use crate::base::waker::Waker;

/// The kernel's list of this process's mounts.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Calls `waker` each time something was mounted or unmounted, until the process ends.
///
/// # Errors
/// When the system has no list of mounts, or the thread cannot be started. Then a disk that comes back
/// is noticed by looking for it now and then.
pub fn watch(waker: Waker) -> io::Result<()> {
    let list = File::open(MOUNTS)?;
    std::thread::Builder::new().name("mounts".to_owned()).spawn(move || {
        loop {
            // The list is always readable; a change is told as something exceptional.
            let mut fds = [PollFd::new(&list, PollFlags::PRI)];
            match poll(&mut fds, None) {
                Ok(_) => waker.wake(),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(())
}

/// The mount that `path` is on, as the kernel describes it: another description is another mount.
pub fn mount_of(path: &Path) -> Option<String> {
    line_of(path, &std::fs::read(MOUNTS).ok()?)
}
