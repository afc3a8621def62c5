//! Whatever happens to files, records and jobs, in any order: the counters equal a recount, and
//! every job keeps to the table of steps.

use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::params;

use crate::api::FileCounts;
use crate::base::clock::{Clock, SystemClock};
use crate::base::executor::Executor;
use crate::base::rng::{Rng as _, SeededRng};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ids::{DestinationId, FileId, ItemId, JobId, RecordId, SourceId};
use crate::domain::job::JobAction;
use crate::domain::record::{Evidence, ProofMethod};
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::{Capabilities, NamedCopy};
use crate::store::{JobOutcome, NewDestination, NewJob, Read, Store, StoreError, StoreOptions, Write};

const LIMIT: u32 = 3;

struct LedgerFixture {
    _dir: tempfile::TempDir,
    store: Store,
    sources: Vec<SourceId>,
    destinations: Vec<DestinationId>,
}

fn capabilities(uuid: &str) -> Capabilities {
    Capabilities { uuid: uuid.to_owned(), no_replace: true, ..Capabilities::default() }
}

async fn bench() -> LedgerFixture {
    let dir = tempfile::tempdir().expect("dir");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = StoreOptions {
        path: dir.path().join("safelight.db"),
        clock,
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::inline(),
    };
    let store = Store::open(options).expect("open").store;
    let (sources, destinations) = store
        .write(|tx| {
            let sources = vec![tx.add_source(b"/one", "fs")?, tx.add_source(b"/two", "fs")?];
            let mut destinations = Vec::new();
            for name in ["a", "b"] {
                let id = tx.add_destination(&NewDestination {
                    name: name.to_owned(),
                    kind: DestinationKind::Folder,
                    address: format!("/{name}").into_bytes(),
                    capabilities: capabilities(name),
                    job_limit: LIMIT,
                })?;
                tx.add_consent(sources[0], id)?;
                destinations.push(id);
            }
            tx.add_consent(sources[1], destinations[0])?;
            Ok((sources, destinations))
        })
        .await
        .expect("set up");
    LedgerFixture { _dir: dir, store, sources, destinations }
}

/// A ready photo with the bytes that `content` stands for.
fn add_ready(tx: &Write<'_>, source: SourceId, name: u8, content: u8) -> Result<FileId, StoreError> {
    let (hash, size) = ([content; 32], i64::from(content) + 1);
    tx.conn.execute("INSERT OR IGNORE INTO content (blake3, size) VALUES (?1, ?2)", params![hash, size])?;
    tx.conn.execute(
        "INSERT INTO file (source_id, dir, name, size, mtime_ns, ctime_ns, status, content_id)
         VALUES (?1, x'', ?2, ?3, 0, 0, 'ready', (SELECT id FROM content WHERE blake3 = ?4 AND size = ?3))",
        params![source.0, [b'f', name], size, hash],
    )?;
    let file = tx.conn.last_insert_rowid();
    tx.conn.execute(
        "INSERT INTO asset (source_id, primary_file_id, class, captured_ms, day) VALUES (?1, ?2, 'photo', ?3, 20190101)",
        params![source.0, file, i64::from(name)],
    )?;
    tx.conn.execute(
        "INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, provenance, orientation, group_hash, facts_version)
         VALUES (?1, ?2, 'photo', 'jpeg', 0, ?3, 'metadata', 1, 0, 9)",
        params![file, tx.conn.last_insert_rowid(), i64::from(name)],
    )?;
    Ok(FileId(file))
}

