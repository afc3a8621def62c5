//! One file becomes one upload: created, its URL saved, its bytes appended where the server is.

use parking_lot::Mutex;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use url::Url;

use super::calls::CallOutcome;
use super::explain::explain_write;
use super::location::as_reached;
use super::state::{Receipt, State};
use super::whole::{AppendDigest, ConfirmedDigest, PartDigest};
use super::{Append, AppendAnswer, Inner, NewUpload, ServerCapabilities, UploadError, UploadStatus};
use crate::destination::http::{Body, HttpError, SourceRange, feed};
use crate::destination::{Item, Phase, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};
use crate::domain::hash::{DigestKind, DigestSet, Digests};
use crate::domain::key;

/// How often one send may begin again because the server lost the upload.
const STARTS_MAX: u32 = 3;
/// How often in a row an append may bring no byte further.
const STANDSTILLS_MAX: u32 = 2;
/// How long another request is given to let go of the upload, try by try.
const BUSY_WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];
/// When a longer append is refused, this is tried first, and then always half, in bytes.
const APPEND_FIRST_CUT: u64 = 64 << 20;
/// No append is cut to less than this, in bytes: what is refused then is refused for its file's length.
const APPEND_CUT_MIN: u64 = 64 << 10;
/// An append that is compared by its digest is lost whole when it is cut, so it is no longer than
/// this, in bytes.
const COMPARED_APPEND_MAX: u64 = 8 << 20;
/// A server's own limit is not taken to be less than this, in bytes.
const APPEND_MIN: u64 = 4 << 10;
/// Files up to this go with their creation where the server takes that, in bytes.
const AT_ONCE_MAX: u64 = 64 << 10;

/// See [`crate::destination::Destination::send`].
pub(super) async fn send(inner: &Inner, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
    if transfer.cancel.is_cancelled() {
        return Ok(Sent::Cancelled);
    }
    check(inner, item)?;
    if let Some(receipt) = finished(inner, transfer) {
        return Ok(Sent::AlreadyThere { receipt: receipt.text() });
    }
    let mut sending = UploadRun {
        inner,
        item,
        transfer,
        findings: inner.findings(),
        state: State::new(item),
        url: None,
        whole: ConfirmedDigest::new(item.content),
        confirmed: 0,
    };
    match sending.run().await {
        Ok(sent) => Ok(sent),
        Err(HttpError::Cancelled) => Ok(Sent::Cancelled),
        Err(HttpError::Failed(failure)) => Err(explain_write(inner, failure).await),
    }
}

fn check(inner: &Inner, item: &Item) -> Result<(), Failure> {
    if !key::is_valid(&item.key) {
        return Err(Failure::permanent(FailureKind::BadRequest, format!("not a key: {:?}", item.key)));
    }
    if item.content.size == 0 {
        return Err(Failure::permanent(FailureKind::Empty, "the file has no bytes"));
    }
    match inner.parts.capabilities.as_ref().and_then(|capabilities| capabilities.size_max) {
        Some(max) if item.content.size > max => {
            let details =
                format!("the server takes files of at most {max} bytes, and this has {}", item.content.size);
            Err(Failure::permanent(FailureKind::TooLarge, details))
        }
        _ => Ok(()),
    }
}

/// The receipt of an upload that an earlier run finished and did not prove.
fn finished(inner: &Inner, transfer: &Transfer) -> Option<Receipt> {
    let checkpoint = transfer.checkpoint.as_ref().filter(|checkpoint| checkpoint.phase == Phase::Proving)?;
    Receipt::parse(&checkpoint.state, &inner.base)
}

pub(super) struct UploadRun<'a> {
    pub inner: &'a Inner,
    pub item: &'a Item,
    pub transfer: &'a Transfer,
    pub findings: ServerCapabilities,
    pub state: State,
    pub url: Option<Url>,
    whole: ConfirmedDigest,
    /// The highest offset that the server has confirmed in this send.
    confirmed: u64,
}

/// What became of an upload that was begun.
enum UploadOutcome {
    Done(Receipt),
    /// It cannot be continued: another one must be begun.
    Lost(Failure),
}

