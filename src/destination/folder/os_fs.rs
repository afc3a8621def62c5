//! The computer's own file systems.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::fs::{Advice, AtFlags, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use super::chunks::{Buffers, DirectChunks, PlainChunks};
use super::fs::{Chunks, CopyFile, EntryFacts, FolderDir, FolderFs, FsFacts, check_name};
use super::mount;
use super::page_cache::resident_pages;
use crate::base::file_systems::{Medium, file_bytes_max, medium};
use crate::base::files::EntryKind;
use crate::domain::record::{ProofMethod, ProofNeed};

/// How often the page cache is asked to let go of a file before it is taken to refuse.
const EVICT_TRIES_MAX: usize = 4;
const NANOS: i64 = 1_000_000_000;

/// The computer's own file systems.
#[derive(Clone, Default)]
pub struct OsFs {
    buffers: Buffers,
}

struct OsDir {
    file: File,
    buffers: Buffers,
}

struct OsFile(File);

impl FolderFs for OsFs {
    fn create_root(&self, root: &Path) -> io::Result<()> {
        match std::fs::create_dir(root) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error),
        }
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(&File::open(parent.unwrap_or(Path::new(".")))?)
    }

    fn open_root(&self, root: &Path) -> io::Result<Box<dyn FolderDir>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = rustix::fs::open(root, flags, Mode::empty())?;
        Ok(Box::new(OsDir { file: file.into(), buffers: self.buffers.clone() }))
    }
}

impl OsDir {
    fn open(&self, name: &str, flags: OFlags) -> io::Result<File> {
        check_name(name)?;
        // O_NONBLOCK: a pipe under a copy's name must not hang the reader.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(&self.file, name, flags, Mode::from_raw_mode(0o666))?;
        Ok(file.into())
    }

    fn open_regular(&self, name: &str, flags: OFlags) -> io::Result<(File, u64)> {
        let file = self.open(name, flags)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok((file, meta.len()))
    }

    fn open_direct(&self, name: &str) -> io::Result<Box<dyn Chunks>> {
        let (file, size) = self.open_regular(name, OFlags::RDONLY | OFlags::DIRECT)?;
        // Where the system quietly reads through the cache after all, there should be none of it.
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
        Ok(Box::new(DirectChunks::new(file, size, &self.buffers)))
    }

    fn open_plain(&self, name: &str) -> io::Result<Box<dyn Chunks>> {
        let (file, _size) = self.open_regular(name, OFlags::RDONLY)?;
        Ok(Box::new(PlainChunks::new(file, &self.buffers)))
    }

    fn open_evicted(&self, name: &str) -> io::Result<Box<dyn Chunks>> {
        let (file, size) = self.open_regular(name, OFlags::RDONLY)?;
        if !evict(&file, size)? {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the page cache keeps the file"));
        }
        Ok(Box::new(PlainChunks::new(file, &self.buffers)))
    }

