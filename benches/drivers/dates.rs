//! The capture date of every file of a folder, as the app reads it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use safelight::base::files::path_bytes;
use safelight::domain::file::FileStamp;
use safelight::domain::path::RelPath;
use safelight::domain::time::UnixMillis;
use safelight::media::facts::{Description, describe};

use super::Outcome;

/// Prints a line of JSON for each file that belongs in a library: its path, its date as written, where the
/// date comes from, and why it is not to be trusted.
pub fn read_all(dir: &str) -> Outcome {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = UnixMillis(i64::try_from(since.as_millis())?);
    let mut folders = vec![Path::new(dir).to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                print(Path::new(dir), &path, now)?;
            }
        }
    }
    Ok(())
}

fn print(root: &Path, path: &Path, now: UnixMillis) -> Outcome {
    let metadata = fs::metadata(path)?;
    let stamp = FileStamp {
        size: metadata.size(),
        mtime_ns: metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
        ctime_ns: metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec(),
    };
    let Some(rel) = RelPath::parse(&path_bytes(path.strip_prefix(root)?)) else { return Ok(()) };
    if let Description::Facts(facts) = describe(&mut File::open(path)?, &rel, &stamp, now)? {
        let date = facts.date;
        println!(
            "{}",
            serde_json::json!({
                "path": path.to_string_lossy(),
                "type": facts.media_type.as_str(),
                "date": date.captured_at.wall_ms.rfc3339(),
                "source": date.source.as_str(),
                "doubt": date.doubt.map(|doubt| doubt.as_str()),
            })
        );
    }
    Ok(())
}
