//! What files of one name come to as they are described, one after another.

use super::super::library_fixture::{add, content, destination, facts, look, make_ready, open, put};
use super::*;
use crate::domain::accounting::Bin;
use crate::domain::file::FileStamp;
use crate::domain::ids::{FileId, SourceId};

/// Each file with the part it plays and the name of the file it goes with, or why it is left out.
fn changes_since_start(tx: &Write<'_>, source: SourceId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT f.name, coalesce(r.kind, f.reason, f.status), coalesce(b.name, p.name) FROM file f
        LEFT JOIN resource r ON r.file_id = f.id LEFT JOIN asset a ON a.id = r.asset_id
        LEFT JOIN file p ON p.id = a.primary_file_id LEFT JOIN file b ON b.id = r.about_file_id WHERE f.source_id = ?1 ORDER BY f.id";
    let mut query = tx.conn.prepare(sql)?;
    let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let rows = query.query_map([source.0], |row| {
        let (name, kind): (Option<String>, String) = (text(row.get(0)?), row.get(1)?);
        Ok(match text(row.get(2)?) {
            Some(primary) => format!("{}={kind} of {primary}", name.unwrap_or_default()),
            None => format!("{}={kind}", name.unwrap_or_default()),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn describe(tx: &Write<'_>, files: &[FileId], names: &[&str]) -> Result<(), StoreError> {
    files.iter().zip(names).try_for_each(|(file, name)| look(tx, *file, facts(name, 3)))
}

#[tokio::test]
async fn companions_find_their_picture_whenever_they_come() {
    let (_dir, store) = open();
    let names = [
        "d.jpg",
        "d.jpg.pp3",
        "d.jpg.supplemental-meta.json",
        "Z\u{fc}rich.jpg",
        "Zu\u{308}rich.xmp",
        "N.NEF",
        "NKSC_PARAM/N.NEF.nksc",
        "NKSC_PARAM/M.NEF.nksc",
        "CaptureOne/Settings131/n.nef.cos",
        "GOPR1.MP4",
        "GOPR1.THM",
        "c.jpg",
        "c.arw",
        "c.arw.xmp",
        "c.xmp",
    ];
    let expected = [
        "d.jpg=photo of d.jpg",
        "d.jpg.pp3=sidecar of d.jpg",
        "d.jpg.supplemental-meta.json=sidecar of d.jpg",
        "Z\u{fc}rich.jpg=photo of Z\u{fc}rich.jpg",
        "Zu\u{308}rich.xmp=sidecar of Z\u{fc}rich.jpg",
        "N.NEF=photo of N.NEF",
        "N.NEF.nksc=sidecar of N.NEF",
        "M.NEF.nksc=lone_sidecar",
        "n.nef.cos=sidecar of N.NEF",
        "GOPR1.MP4=video of GOPR1.MP4",
        "GOPR1.THM=sidecar of GOPR1.MP4",
        "c.jpg=photo of c.jpg",
        "c.arw=alternate_photo of c.jpg",
        "c.arw.xmp=sidecar of c.arw",
        "c.xmp=sidecar of c.jpg",
    ];
    let run = move |tx: &Write<'_>| {
        for (turn, path) in [&b"/there"[..], b"/back", b"/again"].into_iter().enumerate() {
            let source = tx.add_source(path, "fs")?;
            let files = add(tx, source, &names)?;
            let (mut files_in_turn, mut names_in_turn) = (files.clone(), names.to_vec());
            files_in_turn.rotate_left(turn * 3);
            names_in_turn.rotate_left(turn * 3);
            if turn == 1 {
                files_in_turn.reverse();
                names_in_turn.reverse();
            }
            describe(tx, &files_in_turn, &names_in_turn)?;
            assert_eq!(changes_since_start(tx, source)?, expected, "turn {turn}");
            tx.remove_files(&files[..1])?;
            let without = changes_since_start(tx, source)?;
            assert_eq!(without[0], "d.jpg.pp3=lone_sidecar");
        }
        Ok(())
    };
    store.write(run).await.expect("ran");
}

/// Describes a file again, as of another day: a new version of it has come.
fn describe_again(tx: &Write<'_>, file: FileId, name: &str, day: i64) -> Result<(), StoreError> {
    let sql = "SELECT size, mtime_ns, ctime_ns FROM file WHERE id = ?1";
    let stamp = tx.conn.query_row(sql, [file.0], |row| {
        let size: i64 = row.get(0)?;
        Ok(FileStamp { size: size.unsigned_abs(), mtime_ns: row.get(1)?, ctime_ns: row.get(2)? })
    })?;
    tx.change_files(&[NewVersion { file, stamp, start: InitialStatus::Found }])?;
    look(tx, file, facts(name, day))
}

#[tokio::test]
async fn a_pair_of_an_earlier_release_is_parted_when_all_of_it_was_read_again() {
    let (_dir, store) = open();
    let run = move |tx: &Write<'_>| {
        let source = tx.add_source(b"/photos", "fs")?;
        let names = ["a.jpg", "a.mov", "a.cr2", "a.xmp"];
        let files = add(tx, source, &names)?;
        describe(tx, &files[..3], &names[..3])?;
        // As an earlier release has left it: a clip of another year and of unknown length.
        tx.conn.execute("UPDATE resource SET facts_version = 0, duration_ms = NULL", [])?;
        let year = "UPDATE resource SET captured_ms = captured_ms + 31536000000 WHERE file_id IN (?1, ?2)";
        tx.conn.execute(year, [files[1].0, files[2].0])?;
        let paired =
            ["a.jpg=photo of a.jpg", "a.mov=paired_video of a.jpg", "a.cr2=alternate_photo of a.jpg"];
        describe(tx, &files[3..], &names[3..])?;
        assert_eq!(changes_since_start(tx, source)?[..3], paired);
        describe_again(tx, files[1], "a.mov", 368)?;
        assert_eq!(changes_since_start(tx, source)?[..3], paired);
        describe_again(tx, files[0], "a.jpg", 3)?;
        let parted = ["a.jpg=photo of a.jpg", "a.mov=video of a.mov", "a.cr2=alternate_photo of a.jpg"];
        assert_eq!(changes_since_start(tx, source)?[..3], parted);
        describe_again(tx, files[2], "a.cr2", 368)?;
        let parted = ["a.jpg=photo of a.jpg", "a.mov=video of a.mov", "a.cr2=photo of a.cr2"];
        assert_eq!(changes_since_start(tx, source)?, [&parted[..], &["a.xmp=sidecar of a.jpg"]].concat());
        // And is a pair again when it turns out to be one.
        describe_again(tx, files[1], "a.mov", 3)?;
        assert_eq!(changes_since_start(tx, source)?[1], "a.mov=paired_video of a.jpg");
        Ok(())
    };
    store.write(run).await.expect("ran");
}

#[tokio::test]
async fn what_is_backed_up_stays_when_its_pair_is_parted_and_made_again() {
    let (_dir, store) = open();
    let run = move |tx: &Write<'_>| {
        let source = tx.add_source(b"/photos", "fs")?;
        let there = destination(tx, "there")?;
        tx.add_consent(source, there)?;
        let names = ["a.jpg", "a.mov", "a.aae", "a.xmp", "a.jpg.xmp"];
        let files = add(tx, source, &names)?;
        for (file, name, number) in [(files[0], "a.jpg", 1), (files[1], "a.mov", 2)] {
            make_ready(tx, file, name, 3, number)?;
            put(tx, there, file, Bin::Safe, number.cast_signed())?;
        }
        assert_eq!(changes_since_start(tx, source)?[1], "a.mov=paired_video of a.jpg");
        let record = |tx: &Write<'_>| -> Result<(i64, i64, String, String), StoreError> {
            let sql = "SELECT b.id, b.beside_id, b.key, b.state FROM attachment t
                JOIN backup_record b ON b.id = t.record_id WHERE t.file_id = ?1";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            Ok(tx.conn.query_row(sql, [files[1].0], row)?)
        };
        let (id, beside, key, _) = record(tx)?;
        assert!(beside != 0);
        let year = "UPDATE resource SET captured_ms = captured_ms + ?2 WHERE file_id = ?1";
        for (turn, kind) in ["a.mov=video of a.mov", "a.mov=paired_video of a.jpg"].into_iter().enumerate() {
            let by: i64 = if turn == 0 { 31_536_000_000 } else { -31_536_000_000 };
            tx.conn.execute(year, [files[1].0, by])?;
            // What shares the name is grouped again when anything of it is news.
            look(tx, files[3 + turn], facts(names[3 + turn], 3))?;
            assert_eq!(changes_since_start(tx, source)?[1], kind);
            let missing = tx.unattached(there, FileId(0), 10)?;
            assert!(missing.contains(&files[1]), "a full look finds it too");
            tx.want(there, files[1], 99)?;
            let (id_now, beside_now, key_now, state) = record(tx)?;
            assert_eq!((id_now, &key_now, state.as_str()), (id, &key, "verified"), "turn {turn}");
            assert_eq!(beside_now != 0, turn == 1);
        }
        let count = "SELECT count(*) FROM backup_record";
        assert_eq!(tx.conn.query_row(count, [], |row| row.get::<_, i64>(0))?, 2);
        Ok(())
    };
    store.write(run).await.expect("ran");
}

#[tokio::test]
async fn equal_sidecars_of_two_pictures_are_two_copies() {
    let (_dir, store) = open();
    let run = move |tx: &Write<'_>| {
        let source = tx.add_source(b"/photos", "fs")?;
        let there = destination(tx, "there")?;
        tx.add_consent(source, there)?;
        let names = ["c.jpg", "c.arw", "c.jpg.xmp", "c.arw.xmp"];
        let files = add(tx, source, &names)?;
        tx.conn.execute("UPDATE file SET size = 7", [])?;
        // The RAW last: its sidecar waits for it.
        for (at, number) in [(0, 1), (2, 3), (3, 3)] {
            make_ready(tx, files[at], names[at], 3, number)?;
        }
        look(tx, files[1], facts("c.arw", 3))?;
        assert!(matches!(tx.want(there, files[3], 4)?, Wanted::NotReady));
        look(tx, files[1], content(2, 7))?;
        let mut records = std::collections::BTreeSet::new();
        for file in &files {
            let (Wanted::Recorded(record) | Wanted::Known(record)) = tx.want(there, *file, 5)? else {
                panic!("{file} is ready");
            };
            records.insert(record);
        }
        assert_eq!(records.len(), 4);
        assert_eq!(tx.unattached(there, FileId(0), 10)?, []);
        Ok(())
    };
    store.write(run).await.expect("ran");
}
