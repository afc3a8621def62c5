//! What one call of an extension can reach: its own destination's rows, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::rng::SharedRng;
use crate::domain::file::FileStatus;
use crate::domain::ids::{DestinationId, FileId, JobId, RecordId};
use crate::domain::job::JobAction;
use crate::domain::{job_url, key};
use crate::extension::{
    BLOCK_CHANGES_MAX, BoxFuture, ChangedFiles, FileChange, JobChange, JobContext, JobTarget, PortError,
};
use crate::store::{
    Change, ChangeKind, Changes, DecisionKind, DestinationRow, JobRow, NewJob, Read, Store, StoreError,
    Wanted, Write,
};

/// Changes and files in one page.
const PAGE_FILES_MAX: u32 = 500;

/// One call's port.
pub(crate) struct Port {
    pub store: Store,
    pub destination: Arc<DestinationRow>,
    pub installation: Arc<str>,
    pub rng: SharedRng,
    pub terminating: CancellationToken,
    /// Transfers that were under way when the call began.
    pub running: BTreeMap<JobId, CancellationToken>,
    /// Rows changed by this call so far.
    pub changed: u64,
    /// Jobs that it cancelled.
    pub cancelled: Vec<JobId>,
}

impl From<StoreError> for PortError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LimitExceeded => Self::LimitExceeded,
            StoreError::Refused(why) => Self::Refused(why),
            other => Self::Store(other.to_string()),
        }
    }
}

impl JobContext for Port {
    fn job_limit(&self) -> u32 {
        self.destination.job_limit
    }

    fn change_token(&mut self) -> BoxFuture<'_, Result<Option<i64>, PortError>> {
        let id = self.destination.id;
        Box::pin(async move {
            let row = self.store.read(move |r| r.destination(id)).await?;
            Ok(row.and_then(|row| row.change_token))
        })
    }

    fn newest_token(&mut self) -> BoxFuture<'_, Result<i64, PortError>> {
        Box::pin(async move { Ok(self.store.read(|r| r.newest_token()).await?) })
    }

    fn changes_since(&mut self, token: i64) -> BoxFuture<'_, Result<ChangedFiles, PortError>> {
        Box::pin(async move {
            let work = self.store.read(move |r| {
                let changes = r.changes_since(token, PAGE_FILES_MAX)?;
                let list = if let Changes::Since { list, .. } = &changes { list.as_slice() } else { &[] };
                let files =
                    list.iter().map(|change| file_change(r, change)).collect::<Result<Vec<_>, _>>()?;
                Ok((changes, files))
            });
            let (changes, files) = work.await?;
            match changes {
                Changes::Since { next_token, is_end, .. } => {
                    Ok(ChangedFiles { files, token: next_token, has_more: !is_end })
                }
                Changes::Expired => Err(PortError::TokenExpired),
            }
        })
    }

    fn unrecorded_files(&mut self, after: FileId) -> BoxFuture<'_, Result<Vec<FileId>, PortError>> {
        let id = self.destination.id;
        Box::pin(async move { Ok(self.store.read(move |r| r.unattached(id, after, PAGE_FILES_MAX)).await?) })
    }

    fn fetch_jobs(&mut self, action: JobAction) -> BoxFuture<'_, Result<Vec<JobRow>, PortError>> {
        let id = self.destination.id;
        Box::pin(async move { Ok(self.store.read(move |r| r.jobs(id, action)).await?) })
    }

    fn fetch_wanted(&mut self) -> BoxFuture<'_, Result<Vec<RecordId>, PortError>> {
        let (id, limit) = (self.destination.id, self.destination.job_limit);
        Box::pin(async move {
            let drawn = self.store.write(move |tx| {
                let room = limit.saturating_sub(tx.live_jobs(id)?);
                if room == 0 { Ok(Vec::new()) } else { tx.draw(id, room, tx.now) }
            });
            Ok(drawn.await?)
        })
    }

    fn perform_changes(&mut self, block: Vec<JobChange>) -> BoxFuture<'_, Result<u64, PortError>> {
        Box::pin(async move {
            if block.len() > BLOCK_CHANGES_MAX {
                return Err(PortError::Refused(format!("a block has at most {BLOCK_CHANGES_MAX} changes")));
            }
            let destination = Arc::clone(&self.destination);
            let tokens: Vec<u64> =
                block.iter().map(|_| key::temp_token(&self.installation, self.rng.next_u64())).collect();
            let work = self.store.write(move |tx| {
                tx.require_enabled(destination.id)?;
                let (mut changed, mut cancelled) = (0, Vec::new());
                for (change, token) in block.iter().zip(tokens) {
                    let did = apply(tx, &destination, change, token)?;
                    changed += u64::from(did);
                    if let JobChange::Cancel(job) = change
                        && did
                    {
                        cancelled.push(*job);
                    }
                }
                Ok((changed, cancelled))
            });
            let (changed, cancelled) = work.await?;
            // Its row is gone; what is still being sent is nobody's.
            cancelled.iter().filter_map(|job| self.running.get(job)).for_each(CancellationToken::cancel);
            self.cancelled.extend(cancelled);
            self.changed += changed;
            Ok(changed)
        })
    }

    fn is_terminating(&self) -> bool {
        self.terminating.is_cancelled()
    }
}

