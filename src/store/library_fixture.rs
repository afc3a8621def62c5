//! A library with files in every state, for tests of the lists over it.

use std::sync::Arc;

use super::*;
use crate::base::clock::SystemClock;
use crate::base::executor::Executor;
use crate::base::rng::SeededRng;
use crate::domain::accounting::Bin;
use crate::domain::asset::{CapturedAt, DateSource, Facts, FoundDate, Provenance};
use crate::domain::file::{ExcludeReason, FileStamp, Problem};
use crate::domain::grouping;
use crate::domain::hash::{Blake3, ContentHash, Digests, Hashed};
use crate::domain::ids::{DestinationId, FileId, SourceId};
use crate::domain::media_type::MediaClass;
use crate::domain::path::RelPath;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;

pub(super) const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

pub(super) fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("dir");
    let options = StoreOptions {
        path: dir.path().join("safelight.db"),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::inline(),
    };
    let store = Store::open(options).expect("open").store;
    (dir, store)
}

pub(super) fn stamp(size: u64) -> FileStamp {
    FileStamp { size, mtime_ns: 5, ctime_ns: 6 }
}

/// A look that describes a file by its name; a picture a day.
pub(super) fn facts(name: &str, day: i64) -> InspectionOutcome {
    let media_type = grouping::type_of_name(name.as_bytes()).expect("a media name");
    InspectionOutcome::Facts(Box::new(Facts {
        media_type,
        is_mismatch: false,
        date: FoundDate {
            captured_at: CapturedAt {
                wall_ms: UnixMillis(day * 86_400_000 + 1_000),
                offset_minutes: Some(120),
                provenance: Provenance::Metadata,
            },
            source: DateSource::Metadata,
            doubt: None,
        },
        dimensions: Some((400, 300)),
        orientation: 6,
        camera: Some("Box camera".to_owned()),
        content_identifier: None,
        duration_ms: (media_type.class() == MediaClass::Video).then_some(3_000),
    }))
}

pub(super) fn content(number: u64, size: u64) -> InspectionOutcome {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_le_bytes());
    InspectionOutcome::Content(Hashed {
        content: ContentHash { blake3: Blake3(digest), size },
        digests: Digests::default(),
    })
}

/// Adds files named so, the n-th of n + 1 bytes, and returns their ids.
pub(super) fn add(tx: &Write<'_>, source: SourceId, names: &[&str]) -> Result<Vec<FileId>, StoreError> {
    let file = |(n, name): (usize, &&str)| NewFile {
        path: RelPath::parse(name.as_bytes()).expect("plain"),
        stamp: stamp(n as u64 + 1),
        start: InitialStatus::Found,
    };
    tx.add_files(source, &names.iter().enumerate().map(file).collect::<Vec<_>>())?;
    let id = |name: &&str| {
        let path = RelPath::parse(name.as_bytes()).expect("plain");
        let sql = "SELECT id FROM file WHERE source_id = ?1 AND dir = ?2 AND name = ?3";
        Ok(tx
            .conn
            .query_row(sql, rusqlite::params![source.0, path.dir, path.name], |row| row.get(0).map(FileId))?)
    };
    names.iter().map(id).collect()
}

pub(super) fn look(tx: &Write<'_>, file: FileId, found: InspectionOutcome) -> Result<(), StoreError> {
    let sql = "SELECT size FROM file WHERE id = ?1";
    let size: i64 = tx.conn.query_row(sql, [file.0], |row| row.get(0))?;
    let counted = tx.record_looks(&[FileInspection { file, stamp: stamp(size.unsigned_abs()), found }])?;
    assert_eq!(counted, 1);
    Ok(())
}

/// Describes and hashes a file; equal numbers are equal bytes.
pub(super) fn make_ready(
    tx: &Write<'_>,
    file: FileId,
    name: &str,
    day: i64,
    number: u64,
) -> Result<(), StoreError> {
    look(tx, file, facts(name, day))?;
    let sql = "SELECT size FROM file WHERE id = ?1";
    let size: i64 = tx.conn.query_row(sql, [file.0], |row| row.get(0))?;
    look(tx, file, content(number, size.unsigned_abs()))
}

pub(super) fn destination(tx: &Write<'_>, name: &str) -> Result<DestinationId, StoreError> {
    tx.add_destination(&NewDestination {
        name: name.to_owned(),
        kind: DestinationKind::Folder,
        address: format!("/{name}").into_bytes(),
        capabilities: Capabilities { uuid: name.to_owned(), ..Capabilities::default() },
        job_limit: 10,
    })
}

