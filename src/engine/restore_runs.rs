//! Restores that go on by themselves: kept in the store, so that neither a closed window nor a restart
//! ends them. Repeating a restore is safe: what is there already is compared and left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiError, ErrorKind, Reply, RestoreAction, RestoreOrder, RestoreResult, RestoreState};
use crate::domain::failure::Failure;
use crate::domain::messages::describe_failure;
use crate::domain::time::UnixMillis;
use crate::engine::operations::Operations;
use crate::engine::parts::Parts;
use crate::engine::reply::{Outcome, internal, refused, usage};
use crate::engine::restore::files::restore_files;
use crate::engine::restore::order::{RestoreEnd, RestoreReport};
use crate::engine::restore::prepare::prepare;
use crate::engine::task_set::TaskEnd;
use crate::store::{RestoreRow, Write};

/// Sentences that are kept of a restore and shown.
const SENTENCES_KEPT_MAX: usize = 50;
/// A restore whose destination stays away is given up this long after it was asked for.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// Seconds before a destination that is away is asked for again; the last of them again and again.
const AWAY_WAITS_SECS: [u64; 5] = [30, 60, 120, 300, 600];

/// All restores that are kept, and what is under way of them.
#[derive(Debug, Default)]
pub(crate) struct RestoreRuns {
    rows: Vec<RestoreRow>,
    active: BTreeMap<i64, ActiveRestore>,
    waiting: BTreeMap<i64, WaitingRestore>,
}

#[derive(Debug)]
struct ActiveRestore {
    cancel: CancellationToken,
    /// The person stopped it: it does not go on after a restart.
    is_stopped: bool,
    /// Tries before this one that found its destination away.
    tries: usize,
}

/// A restore whose destination is away.
#[derive(Debug)]
struct WaitingRestore {
    until: Instant,
    tries: usize,
    /// Why it waits: a sentence.
    reason: String,
}

impl RestoreRuns {
    /// All of them as clients see them.
    pub fn states(&self) -> Vec<RestoreState> {
        let state = |row: &RestoreRow| {
            let wait = self.waiting.get(&row.id).map(|waiting| waiting.reason.clone());
            Some(RestoreState {
                id: row.id,
                order: row.order.clone()?,
                is_running: !row.is_ended,
                reason: if row.is_ended { row.stopped.clone() } else { wait },
                result: row.result.clone(),
            })
        };
        self.rows.iter().filter_map(state).collect()
    }

    /// When the next of those that wait is tried again.
    pub fn next_try(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.until).min()
    }
}

impl RestoreRuns {
    /// Reads which restores are kept, and takes up those that have not ended.
    pub async fn resume(&mut self, parts: &mut Parts<'_>, operations: &mut Operations) {
        self.reload(parts).await;
        let open: Vec<i64> = self.rows.iter().filter(|row| !row.is_ended).map(|row| row.id).collect();
        for id in open {
            self.spawn(parts, operations, id);
        }
    }

    async fn reload(&mut self, parts: &mut Parts<'_>) {
        let rows = parts.context.store.read(|r| r.restores()).await;
        if let Some(rows) = parts.check_store_result(rows) {
            self.rows = rows;
        }
    }

    fn row(&self, id: i64) -> Option<&RestoreRow> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Keeps a restore that the person asks for, and starts it.
    ///
    /// # Errors
    /// When there is no such destination, it cannot be opened, or the store fails.
    pub async fn start_restore(
        &mut self,
        parts: &mut Parts<'_>,
        operations: &mut Operations,
        order: RestoreOrder,
    ) -> Outcome {
        prepare(parts.context, parts.workers, &order)?;
        let id = parts.context.store.write_durably(move |tx| tx.add_restore(&order)).await;
        let id = id.map_err(|error| internal(&error))?;
        self.reload(parts).await;
        self.spawn(parts, operations, id);
        Ok(Reply::Done)
    }

    /// Stops, resumes or dismisses a restore.
    ///
    /// # Errors
    /// When there is none to resume or dismiss, or the store fails.
    pub async fn change_restore(
        &mut self,
        parts: &mut Parts<'_>,
        operations: &mut Operations,
        id: i64,
        action: RestoreAction,
    ) -> Outcome {
        match action {
            RestoreAction::Stop => {
                if let Some(active) = self.active.get_mut(&id) {
                    active.is_stopped = true;
                    active.cancel.cancel();
                } else if self.waiting.remove(&id).is_some() {
                    let result = self.row(id).map(|row| row.result.clone()).unwrap_or_default();
                    self.end_restore(parts, id, result, Some("Stopped".to_owned())).await;
                }
            }
            RestoreAction::Resume => {
                let resumed = parts.context.store.write_durably(move |tx| tx.resume_restore(id)).await;
                resumed.map_err(|error| internal(&error))?;
                self.reload(parts).await;
                self.spawn(parts, operations, id);
            }
            RestoreAction::Dismiss => {
                let done = parts.context.store.write(move |tx| tx.dismiss_restore(id)).await;
                done.map_err(|error| internal(&error))?;
                self.reload(parts).await;
            }
        }
        Ok(Reply::Done)
    }

