//! The closed loop: one task owns all parts and knows the order of things, and [`Input`] is everything that
//! can make it act.

mod dispatch;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::api::Event;
use crate::domain::gate::{Conditions, GateRules};
use crate::domain::time::UnixMillis;
use crate::engine::conditions::backup_switch::BackupSwitch;
use crate::engine::conditions::gates::{Gates, is_local};
use crate::engine::conditions::network_config::NetworkConfig;
use crate::engine::conditions::outage::{StoreOutage, write_outcomes};
use crate::engine::context::Context;
use crate::engine::destination::RETRY_FLOOR;
use crate::engine::destination::policy::notify;
use crate::engine::destination::transfer::{TransferEnd, TransferReport};
use crate::engine::destination::worker_tasks::WorkerEnd;
use crate::engine::destination::workers::Workers;
use crate::engine::handle::{Call, EngineEnd};
use crate::engine::library::Library;
use crate::engine::operations::Operations;
use crate::engine::parts::Parts;
use crate::engine::path_resolver::{DiskMap, PathResolver};
use crate::engine::requests::destinations::{self, DestinationSetup};
use crate::engine::requests::settings;
use crate::engine::restore_runs::RestoreRuns;
use crate::engine::snapshot::{SnapshotPublisher, View};
use crate::engine::system_events;
use crate::engine::task_set::{TaskEnd, TaskSet};
use crate::store::{Installation, Outage};

/// How long a stop waits for transfers to let go.
const STOP_WITHIN: Duration = Duration::from_secs(4);

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
    calls: mpsc::Receiver<Call>,
    context: Context,
    library: Library,
    workers: Workers,
    switch: BackupSwitch,
    gates: Gates,
    outage: StoreOutage,
    network: NetworkConfig,
    resolver: PathResolver,
    /// The disks that folders are on, as far as they were looked up.
    disks: DiskMap,
    setup: DestinationSetup,
    operations: Operations,
    restores: RestoreRuns,
    tasks: TaskSet,
    snapshot: SnapshotPublisher,
    /// When every extension is called, whatever happens.
    floor_at: Instant,
    is_stopping: bool,
}

/// The parts that a change works on; a method would borrow the whole supervisor.
macro_rules! parts {
    ($supervisor:ident) => {
        &mut Parts {
            context: &$supervisor.context,
            library: &$supervisor.library,
            workers: &mut $supervisor.workers,
            tasks: &mut $supervisor.tasks,
            outage: &mut $supervisor.outage,
        }
    };
}

/// The parts that a snapshot shows.
macro_rules! view {
    ($supervisor:ident) => {
        &mut View {
            context: &$supervisor.context,
            library: &$supervisor.library,
            workers: &mut $supervisor.workers,
            switch: &$supervisor.switch,
            gates: &$supervisor.gates,
            outage: &mut $supervisor.outage,
            network: &$supervisor.network,
            disks: &$supervisor.disks,
            operations: &mut $supervisor.operations,
            restores: &$supervisor.restores,
        }
    };
}

use {parts, view};

/// What is stored and found out before the loop begins.
pub(crate) struct Startup {
    pub context: Context,
    pub end: EngineEnd,
    pub library: Library,
    pub workers: Workers,
    pub installation: Installation,
    pub rules: GateRules,
    pub network: NetworkConfig,
}

impl Supervisor {
    pub fn new(beginning: Startup) -> Self {
        let Startup { context, end, library, workers, installation, rules, network } = beginning;
        let clocks = context.read_clocks();
        let deps = &context.deps;
        let resolver =
            PathResolver::new(Arc::clone(&deps.files), &deps.library_executor, Arc::clone(&deps.disk_of));
        let conditions = *deps.conditions.borrow();
        Self {
            calls: end.calls,
            switch: BackupSwitch::new(&installation),
            gates: Gates::new(rules, conditions, &clocks),
            outage: StoreOutage::new(),
            network,
            resolver,
            disks: DiskMap::default(),
            setup: DestinationSetup::default(),
            operations: Operations::default(),
            restores: RestoreRuns::default(),
            tasks: TaskSet::default(),
            snapshot: SnapshotPublisher::new(end.snapshots, clocks.now),
            floor_at: clocks.now + RETRY_FLOOR,
            is_stopping: false,
            context,
            library,
            workers,
        }
    }

