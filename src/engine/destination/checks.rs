//! What follows from a check of a destination: it is lost, or it is there and may have come back.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::backoff;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::ids::DestinationId;
use crate::engine::supervisor::Supervisor;
use crate::engine::tasks::Checked;
use crate::store::Outage;

impl Supervisor {
    /// The destination cannot be used: one wait reason for all, nothing spent, probed again later.
    pub(crate) async fn destination_lost(&mut self, id: DestinationId, failure: &Failure) {
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        runner.checked_until = None;
        // Transfers that run side by side fail side by side: only the first of them counts.
        let now = self.deps.clock.now();
        if runner.row.lost.as_ref().is_some_and(|lost| !backoff::is_due(lost.until, now)) {
            return;
        }
        runner.stop_transfers();
        let lost = runner.lost(failure, now);
        let mut row = (*runner.row).clone();
        row.lost = Some(lost.clone());
        let name = row.name.clone();
        runner.row = Arc::new(row);
        let is_first = lost.failures == 1;
        let sentence = crate::domain::messages::describe_failure(failure).summary;
        let written = self.store.write(move |tx| {
            if is_first {
                tx.add_event("destination_lost", &format!("{name}: {sentence}"))?;
            }
            tx.set_lost(id, &lost)
        });
        self.noted(written.await);
    }

    /// A check of a destination has ended, and with it perhaps a probe.
    pub(crate) async fn checked(&mut self, id: DestinationId, outcome: Result<Checked, Failure>) {
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        runner.is_checking = false;
        match outcome {
            Ok(Checked { attachment, capabilities, is_cleaned }) => {
                runner.checked(Instant::now());
                // Copies that were written before it was attached again can be proved now.
                let is_attached_anew = runner.attachment != attachment || runner.row.lost.is_some();
                if attachment.is_some() && is_attached_anew {
                    (runner.may_prove, runner.prove_at) = (true, None);
                }
                runner.attachment = attachment;
                if is_cleaned {
                    (runner.needs_clean, runner.has_leftovers) = (false, false);
                }
                runner.needs_adoption = false;
                let is_back = runner.row.lost.is_some();
                if is_back {
                    runner.prove_at = None;
                    let mut row = (*runner.row).clone();
                    row.lost = None;
                    runner.row = Arc::new(row);
                }
                let name = runner.row.name.clone();
                if capabilities.is_some() {
                    runner.probe_tried_at = Some(Instant::now());
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
                    self.noted(written.await);
                }
                if is_changed {
                    self.mirror().await;
                }
            }
            // It is there; what it told could not be written down.
            Err(failure) if failure.reach == Reach::Run => self.data_disk_failed(match failure.kind {
                FailureKind::Full => Outage::Full,
                _ => Outage::Unwritable,
            }),
            Err(failure) => self.destination_lost(id, &failure).await,
        }
    }
}
