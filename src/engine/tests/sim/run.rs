//! One seed: a world, a person, and as many lives of the engine as it takes.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::connect::{SimConnect, SimWatcher, number_of};
use super::dice::Dice;
use super::person::Person;
use super::policy::SimExtensions;
use super::remote::Remote;
use super::watcher::Watcher;
use super::world::{PLANTED, PlannedDeath, Tally, World, count};
use super::{coverage, finale, loss, photos, weather};
use crate::api::Command;
use crate::base::executor::Executor;
use crate::base::rng::SeededRng;
use crate::destination::folder::MemoryFs;
use crate::domain::gate::{Conditions, GateRules};
use crate::engine::{DATABASE_NAME, Deps, start};
use crate::store::failpoints;
use crate::store::simulation_audit::{let_go, peek};

/// After all trouble is over, everything is where it belongs within this time.
const SETTLES_WITHIN: Duration = Duration::from_secs(48 * 3600);
/// Quiet is watched for so long.
const QUIET: Duration = Duration::from_secs(2 * 3600);
/// A try of a file that fails, and the one after it, take no longer.
const RETRY_MINUTES: u32 = 15;
/// A stop that was asked for takes no longer.
const STOPS_WITHIN: Duration = Duration::from_secs(10);
/// Lives of one seed at most: more means that it dies of something that was not planned.
const LIVES_MAX: u64 = 20;
/// Turns of the engine's loop in one seed: more means that it spins.
const WAKES_MAX: u64 = 100_000;
thread_local! {
    static WAKES: Cell<u64> = const { Cell::new(0) };
    static LIMIT: Cell<Option<u32>> = const { Cell::new(None) };
    static PANIC: Cell<Option<String>> = const { Cell::new(None) };
}

/// The engine's loop has been woken.
pub fn woken(by: &dyn std::fmt::Debug) {
    WAKES.set(WAKES.get() + 1);
    if WAKES.get() > WAKES_MAX && !failpoints::is_dead() {
        failpoints::kill();
        panic!("the engine's loop spins on {by:?}");
    }
}

/// The job limit of new destinations, where a simulation has set one.
pub fn job_limit() -> Option<u32> {
    LIMIT.get()
}

/// Something on this thread panicked.
pub fn panicked(what: String) {
    if !what.contains(PLANTED) {
        PANIC.set(Some(what));
    }
}

/// What became of a seed.
pub struct Report {
    /// What was not as it must be.
    pub violations: Vec<String>,
    /// What happened, line by line, where that was asked for.
    pub trace: Vec<String>,
    /// What happened, counted.
    pub tally: Tally,
}

/// How a life ended.
enum RunEnd {
    Died,
    Stopped,
    Done,
}

struct Sim {
    seed: u64,
    world: Arc<World>,
    dice: Dice,
    dir: tempfile::TempDir,
    watcher: Rc<Watcher>,
    lives: u64,
    steps: u64,
    longest_wait: u64,
    kills: u64,
    /// Databases that are lost between two lives at most.
    losses: u64,
    is_set_up: bool,
    /// In the end the person adds again what is missing.
    is_completed: bool,
    /// In the end everything is looked at once more, so that nothing is left for a later look.
    is_seen: bool,
    calm_since: Option<crate::domain::time::UnixMillis>,
}

/// Runs one seed to its end.
pub fn run_seed(seed: u64, is_traced: bool) -> Report {
    let mut sim = Sim::new(seed, is_traced);
    PANIC.set(None);
    WAKES.set(0);
    let world = Arc::clone(&sim.world);
    let all = std::panic::AssertUnwindSafe(|| {
        while !sim.world.has_failed() {
            let life = sim.live();
            if let Some(what) = PANIC.take() {
                sim.world.violate(format!("a panic: {what}"));
            }
            match life {
                RunEnd::Done => break,
                RunEnd::Died => sim.lie_dead(),
                RunEnd::Stopped => {}
            }
            sim.lose(matches!(life, RunEnd::Died));
        }
    });
    if std::panic::catch_unwind(all).is_err() {
        world.violate(format!("the simulation panics: {}", PANIC.take().unwrap_or_default()));
    }
    failpoints::set_observer(None);
    failpoints::keep_changes(None);
    let_go();
    LIMIT.set(None);
    world.with(|around| Report {
        violations: std::mem::take(&mut around.violations),
        trace: around.trace.take().unwrap_or_default(),
        tally: std::mem::take(&mut around.tally),
    })
}

fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("safelight-sim-").tempdir_in(memory);
    made.or_else(|_no_such| tempfile::tempdir()).expect("a scratch folder")
}

