//! A file system in memory with switchable troubles: the reference that the real one is compared
//! with, and the only way to try FAT names, full disks and cut power in a test.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fs::{Chunks, CopyFile, EntryFacts, FolderDir, FolderFs, FsFacts, check_name};
use crate::base::files::EntryKind;
use crate::domain::key;
use crate::domain::record::ProofMethod;

const ROOT: u64 = 0;

/// How the file system behaves; may be changed at any time.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The folder is there at all.
    pub is_present: bool,
    /// What is at the folder's path is the empty mount point, not the disk.
    pub is_unmounted: bool,
    /// Names that differ only in case or composition are one.
    pub ignores_case: bool,
    /// FAT's rules: reserved characters refused, files below 4 GiB.
    pub has_fat_names: bool,
    /// Nothing can be changed.
    pub is_read_only: bool,
    /// A rename can leave existing names alone.
    pub no_replace: bool,
    /// Bytes that fit.
    pub capacity: Option<u64>,
    /// It does not say how many bytes are free.
    pub hides_free_space: bool,
    /// The disk vanishes after so many more bytes.
    pub vanish_after: Option<u64>,
    /// What reading back shows instead of the truth.
    pub lie: Option<Lie>,
    /// How copies can be proved.
    pub proof: Option<ProofMethod>,
    /// The longest name in bytes.
    pub name_len_max: usize,
    /// Times are cut to a multiple of this many nanoseconds.
    pub mtime_step_ns: i64,
    /// See [`FolderDir::session`].
    pub session: String,
}

/// What reading back shows instead of the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// One byte is another.
    FlippedByte,
    /// The last byte is missing.
    ShortByOne,
    /// The disk says that it cannot read.
    CannotRead,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            is_present: true,
            is_unmounted: false,
            ignores_case: false,
            has_fat_names: false,
            is_read_only: false,
            no_replace: true,
            capacity: None,
            hides_free_space: false,
            vanish_after: None,
            lie: None,
            proof: Some(ProofMethod::DirectRead),
            name_len_max: key::NAME_BYTES_MAX,
            mtime_step_ns: 1,
            session: "first".to_owned(),
        }
    }
}

/// A file system in memory with one folder.
#[derive(Clone)]
pub struct MemoryFs {
    root: PathBuf,
    world: Arc<Mutex<World>>,
}

type Names = BTreeMap<String, (String, u64)>;

enum Node {
    Dir { names: Names, durable: Names },
    File { bytes: Vec<u8>, durable: Vec<u8>, mtime_ns: i64 },
    Link,
}

struct World {
    rules: Rules,
    nodes: HashMap<u64, Node>,
    next: u64,
}

struct MemoryDir {
    world: Arc<Mutex<World>>,
    id: u64,
}

struct MemoryFile {
    world: Arc<Mutex<World>>,
    id: u64,
    position: usize,
}

struct MemoryChunks(Option<Vec<u8>>, Vec<u8>);

