//! Whatever files are called, their copies get names that no file system takes for one another.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rusqlite::params;

use super::options;
use crate::base::executor::Executor;
use crate::domain::ids::{FileId, RecordId};
use crate::domain::key::{RefusedChars, fold, is_valid};
use crate::domain::target::DestinationKind;
use crate::domain::transfer::Capabilities;
use crate::store::{NewDestination, NewJob, Store, Write};

/// More than any history here makes.
const LIMIT: u32 = 1_000;

/// Names that some file system takes for one another, cannot hold, or that lead elsewhere.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let alike = vec![
        "IMG_1.JPG",
        "img_1.jpg",
        "IMG_1.jpg ",
        "IMG_1.jpg.",
        "caf\u{e9}.jpg",
        "cafe\u{301}.jpg",
        "CAFE\u{301}.JPG",
        "stra\u{df}e.jpg",
        "STRASSE.jpg",
        "\u{212a}.jpg",
        "k.jpg",
        "a\u{200d}b.jpg",
        "ab.jpg",
        "con.jpg",
        "CON.jpg",
        "nul",
        "aux.txt.jpg",
        "..",
        ".",
        "...",
        ".hidden.jpg",
        "-rf.jpg",
        "a:b.jpg",
        "a%3Ab.jpg",
        "a\\b.jpg",
        "C:.jpg",
        "LPT1",
        "~1.jpg",
        "IMG_1~00000000.jpg",
        ".safelight",
        ".safelight-0123456789abcdef.tmp",
    ];
    prop_oneof![
        6 => prop::sample::select(alike).prop_map(|name| name.as_bytes().to_vec()),
        1 => (prop::sample::select(vec!["x", "\u{e9}", "%41", "."]), 60_usize..260)
            .prop_map(|(part, times)| [part.repeat(times).as_bytes(), b".jpg"].concat()),
        2 => prop::collection::vec(any::<u8>(), 1..30),
    ]
    .prop_filter("one component", |name| !name.contains(&b'/') && !name.contains(&0) && !name.is_empty())
}

/// A ready photo of this name and capture date, with bytes of its own.
fn add_photo(tx: &Write<'_>, source: i64, number: u8, name: &[u8], captured_ms: i64) -> FileId {
    let (hash, size) = ([number; 32], i64::from(number) + 1);
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| tx.conn.execute(sql, values).expect("inserted");
    run("INSERT INTO content (blake3, size) VALUES (?1, ?2)", params![hash, size]);
    let content = tx.conn.last_insert_rowid();
    run(
        "INSERT INTO file (source_id, dir, name, size, mtime_ns, ctime_ns, status, content_id)
         VALUES (?1, ?2, ?3, ?4, 0, 0, 'ready', ?5)",
        params![source, [b'd', number], name, size, content],
    );
    let file = tx.conn.last_insert_rowid();
    run(
        "INSERT INTO asset (source_id, primary_file_id, class, captured_ms, day) VALUES (?1, ?2, 'photo', ?3, 20190101)",
        params![source, file, captured_ms],
    );
    let asset = tx.conn.last_insert_rowid();
    run(
        "INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, provenance, orientation, group_hash, facts_version)
         VALUES (?1, ?2, 'photo', 'jpeg', 0, ?3, 'metadata', 1, 0, 9)",
        params![file, asset, captured_ms],
    );
    FileId(file)
}

async fn keys_for(names: Vec<(Vec<u8>, i64)>, able: Capabilities, taken: u8) -> Vec<String> {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let keys = store.write(move |tx| {
        let source = tx.add_source(b"/photos", "fs")?;
        let new = NewDestination {
            name: "disk".to_owned(),
            kind: DestinationKind::Folder,
            address: b"/disk".to_vec(),
            capabilities: able.clone(),
            job_limit: LIMIT,
        };
        let destination = tx.add_destination(&new)?;
        tx.add_consent(source, destination)?;
        let mut keys = Vec::new();
        for (number, (name, captured_ms)) in (0_u8..).zip(names) {
            let file = add_photo(tx, source.0, number, &name, captured_ms);
            tx.want(destination, file, u64::from(number))?;
            let record = tx.conn.query_row("SELECT max(id) FROM backup_record", [], |row| row.get(0))?;
            let record = RecordId(record);
            tx.create_job(NewJob { record, capabilities: &able, limit: LIMIT })?.expect("a name is free");
            // Someone else's bytes have some of the names already.
            if number % 4 == taken {
                tx.next_key(record, &able)?;
            }
            let sql = "SELECT key FROM backup_record WHERE id = ?1";
            keys.push(tx.conn.query_row(sql, [record.0], |row| row.get::<_, String>(0))?);
        }
        Ok(keys)
    });
    keys.await.expect("keys")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_copies_share_a_name_on_any_file_system(
        names in prop::collection::vec(any_name(), 1..30),
        days in prop::collection::vec(prop::sample::select(vec![0_i64, 1_557_656_100_000, i64::MAX, i64::MIN]), 30),
        no_replace in any::<bool>(),
        name_len_max in prop::sample::select(vec![110_u32, 143, 255]),
        taken in 0_u8..8,
        is_picky in any::<bool>(),
    ) {
        let refused_chars = if is_picky { RefusedChars::all() } else { RefusedChars::NONE };
        let able =
            Capabilities { uuid: "u".to_owned(), no_replace, name_len_max, refused_chars, ..Capabilities::default() };
        let wanted = names.len();
        let dated: Vec<(Vec<u8>, i64)> = names.into_iter().zip(days).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let keys = runtime.block_on(keys_for(dated, able, taken));
        let folded: BTreeSet<String> = keys.iter().map(|key| fold(key)).collect();
        prop_assert_eq!(folded.len(), wanted, "{:?}", keys);
        for key in &keys {
            prop_assert!(is_valid(key), "{key:?}");
            let longest = usize::try_from(name_len_max).expect("small");
            prop_assert!(key.split('/').all(|part| part.len() <= longest && !part.starts_with('.')), "{key:?}");
            prop_assert!(no_replace || key.contains(if is_picky { '-' } else { '~' }), "{key:?} could be replaced");
        }
    }
}
