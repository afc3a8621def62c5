//! The one place where a file system's errors become failures.

use std::io;

use rustix::io::Errno;

use super::fs::FolderDir;
use crate::destination::source::is_detached;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};

/// Files up to this size in bytes are taken by every file system.
const SIZE_ALWAYS_TAKEN: u64 = if cfg!(test) { 1 } else { 1 << 30 };

/// What an error at the destination means, while `what` was being done.
pub(super) fn at_destination(error: &io::Error, what: &str) -> Failure {
    let details = format!("{what}: {error}");
    let Some(code) = error.raw_os_error().map(Errno::from_raw_os_error) else {
        return without_code(error, details);
    };
    match code {
        Errno::NOSPC | Errno::DQUOT => Failure::destination(FailureKind::Full, details),
        Errno::ROFS => Failure::destination(FailureKind::Forbidden, details).with_cause(Cause::ReadOnly),
        Errno::ACCESS | Errno::PERM => {
            Failure::destination(FailureKind::Forbidden, details).with_cause(Cause::FolderPermission)
        }
        code if is_detached(code) => Failure::destination(FailureKind::Gone, details),
        Errno::IO | Errno::UCLEAN | Errno::BADMSG => Failure::destination(FailureKind::Unreadable, details),
        Errno::FBIG | Errno::OVERFLOW => {
            Failure::permanent(FailureKind::TooLarge, details).with_cause(Cause::FileSizeLimit)
        }
        Errno::NAMETOOLONG | Errno::ILSEQ | Errno::INVAL => {
            Failure::permanent(FailureKind::Unsupported, details)
        }
        Errno::NOENT => Failure::transient(FailureKind::NotFound, details),
        Errno::NOTDIR | Errno::LOOP | Errno::EXIST | Errno::ISDIR => {
            Failure::transient(FailureKind::Conflict, details)
        }
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS => {
            Failure::destination(FailureKind::Server, details)
        }
        _ => Failure::transient(FailureKind::Server, details),
    }
}

/// Refuses a file of `size` bytes where the file system says that it cannot hold one.
///
/// # Errors
/// `too_large`; what the file system says.
pub(super) fn check_size(root: &dyn FolderDir, size: u64) -> Result<(), Failure> {
    if size <= SIZE_ALWAYS_TAKEN {
        return Ok(());
    }
    let facts = root.facts().map_err(|error| at_destination(&error, "asking what the disk takes"))?;
    match facts.size_max.filter(|most| size > *most) {
        Some(most) => {
            let why = format!("{size} bytes; {} takes at most {most}", facts.kind);
            Err(Failure::permanent(FailureKind::TooLarge, why).with_cause(Cause::FileSizeLimit))
        }
        None => Ok(()),
    }
}

/// Errors of the library's own making, which carry no number.
fn without_code(error: &io::Error, details: String) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::transient(FailureKind::NotFound, details),
        io::ErrorKind::StorageFull => Failure::destination(FailureKind::Full, details),
        io::ErrorKind::AlreadyExists => Failure::transient(FailureKind::Conflict, details),
        io::ErrorKind::InvalidInput => Failure::permanent(FailureKind::Unsupported, details),
        _ => Failure::transient(FailureKind::Server, details),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Reach;

    #[test]
    fn every_errno_has_its_meaning() {
        use FailureKind as K;
        use Reach::{Destination, Resource};
        for (code, kind, reach) in [
            (Errno::NOSPC, K::Full, Destination),
            (Errno::DQUOT, K::Full, Destination),
            (Errno::ROFS, K::Forbidden, Destination),
            (Errno::ACCESS, K::Forbidden, Destination),
            (Errno::PERM, K::Forbidden, Destination),
            (Errno::NODEV, K::Gone, Destination),
            (Errno::STALE, K::Gone, Destination),
            (Errno::NOTCONN, K::Gone, Destination),
            (Errno::TIMEDOUT, K::Gone, Destination),
            (Errno::IO, K::Unreadable, Destination),
            (Errno::FBIG, K::TooLarge, Resource),
            (Errno::NAMETOOLONG, K::Unsupported, Resource),
            (Errno::NOENT, K::NotFound, Resource),
            (Errno::NOTDIR, K::Conflict, Resource),
            (Errno::LOOP, K::Conflict, Resource),
            (Errno::MFILE, K::Server, Destination),
            (Errno::BUSY, K::Server, Resource),
        ] {
            let failure = at_destination(&io::Error::from(code), "writing");
            assert_eq!((failure.kind, failure.reach), (kind, reach), "{code:?}");
        }
        let cause = |code| at_destination(&io::Error::from(code), "writing").cause;
        assert_eq!(cause(Errno::ROFS), Some(Cause::ReadOnly));
        assert_eq!(cause(Errno::ACCESS), Some(Cause::FolderPermission));
        assert_eq!(cause(Errno::NOSPC), None);
    }
}
