//! What a simulated computer and its surroundings share: time, what has gone wrong, and what is
//! known of the gates.

use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::dice::Dice;
use super::photos::Photos;
use super::remote::Remote;
use crate::base::clock::Clock;
use crate::base::memory_files::MemoryFiles;
use crate::domain::gate::{self, Conditions, GateRules};
use crate::domain::time::UnixMillis;
use crate::engine::library::Hints;
use crate::store::failpoints;

/// When every simulation begins.
pub const BEGIN: UnixMillis = UnixMillis(1_700_000_000_000);
/// How soon a running transfer stops after a gate has closed.
pub const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// How long conditions may be against it before a gate closes.
const GRACE: Duration = Duration::from_secs(10);
/// What a panic says that the simulation itself has planted.
pub const PLANTED: &str = "planted by the simulation";
/// Lines of a trace that are kept, the newest.
const TRACE_LINES_MAX: usize = 60_000;

/// A wall clock that goes on over the death of a run, and jumps when it is told to.
#[derive(Debug)]
pub struct SimClock(Mutex<(UnixMillis, Option<Instant>)>);

impl SimClock {
    fn parts(&self) -> MutexGuard<'_, (UnixMillis, Option<Instant>)> {
        self.0.lock()
    }

    /// A run's runtime begins: time goes as its clock does.
    pub fn begin(&self) {
        self.parts().1 = Some(Instant::now());
    }

    /// The runtime is about to end.
    pub fn end(&self) {
        let now = self.now();
        *self.parts() = (now, None);
    }

    /// So much time passes without a run.
    pub fn pass(&self, time: Duration) {
        self.set(as_millis(time));
    }

    /// It is set, forth or back.
    pub fn set(&self, by_ms: i64) {
        let mut parts = self.parts();
        parts.0.0 += by_ms;
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixMillis {
        let (start, began) = *self.parts();
        began.map_or(start, |began| start.plus(began.elapsed()))
    }
}

/// What is certain of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It is open, or nobody has heard yet whether it has closed.
    Open,
    /// The engine has said that it is closed, since then.
    Closed(UnixMillis),
}

impl Gate {
    fn later(self, by_ms: i64) -> Self {
        match self {
            Self::Open => Self::Open,
            Self::Closed(since) => Self::Closed(UnixMillis(since.0 + by_ms)),
        }
    }

    fn closed(self) -> Option<UnixMillis> {
        match self {
            Self::Open => None,
            Self::Closed(since) => Some(since),
        }
    }
}

/// What happened in a run of seeds, to show that everything did.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Commits by kind.
    pub commits: BTreeMap<String, u64>,
    /// Kills at commits, by kind and side.
    pub kills: BTreeMap<String, u64>,
    /// Troubles met, by name.
    pub troubles: BTreeMap<String, u64>,
    /// What the person and the world did, by name.
    pub actions: BTreeMap<String, u64>,
    /// Copies proved.
    pub proofs: u64,
}

impl Tally {
    /// Adds another seed's.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.commits, &other.commits),
            (&mut self.kills, &other.kills),
            (&mut self.troubles, &other.troubles),
            (&mut self.actions, &other.actions),
        ] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
        self.proofs += other.proofs;
    }
}

/// Counts one more.
pub fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

/// When a run is to die.
#[derive(Debug, Clone)]
pub struct PlannedDeath {
    /// Only commits of this kind count, or effects at a destination; all where there is none.
    pub kind: Option<&'static str>,
    /// An effect at a destination and no commit.
    pub is_effect: bool,
    /// So many more of them are survived.
    pub spared: u64,
    /// Before it happens, not after.
    pub before: bool,
}

impl PlannedDeath {
    /// Whether this is what it has waited for. What is survived counts down.
    fn is_met(&mut self, kind: &str, is_effect: bool, before: bool) -> bool {
        let is_meant = self.is_effect == is_effect
            && self.before == before
            && self.kind.is_none_or(|wanted| wanted == kind);
        let is_spared = is_meant && self.spared > 0;
        self.spared -= u64::from(is_spared);
        is_meant && !is_spared
    }
}

/// Everything that is not the engine.
pub struct Outside {
    /// Destinations, by number.
    pub remotes: Vec<Remote>,
    /// The library as it should be.
    pub photos: Photos,
    /// Whether anything may run at all.
    pub app: Gate,
    /// What the person allows; none while that is not certain.
    pub rules: Option<GateRules>,
    /// When the rules or the conditions changed last.
    pub changed_at: UnixMillis,
    /// Questions of the person that are being answered: they may ask any destination.
    pub asked: u32,
    /// Sources that are watched.
    pub watched: BTreeMap<String, Hints>,
    /// Chance of the watches.
    pub dice: Dice,
    /// When the run dies: of whatever comes first.
    pub planned_deaths: Vec<PlannedDeath>,
    /// The person has asked the engine to stop.
    pub is_stopping: bool,
    /// All trouble is over.
    pub is_calm: bool,
    /// What has gone wrong.
    pub violations: Vec<String>,
    /// Public ids that the person left out.
    pub excluded: BTreeSet<String>,
    /// The person left out whole classes.
    pub excluded_classes: bool,
    /// What happened.
    pub tally: Tally,
    /// Lines, where somebody wants to read them.
    pub trace: Option<Vec<String>>,
}

/// The simulated world. Everybody shares it.
pub struct World {
    /// The clock that can be set.
    pub clock: Arc<SimClock>,
    /// The sources' files.
    pub files: MemoryFiles,
    /// What the computer is like.
    pub conditions: tokio::sync::watch::Sender<Conditions>,
    /// Notified when the clock was set.
    pub resumed: Arc<Notify>,
    /// Notified when the run has died.
    pub died: Notify,
    around: Mutex<Outside>,
}

