//! Where blocking work runs: threads in the app, inline in tests on paused time.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use tokio::sync::{Semaphore, oneshot};

/// Runs blocking work away from the async threads.
///
/// At most `width` pieces run at once and at most `width` more wait inside; callers beyond that
/// wait without blocking a thread, so memory stays bounded.
#[derive(Clone)]
pub struct Executor(Kind);

#[derive(Clone)]
enum Kind {
    Inline,
    Threads { queue: SyncSender<Work>, slots: Arc<Semaphore>, name: Arc<str>, width: usize },
}

type Work = Box<dyn FnOnce() + Send>;

/// The work did not finish: it panicked, or the executor is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("background work ended before its time")]
pub struct WorkLost;

impl Executor {
    /// Runs everything at once on the calling thread, in program order: for tests, where a thread
    /// would let paused time run ahead of it.
    pub fn inline() -> Self {
        Self(Kind::Inline)
    }

    /// `width` named threads that end when the last clone of this executor is dropped.
    pub fn threads(name: &str, width: usize) -> std::io::Result<Self> {
        let width = width.max(1);
        let (queue, work) = sync_channel::<Work>(width);
        let work = Arc::new(Mutex::new(work));
        for index in 0..width {
            let work = Arc::clone(&work);
            std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || {
                loop {
                    let next = work.lock().recv();
                    match next {
                        // A panic must cost only its own piece of work: the caller sees WorkLost.
                        Ok(piece) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(piece))),
                        Err(_closed) => return,
                    }
                }
            })?;
        }
        let slots = Arc::new(Semaphore::new(width * 2));
        Ok(Self(Kind::Threads { queue, slots, name: name.into(), width }))
    }

    /// An executor of the same sort with threads of its own, so that work which never comes back
    /// here holds up nothing there. Where threads cannot be started, it is this one.
    #[must_use]
    pub fn with_own_threads(&self) -> Self {
        match &self.0 {
            Kind::Inline => Self(Kind::Inline),
            Kind::Threads { name, width, .. } => Self::threads(name, *width).unwrap_or_else(|error| {
                tracing::warn!(%error, "no threads of its own for a destination");
                self.clone()
            }),
        }
    }

    /// Runs `work` and returns its result.
    ///
    /// # Errors
    /// [`WorkLost`] when `work` panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T, WorkLost>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        match &self.0 {
            #[cfg(test)]
            Kind::Inline => hang::run(work).await,
            #[cfg(not(test))]
            Kind::Inline => Ok(work()),
            Kind::Threads { queue, slots, .. } => {
                let slot = Arc::clone(slots).acquire_owned().await.map_err(|_closed| WorkLost)?;
                let (done, result) = oneshot::channel();
                // The semaphore keeps the queue from filling, so this send never blocks.
                queue
                    .send(Box::new(move || {
                        let outcome = work();
                        drop(slot);
                        done.send(outcome).ok();
                    }))
                    .map_err(|_closed| WorkLost)?;
                result.await.map_err(|_dropped| WorkLost)
            }
        }
    }

    /// Whether work runs on the calling thread.
    pub fn is_inline(&self) -> bool {
        matches!(self.0, Kind::Inline)
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_inline() { "Executor::Inline" } else { "Executor::Threads" })
    }
}

/// Inline work that would wait for ever says so, and its caller waits for ever in its place: so a
/// disk that hangs can be simulated on one thread.
#[cfg(test)]
pub(crate) mod hang {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    struct NeverReturns;

    /// Never comes back. Only for work that an inline executor runs.
    pub(crate) fn never_return() -> ! {
        resume_unwind(Box::new(NeverReturns))
    }

    pub(super) async fn run<T>(work: impl FnOnce() -> T) -> Result<T, super::WorkLost> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(done) => Ok(done),
            Err(payload) if payload.is::<NeverReturns>() => std::future::pending().await,
            Err(payload) => resume_unwind(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_only_its_own_work() {
        let executor = Executor::threads("test", 2).expect("threads");
        let lost: Result<(), WorkLost> = executor.run(|| panic!("planted")).await;
        assert_eq!(lost, Err(WorkLost));
        for n in 0..20 {
            assert_eq!(executor.run(move || n * 2).await, Ok(n * 2));
        }
    }

    #[tokio::test]
    async fn work_that_never_comes_back_holds_up_nothing_apart() {
        let hung = Executor::threads("test", 2).expect("threads");
        let apart = hung.with_own_threads();
        let (release, held) = std::sync::mpsc::sync_channel::<()>(1);
        let held = Arc::new(Mutex::new(held));
        let stuck: Vec<_> = (0..4)
            .map(|_| {
                let (hung, held) = (hung.clone(), Arc::clone(&held));
                let wait = move || held.lock().recv().ok();
                tokio::spawn(async move { hung.run(wait).await })
            })
            .collect();
        for n in 0..20 {
            assert_eq!(apart.run(move || n * 2).await, Ok(n * 2));
        }
        drop(release);
        for stuck in stuck {
            assert_eq!(stuck.await.expect("joined"), Ok(None));
        }
    }
}
