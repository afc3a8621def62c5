//! Copies are read back in the background, newest first, while nothing is being sent: those that nothing
//! proves yet, then those that only a server's checksum vouches for where that no longer counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::destination::{SharedDestination, Transfer};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::ids::{DestinationId, RecordId};
use crate::domain::record::ProofNeed;
use crate::engine::copies::verify::{
    NoCheckpoints, PAGE_COPIES_MAX, item_of, verify_copy, waits_for_another,
};
use crate::engine::deps::Deps;
use crate::engine::destination::transfer::{add_companions, save_notes};
use crate::engine::stall::stall_timeout;
use crate::store::{NewestFirstCursor, RecordFacts, Store, StoreError, UnreadClass};

/// Copies that are read back side by side.
const WIDTH: usize = 3;

/// One destination's reading in the background, as its schedule sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadBackProgress {
    /// Set when uploads are to go first: it ends with the copies that are being read.
    pub make_way: CancellationToken,
    /// Bytes read so far.
    pub bytes_read: Arc<AtomicU64>,
    /// All that has no proof was looked at; what is read now counts as safe already.
    pub is_past_unproven: Arc<AtomicBool>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadBackEnd {
    /// All was looked at.
    Done,
    /// It was told to stop or to make way.
    Interrupted,
    /// Some copies could not be read now.
    Failed,
    /// The destination cannot be used now, or lets nothing be read.
    Refused,
}

/// What is to be read.
pub(crate) struct ReadBackOrder {
    pub id: DestinationId,
    /// What a server's checksum vouches for is to be read too.
    pub reads_checksums: bool,
}

/// Reads copies back until all were looked at, or one says that the destination cannot be used.
pub(crate) async fn run(
    deps: &Deps,
    store: &Store,
    order: ReadBackOrder,
    destination: &SharedDestination,
    (read_back, cancel): (&ReadBackProgress, &CancellationToken),
) -> ReadBackEnd {
    let Ok(attachment) = destination.attachment().await else {
        return ReadBackEnd::Refused;
    };
    if attachment.as_ref().is_some_and(|attachment| attachment.need == ProofNeed::Never) {
        return ReadBackEnd::Done;
    }
    let mut end = match arrange_all(deps, store, order.id, destination, (read_back, cancel)).await {
        end @ (ReadBackEnd::Done | ReadBackEnd::Failed) => end,
        end => return end,
    };
    let classes: &[UnreadClass] = if order.reads_checksums {
        &[UnreadClass::Unproven, UnreadClass::ByChecksum]
    } else {
        &[UnreadClass::Unproven]
    };
    for class in classes {
        read_back.is_past_unproven.store(*class != UnreadClass::Unproven, Ordering::Relaxed);
        let mut after = NewestFirstCursor::START;
        loop {
            let (id, class) = (order.id, *class);
            let Ok(page) = store.read(move |r| r.unread_copies(id, class, after, PAGE_COPIES_MAX)).await
            else {
                return ReadBackEnd::Failed;
            };
            let Some(last) = page.last() else { break };
            after = NewestFirstCursor::after(last);
            let mut waiting = Vec::new();
            for copy in page {
                let must_wait = match &attachment {
                    Some(attachment) => waits_for_another(store, &copy, attachment).await,
                    None => false,
                };
                if !must_wait {
                    waiting.push(copy);
                }
            }
            match read_page(deps, store, destination, waiting, (read_back, cancel)).await {
                ReadBackEnd::Done => {}
                ReadBackEnd::Failed => end = ReadBackEnd::Failed,
                ended => return ended,
            }
        }
    }
    end
}

/// Puts copies of which more files were found where they belong.
async fn arrange_all(
    deps: &Deps,
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    (read_back, cancel): (&ReadBackProgress, &CancellationToken),
) -> ReadBackEnd {
    let (mut end, mut after) = (ReadBackEnd::Done, RecordId(0));
    loop {
        let Ok(page) = store.read(move |r| r.to_arrange(id, after, PAGE_COPIES_MAX)).await else {
            return ReadBackEnd::Failed;
        };
        let Some((last, _)) = page.last() else { return end };
        after = last.id;
        for (copy, due) in page {
            if cancel.is_cancelled() || read_back.make_way.is_cancelled() {
                return ReadBackEnd::Interrupted;
            }
            match arrange(deps, store, id, destination, (&copy, due, cancel)).await {
                Ok(()) => {}
                Err(failure) if !is_for_all(&failure) => end = ReadBackEnd::Failed,
                Err(_lost) => return ReadBackEnd::Refused,
            }
        }
    }
}

async fn arrange(
    deps: &Deps,
    store: &Store,
    id: DestinationId,
    destination: &SharedDestination,
    (copy, due, cancel): (&RecordFacts, i64, &CancellationToken),
) -> Result<(), Failure> {
    let record = copy.id;
    let failed = |error: StoreError| Failure::from(&error);
    let mut item = item_of(copy, copy.key.clone().unwrap_or_default());
    add_companions(store, id, &mut item).await.map_err(failed)?;
    let cancel = cancel.child_token();
    let _given_up = cancel.clone().drop_guard();
    let transfer = Transfer::new(Arc::clone(&deps.files), cancel.clone(), None, Arc::new(NoCheckpoints));
    let receipt = copy.receipt.clone().unwrap_or_default();
    let arranged = destination.arrange(&item, &receipt, &transfer);
    timeout(stall_timeout(0), arranged).await.unwrap_or_else(|_late| {
        Err(Failure::transient(FailureKind::Timeout, "arranging the copy timed out"))
    })?;
    if cancel.is_cancelled() {
        return Ok(());
    }
    save_notes(store, record, &transfer).await.map_err(failed)?;
    store.write(move |tx| tx.set_arranged(record, due)).await.map_err(failed)
}

async fn read_page(
    deps: &Deps,
    store: &Store,
    destination: &SharedDestination,
    page: Vec<RecordFacts>,
    (read_back, cancel): (&ReadBackProgress, &CancellationToken),
) -> ReadBackEnd {
    let mut end = ReadBackEnd::Done;
    let counter = Some(&read_back.bytes_read);
    let mut compared =
        stream::iter(page)
            .take_until(Box::pin(read_back.make_way.cancelled()))
            .map(|copy| async move {
                verify_copy(deps, store, destination, &copy, (false, counter), cancel).await
            })
            .buffer_unordered(WIDTH);
    while let Some(outcome) = compared.next().await {
        if cancel.is_cancelled() {
            return ReadBackEnd::Interrupted;
        }
        match outcome {
            Ok(_known) => {}
            // One copy that cannot be read keeps nobody else from being proved.
            Err(failure) if !is_for_all(&failure) => end = ReadBackEnd::Failed,
            Err(_lost) => return ReadBackEnd::Refused,
        }
    }
    if cancel.is_cancelled() || read_back.make_way.is_cancelled() { ReadBackEnd::Interrupted } else { end }
}

/// Whether what one copy met would meet every other.
fn is_for_all(failure: &Failure) -> bool {
    failure.reach != Reach::Resource || failure.cause == Some(Cause::KeyLacks)
}
