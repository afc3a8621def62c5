//! What went wrong, whether to try again, and how far it reaches.

use super::stable_name::stable_names;
use std::time::Duration;

use super::cause::Cause;

/// What happened, from a closed list that the command line promises to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FailureKind {
    /// The server's name cannot be found.
    Dns,
    /// Nothing answers at the address.
    Connect,
    /// The secure connection cannot be trusted.
    Tls,
    /// It stopped answering.
    Timeout,
    /// The destination failed on its own.
    Server,
    /// The server asked to slow down.
    RateLimited,
    /// The destination did not accept the request.
    BadRequest,
    /// The sign-in is wrong or has expired.
    Credentials,
    /// Signed in, but not allowed.
    Forbidden,
    /// The place is not there.
    NotFound,
    /// Larger than the destination takes.
    TooLarge,
    /// A type the destination does not take.
    Unsupported,
    /// No space left.
    Full,
    /// The file changed while it was being sent.
    Changed,
    /// The file is no longer there.
    Gone,
    /// The file cannot be read.
    Unreadable,
    /// The file has no bytes.
    Empty,
    /// The file's bytes are not on this computer.
    Placeholder,
    /// What the destination holds is not what was sent.
    DigestMismatch,
    /// Something else has taken the name.
    Conflict,
    /// The server points elsewhere.
    Redirect,
    /// The answer makes no sense.
    Protocol,
}

stable_names!(FailureKind);

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same try would fail the same way.
    Never,
    /// After at least this long; zero means as the back-off says.
    After(Duration),
    /// Tried often enough; only slowly, and a person should look.
    Exhausted,
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reach {
    /// This file only; others go on.
    Resource,
    /// Everything for this destination; no file has used up an attempt.
    Destination,
    /// Everything everywhere.
    Run,
}

stable_names!(Reach);

/// One failure, mapped once at the edge where the outside was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// Whether to try again.
    pub retry: Retry,
    /// How far it reaches.
    pub reach: Reach,
    /// Why exactly, where that has words and a remedy of its own.
    pub cause: Option<Cause>,
    /// What the outside said, for the fold-out: an error text without secrets, paths last.
    pub details: String,
}

impl Failure {
    /// A failure of one file that may pass.
    pub fn transient(kind: FailureKind, details: impl Into<String>) -> Self {
        Self {
            kind,
            retry: Retry::After(Duration::ZERO),
            reach: Reach::Resource,
            cause: None,
            details: details.into(),
        }
    }

    /// Work that was told to stop, in calls that can only return a failure. Nothing went wrong: the caller
    /// looks at its own token, and what was stopped can go on later.
    pub fn cancelled(details: impl Into<String>) -> Self {
        Self::transient(FailureKind::Timeout, details)
    }

    /// A failure of one file that will not pass by itself.
    pub fn permanent(kind: FailureKind, details: impl Into<String>) -> Self {
        Self { retry: Retry::Never, ..Self::transient(kind, details) }
    }

    /// A failure of the whole destination.
    pub fn destination(kind: FailureKind, details: impl Into<String>) -> Self {
        Self { reach: Reach::Destination, ..Self::transient(kind, details) }
    }

    /// The same, with what it comes from.
    #[must_use]
    pub fn with_cause(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// Whether a file waits until there is room for it, while smaller ones go on: however often that was
    /// tried, it is not the file's fault.
    pub fn waits_for_room(&self) -> bool {
        self.kind == FailureKind::Full && self.reach == Reach::Resource && !self.is_permanent()
    }

    /// Whether trying the same again cannot help.
    pub fn is_permanent(&self) -> bool {
        matches!(self.retry, Retry::Never)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.kind.as_str(), self.reach.as_str(), self.details)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::parse(kind.as_str()), Some(kind));
        }
        for reach in Reach::ALL {
            assert_eq!(Reach::parse(reach.as_str()), Some(reach));
        }
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
        }
    }
}
