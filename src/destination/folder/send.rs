//! Sending one resource: look for the effect, copy under a temp name, sync, read it back there, rename,
//! sync the directory, look once more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::check::{VerifiedTemp, copy_and_check};
use super::fs::FolderDir;
use super::temp_copy::CopySend;
use super::{Inner, check_key, open_dirs, split_key};
use crate::base::files::EntryKind;
use crate::destination::{Item, Phase, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::record::Evidence;

/// How many characters of its hash a key must carry where existing names are not left alone.
const HASH_IN_KEY: usize = 16;

/// What is under the key.
enum KeyState {
    /// Nothing.
    Free,
    /// The copy, just named; `is_exclusive` where that could not have replaced anything.
    Ours { dir: Box<dyn FolderDir>, receipt: String, is_exclusive: bool },
    /// Equal bytes from elsewhere or an earlier run.
    Equal { dir: Box<dyn FolderDir>, receipt: String },
    /// Something else.
    Taken,
    /// Not known: told to stop.
    Stopped,
}

pub(super) async fn send(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    check_key(&item.key)?;
    if item.content.size == 0 {
        return Err(Failure::permanent(FailureKind::Empty, item.path.display().to_string()));
    }
    let guard = inner.sends.lock(item.token).await;
    // Dropping this future must stop the work that it leaves on the executor.
    let stop = transfer.cancel.child_token();
    let _stops_when_dropped = stop.clone().drop_guard();
    let job = Arc::new(CopySend {
        item: item.clone(),
        files: Arc::clone(&transfer.files),
        stop,
        bytes_sent: Arc::clone(&transfer.bytes_sent),
        temp_name: AtomicU32::new(0),
        _guard: guard,
    });

    let look = Arc::clone(&job);
    let place = inner.run(move |inner| look.find_existing(inner)).await?;
    if !matches!(place, KeyState::Free) {
        return finish_send(inner, &job, place).await;
    }
    let Some(VerifiedTemp { dir, facts, method }) = copy_and_check(inner, &job, transfer).await? else {
        return Ok(Sent::Cancelled);
    };
    transfer.save(Phase::Committing, String::new()).await?;
    let commit = Arc::clone(&job);
    match inner.run(move |inner| commit.name_copy(inner, dir)).await? {
        KeyState::Ours { dir, receipt, is_exclusive } => {
            let dir: Arc<dyn FolderDir> = Arc::from(dir);
            make_durable(inner, &job, Arc::clone(&dir)).await?;
            let Some(method) = method else { return Ok(Sent::Stored { receipt, evidence: None }) };
            let look = Arc::clone(&job);
            let again =
                move |inner: &Inner| look.look_again(inner, dir.as_ref(), facts, method, is_exclusive);
            let method = inner.run(again).await?;
            let evidence = method.map(|method| Evidence::Verified { method, at: inner.parts.clock.now() });
            Ok(Sent::Stored { receipt, evidence })
        }
        place => finish_send(inner, &job, place).await,
    }
}

async fn finish_send(inner: &Arc<Inner>, job: &Arc<CopySend>, place: KeyState) -> Result<Sent, Failure> {
    match place {
        KeyState::Equal { dir, receipt } => {
            make_durable(inner, job, Arc::from(dir)).await?;
            Ok(Sent::AlreadyThere { receipt })
        }
        KeyState::Taken => Ok(Sent::KeyTaken),
        KeyState::Free | KeyState::Stopped | KeyState::Ours { .. } => Ok(Sent::Cancelled),
    }
}

/// Makes the name durable, together with whoever else waits for that directory.
async fn make_durable(
    inner: &Arc<Inner>,
    job: &Arc<CopySend>,
    dir: Arc<dyn FolderDir>,
) -> Result<(), Failure> {
    let (folder, _name) = split_key(&job.item.key);
    let held = Arc::clone(job);
    let sync = || {
        inner.run(move |inner| {
            let outcome = dir.sync().map_err(|error| inner.explain(&error, "syncing the folder"));
            drop(held);
            outcome
        })
    };
    inner.syncs.sync(folder, sync).await?;
    job.bytes_sent.store(job.item.content.size, Ordering::Relaxed);
    Ok(())
}

impl CopySend {
    /// Looks for the effect of an earlier run, or equal bytes from anywhere.
    fn find_existing(&self, inner: &Inner) -> Result<KeyState, Failure> {
        if self.stop.is_cancelled() {
            return Ok(KeyState::Stopped);
        }
        let root = inner.open()?;
        let (folder, name) = split_key(&self.item.key);
        let found = open_dirs(root, folder).and_then(|dir| match dir {
            None => Ok(None),
            Some(dir) => match dir.entry(name) {
                Ok(_entry) => Ok(Some(dir)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        });
        match found.map_err(|error| inner.explain(&error, "looking for the copy"))? {
            None => Ok(KeyState::Free),
            Some(dir) => self.compare_existing(inner, dir, name),
        }
    }

    /// Whether what is under the name is equal. Where it is, it is made durable and our temp file
    /// goes.
    fn compare_existing(
        &self,
        inner: &Inner,
        dir: Box<dyn FolderDir>,
        name: &str,
    ) -> Result<KeyState, Failure> {
        let entry = dir.entry(name).map_err(|error| inner.explain(&error, "looking at the copy"))?;
        if entry.kind != EntryKind::File || entry.size != self.item.content.size {
            return Ok(KeyState::Taken);
        }
        match self.digest_of(dir.as_ref(), name) {
            Ok(None) => return Ok(KeyState::Stopped),
            Ok(Some(digest)) if digest == self.item.content.blake3 => {}
            Ok(Some(_other)) => return Ok(KeyState::Taken),
            Err(error) => {
                // A copy that cannot be read is not ours to replace; only a lost disk is a failure.
                let failure = inner.explain(&error, "reading the copy");
                let is_lost = matches!(failure.kind, FailureKind::Gone | FailureKind::Forbidden);
                return if is_lost { Err(failure) } else { Ok(KeyState::Taken) };
            }
        }
        dir.sync_file(name).map_err(|error| inner.explain(&error, "syncing the copy"))?;
        dir.remove_file(&self.temp()).ok();
        let receipt = dir.session();
        Ok(KeyState::Equal { dir, receipt })
    }

    /// Gives the temp file its name, unless something has it.
    fn name_copy(&self, inner: &Inner, dir: Box<dyn FolderDir>) -> Result<KeyState, Failure> {
        if self.stop.is_cancelled() {
            return Ok(KeyState::Stopped);
        }
        let (_folder, name) = split_key(&self.item.key);
        match self.rename(dir.as_ref(), &self.temp(), name) {
            Ok(is_exclusive) => {
                let receipt = dir.session();
                Ok(KeyState::Ours { dir, receipt, is_exclusive })
            }
            // The temp file stays where the bytes differ: it serves the next key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.compare_existing(inner, dir, name)
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Err(Failure::destination(
                FailureKind::Unsupported,
                "this file system may replace existing names; test the destination again",
            )),
            Err(error) => Err(inner.explain(&error, "naming the copy")),
        }
    }

    /// Whether the rename could not have replaced anything.
    fn rename(&self, dir: &dyn FolderDir, temp: &str, name: &str) -> io::Result<bool> {
        match dir.rename_new(temp, name) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported && self.key_has_hash() => {}
            other => return other.map(|()| true),
        }
        // Only equal bytes can have this name, so nothing is lost if one appears after the look.
        match dir.entry(name) {
            Ok(_there) => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                dir.rename_over(temp, name).map(|()| false)
            }
            Err(error) => Err(error),
        }
    }

    fn key_has_hash(&self) -> bool {
        let (_folder, name) = split_key(&self.item.key);
        let hash = self.item.content.blake3.to_hex();
        // Behind `-` where names may not have `~`.
        ["~", "-"].iter().any(|mark| name.contains(&format!("{mark}{}", &hash[..HASH_IN_KEY])))
    }
}
