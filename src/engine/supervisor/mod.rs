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
use crate::engine::conditions::network_config::Network;
use crate::engine::conditions::outage::{DataDisk, Unwritten};
use crate::engine::deps::Deps;
use crate::engine::destination::policy;
use crate::engine::destination::transfer::{self, End, Ended, Watch};
use crate::engine::destination::worker::{FLOOR, Runner, Running};
use crate::engine::handle::{Call, EngineEnd};
use crate::engine::library::{Library, LibraryState};
use crate::engine::path_resolver::{Disks, Places};
use crate::engine::progress::Meter;
use crate::engine::requests::removals::Removals;
use crate::engine::snapshot::Badges;
use crate::engine::tasks::TaskEnd;
use crate::engine::tasks::operations::Readings;
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
    DataDisk(Option<Outage>),
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
    pub runners: BTreeMap<DestinationId, Runner>,
    /// How servers are reached.
    pub network: Network,
    /// Where paths lead.
    pub places: Places,
    /// The disks that folders are on, as far as they were looked at.
    pub disks: Disks,
    /// Places that are being set up now.
    pub setting_up: BTreeMap<Vec<u8>, Arc<tokio::sync::Mutex<()>>>,
    /// Destinations that were removed lately.
    pub removals: Removals,
    pub tasks: JoinSet<TaskEnd>,
    pub background: CancellationToken,
    pub meter: Meter,
    /// Checks and restores that somebody waits for.
    pub readings: Readings,
    /// Restores that go on by themselves.
    pub restores: crate::engine::tasks::restore_runs::RestoreRuns,
    pub snapshot: Snapshot,
    pub is_dirty: bool,
    pub publish_at: Instant,
    pub floor_at: Instant,
    pub asset_count: (u64, u64),
    pub badges: Badges,
    pub gates: Gates,
    pub data_disk: DataDisk,
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
        self.spawn_disks().await;
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
                Ok(()) = outages.changed() => Input::DataDisk(*outages.borrow_and_update()),
                () = tokio::time::sleep_until(wake) => Input::Tick,
            };
            #[cfg(test)]
            crate::engine::tests::sim::woken(&std::mem::discriminant(&input));
            self.take(input).await;
            self.step().await;
        }
        self.stop().await;
    }

    async fn take(&mut self, input: Input) {
        match input {
            Input::Call(call) => self.take_call(call).await,
            Input::Task(end) => self.take_end(end).await,
            Input::LibraryChanged => {
                let now = Instant::now();
                self.runners.values_mut().for_each(|runner| runner.library_changed(now));
                self.is_dirty = true;
            }
            Input::LibraryMoved => self.is_dirty = true,
            Input::Conditions(conditions) => self.take_conditions(conditions),
            Input::Sleeping => self.notify_extensions().await,
            Input::DataDisk(outage) => {
                if let Some(outage) = outage {
                    self.data_disk_failed(outage);
                }
            }
            Input::Resumed => self.resumed(),
            Input::MountsChanged => self.mounts_changed().await,
            Input::Tick => self.is_dirty |= self.is_moving(),
            Input::Stop => self.is_stopping = true,
        }
    }

    async fn take_end(&mut self, end: TaskEnd) {
        self.is_dirty = true;
        match end {
            TaskEnd::Transfer(ended) => self.transfer_ended(*ended).await,
            TaskEnd::Processed(done) => self.processed(done),
            TaskEnd::Checked { destination, outcome } => self.checked(destination, outcome).await,
            TaskEnd::CheckStopped { destination } => {
                if let Some(runner) = self.runners.get_mut(&destination) {
                    runner.is_checking = false;
                    runner.may_start = true;
                }
            }
            TaskEnd::Listed { destination, is_done } => {
                if let Some(runner) = self.runners.get_mut(&destination) {
                    runner.listed(is_done, Instant::now());
                }
            }
            TaskEnd::ReadBack { destination, end } => {
                if let Some(runner) = self.runners.get_mut(&destination) {
                    runner.read_back_ended(end, Instant::now());
                }
            }
            TaskEnd::Found(found) => self.found(*found).await,
            TaskEnd::Disks(disks) => self.disks = disks,
            TaskEnd::Reconnected { destination } => self.reconnected(destination),
            TaskEnd::WayTaken(taken) => self.way_taken(*taken).await,
            TaskEnd::Prepared(prepared) => self.destination_prepared(*prepared).await,
            TaskEnd::Restored { id, report } => self.restored(id, *report).await,
            TaskEnd::WantedAgain => self.process_all(),
            TaskEnd::DataProbed { outcome, count } => self.data_probed(outcome, count),
            TaskEnd::Answered => {}
            TaskEnd::Lost(error) => tracing::error!(%error, "a task stopped unexpectedly (internal error)"),
        }
    }

    async fn transfer_ended(&mut self, ended: Ended) {
        let now = Instant::now();
        if let Some(started) = &ended.look_again {
            self.library.look_at(started.source, &started.path.dir);
        }
        let Some(runner) = self.runners.get_mut(&ended.destination) else {
            return;
        };
        runner.running.remove(&ended.job);
        runner.job_ended(now);
        runner.needs_clean |= ended.end.may_leave_files();
        if matches!(ended.end, End::Done { is_proved: false }) && runner.attachment.is_none() {
            runner.read_back_again();
        }
        if let Some(capabilities) = runner.take_new_findings() {
            let id = ended.destination;
            let kept = self.store.write(move |tx| tx.set_found(id, &capabilities)).await;
            self.noted(kept);
        }
        match ended.end {
            End::Done { .. } => self.meter.done(ended.bytes),
            End::Failed(failure) => {
                tracing::info!(record = %ended.record, kind = failure.kind.as_str(), "a transfer failed");
            }
            End::PutBack => {}
            End::DestinationLost(failure) => self.destination_lost(ended.destination, &failure).await,
            End::Unwritten { outcome, error } => {
                self.data_disk.keep(Unwritten { job: ended.job, record: ended.record, outcome });
                self.noted::<()>(Err(error));
            }
        }
    }

    /// A use of the store. One that fails because of its disk waits for the disk; any other failure
    /// leaves nothing sensible to do but stop.
    pub(crate) fn noted<T>(&mut self, written: Result<T, StoreError>) -> Option<T> {
        match written {
            Ok(value) => Some(value),
            Err(StoreError::Refused(why)) => {
                tracing::warn!(%why, "a write was refused");
                None
            }
            Err(error) if error.outage().is_some() => {
                error.outage().into_iter().for_each(|outage| self.data_disk_failed(outage));
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
        self.installation.is_on && !self.installation.is_paused && self.data_disk.is_well()
    }

    /// Starts whatever may be started now.
    async fn step(&mut self) {
        let now = Instant::now();
        if self.data_disk.is_well() {
            self.end_pause().await;
        }
        self.step_data_disk(now);
        let moment = self.moment();
        self.gates.look(&moment);
        if now >= self.floor_at {
            self.floor_at = now + FLOOR;
            self.runners.values_mut().for_each(|runner| runner.process_by(now));
        }
        self.step_restores(now);
        let ids: Vec<DestinationId> = self.runners.keys().copied().collect();
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
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        let Ok(destination) = runner.destination.clone() else {
            return;
        };
        if runner.next_due.is_some_and(|due| backoff::is_due(due, self.deps.clock.now())) {
            runner.next_due = None;
            runner.process_by(now);
        }
        let is_due = !runner.is_processing && runner.process_at.is_some_and(|at| at <= now);
        // A new ledger first hears what the destination has.
        if is_due && !runner.needs_adoption {
            self.call_extension(id);
        }
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        let wall = self.deps.clock.now();
        if runner.row.lost.as_ref().is_some_and(|lost| !backoff::is_due(lost.until, wall)) {
            return;
        }
        let is_lost = runner.row.lost.is_some();
        let may_start = runner.may_start && runner.room() > 0;
        let needs_check = is_lost || runner.must_check || runner.needs_adoption || runner.has_leftovers;
        if (needs_check || may_start) && !runner.is_checked(now) && !runner.is_checking {
            // Nothing to start needs no check, unless it is to find out whether the place is back.
            let waits = needs_check || self.store.read(move |r| r.has_registered(id)).await.unwrap_or(true);
            if let Some(runner) = self.runners.get_mut(&id) {
                runner.may_start = waits;
                if waits {
                    (runner.is_checking, runner.must_check) = (true, false);
                    self.spawn_check(id, destination);
                }
            }
        } else if may_start && !runner.is_checking {
            self.start_transfers(id, destination).await;
        }
        self.step_upkeep(id, now);
    }

    async fn start_transfers(
        &mut self,
        id: DestinationId,
        destination: crate::destination::SharedDestination,
    ) {
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        let room = runner.room();
        let started = self.store.write(move |tx| tx.start_jobs(id, room)).await;
        let Some(started) = self.noted(started) else {
            return;
        };
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        runner.may_start = started.len() == room as usize;
        if !started.is_empty() {
            runner.read_back.make_way.cancel();
        }
        let is_sent = |record| runner.running.values().any(|running| running.started.record == record);
        // What an extension cancelled and wants again has not let go of its temp file yet.
        let (twice, started): (Vec<_>, Vec<_>) = started.into_iter().partition(|job| is_sent(job.record));
        for job in started {
            let watch = Watch::new(runner.cancel.child_token());
            runner.running.insert(job.job, Running { started: job.clone(), watch: watch.clone() });
            let (deps, store, row) = (self.deps.clone(), self.store.clone(), Arc::clone(&runner.row));
            let destination = Arc::clone(&destination);
            self.tasks.spawn(async move {
                let ended = transfer::run(deps, store, row, destination, job, watch).await;
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
            self.noted(written);
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
        if !self.readings.is_empty() {
            wake = wake.min(self.publish_at.max(now) + SAMPLE_EVERY);
        }
        if let Some(due) = self.badges.due() {
            wake = wake.min(due.max(self.publish_at));
        }
        if let Some(at) = self.restores.next_try() {
            wake = wake.min(at);
        }
        if !self.data_disk.is_well() {
            let wake = self.data_disk.next_probe().map_or(wake, |at| wake.min(at));
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
        let is_waited_for = |runner: &&Runner| !runner.is_held && runner.destination.is_ok();
        for runner in self.runners.values().filter(is_waited_for) {
            // Only what a step would act upon: a time that is passed over again and again would spin.
            if let Some(at) = runner.process_at.filter(|_| !runner.needs_adoption) {
                wake = wake.min(at);
            }
            if let Some(at) = runner.list_at.filter(|_| !runner.is_listing && runner.row.lost.is_none()) {
                wake = wake.min(at);
            }
            if let Some(lost) = runner.row.lost.as_ref().filter(|_| !runner.is_checking) {
                wake = wake.min(at_wall(lost.until));
            }
            if let Some(at) = runner.prove_at.filter(|_| runner.may_prove && runner.may_audit()) {
                wake = wake.min(at);
            }
            if let Some(due) = runner.next_due {
                wake = wake.min(at_wall(due));
            }
            if !runner.running.is_empty() || runner.is_auditing {
                wake = wake.min(self.publish_at.max(now) + SAMPLE_EVERY);
            }
        }
        wake
    }

    async fn stop(mut self) {
        self.background.cancel();
        self.runners.values_mut().for_each(Runner::stop_transfers);
        let deadline = Instant::now() + STOP_WITHIN;
        self.notify_extensions().await;
        self.library.stop().await;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next()).await {
            match ended {
                Ok(TaskEnd::Transfer(ended)) => {
                    if let Some(runner) = self.runners.get_mut(&ended.destination) {
                        runner.running.remove(&ended.job);
                    }
                }
                Ok(TaskEnd::Processed(policy::Processed { extension: Some(mut extension), .. })) => {
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
