//! Work that a client waits for: verifying copies and restoring them. It ends when nobody waits any more.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::api::{ApiError, ErrorKind, OperationKind, Reply, RestoreOrder};
use crate::destination::SharedDestination;
use crate::domain::failure::Failure;
use crate::domain::ids::DestinationId;
use crate::domain::messages::describe_failure;
use crate::engine::context::Context;
use crate::engine::copies::verify::{VerifyCounts, VerifyOrder, verify};
use crate::engine::operations::{OperationProgress, Operations};
use crate::engine::parts::Parts;
use crate::engine::reply::{Outcome, ReplyTo, refused, stopping};
use crate::engine::restore::files::restore_files;
use crate::engine::restore::prepare::prepare;
use crate::engine::task_set::TaskEnd;

/// A destination that is to be verified.
struct VerifyTarget {
    id: DestinationId,
    name: String,
    /// Copies that are read side by side.
    width: u32,
    destination: Result<SharedDestination, Failure>,
}

/// Verifies copies at all destinations, or only one.
pub(crate) fn spawn_verify(
    parts: &mut Parts<'_>,
    operations: &mut Operations,
    only: Option<i64>,
    is_deep: bool,
    reply: ReplyTo,
) {
    let meant = parts.workers.iter().filter(|worker| only.is_none_or(|id| worker.id().0 == id));
    let chosen: Vec<VerifyTarget> = meant
        .map(|worker| VerifyTarget {
            id: worker.id(),
            name: worker.row().name.clone(),
            width: worker.width(),
            destination: worker.destination(),
        })
        .collect();
    let context = parts.context.clone();
    spawn_operation(parts, operations, OperationKind::Verify, reply, |operation, cancel| async move {
        verify_all(&context, &chosen, is_deep, &operation, &cancel).await
    });
}

async fn verify_all(
    context: &Context,
    chosen: &[VerifyTarget],
    is_deep: bool,
    operation: &OperationProgress,
    cancel: &CancellationToken,
) -> Outcome {
    let (mut all, mut reasons, mut refusal) = (VerifyCounts::default(), Vec::new(), None);
    for VerifyTarget { id, name, width, destination } in chosen {
        let order = VerifyOrder { id: *id, is_deep, width: *width, operation };
        let verified = match destination {
            Ok(destination) => {
                let counts = verify(&context.deps, &context.store, destination, &order, cancel).await;
                counts.map(|counts| (counts, destination))
            }
            Err(failure) => Err(failure.clone()),
        };
        match verified {
            Ok(((found, unread), destination)) => {
                all.checked += found.checked;
                all.failed += found.failed;
                all.unproven += found.unproven;
                if found.unproven > 0 {
                    reasons.push(why_unproven(name, destination, unread.as_ref()).await);
                }
            }
            Err(failure) => refusal = Some(refused(&failure)),
        }
    }
    if cancel.is_cancelled() {
        return Err(stopping());
    }
    let VerifyCounts { checked, failed, unproven } = all;
    refusal.map_or(Ok(Reply::Verified { checked, failed, unproven, reasons }), Err)
}

/// Restores for as long as the client waits.
pub(crate) fn spawn_restore(
    parts: &mut Parts<'_>,
    operations: &mut Operations,
    order: &RestoreOrder,
    reply: ReplyTo,
) {
    let prepared = prepare(parts.context, parts.workers, order);
    let context = parts.context.clone();
    spawn_operation(parts, operations, OperationKind::Restore, reply, |operation, cancel| async move {
        let task = prepared?.resolve(&context.store).await?;
        restore_files(&context, task, operation, &cancel).await.into_reply()
    });
}

/// Starts an operation, for as long as somebody waits for what it finds.
fn spawn_operation<F>(
    parts: &mut Parts<'_>,
    operations: &mut Operations,
    kind: OperationKind,
    mut reply: ReplyTo,
    work: impl FnOnce(Arc<OperationProgress>, CancellationToken) -> F,
) where
    F: Future<Output = Outcome> + Send + 'static,
{
    let Some(operation) = operations.begin(kind) else {
        let why = "Too many verifications and restores are running; try again when one has finished";
        reply.send(Err(ApiError::new(ErrorKind::Unavailable, why))).ok();
        return;
    };
    let cancel = parts.context.stop.child_token();
    let work = work(operation, cancel.clone());
    parts.tasks.spawn(async move {
        // Whatever reads on a thread of its own is told too.
        let _ended = cancel.drop_guard();
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = reply.closed() => return TaskEnd::WantedAgain,
        };
        reply.send(outcome).ok();
        TaskEnd::WantedAgain
    });
}

/// Why copies at a destination could not be proved, and what would help.
async fn why_unproven(name: &str, destination: &SharedDestination, unread: Option<&Failure>) -> String {
    if let Some(obstacle) = destination.proof_obstacle() {
        return format!("{name}: {obstacle}");
    }
    match (destination.attachment().await, unread) {
        (Ok(Some(attachment)), _) => format!("{name}: {}", attachment.need.advice()),
        (_, Some(failure)) => {
            let message = describe_failure(failure);
            format!("{name}: {}. {}", message.summary, message.advice)
        }
        (_, None) => format!("Copies in {name} cannot be verified"),
    }
}
