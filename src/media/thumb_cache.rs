//! Thumbnails on disk, so that a picture is decoded once and not on every scroll.
//!
//! An entry is named by the file version's key and the side. Failures are remembered as well. All of
//! it is expendable: an error here means a picture is decoded again, never that one is missing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::picture::resize::flatten;
use super::picture::{DECODER_VERSION, PictureError, Rgba, decode_cached, encode_jpeg};
use crate::base::atomic_file::{self, Durability};
use crate::base::clock::SharedClock;

/// The most that a cache takes on disk, unless told otherwise.
pub const CACHE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// JPEG quality of stored thumbnails.
const QUALITY: u8 = 85;
/// The longest key. A BLAKE3 in hexadecimal has 64 characters.
const KEY_CHARS_MAX: usize = 128;
/// A larger file in the cache is not one of ours.
const ENTRY_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A sweep follows each time this part of the limit has been written.
const SWEEP_PART: u64 = 16;
/// A sweep leaves the cache this full, in percent of its limit, so that the next is not at once.
const SWEPT_PERCENT: u64 = 85;
/// The most entries that one sweep looks at; more are left to the next.
const SWEEP_ENTRIES_MAX: usize = 200_000;
/// How stale an entry's mark of use may be before it is renewed.
const USED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A temporary file this old was left by a process that died.
const TEMP_AFTER: Duration = Duration::from_secs(3600);

/// What the cache knows of a picture.
pub type CachedPicture = Result<Rgba, PictureError>;

/// A folder of thumbnails. Clones share it; several processes may.
#[derive(Clone)]
pub struct ThumbCache(Arc<Inner>);

struct Inner {
    root: PathBuf,
    version: PathBuf,
    bytes_max: u64,
    clock: SharedClock,
    /// Written since the last sweep.
    written: AtomicU64,
    is_sweeping: AtomicBool,
    temp_count: AtomicU64,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// Entries that stayed.
    pub kept: usize,
    /// Bytes that stayed.
    pub kept_bytes: u64,
    /// Files that were removed.
    pub removed: usize,
}

impl ThumbCache {
    /// A cache in `dir`, which is made when it is first needed, of at most about `bytes_max`.
    pub fn new(dir: PathBuf, bytes_max: u64, clock: SharedClock) -> Self {
        let version = dir.join(format!("v{DECODER_VERSION}"));
        // The first write of a process sweeps: the last one may have ended before it could.
        let written = AtomicU64::new(bytes_max);
        let is_sweeping = AtomicBool::new(false);
        let temp_count = AtomicU64::new(0);
        Self(Arc::new(Inner { root: dir, version, bytes_max, clock, written, is_sweeping, temp_count }))
    }

    /// What is known of a picture, if anything.
    pub fn get(&self, key: &str, side: u32) -> Option<CachedPicture> {
        let path = self.path(key, side)?;
        if let Ok(bytes) = read_small(&path) {
            self.mark_used(&path);
            // Damaged by a power cut, perhaps: decoding again replaces it.
            return decode_cached(&bytes, side).ok().map(Ok);
        }
        let reason = fs::read(path.with_extension("none")).ok()?;
        PictureError::parse(std::str::from_utf8(&reason).ok()?).map(Err)
    }

    /// Remembers a picture, or that there is none, and returns what the cache would return for it.
    /// What cannot be written is decoded again another time.
    pub fn put(&self, key: &str, side: u32, outcome: CachedPicture) -> CachedPicture {
        let outcome = outcome.map(flatten);
        let stored = match &outcome {
            Ok(picture) => encode_jpeg(picture, QUALITY).map(|bytes| ("jpg", bytes)),
            Err(reason) => reason.is_lasting().then(|| ("none", reason.as_str().into())),
        };
        if let (Some((extension, bytes)), Some(path)) = (stored, self.path(key, side))
            && self.write(&path.with_extension(extension), &bytes).is_ok()
        {
            self.count(bytes.len() as u64);
        }
        outcome
    }

