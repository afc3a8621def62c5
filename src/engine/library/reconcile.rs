//! One look at a source: what its listings mean.
//!
//! Additions and changes are written as they are found. Removals wait until the whole look has
//! come to its end and the source is still what it was: a disk that is pulled out, or was never
//! mounted, must not look like a person who deletes everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::limits::{GONE_FILES_MIN, SETTLE};
use super::reader::{self, ReadOutcome};
use super::scan::{RootState, RunningWalk, UnreadableDirs, WalkPlan, WalkStart, WalkStep};
use super::shared::Shared;
use super::watch::WatchGuard;
use crate::domain::file::{ExcludeReason, FileStamp, FileStatus, Problem};
use crate::domain::grouping;
use crate::domain::ids::{FileId, SourceId};
use crate::domain::path::{RelPath, join};
use crate::domain::time::UnixMillis;
use crate::store::{
    ChangedFile, DirListing, FileInspection, InitialStatus, InspectionOutcome, ListedEntry, NewFile,
    NewVersion, StoreError, UnreadableScope, Write,
};

/// Files written to the store in one transaction.
const WRITE_FILES_MAX: usize = 512;
/// Problem files tried again in one piece.
const RECHECK_FILES_MAX: u32 = 64;

/// What is looked at.
pub(super) struct ScanContext {
    pub(super) shared: Arc<Shared>,
    pub(super) id: SourceId,
    pub(super) root: Vec<u8>,
    pub(super) file_system: String,
}

/// How a look ended.
pub(super) enum WalkEnd {
    /// To the end.
    Whole(UnreadableDirs),
    /// The source is not there, or is another.
    Unavailable { why: String, is_missing: bool },
    /// It cannot be listed.
    Unreadable(String),
    /// More is gone than hints can tell of.
    NeedsWhole,
    /// Told to stop.
    Stopped,
}

/// One look at a source.
#[derive(Default)]
pub(super) struct WalkTally {
    pub(super) is_partial: bool,
    by_person: bool,
    /// Files known before it.
    before: u64,
    /// Files seen by it.
    seen: u64,
    /// Known files that are not there. At most as many as are known.
    pub(super) gone: Vec<FileId>,
    /// Folders that a flat look came upon and that are not known.
    pub(super) new_dirs: Vec<Vec<u8>>,
    /// The part of the source that it is about, once that is known.
    pub(super) scope: Option<UnreadableScope>,
}

impl WalkTally {
    /// A look at everything.
    pub(super) fn whole(before: u64, by_person: bool) -> Self {
        Self { before, by_person, ..Self::default() }
    }

    /// A look at what was hinted.
    pub(super) fn partial(before: u64) -> Self {
        Self { before, is_partial: true, ..Self::default() }
    }

    pub(super) fn loses_most(&self) -> bool {
        self.before >= GONE_FILES_MIN && self.gone.len() as u64 * 2 > self.before
    }

    /// Less than half of what the source held is left in it, moved files counted as left.
    pub(super) fn is_mass_disappearance(&self) -> bool {
        !self.by_person && self.loses_most() && self.seen * 2 < self.before
    }
}

impl ScanContext {
    /// Walks from these places and writes down what is new and changed.
    pub(super) async fn walk(
        &self,
        starts: Vec<WalkStart>,
        tally: &mut WalkTally,
        watch: Option<Arc<WatchGuard>>,
        stop: Arc<AtomicBool>,
    ) -> Result<WalkEnd, StoreError> {
        let seen = Arc::new(AtomicU64::new(0));
        let plan = WalkPlan {
            files: Arc::clone(&self.shared.deps.files),
            root: self.root.clone(),
            starts,
            left_out: self.shared.left_out(),
            seen: Arc::clone(&seen),
            watch,
            stop,
        };
        let mut walking = match RunningWalk::start(plan, self.shared.deps.executor.is_inline()) {
            Ok(walking) => walking,
            Err(error) => return Ok(WalkEnd::Unreadable(error.to_string())),
        };
        while let Some(step) = walking.next().await {
            match step {
                WalkStep::Root(root) => {
                    if let Some(ended) = self.judge_root(root, tally) {
                        return Ok(ended);
                    }
                }
                WalkStep::Listings(listings) => {
                    self.apply(listings, tally).await?;
                    // Inline, nothing else would get a turn.
                    tokio::task::yield_now().await;
                    let scanned = seen.load(Ordering::Relaxed);
                    self.shared.update_source(self.id, |tally| tally.scanned = scanned);
                }
                WalkStep::End(unreadable) => return Ok(WalkEnd::Whole(unreadable)),
            }
        }
        Ok(WalkEnd::Stopped)
    }

