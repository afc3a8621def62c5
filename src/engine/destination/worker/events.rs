//! What follows from the end of work at a destination.

use tokio::time::Instant;

use crate::api::Event;
use crate::destination::Capabilities;
use crate::domain::backoff;
use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::messages::describe_failure;
use crate::domain::time::UnixMillis;
use crate::engine::conditions::outage::{StoreOutage, UnwrittenOutcome};
use crate::engine::context::Context;
use crate::engine::destination::check::{CheckEnd, CheckReport};
use crate::engine::destination::policy::{CallEnd, ExtensionCallReport};
use crate::engine::destination::read_back::ReadBackEnd;
use crate::engine::destination::report::describe;
use crate::engine::destination::transfer::{TransferEnd, TransferReport};
use crate::engine::destination::worker::Worker;
use crate::store::{Lost, Outage};

/// What a check changed that concerns more than its destination.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CheckEffects {
    /// The destination may want other digests.
    pub has_new_capabilities: bool,
    /// `config.json` is to be written.
    pub must_mirror: bool,
}

impl Worker {
    /// A transfer ended.
    pub async fn on_transfer_ended(
        &mut self,
        context: &Context,
        outage: &mut StoreOutage,
        report: TransferReport,
    ) {
        let now = Instant::now();
        self.transfers.remove(report.job);
        self.may_start = true;
        self.calls.on_job_ended(now, self.row.job_limit, self.transfers.is_empty());
        self.listing.on_new_copies(now);
        if report.end.may_leave_files() {
            self.checks.note_leftovers();
        }
        if matches!(report.end, TransferEnd::Done { is_proved: false }) && self.attachment.is_none() {
            self.read_back.want_at_once();
        }
        if let Some(capabilities) = self.refresh_capabilities() {
            let id = self.id();
            let kept = context.store.write(move |tx| tx.set_found(id, &capabilities)).await;
            outage.check_store_result(context, kept);
        }
        match report.end {
            TransferEnd::Done { .. } | TransferEnd::PutBack => {}
            TransferEnd::Failed(failure) => {
                tracing::info!(record = %report.record, kind = failure.kind.as_str(), "a transfer failed");
            }
            TransferEnd::DestinationLost(failure) => self.mark_unreachable(context, outage, &failure).await,
            TransferEnd::Unwritten { outcome, error } => {
                outage.keep(UnwrittenOutcome { job: report.job, record: report.record, outcome });
                outage.check_store_result::<()>(context, Err(error));
            }
        }
    }

    /// Takes what the destination has found out by itself. Returns it if it is new.
    fn refresh_capabilities(&mut self) -> Option<Capabilities> {
        let findings = self.destination.as_ref().ok()?.new_findings()?;
        if findings == self.row.capabilities.findings {
            return None;
        }
        self.change_row(|row| row.capabilities.findings = findings);
        Some(self.row.capabilities.clone())
    }

    /// A call of the extension ended.
    pub fn on_extension_called(&mut self, report: ExtensionCallReport, wall: UnixMillis) {
        report.cancelled.iter().for_each(|job| self.transfers.cancel_job(*job));
        if !matches!(report.end, CallEnd::Answered(_)) {
            let how = if report.end == CallEnd::Overran { "took too long" } else { "panicked" };
            tracing::warn!(destination = %self.row.name, how, "an extension is replaced");
        }
        self.may_start = true;
        if report.changed > 0 {
            self.read_back.want();
        }
        self.calls.on_called(report, Instant::now(), wall);
    }

    /// Copies were listed, or that did not work and is tried again.
    pub fn on_listed(&mut self, is_done: bool) {
        self.listing.on_ended(is_done, Instant::now());
        if !is_done {
            self.checks.note_leftovers();
        }
    }

    /// Copies were read back, or that did not work and is tried again.
    pub fn on_read_back_ended(&mut self, end: ReadBackEnd) {
        let now = Instant::now();
        self.read_back.on_ended(end, now);
        // Whether it can be used at all is for a check to find out; whether it can be read, for a probe.
        let has_obstacle = self.proof_obstacle().is_some();
        let is_readable_again = self.row.kind.has_checksum_choice()
            && self.row.capabilities.proof.is_none()
            && end == ReadBackEnd::Done
            && !has_obstacle;
        if is_readable_again {
            self.checks.request_probe();
        } else if end == ReadBackEnd::Refused && !has_obstacle {
            self.checks.request();
        }
        self.calls.call_by(now);
    }

