//! What must hold at every commit, looked at from inside its transaction, and the deaths there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::world::{World, count};
use crate::domain::ids::{DestinationId, JobId};
use crate::domain::job::{JobState, Step, next};
use crate::domain::record::RecordState;
use crate::store::failpoints::{CommitObserver, Verdict};
use crate::store::simulation_audit::{JobFacts, LimitRow};
use crate::store::{JobOutcome, StoreError, Write};

/// Every so many commits the counters are counted again.
const RECOUNT_EVERY: u64 = 23;

/// Commits of these kinds say nothing of jobs: only some are looked at, for their cost.
const PLAIN: [&str; 3] = ["save", "fetch_wanted", "list_copies"];
const PLAIN_SEEN_EVERY: u64 = 8;

/// A step that a commit has made of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobTransition {
    Created,
    Stepped(Step),
    Left(JobState),
    Illegal,
}

/// What was so before the last commit.
#[derive(Default)]
struct StateBefore {
    jobs: BTreeMap<JobId, JobFacts>,
    tokens: BTreeMap<DestinationId, Option<i64>>,
    retried: Vec<JobId>,
}

/// What is remembered between commits.
#[derive(Default)]
struct Memory {
    jobs: BTreeMap<JobId, JobFacts>,
    tokens: BTreeMap<DestinationId, Option<i64>>,
    retried: BTreeSet<JobId>,
    proved: BTreeMap<i64, i64>,
    commits: u64,
    kind: String,
    /// What to go back to when the commit is not made.
    undo: StateBefore,
}

impl Memory {
    fn go_back(&mut self) {
        let StateBefore { jobs, tokens, retried } = std::mem::take(&mut self.undo);
        (self.jobs, self.tokens) = (jobs, tokens);
        for id in retried {
            self.retried.remove(&id);
        }
    }
}

/// Stands at the commits of all runs over one database.
pub struct Watcher {
    world: Arc<World>,
    memory: RefCell<Memory>,
}

/// `safelight::engine::calls::<impl …>::set_backup::{{closure}}` is `set_backup`: the innermost
/// function, for a wrapper says nothing.
fn short(kind: &str) -> &str {
    let parts = kind.split("::").map(|part| part.trim_end_matches(['>', ')', ',']));
    let is_name = |part: &&str| {
        part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
            && !part.is_empty()
    };
    parts.filter(is_name).last().unwrap_or(kind)
}

fn step_of(before: Option<&JobFacts>, after: Option<&JobFacts>) -> Option<JobTransition> {
    use JobState::{Failed, Pending, Registered, Succeeded};
    match (before, after) {
        (None, Some(new)) if new.state == Registered && !new.retry_used => Some(JobTransition::Created),
        (Some(old), None) => Some(JobTransition::Left(old.state)),
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => {
            let step = match (old.state, new.state) {
                (Registered, Pending) => Step::Start,
                (Pending, Registered) => Step::PutBack,
                (Pending, Succeeded) => Step::Succeed,
                (Pending, Failed) => Step::Fail,
                (Failed, Registered) => Step::Retry,
                _ => return Some(JobTransition::Illegal),
            };
            let is_legal = next(old.state, old.retry_used, step).is_some();
            let flips = new.retry_used == (old.retry_used || step == Step::Retry);
            let is_same = (old.record, old.destination) == (new.record, new.destination);
            Some(if is_legal && flips && is_same {
                JobTransition::Stepped(step)
            } else {
                JobTransition::Illegal
            })
        }
        (None, Some(_)) => Some(JobTransition::Illegal),
        (None, None) => None,
    }
}

