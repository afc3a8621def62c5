//! Why something failed or waits, for people and machines.

use serde::{Deserialize, Serialize};

use crate::domain::cause::Cause;
use crate::domain::failure::{FailureKind, Reach};
use crate::domain::messages::{describe_with, lower_first};
use crate::domain::wait::WaitReason;

/// A failure for people and machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureText {
    /// The kind's stable name.
    pub kind: String,
    /// The reach's stable name.
    pub reach: String,
    /// One sentence: what happened.
    pub summary: String,
    /// One sentence: what to do.
    pub advice: String,
    /// What the outside said.
    pub details: String,
    /// The action's stable name.
    pub action: String,
    /// What failed for the same reason has the same: the kind, a dot, and the cause's stable name
    /// where one is known. [`super::Selection::Kind`] and [`super::QueueQuery`] take it for a kind.
    pub class: String,
}

impl FailureText {
    /// Puts a failure without a known cause into words.
    pub fn new(kind: FailureKind, reach: Reach, details: String) -> Self {
        Self::with_cause(kind, reach, None, details)
    }

    /// Puts a kept failure into words.
    pub fn with_cause(kind: FailureKind, reach: Reach, cause: Option<Cause>, details: String) -> Self {
        let message = describe_with(kind, reach, cause);
        Self {
            class: format!("{}.{}", kind.as_str(), cause.map_or("", Cause::as_str)),
            kind: kind.as_str().to_owned(),
            reach: reach.as_str().to_owned(),
            summary: message.summary.to_owned(),
            advice: message.advice.to_owned(),
            details,
            action: message.action.as_str().to_owned(),
        }
    }
}

/// A wait reason for people and machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitText {
    /// A stable name.
    pub kind: String,
    /// When it ends by itself, RFC 3339 UTC.
    pub until: Option<String>,
    /// A short sentence.
    pub summary: String,
}

impl From<&WaitReason> for WaitText {
    fn from(reason: &WaitReason) -> Self {
        Self {
            kind: reason.kind().to_owned(),
            until: reason.until().map(crate::domain::time::UnixMillis::rfc3339),
            summary: reason.summary().to_owned(),
        }
    }
}

impl WaitText {
    /// A destination's reason, in the words of the failure that it comes from: a server that asks to
    /// slow down is not one that cannot be reached.
    pub fn with_cause(reason: &WaitReason, kind: FailureKind, cause: Option<Cause>) -> Self {
        let mut text = Self::from(reason);
        let is_from_failure = matches!(
            reason,
            WaitReason::Unreachable { .. }
                | WaitReason::Credentials
                | WaitReason::Forbidden
                | WaitReason::NoSpace { .. }
        );
        if is_from_failure {
            let summary = describe_with(kind, Reach::Destination, cause).summary;
            text.summary = format!("Waiting: {}", lower_first(summary));
        }
        text
    }
}
