//! Copying files back out of a destination: several at once, each compared, none over another.
//!
//! What passes by itself is waited for: a copy whose reading breaks off is read again, and a
//! destination that is lost on the way is asked for again for a while. The rest is told: each file
//! that did not come back is counted, and why it ended before all were looked at.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiError, ErrorKind, RestoreResult};
use crate::destination::{ReadBack, SharedDestination};
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::messages::describe_failure;
use crate::domain::restore_plan::{RestoreCopy, RestorePlan};
use crate::domain::restore_scope::{RestoreScope, ScopedCopy};
use crate::engine::context::Context;
use crate::engine::copies::adopt::adopt;
use crate::engine::copies::verify;
use crate::engine::operations::OperationProgress;
use crate::engine::reply::internal;
use crate::engine::restore::order::{RestoreEnd, RestoreReport, RestoreTask, TargetFolders};
use crate::platform::restored_file::{self, RestoreTarget, WriteOutcome};
use crate::store::{RecordFacts, Store};

/// Copies read from the ledger at once.
const PAGE_COPIES_MAX: u32 = 500;
/// Sentences in an answer; further ones are only counted.
const SENTENCES_MAX: usize = 1_000;
/// Files that come back side by side at most.
const FILES_AT_ONCE: usize = 3;
/// Copies that wait for another turn.
const AGAIN_MAX: usize = 1_000;
/// Tries of one copy whose reading breaks off.
const TRIES_MAX: u32 = 4;
/// Tries of one that came whole and is not what it should be: hardly ever was that the way's fault.
const DAMAGED_TRIES_MAX: u32 = 2;
/// Seconds before a lost destination is tried again; after the last it is given up. A file that comes
/// back begins them again.
const LOST_WAITS_SECS: [u64; 5] = [2, 4, 8, 16, 30];

/// What the work on one file needs.
struct Workspace {
    context: Context,
    destination: SharedDestination,
    target: TargetFolders,
    operation: Arc<OperationProgress>,
    cancel: CancellationToken,
}

/// What became of one copy.
enum RestoreOutcome {
    /// It is where it should be.
    Back(WriteOutcome),
    /// It did not come back: a sentence.
    Failed(String),
    /// Nothing comes from the destination.
    Lost(Failure, Box<RecordFacts>),
    /// Nothing can be written: a sentence.
    Blocked(String),
    /// It was told to stop.
    Stopped,
}

/// Why one try brought nothing.
enum RestoreError {
    /// The copy could not be read, for now or for good.
    Unread { why: String, failure: Option<Failure> },
    /// It came whole, and is not what it should be.
    Damaged(String),
    /// It could not be written.
    UnwrittenOutcome(io::Error),
}

/// Restores every copy in the order's scope. Nothing is replaced.
pub(crate) async fn restore_files(
    context: &Context,
    order: RestoreTask,
    operation: Arc<OperationProgress>,
    cancel: &CancellationToken,
) -> RestoreReport {
    let store = &context.store;
    let RestoreTask { id, destination, width, installation, target, scope } = order;
    if let Err(failure) = destination.check().await {
        return RestoreReport::unbegun(RestoreEnd::Lost(failure));
    }
    // The ledger may be new: another computer's, or one that was lost.
    if let Err(failure) = adopt(store, id, &destination, &context.deps.rng, &installation).await {
        return RestoreReport::unbegun(RestoreEnd::Lost(failure));
    }
    let workspace =
        Workspace { context: context.clone(), destination, target, operation, cancel: cancel.clone() };
    if let TargetFolders::Folder(into, _) = &workspace.target
        && let Err(why) = workspace.folder(into, restored_file::prepare_folder).await
    {
        return RestoreReport::unbegun(RestoreEnd::Refused(ApiError::new(ErrorKind::Usage, why)));
    }
    let mut restore = Restore {
        store,
        id,
        scope,
        plan: RestorePlan::new(workspace.target.layout()),
        workspace: Arc::new(workspace),
        width: FILES_AT_ONCE.min(width as usize),
        after: RecordId(i64::MIN),
        copies: VecDeque::new(),
        again: VecDeque::new(),
        files: JoinSet::new(),
        losses: 0,
        lost: None,
        blocked: None,
        result: RestoreResult::default(),
    };
    let end = match restore.prepare().await {
        Ok(()) => restore.restore_all().await,
        Err(error) => Err(error),
    };
    RestoreReport { end: end.unwrap_or_else(RestoreEnd::Refused), result: restore.result }
}

