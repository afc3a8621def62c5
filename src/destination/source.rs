//! Reading the file that is to be sent: every kind of destination opens it here and maps its errors
//! here, so that a source's trouble never looks like a destination's.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::Item;
use crate::base::digester;
use crate::base::files::{SourceFile, SourceFiles};
use crate::domain::failure::{Failure, FailureKind};

/// Opens an item's file, which must still be the version that was hashed.
///
/// # Errors
/// `changed` when it is another version by now; as [`at_source`].
pub fn open(files: &dyn SourceFiles, item: &Item) -> Result<Box<dyn SourceFile>, Failure> {
    let source = files.open(&item.path).map_err(|error| at_source(&error, &item.path))?;
    check(source.as_ref(), item)?;
    Ok(source)
}

/// Makes sure that an open file still is the version that was hashed.
///
/// # Errors
/// As [`open`].
pub fn check(source: &dyn SourceFile, item: &Item) -> Result<(), Failure> {
    let stat = source.stat().map_err(|error| at_source(&error, &item.path))?;
    if stat.stamp == item.stamp { Ok(()) } else { Err(changed("the file has changed since it was read")) }
}

/// Reads until the buffer is full or the file ends. Returns how many bytes that were.
///
/// # Errors
/// As [`at_source`].
pub fn fill(source: &mut dyn SourceFile, buffer: &mut [u8], item: &Item) -> Result<usize, Failure> {
    digester::fill(source, buffer).map_err(|error| at_source(&error, &item.path))
}

/// The file is another version than the one that was hashed.
pub fn changed(details: &str) -> Failure {
    Failure::transient(FailureKind::Changed, details)
}

/// What an error of the source file means. It never reaches further than the file.
pub fn at_source(error: &io::Error, path: &Path) -> Failure {
    let details = format!("{error}: {}", path.display());
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    let is_gone = error.kind() == io::ErrorKind::NotFound
        || code.is_some_and(|code| is_detached(code) || matches!(code, Errno::NOTDIR | Errno::LOOP));
    let kind = if is_gone { FailureKind::Gone } else { FailureKind::Unreadable };
    Failure::transient(kind, details)
}

/// Whether the system says that what holds the file is no longer there.
pub(super) fn is_detached(code: Errno) -> bool {
    matches!(
        code,
        Errno::NODEV
            | Errno::NXIO
            | Errno::STALE
            | Errno::NOTCONN
            | Errno::NOMEDIUM
            | Errno::SHUTDOWN
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::TIMEDOUT
            | Errno::CONNRESET
            | Errno::CONNABORTED
            | Errno::CONNREFUSED
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Reach;

    #[test]
    fn a_source_error_reaches_only_the_file() {
        for (code, kind) in [
            (Errno::NOENT, FailureKind::Gone),
            (Errno::NODEV, FailureKind::Gone),
            (Errno::ACCESS, FailureKind::Unreadable),
            (Errno::IO, FailureKind::Unreadable),
        ] {
            let failure = at_source(&io::Error::from(code), Path::new("/a/b.jpg"));
            assert_eq!((failure.kind, failure.reach), (kind, Reach::Resource));
            assert!(failure.details.ends_with("/a/b.jpg") && !failure.is_permanent());
        }
    }
}
