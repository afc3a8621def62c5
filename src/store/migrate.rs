//! Bringing a database up to this release's format.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::row::StoreError;

/// `PRAGMA application_id` of a Safelight database: "SfLt".
const APPLICATION_ID: i32 = 0x5366_4c74;

/// The steps, oldest first. A shipped step is never changed.
const STEPS: &[&str] = &[
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
    include_str!("schema/007.sql"),
    include_str!("schema/008.sql"),
    include_str!("schema/009.sql"),
    include_str!("schema/010.sql"),
    include_str!("schema/011.sql"),
    include_str!("schema/012.sql"),
    include_str!("schema/013.sql"),
    include_str!("schema/014.sql"),
    include_str!("schema/015.sql"),
    include_str!("schema/016.sql"),
    include_str!("schema/017.sql"),
    include_str!("schema/018.sql"),
    include_str!("schema/019.sql"),
    include_str!("schema/020.sql"),
    include_str!("schema/021.sql"),
];

/// The step whose table is filled from the keys that there are.
const NAME_GROUPS_AT: i64 = 13;

/// The last step before which files were grouped by other keys than [`crate::domain::grouping::group_key`]
/// makes now. A release that changes the keys sets this to its newest step.
const KEYED_ANEW_AT: i64 = 11;

/// The newest format this release knows.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Where the copy of a database of format `version` is kept while it is migrated, and after.
pub(super) fn backup_path(database: &Path, version: i64) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".before-{}", version + 1));
    PathBuf::from(name)
}

/// Brings the database up to [`newest`]. A database with content is copied aside first.
///
/// # Errors
/// [`StoreError::Newer`] for a database of a later release, which is left as it is.
pub(super) fn migrate(conn: &mut Connection, database: &Path) -> Result<(), StoreError> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > newest() {
        return Err(StoreError::Newer { found: version, known: newest() });
    }
    if version == newest() {
        return Ok(());
    }
    if version > 0 {
        let copy = backup_path(database, version);
        std::fs::remove_file(&copy).ok();
        conn.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    }
    for (index, step) in STEPS.iter().enumerate() {
        let number = i64::try_from(index).unwrap_or(i64::MAX) + 1;
        if number <= version {
            continue;
        }
        let tx = conn.transaction()?;
        tx.execute_batch(step)?;
        if number == KEYED_ANEW_AT && version > 0 {
            super::group_key::rehash_groups(&tx)?;
        }
        if number == NAME_GROUPS_AT {
            super::name_groups::fill(&tx)?;
        }
        tx.pragma_update(None, "user_version", number)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.commit()?;
    }
    Ok(())
}

