//! What was decided about records is kept within its bounds.

use super::options;
use crate::base::executor::Executor;
use crate::domain::ids::RecordId;
use crate::store::decisions::{DECISIONS_MAX, DECISIONS_OF_RECORD_MAX};
use crate::store::{DecisionKind, Store};

#[tokio::test]
async fn the_last_are_kept_of_each_and_the_newest_of_all() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let work = store.write(|tx| {
        // Records by hand: only their numbers matter here.
        tx.conn.execute_batch("PRAGMA defer_foreign_keys = ON")?;
        for id in 1..=3_u8 {
            let values = rusqlite::params![id, [id; 32]];
            tx.conn.execute("INSERT INTO content (id, blake3, size) VALUES (?1, ?2, 1)", values)?;
        }
        tx.conn.execute_batch(
            "INSERT INTO destination (id, slot, uuid, name, kind, address, enabled, created_ms, abilities, job_limit)
               VALUES (1, 0, 'u', 'd', 'folder', x'2f', 1, 0, '{}', 1);
             INSERT INTO backup_record (id, destination_id, content_id, size, kind, captured_ms, provenance,
                 origin_source, origin_path, origin_mtime_ns, state, bin, token)
               SELECT id, 1, id, 1, 'photo', 0, 'metadata', '', x'61', 0, 'wanted', 'waiting', id FROM content;",
        )?;
        let (early, busy) = (RecordId(1), RecordId(2));
        tx.add_decision(early, DecisionKind::Failed, "early")?;
        tx.add_decision(RecordId(99), DecisionKind::Failed, "of no record")?;
        for n in 0..20 {
            tx.add_decision(busy, DecisionKind::PutBack, &format!("time {n}"))?;
        }
        let kept = tx.decisions(busy)?;
        assert_eq!(i64::try_from(kept.len()).ok(), Some(DECISIONS_OF_RECORD_MAX));
        assert_eq!((kept[0].text.as_str(), kept[0].kind.as_str()), ("time 19", "put_back"));
        assert_eq!(tx.decisions(early)?.len(), 1);
        for _ in 0..DECISIONS_MAX + 300 {
            tx.add_decision(busy, DecisionKind::Asked, &"x".repeat(5_000))?;
        }
        assert_eq!(tx.decisions(early)?, [], "the oldest of all have gone");
        let count: i64 = tx.conn.query_row("SELECT count(*) FROM decision", [], |row| row.get(0))?;
        assert_eq!(count, DECISIONS_OF_RECORD_MAX);
        assert_eq!(tx.decisions(busy)?[0].text.len(), 1_024);
        Ok(())
    });
    work.await.expect("written");
}