fn create(tx: &Write<'_>, destination: DestinationId) -> Result<(), StoreError> {
    let capabilities = capabilities("x");
    for record in tx.draw(destination, LIMIT, tx.now)? {
        match tx.create_job(NewJob { record, capabilities: &capabilities, limit: LIMIT }) {
            Ok(_) | Err(StoreError::LimitExceeded) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Step {
    Add { source: usize, name: u8, content: u8 },
    Rewrite { nth: usize, content: u8 },
    Remove { nth: usize },
    Fault { nth: usize, status: &'static str },
    Want { destination: usize },
    Create { destination: usize },
    Start { destination: usize },
    End { destination: usize, how: u8 },
    Settle { destination: usize },
    Cancel { destination: usize },
    Exclude { nth: usize },
    Include { nth: usize },
    RetryAll,
    Disable { destination: usize },
    Enable { destination: usize },
    RemoveSource { source: usize },
    Unplug { source: usize, is_there: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0..12_usize;
    let destination = 0..2_usize;
    prop_oneof![
        6 => (0..2_usize, 0..40_u8, 0..8_u8).prop_map(|(source, name, content)| Step::Add { source, name, content }),
        2 => (nth.clone(), 0..8_u8).prop_map(|(nth, content)| Step::Rewrite { nth, content }),
        2 => nth.clone().prop_map(|nth| Step::Remove { nth }),
        1 => (nth.clone(), prop_oneof![Just("found"), Just("problem"), Just("excluded")])
            .prop_map(|(nth, status)| Step::Fault { nth, status }),
        6 => destination.clone().prop_map(|destination| Step::Want { destination }),
        6 => destination.clone().prop_map(|destination| Step::Create { destination }),
        6 => destination.clone().prop_map(|destination| Step::Start { destination }),
        8 => (destination.clone(), 0..5_u8).prop_map(|(destination, how)| Step::End { destination, how }),
        6 => destination.clone().prop_map(|destination| Step::Settle { destination }),
        1 => destination.clone().prop_map(|destination| Step::Cancel { destination }),
        1 => nth.clone().prop_map(|nth| Step::Exclude { nth }),
        1 => nth.prop_map(|nth| Step::Include { nth }),
        1 => Just(Step::RetryAll),
        1 => destination.clone().prop_map(|destination| Step::Disable { destination }),
        1 => destination.prop_map(|destination| Step::Enable { destination }),
        1 => (0..2_usize).prop_map(|source| Step::RemoveSource { source }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(source, is_there)| Step::Unplug { source, is_there }),
    ]
}

fn ids(tx: &Write<'_>, sql: &str) -> Result<Vec<i64>, StoreError> {
    let mut query = tx.conn.prepare(sql)?;
    let rows = query.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn outcome(how: u8, now: UnixMillis) -> JobOutcome {
    match how {
        0 => JobOutcome::Succeeded { evidence: Evidence::Accepted, receipt: String::new() },
        1 => JobOutcome::PutBack { bytes_sent: 7 },
        2 => JobOutcome::Failed {
            failure: Failure::permanent(FailureKind::TooLarge, "planted"),
            eligible_at: now,
        },
        3 => JobOutcome::Failed {
            failure: Failure::transient(FailureKind::Server, "planted"),
            eligible_at: now,
        },
        _ => {
            let evidence = Evidence::Verified { method: ProofMethod::ReadBack, at: now };
            JobOutcome::Succeeded { evidence, receipt: "r".to_owned() }
        }
    }
}

/// What happens to a file behind the ledger's back.
fn change_file(tx: &Write<'_>, step: &Step) -> Result<(), StoreError> {
    let (Step::Rewrite { nth, .. } | Step::Remove { nth } | Step::Fault { nth, .. }) = step else {
        return Ok(());
    };
    let files = ids(tx, "SELECT id FROM file ORDER BY id")?;
    let Some(file) = files.get(*nth % files.len().max(1)).copied() else { return Ok(()) };
    match step {
        Step::Rewrite { content, .. } => {
            let (hash, size) = ([*content; 32], i64::from(*content) + 1);
            tx.conn.execute(
                "INSERT OR IGNORE INTO content (blake3, size) VALUES (?1, ?2)",
                params![hash, size],
            )?;
            tx.conn.execute(
                "UPDATE file SET size = ?2, status = 'ready', reason = NULL,
                   content_id = (SELECT id FROM content WHERE blake3 = ?3 AND size = ?2) WHERE id = ?1",
                params![file, size, hash],
            )?;
        }
        Step::Fault { status, .. } => {
            let reason = match *status {
                "problem" => Some("unreadable"),
                "excluded" => Some("hidden"),
                _ => None,
            };
            tx.conn.execute(
                "UPDATE file SET status = ?2, reason = ?3, content_id = NULL WHERE id = ?1",
                params![file, status, reason],
            )?;
        }
        _ => {
            tx.conn.execute("DELETE FROM file WHERE id = ?1", [file])?;
        }
    }
    Ok(())
}

/// Ends the first running job of a destination.
fn end(tx: &Write<'_>, destination: DestinationId, how: u8) -> Result<(), StoreError> {
    let sql =
        format!("SELECT id FROM upload_job WHERE state = 'pending' AND destination_id = {}", destination.0);
    if let Some(job) = ids(tx, &sql)?.first() {
        let record: i64 =
            tx.conn.query_row("SELECT record_id FROM upload_job WHERE id = ?1", [job], |row| row.get(0))?;
        assert!(tx.end_job(JobId(*job), RecordId(record), &outcome(how, tx.now))?);
    }
    Ok(())
}

/// Retries what may be retried and acknowledges the rest.
fn settle(tx: &Write<'_>, destination: DestinationId) -> Result<(), StoreError> {
    for job in &tx.jobs(destination, JobAction::Retry)? {
        assert!(tx.retry_job(job.id)?, "first failures may be retried");
        assert!(!tx.retry_job(job.id)?, "once");
    }
    for job in tx.jobs(destination, JobAction::Acknowledge)? {
        assert!(tx.acknowledge_job(job.id)?);
    }
    Ok(())
}

fn apply(tx: &Write<'_>, bench: &(Vec<SourceId>, Vec<DestinationId>), step: &Step) -> Result<(), StoreError> {
    let (sources, destinations) = bench;
    let files = ids(tx, "SELECT id FROM file ORDER BY id")?;
    let pick = |nth: &usize| files.get(*nth % files.len().max(1)).copied();
    match step {
        Step::Add { source, name, content } => {
            // A name that is there already, or a source that has gone.
            add_ready(tx, sources[*source], *name, *content).map(|_| ())?;
        }
        Step::Rewrite { .. } | Step::Remove { .. } | Step::Fault { .. } => change_file(tx, step)?,
        Step::Want { destination } => {
            let rng = SeededRng::new(3);
            for file in tx.unattached(destinations[*destination], FileId(0), 100)? {
                tx.want(destinations[*destination], file, rng.next_u64())?;
            }
        }
        Step::Create { destination } => create(tx, destinations[*destination])?,
        Step::Start { destination } => {
            tx.start_jobs(destinations[*destination], 2)?;
        }
        Step::End { destination, how } => end(tx, destinations[*destination], *how)?,
        Step::Settle { destination } => settle(tx, destinations[*destination])?,
        Step::Cancel { destination } => {
            for job in tx.jobs(destinations[*destination], JobAction::Process)? {
                assert!(tx.cancel_job(job.id)?);
            }
        }
        Step::Exclude { nth } | Step::Include { nth } => {
            let mut items: Vec<ItemId> = Vec::new();
            let records = ids(tx, "SELECT id FROM backup_record ORDER BY id")?;
            items.extend(records.get(*nth % records.len().max(1)).map(|id| ItemId::Record(RecordId(*id))));
            items.extend(pick(nth).filter(|_| nth % 3 == 0).map(|id| ItemId::File(FileId(id))));
            if matches!(step, Step::Exclude { .. }) {
                tx.exclude_items(&items)?
            } else {
                tx.include_items(&items)?
            };
        }
        Step::RetryAll => {
            tx.retry_all(None)?;
        }
        Step::Disable { destination } => tx.disable_destination(destinations[*destination])?,
        Step::Enable { destination } => tx.enable_destination(destinations[*destination])?,
        Step::RemoveSource { source } => tx.remove_source(sources[*source])?,
        Step::Unplug { source, is_there } => {
            let condition = if *is_there { "present" } else { "unavailable" };
            tx.conn.execute(
                "UPDATE source SET condition = ?2 WHERE id = ?1",
                params![sources[*source].0, condition],
            )?;
        }
    }
    Ok(())
}

async fn check(bench: &LedgerFixture) {
    for id in bench.destinations.clone() {
        let (kept, counted, live, jobs) = bench
            .store
            .read(move |r| {
                let sql = "SELECT count(*) FROM upload_job WHERE destination_id = ?1";
                let jobs: u32 = r.conn.query_row(sql, [id.0], |row| row.get(0))?;
                Ok((r.destination_counts(id)?, r.recount(id)?, r.live_jobs(id)?, jobs))
            })
            .await
            .expect("read");
        assert_eq!((kept.found, kept.bins()), counted);
        assert_eq!(kept.found, kept.bins().found(), "the accounting identity");
        assert_eq!(live, jobs);
        assert!(live <= LIMIT, "unacknowledged jobs stay within the limit");
    }
    let (library, slow) = bench
        .store
        .read(|r| {
            let sql = "SELECT count(*), coalesce(sum(safe <> 0), 0), coalesce(sum(meant <> 0 AND safe & meant = meant), 0)
                FROM (SELECT
                    (SELECT coalesce(sum(1 << d.slot), 0) FROM attachment a JOIN backup_record r ON r.id = a.record_id
                      JOIN destination d ON d.id = a.destination_id
                      WHERE a.file_id = f.id AND r.state = 'verified') AS safe,
                    (SELECT coalesce(sum(1 << d.slot), 0) FROM consent c JOIN destination d ON d.id = c.destination_id
                      WHERE c.source_id = f.source_id AND d.enabled = 1) AS meant
                  FROM file f)";
            let slow: (u64, u64, u64) = r.conn.query_row(sql, [], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)?.cast_unsigned()))
            })?;
            Ok((r.library_counts(None)?, slow))
        })
        .await
        .expect("read");
    assert_eq!((library.found, library.safe_somewhere, library.safe_everywhere), slow);
    let recounted = bench.store.read(recount_files).await.expect("read");
    let files = library.files.expect("few enough");
    assert_eq!(files, recounted);
    let FileCounts { found, safe, unproven, left, needs_attention, excluded } = files;
    assert_eq!(found, safe + unproven + left + needs_attention + excluded, "every file once");
}

/// Every file that goes to an enabled destination, looked at one by one.
fn recount_files(r: &Read<'_>) -> Result<FileCounts, StoreError> {
    let mut counts = FileCounts::default();
    let sql = "SELECT f.id, f.status, coalesce(r.bin, 'waiting') FROM file f
        JOIN consent c ON c.source_id = f.source_id
        JOIN destination d ON d.id = c.destination_id AND d.enabled = 1
        LEFT JOIN attachment a ON a.file_id = f.id AND a.destination_id = d.id
        LEFT JOIN backup_record r ON r.id = a.record_id ORDER BY f.id";
    let mut query = r.conn.prepare(sql)?;
    let mut files: std::collections::BTreeMap<i64, Vec<String>> = std::collections::BTreeMap::new();
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (id, status, bin): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let bin = match status.as_str() {
            "problem" => "needs_attention".to_owned(),
            "excluded" => "excluded".to_owned(),
            "ready" => bin,
            _ => "waiting".to_owned(),
        };
        files.entry(id).or_default().push(bin);
    }
    for bins in files.values() {
        let is_any = |name: &str| bins.iter().any(|bin| bin == name);
        counts.found += 1;
        if is_any("needs_attention") {
            counts.needs_attention += 1;
        } else if is_any("waiting") || is_any("uploading") {
            counts.left += 1;
        } else if is_any("unproven") {
            counts.unproven += 1;
        } else if is_any("safe") {
            counts.safe += 1;
        } else {
            counts.excluded += 1;
        }
    }
    Ok(counts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counters_equal_a_recount_after_any_history(steps in proptest::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let bench = bench().await;
            for step in steps {
                let known = (bench.sources.clone(), bench.destinations.clone());
                let done = bench.store.write(move |tx| apply(tx, &known, &step)).await;
                // Only a name that is there, or a source that has gone, may be refused, and then
                // nothing of the step may be left, which the recount sees.
                if let Err(error) = done {
                    let text = error.to_string();
                    assert!(text.contains("UNIQUE") || text.contains("FOREIGN KEY"), "{text}");
                }
                check(&bench).await;
            }
        });
    }
}

