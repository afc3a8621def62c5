//! Bringing a file's bytes under its temp name, from where an earlier run stopped.

use super::errors::check_size;
use super::fs::{CopyFile, FolderDir};
use super::{Inner, split_key};
use crate::base::digester::fill;
use crate::base::files::{SharedFiles, SourceFile};
use crate::destination::source::{at_source, changed};
use crate::destination::{Item, no_room};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::Blake3;
use crate::domain::key;
use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// How much is copied between two looks at the stop sign, in bytes.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;
/// How many directories are remembered as durable.
const DURABLE_KEPT_MAX: usize = 4096;

/// Everything the blocking parts of one send need. The lock on the key is held until the last of them has ended.
pub(super) struct CopySend {
    pub item: Item,
    pub files: SharedFiles,
    pub stop: CancellationToken,
    pub bytes_sent: Arc<AtomicU64>,
    /// Which of the record's temp names is used: an attempt of [`key::temp_token_at`].
    pub temp_name: AtomicU32,
    pub _guard: OwnedMutexGuard<()>,
}

pub(super) enum CopyOutcome {
    Ready(Box<dyn FolderDir>),
    Stopped,
}

enum CopyAttempt {
    Whole,
    /// The bytes that an earlier run left were not the source's.
    BadStart,
    Stopped,
}

impl CopySend {
    pub(super) fn temp(&self) -> String {
        key::temp_name(key::temp_token_at(self.item.token, self.temp_name.load(Ordering::Relaxed)))
    }

    /// Takes the first of the record's temp names that can be written, or removed and made again. Where
    /// none can, it is the own one, whose failure says why.
    fn choose_temp(&self, dir: &dyn FolderDir) {
        let is_usable = |attempt: &u32| {
            let name = key::temp_name(key::temp_token_at(self.item.token, *attempt));
            match dir.reopen(&name) {
                Ok(Some(_writable)) => true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                Ok(None) | Err(_) => dir.remove_file(&name).is_ok(),
            }
        };
        let usable = (0..key::TEMP_NAMES_MAX).find(is_usable);
        self.temp_name.store(usable.unwrap_or(0), Ordering::Relaxed);
    }

