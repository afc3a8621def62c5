//! When assets were captured: by their own files, by their sidecars, and by later releases that read more.

use rusqlite::{Connection, params};

use super::super::library_fixture::{add, content, destination, facts, look, open, stamp};
use crate::api::LibraryFilter;
use crate::domain::asset::{DateDoubt, DateSource, FoundDate};
use crate::domain::ids::{DestinationId, FileId, SourceId};
use crate::domain::transfer::Capabilities;
use crate::store::{FileInspection, InspectionOutcome, NewJob, StoreError, Wanted, Write};

const DAY_MS: i64 = 86_400_000;

/// A look that describes a file by its name, with a date of this kind.
fn dated(name: &str, day: i64, source: DateSource, doubt: Option<DateDoubt>) -> InspectionOutcome {
    let InspectionOutcome::Facts(mut facts) = facts(name, day) else { panic!("facts") };
    let captured_at =
        crate::domain::asset::CapturedAt { provenance: source.provenance(), ..facts.date.captured_at };
    facts.date = FoundDate { captured_at, source, doubt };
    InspectionOutcome::Facts(facts)
}

fn set_up(tx: &Write<'_>) -> Result<(SourceId, DestinationId), StoreError> {
    let source = tx.add_source(b"/one", "fs")?;
    let to = destination(tx, "disk")?;
    tx.add_consent(source, to)?;
    Ok((source, to))
}

/// Day and source of the asset that a file is the primary of.
fn asset_date(tx: &Write<'_>, file: FileId) -> Result<(i64, String, Option<String>), StoreError> {
    let sql = "SELECT captured_ms, date_source, date_doubt FROM asset WHERE primary_file_id = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)? / DAY_MS, row.get(1)?, row.get(2)?));
    Ok(tx.conn.query_row(sql, [file.0], read)?)
}

fn record_day(tx: &Write<'_>, file: FileId) -> Result<(i64, String), StoreError> {
    let sql =
        "SELECT b.captured_ms, b.provenance FROM backup_record b JOIN attachment t ON t.record_id = b.id
        WHERE t.file_id = ?1";
    Ok(tx.conn.query_row(sql, [file.0], |row| Ok((row.get::<_, i64>(0)? / DAY_MS, row.get(1)?)))?)
}

fn order_day(tx: &Write<'_>, file: FileId) -> Result<i64, StoreError> {
    let sql = "SELECT captured_ms FROM file WHERE id = ?1";
    Ok(tx.conn.query_row(sql, [file.0], |row| row.get::<_, i64>(0))? / DAY_MS)
}

/// Draws the next records and makes their keys.
fn create(tx: &Write<'_>, to: DestinationId) -> Result<usize, StoreError> {
    let capabilities = Capabilities { uuid: "disk".to_owned(), no_replace: true, ..Capabilities::default() };
    let drawn = tx.draw(to, 10, tx.now)?;
    for record in &drawn {
        tx.create_job(NewJob { record: *record, capabilities: &capabilities, limit: 10 })?;
    }
    Ok(drawn.len())
}

fn outdate(tx: &Write<'_>) -> Result<(), StoreError> {
    tx.conn.execute("UPDATE resource SET facts_version = 0", [])?;
    Ok(())
}

#[tokio::test]
async fn a_sidecar_dates_its_picture_where_the_picture_has_no_better_date() {
    let (_dir, store) = open();
    let run = |tx: &Write<'_>| {
        let (source, _) = set_up(tx)?;
        let (doubt, none) = (Some(DateDoubt::CameraDefault), None);
        let cases = [
            (DateSource::Metadata, none, 10, "metadata"),
            (DateSource::FileName, none, 20, "sidecar"),
            (DateSource::Metadata, doubt, 20, "sidecar"),
            (DateSource::ModifiedTag, none, 20, "sidecar"),
            (DateSource::ModifiedTime, none, 20, "sidecar"),
        ];
        for (n, (own, doubt, day, from)) in cases.into_iter().enumerate() {
            let (picture, sidecar) = (format!("{n}.jpg"), format!("{n}.xmp"));
            let ids = add(tx, source, &[&picture, &sidecar])?;
            look(tx, ids[0], dated(&picture, 10, own, doubt))?;
            assert_eq!(asset_date(tx, ids[0])?.0, 10);
            look(tx, ids[1], dated(&sidecar, 20, DateSource::Metadata, None))?;
            assert_eq!(asset_date(tx, ids[0])?, (day, from.to_owned(), None), "{own:?}");
            assert_eq!(order_day(tx, ids[0])?, day);
            // Without its sidecar it has its own date again.
            tx.remove_files(&[ids[1]])?;
            let doubt = doubt.map(|doubt| doubt.as_str().to_owned());
            assert_eq!(asset_date(tx, ids[0])?, (10, own.as_str().to_owned(), doubt));
            assert_eq!(order_day(tx, ids[0])?, 10);
        }
        // The one that has a camera's default again is listed, and no other.
        let doubtful = tx.sections(LibraryFilter::DoubtfulDate)?;
        assert_eq!(doubtful.iter().map(|section| section.assets).sum::<u32>(), 1);
        // What only the sidecar's own name or times tell is not its picture's.
        let ids = add(tx, source, &["z.jpg", "z.xmp"])?;
        look(tx, ids[0], dated("z.jpg", 10, DateSource::ModifiedTime, None))?;
        look(tx, ids[1], dated("z.xmp", 20, DateSource::FileName, None))?;
        assert_eq!(asset_date(tx, ids[0])?.0, 10);
        assert_eq!(tx.audit_library()?, Vec::<String>::new());
        Ok(())
    };
    store.write(run).await.expect("run");
}