/// A database without a row. Making it takes longer than many a life, and does not depend on the seed.
fn empty_database() -> &'static [u8] {
    static EMPTY: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    EMPTY.get_or_init(|| {
        let dir = scratch();
        let path = dir.path().join(DATABASE_NAME);
        crate::store::simulation_audit::make_empty(&path).expect("a database");
        std::fs::read(&path).expect("it was made")
    })
}

impl Sim {
    fn new(seed: u64, is_traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let world = Arc::new(World::new(dice.fork(), is_traced));
        LIMIT.set(Some(u32::try_from(dice.between(1, 8)).expect("few")));
        let few = [1, 1, 1, 2, 2, 3];
        failpoints::keep_changes(*dice.pick(&[None, None, Some(0), Some(3), Some(40)]));
        for number in 0..*dice.pick(&few) {
            let root = format!("/photos-{number}");
            world.files.mkdir(&root);
            if dice.percent(40) {
                world.files.set_file_system(&root, &format!("disk-{number}"));
            }
            world.with(|around| {
                around.photos.folders.push(photos::Folder { root, is_plugged: true });
            });
        }
        for number in 0..*dice.pick(&few) {
            let disk = dice.percent(25).then(|| MemoryFs::new(format!("/disk-{number}")));
            let mut remote = Remote::new(number, &mut dice, disk);
            for _ in 0..*dice.pick(&[0, 0, 1, 2, 8]) {
                let key = format!("2017/2017-07/IMG_{:04}.jpg", dice.below(14));
                remote.put_foreign(key, dice.bits().to_le_bytes().to_vec());
            }
            world.with(|around| around.remotes.push(remote));
        }
        let first = if dice.percent(6) { dice.between(18, 30) } else { dice.below(6) };
        for _ in 0..first {
            photos::add(&world, &mut dice);
        }
        let watcher = Rc::new(Watcher::new(Arc::clone(&world)));
        let dir = scratch();
        std::fs::write(dir.path().join(DATABASE_NAME), empty_database()).expect("a fresh database");
        Self {
            seed,
            dir,
            watcher,
            lives: 0,
            steps: if dice.percent(20) { dice.between(20, 50) } else { dice.between(3, 16) },
            longest_wait: *dice.pick(&[20, 600, 7200]),
            kills: dice.between(1, 5),
            losses: if dice.percent(25) { dice.between(1, 2) } else { 0 },
            is_set_up: false,
            is_completed: dice.percent(80),
            is_seen: dice.percent(70),
            calm_since: None,
            dice,
            world,
        }
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join(DATABASE_NAME)
    }

    fn deps(&self) -> Deps {
        let rng = Arc::new(SeededRng::new(self.dice.clone().bits() ^ self.lives));
        Deps {
            data_dir: self.dir.path().to_path_buf(),
            clock: Arc::clone(&self.world.clock) as _,
            rng: Arc::clone(&rng) as _,
            files: Arc::new(self.world.files.clone()),
            connect: Arc::new(SimConnect { world: Arc::clone(&self.world), rng }),
            store_executor: Executor::inline(),
            watch: Arc::new(SimWatcher(Arc::clone(&self.world))),
            library_executor: Executor::inline(),
            resumed: Arc::clone(&self.world.resumed),
            mounts_changed: Arc::default(),
            mount_of: Arc::new(|_path| None),
            disk_of: Arc::new(|_path| None),
            drives: Arc::new(Vec::new),
            free_bytes: Arc::new(|_| None),
            remount: super::super::no_remount(),
            sleeping: Arc::default(),
            conditions: self.world.conditions.subscribe(),
            extensions: Arc::new(SimExtensions(Arc::clone(&self.world))),
            zone: || jiff::tz::TimeZone::UTC,
        }
    }

    /// When this life ends, if it does not end by itself: at the place that the seed is made for, or
    /// anywhere.
    fn choose_dooms(&mut self) -> Vec<PlannedDeath> {
        if self.kills == 0 {
            return Vec::new();
        }
        let place = if self.lives <= 3 { self.seed } else { self.dice.bits() };
        let mut planned_deaths = vec![coverage::aimed(place, &mut self.dice)];
        if self.dice.percent(75) {
            let (is_effect, before) = (self.dice.percent(30), self.dice.percent(50));
            let spared = self.dice.below(if is_effect { 80 } else { 400 });
            planned_deaths.push(PlannedDeath { kind: None, is_effect, spared, before });
        }
        planned_deaths
    }