#[tokio::test]
async fn the_whole_block_is_undone_over_the_limit() {
    let bench = bench().await;
    let (source, destination) = (bench.sources[0], bench.destinations[0]);
    let made = bench.store.write(move |tx| {
        for n in 0..5 {
            let file = add_ready(tx, source, n, n)?;
            tx.want(destination, file, u64::from(n))?;
        }
        let records = tx.draw(destination, 5, tx.now)?;
        assert_eq!(records.len(), 5);
        Ok(records)
    });
    let records = made.await.expect("wanted");
    let block = bench.store.write(move |tx| {
        let capabilities = capabilities("a");
        for record in records {
            tx.create_job(NewJob { record, capabilities: &capabilities, limit: LIMIT })?;
        }
        Ok(())
    });
    assert!(matches!(block.await, Err(StoreError::LimitExceeded)));
    assert_eq!(bench.store.read(move |r| r.live_jobs(destination)).await.expect("read"), 0);
}

#[tokio::test]
async fn a_job_of_an_earlier_run_is_put_back_and_its_crash_counted() {
    let bench = bench().await;
    let (source, destination) = (bench.sources[0], bench.destinations[0]);
    bench
        .store
        .write(move |tx| {
            let file = add_ready(tx, source, 1, 1)?;
            tx.want(destination, file, 1)?;
            create(tx, destination)?;
            assert_eq!(tx.start_jobs(destination, 8)?.len(), 1);
            // As if this had been another process.
            tx.conn.execute("UPDATE upload_job SET run_epoch = run_epoch - 1", [])?;
            let job = JobId(ids(tx, "SELECT id FROM upload_job")?[0]);
            let record = RecordId(ids(tx, "SELECT id FROM backup_record")?[0]);
            assert!(!tx.end_job(job, record, &outcome(4, tx.now))?, "a stale epoch ends nothing");
            assert_eq!(tx.rescue_jobs()?, 1);
            assert_eq!(ids(tx, "SELECT crashes FROM backup_record")?, [1]);
            assert_eq!(tx.start_jobs(destination, 8)?.len(), 1);
            // In flight in five crashes running: tried last, and alone.
            let other = add_ready(tx, source, 2, 2)?;
            tx.want(destination, other, 2)?;
            tx.conn.execute("UPDATE backup_record SET crashes = 4 WHERE id = ?1", [record.0])?;
            tx.conn.execute("UPDATE upload_job SET run_epoch = run_epoch - 1", [])?;
            assert_eq!(tx.rescue_jobs()?, 1);
            let first = tx.draw(destination, 8, tx.now)?;
            assert!(first.len() == 1 && first[0] != record, "{first:?}");
            create(tx, destination)?;
            let sound = tx.start_jobs(destination, 8)?;
            assert_eq!(tx.draw(destination, 8, tx.now)?, []);
            assert!(tx.end_job(sound[0].job, sound[0].record, &outcome(4, tx.now))?);
            assert!(tx.acknowledge_job(sound[0].job)?);
            assert_eq!(tx.draw(destination, 8, tx.now)?, [record]);
            Ok(())
        })
        .await
        .expect("rescued");
    check(&bench).await;
}

