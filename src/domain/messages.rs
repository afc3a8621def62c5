//! What a person is told of a failure: a plain sentence, what to do, and a button that does it.

use super::cause::Cause;
use super::failure::{Failure, FailureKind, Reach};

/// What the person can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Try the file, or the class, again.
    Retry,
    /// Enter the credentials anew.
    SignInAgain,
    /// Make room at the destination.
    FreeSpace,
    /// Look at the destination's settings.
    OpenDestination,
    /// Show the file in the file manager.
    ShowFile,
    /// Look at the settings of the network.
    OpenNetwork,
    /// Connect the disk.
    ConnectDisk,
    /// Take it out of the server's trash again.
    RestoreFromTrash,
    /// Nothing: it goes on by itself.
    Wait,
}

/// The details of [`Cause::Trashed`].
pub const TRASHED: &str = "the server has this file in its trash, and forgets it when the trash is emptied";

/// What is said of a folder that is on the disk of the photos that go there.
pub const SAME_DISK: &str =
    "This folder is on the same disk as your photos. If the disk breaks, both are lost";

impl Action {
    /// The action's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::SignInAgain => "sign_in_again",
            Self::FreeSpace => "free_space",
            Self::OpenDestination => "open_destination",
            Self::OpenNetwork => "open_network",
            Self::ShowFile => "show_file",
            Self::ConnectDisk => "connect_disk",
            Self::RestoreFromTrash => "restore_from_trash",
            Self::Wait => "wait",
        }
    }
}

/// A failure in a person's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// One sentence: what happened. No path, no code.
    pub summary: &'static str,
    /// One sentence: what to do.
    pub advice: &'static str,
    /// The button.
    pub action: Action,
}

pub(super) const fn message(summary: &'static str, advice: &'static str, action: Action) -> Message {
    Message { summary, advice, action }
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
            "The file changed while it was being copied",
            "The new version is copied next; there is nothing to do",
            Wait,
        ),
        K::Gone => message(
            "The file is no longer in its folder",
            "If you moved or deleted it, there is nothing to do",
            ShowFile,
        ),
        K::Unreadable => message(
            "The file cannot be read",
            "Check that you may open it and that its disk is healthy, then try again",
            ShowFile,
        ),
        K::Empty => {
            message("The file is empty", "It has no bytes to back up; look for another copy of it", ShowFile)
        }
        K::Placeholder => message(
            "The file is not on this computer",
            "Download it from your cloud drive, then try again",
            ShowFile,
        ),
        K::DigestMismatch => message(
            "The copy is not the same as the original",
            "It was not counted as safe and is sent again; if this repeats, check the backup disk",
            Retry,
        ),
        K::Conflict => message(
            "Another file has taken its name in the backup",
            "Nothing was replaced; try again to use another name",
            Retry,
        ),
        K::TooLarge => message(
            "The file is larger than the backup place takes",
            "Raise the limit there, or leave this file out",
            OpenDestination,
        ),
        K::Unsupported => message(
            "The backup place does not take this type of file",
            "Back it up to another place, or leave it out",
            OpenDestination,
        ),
        K::Forbidden => message(
            "The backup place does not allow this file to be written",
            "Check the permissions of the backup place, then try again",
            OpenDestination,
        ),
        K::NotFound => message(
            "The backup place does not have the folder for this file",
            "Check the address of the backup place, then try again",
            OpenDestination,
        ),
        K::BadRequest => {
            message("The backup place did not accept this file", "Look at the details, then try again", Retry)
        }
        K::Full => message(
            "There is not enough space for this file",
            "Make room in the backup place, then try again",
            Action::FreeSpace,
        ),
        K::Dns | K::Connect | K::Tls | K::Timeout => message(
            "The connection was lost while this file was being copied",
            "It is tried again by itself; there is nothing to do",
            Wait,
        ),
        K::Server | K::Protocol | K::Redirect => message(
            "The backup place failed while taking this file",
            "It is tried again by itself; if this repeats, look at the details",
            Retry,
        ),
        K::RateLimited => message(
            "The backup place asked to slow down",
            "It is tried again by itself; there is nothing to do",
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
            "The server does not answer",
            "Check that it is running and that you are on the right network",
            Wait,
        ),
        K::Tls => message(
            "The secure connection to the server cannot be trusted",
            "Check the server's certificate and this computer's clock",
            OpenDestination,
        ),
        K::Timeout => message("The backup place stopped answering", "It is tried again by itself", Wait),
        K::Server => message(
            "The backup place has a problem of its own",
            "It is tried again by itself; if this repeats, look at the details",
            Wait,
        ),
        K::RateLimited => message(
            "The backup place asked to slow down",
            "It goes on by itself; there is nothing to do",
            Wait,
        ),
        K::Credentials => message("The sign-in is wrong or has expired", "Sign in again", SignInAgain),
        K::Forbidden => message(
            "Safelight may not write to the backup place",
            "Check its permissions, or choose another folder",
            OpenDestination,
        ),
        K::NotFound | K::Gone => message(
            "The backup place is not there",
            "Connect the disk, or choose where the backup is now",
            ConnectDisk,
        ),
        K::Full => {
            message("The backup place is full", "Make room there; backup goes on by itself", FreeSpace)
        }
        K::Unreadable => {
            message("The backup place cannot be read", "Check the disk and its cable", ConnectDisk)
        }
        K::DigestMismatch => message(
            "The backup place returns other bytes than it was given",
            "Do not trust this disk; check it, or choose another place",
            OpenDestination,
        ),
        K::Conflict => message(
            "This is not the backup place it was",
            "Another disk or folder is at the same address; connect the right one, or add this one anew",
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
            "The backup place answered in a way that Safelight does not understand",
            "Check that the address is right and that its software is up to date",
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
        let trashed = plain.because(Cause::Trashed);
        assert_eq!(describe_failure(&trashed).action.as_str(), "restore_from_trash");
    }
}