impl UploadRun<'_> {
    async fn run(&mut self) -> Result<Sent, HttpError> {
        let mut standing = self.resume().await?;
        if standing.is_none() {
            self.end_wrong_copy().await;
        }
        let mut last = None;
        for _start in 0..STARTS_MAX {
            let at = match standing.take() {
                Some(at) if at.is_complete => {
                    let receipt = self.receipt(None, false)?;
                    self.remember(&receipt).await?;
                    return Ok(Sent::AlreadyThere { receipt: receipt.text() });
                }
                Some(at) => at,
                None => self.begin().await?,
            };
            match self.send_all(at).await? {
                UploadOutcome::Done(receipt) => {
                    self.remember(&receipt).await?;
                    return Ok(Sent::Stored { receipt: receipt.text(), evidence: None });
                }
                UploadOutcome::Lost(failure) => {
                    self.give_up().await?;
                    last = Some(failure);
                }
            }
        }
        let why = last.map(|failure| failure.details).unwrap_or_default();
        let details = format!("the server lost the upload {STARTS_MAX} times: {why}");
        Err(Failure::transient(FailureKind::Server, details).into())
    }

    /// Creates an upload and saves where it is before anything is sent to it.
    async fn begin(&mut self) -> Result<UploadStatus, HttpError> {
        let whole_kind = self.findings.whole.as_deref().and_then(DigestKind::parse);
        let whole_kind = whole_kind.filter(|kind| self.item.digests.known().contains(*kind));
        let blake3 = self.item.content.blake3.to_hex();
        let size = self.item.content.size;
        let has_bytes = self.findings.takes_bytes_at_once
            && self.findings.parts.is_none()
            && whole_kind.is_none()
            && size <= AT_ONCE_MAX.min(self.append_max());
        let new = NewUpload {
            key: &self.item.key,
            original: self.item.path.file_name().map(OsStrExt::as_bytes).unwrap_or_default(),
            size,
            mtime: self.item.stamp.mtime_ns.div_euclid(1_000_000_000),
            blake3: &blake3,
            whole: whole_kind.map(|kind| (kind, &self.item.digests)),
            has_bytes,
        };
        self.state = State {
            whole: whole_kind.map(|kind| kind.as_str().to_owned()),
            parts: self.findings.parts.clone(),
            ..State::new(self.item)
        };
        self.whole = ConfirmedDigest::new(self.item.content);
        self.confirmed = 0;
        self.transfer.save(Phase::Creating, self.state.text()).await?;
        self.transfer.set_bytes_sent(0);
        for form in self.forms() {
            let carried = self.whole.carry();
            let body = has_bytes.then(|| Body::from(self.range(0, size).with_observer(carried.clone())));
            let created = self.inner.create(form, &new, body, &self.transfer.cancel).await?;
            let Some(location) = created.location else { continue };
            let url = as_reached(&self.inner.base, &location)?;
            if form != self.findings.form {
                self.findings.form = form;
                self.inner.learn(&self.findings);
            }
            (self.state.url, self.state.form) = (Some(url.to_string()), form);
            self.url = Some(url);
            self.limit(created.append_max);
            self.transfer.save(Phase::Sending, self.state.text()).await?;
            self.whole.advance(&carried, created.offset);
            return Ok(status_at(created.offset));
        }
        Err(self.inner.not_understood().into())
    }

    /// The form that the server is known to speak, then the others.
    fn forms(&self) -> Vec<u8> {
        let known = self.findings.form;
        let others = self.inner.dialect.forms().iter().copied().filter(|form| *form != known);
        std::iter::once(known)
            .filter(|form| self.inner.dialect.forms().contains(form))
            .chain(others)
            .collect()
    }

    /// Appends until the upload is finished.
    async fn send_all(&mut self, mut at: UploadStatus) -> Result<UploadOutcome, HttpError> {
        let size = self.item.content.size;
        let mut standstills = 0;
        loop {
            if let Some(why) = self.mismatch(&at) {
                return Ok(UploadOutcome::Lost(Failure::transient(FailureKind::Protocol, why)));
            }
            self.confirmed = at.offset;
            self.limit(at.append_max);
            if at.is_complete || (at.offset == size && !self.inner.dialect.needs_closing()) {
                self.transfer.set_bytes_sent(size);
                return Ok(UploadOutcome::Done(self.receipt(None, false)?));
            }
            let before = at.offset;
            let (outcome, carried) = self.append(before).await?;
            let len = carried.len;
            let trouble = match outcome {
                Ok(AppendAnswer { is_complete: true, file, .. }) if before + len == size => {
                    self.transfer.set_bytes_sent(size);
                    return Ok(UploadOutcome::Done(self.receipt(file, true)?));
                }
                Ok(AppendAnswer { is_complete: false, offset: Some(offset), .. }) => {
                    at = status_at(offset);
                    standstills = if offset > before { 0 } else { standstills + 1 };
                    if standstills > STANDSTILLS_MAX {
                        return Err(unclear("the server takes bytes and keeps none").into());
                    }
                    self.whole.advance(&carried.digest, offset);
                    continue;
                }
                Ok(_other) => {
                    UploadError::Elsewhere(None, unclear("the server took bytes and did not say how many"))
                }
                Err(trouble) => trouble,
            };
            let is_cut = matches!(trouble, UploadError::TooMuch(_));
            let failure;
            (at, failure) = match self.recover_append(trouble, len).await? {
                NextStep::At(at, failure) => (at, failure),
                NextStep::Lost(failure) => return Ok(UploadOutcome::Lost(failure)),
            };
            if is_cut {
                // The next append is shorter: that ends by itself.
                continue;
            }
            standstills = if at.offset > before { 0 } else { standstills + 1 };
            if standstills > STANDSTILLS_MAX {
                return Err(failure.into());
            }
        }
    }

    /// Why this cannot be the upload that was begun.
    fn mismatch(&self, at: &UploadStatus) -> Option<String> {
        let size = self.item.content.size;
        if at.offset > size || at.length.is_some_and(|length| length != size) {
            return Some(format!(
                "the server says that {} of {:?} bytes are there, of {size}",
                at.offset, at.length
            ));
        }
        if at.offset < self.confirmed {
            let (now, before) = (at.offset, self.confirmed);
            return Some(format!("the server has {now} bytes and had {before} before"));
        }
        let is_other = |digest: &String| *digest != self.item.content.blake3.to_hex();
        at.blake3
            .as_ref()
            .filter(|digest| is_other(digest))
            .map(|_| "the server gave another upload".to_owned())
    }

    /// Sends what follows `offset`, as much as may go at once.
    async fn append(
        &mut self,
        offset: u64,
    ) -> Result<(Result<AppendAnswer, UploadError>, AppendState), HttpError> {
        let Some(url) = self.url.clone() else {
            return Err(unclear("there is no upload").into());
        };
        let size = self.item.content.size;
        let kind = self.state.part_kind();
        let max = if kind.is_some() { self.append_max().min(COMPARED_APPEND_MAX) } else { self.append_max() };
        let len = (size - offset).min(max);
        self.catch_up_digest(offset).await?;
        let digests = match kind {
            Some(kind) => self.digests(offset, len, kind).await?,
            None => Digests::default(),
        };
        self.transfer.set_bytes_sent(offset);
        let carried = self.whole.carry();
        let body = match len {
            0 => Body::from(Vec::new()),
            _ => Body::from(self.range(offset, len).with_observer(carried.clone())),
        };
        let digest = kind.map(|kind| (kind, &digests));
        let append = Append { offset, end: offset + len, is_last: offset + len == size, digest };
        let outcome = self.inner.append(self.state.form, &url, &append, body, &self.transfer.cancel).await?;
        Ok((outcome, AppendState { len, digest: carried }))
    }

    /// Reads what the server has already, so that the digest is of the whole file.
    async fn catch_up_digest(&mut self, offset: u64) -> Result<(), HttpError> {
        self.whole.back_to(offset);
        let position = self.whole.position();
        if position == offset {
            return Ok(());
        }
        let carried = self.whole.carry();
        let range = self.range(position, offset - position).with_observer(carried.clone());
        feed(range, &self.transfer.cancel).await.map_err(stopped)?;
        self.whole.advance(&carried, offset);
        Ok(())
    }

    async fn digests(&self, offset: u64, len: u64, kind: DigestKind) -> Result<Digests, HttpError> {
        let part = PartDigest::new(DigestSet::NONE.with(kind));
        let observer = Arc::clone(&part);
        feed(self.range(offset, len).with_observer(observer), &self.transfer.cancel)
            .await
            .map_err(stopped)?;
        Ok(PartDigest::digests(&part))
    }

    fn range(&self, start: u64, len: u64) -> SourceRange {
        SourceRange::part(self.item, self.transfer, &self.inner.parts.executor, start, len)
    }

    /// What is done about an append that was not taken as it should be.
    async fn recover_append(&mut self, trouble: UploadError, len: u64) -> Result<NextStep, HttpError> {
        match trouble {
            UploadError::Elsewhere(Some(offset), failure) => Ok(NextStep::At(status_at(offset), failure)),
            UploadError::Elsewhere(None, failure) => self.ask_again(failure).await,
            UploadError::Broken(failure) if asks_to_wait(&failure) => Err(failure.into()),
            UploadError::Broken(failure) => self.ask_again(failure).await,
            UploadError::Busy(failure) => {
                self.wait(BUSY_WAITS[0]).await?;
                self.ask_again(failure).await
            }
            UploadError::TooMuch(failure) => match shorter_than(len) {
                Some(shorter) => {
                    tracing::info!(len, shorter, "appends are refused as too long, and cut");
                    self.limit(Some(shorter));
                    self.ask_again(failure).await
                }
                None => Err(failure.into()),
            },
            UploadError::Gone(failure) => Ok(NextStep::Lost(failure)),
            UploadError::Over(failure) => {
                self.give_up().await?;
                Err(failure.into())
            }
            UploadError::Stopped(failure) => Err(failure.into()),
        }
    }

    async fn ask_again(&self, failure: Failure) -> Result<NextStep, HttpError> {
        match self.query_status().await? {
            Ok(at) => Ok(NextStep::At(at, failure)),
            Err(UploadError::Gone(failure)) => Ok(NextStep::Lost(failure)),
            Err(trouble) => Err(trouble.into_failure().into()),
        }
    }

    /// Asks where the upload stands, until no other request holds it. A connection that breaks is
    /// tried once more.
    pub(super) async fn query_status(&self) -> CallOutcome<UploadStatus> {
        let Some(url) = &self.url else {
            return Err(unclear("there is no upload").into());
        };
        let (mut waits, mut tries) = (BUSY_WAITS.into_iter(), 0);
        loop {
            let asked = self.inner.query_status(self.state.form, url, &self.transfer.cancel).await;
            match asked {
                Ok(Err(UploadError::Busy(failure))) => match waits.next() {
                    Some(wait) => self.wait(wait).await?,
                    None => return Ok(Err(UploadError::Stopped(failure))),
                },
                Err(HttpError::Failed(failure)) if tries == 0 && failure.reach == Reach::Resource => {
                    tries += 1;
                }
                asked => return asked,
            }
        }
    }

    async fn wait(&self, wait: Duration) -> Result<(), HttpError> {
        tokio::select! {
            biased;
            () = self.transfer.cancel.cancelled() => Err(HttpError::Cancelled),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Ends the upload as far as the server lets us, and forgets it.
    pub(super) async fn give_up(&mut self) -> Result<(), HttpError> {
        if let Some(url) = self.url.take() {
            self.inner.end(&url, self.state.form).await;
        }
        self.state = State::new(self.item);
        Ok(self.transfer.save(Phase::Creating, self.state.text()).await?)
    }

    /// What names the finished upload. A digest of the whole file counts when the server's own last
    /// answer was heard.
    fn receipt(&self, file: Option<String>, is_answered: bool) -> Result<Receipt, Failure> {
        let Some(url) = self.url.clone() else {
            return Err(unclear("there is no upload"));
        };
        let whole = self.state.whole.as_deref().and_then(DigestKind::parse).filter(|_| is_answered);
        let at = self.inner.parts.clock.now();
        let file = file.and_then(|file| as_reached(&self.inner.base, &file).ok()).filter(|file| *file != url);
        Ok(Receipt { url, file, checked: self.state.part_kind().or(whole).map(|kind| (kind, at)) })
    }

    fn append_max(&self) -> u64 {
        self.inner.append_max.load(Ordering::Relaxed)
    }

    fn limit(&self, append_max: Option<u64>) {
        if let Some(max) = append_max {
            self.inner.append_max.fetch_min(max.max(APPEND_MIN), Ordering::Relaxed);
        }
    }
}

/// The next shorter append after one of `len` bytes was refused as too long: whole multiples of the
/// least, as servers set their limits.
fn shorter_than(len: u64) -> Option<u64> {
    let half = len.min(APPEND_FIRST_CUT * 2).div_ceil(2).next_multiple_of(APPEND_CUT_MIN);
    if half < len { Some(half) } else { (len > APPEND_CUT_MIN).then_some(APPEND_CUT_MIN) }
}

/// What an append carried.
struct AppendState {
    len: u64,
    /// The digest up to its end.
    digest: Arc<Mutex<AppendDigest>>,
}

/// What is known after an append that went wrong.
enum NextStep {
    At(UploadStatus, Failure),
    Lost(Failure),
}

fn status_at(offset: u64) -> UploadStatus {
    UploadStatus { offset, is_complete: false, length: None, blake3: None, append_max: None }
}

fn stopped(failure: Option<Failure>) -> HttpError {
    failure.map_or(HttpError::Cancelled, HttpError::Failed)
}

fn unclear(why: &str) -> Failure {
    Failure::transient(FailureKind::Protocol, why)
}

/// Whether the server said when to come back.
fn asks_to_wait(failure: &Failure) -> bool {
    matches!(failure.retry, Retry::After(wait) if !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_are_halved_down_to_the_least() {
        let mut len = 5 << 30;
        let mut tried = Vec::new();
        while let Some(shorter) = shorter_than(len) {
            assert!(shorter < len);
            tried.push(shorter);
            len = shorter;
        }
        assert_eq!(tried.first(), Some(&APPEND_FIRST_CUT));
        assert_eq!(tried.last(), Some(&APPEND_CUT_MIN));
        assert_eq!(tried.len(), 11);
        assert_eq!(shorter_than(APPEND_CUT_MIN + 1), Some(APPEND_CUT_MIN));
        assert_eq!(shorter_than(APPEND_CUT_MIN), None);
        assert_eq!(shorter_than(300_000), Some(192 << 10));
    }
}
