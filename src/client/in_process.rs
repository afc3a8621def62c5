//! A talk with an engine in this process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::conversation::{Conversation, Interrupter};
use crate::api::{ApiError, ErrorKind, Reply, Request, Snapshot};
use crate::engine::Handle;

/// A [`Conversation`] over an engine's handle.
#[derive(Debug)]
pub struct InProcess {
    runtime: tokio::runtime::Handle,
    handle: Handle,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    interrupted: CancellationToken,
}

impl InProcess {
    /// Talks with `handle`'s engine, which runs on `runtime`. Not to be used from its threads.
    pub fn new(runtime: tokio::runtime::Handle, handle: Handle) -> Self {
        let snapshots = handle.snapshots();
        Self { runtime, handle, snapshots, interrupted: CancellationToken::new() }
    }
}

fn interrupted() -> ApiError {
    ApiError::new(ErrorKind::Unavailable, "Interrupted")
}

impl Conversation for InProcess {
    fn call(&mut self, request: Request) -> Result<Reply, ApiError> {
        self.runtime.block_on(async {
            tokio::select! {
                outcome = self.handle.call(request) => outcome,
                () = self.interrupted.cancelled() => Err(interrupted()),
            }
        })
    }

    fn call_watched(
        &mut self,
        request: Request,
        watch: &mut dyn FnMut(&Snapshot),
    ) -> Result<Reply, ApiError> {
        let Self { runtime, handle, snapshots, interrupted: token } = self;
        runtime.block_on(async {
            let mut answer = std::pin::pin!(handle.call(request));
            loop {
                tokio::select! {
                    outcome = &mut answer => return outcome,
                    Ok(()) = snapshots.changed() => watch(&Arc::clone(&snapshots.borrow_and_update())),
                    () = token.cancelled() => return Err(interrupted()),
                }
            }
        })
    }

    fn wait_snapshot(
        &mut self,
        after: u64,
        within: Option<Duration>,
    ) -> Result<Option<Arc<Snapshot>>, ApiError> {
        let Self { runtime, snapshots, interrupted: token, .. } = self;
        runtime.block_on(async {
            let newer = async {
                match snapshots.wait_for(|snapshot| snapshot.revision > after).await {
                    Ok(snapshot) => Ok(Some(Arc::clone(&snapshot))),
                    Err(_stopped) => Err(ApiError::new(ErrorKind::Unavailable, "Safelight has stopped")),
                }
            };
            let late = async {
                match within {
                    Some(within) => tokio::time::sleep(within).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                newer = newer => newer,
                () = late => Ok(None),
                () = token.cancelled() => Err(interrupted()),
            }
        })
    }

    fn interrupter(&self) -> Interrupter {
        let token = self.interrupted.clone();
        Interrupter::new(move || token.cancel())
    }
}
