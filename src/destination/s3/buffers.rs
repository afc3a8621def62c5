//! Bringing pieces of a source file into memory, with their digests, inside a fixed room.

use parking_lot::Mutex;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Inner;
use crate::base::digester::Digester;
use crate::base::files::SourceFile;
use crate::destination::{Item, Transfer, source};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{DigestSet, Digests, Hashed};

/// The bytes of source files that one destination holds in memory at once.
pub(super) const ROOM_BYTES_MAX: u64 = 48 << 20;
/// MemoryBudget is given in pieces of this many bytes.
const STEP_BYTES: u64 = 64 << 10;
/// How much is read between two looks at the stop sign, in bytes.
const CHUNK_BYTES: usize = 1 << 20;
/// Buffers that wait for the next part of the same file.
const SPARE_MAX: usize = 8;

/// Bounds the bytes that are held in memory.
pub(super) struct MemoryBudget(Arc<Semaphore>);

impl Default for MemoryBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(steps(ROOM_BYTES_MAX) as usize)))
    }
}

fn steps(bytes: u64) -> u32 {
    u32::try_from(bytes.min(ROOM_BYTES_MAX).div_ceil(STEP_BYTES).max(1)).unwrap_or(u32::MAX)
}

impl MemoryBudget {
    /// Waits for room; more than all there is counts as all there is.
    pub async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = Arc::clone(&self.0).acquire_many_owned(steps(bytes)).await;
        permit.map_err(|closed| Failure::transient(FailureKind::Server, closed.to_string()))
    }
}

/// Buffers of one size that are used again, so that a large file does not scatter the memory.
#[derive(Clone, Default)]
pub(super) struct BufferPool(Arc<Mutex<Vec<Vec<u8>>>>);

impl BufferPool {
    fn take(&self, len: usize) -> Vec<u8> {
        let spare = self.0.lock().pop();
        let mut buffer = spare.unwrap_or_default();
        buffer.resize(len, 0);
        buffer
    }

    fn give(&self, buffer: Vec<u8>) {
        let mut spare = self.0.lock();
        if spare.len() < SPARE_MAX {
            spare.push(buffer);
        }
    }
}

/// Bytes in their room; both are given back when the last view of them goes.
struct PooledBuffer {
    buffer: Vec<u8>,
    spare: BufferPool,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.spare.give(std::mem::take(&mut self.buffer));
    }
}

/// A piece of a file in memory.
pub(super) struct Piece {
    pub bytes: Bytes,
    /// BLAKE3 and the digests that were asked for, of these bytes.
    pub hashed: Hashed,
}

/// Reads a whole file, which must be the item's content, with what is missing of `set`. Returns its
/// bytes and all its digests, or nothing when told to stop.
pub(super) async fn read_to_end(
    inner: &Arc<Inner>,
    item: &Item,
    transfer: &Transfer,
    set: DigestSet,
) -> Result<Option<(Bytes, Digests)>, Failure> {
    let room = inner.room.take(item.content.size).await?;
    if transfer.cancel.is_cancelled() {
        return Ok(None);
    }
    let (files, item, stop) = (Arc::clone(&transfer.files), item.clone(), transfer.cancel.clone());
    let missing = set.without(item.digests.known());
    let read = move || {
        let mut file = source::open(files.as_ref(), &item)?;
        let piece = piece_of(
            file.as_mut(),
            &item,
            item.content.size,
            missing,
            PooledBuffer { buffer: Vec::new(), spare: BufferPool::default(), _room: room },
            &stop,
        )?;
        let Some(piece) = piece.filter(|_piece| !stop.is_cancelled()) else { return Ok(None) };
        // One byte more would make it another file.
        if source::fill(file.as_mut(), &mut [0], &item)? > 0 {
            return Err(source::changed("the file has grown"));
        }
        source::check(file.as_ref(), &item)?;
        if piece.hashed.content != item.content {
            return Err(source::changed("the file has other bytes"));
        }
        Ok(Some((piece.bytes, item.digests.or(piece.hashed.digests))))
    };
    run(inner, read).await
}

/// A file that is read part by part.
pub(super) struct PartReader {
    /// Away while a part is being read.
    file: Option<(Box<dyn SourceFile>, blake3::Hasher)>,
    spare: BufferPool,
}

impl PartReader {
    /// Opens an item's file.
    pub async fn open(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Self, Failure> {
        let (files, item) = (Arc::clone(&transfer.files), item.clone());
        let file = run(inner, move || {
            let mut file = source::open(files.as_ref(), &item)?;
            file.seek(SeekFrom::Start(0)).map_err(|error| source::at_source(&error, &item.path))?;
            Ok(file)
        });
        Ok(Self { file: Some((file.await?, blake3::Hasher::new())), spare: BufferPool::default() })
    }

    /// Reads the next `len` bytes; nothing when told to stop.
    pub async fn next(
        &mut self,
        inner: &Arc<Inner>,
        item: &Item,
        len: u64,
        set: DigestSet,
        stop: &CancellationToken,
    ) -> Result<Option<Piece>, Failure> {
        let room = inner.room.take(len).await?;
        let Some((mut file, mut whole)) = self.file.take() else { return Err(lost()) };
        let (item, spare, stop) = (item.clone(), self.spare.clone(), stop.clone());
        let (file, piece) = run(inner, move || {
            let held = PooledBuffer { buffer: Vec::new(), spare, _room: room };
            let piece = piece_of(file.as_mut(), &item, len, set, held, &stop)?;
            if let Some(piece) = &piece {
                whole.update(&piece.bytes);
            }
            Ok(((file, whole), piece))
        })
        .await?;
        self.file = Some(file);
        Ok(piece)
    }

    /// Makes sure that all that was read is the item's content, and the file is what it was.
    pub async fn finish(&mut self, inner: &Arc<Inner>, item: &Item) -> Result<(), Failure> {
        let Some((mut file, whole)) = self.file.take() else { return Err(lost()) };
        let item = item.clone();
        run(inner, move || {
            if source::fill(file.as_mut(), &mut [0], &item)? > 0 {
                return Err(source::changed("the file has grown"));
            }
            source::check(file.as_ref(), &item)?;
            if *whole.finalize().as_bytes() != item.content.blake3.0 || whole.count() != item.content.size {
                return Err(source::changed("the file has other bytes"));
            }
            Ok(())
        })
        .await
    }
}

fn lost() -> Failure {
    Failure::transient(FailureKind::Server, "reading the file ended before its time")
}

fn piece_of(
    file: &mut dyn SourceFile,
    item: &Item,
    len: u64,
    set: DigestSet,
    mut held: PooledBuffer,
    stop: &CancellationToken,
) -> Result<Option<Piece>, Failure> {
    let too_large = |_error| Failure::permanent(FailureKind::TooLarge, "a part has more bytes than memory");
    let len = usize::try_from(len).map_err(too_large)?;
    held.buffer = held.spare.take(len);
    let mut digester = Digester::new(set);
    for chunk in held.buffer.chunks_mut(CHUNK_BYTES) {
        if stop.is_cancelled() {
            return Ok(None);
        }
        if source::fill(file, chunk, item)? < chunk.len() {
            return Err(source::changed("the file has become shorter"));
        }
        digester.update(chunk);
    }
    Ok(Some(Piece { hashed: digester.finish(), bytes: Bytes::from_owner(held) }))
}

/// Runs blocking work on the executor.
async fn run<T: Send + 'static>(
    inner: &Inner,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let outcome = inner.parts.executor.run(work).await;
    outcome.unwrap_or_else(|lost| Err(Failure::transient(FailureKind::Server, lost.to_string())))
}
