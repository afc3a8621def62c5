//! What is remembered of an upload in parts between runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::destination::Checkpoint;

/// The most parts of an object: S3's limit.
pub(super) const PARTS_MAX: u64 = 10_000;
/// The size of a part where nothing asks for larger ones, in bytes.
const PART_BYTES: u64 = 8 << 20;
/// Parts that are remembered where a server cannot list them: what a checkpoint has room for.
pub(super) const REMEMBERED_MAX: usize = 700;
/// The longest upload id that is remembered, in bytes.
const UPLOAD_BYTES_MAX: usize = 4096;
/// The longest entity tag of a part that is remembered, in bytes.
const TAG_BYTES_MAX: usize = 64;

/// An upload in parts, as its checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    /// The object's whole name: an upload belongs to one.
    pub object: String,
    /// The server's id.
    pub id: String,
    /// The size of all parts but the last, in bytes.
    pub part_bytes: u64,
    /// Entity tags of parts that were taken, where the server cannot list them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<u64, String>,
    /// How often in a row the server has answered with an error when it was gone on with.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refusals: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

impl Upload {
    /// A new upload of `size` bytes.
    pub fn new(object: String, id: String, size: u64) -> Self {
        Self { object, id, part_bytes: part_bytes(size), tags: BTreeMap::new(), refusals: 0 }
    }

    /// What a checkpoint says; nothing where it is of no upload, or makes no sense.
    pub fn of(checkpoint: Option<&Checkpoint>, size: u64) -> Option<Self> {
        let upload: Self = serde_json::from_str(&checkpoint?.state).ok()?;
        let is_sound = !upload.id.is_empty()
            && upload.part_bytes >= part_bytes(size)
            && upload.part_bytes <= size.max(PART_BYTES);
        is_sound.then_some(upload)
    }

    /// Whether a checkpoint is of the upload with this id.
    pub fn names(checkpoint: &Checkpoint, id: &str) -> bool {
        serde_json::from_str::<Self>(&checkpoint.state).is_ok_and(|upload| upload.id == id)
    }

    /// The checkpoint's text; empty where the server's id is longer than any that makes sense.
    pub fn to_text(&self) -> String {
        if self.id.len() > UPLOAD_BYTES_MAX {
            return String::new();
        }
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Remembers a part that was taken.
    pub fn save_named_copy(&mut self, number: u64, tag: &str) {
        if self.tags.len() < REMEMBERED_MAX && tag.len() <= TAG_BYTES_MAX {
            self.tags.insert(number, tag.to_owned());
        }
    }

    /// How many parts `size` bytes make.
    pub fn count(&self, size: u64) -> u64 {
        size.div_ceil(self.part_bytes)
    }

    /// The length of a part, from 1.
    pub fn len(&self, number: u64, size: u64) -> u64 {
        let start = (number - 1) * self.part_bytes;
        self.part_bytes.min(size.saturating_sub(start))
    }
}

/// The size of parts for `size` bytes: never more parts than the server takes.
pub(super) fn part_bytes(size: u64) -> u64 {
    let least = size.div_ceil(PARTS_MAX);
    // Whole mebibytes: what disks and servers like.
    least.div_ceil(1 << 20).saturating_mul(1 << 20).max(PART_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Phase;

    #[test]
    fn parts_are_never_too_many_nor_too_small() {
        assert_eq!(part_bytes(1), 8 << 20);
        assert_eq!(part_bytes(80_000 << 20), 8 << 20);
        assert_eq!(part_bytes((80_000 << 20) + 1), 9 << 20);
        for size in [1, (16 << 20) + 1, 5 << 40, u64::MAX >> 20] {
            let upload = Upload::new(String::new(), "u".to_owned(), size);
            assert!(upload.count(size) <= PARTS_MAX, "{size}");
            assert_eq!(
                (1..=upload.count(size).min(3)).map(|n| upload.len(n, size)).max(),
                Some(upload.part_bytes.min(size))
            );
            let last = upload.count(size);
            assert_eq!((last - 1) * upload.part_bytes + upload.len(last, size), size);
        }
    }

    #[test]
    fn a_checkpoint_has_room_for_what_is_remembered() {
        let mut upload = Upload::new("p".repeat(1024), "u".repeat(UPLOAD_BYTES_MAX), 1 << 40);
        for number in 1..2000 {
            upload.save_named_copy(number, &"e".repeat(TAG_BYTES_MAX));
        }
        upload.save_named_copy(3000, &"e".repeat(TAG_BYTES_MAX + 1));
        assert_eq!(upload.tags.len(), REMEMBERED_MAX);
        let state = upload.to_text();
        assert!(state.len() <= 65_536, "{}", state.len());
        let checkpoint = Checkpoint { phase: Phase::Sending, state };
        assert_eq!(Upload::of(Some(&checkpoint), 1 << 40), Some(upload));
        for state in [
            "",
            "{}",
            "{\"object\":\"a\",\"id\":\"u\",\"part_bytes\":0}",
            "{\"object\":\"a\",\"id\":\"\",\"part_bytes\":8388608}",
        ] {
            let checkpoint = Checkpoint { phase: Phase::Sending, state: state.to_owned() };
            assert_eq!(Upload::of(Some(&checkpoint), 20 << 20), None, "{state}");
        }
        let endless = Upload::new(String::new(), "u".repeat(UPLOAD_BYTES_MAX + 1), 1 << 30);
        assert_eq!(endless.to_text(), "");
    }
}
