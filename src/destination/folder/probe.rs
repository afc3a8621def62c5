//! Finding out what a folder can do, by trying it in a scratch folder of our own.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::clean::{SCRATCH_FILES_MAX, clean_home, remove_scratch};
use super::errors::at_destination;
use super::fs::{FolderDir, FsFacts};
use super::marker::{self, HOME, SCRATCH_PREFIX, TRIAL_PREFIX};
use crate::base::files::EntryKind;
use crate::destination::Capabilities;
use crate::destination::name_probe::{NameProbe, lists_name};
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};
use crate::domain::key::{self, RefusedChars};
use crate::domain::record::ProofMethod;

/// More than one page, and not a whole number of them.
const SCRATCH_BYTES: usize = 64 * 1024 + 1;
/// Names of these lengths are tried, longest first: what most take, and what encrypted ones do.
const NAME_LENGTHS: [u32; 3] = [255, 143, 110];
/// 2001-02-03T04:05:07.123456789Z: an odd second, which FAT cannot keep.
const MTIME_NS: i64 = 981_173_107_123_456_789;
/// A time this near was kept as well as FAT can.
const MTIME_SLACK_NS: u64 = 2_000_000_000;
/// How many transfers help at once: enough for their syncs to share a commit, few enough for a
/// disk with a moving head.
const CONCURRENT_MAX: u32 = 4;
/// A trial takes seconds: one that was begun this much earlier than another was killed.
const TRIAL_STALE_NS: i64 = 10 * 60 * 1_000_000_000;
/// The most entries of a folder that are looked at for what killed trials left there.
const TRIAL_ENTRIES_MAX: usize = 10_000;

pub(super) async fn probe(inner: &Arc<Inner>) -> Result<Capabilities, Failure> {
    let _housekeeping = Arc::clone(&inner.housekeeping).lock_owned().await;
    inner.run(probe_now).await
}

/// Tries a folder that may not be a destination yet, or not exist yet; nothing stays behind. Gives
/// what it can do, and its free space where that is known.
pub(super) async fn try_out(inner: &Arc<Inner>) -> Result<(Capabilities, Option<u64>), Failure> {
    let _housekeeping = Arc::clone(&inner.housekeeping).lock_owned().await;
    inner.run(try_out_now).await
}

fn probe_now(inner: &Inner) -> Result<Capabilities, Failure> {
    let root = inner.open()?;
    let gone = || Failure::destination(FailureKind::Gone, "the destination's marker went away");
    let marker = marker::read(root.as_ref())?.ok_or_else(gone)?;
    // A run that was killed while it made this destination is known to no ledger.
    clean_home(inner, root.as_ref()).map_err(|error| failed(&error))?;
    let home = root.open_dir(HOME).map_err(|error| failed(&error))?;
    let capabilities = in_scratch(inner, home.as_ref(), SCRATCH_PREFIX, |scratch| {
        let capabilities = try_all(scratch, &scratch.facts()?, marker.uuid)?;
        // A trial before this was a destination may have been killed.
        clean_trials(root.as_ref(), scratch);
        Ok(capabilities)
    })?;
    inner.remember_proof(capabilities.proof);
    Ok(capabilities)
}

fn try_out_now(inner: &Inner) -> Result<(Capabilities, Option<u64>), Failure> {
    let root = &inner.parts.root;
    let (place, marker) = match inner.parts.fs.open_root(root) {
        Ok(dir) => {
            let marker = marker::read(dir.as_ref())?;
            (dir, marker)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = root.parent().unwrap_or(root);
            (inner.parts.fs.open_root(above).map_err(|error| inner.open_failure(&error))?, None)
        }
        Err(error) => return Err(inner.open_failure(&error)),
    };
    if let Some(marker) = &marker {
        inner.expect(marker)?;
    }
    let free = place.free_bytes().map_err(|error| failed(&error))?;
    let capabilities = match marker {
        Some(marker) => {
            let home = place.open_dir(HOME).map_err(|error| failed(&error))?;
            in_scratch(inner, home.as_ref(), SCRATCH_PREFIX, |scratch| {
                try_all(scratch, &scratch.facts()?, marker.uuid)
            })
        }
        None => in_scratch(inner, place.as_ref(), TRIAL_PREFIX, |scratch| {
            let capabilities = try_all(scratch, &scratch.facts()?, String::new())?;
            clean_trials(place.as_ref(), scratch);
            Ok(capabilities)
        }),
    };
    Ok((capabilities?, free))
}

/// The best way past the page cache, or `None` where there is none.
pub(super) fn find_proof(inner: &Inner, root: &dyn FolderDir) -> Result<Option<ProofMethod>, Failure> {
    let home = root.open_dir(HOME).map_err(|error| failed(&error))?;
    in_scratch(inner, home.as_ref(), SCRATCH_PREFIX, |scratch| {
        write_file(scratch, "a", b'a')?;
        scratch.find_proof("a")
    })
}

/// Whatever a probe meets concerns the whole destination.
fn failed(error: &io::Error) -> Failure {
    let failure = at_destination(error, "trying what the destination can do");
    Failure { reach: Reach::Destination, retry: Retry::After(Duration::ZERO), ..failure }
}

/// Runs `work` in a new scratch folder and removes that, whatever comes of it.
fn in_scratch<T>(
    inner: &Inner,
    place: &dyn FolderDir,
    prefix: &str,
    work: impl FnOnce(&dyn FolderDir) -> io::Result<T>,
) -> Result<T, Failure> {
    let name = format!("{prefix}{:016x}", inner.scratch_token());
    place.make_dir(&name).map_err(|error| failed(&error))?;
    let outcome = place.open_dir(&name).and_then(|scratch| work(scratch.as_ref()));
    let removed = remove_scratch(place, &name);
    let done = outcome.map_err(|error| failed(&error))?;
    removed.map_err(|error| failed(&error))?;
    Ok(done)
}

