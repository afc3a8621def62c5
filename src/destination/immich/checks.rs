//! Asks what the server has already: many transfers in one request.

use parking_lot::Mutex;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::api::{self, ChecksumStatus, Sha1};
use super::wire::Client;
use crate::destination::http::Method;
use crate::domain::failure::{Failure, FailureKind};

/// The most checksums in one request.
const BATCH_MAX: usize = 1_000;
/// The largest answer to a batch, in bytes: each result has its id and a few words.
const BATCH_ANSWER_MAX: usize = 1_000 * 512;

type CheckReply = oneshot::Sender<Result<ChecksumStatus, Failure>>;

/// Questions that wait; as many as there are transfers, which the engine bounds.
#[derive(Default)]
struct CheckQueue {
    waiting: Vec<(Sha1, CheckReply)>,
    is_running: bool,
}

/// Collects questions and asks them together.
#[derive(Clone)]
pub struct DuplicateChecks {
    wire: Arc<Client>,
    queue: Arc<Mutex<CheckQueue>>,
}

impl DuplicateChecks {
    /// Nothing asked yet.
    pub fn new(wire: Arc<Client>) -> Self {
        Self { wire, queue: Arc::default() }
    }

    /// What the server has of these bytes.
    ///
    /// # Errors
    /// What the server said instead.
    pub async fn ask(&self, sha1: Sha1) -> Result<ChecksumStatus, Failure> {
        let (reply, answer) = oneshot::channel();
        let must_start = {
            let mut queue = self.lock();
            queue.waiting.push((sha1, reply));
            !std::mem::replace(&mut queue.is_running, true)
        };
        if must_start {
            // On its own, so that a transfer that is told to stop takes no other's answer with it.
            tokio::spawn(self.clone().run());
        }
        let lost = |_dropped| Failure::transient(FailureKind::Server, "the duplicate check was interrupted");
        answer.await.map_err(lost)?
    }

    async fn run(self) {
        // Who is ready to ask at this moment is waited for, and nobody else: a wait by the clock would
        // hold up every file twice.
        tokio::task::yield_now().await;
        loop {
            let batch = {
                let mut queue = self.lock();
                queue.waiting.retain(|(_sha1, reply)| !reply.is_closed());
                if queue.waiting.is_empty() {
                    queue.is_running = false;
                    return;
                }
                let count = queue.waiting.len().min(BATCH_MAX);
                queue.waiting.drain(..count).collect::<Vec<_>>()
            };
            // What is asked while this one is under way makes the next batch.
            self.ask_all(batch).await;
        }
    }

    /// Asks for a batch, and for halves of it where the answer does not fit: a server that skips or
    /// repeats entries would else hold up the same files together for good.
    async fn ask_all(&self, batch: Vec<(Sha1, CheckReply)>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            let checksums: Vec<Sha1> = part.iter().map(|(sha1, _reply)| *sha1).collect();
            match self.ask_now(&checksums).await {
                Ok(checksum_statuses) => {
                    for ((_sha1, reply), verdict) in part.into_iter().zip(checksum_statuses) {
                        reply.send(Ok(verdict)).ok();
                    }
                }
                Err(failure) if failure.kind == FailureKind::Protocol && part.len() > 1 => {
                    parts.push(part.split_off(part.len() / 2));
                    parts.push(part);
                }
                Err(failure) => {
                    for (_sha1, reply) in part {
                        reply.send(Err(failure.clone())).ok();
                    }
                }
            }
        }
    }

    /// Asks without waiting for others.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_now(&self, checksums: &[Sha1]) -> Result<Vec<ChecksumStatus>, Failure> {
        let body = api::check_body(checksums);
        let request = self.wire.with_json(Method::POST, "assets/bulk-upload-check", body);
        let answer = self.wire.ask(request, BATCH_ANSWER_MAX).await.map_err(|e| e.into_failure())?;
        if !answer.is_success() {
            return Err(self.wire.failure(&answer, "asking what is there already"));
        }
        api::checksum_statuses(&answer, checksums.len())
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, CheckQueue> {
        self.queue.lock()
    }
}
