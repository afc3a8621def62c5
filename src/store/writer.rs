//! The writer thread: one connection, queued closures, one commit for all that is queued.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot, watch};

use super::commit_hooks;
use super::row::{Outage, StoreError};
use crate::base::clock::SharedClock;
use crate::domain::time::UnixMillis;

/// The most writes that are committed together.
pub const BATCH_WRITES_MAX: usize = 256;
/// The most writes that wait; callers beyond that wait without blocking a thread.
pub const WRITES_WAITING_MAX: usize = 512;

/// Read access to the database: one consistent state.
pub struct Read<'c> {
    pub(super) conn: &'c Connection,
}

/// Write access inside one transaction. Everything readable is readable here too.
pub struct Write<'c> {
    pub(super) read: Read<'c>,
    /// The time of this transaction.
    pub now: UnixMillis,
    /// The number of this process's run; a pending job of another run is stale.
    pub epoch: i64,
}

impl<'c> std::ops::Deref for Write<'c> {
    type Target = Read<'c>;

    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

/// How hard a commit must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Survives a kill; the last commits may be lost with the power.
    Normal,
    /// Survives a power cut: consent and its withdrawal.
    Full,
}

/// One queued write, and what came of it until its caller is answered.
trait Queued: Send {
    /// Runs it inside a transaction.
    fn run(&mut self, tx: &Write<'_>);

    /// Whether what it did is to be kept.
    fn is_kept(&self) -> bool;

    /// What it met, where nothing could be written down.
    fn outage(&self) -> Option<Outage>;

    /// Whether it may be run again in another transaction.
    fn may_repeat(&self) -> bool;

    /// Answers the caller, once it is known what became of the commit.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A write that runs once.
struct RunOnce<F>(Option<F>);

/// A write that may run again.
struct RunAgain<F>(F);

trait WriteWork<T>: Send {
    fn work(&mut self, tx: &Write<'_>) -> Result<T, StoreError>;
    const MAY_REPEAT: bool;
}

impl<T, F: FnOnce(&Write<'_>) -> Result<T, StoreError> + Send> WriteWork<T> for RunOnce<F> {
    fn work(&mut self, tx: &Write<'_>) -> Result<T, StoreError> {
        self.0.take().map_or(Err(StoreError::Closed), |write| write(tx))
    }
    const MAY_REPEAT: bool = false;
}

impl<T, F: Fn(&Write<'_>) -> Result<T, StoreError> + Send> WriteWork<T> for RunAgain<F> {
    fn work(&mut self, tx: &Write<'_>) -> Result<T, StoreError> {
        (self.0)(tx)
    }
    const MAY_REPEAT: bool = true;
}

struct PendingWrite<W, T> {
    work: W,
    outcome: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, W: WriteWork<T>> Queued for PendingWrite<W, T> {
    fn run(&mut self, tx: &Write<'_>) {
        self.outcome = Some(self.work.work(tx));
    }

    fn is_kept(&self) -> bool {
        matches!(self.outcome, Some(Ok(_)))
    }

    fn outage(&self) -> Option<Outage> {
        self.outcome.as_ref()?.as_ref().err().and_then(StoreError::outage)
    }

    fn may_repeat(&self) -> bool {
        W::MAY_REPEAT
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // A write that failed by itself keeps its own error, whatever became of the batch.
        let outcome = match (self.outcome, committed) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)) | None, Err(error)) | (Some(Err(error)), _) => Err(error),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        self.caller.send(outcome).ok();
    }
}

struct QueuedWrite {
    write: Box<dyn Queued>,
    durability: Durability,
}

/// The write end of the store.
#[derive(Clone)]
pub(super) struct Writer(Arc<WriterKind>);

enum WriterKind {
    Inline(Mutex<Option<WriterState>>),
    Thread {
        queue: Mutex<Option<SyncSender<QueuedWrite>>>,
        slots: Arc<Semaphore>,
        ended: Mutex<Option<oneshot::Receiver<()>>>,
    },
}

/// The connection and what each transaction is told.
pub(super) struct WriterState {
    pub conn: Connection,
    pub clock: SharedClock,
    pub epoch: i64,
    /// How hard the connection's commits hold now.
    pub durability: Durability,
    /// Told of every time that nothing could be written down.
    pub outages: watch::Sender<Option<Outage>>,
}

impl WriterState {
    /// Runs a batch in one transaction and answers after the commit: nobody hears of an effect that is
    /// not committed. A write that fails is undone alone.
    fn run_batch(&mut self, mut batch: Vec<QueuedWrite>) {
        let outcome = self.transact(&mut batch);
        if let Err(error) = &outcome {
            if let Some(outage) = error.outage() {
                self.outages.send_replace(Some(outage));
            }
            self.roll_back();
        }
        for message in batch {
            message.write.answer(outcome.as_ref().map(|_committed| ()).map_err(copy_of));
        }
    }

