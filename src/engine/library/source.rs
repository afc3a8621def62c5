//! Looking after one source: when to look through it, and what its listings mean.
//!
//! Additions and changes are written as they are found. Removals wait until the whole look has
//! come to its end and the source is still what it was: a disk that is pulled out, or was never
//! mounted, must not look like a person who deletes everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::reader::{self, Looked};
use super::scan::{RootLook, StartAt, Step, Unreadable, WalkPlan, Walking, look_at_root};
use super::shared::Shared;
use super::watch::{Hinted, Hints, WatchFailed, WatchGuard};
use super::{Condition, is_closed, look_of};
use crate::base::files::path_from_bytes;
use crate::base::waker::Waker;
use crate::domain::file::{ExcludeReason, FileStamp, FileStatus, Problem};
use crate::domain::ids::{FileId, SourceId};
use crate::domain::media_type::MediaType;
use crate::domain::path::{RelPath, split_extension};
use crate::domain::time::UnixMillis;
use crate::store::{
    FileLook, Found, Listed, Listing, NewFile, NewVersion, SourceCondition, SourceRow, Start, StoreError,
};

/// How long a file must stay the same before it is read.
pub const SETTLE: Duration = Duration::from_secs(3);
/// How long hints are collected before they are followed.
pub const DEBOUNCE: Duration = Duration::from_secs(1);
/// How often everything is looked through, whatever is hinted.
pub const RESCAN_FLOOR: Duration = Duration::from_secs(6 * 3600);
/// How often a source that cannot be watched is looked through.
pub const UNWATCHED_POLL: Duration = Duration::from_secs(10 * 60);
/// How often a source that is not there is looked for.
pub const MISSING_POLL: Duration = Duration::from_secs(30);
/// How often a source that cannot be listed, or not be written down, is tried again.
pub const UNREADABLE_POLL: Duration = Duration::from_secs(5 * 60);
/// A source of fewer files may lose most of them in earnest.
pub const GONE_FILES_MIN: u64 = 20;

/// Following hints takes at most one part in so many of the time, within [`HINT_WAIT_MAX`].
const HINT_SHARE: u32 = 10;
/// The longest that hints are collected, however much following them costs.
const HINT_WAIT_MAX: Duration = Duration::from_secs(60);
/// Files written to the store in one transaction.
const WRITE_FILES_MAX: usize = 512;
/// Problem files tried again in one piece.
const RECHECK_FILES_MAX: u32 = 64;
/// File systems whose changes by others are not told of.
const REMOTE_FILE_SYSTEMS: [&str; 6] =
    ["type:6969", "type:ff534d42", "type:fe534d42", "type:517b", "type:65735546", "type:1021997"];

/// Starts and ends a task for each source in the store.
pub(super) async fn keep_sources(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut known: BTreeMap<SourceId, CancellationToken> = BTreeMap::new();
    loop {
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
                shared.update(|state| state.is_loading = false);
                shared.wake_index();
            }
            Err(error) if is_closed(&error) => break,
            Err(error) => tracing::warn!(%error, "the sources cannot be read"),
        }
        tokio::select! {
            () = shared.cancel.cancelled() => break,
            () = shared.sources_changed() => {}
            Some(_ended) = tasks.join_next() => {}
        }
    }
    shared.stop();
    while tasks.join_next().await.is_some() {}
}

/// How a look ended.
enum Ended {
    /// To the end.
    Whole(Unreadable),
    /// The source is not there, or is another.
    Unavailable { why: String, is_missing: bool },
    /// It cannot be listed.
    Unreadable(String),
    /// More is gone than hints can tell of.
    NeedsWhole,
    /// Told to stop.
    Stopped,
}

/// What to do next.
enum Next {
    Whole { by_person: bool },
    Hinted(Hinted),
}

struct SourceTask {
    shared: Arc<Shared>,
    id: SourceId,
    root: Vec<u8>,
    file_system: String,
    hints: Hints,
    cancel: CancellationToken,
    stop_walk: Arc<AtomicBool>,
    watch: Option<WatchGuard>,
    wake_at: Instant,
    /// Only the root is looked at when `wake_at` comes: the source was not there.
    is_missing: bool,
}

