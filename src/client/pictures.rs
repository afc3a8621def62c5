//! Decodes the pictures that a window wants, on a few threads of its own.
//!
//! The most wanted comes first, what is no longer wanted is not begun, and what was begun for nothing
//! is not delivered. Between pictures the threads sleep until they are called. Nothing here blocks
//! the caller.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;

use super::{PICTURES_WANTED_MAX, Picture, PictureRequest, Pixels, THUMBNAIL_SIDE_MAX};
use crate::base::files::{SharedFiles, path_from_bytes};
use crate::base::waker::Waker;
use crate::media::picture::{self, PictureError, Rgba};
use crate::media::thumb_cache::{CachedPicture, ThumbCache};

/// The most threads that decode. One core is left to the window.
pub const DECODE_THREADS_MAX: usize = 4;
/// The most decoded pictures that wait to be fetched.
pub const RESULTS_MAX: usize = 64;
/// The most memory that decoded pictures may take while they wait to be fetched. A single larger one
/// waits alone.
pub const RESULT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Turns requests into pictures. Dropping it ends its threads as soon as they have finished what they
/// are at.
pub struct PicturePool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// There is something to decode, room for results, or an end.
    changed: Condvar,
    files: SharedFiles,
    cache: Option<ThumbCache>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    /// All that is wanted and not yet fetched, most wanted first.
    wanted: Vec<PictureRequest>,
    /// What a thread is at.
    in_flight: Vec<PictureRequest>,
    results: VecDeque<(PictureRequest, Picture)>,
    result_bytes: usize,
    /// The listener was woken and has not looked since.
    is_woken: bool,
    is_closed: bool,
}