#[tokio::test]
async fn a_late_sidecar_dates_what_has_no_key_yet() {
    let (_dir, store) = open();
    let run = |tx: &Write<'_>| {
        let (source, to) = set_up(tx)?;
        let ids = add(tx, source, &["a.jpg", "b.jpg", "a.xmp", "b.xmp"])?;
        for (n, name) in ["a.jpg", "b.jpg"].into_iter().enumerate() {
            look(tx, ids[n], dated(name, 10, DateSource::FileName, None))?;
            look(tx, ids[n], content(n as u64, n as u64 + 1))?;
        }
        assert!(matches!(tx.want(to, ids[0], 1)?, Wanted::Recorded(_)));
        assert_eq!(create(tx, to)?, 1);
        assert!(matches!(tx.want(to, ids[1], 2)?, Wanted::Recorded(_)));
        for (id, name) in [(ids[2], "a.xmp"), (ids[3], "b.xmp")] {
            look(tx, id, dated(name, 20, DateSource::Metadata, None))?;
        }
        assert_eq!(record_day(tx, ids[0])?, (10, "file_name".to_owned()), "its key is frozen");
        assert_eq!(record_day(tx, ids[1])?, (20, "metadata".to_owned()));
        assert_eq!(asset_date(tx, ids[0])?.0, 20, "the grid shows the better date");
        Ok(())
    };
    store.write(run).await.expect("run");
}

#[tokio::test]
async fn what_an_earlier_release_read_is_looked_at_once_again_and_stays_where_it_stands() {
    let (_dir, store) = open();
    let set = |tx: &Write<'_>| {
        let (source, to) = set_up(tx)?;
        let names = ["done.jpg", "waiting.jpg", "described.jpg", "lone.xmp"];
        let ids = add(tx, source, &names)?;
        for (n, name) in names.into_iter().enumerate() {
            look(tx, ids[n], dated(name, 10, DateSource::ModifiedTime, None))?;
            if n < 2 {
                look(tx, ids[n], content(n as u64, n as u64 + 1))?;
            }
        }
        tx.want(to, ids[0], 1)?;
        assert_eq!(create(tx, to)?, 1);
        tx.want(to, ids[1], 2)?;
        outdate(tx)?;
        assert_eq!(create(tx, to)?, 0, "its key is to have the better date");
        Ok((to, ids))
    };
    let (to, ids) = store.write(set).await.expect("set up");
    let first = store.read(|r| r.next_to_refresh(10)).await.expect("read");
    assert_eq!(first.iter().map(|file| file.id).collect::<Vec<_>>(), [ids[1]], "what waits comes first");
    let (all, before) = (ids.clone(), store.read(|r| r.newest_token()).await.expect("read"));
    let run = move |tx: &Write<'_>| {
        let again = |n: u64, name: &str| {
            let InspectionOutcome::Facts(facts) = dated(name, 20, DateSource::Metadata, None) else {
                panic!("facts")
            };
            let stamp = stamp(n + 1);
            FileInspection {
                file: all[usize::try_from(n).expect("few")],
                stamp,
                found: InspectionOutcome::Refreshed(Some(facts)),
            }
        };
        let stale = FileInspection { stamp: stamp(99), ..again(1, "waiting.jpg") };
        assert_eq!(tx.record_looks(&[stale])?, 0);
        assert_eq!(tx.record_looks(&[again(1, "waiting.jpg")])?, 1);
        let ready = "SELECT status = 'ready' AND content_id IS NOT NULL FROM file WHERE id = ?1";
        assert!(tx.conn.query_row(ready, [all[1].0], |row| row.get::<_, bool>(0))?);
        assert_eq!(record_day(tx, all[1])?, (20, "metadata".to_owned()));
        assert_eq!(create(tx, to)?, 1);
        let key: String = tx.conn.query_row(
            "SELECT key FROM backup_record b JOIN attachment t ON t.record_id = b.id WHERE t.file_id = ?1",
            [all[1].0],
            |row| row.get(0),
        )?;
        assert_eq!(key, "1970/1970-01/waiting.jpg");
        assert_eq!(tx.record_looks(&[again(0, "done.jpg"), again(2, "described.jpg")])?, 2);
        let kept =
            FileInspection { file: all[3], stamp: stamp(4), found: InspectionOutcome::Refreshed(None) };
        assert_eq!(tx.record_looks(&[kept])?, 1);
        assert_eq!(record_day(tx, all[0])?, (10, "modified_time".to_owned()), "what has a key stays");
        assert_eq!(asset_date(tx, all[0])?, (20, "metadata".to_owned(), None));
        assert_eq!(order_day(tx, all[2])?, 20);
        assert_eq!(tx.audit_library()?, Vec::<String>::new());
        Ok(())
    };
    store.write(run).await.expect("run");
    let (left, after) = store.read(|r| Ok((r.next_to_refresh(10)?, r.newest_token()?))).await.expect("read");
    assert!(left.is_empty());
    assert_eq!(after - before, 1, "only what waited is news");
}

