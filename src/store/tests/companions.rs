//! Parts of one asset: in which order they are drawn, and what each transfer is told of the others.

use rusqlite::params;

use super::options;
use crate::base::executor::Executor;
use crate::domain::asset::ResourceKind;
use crate::domain::ids::{DestinationId, FileId, RecordId, SourceId};
use crate::domain::record::{Evidence, ProofMethod};
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;
use crate::store::{NewDestination, Store, StoreError, Wanted, Write};

fn destination(tx: &Write<'_>, source: SourceId, kind: DestinationKind) -> Result<DestinationId, StoreError> {
    let id = tx.add_destination(&NewDestination {
        name: kind.as_str().to_owned(),
        kind,
        address: kind.as_str().as_bytes().to_vec(),
        capabilities: Capabilities {
            uuid: kind.as_str().to_owned(),
            no_replace: true,
            ..Capabilities::default()
        },
        job_limit: 8,
    })?;
    tx.add_consent(source, id)?;
    Ok(id)
}

/// A file of an asset; the asset's primary is the first of it.
fn part(
    tx: &Write<'_>,
    source: SourceId,
    asset: Option<i64>,
    name: &str,
    kind: &str,
) -> Result<(FileId, i64), StoreError> {
    let hash = *blake3::hash(name.as_bytes()).as_bytes();
    tx.conn.execute("INSERT INTO content (blake3, size) VALUES (?1, 7)", params![hash])?;
    tx.conn.execute(
        "INSERT INTO file (source_id, dir, name, size, mtime_ns, ctime_ns, status, content_id)
         VALUES (?1, CAST('trip' AS BLOB), ?2, 7, 0, 0, 'ready', last_insert_rowid())",
        params![source.0, name.as_bytes()],
    )?;
    let file = tx.conn.last_insert_rowid();
    let asset = match asset {
        Some(asset) => asset,
        None => {
            let sql = "INSERT INTO asset (source_id, primary_file_id, class, captured_ms, day)
                VALUES (?1, ?2, 'photo', 5, 20190101)";
            tx.conn.execute(sql, params![source.0, file])?;
            tx.conn.last_insert_rowid()
        }
    };
    tx.conn.execute(
        "INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, provenance, orientation, group_hash, facts_version)
         VALUES (?1, ?2, ?3, 'jpeg', 0, 5, 'metadata', 1, 0, 9)",
        params![file, asset, kind],
    )?;
    Ok((FileId(file), asset))
}

fn want(tx: &Write<'_>, destination: DestinationId, file: FileId) -> Result<RecordId, StoreError> {
    match tx.want(destination, file, file.0.unsigned_abs())? {
        Wanted::Recorded(record) | Wanted::Known(record) => Ok(record),
        Wanted::NotReady => Err(StoreError::Refused("not ready".to_owned())),
    }
}

fn verified(tx: &Write<'_>, record: RecordId, receipt: &str) -> Result<(), StoreError> {
    let evidence = Evidence::Verified { method: ProofMethod::ServerRecheck, at: UnixMillis(1) };
    tx.conn.execute(
        "UPDATE backup_record SET key = ?2, key_fold = ?2 WHERE id = ?1",
        params![record.0, receipt],
    )?;
    tx.set_evidence(record, evidence, receipt)
}

