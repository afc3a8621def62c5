//! What one call of an extension can reach: its own destination's rows, and nothing else.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::rng::SharedRng;
use crate::domain::ids::{DestinationId, FileId, RecordId};
use crate::domain::job::JobAction;
use crate::domain::key;
use crate::extension::{BLOCK_CHANGES_MAX, BoxFuture, ChangedFiles, JobChange, JobContext, PortError};
use crate::store::{ChangeKind, Changes, DestinationRow, JobRow, NewJob, Store, StoreError, Wanted, Write};

/// Changes and files in one page.
const PAGE_FILES_MAX: u32 = 500;

/// One call's port.
pub(super) struct Port {
    pub store: Store,
    pub destination: Arc<DestinationRow>,
    pub installation: Arc<str>,
    pub rng: SharedRng,
    pub terminating: CancellationToken,
    /// Rows changed by this call so far.
    pub changed: u64,
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
            match self.store.read(move |r| r.changes_since(token, PAGE_FILES_MAX)).await? {
                Changes::Since { list, next_token, is_end } => {
                    // What has gone has been detached from its record already.
                    let ready = list.iter().filter(|change| change.kind == ChangeKind::Ready);
                    let files = ready.map(|change| change.file).collect();
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
                let mut changed = 0;
                for (change, token) in block.iter().zip(tokens) {
                    changed += u64::from(apply(tx, &destination, change, token)?);
                }
                Ok(changed)
            });
            let changed = work.await?;
            self.changed += changed;
            Ok(changed)
        })
    }

    fn is_terminating(&self) -> bool {
        self.terminating.is_cancelled()
    }
}

/// Makes one change. Says whether it changed a row.
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
            tx.set_change_token(id, Some(*place))?;
            Ok(false)
        }
        JobChange::Create(record) => {
            let new =
                NewJob { record: *record, abilities: &destination.abilities, limit: destination.job_limit };
            tx.create_job(new)?;
            Ok(true)
        }
        JobChange::Retry(job) => tx.retry_job(*job),
        JobChange::Acknowledge(job) => tx.acknowledge_job(*job),
        JobChange::Cancel(job) => tx.cancel_job(*job),
    }
}
