//! The steps of an upload: created, appended to, proved, named and looked at once more, or named first
//! where the remote does so.

use super::client::Client;
use super::effects::{
    Corruption, KeyContents, at_source, commit, describe, look, offset, prove, prove_upload, unknown_upload,
};
use super::remote::Op;
use crate::base::files::SourceFile;
use crate::base::mutant::{self, Mutant};
use crate::destination::{Item, Phase, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::record::{Evidence, ProofMethod};

impl Client {
    /// Looks for the effect; none where the key is free.
    pub(super) async fn look_for(&self, item: &Item, transfer: &Transfer) -> Result<Option<Sent>, Failure> {
        let named = transfer.named.as_ref();
        let looked =
            self.request(Op::Look, Some(item), Some(&transfer.cancel), |r, _| Ok(look(r, item, named)));
        Ok(match looked.await? {
            None => Some(Sent::Cancelled),
            Some(KeyContents::Equal) => Some(Sent::AlreadyThere { receipt: item.key.clone() }),
            Some(KeyContents::Taken) => Some(Sent::KeyTaken),
            Some(KeyContents::Free) => None,
        })
    }

    /// Sends an upload, the known one or a new one, in the order of the remote: proved and then named,
    /// or named at once.
    pub(super) async fn send_upload(
        &self,
        item: &Item,
        transfer: &Transfer,
        known: Option<u64>,
    ) -> Result<Sent, Failure> {
        let cancel = Some(&transfer.cancel);
        let mut source = self.open(item, transfer)?;
        let Some(upload) = self.create(item, transfer, known).await? else { return Ok(Sent::Cancelled) };
        let Some(is_whole) = self.append_all(upload, item, transfer, source.as_mut()).await? else {
            return Ok(Sent::Cancelled);
        };
        if !is_whole {
            self.remote(|r| r.uploads.remove(&upload));
            return Err(self.failed(Some(item), Failure::transient(FailureKind::Changed, "it has changed")));
        }
        let is_later = self.remote(|r| r.rules.names_first) || mutant::is(Mutant::NamesFirst);
        let mut proved = None;
        if !is_later {
            transfer.save(Phase::Proving, upload.to_string()).await?;
            let proof = self.request(Op::Prove, Some(item), cancel, |r, corruption| {
                prove_upload(r, item, upload, corruption)
            });
            let Some(shown) = proof.await? else { return Ok(Sent::Cancelled) };
            proved = shown;
        }
        transfer.save(Phase::Committing, upload.to_string()).await?;
        self.check_order(item, upload);
        match self
            .request(Op::Commit, Some(item), cancel, |r, corruption| commit(r, item, upload, corruption))
            .await?
        {
            None => Ok(Sent::Cancelled),
            Some(false) => Ok(Sent::KeyTaken),
            Some(true) => self.look_again(item, transfer, proved).await,
        }
    }

    /// Nothing gets its key on a disk before it was read back, where that can be done. Markers and
    /// manifests are checked when they are read.
    pub(super) fn check_named(&self) {
        let Some(disk) = self.remote(|r| r.disk.clone()) else { return };
        let is_copy = |name: &String| !name.ends_with(".jsonl") && !name.ends_with(".json");
        if let Some(name) = disk.named_unread().into_iter().find(is_copy) {
            self.world.violate(format!("disk {} names {name} before it is proved", self.number));
        }
    }

    /// Nothing gets its key before it was read back, where that can be done.
    fn check_order(&self, item: &Item, upload: u64) {
        let is_unread = self.remote(|r| {
            let is_needed = !r.rules.names_first && r.rules.proof.is_some();
            is_needed && r.uploads.get(&upload).is_some_and(|upload| !upload.is_proved)
        });
        if is_unread {
            self.world.violate(format!("remote {} names {} before it is proved", self.number, item.key));
        }
    }

    /// Looks at a copy that has just got its key: by its tag where that shows that it is what was proved,
    /// else by reading it.
    async fn look_again(
        &self,
        item: &Item,
        transfer: &Transfer,
        proved: Option<(ProofMethod, u64)>,
    ) -> Result<Sent, Failure> {
        let cancel = Some(&transfer.cancel);
        let receipt = item.key.clone();
        if self.remote(|r| r.rules.reads_later) {
            return Ok(Sent::Stored { receipt, evidence: None });
        }
        let stored = |evidence| Sent::Stored { receipt: receipt.clone(), evidence };
        let described = self.request(Op::Look, Some(item), cancel, |r, _| describe(r, item)).await?;
        let Some(copy) = described else { return Ok(Sent::Cancelled) };
        transfer.save_named(copy.clone()).await?;
        let Some((method, tag)) = proved else { return Ok(stored(None)) };
        let is_kept = copy.tag == tag.to_string() && copy.size == item.content.size;
        if !is_kept {
            let read = self.request(Op::Prove, Some(item), cancel, |r, corruption| {
                let read = prove(r, item, corruption);
                if read.is_err() {
                    look(r, item, Some(&copy));
                }
                read
            });
            if read.await?.is_none() {
                return Ok(Sent::Cancelled);
            }
        }
        self.proved(item);
        Ok(stored(Some(Evidence::Verified { method, at: self.world.now() })))
    }

    /// An upload to go on with: an earlier run's or a new one.
    async fn create(
        &self,
        item: &Item,
        transfer: &Transfer,
        known: Option<u64>,
    ) -> Result<Option<u64>, Failure> {
        if let Some(known) = known {
            let asked =
                self.request(Op::Look, Some(item), Some(&transfer.cancel), |r, _| offset(r, item, known));
            let Some(there) = asked.await? else { return Ok(None) };
            // A file that grew while it was sent may have left more than there should be.
            if there as u64 <= item.content.size {
                return Ok(Some(known));
            }
        }
        transfer.save(Phase::Creating, String::new()).await?;
        let created = self.request(Op::Create, Some(item), Some(&transfer.cancel), |r, _| {
            if r.rules.size_max.is_some_and(|most| item.content.size > most) {
                return Err(Failure::permanent(FailureKind::TooLarge, "413"));
            }
            if r.rules.refuses.is_some_and(|first| item.content.blake3.0[0] % 16 == first) {
                return Err(Failure::permanent(FailureKind::Unsupported, "415"));
            }
            Ok(r.create_upload(item.token))
        });
        let Some(upload) = created.await? else { return Ok(None) };
        transfer.save(Phase::Sending, upload.to_string()).await?;
        Ok(Some(upload))
    }

    /// Sends what is missing. Says whether all of it was what it should be; none when told to stop.
    async fn append_all(
        &self,
        upload: u64,
        item: &Item,
        transfer: &Transfer,
        source: &mut dyn SourceFile,
    ) -> Result<Option<bool>, Failure> {
        let (mut sent, chunk) = self.remote(|r| (offset(r, item, upload).unwrap_or(0), r.rules.chunk));
        let mut bytes = vec![0; sent];
        source.read_exact(&mut bytes).map_err(|error| self.failed(Some(item), at_source(&error)))?;
        loop {
            let mut part = vec![0; chunk];
            let read = source.read(&mut part).map_err(|error| self.failed(Some(item), at_source(&error)))?;
            if read == 0 {
                break;
            }
            part.truncate(read);
            bytes.extend_from_slice(&part);
            let added = self.request(Op::Append, Some(item), Some(&transfer.cancel), |r, corruption| {
                let tag = r.new_tag();
                let Some(upload) = r.uploads.get_mut(&upload) else { return Err(unknown_upload(r)) };
                upload.bytes.extend_from_slice(&corruption.apply(part));
                (upload.tag, upload.is_proved) = (tag, false);
                upload.is_corrupt |= corruption != Corruption::None;
                Ok(())
            });
            if added.await?.is_none() {
                return Ok(None);
            }
            sent += read;
            transfer.set_bytes_sent(u64::try_from(sent).expect("few"));
        }
        let is_same = source.stat().is_ok_and(|stat| stat.stamp == item.stamp);
        let is_content = blake3::hash(&bytes).as_bytes() == &item.content.blake3.0;
        Ok(Some(is_same && is_content))
    }
}
