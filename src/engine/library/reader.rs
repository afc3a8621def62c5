//! Reading one file: the version check around every look, and what its errors mean.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::files::{EntryKind, SourceFile, SourceFiles, path_from_bytes};
use crate::domain::asset::Facts;
use crate::domain::file::{ExcludeReason, FileStamp, Problem};
use crate::domain::grouping;
use crate::domain::hash::{DigestSet, Hashed};
use crate::domain::path::{RelPath, join};
use crate::domain::time::UnixMillis;
use crate::media::exclusions::excluded_by_name;
use crate::media::facts::{self, Description};
use crate::media::hash::{self, HashError};
use crate::store::FileToRead;

/// A file of this size or more that takes no room on its disk and begins with zeros is a
/// placeholder; smaller ones may be kept beside their name.
const PLACEHOLDER_BYTES_MIN: u64 = 4096;
/// How much of its beginning must be zeros.
const PLACEHOLDER_HEAD_BYTES: usize = 512;

/// Makes facts and digests of bytes. The app's own is [`MediaReader`].
pub trait Reader: Send + Sync {
    /// Whether a file's path alone leaves it out, and why.
    fn excluded_by_name(&self, path: &RelPath) -> Option<ExcludeReason>;

    /// One bounded look at a file's head. `now` is this computer's time: a date after it is doubtful.
    ///
    /// # Errors
    /// Only when the disk cannot be read.
    fn describe(
        &self,
        file: &mut dyn SourceFile,
        path: &RelPath,
        stamp: &FileStamp,
        now: UnixMillis,
    ) -> io::Result<Description>;

    /// The digests of all bytes: BLAKE3, and what `set` asks for.
    ///
    /// # Errors
    /// See [`HashError`].
    fn hash(
        &self,
        file: &mut dyn SourceFile,
        set: DigestSet,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Hashed, HashError>;
}

/// Reads photos, videos and their companions.
#[derive(Debug, Clone, Copy, Default)]
pub struct MediaReader;

impl Reader for MediaReader {
    fn excluded_by_name(&self, path: &RelPath) -> Option<ExcludeReason> {
        excluded_by_name(path)
    }

    fn describe(
        &self,
        file: &mut dyn SourceFile,
        path: &RelPath,
        stamp: &FileStamp,
        now: UnixMillis,
    ) -> io::Result<Description> {
        facts::describe(file, path, stamp, now)
    }

    fn hash(
        &self,
        file: &mut dyn SourceFile,
        set: DigestSet,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Hashed, HashError> {
        hash::hash(file, set, should_stop, &mut |_done| {})
    }
}

/// What became of a look at one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    Facts(Box<Facts>),
    Content(Hashed),
    Excluded(ExcludeReason),
    Problem(Problem, String),
    /// It cannot be looked into for this reason, and its name is not a picture's: nobody knows what it is.
    Unseen(Problem, String),
    /// The file has this stamp now.
    Changed(FileStamp),
    /// It still has the stamp that is known.
    Same,
    /// It is not there; the scan finds out why.
    Gone,
    /// Told to stop.
    Stopped,
}

/// Looks at a file's head.
pub(super) fn describe(
    files: &dyn SourceFiles,
    reader: &dyn Reader,
    file: &FileToRead,
    now: UnixMillis,
) -> ReadOutcome {
    guarded(files, file, |open| match reader.describe(open, &file.path, &file.stamp, now) {
        Ok(Description::Facts(facts)) => ReadOutcome::Facts(Box::new(facts)),
        Ok(Description::Problem(problem)) => ReadOutcome::Problem(problem, String::new()),
        Ok(Description::Exclude(reason)) => ReadOutcome::Excluded(reason),
        Err(error) => failed(file, &error),
    })
}

/// Digests a file.
pub(super) fn digest(
    files: &dyn SourceFiles,
    reader: &dyn Reader,
    file: &FileToRead,
    set: DigestSet,
    stop: &AtomicBool,
) -> ReadOutcome {
    let should_stop = || stop.load(Ordering::Relaxed);
    let looked = guarded(files, file, |open| match reader.hash(open, set, &should_stop) {
        Ok(hashed) if hashed.content.size == file.stamp.size => ReadOutcome::Content(hashed),
        Ok(_) | Err(HashError::Changed) => match open.stat() {
            Ok(stat) => ReadOutcome::Changed(stat.stamp),
            Err(error) => failed(file, &error),
        },
        Err(HashError::Stopped) => ReadOutcome::Stopped,
        Err(HashError::Read(error)) => failed(file, &error),
    });
    match looked {
        // Its head has told before that it belongs, whatever its name says.
        ReadOutcome::Unseen(problem, details) => ReadOutcome::Problem(problem, details),
        looked => looked,
    }
}

/// Whether a file is still the version that is known, without opening it.
pub(super) fn still_same(files: &dyn SourceFiles, file: &FileToRead) -> ReadOutcome {
    match files.stat(&path_from_bytes(&join_root(file))) {
        Ok(stat) if stat.kind != EntryKind::File => ReadOutcome::Gone,
        Ok(stat) if stat.stamp == file.stamp => ReadOutcome::Same,
        Ok(stat) => ReadOutcome::Changed(stat.stamp),
        Err(error) => failed(file, &error),
    }
}

/// Opens a file, looks at it, and believes the look only if the file was the known version before
/// and after.
fn guarded(
    files: &dyn SourceFiles,
    file: &FileToRead,
    look: impl FnOnce(&mut dyn SourceFile) -> ReadOutcome,
) -> ReadOutcome {
    let path = path_from_bytes(&join_root(file));
    let stat = match files.stat(&path) {
        Ok(stat) => stat,
        Err(error) => return failed(file, &error),
    };
    if stat.kind != EntryKind::File {
        return ReadOutcome::Gone;
    }
    if stat.stamp != file.stamp {
        return ReadOutcome::Changed(stat.stamp);
    }
    let mut open = match files.open(&path) {
        Ok(open) => open,
        Err(error) => return failed(file, &error),
    };
    if stat.blocks == 0 && file.stamp.size >= PLACEHOLDER_BYTES_MIN && begins_empty(open.as_mut()) {
        return unreadable(file, Problem::Placeholder, String::new());
    }
    let looked = look(open.as_mut());
    match open.stat() {
        Ok(after) if after.stamp != file.stamp => ReadOutcome::Changed(after.stamp),
        _ => looked,
    }
}

fn begins_empty(file: &mut dyn SourceFile) -> bool {
    let mut head = [1; PLACEHOLDER_HEAD_BYTES];
    let is_read = file.read_exact(&mut head).is_ok() && file.seek(io::SeekFrom::Start(0)).is_ok();
    is_read && head.iter().all(|byte| *byte == 0)
}

fn failed(file: &FileToRead, error: &io::Error) -> ReadOutcome {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadOutcome::Gone,
        _ => unreadable(file, Problem::Unreadable, error.to_string()),
    }
}

/// A file that cannot be looked into belongs if its name says so; of others nobody knows.
fn unreadable(file: &FileToRead, problem: Problem, details: String) -> ReadOutcome {
    match grouping::type_of_name(&file.path.name) {
        Some(_) => ReadOutcome::Problem(problem, details),
        None => ReadOutcome::Unseen(problem, details),
    }
}

fn join_root(file: &FileToRead) -> Vec<u8> {
    [&file.root[..], b"/", &join(&file.path.dir, &file.path.name)].concat()
}
