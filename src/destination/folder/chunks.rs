//! Reading a file for a proof: in large pieces, into buffers that are kept and used again.

use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::fs::Chunks;

/// How much is read at once, in bytes.
pub(super) const CHUNK_BYTES: usize = 2 * 1024 * 1024;
/// What direct I/O wants addresses, offsets and lengths to be a multiple of, in bytes. Disks ask for
/// 512 or 4096.
const ALIGN: usize = 4096;
/// How many buffers are kept for later.
const BUFFERS_KEPT_MAX: usize = 8;

/// Buffers for reading. They are all of one size, so any will do.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn take_buffer(&self) -> Vec<u8> {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| vec![0; CHUNK_BYTES + ALIGN])
    }

    fn return_buffer(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock();
        if kept.len() < BUFFERS_KEPT_MAX {
            kept.push(buffer);
        }
    }
}

/// A part of a pooled buffer that starts at an aligned address.
pub(super) struct Aligned {
    buffer: Vec<u8>,
    start: usize,
    pool: Buffers,
}

impl Aligned {
    pub(super) fn new(pool: &Buffers) -> Self {
        let buffer = pool.take_buffer();
        // The slack of ALIGN bytes always has an aligned address in it.
        let start = buffer.as_ptr().align_offset(ALIGN).min(ALIGN);
        Self { buffer, start, pool: pool.clone() }
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.start + CHUNK_BYTES]
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        self.pool.return_buffer(std::mem::take(&mut self.buffer));
    }
}

/// Reads a file opened for direct I/O.
pub(super) struct DirectChunks {
    file: File,
    size: u64,
    position: u64,
    buffer: Aligned,
}

impl DirectChunks {
    pub(super) fn new(file: File, size: u64, pool: &Buffers) -> Self {
        Self { file, size, position: 0, buffer: Aligned::new(pool) }
    }
}

impl Chunks for DirectChunks {
    fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        if self.position >= self.size {
            return Ok(None);
        }
        // A short read may leave the position inside a block: the block is then read again.
        let align = ALIGN as u64;
        let skip = usize::try_from(self.position % align).map_err(io::Error::other)?;
        let from = self.position - self.position % align;
        let left = usize::try_from(self.size - from).unwrap_or(usize::MAX);
        let want = left.div_ceil(ALIGN).saturating_mul(ALIGN).min(CHUNK_BYTES);
        let bytes = self.buffer.bytes();
        let read = loop {
            match self.file.read_at(&mut bytes[..want], from) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if read <= skip {
            return Ok(None);
        }
        self.position = from + read as u64;
        Ok(Some(&self.buffer.bytes()[skip..read]))
    }
}

/// Reads a file through the page cache.
pub(super) struct PlainChunks {
    file: File,
    buffer: Aligned,
}

impl PlainChunks {
    pub(super) fn new(file: File, pool: &Buffers) -> Self {
        Self { file, buffer: Aligned::new(pool) }
    }
}

impl Chunks for PlainChunks {
    fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        let bytes = self.buffer.bytes();
        let read = loop {
            match self.file.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        Ok((read > 0).then(|| &self.buffer.bytes()[..read]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_used_again() {
        let pool = Buffers::default();
        let mut first = Aligned::new(&pool);
        assert_eq!(first.bytes().as_ptr().align_offset(ALIGN), 0);
        assert_eq!(first.bytes().len(), CHUNK_BYTES);
        drop(first);
        assert_eq!(pool.0.lock().len(), 1);
        let _again = Aligned::new(&pool);
        assert_eq!(pool.0.lock().len(), 0);
    }

    #[test]
    fn pieces_make_the_whole_at_every_odd_size() {
        let dir = tempfile::tempdir().expect("temp dir");
        let pool = Buffers::default();
        for size in [0, 1, 4095, 4096, 4097, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES * 2 + 7] {
            let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
            let path = dir.path().join(size.to_string());
            std::fs::write(&path, &bytes).expect("write");
            let mut plain = PlainChunks::new(File::open(&path).expect("open"), &pool);
            assert_eq!(collect(&mut plain), bytes);
            // The same arithmetic on a file that is not open for direct I/O.
            let file = File::open(&path).expect("open");
            assert_eq!(collect(&mut DirectChunks::new(file, size as u64, &pool)), bytes);
        }
    }

    fn collect(chunks: &mut dyn Chunks) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next_chunk().expect("read") {
            all.extend_from_slice(chunk);
        }
        all
    }
}
