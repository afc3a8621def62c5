//! Manifest segments: what a restore needs when all else is lost.
//!
//! A segment is written once: JSON lines, one a copy, then a last line with their count and a
//! BLAKE3 of all bytes before it. Whatever is read here may have been written by anyone: nothing is
//! believed before it was checked, and a damaged segment costs only itself.

use serde::{Deserialize, Serialize};

use crate::domain::asset::{CapturedAt, Provenance};
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::key;
use crate::domain::path::RelPath;
use crate::domain::time::UnixMillis;
pub use crate::domain::transfer::ManifestEntry as Entry;

/// The most entries in one segment.
pub const ENTRIES_MAX: usize = 1_000;
/// The longest line in bytes, its line feed included.
pub const LINE_BYTES_MAX: usize = 128 * 1024;
/// The largest segment that is read, in bytes.
pub const SEGMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest source label in bytes; longer ones are cut when written.
pub const SOURCE_BYTES_MAX: usize = 4 * 1024;
/// The longest path in bytes.
pub const PATH_BYTES_MAX: usize = 8 * 1024;
/// The folder of all manifests, below the destination's own.
pub const FOLDER: &str = "manifest";
/// The most installations whose manifests are read.
pub const INSTALLATIONS_MAX: usize = 1_000;
/// The most segments of one installation that are read.
pub const SEGMENTS_MAX: usize = 100_000;
/// The most entries that are read in all.
pub const COLLECTED_MAX: usize = 5_000_000;
const SUFFIX: &str = ".jsonl";
const INSTALLATION_BYTES_MAX: usize = 64;
const VERSION: u32 = 1;

/// What all manifest segments of a destination say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManifestContents {
    /// The entries of all sound segments, in order.
    pub entries: Vec<Entry>,
    /// Segments that were damaged, and what was wrong with each.
    pub damaged: Vec<String>,
}

impl ManifestContents {
    /// Takes in one segment that was read, or notes what is wrong with it.
    pub fn add_segment(&mut self, name: &str, segment: &[u8]) {
        match decode(segment) {
            Ok(entries) if self.entries.len() + entries.len() <= COLLECTED_MAX => {
                self.entries.extend(entries);
            }
            Ok(_beyond) => self.damaged.push(format!("{name}: more entries than are read")),
            Err(damage) => self.damaged.push(format!("{name}: {damage}")),
        }
    }
}

/// Why a segment cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// More than [`ENTRIES_MAX`] entries.
    #[error("too many entries for one segment")]
    TooMany,
    /// More than [`SEGMENT_BYTES_MAX`] bytes.
    #[error("too many bytes for one segment")]
    TooLarge,
    /// An entry that would not be believed when it is read back.
    #[error("entry {0} has no valid key or path")]
    Invalid(usize),
}

/// Why a segment is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Larger than any segment is.
    #[error("larger than a segment can be")]
    TooLarge,
    /// The last line is missing or is not a summary: the segment was cut short.
    #[error("the closing line is missing")]
    NoSummary,
    /// The summary's digest is not that of the lines.
    #[error("the lines are not those that were written")]
    Digest,
    /// The summary's count is not that of the lines.
    #[error("the closing line counts {said} lines, there are {found}")]
    Count {
        /// What the summary says.
        said: u64,
        /// What is there.
        found: usize,
    },
    /// Written by a later version.
    #[error("written by a later version ({0})")]
    Version(u32),
    /// A line that cannot be read.
    #[error("line {line} cannot be read: {reason}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct ManifestLine {
    key: String,
    size: u64,
    blake3: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    captured_at: Option<CapturedField>,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    path_b64: Option<String>,
    mtime_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct CapturedField {
    wall_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    offset_minutes: Option<i16>,
    provenance: String,
}

#[derive(Serialize, Deserialize)]
struct Summary {
    count: u64,
    blake3: String,
    version: u32,
}

/// The file name of the segment of this number.
pub fn segment_name(sequence: u64) -> String {
    format!("{sequence}{SUFFIX}")
}

/// The number of the segment with this file name; `None` for any other name.
pub fn number_of(name: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(name).ok()?.strip_suffix(SUFFIX)?;
    let number: u64 = digits.parse().ok()?;
    // Only the spelling that is written: otherwise two names would be one number.
    (number.to_string() == digits).then_some(number)
}

