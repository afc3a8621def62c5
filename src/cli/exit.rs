//! Exit codes, and what a person is told when something is wrong.

use crate::api::{ApiError, ErrorKind};

/// How a command ends. The codes are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// All is safe or left out; or what was asked is done.
    Fine,
    /// Something is unproven or needs attention.
    Attention,
    /// The command makes no sense.
    Usage,
    /// The destination is unreachable, refuses or is full.
    Destination,
    /// A whole source cannot be read.
    Source,
    /// Safelight itself failed.
    Internal,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Attention => 1,
            Self::Usage => 2,
            Self::Destination => 3,
            Self::Source => 4,
            Self::Internal => 5,
            Self::Interrupted => 130,
        }
    }

    /// The one of two that is told.
    pub fn worst(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Attention => 1,
            Self::Source => 2,
            Self::Destination => 3,
            Self::Usage => 4,
            Self::Internal => 5,
            Self::Interrupted => 6,
        }
    }
}

/// Why a command could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// One plain sentence.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// What the outside said, a line each.
    pub details: Vec<String>,
}

impl CliError {
    /// An error without advice.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), advice: None, details: Vec::new() }
    }

    /// The same with advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same with what the outside said.
    #[must_use]
    pub fn explain<T: Into<String>>(mut self, details: impl IntoIterator<Item = T>) -> Self {
        self.details.extend(details.into_iter().map(Into::into));
        self
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        let exit = match error.kind {
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Destination => Exit::Destination,
            ErrorKind::Source => Exit::Source,
            ErrorKind::Internal | ErrorKind::Unavailable => Exit::Internal,
        };
        let built = Self::new(exit, error.message);
        if error.kind == ErrorKind::Unavailable {
            // What was copied is known; nothing starts over.
            built.advise("Run the command again to resume")
        } else {
            built
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_endings_come_down_to_the_contracts_one() {
        let in_order = [
            Exit::Interrupted,
            Exit::Internal,
            Exit::Usage,
            Exit::Destination,
            Exit::Source,
            Exit::Attention,
            Exit::Fine,
        ];
        assert_eq!(in_order.map(Exit::code), [130, 5, 2, 3, 4, 1, 0]);
        for (place, stronger) in in_order.into_iter().enumerate() {
            for weaker in &in_order[place..] {
                assert_eq!(stronger.worst(*weaker), stronger);
                assert_eq!(weaker.worst(stronger), stronger);
            }
        }
    }

    #[test]
    fn every_refusal_has_its_code() {
        let code = |kind| CliError::from(ApiError::new(kind, "x")).exit.code();
        assert_eq!(code(ErrorKind::Usage), 2);
        assert_eq!(code(ErrorKind::Destination), 3);
        assert_eq!(code(ErrorKind::Source), 4);
        assert_eq!(code(ErrorKind::Internal), 5);
        assert_eq!(code(ErrorKind::Unavailable), 5);
    }
}