/// What can be told of a change now.
fn file_change(r: &Read<'_>, change: &Change) -> Result<FileChange, StoreError> {
    let file = change.file;
    Ok(match (change.kind, r.file_status(file)?) {
        (ChangeKind::Ready, Some(FileStatus::Ready)) => FileChange::Ready(file),
        (ChangeKind::Removed, _) | (ChangeKind::Ready, None | Some(FileStatus::Excluded)) => {
            FileChange::Removed(file)
        }
        (ChangeKind::Ready, Some(_)) => FileChange::DetailsUnavailable(file),
    })
}

/// Makes one change. Says whether it changed a row. A step that finds its job in another state
/// changes nothing: somebody else was first. A step that was never the extension's to take is
/// refused, and the whole block with it.
fn apply(
    tx: &Write<'_>,
    destination: &DestinationRow,
    change: &JobChange,
    token: u64,
) -> Result<bool, StoreError> {
    let id: DestinationId = destination.id;
    match change {
        JobChange::Want(file) => Ok(matches!(tx.want(id, *file, token)?, Wanted::Recorded(_))),
        JobChange::SaveToken(place) => {
            if *place > tx.newest_token()? {
                return Err(StoreError::Refused("nothing has happened there yet".to_owned()));
            }
            tx.set_change_token(id, Some(*place))?;
            Ok(false)
        }
        JobChange::Create(record) => {
            tx.require_own_record(*record, id)?;
            let new = NewJob {
                record: *record,
                capabilities: &destination.capabilities,
                limit: destination.job_limit,
            };
            tx.create_job(new)?;
            Ok(true)
        }
        JobChange::Retry { job, to } => {
            tx.require_own_job(*job, id)?;
            let did = tx.retry_job(*job)?;
            if let Some(target) = to.as_ref().filter(|_| did) {
                tx.retarget_job(*job, &key_of(destination, target)?, &destination.capabilities)?;
                tx.add_job_decision(*job, DecisionKind::Renamed, "Retried at once, under another name")?;
            } else if did {
                tx.add_job_decision(*job, DecisionKind::Retry, "Retried at once")?;
            }
            Ok(did)
        }
        JobChange::Acknowledge(job) => {
            tx.require_own_job(*job, id)?;
            tx.acknowledge_job(*job)
        }
        JobChange::Cancel(job) => {
            tx.require_own_job(*job, id)?;
            tx.cancel_job(*job)
        }
    }
}

/// The key that a target stands for at this destination.
fn key_of(destination: &DestinationRow, target: &JobTarget) -> Result<String, StoreError> {
    let outside = || StoreError::Refused("this leads out of the destination".to_owned());
    match target {
        JobTarget::Key(key) => Ok(key.clone()),
        JobTarget::Url(url) => {
            let base = std::str::from_utf8(&destination.address).ok();
            base.and_then(|base| job_url::key_below(base, url)).ok_or_else(outside)
        }
    }
}
