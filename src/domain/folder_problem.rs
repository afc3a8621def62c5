//! Why a folder inside a source cannot be looked into.

use super::stable_name::stable_names;

/// What keeps a folder's files from being seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FolderProblem {
    /// This user may not open it.
    Denied,
    /// The disk reports an error.
    Disk,
    /// It contains itself, as by a mount.
    Loop,
    /// It is too deep below the source.
    TooDeep,
    /// Anything else that the system says.
    Other,
}

stable_names!(FolderProblem);

impl FolderProblem {
    /// What happened, as it follows the folder's name.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Denied => "you do not have permission to open it",
            Self::Disk => "its disk reports an error",
            Self::Loop => "it contains itself",
            Self::TooDeep => "it is nested too deeply",
            Self::Other => "it cannot be read",
        }
    }

    /// What to do, as a sentence without a full stop.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Denied => "Give yourself permission to read it; until then, its photos are not backed up",
            Self::Disk => "Check the disk and its cable; until then, its photos are not backed up",
            Self::Loop => "Its photos are backed up from where they really are; there is nothing to do",
            Self::TooDeep => "Move it closer to the photo folder, or add it as a photo folder of its own",
            Self::Other => "Check the folder; until it can be read, its photos are not backed up",
        }
    }

    /// Whether photos may be missing from the backup because of it.
    pub fn may_hide_files(self) -> bool {
        self != Self::Loop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_reads_well() {
        for problem in FolderProblem::ALL {
            assert_eq!(FolderProblem::parse(problem.as_str()), Some(problem));
            let text =
                format!("The folder a cannot be looked into: {}. {}", problem.summary(), problem.advice());
            assert!(!text.ends_with('.') && problem.summary().starts_with(char::is_lowercase), "{text}");
        }
    }
}
