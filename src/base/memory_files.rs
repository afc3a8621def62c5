//! The simulation's file system: source files in memory, with clocks that can be set, disks that
//! can be pulled out and reads that fail.
//!
//! It keeps the promises of a real one that matter here: an open file stays readable after its name
//! has gone, a change moves the times, and a directory reached by two ways is the same one. It
//! must never be used for anything but tests and simulations.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::clock::SharedClock;
use super::files::{Entry, EntryKind, SourceFile, SourceFiles, Stat, path_bytes};
use crate::domain::file::FileStamp;

/// Source files in memory. Clones share them. Paths are absolute.
#[derive(Clone)]
pub struct MemoryFiles {
    tree: Arc<Mutex<Tree>>,
    clock: SharedClock,
}

type Ino = usize;

struct Tree {
    nodes: Vec<Node>,
    file_systems: BTreeMap<Vec<u8>, String>,
    unplugged: Vec<Vec<u8>>,
    #[cfg(test)]
    hanging: Vec<Vec<u8>>,
    open_count: u64,
    listed: u64,
}

struct Node {
    body: Body,
    stamp: FileStamp,
    dev: u64,
    blocks: Option<u64>,
    /// What opening or listing it fails with.
    refuses: Option<io::ErrorKind>,
    /// Reads at and after this offset fail.
    bad_from: Option<u64>,
    /// What its bytes become right after the next read.
    next: Option<Arc<[u8]>>,
}

enum Body {
    File(Arc<[u8]>),
    Dir(BTreeMap<Vec<u8>, Ino>),
    Symlink,
    Other,
}

const ROOT: Ino = 0;
const DEV: u64 = 1;

impl MemoryFiles {
    /// An empty file system whose changes are stamped by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        let root = Node::new(Body::Dir(BTreeMap::new()), FileStamp { size: 0, mtime_ns: 0, ctime_ns: 0 });
        let tree = Tree {
            nodes: vec![root],
            file_systems: BTreeMap::new(),
            unplugged: Vec::new(),
            #[cfg(test)]
            hanging: Vec::new(),
            open_count: 0,
            listed: 0,
        };
        Self { tree: Arc::new(Mutex::new(tree)), clock }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock()
    }

    fn now_ns(&self) -> i64 {
        self.clock.now().0.saturating_mul(1_000_000)
    }

    /// Creates a file and the directories above it, or gives an existing one new bytes; stamped now.
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        let now = self.now_ns();
        self.put(path.as_ref(), Body::File(bytes.into().into()), now);
    }

    /// [`MemoryFiles::write`], stamped with another time.
    pub fn write_at(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>, time_ns: i64) {
        self.put(path.as_ref(), Body::File(bytes.into().into()), time_ns);
    }

    /// Creates a directory and those above it.
    pub fn mkdir(&self, path: impl AsRef<Path>) {
        let now = self.now_ns();
        self.tree().make_dirs(&path_bytes(path.as_ref()), now);
    }

    /// Creates a symbolic link.
    pub fn symlink(&self, path: impl AsRef<Path>) {
        let now = self.now_ns();
        self.put(path.as_ref(), Body::Symlink, now);
    }

    /// Creates a socket, pipe or device.
    pub fn device(&self, path: impl AsRef<Path>) {
        let now = self.now_ns();
        self.put(path.as_ref(), Body::Other, now);
    }

    /// Makes a directory appear at another place as well, as a bind mount does.
    pub fn mount_again(&self, dir: impl AsRef<Path>, at: impl AsRef<Path>) {
        let now = self.now_ns();
        let mut tree = self.tree();
        if let Ok(ino) = tree.find(&path_bytes(dir.as_ref())) {
            tree.link(&path_bytes(at.as_ref()), ino, now);
        }
    }

    /// Removes a file, or a directory and all below it. Nothing happens where there is none.
    pub fn remove(&self, path: impl AsRef<Path>) {
        let path = path_bytes(path.as_ref());
        let (dir, name) = split(&path);
        let mut tree = self.tree();
        if let Ok(parent) = tree.find(dir)
            && let Body::Dir(children) = &mut tree.nodes[parent].body
        {
            children.remove(name);
        }
    }

    /// Moves a file or directory.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let now = self.now_ns();
        let found = self.tree().find(&path_bytes(from.as_ref()));
        if let Ok(ino) = found {
            self.remove(from);
            self.tree().link(&path_bytes(to.as_ref()), ino, now);
        }
    }

    /// Sets a file's stamp and leaves its bytes; the size is what `stat` says from now on.
    pub fn set_stamp(&self, path: impl AsRef<Path>, stamp: FileStamp) {
        self.with_node(path.as_ref(), |node| node.stamp = stamp);
    }

    /// Opening or listing it fails so, until this is called with `None`.
    pub fn refuse(&self, path: impl AsRef<Path>, kind: Option<io::ErrorKind>) {
        self.with_node(path.as_ref(), |node| node.refuses = kind);
    }

    /// Reads of it fail from this offset on, as on a bad sector.
    pub fn fail_from(&self, path: impl AsRef<Path>, offset: Option<u64>) {
        self.with_node(path.as_ref(), |node| node.bad_from = offset);
    }

    /// How many blocks it takes on the disk; as many as its bytes need where this is never called.
    pub fn set_blocks(&self, path: impl AsRef<Path>, blocks: u64) {
        self.with_node(path.as_ref(), |node| node.blocks = Some(blocks));
    }

    /// Its bytes become these right after the next read of it: somebody writes meanwhile.
    pub fn change_while_read(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        let bytes: Vec<u8> = bytes.into();
        self.with_node(path.as_ref(), |node| node.next = Some(bytes.into()));
    }

    /// Pulls a disk out: nothing is at or below this path until [`MemoryFiles::plug`].
    pub fn unplug(&self, root: impl AsRef<Path>) {
        self.tree().unplugged.push(path_bytes(root.as_ref()));
    }

    /// Whoever asks where a path at or below this one leads gets no answer. Only for inline executors.
    #[cfg(test)]
    pub(crate) fn hang(&self, root: impl AsRef<Path>) {
        self.tree().hanging.push(path_bytes(root.as_ref()));
    }

    /// Puts it back.
    pub fn plug(&self, root: impl AsRef<Path>) {
        let root = path_bytes(root.as_ref());
        self.tree().unplugged.retain(|path| *path != root);
    }

    /// Names the file system at and below a path.
    pub fn set_file_system(&self, root: impl AsRef<Path>, name: &str) {
        self.tree().file_systems.insert(path_bytes(root.as_ref()), name.to_owned());
    }

    /// How many files have been opened so far.
    pub fn open_count(&self) -> u64 {
        self.tree().open_count
    }

    /// How many directories have been listed so far.
    pub fn listed(&self) -> u64 {
        self.tree().listed
    }

    /// What a file holds, whoever may read it. Nothing is waiting for this as for a read.
    #[cfg(test)]
    pub(crate) fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let tree = self.tree();
        match &tree.nodes[tree.find(&path_bytes(path.as_ref())).ok()?].body {
            Body::File(bytes) => Some(bytes.to_vec()),
            Body::Dir(_) | Body::Symlink | Body::Other => None,
        }
    }

    fn put(&self, path: &Path, body: Body, time_ns: i64) {
        let path = path_bytes(path);
        let mut tree = self.tree();
        let size = if let Body::File(bytes) = &body { bytes.len() as u64 } else { 0 };
        let stamp = FileStamp { size, mtime_ns: time_ns, ctime_ns: time_ns };
        match tree.find(&path) {
            Ok(ino) => {
                let node = &mut tree.nodes[ino];
                (node.body, node.stamp, node.next) = (body, stamp, None);
            }
            Err(_none) => {
                tree.nodes.push(Node::new(body, stamp));
                let ino = tree.nodes.len() - 1;
                tree.link(&path, ino, time_ns);
            }
        }
    }

    fn with_node(&self, path: &Path, change: impl FnOnce(&mut Node)) {
        let mut tree = self.tree();
        if let Ok(ino) = tree.find(&path_bytes(path)) {
            change(&mut tree.nodes[ino]);
        }
    }
}

