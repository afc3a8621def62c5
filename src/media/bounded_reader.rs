//! Bounded random access to a file's bytes, for parsers that must not read much.
//!
//! A parser sees missing bytes and a spent budget alike: the read comes back short. An error of the
//! disk is kept aside and reported once the parser has given up.

use std::io::{self, Read as _, SeekFrom};

use crate::base::files::SourceFile;

/// How much of a file's beginning is read in one go and kept.
pub const HEAD_BYTES: usize = 64 * 1024;
/// The most that is read of one file to describe it.
pub const READ_BUDGET_BYTES: u64 = 4 * 1024 * 1024;
/// How much is read around a place beyond the head.
const WINDOW_BYTES: usize = 16 * 1024;

/// Bytes that can be read at any place.
pub(crate) trait ReadAt {
    /// How many bytes there are.
    fn size(&self) -> u64;
    /// Fills `buf` from `offset` as far as there are bytes; the number of bytes filled.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize;
}

/// `N` bytes at `offset`, or `None` where there are fewer.
pub(crate) fn array<const N: usize>(source: &mut dyn ReadAt, offset: u64) -> Option<[u8; N]> {
    let mut buf = [0; N];
    (source.read_at(offset, &mut buf) == N).then_some(buf)
}

/// `len` bytes at `offset`; `None` where there are fewer, or `len` is above `limit`.
pub(crate) fn block(source: &mut dyn ReadAt, offset: u64, len: u64, limit: usize) -> Option<Vec<u8>> {
    let len = usize::try_from(len).ok().filter(|len| *len <= limit)?;
    // Before any memory is taken for it, the block must be inside.
    if offset.checked_add(len as u64)? > source.size() {
        return None;
    }
    let mut buf = vec![0; len];
    (source.read_at(offset, &mut buf) == len).then_some(buf)
}

impl ReadAt for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let len = buf.len().min(self.len() - start);
        buf[..len].copy_from_slice(&self[start..start + len]);
        len
    }
}

/// A part of other bytes, read as if it were all of them.
pub(crate) struct SubReader<'s> {
    /// The bytes that it is a part of.
    pub(crate) source: &'s mut dyn ReadAt,
    /// Where the part begins.
    pub(crate) start: u64,
    /// How long it is.
    pub(crate) len: u64,
}

impl ReadAt for SubReader<'_> {
    fn size(&self) -> u64 {
        self.len.min(self.source.size().saturating_sub(self.start))
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize {
        let left = usize::try_from(self.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = buf.len().min(left);
        match self.start.checked_add(offset) {
            Some(at) => self.source.read_at(at, &mut buf[..len]),
            None => 0,
        }
    }
}

/// A source file behind a budget.
pub(crate) struct BoundedFile<'f> {
    file: &'f mut dyn SourceFile,
    size: u64,
    head: Vec<u8>,
    window: Vec<u8>,
    window_at: u64,
    budget: u64,
    error: Option<io::Error>,
}

impl<'f> BoundedFile<'f> {
    /// Reads the head of `file`, which has `size` bytes, and allows [`READ_BUDGET_BYTES`] in all.
    ///
    /// # Errors
    /// When the head cannot be read.
    pub(crate) fn open(file: &'f mut dyn SourceFile, size: u64) -> io::Result<Self> {
        let mut bounded = Self {
            file,
            size,
            head: Vec::new(),
            window: Vec::new(),
            window_at: 0,
            budget: READ_BUDGET_BYTES,
            error: None,
        };
        bounded.head = bounded.fetch(0, HEAD_BYTES);
        match bounded.error.take() {
            Some(error) => Err(error),
            None => Ok(bounded),
        }
    }

    /// The file's first bytes, at most [`HEAD_BYTES`].
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The first error the disk gave, if any.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Up to `len` bytes from the file itself, counted against the budget.
    fn fetch(&mut self, offset: u64, len: usize) -> Vec<u8> {
        let len = (len as u64).min(self.budget).min(self.size.saturating_sub(offset));
        self.budget -= len;
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(offset)).and_then(|_at| {
            bytes.reserve(usize::try_from(len).unwrap_or(0));
            (&mut *self.file).take(len).read_to_end(&mut bytes)
        });
        if let Err(error) = read {
            self.error.get_or_insert(error);
        }
        bytes
    }
}

