//! The upload job: its states, the actions they allow, and who may take which step.

use super::stable_name::stable_names;

/// Where an upload job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum JobState {
    /// Created; waits for the engine to start it.
    Registered,
    /// The engine is sending it.
    Pending,
    /// Proved or accepted; waits to be acknowledged.
    Succeeded,
    /// Failed; waits to be retried or acknowledged.
    Failed,
    /// Cancelled, and acknowledged by that.
    Cancelled,
}

stable_names!(JobState);

/// What may be done to a job now, and by that which jobs a fetch selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobAction {
    /// Registered or pending: may be cancelled.
    Process,
    /// Failed and not retried before.
    Retry,
    /// Succeeded or failed. A first failure is in this set and in [`JobAction::Retry`]'s.
    Acknowledge,
}

impl JobAction {
    /// Whether a job in `state` may have this done to it.
    pub fn allows(self, state: JobState, retry_used: bool) -> bool {
        match self {
            Self::Process => matches!(state, JobState::Registered | JobState::Pending),
            Self::Retry => state == JobState::Failed && !retry_used,
            Self::Acknowledge => matches!(state, JobState::Succeeded | JobState::Failed),
        }
    }
}

/// Who takes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The engine.
    Engine,
    /// The destination's extension.
    Extension,
}

/// One step of a job's life. A job that leaves has no state after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The engine starts the request.
    Start,
    /// A closed gate, a lost destination or a restart puts it back; no attempt is spent.
    PutBack,
    /// Proved or accepted.
    Succeed,
    /// Failed on its own account.
    Fail,
    /// The extension's one retry.
    Retry,
    /// The extension has seen the outcome; the slot is free.
    Acknowledge,
    /// The extension no longer wants it.
    Cancel,
}

impl Step {
    /// All steps.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::PutBack, Self::Succeed, Self::Fail, Self::Retry, Self::Acknowledge, Self::Cancel];

    /// Whose step this is.
    pub fn owner(self) -> Owner {
        match self {
            Self::Start | Self::PutBack | Self::Succeed | Self::Fail => Owner::Engine,
            Self::Retry | Self::Acknowledge | Self::Cancel => Owner::Extension,
        }
    }
}

/// What a step makes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// It is in this state now.
    State(JobState),
    /// It is gone and its slot is free.
    Gone,
}

/// The transition table. `None` means that the step is illegal here.
pub fn next(state: JobState, retry_used: bool, step: Step) -> Option<StepOutcome> {
    use JobState::{Failed, Pending, Registered, Succeeded};
    match (step, state) {
        (Step::Start, Registered) => Some(StepOutcome::State(Pending)),
        (Step::PutBack, Pending) => Some(StepOutcome::State(Registered)),
        (Step::Succeed, Pending) => Some(StepOutcome::State(Succeeded)),
        (Step::Fail, Pending) => Some(StepOutcome::State(Failed)),
        (Step::Retry, Failed) if !retry_used => Some(StepOutcome::State(Registered)),
        (Step::Acknowledge, Succeeded | Failed) | (Step::Cancel, Registered | Pending) => {
            Some(StepOutcome::Gone)
        }
        (
            Step::Start
            | Step::PutBack
            | Step::Succeed
            | Step::Fail
            | Step::Retry
            | Step::Acknowledge
            | Step::Cancel,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table_is_the_contract() {
        let legal: Vec<String> = JobState::ALL
            .into_iter()
            .flat_map(|state| [(state, false), (state, true)])
            .flat_map(|(state, used)| Step::ALL.into_iter().map(move |step| (state, used, step)))
            .filter_map(|(state, used, step)| {
                let after = match next(state, used, step)? {
                    StepOutcome::State(state) => state.as_str(),
                    StepOutcome::Gone => "gone",
                };
                let retried = if used { " (retried)" } else { "" };
                Some(format!("{}{retried} {step:?} {after} by {:?}", state.as_str(), step.owner()))
            })
            .collect();
        insta::assert_snapshot!(legal.join("\n"));
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop::sample::select(&Step::ALL[..])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_life_keeps_to_the_rules(steps in prop::collection::vec(any_step(), 0..60)) {
            let (mut state, mut retry_used, mut is_live) = (JobState::Registered, false, true);
            let (mut retries, mut starts, mut ends) = (0, 0, 0);
            for step in steps {
                let Some(after) = next(state, retry_used, step).filter(|_| is_live) else { continue };
                prop_assert!(step != Step::Acknowledge || matches!(state, JobState::Succeeded | JobState::Failed));
                prop_assert!(step != Step::Cancel || matches!(state, JobState::Registered | JobState::Pending));
                starts += u32::from(step == Step::Start);
                ends += u32::from(matches!(step, Step::Succeed | Step::Fail | Step::PutBack));
                if step == Step::Retry {
                    retries += 1;
                    retry_used = true;
                }
                match after {
                    StepOutcome::State(next_state) => state = next_state,
                    // Only the extension lets a job go.
                    StepOutcome::Gone => {
                        prop_assert_eq!(step.owner(), Owner::Extension);
                        is_live = false;
                    }
                }
                // What runs was started and has not ended; nothing ends that was not started.
                let running = u32::from(is_live && state == JobState::Pending);
                prop_assert!(ends + running == starts || (!is_live && ends + 1 >= starts));
            }
            prop_assert!(retries <= 1, "retried {} times", retries);
        }
    }

    #[test]
    fn actions_select_what_steps_allow() {
        for state in JobState::ALL {
            for used in [false, true] {
                assert_eq!(JobAction::Retry.allows(state, used), next(state, used, Step::Retry).is_some());
                assert_eq!(
                    JobAction::Acknowledge.allows(state, used),
                    next(state, used, Step::Acknowledge).is_some()
                );
                assert_eq!(JobAction::Process.allows(state, used), next(state, used, Step::Cancel).is_some());
            }
        }
    }
}