impl MemoryFs {
    /// An empty folder at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root_dir = Node::Dir { names: Names::new(), durable: Names::new() };
        let nodes = HashMap::from([(ROOT, root_dir)]);
        let world = World { rules: Rules::default(), nodes, next: ROOT + 1 };
        Self { root: root.into(), world: Arc::new(Mutex::new(world)) }
    }

    /// Changes how it behaves from now on.
    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut lock(&self.world).rules);
    }

    /// The bytes of the file at `path`; `None` where there is none.
    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let world = lock(&self.world);
        let id = world.find(path)?;
        match world.nodes.get(&id)? {
            Node::File { bytes, .. } => Some(bytes.clone()),
            Node::Dir { .. } | Node::Link => None,
        }
    }

    /// Puts a file there, durably and past all rules, with the directories above it.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let node = Node::File { bytes: bytes.to_vec(), durable: bytes.to_vec(), mtime_ns: 0 };
        lock(&self.world).put(path, node);
    }

    /// Puts a symbolic link there.
    pub fn put_link(&self, path: &str) {
        lock(&self.world).put(path, Node::Link);
    }

    /// The paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        lock(&self.world).collect(ROOT, "", &mut files);
        files.sort();
        files
    }

    /// Takes back everything that was not synced, as a cut of power does.
    pub fn power_cut(&self) {
        for node in lock(&self.world).nodes.values_mut() {
            match node {
                Node::Dir { names, durable } => names.clone_from(durable),
                Node::File { bytes, durable, .. } => bytes.clone_from(durable),
                Node::Link => {}
            }
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn errno<T>(code: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(code))
}

impl World {
    fn fold(&self, name: &str) -> String {
        if self.rules.ignores_case { key::fold(name) } else { name.to_owned() }
    }

    fn names(&self, dir: u64) -> io::Result<&Names> {
        match self.nodes.get(&dir) {
            Some(Node::Dir { names, .. }) => Ok(names),
            _ => errno(libc::ENOTDIR),
        }
    }

    fn names_mut(&mut self, dir: u64) -> io::Result<&mut Names> {
        match self.nodes.get_mut(&dir) {
            Some(Node::Dir { names, .. }) => Ok(names),
            _ => errno(libc::ENOTDIR),
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.rules.is_present && !self.rules.is_unmounted { Ok(()) } else { errno(libc::EIO) }
    }

    fn writable(&self) -> io::Result<()> {
        self.alive()?;
        if self.rules.is_read_only { errno(libc::EROFS) } else { Ok(()) }
    }

    fn check(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        let is_refused = |c| matches!(c, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*' | '\0'..='\u{1f}');
        if name.len() > self.rules.name_len_max {
            return errno(libc::ENAMETOOLONG);
        }
        if self.rules.has_fat_names && name.contains(is_refused) {
            return errno(libc::EINVAL);
        }
        Ok(())
    }

    fn lookup(&self, dir: u64, name: &str) -> io::Result<u64> {
        self.alive()?;
        self.check(name)?;
        let slot = self.names(dir)?.get(&self.fold(name));
        slot.map_or_else(|| errno(libc::ENOENT), |(_name, id)| Ok(*id))
    }

    fn add(&mut self, dir: u64, name: &str, node: Node) -> io::Result<u64> {
        self.writable()?;
        self.check(name)?;
        let folded = self.fold(name);
        if self.names(dir)?.contains_key(&folded) {
            return errno(libc::EEXIST);
        }
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        self.names_mut(dir)?.insert(folded, (name.to_owned(), id));
        Ok(id)
    }

    fn rename(&mut self, dir: u64, from: &str, to: &str) -> io::Result<()> {
        let id = self.lookup(dir, from)?;
        self.writable()?;
        self.check(to)?;
        let (from, folded) = (self.fold(from), self.fold(to));
        let names = self.names_mut(dir)?;
        names.remove(&from);
        names.insert(folded, (to.to_owned(), id));
        Ok(())
    }

    /// Bytes in files that still have a name.
    fn used(&self, dir: u64) -> u64 {
        let Ok(names) = self.names(dir) else { return 0 };
        let sizes = names.values().map(|(_name, id)| match self.nodes.get(id) {
            Some(Node::File { bytes, .. }) => bytes.len() as u64,
            Some(Node::Dir { .. }) => self.used(*id),
            _ => 0,
        });
        sizes.sum()
    }

    fn write(&mut self, file: u64, position: usize, buf: &[u8]) -> io::Result<usize> {
        self.writable()?;
        let mut room = buf.len() as u64;
        if let Some(capacity) = self.rules.capacity {
            room = room.min(capacity.saturating_sub(self.used(ROOT)));
            if room == 0 && !buf.is_empty() {
                return errno(libc::ENOSPC);
            }
        }
        if let Some(left) = &mut self.rules.vanish_after {
            if *left < room {
                self.rules.is_present = false;
                return errno(libc::EIO);
            }
            *left -= room;
        }
        let count = usize::try_from(room).unwrap_or(buf.len());
        match self.nodes.get_mut(&file) {
            Some(Node::File { bytes, .. }) => {
                let overlap = count.min(bytes.len().saturating_sub(position));
                bytes[position..position + overlap].copy_from_slice(&buf[..overlap]);
                bytes.extend_from_slice(&buf[overlap..count]);
                Ok(count)
            }
            _ => errno(libc::EBADF),
        }
    }

    fn bytes(&self, file: u64) -> io::Result<&Vec<u8>> {
        self.alive()?;
        match self.nodes.get(&file) {
            Some(Node::File { bytes, .. }) => Ok(bytes),
            Some(Node::Link) => errno(libc::ELOOP),
            _ => errno(libc::EISDIR),
        }
    }

    fn find(&self, path: &str) -> Option<u64> {
        path.split('/')
            .try_fold(ROOT, |dir, part| self.names(dir).ok()?.get(&self.fold(part)).map(|(_name, id)| *id))
    }

    fn put(&mut self, path: &str, node: Node) {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut dir = ROOT;
        for part in dirs.split('/').filter(|part| !part.is_empty()) {
            dir = self.put_one(dir, part, || Node::Dir { names: Names::new(), durable: Names::new() });
        }
        let mut node = Some(node);
        let id = self.put_one(dir, name, || node.take().unwrap_or(Node::Link));
        if let Some(node) = node {
            self.nodes.insert(id, node);
        }
    }

    fn put_one(&mut self, dir: u64, name: &str, make: impl FnOnce() -> Node) -> u64 {
        let folded = self.fold(name);
        if let Ok(Some((_name, id))) = self.names(dir).map(|names| names.get(&folded)) {
            return *id;
        }
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, make());
        if let Some(Node::Dir { names, durable }) = self.nodes.get_mut(&dir) {
            names.insert(folded.clone(), (name.to_owned(), id));
            durable.insert(folded, (name.to_owned(), id));
        }
        id
    }

    fn collect(&self, dir: u64, path: &str, files: &mut Vec<String>) {
        let Ok(names) = self.names(dir) else { return };
        for (name, id) in names.values() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            match self.nodes.get(id) {
                Some(Node::Dir { .. }) => self.collect(*id, &path, files),
                _ => files.push(path),
            }
        }
    }
}

impl FolderFs for MemoryFs {
    fn create_root(&self, root: &Path) -> io::Result<()> {
        if root != self.root {
            return errno(libc::ENOENT);
        }
        let mut world = lock(&self.world);
        if world.rules.is_read_only && !world.rules.is_present {
            return errno(libc::EROFS);
        }
        world.rules.is_present = true;
        Ok(())
    }

    fn open_root(&self, root: &Path) -> io::Result<Box<dyn FolderDir>> {
        let world = lock(&self.world);
        if root != self.root || !world.rules.is_present {
            return errno(libc::ENOENT);
        }
        if world.rules.is_unmounted {
            let empty = MemoryFs::new(root);
            return Ok(Box::new(MemoryDir { world: empty.world, id: ROOT }));
        }
        Ok(Box::new(MemoryDir { world: Arc::clone(&self.world), id: ROOT }))
    }
}

impl FolderDir for MemoryDir {
    fn open_dir(&self, name: &str) -> io::Result<Box<dyn FolderDir>> {
        let world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        world.names(id)?;
        Ok(Box::new(Self { world: Arc::clone(&self.world), id }))
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        let dir = Node::Dir { names: Names::new(), durable: Names::new() };
        lock(&self.world).add(self.id, name, dir).map(drop)
    }

    fn entry(&self, name: &str) -> io::Result<EntryFacts> {
        let world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        Ok(match world.nodes.get(&id) {
            Some(Node::File { bytes, mtime_ns, .. }) => {
                EntryFacts { kind: EntryKind::File, size: bytes.len() as u64, mtime_ns: *mtime_ns }
            }
            Some(Node::Dir { .. }) => EntryFacts { kind: EntryKind::Dir, size: 0, mtime_ns: 0 },
            _ => EntryFacts { kind: EntryKind::Symlink, size: 0, mtime_ns: 0 },
        })
    }

    fn list(&self, limit: usize) -> io::Result<Vec<(Vec<u8>, EntryKind)>> {
        let world = lock(&self.world);
        world.alive()?;
        let kind = |id: &u64| match world.nodes.get(id) {
            Some(Node::File { .. }) => EntryKind::File,
            Some(Node::Dir { .. }) => EntryKind::Dir,
            _ => EntryKind::Symlink,
        };
        let names = world.names(self.id)?.values().take(limit);
        Ok(names.map(|(name, id)| (name.clone().into_bytes(), kind(id))).collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn CopyFile>> {
        let file = Node::File { bytes: Vec::new(), durable: Vec::new(), mtime_ns: 0 };
        let id = lock(&self.world).add(self.id, name, file)?;
        Ok(Box::new(MemoryFile { world: Arc::clone(&self.world), id, position: 0 }))
    }

    fn reopen(&self, name: &str) -> io::Result<Option<Box<dyn CopyFile>>> {
        let world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        world.writable()?;
        let is_file = matches!(world.nodes.get(&id), Some(Node::File { .. }));
        let file = MemoryFile { world: Arc::clone(&self.world), id, position: 0 };
        Ok(is_file.then(|| Box::new(file) as Box<dyn CopyFile>))
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        world.bytes(id)?;
        Ok(Box::new(MemoryFile { world: Arc::clone(&self.world), id, position: 0 }))
    }

    fn read_back(&self, name: &str, _method: ProofMethod) -> io::Result<Box<dyn Chunks>> {
        let world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        let mut bytes = world.bytes(id)?.clone();
        match (world.rules.lie, bytes.last_mut()) {
            (Some(Lie::CannotRead), _) => return errno(libc::EIO),
            (Some(Lie::FlippedByte), Some(last)) => *last ^= 1,
            (Some(Lie::ShortByOne), Some(_last)) => drop(bytes.pop()),
            _ => {}
        }
        Ok(Box::new(MemoryChunks(Some(bytes), Vec::new())))
    }

    fn find_proof(&self, name: &str) -> io::Result<Option<ProofMethod>> {
        let world = lock(&self.world);
        world.lookup(self.id, name)?;
        Ok(world.rules.proof)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        if !world.rules.no_replace {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        match world.lookup(self.id, to) {
            Ok(_taken) => errno(libc::EEXIST),
            Err(error) if error.kind() == io::ErrorKind::NotFound => world.rename(self.id, from, to),
            Err(error) => Err(error),
        }
    }

    fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        lock(&self.world).rename(self.id, from, to)
    }

    fn remove_file(&self, name: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        world.writable()?;
        if matches!(world.nodes.get(&id), Some(Node::Dir { .. })) {
            return errno(libc::EISDIR);
        }
        let folded = world.fold(name);
        world.names_mut(self.id)?.remove(&folded);
        // The bytes stay: a cut of power may bring their name back.
        Ok(())
    }

    fn remove_dir(&self, name: &str) -> io::Result<()> {
        let mut world = lock(&self.world);
        let id = world.lookup(self.id, name)?;
        world.writable()?;
        if !world.names(id)?.is_empty() {
            return errno(libc::ENOTEMPTY);
        }
        let folded = world.fold(name);
        world.names_mut(self.id)?.remove(&folded);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.alive()?;
        if let Some(Node::Dir { names, durable }) = world.nodes.get_mut(&self.id) {
            durable.clone_from(names);
        }
        Ok(())
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        let id = lock(&self.world).lookup(self.id, name)?;
        MemoryFile { world: Arc::clone(&self.world), id, position: 0 }.sync()
    }

    fn facts(&self) -> io::Result<FsFacts> {
        let world = lock(&self.world);
        world.alive()?;
        Ok(FsFacts {
            kind: "memory".to_owned(),
            name_len_max: u32::try_from(world.rules.name_len_max).unwrap_or(u32::MAX),
            size_max: world.rules.has_fat_names.then_some(u64::from(u32::MAX)),
        })
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let world = lock(&self.world);
        world.alive()?;
        let known = world.rules.capacity.filter(|_capacity| !world.rules.hides_free_space);
        Ok(known.map(|capacity| capacity.saturating_sub(world.used(ROOT))))
    }

    fn session(&self) -> String {
        lock(&self.world).rules.session.clone()
    }
}

impl Read for MemoryFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let world = lock(&self.world);
        let bytes = world.bytes(self.id)?;
        let count = buf.len().min(bytes.len().saturating_sub(self.position));
        buf[..count].copy_from_slice(&bytes[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

impl Write for MemoryFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = lock(&self.world).write(self.id, self.position, buf)?;
        self.position += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CopyFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.world).bytes(self.id)?.len() as u64)
    }

    fn set_mtime(&self, nanos: i64) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.writable()?;
        let step = world.rules.mtime_step_ns.max(1);
        if let Some(Node::File { mtime_ns, .. }) = world.nodes.get_mut(&self.id) {
            *mtime_ns = nanos - nanos.rem_euclid(step);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = lock(&self.world);
        world.alive()?;
        if let Some(Node::File { bytes, durable, .. }) = world.nodes.get_mut(&self.id) {
            durable.clone_from(bytes);
        }
        Ok(())
    }
}

impl Chunks for MemoryChunks {
    fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        match self.0.take() {
            Some(bytes) if !bytes.is_empty() => {
                self.1 = bytes;
                Ok(Some(&self.1))
            }
            _ => Ok(None),
        }
    }
}
