//! Source files in memory that count what is read and can go wrong in the middle.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use safelight::base::digester::Digester;
use safelight::base::files::{Entry, EntryKind, SharedFiles, SourceFile, SourceFiles, Stat};
use safelight::destination::Item;
use safelight::domain::asset::{CapturedAt, Provenance, ResourceKind};
use safelight::domain::file::FileStamp;
use safelight::domain::hash::{Blake3, ContentHash, DigestKind, Digests};
use safelight::domain::ids::RecordId;
use safelight::domain::key::temp_token;
use safelight::domain::time::UnixMillis;
use tokio_util::sync::CancellationToken;

use super::site::INSTALLATION;

/// 2019-05-12T10:15:00.250Z.
pub const MTIME_NS: i64 = 1_557_656_100_250_000_000;

/// What happens when reading reaches a position.
#[derive(Clone)]
pub enum SourceFault {
    /// The token is cancelled.
    Cancel(CancellationToken),
    /// The system says this.
    Error(i32),
    /// The file gets another modification time.
    Touch,
    /// Something happens elsewhere.
    Do(Arc<dyn Fn() + Send + Sync>),
}

#[derive(Clone)]
struct Fake {
    bytes: Arc<Vec<u8>>,
    stamp: FileStamp,
}

#[derive(Default)]
struct Shared {
    files: HashMap<PathBuf, Fake>,
    fault: Option<(u64, SourceFault)>,
}

/// Source files in memory.
#[derive(Clone, Default)]
pub struct Sources {
    shared: Arc<Mutex<Shared>>,
    read: Arc<AtomicU64>,
    /// Every key that was given out, with its bytes' digest.
    keys: Arc<Mutex<Vec<(String, Blake3)>>>,
}

struct OpenFake {
    sources: Sources,
    path: PathBuf,
    position: u64,
}

/// Bytes that differ from any other seed's and do not repeat.
pub fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut out = vec![0; size];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut out);
    out
}

pub fn digest(bytes: &[u8]) -> Blake3 {
    Blake3(*blake3::hash(bytes).as_bytes())
}

/// All digests beside BLAKE3.
pub fn digests(bytes: &[u8]) -> Digests {
    let mut digester = Digester::new(DigestKind::ALL.into_iter().collect());
    digester.update(bytes);
    digester.finish().digests
}

pub fn may_2019() -> CapturedAt {
    CapturedAt {
        wall_ms: UnixMillis(1_557_656_100_000),
        offset_minutes: None,
        provenance: Provenance::Metadata,
    }
}

impl Sources {
    /// Adds a file, and gives the item that would send it.
    pub fn add(&self, record: i64, key: &str, bytes: &[u8]) -> Item {
        self.keys.lock().push((key.to_owned(), digest(bytes)));
        let path = PathBuf::from(format!("/source/{record}.jpg"));
        let stamp = FileStamp { size: bytes.len() as u64, mtime_ns: MTIME_NS, ctime_ns: 1 };
        let fake = Fake { bytes: Arc::new(bytes.to_vec()), stamp };
        self.lock().files.insert(path.clone(), fake);
        Item {
            record: RecordId(record),
            key: key.to_owned(),
            content: ContentHash { blake3: digest(bytes), size: bytes.len() as u64 },
            digests: digests(bytes),
            path,
            stamp,
            captured_at: may_2019(),
            kind: ResourceKind::Photo,
            token: temp_token(INSTALLATION, record.unsigned_abs()),
            other_paths: Vec::new(),
            companions: Vec::new(),
        }
    }

    /// Changes the bytes of an item's file, and its time too unless `quietly`.
    pub fn change(&self, item: &Item, bytes: &[u8], quietly: bool) {
        let mut shared = self.lock();
        let fake = shared.files.get_mut(&item.path).expect("added before");
        fake.bytes = Arc::new(bytes.to_vec());
        if !quietly {
            fake.stamp.size = bytes.len() as u64;
            fake.stamp.mtime_ns += 1;
        }
    }

    /// Gives an item's file another path below the source.
    pub fn rename(&self, item: &Item, name: &str) -> PathBuf {
        let path = PathBuf::from("/source").join(name);
        let mut shared = self.lock();
        let fake = shared.files.remove(&item.path).expect("added before");
        shared.files.insert(path.clone(), fake);
        path
    }

    /// The keys that were given out for these bytes, the latest first.
    pub fn keys_of(&self, bytes: &[u8]) -> Vec<String> {
        let (keys, wanted) = (self.keys.lock(), digest(bytes));
        keys.iter().rev().filter(|(_key, of)| *of == wanted).map(|(key, _of)| key.clone()).collect()
    }

    pub fn remove(&self, item: &Item) {
        self.lock().files.remove(&item.path);
    }

    /// Something happens, once, when reading reaches `position` of any file.
    pub fn fault_at(&self, position: u64, fault: SourceFault) {
        self.lock().fault = Some((position, fault));
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::SeqCst)
    }

    pub fn shared(&self) -> SharedFiles {
        Arc::new(self.clone())
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    fn fake(&self, path: &Path) -> io::Result<Fake> {
        let missing = || io::Error::from_raw_os_error(libc_enoent());
        self.lock().files.get(path).cloned().ok_or_else(missing)
    }
}

const fn libc_enoent() -> i32 {
    2
}

fn stat_of(fake: &Fake) -> Stat {
    Stat { kind: EntryKind::File, stamp: fake.stamp, dev: 1, ino: 1, blocks: 8 }
}

impl SourceFiles for Sources {
    fn list(&self, _dir: &Path) -> io::Result<Vec<Entry>> {
        panic!("a destination never lists a source")
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.fake(path).map(|fake| stat_of(&fake))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SourceFile>> {
        self.fake(path)?;
        Ok(Box::new(OpenFake { sources: self.clone(), path: path.to_owned(), position: 0 }))
    }

    fn file_system(&self, _path: &Path) -> io::Result<String> {
        panic!("a destination never asks for a source's file system")
    }
}

impl SourceFile for OpenFake {
    fn stat(&self) -> io::Result<Stat> {
        self.sources.stat(&self.path)
    }
}

impl Read for OpenFake {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut shared = self.sources.lock();
        if let Some((at, fault)) = shared.fault.clone()
            && self.position + buf.len() as u64 > at
        {
            shared.fault = None;
            match fault {
                SourceFault::Cancel(token) => token.cancel(),
                SourceFault::Do(act) => act(),
                SourceFault::Error(code) => return Err(io::Error::from_raw_os_error(code)),
                SourceFault::Touch => {
                    if let Some(fake) = shared.files.get_mut(&self.path) {
                        fake.stamp.mtime_ns += 1;
                    }
                }
            }
        }
        let fake = shared.files.get(&self.path).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(self.position).expect("a small file").min(fake.bytes.len());
        let count = buf.len().min(fake.bytes.len() - from);
        buf[..count].copy_from_slice(&fake.bytes[from..from + count]);
        self.position += count as u64;
        self.sources.read.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl Seek for OpenFake {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(position) => self.position = position,
            _ => panic!("only seeks from the start are expected"),
        }
        Ok(self.position)
    }
}
