//! Whose names stand together at a destination, whatever comes first.

use rusqlite::params;

use super::options;
use crate::base::executor::Executor;
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::ids::{DestinationId, FileId, RecordId, SourceId};
use crate::domain::key::RefusedChars;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::{Capabilities, ManifestEntry};
use crate::store::{NewDestination, NewJob, Store, StoreError, Wanted, Write};

const LIMIT: u32 = 1_000;
/// 2020-01-02T10:00:00Z
const JANUARY_MS: i64 = 1_577_959_200_000;
/// 2020-02-02T10:00:00Z
const FEBRUARY_MS: i64 = 1_580_637_600_000;

fn able() -> Capabilities {
    Capabilities { uuid: "u".to_owned(), no_replace: true, name_len_max: 255, ..Capabilities::default() }
}

/// A library and a destination, changed by hand.
struct GroupFixture<'a> {
    tx: &'a Write<'a>,
    source: SourceId,
    disk: DestinationId,
}

impl<'a> GroupFixture<'a> {
    fn new(tx: &'a Write<'a>) -> Result<Self, StoreError> {
        let source = tx.add_source(b"/home/ada/Photos", "fs")?;
        let disk = tx.add_destination(&NewDestination {
            name: "disk".to_owned(),
            kind: DestinationKind::Folder,
            address: b"/disk".to_vec(),
            capabilities: able(),
            job_limit: LIMIT,
        })?;
        tx.add_consent(source, disk)?;
        Ok(Self { tx, source, disk })
    }

    /// A ready file of bytes that are made from `seed`, in an asset of its own.
    fn file(&self, dir: &str, name: &str, kind: &str, seed: &str) -> Result<FileId, StoreError> {
        let conn = self.tx.conn;
        let hash = *blake3::hash(seed.as_bytes()).as_bytes();
        conn.execute("INSERT OR IGNORE INTO content (blake3, size) VALUES (?1, 7)", params![hash])?;
        conn.execute(
            "INSERT INTO file (source_id, dir, name, size, mtime_ns, ctime_ns, status, content_id)
             VALUES (?1, ?2, ?3, 7, 0, 0, 'ready', (SELECT id FROM content WHERE blake3 = ?4))",
            params![self.source.0, dir.as_bytes(), name.as_bytes(), hash],
        )?;
        let file = conn.last_insert_rowid();
        conn.execute(
            "INSERT INTO asset (source_id, primary_file_id, class, captured_ms, day)
             VALUES (?1, ?2, 'photo', ?3, 20200102)",
            params![self.source.0, file, JANUARY_MS],
        )?;
        conn.execute(
            "INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, provenance,
               orientation, group_hash, facts_version)
             VALUES (?1, last_insert_rowid(), ?2, 'jpeg', 0, ?3, 'metadata', 1, 0, 9)",
            params![file, kind, JANUARY_MS],
        )?;
        Ok(FileId(file))
    }

    fn set_captured(&self, file: FileId, captured_ms: i64) -> Result<(), StoreError> {
        let sql = "UPDATE asset SET captured_ms = ?2 WHERE primary_file_id = ?1";
        self.tx.conn.execute(sql, params![file.0, captured_ms])?;
        Ok(())
    }

    /// Makes one file a companion of another.
    fn join(&self, file: FileId, primary: FileId, kind: &str) -> Result<(), StoreError> {
        let sql = "UPDATE resource SET kind = ?3,
              asset_id = (SELECT asset_id FROM resource WHERE file_id = ?2) WHERE file_id = ?1";
        self.tx.conn.execute(sql, params![file.0, primary.0, kind])?;
        Ok(())
    }

    fn want(&self, file: FileId) -> Result<RecordId, StoreError> {
        match self.tx.want(self.disk, file, file.0.unsigned_abs())? {
            Wanted::Recorded(record) | Wanted::Known(record) => Ok(record),
            Wanted::NotReady => Err(StoreError::Refused("not ready".to_owned())),
        }
    }

    /// Wants a file and gives it a job, and so its key.
    fn back_up(&self, file: FileId) -> Result<String, StoreError> {
        self.back_up_to(file, &able())
    }

    fn back_up_to(&self, file: FileId, capabilities: &Capabilities) -> Result<String, StoreError> {
        let record = self.want(file)?;
        if self.key(record)?.is_none() {
            self.tx.create_job(NewJob { record, capabilities, limit: LIMIT })?;
        }
        self.key(record)?.ok_or_else(|| StoreError::Refused("no key".to_owned()))
    }

    fn key(&self, record: RecordId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT key FROM backup_record WHERE id = ?1";
        Ok(self.tx.conn.query_row(sql, [record.0], |row| row.get(0))?)
    }

    fn records(&self) -> Result<i64, StoreError> {
        Ok(self.tx.conn.query_row("SELECT count(*) FROM backup_record", [], |row| row.get(0))?)
    }
}

