//! Sending one file: look for the effect, PUT under a temp name, prove it there, MOVE, look once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

use super::client::{FileMetadata, MoveOutcome, RemoteFile};
use super::folders::NameHint;
use super::nextcloud;
use super::prove::{self, ContentCheck, CopyComparison, is_same_tag};
use super::{Inner, check_key, split};
use crate::destination::http::{HttpError, SourceRange};
use crate::destination::{Item, NamedCopy, Phase, Sent, Transfer, source};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::key;
use crate::domain::record::{Evidence, ProofMethod};

const NANOS: i64 = 1_000_000_000;

pub(super) async fn send(inner: &Arc<Inner>, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    check_key(&item.key)?;
    if item.content.size == 0 {
        return Err(Failure::permanent(FailureKind::Empty, item.path.display().to_string()));
    }
    if transfer.cancel.is_cancelled() {
        return Ok(Sent::Cancelled);
    }
    let _guard = inner.sends.lock(item.token).await;
    inner.identify().await?;
    let job = CopySend { inner, item, transfer, temp_name: AtomicU32::new(0) };
    match job.run().await {
        Ok(sent) => Ok(sent),
        Err(HttpError::Cancelled) => Ok(Sent::Cancelled),
        Err(HttpError::Failed(failure)) => {
            inner.folders.forget(split(&item.key).0);
            Err(inner.explain_write(failure).await)
        }
    }
}

struct CopySend<'a> {
    inner: &'a Inner,
    item: &'a Item,
    transfer: &'a Transfer,
    /// Which of the record's temp names is used: an attempt of [`key::temp_token_at`].
    temp_name: AtomicU32,
}

/// A copy that was proved under its temp name.
struct VerifiedTemp {
    method: ProofMethod,
    /// What the server said of it there.
    seen: RemoteFile,
}

/// What came of meeting something under the key.
enum Resolution {
    /// The send ends so.
    End(Sent),
    /// It was a wrong copy of ours and is gone.
    Removed,
}