    /// The digest of a file; `None` when told to stop.
    pub(super) fn digest_of(&self, dir: &dyn FolderDir, name: &str) -> io::Result<Option<Blake3>> {
        let mut file = dir.read(name)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = self.buffer();
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            match fill(&mut file, &mut buffer)? {
                0 => return Ok(Some(Blake3(*hasher.finalize().as_bytes()))),
                read => hasher.update(&buffer[..read]),
            };
        }
    }

    /// Brings all bytes into the temp file and makes them durable.
    pub(super) fn copy(&self, inner: &Inner) -> Result<CopyOutcome, Failure> {
        if self.stop.is_cancelled() {
            return Ok(CopyOutcome::Stopped);
        }
        // First the source: for one that is gone nothing should be made at the destination.
        let mut source = self.open_source()?;
        let root = inner.open()?;
        check_size(root.as_ref(), self.item.content.size)?;
        let dir = self.make_dirs(inner, root)?;
        self.choose_temp(dir.as_ref());
        let outcome = match self.attempt(inner, dir.as_ref(), source.as_mut()) {
            Ok(CopyAttempt::BadStart) => {
                remove_temp(inner, dir.as_ref(), &self.temp())?;
                self.attempt(inner, dir.as_ref(), source.as_mut())
            }
            other => other,
        };
        match outcome {
            Ok(CopyAttempt::Whole) => Ok(CopyOutcome::Ready(dir)),
            Ok(CopyAttempt::Stopped) => Ok(CopyOutcome::Stopped),
            Ok(CopyAttempt::BadStart) => Err(changed("the copy differs from the file that was read")),
            Err(failure) => {
                // What was written before a failed write or sync cannot be trusted, on a full disk
                // it takes the space that others need, and a changed file's bytes are of no use.
                // Only a source that may come back leaves a start worth keeping.
                if !matches!(failure.kind, FailureKind::Gone) {
                    dir.remove_file(&self.temp()).ok();
                }
                Err(failure)
            }
        }
    }

    fn attempt(
        &self,
        inner: &Inner,
        dir: &dyn FolderDir,
        source: &mut dyn SourceFile,
    ) -> Result<CopyAttempt, Failure> {
        let at_dest = |error: io::Error, what| inner.explain(&error, what);
        let mut hasher = blake3::Hasher::new();
        let (mut temp, start) = match self.resume(dir, &mut hasher) {
            Ok(Some((temp, start))) => (temp, start),
            Ok(None) => return Ok(CopyAttempt::Stopped),
            Err(error) => return Err(at_dest(error, "opening the temp file")),
        };
        let size = self.item.content.size;
        let free = dir.free_bytes().map_err(|error| at_dest(error, "asking for free space"))?;
        if let Some(free) = free.filter(|free| *free < size - start) {
            let why = format!("{free} bytes are free, and the file needs {}", size - start);
            return Err(no_room(free, why));
        }
        let from_source = |error: io::Error| at_source(&error, &self.item.path);
        source.seek(SeekFrom::Start(start)).map_err(from_source)?;
        let mut buffer = self.buffer();
        let mut copied = start;
        loop {
            if self.stop.is_cancelled() {
                return Ok(CopyAttempt::Stopped);
            }
            let read = fill(source, &mut buffer).map_err(from_source)?;
            if read == 0 {
                break;
            }
            copied += read as u64;
            if copied > size {
                return Err(changed("the file has grown"));
            }
            hasher.update(&buffer[..read]);
            temp.write_all(&buffer[..read]).map_err(|error| at_dest(error, "writing the copy"))?;
            self.bytes_sent.store(copied, Ordering::Relaxed);
        }
        if source.stat().map_err(from_source)?.stamp != self.item.stamp {
            return Err(changed("the file changed while it was being copied"));
        }
        let digest = Blake3(*hasher.finalize().as_bytes());
        if copied != size || digest != self.item.content.blake3 {
            // With a start from an earlier run it may be that start which is wrong.
            return if start > 0 {
                Ok(CopyAttempt::BadStart)
            } else {
                Err(changed("the file has other bytes"))
            };
        }
        // Where times cannot be set, the copy is no worse for it.
        temp.set_mtime(self.item.stamp.mtime_ns).ok();
        temp.sync().map_err(|error| at_dest(error, "syncing the copy"))?;
        Ok(CopyAttempt::Whole)
    }

    /// The temp file, and how many of its bytes are there already and in `hasher`. `None` when told
    /// to stop.
    fn resume(
        &self,
        dir: &dyn FolderDir,
        hasher: &mut blake3::Hasher,
    ) -> io::Result<Option<(Box<dyn CopyFile>, u64)>> {
        let name = self.temp();
        let mut temp = match dir.reopen(&name) {
            Ok(Some(temp)) if temp.size()? <= self.item.content.size => temp,
            Ok(_unusable) => {
                dir.remove_file(&name)?;
                return Ok(Some((dir.create(&name)?, 0)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some((dir.create(&name)?, 0)));
            }
            Err(error) => return Err(error),
        };
        let mut buffer = self.buffer();
        let mut start = 0;
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            match fill(&mut temp, &mut buffer)? {
                0 => return Ok(Some((temp, start))),
                read => {
                    hasher.update(&buffer[..read]);
                    start += read as u64;
                    self.bytes_sent.store(start, Ordering::Relaxed);
                }
            }
        }
    }

    fn open_source(&self) -> Result<Box<dyn SourceFile>, Failure> {
        let from_source = |error: io::Error| at_source(&error, &self.item.path);
        let source = self.files.open(&self.item.path).map_err(from_source)?;
        let stat = source.stat().map_err(from_source)?;
        if stat.stamp != self.item.stamp {
            return Err(changed("the file has changed since it was read"));
        }
        Ok(source)
    }

    /// Opens the key's folder, creating what is missing and making new names durable.
    fn make_dirs(&self, inner: &Inner, root: Box<dyn FolderDir>) -> Result<Box<dyn FolderDir>, Failure> {
        let (folder, _name) = split_key(&self.item.key);
        let mut dir = root;
        let mut path = String::new();
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            path.push('/');
            path.push_str(part);
            dir = step(inner, dir.as_ref(), part, &path)
                .map_err(|error| inner.explain(&error, "creating the folder for the copy"))?;
        }
        Ok(dir)
    }

    fn buffer(&self) -> Vec<u8> {
        let size = usize::try_from(self.item.content.size).unwrap_or(CHUNK_BYTES);
        // One byte more than the file, so that a small file's end is seen at once.
        vec![0; size.saturating_add(1).min(CHUNK_BYTES)]
    }
}

/// One directory down, created where it is missing. A name that this process has not yet seen to be
/// durable is synced: an earlier run may have been killed between creating and syncing it.
fn step(inner: &Inner, parent: &dyn FolderDir, name: &str, path: &str) -> io::Result<Box<dyn FolderDir>> {
    let (dir, is_new) = match parent.open_dir(name) {
        Ok(dir) => (dir, false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match parent.make_dir(name) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            (parent.open_dir(name)?, true)
        }
        Err(error) => return Err(error),
    };
    let lock = || inner.durable.lock();
    if is_new || !lock().contains(path) {
        parent.sync()?;
        let mut durable = lock();
        if durable.len() >= DURABLE_KEPT_MAX {
            durable.clear();
        }
        durable.insert(path.to_owned());
    }
    Ok(dir)
}

pub(super) fn remove_temp(inner: &Inner, dir: &dyn FolderDir, temp: &str) -> Result<(), Failure> {
    match dir.remove_file(temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(inner.explain(&error, "removing the temp file"))
        }
        _ => Ok(()),
    }
}
