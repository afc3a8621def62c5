//! The near side of a simulated destination: a protocol with every step that a real one has, and
//! every trouble between two steps.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::effects::{
    Corruption, ProofDepth, at_source, is_content, may_be_unknown, named, prove, prove_later, slander,
};
use super::remote::{Op, Remote, Trouble};
use super::world::{World, count};
use crate::base::files::SourceFile;
use crate::base::mutant::{self, Mutant};
use crate::destination::manifest::{self, ManifestContents};
use crate::destination::{
    BoxFuture, Capabilities, Destination, Item, Phase, ReadBack, Sent, SharedDestination, Transfer,
};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key;
use crate::domain::record::{Evidence, ProofMethod};
use crate::store::failpoints;

/// How long a client waits for an answer that does not come, where it is unknown it to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends a request, however it ends.
struct Request<'a> {
    world: &'a World,
    number: usize,
    id: u64,
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.world.with(|around| around.remotes[self.number].active.remove(&self.id));
    }
}

/// Ends a send, however it ends.
struct SendGuard<'a> {
    world: &'a World,
    number: usize,
    token: u64,
}

impl Drop for SendGuard<'_> {
    fn drop(&mut self) {
        self.world.with(|around| around.remotes[self.number].sending.remove(&self.token));
    }
}

/// A client of one remote, and for a folder a layer before the real one.
pub struct Client {
    /// The world.
    pub world: Arc<World>,
    /// The remote's number.
    pub number: usize,
    /// Whose temp files are ours.
    pub installation: String,
    /// The folder underneath.
    pub inner: Option<SharedDestination>,
    /// The engine says that the person lets the checksum count as proof.
    pub trusts_checksum: bool,
}

impl Client {
    pub(super) fn remote<T>(&self, work: impl FnOnce(&mut Remote) -> T) -> T {
        self.world.with(|around| work(&mut around.remotes[self.number]))
    }

    /// One request up to its effect: its time, its troubles, and a death before it. None when it
    /// was told to stop.
    async fn begin(
        &self,
        op: Op,
        item: Option<&Item>,
        cancel: Option<&CancellationToken>,
    ) -> Result<Option<(Request<'_>, Option<Trouble>)>, Failure> {
        failpoints::wait_if_dead().await;
        if cancel.is_some_and(CancellationToken::is_cancelled) {
            return Ok(None);
        }
        if let Some(why) = self.world.forbidden(self.number) {
            self.world.violate(format!("{op:?} is asked of remote {} although {why}", self.number));
        }
        let hash = item.map(|item| item.content.blake3.0[0]);
        let (id, trouble, latency) = self.remote(|r| {
            let latency = if r.rules.latency == 0 { 0 } else { r.dice.below(r.rules.latency + 1) };
            (r.begin(op), r.draw(op, hash), latency)
        });
        let request = Request { world: &self.world, number: self.number, id };
        if let (Op::Prove, Some(item), Some(trouble)) = (op, item, &trouble) {
            self.remote(|r| slander(r, item, trouble));
        }
        if let Some(trouble) = &trouble {
            let name = trouble.name();
            self.world.with(|around| count(&mut around.tally.troubles, &name));
        }
        self.world.note(|| format!("remote {} {op:?} {} {trouble:?}", self.number, named(item)));
        let mut wait = Duration::from_millis(latency);
        if let Some(Trouble::Slow(time)) = &trouble {
            wait += *time;
        }
        let is_hung = trouble == Some(Trouble::Hung);
        if let Some(item) = item.filter(|_| is_hung) {
            // Whoever waits for it loses patience one day.
            let lifeless = Failure::transient(FailureKind::Timeout, "no answer");
            self.remote(|r| r.note_failure(item.record.0, &lifeless));
        }
        if !self.passes(wait, is_hung, cancel).await? {
            return Ok(None);
        }
        failpoints::wait_if_dead().await;
        if matches!(trouble, Some(Trouble::UploadsLost)) {
            self.remote(|r| r.uploads.clear());
        }
        let fails_before = !matches!(trouble, Some(Trouble::DroppedAfter));
        if let Some(failure) = trouble.as_ref().filter(|_| fails_before).and_then(Trouble::failure) {
            return Err(self.failed(item, failure));
        }
        if self.world.meets_planned_death(&format!("{op:?}"), true, true) {
            self.world.end_run();
            failpoints::wait_if_dead().await;
        }
        Ok(Some((request, trouble)))
    }

