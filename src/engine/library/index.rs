//! Reading the files that were found: heads first, then all bytes, newest capture first.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::limits::SETTLE;
use super::reader::{self, ReadOutcome};
use super::shared::Shared;
use super::state::is_closed;
use crate::domain::ids::FileId;
use crate::domain::time::UnixMillis;
use crate::store::{FileInspection, FileToRead, InspectionOutcome, StoreError};

/// Files read in one piece and written down in one transaction.
pub const CHUNK_FILES_MAX: usize = 64;
/// Bytes hashed in one piece; one file may be larger.
pub const CHUNK_BYTES_MAX: u64 = 16 << 20;
/// Settling files looked at in one piece.
const SETTLE_FILES_MAX: u32 = 256;
/// After the store failed.
const STORE_RETRY: Duration = Duration::from_secs(60);
/// Files that were not there when they were to be read; beyond, reading waits for a look.
const MISSED_FILES_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Describe,
    /// Look again at a head that an earlier release read.
    Refresh,
    Hash,
    Settle,
}

/// Reads until told to stop.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut index =
        Index { shared, tasks: JoinSet::new(), taken: HashSet::new(), missed: HashSet::new(), describing: 0 };
    let cancel = index.shared.cancel.clone();
    tokio::select! {
        biased;
        () = cancel.cancelled() => {}
        () = index.run() => {}
    }
    // Reads that are under way see the flag; what they found is found again.
    index.tasks.shutdown().await;
}

struct Index {
    shared: Arc<Shared>,
    tasks: JoinSet<ReadPiece>,
    /// Being read.
    taken: HashSet<FileId>,
    /// Not there when they were to be read: left alone until their source has been looked at.
    missed: HashSet<FileId>,
    /// Pieces of heads being read.
    describing: usize,
}

/// A piece of reading that has ended.
struct ReadPiece {
    pass: Pass,
    files: Vec<FileId>,
    missed: Vec<FileId>,
    outcome: Result<(), StoreError>,
}

