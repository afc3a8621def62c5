//! Digests that a destination wants of a file which was read before anyone wanted them: they are
//! made in one more read, right before the file is first sent there, and kept.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::executor::{Executor, WorkLost};
use crate::base::files::{SharedFiles, SourceFiles};
use crate::destination::{Item, source};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{DigestSet, Digests, Hashed};
use crate::media::hash::{self, HashError};
use crate::store::Store;

/// Reads the item's file for the digests in `set` and keeps them with its content; none when told
/// to stop.
///
/// # Errors
/// `changed` when the file has other bytes than the item; what reading it came to. Digests that
/// cannot be kept are only made again another time.
pub(crate) async fn fill_in(
    files: &SharedFiles,
    executor: &Executor,
    store: &Store,
    item: &Item,
    set: DigestSet,
    cancel: &CancellationToken,
) -> Result<Option<Digests>, Failure> {
    let (files, item, stop) = (Arc::clone(files), item.clone(), cancel.clone());
    let read = move || read(files.as_ref(), &item, set, &stop);
    let outcome = executor.run(read).await;
    let lost = |lost: WorkLost| Failure::transient(FailureKind::Server, lost.to_string());
    let Some(hashed) = outcome.map_err(lost)?? else { return Ok(None) };
    store.write(move |tx| tx.add_content(hashed)).await.ok();
    Ok(Some(hashed.digests))
}

fn read(
    files: &dyn SourceFiles,
    item: &Item,
    set: DigestSet,
    stop: &CancellationToken,
) -> Result<Option<Hashed>, Failure> {
    let mut file = source::open(files, item)?;
    match hash::hash(file.as_mut(), set, &|| stop.is_cancelled(), &mut |_done| {}) {
        Ok(hashed) if hashed.content == item.content => Ok(Some(hashed)),
        Ok(_) | Err(HashError::Changed) => Err(source::changed("the file has other bytes")),
        Err(HashError::Stopped) => Ok(None),
        Err(HashError::Read(error)) => Err(source::at_source(&error, &item.path)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::base::clock::{RuntimeClock, SharedClock};
    use crate::base::digester::Digester;
    use crate::base::memory_files::MemoryFiles;
    use crate::base::rng::SeededRng;
    use crate::domain::asset::{CapturedAt, Provenance, ResourceKind};
    use crate::domain::hash::DigestKind;
    use crate::domain::ids::RecordId;
    use crate::domain::time::UnixMillis;
    use crate::store::StoreOptions;

    fn item(files: &MemoryFiles, path: &str, hashed: Hashed) -> Item {
        let path = PathBuf::from(path);
        let stamp = files.stat(&path).expect("there").stamp;
        let captured_at =
            CapturedAt { wall_ms: UnixMillis(0), offset_minutes: None, provenance: Provenance::Metadata };
        let (content, digests, kind) = (hashed.content, Digests::default(), ResourceKind::Photo);
        Item {
            record: RecordId(1),
            key: String::new(),
            content,
            digests,
            path,
            stamp,
            captured_at,
            kind,
            token: 0,
            other_paths: Vec::new(),
            companions: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_made_of_the_very_bytes_and_kept() {
        let set: DigestSet = [DigestKind::Sha1, DigestKind::Md5].into_iter().collect();
        let clock: SharedClock = Arc::new(RuntimeClock::starting_at(UnixMillis(0)));
        let files = MemoryFiles::new(Arc::clone(&clock));
        files.mkdir("/photos");
        files.write("/photos/a.jpg", "these bytes");
        let mut digester = Digester::new(set);
        digester.update(b"these bytes");
        let hashed = digester.finish();
        let dir = tempfile::tempdir().expect("dir");
        let options = StoreOptions {
            path: dir.path().join("db"),
            clock,
            rng: Arc::new(SeededRng::new(1)),
            executor: Executor::inline(),
        };
        let store = crate::store::Store::open(options).expect("open").store;
        let item = item(&files, "/photos/a.jpg", hashed);
        let shared: SharedFiles = Arc::new(files.clone());
        let cancel = CancellationToken::new();
        let executor = Executor::inline();
        let fill_in = || super::fill_in(&shared, &executor, &store, &item, set, &cancel);
        assert_eq!(fill_in().await, Ok(Some(hashed.digests)));
        let kept = store.read(move |r| r.digests(hashed.content)).await.expect("read");
        assert_eq!(kept, hashed.digests);

        // Other bytes behind the same stamp: their digests belong to nobody.
        files.write("/photos/a.jpg", "other bytes");
        files.set_stamp("/photos/a.jpg", item.stamp);
        assert_eq!(fill_in().await.expect_err("other bytes").kind, FailureKind::Changed);
        files.write("/photos/a.jpg", "more bytes, and later");
        assert_eq!(fill_in().await.expect_err("another version").kind, FailureKind::Changed);
        files.remove("/photos/a.jpg");
        assert_eq!(fill_in().await.expect_err("not there").kind, FailureKind::Gone);
        files.write("/photos/a.jpg", "these bytes");
        files.set_stamp("/photos/a.jpg", item.stamp);
        cancel.cancel();
        assert_eq!(fill_in().await, Ok(None));
    }
}