/// Who may make a step, by the place in the source that writes.
fn may(kind: &str, seen: JobTransition) -> bool {
    let is_extension = kind == "perform_changes";
    match seen {
        JobTransition::Created
        | JobTransition::Stepped(Step::Retry)
        | JobTransition::Left(JobState::Succeeded | JobState::Failed)
            if is_extension =>
        {
            true
        }
        JobTransition::Stepped(Step::Start) => kind == "start_transfers",
        JobTransition::Stepped(Step::Succeed | Step::Fail) => kind == "run",
        JobTransition::Stepped(Step::PutBack) => matches!(kind, "run" | "start" | "start_transfers"),
        // Cancelled by the extension, or with its record, its destination or a row of crashes.
        JobTransition::Left(state) => {
            is_extension && matches!(state, JobState::Registered | JobState::Pending)
                || matches!(kind, "enable_destination" | "remove_destination" | "exclude")
                || kind == "start" && matches!(state, JobState::Registered | JobState::Pending)
        }
        JobTransition::Created | JobTransition::Stepped(_) | JobTransition::Illegal => false,
    }
}

impl Watcher {
    /// Stands at the commits of a new database.
    pub fn new(world: Arc<World>) -> Self {
        Self { world, memory: RefCell::default() }
    }

    /// The database is another.
    pub fn forget(&self) {
        self.memory.take();
    }

    fn look(&self, kind: &str, tx: &Write<'_>) -> Result<String, StoreError> {
        let mut memory = self.memory.borrow_mut();
        memory.commits += 1;
        if PLAIN.contains(&kind) && !memory.commits.is_multiple_of(PLAIN_SEEN_EVERY) {
            memory.undo =
                StateBefore { jobs: memory.jobs.clone(), tokens: memory.tokens.clone(), retried: Vec::new() };
            return Ok(kind.to_owned());
        }
        let jobs: BTreeMap<JobId, JobFacts> = tx.job_facts()?.into_iter().map(|job| (job.id, job)).collect();
        let limits = tx.limits()?;
        let mut seen = BTreeSet::new();
        memory.undo.retried.clear();
        let ids: BTreeSet<JobId> = memory.jobs.keys().chain(jobs.keys()).copied().collect();
        for id in ids {
            let Some(step) = step_of(memory.jobs.get(&id), jobs.get(&id)) else { continue };
            seen.insert(format!("{step:?}"));
            self.judge(&mut memory, kind, id, step);
            if step == JobTransition::Stepped(Step::Fail) {
                self.check_failure(&jobs[&id], tx)?;
            }
            if step == JobTransition::Stepped(Step::Start) {
                self.check_epoch(&jobs[&id], tx)?;
            }
        }
        for LimitRow { id, limit, token, .. } in &limits {
            let live = jobs.values().filter(|job| job.destination == *id).count();
            if live > *limit as usize {
                self.world
                    .violate(format!("{live} unacknowledged jobs at {id}, the limit is {limit}, by {kind}"));
            }
            if memory.tokens.get(id).is_some_and(|before| before != token) && kind == "perform_changes" {
                seen.insert("SaveToken".to_owned());
            }
        }
        let tokens = limits.into_iter().map(|row| (row.id, row.token)).collect();
        memory.undo.tokens = std::mem::replace(&mut memory.tokens, tokens);
        memory.undo.jobs = std::mem::replace(&mut memory.jobs, jobs);
        let proves = matches!(kind, "run" | "verify_copy");
        if proves || memory.commits % RECOUNT_EVERY == 1 {
            self.check_proofs(&mut memory, tx)?;
        }
        if memory.commits % RECOUNT_EVERY == 1 {
            check_counts(&self.world, tx)?;
        }
        let detail = seen.into_iter().next().filter(|_| kind == "perform_changes" || kind == "run");
        Ok(detail.map_or_else(|| kind.to_owned(), |detail| format!("{kind} {detail}")))
    }

    fn judge(&self, memory: &mut Memory, kind: &str, id: JobId, seen: JobTransition) {
        if !may(kind, seen) {
            self.world.violate(format!("{kind} made {seen:?} of job {id}"));
        }
        if seen == JobTransition::Stepped(Step::Retry) {
            memory.undo.retried.push(id);
            if !memory.retried.insert(id) {
                self.world.violate(format!("job {id} was retried twice"));
            }
        }
    }

