//! Manifest segments in the destination's own folder.

use std::io::{self, Read as _};
use std::sync::Arc;

use super::Inner;
use super::fs::FolderDir;
use super::marker::{HOME, put_new};
use crate::base::files::EntryKind;
use crate::destination::manifest::{
    self, COLLECTED_MAX, FOLDER as MANIFEST, INSTALLATIONS_MAX, ManifestContents, SEGMENTS_MAX,
    is_installation, number_of, segment_name,
};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key;

pub(super) async fn write(
    inner: &Arc<Inner>,
    installation: &str,
    sequence: u64,
    segment: &[u8],
) -> Result<(), Failure> {
    if !is_installation(installation) {
        return Err(Failure::permanent(FailureKind::BadRequest, "not an installation's id"));
    }
    let _housekeeping = Arc::clone(&inner.housekeeping).lock_owned().await;
    let (installation, segment) = (installation.to_owned(), segment.to_vec());
    inner.run(move |inner| write_now(inner, &installation, sequence, &segment)).await
}

fn write_now(inner: &Inner, installation: &str, sequence: u64, segment: &[u8]) -> Result<(), Failure> {
    let root = inner.open()?;
    let name = segment_name(sequence);
    let explain = |error: io::Error| inner.explain(&error, "writing the manifest");
    let home = root.open_dir(HOME).map_err(explain)?;
    let manifests = make_dir(home.as_ref(), MANIFEST).map_err(explain)?;
    let dir = make_dir(manifests.as_ref(), installation).map_err(explain)?;
    // The same at each try, so that what a killed run left is used again.
    let token = key::temp_token(&inner.parts.installation, sequence);
    match put_new(dir.as_ref(), &name, segment, token) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A run that was killed right after writing it writes it again.
            let there = read_segment(dir.as_ref(), &name).map_err(explain)?;
            if there == segment {
                return dir.sync().map_err(explain);
            }
            let details = format!("another manifest segment has the number {sequence}");
            Err(Failure::destination(FailureKind::Conflict, details))
        }
        Err(error) => Err(explain(error)),
    }
}

fn make_dir(parent: &dyn FolderDir, name: &str) -> io::Result<Box<dyn FolderDir>> {
    match parent.make_dir(name) {
        Ok(()) => parent.sync()?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    parent.open_dir(name)
}

/// Everything that sound segments say.
pub(super) fn read_all(inner: &Inner) -> Result<ManifestContents, Failure> {
    let explain = |error: io::Error| inner.explain(&error, "reading the manifests");
    let root = inner.open()?;
    let mut collected = ManifestContents::default();
    let manifests = match root.open_dir(HOME).and_then(|home| home.open_dir(MANIFEST)) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(collected),
        Err(error) => return Err(explain(error)),
    };
    let mut installations: Vec<String> = manifests
        .list(INSTALLATIONS_MAX)
        .map_err(explain)?
        .into_iter()
        .filter(|(_name, kind)| *kind == EntryKind::Dir)
        .filter_map(|(name, _kind)| String::from_utf8(name).ok())
        .filter(|name| is_installation(name))
        .collect();
    installations.sort();
    for installation in installations {
        let outcome = manifests
            .open_dir(&installation)
            .and_then(|dir| read_installation(dir.as_ref(), &installation, &mut collected));
        if let Err(error) = outcome {
            collected.damaged.push(format!("{installation}: {error}"));
        }
    }
    // A disk that went away in the middle would look like damage everywhere.
    inner.open()?;
    Ok(collected)
}

fn read_installation(
    dir: &dyn FolderDir,
    installation: &str,
    collected: &mut ManifestContents,
) -> io::Result<()> {
    let mut numbers: Vec<u64> =
        dir.list(SEGMENTS_MAX)?.into_iter().filter_map(|(name, _kind)| number_of(&name)).collect();
    numbers.sort_unstable();
    for number in numbers {
        let name = segment_name(number);
        let outcome = read_segment(dir, &name)
            .map_err(|error| error.to_string())
            .and_then(|bytes| manifest::decode(&bytes).map_err(|damage| damage.to_string()));
        match outcome {
            Ok(entries) if collected.entries.len() + entries.len() <= COLLECTED_MAX => {
                collected.entries.extend(entries);
            }
            Ok(_beyond) => {
                collected.damaged.push(format!("{installation}/{name}: more entries than are read"));
            }
            Err(reason) => collected.damaged.push(format!("{installation}/{name}: {reason}")),
        }
    }
    Ok(())
}

fn read_segment(dir: &dyn FolderDir, name: &str) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(manifest::SEGMENT_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte more than the limit, so that what is larger is seen to be.
    dir.read(name)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
