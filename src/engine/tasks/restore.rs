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
use crate::engine::deps::Deps;
use crate::engine::requests::internal;
use crate::engine::tasks::adopt;
use crate::engine::tasks::operations::Reading;
use crate::engine::tasks::restore_order::{End, Order, Report, Target};
use crate::engine::tasks::verify;
use crate::platform::restored_file::{self, Placed, RestoreTarget};
use crate::store::{RecordFacts, Store};

/// Copies read from the ledger at once.
const PAGE_COPIES_MAX: u32 = 500;
/// Sentences in an answer; further ones are only counted.
const SENTENCES_MAX: usize = 1_000;
/// Files that come back side by side at most: fewer than there are threads, so that the library has one too.
const FILES_AT_ONCE: usize = 3;
/// Copies that wait for another turn.
const AGAIN_MAX: usize = 1_000;
/// Tries of one copy whose reading breaks off.
const TRIES_MAX: u32 = 4;
/// Tries of one that came whole and is not what it should be: hardly ever was that the way's fault.
const DAMAGED_TRIES_MAX: u32 = 2;
/// Seconds before a lost destination is tried again; after the last it is given up. A file that comes
/// back begins them anew.
const LOST_WAITS_SECS: [u64; 5] = [2, 4, 8, 16, 30];

/// What the work on one file needs.
struct Place {
    deps: Deps,
    store: Store,
    destination: SharedDestination,
    target: Target,
    reading: Arc<Reading>,
    cancel: CancellationToken,
}

