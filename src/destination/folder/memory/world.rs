//! What a file system in memory holds, and the rules it keeps.

use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use super::Rules;
use crate::destination::folder::fs::check_name;
use crate::domain::key;

/// The root directory's node.
pub(super) const ROOT: u64 = 0;

/// How many names are remembered that unread files got.
pub const NAMED_UNREAD_MAX: usize = 64;

/// Names as they compare, with names as they were given and the nodes they stand for.
pub(super) type Names = BTreeMap<String, (String, u64)>;

pub(super) enum Node {
    Dir { names: Names, durable: Names },
    File { bytes: Vec<u8>, durable: Vec<u8>, mtime_ns: i64 },
    Link,
}

pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) nodes: HashMap<u64, Node>,
    pub(super) next: u64,
    /// Files that were not read back since they were written.
    pub(super) unread: HashSet<u64>,
    pub(super) named_unread: Vec<String>,
}

pub(super) fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock()
}

pub(super) fn errno<T>(code: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(code))
}

impl World {
    pub(super) fn fold(&self, name: &str) -> String {
        if self.rules.ignores_case { key::fold(name) } else { name.to_owned() }
    }

    pub(super) fn names(&self, dir: u64) -> io::Result<&Names> {
        match self.nodes.get(&dir) {
            Some(Node::Dir { names, .. }) => Ok(names),
            _ => errno(libc::ENOTDIR),
        }
    }

    pub(super) fn names_mut(&mut self, dir: u64) -> io::Result<&mut Names> {
        match self.nodes.get_mut(&dir) {
            Some(Node::Dir { names, .. }) => Ok(names),
            _ => errno(libc::ENOTDIR),
        }
    }

    pub(super) fn check_attached(&self) -> io::Result<()> {
        if self.rules.is_present && !self.rules.is_unmounted { Ok(()) } else { errno(libc::EIO) }
    }

    pub(super) fn writable(&self) -> io::Result<()> {
        self.check_attached()?;
        if self.rules.is_read_only { errno(libc::EROFS) } else { Ok(()) }
    }

    /// The same for what has a name.
    pub(super) fn writable_at(&self, name: &str) -> io::Result<()> {
        if self.rules.stuck_name.as_deref() == Some(name) { errno(libc::EPERM) } else { self.writable() }
    }

    fn check(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        let is_refused = |c| matches!(c, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*' | '\0'..='\u{1f}');
        if name.len() > self.rules.name_len_max {
            return errno(libc::ENAMETOOLONG);
        }
        let is_refused_here = |c| self.rules.refused_chars.contains(c);
        if name.contains(is_refused_here) || self.rules.has_fat_names && name.contains(is_refused) {
            return errno(libc::EINVAL);
        }
        Ok(())
    }

    pub(super) fn lookup(&self, dir: u64, name: &str) -> io::Result<u64> {
        self.check_attached()?;
        self.check(name)?;
        let slot = self.names(dir)?.get(&self.fold(name));
        slot.map_or_else(|| errno(libc::ENOENT), |(_name, id)| Ok(*id))
    }

    pub(super) fn add(&mut self, dir: u64, name: &str, node: Node) -> io::Result<u64> {
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

    pub(super) fn rename(&mut self, dir: u64, from: &str, to: &str) -> io::Result<()> {
        let id = self.lookup(dir, from)?;
        self.writable()?;
        self.check(to)?;
        let is_copy = key::parse_temp_name(from.as_bytes()).is_some() && self.rules.proof.is_some();
        if is_copy && self.unread.contains(&id) && self.named_unread.len() < NAMED_UNREAD_MAX {
            self.named_unread.push(to.to_owned());
        }
        let (from, folded) = (self.fold(from), self.fold(to));
        let names = self.names_mut(dir)?;
        names.remove(&from);
        names.insert(folded, (to.to_owned(), id));
        Ok(())
    }

    /// Bytes in files that still have a name.
    pub(super) fn used(&self, dir: u64) -> u64 {
        let Ok(names) = self.names(dir) else { return 0 };
        let sizes = names.values().map(|(_name, id)| match self.nodes.get(id) {
            Some(Node::File { bytes, .. }) => bytes.len() as u64,
            Some(Node::Dir { .. }) => self.used(*id),
            _ => 0,
        });
        sizes.sum()
    }

    pub(super) fn write(&mut self, file: u64, position: usize, buf: &[u8]) -> io::Result<usize> {
        self.writable()?;
        let mut room = buf.len() as u64;
        if self.rules.size_limit().is_some_and(|most| position as u64 + room > most) {
            return errno(libc::EFBIG);
        }
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
                self.unread.insert(file);
                Ok(count)
            }
            _ => errno(libc::EBADF),
        }
    }

    pub(super) fn bytes(&self, file: u64) -> io::Result<&Vec<u8>> {
        self.check_attached()?;
        match self.nodes.get(&file) {
            Some(Node::File { bytes, .. }) => Ok(bytes),
            Some(Node::Link) => errno(libc::ELOOP),
            _ => errno(libc::EISDIR),
        }
    }

    pub(super) fn find(&self, path: &str) -> Option<u64> {
        path.split('/')
            .try_fold(ROOT, |dir, part| self.names(dir).ok()?.get(&self.fold(part)).map(|(_name, id)| *id))
    }

    pub(super) fn put(&mut self, path: &str, node: Node) {
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

    pub(super) fn collect(&self, dir: u64, path: &str, files: &mut Vec<String>) {
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
