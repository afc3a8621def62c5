//! What a WebDAV server answers.

#[path = "../../../src/destination/webdav/xml.rs"]
mod xml;

/// A multistatus, which may come from anyone.
pub fn check(bytes: &[u8]) {
    match xml::parse(bytes) {
        Ok(found) => {
            assert!(found.len() <= xml::ENTRIES_MAX);
            for entry in found {
                // A byte that is no UTF-8 becomes a character of three.
                assert!(!entry.path.ends_with('/') && entry.path.len() <= 3 * bytes.len());
                assert!(entry.etag.is_none_or(|tag| !tag.is_empty()));
            }
        }
        Err(why) => assert!(!why.is_empty() && why.len() < 2_000),
    }
}