    /// Whether the source's folder is the one it was; none where it is.
    fn judge_root(&self, root: RootState, tally: &WalkTally) -> Option<WalkEnd> {
        match root {
            RootState::There { file_system, .. } if file_system != self.file_system => {
                let why = "Another disk is connected in its place".to_owned();
                Some(WalkEnd::Unavailable { why, is_missing: true })
            }
            RootState::There { is_empty: true, .. } if tally.before > 0 && !tally.by_person => {
                let why = "It is empty; its disk may not be connected".to_owned();
                Some(WalkEnd::Unavailable { why, is_missing: true })
            }
            RootState::There { .. } => None,
            RootState::Missing(_) => {
                Some(WalkEnd::Unavailable { why: "It is not connected".to_owned(), is_missing: true })
            }
            RootState::Unreadable(why) => Some(WalkEnd::Unreadable(format!("It cannot be read: {why}"))),
        }
    }

    /// Writes down what listings add and change, and notes what is gone.
    async fn apply(&self, listings: Vec<DirListing>, tally: &mut WalkTally) -> Result<(), StoreError> {
        let id = self.id;
        tally.seen += listings.iter().map(|listing| listing.files.len() as u64).sum::<u64>();
        let listings = Arc::new(listings);
        let compared = Arc::clone(&listings);
        let delta = self.shared.deps.store.read(move |store| store.compare(id, &compared)).await?;
        if tally.is_partial {
            let name_of = |(at, sub): &(usize, usize)| join(&listings[*at].dir, &listings[*at].subdirs[*sub]);
            tally.new_dirs.extend(delta.new_dirs.iter().map(name_of));
        }
        tally.gone.extend(delta.gone);
        for new in delta.new.chunks(WRITE_FILES_MAX) {
            let new: Vec<NewFile> = new.iter().map(|at| self.new_file(&listings, *at)).collect();
            self.write(move |tx| tx.add_files(id, &new)).await?;
        }
        for moved in delta.changed.chunks(WRITE_FILES_MAX) {
            let versions: Vec<NewVersion> = moved.iter().map(|at| self.new_version(&listings, at)).collect();
            self.write(move |tx| tx.change_files(&versions)).await?;
        }
        Ok(())
    }

