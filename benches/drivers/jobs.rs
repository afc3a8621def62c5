//! How many upload jobs the store takes through their whole life in a second, beside plain inserts
//! of the rows that this leaves behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use safelight::base::clock::SystemClock;
use safelight::base::executor::Executor;
use safelight::base::rng::SeededRng;
use safelight::domain::ids::{DestinationId, FileId};
use safelight::domain::job::JobAction;
use safelight::domain::record::{Evidence, ProofMethod};
use safelight::domain::target::DestinationKind;
use safelight::domain::transfer::Capabilities;
use safelight::store::{JobOutcome, NewDestination, NewJob, Store, StoreOptions};

use super::Outcome;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// The app's job limit: the jobs of one block.
const LIMIT: u32 = 64;
/// Files wanted in one block, as the app pages them.
const PAGE: u32 = 500;
/// The tables that a job's life writes to and that keep their rows.
const TABLES: [&str; 4] = ["backup_record", "attachment", "upload_job", "name_group"];

/// Takes `count` jobs through their life `turns` times, in turn with plain inserts; prints the
/// seconds of each turn.
pub fn life_cycles(dir: &str, count: &str, turns: &str) -> Outcome {
    let (dir, count, turns) = (Path::new(dir), count.parse::<u32>()?, turns.parse::<u32>()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (fresh, used) = (dir.join("fresh.db"), dir.join("used.db"));
    let destination = runtime.block_on(seed(&fresh, count))?;
    for _ in 0..turns {
        remove(&used);
        std::fs::copy(&fresh, &used)?;
        let wanted = runtime.block_on(live(&used, destination, count))?;
        let inserted = insert(&used, &dir.join("plain.db"), count)?;
        println!("turn {:.6} {:.6} {:.6}", wanted[0].as_secs_f64(), wanted[1].as_secs_f64(), inserted);
    }
    Ok(())
}

fn open(path: &Path) -> Fallible<Store> {
    let options = StoreOptions {
        path: path.to_path_buf(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SeededRng::new(1)),
        executor: Executor::threads("store", 3)?,
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

/// A database with so many photos that have been hashed and one destination that wants them.
async fn seed(path: &Path, count: u32) -> Fallible<DestinationId> {
    let store = open(path)?;
    let (source, destination) = store
        .write(|tx| {
            let source = tx.add_source(b"/photos", "fs")?;
            let destination = tx.add_destination(&NewDestination {
                name: "backup".to_owned(),
                kind: DestinationKind::Folder,
                address: b"/backup".to_vec(),
                capabilities: capabilities(),
                job_limit: LIMIT,
            })?;
            tx.add_consent(source, destination)?;
            Ok((source, destination))
        })
        .await?;
    store.close().await;
    let mut db = Connection::open(path)?;
    let tx = db.transaction()?;
    for n in 1..=i64::from(count) {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).to_le_bytes());
        let captured = 1_500_000_000_000 + n * 60_000;
        tx.prepare_cached("INSERT INTO content (id, blake3, size) VALUES (?1, ?2, ?3)")?.execute(params![
            n,
            hash,
            4_000_000 + n
        ])?;
        tx.prepare_cached(
            "INSERT INTO file (id, source_id, dir, name, size, mtime_ns, ctime_ns, status, content_id)
             VALUES (?1, ?2, x'32303139', ?3, ?4, 0, 0, 'ready', ?1)",
        )?
        .execute(params![n, source.0, format!("IMG_{n:06}.JPG").into_bytes(), 4_000_000 + n])?;
        tx.prepare_cached(
            "INSERT INTO asset (id, source_id, primary_file_id, class, captured_ms, day)
             VALUES (?1, ?2, ?1, 'photo', ?3, 20190101)",
        )?
        .execute(params![n, source.0, captured])?;
        tx.prepare_cached(
            "INSERT INTO resource (file_id, asset_id, kind, media_type, is_mismatch, captured_ms, provenance,
               orientation, group_hash, facts_version) VALUES (?1, ?1, 'photo', 'jpeg', 0, ?2, 'metadata', 1, ?1, 9)",
        )?
        .execute(params![n, captured])?;
    }
    tx.commit()?;
    db.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
    Ok(destination)
}

