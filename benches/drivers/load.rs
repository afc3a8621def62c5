//! How long single steps and reads take in a store of a million records with 256 live jobs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use safelight::api::{LibraryFilter, QueueList, QueueQuery};
use safelight::base::clock::SystemClock;
use safelight::base::executor::Executor;
use safelight::base::rng::SeededRng;
use safelight::domain::failure::{Failure, FailureKind};
use safelight::domain::ids::DestinationId;
use safelight::domain::job::JobAction;
use safelight::domain::record::{Evidence, ProofMethod};
use safelight::domain::target::DestinationKind;
use safelight::domain::time::UnixMillis;
use safelight::domain::transfer::Capabilities;
use safelight::store::{
    JobOutcome, NewDestination, NewJob, QueueContext, Read, StartedJob, Store, StoreError, StoreOptions,
};

use super::Outcome;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Live jobs at a time.
const LIVE: u32 = 256;
/// Turns of each step.
const TURNS: usize = 64;
/// Rows of a queue page, as the window asks for them.
const PAGE: u32 = 100;
/// Pages read of each list, one after the other.
const PAGES: usize = 200;

const LISTS: [(&str, QueueList); 6] = [
    ("uploading", QueueList::Uploading),
    ("waiting", QueueList::Waiting),
    ("needs_attention", QueueList::NeedsAttention),
    ("unproven", QueueList::Unproven),
    ("excluded", QueueList::Excluded),
    ("done", QueueList::Done),
];

/// Prints the median of each step and read, in milliseconds.
pub fn medians(dir: &str, records: &str) -> Outcome {
    let (path, records) = (Path::new(dir).join("load.db"), records.parse::<i64>()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let destination = seed(&path, records).await?;
        let store = open(&path)?;
        steps(&store, destination).await?;
        reads(&store, destination).await?;
        store.close().await;
        Ok(())
    })
}

fn open(path: &Path) -> Fallible<Store> {
    let options = StoreOptions {
        path: path.to_path_buf(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::inline(),
    };
    Ok(Store::open(options)?.store)
}

fn capabilities() -> Capabilities {
    Capabilities {
        uuid: "bench".to_owned(),
        no_replace: true,
        case_sensitive: true,
        ..Capabilities::default()
    }
}

/// Of ten records seven are proved, and one each is accepted, wanted and in need of attention.
async fn seed(path: &Path, records: i64) -> Fallible<DestinationId> {
    let store = open(path)?;
    let destination = store
        .write(|tx| {
            let source = tx.add_source(b"/photos", "fs")?;
            let destination = tx.add_destination(&NewDestination {
                name: "backup".to_owned(),
                kind: DestinationKind::Folder,
                address: b"/backup".to_vec(),
                capabilities: capabilities(),
                job_limit: LIVE,
            })?;
            tx.add_consent(source, destination)?;
            Ok(destination)
        })
        .await?;
    store.close().await;
    let db = Connection::open(path)?;
    db.pragma_update(None, "recursive_triggers", true)?;
    let n = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records})");
    let wall = "1500000000000 + i * 60000";
    db.execute_batch(&format!(
        "BEGIN;
         {n} INSERT INTO content (id, blake3, size)
           SELECT i, unhex(printf('%016x', (i * 2654435761) % 4294967296) || printf('%048x', i)), 4000000 + i FROM n;
         {n} INSERT INTO file (id, source_id, dir, name, size, mtime_ns, ctime_ns, status, content_id)
           SELECT i, 1, x'32303139', CAST(printf('IMG_%07d.JPG', i) AS BLOB), 4000000 + i, 0, 0, 'ready', i FROM n;
         {n} INSERT INTO asset (id, source_id, primary_file_id, class, captured_ms, day)
           SELECT i, 1, i, 'photo', {wall}, 20190101 + i / 2000 FROM n;
         {n} INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, provenance,
             orientation, group_hash, facts_version) SELECT i, i, 'photo', 'jpeg', 0, {wall}, 'metadata', 1, i, 9 FROM n;
         {n} INSERT INTO backup_record (id, destination_id, content_id, size, kind, captured_ms, provenance,
             origin_source, origin_path, origin_mtime_ns, state, bin, token, key, key_fold, receipt, proof_method,
             verified_ms, failure_kind, failure_reach, failed_ms, is_manifested)
           SELECT i, 1, i, 4000000 + i, 'photo', {wall}, 'metadata', 'photos', CAST(printf('IMG_%07d.JPG', i) AS BLOB), 0,
             CASE i % 10 WHEN 7 THEN 'accepted' WHEN 8 THEN 'wanted' WHEN 9 THEN 'needs_attention' ELSE 'verified' END,
             CASE i % 10 WHEN 7 THEN 'unproven' WHEN 8 THEN 'waiting' WHEN 9 THEN 'needs_attention' ELSE 'safe' END, i,
             iif(i % 10 < 8, printf('2019/IMG_%07d.JPG', i), NULL), iif(i % 10 < 8, printf('2019/img_%07d.jpg', i), NULL),
             iif(i % 10 < 8, '', NULL), iif(i % 10 < 7, 'read_back', NULL), iif(i % 10 < 7, {wall}, NULL),
             iif(i % 10 = 9, 'too_large', NULL), iif(i % 10 = 9, 'resource', NULL), iif(i % 10 = 9, {wall}, NULL), 1 FROM n;
         {n} INSERT INTO attachment SELECT 1, i, i, 1 FROM n;
         COMMIT; PRAGMA wal_checkpoint(TRUNCATE);"
    ))?;
    Ok(destination)
}

