//! `service`: the agent as a systemd service of this person.

use serde_json::json;

use super::args::{Global, ServiceCommand};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::{Workspace, connect};
use crate::platform::paths::Environment;
use crate::platform::user_service::{ServiceError, ServiceStatus, UserService};

/// Installs, removes or shows the service.
pub(super) fn run(command: &ServiceCommand, global: &Global, out: &mut Output) -> Exit {
    let outcome = Workspace::prepare(global).and_then(|workspace| {
        let service = UserService::locate(&workspace.paths, &Environment::of_process())
            .map_err(|error| cli_error(&error))?;
        match command {
            ServiceCommand::Install => {
                // An agent that a window has started would hold the data directory.
                connect::stop(&workspace.paths)?;
                service.install().map_err(|error| cli_error(&error))?;
                show(&service.status(), out);
            }
            ServiceCommand::Remove => {
                let was_installed = service.remove().map_err(|error| cli_error(&error))?;
                if out.style.is_json {
                    out.json(&json!({ "was_installed": was_installed }));
                } else {
                    out.line(if was_installed { "Removed" } else { "The service was not installed" });
                }
            }
            ServiceCommand::Status => show(&service.status(), out),
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Exit::Fine,
        Err(error) => {
            out.error(&error);
            error.exit
        }
    }
}

fn cli_error(error: &ServiceError) -> CliError {
    let is_systemd = matches!(error, ServiceError::Systemd { .. });
    let error = CliError::new(Exit::Internal, error.to_string());
    if is_systemd { error.advise("Without systemd, start `safelight agent` in your own way") } else { error }
}

fn show(status: &ServiceStatus, out: &mut Output) {
    if out.style.is_json {
        out.json(&json!({
            "installed": status.is_installed,
            "activity": status.activity,
            "lingering": status.is_lingering,
        }));
        return;
    }
    if !status.is_installed {
        out.line("The service is not installed; safelight service install installs it");
        return;
    }
    let activity = status.activity.as_deref().unwrap_or("unknown, for systemd does not answer");
    out.line(&format!("The service is installed. State: {activity}"));
    match status.is_lingering {
        Some(true) => out.line("It runs while you are signed out too"),
        Some(false) | None => {
            out.line("It starts when you sign in and ends when you sign out");
            out.line("To keep it running while you are signed out: loginctl enable-linger");
        }
    }
}