/// Brings an empty database to an earlier format.
#[cfg(test)]
pub(super) fn to_format(conn: &mut Connection, version: i64) -> Result<(), StoreError> {
    for step in &STEPS[..usize::try_from(version).unwrap_or(0)] {
        conn.execute_batch(step)?;
    }
    conn.pragma_update(None, "user_version", version)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_database_is_refused_and_left_alone() {
        let mut conn = Connection::open_in_memory().expect("memory");
        conn.pragma_update(None, "user_version", 99).expect("version");
        let refused = migrate(&mut conn, Path::new("unused"));
        assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })));
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).expect("version");
        assert_eq!(version, 99);
    }

    #[test]
    fn what_was_left_out_is_looked_at_again_and_found_by_its_new_key() {
        let dir = tempfile::tempdir().expect("dir");
        let mut conn = Connection::open_in_memory().expect("memory");
        let before = KEYED_ANEW_AT - 1;
        for step in &STEPS[..usize::try_from(before).expect("small")] {
            conn.execute_batch(step).expect("an old step");
        }
        conn.pragma_update(None, "user_version", before).expect("version");
        conn.execute_batch(
            "INSERT INTO source (path, file_system, added_ms) VALUES (CAST('/p' AS BLOB), 'fs', 0);
             INSERT INTO file (id, source_id, dir, name, size, mtime_ns, ctime_ns, status, reason) VALUES
               (1, 1, x'', CAST('a.jp2' AS BLOB), 5, 0, 0, 'excluded', 'not_media'),
               (2, 1, x'', CAST('a.xmp' AS BLOB), 5, 0, 0, 'excluded', 'lone_sidecar'),
               (3, 1, CAST('x/.picasaoriginals' AS BLOB), CAST('a.jpg' AS BLOB), 5, 0, 0, 'excluded', 'hidden'),
               (4, 1, CAST('.git' AS BLOB), CAST('a.jpg' AS BLOB), 5, 0, 0, 'excluded', 'hidden'),
               (5, 1, x'', CAST('b.jp2' AS BLOB), 5, 0, 0, 'excluded', 'by_person');
             INSERT INTO file (id, source_id, dir, name, size, mtime_ns, ctime_ns, status)
               VALUES (6, 1, CAST('d' AS BLOB), CAST('ÉTÉ.JPG' AS BLOB), 5, 0, 0, 'described');
             INSERT INTO resource (file_id, media_type, is_mismatch, captured_ms, provenance, orientation,
               group_hash) VALUES (6, 'jpeg', 0, 0, 'metadata', 1, 12345);",
        )
        .expect("rows of an earlier release");
        migrate(&mut conn, &dir.path().join("safelight.db")).expect("migrated");
        let found = "SELECT group_concat(id) FROM file WHERE status = 'found'";
        let found: String = conn.query_row(found, [], |row| row.get(0)).expect("found");
        assert_eq!(found, "1,2,3");
        let counted = "SELECT sum(files) FROM file_count WHERE status = 'found'";
        assert_eq!(conn.query_row(counted, [], |row| row.get::<_, i64>(0)).expect("counted"), 3);
        let hash = "SELECT group_hash FROM resource WHERE file_id = 6";
        let hash: i64 = conn.query_row(hash, [], |row| row.get(0)).expect("hash");
        assert_eq!(
            hash,
            crate::store::group_key::GroupKey::of(1, b"d", "e\u{301}t\u{e9}.xmp".as_bytes()).hash()
        );
    }

    #[test]
    fn enum_checks_list_what_the_code_lists() {
        use crate::domain::accounting::Bin;
        use crate::domain::asset::{DateDoubt, DateSource, Provenance, ResourceKind};
        use crate::domain::file::{ExcludeReason, FileStatus, Problem};
        use crate::domain::job::JobState;
        use crate::domain::record::RecordState;
        use crate::domain::target::DestinationKind;
        use crate::domain::transfer::Phase;
        let schema = STEPS.join("\n");
        let list = |column: &str, names: Vec<&str>| {
            names.iter().map(|name| format!("{column} = '{name}'")).collect::<Vec<_>>().join(" OR ")
        };
        let flat: String = schema.split_whitespace().collect::<Vec<_>>().join(" ");
        // A cancelled job has no row.
        let live = JobState::ALL.into_iter().filter(|state| *state != JobState::Cancelled);
        let live = live.map(JobState::as_str).collect();
        let mut reasons = Problem::ALL.map(Problem::as_str).to_vec();
        reasons.extend(ExcludeReason::ALL.map(ExcludeReason::as_str));
        let phases = [Phase::Creating, Phase::Sending, Phase::Committing, Phase::Proving];
        assert!(Phase::ALL.iter().all(|phase| phases.contains(phase)));
        for wanted in [
            list("status", FileStatus::ALL.map(FileStatus::as_str).to_vec()),
            list("reason", reasons),
            list("kind", ResourceKind::ALL.map(ResourceKind::as_str).to_vec()),
            list("provenance", Provenance::ALL.map(Provenance::as_str).to_vec()),
            list("date_source", DateSource::ALL.map(DateSource::as_str).to_vec()),
            list("date_doubt", DateDoubt::ALL.map(DateDoubt::as_str).to_vec()),
            list("state", RecordState::ALL.map(RecordState::as_str).to_vec()),
            list("state", live),
            list("bin", Bin::ALL.map(Bin::as_str).to_vec()),
            list("kind", DestinationKind::ALL.map(DestinationKind::as_str).to_vec()),
            // In the order of the schema, which is older than the order of proof.
            list("phase", phases.map(Phase::as_str).to_vec()),
        ] {
            // In brackets, so that one value more is found too.
            let wanted = format!("CHECK ({wanted})");
            assert!(flat.contains(&wanted), "the schema does not list {wanted}");
        }
    }
}
