//! What follows from a check of a destination: it is lost, or it is there and may have come back.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::backoff;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::ids::DestinationId;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::CheckFindings;
use crate::store::Outage;

impl Supervisor {
    /// The destination cannot be used: one wait reason for all, nothing spent, probed again later.
    pub(crate) async fn mark_unreachable(&mut self, id: DestinationId, failure: &Failure) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.checked_until = None;
        // Transfers that run side by side fail side by side: only the first of them counts.
        let now = self.deps.clock.now();
        if worker.row.lost.as_ref().is_some_and(|lost| !backoff::is_due(lost.until, now)) {
            return;
        }
        worker.stop_transfers();
        let lost = worker.lost(failure, now);
        let mut row = (*worker.row).clone();
        row.lost = Some(lost.clone());
        let name = row.name.clone();
        worker.row = Arc::new(row);
        let is_first = lost.failures == 1;
        let sentence = crate::domain::messages::describe_failure(failure).summary;
        let written = self.store.write(move |tx| {
            if is_first {
                tx.add_event("destination_lost", &format!("{name}: {sentence}"))?;
            }
            tx.set_lost(id, &lost)
        });
        self.check_store_result(written.await);
    }

    /// A check of a destination has ended, and with it perhaps a probe.
    pub(crate) async fn on_checked(&mut self, id: DestinationId, outcome: Result<CheckFindings, Failure>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.is_checking = false;
        match outcome {
            Ok(CheckFindings { attachment, capabilities, is_cleaned }) => {
                worker.checked(Instant::now());
                // Copies that were written before it was attached again can be proved now.
                let is_attached_anew = worker.attachment != attachment || worker.row.lost.is_some();
                if attachment.is_some() && is_attached_anew {
                    (worker.may_prove, worker.prove_at) = (true, None);
                }
                worker.attachment = attachment;
                if is_cleaned {
                    (worker.needs_clean, worker.has_leftovers) = (false, false);
                }
                worker.needs_adoption = false;
                let is_back = worker.row.lost.is_some();
                if is_back {
                    worker.prove_at = None;
                    let mut row = (*worker.row).clone();
                    row.lost = None;
                    worker.row = Arc::new(row);
                }
                let name = worker.row.name.clone();
                if capabilities.is_some() {
                    worker.probe_tried_at = Some(Instant::now());
                }
                let probed = capabilities.and_then(|capabilities| self.take_capabilities(id, *capabilities));
                let is_changed = probed.as_ref().is_some_and(|(_, change)| change.is_some());
                if is_back || probed.is_some() {
                    let written = self.store.write(move |tx| {
                        if is_back {
                            tx.add_event("destination_found", &format!("{name} is available again"))?;
                            tx.clear_lost(id)?;
                        }
                        let Some((capabilities, change)) = &probed else { return Ok(()) };
                        if let Some(change) = change {
                            tx.add_event("destination_changed", change)?;
                        }
                        tx.set_capabilities(id, capabilities)
                    });
                    self.check_store_result(written.await);
                }
                if is_changed {
                    self.mirror().await;
                }
            }
            // It is there; what it told could not be written down.
            Err(failure) if failure.reach == Reach::Run => self.on_store_failed(match failure.kind {
                FailureKind::Full => Outage::Full,
                _ => Outage::Unwritable,
            }),
            Err(failure) => self.mark_unreachable(id, &failure).await,
        }
    }
}