impl SourceTask {
    fn new(shared: Arc<Shared>, row: SourceRow, cancel: CancellationToken) -> Self {
        let (id, weak) = (row.id, Arc::downgrade(&shared));
        let hints = Hints::new(Waker::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.update_source(id, |look| look.is_due = true);
            }
        }));
        shared.add_source(id, hints.clone(), look_of(&row));
        Self {
            shared,
            id,
            root: row.path,
            file_system: row.file_system,
            hints,
            cancel,
            stop_walk: Arc::default(),
            watch: None,
            wake_at: Instant::now(),
            is_missing: false,
        }
    }

    async fn run(mut self) {
        let cancel = self.cancel.clone();
        let work = async {
            let mut next = Next::Whole { by_person: false };
            loop {
                let began = Instant::now();
                let is_hinted = matches!(next, Next::Hinted(_));
                let outcome = match next {
                    Next::Whole { by_person } => self.look_through(by_person).await,
                    Next::Hinted(hinted) => self.follow(hinted).await,
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
            () = work => {}
            () = cancel.cancelled() => {}
        }
        // Walks that are under way end at their next directory.
        self.stop_walk.store(true, Ordering::Relaxed);
    }

    fn note_store_error(&mut self, error: &StoreError) {
        tracing::warn!(%error, "what a look found cannot be kept");
        self.wake_at = Instant::now() + UNREADABLE_POLL;
        let note = format!("What was found cannot be kept: {error}");
        self.shared.update_source(self.id, |look| look.note = Some(note));
    }

    /// Nothing is under way any more.
    fn rest(&self) {
        let is_due = !self.hints.is_empty();
        self.shared.update_source(self.id, |look| {
            (look.is_scanning, look.is_due) = (false, is_due);
        });
        self.shared.wake_index();
    }

    /// Waits for something to do. Hints are collected for as long as `debounce`.
    async fn wait(&mut self, debounce: Duration) -> Next {
        loop {
            tokio::select! {
                () = self.hints.news() => {
                    let quiet = sleep(debounce);
                    tokio::pin!(quiet);
                    while !self.hints.is_urgent() {
                        tokio::select! {
                            () = &mut quiet => break,
                            () = self.hints.news() => {}
                        }
                    }
                    let hinted = self.hints.take();
                    if let Some(why) = &hinted.deaf {
                        self.watch_ended(why);
                    }
                    if hinted.is_whole {
                        return Next::Whole { by_person: hinted.by_person };
                    }
                    if !hinted.dirs.is_empty() {
                        return Next::Hinted(hinted);
                    }
                }
                () = sleep_until(self.wake_at) => {
                    if !self.is_missing || self.is_back().await {
                        return Next::Whole { by_person: false };
                    }
                    self.wake_at = Instant::now() + MISSING_POLL;
                }
            }
        }
    }

    /// Whether a source that was not there could be there again.
    async fn is_back(&self) -> bool {
        let (files, root) = (Arc::clone(&self.shared.deps.files), self.root.clone());
        let look = self.shared.deps.executor.run(move || look_at_root(&files, &root)).await;
        matches!(look, Ok(RootLook::There { file_system, is_empty: false }) if file_system == self.file_system)
    }

    async fn begin_watch(&mut self) {
        if self.watch.is_some() {
            return;
        }
        let (watch, hints) = (Arc::clone(&self.shared.deps.watch), self.hints.clone());
        let root = path_from_bytes(&self.root);
        match self.shared.deps.executor.run(move || watch.watch(&root, &hints)).await {
            Ok(Ok(guard)) => {
                self.watch = Some(guard);
                self.shared.update_source(self.id, |look| look.is_watched = true);
            }
            Ok(Err(why)) => self.watch_ended(&why),
            Err(_lost) => self.watch_ended(&WatchFailed::Other("it could not be started".to_owned())),
        }
    }

    fn watch_ended(&mut self, why: &WatchFailed) {
        self.watch = None;
        self.wake_at = self.wake_at.min(Instant::now() + UNWATCHED_POLL);
        let minutes = UNWATCHED_POLL.as_secs() / 60;
        let note = match why {
            WatchFailed::Limit => {
                format!("Too many folders to watch: it is looked through every {minutes} minutes instead")
            }
            WatchFailed::Other(_) => {
                format!("It cannot be watched: it is looked through every {minutes} minutes instead")
            }
        };
        tracing::info!(source = %self.id, ?why, "not watched");
        self.shared.update_source(self.id, |look| (look.is_watched, look.note) = (false, Some(note)));
    }

    /// A whole look.
    async fn look_through(&mut self, by_person: bool) -> Result<(), StoreError> {
        self.shared.update_source(self.id, |look| {
            (look.is_scanning, look.is_due, look.note) = (true, true, None);
        });
        self.begin_watch().await;
        let id = self.id;
        let before = self.shared.deps.store.read(move |store| store.source_found(id)).await?;
        let mut look = Look { before, by_person, ..Look::default() };
        let starts = vec![StartAt { dir: Vec::new(), is_deep: true }];
        let mut ended = self.walk(starts, &mut look).await?;
        if let Ended::Whole(_) = ended
            && look.is_mass_disappearance()
        {
            let why = "Most of its files are gone; look again to accept that".to_owned();
            ended = Ended::Unavailable { why, is_missing: false };
        }
        self.conclude(ended, look).await?;
        self.shared.update_source(id, |look| look.looks += 1);
        Ok(())
    }

    /// A look at what was hinted.
    async fn follow(&mut self, hinted: Hinted) -> Result<(), StoreError> {
        self.shared.update_source(self.id, |look| (look.is_scanning, look.is_due) = (true, true));
        let id = self.id;
        let before = self.shared.deps.store.read(move |store| store.source_found(id)).await?;
        let mut look = Look { before, is_partial: true, ..Look::default() };
        let (deep, flat): (Vec<_>, Vec<_>) = hinted.dirs.into_iter().partition(|(_, is_deep)| *is_deep);
        let start = |is_deep| move |(dir, _)| StartAt { dir, is_deep };
        let mut ended = self.walk(flat.into_iter().map(start(false)).collect(), &mut look).await?;
        let deep =
            deep.into_iter().chain(std::mem::take(&mut look.new_dirs).into_iter().map(|dir| (dir, true)));
        let deep: Vec<StartAt> = deep.map(start(true)).collect();
        if matches!(ended, Ended::Whole(_)) && !deep.is_empty() {
            ended = self.walk(deep, &mut look).await?;
        }
        if matches!(ended, Ended::Whole(_)) && look.loses_most() {
            ended = Ended::NeedsWhole;
        }
        self.conclude(ended, look).await
    }

    async fn walk(&mut self, starts: Vec<StartAt>, look: &mut Look) -> Result<Ended, StoreError> {
        self.stop_walk.store(true, Ordering::Relaxed);
        self.stop_walk = Arc::default();
        let seen = Arc::new(AtomicU64::new(0));
        let plan = WalkPlan {
            files: Arc::clone(&self.shared.deps.files),
            root: self.root.clone(),
            starts,
            left_out: self.shared.left_out(),
            seen: Arc::clone(&seen),
            stop: Arc::clone(&self.stop_walk),
        };
        let mut walking = match Walking::start(plan, self.shared.deps.executor.is_inline()) {
            Ok(walking) => walking,
            Err(error) => return Ok(Ended::Unreadable(error.to_string())),
        };
        while let Some(step) = walking.next().await {
            match step {
                Step::Root(root) => {
                    if let Some(ended) = self.judge_root(root, look) {
                        return Ok(ended);
                    }
                }
                Step::Listings(listings) => {
                    self.apply(listings, look).await?;
                    // Inline, nothing else would get a turn.
                    tokio::task::yield_now().await;
                    let scanned = seen.load(Ordering::Relaxed);
                    self.shared.update_source(self.id, |look| look.scanned = scanned);
                }
                Step::End(unreadable) => return Ok(Ended::Whole(unreadable)),
            }
        }
        Ok(Ended::Stopped)
    }

    /// Whether the source's folder is the one it was; none where it is.
    fn judge_root(&self, root: RootLook, look: &Look) -> Option<Ended> {
        match root {
            RootLook::There { file_system, .. } if file_system != self.file_system => {
                let why = "Another disk is in its place".to_owned();
                Some(Ended::Unavailable { why, is_missing: true })
            }
            RootLook::There { is_empty: true, .. } if look.before > 0 && !look.by_person => {
                let why = "It is empty; its disk may not be connected".to_owned();
                Some(Ended::Unavailable { why, is_missing: true })
            }
            RootLook::There { .. } => None,
            RootLook::Missing(_) => {
                Some(Ended::Unavailable { why: "It is not connected".to_owned(), is_missing: true })
            }
            RootLook::Unreadable(why) => Some(Ended::Unreadable(format!("It cannot be read: {why}"))),
        }
    }

    /// Writes down what listings add and change, and notes what is gone.
    async fn apply(&self, listings: Vec<Listing>, look: &mut Look) -> Result<(), StoreError> {
        let id = self.id;
        look.seen += listings.iter().map(|listing| listing.files.len() as u64).sum::<u64>();
        let listings = Arc::new(listings);
        let compared = Arc::clone(&listings);
        let delta = self.shared.deps.store.read(move |store| store.compare(id, &compared)).await?;
        let name_of = |(at, sub): &(usize, usize)| {
            crate::domain::path::join(&listings[*at].dir, &listings[*at].subdirs[*sub])
        };
        if look.is_partial {
            look.new_dirs.extend(delta.new_dirs.iter().map(name_of));
        }
        look.gone.extend(delta.gone);
        let now = self.shared.deps.clock.now();
        let mut new = delta.new.chunks(WRITE_FILES_MAX);
        let mut changed = delta.changed.chunks(WRITE_FILES_MAX);
        loop {
            let (new, changed) = (new.next(), changed.next());
            if new.is_none() && changed.is_none() {
                return Ok(());
            }
            let new = new.unwrap_or_default().iter().map(|(at, entry)| {
                let listing = &listings[*at];
                let file = &listing.files[*entry];
                let path = RelPath { dir: listing.dir.clone(), name: file.name.clone() };
                let (stamp, start) = self.start_of(&path, file, now, false);
                NewFile { path, stamp, start }
            });
            let new: Vec<NewFile> = new.collect();
            let changed = changed.unwrap_or_default().iter().map(|moved| {
                let listing = &listings[moved.listing];
                let file = &listing.files[moved.entry];
                let path = RelPath { dir: listing.dir.clone(), name: file.name.clone() };
                let is_growing = moved.was == FileStatus::Settling;
                let (stamp, start) = self.start_of(&path, file, now, is_growing);
                NewVersion { file: moved.file, stamp, start }
            });
            let changed: Vec<NewVersion> = changed.collect();
            let write = move |tx: &crate::store::Write<'_>| {
                tx.add_files(id, &new)?;
                tx.change_files(&changed)
            };
            self.shared.commit(write).await?;
            self.shared.wake_index();
        }
    }

    /// Where a new or changed file starts.
    fn start_of(
        &self,
        path: &RelPath,
        file: &Listed,
        now: UnixMillis,
        is_growing: bool,
    ) -> (FileStamp, Start) {
        let nothing = FileStamp { size: 0, mtime_ns: 0, ctime_ns: 0 };
        let stamp = file.seen.as_ref().map_or(nothing, |seen| seen.stamp);
        if let Some(reason) = self.shared.deps.reader.excluded_by_name(path) {
            return (stamp, Start::Excluded(reason));
        }
        let start = match &file.seen {
            Err(why) if MediaType::from_extension(split_extension(&path.name).1).is_some() => {
                Start::Problem(Problem::Unreadable, Some(why.clone()))
            }
            Err(_) => Start::Excluded(ExcludeReason::NotMedia),
            Ok(seen) if !seen.is_regular => Start::Excluded(ExcludeReason::NotRegular),
            Ok(_) if is_growing || is_recent(stamp, now) => Start::Settling(now.plus(SETTLE)),
            Ok(_) => Start::Found,
        };
        (stamp, start)
    }

    /// Draws the conclusions of a look: removals, the source's condition, the next look.
    async fn conclude(&mut self, ended: Ended, look: Look) -> Result<(), StoreError> {
        let (id, now) = (self.id, Instant::now());
        let (condition, note, unreadable_dirs) = match ended {
            Ended::Whole(unreadable) => {
                self.remove(look.gone).await?;
                if !look.is_partial {
                    self.shared.commit(move |tx| tx.set_source_scanned(id)).await?;
                    self.recheck_problems().await?;
                    self.is_missing = false;
                    self.wake_at = now + self.pause();
                }
                (Condition::Present, note_of(&unreadable), unreadable.dirs)
            }
            Ended::NeedsWhole => {
                self.hints.whole();
                return Ok(());
            }
            Ended::Stopped => return Ok(()),
            Ended::Unavailable { why, is_missing } => {
                self.set_condition(SourceCondition::Unavailable).await?;
                self.is_missing = is_missing;
                if is_missing {
                    // What was watched is not what will come back.
                    self.watch = None;
                    self.wake_at = now + MISSING_POLL;
                } else {
                    self.wake_at = now + self.pause();
                }
                (Condition::Unavailable, Some(why), 0)
            }
            Ended::Unreadable(why) => {
                self.set_condition(SourceCondition::Unreadable).await?;
                (self.is_missing, self.wake_at) = (false, now + UNREADABLE_POLL);
                (Condition::Unreadable, Some(why), 0)
            }
        };
        let (is_watched, is_partial) = (self.watch.is_some(), look.is_partial);
        self.shared.update_source(id, |look| {
            (look.condition, look.is_watched) = (condition, is_watched);
            // What a partial look did not see is still as it was.
            if !is_partial || condition != Condition::Present {
                look.unreadable_dirs = unreadable_dirs;
                look.note = note.or(look.note.take());
            }
        });
        Ok(())
    }

    /// Until the next whole look at a source that is there.
    fn pause(&self) -> Duration {
        let is_told = self.watch.is_some() && !REMOTE_FILE_SYSTEMS.contains(&self.file_system.as_str());
        if is_told { RESCAN_FLOOR } else { UNWATCHED_POLL }
    }

    async fn set_condition(&self, condition: SourceCondition) -> Result<(), StoreError> {
        let id = self.id;
        self.shared.commit(move |tx| tx.set_source_condition(id, condition)).await
    }

    async fn remove(&self, gone: Vec<FileId>) -> Result<(), StoreError> {
        for files in gone.chunks(WRITE_FILES_MAX) {
            let files = files.to_vec();
            self.shared.commit(move |tx| tx.remove_files(&files)).await?;
        }
        Ok(())
    }

    /// Looks at the heads of files that could not be read. Only what has become readable is news.
    async fn recheck_problems(&self) -> Result<(), StoreError> {
        let (id, mut after) = (self.id, FileId(0));
        loop {
            let store = &self.shared.deps.store;
            let files = store.read(move |r| r.problem_files(id, after, RECHECK_FILES_MAX)).await?;
            let Some(last) = files.last() else {
                return Ok(());
            };
            after = last.id;
            let (source_files, reader) =
                (Arc::clone(&self.shared.deps.files), Arc::clone(&self.shared.deps.reader));
            let until = self.shared.deps.clock.now().plus(SETTLE);
            let look = move || {
                let describe = |file| (file, reader::describe(source_files.as_ref(), reader.as_ref(), file));
                let news = files.iter().map(describe).filter_map(|(file, looked)| {
                    let found = match looked {
                        Looked::Facts(facts) => Found::Facts(facts),
                        Looked::Excluded(reason) => Found::Excluded(reason),
                        Looked::Changed(stamp) => Found::Changed(stamp, until),
                        _ => return None,
                    };
                    Some(FileLook { file: file.id, stamp: file.stamp, found })
                });
                news.collect::<Vec<_>>()
            };
            let Ok(looks) = self.shared.deps.executor.run(look).await else { return Ok(()) };
            if !looks.is_empty() {
                self.shared.commit(move |tx| tx.record_looks(&looks)).await?;
            }
        }
    }
}