    /// Time passes, or the request is told to stop.
    async fn passes(
        &self,
        wait: Duration,
        is_hung: bool,
        cancel: Option<&CancellationToken>,
    ) -> Result<bool, Failure> {
        let stopped = async {
            match cancel {
                Some(cancel) => cancel.cancelled().await,
                None if is_hung => tokio::time::sleep(PATIENCE).await,
                None => std::future::pending().await,
            }
        };
        let done = async {
            if is_hung {
                std::future::pending::<()>().await;
            } else if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        };
        tokio::select! {
            biased;
            () = done => Ok(true),
            () = stopped => match cancel {
                Some(_) => Ok(false),
                None => Err(Failure::destination(FailureKind::Timeout, "no answer")),
            }
        }
    }

    pub(super) fn failed(&self, item: Option<&Item>, failure: Failure) -> Failure {
        self.world.note(|| format!("remote {} fails {}: {failure}", self.number, named(item)));
        if let Some(item) = item {
            self.remote(|r| r.note_failure(item.record.0, &failure));
        }
        failure
    }

    /// One whole request. None when it was told to stop before its effect.
    pub(super) async fn request<T>(
        &self,
        op: Op,
        item: Option<&Item>,
        cancel: Option<&CancellationToken>,
        effect: impl FnOnce(&mut Remote, Corruption) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Some((request, trouble)) = self.begin(op, item, cancel).await? else { return Ok(None) };
        let corruption = match trouble {
            Some(Trouble::Truncated) => Corruption::Short,
            Some(Trouble::Altered) => Corruption::Other,
            Some(Trouble::Forgotten) => Corruption::Nothing,
            _ => Corruption::None,
        };
        let done = self.remote(|r| effect(r, corruption));
        self.end(op, item, trouble, &request).await?;
        done.map(Some).map_err(|failure| self.failed(item, failure))
    }

    /// What can happen after an effect.
    async fn end(
        &self,
        op: Op,
        item: Option<&Item>,
        trouble: Option<Trouble>,
        _request: &Request<'_>,
    ) -> Result<(), Failure> {
        if self.world.meets_planned_death(&format!("{op:?}"), true, false) {
            self.world.end_run();
            failpoints::wait_if_dead().await;
        }
        match trouble.filter(|trouble| *trouble == Trouble::DroppedAfter) {
            Some(trouble) => Err(self.failed(item, trouble.failure().expect("it is one"))),
            None => Ok(()),
        }
    }