    /// Starts those that have waited long enough.
    pub fn step(&mut self, parts: &mut Parts<'_>, operations: &mut Operations, now: Instant) {
        let due = |(id, waiting): (&i64, &WaitingRestore)| (waiting.until <= now).then_some(*id);
        let due: Vec<i64> = self.waiting.iter().filter_map(due).collect();
        for id in due {
            self.spawn(parts, operations, id);
        }
    }

    fn spawn(&mut self, parts: &mut Parts<'_>, operations: &mut Operations, id: i64) {
        if self.active.contains_key(&id) {
            return;
        }
        let Some(row) = self.row(id) else {
            return;
        };
        let prepared = match &row.order {
            Some(order) => prepare(parts.context, parts.workers, order),
            None => Err(usage("this restore was asked for by another version of Safelight")),
        };
        let tries = self.waiting.remove(&id).map_or(0, |waiting| waiting.tries);
        let cancel = parts.context.stop.child_token();
        self.active.insert(id, ActiveRestore { cancel: cancel.clone(), is_stopped: false, tries });
        let operation = operations.begin_restore(id);
        let context = parts.context.clone();
        let refused =
            |error| RestoreReport { result: RestoreResult::default(), end: RestoreEnd::Refused(error) };
        let broken = refused(ApiError::new(ErrorKind::Internal, "The restore broke off"));
        parts.tasks.spawn_or(TaskEnd::RestoreEnded { id, report: Box::new(broken) }, async move {
            let _ended = cancel.clone().drop_guard();
            let task = match prepared {
                Ok(prepared) => prepared.resolve(&context.store).await,
                Err(error) => Err(error),
            };
            let report = match task {
                Ok(task) => restore_files(&context, task, operation, &cancel).await,
                Err(error) => refused(error),
            };
            TaskEnd::RestoreEnded { id, report: Box::new(report) }
        });
    }

    /// A restore has ended, waits now, or the engine stops.
    pub async fn on_ended(&mut self, parts: &mut Parts<'_>, id: i64, report: RestoreReport) {
        let active = self.active.remove(&id);
        let (is_stopped, tries) = active.map_or((false, 0), |active| (active.is_stopped, active.tries));
        let Some(row) = self.row(id) else {
            return;
        };
        let (result, asked_at) = (total(&row.result, report.result), row.started_at);
        let stopped = match report.end {
            RestoreEnd::Complete => None,
            RestoreEnd::Stopped if is_stopped => Some("Stopped".to_owned()),
            // It goes on at the next start.
            RestoreEnd::Stopped => return self.save_restore(parts, id, result).await,
            RestoreEnd::Lost(failure)
                if !is_stopped && !is_given_up(&failure, asked_at, parts.context.wall()) =>
            {
                let secs = AWAY_WAITS_SECS.get(tries).or(AWAY_WAITS_SECS.last()).copied().unwrap_or(600);
                let waiting = WaitingRestore {
                    until: Instant::now() + Duration::from_secs(secs),
                    tries: tries + 1,
                    reason: describe_failure(&failure).summary.to_owned(),
                };
                self.waiting.insert(id, waiting);
                return self.save_restore(parts, id, result).await;
            }
            RestoreEnd::Lost(failure) => Some(refused(&failure).message),
            RestoreEnd::Refused(error) => Some(error.message),
        };
        self.end_restore(parts, id, result, stopped).await;
    }

    async fn save_restore(&mut self, parts: &mut Parts<'_>, id: i64, result: RestoreResult) {
        let saved = parts.context.store.write(move |tx| tx.save_restore(id, &result)).await;
        parts.check_store_result(saved);
        self.reload(parts).await;
    }

    async fn end_restore(
        &mut self,
        parts: &mut Parts<'_>,
        id: i64,
        result: RestoreResult,
        stopped: Option<String>,
    ) {
        let ended = move |tx: &Write<'_>| tx.end_restore(id, &result, stopped.as_deref());
        let written = parts.context.store.write(ended).await;
        parts.check_store_result(written);
        self.reload(parts).await;
        // Files that are back in a photo folder are seen at once.
        parts.library.rescan(None);
        parts.workers.call_all_extensions();
    }
}

/// What several tries of a restore have brought: what an earlier one restored is there already for a
/// later one.
fn total(before: &RestoreResult, last: RestoreResult) -> RestoreResult {
    let mut total = RestoreResult {
        restored: before.restored + last.restored,
        present: last.present.saturating_sub(before.restored),
        ..last
    };
    total.sentences.truncate(SENTENCES_KEPT_MAX);
    total
}

/// Whether a restore ends because its destination is away.
fn is_given_up(failure: &Failure, asked_at: UnixMillis, now: UnixMillis) -> bool {
    failure.is_permanent() || now.since(asked_at) > GIVEN_UP_AFTER
}