    /// The destination cannot be used: one wait reason for all, nothing spent, checked again later.
    pub async fn mark_unreachable(&mut self, context: &Context, outage: &mut StoreOutage, failure: &Failure) {
        self.checks.forget();
        // Transfers that run side by side fail side by side: only the first of them counts.
        let (id, now) = (self.id(), context.wall());
        if self.waits_for_return(now) {
            return;
        }
        self.stop_transfers();
        let lost = self.next_lost(failure, now);
        self.change_row(|row| row.lost = Some(lost.clone()));
        let (name, is_first) = (self.row.name.clone(), lost.failures == 1);
        let sentence = describe_failure(failure).summary;
        let written = context.store.write(move |tx| {
            if is_first {
                tx.add_event("destination_lost", &format!("{name}: {sentence}"))?;
            }
            tx.set_lost(id, &lost)
        });
        outage.check_store_result(context, written.await);
    }

    /// What to remember when the destination cannot be used: checked again after a growing wait.
    fn next_lost(&self, failure: &Failure, now: UnixMillis) -> Lost {
        let failures = self.row.lost.as_ref().map_or(0, |lost| lost.failures).saturating_add(1);
        let until = now.plus(backoff::destination(failures, failure.retry));
        let (kind, cause, details) = (failure.kind, failure.cause, failure.details.clone());
        Lost { failures, until, kind, cause, details }
    }

    /// A check ended, and with it perhaps a probe.
    pub async fn on_checked(
        &mut self,
        context: &Context,
        outage: &mut StoreOutage,
        end: CheckEnd,
    ) -> CheckEffects {
        match end {
            CheckEnd::Passed(findings) => return self.on_check_passed(context, outage, findings).await,
            CheckEnd::Stopped => {
                self.checks.on_ended();
                self.may_start = true;
            }
            CheckEnd::Failed(failure) => {
                self.checks.on_ended();
                match (failure.reach, failure.kind) {
                    // It is there; what it told could not be written down.
                    (Reach::Run, FailureKind::Full) => outage.begin(context, Outage::Full),
                    (Reach::Run, FailureKind::Forbidden) => outage.begin(context, Outage::Unwritable),
                    _ => self.mark_unreachable(context, outage, &failure).await,
                }
            }
        }
        CheckEffects::default()
    }

    async fn on_check_passed(
        &mut self,
        context: &Context,
        outage: &mut StoreOutage,
        findings: CheckReport,
    ) -> CheckEffects {
        let id = self.id();
        self.checks.on_passed(&findings, Instant::now());
        self.may_start = true;
        let CheckReport { attachment, capabilities, .. } = findings;
        let is_back = self.row.lost.is_some();
        // Copies that were written before it was attached again can be proved now.
        if attachment.is_some() && (self.attachment != attachment || is_back) {
            self.read_back.want_at_once();
        }
        self.attachment = attachment;
        if is_back {
            self.read_back.end_wait();
            self.change_row(|row| row.lost = None);
        }
        let name = self.row.name.clone();
        let before = self.row.capabilities.clone();
        let probed = capabilities.and_then(|capabilities| self.apply_capabilities(context, *capabilities));
        let effects = CheckEffects {
            has_new_capabilities: self.row.capabilities != before,
            must_mirror: probed.as_ref().is_some_and(|(_, change)| change.is_some()),
        };
        if is_back || probed.is_some() {
            let written = context.store.write(move |tx| {
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
            outage.check_store_result(context, written.await);
        }
        effects
    }

    /// Takes what a new probe found, and opens the destination again where that is another than before:
    /// less is taken for proof from then on where less holds. Returns what is to be kept of it, and a
    /// sentence where a person would notice the difference; `None` if another destination answered.
    fn apply_capabilities(
        &mut self,
        context: &Context,
        capabilities: Capabilities,
    ) -> Option<(Capabilities, Option<String>)> {
        if capabilities.uuid != self.row.uuid {
            return None;
        }
        let before = describe(&self.row.capabilities);
        let news: Vec<String> =
            describe(&capabilities).into_iter().filter(|line| !before.contains(line)).collect();
        let change = (!news.is_empty())
            .then(|| format!("What {} can do has changed: {}", self.row.name, news.join(". ")));
        let has_changed = self.row.capabilities != capabilities;
        let (kept, wall) = (capabilities.clone(), context.wall());
        self.change_row(|row| (row.capabilities, row.probed_at) = (capabilities, wall));
        if has_changed {
            self.reopen(context);
            // What could not be read before may be readable now.
            self.read_back.want_at_once();
        }
        if let Some(text) = &change {
            context.send_event(Event::Notice { text: text.clone() });
        }
        Some((kept, change))
    }
}