impl Index {
    async fn run(&mut self) {
        loop {
            let wake_in = match self.drain().await {
                Ok(due) => due,
                Err(error) if is_closed(&error) => return,
                Err(error) => {
                    tracing::warn!(%error, "what was read cannot be kept");
                    Some(STORE_RETRY)
                }
            };
            self.shared.update(|state| state.is_indexing = false);
            let settled = async {
                match wake_in {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.shared.index_news() => self.missed.clear(),
                () = settled => {}
            }
            self.shared.update(|state| state.is_indexing = true);
        }
    }

    /// Reads until nothing is left to be read now. Returns how long until something settles.
    async fn drain(&mut self) -> Result<Option<Duration>, StoreError> {
        loop {
            while self.tasks.len() < self.shared.deps.parallel.max(1) && self.missed.len() < MISSED_FILES_MAX
            {
                let Some((pass, files)) = self.next_piece().await? else { break };
                self.taken.extend(files.iter().map(|file| file.id));
                self.describing += usize::from(pass == Pass::Describe);
                self.tasks.spawn(read_piece(Arc::clone(&self.shared), pass, files));
            }
            let Some(ended) = self.tasks.join_next().await else { break };
            // A piece whose task was lost keeps its files taken; they are read in the next run.
            let Ok(ReadPiece { pass, files, missed, outcome }) = ended else {
                if self.tasks.is_empty() {
                    self.describing = 0;
                }
                continue;
            };
            self.describing -= usize::from(pass == Pass::Describe);
            for file in files {
                self.taken.remove(&file);
            }
            self.missed.extend(missed);
            outcome?;
            // Inline, nothing else would get a turn.
            tokio::task::yield_now().await;
        }
        let due = self.shared.deps.store.read(|store| store.settle_due()).await?;
        let now = self.shared.deps.clock.now();
        // What is due and was not settled is missed; its source is being looked at.
        Ok(due.map(|due| due.since(now).clamp(Duration::from_millis(200), SETTLE)))
    }

    async fn next_piece(&self) -> Result<Option<(Pass, Vec<FileToRead>)>, StoreError> {
        let now = self.shared.deps.clock.now();
        let apart = self.taken.len() + self.missed.len();
        let limit = u32::try_from(CHUNK_FILES_MAX + apart).unwrap_or(u32::MAX);
        let store = &self.shared.deps.store;
        let settling =
            store.read(move |r| r.next_to_settle(now, now.plus(SETTLE), limit.max(SETTLE_FILES_MAX)));
        if let Some(piece) = self.cut(settling.await?, u64::MAX) {
            return Ok(Some((Pass::Settle, piece)));
        }
        if let Some(piece) = self.cut(store.read(move |r| r.next_to_describe(limit)).await?, u64::MAX) {
            return Ok(Some((Pass::Describe, piece)));
        }
        // A file is wanted once it is hashed, and by then it is known what it belongs to: a clip waits
        // for the still of the same listing.
        if self.describing > 0 {
            return Ok(None);
        }
        // Before they are hashed, as the date decides on the order and on what is backed up first.
        if let Some(piece) = self.cut(store.read(move |r| r.next_to_refresh(limit)).await?, u64::MAX) {
            return Ok(Some((Pass::Refresh, piece)));
        }
        let piece = self.cut(store.read(move |r| r.next_to_hash(limit)).await?, CHUNK_BYTES_MAX);
        Ok(piece.map(|piece| (Pass::Hash, piece)))
    }

    /// The first files that nobody reads yet, at most `bytes_max` of them but one at least.
    fn cut(&self, files: Vec<FileToRead>, bytes_max: u64) -> Option<Vec<FileToRead>> {
        let mut bytes = 0_u64;
        let mut piece: Vec<FileToRead> = Vec::new();
        for file in files {
            if self.taken.contains(&file.id) || self.missed.contains(&file.id) {
                continue;
            }
            bytes = bytes.saturating_add(file.stamp.size);
            if piece.len() == CHUNK_FILES_MAX || (bytes > bytes_max && !piece.is_empty()) {
                break;
            }
            piece.push(file);
        }
        (!piece.is_empty()).then_some(piece)
    }
}

async fn read_piece(shared: Arc<Shared>, pass: Pass, files: Vec<FileToRead>) -> ReadPiece {
    let ids: Vec<FileId> = files.iter().map(|file| file.id).collect();
    let (source_files, reader) = (Arc::clone(&shared.deps.files), Arc::clone(&shared.deps.reader));
    let stop = Arc::clone(&shared.stop_reading);
    let digests = shared.digests();
    let now = shared.deps.clock.now();
    let read = move || {
        let look = |file: FileToRead| {
            let looked = match pass {
                Pass::Describe | Pass::Refresh => {
                    reader::describe(source_files.as_ref(), reader.as_ref(), &file, now)
                }
                Pass::Hash => {
                    let set = digests.of_size(file.stamp.size);
                    reader::digest(source_files.as_ref(), reader.as_ref(), &file, set, &stop)
                }
                Pass::Settle => reader::still_same(source_files.as_ref(), &file),
            };
            (file, looked)
        };
        files.into_iter().map(look).collect::<Vec<_>>()
    };
    let Ok(read) = shared.deps.executor.run(read).await else {
        // A reader that fails without a word would do so again: left until the next look.
        return ReadPiece { pass, files: Vec::new(), missed: ids, outcome: Ok(()) };
    };
    let until = shared.deps.clock.now().plus(SETTLE);
    let mut looks = Vec::with_capacity(read.len());
    let mut missed = Vec::new();
    for (file, looked) in read {
        let found = match pass {
            Pass::Refresh => refreshed(looked),
            Pass::Describe | Pass::Hash | Pass::Settle => found(looked, until),
        };
        match found {
            Some(found) => looks.push(FileInspection { file: file.id, stamp: file.stamp, found }),
            None => {
                missed.push(file.id);
                if let Some(hints) = shared.hints(file.source) {
                    hints.dir(&file.path.dir, false);
                }
            }
        }
    }
    let outcome = shared.commit(move |tx| tx.record_looks(&looks)).await.map(|_counted| ());
    ReadPiece { pass, files: ids, missed, outcome }
}

/// What another look at a head means for the store. Whatever is wrong now, or has changed, is for the
/// usual looks to find: what is known stays.
fn refreshed(looked: ReadOutcome) -> Option<InspectionOutcome> {
    match looked {
        ReadOutcome::Facts(facts) => Some(InspectionOutcome::Refreshed(Some(facts))),
        ReadOutcome::Gone | ReadOutcome::Stopped => None,
        ReadOutcome::Content(_)
        | ReadOutcome::Excluded(_)
        | ReadOutcome::Problem(..)
        | ReadOutcome::Unseen(..)
        | ReadOutcome::Changed(_)
        | ReadOutcome::Same => Some(InspectionOutcome::Refreshed(None)),
    }
}

/// What a look means for the store; none where the file was missed.
fn found(looked: ReadOutcome, until: UnixMillis) -> Option<InspectionOutcome> {
    match looked {
        ReadOutcome::Facts(facts) => Some(InspectionOutcome::Facts(facts)),
        ReadOutcome::Content(hashed) => Some(InspectionOutcome::Content(hashed)),
        ReadOutcome::Excluded(reason) => Some(InspectionOutcome::Excluded(reason)),
        ReadOutcome::Problem(problem, details) => Some(InspectionOutcome::Problem(problem, details)),
        ReadOutcome::Unseen(_problem, details) => Some(InspectionOutcome::Unseen(details)),
        ReadOutcome::Changed(stamp) => Some(InspectionOutcome::Changed(stamp, until)),
        ReadOutcome::Same => Some(InspectionOutcome::Settled),
        ReadOutcome::Gone | ReadOutcome::Stopped => None,
    }
}
