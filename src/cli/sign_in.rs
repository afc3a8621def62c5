//! Starting at sign-in, as the command line sees it.

use super::exit::{CliError, Exit};
use super::output::Output;
use crate::platform::paths::{Environment, Paths};
use crate::platform::sign_in::SignInEntry;

/// Returns the entry that starts the agent at sign-in; `None` where there can be none.
pub(super) fn entry(paths: &Paths) -> Option<SignInEntry> {
    SignInEntry::locate(paths, &Environment::of_process())
}

/// Switches starting at sign-in on or off, as the person asks.
///
/// # Errors
/// The entry cannot be written, or there can be none here.
pub(super) fn set(paths: &Paths, on: bool) -> Result<(), CliError> {
    let entry = entry(paths).ok_or_else(|| {
        CliError::new(Exit::Usage, "Safelight cannot start at sign-in from here")
            .advise("Use `safelight service install` or the desktop's own settings")
    })?;
    entry.set(on).map_err(|error| {
        CliError::new(Exit::Internal, format!("Starting at sign-in cannot be changed: {error}"))
    })
}

/// Backup was switched on: the agent starts at sign-in too, unless that has been decided already. Only
/// for the usual data directory: another one is somebody's experiment, or a script's.
pub(super) fn start_with_backup(paths: &Paths, out: &mut Output) {
    if paths.is_chosen {
        return;
    }
    let Some(entry) = entry(paths) else { return };
    match entry.set_if_undecided() {
        Ok(true) => out.note("Safelight also starts when you sign in (settings --start-at-sign-in off)"),
        Ok(false) => {}
        Err(error) => tracing::warn!("starting at sign-in: {error}"),
    }
}
