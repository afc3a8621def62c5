//! What a person is told of a failure: a plain sentence, what to do, and a button that does it.

use super::cause::Cause;
use super::failure::{Failure, FailureKind, Reach};
use super::message::message;
pub use super::message::{Action, Message};

/// The details of [`Cause::Trashed`].
pub const TRASHED: &str = "the server has this file in its trash, and forgets it when the trash is emptied";

/// What is said of a folder that is on the disk of the photos that go there.
pub const SAME_DISK: &str =
    "This folder is on the same disk as your photos. If the disk breaks, both are lost";

/// A sentence as it goes on after a colon. The app's own name keeps its capital.
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.starts_with("Safelight") => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// The message for a failure without a known cause. Only kind and reach decide it, so failures of one
/// class read alike.
pub fn describe(kind: FailureKind, reach: Reach) -> Message {
    match reach {
        Reach::Resource => describe_resource(kind),
        Reach::Destination | Reach::Run => describe_destination(kind),
    }
}

/// [`describe`], where the cause has no words of its own.
pub fn describe_with(kind: FailureKind, reach: Reach, cause: Option<Cause>) -> Message {
    cause.map_or_else(|| describe(kind, reach), Cause::message)
}

/// [`describe_with`] for a whole [`Failure`].
pub fn describe_failure(failure: &Failure) -> Message {
    describe_with(failure.kind, failure.reach, failure.cause)
}

#[expect(clippy::too_many_lines, reason = "a table: one row a kind")]
fn describe_resource(kind: FailureKind) -> Message {
    use Action::{OpenDestination, Retry, ShowFile, Wait};
    use FailureKind as K;
    match kind {
        K::Changed => message(
            "The file changed while it was being backed up",
            "The new version is backed up next; there is nothing to do",
            Wait,
        ),
        K::Gone => message(
            "The file is no longer in its folder",
            "If you moved or deleted it, there is nothing to do",
            ShowFile,
        ),
        K::Unreadable => message(
            "The file cannot be read",
            "Check that you have permission to open it and that its disk is healthy, then retry",
            ShowFile,
        ),
        K::Empty => message(
            "The file is empty",
            "There is nothing in it to back up; look for another copy of it",
            ShowFile,
        ),
        K::Placeholder => message(
            "The file is not on this computer",
            "Download it from your cloud drive, then retry",
            ShowFile,
        ),
        K::DigestMismatch => message(
            "The copy is not the same as the original",
            "It does not count as safe and is backed up again; if this keeps happening, check the destination's disk",
            Retry,
        ),
        K::Conflict => message(
            "Another file has this name at the destination",
            "Nothing was overwritten; retry to use another name",
            Retry,
        ),
        K::TooLarge => message(
            "The file is larger than the destination accepts",
            "Raise the limit there, or leave this file out",
            OpenDestination,
        ),
        K::Unsupported => message(
            "The destination does not accept this type of file",
            "Back it up to another destination, or leave it out",
            OpenDestination,
        ),
        K::Forbidden => message(
            "The destination does not allow this file to be written",
            "Check the destination's permissions, then retry",
            OpenDestination,
        ),
        K::NotFound => message(
            "The folder for this file is missing at the destination",
            "Check the destination's address, then retry",
            OpenDestination,
        ),
        K::BadRequest => {
            message("The destination did not accept this file", "See the details, then retry", Retry)
        }
        K::Full => message(
            "There is not enough space for this file",
            "Free up space at the destination, then retry",
            Action::FreeSpace,
        ),
        K::Dns | K::Connect | K::Tls | K::Timeout => message(
            "The connection was lost while this file was being uploaded",
            "Safelight retries automatically; there is nothing to do",
            Wait,
        ),
        K::Server | K::Protocol | K::Redirect => message(
            "The destination failed while receiving this file",
            "Safelight retries automatically; if this keeps happening, see the details",
            Retry,
        ),
        K::RateLimited => message(
            "The destination asked to slow down",
            "Safelight retries automatically; there is nothing to do",
            Wait,
        ),
        K::Credentials => {
            message("The sign-in was refused for this file", "Sign in again", Action::SignInAgain)
        }
    }
}

