//! What mends a failure: the action that does, as a button of its own, and retrying beside it.

use eframe::egui::Ui;

use super::commands::{CardField, Command, Purpose, Screen, Verb};
use super::screen_context::ScreenContext;
use super::widgets::{self, Kind};
use crate::api::{
    DestinationState, FailureText, Operation, PathText, Query, QueueList, QueueQuery, Selection, Snapshot,
};
use crate::domain::cause::Cause;
use crate::domain::failure::FailureKind;
use crate::domain::messages::Action;
use crate::domain::target::{DestinationKind, Target};

/// An action that mends what retrying alone cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Show the file in the file manager.
    ShowFile,
    /// Make room at the destination.
    FreeSpace,
    /// Enter the password, key or token, the first time or again.
    EnterSecret,
    /// Give this user the right to write to the destination's folder.
    ChangePermissions,
    /// Test the destination again, after its disk was connected or repaired.
    TestAgain,
    /// Look at the destination: its address, or what the details name.
    OpenDestination,
    /// Look at the settings of the network.
    OpenNetwork,
    /// Take the files out of the server's trash.
    RestoreFromTrash,
}

/// A failure, with what its remedies need to know.
pub(super) struct Subject<'a> {
    /// What failed.
    pub failure: &'a FailureText,
    /// Where, if that is one of the destinations.
    pub destination: Option<&'a DestinationState>,
    /// The file, where it is one and its path is known.
    pub file: Option<&'a PathText>,
    /// Which items, for what is done to them.
    pub selection: Selection,
    /// `48 files`, or one file's name.
    pub what: &'a str,
}

/// The cause, where it has words of its own.
fn cause_of(failure: &FailureText) -> Option<Cause> {
    failure.class.split_once('.').and_then(|(_, cause)| Cause::parse(cause))
}

/// Whether trying again can help: not for what lies in the file itself, or in what the destination takes.
pub(super) fn can_retry(failure: &FailureText) -> bool {
    use FailureKind::{Empty, Gone, TooLarge, Unsupported};
    !matches!(FailureKind::parse(&failure.kind), Some(Empty | Gone | TooLarge | Unsupported))
}

fn is_folder(d: Option<&DestinationState>) -> bool {
    d.is_some_and(|d| DestinationKind::parse(&d.kind) == Some(DestinationKind::Folder))
}

/// What mends a failure; `None` where it passes by itself, or retrying is the remedy.
pub(super) fn of(failure: &FailureText, destination: Option<&DestinationState>) -> Option<Remedy> {
    // An unlocked keyring is asked again by retrying.
    if matches!(cause_of(failure), Some(Cause::KeyringLocked | Cause::KeyringMissing)) {
        return None;
    }
    let is_forbidden = cause_of(failure) == Some(Cause::FolderPermission)
        || FailureKind::parse(&failure.kind) == Some(FailureKind::Forbidden);
    Some(match Action::parse(&failure.action)? {
        Action::Retry | Action::Wait => return None,
        Action::ShowFile => Remedy::ShowFile,
        Action::FreeSpace => Remedy::FreeSpace,
        Action::SignInAgain => Remedy::EnterSecret,
        Action::ConnectDisk => Remedy::TestAgain,
        Action::OpenDestination if is_forbidden && is_folder(destination) => Remedy::ChangePermissions,
        Action::OpenDestination => Remedy::OpenDestination,
        Action::OpenNetwork => Remedy::OpenNetwork,
        Action::RestoreFromTrash => Remedy::RestoreFromTrash,
    })
}

/// What a destination calls the secret that it wants.
pub(super) fn secret_word(kind: &str) -> &'static str {
    match DestinationKind::parse(kind) {
        Some(DestinationKind::Immich | DestinationKind::S3) => "key",
        Some(DestinationKind::Tus | DestinationKind::Resumable) => "token",
        _ => "password",
    }
}

impl Remedy {
    /// What its button says.
    pub fn label(self, subject: &Subject<'_>) -> String {
        match self {
            Self::ShowFile => "Show file".to_owned(),
            Self::FreeSpace => "Free space".to_owned(),
            Self::EnterSecret => {
                let is_first = cause_of(subject.failure) == Some(Cause::PasswordMissing);
                let verb = if is_first { "Enter" } else { "Change" };
                format!("{verb} {}", secret_word(subject.destination.map_or("", |d| &d.kind)))
            }
            Self::ChangePermissions => "Change permissions".to_owned(),
            Self::TestAgain => "Test again".to_owned(),
            Self::OpenDestination => "Open destination".to_owned(),
            Self::OpenNetwork => "Open network settings".to_owned(),
            Self::RestoreFromTrash => "Restore from trash".to_owned(),
        }
    }

    /// What its button does. Nothing where that needs a destination and there is none.
    pub fn commands(self, subject: &Subject<'_>) -> Vec<Command> {
        let at = subject.destination;
        let card = |field| at.map(|d| Command::ShowDestination(d.id, field));
        let folder = || {
            let d = at.filter(|_| is_folder(at))?;
            match Target::parse(d.url.as_bytes()) {
                Ok(Target::Folder(path)) => Some(Command::ShowInFolder(PathText::from_bytes(&path))),
                _ => None,
            }
        };
        let command = match self {
            Self::ShowFile => Some(show_file(subject)),
            Self::FreeSpace | Self::ChangePermissions => folder().or_else(|| card(None)),
            Self::EnterSecret => card(Some(CardField::Secret)),
            Self::TestAgain => at.map(test_again),
            Self::OpenDestination => card(None),
            Self::OpenNetwork => Some(Command::Go(Screen::Settings)),
            Self::RestoreFromTrash => {
                Some(Command::change(Verb::Untrash, subject.selection.clone(), subject.what))
            }
        };
        command.into_iter().collect()
    }
}