    /// A file's attempt is spent only on what that file has met.
    fn check_failure(&self, job: &JobFacts, tx: &Write<'_>) -> Result<(), StoreError> {
        let kind = tx.failure_of(job.record)?.unwrap_or_default();
        let has_met = self.world.with(|around| {
            let remote = around.remotes.iter().find(|remote| remote.id == Some(job.destination));
            let met = remote.map(|remote| remote.met.get(&job.record.0));
            met.is_none_or(|met| met.is_some_and(|met| met.iter().any(|kind_met| kind_met.as_str() == kind)))
        });
        // Names that are all taken, and what the source's file is like, are the engine's own finding.
        let is_own = matches!(kind.as_str(), "conflict" | "changed" | "gone" | "unreadable");
        if !has_met && !is_own {
            self.world.violate(format!("record {} failed with {kind}, which it has not met", job.record));
        }
        Ok(())
    }

    /// A run that is over cannot end what this run has started.
    fn check_epoch(&self, job: &JobFacts, tx: &Write<'_>) -> Result<(), StoreError> {
        let late = JobOutcome::PutBack { bytes_sent: 0 };
        if tx.end_as_earlier_run(job.id, job.record, &late)? {
            self.world.violate(format!("an earlier run ended job {}, which this run has started", job.id));
        }
        Ok(())
    }

    /// Whatever is called proved, its destination has proved.
    fn check_proofs(&self, memory: &mut Memory, tx: &Write<'_>) -> Result<(), StoreError> {
        for row in tx.ledger(true)? {
            debug_assert_eq!(row.state, RecordState::Verified);
            let at = row.verified_ms.unwrap_or_default();
            if memory.proved.get(&row.id.0) == Some(&at) {
                continue;
            }
            memory.proved.insert(row.id.0, at);
            let key = row.key.clone().unwrap_or_default();
            let is_proved = self.world.with(|around| {
                let remote = around.remotes.iter().find(|remote| remote.id == Some(row.destination));
                remote.is_none_or(|remote| remote.proofs.contains(&(key.clone(), row.content.blake3.0)))
            });
            if !is_proved {
                self.world
                    .violate(format!("record {} is called proved at {key} and was never proved", row.id));
            }
        }
        Ok(())
    }

    fn commit(&self, kind: &'static str, tx: &Write<'_>, before: bool) -> Verdict {
        let kind = if before {
            match self.look(short(kind), tx) {
                Ok(kind) => {
                    self.world.note(|| format!("commit {kind}"));
                    self.memory.borrow_mut().kind = kind.clone();
                    self.world.with(|around| count(&mut around.tally.commits, &kind));
                    kind
                }
                Err(error) => {
                    self.world.violate(format!("the rows cannot be read: {error}"));
                    return Verdict::Die;
                }
            }
        } else {
            self.memory.borrow().kind.clone()
        };
        if self.world.meets_planned_death(&kind, false, before) {
            self.world.note(|| format!("killed {} {kind}", if before { "before" } else { "after" }));
            self.world.died.notify_one();
            if before {
                self.memory.borrow_mut().go_back();
            }
            return Verdict::Die;
        }
        Verdict::Live
    }
}

impl CommitObserver for Watcher {
    fn before(&self, kind: &'static str, tx: &Write<'_>) -> Verdict {
        self.commit(kind, tx, true)
    }

    fn after(&self, kind: &'static str, tx: &Write<'_>) -> Verdict {
        self.commit(kind, tx, false)
    }
}

/// Every bin, counted again from the files, is what the counters say.
pub fn check_counts(world: &World, tx: &crate::store::Read<'_>) -> Result<(), StoreError> {
    for LimitRow { id, .. } in tx.limits()? {
        let (found, bins) = tx.recount(id)?;
        let kept = tx.destination_counts(id)?;
        if (kept.found, kept.bins()) != (found, bins) {
            let (kept_found, kept) = (kept.found, kept.bins());
            world.violate(format!(
                "the counters of {id} say {kept_found} {kept:?}, a recount says {found} {bins:?}"
            ));
        }
        if found != bins.found() {
            world.violate(format!("{found} files of {id} are in {bins:?}"));
        }
    }
    Ok(())
}