    /// Removes the least recently used entries beyond the limit, the entries of other decoder
    /// versions, and what dead processes left.
    pub fn sweep(&self) -> SweepReport {
        let inner = &*self.0;
        inner.written.store(0, Ordering::Relaxed);
        let mut report = SweepReport::default();
        for dir in entries(&inner.root).filter(|path| *path != inner.version) {
            let is_version = dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"v"));
            if is_version && fs::remove_dir_all(&dir).is_ok() {
                report.removed += 1;
            }
        }
        let now = self.now();
        let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for path in entries(&inner.version).flat_map(|shard| entries(&shard)).take(SWEEP_ENTRIES_MAX) {
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let used = meta.modified().unwrap_or(UNIX_EPOCH);
            let is_temp = path.extension().is_some_and(|extension| extension == "tmp");
            if !is_temp {
                report.kept += 1;
                report.kept_bytes += meta.len();
                found.push((used, meta.len(), path));
            } else if now.duration_since(used).is_ok_and(|age| age > TEMP_AFTER)
                && fs::remove_file(&path).is_ok()
            {
                report.removed += 1;
            }
        }
        if report.kept_bytes > inner.bytes_max {
            let target = inner.bytes_max / 100 * SWEPT_PERCENT;
            found.sort_unstable();
            for (_used, len, path) in found {
                if report.kept_bytes <= target {
                    break;
                }
                if fs::remove_file(&path).is_ok() {
                    report.kept_bytes -= len;
                    report.kept -= 1;
                    report.removed += 1;
                }
            }
        }
        report
    }

    /// Where an entry is; `None` for a key that is not a safe name.
    fn path(&self, key: &str, side: u32) -> Option<PathBuf> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_plain = (2..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(is_safe);
        is_plain.then(|| self.0.version.join(&key[..2]).join(format!("{key}-{side}.jpg")))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(dir)?;
        let count = self.0.temp_count.fetch_add(1, Ordering::Relaxed);
        let temp = dir.join(format!("{}-{count}.tmp", std::process::id()));
        atomic_file::replace(path, &temp, bytes, Durability::None)
    }

    /// Counts what was written, and sweeps on this thread when enough has been.
    fn count(&self, bytes: u64) {
        let inner = &*self.0;
        let total = inner.written.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if total > inner.bytes_max / SWEEP_PART && !inner.is_sweeping.swap(true, Ordering::AcqRel) {
            self.sweep();
            inner.is_sweeping.store(false, Ordering::Release);
        }
    }

    /// Keeps a used entry from being taken for an old one, at most once a day.
    fn mark_used(&self, path: &Path) {
        let now = self.now();
        let Ok(file) = fs::File::options().append(true).open(path) else { return };
        let used = file.metadata().and_then(|meta| meta.modified());
        if used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > USED_AFTER)) {
            file.set_modified(now).ok();
        }
    }

    fn now(&self) -> SystemTime {
        let millis = u64::try_from(self.0.clock.now().0).unwrap_or(0);
        UNIX_EPOCH + Duration::from_millis(millis)
    }
}