#[tokio::test]
async fn files_of_an_absent_source_hold_nothing_up() {
    let (_dir, store) = open();
    let run = |tx: &Write<'_>| {
        let (one, to) = set_up(tx)?;
        let two = tx.add_source(b"/two", "fs")?;
        tx.add_consent(two, to)?;
        // The same bytes in both.
        for source in [one, two] {
            let id = add(tx, source, &["a.jpg"])?[0];
            look(tx, id, dated("a.jpg", 10, DateSource::ModifiedTime, None))?;
            look(tx, id, content(1, 1))?;
            tx.want(to, id, 1)?;
        }
        tx.conn.execute(
            "UPDATE resource SET facts_version = 0 WHERE file_id = (SELECT max(id) FROM file)",
            [],
        )?;
        assert_eq!(create(tx, to)?, 0);
        tx.conn.execute("UPDATE source SET condition = 'unavailable' WHERE id = ?1", params![two.0])?;
        assert!(tx.next_to_refresh(10)?.is_empty());
        assert_eq!(create(tx, to)?, 1);
        Ok(())
    };
    store.write(run).await.expect("run");
}

#[test]
fn an_earlier_format_keeps_its_dates_and_is_looked_at_again() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("safelight.db");
    let mut conn = Connection::open(&path).expect("open");
    super::super::migrate::to_format(&mut conn, 9).expect("format 9");
    conn.execute_batch(
        "INSERT INTO source (id, path, file_system, added_ms) VALUES (1, x'2f', 'fs', 0);
         INSERT INTO file (id, source_id, dir, name, size, mtime_ns, ctime_ns, status, captured_ms)
           VALUES (1, 1, x'', x'61', 1, 0, 0, 'described', 7), (2, 1, x'', x'62', 1, 0, 0, 'described', 8);
         INSERT INTO asset (id, source_id, primary_file_id, class, captured_ms, day)
           VALUES (1, 1, 1, 'photo', 7, 19700101), (2, 1, 2, 'photo', 8, 19700101);
         INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, offset_minutes,
             provenance, orientation, group_hash)
           VALUES (1, 1, 'photo', 'jpeg', 0, 7, 120, 'metadata', 1, 0),
             (2, 2, 'photo', 'jpeg', 0, 8, 0, 'modified_time', 1, 0);",
    )
    .expect("rows");
    super::super::migrate::migrate(&mut conn, &path).expect("migrated");
    let sql = "SELECT a.captured_ms, a.offset_minutes, a.date_source, r.date_source, r.facts_version < 2
        FROM asset a JOIN resource r ON r.file_id = a.primary_file_id ORDER BY a.id";
    let mut query = conn.prepare(sql).expect("query");
    let rows =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    let rows: Vec<(i64, i64, String, String, bool)> =
        rows.expect("rows").collect::<Result<_, _>>().expect("rows");
    let of = |ms, offset, source: &str| (ms, offset, source.to_owned(), source.to_owned(), true);
    assert_eq!(rows, [of(7, 120, "metadata"), of(8, 0, "modified_time")]);
}