impl PicturePool {
    /// Starts the threads. Thumbnails go through `cache` where there is one; `waker` is called when
    /// there is something to fetch.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(files: SharedFiles, cache: Option<ThumbCache>, waker: Waker) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::with_threads(files, cache, waker, cores.saturating_sub(1).clamp(1, DECODE_THREADS_MAX))
    }

    /// As [`Self::start`], with this many threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn with_threads(
        files: SharedFiles,
        cache: Option<ThumbCache>,
        waker: Waker,
        threads: usize,
    ) -> std::io::Result<Self> {
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, changed: Condvar::new(), files, cache, waker });
        let pool = Self { shared };
        for index in 0..threads {
            let shared = Arc::clone(&pool.shared);
            std::thread::Builder::new().name(format!("picture-{index}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// Says which pictures are wanted now, the most wanted first, in place of what was wanted before.
    /// Beyond [`PICTURES_WANTED_MAX`] the least wanted are left out.
    pub fn want(&self, mut wanted: Vec<PictureRequest>) {
        wanted.truncate(PICTURES_WANTED_MAX);
        let mut state = self.shared.lock();
        if wanted == state.wanted {
            return;
        }
        let mut unique: Vec<PictureRequest> = Vec::with_capacity(wanted.len());
        for request in wanted {
            if !unique.contains(&request) {
                unique.push(request);
            }
        }
        state.results.retain(|(request, _)| unique.contains(request));
        state.result_bytes = state.results.iter().map(|(_, picture)| bytes_of(picture)).sum();
        state.wanted = unique;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The next decoded picture. Each wanted one comes once; asking for it again decodes it again.
    pub fn poll(&self) -> Option<Picture> {
        let mut state = self.shared.lock();
        state.is_woken = false;
        let (request, picture) = state.results.pop_front()?;
        state.result_bytes -= bytes_of(&picture);
        state.wanted.retain(|wanted| *wanted != request);
        drop(state);
        self.shared.changed.notify_all();
        Some(picture)
    }
}

impl Drop for PicturePool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

fn bytes_of(picture: &Picture) -> usize {
    picture.outcome.as_ref().map_or(0, |pixels| pixels.rgba.len())
}

impl State {
    /// The most wanted picture that nobody is at and that is not there yet.
    fn next(&self) -> Option<&PictureRequest> {
        let is_there = |request: &PictureRequest| self.results.iter().any(|(done, _)| done == request);
        self.wanted.iter().find(|request| !self.in_flight.contains(request) && !is_there(request))
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.results.is_empty()
            || (self.results.len() < RESULTS_MAX && self.result_bytes + bytes <= RESULT_BYTES_MAX)
    }
}

impl super::PictureSource for PicturePool {
    fn want(&mut self, wanted: Vec<PictureRequest>) {
        Self::want(self, wanted);
    }

    fn poll(&mut self) -> Option<Picture> {
        Self::poll(self)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn work(&self) {
        while let Some(request) = self.next_request() {
            let outcome = self.decode(&request);
            let picture = Picture {
                asset: request.asset,
                cache_key: request.cache_key.clone(),
                side_max: request.side_max,
                outcome: outcome.map(pixels),
            };
            self.deliver(request, picture);
        }
    }

    /// Sleeps until there is something to decode; `None` at the end.
    fn next_request(&self) -> Option<PictureRequest> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(request) = state.next().cloned() {
                state.in_flight.push(request.clone());
                return Some(request);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Hands a picture over, waiting for room as long as it is wanted.
    fn deliver(&self, request: PictureRequest, picture: Picture) {
        let bytes = bytes_of(&picture);
        let mut state = self.lock();
        while !state.is_closed && state.wanted.contains(&request) && !state.has_room(bytes) {
            self.changed.wait(&mut state);
        }
        state.in_flight.retain(|other| *other != request);
        if state.is_closed || !state.wanted.contains(&request) {
            return;
        }
        state.result_bytes += bytes;
        state.results.push_back((request, picture));
        let was_woken = std::mem::replace(&mut state.is_woken, true);
        drop(state);
        if !was_woken {
            self.waker.wake();
        }
    }

    fn decode(&self, request: &PictureRequest) -> CachedPicture {
        let is_thumbnail = request.side_max <= THUMBNAIL_SIDE_MAX;
        let Some(cache) = self.cache.as_ref().filter(|_| is_thumbnail) else {
            return self.decode_file(request);
        };
        match cache.get(&request.cache_key, request.side_max) {
            Some(known) => known,
            None => cache.put(&request.cache_key, request.side_max, self.decode_file(request)),
        }
    }

    fn decode_file(&self, request: &PictureRequest) -> CachedPicture {
        let path = request.path.to_bytes().ok_or(PictureError::Unreadable)?;
        let mut file = self.files.open(&path_from_bytes(&path)).map_err(|_error| PictureError::Unreadable)?;
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(&path);
        picture::decode(&mut *file, name, request.side_max)
    }
}

fn pixels(picture: Rgba) -> Pixels {
    Pixels { width: picture.width, height: picture.height, rgba: Arc::from(picture.data) }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;
    use crate::api::PathText;
    use crate::base::clock::SystemClock;
    use crate::base::files::{Entry, OsFiles, SourceFile, SourceFiles, Stat};
    use crate::media::fixture::Photo;
    use crate::media::thumb_cache::CACHE_BYTES_MAX;

    /// Real files that say when one is being opened and wait for leave.
    struct Gated {
        opened: SyncSender<String>,
        leave: Mutex<Receiver<()>>,
    }

    impl SourceFiles for Gated {
        fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
            OsFiles.list(dir)
        }
        fn stat(&self, path: &Path) -> io::Result<Stat> {
            OsFiles.stat(path)
        }
        fn open(&self, path: &Path) -> io::Result<Box<dyn SourceFile>> {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            self.opened.send(name.unwrap_or_default()).ok();
            // A hang-up is leave as well, so that a failing test ends.
            self.leave.lock().recv().ok();
            OsFiles.open(path)
        }
        fn file_system(&self, path: &Path) -> io::Result<String> {
            OsFiles.file_system(path)
        }
    }

    struct Bench {
        dir: tempfile::TempDir,
        pool: PicturePool,
        opened: Receiver<String>,
        leave: SyncSender<()>,
        woken: Receiver<()>,
    }

    fn bench(cache: bool) -> Bench {
        let dir = tempfile::tempdir().expect("a folder");
        let (opened_tx, opened) = sync_channel(1000);
        let (leave, leave_rx) = sync_channel(1000);
        let (woken_tx, woken) = sync_channel(1000);
        let files = Arc::new(Gated { opened: opened_tx, leave: Mutex::new(leave_rx) });
        let thumbs = ThumbCache::new(dir.path().join("cache"), CACHE_BYTES_MAX, Arc::new(SystemClock));
        let waker = Waker::new(move || woken_tx.send(()).expect("heard"));
        let pool = PicturePool::with_threads(files, cache.then_some(thumbs), waker, 1).expect("a thread");
        Bench { dir, pool, opened, leave, woken }
    }

    impl Bench {
        fn request(&self, asset: i64) -> PictureRequest {
            let path = self.dir.path().join(format!("{asset}.jpg"));
            if !path.exists() {
                let photo = Photo { width: 400, height: 300, ..Photo::new(asset.unsigned_abs()) };
                std::fs::write(&path, photo.jpeg()).expect("written");
            }
            PictureRequest {
                asset,
                path: PathText::from_bytes(path.as_os_str().as_encoded_bytes()),
                cache_key: format!("{asset:064x}"),
                media_type: "jpeg".to_owned(),
                side_max: 200,
            }
        }

        fn requests(&self, assets: &[i64]) -> Vec<PictureRequest> {
            assets.iter().map(|asset| self.request(*asset)).collect()
        }

        /// Lets the one thread open a file, and says which.
        fn step(&self) -> String {
            let name = self.opened.recv().expect("a file is opened");
            self.leave.send(()).expect("leave is taken");
            name
        }

        /// The next picture, waiting to be woken for it.
        fn next(&self) -> Picture {
            loop {
                if let Some(picture) = self.pool.poll() {
                    return picture;
                }
                self.woken.recv().expect("woken");
            }
        }
    }

    #[test]
    fn the_most_wanted_comes_first() {
        let bench = bench(false);
        bench.pool.want(bench.requests(&[3, 1, 2]));
        let opened = [bench.step(), bench.step(), bench.step()];
        assert_eq!(opened, ["3.jpg", "1.jpg", "2.jpg"]);
        let pictures = [bench.next(), bench.next(), bench.next()];
        assert_eq!(pictures.each_ref().map(|p| p.asset), [3, 1, 2]);
        let pixels = pictures[0].outcome.as_ref().expect("decoded");
        assert_eq!((pixels.width, pixels.height, pixels.rgba.len()), (200, 150, 200 * 150 * 4));
        assert_eq!(bench.pool.poll(), None);
    }

    #[test]
    fn what_scrolled_away_is_not_begun_and_not_delivered() {
        let bench = bench(false);
        bench.pool.want(bench.requests(&[1, 2]));
        assert_eq!(bench.opened.recv().expect("begun"), "1.jpg");
        // While 1 is being opened, only 3 is wanted any more.
        bench.pool.want(bench.requests(&[3]));
        bench.leave.send(()).expect("leave");
        assert_eq!(bench.step(), "3.jpg");
        assert_eq!(bench.next().asset, 3);
        assert_eq!(bench.pool.poll(), None);
        assert!(bench.opened.try_recv().is_err(), "2 was never opened");
    }

    #[test]
    fn wanting_the_same_again_does_not_decode_it_twice() {
        let bench = bench(false);
        let doubled = bench.requests(&[1, 1, 2]);
        bench.pool.want(doubled.clone());
        assert_eq!(bench.opened.recv().expect("begun"), "1.jpg");
        bench.pool.want(doubled);
        bench.leave.send(()).expect("leave");
        assert_eq!(bench.step(), "2.jpg");
        bench.woken.recv().expect("woken");
        // 1 is done and waits to be fetched.
        bench.pool.want(bench.requests(&[2, 1]));
        let mut assets = [bench.next().asset, bench.next().asset];
        assets.sort_unstable();
        assert_eq!(assets, [1, 2]);
        assert!(bench.opened.try_recv().is_err());
        // Fetched and wanted again, it comes again.
        bench.pool.want(bench.requests(&[1]));
        assert_eq!(bench.step(), "1.jpg");
        assert_eq!(bench.next().asset, 1);
    }

    #[test]
    fn thumbnails_come_from_the_cache_the_second_time() {
        let bench = bench(true);
        bench.pool.want(bench.requests(&[1]));
        bench.step();
        assert!(bench.next().outcome.is_ok());
        bench.pool.want(Vec::new());
        bench.pool.want(bench.requests(&[1]));
        assert!(bench.next().outcome.is_ok());
        assert!(bench.opened.try_recv().is_err(), "the file was not opened again");
        // A full view is not cached.
        let full = PictureRequest { side_max: THUMBNAIL_SIDE_MAX + 1, ..bench.request(1) };
        bench.pool.want(vec![full]);
        bench.step();
        assert!(bench.next().outcome.is_ok());
    }

    #[test]
    fn what_cannot_be_shown_says_why() {
        let bench = bench(true);
        let video = PictureRequest { media_type: "mov".to_owned(), ..bench.request(1) };
        let path = bench.dir.path().join("clip.mov");
        std::fs::write(&path, b"\0\0\0\x14ftypqt  \0\0\0\0qt  ").expect("written");
        let video =
            PictureRequest { path: PathText::from_bytes(path.as_os_str().as_encoded_bytes()), ..video };
        let gone = PictureRequest { path: PathText::from_bytes(b"/nowhere/a.jpg"), ..bench.request(2) };
        bench.pool.want(vec![video, gone]);
        bench.step();
        bench.step();
        assert_eq!(bench.next().outcome, Err(PictureError::Unsupported));
        assert_eq!(bench.next().outcome, Err(PictureError::Unreadable));
    }

    #[test]
    fn one_wake_until_it_was_looked() {
        let bench = bench(false);
        bench.pool.want(bench.requests(&[1, 2, 3]));
        bench.step();
        bench.step();
        // The third is only opened once the second was delivered.
        bench.step();
        bench.woken.recv().expect("woken once");
        assert!(bench.woken.try_recv().is_err());
        let fetched = [bench.next(), bench.next(), bench.next()];
        assert_eq!(fetched.map(|picture| picture.asset), [1, 2, 3]);
    }

    #[test]
    fn results_wait_within_their_limits() {
        let pictures = |count: usize, bytes: usize| {
            let mut state = State::default();
            for n in 0..count {
                let request = PictureRequest {
                    asset: 1,
                    path: PathText::from_bytes(b"/a"),
                    cache_key: n.to_string(),
                    media_type: "jpeg".to_owned(),
                    side_max: 100,
                };
                let pixels = Pixels { width: 1, height: 1, rgba: Arc::from(vec![0; bytes]) };
                let picture =
                    Picture { asset: 1, cache_key: n.to_string(), side_max: 100, outcome: Ok(pixels) };
                state.result_bytes += bytes;
                state.results.push_back((request, picture));
            }
            state
        };
        assert!(pictures(0, 0).has_room(usize::MAX), "a single one always has room");
        assert!(pictures(RESULTS_MAX - 1, 4).has_room(4));
        assert!(!pictures(RESULTS_MAX, 4).has_room(4));
        assert!(!pictures(1, 1024).has_room(RESULT_BYTES_MAX));
    }
}