    fn transact(&mut self, batch: &mut [QueuedWrite]) -> Result<(), StoreError> {
        let is_full = batch.iter().any(|m| m.durability == Durability::Full);
        self.set_durability(if is_full { Durability::Full } else { Durability::Normal })?;
        self.begin()?;
        if batch.len() > 1 && batch.iter().all(|message| message.write.may_repeat()) {
            // Savepoints cost a copy of every page that is touched, and hardly ever does one fail.
            if self.run_until_one_fails(batch) {
                return self.commit();
            }
            self.roll_back();
            self.begin()?;
        }
        // One by itself needs no savepoint: it is undone with the transaction.
        let is_alone = batch.len() == 1;
        for message in batch {
            if !is_alone {
                self.conn.prepare_cached("SAVEPOINT one")?.execute([])?;
            }
            message.write.run(&self.write());
            if let Some(outage) = message.write.outage() {
                self.outages.send_replace(Some(outage));
            }
            let is_kept = message.write.is_kept();
            if is_alone && !is_kept {
                self.conn.execute_batch("ROLLBACK")?;
                return Ok(());
            }
            if !is_kept {
                self.conn.execute_batch("ROLLBACK TO one")?;
            }
            if !is_alone {
                self.conn.prepare_cached("RELEASE one")?.execute([])?;
            }
        }
        self.commit()
    }

    fn write(&self) -> Write<'_> {
        Write { read: Read { conn: &self.conn }, now: self.clock.now(), epoch: self.epoch }
    }

    fn run_until_one_fails(&self, batch: &mut [QueuedWrite]) -> bool {
        let write = self.write();
        batch.iter_mut().all(|message| {
            message.write.run(&write);
            message.write.is_kept()
        })
    }

    fn begin(&self) -> Result<(), StoreError> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn commit(&self) -> Result<(), StoreError> {
        commit_hooks::before_commit(&self.write())?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        commit_hooks::after_commit(&self.write());
        Ok(())
    }

    /// SQLite may have rolled back by itself; then this does nothing.
    fn roll_back(&self) {
        self.conn.execute_batch("ROLLBACK").ok();
    }

    fn set_durability(&mut self, durability: Durability) -> Result<(), StoreError> {
        if self.durability != durability {
            let synchronous = if durability == Durability::Full { "FULL" } else { "NORMAL" };
            self.conn.pragma_update(None, "synchronous", synchronous)?;
            self.durability = durability;
        }
        Ok(())
    }

    /// Leaves the database tidy: statistics kept, the log folded in.
    fn close(self) {
        self.conn.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)").ok();
    }
}

/// The same failure for the next caller of a batch that failed whole.
fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::ReadOnly(text) => StoreError::ReadOnly(text.clone()),
        StoreError::Damaged(text) => StoreError::Damaged(text.clone()),
        StoreError::Disk(text) => StoreError::Disk(text.clone()),
        StoreError::Closed => StoreError::Closed,
        other => StoreError::Sql(other.to_string()),
    }
}

impl Writer {
    /// A writer that runs on the caller's thread, one write a commit.
    pub fn inline(state: WriterState) -> Self {
        Self(Arc::new(WriterKind::Inline(Mutex::new(Some(state)))))
    }

    /// A writer on a thread of its own.
    pub fn thread(state: WriterState) -> std::io::Result<Self> {
        let (queue, messages) = sync_channel(WRITES_WAITING_MAX);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            serve(state, &messages);
            end.send(()).ok();
        })?;
        Ok(Self(Arc::new(WriterKind::Thread {
            queue: Mutex::new(Some(queue)),
            slots: Arc::new(Semaphore::new(WRITES_WAITING_MAX)),
            ended: Mutex::new(Some(ended)),
        })))
    }

    /// Runs `write` in a transaction and returns its result after the commit.
    ///
    /// # Errors
    /// What `write` returned, in which case nothing of it is kept, or what the commit failed with.
    pub async fn run<T, F>(&self, durability: Durability, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        commit_hooks::name_write::<F>();
        self.enqueue(durability, RunOnce(Some(write))).await
    }

    /// [`Writer::run`] for a write that may be run again.
    ///
    /// # Errors
    /// As [`Writer::run`].
    pub async fn run_again<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        commit_hooks::name_write::<F>();
        self.enqueue(Durability::Normal, RunAgain(write)).await
    }

    async fn enqueue<T, W>(&self, durability: Durability, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: WriteWork<T> + 'static,
    {
        let (caller, result) = oneshot::channel();
        let message =
            QueuedWrite { write: Box::new(PendingWrite { work, outcome: None, caller }), durability };
        match &*self.0 {
            WriterKind::Inline(state) => match state.lock().as_mut() {
                Some(state) => state.run_batch(vec![message]),
                None => return Err(StoreError::Closed),
            },
            WriterKind::Thread { queue, slots, .. } => {
                let slot = slots.acquire().await.map_err(|_closed| StoreError::Closed)?;
                let sent = match &*queue.lock() {
                    Some(queue) => queue.try_send(message),
                    None => return Err(StoreError::Closed),
                };
                match sent {
                    Ok(()) => {}
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                        return Err(StoreError::Closed);
                    }
                }
                let outcome = result.await.map_err(|_dropped| StoreError::Closed)?;
                drop(slot);
                return outcome;
            }
        }
        commit_hooks::wait_if_dead().await;
        result.await.map_err(|_dropped| StoreError::Closed)?
    }

    /// Finishes what is queued, folds the log in and closes the connection.
    pub async fn close(&self) {
        match &*self.0 {
            WriterKind::Inline(state) => {
                let state = state.lock().take();
                if let Some(state) = state {
                    state.close();
                }
            }
            WriterKind::Thread { queue, ended, .. } => {
                drop(queue.lock().take());
                let ended = ended.lock().take();
                if let Some(ended) = ended {
                    ended.await.ok();
                }
            }
        }
    }
}

fn serve(mut state: WriterState, messages: &Receiver<QueuedWrite>) {
    while let Ok(first) = messages.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_WRITES_MAX {
            match messages.try_recv() {
                Ok(next) => batch.push(next),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        state.run_batch(batch);
    }
    state.close();
}