/// Whether a folder's name is an installation's id.
pub fn is_installation(text: &str) -> bool {
    (1..=INSTALLATION_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
}

/// The bytes of a segment that holds `entries`.
///
/// # Errors
/// [`EncodeError`] when they would not be believed when read back.
pub fn encode(entries: &[Entry]) -> Result<Vec<u8>, EncodeError> {
    if entries.len() > ENTRIES_MAX {
        return Err(EncodeError::TooMany);
    }
    let mut segment = Vec::with_capacity(entries.len() * 320 + 160);
    for (index, entry) in entries.iter().enumerate() {
        let invalid = EncodeError::Invalid(index);
        let line = line_of(entry).ok_or(invalid)?;
        let json = serde_json::to_vec(&line).map_err(|_json| invalid)?;
        if json.len() >= LINE_BYTES_MAX {
            return Err(invalid);
        }
        segment.extend_from_slice(&json);
        segment.push(b'\n');
    }
    let count = u64::try_from(entries.len()).map_err(|_wide| EncodeError::TooMany)?;
    let digest = Blake3(*blake3::hash(&segment).as_bytes());
    let summary = Summary { count, blake3: digest.to_hex(), version: VERSION };
    // A struct of two numbers and a string always serialises.
    segment.extend_from_slice(&serde_json::to_vec(&summary).unwrap_or_default());
    segment.push(b'\n');
    if segment.len() > SEGMENT_BYTES_MAX {
        return Err(EncodeError::TooLarge);
    }
    Ok(segment)
}

/// The entries of a segment, every one checked.
///
/// # Errors
/// [`Damage`]: the first thing that is wrong with it.
pub fn decode(segment: &[u8]) -> Result<Vec<Entry>, Damage> {
    if segment.len() > SEGMENT_BYTES_MAX {
        return Err(Damage::TooLarge);
    }
    let closed = segment.strip_suffix(b"\n").ok_or(Damage::NoSummary)?;
    let cut = closed.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let (lines, last) = closed.split_at(cut);
    let summary: Summary = (last.len() < LINE_BYTES_MAX)
        .then(|| serde_json::from_slice(last).ok())
        .flatten()
        .ok_or(Damage::NoSummary)?;
    if summary.version != VERSION {
        return Err(Damage::Version(summary.version));
    }
    if Blake3::from_hex(&summary.blake3) != Some(Blake3(*blake3::hash(lines).as_bytes())) {
        return Err(Damage::Digest);
    }
    let lines: Vec<&[u8]> = lines.split_inclusive(|b| *b == b'\n').take(ENTRIES_MAX + 1).collect();
    if lines.len() > ENTRIES_MAX || u64::try_from(lines.len()).ok() != Some(summary.count) {
        return Err(Damage::Count { said: summary.count, found: lines.len() });
    }
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| entry_of(line).map_err(|reason| Damage::Line { line: at + 1, reason }))
        .collect()
}

fn line_of(entry: &Entry) -> Option<ManifestLine> {
    if !key::is_valid(&entry.key) || !is_valid_path(&entry.path) {
        return None;
    }
    let text = std::str::from_utf8(&entry.path).ok();
    Some(ManifestLine {
        key: entry.key.clone(),
        size: entry.content.size,
        blake3: entry.content.blake3.to_hex(),
        captured_at: entry.captured_at.map(|at| CapturedField {
            wall_ms: at.wall_ms.0,
            offset_minutes: at.offset_minutes,
            provenance: at.provenance.as_str().to_owned(),
        }),
        source: entry.source[..entry.source.floor_char_boundary(SOURCE_BYTES_MAX)].to_owned(),
        path: text.map(str::to_owned),
        path_b64: text.is_none().then(|| base64_of(&entry.path)),
        mtime_ms: entry.mtime.0,
    })
}

fn entry_of(line: &[u8]) -> Result<Entry, &'static str> {
    if line.len() > LINE_BYTES_MAX {
        return Err("too long");
    }
    let line: ManifestLine = serde_json::from_slice(line).map_err(|_json| "not an entry")?;
    if !key::is_valid(&line.key) {
        return Err("the key leads elsewhere");
    }
    let path = match (line.path, line.path_b64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => base64_to(&text).ok_or("the path is not base64")?,
        _ => return Err("no path"),
    };
    if !is_valid_path(&path) {
        return Err("the path leads elsewhere");
    }
    if line.source.len() > SOURCE_BYTES_MAX {
        return Err("the source label is too long");
    }
    let blake3 = Blake3::from_hex(&line.blake3).ok_or("not a digest")?;
    let captured_at = line.captured_at.as_ref().map(captured_at).transpose()?;
    Ok(Entry {
        key: line.key,
        content: ContentHash { blake3, size: line.size },
        captured_at,
        source: line.source,
        path,
        mtime: UnixMillis(line.mtime_ms),
    })
}

fn captured_at(captured: &CapturedField) -> Result<CapturedAt, &'static str> {
    let provenance = Provenance::parse(&captured.provenance).ok_or("an unknown provenance")?;
    let wall_ms = UnixMillis(captured.wall_ms);
    Ok(CapturedAt { wall_ms, offset_minutes: captured.offset_minutes, provenance })
}

fn is_valid_path(path: &[u8]) -> bool {
    path.len() <= PATH_BYTES_MAX && RelPath::parse(path).is_some()
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn base64_to(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests;