#[tokio::test]
async fn what_joins_the_parts_gets_them_in_order() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let work = store.write(|tx| {
        let source = tx.add_source(b"/photos", "fs")?;
        let folder = destination(tx, source, DestinationKind::Folder)?;
        let immich = destination(tx, source, DestinationKind::Immich)?;
        let (still, asset) = part(tx, source, None, "IMG_1.HEIC", "photo")?;
        let (moving, _) = part(tx, source, Some(asset), "IMG_1.MOV", "paired_video")?;
        let (sidecar, _) = part(tx, source, Some(asset), "IMG_1.XMP", "sidecar")?;
        let (raw, _) = part(tx, source, Some(asset), "IMG_1.DNG", "alternate_photo")?;
        let files = [still, moving, sidecar, raw];
        for file in files {
            want(tx, folder, file)?;
        }
        let mut records = Vec::new();
        for file in files {
            records.push(want(tx, immich, file)?);
        }
        let [still, moving, sidecar, raw] = records[..] else {
            return Err(StoreError::Refused("four records".to_owned()));
        };
        assert_eq!(tx.draw(folder, 8, tx.now)?.len(), 4, "a folder takes them as they come");
        assert_eq!(tx.draw(immich, 8, tx.now)?, [moving]);

        // What a person has to look at holds up nobody, what is tried again soon does.
        let state = |state: &str| {
            let sql = "UPDATE backup_record SET state = ?2, bin = 'waiting', failure_kind = 'server',
                failure_reach = 'resource', next_eligible_ms = 99999999999999 WHERE id = ?1";
            tx.conn.execute(sql, params![moving.0, state])
        };
        state("failed")?;
        assert_eq!(tx.draw(immich, 8, UnixMillis(99_999_999_999_990))?, []);
        state("needs_attention")?;
        assert_eq!(tx.draw(immich, 8, UnixMillis(99_999_999_999_990))?, [still]);
        verified(tx, moving, "the moving half")?;
        assert_eq!(tx.draw(immich, 8, tx.now)?, [still]);

        // A sidecar that is still being read goes with its picture when it is known.
        tx.conn.execute(
            "UPDATE file SET status = 'described', content_id = NULL WHERE name = CAST('IMG_1.XMP' AS BLOB)",
            [],
        )?;
        assert_eq!(tx.draw(immich, 8, tx.now)?, []);
        tx.conn.execute(
            "UPDATE file SET status = 'ready', content_id =
               (SELECT content_id FROM backup_record WHERE id = ?1) WHERE name = CAST('IMG_1.XMP' AS BLOB)",
            params![sidecar.0],
        )?;
        assert_eq!(want(tx, immich, FileId(3))?, sidecar);
        assert_eq!(tx.draw(immich, 8, tx.now)?, [still]);

        let told = tx.companions(immich, still)?;
        let told: Vec<_> =
            told.iter().map(|part| (part.kind, part.is_primary, part.receipt.as_deref())).collect();
        assert_eq!(
            told,
            [
                (ResourceKind::PairedVideo, false, Some("the moving half")),
                (ResourceKind::Sidecar, false, None),
                (ResourceKind::AlternatePhoto, false, None)
            ]
        );
        verified(tx, still, "the still")?;
        assert_eq!(tx.draw(immich, 8, tx.now)?, [raw, sidecar]);
        let told = tx.companions(immich, raw)?;
        assert_eq!(told[0].path.to_bytes(), b"trip/IMG_1.HEIC");
        assert_eq!((told[0].is_primary, told[0].receipt.as_deref()), (true, Some("the still")));
        Ok(())
    });
    work.await.expect("in order");
}

#[tokio::test]
async fn a_sidecar_goes_with_the_file_that_it_is_about() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let work = store.write(|tx| {
        let source = tx.add_source(b"/photos", "fs")?;
        let immich = destination(tx, source, DestinationKind::Immich)?;
        let (jpeg, asset) = part(tx, source, None, "c.jpg", "photo")?;
        let (raw, _) = part(tx, source, Some(asset), "c.arw", "alternate_photo")?;
        let (of_raw, _) = part(tx, source, Some(asset), "c.arw.xmp", "sidecar")?;
        let (of_jpeg, _) = part(tx, source, Some(asset), "c.jpg.xmp", "sidecar")?;
        let sql = "UPDATE resource SET about_file_id = ?2 WHERE file_id = ?1";
        tx.conn.execute(sql, params![of_raw.0, raw.0])?;
        let mut records = Vec::new();
        for file in [jpeg, raw, of_raw, of_jpeg] {
            records.push(want(tx, immich, file)?);
        }
        let [jpeg, raw, of_raw, of_jpeg] = records[..] else {
            return Err(StoreError::Refused("four records".to_owned()));
        };
        let told = |tx: &Write<'_>, record| -> Result<Vec<(String, bool, bool)>, StoreError> {
            let rows = tx.companions(immich, record)?;
            let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let one =
                |row: &crate::store::CompanionRow| (name(&row.path.name), row.is_own_sidecar, row.is_subject);
            Ok(rows.iter().map(one).filter(|(_, own, subject)| *own || *subject).collect())
        };
        let line = |name: &str, own, subject| vec![(name.to_owned(), own, subject)];
        assert_eq!(told(tx, jpeg)?, line("c.jpg.xmp", true, false));
        assert_eq!(told(tx, raw)?, line("c.arw.xmp", true, false));
        assert_eq!(told(tx, of_raw)?, line("c.arw", false, true));
        assert_eq!(told(tx, of_jpeg)?, line("c.jpg", false, true));

        // Another's sidecar that is still being read holds up nobody but its own picture.
        let reading = "UPDATE file SET status = 'described', content_id = NULL WHERE name = ?1";
        tx.conn.execute(reading, params![b"c.arw.xmp"])?;
        assert_eq!(tx.draw(immich, 8, tx.now)?, [jpeg]);
        verified(tx, jpeg, "the picture")?;
        assert_eq!(tx.draw(immich, 8, tx.now)?, [of_jpeg]);
        let read = "UPDATE file SET status = 'ready', content_id =
            (SELECT content_id FROM backup_record WHERE id = ?2) WHERE name = ?1";
        tx.conn.execute(read, params![b"c.arw.xmp", of_raw.0])?;
        assert_eq!(want(tx, immich, FileId(3))?, of_raw);
        assert_eq!(tx.draw(immich, 8, tx.now)?, [of_jpeg, raw]);
        verified(tx, raw, "the RAW")?;
        assert_eq!(tx.draw(immich, 8, tx.now)?, [of_jpeg, of_raw]);
        Ok(())
    });
    work.await.expect("in order");
}

