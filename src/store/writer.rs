//! The writer thread: one connection, queued closures, one commit for all that is queued.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot, watch};

use super::rows::{Outage, StoreError};
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

/// One queued write. Running it inside a transaction yields what answers the caller once the
/// commit's outcome is known.
type Queued = Box<dyn FnOnce(Result<&Write<'_>, StoreError>) -> Done + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Done {
    keep: bool,
    outage: Option<Outage>,
    answer: Answer,
}

struct Message {
    write: Queued,
    durability: Durability,
}

/// The write end of the store.
#[derive(Clone)]
pub(super) struct Writer(Arc<Kind>);

enum Kind {
    Inline(Mutex<Option<Seat>>),
    Thread {
        queue: Mutex<Option<SyncSender<Message>>>,
        slots: Arc<Semaphore>,
        ended: Mutex<Option<oneshot::Receiver<()>>>,
    },
}

/// The connection and what each transaction is told.
pub(super) struct Seat {
    pub conn: Connection,
    pub clock: SharedClock,
    pub epoch: i64,
    /// How hard the connection's commits hold now.
    pub durability: Durability,
    /// Told of every time that nothing could be written down.
    pub outages: watch::Sender<Option<Outage>>,
}

impl Seat {
    /// Runs a batch in one transaction, each write in its own savepoint, and answers after the
    /// commit: nobody hears of an effect that is not committed.
    fn run_batch(&mut self, mut batch: VecDeque<Message>) {
        let mut answers = Vec::with_capacity(batch.len());
        let outcome = self.transact(&mut batch, &mut answers);
        let Err(error) = outcome else {
            for answer in answers {
                answer(Ok(()));
            }
            return;
        };
        if let Some(outage) = error.outage() {
            self.outages.send_replace(Some(outage));
        }
        // SQLite may have rolled back by itself; then this does nothing.
        self.conn.execute_batch("ROLLBACK").ok();
        for answer in answers {
            answer(Err(copy_of(&error)));
        }
        for message in batch {
            let done = (message.write)(Err(copy_of(&error)));
            (done.answer)(Ok(()));
        }
    }

    fn transact(
        &mut self,
        batch: &mut VecDeque<Message>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), StoreError> {
        let is_full = batch.iter().any(|m| m.durability == Durability::Full);
        self.set_durability(if is_full { Durability::Full } else { Durability::Normal })?;
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // One by itself needs no savepoint: it is undone with the transaction.
        let is_alone = batch.len() == 1;
        let write = Write { read: Read { conn: &self.conn }, now: self.clock.now(), epoch: self.epoch };
        while let Some(message) = batch.pop_front() {
            if !is_alone {
                self.conn.prepare_cached("SAVEPOINT one")?.execute([])?;
            }
            let done = (message.write)(Ok(&write));
            answers.push(done.answer);
            if done.outage.is_some() {
                self.outages.send_replace(done.outage);
            }
            if is_alone && !done.keep {
                self.conn.execute_batch("ROLLBACK")?;
                return Ok(());
            }
            if !done.keep {
                self.conn.execute_batch("ROLLBACK TO one")?;
            }
            if !is_alone {
                self.conn.prepare_cached("RELEASE one")?.execute([])?;
            }
        }
        #[cfg(test)]
        super::fault::before_commit()?;
        #[cfg(test)]
        super::tap::before(&write)?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        #[cfg(test)]
        super::tap::after(&write);
        Ok(())
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
    pub fn inline(seat: Seat) -> Self {
        Self(Arc::new(Kind::Inline(Mutex::new(Some(seat)))))
    }

    /// A writer on a thread of its own.
    pub fn thread(seat: Seat) -> std::io::Result<Self> {
        let (queue, messages) = sync_channel(WRITES_WAITING_MAX);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            serve(seat, &messages);
            end.send(()).ok();
        })?;
        Ok(Self(Arc::new(Kind::Thread {
            queue: Mutex::new(Some(queue)),
            slots: Arc::new(Semaphore::new(WRITES_WAITING_MAX)),
            ended: Mutex::new(Some(ended)),
        })))
    }

    /// Runs `write` in a transaction and gives its result after the commit.
    ///
    /// # Errors
    /// What `write` returned, in which case nothing of it is kept, or what the commit failed with.
    pub async fn run<T, F>(&self, durability: Durability, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let queued: Queued = Box::new(move |tx| {
            let outcome = tx.and_then(write);
            let keep = outcome.is_ok();
            let outage = outcome.as_ref().err().and_then(StoreError::outage);
            let answer: Answer = Box::new(move |committed| {
                // A write that failed by itself keeps its own error, whatever became of the batch.
                let outcome = match (outcome, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(error)) | (Err(error), _) => Err(error),
                };
                sender.send(outcome).ok();
            });
            Done { keep, outage, answer }
        });
        let message = Message { write: queued, durability };
        #[cfg(test)]
        super::tap::name::<F>();
        match &*self.0 {
            Kind::Inline(seat) => match seat.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                Some(seat) => seat.run_batch(VecDeque::from([message])),
                None => return Err(StoreError::Closed),
            },
            Kind::Thread { queue, slots, .. } => {
                let slot = slots.acquire().await.map_err(|_closed| StoreError::Closed)?;
                let sent = match &*queue.lock().unwrap_or_else(PoisonError::into_inner) {
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
        #[cfg(test)]
        super::tap::live().await;
        result.await.map_err(|_dropped| StoreError::Closed)?
    }

    /// Finishes what is queued, folds the log in and closes the connection.
    pub async fn close(&self) {
        match &*self.0 {
            Kind::Inline(seat) => {
                let seat = seat.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(seat) = seat {
                    seat.close();
                }
            }
            Kind::Thread { queue, ended, .. } => {
                drop(queue.lock().unwrap_or_else(PoisonError::into_inner).take());
                let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(ended) = ended {
                    ended.await.ok();
                }
            }
        }
    }
}

fn serve(mut seat: Seat, messages: &Receiver<Message>) {
    while let Ok(first) = messages.recv() {
        let mut batch = VecDeque::from([first]);
        while batch.len() < BATCH_WRITES_MAX {
            match messages.try_recv() {
                Ok(next) => batch.push_back(next),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        seat.run_batch(batch);
    }
    seat.close();
}
