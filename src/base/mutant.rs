//! Planted bugs: what the simulation must be able to catch.
//!
//! Each is one wrong line beside the right one, chosen by name in a test build. In any other build
//! [`is`] is the constant `false`, so that none of them can happen outside of a test.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// A job is acknowledged before its outcome is in the ledger.
    AcknowledgesFirst,
    /// Finished jobs that nobody has acknowledged do not count against the limit.
    ForgetsFinished,
    /// What a destination says it has stored counts as proved.
    TrustsSuccess,
    /// The change token is saved before the rows that it stands for.
    SavesTokenFirst,
    /// A job may be retried again and again.
    RetriesTwice,
    /// A run that is over may still end the jobs of the run that followed it.
    IgnoresEpoch,
    /// Switching a destination off leaves its running transfers alone.
    IgnoresDisable,
    /// A key that is taken counts as holding the same bytes.
    AdoptsBlindly,
    /// A closed gate leaves running transfers alone.
    IgnoresPause,
    /// What an earlier run had in flight is not put back.
    ForgetsRescue,
    /// A destination that cannot be used spends the attempts of its files.
    SpendsAttempts,
    /// A key is given up when its job is put back, and another is taken.
    ThawsKeys,
    /// A failure that cannot pass is tried again for ever.
    RetriesPermanent,
    /// A companion is not asked for again when its primary becomes known.
    ForgetsCompanions,
    /// Failed jobs are never acknowledged.
    HoardsJobs,
    /// A copy that a failed proof has shown to be wrong is safe all the same.
    IgnoresProof,
    /// A new ledger does not hear what a destination has.
    SkipsAdoption,
    /// A token older than the history counts as the newest.
    IgnoresExpiry,
    /// A copy gets its name before it is proved.
    NamesFirst,
    /// The id of an upload that its server no longer knows is used for ever.
    #[cfg(test)]
    KeepsUploadId,
    /// A copy is said to have been compared although it was not read.
    ComparesUnread,
    /// A server's checksum counts as proof although the person did not say so.
    TrustsUnasked,
    /// The names of a set do not carry its suffix.
    DropsSuffix,
}

#[cfg(test)]
impl Mutant {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::AcknowledgesFirst,
        Self::ForgetsFinished,
        Self::TrustsSuccess,
        Self::SavesTokenFirst,
        Self::RetriesTwice,
        Self::IgnoresEpoch,
        Self::IgnoresDisable,
        Self::AdoptsBlindly,
        Self::IgnoresPause,
        Self::ForgetsRescue,
        Self::SpendsAttempts,
        Self::ThawsKeys,
        Self::RetriesPermanent,
        Self::ForgetsCompanions,
        Self::HoardsJobs,
        Self::IgnoresProof,
        Self::SkipsAdoption,
        Self::IgnoresExpiry,
        Self::NamesFirst,
        Self::KeepsUploadId,
        Self::ComparesUnread,
        Self::TrustsUnasked,
        Self::DropsSuffix,
    ];

    /// The name by which it is chosen.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

/// Whether this bug is planted in this process.
#[cfg(not(test))]
pub const fn is(_mutant: Mutant) -> bool {
    false
}

/// Whether this bug is planted in this process: the one that `SAFELIGHT_MUTANT` names.
#[cfg(test)]
pub fn is(mutant: Mutant) -> bool {
    planted() == Some(mutant)
}

/// The bug that is planted in this process.
#[cfg(test)]
pub fn planted() -> Option<Mutant> {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<Mutant>> = OnceLock::new();
    *PLANTED.get_or_init(|| {
        let name = std::env::var("SAFELIGHT_MUTANT").ok()?;
        let found = Mutant::ALL.into_iter().find(|mutant| mutant.name() == name);
        Some(found.unwrap_or_else(|| panic!("{name} is no mutant; there are {:?}", Mutant::ALL)))
    })
}