impl Node {
    fn new(body: Body, stamp: FileStamp) -> Self {
        Self { body, stamp, dev: DEV, blocks: None, refuses: None, bad_from: None, next: None }
    }

    fn stat(&self, ino: Ino) -> Stat {
        let kind = match &self.body {
            Body::File(_) => EntryKind::File,
            Body::Dir(_) => EntryKind::Dir,
            Body::Symlink => EntryKind::Symlink,
            Body::Other => EntryKind::Other,
        };
        let blocks = self.blocks.unwrap_or_else(|| self.stamp.size.div_ceil(512));
        Stat { kind, stamp: self.stamp, dev: self.dev, ino: ino as u64 + 1, blocks }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let cut = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    (&path[..cut], path.get(cut + 1..).unwrap_or_default())
}

fn is_at_or_below(path: &[u8], root: &[u8]) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

impl Tree {
    fn find(&self, path: &[u8]) -> io::Result<Ino> {
        if self.unplugged.iter().any(|root| is_at_or_below(path, root)) {
            return Err(not_found());
        }
        let mut at = ROOT;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let Body::Dir(children) = &self.nodes[at].body else {
                return Err(io::ErrorKind::NotADirectory.into());
            };
            at = *children.get(part).ok_or_else(not_found)?;
        }
        Ok(at)
    }

