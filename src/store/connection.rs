//! Opening the database, and the pool that reads it.

use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate::migrate;
use super::row::{Outage, StoreError};
use super::writer::{Durability, Read, Write, Writer, WriterState};
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::rng::SharedRng;

/// How many connections read at once.
pub const READERS_MAX: usize = 3;

/// Pages in the log before it is folded into the database: the same page is often written again
/// meanwhile, and folding in waits for the disk.
const WAL_PAGES_MAX: u32 = 4_000;

/// What the store is given.
#[derive(Clone)]
pub struct StoreOptions {
    /// The database file.
    pub path: PathBuf,
    /// The clock.
    pub clock: SharedClock,
    /// Chance, for the installation's UUID.
    pub rng: SharedRng,
    /// Threads in the app; inline in tests, which also puts the writer on the caller's thread.
    pub executor: Executor,
}

/// An opened store and what opening it found.
pub struct OpenedStore {
    /// The store.
    pub store: Store,
    /// The last run did not end cleanly.
    pub was_unclean: bool,
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: Arc<Mutex<Vec<Connection>>>,
    path: Arc<PathBuf>,
    executor: Executor,
    epoch: i64,
    outages: tokio::sync::watch::Receiver<Option<Outage>>,
}

impl Store {
    /// Opens or creates the database, migrates it, and begins a new run.
    ///
    /// Blocks: call it before anything else runs.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::Damaged`] (the file is left as it is; set it aside and
    /// open again), [`StoreError::Full`] or [`StoreError::ReadOnly`].
    pub fn open(options: StoreOptions) -> Result<OpenedStore, StoreError> {
        let StoreOptions { path, clock, rng, executor } = options;
        let mut conn = Connection::open(&path)?;
        conn.busy_timeout(std::time::Duration::from_secs(5))?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        prepare(&conn)?;
        // A kill loses nothing with NORMAL; a power cut may lose the last commits, and then the
        // restart finds their effects at the destination and adopts them.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        conn.pragma_update(None, "recursive_triggers", true)?;
        conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        migrate(&mut conn, &path)?;
        let was_unclean = begin_run(&conn, &rng.uuid())?;
        if was_unclean {
            let verdict: String = conn.pragma_query_value(None, "quick_check", |row| row.get(0))?;
            if verdict != "ok" {
                return Err(StoreError::Damaged(verdict));
            }
        }
        let epoch: i64 = conn.query_row("SELECT run_epoch FROM installation", [], |row| row.get(0))?;
        let (outages, told) = tokio::sync::watch::channel(None);
        let state = WriterState { conn, clock, epoch, durability: Durability::Normal, outages };
        let writer = if executor.is_inline() {
            Writer::inline(state)
        } else {
            Writer::thread(state).map_err(|error| StoreError::File { what: "starting the writer", error })?
        };
        let store =
            Self { writer, readers: Arc::default(), path: Arc::new(path), executor, epoch, outages: told };
        Ok(OpenedStore { store, was_unclean })
    }

    /// This run's number.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Tells each time that nothing could be written down.
    pub fn outages(&self) -> tokio::sync::watch::Receiver<Option<Outage>> {
        self.outages.clone()
    }

    /// Runs `write` in a transaction and returns its result after the commit.
    ///
    /// # Errors
    /// What `write` returned, in which case nothing of it is kept, or why the commit failed.
    pub async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(Durability::Normal, write).await
    }

    /// [`Store::write`] for a closure that may be run again. Where many of these come at once, they cost
    /// less: what each transfer writes at its end.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_again<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run_again(write).await
    }

    /// [`Store::write`] that also survives a power cut: for consent and its withdrawal.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_durably<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(Durability::Full, write).await
    }

    /// Runs `read` on one consistent state of the database.
    ///
    /// # Errors
    /// What `read` returned.
    pub async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Read<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        super::commit_hooks::wait_if_dead().await;
        let (readers, path) = (Arc::clone(&self.readers), Arc::clone(&self.path));
        let work = move || {
            let pooled = readers.lock().pop();
            let conn = match pooled {
                Some(conn) => conn,
                None => open_reader(&path)?,
            };
            conn.prepare_cached("BEGIN")?.execute([])?;
            let outcome = read(&Read { conn: &conn });
            conn.prepare_cached("COMMIT")?.execute([])?;
            let mut readers = readers.lock();
            if readers.len() < READERS_MAX {
                readers.push(conn);
            }
            outcome
        };
        self.executor.run(work).await.map_err(|_lost| StoreError::Closed)?
    }

    /// Marks the run as ended cleanly, finishes what is queued and closes the database.
    pub async fn close(&self) {
        self.write(|tx| {
            tx.conn.execute("UPDATE installation SET clean_exit = 1", [])?;
            Ok(())
        })
        .await
        .ok();
        self.readers.lock().clear();
        self.writer.close().await;
    }
}

/// What every connection is set to.
fn prepare(conn: &Connection) -> Result<(), StoreError> {
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -8_192)?;
    conn.set_prepared_statement_cache_capacity(128);
    // Plans do not depend on what is bound, so a statement is never compiled twice.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    prepare(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Raises the run's number and marks it as running. Says whether the last run ended uncleanly; each
/// destination remembers that until it is cleaned, however many runs end before.
fn begin_run(conn: &Connection, fresh_uuid: &str) -> Result<bool, StoreError> {
    let created =
        conn.execute("INSERT OR IGNORE INTO installation (id, uuid) VALUES (1, ?1)", [fresh_uuid])?;
    let clean: bool = conn.query_row("SELECT clean_exit FROM installation", [], |row| row.get(0))?;
    conn.execute("UPDATE installation SET run_epoch = run_epoch + 1, clean_exit = 0", [])?;
    let was_unclean = created == 0 && !clean;
    if was_unclean {
        conn.execute("UPDATE destination SET needs_clean = 1", [])?;
    }
    Ok(was_unclean)
}
