//! An answer's body for code that reads and blocks.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::rate_limit::{SharedRateLimiter, Unlimited};
use super::{HttpError, Response};
use crate::destination::ReadBack;

/// Chunks that wait for a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// KeyedLock the rest of an answer into something that is read on a thread that may block. Dropping it
/// ends the exchange. A body that ends before `expected` bytes, or after, is an error.
pub fn into_read_back(response: Response, expected: Option<u64>) -> ReadBack {
    into_limited_read_back(response, expected, Arc::new(Unlimited))
}

/// Reads a response back no faster than `pace` allows, for reading in the background.
pub fn into_limited_read_back(
    response: Response,
    expected: Option<u64>,
    pace: SharedRateLimiter,
) -> ReadBack {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::spawn(forward_chunks(response, sender, pace));
    Box::new(Reader { receiver, current: Bytes::new(), left: expected, is_over: false })
}

async fn forward_chunks(
    mut response: Response,
    sender: mpsc::Sender<Result<Bytes, HttpError>>,
    pace: SharedRateLimiter,
) {
    loop {
        let next = async {
            let chunk = response.chunk().await;
            if let Ok(Some(chunk)) = &chunk {
                pace.admit(chunk.len() as u64).await;
            }
            chunk
        };
        let next = tokio::select! {
            () = sender.closed() => return,
            next = next => next,
        };
        let chunk = match next {
            Ok(Some(chunk)) => Ok(chunk),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        if sender.send(chunk).await.is_err() || is_last {
            return;
        }
    }
}

struct Reader {
    receiver: mpsc::Receiver<Result<Bytes, HttpError>>,
    current: Bytes,
    left: Option<u64>,
    is_over: bool,
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.is_over {
            match wait(&mut self.receiver) {
                Some(Ok(chunk)) => {
                    if let Some(left) = &mut self.left {
                        let too_much =
                            || io::Error::new(io::ErrorKind::InvalidData, "more bytes than there should be");
                        *left = left.checked_sub(chunk.len() as u64).ok_or_else(too_much)?;
                    }
                    self.current = chunk;
                }
                Some(Err(error)) => return Err(io::Error::other(error.into_failure().details)),
                None if self.left.is_some_and(|left| left > 0) => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                None => self.is_over = true,
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

struct ThreadWaker(std::thread::Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until there is something. The runtime's own way refuses to be called from its
/// threads, where a reader of a local copy is welcome.
fn wait(receiver: &mut mpsc::Receiver<Result<Bytes, HttpError>>) -> Option<Result<Bytes, HttpError>> {
    let waker = Arc::new(ThreadWaker(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        match receiver.poll_recv(&mut context) {
            Poll::Ready(next) => return next,
            Poll::Pending => std::thread::park(),
        }
    }
}
