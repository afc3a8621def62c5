//! What a worker starts when something may be started.

use std::sync::Arc;

use tokio::time::Instant;

use crate::destination::SharedDestination;
use crate::engine::conditions::outage::StoreOutage;
use crate::engine::context::Context;
use crate::engine::copies::manifests::list_copies;
use crate::engine::destination::check::{self, CheckEnd};
use crate::engine::destination::policy::{self, ExtensionCallReport};
use crate::engine::destination::port::Port;
use crate::engine::destination::read_back::{self, ReadBackEnd, ReadBackOrder};
use crate::engine::destination::transfer::{self, TransferMonitor};
use crate::engine::destination::worker::Worker;
use crate::engine::destination::worker_tasks::{WorkerEnd, WorkerTasks};
use crate::store::{JobOutcome, StartedJob};

impl Worker {
    /// Starts whatever may be started now. Returns whether transfers were started.
    pub async fn step(
        &mut self,
        context: &Context,
        tasks: &mut dyn WorkerTasks,
        outage: &mut StoreOutage,
        now: Instant,
    ) -> bool {
        if !self.may_work() {
            return false;
        }
        let Ok(destination) = self.destination.clone() else {
            return false;
        };
        let (id, wall) = (self.id(), context.wall());
        self.calls.plan_retry(now, wall);
        // A new ledger first hears what the destination has.
        if self.calls.is_due(now) && !self.needs_adoption() {
            self.call_extension(context, tasks);
        }
        if self.waits_for_return(wall) {
            return false;
        }
        let mut has_started = false;
        let may_start = self.may_start && self.room() > 0;
        let needs_check = self.row.lost.is_some() || self.checks.is_needed();
        if self.checks.is_running() {
            // Nothing starts before the check ends.
        } else if (needs_check || may_start) && !self.checks.is_valid(now) {
            // Nothing to start needs no check, unless it is to find out whether the destination is back.
            let is_awaited =
                needs_check || context.store.read(move |r| r.has_registered(id)).await.unwrap_or(true);
            self.may_start = is_awaited;
            if is_awaited {
                self.spawn_check(context, tasks, Arc::clone(&destination), now);
            }
        } else if may_start {
            has_started = self.start_transfers(context, tasks, outage, &destination).await;
        }
        self.step_upkeep(context, tasks, &destination, now);
        has_started
    }

    fn call_extension(&mut self, context: &Context, tasks: &mut dyn WorkerTasks) {
        let extension = self.calls.begin().unwrap_or_else(|| context.deps.extensions.make(&self.row));
        let port = Port {
            store: context.store.clone(),
            destination: Arc::clone(&self.row),
            installation: Arc::clone(&context.installation),
            rng: Arc::clone(&context.deps.rng),
            terminating: context.stop.child_token(),
            running: self.transfers.cancellations(),
            changed: 0,
            cancelled: Vec::new(),
        };
        let lost = WorkerEnd::ExtensionCalled(ExtensionCallReport::lost(self.id()));
        tasks.spawn_work_or(
            lost,
            Box::pin(async move { WorkerEnd::ExtensionCalled(policy::call(extension, port).await) }),
        );
    }

    fn spawn_check(
        &mut self,
        context: &Context,
        tasks: &mut dyn WorkerTasks,
        destination: SharedDestination,
        now: Instant,
    ) {
        let id = self.id();
        let order = self.checks.begin(&self.row, self.transfers.is_empty(), now, context.wall());
        let (context, cancel) = (context.clone(), self.cancel.clone());
        let lost = WorkerEnd::Checked { destination: id, end: CheckEnd::panicked() };
        tasks.spawn_work_or(
            lost,
            Box::pin(async move {
                let end = check::run(&context, id, &destination, order, &cancel).await;
                WorkerEnd::Checked { destination: id, end }
            }),
        );
    }

    async fn start_transfers(
        &mut self,
        context: &Context,
        tasks: &mut dyn WorkerTasks,
        outage: &mut StoreOutage,
        destination: &SharedDestination,
    ) -> bool {
        let (id, room) = (self.id(), self.room());
        let started = context.store.write(move |tx| tx.start_jobs(id, room)).await;
        let Some(started) = outage.check_store_result(context, started) else {
            return false;
        };
        self.may_start = started.len() == room as usize;
        if !started.is_empty() {
            self.read_back.make_way();
        }
        // What an extension cancelled and wants again has not let go of its temp file yet.
        let (twice, started): (Vec<_>, Vec<_>) =
            started.into_iter().partition(|job| self.transfers.has_record(job.record));
        let has_started = !started.is_empty();
        for job in started {
            self.start_transfer(context, tasks, destination, job);
        }
        if !twice.is_empty() {
            let put_back = context.store.write(move |tx| {
                for job in twice {
                    tx.end_job(job.job, job.record, &JobOutcome::PutBack { bytes_sent: 0 })?;
                }
                Ok(())
            });
            outage.check_store_result(context, put_back.await);
        }
        has_started
    }