    /// A call of the folder underneath, with what can happen before and after.
    async fn around<T>(
        &self,
        op: Op,
        item: Option<&Item>,
        cancel: Option<&CancellationToken>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Option<T>, Failure> {
        let Some((request, trouble)) = self.begin(op, item, cancel).await? else { return Ok(None) };
        let done = work.await;
        self.end(op, item, trouble, &request).await?;
        done.map(Some).map_err(|failure| self.failed(item, failure))
    }

    async fn send_item(&self, item: &Item, transfer: &Transfer) -> Result<Sent, Failure> {
        let cancel = Some(&transfer.cancel);
        let _sending = SendGuard { world: &self.world, number: self.number, token: item.token };
        self.remote(|r| r.sending.insert(item.token));
        self.check_listed(item);
        if let Some(inner) = &self.inner {
            let sent = self.around(Op::Commit, Some(item), cancel, inner.send(item, transfer)).await?;
            self.check_named();
            if matches!(sent, Some(Sent::Stored { evidence: Some(Evidence::Verified { .. }), .. })) {
                self.proved(item);
            }
            return Ok(sent.unwrap_or(Sent::Cancelled));
        }
        if let Some(sent) = self.look_for(item, transfer).await? {
            return Ok(sent);
        }
        let id = transfer.checkpoint.as_ref().and_then(|checkpoint| checkpoint.state.parse::<u64>().ok());
        let known = id.filter(|_| self.remote(|r| r.rules.can_resume));
        match self.send_upload(item, transfer, known).await {
            Err(failure) if may_be_unknown(&failure) && !mutant::is(Mutant::KeepsUploadId) => {
                // The upload may be unknown by now: whatever became of it, it is begun again.
                if let Some(sent) = self.look_for(item, transfer).await? {
                    return Ok(sent);
                }
                transfer.save(Phase::Creating, String::new()).await?;
                self.send_upload(item, transfer, None).await
            }
            sent => sent,
        }
    }

    /// What a manifest lists is taken over by a new ledger, and not sent again. The parts of an asset
    /// may be needed more than once.
    fn check_listed(&self, item: &Item) {
        let is_listed = self.world.with(|around| {
            let is_known = around.remotes[self.number].listed.contains(&item.content.blake3.0);
            is_known && !around.photos.is_part(&item.content.blake3.0)
        });
        if is_listed {
            let key = &item.key;
            self.world.violate(format!("remote {} is sent {key}, which its manifests list", self.number));
        }
    }

    pub(super) fn open(&self, item: &Item, transfer: &Transfer) -> Result<Box<dyn SourceFile>, Failure> {
        let opened = transfer.files.open(&item.path);
        let is_same = |file: &dyn SourceFile| file.stat().is_ok_and(|stat| stat.stamp == item.stamp);
        match opened {
            Ok(file) if is_same(file.as_ref()) => Ok(file),
            Ok(_) => Err(self.failed(Some(item), Failure::transient(FailureKind::Changed, "it has changed"))),
            Err(error) => Err(self.failed(Some(item), at_source(&error))),
        }
    }

    async fn prove_item(&self, item: &Item, receipt: &str, transfer: &Transfer) -> Result<Evidence, Failure> {
        let cancel = Some(&transfer.cancel);
        let stopped = || Failure::cancelled("told to stop");
        if let Some(inner) = &self.inner {
            let proved = self.around(Op::Prove, Some(item), cancel, inner.prove(item, receipt, transfer));
            let evidence = proved.await?.ok_or_else(stopped)?;
            if matches!(evidence, Evidence::Verified { .. }) {
                self.proved(item);
            }
            return Ok(evidence);
        }
        if self.remote(|r| r.rules.reads_later) {
            return self.prove_by_choice(item, transfer).await;
        }
        let shown =
            self.request(Op::Prove, Some(item), cancel, |r, corruption| prove(r, item, corruption)).await?;
        let Some(method) = shown.ok_or_else(stopped)? else { return Ok(Evidence::Accepted) };
        self.proved(item);
        Ok(Evidence::Verified { method, at: self.world.now() })
    }

    /// What a photo library shows: its word where the person trusts it, else the bytes, now or later.
    async fn prove_by_choice(&self, item: &Item, transfer: &Transfer) -> Result<Evidence, Failure> {
        let depth = match (self.trusts_checksum && !transfer.must_read, transfer.may_defer) {
            (true, _) => ProofDepth::Checksum,
            (false, true) => ProofDepth::Later,
            (false, false) => ProofDepth::Bytes,
        };
        if self.trusts_checksum && !self.remote(|r| r.was_trusted) {
            self.world.violate(format!("remote {} is trusted, and nobody said so", self.number));
        }
        let cancel = Some(&transfer.cancel);
        let shown = self.request(Op::Prove, Some(item), cancel, |r, _| prove_later(r, item, depth)).await?;
        let stopped = || Failure::cancelled("told to stop");
        let Some(method) = shown.ok_or_else(stopped)? else { return Ok(Evidence::Accepted) };
        match method {
            ProofMethod::ServerRecheck => {
                self.remote(|r| r.proofs.insert((item.key.clone(), item.content.blake3.0)));
            }
            _ => self.proved(item),
        }
        Ok(Evidence::Verified { method, at: self.world.now() })
    }

    /// A proof was given: it is kept only if it is true.
    pub(super) fn proved(&self, item: &Item) {
        let is_true = self.remote(|r| {
            let copy = r.copy(&item.key);
            let is_true = copy.is_some_and(|bytes| is_content(&bytes, item));
            if is_true {
                r.proofs.insert((item.key.clone(), item.content.blake3.0));
            }
            is_true
        });
        self.world.with(|around| around.tally.proofs += 1);
        if !is_true {
            self.world.violate(format!("remote {} proved what it does not hold: {}", self.number, item.key));
        }
    }

    fn clean_uploads(&self, keep: &[u64]) -> u64 {
        let (gone, live) = self.remote(|r| {
            let is_stale = |token: u64| key::owns_token(&self.installation, token) && !keep.contains(&token);
            let live = r.sending.iter().copied().find(|token| is_stale(*token));
            let before = r.uploads.len();
            r.uploads.retain(|_, upload| !is_stale(upload.token));
            (before - r.uploads.len(), live)
        });
        if let Some(token) = live {
            self.world
                .violate(format!("remote {} is cleaned of {token:x}, which is being sent", self.number));
        }
        u64::try_from(gone).expect("few")
    }
}

impl Destination for Client {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            match &self.inner {
                Some(inner) => self.around(Op::Check, None, None, inner.check()).await.map(drop),
                None => self.request(Op::Check, None, None, |_, _| Ok(())).await.map(drop),
            }
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<Capabilities, Failure>> {
        Box::pin(async move {
            if let Some(inner) = &self.inner {
                let probed = self.around(Op::Probe, None, None, inner.probe()).await?;
                return probed.ok_or_else(|| Failure::destination(FailureKind::Timeout, "told to stop"));
            }
            let rules = self.remote(|r| r.rules.clone());
            let capabilities = Capabilities {
                uuid: format!("sim-{}", self.number),
                can_resume: rules.can_resume,
                no_replace: rules.no_replace,
                case_sensitive: true,
                proof: rules.proof,
                concurrent_max: rules.width,
                ..Capabilities::default()
            };
            self.request(Op::Probe, None, None, |_, _| Ok(())).await?;
            Ok(capabilities)
        })
    }