struct Restore<'a> {
    store: &'a Store,
    id: DestinationId,
    scope: RestoreScope,
    /// What each file is called.
    plan: RestorePlan,
    workspace: Arc<Workspace>,
    width: usize,
    /// The last copy that was read from the ledger.
    after: RecordId,
    /// Copies whose turn comes next.
    copies: VecDeque<RecordFacts>,
    /// Copies with which the destination was lost: their turn comes again after all others, so that one
    /// that a server always stumbles over holds up nobody.
    again: VecDeque<RecordFacts>,
    files: JoinSet<RestoreOutcome>,
    /// How often the destination was lost since a file came back.
    losses: usize,
    lost: Option<Failure>,
    blocked: Option<String>,
    result: RestoreResult,
}

impl Restore<'_> {
    /// Plans the names of all files, and tells how much there is to do.
    async fn prepare(&mut self) -> Result<(), ApiError> {
        let (mut files, mut bytes) = (0, 0);
        while let Some(copy) = self.next().await? {
            files += 1;
            bytes += copy.content.size;
            self.plan.add(&names_of(&copy));
        }
        self.after = RecordId(i64::MIN);
        self.plan.resolve();
        self.workspace.operation.begin(self.id, files, Some(bytes));
        Ok(())
    }

    /// The next copy that is wanted.
    async fn next(&mut self) -> Result<Option<RecordFacts>, ApiError> {
        loop {
            if let Some(copy) = self.copies.pop_front() {
                return Ok(Some(copy));
            }
            let (id, after) = (self.id, self.after);
            let page = self.store.read(move |r| r.restorable(id, after, PAGE_COPIES_MAX)).await;
            let page = page.map_err(|error| internal(&error))?;
            let Some(last) = page.last() else {
                return Ok(self.again.pop_front());
            };
            self.after = last.id;
            let is_wanted = |copy: &RecordFacts| {
                copy.key.as_ref().is_some_and(|key| self.scope.contains(&scoped_copy(copy, key)))
            };
            self.copies = page.into_iter().filter(is_wanted).collect();
        }
    }

    /// Works until nothing is left, or nothing more can be done: then it says why.
    async fn restore_all(&mut self) -> Result<RestoreEnd, ApiError> {
        loop {
            while self.files.len() < self.width && !self.workspace.cancel.is_cancelled() {
                let Some(copy) = self.next().await? else { break };
                if self.workspace.target.leaves_out(&self.plan, &names_of(&copy)) {
                    self.workspace.operation.add_file();
                    self.workspace.operation.add_bytes(copy.content.size);
                    continue;
                }
                let target = self.workspace.target.of(&self.plan, &names_of(&copy));
                self.files.spawn(restore_one(Arc::clone(&self.workspace), copy, target));
            }
            match self.files.join_next().await {
                Some(outcome) => self.count_outcome(outcome),
                None if self.workspace.cancel.is_cancelled() => return Ok(RestoreEnd::Stopped),
                None => return Ok(RestoreEnd::Complete),
            }
            if self.lost.is_none() && self.blocked.is_none() {
                continue;
            }
            while let Some(outcome) = self.files.join_next().await {
                self.count_outcome(outcome);
            }
            if let Some(why) = self.blocked.take() {
                return Ok(RestoreEnd::Refused(ApiError::new(ErrorKind::Destination, why)));
            }
            if let Some(failure) = self.lost.take() {
                self.losses += 1;
                if failure.is_permanent() || !self.wait_for_destination().await {
                    return Ok(RestoreEnd::Lost(failure));
                }
            }
        }
    }

    fn count_outcome(&mut self, outcome: Result<RestoreOutcome, tokio::task::JoinError>) {
        match outcome {
            Ok(RestoreOutcome::Back(placed)) => {
                self.losses = 0;
                match placed {
                    WriteOutcome::Written => self.result.restored += 1,
                    WriteOutcome::Present => self.result.present += 1,
                }
            }
            Ok(RestoreOutcome::Failed(sentence)) => self.fail(sentence),
            Ok(RestoreOutcome::Lost(failure, copy)) => {
                if self.again.len() < AGAIN_MAX {
                    self.again.push_back(*copy);
                } else {
                    let why = describe_failure(&failure).summary;
                    self.fail(format!("{why}: {}", copy.key.unwrap_or_default()));
                }
                self.lost = Some(failure);
            }
            Ok(RestoreOutcome::Blocked(sentence)) => self.blocked = Some(sentence),
            Ok(RestoreOutcome::Stopped) => {}
            Err(error) => self.fail(format!("A file could not be restored: {error}")),
        }
    }

    fn fail(&mut self, sentence: String) {
        self.result.failed += 1;
        if self.result.sentences.len() < SENTENCES_MAX {
            self.result.sentences.push(sentence);
        }
    }

    /// Waits before the destination is tried again. Says whether it is to be.
    async fn wait_for_destination(&self) -> bool {
        let Some(secs) = LOST_WAITS_SECS.get(self.losses - 1) else {
            return false;
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(*secs)) => {}
            () = self.workspace.cancel.cancelled() => {}
        }
        true
    }
}

