//! What an audit writes of a copy, when the copy is another by then.

use rusqlite::params;

use super::options;
use crate::base::executor::Executor;
use crate::domain::hash::{Blake3, ContentHash};
use crate::domain::ids::RecordId;
use crate::domain::record::{Evidence, ProofMethod};
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::{Abilities, ManifestEntry};
use crate::store::{AuditedCopy, NewDestination, Store, StoreError, Write};

/// A destination with one unproven copy.
fn a_copy(tx: &Write<'_>) -> Result<AuditedCopy, StoreError> {
    let destination = tx.add_destination(&NewDestination {
        name: "a".to_owned(),
        kind: DestinationKind::Folder,
        address: b"/a".to_vec(),
        abilities: Abilities::default(),
        job_limit: 1,
    })?;
    let entry = ManifestEntry {
        key: "2019/2019-01/a.jpg".to_owned(),
        content: ContentHash { blake3: Blake3([7; 32]), size: 3 },
        captured_at: None,
        source: "photos".to_owned(),
        path: b"a.jpg".to_vec(),
        mtime: UnixMillis(0),
    };
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