    fn live(&mut self) -> RunEnd {
        self.lives += 1;
        if self.lives > LIVES_MAX {
            self.world.violate("it dies again and again".to_owned());
            return RunEnd::Done;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let world = Arc::clone(&self.world);
        let planned_deaths = self.choose_dooms();
        world.note(|| format!("life {} begins, deaths {planned_deaths:?}", self.lives));
        world.with(|around| {
            (around.planned_deaths, around.asked, around.is_stopping) = (planned_deaths, 0, false);
            around.watched.clear();
            around.remotes.iter_mut().for_each(|remote| {
                remote.active.clear();
                remote.sending.clear();
            });
        });
        failpoints::set_observer(Some(Rc::clone(&self.watcher) as _));
        let life = runtime.block_on(async {
            world.clock.begin();
            let dead = async {
                while !failpoints::is_dead() {
                    world.died.notified().await;
                }
            };
            let life = tokio::select! {
                biased;
                () = dead => RunEnd::Died,
                life = self.play() => life,
            };
            world.clock.end();
            life
        });
        // Whatever is still under way is dropped where it stands.
        failpoints::kill();
        drop(runtime);
        life
    }

    /// Some time without an engine.
    fn lie_dead(&mut self) {
        self.kills = self.kills.saturating_sub(1);
        let time = self.dice.wait(2 * 3600);
        self.world.clock.pass(time);
        if self.calm_since.is_none() {
            for _ in 0..self.dice.below(4) {
                photos::disturb(&self.world, &mut self.dice);
            }
        }
        self.calm_since = self.calm_since.map(|_before| self.world.now());
    }

    /// The database may be lost while nobody has it open.
    fn lose(&mut self, was_killed: bool) {
        if self.losses == 0 || self.world.has_failed() || !self.dice.percent(50) {
            return;
        }
        self.losses -= 1;
        let_go();
        let path = self.database();
        let is_all_lost = loss::strike(&self.world, &mut self.dice, &path, &self.watcher, was_killed);
        self.is_set_up &= !is_all_lost;
        self.calm_since = self.calm_since.map(|_before| self.world.now());
    }

    /// Which destinations the engine knows, and by which ids.
    fn learn_ids(&self) {
        let known = match peek(&self.database(), |r| r.addresses()) {
            Ok(known) => known,
            Err(error) => return self.world.violate(format!("the rows cannot be read: {error}")),
        };
        self.world.with(|around| {
            for remote in &mut around.remotes {
                let is_it = |(_, address): &&(_, Vec<u8>)| number_of(address) == Some(remote.number);
                remote.id = known.iter().find(is_it).map(|(id, _)| *id);
            }
        });
    }

    async fn play(&mut self) -> RunEnd {
        let handle = match start(self.deps()).await {
            Ok(handle) => handle,
            Err(error) => {
                self.world.violate(format!("it does not start: {error}"));
                return RunEnd::Died;
            }
        };
        self.learn_ids();
        let person = Person { world: Arc::clone(&self.world), handle: handle.clone() };
        if !self.is_set_up {
            self.is_set_up = true;
            person.set_up(&mut self.dice).await;
        }
        while self.steps > 0 {
            self.steps -= 1;
            tokio::time::sleep(self.dice.wait(self.longest_wait)).await;
            if self.dice.percent(3) {
                return self.stop(&person).await;
            }
            self.step(&person).await;
        }
        self.settle(&person).await;
        if !self.world.has_failed() {
            self.rest().await;
        }
        if self.world.has_failed() {
            return RunEnd::Done;
        }
        self.stop(&person).await;
        RunEnd::Done
    }

    /// What leads to the commit at which the run is to die, where chance alone seldom does.
    async fn lure(&mut self, person: &Person) -> bool {
        let kind = self
            .world
            .with(|around| around.planned_deaths.first().and_then(|planned_death| planned_death.kind));
        match kind {
            Some("recheck_problems") if self.dice.percent(50) => {
                photos::add_spoiled(&self.world, &mut self.dice)
            }
            Some("recheck_problems") => photos::mend(&self.world, &mut self.dice),
            Some("set_condition") => photos::replug(&self.world, &mut self.dice),
            _ => return false,
        };
        person.ask(Command::Rescan { id: None }).await;
        true
    }

    async fn step(&mut self, person: &Person) {
        if self.dice.percent(40) && self.lure(person).await {
            return;
        }
        match self.dice.below(10) {
            0..=1 => photos::add(&self.world, &mut self.dice),
            2..=4 => photos::disturb(&self.world, &mut self.dice),
            5 => weather::change(&self.world, &mut self.dice),
            6 => {
                let number = self.dice.index(self.world.with(|around| around.remotes.len()));
                let mood = self.world.with(|around| around.remotes[number].change_mood());
                self.world.note(|| format!("remote {number} has {mood}"));
                self.world.with(|around| count(&mut around.tally.actions, "mood"));
            }
            _ => person.act(&mut self.dice).await,
        }
    }

    /// A stop as the person asks for it.
    async fn stop(&self, person: &Person) -> RunEnd {
        self.world.with(|around| around.is_stopping = true);
        person.ask(Command::Shutdown).await;
        if tokio::time::timeout(STOPS_WITHIN, person.handle.stopped()).await.is_err() {
            self.world.violate(format!("it has not stopped after {STOPS_WITHIN:?}"));
        }
        RunEnd::Stopped
    }

    /// All trouble ends, and everything finds its place.
    async fn settle(&mut self, person: &Person) {
        let world = Arc::clone(&self.world);
        if self.calm_since.is_none() {
            world.note(|| "all trouble ends".to_owned());
            world.with(|around| {
                around.is_calm = true;
                around.remotes.iter_mut().for_each(Remote::calm);
            });
            world.change_conditions(Conditions::default());
            // What nobody was told of is found by a look.
            self.is_seen |= photos::settle(&world);
            self.calm_since = Some(world.now());
        }
        person.allow(GateRules::default()).await;
        person.switch(true).await;
        person.resume().await;
        if self.is_completed {
            person.complete().await;
        }
        if self.is_seen {
            person.ask(Command::Rescan { id: None }).await;
        }
        let mut nap = Duration::from_secs(60);
        while !world.has_failed() {
            tokio::time::sleep(nap).await;
            let found = finale::differences(&world, &self.database());
            if found.is_empty() {
                return;
            }
            let since = self.calm_since.map_or(Duration::ZERO, |since| world.now().since(since));
            if since > SETTLES_WITHIN {
                let some = found.iter().take(6).cloned().collect::<Vec<_>>().join("\n  ");
                world.violate(format!("{} things are still not as they should be:\n  {some}", found.len()));
                return;
            }
            if since > Duration::from_secs(7 * 3600) {
                // What is missing in a mass is believed only when the person has seen it.
                person.rescan_each().await;
            }
            nap = (nap * 2).min(Duration::from_secs(3 * 3600));
        }
    }

    /// Nothing happens any more, for hours.
    async fn rest(&mut self) {
        let world = Arc::clone(&self.world);
        // What the person asked for takes its time, and has an answer one day.
        while world.with(|around| around.asked > 0) && !world.has_failed() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        tokio::time::sleep(Duration::from_secs(900)).await;
        let busy = || {
            let requests: u64 = world.with(|around| around.remotes.iter().map(Remote::requests).sum());
            (requests, world.files.open_count())
        };
        let (mut before, mut wakes) = (busy(), WAKES.get());
        // Its turn may come now, and be under way when this is over.
        let awaited_retry = finale::awaits_retry(&self.database());
        tokio::time::sleep(QUIET).await;
        if busy().0 != before.0 {
            // A later look has found what nobody was told of, or a copy that was asked for in vain while
            // there was trouble has been asked for again. After that there is nothing left.
            (before, wakes) = (busy(), WAKES.get());
            tokio::time::sleep(QUIET).await;
        }
        let (after, woken) = (busy(), WAKES.get() - wakes);
        let awaits_retry = awaited_retry || finale::awaits_retry(&self.database());
        // Every look tries again what cannot be read.
        let may_read = !self.is_seen || world.with(|around| around.photos.has_unreadable());
        let is_same = before.0 == after.0 && (before.1 == after.1 || may_read);
        if !is_same && !awaits_retry {
            world.violate(format!("in quiet, requests and reads went from {before:?} to {after:?}"));
        }
        world.note(|| format!("woken {woken} times in quiet"));
        let unwatched = world.with(|around| around.photos.folders.len() - around.watched.len());
        let allowed = 60 + 120 * unwatched as u64;
        if woken > allowed && !awaits_retry {
            world.violate(format!("woken {woken} times in {QUIET:?} of quiet, {allowed} are allowed"));
        }
        // What is tried again now and then may be on its way just now. A job that stays stays longer.
        for _ in 0..RETRY_MINUTES {
            if !finale::is_busy(&self.database()) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        for what in finale::differences(&world, &self.database()) {
            world.violate(format!("after quiet: {what}"));
        }
        finale::after_all(&world, &self.database());
    }
}
