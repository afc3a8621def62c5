//! The identity of a file's bytes, read once from end to end.

use std::io::{self, SeekFrom};

use crate::base::digester::{Digester, fill};
use crate::base::files::SourceFile;
use crate::domain::hash::{DigestSet, Hashed};

/// How much is read at once, and so how often the stop flag is looked at. Large enough that the
/// digest works on all lanes of the processor.
pub const CHUNK_BYTES: usize = 1024 * 1024;

/// Why a file has no digest.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
    /// The file was written to while it was read: the digest would belong to no version of it.
    #[error("the file changed while it was being read")]
    Changed,
    /// The disk cannot read it.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Digests a file from its beginning: BLAKE3, and what `set` asks for. `should_stop` is asked before each chunk of [`CHUNK_BYTES`];
/// `on_progress` hears the bytes done so far after each.
///
/// # Errors
/// See [`HashError`]. The file's size and times must be the same before and after.
pub fn hash(
    file: &mut dyn SourceFile,
    set: DigestSet,
    should_stop: &dyn Fn() -> bool,
    on_progress: &mut dyn FnMut(u64),
) -> Result<Hashed, HashError> {
    let before = file.stat()?.stamp;
    file.seek(SeekFrom::Start(0))?;
    let capacity = usize::try_from(before.size).unwrap_or(CHUNK_BYTES).clamp(1, CHUNK_BYTES);
    let mut buffer = vec![0; capacity];
    let mut digester = Digester::new(set);
    let mut done = 0;
    loop {
        if should_stop() {
            return Err(HashError::Stopped);
        }
        let filled = fill(file, &mut buffer)?;
        if filled == 0 {
            break;
        }
        digester.update(&buffer[..filled]);
        done += filled as u64;
        on_progress(done);
        // A file that grows as fast as it is read must not be followed for ever.
        if done > before.size {
            return Err(HashError::Changed);
        }
    }
    if done != before.size || file.stat()?.stamp != before {
        return Err(HashError::Changed);
    }
    Ok(digester.finish())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    fn opened(file: &tempfile::NamedTempFile) -> File {
        File::open(file.path()).expect("opens")
    }

    #[test]
    fn equals_blake3_of_the_whole() {
        for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES * 2 + 5] {
            let bytes: Vec<u8> = (0..len).map(|n| n.to_le_bytes()[0]).collect();
            let mut heard = Vec::new();
            let digest =
                hash(&mut opened(&file_of(&bytes)), DigestSet::NONE, &|| false, &mut |n| heard.push(n))
                    .expect("a digest");
            assert_eq!(digest.content.blake3.0, *blake3::hash(&bytes).as_bytes(), "{len}");
            assert_eq!(digest.content.size, len as u64);
            assert_eq!(heard.last().copied().unwrap_or(0), len as u64);
        }
    }

    #[test]
    fn stops_between_chunks() {
        let file = file_of(&vec![7; CHUNK_BYTES * 3]);
        let asked = Cell::new(0);
        let should_stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 2
        };
        let mut done = 0;
        let outcome = hash(&mut opened(&file), DigestSet::NONE, &should_stop, &mut |n| done = n);
        assert!(matches!(outcome, Err(HashError::Stopped)));
        assert_eq!(done, 2 * CHUNK_BYTES as u64);
    }

    #[test]
    fn a_change_while_reading_is_seen() {
        let change = |act: &dyn Fn(&File)| {
            let file = file_of(&vec![7; CHUNK_BYTES * 3]);
            let writer = File::options().append(true).open(file.path()).expect("opens");
            let mut once = Some(());
            let outcome = hash(&mut opened(&file), DigestSet::NONE, &|| false, &mut |_done| {
                if once.take().is_some() {
                    act(&writer);
                }
            });
            assert!(matches!(outcome, Err(HashError::Changed)), "{outcome:?}");
        };
        change(&|mut file| file.write_all(b"more").expect("written"));
        change(&|file| file.set_len(CHUNK_BYTES as u64 * 2).expect("cut"));
        change(&|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("touched"));
    }
}
