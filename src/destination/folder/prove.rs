//! Reading copies: past the page cache as proof, plainly for restore.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::errors::at_destination;
use super::fs::{Chunks, FolderDir};
use super::{Inner, ProofSupport, check_key, open_dirs, probe, split_key};
use crate::base::files::EntryKind;
use crate::destination::{Attachment, Item, ReadBack, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::record::{Evidence, ProofMethod, ProofNeed};

/// How many methods are tried on one copy: the recorded one and one found again.
const METHODS_TRIED_MAX: usize = 2;

pub(super) async fn prove(
    inner: &Arc<Inner>,
    item: &Item,
    receipt: &str,
    transfer: &Transfer,
) -> Result<Evidence, Failure> {
    check_key(&item.key)?;
    let _housekeeping = match inner.known_proof() {
        // Finding the method out makes scratch files, which cleaning must not meet.
        ProofSupport::Unknown => Some(Arc::clone(&inner.housekeeping).lock_owned().await),
        ProofSupport::Known(_) => None,
    };
    let stop = transfer.cancel.child_token();
    let _stops_when_dropped = stop.clone().drop_guard();
    let (item, receipt) = (item.clone(), receipt.to_owned());
    let must_read = transfer.must_read;
    inner.run(move |inner| prove_now(inner, &item, &receipt, must_read, &stop)).await
}

fn prove_now(
    inner: &Inner,
    item: &Item,
    receipt: &str,
    must_read: bool,
    stop: &CancellationToken,
) -> Result<Evidence, Failure> {
    let root = inner.open()?;
    let (dir, size) = find(inner, root, &item.key)?;
    if size != item.content.size {
        return Err(mismatch(&format!("it has {size} bytes, not {}", item.content.size)));
    }
    let (_folder, name) = split_key(&item.key);
    let is_cold = !receipt.is_empty() && dir.is_over(receipt) && dir.proof_need() != ProofNeed::Never;
    Ok(match prove_file(inner, dir.as_ref(), name, item.content, is_cold, stop)? {
        Some(method) => Evidence::Verified { method, at: inner.parts.clock.now() },
        None if must_read => compare_plainly(inner, dir.as_ref(), item, stop)?,
        None => Evidence::Accepted,
    })
}

/// Reads a file back by the best method there is and says which that was; `None` where there is none.
/// `is_cold` says that nothing of the file can be in the cache that it was written through.
///
/// # Errors
/// `digest_mismatch` when it has other bytes; `timeout` when told to stop.
pub(super) fn prove_file(
    inner: &Inner,
    dir: &dyn FolderDir,
    name: &str,
    content: ContentHash,
    is_cold: bool,
    stop: &CancellationToken,
) -> Result<Option<ProofMethod>, Failure> {
    let mut method = match inner.known_proof() {
        ProofSupport::Known(method) => method,
        ProofSupport::Unknown => learn(inner, &*inner.open()?)?,
    };
    for _try in 0..METHODS_TRIED_MAX {
        // Without a way past the cache a read proves something only when the cache cannot be the one
        // that was written through.
        let Some(by) = method.or(is_cold.then_some(ProofMethod::RemountRead)) else { break };
        match dir.read_back(name, by).and_then(|chunks| digest_of(chunks, stop)) {
            Ok(None) => return Err(stopped()),
            Ok(Some(digest)) if digest == content => return Ok(Some(by)),
            Ok(Some(_other)) => return Err(mismatch("its bytes are not those of the original")),
            // The folder may be mounted in another way than when it was probed.
            Err(error) if is_method_lost(&error) => method = learn(inner, &*inner.open()?)?,
            Err(error) => return Err(unread(inner, &error)),
        }
    }
    Ok(None)
}

/// Reads a copy through whatever caches there are: equal bytes prove nothing, others are news.
fn compare_plainly(
    inner: &Inner,
    dir: &dyn FolderDir,
    item: &Item,
    stop: &CancellationToken,
) -> Result<Evidence, Failure> {
    let (_folder, name) = split_key(&item.key);
    let chunks = dir.read_back(name, ProofMethod::RemountRead);
    match chunks.and_then(|chunks| digest_of(chunks, stop)) {
        Ok(None) => Err(stopped()),
        Ok(Some(digest)) if digest == item.content => Ok(Evidence::Accepted),
        Ok(Some(_other)) => Err(mismatch("its bytes are not those of the original")),
        Err(error) => Err(unread(inner, &error)),
    }
}

fn stopped() -> Failure {
    Failure::cancelled("stopped before the copy was read")
}

/// How the folder is attached, where copies cannot be proved at once.
pub(super) async fn attachment(inner: &Arc<Inner>) -> Result<Option<Attachment>, Failure> {
    let _housekeeping = Arc::clone(&inner.housekeeping).lock_owned().await;
    let look = |inner: &Inner| {
        let root = inner.open()?;
        let method = match inner.known_proof() {
            ProofSupport::Known(method) => method,
            ProofSupport::Unknown => learn(inner, root.as_ref())?,
        };
        let attached = || Attachment { session: root.session(), need: root.proof_need() };
        Ok(method.is_none().then(attached))
    };
    inner.run(look).await
}

/// Finds out how copies are proved here, for the rest of this run.
fn learn(inner: &Inner, root: &dyn FolderDir) -> Result<Option<ProofMethod>, Failure> {
    let method = probe::find_proof(inner, root)?;
    inner.remember_proof(method);
    Ok(method)
}

/// Whether the error says that the method cannot be kept to, and nothing of the copy.
fn is_method_lost(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

pub(super) async fn read(inner: &Arc<Inner>, key: &str) -> Result<ReadBack, Failure> {
    check_key(key)?;
    let key = key.to_owned();
    let open = move |inner: &Inner| {
        let root = inner.open()?;
        let (dir, _size) = find(inner, root, &key)?;
        let (_folder, name) = split_key(&key);
        dir.read(name).map_err(|error| inner.explain(&error, "opening the copy"))
    };
    inner.run(open).await
}

/// The directory that holds the copy, and the copy's length.
fn find(inner: &Inner, root: Box<dyn FolderDir>, key: &str) -> Result<(Box<dyn FolderDir>, u64), Failure> {
    let missing = || Failure::transient(FailureKind::NotFound, format!("there is no copy: {key}"));
    let (folder, name) = split_key(key);
    let dir = open_dirs(root, folder)
        .map_err(|error| inner.explain(&error, "opening the copy's folder"))?
        .ok_or_else(missing)?;
    match dir.entry(name) {
        Ok(entry) if entry.kind == EntryKind::File => Ok((dir, entry.size)),
        Ok(_other) => Err(mismatch("something that is no file has its name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(inner.explain(&error, "looking at the copy")),
    }
}

/// Digest and length of all chunks; `None` when told to stop.
fn digest_of(mut chunks: Box<dyn Chunks>, stop: &CancellationToken) -> io::Result<Option<ContentHash>> {
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    while let Some(chunk) = chunks.next_chunk()? {
        if stop.is_cancelled() {
            return Ok(None);
        }
        hasher.update(chunk);
        size += chunk.len() as u64;
    }
    let blake3 = Blake3(*hasher.finalize().as_bytes());
    Ok(Some(ContentHash { blake3, size }))
}

fn mismatch(why: &str) -> Failure {
    Failure::transient(FailureKind::DigestMismatch, why)
}

/// A copy that cannot be read: a bad spot on the disk concerns this copy only, so that it is sent
/// again under another name; a lost disk concerns them all.
fn unread(inner: &Inner, error: &io::Error) -> Failure {
    let failure = inner.explain(error, "reading the copy back");
    if failure.kind == FailureKind::Unreadable {
        return mismatch(&at_destination(error, "the disk cannot read it back").details);
    }
    failure
}
