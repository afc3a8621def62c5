//! Putting a restored file in its place: whole or not at all, and never over another.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::domain::hash::{Blake3, ContentHash};

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was written, and its bytes are right.
    Written,
    /// It was there already with the same bytes.
    Present,
}

fn other() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "Another file is there already")
}

/// Makes the folder that files are to be placed in, where it is not there yet.
///
/// # Errors
/// Whatever keeps it from being made or written to.
pub fn prepare(folder: &Path, token: u64) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    probe(folder, token)
}

/// Whether files can be placed in `folder`, found out with an empty one of ours.
///
/// # Errors
/// Whatever keeps it from being written to.
pub fn probe(folder: &Path, token: u64) -> io::Result<()> {
    let temp = temp_name(folder, token);
    std::fs::OpenOptions::new().write(true).create_new(true).open(&temp)?;
    std::fs::remove_file(&temp)
}

fn temp_name(folder: &Path, token: u64) -> PathBuf {
    folder.join(format!(".safelight-{token:016x}.tmp"))
}

/// Whether these bytes are at `path` already.
///
/// # Errors
/// `AlreadyExists` when other bytes are there; whatever keeps them from being read.
pub fn is_present(path: &Path, content: ContentHash) -> io::Result<bool> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let is_same = file.metadata()?.len() == content.size && digest(file, io::sink())? == content;
    if is_same { Ok(true) } else { Err(other()) }
}

/// Writes what `reader` gives to `path`, under a temp name first, and gives it its name only when
/// its bytes are `content`. Folders above it are made.
///
/// # Errors
/// `AlreadyExists` when other bytes are there; `InvalidData` when the copy is not what it should be.
pub fn place_new(
    path: &Path,
    reader: Box<dyn Read + Send>,
    content: ContentHash,
    mtime_ns: i64,
    token: u64,
) -> io::Result<Placed> {
    if is_present(path, content)? {
        return Ok(Placed::Present);
    }
    let folder = path.parent().ok_or_else(|| io::Error::other("the path has no folder"))?;
    std::fs::create_dir_all(folder)?;
    let temp = temp_name(folder, token);
    let outcome = write_temp(&temp, reader, content, mtime_ns).and_then(|()| {
        // A hard link fails where something has the name; a rename would replace it.
        match std::fs::hard_link(&temp, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(other()),
            Err(_) if !path.exists() => std::fs::rename(&temp, path),
            outcome => outcome,
        }
    });
    std::fs::remove_file(&temp).ok();
    outcome.map(|()| Placed::Written)
}

fn write_temp(
    temp: &Path,
    reader: Box<dyn Read + Send>,
    content: ContentHash,
    mtime_ns: i64,
) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(temp)?;
    if digest(reader, &mut file)? != content {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "The copy is damaged"));
    }
    let since = std::time::Duration::from_nanos(mtime_ns.unsigned_abs());
    let epoch = std::time::UNIX_EPOCH;
    let modified = if mtime_ns < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) };
    if let Some(modified) = modified {
        file.set_modified(modified)?;
    }
    file.sync_all()
}

fn digest(mut reader: impl Read, mut writer: impl io::Write) -> io::Result<ContentHash> {
    let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&chunk[..read]);
        writer.write_all(&chunk[..read])?;
        size += read as u64;
    }
    writer.flush()?;
    Ok(ContentHash { blake3: Blake3(*hasher.finalize().as_bytes()), size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_whole_files_and_replaces_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("2019/a.jpg");
        let content = ContentHash { blake3: Blake3(*blake3::hash(b"bytes").as_bytes()), size: 5 };
        let place =
            |bytes: &'static [u8]| place_new(&path, Box::new(bytes), content, 1_500_000_000_000_000_000, 7);
        let damaged = place(b"other").expect_err("wrong bytes");
        assert_eq!(damaged.kind(), io::ErrorKind::InvalidData);
        assert!(!path.exists());
        assert_eq!(place(b"bytes").expect("written"), Placed::Written);
        assert_eq!(place(b"bytes").expect("there"), Placed::Present);
        std::fs::write(&path, b"mine").expect("write");
        assert_eq!(place(b"bytes").expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("read"), b"mine");
        assert_eq!(std::fs::read_dir(dir.path().join("2019")).expect("list").count(), 1);
    }
}