/// Every file wanted, then every job created, started, ended with proof and acknowledged, in the
/// app's blocks. Returns the time of the first and of the rest.
async fn live(path: &Path, destination: DestinationId, count: u32) -> Fallible<[Duration; 2]> {
    let store = open(path)?;
    let began = Instant::now();
    let mut after = FileId(0);
    loop {
        let files = store.read(move |r| r.unattached(destination, after, PAGE)).await?;
        let Some(last) = files.last() else { break };
        after = *last;
        store
            .write(move |tx| {
                for file in files {
                    tx.want(destination, file, file.0.cast_unsigned())?;
                }
                Ok(())
            })
            .await?;
    }
    let wanted = began.elapsed();
    while one_block(&store, destination).await? {}
    let all = began.elapsed();
    let counts = store.read(move |r| r.destination_counts(destination)).await?;
    if counts.bins().safe != u64::from(count) {
        return Err(format!("not all jobs came through: {counts:?}").into());
    }
    store.close().await;
    Ok([wanted, all.saturating_sub(wanted)])
}

async fn one_block(store: &Store, destination: DestinationId) -> Fallible<bool> {
    let records = store
        .write(move |tx| {
            let room = LIMIT.saturating_sub(tx.live_jobs(destination)?);
            tx.draw(destination, room, tx.now)
        })
        .await?;
    if records.is_empty() {
        return Ok(false);
    }
    let create = store.write(move |tx| {
        let capabilities = capabilities();
        for record in records {
            tx.create_job(NewJob { record, capabilities: &capabilities, limit: LIMIT })?;
        }
        Ok(())
    });
    create.await?;
    let started = store.write(move |tx| tx.start_jobs(destination, LIMIT)).await?;
    let mut ends = tokio::task::JoinSet::new();
    for job in started {
        let store = store.clone();
        ends.spawn(async move {
            store
                .write_again(move |tx| {
                    let evidence = Evidence::Verified { method: ProofMethod::ReadBack, at: tx.now };
                    let receipt = String::new();
                    tx.end_job(job.job, job.record, &JobOutcome::Succeeded { evidence, receipt })
                })
                .await
        });
    }
    while let Some(ended) = ends.join_next().await {
        ended??;
    }
    let done = store.read(move |r| r.jobs(destination, JobAction::Acknowledge)).await?;
    let acknowledge = store.write(move |tx| {
        for job in done {
            tx.acknowledge_job(job.id)?;
        }
        Ok(())
    });
    acknowledge.await?;
    Ok(true)
}

/// Puts the rows that the jobs left, and the jobs themselves, into the same tables and indexes
/// without any trigger, in transactions of the same size. Returns the seconds.
fn insert(from: &Path, to: &Path, count: u32) -> Fallible<f64> {
    remove(to);
    let from = Connection::open(from)?;
    let to = Connection::open(to)?;
    to.pragma_update(None, "journal_mode", "WAL")?;
    to.pragma_update(None, "synchronous", "NORMAL")?;
    to.pragma_update(None, "foreign_keys", false)?;
    let sql =
        "SELECT sql FROM sqlite_master WHERE tbl_name = ?1 AND type IN ('table', 'index') AND sql IS NOT NULL
        ORDER BY type DESC";
    for table in TABLES {
        let statements: Vec<String> =
            from.prepare(sql)?.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
        to.execute_batch(&statements.join(";"))?;
    }
    let records = rows(&from, "SELECT * FROM backup_record ORDER BY captured_ms DESC")?;
    let attachments = rows(&from, "SELECT * FROM attachment ORDER BY record_id DESC")?;
    let jobs = rows(
        &from,
        "SELECT id, id, destination_id, 'registered', 0, 0, 0, NULL, verified_ms FROM backup_record",
    )?;
    let groups = rows(&from, "SELECT * FROM name_group ORDER BY id")?;
    if records.len() != count as usize {
        return Err("there are other rows than were wanted".into());
    }
    let began = Instant::now();
    let block = LIMIT as usize;
    for at in (0..records.len()).step_by(block) {
        to.execute_batch("BEGIN IMMEDIATE")?;
        for (table, rows) in TABLES.iter().zip([&records, &attachments, &jobs, &groups]) {
            for row in rows.iter().skip(at).take(block) {
                let marks = vec!["?"; row.len()].join(",");
                to.prepare_cached(&format!("INSERT INTO {table} VALUES ({marks})"))?
                    .execute(params_from_iter(row))?;
            }
        }
        to.execute_batch("COMMIT")?;
    }
    Ok(began.elapsed().as_secs_f64())
}

fn rows(db: &Connection, sql: &str) -> Fallible<Vec<Vec<Value>>> {
    let mut query = db.prepare(sql)?;
    let width = query.column_count();
    let rows = query.query_map([], |row| (0..width).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::remove_file(PathBuf::from(name)).ok();
    }
}