/// Moves a file's record at a destination to a bin, with what the bin needs.
pub(super) fn put(
    tx: &Write<'_>,
    destination: DestinationId,
    file: FileId,
    bin: Bin,
    n: i64,
) -> Result<(), StoreError> {
    let (Wanted::Recorded(record) | Wanted::Known(record)) = tx.want(destination, file, n.unsigned_abs())?
    else {
        panic!("{file} is not ready");
    };
    let cause = if n % 5 == 0 { "'clock'" } else { "NULL" };
    let failed = format!(
        "failure_kind = 'server', failure_reach = 'resource', failure_details = 'no', failure_cause = {cause}"
    );
    let key = format!("key = 'k{n}', key_fold = 'k{n}', receipt = '{{}}'");
    let state = match bin {
        Bin::Waiting if n / 12 % 2 == 0 => {
            format!("state = 'failed', bin = 'waiting', next_eligible_ms = {}, {failed}", NOW.0 + n * 1_000)
        }
        Bin::Waiting => "state = 'wanted', bin = 'waiting'".to_owned(),
        Bin::Uploading => "state = 'wanted', bin = 'uploading'".to_owned(),
        Bin::NeedsAttention => format!("state = 'needs_attention', bin = 'needs_attention', {failed}"),
        Bin::Excluded => "state = 'excluded', bin = 'excluded'".to_owned(),
        Bin::Unproven => format!("state = 'accepted', bin = 'unproven', {key}"),
        Bin::Safe => format!(
            "state = 'verified', bin = 'safe', proof_method = 'direct_read', verified_ms = {}, {key}",
            NOW.0 + n
        ),
    };
    tx.conn.execute(&format!("UPDATE backup_record SET {state} WHERE id = {record}"), [])?;
    Ok(())
}

/// Two sources, three destinations (one off), files in every state, twins and companions.
pub(super) async fn full_library(store: &Store) {
    let build = |tx: &Write<'_>| {
        let (one, two) = (tx.add_source(b"/one", "fs")?, tx.add_source(b"/two/", "fs")?);
        let (a, b, off) = (destination(tx, "a")?, destination(tx, "b")?, destination(tx, "off")?);
        for (source, destination) in [(one, a), (one, b), (two, a), (two, off)] {
            tx.add_consent(source, destination)?;
        }
        let names: Vec<String> = (0..60).map(|n| format!("d{}/{n}.jpg", n % 4)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (source, others) in [(one, vec![a, b]), (two, vec![a, off])] {
            let files = add(tx, source, &names)?;
            for (n, (file, name)) in files.iter().zip(&names).enumerate() {
                let number = n as u64 + 1;
                let day = number.cast_signed() / 3;
                match n % 12 {
                    0 => {
                        look(
                            tx,
                            *file,
                            InspectionOutcome::Problem(Problem::Unreadable, "denied".to_owned()),
                        )?;
                    }
                    1 => look(tx, *file, InspectionOutcome::Excluded(ExcludeReason::NotMedia))?,
                    2 => look(tx, *file, InspectionOutcome::Changed(stamp(number), UnixMillis(NOW.0 + 5)))?,
                    3 => look(tx, *file, facts(name, day))?,
                    4 => {}
                    5 => make_ready(tx, *file, name, day, number)?,
                    _ => {
                        // The same bytes in both sources: one record at `a`.
                        make_ready(tx, *file, name, day, number)?;
                        for (which, destination) in others.iter().enumerate() {
                            let bin = Bin::ALL[(n + which) % 6];
                            put(tx, *destination, *file, bin, number.cast_signed())?;
                        }
                    }
                }
            }
            let files = add(tx, source, &["live/x.heic", "live/x.mov", "live/x.dng", "live/x.xmp"])?;
            for (n, (file, name)) in files.iter().zip(["x.heic", "x.mov", "x.dng", "x.xmp"]).enumerate() {
                make_ready(tx, *file, name, 99, 1_000 + source.0.unsigned_abs() * 10 + n as u64)?;
            }
            for (n, file) in files.iter().enumerate() {
                let bin = if n == 3 { Bin::Waiting } else { Bin::Safe };
                put(tx, a, *file, bin, 2_001 + source.0 * 100 + (n as u64).cast_signed() * 2)?;
            }
        }
        tx.conn.execute("UPDATE destination SET enabled = 0 WHERE name = 'off'", [])?;
        Ok(())
    };
    store.write(build).await.expect("built");
    let wrong = store.read(|r| r.audit_library()).await.expect("audit");
    assert_eq!(wrong, Vec::<String>::new());
}