    /// Whether direct I/O reads the whole file, and leaves none of it in the page cache where that
    /// was empty of it before.
    fn is_direct_io_usable(&self, name: &str, was_evicted: bool) -> io::Result<bool> {
        let mut read = 0;
        let mut chunks = match self.open_direct(name) {
            Ok(chunks) => chunks,
            Err(error) if is_refusal(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        loop {
            match chunks.next_chunk() {
                Ok(Some(chunk)) => read += chunk.len() as u64,
                Ok(None) => break,
                Err(error) if is_refusal(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let (file, size) = self.open_regular(name, OFlags::RDONLY)?;
        Ok(read == size && was_evicted && resident_pages(&file, size)? == 0)
    }
}

impl FolderDir for OsDir {
    fn open_dir(&self, name: &str) -> io::Result<Box<dyn FolderDir>> {
        let file = self.open(name, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(Box::new(Self { file, buffers: self.buffers.clone() }))
    }

    fn make_dir(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        Ok(rustix::fs::mkdirat(&self.file, name, Mode::from_raw_mode(0o777))?)
    }

    fn entry(&self, name: &str) -> io::Result<EntryFacts> {
        check_name(name)?;
        let stat = rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(EntryFacts {
            kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
            file_id: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: stat
                .st_mtime
                .saturating_mul(NANOS)
                .saturating_add(i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        })
    }

    fn list(&self, limit: usize) -> io::Result<Vec<(Vec<u8>, EntryKind)>> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.file)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entries.len() >= limit {
                break;
            }
            let mut file_type = entry.file_type();
            if file_type == FileType::Unknown {
                match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => file_type = FileType::from_raw_mode(stat.st_mode),
                    Err(_vanished) => continue,
                }
            }
            entries.push((name.to_bytes().to_vec(), kind_of(file_type)));
        }
        Ok(entries)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn CopyFile>> {
        let file = self.open(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        Ok(Box::new(OsFile(file)))
    }

    fn reopen(&self, name: &str) -> io::Result<Option<Box<dyn CopyFile>>> {
        use std::os::unix::fs::MetadataExt as _;
        if self.entry(name)?.kind != EntryKind::File {
            return Ok(None);
        }
        let file = self.open(name, OFlags::RDWR)?;
        let meta = file.metadata()?;
        Ok((meta.is_file() && meta.nlink() == 1).then(|| Box::new(OsFile(file)) as Box<dyn CopyFile>))
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let (file, _size) = self.open_regular(name, OFlags::RDONLY)?;
        Ok(Box::new(file))
    }

    fn read_back(&self, name: &str, method: ProofMethod) -> io::Result<Box<dyn Chunks>> {
        match method {
            ProofMethod::DirectRead | ProofMethod::ReadBack => self.open_direct(name),
            ProofMethod::EvictedRead => self.open_evicted(name),
            ProofMethod::MemoryBacked => self.open_plain(name),
            ProofMethod::RemountRead => {
                let (file, size) = self.open_regular(name, OFlags::RDONLY)?;
                evict(&file, size)?;
                Ok(Box::new(PlainChunks::new(file, &self.buffers)))
            }
            ProofMethod::ServerDigest | ProofMethod::ServerRecheck => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "a folder has no server"))
            }
        }
    }

    fn find_proof(&self, name: &str) -> io::Result<Option<ProofMethod>> {
        let medium = medium(&mount::kind(&self.file));
        match medium {
            Medium::Memory => return Ok(Some(ProofMethod::MemoryBacked)),
            Medium::DiskBehindProgram | Medium::OpaqueCache | Medium::DiskCache => return Ok(None),
            Medium::Disk | Medium::Network => {}
        }
        let (file, size) = self.open_regular(name, OFlags::RDONLY)?;
        let was_evicted = evict(&file, size)?;
        if self.is_direct_io_usable(name, was_evicted)? {
            let is_disk = medium == Medium::Disk;
            return Ok(Some(if is_disk { ProofMethod::DirectRead } else { ProofMethod::ReadBack }));
        }
        // The server's own answer cannot be told from this computer's cache by a plain read.
        Ok((medium == Medium::Disk && was_evicted).then_some(ProofMethod::EvictedRead))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        match rustix::fs::renameat_with(&self.file, from, &self.file, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return Ok(other?),
        }
        // Without that flag a second name is as good: it is refused where one exists.
        match rustix::fs::linkat(&self.file, from, &self.file, to, AtFlags::empty()) {
            Err(Errno::PERM | Errno::NOSYS | Errno::NOTSUP | Errno::MLINK) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "no rename that leaves existing names alone"))
            }
            Err(other) => Err(other.into()),
            Ok(()) => self.remove_file(from),
        }
    }

    fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        Ok(rustix::fs::renameat(&self.file, from, &self.file, to)?)
    }

    fn remove_file(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::empty())?)
    }

    fn remove_dir(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::REMOVEDIR)?)
    }

    fn sync(&self) -> io::Result<()> {
        sync_dir(&self.file)
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        self.open_regular(name, OFlags::RDONLY)?.0.sync_all()
    }

    fn facts(&self) -> io::Result<FsFacts> {
        let stat = rustix::fs::fstatvfs(&self.file)?;
        let kind = mount::kind(&self.file);
        Ok(FsFacts {
            name_len_max: u32::try_from(stat.f_namemax).unwrap_or(u32::MAX),
            size_max: file_bytes_max(&kind),
            kind,
        })
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let stat = rustix::fs::fstatvfs(&self.file)?;
        // A file system that counts no blocks at all does not know.
        Ok((stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    fn session(&self) -> String {
        mount::session(&self.file)
    }

    fn is_over(&self, session: &str) -> bool {
        mount::is_over(session, &mount::session(&self.file))
    }

    fn proof_need(&self) -> ProofNeed {
        mount::proof_need(&mount::kind(&self.file))
    }
}

impl Read for OsFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for OsFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CopyFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_mtime(&self, nanos: i64) -> io::Result<()> {
        let mtime = Timespec { tv_sec: nanos.div_euclid(NANOS), tv_nsec: nanos.rem_euclid(NANOS) as _ };
        let atime = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        Ok(rustix::fs::futimens(&self.0, &Timestamps { last_access: atime, last_modification: mtime })?)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

fn kind_of(file_type: FileType) -> EntryKind {
    match file_type {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Dir,
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Other,
    }
}

/// Asks the page cache to let go of a file, and whether it did.
fn evict(file: &File, size: u64) -> io::Result<bool> {
    for _ in 0..EVICT_TRIES_MAX {
        rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?;
        if resident_pages(file, size)? == 0 {
            return Ok(true);
        }
        // What is still being written stays.
        file.sync_data()?;
    }
    Ok(false)
}

fn sync_dir(dir: &File) -> io::Result<()> {
    match dir.sync_all() {
        // Some network file systems have nothing to sync in a directory and say so this way.
        Err(error) if is_refusal(&error) => Ok(()),
        other => other,
    }
}

/// Whether the system says that it does not do this at all, rather than that it failed.
fn is_refusal(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::NODEV))
}