impl std::fmt::Debug for ThumbCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ThumbCache({})", self.0.version.display())
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    if fs::symlink_metadata(path)?.len() > ENTRY_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::{Clock, SystemClock};
    use crate::domain::time::UnixMillis;
    use crate::media::fixture::Photo;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    struct FixedClock(i64);

    impl Clock for FixedClock {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0)
        }
    }

    fn cache(dir: &Path, bytes_max: u64) -> ThumbCache {
        ThumbCache::new(dir.to_path_buf(), bytes_max, Arc::new(SystemClock))
    }

    fn picture(seed: u64) -> Rgba {
        Photo { width: 160, height: 120, ..Photo::new(seed) }.upright()
    }

    fn key(n: usize) -> String {
        format!("{n:02x}{KEY}")
    }

    #[test]
    fn what_was_put_is_got() {
        let dir = tempfile::tempdir().expect("a folder");
        let thumbs = cache(dir.path(), CACHE_BYTES_MAX);
        assert_eq!(thumbs.get(KEY, 320), None);
        let put = thumbs.put(KEY, 320, Ok(picture(1))).expect("given back");
        let got = thumbs.get(KEY, 320).expect("known").expect("a picture");
        assert_eq!((got.width, got.height), (160, 120));
        let apart = got.data.iter().zip(&put.data).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        assert!(apart / got.data.len() as u64 <= 6, "looks the same");
        assert_eq!(thumbs.get(KEY, 160), None, "another side is another entry");
        assert_eq!(cache(dir.path(), CACHE_BYTES_MAX).get(KEY, 320).map(|o| o.is_ok()), Some(true));
    }

    #[test]
    fn failures_are_remembered_unless_they_may_pass() {
        let dir = tempfile::tempdir().expect("a folder");
        let thumbs = cache(dir.path(), CACHE_BYTES_MAX);
        for (n, reason) in PictureError::ALL.into_iter().enumerate() {
            assert_eq!(thumbs.put(&key(n), 320, Err(reason)), Err(reason));
            let expected = (reason != PictureError::Unreadable).then_some(Err(reason));
            assert_eq!(thumbs.get(&key(n), 320), expected, "{reason:?}");
        }
    }

    #[test]
    fn keys_cannot_leave_the_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let thumbs = cache(dir.path(), CACHE_BYTES_MAX);
        for bad in ["", "a", "../../../../etc/passwd", "abcd/efgh", "gh.ij", "é1234", &"a".repeat(129)] {
            assert!(thumbs.put(bad, 320, Ok(picture(1))).is_ok());
            assert_eq!(thumbs.get(bad, 320), None, "{bad}");
        }
        assert_eq!(entries(dir.path()).count(), 0);
    }

    #[test]
    fn a_damaged_entry_is_no_entry() {
        let dir = tempfile::tempdir().expect("a folder");
        let thumbs = cache(dir.path(), CACHE_BYTES_MAX);
        thumbs.put(KEY, 320, Ok(picture(1))).expect("given back");
        fs::write(thumbs.path(KEY, 320).expect("plain"), b"\xff\xd8 half").expect("written");
        assert_eq!(thumbs.get(KEY, 320), None);
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let thumbs = cache(dir.path(), CACHE_BYTES_MAX);
        for n in 0..20 {
            thumbs.put(&key(n), 320, Ok(picture(1))).expect("given back");
            let path = thumbs.path(&key(n), 320).expect("plain");
            let file = fs::File::options().append(true).open(&path).expect("there");
            file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000 + n as u64)).expect("dated");
        }
        let one = fs::metadata(thumbs.path(&key(0), 320).expect("plain")).expect("there").len();
        // Using the oldest makes it the newest.
        assert!(thumbs.get(&key(0), 320).is_some());
        let stale = dir.path().join("v0/ab");
        fs::create_dir_all(&stale).expect("made");
        fs::write(thumbs.0.version.join("00/1-1.tmp"), b"left").expect("written");

        let small =
            ThumbCache::new(dir.path().to_path_buf(), one * 10, Arc::new(FixedClock(4_000_000_000_000)));
        let report = small.sweep();
        assert!(report.kept_bytes <= one * 10 && report.kept >= 7, "{report:?}");
        assert!(!stale.exists() && !thumbs.0.version.join("00/1-1.tmp").exists());
        assert!(small.get(&key(0), 320).is_some() && small.get(&key(19), 320).is_some());
        assert!(small.get(&key(1), 320).is_none() && small.get(&key(5), 320).is_none());
    }

    #[test]
    fn writing_keeps_within_the_limit_by_itself() {
        let dir = tempfile::tempdir().expect("a folder");
        let limit = 60_000;
        let thumbs = cache(dir.path(), limit);
        for n in 0..60 {
            thumbs.put(&key(n), 320, Ok(picture(1))).expect("given back");
        }
        let total: u64 = entries(&thumbs.0.version)
            .flat_map(|shard| entries(&shard))
            .map(|path| fs::metadata(path).expect("there").len())
            .sum();
        assert!(total > limit / 3 && total <= limit + limit / SWEEP_PART + 20_000, "{total}");
    }
}
