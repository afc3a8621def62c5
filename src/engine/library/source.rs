//! Looking after one source: when to look at it, and what follows from a look.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::limits::{DEBOUNCE, MISSING_POLL, MOUNT_POLL, RESCAN_FLOOR, UNREADABLE_POLL, UNWATCHED_POLL};
use super::reconcile::{ScanContext, WalkEnd, WalkTally};
use super::scan::{RootState, UnreadableDirs, WalkStart, inspect_root};
use super::shared::Shared;
use super::state::{Condition, is_closed, source_status};
use super::watch::{HintedPaths, Hints, WatchError, WatchGuard};
use crate::base::files::path_from_bytes;
use crate::base::waker::Waker;
use crate::domain::ids::SourceId;
use crate::domain::path::join;
use crate::store::{SourceCondition, SourceRow, StoreError, UNREADABLE_DIRS_MAX, UnreadableScope};

/// Following hints takes at most one part in so many of the time, within [`HINT_WAIT_MAX`].
const HINT_SHARE: u32 = 10;
/// The longest that hints are collected, however much following them costs.
const HINT_WAIT_MAX: Duration = Duration::from_secs(60);
/// File systems whose changes by others are not told of.
const REMOTE_FILE_SYSTEMS: [&str; 6] =
    ["type:6969", "type:ff534d42", "type:fe534d42", "type:517b", "type:65735546", "type:1021997"];

/// Starts and ends a task for each source in the store.
pub(super) async fn keep_sources(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut known: BTreeMap<SourceId, CancellationToken> = BTreeMap::new();
    loop {
        let reloads = shared.reloads();
        match shared.deps.store.read(|store| store.sources()).await {
            Ok(rows) => {
                known.retain(|id, cancel| {
                    let is_kept = rows.iter().any(|row| row.id == *id);
                    if !is_kept {
                        cancel.cancel();
                        shared.drop_source(*id);
                    }
                    is_kept
                });
                for row in rows {
                    if let std::collections::btree_map::Entry::Vacant(slot) = known.entry(row.id) {
                        let cancel = shared.cancel.child_token();
                        slot.insert(cancel.clone());
                        let task = SourceTask::new(Arc::clone(&shared), row, cancel);
                        tasks.spawn(task.run());
                    }
                }
                shared.recount().await.ok();
                shared.loaded(reloads);
                shared.wake_index();
            }
            Err(error) if is_closed(&error) => break,
            Err(error) => tracing::warn!(%error, "the sources cannot be read"),
        }
        tokio::select! {
            biased;
            () = shared.cancel.cancelled() => break,
            () = shared.sources_changed() => {}
            Some(_ended) = tasks.join_next() => {}
        }
    }
    shared.stop();
    while tasks.join_next().await.is_some() {}
}

/// What to do next.
enum NextAction {
    Whole { by_person: bool },
    FollowHints(HintedPaths),
}

struct SourceTask {
    context: ScanContext,
    hints: Hints,
    cancel: CancellationToken,
    stop_walk: Arc<AtomicBool>,
    watch: Option<Arc<WatchGuard>>,
    condition: Condition,
    /// When the source's folder alone is looked at.
    glance_at: Option<Instant>,
    /// When everything is looked through.
    whole_at: Instant,
    /// Folders below the source that could not be looked into.
    closed: Vec<Vec<u8>>,
    /// When those are tried again.
    closed_at: Option<Instant>,
}