#[expect(clippy::too_many_lines, reason = "a table: one row a kind")]
fn describe_destination(kind: FailureKind) -> Message {
    use Action::{ConnectDisk, FreeSpace, OpenDestination, SignInAgain, Wait};
    use FailureKind as K;
    match kind {
        K::Dns => message(
            "The server's name cannot be found",
            "Check the address and your network",
            OpenDestination,
        ),
        K::Connect => message(
            "The server does not respond",
            "Check that it is running and that you are on the right network",
            Wait,
        ),
        K::Tls => message(
            "The secure connection to the server cannot be trusted",
            "Check the server's certificate and this computer's clock",
            OpenDestination,
        ),
        K::Timeout => message("The destination stopped responding", "Safelight retries automatically", Wait),
        K::Server => message(
            "The destination has an internal problem",
            "Safelight retries automatically; if this keeps happening, see the details",
            Wait,
        ),
        K::RateLimited => message(
            "The destination asked to slow down",
            "Backup resumes automatically; there is nothing to do",
            Wait,
        ),
        K::Credentials => message("The sign-in is wrong or has expired", "Sign in again", SignInAgain),
        K::Forbidden => message(
            "Safelight is not allowed to write to the destination",
            "Check its permissions, or choose another folder",
            OpenDestination,
        ),
        K::NotFound | K::Gone => message(
            "The destination cannot be found",
            "Connect the disk, or choose where the backup is now",
            ConnectDisk,
        ),
        K::Full => {
            message("The destination is full", "Free up space there; backup resumes automatically", FreeSpace)
        }
        K::Unreadable => {
            message("The destination cannot be read", "Check the disk and its cable", ConnectDisk)
        }
        K::DigestMismatch => message(
            "The destination returns different data than it was given",
            "Do not trust this disk; check it, or choose another destination",
            OpenDestination,
        ),
        K::Conflict => message(
            "This is not the same destination as before",
            "Another disk or folder is at the same address; connect the right one, or add this one as a new destination",
            ConnectDisk,
        ),
        K::Redirect => message(
            "The server points to another address",
            "Use the new address if you trust it",
            OpenDestination,
        ),
        K::BadRequest
        | K::Unsupported
        | K::TooLarge
        | K::Protocol
        | K::Changed
        | K::Empty
        | K::Placeholder => message(
            "The destination answered in a way that Safelight does not understand",
            "Check that the address is right and the server's software is up to date",
            OpenDestination,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_well() {
        let mut text = String::new();
        for reach in [Reach::Resource, Reach::Destination] {
            for kind in FailureKind::ALL {
                let Message { summary, advice, action } = describe(kind, reach);
                assert!(!summary.ends_with('.') && !summary.contains('/'), "{summary}");
                text += &format!(
                    "{} · {}\n  {summary}\n  {advice} [{}]\n",
                    reach.as_str(),
                    kind.as_str(),
                    action.as_str()
                );
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn every_action_is_known_by_its_stable_name() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
        assert_eq!(Action::parse("dance"), None);
    }

    #[test]
    fn every_cause_has_its_own_words() {
        let mut text = String::new();
        for cause in Cause::ALL {
            let Message { summary, advice, action } =
                describe_with(FailureKind::Server, Reach::Resource, Some(cause));
            assert!(!summary.ends_with('.') && !advice.ends_with('.') && !summary.contains('/'), "{summary}");
            text += &format!("{}\n  {summary}\n  {advice} [{}]\n", cause.as_str(), action.as_str());
        }
        insta::assert_snapshot!(text);
        let plain = Failure::permanent(FailureKind::Conflict, TRASHED);
        assert_eq!(describe_failure(&plain), describe(FailureKind::Conflict, Reach::Resource));
        let trashed = plain.with_cause(Cause::Trashed);
        assert_eq!(describe_failure(&trashed).action.as_str(), "restore_from_trash");
    }
}
