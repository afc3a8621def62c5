//! The parts of a message to a person: two sentences and a button.

use super::stable_name::stable_names;

/// What the person can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// Try the file, or the class, again.
    Retry,
    /// Enter the credentials again.
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

stable_names!(Action);

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