    async fn write<F>(&self, write: F) -> Result<(), StoreError>
    where
        F: FnOnce(&Write<'_>) -> Result<(), StoreError> + Send + 'static,
    {
        self.shared.commit(write).await?;
        self.shared.wake_index();
        Ok(())
    }

    fn new_file(&self, listings: &[DirListing], (listing, entry): (usize, usize)) -> NewFile {
        let DirListing { dir, files, .. } = &listings[listing];
        let path = RelPath { dir: dir.clone(), name: files[entry].name.clone() };
        let (stamp, start) = self.start_of(&path, &files[entry], false);
        NewFile { path, stamp, start }
    }

    fn new_version(&self, listings: &[DirListing], moved: &ChangedFile) -> NewVersion {
        let DirListing { dir, files, .. } = &listings[moved.listing];
        let file = &files[moved.entry];
        let path = RelPath { dir: dir.clone(), name: file.name.clone() };
        let (stamp, start) = self.start_of(&path, file, moved.was == FileStatus::Settling);
        NewVersion { file: moved.file, stamp, start }
    }

    /// Where a new or changed file starts.
    fn start_of(&self, path: &RelPath, file: &ListedEntry, is_growing: bool) -> (FileStamp, InitialStatus) {
        let now = self.shared.deps.clock.now();
        let nothing = FileStamp { size: 0, mtime_ns: 0, ctime_ns: 0 };
        let stamp = file.seen.as_ref().map_or(nothing, |seen| seen.stamp);
        if let Some(reason) = self.shared.deps.reader.excluded_by_name(path) {
            return (stamp, InitialStatus::Excluded(reason));
        }
        let start = match &file.seen {
            Err(why) if grouping::type_of_name(&path.name).is_some() => {
                InitialStatus::Problem(Problem::Unreadable, Some(why.clone()))
            }
            Err(_) => InitialStatus::Excluded(ExcludeReason::NotMedia),
            Ok(seen) if !seen.is_regular => InitialStatus::Excluded(ExcludeReason::NotRegular),
            Ok(_) if is_growing || is_recent(stamp, now) => InitialStatus::Settling(now.plus(SETTLE)),
            Ok(_) => InitialStatus::Found,
        };
        (stamp, start)
    }

    /// Writes down which folders a look that came to its end could not look into.
    pub(super) async fn keep_unreadable(
        &self,
        scope: UnreadableScope,
        unreadable: &UnreadableDirs,
    ) -> Result<(), StoreError> {
        let id = self.id;
        // A folder that contains itself hides nothing.
        let hiding = unreadable.named.iter().filter(|dir| dir.problem.may_hide_files());
        let dirs = hiding.cloned().collect::<Vec<_>>();
        let is_known = self.shared.deps.store.read({
            let (scope, dirs) = (scope.clone(), dirs.clone());
            move |r| r.is_unreadable_known(id, &scope, &dirs)
        });
        if is_known.await? {
            return Ok(());
        }
        self.shared.commit(move |tx| tx.set_unreadable(id, &scope, &dirs)).await
    }

    /// Forgets files that are gone.
    pub(super) async fn remove(&self, gone: Vec<FileId>) -> Result<(), StoreError> {
        for files in gone.chunks(WRITE_FILES_MAX) {
            let files = files.to_vec();
            self.shared.commit(move |tx| tx.remove_files(&files)).await?;
        }
        Ok(())
    }

    /// Looks at the heads of files that could not be read, those that are left out for it too. Only what
    /// has become readable, or is seen to be empty, is news.
    pub(super) async fn recheck_problems(&self) -> Result<(), StoreError> {
        let (id, mut after) = (self.id, FileId(0));
        loop {
            let store = &self.shared.deps.store;
            let files = store.read(move |r| r.unread_files(id, after, RECHECK_FILES_MAX)).await?;
            let Some(last) = files.last() else {
                return Ok(());
            };
            after = last.id;
            let (source_files, reader) =
                (Arc::clone(&self.shared.deps.files), Arc::clone(&self.shared.deps.reader));
            let now = self.shared.deps.clock.now();
            let until = now.plus(SETTLE);
            let tally = move || {
                let describe =
                    |file| (file, reader::describe(source_files.as_ref(), reader.as_ref(), file, now));
                let news = files.iter().map(describe).filter_map(|(file, looked)| {
                    let found = match looked {
                        ReadOutcome::Facts(facts) => InspectionOutcome::Facts(facts),
                        ReadOutcome::Excluded(reason) => InspectionOutcome::Excluded(reason),
                        ReadOutcome::Changed(stamp) => InspectionOutcome::Changed(stamp, until),
                        ReadOutcome::Problem(Problem::Empty, details) => {
                            InspectionOutcome::Problem(Problem::Empty, details)
                        }
                        _ => return None,
                    };
                    Some(FileInspection { file: file.id, stamp: file.stamp, found })
                });
                news.collect::<Vec<_>>()
            };
            let Ok(looks) = self.shared.deps.executor.run(tally).await else { return Ok(()) };
            if !looks.is_empty() {
                self.shared.commit(move |tx| tx.record_looks(&looks)).await?;
            }
        }
    }
}

/// Whether a file was written to a moment ago. A time in the future is a wrong clock's.
fn is_recent(stamp: FileStamp, now: UnixMillis) -> bool {
    let near = |time_ns: i64| now.0.abs_diff(time_ns.div_euclid(1_000_000)) < SETTLE.as_secs() * 1_000;
    near(stamp.mtime_ns) || near(stamp.ctime_ns)
}