    fn send<'a>(&'a self, item: &'a Item, transfer: &'a Transfer) -> BoxFuture<'a, Result<Sent, Failure>> {
        Box::pin(self.send_item(item, transfer))
    }

    fn prove<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>> {
        Box::pin(self.prove_item(item, receipt, transfer))
    }

    fn read<'a>(&'a self, key: &'a str, _receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>> {
        Box::pin(async move {
            let read = self.request(Op::Read, None, None, |r, _| {
                r.copy(key).ok_or_else(|| Failure::transient(FailureKind::NotFound, "no such copy"))
            });
            let bytes = read.await?.unwrap_or_default();
            Ok(Box::new(std::io::Cursor::new(bytes)) as ReadBack)
        })
    }

    fn write_manifest<'a>(
        &'a self,
        installation: &'a str,
        sequence: u64,
        segment: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if let Some(inner) = &self.inner {
                let written = inner.write_manifest(installation, sequence, segment);
                return self.around(Op::Write, None, None, written).await.map(drop);
            }
            let written = self.request(Op::Write, None, None, |r, _| {
                let place = (installation.to_owned(), sequence);
                if r.manifests.contains_key(&place) {
                    return Err(Failure::transient(FailureKind::Conflict, "the number is taken"));
                }
                r.manifests.insert(place, segment.to_vec());
                Ok(())
            });
            written.await.map(drop)
        })
    }

    fn read_manifests(&self) -> BoxFuture<'_, Result<ManifestContents, Failure>> {
        Box::pin(async move {
            if let Some(inner) = &self.inner {
                let read = self.around(Op::List, None, None, inner.read_manifests()).await?;
                return Ok(read.unwrap_or_default());
            }
            let read = self.request(Op::List, None, None, |r, _| {
                let mut collected = ManifestContents::default();
                for segment in r.manifests.values() {
                    match manifest::decode(segment) {
                        Ok(entries) => collected.entries.extend(entries),
                        Err(damage) => collected.damaged.push(damage.to_string()),
                    }
                }
                Ok(collected)
            });
            Ok(read.await?.unwrap_or_default())
        })
    }

    fn clean<'a>(&'a self, keep: &'a [u64]) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(async move {
            if let Some(inner) = &self.inner {
                return Ok(self.around(Op::Clean, None, None, inner.clean(keep)).await?.unwrap_or(0));
            }
            let cleaned = self.request(Op::Clean, None, None, |_, _| Ok(())).await?;
            Ok(cleaned.map_or(0, |()| self.clean_uploads(keep)))
        })
    }
}