/// What is known of a copy's names.
fn names_of(copy: &RecordFacts) -> RestoreCopy<'_> {
    RestoreCopy {
        key: copy.key.as_deref().unwrap_or_default(),
        source_label: &copy.origin_source,
        path: &copy.origin_path,
        mtime_ns: copy.origin_mtime_ns,
        hash: copy.content.blake3,
    }
}

/// What decides whether a copy is in a scope.
fn scoped_copy<'a>(copy: &'a RecordFacts, key: &'a str) -> ScopedCopy<'a> {
    ScopedCopy {
        id: copy.id,
        key,
        captured_at: copy.captured_at,
        source_label: &copy.origin_source,
        path: &copy.origin_path,
    }
}

/// Brings one copy back.
async fn restore_one(
    workspace: Arc<Workspace>,
    copy: RecordFacts,
    target: Result<RestoreTarget, String>,
) -> RestoreOutcome {
    let key = copy.key.clone().unwrap_or_default();
    let outcome = match target {
        Ok(target) => workspace.restore(&key, &copy, &target).await,
        Err(why) => RestoreOutcome::Failed(why),
    };
    if !matches!(outcome, RestoreOutcome::Lost(..)) {
        workspace.operation.add_file();
    }
    match outcome {
        RestoreOutcome::Failed(why) => {
            workspace.operation.add_bytes(copy.content.size);
            RestoreOutcome::Failed(format!("{why}: {key}"))
        }
        other => other,
    }
}