#[tokio::test]
async fn what_has_the_same_bytes_in_two_folders_is_told_of_both() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let work = store.write(|tx| {
        let source = tx.add_source(b"/photos", "fs")?;
        let immich = destination(tx, source, DestinationKind::Immich)?;
        let (still, roma) = part(tx, source, None, "a.heic", "photo")?;
        let (moving, _) = part(tx, source, Some(roma), "a.mov", "paired_video")?;
        // The same still in another folder, with a moving half and a sidecar of its own.
        let (again, sea) = part(tx, source, None, "b.heic", "photo")?;
        let (other, _) = part(tx, source, Some(sea), "b.mov", "paired_video")?;
        let (sidecar, _) = part(tx, source, Some(sea), "b.xmp", "sidecar")?;
        let same = "UPDATE file SET content_id = (SELECT content_id FROM file WHERE id = ?2) WHERE id = ?1";
        tx.conn.execute(same, params![again.0, still.0])?;
        // And a picture that has nothing to do with them.
        part(tx, source, None, "c.jpg", "photo")?;
        let mut records = Vec::new();
        for file in [still, again, moving, other, sidecar] {
            records.push(want(tx, immich, file)?);
        }
        let [still, again, moving, other, sidecar] = records[..] else {
            return Err(StoreError::Refused("five records".to_owned()));
        };
        assert_eq!(still, again, "the same bytes");
        assert_eq!(tx.record_files(still)?.len(), 2);
        assert_eq!(tx.draw(immich, 8, tx.now)?, [other, moving], "both halves come first");
        verified(tx, moving, "the moving half")?;
        let told = |record| -> Result<Vec<(String, bool, bool, bool)>, StoreError> {
            let rows = tx.companions(immich, record)?;
            let name =
                |row: &crate::store::CompanionRow| String::from_utf8_lossy(&row.path.name).into_owned();
            Ok(rows.iter().map(|row| (name(row), row.is_primary, row.is_own_sidecar, row.is_rival)).collect())
        };
        let line = |name: &str, primary, own, rival| (name.to_owned(), primary, own, rival);
        assert_eq!(
            told(still)?,
            [
                line("a.mov", false, false, true),
                line("b.mov", false, false, true),
                line("b.xmp", false, true, true)
            ]
        );
        assert_eq!(
            told(other)?,
            [
                line("b.heic", true, false, false),
                line("b.xmp", false, false, false),
                line("a.heic", false, false, false),
                line("a.mov", false, false, true)
            ],
            "a rival of another folder is known, and its still is not this one's primary twice"
        );
        assert!(told(sidecar)?.contains(&line("b.heic", true, false, false)));

        // A copy that is there gets one more file: it is arranged again, once.
        verified(tx, still, "the still")?;
        assert!(tx.to_arrange(immich, RecordId(0), 8)?.is_empty());
        let (third, _) = part(tx, source, None, "d.heic", "photo")?;
        tx.conn.execute(same, params![third.0, 1])?;
        assert_eq!(want(tx, immich, third)?, still);
        let due = tx.to_arrange(immich, RecordId(0), 8)?;
        assert_eq!(due.iter().map(|(copy, due)| (copy.id, *due)).collect::<Vec<_>>(), [(still, 1)]);
        tx.set_arranged(still, 2)?;
        assert_eq!(tx.to_arrange(immich, RecordId(0), 8)?.len(), 1, "another came meanwhile");
        tx.set_arranged(still, 1)?;
        assert!(tx.to_arrange(immich, RecordId(0), 8)?.is_empty());
        Ok(())
    });
    work.await.expect("both folders");
}

#[tokio::test]
async fn of_what_is_in_a_trash_one_class_can_be_chosen() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let work = store.write(|tx| {
        let source = tx.add_source(b"/photos", "fs")?;
        let immich = destination(tx, source, DestinationKind::Immich)?;
        let fail = |name, cause: Option<&str>| {
            let (file, _) = part(tx, source, None, name, "photo")?;
            let record = want(tx, immich, file)?;
            let sql = "UPDATE backup_record SET state = 'needs_attention', bin = 'needs_attention',
                failure_kind = 'conflict', failure_reach = 'resource', failure_cause = ?2 WHERE id = ?1";
            tx.conn.execute(sql, params![record.0, cause])?;
            Ok::<_, StoreError>(record)
        };
        let own = fail("a.jpg", Some("trashed"))?;
        let photo = fail("b.jpg", Some("photo_trashed"))?;
        fail("c.jpg", None)?;
        let of = |class| -> Result<Vec<RecordId>, StoreError> {
            Ok(tx.in_trash(immich, class, RecordId(0), 8)?.into_iter().map(|copy| copy.id).collect())
        };
        assert_eq!(of(None)?, [own, photo]);
        assert_eq!(of(Some("conflict.trashed"))?, [own]);
        assert_eq!(of(Some("conflict.photo_trashed"))?, [photo]);
        assert_eq!(of(Some("conflict"))?, [own, photo]);
        assert_eq!(of(Some("full."))?, []);
        Ok(())
    });
    work.await.expect("chosen");
}
