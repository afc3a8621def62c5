//! `config.json`, as a person or another release may have left it.

use std::collections::BTreeSet;

use crate::domain::target::is_valid_name;
use crate::store::mirror::document::read;

/// Reads a document; what it holds must be what the database takes without a word.
pub fn check(data: &[u8]) {
    let Some(valid) = read(data) else { return };
    if let Some(installation) = &valid.installation {
        assert!(installation.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric()));
    }
    let paths: BTreeSet<&[u8]> = valid.sources.iter().map(|(path, _)| path.as_slice()).collect();
    assert_eq!(paths.len(), valid.sources.len(), "each source once");
    assert!(paths.iter().all(|path| path.starts_with(b"/") && !path.contains(&0)));
    let names: BTreeSet<&str> = valid.destinations.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names.len(), valid.destinations.len(), "each name once");
    for destination in &valid.destinations {
        assert!(is_valid_name(&destination.name) && destination.job_limit > 0);
        assert!(!destination.address.is_empty() && !destination.address.contains(&0));
        assert!(destination.consents.is_sorted_by(|a, b| a < b), "each consent once");
        assert!(destination.consents.iter().all(|place| *place < valid.sources.len()));
    }
}
