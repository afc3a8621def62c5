//! Sending one file: look for the effect, PUT under a temp name, compare, MOVE.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::calls::{Moved, Seen, Told};
use super::cloud::{self, Cloud, hex};
use super::folders::Hint;
use super::prove::{self, Same};
use super::{Inner, check_key, split};
use crate::destination::http::{HttpError, SourceRange};
use crate::destination::{Item, Phase, Sent, Transfer, source};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key;

const NANOS: i64 = 1_000_000_000;

pub(super) async fn send(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    check_key(&item.key)?;
    if item.content.size == 0 {
        return Err(Failure::permanent(FailureKind::Empty, item.path.display().to_string()));
    }
    if transfer.cancel.is_cancelled() {
        return Ok(Sent::Cancelled);
    }
    let _turn = inner.turns.wait(item.token).await;
    inner.identify().await?;
    let job = Job { inner, item, transfer };
    match job.run().await {
        Ok(sent) => Ok(sent),
        Err(HttpError::Cancelled) => Ok(Sent::Cancelled),
        Err(HttpError::Failed(failure)) => {
            inner.folders.forget(split(&item.key).0);
            Err(inner.explain(failure).await)
        }
    }
}

struct Job<'a> {
    inner: &'a Inner,
    item: &'a Item,
    transfer: &'a Transfer,
}

impl Job<'_> {
    fn stop(&self) -> &CancellationToken {
        &self.transfer.cancel
    }

    fn temp(&self) -> String {
        let (folder, _name) = split(&self.item.key);
        let slash = if folder.is_empty() { "" } else { "/" };
        format!("{folder}{slash}{}", key::temp_name(self.item.token))
    }

    async fn run(&self) -> Result<Sent, HttpError> {
        let (folder, name) = split(&self.item.key);
        let hint = self.inner.folders.hint(&self.inner.calls, folder, name).await?;
        if hint == Hint::Ask
            && let Some(seen) = self.inner.calls.head(&self.item.key).await?
        {
            return self.meet(&seen).await;
        }
        if self.stop().is_cancelled() {
            return Ok(Sent::Cancelled);
        }
        self.look_at_source().await?;
        if let Some(cloud) = &self.inner.cloud {
            cloud.check_room(self.inner, self.item.content.size).await?;
            if self.item.content.size > cloud::WHOLE_MAX {
                return self.in_chunks(cloud, folder).await;
            }
        }
        self.transfer.save(Phase::Sending, String::new()).await?;
        self.inner.folders.make(&self.inner.calls, folder).await?;
        self.put().await?;
        self.transfer.save(Phase::Committing, String::new()).await?;
        if self.stop().is_cancelled() {
            return Err(HttpError::Cancelled);
        }
        self.name_it().await
    }

    /// A large file to Nextcloud: in chunks, which it puts together under the key.
    async fn in_chunks(&self, cloud: &Cloud, folder: &str) -> Result<Sent, HttpError> {
        self.inner.folders.make(&self.inner.calls, folder).await?;
        let moved = cloud.send(self.inner, self.item, self.transfer).await?;
        self.named(moved.into()).await
    }

    /// What has the key already: equal bytes, or others.
    async fn meet(&self, seen: &Seen) -> Result<Sent, HttpError> {
        match prove::compare(self.inner, self.item, seen, self.stop()).await? {
            Same::Equal(_method) => {
                self.inner.calls.remove(&self.temp()).await.ok();
                if let Some(cloud) = &self.inner.cloud
                    && self.item.content.size > cloud::WHOLE_MAX
                {
                    cloud.forget_upload(self.item.token).await;
                }
                self.transfer.set_bytes_sent(self.item.content.size);
                Ok(Sent::AlreadyThere { receipt: seen.etag.clone().unwrap_or_default() })
            }
            Same::Other | Same::Gone => Ok(Sent::KeyTaken),
        }
    }

    /// For a source that is gone or has changed nothing should be made at the destination.
    async fn look_at_source(&self) -> Result<(), Failure> {
        let (files, item) = (Arc::clone(&self.transfer.files), self.item.clone());
        let look = move || source::open(files.as_ref(), &item).map(drop);
        let looked = self.inner.parts.executor.run(look).await;
        looked.unwrap_or_else(|lost| Err(Failure::transient(FailureKind::Server, lost.to_string())))
    }

    /// Brings all bytes under the temp name.
    async fn put(&self) -> Result<(), HttpError> {
        let temp = self.temp();
        match self.put_once(&temp).await {
            Ok(()) => Ok(()),
            Err(HttpError::Failed(failure)) if is_folder_gone(&failure) => {
                // Someone took the folder away since it was made or seen.
                let (folder, _name) = split(&self.item.key);
                self.inner.folders.forget(folder);
                self.inner.folders.make(&self.inner.calls, folder).await?;
                self.transfer.set_bytes_sent(0);
                self.put_once(&temp).await
            }
            Err(other) => {
                // Some servers keep what a broken upload left.
                self.inner.calls.remove(&temp).await.ok();
                Err(other)
            }
        }
    }

    async fn put_once(&self, temp: &str) -> Result<(), HttpError> {
        self.transfer.set_bytes_sent(0);
        let body = SourceRange::whole(self.item, self.transfer, &self.inner.parts.executor);
        let told = Told {
            mtime_secs: Some(self.item.stamp.mtime_ns.div_euclid(NANOS)),
            sha256: self
                .item
                .digests
                .sha256
                .filter(|_known| self.inner.cloud.is_some())
                .map(|digest| hex(&digest)),
        };
        self.inner.calls.put(temp, body, &told, self.stop()).await?;
        let seen = self.inner.calls.head(temp).await?;
        let size = seen.as_ref().and_then(|seen| seen.size);
        if size == Some(self.item.content.size) {
            return Ok(());
        }
        self.inner.calls.remove(temp).await.ok();
        let details = match size {
            Some(size) => format!("the server kept {size} of {} bytes", self.item.content.size),
            None => "the server took the file and does not have it".to_owned(),
        };
        Err(Failure::transient(FailureKind::Server, details).into())
    }

    /// Gives the temp file its name, unless something has it.
    async fn name_it(&self) -> Result<Sent, HttpError> {
        let calls = &self.inner.calls;
        // Where nothing keeps a name from being replaced, only equal bytes can have this one; they
        // are looked for all the same.
        if !self.inner.abilities().no_replace
            && let Some(seen) = calls.head(&self.item.key).await?
        {
            return self.meet(&seen).await;
        }
        let moved = calls.rename(&self.temp(), &self.item.key).await?;
        self.named(moved).await
    }

    /// The file has its name, or something else does.
    async fn named(&self, moved: Moved) -> Result<Sent, HttpError> {
        let (folder, name) = split(&self.item.key);
        let calls = &self.inner.calls;
        match moved {
            Moved::Done => {
                if let Some(cloud) = &self.inner.cloud {
                    cloud.used(self.item.content.size);
                }
                self.inner.folders.note(folder, name).await;
                self.transfer.set_bytes_sent(self.item.content.size);
                Ok(Sent::Stored { receipt: String::new() })
            }
            Moved::Taken => {
                self.inner.folders.note(folder, name).await;
                match calls.head(&self.item.key).await? {
                    Some(seen) => self.meet(&seen).await,
                    None => Ok(Sent::KeyTaken),
                }
            }
        }
    }
}

/// Whether a PUT was refused because its folder is not there (RFC 4918, section 9.7.1).
fn is_folder_gone(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Conflict | FailureKind::NotFound)
}
