//! A source file in memory that counts what is read of it.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::base::files::{EntryKind, SourceFile, Stat};
use crate::domain::file::FileStamp;

/// Bytes as a source file.
pub struct Bytes<'b> {
    inner: Cursor<&'b [u8]>,
    read: u64,
}

impl<'b> Bytes<'b> {
    /// A file that holds these bytes.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { inner: Cursor::new(bytes), read: 0 }
    }

    /// How much was read of it so far.
    pub fn read_so_far(&self) -> u64 {
        self.read
    }

    /// What a scan would say of it.
    pub fn stamp(&self) -> FileStamp {
        FileStamp {
            size: self.inner.get_ref().len() as u64,
            mtime_ns: 1_000_000_000_000_000_000,
            ctime_ns: 0,
        }
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.read += count as u64;
        Ok(count)
    }
}

impl Seek for Bytes<'_> {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.inner.seek(pos)
    }
}

impl SourceFile for Bytes<'_> {
    fn stat(&self) -> io::Result<Stat> {
        Ok(Stat { kind: EntryKind::File, stamp: self.stamp(), dev: 0, ino: 0, blocks: 8 })
    }
}
