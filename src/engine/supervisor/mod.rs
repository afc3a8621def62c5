//! The closed loop: one task owns all decisions, and this enum is everything that can make it act.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{Event, Snapshot};
use crate::domain::backoff;
use crate::domain::gate::Conditions;
use crate::domain::ids::DestinationId;
use crate::domain::time::UnixMillis;
use crate::engine::conditions::gates::Gates;
use crate::engine::conditions::network_config::NetworkConfig;
use crate::engine::conditions::outage::{StoreOutage, UnwrittenOutcome};
use crate::engine::deps::Deps;
use crate::engine::destination::policy;
use crate::engine::destination::transfer::{self, TransferEnd, TransferMonitor, TransferReport};
use crate::engine::destination::worker::{ActiveTransfer, FLOOR, Worker};
use crate::engine::handle::{Call, EngineEnd};
use crate::engine::library::{Library, LibraryState};
use crate::engine::path_resolver::{Disks, PathResolver};
use crate::engine::progress::ProgressMeter;
use crate::engine::requests::removals::Removals;
use crate::engine::snapshot::BadgeThrottle;
use crate::engine::tasks::TaskEnd;
use crate::engine::tasks::operations::Operations;
use crate::store::{Installation, Outage, Store, StoreError};

/// How long a stop waits for transfers to let go.
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// A running transfer's numbers are looked at this often.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// Everything that can make the engine act.
enum Input {
    Call(Call),
    Task(TaskEnd),
    LibraryChanged,
    LibraryMoved,
    Conditions(Conditions),
    Sleeping,
    StoreOutage(Option<Outage>),
    Resumed,
    MountsChanged,
    Tick,
    Stop,
}

/// The engine.
pub(crate) struct Supervisor {
    pub deps: Deps,
    pub store: Store,
    pub end: EngineEnd,
    pub library: Library,
    pub library_state: LibraryState,
    pub installation: Installation,
    pub workers: BTreeMap<DestinationId, Worker>,
    /// How servers are reached.
    pub network: NetworkConfig,
    /// Where paths lead.
    pub places: PathResolver,
    /// The disks that folders are on, as far as they were looked at.
    pub disks: Disks,
    /// PathResolver that are being set up now.
    pub setting_up: BTreeMap<Vec<u8>, Arc<tokio::sync::Mutex<()>>>,
    /// Destinations that were removed lately.
    pub removals: Removals,
    pub tasks: JoinSet<TaskEnd>,
    pub background: CancellationToken,
    pub meter: ProgressMeter,
    /// Checks and restores that somebody waits for.
    pub operations: Operations,
    /// Restores that go on by themselves.
    pub restores: crate::engine::tasks::restore_runs::RestoreRuns,
    pub snapshot: Snapshot,
    pub is_dirty: bool,
    pub publish_at: Instant,
    pub floor_at: Instant,
    pub asset_count: (u64, u64),
    pub badges: BadgeThrottle,
    pub gates: Gates,
    pub outage: StoreOutage,
    pub is_stopping: bool,
}

