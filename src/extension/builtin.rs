//! The policy that every built-in destination has: everything consented, each failure retried once.

use super::{BoxFuture, Extension, FileChange, JobChange, JobContext, PortError, ProcessingResult};
use crate::base::mutant::{self, Mutant};
use crate::domain::ids::FileId;
use crate::domain::job::{JobAction, JobState};

/// Pages of changes dealt with in one call; more are left for the next.
const PAGES_MAX: usize = 64;

/// The built-in extension. It remembers nothing: all it knows is in the job table.
#[derive(Debug, Default)]
pub struct BuiltIn;

impl Extension for BuiltIn {
    fn process_jobs<'a>(&'a mut self, cx: &'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult> {
        Box::pin(async move {
            match process(cx).await {
                Ok(result) => result,
                Err(error) => {
                    tracing::warn!(%error, "processing jobs failed");
                    ProcessingResult::Failure
                }
            }
        })
    }

    fn will_terminate(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

async fn process(cx: &mut dyn JobContext) -> Result<ProcessingResult, PortError> {
    settle_jobs(cx).await?;
    let is_up_to_date = want_changes(cx).await?;
    create_jobs(cx).await?;
    Ok(if is_up_to_date { ProcessingResult::Completed } else { ProcessingResult::Processing })
}

/// Retries what failed for the first time, acknowledges what is done with, cancels what nobody has
/// any more.
async fn settle_jobs(cx: &mut dyn JobContext) -> Result<(), PortError> {
    let mut block = Vec::new();
    let retryable = cx.fetch_jobs(JobAction::Retry).await?;
    let worth_it = |job: &&crate::store::JobRow| job.is_needed && !job.is_permanent;
    block.extend(retryable.iter().filter(worth_it).map(|job| JobChange::Retry { job: job.id, to: None }));
    let done = cx.fetch_jobs(JobAction::Acknowledge).await?;
    // A first failure is in both sets; the retry has the better claim.
    let retried = |id| retryable.iter().filter(worth_it).any(|job| job.id == id);
    let is_hoarded =
        |job: &crate::store::JobRow| mutant::is(Mutant::HoardsJobs) && job.state == JobState::Failed;
    let done = done.iter().filter(|job| !is_hoarded(job));
    block.extend(done.filter(|job| !retried(job.id)).map(|job| JobChange::Acknowledge(job.id)));
    let live = cx.fetch_jobs(JobAction::Process).await?;
    let unneeded = live.iter().filter(|job| job.state == JobState::Registered && !job.is_needed);
    block.extend(unneeded.map(|job| JobChange::Cancel(job.id)));
    if !block.is_empty() {
        cx.perform_changes(block).await?;
    }
    Ok(())
}

/// Turns library changes into wanted records. Says whether it has seen them all.
async fn want_changes(cx: &mut dyn JobContext) -> Result<bool, PortError> {
    let Some(mut token) = cx.change_token().await? else {
        return want_everything(cx).await;
    };
    for _ in 0..PAGES_MAX {
        if cx.is_terminating() {
            return Ok(false);
        }
        let changed = match cx.changes_since(token).await {
            Ok(changed) => changed,
            Err(PortError::TokenExpired) if mutant::is(Mutant::IgnoresExpiry) => {
                let newest = cx.newest_token().await?;
                cx.perform_changes(vec![JobChange::SaveToken(newest)]).await?;
                return Ok(true);
            }
            Err(PortError::TokenExpired) => return want_everything(cx).await,
            Err(error) => return Err(error),
        };
        if changed.token != token {
            token = changed.token;
            // What has gone is detached from its record already; what cannot be told comes again.
            let ready = changed.files.iter().filter_map(|change| match change {
                FileChange::Ready(file) => Some(*file),
                FileChange::Removed(_) | FileChange::DetailsUnavailable(_) => None,
            });
            let mut block: Vec<JobChange> = ready.map(JobChange::Want).collect();
            if mutant::is(Mutant::SavesTokenFirst) {
                cx.perform_changes(vec![JobChange::SaveToken(token)]).await?;
            }
            block.push(JobChange::SaveToken(token));
            cx.perform_changes(block).await?;
        }
        if !changed.has_more {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first look, or one after the history was pruned: wants what has no record yet. The token is
/// taken before, so what changes meanwhile is seen again rather than missed.
async fn want_everything(cx: &mut dyn JobContext) -> Result<bool, PortError> {
    let token = cx.newest_token().await?;
    let mut after = FileId(0);
    for _ in 0..PAGES_MAX {
        if cx.is_terminating() {
            return Ok(false);
        }
        let files = cx.unrecorded_files(after).await?;
        let Some(last) = files.last() else {
            cx.perform_changes(vec![JobChange::SaveToken(token)]).await?;
            return Ok(true);
        };
        after = *last;
        cx.perform_changes(files.into_iter().map(JobChange::Want).collect()).await?;
    }
    Ok(false)
}

/// Fills the queue to its limit.
async fn create_jobs(cx: &mut dyn JobContext) -> Result<(), PortError> {
    let wanted = cx.fetch_wanted().await?;
    if wanted.is_empty() {
        return Ok(());
    }
    match cx.perform_changes(wanted.into_iter().map(JobChange::Create).collect()).await {
        // Slots filled up meanwhile: the next call finds them free.
        Ok(_) | Err(PortError::LimitExceeded) => Ok(()),
        Err(error) => Err(error),
    }
}
