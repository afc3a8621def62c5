//! Knowing when something was mounted or unmounted, without ever waking to look.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};

use crate::base::mounts::{MOUNT_LIST, MountList};
use crate::base::waker::Waker;

/// Calls `waker` each time something was mounted or unmounted, until the process ends.
///
/// # Errors
/// When the system has no list of mounts, or the thread cannot be started. Then a disk that comes back
/// is noticed by looking for it now and then.
pub fn watch(waker: Waker) -> io::Result<()> {
    let list = File::open(MOUNT_LIST)?;
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
    let mounts = MountList::read().ok()?;
    mounts.containing(path).map(|mount| mount.line.clone())
}