    fn make_dirs(&mut self, path: &[u8], time_ns: i64) -> Ino {
        let stamp = FileStamp { size: 0, mtime_ns: time_ns, ctime_ns: time_ns };
        let mut at = ROOT;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let fresh = self.nodes.len();
            let Body::Dir(children) = &mut self.nodes[at].body else {
                return at;
            };
            at = *children.entry(part.to_vec()).or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::new(Body::Dir(BTreeMap::new()), stamp));
            }
        }
        at
    }

    fn link(&mut self, path: &[u8], ino: Ino, time_ns: i64) {
        let (dir, name) = split(path);
        let parent = self.make_dirs(dir, time_ns);
        if let Body::Dir(children) = &mut self.nodes[parent].body {
            children.insert(name.to_vec(), ino);
        }
    }

    fn open(&mut self, path: &[u8]) -> io::Result<Ino> {
        let ino = self.find(path)?;
        let node = &self.nodes[ino];
        if let Some(kind) = node.refuses {
            return Err(kind.into());
        }
        match node.body {
            Body::File(_) => {
                self.open_count += 1;
                Ok(ino)
            }
            Body::Dir(_) | Body::Symlink | Body::Other => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl SourceFiles for MemoryFiles {
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut tree = self.tree();
        let ino = tree.find(&path_bytes(dir))?;
        if let Some(kind) = tree.nodes[ino].refuses {
            return Err(kind.into());
        }
        tree.listed += 1;
        let Body::Dir(children) = &tree.nodes[ino].body else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        let path = path_bytes(dir);
        let path = path.strip_suffix(b"/").unwrap_or(&path);
        let is_there = |name: &[u8]| !tree.unplugged.contains(&[path, b"/", name].concat());
        let entry = |(name, ino): (&Vec<u8>, &Ino)| Entry {
            name: name.clone(),
            stat: Ok(tree.nodes[*ino].stat(*ino)),
        };
        Ok(children.iter().filter(|(name, _)| is_there(name)).map(entry).collect())
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let tree = self.tree();
        let ino = tree.find(&path_bytes(path))?;
        Ok(tree.nodes[ino].stat(ino))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SourceFile>> {
        let ino = self.tree().open(&path_bytes(path))?;
        Ok(Box::new(OpenFile { files: self.clone(), ino, at: 0 }))
    }

    fn file_system(&self, path: &Path) -> io::Result<String> {
        let path = path_bytes(path);
        let tree = self.tree();
        tree.find(&path)?;
        let named = tree.file_systems.iter().rev().find(|(root, _)| is_at_or_below(&path, root));
        Ok(named.map_or_else(|| "memory".to_owned(), |(_, name)| name.clone()))
    }

    #[cfg(test)]
    fn resolve(&self, path: &Path) -> io::Result<std::path::PathBuf> {
        let at = path_bytes(path);
        let hangs = self.tree().hanging.iter().any(|root| is_at_or_below(&at, root));
        if hangs {
            crate::base::executor::hang::never_return();
        }
        Ok(path.to_path_buf())
    }
}

/// An open file: the node, whatever becomes of its name.
struct OpenFile {
    files: MemoryFiles,
    ino: Ino,
    at: u64,
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.files.now_ns();
        let mut tree = self.files.tree();
        let node = &mut tree.nodes[self.ino];
        let Body::File(bytes) = &node.body else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let good = usize::try_from(node.bad_from.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let at = usize::try_from(self.at).unwrap_or(usize::MAX).min(bytes.len());
        if at >= good && !buffer.is_empty() {
            return Err(io::Error::other("input/output error"));
        }
        let count = (bytes.len().min(good) - at).min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[at..at + count]);
        self.at += count as u64;
        if let Some(next) = node.next.take() {
            node.stamp = FileStamp { size: next.len() as u64, mtime_ns: now, ctime_ns: now };
            node.body = Body::File(next);
        }
        Ok(count)
    }
}

impl Seek for OpenFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let len = self.files.tree().nodes[self.ino].stamp.size;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl SourceFile for OpenFile {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.files.tree().nodes[self.ino].stat(self.ino))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;

    #[test]
    fn behaves_like_a_disk() {
        let files = MemoryFiles::new(Arc::new(SystemClock));
        files.write("/a/b/c.jpg", "one");
        let mut open = files.open(Path::new("/a/b/c.jpg")).expect("open");
        files.remove("/a/b");
        assert_eq!(files.stat(Path::new("/a/b/c.jpg")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut text = String::new();
        open.read_to_string(&mut text).expect("an open file outlives its name");
        assert_eq!(text, "one");

        files.write("/a/d.jpg", "two");
        files.mount_again("/a", "/a/again");
        let twice = files.stat(Path::new("/a/again/again")).expect("stat");
        assert_eq!(twice.ino, files.stat(Path::new("/a")).expect("stat").ino);

        files.set_file_system("/a", "disk");
        assert_eq!(files.file_system(Path::new("/a/again")).expect("named"), "disk");
        files.unplug("/a");
        assert!(files.list(Path::new("/a")).is_err());
        assert_eq!(files.list(Path::new("/")).expect("root").len(), 0);
        files.plug("/a");
        assert_eq!(files.list(Path::new("/a")).expect("back").len(), 2);

        files.fail_from("/a/d.jpg", Some(2));
        let mut open = files.open(Path::new("/a/d.jpg")).expect("open");
        let mut buffer = [0; 8];
        assert_eq!(open.read(&mut buffer).expect("the good part"), 2);
        assert!(open.read(&mut buffer).is_err());
    }
}
