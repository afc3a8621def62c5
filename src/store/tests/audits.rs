//! What an audit writes of a copy, when the copy is another by then.

use rusqlite::params;

use super::options;
use crate::base::executor::Executor;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::record::{Evidence, ProofMethod};
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::{Capabilities, ManifestEntry};
use crate::store::{AuditCursor, AuditedCopy, NewDestination, Store, StoreError, Write};

fn a_destination(tx: &Write<'_>) -> Result<DestinationId, StoreError> {
    tx.add_destination(&NewDestination {
        name: "a".to_owned(),
        kind: DestinationKind::Folder,
        address: b"/a".to_vec(),
        capabilities: Capabilities::default(),
        job_limit: 1,
    })
}

fn entry(number: u8) -> ManifestEntry {
    ManifestEntry {
        key: format!("2019/2019-01/{number}.jpg"),
        content: ContentHash { blake3: Blake3([number; 32]), size: 3 },
        captured_at: None,
        source: "photos".to_owned(),
        path: b"a.jpg".to_vec(),
        mtime: UnixMillis(0),
    }
}

/// A destination with one unproven copy.
fn a_copy(tx: &Write<'_>) -> Result<AuditedCopy, StoreError> {
    let (destination, entry) = (a_destination(tx)?, entry(7));
    assert!(tx.adopt(destination, &entry, 1)?);
    Ok(AuditedCopy { record: RecordId(1), key: entry.key, receipt: String::new() })
}

fn state(tx: &Write<'_>) -> Result<(String, Option<String>), StoreError> {
    let sql = "SELECT state, receipt FROM backup_record WHERE id = 1";
    Ok(tx.conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

#[tokio::test]
async fn what_an_audit_read_says_nothing_of_a_copy_that_came_after() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let proof = Evidence::Verified { method: ProofMethod::ReadBack, at: UnixMillis(5) };
    let work = store.write(move |tx| {
        let copy = a_copy(tx)?;
        // Two audits read it: one finds it wrong, and what the other has to say comes too late.
        assert!(tx.set_copy_bad(&copy)?);
        assert!(!tx.set_audit_evidence(&copy, proof)?);
        assert!(!tx.set_copy_bad(&copy)?);
        assert_eq!(state(tx)?, ("superseded".to_owned(), None));
        // It was sent again in between, and the destination calls it otherwise.
        let sql = "UPDATE backup_record SET state = 'accepted', bin = 'unproven', key = ?1, key_fold = ?1,
            receipt = 'new' WHERE id = 1";
        tx.conn.execute(sql, params![copy.key])?;
        assert!(!tx.set_audit_evidence(&copy, proof)?);
        assert!(!tx.set_copy_bad(&copy)?);
        assert_eq!(state(tx)?, ("accepted".to_owned(), Some("new".to_owned())));
        // Nothing came in between.
        let copy = AuditedCopy { receipt: "new".to_owned(), ..copy };
        assert!(tx.set_audit_evidence(&copy, proof)?);
        assert_eq!(state(tx)?, ("verified".to_owned(), Some("new".to_owned())));
        assert!(tx.set_copy_bad(&copy)?);
        Ok(())
    });
    work.await.expect("kept");
}

/// Copies 1 to 12: those that three divides have no proof, the others were proved at 100 minus their
/// number, every second of all has no file any more, 11 was proved by a clock that ran ahead, and 10
/// since the audit began.
#[tokio::test]
async fn an_audit_takes_every_copy_once_the_least_proved_first() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let work = store.write(move |tx| {
        let destination = a_destination(tx)?;
        for number in 1..=12 {
            assert!(tx.adopt(destination, &entry(number), 1)?);
        }
        let sql = "UPDATE backup_record SET state = 'verified', bin = 'safe', proof_method = 'read_back',
              verified_ms = CASE id WHEN 10 THEN 1500 WHEN 11 THEN 9000 ELSE 100 - id END
            WHERE id % 3 > 0";
        tx.conn.execute(sql, [])?;
        tx.conn.execute("UPDATE backup_record SET file_count = id % 2", [])?;
        for limit in [1, 2, 5, 100] {
            let (mut place, mut walk) = (AuditCursor::START, Vec::new());
            loop {
                let page =
                    tx.copies_by_proof(destination, (UnixMillis(1000), UnixMillis(2000)), place, limit)?;
                let Some((last, _)) = page.last() else { break };
                place = *last;
                assert!(page.len() <= limit as usize);
                walk.extend(page.into_iter().map(|(_, copy)| copy.id.0));
            }
            assert_eq!(walk, [3, 6, 9, 12, 8, 7, 5, 4, 2, 1, 11], "{limit} a page");
            let (mut after, mut walk) = (RecordId(i64::MIN), Vec::new());
            while let Some(last) = tx.restorable(destination, after, limit)?.last() {
                walk.extend(tx.restorable(destination, after, limit)?.into_iter().map(|copy| copy.id.0));
                after = last.id;
            }
            assert_eq!(walk, (1..=12).collect::<Vec<_>>(), "{limit} a page");
        }
        Ok(())
    });
    work.await.expect("kept");
}

#[tokio::test]
async fn a_damaged_copy_waits_for_a_person_and_an_unread_one_says_why() {
    let dir = tempfile::tempdir().expect("dir");
    let store = Store::open(options(dir.path(), Executor::inline())).expect("open").store;
    let failure =
        Failure::permanent(FailureKind::DigestMismatch, "other bytes").with_cause(Cause::CopyDamaged);
    let work = store.write(move |tx| {
        let copy = a_copy(tx)?;
        let unread = Failure::transient(FailureKind::Server, "it does not give it back");
        tx.note_unread(&copy, &unread)?;
        let noted = "SELECT state, failure_kind FROM backup_record WHERE id = 1";
        let noted = |tx: &Write<'_>| -> Result<(String, Option<String>), StoreError> {
            Ok(tx.conn.query_row(noted, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
        };
        assert_eq!(noted(tx)?, ("accepted".to_owned(), Some("server".to_owned())));
        // Somebody has the file again.
        tx.conn.execute("UPDATE backup_record SET file_count = 1 WHERE id = 1", [])?;
        assert!(tx.set_copy_damaged(&copy, &failure)?);
        assert_eq!(noted(tx)?, ("needs_attention".to_owned(), Some("digest_mismatch".to_owned())));
        assert!(!tx.set_copy_damaged(&copy, &failure)?, "another reading came first");
        Ok(())
    });
    work.await.expect("the copy's state");
}
