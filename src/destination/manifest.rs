//! Manifest segments: what a restore needs when all else is lost.

use crate::domain::asset::CapturedAt;
use crate::domain::hash::ContentHash;
use crate::domain::time::UnixMillis;

/// One line of a manifest: one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the copy is at the destination.
    pub key: String,
    /// Its bytes.
    pub content: ContentHash,
    /// When it was captured.
    pub captured_at: Option<CapturedAt>,
    /// The source folder's name.
    pub source: String,
    /// Where it was below the source, as bytes.
    pub path: Vec<u8>,
    /// The original's modification time.
    pub mtime: UnixMillis,
}

/// What all manifest segments of a destination say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collected {
    /// The entries of all sound segments, in order.
    pub entries: Vec<Entry>,
    /// Segments that were damaged, and what was wrong with each.
    pub damaged: Vec<String>,
}