impl CopySend<'_> {
    fn stop(&self) -> &CancellationToken {
        &self.transfer.cancel
    }

    fn temp(&self) -> String {
        let (folder, _name) = split(&self.item.key);
        let slash = if folder.is_empty() { "" } else { "/" };
        let token = key::temp_token_at(self.item.token, self.temp_name.load(Ordering::Relaxed));
        format!("{folder}{slash}{}", key::temp_name(token))
    }

    /// What a checkpoint says of the temp file that it is about: which of the names it has.
    fn temp_state(&self) -> String {
        match self.temp_name.load(Ordering::Relaxed) {
            0 => String::new(),
            attempt => attempt.to_string(),
        }
    }

    /// Removes what a refused or broken upload may have left under the temp name. Takes the next name and
    /// says so where the server has refused to write it and refuses to remove it too: a server that was
    /// killed may hold it locked for ever.
    async fn switch_temp_name(&self, failure: &Failure) -> bool {
        let removed = self.inner.calls.remove(&self.temp()).await;
        let is_stuck = is_refusal(failure) && removed.is_err_and(|failure| is_refusal(&failure));
        let next = self.temp_name.load(Ordering::Relaxed) + 1;
        if is_stuck && next < key::TEMP_NAMES_MAX {
            self.temp_name.store(next, Ordering::Relaxed);
        }
        is_stuck && next < key::TEMP_NAMES_MAX
    }

    async fn run(&self) -> Result<Sent, HttpError> {
        let (folder, name) = split(&self.item.key);
        let hint = self.inner.folders.hint(&self.inner.calls, folder, name).await?;
        if hint == NameHint::Ask
            && let Some(seen) = self.inner.calls.head(&self.item.key).await?
            && let Resolution::End(sent) = self.resolve_conflict(&seen).await?
        {
            return Ok(sent);
        }
        if self.stop().is_cancelled() {
            return Ok(Sent::Cancelled);
        }
        self.check_source().await?;
        let proved = match self.find_leftover().await? {
            Some(proved) => proved,
            None => self.upload_and_verify(folder).await?,
        };
        self.transfer.save(Phase::Committing, self.temp_state()).await?;
        if self.stop().is_cancelled() {
            return Err(HttpError::Cancelled);
        }
        self.commit_name(&proved).await
    }

    fn proof(&self) -> CopyComparison<'_> {
        CopyComparison {
            inner: self.inner,
            item: self.item,
            must_read: self.transfer.must_read,
            stop: self.stop(),
        }
    }

    /// What an earlier run had brought under the temp name and not named any more, if it is whole.
    async fn find_leftover(&self) -> Result<Option<VerifiedTemp>, HttpError> {
        let Some(checkpoint) = &self.transfer.checkpoint else { return Ok(None) };
        if !matches!(checkpoint.phase, Phase::Proving | Phase::Committing) {
            return Ok(None);
        }
        let attempt = checkpoint.state.parse().unwrap_or(0);
        self.temp_name.store(attempt, Ordering::Relaxed);
        let temp = self.temp();
        let Some(opened) = self.proof().open(&temp).await? else { return Ok(None) };
        let seen = opened.seen.clone();
        match self.proof().compare(&temp, opened).await? {
            ContentCheck::Equal(method) => {
                self.transfer.set_bytes_sent(self.item.content.size);
                Ok(Some(VerifiedTemp { method, seen }))
            }
            ContentCheck::Other => {
                if let Err(failure) = self.inner.calls.remove(&temp).await
                    && !self.switch_temp_name(&failure).await
                {
                    return Err(failure.into());
                }
                Ok(None)
            }
        }
    }

    /// Brings all bytes under the temp name and proves them there. A bad copy is removed and sent once
    /// more.
    async fn upload_and_verify(&self, folder: &str) -> Result<VerifiedTemp, HttpError> {
        for is_last in [false, true] {
            self.upload_temp(folder).await?;
            let temp = self.temp();
            let Some(opened) = self.proof().open(&temp).await? else {
                let details = "the server took the file and does not have it";
                return Err(Failure::transient(FailureKind::Server, details).into());
            };
            let seen = opened.seen.clone();
            if let ContentCheck::Equal(method) = self.proof().compare(&temp, opened).await? {
                return Ok(VerifiedTemp { method, seen });
            }
            self.inner.calls.remove(&temp).await.ok();
            match seen.size {
                Some(size) if size != self.item.content.size => {
                    let details = format!("the server kept {size} of {} bytes", self.item.content.size);
                    return Err(Failure::transient(FailureKind::Server, details).into());
                }
                _ if is_last => return Err(prove::mismatch().into()),
                _ => {}
            }
        }
        Err(prove::mismatch().into())
    }

    /// Brings all bytes under the temp name.
    async fn upload_temp(&self, folder: &str) -> Result<(), HttpError> {
        if let Some(cloud) = &self.inner.cloud {
            cloud.check_room(self.inner, self.item.content.size).await?;
            if self.item.content.size > nextcloud::WHOLE_MAX {
                self.inner.folders.make(&self.inner.calls, folder).await?;
                return loop {
                    match cloud.send(self.inner, self.item, self.transfer, &self.temp()).await {
                        // After any other failure the parts may have been put together there.
                        Err(HttpError::Failed(failure))
                            if is_kept_out(&failure) && self.switch_temp_name(&failure).await => {}
                        outcome => break outcome,
                    }
                };
            }
        }
        self.transfer.save(Phase::Sending, String::new()).await?;
        self.inner.folders.make(&self.inner.calls, folder).await?;
        self.put().await?;
        Ok(self.transfer.save(Phase::Proving, self.temp_state()).await?)
    }

    /// What has the key already: equal bytes, a wrong copy of ours that was never verified and is
    /// removed, or others.
    async fn resolve_conflict(&self, seen: &RemoteFile) -> Result<Resolution, HttpError> {
        if seen.size == Some(self.item.content.size)
            && let Some(opened) = self.proof().open(&self.item.key).await?
            && let ContentCheck::Equal(_method) = self.proof().compare(&self.item.key, opened).await?
        {
            self.inner.calls.remove(&self.temp()).await.ok();
            if let Some(cloud) = &self.inner.cloud
                && self.item.content.size > nextcloud::WHOLE_MAX
            {
                cloud.forget_upload(self.item.token).await;
            }
            self.transfer.set_bytes_sent(self.item.content.size);
            return Ok(Resolution::End(Sent::AlreadyThere {
                receipt: seen.etag.clone().unwrap_or_default(),
            }));
        }
        match &self.transfer.named {
            Some(copy) if self.remove_if_ours(copy).await? => Ok(Resolution::Removed),
            _ => Ok(Resolution::End(Sent::KeyTaken)),
        }
    }

    /// Removes a wrong copy of ours that has the key, as long as it still is the one that got its name
    /// then. Says whether it did.
    async fn remove_if_ours(&self, copy: &NamedCopy) -> Result<bool, HttpError> {
        let calls = &self.inner.calls;
        let Some(now) = calls.head(&self.item.key).await? else { return Ok(true) };
        let is_same = copy.key == self.item.key
            && now.size == Some(copy.size)
            && now.etag.as_deref().is_some_and(|tag| is_same_tag(tag, &copy.tag));
        Ok(is_same && calls.remove_unchanged(&self.item.key, &copy.tag).await?)
    }

    /// For a source that is gone or has changed nothing should be made at the destination.
    async fn check_source(&self) -> Result<(), Failure> {
        let (files, item) = (Arc::clone(&self.transfer.files), self.item.clone());
        let look = move || source::open(files.as_ref(), &item).map(drop);
        let looked = self.inner.parts.executor.run(look).await;
        looked.unwrap_or_else(|lost| Err(Failure::transient(FailureKind::Server, lost.to_string())))
    }

    /// Brings all bytes under the temp name.
    async fn put(&self) -> Result<(), HttpError> {
        let mut has_made_folder = false;
        loop {
            match self.put_once(&self.temp()).await {
                Ok(()) => return Ok(()),
                Err(HttpError::Failed(failure)) if is_folder_gone(&failure) && !has_made_folder => {
                    // Someone took the folder away since it was made or seen.
                    let (folder, _name) = split(&self.item.key);
                    self.inner.folders.forget(folder);
                    self.inner.folders.make(&self.inner.calls, folder).await?;
                    has_made_folder = true;
                }
                Err(HttpError::Failed(failure)) if self.switch_temp_name(&failure).await => {}
                Err(HttpError::Cancelled) => {
                    // Some servers keep what a broken upload left.
                    self.inner.calls.remove(&self.temp()).await.ok();
                    return Err(HttpError::Cancelled);
                }
                Err(failed) => return Err(failed),
            }
        }
    }

    async fn put_once(&self, temp: &str) -> Result<(), HttpError> {
        self.transfer.set_bytes_sent(0);
        let body = SourceRange::whole_file(self.item, self.transfer, &self.inner.parts.executor);
        let findings = &self.inner.findings;
        let mtime_secs = self.item.stamp.mtime_ns.div_euclid(NANOS);
        let told = FileMetadata {
            mtime_secs: (!findings.refuses_mtime).then_some(mtime_secs),
            checksum: findings.checksum_of(self.item.digests, self.inner.cloud.is_some()),
        };
        match self.inner.calls.put(temp, body, &told, self.stop()).await {
            Ok(_taken) => Ok(()),
            Err(HttpError::Failed(failure)) => Err(findings.explain_refusal(failure).into()),
            Err(stopped) => Err(stopped),
        }
    }

    /// Gives the proved temp file its name, unless something has it, and looks at it once more.
    async fn commit_name(&self, proved: &VerifiedTemp) -> Result<Sent, HttpError> {
        let (folder, name) = split(&self.item.key);
        let calls = &self.inner.calls;
        // A wrong copy of ours may have the name once; what follows its removal is somebody else's.
        for _again in 0..2 {
            // Where nothing keeps a name from being replaced, only equal bytes can have this one; they
            // are looked for all the same.
            if !self.inner.capabilities().no_replace
                && let Some(seen) = calls.head(&self.item.key).await?
                && let Resolution::End(sent) = self.resolve_conflict(&seen).await?
            {
                return Ok(sent);
            }
            let moved = calls.rename(&self.temp(), &self.item.key).await;
            self.inner.folders.note(folder, name).await;
            if let Ok(MoveOutcome::Done { is_new }) = moved {
                if let Some(cloud) = &self.inner.cloud {
                    cloud.count_used_space(self.item.content.size);
                }
                self.transfer.set_bytes_sent(self.item.content.size);
                return self.check_final_name(proved, is_new).await;
            }
            // However a server says that it will not replace what is there: something is there.
            match (calls.head(&self.item.key).await?, moved) {
                (Some(seen), _) => {
                    if let Resolution::End(sent) = self.resolve_conflict(&seen).await? {
                        return Ok(sent);
                    }
                }
                (None, Err(failure)) => return Err(failure.into()),
                (None, Ok(_taken)) => {}
            }
        }
        Ok(Sent::KeyTaken)
    }

    /// Looks at the copy once more, under its final name: its length and the tag of the proved temp
    /// file where that shows that it is the same file, else all of it is compared again.
    async fn check_final_name(&self, proved: &VerifiedTemp, is_new: bool) -> Result<Sent, HttpError> {
        let key = &self.item.key;
        let gone = || {
            let details = "the server named the copy and does not have it";
            HttpError::Failed(Failure::transient(FailureKind::NotFound, details))
        };
        let named_once = self.inner.findings.names_once && self.inner.capabilities().no_replace;
        let tag = proved.seen.etag.as_deref().filter(|_tag| self.inner.findings.keeps_tag);
        // Only a tag that a file keeps says whose copy this is: a probe may have seen one winner of each
        // race by luck, so without such a tag it may be another computer's, and is never removed.
        let is_ours = |seen: &RemoteFile| {
            let is_same = tag.zip(seen.etag.as_deref()).is_some_and(|(a, b)| is_same_tag(a, b));
            is_same && seen.size == Some(self.item.content.size)
        };
        if named_once && tag.is_some() && !self.transfer.must_read {
            let seen = self.inner.calls.head(key).await?.ok_or_else(gone)?;
            if is_ours(&seen) {
                self.save_named_copy(&seen, is_new).await?;
                return Ok(self.verified_outcome(proved.method, &seen));
            }
        }
        let opened = self.proof().open(key).await?.ok_or_else(gone)?;
        let seen = opened.seen.clone();
        let remembered = if is_ours(&seen) { self.save_named_copy(&seen, is_new).await? } else { None };
        if let ContentCheck::Equal(method) = self.proof().compare(key, opened).await? {
            return Ok(self.verified_outcome(method, &seen));
        }
        match remembered {
            Some(copy) if self.remove_if_ours(&copy).await? => Err(prove::mismatch().into()),
            _ => Ok(Sent::KeyTaken),
        }
    }

    /// Commits that this copy has just got its name, where the server says that nothing had it before.
    async fn save_named_copy(&self, seen: &RemoteFile, is_new: bool) -> Result<Option<NamedCopy>, HttpError> {
        let (Some(size), Some(tag)) = (seen.size, seen.etag.clone().filter(|_tag| is_new)) else {
            return Ok(None);
        };
        let copy = NamedCopy { key: self.item.key.clone(), size, tag };
        self.transfer.save_named(copy.clone()).await?;
        Ok(Some(copy))
    }

    fn verified_outcome(&self, method: ProofMethod, seen: &RemoteFile) -> Sent {
        let evidence = Evidence::Verified { method, at: self.inner.parts.clock.now() };
        Sent::Stored { receipt: seen.etag.clone().unwrap_or_default(), evidence: Some(evidence) }
    }
}

/// Whether the server has answered, and will not do it to this file.
fn is_refusal(failure: &Failure) -> bool {
    use FailureKind as K;
    let is_of_name = matches!(failure.kind, K::Forbidden | K::Conflict | K::Server | K::Unsupported);
    is_of_name && matches!(failure.reach, Reach::Resource)
}

/// Whether the server has answered that the name is locked or forbidden.
fn is_kept_out(failure: &Failure) -> bool {
    is_refusal(failure) && matches!(failure.kind, FailureKind::Forbidden | FailureKind::Conflict)
}

/// Whether a PUT was refused because its folder is not there (RFC 4918, section 9.7.1).
fn is_folder_gone(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Conflict | FailureKind::NotFound)
}
