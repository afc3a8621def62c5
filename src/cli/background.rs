//! `agent`: running in the background without a window, and stopping what runs there.

use super::args::{AgentArgs, Global};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::{Workspace, connect};
use crate::agent::{AgentExit, AgentOptions, Host, READY_LINE, StartEngine, TAKEN_EXIT};
use crate::domain::format::capitalize;
use crate::platform::lock::{DirLock, LockError};
use crate::platform::log::Sink;

/// Runs or stops the agent.
pub fn run(args: &AgentArgs, global: &Global, out: &mut Output, start_engine: StartEngine) -> Exit {
    let outcome = Workspace::prepare(global).and_then(|place| {
        if args.stop { stop(&place, out) } else { serve(&place, args.detached, out, start_engine) }
    });
    outcome.unwrap_or_else(|error| {
        out.error(&error);
        error.exit
    })
}

fn stop(place: &Workspace, out: &mut Output) -> Result<Exit, CliError> {
    let was_running = connect::stop(&place.paths)?;
    if out.style.is_json {
        out.json(&serde_json::json!({ "was_running": was_running }));
    } else {
        out.line(if was_running { "Stopped" } else { "Safelight was not running" });
    }
    Ok(Exit::Fine)
}

fn serve(
    place: &Workspace,
    is_detached: bool,
    out: &mut Output,
    start_engine: StartEngine,
) -> Result<Exit, CliError> {
    if is_detached && let Err(error) = rustix::process::setsid() {
        tracing::debug!("no session of its own: {error}");
    }
    let dir = place.paths.log_dir();
    let _log = place.log(Sink::File { dir: &dir, name: "agent" });
    let lock = DirLock::acquire(&place.paths.lock()).map_err(|error| {
        let exit = if matches!(error, LockError::Held { .. }) { Exit::Usage } else { Exit::Internal };
        debug_assert_eq!(Exit::Usage.code(), TAKEN_EXIT);
        CliError::new(exit, error.to_string())
    })?;
    let options = AgentOptions { leaves_when_idle: is_detached, handles_signals: true };
    let host = Host::start(&place.paths, lock, start_engine, options)
        .map_err(|error| CliError::new(Exit::Internal, capitalize(&error.to_string())))?;
    tracing::info!("the agent is ready");
    if is_detached {
        out.raw(&format!("{READY_LINE}\n"));
    } else {
        out.line("Safelight is running. Press Ctrl+C to stop it");
    }
    match host.wait() {
        AgentExit::Requested | AgentExit::Idle | AgentExit::Left => Ok(Exit::Fine),
        AgentExit::Signalled => Ok(Exit::Interrupted),
        AgentExit::EngineStopped => {
            Err(CliError::new(Exit::Internal, "The backup engine stopped unexpectedly")
                .advise(format!("See the log in {}", dir.display())))
        }
    }
}