    /// Runs until every handle has gone or a client asks for a stop.
    pub async fn run(mut self) {
        let changes = self.library.changes();
        let mut state = self.library.state();
        let resumed = Arc::clone(&self.context.deps.resumed);
        let sleeping = Arc::clone(&self.context.deps.sleeping);
        let mounts = Arc::clone(&self.context.deps.mounts_changed);
        let mut conditions = self.context.deps.conditions.clone();
        let mut outages = self.context.store.outages();
        system_events::spawn_disk_lookup(parts!(self), &self.resolver).await;
        self.step().await;
        while !self.is_stopping {
            let wake = self.next_wake();
            let input = tokio::select! {
                // In this order, so that a run can be repeated: the person first, the clock last.
                biased;
                call = self.calls.recv() => call.map_or(Input::Stop, Input::Call),
                Some(end) = self.tasks.next_end() => Input::Task(end),
                () = resumed.notified() => Input::Resumed,
                () = sleeping.notified() => Input::Sleeping,
                () = mounts.notified() => Input::MountsChanged,
                () = changes.notified() => Input::LibraryChanged,
                Ok(()) = state.changed() => {
                    state.mark_unchanged();
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
        let is_moving = self.is_moving();
        self.snapshot.mark_stale(is_moving || !matches!(input, Input::Tick));
        match input {
            Input::Call(call) => self.handle_request(call).await,
            Input::Task(end) => self.handle_task_end(end).await,
            Input::LibraryChanged => {
                let now = Instant::now();
                self.workers.iter_mut().for_each(|worker| worker.on_library_changed(now));
            }
            Input::Conditions(conditions) => {
                system_events::on_conditions_changed(parts!(self), &mut self.gates, conditions);
            }
            Input::Sleeping => self.workers.notify_extensions().await,
            Input::StoreOutage(Some(outage)) => self.outage.begin(&self.context, outage),
            Input::Resumed => system_events::on_resumed(parts!(self)),
            Input::MountsChanged => system_events::on_mounts_changed(parts!(self), &self.resolver).await,
            Input::Stop => self.is_stopping = true,
            Input::LibraryMoved | Input::StoreOutage(None) | Input::Tick => {}
        }
    }

    async fn handle_task_end(&mut self, end: TaskEnd) {
        match end {
            TaskEnd::Worker(end) => self.handle_worker_end(end).await,
            TaskEnd::PathsResolved(resolved) => self.on_paths_resolved(*resolved).await,
            TaskEnd::Disks(disks) => self.disks = disks,
            TaskEnd::NetworkApplied(trial) => {
                settings::on_network_applied(parts!(self), &mut self.network, *trial).await;
            }
            TaskEnd::DestinationTested(tested) => {
                destinations::on_destination_tested(parts!(self), &self.setup, *tested).await;
            }
            TaskEnd::RestoreEnded { id, report } => {
                self.restores.on_ended(parts!(self), id, *report).await;
            }
            TaskEnd::WantedAgain => self.workers.call_all_extensions(),
            TaskEnd::StoreProbed { outcome, count } => {
                if self.outage.on_probed(&self.context, outcome, count) {
                    // What was found meanwhile could not be kept.
                    self.library.look_again();
                    self.library.rescan(None);
                    self.workers.call_all_extensions();
                }
            }
            TaskEnd::Answered => {}
            TaskEnd::Lost(error) => tracing::error!(%error, "a task stopped unexpectedly (internal error)"),
        }
    }

    async fn handle_worker_end(&mut self, end: WorkerEnd) {
        let (context, outage) = (&self.context, &mut self.outage);
        match end {
            WorkerEnd::Transfer(report) => self.on_transfer_ended(*report).await,
            WorkerEnd::ExtensionCalled(report) => {
                if let Some(worker) = self.workers.get_mut(report.destination) {
                    worker.on_extension_called(report, context.wall());
                }
            }
            WorkerEnd::Checked { destination, end } => {
                let Some(worker) = self.workers.get_mut(destination) else { return };
                let effects = worker.on_checked(context, outage, end).await;
                if effects.has_new_capabilities {
                    self.library.set_digests_wanted(self.workers.digests_wanted());
                }
                if effects.must_mirror {
                    self.context.mirror().await;
                }
            }
            WorkerEnd::Listed { destination, is_done } => {
                if let Some(worker) = self.workers.get_mut(destination) {
                    worker.on_listed(is_done);
                }
            }
            WorkerEnd::ReadBack { destination, end } => {
                if let Some(worker) = self.workers.get_mut(destination) {
                    worker.on_read_back_ended(end);
                }
            }
            WorkerEnd::Reconnected { destination } => {
                if let Some(worker) = self.workers.get_mut(destination) {
                    worker.on_reconnected();
                }
            }
        }
    }

    async fn on_transfer_ended(&mut self, report: TransferReport) {
        if let Some(started) = &report.look_again {
            self.library.look_at(started.source, &started.path.dir);
        }
        let Some(worker) = self.workers.get_mut(report.destination) else {
            return;
        };
        if matches!(report.end, TransferEnd::Done { .. }) {
            self.snapshot.on_transferred(report.bytes);
        }
        worker.on_transfer_ended(&self.context, &mut self.outage, report).await;
    }

    /// Whether any work may be done now, for any destination.
    fn is_working(&self) -> bool {
        self.switch.is_working() && self.outage.is_well()
    }

    /// Whether numbers change by themselves now.
    fn is_moving(&self) -> bool {
        self.workers.is_moving() || !self.operations.is_empty()
    }

    /// Starts whatever may be started now.
    async fn step(&mut self) {
        let now = Instant::now();
        let was_well = self.outage.is_well();
        if was_well && self.switch.is_pause_over(self.context.wall()) {
            let is_resumed = settings::set_paused(parts!(self), &mut self.switch, false, None).await;
            self.snapshot.mark_stale(is_resumed);
        }
        self.step_outage(now);
        self.gates.update(&self.context.read_clocks());
        if now >= self.floor_at {
            self.floor_at = now + RETRY_FLOOR;
            self.workers.iter_mut().for_each(|worker| worker.call_by(now));
        }
        self.restores.step(parts!(self), &mut self.operations, now);
        self.step_workers(now).await;
        self.snapshot.mark_stale(was_well != self.outage.is_well());
        self.snapshot.publish(view!(self), now).await;
        self.is_stopping |= self.outage.is_fatal();
    }

    async fn step_workers(&mut self, now: Instant) {
        for worker in self.workers.iter_mut() {
            let is_working = self.switch.is_working() && self.outage.is_well();
            let gate = self.gates.closed(is_local(worker.row()), now).cloned();
            self.snapshot.mark_stale(worker.update_access(is_working, gate, now));
            let has_started = worker.step(&self.context, &mut self.tasks, &mut self.outage, now).await;
            self.snapshot.mark_stale(has_started);
        }
    }

    /// Finds out whether the store can be written again when it is time to, with all that waits to be
    /// written.
    fn step_outage(&mut self, now: Instant) {
        let Some(waiting) = self.outage.begin_probe(now) else { return };
        let store = self.context.store.clone();
        self.tasks.spawn(async move {
            let count = waiting.len();
            TaskEnd::StoreProbed { outcome: write_outcomes(&store, waiting).await, count }
        });
    }

    /// When something must be done although nothing happens.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        // A time that has passed and was not acted upon must not spin.
        self.soonest(now).max(now + Duration::from_millis(1))
    }

    fn soonest(&self, now: Instant) -> Instant {
        let sample = self.snapshot.next_sample(now);
        let always = [
            self.snapshot.next_at(),
            (!self.operations.is_empty()).then_some(sample),
            self.restores.next_try(),
        ];
        let wake = always.into_iter().flatten().fold(self.floor_at, Instant::min);
        if !self.outage.is_well() {
            return self.outage.next_probe().map_or(wake, |at| wake.min(at));
        }
        let wall = self.context.wall();
        let at_wall = |until: UnixMillis| now + until.since(wall);
        if self.switch.is_paused() {
            return self.switch.paused_until().map_or(wake, |until| wake.min(at_wall(until)));
        }
        if !self.is_working() {
            return wake;
        }
        let gates = self.gates.next_update(&self.context.read_clocks());
        let has_working = |is_moving: bool| is_moving.then_some(sample);
        let workers = self.workers.iter().flat_map(|worker| {
            let moves = worker.may_work() && worker.destination().is_ok() && worker.is_moving();
            [worker.next_wake(at_wall), has_working(moves)]
        });
        workers.chain([gates]).flatten().fold(wake, Instant::min)
    }

    async fn stop(mut self) {
        self.context.stop.cancel();
        self.workers.iter_mut().for_each(|worker| worker.stop_transfers());
        let deadline = Instant::now() + STOP_WITHIN;
        self.workers.notify_extensions().await;
        self.library.stop().await;
        while let Ok(Some(end)) = tokio::time::timeout_at(deadline, self.tasks.next_end()).await {
            if let TaskEnd::Worker(WorkerEnd::ExtensionCalled(report)) = end
                && let Some(mut extension) = report.extension
            {
                notify(extension.as_mut()).await;
            }
        }
        self.tasks.abort_all();
        for worker in self.workers.iter() {
            tokio::time::timeout_at(deadline, worker.list_last(&self.context)).await.ok();
        }
        self.context.send_event(Event::Stopping);
        self.context.store.close().await;
    }

    /// Takes up the restores that have not ended.
    pub async fn resume_restores(&mut self) {
        self.restores.resume(parts!(self), &mut self.operations).await;
    }
}