impl Supervisor {
    /// Runs until every handle has gone or a client asks for a stop.
    pub async fn run(mut self) {
        let changes = self.library.changes();
        let mut state = self.library.state();
        let resumed = Arc::clone(&self.deps.resumed);
        let sleeping = Arc::clone(&self.deps.sleeping);
        let mounts = Arc::clone(&self.deps.mounts_changed);
        let mut conditions = self.deps.conditions.clone();
        let mut outages = self.store.outages();
        self.spawn_disk_lookup().await;
        self.step().await;
        while !self.is_stopping {
            let wake = self.next_wake();
            let input = tokio::select! {
                // In this order, so that a run can be repeated: the person first, the clock last.
                biased;
                call = self.end.calls.recv() => call.map_or(Input::Stop, Input::Call),
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(end) => Input::Task(end),
                    Err(error) => Input::Task(TaskEnd::Lost(error.to_string())),
                },
                () = resumed.notified() => Input::Resumed,
                () = sleeping.notified() => Input::Sleeping,
                () = mounts.notified() => Input::MountsChanged,
                () = changes.notified() => Input::LibraryChanged,
                Ok(()) = state.changed() => {
                    self.library_state = state.borrow_and_update().clone();
                    Input::LibraryMoved
                },
                Ok(()) = conditions.changed() => Input::Conditions(*conditions.borrow_and_update()),
                Ok(()) = outages.changed() => Input::StoreOutage(*outages.borrow_and_update()),
                () = tokio::time::sleep_until(wake) => Input::Tick,
            };
            #[cfg(test)]
            crate::engine::tests::sim::woken(&std::mem::discriminant(&input));
            self.handle_input(input).await;
            self.step().await;
        }
        self.stop().await;
    }

    async fn handle_input(&mut self, input: Input) {
        match input {
            Input::Call(call) => self.handle_request(call).await,
            Input::Task(end) => self.handle_task_end(end).await,
            Input::LibraryChanged => {
                let now = Instant::now();
                self.workers.values_mut().for_each(|worker| worker.library_changed(now));
                self.is_dirty = true;
            }
            Input::LibraryMoved => self.is_dirty = true,
            Input::Conditions(conditions) => self.on_conditions_changed(conditions),
            Input::Sleeping => self.notify_extensions().await,
            Input::StoreOutage(outage) => {
                if let Some(outage) = outage {
                    self.on_store_failed(outage);
                }
            }
            Input::Resumed => self.on_resumed(),
            Input::MountsChanged => self.on_mounts_changed().await,
            Input::Tick => self.is_dirty |= self.is_moving(),
            Input::Stop => self.is_stopping = true,
        }
    }

    async fn handle_task_end(&mut self, end: TaskEnd) {
        self.is_dirty = true;
        match end {
            TaskEnd::Transfer(ended) => self.on_transfer_ended(*ended).await,
            TaskEnd::ExtensionCalled(done) => self.on_extension_called(done),
            TaskEnd::Checked { destination, outcome } => self.on_checked(destination, outcome).await,
            TaskEnd::CheckStopped { destination } => {
                if let Some(worker) = self.workers.get_mut(&destination) {
                    worker.is_checking = false;
                    worker.may_start = true;
                }
            }
            TaskEnd::Listed { destination, is_done } => {
                if let Some(worker) = self.workers.get_mut(&destination) {
                    worker.listed(is_done, Instant::now());
                }
            }
            TaskEnd::ReadBack { destination, end } => {
                if let Some(worker) = self.workers.get_mut(&destination) {
                    worker.read_back_ended(end, Instant::now());
                }
            }
            TaskEnd::PathsResolved(found) => self.on_paths_resolved(*found).await,
            TaskEnd::Disks(disks) => self.disks = disks,
            TaskEnd::Reconnected { destination } => self.on_reconnected(destination),
            TaskEnd::NetworkApplied(taken) => self.on_network_applied(*taken).await,
            TaskEnd::TestedDestination(prepared) => self.on_destination_tested(*prepared).await,
            TaskEnd::RestoreEnded { id, report } => self.on_restore_ended(id, *report).await,
            TaskEnd::WantedAgain => self.call_all_extensions(),
            TaskEnd::StoreProbed { outcome, count } => self.on_store_probed(outcome, count),
            TaskEnd::Answered => {}
            TaskEnd::Lost(error) => tracing::error!(%error, "a task stopped unexpectedly (internal error)"),
        }
    }

    async fn on_transfer_ended(&mut self, ended: TransferReport) {
        let now = Instant::now();
        if let Some(started) = &ended.look_again {
            self.library.look_at(started.source, &started.path.dir);
        }
        let Some(worker) = self.workers.get_mut(&ended.destination) else {
            return;
        };
        worker.running.remove(&ended.job);
        worker.job_ended(now);
        worker.needs_clean |= ended.end.may_leave_files();
        if matches!(ended.end, TransferEnd::Done { is_proved: false }) && worker.attachment.is_none() {
            worker.read_back_again();
        }
        if let Some(capabilities) = worker.take_new_findings() {
            let id = ended.destination;
            let kept = self.store.write(move |tx| tx.set_found(id, &capabilities)).await;
            self.check_store_result(kept);
        }
        match ended.end {
            TransferEnd::Done { .. } => self.meter.done(ended.bytes),
            TransferEnd::Failed(failure) => {
                tracing::info!(record = %ended.record, kind = failure.kind.as_str(), "a transfer failed");
            }
            TransferEnd::PutBack => {}
            TransferEnd::DestinationLost(failure) => self.mark_unreachable(ended.destination, &failure).await,
            TransferEnd::Unwritten { outcome, error } => {
                self.outage.keep(UnwrittenOutcome { job: ended.job, record: ended.record, outcome });
                self.check_store_result::<()>(Err(error));
            }
        }
    }

    /// A use of the store. One that fails because of its disk waits for the disk; any other failure
    /// leaves nothing sensible to do but stop.
    pub(crate) fn check_store_result<T>(&mut self, written: Result<T, StoreError>) -> Option<T> {
        match written {
            Ok(value) => Some(value),
            Err(StoreError::Refused(why)) => {
                tracing::warn!(%why, "a write was refused");
                None
            }
            Err(error) if error.outage().is_some() => {
                error.outage().into_iter().for_each(|outage| self.on_store_failed(outage));
                None
            }
            Err(error) => {
                tracing::error!(%error, "the database cannot be written; stopping");
                self.end.events.send(Event::Notice { text: format!("Safelight has to stop: {error}") }).ok();
                self.is_stopping = true;
                None
            }
        }
    }

    /// Whether any work may be done now, for any destination.
    pub(crate) fn is_working(&self) -> bool {
        self.installation.is_on && !self.installation.is_paused && self.outage.is_well()
    }

    /// Starts whatever may be started now.
    async fn step(&mut self) {
        let now = Instant::now();
        if self.outage.is_well() {
            self.end_pause().await;
        }
        self.step_outage(now);
        let moment = self.moment();
        self.gates.look(&moment);
        if now >= self.floor_at {
            self.floor_at = now + FLOOR;
            self.workers.values_mut().for_each(|worker| worker.process_by(now));
        }
        self.step_restores(now);
        let ids: Vec<DestinationId> = self.workers.keys().copied().collect();
        for id in ids {
            self.step_destination(id, now).await;
        }
        self.is_dirty |= self.badges.due().is_some_and(|due| due <= now);
        self.publish(now).await;
    }

    async fn step_destination(&mut self, id: DestinationId, now: Instant) {
        if !self.may_work(id, now) {
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let Ok(destination) = worker.destination.clone() else {
            return;
        };
        if worker.next_due.is_some_and(|due| backoff::is_due(due, self.deps.clock.now())) {
            worker.next_due = None;
            worker.process_by(now);
        }
        let is_due = !worker.is_processing && worker.process_at.is_some_and(|at| at <= now);
        // A new ledger first hears what the destination has.
        if is_due && !worker.needs_adoption {
            self.call_extension(id);
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let wall = self.deps.clock.now();
        if worker.row.lost.as_ref().is_some_and(|lost| !backoff::is_due(lost.until, wall)) {
            return;
        }
        let is_lost = worker.row.lost.is_some();
        let may_start = worker.may_start && worker.room() > 0;
        let needs_check = is_lost || worker.must_check || worker.needs_adoption || worker.has_leftovers;
        if (needs_check || may_start) && !worker.is_checked(now) && !worker.is_checking {
            // Nothing to start needs no check, unless it is to find out whether the place is back.
            let waits = needs_check || self.store.read(move |r| r.has_registered(id)).await.unwrap_or(true);
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.may_start = waits;
                if waits {
                    (worker.is_checking, worker.must_check) = (true, false);
                    self.spawn_check(id, destination);
                }
            }
        } else if may_start && !worker.is_checking {
            self.start_transfers(id, destination).await;
        }
        self.step_upkeep(id, now);
    }

    async fn start_transfers(
        &mut self,
        id: DestinationId,
        destination: crate::destination::SharedDestination,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let room = worker.room();
        let started = self.store.write(move |tx| tx.start_jobs(id, room)).await;
        let Some(started) = self.check_store_result(started) else {
            return;
        };
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.may_start = started.len() == room as usize;
        if !started.is_empty() {
            worker.read_back.make_way.cancel();
        }
        let is_sent = |record| worker.running.values().any(|transfer| transfer.started.record == record);
        // What an extension cancelled and wants again has not let go of its temp file yet.
        let (twice, started): (Vec<_>, Vec<_>) = started.into_iter().partition(|job| is_sent(job.record));
        for job in started {
            let monitor = TransferMonitor::new(worker.cancel.child_token());
            worker.running.insert(job.job, ActiveTransfer { started: job.clone(), monitor: monitor.clone() });
            let (deps, store, row) = (self.deps.clone(), self.store.clone(), Arc::clone(&worker.row));
            let destination = Arc::clone(&destination);
            self.tasks.spawn(async move {
                let ended = transfer::run(deps, store, row, destination, job, monitor).await;
                TaskEnd::Transfer(Box::new(ended))
            });
            self.is_dirty = true;
        }
        if !twice.is_empty() {
            let work = self.store.write(move |tx| {
                for job in twice {
                    tx.end_job(job.job, job.record, &crate::store::Outcome::PutBack { bytes_sent: 0 })?;
                }
                Ok(())
            });
            let written = work.await;
            self.check_store_result(written);
        }
    }

    async fn end_pause(&mut self) {
        let now = self.deps.clock.now();
        let is_over =
            self.installation.is_paused && self.installation.paused_until.is_some_and(|until| until <= now);
        if is_over {
            self.set_paused(false, None).await;
        }
    }

    /// When something must be done although nothing happens.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        // A time that has passed and was not acted upon must not spin.
        self.soonest(now).max(now + Duration::from_millis(1))
    }

    fn soonest(&self, now: Instant) -> Instant {
        let mut wake = self.floor_at;
        if self.is_dirty {
            wake = wake.min(self.publish_at);
        }
        if !self.operations.is_empty() {
            wake = wake.min(self.publish_at.max(now) + SAMPLE_EVERY);
        }
        if let Some(due) = self.badges.due() {
            wake = wake.min(due.max(self.publish_at));
        }
        if let Some(at) = self.restores.next_try() {
            wake = wake.min(at);
        }
        if !self.outage.is_well() {
            let wake = self.outage.next_probe().map_or(wake, |at| wake.min(at));
            return wake.max(now + Duration::from_millis(1));
        }
        let at_wall = |until: UnixMillis| now + until.since(self.deps.clock.now());
        if self.installation.is_paused {
            return self.installation.paused_until.map_or(wake, |until| wake.min(at_wall(until)));
        }
        if !self.installation.is_on {
            return wake;
        }
        if let Some(at) = self.gates.next_look(&self.moment()) {
            wake = wake.min(at);
        }
        let is_waited_for = |worker: &&Worker| !worker.is_held && worker.destination.is_ok();
        for worker in self.workers.values().filter(is_waited_for) {
            // Only what a step would act upon: a time that is passed over again and again would spin.
            if let Some(at) = worker.process_at.filter(|_| !worker.needs_adoption) {
                wake = wake.min(at);
            }
            if let Some(at) = worker.list_at.filter(|_| !worker.is_listing && worker.row.lost.is_none()) {
                wake = wake.min(at);
            }
            if let Some(lost) = worker.row.lost.as_ref().filter(|_| !worker.is_checking) {
                wake = wake.min(at_wall(lost.until));
            }
            if let Some(at) = worker.prove_at.filter(|_| worker.may_prove && worker.may_audit()) {
                wake = wake.min(at);
            }
            if let Some(due) = worker.next_due {
                wake = wake.min(at_wall(due));
            }
            if !worker.running.is_empty() || worker.is_auditing {
                wake = wake.min(self.publish_at.max(now) + SAMPLE_EVERY);
            }
        }
        wake
    }

    async fn stop(mut self) {
        self.background.cancel();
        self.workers.values_mut().for_each(Worker::stop_transfers);
        let deadline = Instant::now() + STOP_WITHIN;
        self.notify_extensions().await;
        self.library.stop().await;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next()).await {
            match ended {
                Ok(TaskEnd::Transfer(ended)) => {
                    if let Some(worker) = self.workers.get_mut(&ended.destination) {
                        worker.running.remove(&ended.job);
                    }
                }
                Ok(TaskEnd::ExtensionCalled(policy::ExtensionCallReport {
                    extension: Some(mut extension),
                    ..
                })) => {
                    policy::notify(extension.as_mut()).await;
                }
                _ => {}
            }
        }
        self.tasks.abort_all();
        self.list_last(deadline).await;
        self.end.events.send(Event::Stopping).ok();
        self.store.close().await;
    }
}
