//! Manifest segments: bytes as they are, and lines under a summary that fits them.

use crate::destination::manifest::{ENTRIES_MAX, Entry, PATH_BYTES_MAX, SOURCE_BYTES_MAX, decode, encode};
use crate::domain::key;
use crate::domain::path::RelPath;

/// Reads a segment, and one that a hostile writer has closed properly.
pub fn check(data: &[u8]) {
    if let Ok(entries) = decode(data) {
        believe(&entries);
    }
    let mut sealed = data.to_vec();
    if !sealed.is_empty() && !sealed.ends_with(b"\n") {
        sealed.push(b'\n');
    }
    let count = sealed.iter().filter(|byte| **byte == b'\n').count();
    let digest = blake3::hash(&sealed).to_hex();
    sealed.extend(format!("{{\"count\":{count},\"blake3\":\"{digest}\",\"version\":1}}\n").bytes());
    match decode(&sealed) {
        Ok(entries) => {
            assert_eq!(entries.len(), count);
            believe(&entries);
        }
        // One sentence for the person, whatever the bytes were.
        Err(damage) => assert!(damage.to_string().len() < 200),
    }
}

/// What is believed leads nowhere else, and is written again as it was read.
fn believe(entries: &[Entry]) {
    assert!(entries.len() <= ENTRIES_MAX);
    for entry in entries {
        assert!(key::is_valid(&entry.key));
        assert!(entry.key.split('/').all(|part| !part.starts_with('.')));
        assert!(entry.path.len() <= PATH_BYTES_MAX && entry.source.len() <= SOURCE_BYTES_MAX);
        let path = RelPath::parse(&entry.path).expect("a path below its source");
        assert_eq!(path.to_bytes(), entry.path);
    }
    let again = encode(entries).expect("what was read can be written");
    assert_eq!(decode(&again).expect("sound"), entries);
}