impl Workspace {
    async fn restore(&self, key: &str, copy: &RecordFacts, target: &RestoreTarget) -> RestoreOutcome {
        match self.is_present(copy, target).await {
            Ok(true) => {
                self.operation.add_bytes(copy.content.size);
                return RestoreOutcome::Back(WriteOutcome::Present);
            }
            Ok(false) => {}
            Err(error) => return self.classify_write_error(target, &error).await,
        }
        let (mut tries, mut damaged) = (0, 0);
        loop {
            tries += 1;
            let (why, failure) = match self.try_once(key, copy, target).await {
                Ok(placed) => return RestoreOutcome::Back(placed),
                Err(RestoreError::UnwrittenOutcome(error)) => {
                    return self.classify_write_error(target, &error).await;
                }
                Err(RestoreError::Unread { why, failure }) => (why, failure),
                Err(RestoreError::Damaged(why)) => {
                    damaged += 1;
                    (why, None)
                }
            };
            if let Some(failure) = failure.as_ref().filter(|failure| failure.reach != Reach::Resource) {
                return RestoreOutcome::Lost(failure.clone(), Box::new(copy.clone()));
            }
            if self.cancel.is_cancelled() {
                return RestoreOutcome::Stopped;
            }
            let is_final = failure.as_ref().is_some_and(Failure::is_permanent)
                || tries == TRIES_MAX
                || damaged == DAMAGED_TRIES_MAX;
            if is_final {
                // A disk that was pulled out says of each of its files that it is not there.
                if let Err(failure) = self.destination.check().await {
                    return RestoreOutcome::Lost(failure, Box::new(copy.clone()));
                }
                self.verify_again(copy).await;
                return RestoreOutcome::Failed(why);
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1 << tries)) => {}
                () = self.cancel.cancelled() => {}
            }
        }
    }

    /// Compares a copy that did not come back, as an audit does: what is not there, or not what it
    /// should be, no longer counts as safe.
    async fn verify_again(&self, copy: &RecordFacts) {
        let Self { context: Context { deps, store, .. }, destination, cancel, .. } = self;
        if let Err(failure) = verify::verify_copy(deps, store, destination, copy, (true, None), cancel).await
        {
            tracing::info!(record = %copy.id, kind = failure.kind.as_str(), "a copy could not be compared");
        }
    }

    /// Whether the file is there already. What has its name and other bytes is an error.
    async fn is_present(&self, copy: &RecordFacts, target: &RestoreTarget) -> io::Result<bool> {
        let (target, content) = (target.clone(), copy.content);
        let found =
            self.context.restore_executor.run(move || restored_file::is_present(&target, content)).await;
        found.map_err(io::Error::other)?
    }

    async fn try_once(
        &self,
        key: &str,
        copy: &RecordFacts,
        target: &RestoreTarget,
    ) -> Result<WriteOutcome, RestoreError> {
        let receipt = copy.receipt.as_deref().unwrap_or_default();
        let unread = |failure: Failure| {
            let why = match failure.kind {
                FailureKind::NotFound => "The copy is not there".to_owned(),
                FailureKind::Unsupported => failure.details.clone(),
                _ => describe_failure(&failure).summary.to_owned(),
            };
            RestoreError::Unread { why, failure: Some(failure) }
        };
        let reader = self.destination.read(key, receipt).await.map_err(unread)?;
        let stats = Arc::new(ReadStats::default());
        let reader = ProgressReader {
            reader,
            operation: Arc::clone(&self.operation),
            cancel: self.cancel.clone(),
            stats: Arc::clone(&stats),
        };
        let (target, content, mtime_ns) = (target.clone(), copy.content, copy.origin_mtime_ns);
        let token = self.context.deps.rng.next_u64();
        let work = move || restored_file::write_new(&target, Box::new(reader), content, mtime_ns, token);
        let placed = self.context.restore_executor.run(work).await.map_err(io::Error::other).flatten();
        placed.map_err(|error| {
            self.operation.subtract_bytes(stats.bytes.load(Ordering::SeqCst));
            if stats.broke_off.load(Ordering::SeqCst) {
                RestoreError::Unread { why: format!("The copy cannot be read ({error})"), failure: None }
            } else if error.kind() == io::ErrorKind::InvalidData {
                RestoreError::Damaged(error.to_string())
            } else {
                RestoreError::UnwrittenOutcome(error)
            }
        })
    }

    /// One file could not be placed, or none can.
    async fn classify_write_error(&self, target: &RestoreTarget, error: &io::Error) -> RestoreOutcome {
        let folder = &target.folder;
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RestoreOutcome::Blocked(format!(
                "There is no space left in {}. Free up space and restore again; files already restored stay",
                folder.display()
            )),
            io::ErrorKind::AlreadyExists => RestoreOutcome::Failed(error.to_string()),
            _other => match (self.folder(folder, restored_file::check_writable).await, &self.target) {
                (Ok(()), _) => RestoreOutcome::Failed(format!("The file cannot be written ({error})")),
                (Err(why), TargetFolders::Folder(..)) => RestoreOutcome::Blocked(why),
                // Other photo folders may be well.
                (Err(why), TargetFolders::Original(_)) => RestoreOutcome::Failed(why),
            },
        }
    }

    /// Does something with a folder that files are restored to.
    ///
    /// # Errors
    /// A sentence where that fails.
    async fn folder(&self, folder: &Path, work: fn(&Path, u64) -> io::Result<()>) -> Result<(), String> {
        let (into, token) = (folder.to_owned(), self.context.deps.rng.next_u64());
        let done = self.context.restore_executor.run(move || work(&into, token)).await;
        let done = done.map_err(io::Error::other).flatten();
        done.map_err(|error| format!("Nothing can be written to {} ({error})", folder.display()))
    }
}

/// What happened while one copy was read.
#[derive(Default)]
struct ReadStats {
    bytes: AtomicU64,
    broke_off: AtomicBool,
}

/// A copy that tells what is read of it, and ends when nobody wants it any more.
struct ProgressReader {
    reader: ReadBack,
    operation: Arc<OperationProgress>,
    cancel: CancellationToken,
    stats: Arc<ReadStats>,
}

impl Read for ProgressReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.cancel.is_cancelled() {
            true => Err(io::Error::other("it was stopped")),
            false => self.reader.read(buffer),
        };
        match &read {
            Ok(count) => {
                self.operation.add_bytes(*count as u64);
                self.stats.bytes.fetch_add(*count as u64, Ordering::SeqCst);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.stats.broke_off.store(true, Ordering::SeqCst),
        }
        read
    }
}
