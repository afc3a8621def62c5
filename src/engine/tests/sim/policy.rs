//! Extensions that take their time: the built-in policy, with everything else going on between any
//! two of its steps, in another order, or failing now and then.

use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::world::{PLANTED, World, count};
use crate::domain::ids::{FileId, RecordId};
use crate::domain::job::JobAction;
use crate::extension::{
    BoxFuture, BuiltIn, ChangedFiles, Extension, JobChange, JobContext, MakeExtension, PortError,
    ProcessingResult,
};
use crate::store::{DestinationRow, JobRow};

/// What an extension is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExtensionBehavior {
    /// As every destination has it.
    BuiltIn,
    /// It waits between its steps.
    Dawdles,
    /// It creates jobs before it acknowledges others, and waits.
    CreatesFirst,
    /// It hangs, panics or claims more to do than there is, now and then.
    Fails,
}

/// Makes extensions of all manners.
pub struct SimExtensions(pub Arc<World>);

impl MakeExtension for SimExtensions {
    fn make(&self, _destination: &DestinationRow) -> Box<dyn Extension> {
        let (manner, dice) = self.0.with(|around| {
            let manner = match around.dice.below(10) {
                0..=2 => ExtensionBehavior::BuiltIn,
                3..=6 => ExtensionBehavior::Dawdles,
                7..=8 => ExtensionBehavior::CreatesFirst,
                _ => ExtensionBehavior::Fails,
            };
            (manner, around.dice.fork())
        });
        Box::new(SimExtension { world: Arc::clone(&self.0), manner, dice })
    }
}

struct SimExtension {
    world: Arc<World>,
    manner: ExtensionBehavior,
    dice: Dice,
}

impl Extension for SimExtension {
    fn process_jobs<'a>(&'a mut self, cx: &'a mut dyn JobContext) -> BoxFuture<'a, ProcessingResult> {
        Box::pin(async move {
            let mut policy = BuiltIn;
            // When trouble is over, every policy is as it should be.
            if self.world.with(|around| around.is_calm) || self.manner == ExtensionBehavior::BuiltIn {
                return policy.process_jobs(cx).await;
            }
            let (dice, manner) = (&mut self.dice, self.manner);
            let name = format!("extension {manner:?}");
            self.world.with(|around| count(&mut around.tally.actions, &name));
            let mut cx = SlowPort { inner: cx, longest_ms: *dice.pick(&[1, 40, 400]), dice: dice.fork() };
            match manner {
                ExtensionBehavior::BuiltIn | ExtensionBehavior::Dawdles => {}
                ExtensionBehavior::CreatesFirst => {
                    if let Ok(wanted) = cx.fetch_wanted().await {
                        cx.perform_changes(wanted.into_iter().map(JobChange::Create).collect()).await.ok();
                    }
                }
                ExtensionBehavior::Fails => match dice.below(12) {
                    0 => std::future::pending().await,
                    1 => panic!("{PLANTED}"),
                    2 => return ProcessingResult::Processing,
                    3 => return ProcessingResult::Failure,
                    _ => {}
                },
            }
            policy.process_jobs(&mut cx).await
        })
    }

    fn will_terminate(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.manner == ExtensionBehavior::Fails {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// A port that is slow to reach.
struct SlowPort<'a> {
    inner: &'a mut dyn JobContext,
    dice: Dice,
    longest_ms: u64,
}

impl SlowPort<'_> {
    async fn dawdle(&mut self) -> &mut dyn JobContext {
        if self.dice.percent(60) {
            let time = Duration::from_millis(self.dice.below(self.longest_ms + 1));
            tokio::time::sleep(time).await;
        }
        &mut *self.inner
    }
}

impl JobContext for SlowPort<'_> {
    fn job_limit(&self) -> u32 {
        self.inner.job_limit()
    }

    fn change_token(&mut self) -> BoxFuture<'_, Result<Option<i64>, PortError>> {
        Box::pin(async move { self.dawdle().await.change_token().await })
    }

    fn newest_token(&mut self) -> BoxFuture<'_, Result<i64, PortError>> {
        Box::pin(async move { self.dawdle().await.newest_token().await })
    }

    fn changes_since(&mut self, token: i64) -> BoxFuture<'_, Result<ChangedFiles, PortError>> {
        Box::pin(async move { self.dawdle().await.changes_since(token).await })
    }

    fn unrecorded_files(&mut self, after: FileId) -> BoxFuture<'_, Result<Vec<FileId>, PortError>> {
        Box::pin(async move { self.dawdle().await.unrecorded_files(after).await })
    }

    fn fetch_jobs(&mut self, action: JobAction) -> BoxFuture<'_, Result<Vec<JobRow>, PortError>> {
        Box::pin(async move { self.dawdle().await.fetch_jobs(action).await })
    }

    fn fetch_wanted(&mut self) -> BoxFuture<'_, Result<Vec<RecordId>, PortError>> {
        Box::pin(async move { self.dawdle().await.fetch_wanted().await })
    }

    fn perform_changes(&mut self, block: Vec<JobChange>) -> BoxFuture<'_, Result<u64, PortError>> {
        Box::pin(async move { self.dawdle().await.perform_changes(block).await })
    }

    fn is_terminating(&self) -> bool {
        self.inner.is_terminating()
    }
}
