//! One agent at a time. The system frees the lock when its process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The most of a lock file that is read: a process id and a newline.
const PID_TEXT_MAX: u64 = 32;

/// Holding it makes this process the agent of a data directory.
#[derive(Debug)]
pub struct DirLock {
    // Held for its lock alone.
    _file: File,
}

/// The lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("Safelight is already running for this data directory{}", of_process(*.pid))]
    Held {
        /// Who, as the file says.
        pid: Option<u32>,
    },
    /// The file cannot be opened or locked.
    #[error("Safelight cannot lock its data directory: {0}")]
    Io(#[from] io::Error),
}

fn of_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl DirLock {
    /// Takes the lock at once or not at all, and writes this process's id into the file.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(PID_TEXT_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_has_it() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("lock");
        let first = DirLock::acquire(&path).expect("first");
        let refused = DirLock::acquire(&path).expect_err("second");
        assert!(matches!(refused, LockError::Held { pid } if pid == Some(std::process::id())));
        assert!(refused.to_string().contains("already running"), "{refused}");
        drop(first);
        DirLock::acquire(&path).expect("free again");
    }

    #[test]
    fn a_lock_left_by_a_dead_process_is_free() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("lock");
        std::fs::write(&path, "999999999 and more than an id\n").expect("left over");
        let lock = DirLock::acquire(&path).expect("free");
        assert_eq!(std::fs::read_to_string(&path).expect("pid"), format!("{}\n", std::process::id()));
        drop(lock);
    }
}
