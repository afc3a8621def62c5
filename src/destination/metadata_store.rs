//! Our own small files at a file-like server: its marker and the manifests.
//!
//! A protocol says how small files are got, put and listed; what is in them and where they are is
//! the same everywhere, so that a person finds the same folder on a disk and on a server.

use bytes::Bytes;

use super::BoxFuture;
use super::manifest::{
    COLLECTED_MAX, FOLDER, INSTALLATIONS_MAX, ManifestContents, SEGMENT_BYTES_MAX, SEGMENTS_MAX,
    is_installation, number_of, segment_name,
};
use super::marker::{HOME, MARKER, MARKER_BYTES_MAX, Marker};
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name, decoded.
    pub name: String,
    /// It is a folder.
    pub is_dir: bool,
    /// Its length in bytes, where the server says so.
    pub size: Option<u64>,
}

/// What a file-like server does for our own files. Paths are relative to the destination and
/// `/`-separated.
pub trait MetadataStore: Send + Sync {
    /// A whole small file; `None` when there is none. One of more than `limit` bytes is cut there
    /// or after.
    fn get<'a>(&'a self, path: &'a str, limit: usize) -> BoxFuture<'a, Result<Option<Bytes>, Failure>>;

    /// Puts a small file where there is none, all of it or nothing; makes the folders it needs.
    /// `false` when there is one.
    fn put_new<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<bool, Failure>>;

    /// What is in a folder; nothing when there is none.
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>, Failure>>;
}

fn marker_path() -> String {
    format!("{HOME}/{MARKER}")
}

/// The marker; `None` if the place is not a destination.
///
/// # Errors
/// As [`Marker::parse`], and what the server says.
pub async fn read_marker(store: &dyn MetadataStore) -> Result<Option<Marker>, Failure> {
    let bytes = store.get(&marker_path(), MARKER_BYTES_MAX).await?;
    bytes.map(|bytes| Marker::parse(&bytes)).transpose()
}

/// Makes sure that the place is the destination.
///
/// # Errors
/// `gone` without a marker, `conflict` with another's; what the server says.
pub async fn check(store: &dyn MetadataStore, uuid: Option<&str>) -> Result<Marker, Failure> {
    let gone = || {
        let details = "the place has no Safelight marker";
        Failure::destination(FailureKind::Gone, details).with_cause(Cause::NoFolder)
    };
    let marker = read_marker(store).await?.ok_or_else(gone)?;
    marker.expect(uuid)?;
    Ok(marker)
}

/// Takes the place over as it is marked, or marks it.
///
/// # Errors
/// As [`check`].
pub async fn adopt(
    store: &dyn MetadataStore,
    uuid: Option<&str>,
    rng: &dyn Rng,
    clock: &dyn Clock,
) -> Result<Marker, Failure> {
    if let Some(marker) = read_marker(store).await? {
        marker.expect(uuid)?;
        return Ok(marker);
    }
    let marker = Marker::new(uuid.map_or_else(|| rng.uuid(), str::to_owned), clock.now().rfc3339());
    store.put_new(&marker_path(), marker.bytes().into()).await?;
    // Whoever came first has named it.
    check(store, uuid).await
}

/// See [`super::Destination::write_manifest`].
///
/// # Errors
/// `conflict` when another segment has the number.
pub async fn write_manifest(
    store: &dyn MetadataStore,
    installation: &str,
    sequence: u64,
    segment: &[u8],
) -> Result<(), Failure> {
    if !is_installation(installation) {
        return Err(Failure::permanent(FailureKind::BadRequest, "not an installation's id"));
    }
    let path = format!("{HOME}/{FOLDER}/{installation}/{}", segment_name(sequence));
    if store.put_new(&path, Bytes::copy_from_slice(segment)).await? {
        return Ok(());
    }
    // A run that was killed right after writing it writes it again.
    let there = store.get(&path, SEGMENT_BYTES_MAX).await?;
    if there.as_deref() == Some(segment) {
        return Ok(());
    }
    let details = format!("another manifest segment has the number {sequence}");
    Err(Failure::destination(FailureKind::Conflict, details))
}

/// See [`super::Destination::read_manifests`].
///
/// # Errors
/// What the server says.
pub async fn read_manifests(store: &dyn MetadataStore) -> Result<ManifestContents, Failure> {
    let mut collected = ManifestContents::default();
    let home = format!("{HOME}/{FOLDER}");
    let listed = store.list(&home).await?.into_iter().filter(|entry| entry.is_dir);
    let mut installations: Vec<String> =
        listed.map(|entry| entry.name).filter(|name| is_installation(name)).take(INSTALLATIONS_MAX).collect();
    installations.sort();
    for installation in installations {
        let entries = store.list(&format!("{home}/{installation}")).await?;
        let mut numbers: Vec<u64> =
            entries.iter().filter_map(|entry| number_of(entry.name.as_bytes())).take(SEGMENTS_MAX).collect();
        numbers.sort_unstable();
        for number in numbers {
            let name = format!("{installation}/{}", segment_name(number));
            match store.get(&format!("{home}/{name}"), SEGMENT_BYTES_MAX + 1).await? {
                Some(bytes) => collected.add_segment(&name, &bytes),
                None => collected.damaged.push(format!("{name}: it has gone")),
            }
            if collected.entries.len() >= COLLECTED_MAX {
                return Ok(collected);
            }
        }
    }
    Ok(collected)
}
