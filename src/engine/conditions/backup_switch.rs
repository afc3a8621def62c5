//! The person's word on whether backup works: on, off, or paused for a while.

use crate::api;
use crate::domain::time::UnixMillis;
use crate::domain::wait::WaitReason;
use crate::store::Installation;

/// Whether backup pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PauseState {
    None,
    /// Until the person resumes.
    Open,
    Until(UnixMillis),
}

/// Whether backup works.
#[derive(Debug)]
pub(crate) struct BackupSwitch {
    is_on: bool,
    pause: PauseState,
}

impl BackupSwitch {
    /// As the store has it.
    pub fn new(stored: &Installation) -> Self {
        let mut switch = Self { is_on: stored.is_on, pause: PauseState::None };
        switch.set_paused(stored.is_paused, stored.paused_until);
        switch
    }

    /// Whether the person lets any work be done now.
    pub fn is_working(&self) -> bool {
        self.is_on && !self.is_paused()
    }

    /// Whether backup is switched on, paused or not.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether backup is paused.
    pub fn is_paused(&self) -> bool {
        self.pause != PauseState::None
    }

    /// When a pause ends by itself.
    pub fn paused_until(&self) -> Option<UnixMillis> {
        match self.pause {
            PauseState::Until(until) => Some(until),
            PauseState::None | PauseState::Open => None,
        }
    }

    /// Whether a pause has lasted as long as it should.
    pub fn is_pause_over(&self, now: UnixMillis) -> bool {
        self.paused_until().is_some_and(|until| until <= now)
    }

    /// Backup was switched on or off.
    pub fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Backup was paused or resumed.
    pub fn set_paused(&mut self, is_paused: bool, until: Option<UnixMillis>) {
        self.pause = match (is_paused, until) {
            (false, _) => PauseState::None,
            (true, None) => PauseState::Open,
            (true, Some(until)) => PauseState::Until(until),
        };
    }

    /// Why the person's word keeps everything from working, if it does.
    pub fn wait_reason(&self) -> Option<WaitReason> {
        if !self.is_on {
            return Some(WaitReason::Off);
        }
        self.is_paused().then(|| WaitReason::Paused { until: self.paused_until() })
    }

    /// The switch as clients see it.
    pub fn state(&self) -> api::BackupSwitch {
        match (self.is_on, self.is_paused()) {
            (false, _) => api::BackupSwitch::Off,
            (true, true) => api::BackupSwitch::Paused,
            (true, false) => api::BackupSwitch::On,
        }
    }
}
