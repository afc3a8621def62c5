//! What every screen is painted with.

use super::commands::{Command, Dialog, PageKey, Purpose};
use super::model::Model;
use crate::api::{self, PathText, Request};
use crate::client::sign_in::SignInState;

/// What a screen may read while it is painted, and the commands that it returns.
pub(super) struct ScreenContext<'a> {
    /// What is known.
    pub model: &'a Model,
    /// What is asked for.
    pub out: &'a mut Vec<Command>,
    /// A question is shown over the screen.
    pub has_dialog: bool,
    /// The library's days must be asked for again now.
    pub refresh_library: bool,
    /// The size of the grid's cells was changed by hand.
    pub cell_side_changed: bool,
    /// More could not be asked for in this frame.
    pub repaint_soon: bool,
    /// What the page offers is to have the keyboard again.
    pub focus_page: bool,
    /// Whether the agent starts at sign-in; `None` where it cannot. Undecided: it will as soon as
    /// backup is switched on.
    pub sign_in: Option<SignInState>,
}

impl ScreenContext<'_> {
    /// Asks for a page of the library.
    pub fn page(&mut self, key: PageKey, request: Request) {
        self.out.push(Command::send(request, Purpose::Page(key)));
    }

    /// Adds a folder, asking first where its photos would be copied somewhere.
    pub fn add_source(&mut self, path: PathText) {
        self.out.push(add_source(self.model, path));
    }
}

/// The command that adds a folder.
pub(super) fn add_source(model: &Model, path: PathText) -> Command {
    if model.snapshot.destinations.is_empty() {
        let request = api::Command::AddSource { path: path.clone(), consent_all: true };
        Command::send(request, Purpose::AddSource(path))
    } else {
        Command::Ask(Dialog::ConsentToSource { path })
    }
}
