//! What requests do at a remote, once they have come through.

use super::remote::{Object, Remote, Trouble};
use crate::destination::{Item, NamedCopy};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::record::ProofMethod;

/// What an effect is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// Nothing is wrong.
    None,
    /// The last byte is missing.
    Short,
    /// The last byte is another.
    Other,
    /// Nothing is kept.
    Nothing,
}

impl Corruption {
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
pub enum KeyContents {
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

/// What it answers for an upload that it does not know, whatever that means elsewhere.
pub fn unknown_upload(remote: &Remote) -> Failure {
    let answer = Trouble::Status(remote.rules.unknown_upload);
    answer.failure().unwrap_or_else(|| Failure::transient(FailureKind::NotFound, "no upload"))
}

/// Whether an answer to a request about an upload may mean that there is no such upload.
pub fn may_be_unknown(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::NotFound | FailureKind::Forbidden | FailureKind::BadRequest)
}

/// How much of an upload has arrived.
pub fn offset(remote: &Remote, item: &Item, upload: u64) -> Result<usize, Failure> {
    let known = remote.uploads.get(&upload).filter(|upload| upload.token == item.token);
    known.map(|upload| upload.bytes.len()).ok_or_else(|| unknown_upload(remote))
}

/// What is under an item's key. A wrong copy of ours that was never proved goes, while it still is what
/// it was when it got its name.
pub fn look(remote: &mut Remote, item: &Item, named: Option<&NamedCopy>) -> KeyContents {
    if remote.rules.reads_later {
        return look_by_checksum(remote, item);
    }
    match remote.objects.get(&item.key) {
        None => KeyContents::Free,
        Some(object) if is_content(&object.bytes, item) => KeyContents::Equal,
        Some(object) if named.is_some_and(|copy| is_copy(object, item, copy)) => {
            remote.objects.remove(&item.key);
            KeyContents::Free
        }
        Some(_) => KeyContents::Taken,
    }
}

/// What a photo library has of an item: it is known by its checksum, whatever it was called.
fn look_by_checksum(remote: &mut Remote, item: &Item) -> KeyContents {
    let hash = item.content.blake3.0;
    if let Some(object) = remote.objects.get(&item.key) {
        return if object.claims == Some(hash) { KeyContents::Equal } else { KeyContents::Taken };
    }
    let known = remote.objects.values().find(|object| object.claims == Some(hash)).cloned();
    let Some(object) = known else { return KeyContents::Free };
    *remote.bent.entry(*blake3::hash(&object.bytes).as_bytes()).or_default() += 1;
    remote.objects.insert(item.key.clone(), object);
    KeyContents::Equal
}

fn is_copy(object: &Object, item: &Item, copy: &NamedCopy) -> bool {
    copy.key == item.key && copy.size == object.bytes.len() as u64 && copy.tag == object.tag.to_string()
}

/// A copy as it stands under its key: what it is remembered by.
pub fn describe(remote: &Remote, item: &Item) -> Result<NamedCopy, Failure> {
    let object = remote.objects.get(&item.key);
    let object = object.ok_or_else(|| Failure::transient(FailureKind::NotFound, "it is not there"))?;
    let (size, tag) = (object.bytes.len() as u64, object.tag.to_string());
    Ok(NamedCopy { key: item.key.clone(), size, tag })
}

/// Reads an upload back before it gets its key. A bad one goes. Says how it was proved, and its tag.
pub fn prove_upload(
    remote: &mut Remote,
    item: &Item,
    upload: u64,
    corruption: Corruption,
) -> Result<Option<(ProofMethod, u64)>, Failure> {
    let Some(found) = remote.uploads.get_mut(&upload) else { return Err(unknown_upload(remote)) };
    let Some(method) = remote.rules.proof else { return Ok(None) };
    if is_content(&found.bytes, item) && corruption == Corruption::None {
        found.is_proved = true;
        return Ok(Some((method, found.tag)));
    }
    remote.uploads.remove(&upload);
    Err(Failure::transient(FailureKind::DigestMismatch, "other bytes"))
}

/// Gives an upload its key. Says no where the key is taken.
pub fn commit(
    remote: &mut Remote,
    item: &Item,
    upload: u64,
    corruption: Corruption,
) -> Result<bool, Failure> {
    if remote.objects.contains_key(&item.key) {
        return Ok(false);
    }
    let Some(upload) = remote.uploads.remove(&upload) else { return Err(unknown_upload(remote)) };
    if corruption != Corruption::Nothing {
        let bytes = corruption.apply(upload.bytes);
        if upload.is_corrupt || corruption != Corruption::None {
            *remote.bent.entry(*blake3::hash(&bytes).as_bytes()).or_default() += 1;
        }
        let tag = if corruption == Corruption::None && remote.rules.keeps_tag {
            upload.tag
        } else {
            remote.new_tag()
        };
        let claims = remote.rules.reads_later.then(|| *blake3::hash(&bytes).as_bytes());
        let is_damaged = claims.is_some() && remote.dice.percent(remote.rules.damages_percent);
        let bytes = if is_damaged { damaged(bytes) } else { bytes };
        remote.objects.insert(item.key.clone(), Object { bytes, tag, is_foreign: false, claims });
    }
    Ok(true)
}

/// Bytes as a disk spoils them: not as a line does, so that two wrongs are never right.
fn damaged(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(first) = bytes.first_mut() {
        *first ^= 2;
    }
    bytes
}

/// What a photo library shows of a copy: its checksum alone, or the bytes where they are read. What differs
/// is read twice, so that a bend on the way costs nothing.
pub fn prove_later(
    remote: &mut Remote,
    item: &Item,
    depth: ProofDepth,
) -> Result<Option<ProofMethod>, Failure> {
    let hash = item.content.blake3.0;
    let object = remote.objects.get(&item.key).filter(|object| object.claims == Some(hash));
    let Some(object) = object else {
        remote.listed.remove(&hash);
        return Err(Failure::transient(FailureKind::NotFound, "it has no such checksum"));
    };
    match depth {
        ProofDepth::Checksum => Ok(Some(ProofMethod::ServerRecheck)),
        ProofDepth::Later => Ok(None),
        ProofDepth::Bytes if is_content(&object.bytes, item) => Ok(Some(ProofMethod::ReadBack)),
        ProofDepth::Bytes => {
            remote.listed.remove(&hash);
            let damaged = Failure::permanent(FailureKind::DigestMismatch, "other bytes than it says");
            Err(damaged.with_cause(Cause::CopyDamaged))
        }
    }
}

/// What is asked of a photo library for a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofDepth {
    /// Its checksum is enough.
    Checksum,
    /// Nothing now.
    Later,
    /// The bytes.
    Bytes,
}

/// How a copy is proved; none where nothing can be.
pub fn prove(
    remote: &mut Remote,
    item: &Item,
    corruption: Corruption,
) -> Result<Option<ProofMethod>, Failure> {
    let Some(method) = remote.rules.proof else { return Ok(None) };
    let Some(object) = remote.objects.get(&item.key) else {
        return Err(Failure::transient(FailureKind::NotFound, "no such copy"));
    };
    let is_good = is_content(&object.bytes, item);
    if is_good && corruption == Corruption::None {
        return Ok(Some(method));
    }
    if is_good {
        *remote.slandered.entry(item.content.blake3.0).or_default() += 1;
    }
    Err(Failure::transient(FailureKind::DigestMismatch, "other bytes"))
}