/// What became of one copy.
enum Came {
    /// It is where it should be.
    Back(Placed),
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
enum Unplaced {
    /// The copy could not be read, for now or for good.
    Unread { why: String, failure: Option<Failure> },
    /// It came whole, and is not what it should be.
    Damaged(String),
    /// It could not be written.
    Unwritten(io::Error),
}

/// Restores every copy in the order's scope. Nothing is replaced.
pub(crate) async fn run(
    deps: &Deps,
    store: &Store,
    order: Order,
    reading: Arc<Reading>,
    cancel: &CancellationToken,
) -> Report {
    let Order { id, destination, width, installation, target, scope } = order;
    if let Err(failure) = destination.check().await {
        return Report::unbegun(End::Lost(failure));
    }
    // The ledger may be new: another computer's, or one that was lost.
    if let Err(failure) = adopt(store, id, &destination, &deps.rng, &installation).await {
        return Report::unbegun(End::Lost(failure));
    }
    let place = Place {
        deps: deps.clone(),
        store: store.clone(),
        destination,
        target,
        reading,
        cancel: cancel.clone(),
    };
    if let Target::Folder(into, _) = &place.target
        && let Err(why) = place.folder(into, restored_file::prepare).await
    {
        return Report::unbegun(End::Refused(ApiError::new(ErrorKind::Usage, why)));
    }
    let mut restore = Restore {
        store,
        id,
        scope,
        plan: RestorePlan::new(place.target.layout()),
        place: Arc::new(place),
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
        Ok(()) => restore.all().await,
        Err(error) => Err(error),
    };
    Report { end: end.unwrap_or_else(End::Refused), result: restore.result }
}

struct Restore<'a> {
    store: &'a Store,
    id: DestinationId,
    scope: RestoreScope,
    /// What each file is called.
    plan: RestorePlan,
    place: Arc<Place>,
    width: usize,
    /// The last copy that was read from the ledger.
    after: RecordId,
    /// Copies whose turn comes next.
    copies: VecDeque<RecordFacts>,
    /// Copies with which the destination was lost: their turn comes again after all others, so that one
    /// that a server always stumbles over holds up nobody.
    again: VecDeque<RecordFacts>,
    files: JoinSet<Came>,
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
        self.place.reading.begin(self.id, files, Some(bytes));
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
                copy.key.as_ref().is_some_and(|key| self.scope.contains(&scoped(copy, key)))
            };
            self.copies = page.into_iter().filter(is_wanted).collect();
        }
    }

    /// Works until nothing is left, or nothing more can be done: then it says why.
    async fn all(&mut self) -> Result<End, ApiError> {
        loop {
            while self.files.len() < self.width && !self.place.cancel.is_cancelled() {
                let Some(copy) = self.next().await? else { break };
                if self.place.target.leaves_out(&self.plan, &names_of(&copy)) {
                    self.place.reading.file_done();
                    self.place.reading.moved(copy.content.size);
                    continue;
                }
                let target = self.place.target.of(&self.plan, &names_of(&copy));
                self.files.spawn(one(Arc::clone(&self.place), copy, target));
            }
            match self.files.join_next().await {
                Some(came) => self.take(came),
                None if self.place.cancel.is_cancelled() => return Ok(End::Stopped),
                None => return Ok(End::Complete),
            }
            if self.lost.is_none() && self.blocked.is_none() {
                continue;
            }
            while let Some(came) = self.files.join_next().await {
                self.take(came);
            }
            if let Some(why) = self.blocked.take() {
                return Ok(End::Refused(ApiError::new(ErrorKind::Destination, why)));
            }
            if let Some(failure) = self.lost.take() {
                self.losses += 1;
                if failure.is_permanent() || !self.waited().await {
                    return Ok(End::Lost(failure));
                }
            }
        }
    }

    fn take(&mut self, came: Result<Came, tokio::task::JoinError>) {
        match came {
            Ok(Came::Back(placed)) => {
                self.losses = 0;
                match placed {
                    Placed::Written => self.result.restored += 1,
                    Placed::Present => self.result.present += 1,
                }
            }
            Ok(Came::Failed(sentence)) => self.fail(sentence),
            Ok(Came::Lost(failure, copy)) => {
                if self.again.len() < AGAIN_MAX {
                    self.again.push_back(*copy);
                } else {
                    let why = describe_failure(&failure).summary;
                    self.fail(format!("{why}: {}", copy.key.unwrap_or_default()));
                }
                self.lost = Some(failure);
            }
            Ok(Came::Blocked(sentence)) => self.blocked = Some(sentence),
            Ok(Came::Stopped) => {}
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
    async fn waited(&self) -> bool {
        let Some(secs) = LOST_WAITS_SECS.get(self.losses - 1) else {
            return false;
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(*secs)) => {}
            () = self.place.cancel.cancelled() => {}
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
fn scoped<'a>(copy: &'a RecordFacts, key: &'a str) -> ScopedCopy<'a> {
    ScopedCopy {
        id: copy.id,
        key,
        captured_at: copy.captured_at,
        source_label: &copy.origin_source,
        path: &copy.origin_path,
    }
}

/// Brings one copy back.
async fn one(place: Arc<Place>, copy: RecordFacts, target: Result<RestoreTarget, String>) -> Came {
    let key = copy.key.clone().unwrap_or_default();
    let came = match target {
        Ok(target) => place.bring(&key, &copy, &target).await,
        Err(why) => Came::Failed(why),
    };
    if !matches!(came, Came::Lost(..)) {
        place.reading.file_done();
    }
    match came {
        Came::Failed(why) => {
            place.reading.moved(copy.content.size);
            Came::Failed(format!("{why}: {key}"))
        }
        other => other,
    }
}

impl Place {
    async fn bring(&self, key: &str, copy: &RecordFacts, target: &RestoreTarget) -> Came {
        match self.present(copy, target).await {
            Ok(true) => {
                self.reading.moved(copy.content.size);
                return Came::Back(Placed::Present);
            }
            Ok(false) => {}
            Err(error) => return self.unwritten(target, &error).await,
        }
        let (mut tries, mut damaged) = (0, 0);
        loop {
            tries += 1;
            let (why, failure) = match self.try_once(key, copy, target).await {
                Ok(placed) => return Came::Back(placed),
                Err(Unplaced::Unwritten(error)) => return self.unwritten(target, &error).await,
                Err(Unplaced::Unread { why, failure }) => (why, failure),
                Err(Unplaced::Damaged(why)) => {
                    damaged += 1;
                    (why, None)
                }
            };
            if let Some(failure) = failure.as_ref().filter(|failure| failure.reach != Reach::Resource) {
                return Came::Lost(failure.clone(), Box::new(copy.clone()));
            }
            if self.cancel.is_cancelled() {
                return Came::Stopped;
            }
            let is_final = failure.as_ref().is_some_and(Failure::is_permanent)
                || tries == TRIES_MAX
                || damaged == DAMAGED_TRIES_MAX;
            if is_final {
                // A disk that was pulled out says of each of its files that it is not there.
                if let Err(failure) = self.destination.check().await {
                    return Came::Lost(failure, Box::new(copy.clone()));
                }
                self.look_again(copy).await;
                return Came::Failed(why);
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1 << tries)) => {}
                () = self.cancel.cancelled() => {}
            }
        }
    }

    /// Compares a copy that did not come back, as an audit does: what is not there, or not what it
    /// should be, no longer counts as safe.
    async fn look_again(&self, copy: &RecordFacts) {
        let Self { deps, store, destination, cancel, .. } = self;
        if let Err(failure) = verify::compare(deps, store, destination, copy, (true, None), cancel).await {
            tracing::info!(record = %copy.id, kind = failure.kind.as_str(), "a copy could not be compared");
        }
    }

    /// Whether the file is there already. What has its name and other bytes is an error.
    async fn present(&self, copy: &RecordFacts, target: &RestoreTarget) -> io::Result<bool> {
        let (target, content) = (target.clone(), copy.content);
        let found = self.deps.library_executor.run(move || restored_file::is_present(&target, content)).await;
        found.map_err(io::Error::other)?
    }

    async fn try_once(
        &self,
        key: &str,
        copy: &RecordFacts,
        target: &RestoreTarget,
    ) -> Result<Placed, Unplaced> {
        let receipt = copy.receipt.as_deref().unwrap_or_default();
        let unread = |failure: Failure| {
            let why = match failure.kind {
                FailureKind::NotFound => "The copy is not there".to_owned(),
                FailureKind::Unsupported => failure.details.clone(),
                _ => describe_failure(&failure).summary.to_owned(),
            };
            Unplaced::Unread { why, failure: Some(failure) }
        };
        let reader = self.destination.read(key, receipt).await.map_err(unread)?;
        let story = Arc::new(Story::default());
        let reader = Told {
            reader,
            reading: Arc::clone(&self.reading),
            cancel: self.cancel.clone(),
            story: Arc::clone(&story),
        };
        let (target, content, mtime_ns) = (target.clone(), copy.content, copy.origin_mtime_ns);
        let token = self.deps.rng.next_u64();
        let work = move || restored_file::place_new(&target, Box::new(reader), content, mtime_ns, token);
        let placed = self.deps.library_executor.run(work).await.map_err(io::Error::other).flatten();
        placed.map_err(|error| {
            self.reading.moved_back(story.bytes.load(Ordering::SeqCst));
            if story.broke_off.load(Ordering::SeqCst) {
                Unplaced::Unread { why: format!("The copy cannot be read ({error})"), failure: None }
            } else if error.kind() == io::ErrorKind::InvalidData {
                Unplaced::Damaged(error.to_string())
            } else {
                Unplaced::Unwritten(error)
            }
        })
    }

    /// One file could not be placed, or none can.
    async fn unwritten(&self, target: &RestoreTarget, error: &io::Error) -> Came {
        let folder = &target.folder;
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Came::Blocked(format!(
                "There is no space left in {}. Free up space and restore again; files already restored stay",
                folder.display()
            )),
            io::ErrorKind::AlreadyExists => Came::Failed(error.to_string()),
            _other => match (self.folder(folder, restored_file::probe).await, &self.target) {
                (Ok(()), _) => Came::Failed(format!("The file cannot be written ({error})")),
                (Err(why), Target::Folder(..)) => Came::Blocked(why),
                // Other photo folders may be well.
                (Err(why), Target::Original(_)) => Came::Failed(why),
            },
        }
    }

    /// Does something with a folder that files are restored to.
    ///
    /// # Errors
    /// A sentence where that fails.
    async fn folder(&self, folder: &Path, work: fn(&Path, u64) -> io::Result<()>) -> Result<(), String> {
        let (into, token) = (folder.to_owned(), self.deps.rng.next_u64());
        let done = self.deps.library_executor.run(move || work(&into, token)).await;
        let done = done.map_err(io::Error::other).flatten();
        done.map_err(|error| format!("Nothing can be written to {} ({error})", folder.display()))
    }
}

/// What happened while one copy was read.
#[derive(Default)]
struct Story {
    bytes: AtomicU64,
    broke_off: AtomicBool,
}

/// A copy that tells what is read of it, and ends when nobody wants it any more.
struct Told {
    reader: ReadBack,
    reading: Arc<Reading>,
    cancel: CancellationToken,
    story: Arc<Story>,
}

impl Read for Told {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.cancel.is_cancelled() {
            true => Err(io::Error::other("it was stopped")),
            false => self.reader.read(buffer),
        };
        match &read {
            Ok(count) => {
                self.reading.moved(*count as u64);
                self.story.bytes.fetch_add(*count as u64, Ordering::SeqCst);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.story.broke_off.store(true, Ordering::SeqCst),
        }
        read
    }
}