impl SourceTask {
    fn new(shared: Arc<Shared>, row: SourceRow, cancel: CancellationToken) -> Self {
        let (id, weak) = (row.id, Arc::downgrade(&shared));
        let hints = Hints::new(Waker::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.update_source(id, |tally| tally.is_due = true);
            }
        }));
        let tally = source_status(&row);
        let condition = tally.condition;
        shared.add_source(id, hints.clone(), tally);
        Self {
            context: ScanContext { shared, id, root: row.path, file_system: row.file_system },
            hints,
            cancel,
            stop_walk: Arc::default(),
            watch: None,
            condition,
            glance_at: None,
            whole_at: Instant::now(),
            closed: Vec::new(),
            closed_at: None,
        }
    }

    async fn run(mut self) {
        let cancel = self.cancel.clone();
        let work = async {
            let mut next = NextAction::Whole { by_person: false };
            loop {
                let began = Instant::now();
                let is_hinted = matches!(next, NextAction::FollowHints(_));
                let outcome = match next {
                    NextAction::Whole { by_person } => self.scan_all(by_person).await,
                    NextAction::FollowHints(hinted) => self.follow(hinted).await,
                };
                match outcome {
                    Ok(()) => {}
                    Err(error) if is_closed(&error) => return,
                    Err(error) => self.note_store_error(&error),
                }
                self.rest();
                let cost = if is_hinted { began.elapsed() } else { Duration::ZERO };
                next = self.wait((cost * HINT_SHARE).clamp(DEBOUNCE, HINT_WAIT_MAX)).await;
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = work => {}
        }
        // Walks that are under way end at their next directory.
        self.stop_walk.store(true, Ordering::Relaxed);
    }

    fn note_store_error(&mut self, error: &StoreError) {
        tracing::warn!(%error, "what a look found cannot be kept");
        (self.glance_at, self.whole_at) = (None, Instant::now() + UNREADABLE_POLL);
        let note = format!("What was found cannot be kept: {error}");
        self.context.shared.update_source(self.context.id, |tally| tally.note = Some(note));
    }

    /// Nothing is under way any more.
    fn rest(&self) {
        let is_due = !self.hints.is_empty();
        self.context.shared.update_source(self.context.id, |tally| {
            (tally.is_scanning, tally.is_due) = (false, is_due);
        });
        self.context.shared.wake_index();
    }

    /// Waits for something to do. Hints are collected for as long as `debounce`.
    async fn wait(&mut self, debounce: Duration) -> NextAction {
        loop {
            tokio::select! {
                biased;
                () = self.hints.news() => {
                    let quiet = sleep(debounce);
                    tokio::pin!(quiet);
                    while !self.hints.is_urgent() {
                        tokio::select! {
                            biased;
                            () = &mut quiet => break,
                            () = self.hints.news() => {}
                        }
                    }
                    let hinted = self.hints.take();
                    if let Some(why) = &hinted.watch_lost {
                        self.watch_ended(why);
                    }
                    if hinted.is_whole {
                        return NextAction::Whole { by_person: hinted.by_person };
                    }
                    if !hinted.dirs.is_empty() {
                        return NextAction::FollowHints(hinted);
                    }
                }
                () = sleep_until(self.next_timer()) => {
                    if self.closed_at.is_some_and(|at| Instant::now() >= at) {
                        self.retry_unreadable_dirs().await;
                        continue;
                    }
                    if Instant::now() >= self.whole_at || self.mount_changed().await {
                        return NextAction::Whole { by_person: false };
                    }
                }
            }
        }
    }

    fn next_timer(&self) -> Instant {
        self.glance_at.into_iter().chain(self.closed_at).fold(self.whole_at, Instant::min)
    }

    /// Tries to list the folders that could not be looked into. Those that can be now are hinted at. Sets
    /// the time of the next try.
    async fn retry_unreadable_dirs(&mut self) {
        self.closed_at = Some(Instant::now() + UNREADABLE_POLL);
        let (files, root) = (Arc::clone(&self.context.shared.deps.files), self.context.root.clone());
        let closed = self.closed.clone();
        let open = move || {
            let can_list = |dir: &Vec<u8>| files.list(&path_from_bytes(&join(&root, dir))).is_ok();
            closed.into_iter().filter(can_list).collect::<Vec<_>>()
        };
        let opened = self.context.shared.deps.executor.run(open).await;
        opened.unwrap_or_default().iter().for_each(|dir| self.hints.dir(dir, true));
    }

    /// Looks at the source's folder alone: whether one that was not there is back, or one that was
    /// there is gone. Sets the time of the next glance.
    async fn mount_changed(&mut self) -> bool {
        let (files, root) = (Arc::clone(&self.context.shared.deps.files), self.context.root.clone());
        if self.condition == Condition::Unavailable {
            self.glance_at = Some(Instant::now() + MISSING_POLL);
            let tally = self.context.shared.deps.executor.run(move || inspect_root(&files, &root)).await;
            return matches!(tally, Ok(RootState::There { file_system, is_empty: false })
                if file_system == self.context.file_system);
        }
        self.glance_at = Some(Instant::now() + MOUNT_POLL);
        let path = path_from_bytes(&root);
        let name = self.context.shared.deps.executor.run(move || files.file_system(&path)).await;
        !matches!(name, Ok(Ok(name)) if name == self.context.file_system)
    }

    /// When the folder alone is looked at next: only where it can go without a hint.
    async fn next_root_check(&self) -> Option<Instant> {
        let files = Arc::clone(&self.context.shared.deps.files);
        let home = self.context.shared.deps.executor.run(move || files.file_system(Path::new("/"))).await;
        let is_apart = !matches!(home, Ok(Ok(home)) if home == self.context.file_system);
        is_apart.then(|| Instant::now() + MOUNT_POLL)
    }

    async fn begin_watch(&mut self) {
        if self.watch.is_some() {
            return;
        }
        let (watch, hints) = (Arc::clone(&self.context.shared.deps.watch), self.hints.clone());
        let root = path_from_bytes(&self.context.root);
        match self.context.shared.deps.executor.run(move || watch.watch(&root, &hints)).await {
            Ok(Ok(guard)) => {
                self.watch = Some(Arc::new(guard));
                self.context.shared.update_source(self.context.id, |tally| tally.is_watched = true);
            }
            Ok(Err(why)) => self.watch_ended(&why),
            Err(_lost) => self.watch_ended(&WatchError::Other("it could not be started".to_owned())),
        }
    }

    fn watch_ended(&mut self, why: &WatchError) {
        self.watch = None;
        self.whole_at = self.whole_at.min(Instant::now() + UNWATCHED_POLL);
        let minutes = UNWATCHED_POLL.as_secs() / 60;
        let note = match why {
            WatchError::Limit => {
                format!("Too many folders to watch; rescanned every {minutes} minutes instead")
            }
            WatchError::Other(_) => {
                format!("Cannot be watched for changes; rescanned every {minutes} minutes instead")
            }
        };
        tracing::info!(source = %self.context.id, ?why, "not watched");
        self.context
            .shared
            .update_source(self.context.id, |tally| (tally.is_watched, tally.note) = (false, Some(note)));
    }

    /// A whole look.
    async fn scan_all(&mut self, by_person: bool) -> Result<(), StoreError> {
        self.context.shared.update_source(self.context.id, |tally| {
            (tally.is_scanning, tally.is_due, tally.note) = (true, true, None);
        });
        self.begin_watch().await;
        let id = self.context.id;
        let before = self.context.shared.deps.store.read(move |store| store.source_found(id)).await?;
        let mut tally = WalkTally::whole(before, by_person);
        let starts = vec![WalkStart { dir: Vec::new(), is_deep: true }];
        let mut ended = self.walk(starts, &mut tally).await?;
        tally.scope = Some(UnreadableScope::Whole);
        if let WalkEnd::Whole(_) = ended
            && tally.is_mass_disappearance()
        {
            let why = "Most of its files are gone. Rescan to accept that".to_owned();
            ended = WalkEnd::Unavailable { why, is_missing: false };
        }
        self.conclude(ended, tally).await?;
        self.context.shared.update_source(id, |tally| tally.looks += 1);
        Ok(())
    }

    /// A look at what was hinted.
    async fn follow(&mut self, hinted: HintedPaths) -> Result<(), StoreError> {
        // Hints tell what has changed in a source that is as it was, and this one is not.
        if self.condition != Condition::Present {
            return self.scan_all(false).await;
        }
        self.context
            .shared
            .update_source(self.context.id, |tally| (tally.is_scanning, tally.is_due) = (true, true));
        let id = self.context.id;
        let before = self.context.shared.deps.store.read(move |store| store.source_found(id)).await?;
        let mut tally = WalkTally::partial(before);
        let (deep, flat): (Vec<_>, Vec<_>) = hinted.dirs.into_iter().partition(|(_, is_deep)| *is_deep);
        let start = |is_deep| move |(dir, _)| WalkStart { dir, is_deep };
        let flat: Vec<WalkStart> = flat.into_iter().map(start(false)).collect();
        let mut ended = self.walk(flat.clone(), &mut tally).await?;
        let deep =
            deep.into_iter().chain(std::mem::take(&mut tally.new_dirs).into_iter().map(|dir| (dir, true)));
        let deep: Vec<WalkStart> = deep.map(start(true)).collect();
        let seen = flat.iter().chain(&deep).map(|start| (start.dir.clone(), start.is_deep));
        tally.scope = Some(UnreadableScope::Dirs(seen.collect()));
        if let WalkEnd::Whole(flat) = &mut ended
            && !deep.is_empty()
        {
            let flat = std::mem::take(flat);
            ended = self.walk(deep, &mut tally).await?;
            if let WalkEnd::Whole(all) = &mut ended {
                all.dirs += flat.dirs;
                all.named.extend(flat.named);
            }
        }
        if matches!(ended, WalkEnd::Whole(_)) && tally.loses_most() {
            ended = WalkEnd::NeedsWhole;
        }
        self.conclude(ended, tally).await
    }

    async fn walk(&mut self, starts: Vec<WalkStart>, tally: &mut WalkTally) -> Result<WalkEnd, StoreError> {
        self.stop_walk.store(true, Ordering::Relaxed);
        self.stop_walk = Arc::default();
        self.context.walk(starts, tally, self.watch.clone(), Arc::clone(&self.stop_walk)).await
    }

    /// Draws the conclusions of a look: removals, the source's condition, the next look.
    async fn conclude(&mut self, ended: WalkEnd, tally: WalkTally) -> Result<(), StoreError> {
        let (id, now) = (self.context.id, Instant::now());
        let (condition, note, unreadable_dirs) = match ended {
            WalkEnd::Whole(unreadable) => {
                self.context.remove(tally.gone).await?;
                if let Some(scope) = tally.scope {
                    self.schedule_unreadable_retry(&scope, &unreadable);
                    self.context.keep_unreadable(scope, &unreadable).await?;
                }
                if !tally.is_partial {
                    self.context.shared.commit(move |tx| tx.set_source_scanned(id)).await?;
                    self.context.recheck_problems().await?;
                    (self.glance_at, self.whole_at) = (self.next_root_check().await, now + self.pause());
                }
                (Condition::Present, None, unreadable.dirs)
            }
            WalkEnd::NeedsWhole => {
                self.hints.whole();
                return Ok(());
            }
            WalkEnd::Stopped => return Ok(()),
            WalkEnd::Unavailable { why, is_missing } => {
                self.set_condition(SourceCondition::Unavailable).await?;
                self.whole_at = now + RESCAN_FLOOR;
                (self.glance_at, self.closed_at) = (is_missing.then_some(now + MISSING_POLL), None);
                if is_missing {
                    // What was watched is not what will come back.
                    self.watch = None;
                }
                (Condition::Unavailable, Some(why), 0)
            }
            WalkEnd::Unreadable(why) => {
                self.set_condition(SourceCondition::Unreadable).await?;
                (self.glance_at, self.closed_at, self.whole_at) = (None, None, now + UNREADABLE_POLL);
                (Condition::Unreadable, Some(why), 0)
            }
        };
        self.condition = condition;
        let (is_watched, is_partial) = (self.watch.is_some(), tally.is_partial);
        self.context.shared.update_source(id, |tally| {
            (tally.condition, tally.is_watched) = (condition, is_watched);
            // What a partial look did not see is still as it was.
            if !is_partial || condition != Condition::Present {
                tally.unreadable_dirs = unreadable_dirs;
                tally.note = note.or(tally.note.take());
            }
        });
        Ok(())
    }

    /// Remembers which folders are to be tried again.
    fn schedule_unreadable_retry(&mut self, scope: &UnreadableScope, unreadable: &UnreadableDirs) {
        self.closed.retain(|dir| !scope.contains(dir));
        for dir in unreadable.named.iter().filter(|dir| dir.problem.may_hide_files()) {
            if self.closed.len() < UNREADABLE_DIRS_MAX as usize && !self.closed.contains(&dir.dir) {
                self.closed.push(dir.dir.clone());
            }
        }
        let is_any = !self.closed.is_empty();
        self.closed_at = is_any.then(|| self.closed_at.unwrap_or(Instant::now() + UNREADABLE_POLL));
    }

    /// Until the next whole look at a source that is there.
    fn pause(&self) -> Duration {
        let is_told =
            self.watch.is_some() && !REMOTE_FILE_SYSTEMS.contains(&self.context.file_system.as_str());
        if is_told { RESCAN_FLOOR } else { UNWATCHED_POLL }
    }

    async fn set_condition(&self, condition: SourceCondition) -> Result<(), StoreError> {
        let id = self.context.id;
        self.context.shared.commit(move |tx| tx.set_source_condition(id, condition)).await
    }
}