    fn start_transfer(
        &mut self,
        context: &Context,
        tasks: &mut dyn WorkerTasks,
        destination: &SharedDestination,
        job: StartedJob,
    ) {
        let monitor = TransferMonitor::new(self.cancel.child_token());
        self.transfers.insert(job.clone(), monitor.clone());
        let (deps, store) = (context.deps.clone(), context.store.clone());
        let (row, destination) = (Arc::clone(&self.row), Arc::clone(destination));
        tasks.spawn_work(Box::pin(async move {
            let report = transfer::run(deps, store, row, destination, job, monitor).await;
            WorkerEnd::Transfer(Box::new(report))
        }));
    }

    /// Lists new copies in the manifest, and proves copies that have no proof yet, when nothing more
    /// urgent is to be done.
    fn step_upkeep(
        &mut self,
        context: &Context,
        tasks: &mut dyn WorkerTasks,
        destination: &SharedDestination,
        now: Instant,
    ) {
        if self.row.lost.is_some() || !self.row.is_enabled {
            return;
        }
        if self.listing.begin(now, self.is_idle()) {
            self.spawn_listing(context, tasks, Arc::clone(destination));
        }
        if self.read_back.is_due(now) && self.may_read_back() {
            self.spawn_read_back(context, tasks, Arc::clone(destination));
        }
    }

    fn spawn_listing(&self, context: &Context, tasks: &mut dyn WorkerTasks, destination: SharedDestination) {
        let id = self.id();
        let (context, row, cancel) = (context.clone(), Arc::clone(&self.row), self.cancel.child_token());
        tasks.spawn_work_or(WorkerEnd::Listed { destination: id, is_done: false }, Box::pin(async move {
            let listing = list_copies(&context.store, id, &destination, &context.installation);
            let listed = cancel.run_until_cancelled(listing).await;
            if let Some(Err(failure)) = &listed {
                tracing::warn!(destination = %row.name, kind = failure.kind.as_str(), "no manifest was written");
            }
            WorkerEnd::Listed { destination: id, is_done: matches!(listed, Some(Ok(()))) }
        }));
    }

    fn spawn_read_back(
        &mut self,
        context: &Context,
        tasks: &mut dyn WorkerTasks,
        destination: SharedDestination,
    ) {
        let id = self.id();
        let progress = self.read_back.begin();
        let order = ReadBackOrder { id, reads_checksums: self.reads_checksums() };
        let (context, cancel) = (context.clone(), self.cancel.child_token());
        tasks.spawn_work_or(
            WorkerEnd::ReadBack { destination: id, end: ReadBackEnd::Failed },
            Box::pin(async move {
                let (deps, store) = (&context.deps, &context.store);
                let end = read_back::run(deps, store, order, &destination, (&progress, &cancel)).await;
                WorkerEnd::ReadBack { destination: id, end }
            }),
        );
    }

    /// Whether copies that a server's checksum vouches for are read back too.
    fn reads_checksums(&self) -> bool {
        self.row.kind.has_checksum_choice() && !self.row.trusts_checksum
    }

    /// When something is to be done here although nothing happens: times on the clock that waits, and on
    /// the one for people. Only what a step would act upon, for a time that is passed over again and
    /// again would spin.
    pub fn next_wake(&self, at_wall: impl Fn(crate::domain::time::UnixMillis) -> Instant) -> Option<Instant> {
        if !self.may_work() || self.destination.is_err() {
            return None;
        }
        let call = self.calls.planned_at().filter(|_| !self.needs_adoption());
        let listing = self.listing.due_at().filter(|_| self.row.lost.is_none());
        let lost = self.row.lost.as_ref().filter(|_| !self.checks.is_running());
        let read_back = self.read_back.retry_at().filter(|_| self.may_read_back());
        let times = [
            call,
            listing,
            lost.map(|lost| at_wall(lost.until)),
            read_back,
            self.calls.next_due().map(&at_wall),
        ];
        times.into_iter().flatten().min()
    }

    /// Lists what is not listed yet before the engine stops.
    pub async fn list_last(&self, context: &Context) {
        if !self.may_work() || self.row.lost.is_some() {
            return;
        }
        if let Ok(destination) = &self.destination {
            list_copies(&context.store, self.id(), destination, &context.installation).await.ok();
        }
    }

    /// Tells the extension that all is about to end, unless it is being called.
    pub async fn notify_extension(&mut self) {
        self.calls.notify().await;
    }
}