/// Removes what killed trials left in `place`; what cannot be removed stays for the next trial.
fn clean_trials(place: &dyn FolderDir, scratch: &dyn FolderDir) {
    if let Err(error) = remove_stale_trials(place, scratch) {
        tracing::debug!("what killed trials left stays: {error}");
    }
}

/// Those of our name that are far older than what is being tried now, by the same file system's
/// clock: another process may be trying the same place.
fn remove_stale_trials(place: &dyn FolderDir, scratch: &dyn FolderDir) -> io::Result<()> {
    drop(scratch.create("now")?);
    let now = scratch.entry("now")?.mtime_ns;
    for (name, kind) in place.list(TRIAL_ENTRIES_MAX)? {
        let Ok(name) = String::from_utf8(name) else { continue };
        let is_stale = |begun: i64| now.saturating_sub(begun) > TRIAL_STALE_NS;
        if kind == EntryKind::Dir && is_trial(&name) && is_stale(place.entry(&name)?.mtime_ns) {
            remove_scratch(place, &name)?;
        }
    }
    Ok(())
}

fn is_trial(name: &str) -> bool {
    let digits = name.strip_prefix(TRIAL_PREFIX).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn try_all(scratch: &dyn FolderDir, facts: &FsFacts, uuid: String) -> io::Result<Capabilities> {
    write_file(scratch, "a", b'a')?;
    write_file(scratch, "b", b'b')?;
    let no_replace = try_no_replace(scratch)?;
    let case_sensitive = match scratch.entry("A") {
        Ok(_same) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    let drift = scratch.entry("a")?.mtime_ns.abs_diff(MTIME_NS);
    let proof = scratch.find_proof("a")?;
    let mut note = vec![facts.kind.clone()];
    if !case_sensitive {
        note.push("upper and lower case are one".to_owned());
    }
    if drift > 0 && drift <= MTIME_SLACK_NS {
        note.push("times are rounded".to_owned());
    }
    Ok(Capabilities {
        uuid,
        can_resume: true,
        no_replace,
        case_sensitive,
        proof,
        proof_need: proof.is_none().then(|| scratch.proof_need()),
        keeps_mtime: drift <= MTIME_SLACK_NS,
        concurrent_max: CONCURRENT_MAX,
        name_len_max: try_names(scratch, facts.name_len_max)?,
        refused_chars: refused_chars(scratch)?,
        size_max: facts.size_max,
        note: note.join(", "),
        ..Capabilities::default()
    })
}

/// Whether renaming onto an existing name is refused and leaves it alone.
fn try_no_replace(scratch: &dyn FolderDir) -> io::Result<bool> {
    match scratch.rename_new("a", "b") {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(false),
        Err(error) => return Err(error),
        Ok(()) => {
            write_file(scratch, "a", b'a')?;
            return Ok(false);
        }
    }
    let mut kept = Vec::new();
    scratch.read("b")?.read_to_end(&mut kept)?;
    if kept != [b'b'; SCRATCH_BYTES] {
        return Ok(false);
    }
    match scratch.rename_new("b", "c") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
        Err(error) => Err(error),
    }
}

fn try_names(scratch: &dyn FolderDir, said: u32) -> io::Result<u32> {
    let mut last = io::Error::from(io::ErrorKind::InvalidInput);
    for length in NAME_LENGTHS {
        if length > said {
            continue;
        }
        let name = "n".repeat(usize::try_from(length).unwrap_or(usize::MAX));
        match scratch.create(&name) {
            Ok(_file) => {
                scratch.remove_file(&name)?;
                return Ok(length);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The characters that no name may have: each name is given as a copy gets its own, read again and looked
/// for in the listing.
fn refused_chars(scratch: &dyn FolderDir) -> io::Result<RefusedChars> {
    let mut probe = NameProbe::new();
    while let Some(name) = probe.next_name() {
        let kept = keeps_name(scratch, &name).map_err(|error| failed(&error));
        probe.record_result(kept).map_err(|failure| io::Error::other(failure.details))?;
    }
    Ok(probe.refused_chars())
}

fn keeps_name(scratch: &dyn FolderDir, name: &str) -> io::Result<bool> {
    scratch.create("named")?.write_all(name.as_bytes())?;
    if let Err(error) = give_name(scratch, name) {
        scratch.remove_file("named").ok();
        return Err(error);
    }
    let mut kept = Vec::new();
    scratch.read(name)?.take(2 * name.len() as u64).read_to_end(&mut kept)?;
    let listed = scratch.list(SCRATCH_FILES_MAX)?;
    let listed: Vec<_> = listed.iter().map(|(name, _kind)| String::from_utf8_lossy(name)).collect();
    scratch.remove_file(name)?;
    Ok(kept == name.as_bytes() && lists_name(listed.iter().map(|name| &**name), name))
}

/// As a copy gets its name.
fn give_name(scratch: &dyn FolderDir, name: &str) -> io::Result<()> {
    match scratch.rename_new("named", name) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => scratch.rename_over("named", name),
        named => named,
    }
}

fn write_file(scratch: &dyn FolderDir, name: &str, byte: u8) -> io::Result<()> {
    debug_assert!(key::is_valid(name), "scratch names are plain");
    let mut file = scratch.create(name)?;
    file.write_all(&[byte; SCRATCH_BYTES])?;
    file.set_mtime(MTIME_NS).ok();
    file.sync()
}