/// Copies what `from`, which begins at `from_at`, has of `buf` at `offset`.
fn copy_from(from: &[u8], from_at: u64, offset: u64, buf: &mut [u8]) -> usize {
    let Some(start) = offset.checked_sub(from_at).and_then(|start| usize::try_from(start).ok()) else {
        return 0;
    };
    let Some(rest) = from.get(start..) else { return 0 };
    let len = rest.len().min(buf.len());
    buf[..len].copy_from_slice(&rest[..len]);
    len
}

impl ReadAt for BoundedFile<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize {
        let mut filled = copy_from(&self.head, 0, offset, buf);
        while filled < buf.len() {
            let Some(at) = offset.checked_add(filled as u64) else { break };
            let rest = &mut buf[filled..];
            let mut got = copy_from(&self.window, self.window_at, at, rest);
            if got == 0 {
                let wanted = rest.len().max(WINDOW_BYTES);
                self.window = self.fetch(at, wanted);
                self.window_at = at;
                got = copy_from(&self.window, at, at, rest);
            }
            if got == 0 {
                break;
            }
            filled += got;
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, Write as _};

    use super::*;
    use crate::base::files::Stat;

    struct CountingFile {
        inner: Cursor<Vec<u8>>,
        read: u64,
        fails_from: u64,
    }

    impl Read for CountingFile {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.inner.position() >= self.fails_from {
                return Err(io::Error::other("bad sector"));
            }
            let n = self.inner.read(buf)?;
            self.read += n as u64;
            Ok(n)
        }
    }

    impl Seek for CountingFile {
        fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
            self.inner.seek(pos)
        }
    }

    impl SourceFile for CountingFile {
        fn stat(&self) -> io::Result<Stat> {
            Err(io::Error::other("not asked"))
        }
    }

    fn counting(size: usize) -> CountingFile {
        let mut bytes = Vec::new();
        for n in 0..size / 8 {
            bytes.write_all(&(n as u64).to_be_bytes()).expect("memory");
        }
        CountingFile { inner: Cursor::new(bytes), read: 0, fails_from: u64::MAX }
    }

    #[test]
    fn reads_what_is_there_anywhere() {
        let mut file = counting(1 << 20);
        let mut bounded = BoundedFile::open(&mut file, 1 << 20).expect("opens");
        for at in [0, 8, 65_528, 65_536, 500_000, 80, (1 << 20) - 8] {
            assert_eq!(array(&mut bounded, at).map(u64::from_be_bytes), Some(at / 8), "{at}");
        }
        // Across the edge of the head.
        let block = block(&mut bounded, 65_528, 24, 64).expect("inside");
        assert_eq!(block[16..], 8193_u64.to_be_bytes());
        assert_eq!(array::<8>(&mut bounded, (1 << 20) - 4), None);
        assert_eq!(array::<1>(&mut bounded, u64::MAX), None);
    }

    #[test]
    fn the_budget_holds() {
        let size = 16 << 20;
        let mut file = counting(size);
        let mut bounded = BoundedFile::open(&mut file, size as u64).expect("opens");
        let mut at = 0;
        while at < size as u64 {
            bounded.read_at(at, &mut [0; 4]);
            at += 20_000;
        }
        assert!(file.read <= READ_BUDGET_BYTES, "{}", file.read);
    }

    #[test]
    fn a_disk_error_is_kept() {
        let mut file = counting(1 << 20);
        file.fails_from = 100_000;
        let mut bounded = BoundedFile::open(&mut file, 1 << 20).expect("the head is fine");
        assert_eq!(array::<4>(&mut bounded, 400_000), None);
        assert!(bounded.take_error().is_some());
        file.fails_from = 0;
        assert!(BoundedFile::open(&mut file, 1 << 20).is_err());
    }

    #[test]
    fn a_block_is_refused_before_memory_is_taken() {
        let mut bytes: &[u8] = &[1, 2, 3];
        assert_eq!(block(&mut bytes, 1, 2, 10), Some(vec![2, 3]));
        assert_eq!(block(&mut bytes, 1, 3, 10), None);
        assert_eq!(block(&mut bytes, 0, u64::MAX, usize::MAX), None);
        assert_eq!(block(&mut bytes, 0, 3, 2), None);
    }
}
