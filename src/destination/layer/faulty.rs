//! A destination that fails when told to: tests queue faults, and each call takes the next one
//! that is meant for it.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::files::{Entry, SharedFiles, SourceFile, SourceFiles, Stat};
use crate::destination::manifest::ManifestContents;
use crate::destination::{
    Attachment, BoxFuture, Capabilities, Checkpoint, Destination, Item, KeyOwners, ReadBack, Sent,
    SharedDestination, Transfer,
};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::record::Evidence;

/// The most faults that wait at once; more are refused, so that a test cannot queue what is never
/// reached.
pub const FAULTS_MAX: usize = 1_000;

/// The calls that a fault can be meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Destination::check`].
    Check,
    /// [`Destination::probe`].
    Probe,
    /// [`Destination::send`].
    Send,
    /// [`Destination::prove`].
    Prove,
    /// [`Destination::read`].
    Read,
    /// [`Destination::write_manifest`].
    WriteManifest,
    /// [`Destination::read_manifests`].
    ReadManifests,
    /// [`Destination::clean`].
    Clean,
}

/// One fault that a test has planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It fails before anything has happened.
    FailBefore(Failure),
    /// It happens, and then the answer is lost.
    FailAfter(Failure),
    /// Bytes end early: the source as a send reads it, the copy as it is read or proved.
    Truncate,
    /// A byte is another: the source as a send reads it, the copy as it is read or proved.
    WrongBytes,
    /// Nothing happens until it is told to stop. Calls that cannot be told wait for ever.
    HangUntilCancelled,
    /// It begins only after so long.
    Slow(Duration),
}

/// A destination with a queue of faults before it.
pub struct Faulty {
    inner: SharedDestination,
    faults: Mutex<VecDeque<(Call, Fault)>>,
}

impl Faulty {
    /// A layer without faults so far.
    pub fn new(inner: SharedDestination) -> Self {
        Self { inner, faults: Mutex::default() }
    }

    /// Queues a fault for the next `call` that has none yet. Returns whether there was room.
    pub fn queue(&self, call: Call, fault: Fault) -> bool {
        let mut faults = self.lock();
        let has_room = faults.len() < FAULTS_MAX;
        if has_room {
            faults.push_back((call, fault));
        }
        has_room
    }

    /// How many faults nobody has met yet.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, VecDeque<(Call, Fault)>> {
        self.faults.lock()
    }

    fn take_fault(&self, call: Call) -> Option<Fault> {
        let mut faults = self.lock();
        let at = faults.iter().position(|(meant, _fault)| *meant == call)?;
        faults.remove(at).map(|(_call, fault)| fault)
    }

    /// A call that moves no bytes of a file and cannot be told to stop.
    async fn call_with_fault<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        match self.take_fault(call) {
            None => work.await,
            Some(Fault::FailBefore(failure)) => Err(failure),
            Some(Fault::FailAfter(failure)) => work.await.and(Err(failure)),
            Some(Fault::Truncate | Fault::WrongBytes) => {
                Err(Failure::destination(FailureKind::Protocol, "the answer is damaged"))
            }
            Some(Fault::HangUntilCancelled) => std::future::pending().await,
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                work.await
            }
        }
    }

    async fn send_with(
        &self,
        fault: Option<Fault>,
        item: &Item,
        transfer: &Transfer,
    ) -> Result<Sent, Failure> {
        match fault {
            None => self.inner.send(item, transfer).await,
            Some(Fault::FailBefore(failure)) => Err(failure),
            Some(Fault::FailAfter(failure)) => self.inner.send(item, transfer).await.and(Err(failure)),
            Some(Fault::Truncate) => self.send_corrupted(item, transfer, Corruption::Short).await,
            Some(Fault::WrongBytes) => self.send_corrupted(item, transfer, Corruption::Flipped).await,
            Some(Fault::HangUntilCancelled) => {
                transfer.cancel.cancelled().await;
                Ok(Sent::Cancelled)
            }
            Some(Fault::Slow(delay)) => {
                tokio::select! {
                    () = transfer.cancel.cancelled() => Ok(Sent::Cancelled),
                    () = tokio::time::sleep(delay) => self.inner.send(item, transfer).await,
                }
            }
        }
    }

    async fn send_corrupted(
        &self,
        item: &Item,
        transfer: &Transfer,
        corrupt: Corruption,
    ) -> Result<Sent, Failure> {
        let files = Arc::new(CorruptedFiles { files: Arc::clone(&transfer.files), corrupt });
        let mut bent =
            Transfer::new(files, transfer.cancel.clone(), transfer.checkpoint.clone(), transfer.saver());
        bent.bytes_sent = Arc::clone(&transfer.bytes_sent);
        bent.named.clone_from(&transfer.named);
        self.inner.send(item, &bent).await
    }

    async fn prove_with(
        &self,
        fault: Option<Fault>,
        item: &Item,
        receipt: &str,
        transfer: &Transfer,
    ) -> Result<Evidence, Failure> {
        let prove = self.inner.prove(item, receipt, transfer);
        match fault {
            None => prove.await,
            Some(Fault::FailBefore(failure)) => Err(failure),
            Some(Fault::FailAfter(failure)) => prove.await.and(Err(failure)),
            Some(Fault::Truncate | Fault::WrongBytes) => {
                Err(Failure::transient(FailureKind::DigestMismatch, "other bytes were read back"))
            }
            Some(Fault::HangUntilCancelled) => {
                transfer.cancel.cancelled().await;
                Err(Failure::cancelled("stopped before the copy was read"))
            }
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                prove.await
            }
        }
    }
}

