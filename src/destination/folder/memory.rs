//! A file system in memory with switchable troubles: the reference that the real one is compared
//! with, and the only way to try FAT names, full disks and cut power in a test.

mod world;

use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{Chunks, CopyFile, EntryFacts, FolderDir, FolderFs, FsFacts};
use crate::base::files::EntryKind;
use crate::domain::key;
use crate::domain::record::{ProofMethod, ProofNeed};
use world::{Names, Node, ROOT, World, errno, lock};

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
    /// Characters that no name may have.
    pub refused_chars: &'static str,
    /// A name that can be neither written nor removed.
    pub stuck_name: Option<String>,
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
    pub lie: Option<ReadFault>,
    /// How copies can be proved.
    pub proof: Option<ProofMethod>,
    /// The longest name in bytes.
    pub name_len_max: usize,
    /// Times are cut to a multiple of this many nanoseconds.
    pub mtime_step_ns: i64,
    /// See [`FolderDir::session`].
    pub session: String,
    /// See [`FolderDir::proof_need`].
    pub proof_need: ProofNeed,
    /// The largest file in bytes.
    pub size_max: Option<u64>,
    /// It does not say how large files may be.
    pub hides_size_max: bool,
}

/// What reading back shows instead of the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// One byte is another.
    FlippedByte,
    /// The last byte is missing.
    ShortByOne,
    /// The disk says that it cannot read.
    CannotRead,
}

impl Rules {
    /// The largest file: what was set, or FAT's.
    fn size_limit(&self) -> Option<u64> {
        self.size_max.or_else(|| self.has_fat_names.then_some(u64::from(u32::MAX)))
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            is_present: true,
            is_unmounted: false,
            ignores_case: false,
            has_fat_names: false,
            refused_chars: "",
            stuck_name: None,
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
            proof_need: ProofNeed::Reconnect,
            size_max: None,
            hides_size_max: false,
        }
    }
}

/// A file system in memory with one folder.
#[derive(Clone)]
pub struct MemoryFs {
    root: PathBuf,
    world: Arc<Mutex<World>>,
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
        let world = World {
            rules: Rules::default(),
            nodes,
            next: ROOT + 1,
            unread: HashSet::new(),
            named_unread: Vec::new(),
        };
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

    /// Names that files got by a rename without having been read back since they were written, the
    /// first 64 of them.
    pub fn named_unread(&self) -> Vec<String> {
        lock(&self.world).named_unread.clone()
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
        let plain = |kind| EntryFacts { kind, file_id: id, size: 0, mtime_ns: 0 };
        Ok(match world.nodes.get(&id) {
            Some(Node::File { bytes, mtime_ns, .. }) => {
                EntryFacts { size: bytes.len() as u64, mtime_ns: *mtime_ns, ..plain(EntryKind::File) }
            }
            Some(Node::Dir { .. }) => plain(EntryKind::Dir),
            _ => plain(EntryKind::Symlink),
        })
    }

    fn list(&self, limit: usize) -> io::Result<Vec<(Vec<u8>, EntryKind)>> {
        let world = lock(&self.world);
        world.check_attached()?;
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
        world.writable_at(name)?;
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

    fn read_back(&self, name: &str, method: ProofMethod) -> io::Result<Box<dyn Chunks>> {
        let mut world = lock(&self.world);
        if method != ProofMethod::RemountRead && world.rules.proof != Some(method) {
            return errno(libc::EINVAL);
        }
        let id = world.lookup(self.id, name)?;
        let mut bytes = world.bytes(id)?.clone();
        world.unread.remove(&id);
        match (world.rules.lie, bytes.last_mut()) {
            (Some(ReadFault::CannotRead), _) => return errno(libc::EIO),
            (Some(ReadFault::FlippedByte), Some(last)) => *last ^= 1,
            (Some(ReadFault::ShortByOne), Some(_last)) => drop(bytes.pop()),
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
        world.writable_at(name)?;
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
        world.check_attached()?;
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
        world.check_attached()?;
        Ok(FsFacts {
            kind: "memory".to_owned(),
            name_len_max: u32::try_from(world.rules.name_len_max).unwrap_or(u32::MAX),
            size_max: world.rules.size_limit().filter(|_| !world.rules.hides_size_max),
        })
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let world = lock(&self.world);
        world.check_attached()?;
        let known = world.rules.capacity.filter(|_capacity| !world.rules.hides_free_space);
        Ok(known.map(|capacity| capacity.saturating_sub(world.used(ROOT))))
    }

    fn session(&self) -> String {
        lock(&self.world).rules.session.clone()
    }

    fn is_over(&self, session: &str) -> bool {
        lock(&self.world).rules.session != session
    }

    fn proof_need(&self) -> ProofNeed {
        lock(&self.world).rules.proof_need
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
        world.check_attached()?;
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