fn tell(name: &str, mut millis: Vec<f64>) {
    millis.sort_unstable_by(f64::total_cmp);
    if let (Some(median), Some(most)) = (millis.get(millis.len() / 2), millis.last()) {
        println!("{name} {median:.4} {most:.4}");
    }
}

fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

/// One commit each, while 256 jobs are live.
async fn steps(store: &Store, destination: DestinationId) -> Fallible<()> {
    let [mut create, mut start, mut succeed, mut fail, mut acknowledge, mut draw] = [const { Vec::new() }; 6];
    for turn in 0..LIVE as usize + TURNS {
        let began = Instant::now();
        let drawn = store.write(move |tx| tx.draw(destination, 1, tx.now)).await?;
        draw.push(since(began));
        let Some(record) = drawn.first().copied() else { return Err("nothing is wanted".into()) };
        let began = Instant::now();
        store
            .write(move |tx| tx.create_job(NewJob { record, capabilities: &capabilities(), limit: LIVE }))
            .await?;
        create.push(since(began));
        let began = Instant::now();
        let started = store.write(move |tx| tx.start_jobs(destination, 1)).await?;
        start.push(since(began));
        // The first jobs stay, so that so many are live.
        let (Some(job), true) = (started.into_iter().next(), turn + 1 >= LIVE as usize) else { continue };
        let is_good = turn % 2 == 0;
        let began = Instant::now();
        end(store, &job, is_good).await?;
        if is_good { &mut succeed } else { &mut fail }.push(since(began));
        let began = Instant::now();
        store.write(move |tx| tx.acknowledge_job(job.job)).await?;
        acknowledge.push(since(began));
    }
    for (name, millis) in [
        ("draw", draw),
        ("create", create),
        ("start", start),
        ("succeed", succeed),
        ("fail", fail),
        ("acknowledge", acknowledge),
    ] {
        tell(name, millis);
    }
    Ok(())
}

async fn end(store: &Store, job: &StartedJob, is_good: bool) -> Result<bool, StoreError> {
    let (id, record) = (job.job, job.record);
    store
        .write(move |tx| {
            let outcome = if is_good {
                let evidence = Evidence::Verified { method: ProofMethod::ReadBack, at: tx.now };
                JobOutcome::Succeeded { evidence, receipt: String::new() }
            } else {
                JobOutcome::Failed {
                    failure: Failure::transient(FailureKind::Server, "made up"),
                    eligible_at: tx.now.plus(std::time::Duration::from_secs(60)),
                }
            };
            tx.end_job(id, record, &outcome)
        })
        .await
}

async fn timed<T: Send + 'static>(
    store: &Store,
    name: &str,
    turns: usize,
    read: impl Fn(&Read<'_>) -> Result<T, StoreError> + Send + Clone + 'static,
) -> Fallible<()> {
    let mut millis = Vec::new();
    for _ in 0..turns {
        let read = read.clone();
        let began = Instant::now();
        store.read(move |r| read(r)).await?;
        millis.push(since(began));
    }
    tell(name, millis);
    Ok(())
}

async fn reads(store: &Store, destination: DestinationId) -> Fallible<()> {
    timed(store, "counts", TURNS, move |r| r.destination_counts(destination)).await?;
    timed(store, "library_counts", TURNS, |r| r.library_counts(Some(0))).await?;
    timed(store, "count_assets", 5, |r| r.library_counts(None)).await?;
    timed(store, "jobs", TURNS, move |r| r.jobs(destination, JobAction::Process)).await?;
    timed(store, "next_due", TURNS, move |r| r.next_due(destination)).await?;
    timed(store, "to_do", TURNS, |r| r.to_do()).await?;
    timed(store, "failure_groups", 5, |r| r.failure_groups()).await?;
    timed(store, "sections_all", 5, |r| r.sections(LibraryFilter::All)).await?;
    timed(store, "sections_not_safe", 5, |r| r.sections(LibraryFilter::NotSafe)).await?;
    timed(store, "sections_attention", 5, |r| r.sections(LibraryFilter::Attention)).await?;
    for (name, list) in LISTS {
        let mut millis = Vec::new();
        let mut query = QueueQuery {
            list,
            destination: None,
            enabled_only: false,
            failure_kind: None,
            after: None,
            limit: PAGE,
        };
        for _ in 0..PAGES {
            let asked = query.clone();
            let context = QueueContext::at(UnixMillis(1_700_000_000_000));
            let began = Instant::now();
            let page = store.read(move |r| r.queue_page(&asked, &context)).await?;
            millis.push(since(began));
            // A short list is read again from its start.
            query.after = page.next;
        }
        if let Some(first) = millis.first() {
            println!("first_page_{name} {first:.4} {first:.4}");
        }
        tell(&format!("pages_{name}"), millis);
    }
    Ok(())
}