impl Destination for Faulty {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(self.call_with_fault(Call::Check, self.inner.check()))
    }

    fn probe(&self) -> BoxFuture<'_, Result<Capabilities, Failure>> {
        Box::pin(self.call_with_fault(Call::Probe, self.inner.probe()))
    }

    fn send<'a>(&'a self, item: &'a Item, transfer: &'a Transfer) -> BoxFuture<'a, Result<Sent, Failure>> {
        Box::pin(self.send_with(self.take_fault(Call::Send), item, transfer))
    }

    fn prove<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>> {
        Box::pin(self.prove_with(self.take_fault(Call::Prove), item, receipt, transfer))
    }

    fn arrange<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        self.inner.arrange(item, receipt, transfer)
    }

    fn proof_obstacle(&self) -> Option<String> {
        self.inner.proof_obstacle()
    }

    fn attachment(&self) -> BoxFuture<'_, Result<Option<Attachment>, Failure>> {
        self.inner.attachment()
    }

    fn read<'a>(&'a self, key: &'a str, receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>> {
        let corrupt = |corrupt| async move {
            let copy = self.inner.read(key, receipt).await?;
            Ok(Box::new(CorruptedReader::new(copy, corrupt)) as ReadBack)
        };
        match self.take_fault(Call::Read) {
            Some(Fault::Truncate) => Box::pin(corrupt(Corruption::Short)),
            Some(Fault::WrongBytes) => Box::pin(corrupt(Corruption::Flipped)),
            Some(other) => {
                self.lock().push_front((Call::Read, other));
                Box::pin(self.call_with_fault(Call::Read, self.inner.read(key, receipt)))
            }
            None => self.inner.read(key, receipt),
        }
    }

    fn write_manifest<'a>(
        &'a self,
        installation: &'a str,
        sequence: u64,
        segment: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        let write = self.inner.write_manifest(installation, sequence, segment);
        Box::pin(self.call_with_fault(Call::WriteManifest, write))
    }

    fn read_manifests(&self) -> BoxFuture<'_, Result<ManifestContents, Failure>> {
        Box::pin(self.call_with_fault(Call::ReadManifests, self.inner.read_manifests()))
    }

    fn clean<'a>(&'a self, keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(self.call_with_fault(Call::Clean, self.inner.clean(keep)))
    }

    fn untrash<'a>(&'a self, item: &'a Item) -> BoxFuture<'a, Result<(), Failure>> {
        self.inner.untrash(item)
    }

    fn abandon<'a>(&'a self, uploads: &'a [Checkpoint]) -> BoxFuture<'a, ()> {
        self.inner.abandon(uploads)
    }

    fn new_findings(&self) -> Option<String> {
        self.inner.new_findings()
    }

    fn software(&self) -> BoxFuture<'_, Result<String, Failure>> {
        self.inner.software()
    }

    fn end_lost_uploads<'a>(&'a self, owners: &'a dyn KeyOwners) -> BoxFuture<'a, Result<u64, Failure>> {
        self.inner.end_lost_uploads(owners)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Corruption {
    Short,
    Flipped,
}

/// Bytes that are not quite those underneath.
struct CorruptedReader<R: ?Sized> {
    corrupt: Corruption,
    /// The last byte so far, held back until another follows it.
    held: Option<u8>,
    is_flipped: bool,
    inner: Box<R>,
}

impl<R: Read + ?Sized> CorruptedReader<R> {
    fn new(inner: Box<R>, corrupt: Corruption) -> Self {
        Self { corrupt, held: None, is_flipped: false, inner }
    }

    fn read_short(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.inner.read(buf)?;
            let Some(last) = read.checked_sub(1).map(|at| buf[at]) else { return Ok(0) };
            match self.held.replace(last) {
                Some(first) => {
                    buf.copy_within(..read - 1, 1);
                    buf[0] = first;
                    return Ok(read);
                }
                None if read > 1 => return Ok(read - 1),
                None => {}
            }
        }
    }
}

impl<R: Read + ?Sized> Read for CorruptedReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.corrupt {
            Corruption::Short => self.read_short(buf),
            Corruption::Flipped => {
                let read = self.inner.read(buf)?;
                if read > 0 && !std::mem::replace(&mut self.is_flipped, true) {
                    buf[0] ^= 1;
                }
                Ok(read)
            }
        }
    }
}

impl Seek for CorruptedReader<dyn SourceFile> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.held = None;
        self.inner.seek(to)
    }
}

impl SourceFile for CorruptedReader<dyn SourceFile> {
    fn stat(&self) -> io::Result<Stat> {
        self.inner.stat()
    }
}

struct CorruptedFiles {
    files: SharedFiles,
    corrupt: Corruption,
}

impl SourceFiles for CorruptedFiles {
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.files.list(dir)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.files.stat(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SourceFile>> {
        Ok(Box::new(CorruptedReader::new(self.files.open(path)?, self.corrupt)))
    }

    fn file_system(&self, path: &Path) -> io::Result<String> {
        self.files.file_system(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], corrupt: Corruption, step: usize) -> Vec<u8> {
        let mut bent = CorruptedReader::new(Box::new(io::Cursor::new(bytes.to_vec())), corrupt);
        let (mut out, mut buf) = (Vec::new(), vec![0; step]);
        loop {
            match bent.read(&mut buf).expect("a cursor never fails") {
                0 => return out,
                read => out.extend_from_slice(&buf[..read]),
            }
        }
    }

    #[test]
    fn exactly_the_last_byte_goes_or_the_first_is_another() {
        for step in [1, 2, 3, 7, 100] {
            assert_eq!(all(b"abcdefg", Corruption::Short, step), b"abcdef", "{step}");
            assert_eq!(all(b"a", Corruption::Short, step), b"");
            assert_eq!(all(b"abcdefg", Corruption::Flipped, step), b"`bcdefg", "{step}");
        }
    }
}