impl World {
    /// A world without destinations and photos.
    pub fn new(mut dice: Dice, is_traced: bool) -> Self {
        let clock = Arc::new(SimClock(Mutex::new((BEGIN, None))));
        let files = MemoryFiles::new(Arc::clone(&clock) as _);
        let around = Outside {
            remotes: Vec::new(),
            photos: Photos::default(),
            app: Gate::Open,
            rules: Some(GateRules::default()),
            changed_at: BEGIN,
            asked: 0,
            watched: BTreeMap::new(),
            dice: dice.fork(),
            planned_deaths: Vec::new(),
            is_stopping: false,
            is_calm: false,
            violations: Vec::new(),
            excluded: BTreeSet::new(),
            excluded_classes: false,
            tally: Tally::default(),
            trace: is_traced.then(Vec::new),
        };
        Self {
            clock,
            files,
            conditions: tokio::sync::watch::Sender::default(),
            resumed: Arc::default(),
            died: Notify::new(),
            around: Mutex::new(around),
        }
    }

    /// Looks at or changes the surroundings. Not to be called from within.
    pub fn with<T>(&self, work: impl FnOnce(&mut Outside) -> T) -> T {
        work(&mut self.around.lock())
    }

    /// The time.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Adds a line to the trace, if there is one.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let now = self.now();
        self.with(|around| {
            if let Some(trace) = &mut around.trace {
                trace.push(stamped(now, &line()));
                if trace.len() > TRACE_LINES_MAX {
                    trace.drain(..TRACE_LINES_MAX / 2);
                }
            }
        });
    }

    /// Something is not as it must be: the seed has failed, and the run ends here.
    pub fn violate(&self, what: String) {
        self.note(|| format!("VIOLATION {what}"));
        self.with(|around| around.violations.push(what));
        self.end_run();
    }

    /// Whether something was not as it must be.
    pub fn has_failed(&self) -> bool {
        self.with(|around| !around.violations.is_empty())
    }

    /// Ends the run as a kill does.
    pub fn end_run(&self) {
        failpoints::kill();
        self.died.notify_one();
    }

    /// One kind of thing has happened, or is about to. Says whether the run dies of it.
    pub fn meets_planned_death(&self, kind: &str, is_effect: bool, before: bool) -> bool {
        self.with(|around| {
            if !around
                .planned_deaths
                .iter_mut()
                .any(|planned_death| planned_death.is_met(kind, is_effect, before))
            {
                return false;
            }
            around.planned_deaths.clear();
            let side = if before { "before" } else { "after" };
            count(&mut around.tally.kills, &format!("{side} {kind}"));
            true
        })
    }

    /// The clock is set, forth or back, and the system tells of it.
    pub fn set_clock(&self, by_ms: i64) {
        self.note(|| format!("the clock is set by {by_ms} ms"));
        self.clock.set(by_ms);
        let now = self.now();
        // What was so for a moment is not so for longer because of it, and other hours may hold now.
        self.with(|around| {
            around.changed_at = now;
            around.app = around.app.later(by_ms);
            around.remotes.iter_mut().for_each(|remote| remote.gate = remote.gate.later(by_ms));
        });
        self.resumed.notify_one();
    }

    /// What the computer is like is another.
    pub fn change_conditions(&self, conditions: Conditions) {
        self.note(|| format!("{conditions:?}"));
        let now = self.now();
        self.with(|around| around.changed_at = now);
        self.conditions.send_replace(conditions);
    }

    /// Why nothing may be asked of a remote, and has not been allowed for longer than `late`.
    fn closed(&self, number: usize, late: Duration) -> Option<String> {
        let (now, conditions) = (self.now(), *self.conditions.borrow());
        self.with(|around| {
            if around.asked > 0 {
                return None;
            }
            let remote = &around.remotes[number];
            let is_late = |since: &UnixMillis| now.0 > since.0 + as_millis(late);
            if around.app.closed().filter(is_late).is_some() {
                return Some("everything is paused".to_owned());
            }
            if remote.gate.closed().filter(is_late).is_some() {
                return Some("it is switched off".to_owned());
            }
            let before = UnixMillis(now.0 - as_millis(GRACE + late) - 1);
            let rules = around.rules.filter(|_| around.changed_at < before)?;
            let closed =
                |at| gate::closed(&rules, &conditions, remote.disk.is_some(), at, &jiff::tz::TimeZone::UTC);
            closed(before)?;
            closed(now).map(|reason| format!("{reason:?}"))
        })
    }

    /// A request begins. Says what forbids it, if something does.
    pub fn forbidden(&self, number: usize) -> Option<String> {
        self.closed(number, Duration::ZERO)
    }

    /// What still runs although a gate has been closed for long enough.
    pub fn still_running(&self) -> Option<String> {
        let count = self.with(|around| around.remotes.len());
        (0..count).find_map(|number| {
            let active = self.with(|around| around.remotes[number].active.clone());
            let why = self.closed(number, STOPS_WITHIN).filter(|_| !active.is_empty())?;
            Some(format!("{active:?} still runs at remote {number} although {why}"))
        })
    }
}

fn as_millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).expect("short")
}

/// A line of the trace.
pub fn stamped(now: UnixMillis, line: &str) -> String {
    let past = now.0 - BEGIN.0;
    format!("{:>6}.{:03} {line}", past / 1000, past.rem_euclid(1000))
}