fn test_again(d: &DestinationState) -> Command {
    let purpose = Purpose::TestSaved { id: d.id, name: d.name.clone() };
    Command::send(Operation::TestDestination { id: d.id }, purpose)
}

/// Shows the file; where only its class is known, the first of that.
fn show_file(subject: &Subject<'_>) -> Command {
    if let Some(path) = subject.file {
        return Command::ShowInFolder(path.clone());
    }
    let query = QueueQuery {
        list: QueueList::NeedsAttention,
        destination: None,
        enabled_only: true,
        failure_kind: Some(subject.failure.class.clone()),
        after: None,
        limit: 1,
    };
    Command::send(Query::Queue(query), Purpose::ShowFile)
}

/// The button of what mends a failure, and whether there is one.
pub(super) fn button(ui: &mut Ui, env: &mut ScreenContext<'_>, subject: &Subject<'_>) -> bool {
    let Some(remedy) = of(subject.failure, subject.destination) else { return false };
    let text = remedy.label(subject);
    let name = format!("{text}: {}", subject.failure.summary);
    if widgets::named_button(ui, Kind::Normal, &text, &name).clicked() {
        env.out.extend(remedy.commands(subject));
    }
    true
}

/// The button of what mends a destination that cannot be used.
pub(super) fn button_for_destination(
    ui: &mut Ui,
    env: &mut ScreenContext<'_>,
    d: &DestinationState,
    is_on_card: bool,
) {
    let Some(failure) = &d.failure else { return };
    // On its own card there is nothing to open.
    let remedy = of(failure, Some(d)).filter(|remedy| !is_on_card || *remedy != Remedy::OpenDestination);
    let Some(remedy) = remedy else { return };
    let selection = Selection::Items(Vec::new());
    let subject = Subject { failure, destination: Some(d), file: None, selection, what: "" };
    let text = remedy.label(&subject);
    if widgets::named_button(ui, Kind::Normal, &text, &format!("{text}: {}", d.name)).clicked() {
        env.out.extend(remedy.commands(&subject));
    }
}

/// The destination with this name.
pub(super) fn destination_named<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a DestinationState> {
    snapshot.destinations.iter().find(|d| d.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Reach;

    fn failure(kind: FailureKind, cause: Option<Cause>) -> FailureText {
        FailureText::with_cause(kind, Reach::Resource, cause, String::new())
    }

    fn at(kind: &str, url: &str) -> DestinationState {
        DestinationState { id: 7, kind: kind.into(), url: url.into(), ..DestinationState::default() }
    }

    #[test]
    fn each_cause_leads_to_what_mends_it() {
        use FailureKind as K;
        let folder = at("folder", "file:///media/a%20b");
        let server = at("immich", "immich+https://photos.example");
        for (kind, cause, d, remedy) in [
            (K::Empty, None, &folder, Some(Remedy::ShowFile)),
            (K::Unreadable, None, &folder, Some(Remedy::ShowFile)),
            (K::Full, None, &folder, Some(Remedy::FreeSpace)),
            (K::Full, Some(Cause::Quota), &server, Some(Remedy::FreeSpace)),
            (K::Credentials, Some(Cause::KeyExpired), &server, Some(Remedy::EnterSecret)),
            (K::Credentials, Some(Cause::KeyringLocked), &server, None),
            (K::Forbidden, Some(Cause::FolderPermission), &folder, Some(Remedy::ChangePermissions)),
            (K::Forbidden, None, &server, Some(Remedy::OpenDestination)),
            (K::Unreadable, Some(Cause::ReadOnly), &folder, Some(Remedy::TestAgain)),
            (K::Tls, Some(Cause::UnknownAuthority), &server, Some(Remedy::OpenNetwork)),
            (K::Conflict, Some(Cause::Trashed), &server, Some(Remedy::RestoreFromTrash)),
            (K::DigestMismatch, None, &folder, None),
            (K::Timeout, None, &server, None),
        ] {
            assert_eq!(of(&failure(kind, cause), Some(d)), remedy, "{kind:?} {cause:?}");
        }
    }

    #[test]
    fn a_button_says_and_does_what_fits_its_destination() {
        let (folder, server) = (at("folder", "file:///media/a%20b"), at("immich", "immich+https://h"));
        let full = failure(FailureKind::Full, None);
        let subject = |failure, destination| Subject {
            failure,
            destination: Some(destination),
            file: None,
            selection: Selection::All,
            what: "2 files",
        };
        let shown = Command::ShowInFolder(PathText::from_bytes(b"/media/a b"));
        assert_eq!(Remedy::FreeSpace.commands(&subject(&full, &folder)), [shown]);
        let card = Command::ShowDestination(7, None);
        assert_eq!(Remedy::FreeSpace.commands(&subject(&full, &server)), [card]);
        let expired = failure(FailureKind::Credentials, Some(Cause::KeyExpired));
        assert_eq!(Remedy::EnterSecret.label(&subject(&expired, &server)), "Change key");
        let missing = failure(FailureKind::Credentials, Some(Cause::PasswordMissing));
        let webdav = at("webdav", "webdav+https://h");
        assert_eq!(Remedy::EnterSecret.label(&subject(&missing, &webdav)), "Enter password");
    }
}
