//! Replacing a file as a whole: whoever reads it finds the old bytes or the new ones, never a part.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// How long a replaced file must last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It may be the old one, or empty, after a power cut.
    None,
    /// It survives a power cut: the file and its folder are synced.
    Synced,
}

/// Writes `bytes` to the file `temp`, which must be in the folder of `path`, and renames it to `path`.
/// On a failure `temp` is removed. Blocks.
///
/// # Errors
/// Whatever the system says; then `path` is as it was.
pub fn replace(path: &Path, temp: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let outcome = write(temp, bytes, durability).and_then(|()| fs::rename(temp, path));
    if outcome.is_err() {
        fs::remove_file(temp).ok();
    }
    outcome?;
    match (durability, path.parent()) {
        (Durability::Synced, Some(folder)) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    if durability == Durability::Synced { file.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_left_alone() {
        let dir = tempfile::tempdir().expect("temp");
        let (path, temp) = (dir.path().join("a"), dir.path().join("a.new"));
        for (bytes, durability) in [(&b"old"[..], Durability::Synced), (b"new", Durability::None)] {
            replace(&path, &temp, bytes, durability).expect("replaced");
            assert_eq!(fs::read(&path).expect("there"), bytes);
        }
        let folder = dir.path().join("folder");
        fs::create_dir_all(folder.join("inside")).expect("made");
        assert!(replace(&folder, &temp, b"x", Durability::None).is_err());
        assert!(!temp.exists() && folder.is_dir());
    }
}
