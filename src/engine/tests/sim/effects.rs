//! What requests do at a remote, once they have come through.

use super::remote::{Object, Remote, Trouble};
use crate::destination::Item;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::record::ProofMethod;

/// What an effect is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bend {
    /// Nothing is wrong.
    None,
    /// The last byte is missing.
    Short,
    /// The last byte is another.
    Other,
    /// Nothing is kept.
    Nothing,
}

impl Bend {
    /// The bytes as they are kept or read.
    pub fn apply(self, mut bytes: Vec<u8>) -> Vec<u8> {
        match (self, bytes.last_mut()) {
            (Self::Other, Some(last)) => *last ^= 1,
            (Self::Short, Some(_)) => drop(bytes.pop()),
            _ => {}
        }
        bytes
    }
}

/// What a send finds under its key.
pub enum Place {
    /// Nothing.
    Free,
    /// These bytes.
    Equal,
    /// Others.
    Taken,
}

/// An item in a trace.
pub fn named(item: Option<&Item>) -> String {
    item.map_or_else(String::new, |item| format!("record {} {}", item.record, item.key))
}

/// What an error of the source's file means.
pub fn at_source(error: &std::io::Error) -> Failure {
    let is_gone = error.kind() == std::io::ErrorKind::NotFound;
    let kind = if is_gone { FailureKind::Gone } else { FailureKind::Unreadable };
    Failure::transient(kind, error.to_string())
}

/// A copy that is to be proved meets trouble. Whatever is said of it now, one that is called missing or
/// wrong is sent again: under its old name, where its bytes are found, unless another file has that
/// name by then.
pub fn slander(remote: &mut Remote, item: &Item, trouble: &Trouble) {
    remote.listed.remove(&item.content.blake3.0);
    let is_said = trouble
        .failure()
        .is_some_and(|failure| matches!(failure.kind, FailureKind::NotFound | FailureKind::Conflict));
    // A transfer that is told so keeps its name; an audit, which has no token, gives it up.
    let is_audit = item.token == 0;
    if is_said && is_audit && remote.copy(&item.key).is_some_and(|bytes| is_content(&bytes, item)) {
        *remote.slandered.entry(item.content.blake3.0).or_default() += 1;
    }
}

/// Whether these are an item's bytes.
pub fn is_content(bytes: &[u8], item: &Item) -> bool {
    bytes.len() as u64 == item.content.size && blake3::hash(bytes).as_bytes() == &item.content.blake3.0
}

/// How much of an upload has arrived.
pub fn offset(remote: &Remote, upload: u64) -> usize {
    remote.uploads.get(&upload).map_or(0, |upload| upload.bytes.len())
}

/// What is under an item's key.
pub fn look(remote: &Remote, item: &Item) -> Place {
    match remote.objects.get(&item.key) {
        None => Place::Free,
        Some(object) if is_content(&object.bytes, item) => Place::Equal,
        Some(_) => Place::Taken,
    }
}

/// Gives an upload its key. Says no where the key is taken.
pub fn commit(remote: &mut Remote, item: &Item, upload: u64, bend: Bend) -> Result<bool, Failure> {
    if remote.objects.contains_key(&item.key) {
        return Ok(false);
    }
    let Some(upload) = remote.uploads.remove(&upload) else {
        return Err(Failure::transient(FailureKind::NotFound, "no upload"));
    };
    if bend != Bend::Nothing {
        let bytes = bend.apply(upload.bytes);
        if upload.is_bent || bend != Bend::None {
            *remote.bent.entry(*blake3::hash(&bytes).as_bytes()).or_default() += 1;
        }
        remote.objects.insert(item.key.clone(), Object { bytes, is_foreign: false });
    }
    Ok(true)
}

/// How a copy is proved; none where nothing can be.
pub fn prove(remote: &mut Remote, item: &Item, bend: Bend) -> Result<Option<ProofMethod>, Failure> {
    let Some(method) = remote.rules.proof else { return Ok(None) };
    let Some(object) = remote.objects.get(&item.key) else {
        return Err(Failure::transient(FailureKind::NotFound, "no such copy"));
    };
    let is_good = is_content(&object.bytes, item);
    if is_good && bend == Bend::None {
        return Ok(Some(method));
    }
    if is_good {
        *remote.slandered.entry(item.content.blake3.0).or_default() += 1;
    }
    // An upload of ours that was never proved is ours to remove.
    if !object.is_foreign && !remote.proofs.iter().any(|(key, _)| *key == item.key) {
        remote.objects.remove(&item.key);
    }
    Err(Failure::transient(FailureKind::DigestMismatch, "other bytes"))
}
