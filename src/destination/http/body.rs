//! What a request sends: bytes and ranges of source files, with their exact length.
//!
//! A range is read on an executor and shown to its observers on the way, so that digests are always of
//! the very bytes that were sent. Its last chunk is held back until the file was seen to be
//! unchanged and every observer has agreed: a request with the wrong bytes never becomes whole.

use parking_lot::Mutex;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio_util::sync::CancellationToken;

use super::idle_timeout::IdleTimeout;
use super::rate_limit::SharedRateLimiter;
use crate::base::executor::Executor;
use crate::base::files::{SharedFiles, SourceFile};
use crate::destination::source::{self, changed};
use crate::destination::{Item, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::file::FileStamp;
use crate::domain::hash::{Blake3, ContentHash};

/// How much is read and handed over at once, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;
/// The most pieces of one body.
const PIECES_MAX: usize = 1024;

/// Sees the very bytes that are sent, in order.
pub trait ByteObserver: Send {
    /// The next bytes.
    fn update(&mut self, bytes: &[u8]);

    /// All bytes of the range were read, and the last of them not yet sent.
    ///
    /// # Errors
    /// Keeps the request from ever being whole.
    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// An observer that its owner can look at afterwards.
pub type SharedByteObserver = Arc<Mutex<dyn ByteObserver>>;

/// Makes sure that a whole file is the content that the ledger knows.
pub struct ContentCheck {
    hasher: blake3::Hasher,
    expected: ContentHash,
}

impl ContentCheck {
    /// An observer for a range that is the whole file.
    pub fn shared(expected: ContentHash) -> SharedByteObserver {
        Arc::new(Mutex::new(Self { hasher: blake3::Hasher::new(), expected }))
    }
}

impl ByteObserver for ContentCheck {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let read =
            ContentHash { blake3: Blake3(*self.hasher.finalize().as_bytes()), size: self.hasher.count() };
        if read == self.expected {
            return Ok(());
        }
        Err(changed("the file has other bytes"))
    }
}

/// A range of a source file.
#[derive(Clone)]
pub struct SourceRange {
    /// Where it is read.
    pub files: SharedFiles,
    /// On which threads.
    pub executor: Executor,
    /// The file.
    pub path: PathBuf,
    /// The state that it must have before and after.
    pub stamp: FileStamp,
    /// The first byte.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
    /// Counts bytes up as they are handed to the connection.
    pub sent: Option<Arc<AtomicU64>>,
    /// What sees the bytes on their way.
    pub observers: Vec<SharedByteObserver>,
}

impl SourceRange {
    /// The whole file of an item, which must be its content.
    pub fn whole_file(item: &Item, transfer: &Transfer, executor: &Executor) -> Self {
        let observers = vec![ContentCheck::shared(item.content)];
        Self { observers, ..Self::part(item, transfer, executor, 0, item.content.size) }
    }

    /// A part of an item's file, without observers.
    pub fn part(item: &Item, transfer: &Transfer, executor: &Executor, start: u64, len: u64) -> Self {
        Self {
            files: Arc::clone(&transfer.files),
            executor: executor.clone(),
            path: item.path.clone(),
            stamp: item.stamp,
            start,
            len,
            sent: Some(Arc::clone(&transfer.bytes_sent)),
            observers: Vec::new(),
        }
    }

    /// With one more observer.
    #[must_use]
    pub fn with_observer(mut self, observer: SharedByteObserver) -> Self {
        self.observers.push(observer);
        self
    }
}

impl std::fmt::Debug for SourceRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}..+{}]", self.path.display(), self.start, self.len)
    }
}

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// A range of a source file.
    Source(SourceRange),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Source(range) => range.len,
        }
    }
}

/// What a request sends: pieces one after the other. The default is a request without a body.
#[derive(Debug, Clone, Default)]
pub struct Body(Vec<Piece>);

impl Body {
    /// Several pieces, as of a form.
    ///
    /// # Errors
    /// `bad_request` when there are too many.
    pub fn pieces(pieces: Vec<Piece>) -> Result<Self, Failure> {
        if pieces.len() > PIECES_MAX {
            return Err(Failure::permanent(FailureKind::BadRequest, "a body of too many pieces"));
        }
        Ok(Self(pieces))
    }

    /// Whether there is no body at all: not even an empty one.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(Piece::len).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, when all of them are in memory.
    pub fn in_memory(&self) -> Option<Bytes> {
        match self.0.as_slice() {
            [] => Some(Bytes::new()),
            [Piece::Bytes(bytes)] => Some(bytes.clone()),
            _ => None,
        }
    }