fn short(seed: &str) -> String {
    format!("~{}", &Blake3(*blake3::hash(seed.as_bytes()).as_bytes()).to_hex()[..8])
}

async fn try_on(work: impl FnOnce(&GroupFixture<'_>) -> Result<(), StoreError> + Send + 'static) {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    store.write(move |tx| work(&GroupFixture::new(tx)?)).await.expect("as expected");
}

#[tokio::test]
async fn files_of_two_source_folders_never_share_a_stem_and_a_set_takes_its_suffix_as_a_whole() {
    try_on(|scene| {
        let first = scene.file("a", "IMG_0001.JPG", "photo", "a")?;
        let clip = scene.file("b", "img_0001.MOV", "video", "b")?;
        let sidecar = scene.file("b", "img_0001.MOV.xmp", "sidecar", "x")?;
        scene.join(sidecar, clip, "sidecar")?;
        let edited = scene.file("b", "IMG_E0001.MOV", "adjusted_photo", "e")?;
        scene.join(edited, clip, "adjusted_photo")?;
        let suffix = short("b");
        assert_eq!(scene.back_up(first)?, "2020/2020-01/IMG_0001.JPG");
        assert_eq!(scene.back_up(clip)?, format!("2020/2020-01/img_0001{suffix}.MOV"));
        assert_eq!(scene.back_up(sidecar)?, format!("2020/2020-01/img_0001{suffix}.MOV.xmp"));
        assert_eq!(scene.back_up(edited)?, format!("2020/2020-01/IMG_E0001{suffix}.MOV"));
        // What stands beside the first in its folder keeps its name beside it.
        let other = scene.file("a", "IMG_0001.PNG", "photo", "p")?;
        assert_eq!(scene.back_up(other)?, "2020/2020-01/IMG_0001.PNG");
        // In another month nothing meets.
        let later = scene.file("c", "IMG_0001.JPG", "photo", "c")?;
        scene.set_captured(later, FEBRUARY_MS)?;
        assert_eq!(scene.back_up(later)?, "2020/2020-02/IMG_0001.JPG");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_set_is_named_once_by_whichever_comes_first() {
    try_on(|scene| {
        scene.back_up(scene.file("a", "IMG_0001.MOV", "video", "a")?)?;
        let clip = scene.file("b", "IMG_0001.MOV", "video", "b")?;
        scene.set_captured(clip, FEBRUARY_MS)?;
        scene.back_up(scene.file("c", "IMG_0001.JPG", "photo", "c")?)?;
        assert_eq!(scene.back_up(clip)?, "2020/2020-02/IMG_0001.MOV");
        let record = scene.want(clip)?;
        // Its still comes, of another month by its own date: the set stays where it is.
        let still = scene.file("b", "IMG_0001.JPG", "photo", "still")?;
        scene.join(clip, still, "paired_video")?;
        assert_eq!(scene.want(clip)?, record, "the copy is bound to its still");
        assert_eq!(scene.back_up(still)?, "2020/2020-02/IMG_0001.JPG");
        assert_eq!(scene.records()?, 4);
        // And back again, when the still has gone.
        scene.tx.conn.execute("DELETE FROM attachment WHERE file_id = ?1", [still.0])?;
        let alone = "UPDATE resource SET kind = 'video', asset_id =
            (SELECT id FROM asset WHERE primary_file_id = ?1) WHERE file_id = ?1";
        scene.tx.conn.execute(alone, [clip.0])?;
        assert_eq!(scene.want(clip)?, record);
        assert_eq!(scene.records()?, 4);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn bytes_that_another_asset_has_too_are_not_taken_from_it() {
    try_on(|scene| {
        let one = scene.file("a", "IMG_0001.JPG", "photo", "one")?;
        let two = scene.file("b", "IMG_0002.JPG", "photo", "two")?;
        let first = scene.file("a", "IMG_0001.AAE", "sidecar", "same")?;
        let second = scene.file("b", "IMG_0002.AAE", "sidecar", "same")?;
        scene.join(first, one, "sidecar")?;
        scene.join(second, two, "sidecar")?;
        for (file, key) in [
            (one, "2020/2020-01/IMG_0001.JPG"),
            (two, "2020/2020-01/IMG_0002.JPG"),
            (first, "2020/2020-01/IMG_0001.AAE"),
            (second, "2020/2020-01/IMG_0002.AAE"),
        ] {
            assert_eq!(scene.back_up(file)?, key);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_foreign_file_moves_one_member_alone_and_no_file_runs_out_of_names() {
    try_on(|scene| {
        let still = scene.file("a", "a.cr2", "photo", "raw")?;
        let sidecar = scene.file("a", "a_01.cr2.xmp", "sidecar", "x")?;
        scene.join(sidecar, still, "sidecar")?;
        scene.back_up(still)?;
        scene.back_up(sidecar)?;
        let record = scene.want(sidecar)?;
        let next = || scene.tx.next_key(record, &able());
        assert_eq!(next()?, format!("2020/2020-01/a{}_01.cr2.xmp", short("x")));
        let whole = Blake3(*blake3::hash(b"x").as_bytes()).to_hex();
        assert_eq!(next()?, format!("2020/2020-01/a~{whole}_01.cr2.xmp"));
        for number in 2..=999 {
            assert_eq!(next()?, format!("2020/2020-01/a~{whole}-{number}_01.cr2.xmp"));
        }
        assert!(matches!(next(), Err(StoreError::Refused(_))));
        assert_eq!(scene.key(scene.want(still)?)?.as_deref(), Some("2020/2020-01/a.cr2"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_edited_file_takes_the_next_name_of_its_set() {
    try_on(|scene| {
        let still = scene.file("a", "p.jpg", "photo", "p")?;
        let sidecar = scene.file("a", "p.xmp", "sidecar", "old")?;
        scene.join(sidecar, still, "sidecar")?;
        scene.back_up(still)?;
        assert_eq!(scene.back_up(sidecar)?, "2020/2020-01/p.xmp");
        let edited = scene.file("b", "unused.xmp", "sidecar", "new")?;
        scene.tx.conn.execute(
            "UPDATE file SET content_id = (SELECT content_id FROM file WHERE id = ?2) WHERE id = ?1",
            params![sidecar.0, edited.0],
        )?;
        assert_eq!(scene.back_up(sidecar)?, format!("2020/2020-01/p{}.xmp", short("new")));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn manifests_say_whose_a_stem_is_by_the_sources_name() {
    try_on(|scene| {
        let entry = |key: &str, path: &str, seed: &str| ManifestEntry {
            key: key.to_owned(),
            content: ContentHash { blake3: Blake3(*blake3::hash(seed.as_bytes()).as_bytes()), size: 7 },
            captured_at: None,
            source: "Photos".to_owned(),
            path: path.as_bytes().to_vec(),
            mtime: UnixMillis(0),
        };
        for (key, path) in [
            ("2020/2020-01/IMG_0001.JPG", "a/IMG_0001.JPG"),
            ("2020/2020-01/IMG_0001~0a1b2c3d.JPG", "b/IMG_0001.JPG"),
        ] {
            scene.tx.adopt(scene.disk, &entry(key, path, path), 1)?;
        }
        // Late companions of both: each goes beside its own.
        for (dir, key) in [("b", "2020/2020-01/IMG_0001~0a1b2c3d.xmp"), ("a", "2020/2020-01/IMG_0001.xmp")] {
            let still = scene.file(dir, "IMG_0001.JPG", "photo", &format!("{dir}/IMG_0001.JPG"))?;
            let sidecar = scene.file(dir, "IMG_0001.xmp", "sidecar", dir)?;
            scene.join(sidecar, still, "sidecar")?;
            assert_eq!(scene.back_up(sidecar)?, key);
            scene.want(still)?;
        }
        let clip = scene.file("c", "IMG_0001.MOV", "video", "clip")?;
        assert_eq!(scene.back_up(clip)?, format!("2020/2020-01/IMG_0001{}.MOV", short("clip")));
        Ok(())
    })
    .await;
}

/// A destination that takes neither `;` nor `~` in a name.
fn picky() -> Capabilities {
    Capabilities { refused_chars: RefusedChars::NONE.with(';').with('~'), ..able() }
}

#[tokio::test]
async fn what_is_refused_in_names_keeps_sets_together() {
    try_on(|scene| {
        let entry = |key: &str, path: &str| ManifestEntry {
            key: key.to_owned(),
            content: ContentHash { blake3: Blake3(*blake3::hash(path.as_bytes()).as_bytes()), size: 7 },
            captured_at: None,
            source: "Photos".to_owned(),
            path: path.as_bytes().to_vec(),
            mtime: UnixMillis(0),
        };
        scene.tx.set_capabilities(scene.disk, &picky())?;
        // What another installation has named there, without and with a hash.
        for (key, path) in
            [("2020/2020-01/x%3By.JPG", "a/x;y.JPG"), ("2020/2020-01/x%3By-0a1b2c3d.JPG", "b/x;y.JPG")]
        {
            scene.tx.adopt(scene.disk, &entry(key, path), 1)?;
        }
        for (dir, key) in [("b", "2020/2020-01/x%3By-0a1b2c3d.xmp"), ("a", "2020/2020-01/x%3By.xmp")] {
            let still = scene.file(dir, "x;y.JPG", "photo", &format!("{dir}/x;y.JPG"))?;
            let sidecar = scene.file(dir, "x;y.xmp", "sidecar", dir)?;
            scene.join(sidecar, still, "sidecar")?;
            assert_eq!(scene.back_up_to(sidecar, &picky())?, key);
            scene.want(still)?;
        }
        // A picture that was named before anything was known of `;`, and its later companion.
        let still = scene.file("c", "u;v.JPG", "photo", "u;v")?;
        assert_eq!(scene.back_up(still)?, "2020/2020-01/u;v.JPG");
        let clip = scene.file("c", "u;v.MOV", "paired_video", "clip")?;
        scene.join(clip, still, "paired_video")?;
        assert_eq!(scene.back_up_to(clip, &picky())?, "2020/2020-01/u%3Bv.MOV");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_given_up_only_when_nothing_can_be_under_it() {
    try_on(|scene| {
        let conn = scene.tx.conn;
        let keys = [
            ("never tried", 0, false),
            ("saved", 2, true),
            ("verified", 3, false),
            ("failed", 1, false),
            ("failed thrice", 3, true),
        ];
        for (name, tried, has_checkpoint) in keys {
            let file = scene.file(name, &format!("{name};.JPG"), "photo", name)?;
            let key = scene.back_up(file)?;
            assert_eq!(key, format!("2020/2020-01/{name};.JPG"));
            let record = scene.want(file)?;
            conn.execute("DELETE FROM upload_job", [])?;
            conn.execute("UPDATE backup_record SET jobs_tried = ?2 WHERE id = ?1", params![record.0, tried])?;
            if name == "verified" {
                let sql = "UPDATE backup_record SET state = 'accepted', bin = 'unproven', receipt = 'r' WHERE id = ?1";
                conn.execute(sql, [record.0])?;
            }
            if has_checkpoint {
                let sql = "INSERT INTO transfer_checkpoint SELECT id, content_id, key, 'sending', '', 0
                    FROM backup_record WHERE id = ?1";
                conn.execute(sql, [record.0])?;
            }
            if name != "verified" {
                scene.tx.create_job(NewJob { record, capabilities: &picky(), limit: LIMIT })?;
            }
            let expected = if name.starts_with("failed") { key.replace(';', "%3B") } else { key };
            assert_eq!(scene.key(record)?, Some(expected));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn groups_are_filled_once_from_the_keys_of_an_earlier_version() {
    try_on(|scene| {
        let a = scene.file("a", "IMG_0001.JPG", "photo", "a")?;
        let b = scene.file("b", "IMG_0001.MOV", "video", "b")?;
        let c = scene.file("c", "IMG_0001.JPG", "photo", "c")?;
        // Two folders share a stem already; the third has the suffix of its time.
        for (file, key) in [
            (a, "2020/2020-01/IMG_0001.JPG"),
            (b, "2020/2020-01/IMG_0001.MOV"),
            (c, "2020/2020-01/IMG_0001~0a1b2c3d.JPG"),
        ] {
            let record = scene.want(file)?;
            let sql = "UPDATE backup_record SET key = ?2, key_fold = lower(?2) WHERE id = ?1";
            scene.tx.conn.execute(sql, params![record.0, key])?;
        }
        crate::store::name_groups::fill(scene.tx.conn)?;
        for (dir, primary, key) in [
            ("a", a, "2020/2020-01/IMG_0001.xmp".to_owned()),
            ("b", b, "2020/2020-01/IMG_0001.MOV.xmp".to_owned()),
            ("c", c, "2020/2020-01/IMG_0001~0a1b2c3d.xmp".to_owned()),
        ] {
            let name = key.rsplit('/').next().expect("a name").replace("~0a1b2c3d", "");
            let sidecar = scene.file(dir, &name, "sidecar", dir)?;
            scene.join(sidecar, primary, "sidecar")?;
            assert_eq!(scene.back_up(sidecar)?, key);
        }
        let fourth = scene.file("d", "IMG_0001.JPG", "photo", "d")?;
        assert_eq!(scene.back_up(fourth)?, format!("2020/2020-01/IMG_0001{}.JPG", short("d")));
        Ok(())
    })
    .await;
}