#[tokio::test]
async fn a_named_copy_is_remembered_until_it_is_verified() {
    let bench = bench().await;
    let (source, destination) = (bench.sources[0], bench.destinations[0]);
    bench
        .store
        .write(move |tx| {
            let file = add_ready(tx, source, 1, 1)?;
            tx.want(destination, file, 1)?;
            create(tx, destination)?;
            let started = tx.start_jobs(destination, 8)?.remove(0);
            let (record, job) = (started.record, started.job);
            let copy = NamedCopy { key: started.key, size: 3, tag: "\"a-1\"".to_owned() };
            let other = NamedCopy { key: "2019/other.jpg".to_owned(), ..copy.clone() };
            assert!(tx.save_named_copy(record, &other).is_err(), "it has another key");
            tx.save_named_copy(record, &copy)?;
            let later = NamedCopy { size: 4, ..copy };
            tx.save_named_copy(record, &later)?;
            assert_eq!(tx.named_copy(record)?, Some(later.clone()));
            // Taken and not proved: it may still turn out to be wrong.
            let taken = JobOutcome::Succeeded { evidence: Evidence::Accepted, receipt: String::new() };
            assert!(tx.end_job(job, record, &taken)?);
            assert_eq!(tx.named_copy(record)?, Some(later.clone()));
            assert!(tx.save_named_copy(record, &later).is_err(), "nothing is being sent");
            let evidence = Evidence::Verified { method: ProofMethod::ReadBack, at: tx.now };
            tx.set_evidence(record, evidence, "")?;
            assert_eq!(tx.named_copy(record)?, None);
            assert_eq!(ids(tx, "SELECT count(*) FROM named_copy")?, [0]);
            Ok(())
        })
        .await
        .expect("kept");
    check(&bench).await;
}