    pub(super) fn into_stream(
        self,
        stop: CancellationToken,
        watch: Arc<IdleTimeout>,
        pace: SharedRateLimiter,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let left = self.len();
        let pieces = self.0.into_iter();
        let sending = OutgoingBody { pieces, left, bytes: Bytes::new(), reader: None, stop, watch, pace };
        stream::unfold(Some(sending), |sending| async move {
            let mut sending = sending?;
            match sending.next().await {
                Ok(Some(chunk)) => {
                    // Nobody asks again after the last byte.
                    sending.left = sending.left.saturating_sub(chunk.len() as u64);
                    if sending.left == 0 {
                        sending.watch.set_whole();
                    }
                    Some((Ok(chunk), Some(sending)))
                }
                Ok(None) => None,
                Err(BodyEnd::Stopped) => Some((Err(io::Error::other("stopped")), None)),
                Err(BodyEnd::Failed(failure)) => {
                    sending.watch.fail(failure);
                    Some((Err(io::Error::other("the source could not be read")), None))
                }
            }
        })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(vec![Piece::Bytes(bytes)])
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<SourceRange> for Body {
    fn from(range: SourceRange) -> Self {
        Self(vec![Piece::Source(range)])
    }
}

enum BodyEnd {
    Stopped,
    Failed(Failure),
}

/// A body on its way out.
struct OutgoingBody {
    pieces: std::vec::IntoIter<Piece>,
    /// Bytes that were not handed over yet.
    left: u64,
    /// What is left of the bytes that are being sent.
    bytes: Bytes,
    reader: Option<(Reader, Executor, Option<Arc<AtomicU64>>)>,
    stop: CancellationToken,
    watch: Arc<IdleTimeout>,
    pace: SharedRateLimiter,
}

impl OutgoingBody {
    async fn next(&mut self) -> Result<Option<Bytes>, BodyEnd> {
        loop {
            if self.watch.is_answered() {
                // The answer is there: nothing more is sent, and the connection goes with it.
                self.stop.cancelled().await;
            }
            if self.stop.is_cancelled() {
                return Err(BodyEnd::Stopped);
            }
            if !self.bytes.is_empty() {
                // In chunks, so that the connection is seen to take them and the limit is kept.
                let chunk_max = self.pace.chunk_max().min(CHUNK_BYTES).min(self.bytes.len());
                let chunk = self.bytes.split_to(chunk_max);
                self.admit(chunk.len()).await?;
                return Ok(Some(chunk));
            }
            let Some((reader, executor, sent)) = self.reader.take() else {
                match self.pieces.next() {
                    None => return Ok(None),
                    Some(Piece::Bytes(bytes)) => {
                        self.bytes = bytes;
                        continue;
                    }
                    Some(Piece::Source(range)) => {
                        let (executor, sent) = (range.executor.clone(), range.sent.clone());
                        self.reader = Some((Reader::new(range), executor, sent));
                        continue;
                    }
                }
            };
            let chunk_max = self.pace.chunk_max().min(CHUNK_BYTES);
            // What holds things up now is the source, not the server.
            let held = IdleTimeout::hold(&self.watch);
            let (reader, read) = read_one(&executor, reader, chunk_max).await.map_err(BodyEnd::Failed)?;
            drop(held);
            let Some(chunk) = read.map_err(BodyEnd::Failed)? else { continue };
            self.admit(chunk.len()).await?;
            if let Some(sent) = &sent {
                sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
            self.reader = Some((reader, executor, sent));
            return Ok(Some(chunk));
        }
    }

    /// Waits for the bandwidth limit.
    async fn admit(&mut self, bytes: usize) -> Result<(), BodyEnd> {
        let _held = IdleTimeout::hold(&self.watch);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(BodyEnd::Stopped),
            () = self.pace.admit(bytes as u64) => Ok(()),
        }
    }
}

async fn read_one(
    executor: &Executor,
    mut reader: Reader,
    chunk_max: usize,
) -> Result<(Reader, Result<Option<Bytes>, Failure>), Failure> {
    let read = move || {
        let read = reader.next(chunk_max);
        (reader, read)
    };
    let lost =
        |lost: crate::base::executor::WorkLost| Failure::transient(FailureKind::Server, lost.to_string());
    executor.run(read).await.map_err(lost)
}

/// Reads a range without sending it and shows it to its observers: for a part that an earlier run sent.
///
/// # Errors
/// `None` when told to stop; else what the source says.
pub async fn feed(range: SourceRange, stop: &CancellationToken) -> Result<(), Option<Failure>> {
    let executor = range.executor.clone();
    let mut reader = Reader::new(range);
    loop {
        if stop.is_cancelled() {
            return Err(None);
        }
        let (next, read) = read_one(&executor, reader, CHUNK_BYTES).await?;
        if read?.is_none() {
            return Ok(());
        }
        reader = next;
    }
}

/// Reads a range, chunk by chunk.
struct Reader {
    range: SourceRange,
    file: Option<Box<dyn SourceFile>>,
    position: u64,
}

impl Reader {
    fn new(range: SourceRange) -> Self {
        Self { position: range.start, range, file: None }
    }

    /// The next chunk; `None` at the end.
    fn next(&mut self, chunk_max: usize) -> Result<Option<Bytes>, Failure> {
        let end = self.range.start.saturating_add(self.range.len);
        if self.position >= end {
            return Ok(None);
        }
        let at_source = |error: io::Error| source::at_source(&error, &self.range.path);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = self.range.files.open(&self.range.path).map_err(at_source)?;
                if file.stat().map_err(at_source)?.stamp != self.range.stamp {
                    return Err(changed("the file has changed since it was read"));
                }
                file.seek(SeekFrom::Start(self.position)).map_err(at_source)?;
                file
            }
        };
        let want = usize::try_from(end - self.position).unwrap_or(usize::MAX).min(chunk_max.max(1));
        let mut buffer = vec![0; want];
        let mut filled = 0;
        while filled < want {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => return Err(changed("the file has become shorter")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(at_source(error)),
            }
        }
        for observer in &self.range.observers {
            observer.lock().update(&buffer);
        }
        self.position += filled as u64;
        if self.position == end {
            self.finish(file.as_mut())?;
        }
        self.file = Some(file);
        Ok(Some(Bytes::from(buffer)))
    }

    /// The file must be what it was, and end where it should.
    fn finish(&self, file: &mut dyn SourceFile) -> Result<(), Failure> {
        let at_source = |error: io::Error| source::at_source(&error, &self.range.path);
        if self.position == self.range.stamp.size && file.read(&mut [0]).map_err(at_source)? != 0 {
            return Err(changed("the file has grown"));
        }
        if file.stat().map_err(at_source)?.stamp != self.range.stamp {
            return Err(changed("the file changed while it was being sent"));
        }
        for observer in &self.range.observers {
            observer.lock().finish()?;
        }
        Ok(())
    }
}