/// One look at a source.
#[derive(Default)]
struct Look {
    is_partial: bool,
    by_person: bool,
    /// Files known before it.
    before: u64,
    /// Files seen by it.
    seen: u64,
    /// Known files that are not there. At most as many as are known.
    gone: Vec<FileId>,
    /// Folders that a flat look came upon and that are not known.
    new_dirs: Vec<Vec<u8>>,
}

impl Look {
    fn loses_most(&self) -> bool {
        self.before >= GONE_FILES_MIN && self.gone.len() as u64 * 2 > self.before
    }

    /// Less than half of what the source held is left in it, moved files counted as left.
    fn is_mass_disappearance(&self) -> bool {
        !self.by_person && self.loses_most() && self.seen * 2 < self.before
    }
}

/// Whether a file was written to a moment ago. A time in the future is a wrong clock's.
fn is_recent(stamp: FileStamp, now: UnixMillis) -> bool {
    let near = |time_ns: i64| Duration::from_millis(now.0.abs_diff(time_ns.div_euclid(1_000_000))) < SETTLE;
    near(stamp.mtime_ns) || near(stamp.ctime_ns)
}

fn note_of(unreadable: &Unreadable) -> Option<String> {
    let (dir, why) = unreadable.examples.first()?;
    let name = String::from_utf8_lossy(dir);
    Some(match unreadable.dirs {
        1 => format!("The folder {name} cannot be read: {why}"),
        dirs => format!("{dirs} folders cannot be read, {name} among them: {why}"),
    })
}
